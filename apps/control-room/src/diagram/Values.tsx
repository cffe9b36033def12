/** Live numbers and bars of a diagram: measured, estimated, their difference, or what a trial would make of them. */
import { createEffect, createMemo, createSignal, For, Match, on, onCleanup, onMount, Show, Switch } from 'solid-js';
import type { PointInfo } from '../api/types.ts';
import { useApp } from '../app.ts';
import { fixed, MINUS, type Shown, shown } from '../format/number.ts';
import { isOld, qualityMarks } from '../format/quality.ts';
import { duration } from '../format/time.ts';
import { asPoint } from '../live/estimate.ts';
import { DISTRUST_SIGN } from '../trust/glyphs.tsx';
import type { LoadingBar, Role, Slot } from './drawing.ts';
import { loading } from './measurements.ts';

/** A place of a role: the point that measures it, and the one that the service calculates. */
interface Source {
  readonly role: Role;
  readonly measured: PointInfo | undefined;
  readonly calculated: PointInfo | undefined;
}

/** Values written into the drawing by hand: one text node each, set at most once per frame. */
export function Values(props: { slot: Slot }) {
  const app = useApp();
  const sources = createMemo(() =>
    props.slot.roles.flatMap((role): Source[] => {
      const first = (list: 'byRole' | 'calculated') =>
        props.slot.equipment.map((each) => app.measurements().get(each)?.[list][role]).find((point) => point);
      const [measured, calculated] = [first('byRole'), first('calculated')];
      return measured || calculated ? [{ role, measured, calculated }] : [];
    }),
  );
  return (
    <text class="t-value" x={props.slot.x} y={props.slot.y} text-anchor={props.slot.anchor}>
      <Show
        when={app.whatIf.active()}
        fallback={
          <For each={sources()}>
            {(source, index) => (
              <Switch>
                <Match when={app.valueMode() === 'measured'}>
                  <ValueSpan point={source.measured ?? source.calculated!} first={index() === 0} />
                </Match>
                <Match when={app.valueMode() === 'estimated'}>
                  <EstimateSpan source={source} first={index() === 0} residual={false} />
                </Match>
                <Match when={app.valueMode() === 'residual'}>
                  <EstimateSpan source={source} first={index() === 0} residual={true} />
                </Match>
              </Switch>
            )}
          </For>
        }
      >
        <For each={props.slot.roles}>
          {(role, index) => <TrialSpan slot={props.slot} role={role} first={index() === 0} />}
        </For>
      </Show>
    </text>
  );
}

function ValueSpan(props: { point: PointInfo; first: boolean }) {
  const app = useApp();
  let number!: SVGTSpanElement;
  let unit!: SVGTSpanElement;
  let mark!: SVGTSpanElement;
  const tap = () => props.point.measurementType === 'TapPosition';
  const draw = () => {
    const value = app.values.get(props.point.mRID);
    const parts = shown(props.point, value?.value, app.scaleFor(props.point));
    number.textContent = tap() ? `tap ${parts.text}` : parts.text;
    unit.textContent = parts.unit;
    const quality = value?.quality ?? 0;
    const marks = qualityMarks(quality);
    number.setAttribute(
      'class',
      `num${isOld(quality) || marks.some(({ tone }) => tone !== 'note') ? ' doubtful' : ''}${tap() ? ' t-label' : ''}`,
    );
    const age = isOld(quality) && value ? ` old ${duration(app.now().getTime() - value.sourceTime)}` : '';
    const distrusted = app.trustOf(props.point.source, value?.trust) === 'distrusted';
    const signs = marks.map(({ sign }) => sign).join('') + (distrusted ? DISTRUST_SIGN : '');
    mark.textContent = signs + age;
    mark.setAttribute('class', `t-mark mark-${distrusted ? 'invalid' : (marks[0]?.tone ?? 'note')}`);
    mark.setAttribute('dx', signs || age ? '5' : '0');
  };
  onMount(() => {
    createEffect(
      on(
        () => props.point,
        (point) => {
          draw();
          onCleanup(app.values.subscribe(point.mRID, draw));
        },
      ),
    );
    // A gateway that fails casts doubt on what stands already.
    createEffect(on(app.badNodes, draw, { defer: true }));
    // An old value ages without a new one arriving.
    createEffect(on(app.now, () => isOld(app.values.quality(props.point.mRID) ?? 0) && draw(), { defer: true }));
  });
  return (
    <>
      <tspan ref={number} class="num" dx={props.first ? 0 : 10} />
      <tspan ref={unit} class="t-unit" dx="3" />
      <tspan ref={mark} class="t-mark" />
    </>
  );
}

/** What the estimation says, or by how much the measurement differs from it. */
function EstimateSpan(props: { source: Source; first: boolean; residual: boolean }) {
  const app = useApp();
  const [version, setVersion] = createSignal(0);
  createEffect(() => {
    for (const point of [props.source.measured, props.source.calculated])
      if (point) onCleanup(app.values.subscribe(point.mRID, () => setVersion((count) => count + 1)));
  });
  const estimated = createMemo(() => app.estimate.byPoint().get(props.source.measured?.mRID ?? ''));
  const said = createMemo((): (Shown & { readonly doubtful?: boolean; readonly sign?: string }) | undefined => {
    version();
    const { measured, calculated } = props.source;
    const of = measured ?? calculated!;
    const scale = app.scaleFor(of);
    const own = estimated();
    // The calculation publishes kV and MW; a measurement may come in V.
    const estimate = own
      ? own.estimated === null
        ? null
        : asPoint(of, own.kind, own.estimated)
      : calculated
        ? inUnitOf(of, calculated, app.values.number(calculated.mRID))
        : null;
    if (!props.residual) return estimate === null ? undefined : shown(of, estimate, scale);
    if (own?.residual !== null && own?.residual !== undefined) {
      const sigma = own.normalizedResidual;
      if (sigma !== null)
        return {
          text: signed(sigma, 1),
          unit: 'σ',
          doubtful: own.suspect === true,
          ...(own.suspect ? { sign: '?' } : {}),
        };
      const residual = asPoint(of, own.kind, own.residual);
      const parts = shown(of, residual, scale);
      return { text: residual > 0 ? `+${parts.text}` : parts.text, unit: parts.unit };
    }
    const now = measured ? app.values.number(measured.mRID) : Number.NaN;
    if (estimate === null || Number.isNaN(now)) return undefined;
    const parts = shown(of, now - estimate, scale);
    return { text: now >= estimate ? `+${parts.text}` : parts.text, unit: parts.unit };
  });
  return (
    <Show when={said()}>
      {(parts) => (
        <>
          <tspan class="num estimated" classList={{ doubtful: parts().doubtful ?? false }} dx={props.first ? 0 : 10}>
            {parts().text}
          </tspan>
          <tspan class="t-unit" dx="3">
            {parts().unit}
          </tspan>
          <tspan class="t-mark mark-questionable" dx={parts().sign ? 5 : 0}>
            {parts().sign ?? ''}
          </tspan>
        </>
      )}
    </Show>
  );
}

const FACTOR: Readonly<Record<string, number>> = { n: 1e-9, micro: 1e-6, m: 1e-3, none: 1, k: 1e3, M: 1e6, G: 1e9 };
/** A number of one point in the unit of another that says the same. */
export function inUnitOf(to: PointInfo, from: PointInfo, value: number): number | null {
  if (Number.isNaN(value)) return null;
  return (value * (FACTOR[from.unitMultiplier ?? 'none'] ?? 1)) / (FACTOR[to.unitMultiplier ?? 'none'] ?? 1);
}

/** With its sign, but for a zero. */
function signed(value: number, digits: number): string {
  const text = fixed(Math.abs(value), digits);
  return Number(text) === 0 ? text : `${value < 0 ? MINUS : '+'}${text}`;
}
const digitsOf = (value: number): number => (Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2);

const UNIT: Readonly<Partial<Record<Role, string>>> = { U: 'kV', P: 'MW', Q: 'Mvar', I: 'A', tap: '', loading: '%' };
/** Changes below this are none: kV, MW, Mvar, A. */
const NOTABLE: Readonly<Partial<Record<Role, number>>> = { U: 0.01, P: 0.01, Q: 0.01, I: 0.5, tap: 0.5, loading: 0.5 };

/** A value as the trial has it, and by how much it differs from live. */
function TrialSpan(props: { slot: Slot; role: Role; first: boolean }) {
  const app = useApp();
  const pair = createMemo((): { tried: number | null; live: number | null } | undefined => {
    const { role, slot } = props;
    const { whatIf } = app;
    if (role === 'soc') return undefined;
    if (role === 'tap') {
      const equipment = slot.equipment[0] ?? '';
      const point = app.measurements().get(equipment)?.byRole.tap;
      const live = point ? app.values.number(point.mRID) : Number.NaN;
      const tried = whatIf.trial().taps[equipment] ?? live;
      return Number.isNaN(tried) ? undefined : { tried, live: Number.isNaN(live) ? null : live };
    }
    const outcome = whatIf.outcome();
    if (!outcome) return undefined;
    for (const each of slot.equipment) {
      if (role === 'U') {
        const found = outcome.voltage(each);
        if (found) return found;
      } else if (role === 'loading') return outcome.loading(each);
      else {
        const flow = outcome.flow(each);
        const of = role === 'P' ? 'p' : role === 'Q' ? 'q' : 'i';
        if (flow) return { tried: flow.tried?.[of] ?? null, live: flow.live?.[of] ?? null };
        if (of === 'i') continue;
        const power = whatIf.trial().powers[each];
        const live = megaOf(each, role);
        if (live === null && !power) continue;
        // What has no voltage draws nothing, whatever it is set to.
        const node = app.equipmentById().get(each)?.terminals[0]?.connectivityNode ?? '';
        const dead = outcome.voltage(node)?.tried === null;
        return { tried: dead ? 0 : (power?.[of] ?? live), live };
      }
    }
    return undefined;
  });
  /** MW or Mvar as measured. */
  function megaOf(equipment: string, role: Role): number | null {
    const point = app.measurements().get(equipment)?.byRole[role];
    if (!point) return null;
    const value = app.values.number(point.mRID) * (FACTOR[point.unitMultiplier ?? 'none'] ?? 1);
    return Number.isNaN(value) ? null : value / 1e6;
  }
  const text = () => {
    const { tried } = pair()!;
    if (tried === null) return props.role === 'U' ? 'no voltage' : '—';
    return props.role === 'tap' ? `tap ${fixed(tried, 0)}` : fixed(tried, props.role === 'U' ? 2 : digitsOf(tried));
  };
  const change = () => {
    const { tried, live } = pair()!;
    if (tried === null || live === null) return '';
    const difference = tried - live;
    if (Math.abs(difference) < (NOTABLE[props.role] ?? 0)) return '';
    return ` (${signed(difference, props.role === 'tap' ? 0 : props.role === 'U' ? 2 : digitsOf(difference))})`;
  };
  return (
    <Show when={pair()}>
      <tspan class="num trial" dx={props.first ? 0 : 10}>
        {text()}
      </tspan>
      <tspan class="t-unit" dx="3">
        {pair()!.tried === null ? '' : (UNIT[props.role] ?? '')}
      </tspan>
      <tspan class="t-mark mark-trial">{change()}</tspan>
    </Show>
  );
}

/**
 * Loading against the rating: a transformer's from the powers of its side where measured, else as calculated; a mark where
 * it would be after the worst single outage.
 */
export function Loading(props: { bar: LoadingBar }) {
  const app = useApp();
  const points = createMemo(() => app.measurements().get(props.bar.equipment));
  const [live, setLive] = createSignal<number>();
  /** After the worst single outage. */
  const [worst, setWorst] = createSignal<number>();
  const ratedS = createMemo(() => {
    const found = app.equipmentById().get(props.bar.equipment);
    return found?.class === 'PowerTransformer' ? Math.min(...found.ends.map((end) => end.ratedS)) : undefined;
  });
  const update = () => {
    const { byRole, calculated } = points() ?? { byRole: {}, calculated: {} };
    const mega = (point: PointInfo | undefined) =>
      point ? (app.values.number(point.mRID) * (FACTOR[point.unitMultiplier ?? 'none'] ?? 1)) / 1e6 : Number.NaN;
    const rated = ratedS();
    const measured =
      byRole.P && rated !== undefined && app.valueMode() === 'measured'
        ? loading(rated, mega(byRole.P), mega(byRole.Q))
        : undefined;
    const estimate = calculated.loading ? app.values.number(calculated.loading.mRID) : Number.NaN;
    setLive(measured ?? (Number.isNaN(estimate) ? undefined : estimate));
    const after = calculated.worst ? app.values.number(calculated.worst.mRID) : Number.NaN;
    setWorst(Number.isNaN(after) ? undefined : after);
  };
  createEffect(() => {
    update();
    const { byRole, calculated } = points() ?? { byRole: {}, calculated: {} };
    for (const point of [byRole.P, byRole.Q, calculated.loading, calculated.worst])
      if (point) onCleanup(app.values.subscribe(point.mRID, update));
  });
  const trial = () => (app.whatIf.active() ? app.whatIf.outcome()?.loading(props.bar.equipment) : undefined);
  const percent = () => (app.whatIf.active() ? (trial()?.tried ?? undefined) : live());
  // The tone follows the alarm, whose limit is the operator's, not a second opinion of the drawing.
  const alarm = () =>
    app.whatIf.active()
      ? undefined
      : app
          .alarmsByThing()
          .get(props.bar.equipment)
          ?.find(({ state }) => state !== 'normal');
  const tone = () => (alarm() ? `p${alarm()!.priority}-fill` : percent()! > 100 ? 'p2-fill' : 'bar-fill');
  const number = () => (alarm() ? `num p${alarm()!.priority}-text` : percent()! > 100 ? 'num p2-text' : 'num');
  const share = (value: number) => (props.bar.width * Math.min(100, Math.max(0, value))) / 100;
  return (
    <Show when={percent() !== undefined}>
      <rect class="bar-band" x={props.bar.x} y={props.bar.y} width={props.bar.width} height="7" />
      <rect class={tone()} x={props.bar.x} y={props.bar.y} width={share(percent()!)} height="7" />
      <Show when={!app.whatIf.active() && worst() !== undefined && worst()! > percent()! + 1}>
        <rect
          class={worst()! > 100 ? 'bar-worst beyond' : 'bar-worst'}
          x={props.bar.x + share(worst()!) - 1.5}
          y={props.bar.y}
          width="1.5"
          height="7"
        />
      </Show>
      <Show when={trial()?.live ?? undefined}>
        {(before) => (
          <rect class="bar-live" x={props.bar.x + share(before()) - 1} y={props.bar.y - 2} width="2" height="11" />
        )}
      </Show>
      <text class="t-value" x={props.bar.x + props.bar.width + 8} y={props.bar.y + 8}>
        <tspan class={number()}>{fixed(percent()!, 0)}</tspan>
        <tspan class="t-unit" dx="3">
          %
        </tspan>
      </text>
    </Show>
  );
}
