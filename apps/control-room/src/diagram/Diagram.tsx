import { createEffect, createMemo, createSignal, For, on, onCleanup, onMount, Show } from 'solid-js';
import type { GridModel, PointInfo, Priority } from '../api/types.ts';
import { useApp } from '../app.ts';
import { fixed, shown } from '../format/number.ts';
import { isInvalid, isOld, qualityMarks } from '../format/quality.ts';
import { duration } from '../format/time.ts';
import { DISTRUST_SIGN } from '../trust/glyphs.tsx';
import { PriorityGlyph } from '../ui/glyphs.tsx';
import type {
  Drawing,
  InjectionSymbol,
  LoadingBar,
  Slot,
  SwitchSymbol,
  TransformerSymbol,
  Wire,
  XY,
} from './drawing.ts';
import { layout } from './layout.ts';
import { loading, switchState } from './measurements.ts';
import { type EnergisedState, type SwitchState, Topology } from './topology.ts';
import { useViewport } from './viewport.ts';

export type Overlay = 'none' | 'source' | 'voltage';

const line = (path: readonly XY[]): string => `M${path.map(({ x, y }) => `${x} ${y}`).join('L')}`;

/** The single-line diagram of a model with everything that lives on it. */
export function Diagram(props: { model: GridModel; overlay: Overlay }) {
  const app = useApp();
  const drawing = createMemo<Drawing>(() => layout(props.model));
  const topology = createMemo(() => new Topology(props.model));

  const positionOf = (mRID: string): SwitchState | undefined => {
    const point = app.measurements().get(mRID)?.position;
    if (!point) return undefined;
    const value = app.values.get(point.mRID);
    return value && switchState(point, value.value, isInvalid(value.quality));
  };
  // Everything is derived anew when a switch moves, not when a measurement changes.
  const [moved, setMoved] = createSignal(0);
  const positions = createMemo(() => {
    const points = new Set<string>();
    for (const each of app.measurements().values()) if (each.position) points.add(each.position.mRID);
    return points;
  });
  onCleanup(
    app.values.subscribeAll((changed) => {
      const [few, many] = changed.size < positions().size ? [changed, positions()] : [positions(), changed];
      for (const point of few) if (many.has(point)) return void setMoved((count) => count + 1);
    }),
  );
  const energised = createMemo<EnergisedState>(() => {
    moved();
    return topology().energise(positionOf);
  });
  const sourceIndex = createMemo(() => {
    const ids = props.model.equipment
      .filter(({ class: of }) => of === 'PowerTransformer' || of === 'ExternalNetworkInjection')
      .map(({ mRID }) => mRID)
      .sort();
    return new Map(ids.map((mRID, index) => [mRID, index % 6]));
  });
  const voltageOf = createMemo(() => {
    const kV = new Map(props.model.voltageLevels.map((level) => [level.mRID, level.nominalVoltage]));
    const order = [...new Set(kV.values())].sort((a, b) => b - a);
    return new Map(
      props.model.connectivityNodes.map((node) => [node.mRID, order.indexOf(kV.get(node.voltageLevel) ?? 0) % 6]),
    );
  });
  const anyNode = (wire: Wire): string =>
    wire.node ?? app.equipmentById().get(wire.equipment ?? '')?.terminals[0]?.connectivityNode ?? '';
  const tint = (node: string): string => {
    if (props.overlay === 'source') {
      const source = energised().sourceOf(node);
      return source ? ` tint${sourceIndex().get(source) ?? 0}` : '';
    }
    return props.overlay === 'voltage' ? ` tint${voltageOf().get(node) ?? 0}` : '';
  };
  const wireState = (wire: Wire) => (wire.node ? energised().node(wire.node) : energised().equipment(wire.equipment!));
  const wireTint = (wire: Wire) => {
    const of = app.equipmentById().get(wire.equipment ?? '');
    const live = of?.terminals.find((terminal) => energised().node(terminal.connectivityNode) === 'live');
    return tint(wire.node ?? live?.connectivityNode ?? anyNode(wire));
  };

  const view = useViewport(drawing);
  const selected = () => {
    const chosen = app.selection();
    if (!chosen) return undefined;
    return chosen.kind === 'equipment' ? chosen.mRID : app.pointById().get(chosen.mRID)?.equipment;
  };
  const worst = (equipment: string) => app.alarmsByThing().get(equipment)?.[0];

  return (
    <>
      <svg
        class="sld"
        classList={{ stale: !app.live() }}
        ref={view.ref}
        viewBox={view.box()}
        preserveAspectRatio="xMidYMid meet"
        role="application"
        aria-label={`Single-line diagram of ${props.model.name}`}
      >
        {/* biome-ignore lint/a11y/noAriaHiddenOnFocusable: nothing in here takes the focus; the targets below do */}
        <g aria-hidden="true">
          <For each={drawing().wires}>
            {(wire) => <path class={`wire ${wire.kind} ${wireState(wire)}${wireTint(wire)}`} d={line(wire.path)} />}
          </For>
          <For each={drawing().dots}>
            {(dot) => (
              <circle class={`dot ${energised().node(dot.node)}${tint(dot.node)}`} cx={dot.x} cy={dot.y} r="4" />
            )}
          </For>
          <For each={drawing().transformers}>
            {(each) => <Transformer of={each} energised={energised()} tint={tint} />}
          </For>
          <For each={drawing().injections}>
            {(each) => <Injection of={each} state={energised().node(each.node)} tint={tint(each.node)} />}
          </For>
          <For each={drawing().switches}>
            {(each) => {
              const known = createMemo(() => {
                moved();
                return positionOf(each.equipment);
              });
              return (
                <SwitchMark
                  of={each}
                  state={known() ?? (each.normalOpen ? 'open' : 'closed')}
                  known={known() !== undefined}
                />
              );
            }}
          </For>
          <For each={drawing().labels}>
            {(label) => (
              <text class={`t-${label.style}`} x={label.x} y={label.y} text-anchor={label.anchor}>
                {label.text}
              </text>
            )}
          </For>
          <For each={drawing().slots}>{(slot) => <Values slot={slot} />}</For>
          <For each={drawing().bars}>{(bar) => <Loading bar={bar} model={props.model} />}</For>
        </g>
        <For each={drawing().targets}>
          {(target) => (
            // biome-ignore lint/a11y/useSemanticElements: SVG has no button element
            <g
              class="target"
              classList={{ selected: selected() === target.equipment }}
              tabindex="0"
              role="button"
              aria-label={target.name}
              aria-pressed={selected() === target.equipment}
              data-equipment={target.equipment}
              onClick={() => !view.dragged() && app.select({ kind: 'equipment', mRID: target.equipment })}
              onKeyDown={(event) => {
                if (event.key !== 'Enter' && event.key !== ' ') return;
                event.preventDefault();
                app.select({ kind: 'equipment', mRID: target.equipment });
              }}
            >
              <title>{target.name}</title>
              <rect x={target.x} y={target.y} width={target.width} height={target.height} rx="5" />
              <Show when={worst(target.equipment)}>
                {(alarm) => (
                  <g transform={`translate(${target.x - 7} ${target.y - 4})`}>
                    <PriorityGlyphIn priority={alarm().priority} filled={alarm().state !== 'acknowledged'} />
                  </g>
                )}
              </Show>
            </g>
          )}
        </For>
      </svg>
      <fieldset class="zoom" aria-label="Zoom">
        <button type="button" aria-label="Zoom in" onClick={() => view.zoom(0.8)}>
          +
        </button>
        <button type="button" aria-label="Zoom out" onClick={() => view.zoom(1.25)}>
          −
        </button>
        <button type="button" onClick={view.fit}>
          Fit
        </button>
      </fieldset>
    </>
  );
}

const PriorityGlyphIn = (props: { priority: Priority; filled: boolean }) => (
  <svg width="14" height="14" aria-hidden="true">
    <PriorityGlyph priority={props.priority} filled={props.filled} />
  </svg>
);

function SwitchMark(props: { of: SwitchSymbol; state: SwitchState; known: boolean }) {
  const normal = () => props.state === (props.of.normalOpen ? 'open' : 'closed');
  const label = () => {
    if (props.state === 'uncertain') return 'position unknown';
    const { named, name, normalOpen, place } = props.of;
    if (!normal()) {
      // Between the rows of a station there is room for one word; the mark round the symbol says the rest.
      if (place === 'above' && !named) return props.state;
      return `${named ? `${name} ` : ''}${props.state} · normally ${normalOpen ? 'open' : 'closed'}`;
    }
    return named ? `${name} ${normalOpen ? 'normally open' : props.state}` : '';
  };
  const at = (): { x: number; y: number; anchor: 'start' | 'middle' } => {
    const { x, y, place } = props.of;
    if (place === 'right') return { x: x + 14, y: y + 4, anchor: 'start' };
    // Under the name and the values of the feeder.
    if (place === 'head') return { x: x + 14, y: y + 42, anchor: 'start' };
    if (place === 'over') return { x: x + 12, y: y - 5, anchor: 'start' };
    return { x, y: y - 12, anchor: 'middle' };
  };
  return (
    <g class={`switch ${props.state}`} classList={{ abnormal: !normal(), assumed: !props.known }}>
      <Show when={!normal()}>
        <rect class="halo" x={props.of.x - 10} y={props.of.y - 10} width="20" height="20" rx="3" />
      </Show>
      <rect class="body" x={props.of.x - 6} y={props.of.y - 6} width="12" height="12" />
      <Show when={props.state === 'uncertain'}>
        <path class="slash" d={`M${props.of.x - 6} ${props.of.y + 6}L${props.of.x + 6} ${props.of.y - 6}`} />
      </Show>
      <Show when={label()}>
        <text class="t-label" classList={{ 't-abnormal': !normal() }} x={at().x} y={at().y} text-anchor={at().anchor}>
          {label()}
        </text>
      </Show>
    </g>
  );
}

function Transformer(props: { of: TransformerSymbol; energised: EnergisedState; tint: (node: string) => string }) {
  const offset = () =>
    props.of.vertical
      ? [
          [0, -10],
          [0, 10],
        ]
      : [
          [-8, 0],
          [8, 0],
        ];
  const radius = () => (props.of.vertical ? 14 : 11);
  return (
    <g class="symbol">
      <For each={[0, 1]}>
        {(end) => (
          <circle
            class="ring-back"
            cx={props.of.x + offset()[end]![0]!}
            cy={props.of.y + offset()[end]![1]!}
            r={radius()}
          />
        )}
      </For>
      <For each={[0, 1] as const}>
        {(end) => (
          <circle
            class={`ring ${props.energised.node(props.of.nodes[end])}${props.tint(props.of.nodes[end])}`}
            cx={props.of.x + offset()[end]![0]!}
            cy={props.of.y + offset()[end]![1]!}
            r={radius()}
          />
        )}
      </For>
    </g>
  );
}

const TURN = { right: 0, down: 90, up: 0 } as const;

function Injection(props: { of: InjectionSymbol; state: string; tint: string }) {
  const { x, y } = props.of;
  const look = () => `${props.state}${props.tint}`;
  switch (props.of.kind) {
    case 'load':
      return (
        <path
          class={`solid ${look()}`}
          d="M0 -7 12 0 0 7z"
          transform={`translate(${x} ${y}) rotate(${TURN[props.of.direction]})`}
        />
      );
    case 'network':
      return (
        <g class={`outline ${look()}`} transform={`translate(${x} ${y})`}>
          <rect class="ring" x="-11" y="-20" width="22" height="22" />
          <path d="M-11 -9 0 -20M-11 2 11 -20M0 2 11 -9" />
        </g>
      );
    case 'battery':
      return (
        <g class={`outline ${look()}`} transform={`translate(${x} ${y})`}>
          <rect class="ring" x="0" y="-9" width="20" height="18" />
          <path d="M5 0h10M10 -5V5" />
        </g>
      );
    case 'pv':
      return (
        <g class={`outline ${look()}`} transform={`translate(${x + 10} ${y})`}>
          <circle class="ring" r="10" />
          <path d="M-5 4 0 -5 5 4z" />
        </g>
      );
    case 'wind':
      return (
        <g class={`outline ${look()}`} transform={`translate(${x + 10} ${y})`}>
          <circle class="ring" r="10" />
          <path d="M0 0V-8M0 0l7 4M0 0l-7 4" />
        </g>
      );
  }
}

/** Values written into the drawing by hand: one text node each, set at most once per frame. */
function Values(props: { slot: Slot }) {
  const app = useApp();
  const points = createMemo(() =>
    props.slot.roles.flatMap((role): PointInfo[] => {
      for (const equipment of props.slot.equipment) {
        const point = app.measurements().get(equipment)?.byRole[role];
        if (point) return [point];
      }
      return [];
    }),
  );
  return (
    <text class="t-value" x={props.slot.x} y={props.slot.y} text-anchor={props.slot.anchor}>
      <For each={points()}>{(point, index) => <ValueSpan point={point} first={index() === 0} />}</For>
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

/** Loading of a transformer against its rating, computed from the measured powers of its side. */
function Loading(props: { bar: LoadingBar; model: GridModel }) {
  const app = useApp();
  const transformer = createMemo(() => {
    const found = app.equipmentById().get(props.bar.equipment);
    return found?.class === 'PowerTransformer' ? found : undefined;
  });
  const points = createMemo(() => app.measurements().get(props.bar.equipment)?.byRole ?? {});
  const [percent, setPercent] = createSignal<number>();
  const update = () => {
    const { P, Q } = points();
    const to = transformer();
    if (!P || !to) return void setPercent(undefined);
    const exponent = { none: 1e-6, k: 1e-3, M: 1, G: 1e3 } as const;
    const mega = (point: PointInfo | undefined) =>
      point
        ? app.values.number(point.mRID) * (exponent[(point.unitMultiplier ?? 'none') as keyof typeof exponent] ?? 1)
        : Number.NaN;
    setPercent(loading(Math.min(to.ends[0]!.ratedS, to.ends[1]!.ratedS), mega(P), mega(Q)));
  };
  createEffect(() => {
    const { P, Q } = points();
    update();
    for (const point of [P, Q]) if (point) onCleanup(app.values.subscribe(point.mRID, update));
  });
  // The tone follows the alarm, whose limit is the operator's, not a second opinion of the drawing.
  const alarm = () =>
    app
      .alarmsByThing()
      .get(props.bar.equipment)
      ?.find(({ state }) => state !== 'normal');
  const tone = () => (alarm() ? `p${alarm()!.priority}-fill` : percent()! > 100 ? 'p2-fill' : 'bar-fill');
  return (
    <Show when={percent() !== undefined}>
      <rect class="bar-band" x={props.bar.x} y={props.bar.y} width={props.bar.width} height="7" />
      <rect
        class={tone()}
        x={props.bar.x}
        y={props.bar.y}
        width={(props.bar.width * Math.min(100, percent()!)) / 100}
        height="7"
      />
      <text class="t-value" x={props.bar.x + props.bar.width + 8} y={props.bar.y + 8}>
        <tspan class={alarm() ? `num p${alarm()!.priority}-text` : 'num'}>{fixed(percent()!, 0)}</tspan>
        <tspan class="t-unit" dx="3">
          %
        </tspan>
      </text>
    </Show>
  );
}
