/** The signs of a diagram (IEC 60617), each with the state of what it stands for. */
import { createMemo, For, Match, Show, Switch } from 'solid-js';
import type { Box, Exit, InjectionSymbol, SeriesSymbol, SwitchSymbol, TransformerSymbol } from './drawing.ts';
import type { InjectionKind, SwitchKind } from './equipment.ts';
import type { Energised, EnergisedState, SwitchState } from './topology.ts';

export type Tint = (node: string) => string;

/** Sign at the fixed contact, IEC 60617-7: breaker a cross, disconnector a bar, load-break switch a bar and a circle. */
const QUALIFIER: Readonly<Record<SwitchKind, string>> = {
  breaker: 'M-3 -3 3 3M3 -3-3 3',
  loadBreak: 'M-4.5 -6h9M-2 -8.2a2 2 0 1 0 4 0a2 2 0 1 0 -4 0',
  disconnector: 'M-4.5 -6h9',
  earthing: 'M-4.5 -6h9',
  fuse: 'M-4 -8h8v16h-8zM0 -8v16',
  jumper: 'M-1.8 -6a1.8 1.8 0 1 0 3.6 0a1.8 1.8 0 1 0 -3.6 0M-1.8 6a1.8 1.8 0 1 0 3.6 0a1.8 1.8 0 1 0 -3.6 0',
  switch: '',
};

export function SwitchMark(props: {
  of: SwitchSymbol;
  state: SwitchState;
  /** Whether anybody reports it. */
  known: boolean;
  /** Moved in a trial, not in the field. */
  tried: boolean;
  energised: EnergisedState;
  tint: Tint;
}) {
  const normal = () => props.state === (props.of.normalOpen ? 'open' : 'closed');
  const label = () => {
    const { named, name, normalOpen, place } = props.of;
    if (place === 'none') return '';
    if (props.state === 'uncertain') return 'position unknown';
    if (!normal()) {
      // Between the rows of a station there is room for one word; the mark round the symbol says the rest.
      if ((place === 'above' || props.of.contact) && !named) return props.state;
      return `${named ? `${name} ` : ''}${props.state} · normally ${normalOpen ? 'open' : 'closed'}`;
    }
    return named ? `${name}${normalOpen ? ' normally open' : props.of.contact ? '' : ` ${props.state}`}` : '';
  };
  const at = (): { x: number; y: number; anchor: 'start' | 'middle' } => {
    const { x, y, place, contact } = props.of;
    if (place === 'right') return { x: x + (contact ? 18 : 14), y: y + 4, anchor: 'start' };
    // Under the name and the values of the feeder.
    if (place === 'head') return { x: x + 14, y: y + 42, anchor: 'start' };
    if (place === 'over') return { x: x + 12, y: y - 5, anchor: 'start' };
    return { x, y: y - (contact ? 16 : 12), anchor: 'middle' };
  };
  return (
    <g class={`switch ${props.state}`} classList={{ abnormal: !normal(), assumed: !props.known, tried: props.tried }}>
      <Show when={!normal() || props.tried}>
        <rect class="halo" x={props.of.x - 11} y={props.of.y - 11} width="22" height="22" rx="3" />
      </Show>
      <Show
        when={props.of.contact && props.of.kind !== 'breaker' ? props.of.contact : undefined}
        fallback={
          <>
            <Show when={props.of.contact}>
              {(contact) => (
                <g transform={`translate(${props.of.x} ${props.of.y})${contact().vertical ? '' : ' rotate(-90)'}`}>
                  <path class={lead(props, 0)} d="M0 -13V-7" />
                  <path class={lead(props, 1)} d="M0 13V7" />
                </g>
              )}
            </Show>
            <rect
              class="body"
              classList={{ 'body-contact': props.of.contact !== undefined }}
              x={props.of.x - half(props.of)}
              y={props.of.y - half(props.of)}
              width={2 * half(props.of)}
              height={2 * half(props.of)}
            />
            <Show when={props.of.contact}>
              <path class="cross" d={QUALIFIER.breaker} transform={`translate(${props.of.x} ${props.of.y})`} />
            </Show>
          </>
        }
      >
        {(contact) => (
          <g
            class="contact"
            transform={`translate(${props.of.x} ${props.of.y})${contact().vertical ? '' : ' rotate(-90)'}`}
          >
            <path class={lead(props, 0)} d="M0 -13V-6" />
            <path class={lead(props, 1)} d="M0 13V6" />
            <path class="qualifier" d={QUALIFIER[props.of.kind]} />
            <path class="blade" d={props.state === 'closed' ? 'M0 6V-6' : 'M0 6 -7.5 -5'} />
          </g>
        )}
      </Show>
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

/** Half the side of the square of a breaker. */
const half = ({ contact }: SwitchSymbol): number => (contact ? 7 : 6);

function lead(props: { of: SwitchSymbol; energised: EnergisedState; tint: Tint }, end: 0 | 1): string {
  const node = props.of.contact?.nodes[end] ?? '';
  return `wire wire-lead ${props.energised.node(node)}${props.tint(node)}`;
}

/** A ring for each winding; an arrow through the one with the tap changer (IEC 60617-6). */
export function Transformer(props: { of: TransformerSymbol; energised: EnergisedState; tint: Tint }) {
  const state = (node: string) => `${props.energised.node(node)}${props.tint(node)}`;
  return (
    <g class="symbol">
      <For each={props.of.windings}>
        {({ dx, dy }) => <circle class="ring-back" cx={props.of.x + dx} cy={props.of.y + dy} r={props.of.radius} />}
      </For>
      <For each={props.of.windings}>
        {({ dx, dy, node }) => (
          <circle class={`ring ${state(node)}`} cx={props.of.x + dx} cy={props.of.y + dy} r={props.of.radius} />
        )}
      </For>
      <Show when={props.of.windings[props.of.tap ?? -1]}>
        {(winding) => (
          <path
            class={`arrow ${state(winding().node)}`}
            d="M-13 11 12 -10M12 -10l-6.5 1.6M12 -10l-2.6 6.2"
            transform={`translate(${props.of.x + winding().dx} ${props.of.y + winding().dy})`}
          />
        )}
      </Show>
    </g>
  );
}

const TURN = { right: 0, left: 180, down: 90, up: -90 } as const;
const AWAY = { right: [10, 0], left: [-10, 0], down: [0, 10], up: [0, -10] } as const;

/** Signs in a ring or box of their own: outline and inner lines about the middle. */
const INNER: Readonly<Partial<Record<InjectionKind, string>>> = {
  pv: 'M-5 4 0 -5 5 4z',
  wind: 'M0 0V-8M0 0l7 4M0 0l-7 4',
  // One period of a sine: alternating current.
  generator: 'M-6 0q3 -7 6 0t6 0',
  motor: 'M-5 5V-5L0 2 5 -5V5',
  battery: 'M-5 0H5M0 -5V5',
  svc: 'M-7 6 7 -6M7 -6l-5 1M7 -6l-2 4.6',
  converter: 'M-9 8 9 -8M-6 -4h5M2 5h5',
  equivalent: 'M-5 -5 5 5M5 -5-5 5',
  device: '',
};
const BOXED: readonly InjectionKind[] = ['battery', 'svc', 'converter', 'equivalent', 'device'];

export function Injection(props: { of: InjectionSymbol; state: Energised | string; tint: string }) {
  const { x, y, kind, direction } = props.of;
  const look = () => `${props.state}${props.tint}`;
  const [awayX, awayY] = AWAY[direction];
  const turned = `translate(${x} ${y}) rotate(${TURN[direction]})`;
  switch (kind) {
    case 'load':
      return <path class={`solid ${look()}`} d="M0 -7 12 0 0 7z" transform={turned} />;
    case 'network':
      return (
        <g class={`outline ${look()}`} transform={`translate(${x} ${direction === 'down' ? y + 20 : y})`}>
          <rect class="ring" x="-11" y="-20" width="22" height="22" />
          <path d="M-11 -9 0 -20M-11 2 11 -20M0 2 11 -9" />
        </g>
      );
    case 'earth':
      return <path class={`earth ${look()}`} d="M0 0h4M4 -9v18M8 -6v12M12 -3v6" transform={turned} />;
    case 'capacitor':
      return <path class={`earth ${look()}`} d="M0 0h5M5 -9v18M10 -9v18M10 0h5M15 -5v10M18 -3v6" transform={turned} />;
    case 'reactor':
      return (
        <path
          class={`earth ${look()}`}
          d="M0 0h2M2 0a3 3 0 0 1 5 0M7 0a3 3 0 0 1 5 0M12 0h3M15 -5v10M18 -3v6"
          transform={turned}
        />
      );
    default:
      return (
        <g class={`outline ${look()}`} transform={`translate(${x + awayX} ${y + awayY})`}>
          <Show when={BOXED.includes(kind)} fallback={<circle class="ring" r="10" />}>
            <rect class="ring" x="-10" y="-9" width="20" height="18" />
          </Show>
          <path d={INNER[kind] ?? ''} />
        </g>
      );
  }
}

/** IEC 60617-4: a reactor as a coil, a capacitor as two plates; a plain box for whatever else. */
export function Series(props: { of: SeriesSymbol; state: string; tint: string }) {
  return (
    <g
      class={`outline ${props.state}${props.tint}`}
      transform={`translate(${props.of.x} ${props.of.y})${props.of.vertical ? '' : ' rotate(-90)'}`}
    >
      <Switch>
        <Match when={props.of.kind === 'capacitor'}>
          <path d="M0 -13V-3M-8 -3H8M-8 3H8M0 3V13" />
        </Match>
        <Match when={props.of.kind === 'reactor'}>
          <path d="M0 -13V-9M0 -9a3 3 0 0 1 0 6M0 -3a3 3 0 0 1 0 6M0 3a3 3 0 0 1 0 6M0 9V13" />
        </Match>
        <Match when={true}>
          <path d="M0 -13V-9M0 9V13" />
          <rect class="ring" x="-6" y="-9" width="12" height="18" />
        </Match>
      </Switch>
    </g>
  );
}

/** A line that goes on to another station. */
export function ExitMark(props: { of: Exit; state: string; tint: string }) {
  return (
    <path
      class={`exit ${props.state}${props.tint}`}
      d="M0 0V12M-6 6 0 13 6 6"
      transform={`translate(${props.of.x} ${props.of.y})${props.of.direction === 'up' ? ' rotate(180)' : ''}`}
    />
  );
}

/** A station of an overview, dashed when nothing in it is alive. */
export function StationBox(props: { of: Box; energised: EnergisedState }) {
  const state = createMemo(() => {
    const states = new Set(props.of.nodes.map((node) => props.energised.node(node)));
    if (states.size === 0 || states.has('live')) return states.has('dead') ? 'partly' : 'live';
    return states.has('uncertain') ? 'uncertain' : states.has('dead') ? 'dead' : 'earthed';
  });
  return (
    <g class={`station-box ${state()}`}>
      <rect
        class="station-frame"
        x={props.of.x}
        y={props.of.y}
        width={props.of.width}
        height={props.of.height}
        rx="4"
      />
      <Show when={state() === 'partly'}>
        <path class="partly-mark" d={`M${props.of.x + props.of.width - 12} ${props.of.y}h12v12z`} />
      </Show>
    </g>
  );
}
