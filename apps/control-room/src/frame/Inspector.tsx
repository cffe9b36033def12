import {
  createEffect,
  createMemo,
  createResource,
  createSignal,
  For,
  type JSX,
  Match,
  onCleanup,
  onMount,
  Show,
  Switch,
} from 'solid-js';
import { api } from '../api/client.ts';
import type { PointInfo, Sample } from '../api/types.ts';
import { useApp } from '../app.ts';
import { CommandDialog } from '../commands/CommandDialog.tsx';
import type { Equipment } from '../diagram/equipment.ts';
import { withoutCommonWords } from '../format/names.ts';
import { fixed, isSwitchPosition, shown } from '../format/number.ts';
import { isOld, qualityWords } from '../format/quality.ts';
import { duration, stamp, timeWeaknesses } from '../format/time.ts';
import { asPoint } from '../live/estimate.ts';
import { iedPath, iedsOf } from '../pages/devices/places.ts';
import { stationsOf } from '../pages/overview/places.ts';
import { Provenance } from '../provenance/Provenance.tsx';
import { TrustWord } from '../provenance/TrustWord.tsx';
import { useProvenance } from '../provenance/useProvenance.ts';
import { go } from '../route.ts';
import { VALUE_TRUST_WORDS } from '../trust/words.ts';
import { Icon, PriorityGlyph } from '../ui/glyphs.tsx';
import { LiveText, QualityMarks, useLive } from '../ui/live.tsx';
import { RangeBar, rangeOf, Skeleton, Sparkline } from '../ui/parts.tsx';
import { stateSentence } from './AlarmStrip.tsx';
import { CLASS_WORDS } from './words.ts';

const HOUR = 3_600_000;
/** Everything about what is selected: value, limits, the last hour, quality, and where it comes from. */
export function Inspector() {
  const app = useApp();
  const chosen = createMemo(() => {
    const selection = app.selection();
    if (!selection) return undefined;
    const asPoint = app.pointById().get(selection.mRID);
    const equipment = app.equipmentById().get(asPoint?.equipment ?? selection.mRID);
    return { key: selection.mRID, asPoint, equipment };
  });
  const [preferred, setPreferred] = createSignal<string>();
  createEffect(() => {
    chosen()?.key;
    setPreferred(undefined);
  });
  const all = createMemo(() => {
    const found = chosen();
    const of = found?.equipment ? app.measurements().get(found.equipment.mRID)?.all : undefined;
    return of ?? (found?.asPoint ? [found.asPoint] : []);
  });
  const measured = createMemo(() => all().filter(({ kind }) => kind !== 'command' && kind !== 'setpoint'));
  const controls = createMemo(() => all().filter(({ kind }) => kind === 'command' || kind === 'setpoint'));
  const main = createMemo(() => {
    const asked = preferred() ?? chosen()?.asPoint?.mRID;
    const list = measured();
    return (
      list.find(({ mRID }) => mRID === asked) ??
      list.find(isSwitchPosition) ??
      list.find(({ measurementType }) => measurementType === 'ThreePhaseActivePower') ??
      list[0] ??
      chosen()?.asPoint
    );
  });
  const shortNames = createMemo(() => {
    const names = withoutCommonWords(all().map(({ name }) => name));
    return new Map(all().map(({ mRID }, index) => [mRID, names[index]!]));
  });
  const [ordering, setOrdering] = createSignal<PointInfo>();
  const alarms = () => app.alarmsByThing().get(chosen()?.equipment?.mRID ?? chosen()?.key ?? '') ?? [];

  /** What can be done stands above what is to be read: it must not wander out of sight below a long chain. */
  const actions = () => (
    <>
      <Show when={controls().length || main()}>
        <div class="btns">
          <For each={controls()}>
            {(control) => {
              const refusal = () => app.refusal('commands.operate');
              return (
                <button
                  type="button"
                  class="main"
                  disabled={refusal() !== undefined}
                  title={refusal()}
                  onClick={() => setOrdering(control)}
                >
                  {control.kind === 'setpoint'
                    ? 'Set …'
                    : controls().length > 1
                      ? `${shortNames().get(control.mRID)} …`
                      : 'Operate …'}
                </button>
              );
            }}
          </For>
          <Show when={main()}>
            {(point) => (
              <>
                <button type="button" onClick={() => go('trends', { points: point().mRID })}>
                  Trend
                </button>
                <button type="button" onClick={() => go('events', { point: point().mRID })}>
                  Events
                </button>
              </>
            )}
          </Show>
          <Diagrams equipment={chosen()?.equipment} />
          <DeviceLink point={main()} />
        </div>
        <Show when={controls().length && app.refusal('commands.operate')}>
          {(why) => <p class="sub refusal">{why()}</p>}
        </Show>
      </Show>
    </>
  );

  return (
    <aside class="inspector" aria-label="Inspector">
      <Show when={chosen()} fallback={<EmptyInspector />}>
        {(found) => (
          <>
            <div class="inspector-head">
              <div>
                <h2>{main()?.name ?? found().equipment?.name ?? 'Unknown'}</h2>
                <div class="sub">
                  {[
                    found().equipment &&
                      `${found().equipment!.name}, ${CLASS_WORDS[found().equipment!.class] ?? found().equipment!.class}`,
                    main()?.measurementType,
                  ]
                    .filter(Boolean)
                    .join(' · ')}
                </div>
              </div>
              <button type="button" class="bare" aria-label="Close the inspector" onClick={() => app.select(undefined)}>
                <Icon name="close" size={14} />
              </button>
            </div>
            <For each={alarms().slice(0, 3)}>
              {(alarm) => (
                <a class="inspector-alarm" href={`#/alarms?id=${encodeURIComponent(String(alarm.id))}`}>
                  <PriorityGlyph priority={alarm.priority} filled={alarm.state !== 'acknowledged'} />
                  <span>
                    {alarm.message}
                    <small>{stateSentence(alarm, app.now())}</small>
                  </span>
                </a>
              )}
            </For>
            <Show
              when={main()}
              fallback={
                <>
                  <p class="sub">No point of the announced sites belongs to this equipment.</p>
                  {actions()}
                  <div class="btns">
                    <Diagrams equipment={found().equipment} />
                  </div>
                </>
              }
              keyed
            >
              {(point) => <PointDetail point={point}>{actions()}</PointDetail>}
            </Show>
            <Show when={measured().length > 1}>
              <h3>Points of {found().equipment?.name}</h3>
              <ul class="pointlist">
                <For each={measured()}>
                  {(point) => (
                    <li>
                      <button
                        type="button"
                        classList={{ on: main()?.mRID === point.mRID }}
                        onClick={() => setPreferred(point.mRID)}
                      >
                        <span class="pl-name" title={point.name}>
                          {shortNames().get(point.mRID)}
                        </span>
                        <LiveText point={point} />
                      </button>
                    </li>
                  )}
                </For>
              </ul>
            </Show>
          </>
        )}
      </Show>
      <Show when={ordering()} keyed>
        {(point) => <CommandDialog point={point} onClose={() => setOrdering(undefined)} />}
      </Show>
    </aside>
  );
}

/** The stations that an equipment stands in, as displays to open. */
function Diagrams(props: { equipment: Equipment | undefined }) {
  const app = useApp();
  const stations = createMemo(() => {
    const model = app.model();
    return model && props.equipment ? stationsOf(model, props.equipment) : [];
  });
  return (
    <For each={stations()}>
      {(station) => (
        <button type="button" onClick={() => go(`grid/${station.mRID}`)}>
          {stations().length > 1 ? station.name : 'Station'}
        </button>
      )}
    </For>
  );
}

/** Where the point stands in the model of its device, for one that has a model. */
function DeviceLink(props: { point: PointInfo | undefined }) {
  const app = useApp();
  const device = createMemo(() => {
    const { point } = props;
    return (
      point &&
      iedsOf(app.sources()).find(
        ({ source, endpoint }) => source.source === point.source && endpoint.id === point.endpoint,
      )
    );
  });
  return (
    <Show when={device() && props.point}>
      {(point) => (
        <button
          type="button"
          onClick={() =>
            go(iedPath(point().source, point().endpoint), { at: point().address.replace(/ control$/, '') })
          }
        >
          In the device
        </button>
      )}
    </Show>
  );
}

function EmptyInspector() {
  const app = useApp();
  const energisedHint = () => app.model() !== undefined;
  return (
    <div class="inspector-empty">
      <h2>Nothing selected</h2>
      <p class="sub">
        {energisedHint()
          ? 'Select equipment in the diagram, a point or an alarm: here stand its value, its limits, the last hour, and where it comes from.'
          : 'Select a point or an alarm to see where its value comes from.'}
      </p>
      <h3>Keys</h3>
      <dl>
        <dt>Tab, Enter</dt>
        <dd>walk, select</dd>
        <dt>o, double click</dt>
        <dd>open the station of it</dd>
        <dt>Backspace</dt>
        <dd>back to the wider view</dd>
        <dt>+ − 0 arrows</dt>
        <dd>zoom, fit, pan</dd>
        <dt>Esc</dt>
        <dd>clear the selection</dd>
      </dl>
    </div>
  );
}

function PointDetail(props: { point: PointInfo; children: JSX.Element }) {
  const app = useApp();
  const value = useLive(() => props.point.mRID);
  const scale = () => app.scaleFor(props.point);
  const parts = () => shown(props.point, value()?.value, scale());
  const range = createMemo(() => rangeOf(props.point));
  const provenance = useProvenance(() => props.point);
  const trust = () => value() && app.trustOf(props.point.source, provenance.settled() ?? value()!.trust);
  onMount(() => onCleanup(app.estimate.look(() => app.calculated())));
  /** `24.0 MW · residual 0.4 σ` */
  const estimated = () => {
    const found = app.estimate.byPoint().get(props.point.mRID);
    if (!found || found.estimated === null) return undefined;
    const { text, unit } = shown(props.point, asPoint(props.point, found.kind, found.estimated), scale());
    const sigma = found.normalizedResidual;
    const residual = sigma === null ? '' : ` · residual ${fixed(sigma, 1)} σ${found.suspect ? ', not believed' : ''}`;
    return `${text} ${unit}${residual}`;
  };
  const stepped = () => props.point.kind === 'discrete';
  const numeric = () => props.point.kind !== 'string';
  const [history] = createResource(
    () => (numeric() && app.live() ? props.point.mRID : undefined),
    async (mRID) => {
      const to = new Date(Date.now() - app.clock.offset);
      const from = new Date(to.getTime() - HOUR);
      if (stepped()) return (await api.history(mRID, from, to, 2000)).samples;
      const { buckets } = await api.buckets(mRID, from, to, 30);
      return buckets.map(([at, , , , mean, last, quality]): Sample => [at, mean ?? last, quality]);
    },
  );
  // The trend grows by what arrives while it is looked at.
  const [tail, setTail] = createSignal<readonly Sample[]>([]);
  createEffect(() => {
    const now = value();
    if (!now || typeof now.value !== 'number') return;
    const sample: Sample = [now.sourceTime, now.value, now.quality];
    setTail((known) => (known.at(-1)?.[0] === sample[0] ? known : [...known.slice(-2000), sample]));
  });
  const samples = createMemo((): readonly Sample[] => {
    const fetched = history.latest ?? [];
    const end = fetched.at(-1)?.[0] ?? 0;
    const known = [...fetched, ...tail().filter(([at]) => at > end)];
    if (!stepped() || !app.live()) return known;
    // A state holds until the next one is reported.
    const now = app.now().getTime();
    const last = known.at(-1) ?? tail().at(-1);
    if (!last) return known;
    const start: readonly Sample[] = known.length ? [] : [[Math.max(now - HOUR, last[0]), last[1], last[2]]];
    return [...start, ...known, [now, last[1], last[2]]];
  });
  return (
    <>
      <div class="big" classList={{ stale: !app.live(), old: isOld(value()?.quality ?? 0) }}>
        <b>{value() ? parts().text : '—'}</b>
        <span>{value() ? parts().unit : 'no value yet'}</span>
        <Show when={value()}>{(now) => <QualityMarks quality={now().quality} sourceTime={now().sourceTime} />}</Show>
        <TrustWord trust={trust()} />
      </div>
      <Show
        when={
          props.point.kind === 'discrete' &&
          props.point.normalValue !== undefined &&
          value() &&
          value()!.value !== props.point.normalValue
        }
      >
        <p class="sub p2-text">normally {shown(props.point, props.point.normalValue, scale()).text}</p>
      </Show>
      <Show when={range() && typeof value()?.value === 'number' ? range() : undefined}>
        {(bounds) => <RangeBar range={bounds()} value={value()!.value as number} scale={scale()} />}
      </Show>
      <Show when={numeric()}>
        <Switch>
          <Match when={history.loading && !history.latest}>
            <Skeleton rows={2} />
          </Match>
          <Match when={history.error}>
            <p class="sub">The last hour could not be fetched: {String((history.error as Error).message)}</p>
          </Match>
          <Match when={true}>
            <Sparkline
              samples={samples()}
              from={app.now().getTime() - HOUR}
              to={app.now().getTime()}
              limits={range()?.marks ?? []}
              stepped={stepped()}
              dimmed={!app.live()}
            />
          </Match>
        </Switch>
      </Show>
      {props.children}
      <h3>Quality</h3>
      <Show when={value()} fallback={<p class="sub">The source has not spoken about this point yet.</p>}>
        {(now) => (
          <dl>
            <dt>validity</dt>
            <dd>{qualityWords(now().quality)}</dd>
            <dt>source time</dt>
            <dd>{stamp(new Date(now().sourceTime), app.now())}</dd>
            <For each={timeWeaknesses(now().timeQuality)}>
              {(weakness) => (
                <>
                  <dt />
                  <dd class="warn">{weakness}</dd>
                </>
              )}
            </For>
            <dt>age</dt>
            <dd>{duration(app.now().getTime() - now().sourceTime)}</dd>
            <Show when={estimated()}>
              {(text) => (
                <>
                  <dt>estimated</dt>
                  <dd>{text()}</dd>
                </>
              )}
            </Show>
            <Show when={trust()}>
              {(known) => (
                <>
                  <dt>trust</dt>
                  <dd classList={{ 'p1-text': known() === 'distrusted' }}>{VALUE_TRUST_WORDS[known()]}</dd>
                </>
              )}
            </Show>
          </dl>
        )}
      </Show>
      <h3>Where it comes from</h3>
      <Provenance point={props.point} view={provenance} />
    </>
  );
}
