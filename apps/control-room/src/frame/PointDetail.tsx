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
import { fixed, shown } from '../format/number.ts';
import { isOld, qualityWords } from '../format/quality.ts';
import { duration, stamp, timeWeaknesses } from '../format/time.ts';
import { asPoint } from '../live/estimate.ts';
import { Provenance } from '../provenance/Provenance.tsx';
import { TrustWord } from '../provenance/TrustWord.tsx';
import { useProvenance } from '../provenance/useProvenance.ts';
import { VALUE_TRUST_WORDS } from '../trust/words.ts';
import { QualityMarks, useLive } from '../ui/live.tsx';
import { RangeBar, rangeOf, Skeleton, Sparkline } from '../ui/parts.tsx';

const HOUR = 3_600_000;

/** One point: its value against its limits, the last hour, its quality, and the way it came. What can be done stands between. */
export function PointDetail(props: { point: PointInfo; children: JSX.Element }) {
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
