import { createMemo, createSignal, For, onCleanup, Show } from 'solid-js';
import type { GridModel, Priority } from '../api/types.ts';
import { useApp } from '../app.ts';
import { isInvalid } from '../format/quality.ts';
import { PriorityGlyph } from '../ui/glyphs.tsx';
import type { Drawing, Place, Target, Wire, XY } from './drawing.ts';
import { isSource, isTransformer } from './equipment.ts';
import { indexOf } from './layout.ts';
import { switchState } from './measurements.ts';
import { ExitMark, Injection, Series, StationBox, SwitchMark, Transformer } from './Symbols.tsx';
import { type EnergisedState, type SwitchState, Topology } from './topology.ts';
import { Loading, Values } from './Values.tsx';
import { useViewport } from './viewport.ts';

export type Overlay = 'none' | 'source' | 'voltage';

const line = (path: readonly XY[]): string => `M${path.map(({ x, y }) => `${x} ${y}`).join('L')}`;

/** A display as it is laid out: of a model, or of one place in it. */
export interface Display {
  readonly model: GridModel;
  readonly place: Place | undefined;
  readonly drawing: Drawing;
}

/** The single-line diagram, with everything that lives on it. */
export function Diagram(props: { of: Display; overlay: Overlay; title: string; open: (place: Place) => void }) {
  const app = useApp();
  const drawing = () => props.of.drawing;
  const model = createMemo(() => props.of.model);
  const topology = createMemo(() => new Topology(model()));

  const reported = (mRID: string): SwitchState | undefined => {
    const point = app.measurements().get(mRID)?.position;
    if (!point) return undefined;
    const value = app.values.get(point.mRID);
    return value && switchState(point, value.value, isInvalid(value.quality));
  };
  const positionOf = (mRID: string): SwitchState | undefined => app.whatIf.position(mRID) ?? reported(mRID);
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
    app.whatIf.trial();
    return topology().energise(positionOf, app.whatIf.out());
  });
  const sourceIndex = createMemo(() => {
    const ids = model()
      .equipment.filter((each) => isTransformer(each) || isSource(each))
      .map(({ mRID }) => mRID)
      .sort();
    return new Map(ids.map((mRID, index) => [mRID, index % 6]));
  });
  const voltageOf = createMemo(() => {
    const kV = new Map(model().voltageLevels.map((level) => [level.mRID, level.nominalVoltage]));
    const order = [...new Set(kV.values())].sort((a, b) => b - a);
    return new Map(
      model().connectivityNodes.map((node) => [node.mRID, order.indexOf(kV.get(node.voltageLevel) ?? 0) % 6]),
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
  const taken = (wire: Wire) => (app.whatIf.out().has(wire.equipment ?? '') ? ' out' : '');

  const view = useViewport(drawing);
  const selected = () => {
    const chosen = app.selection();
    if (!chosen) return undefined;
    return chosen.kind === 'equipment' ? chosen.mRID : app.pointById().get(chosen.mRID)?.equipment;
  };
  /** Everything in a box of the overview, to gather its alarms. */
  const inBox = createMemo(() => new Map(drawing().boxes.map((box) => [box.substation, box.equipment])));
  const worst = (of: string) => {
    const own = (inBox().get(of) ?? [of]).flatMap((each) => app.alarmsByThing().get(each) ?? []);
    return own.reduce<(typeof own)[number] | undefined>(
      (gravest, alarm) => (gravest && gravest.priority <= alarm.priority ? gravest : alarm),
      undefined,
    );
  };
  /** What a double click opens: what the drawing says, else, in an overview, the station of the equipment. */
  const opens = (target: Target): Place | undefined => {
    if (target.opens || props.of.place) return target.opens;
    const equipment = app.equipmentById().get(target.equipment);
    const substation = equipment && indexOf(model()).substationsOf(equipment)[0];
    return substation === undefined ? undefined : { substation };
  };
  const open = (target: Target) => {
    const place = opens(target);
    if (place) props.open(place);
  };
  /** A box of the overview and the name of a bay are nothing but ways in; everything else is selected first. */
  const isWayIn = (target: Target) => target.opens !== undefined && !app.equipmentById().has(target.equipment);
  const choose = (target: Target) => {
    if (isWayIn(target)) open(target);
    else app.select({ kind: 'equipment', mRID: target.equipment });
  };

  return (
    <>
      <svg
        class="sld"
        classList={{ stale: !app.live(), trying: app.whatIf.active() }}
        style={{ '--text': drawing().textScale ?? 1 }}
        ref={view.ref}
        viewBox={view.box()}
        preserveAspectRatio="xMidYMid meet"
        role="application"
        aria-label={`Single-line diagram of ${props.title}`}
      >
        {/* biome-ignore lint/a11y/noAriaHiddenOnFocusable: nothing in here takes the focus; the targets below do */}
        <g aria-hidden="true">
          <For each={drawing().wires}>
            {(wire) => (
              <path class={`wire ${wire.kind} ${wireState(wire)}${wireTint(wire)}${taken(wire)}`} d={line(wire.path)} />
            )}
          </For>
          <For each={drawing().dots}>
            {(dot) => (
              <circle class={`dot ${energised().node(dot.node)}${tint(dot.node)}`} cx={dot.x} cy={dot.y} r="4" />
            )}
          </For>
          <For each={drawing().boxes}>{(box) => <StationBox of={box} energised={energised()} />}</For>
          <For each={drawing().transformers}>
            {(each) => <Transformer of={each} energised={energised()} tint={tint} />}
          </For>
          <For each={drawing().injections}>
            {(each) => <Injection of={each} state={energised().node(each.node)} tint={tint(each.node)} />}
          </For>
          <For each={drawing().series}>
            {(each) => <Series of={each} state={energised().equipment(each.equipment)} tint={tint(each.node)} />}
          </For>
          <For each={drawing().exits}>
            {(each) => <ExitMark of={each} state={energised().equipment(each.equipment)} tint={tint(each.node)} />}
          </For>
          <For each={drawing().switches}>
            {(each) => {
              const known = createMemo(() => {
                moved();
                app.whatIf.trial();
                return positionOf(each.equipment);
              });
              return (
                <SwitchMark
                  of={each}
                  state={known() ?? (each.normalOpen ? 'open' : 'closed')}
                  known={known() !== undefined}
                  tried={app.whatIf.position(each.equipment) !== undefined}
                  energised={energised()}
                  tint={tint}
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
          <For each={drawing().bars}>{(bar) => <Loading bar={bar} />}</For>
        </g>
        <For each={drawing().targets}>
          {(target) => (
            // biome-ignore lint/a11y/useSemanticElements: SVG has no button element
            <g
              class="target"
              classList={{ selected: selected() === target.equipment, 'way-in': isWayIn(target) }}
              tabindex="0"
              role="button"
              aria-label={target.name}
              aria-pressed={isWayIn(target) ? undefined : selected() === target.equipment}
              data-equipment={target.equipment}
              onClick={() => !view.dragged() && choose(target)}
              onDblClick={() => open(target)}
              onKeyDown={(event) => {
                if (event.key === 'o') open(target);
                if (event.key !== 'Enter' && event.key !== ' ') return;
                event.preventDefault();
                choose(target);
              }}
            >
              <title>{target.name}</title>
              <rect x={target.x} y={target.y} width={target.width} height={target.height} rx="5" />
              <Show when={!app.whatIf.active() && worst(target.equipment)}>
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
