/** What a layout yields: shapes with coordinates, each tied to the equipment or node whose state it shows. */
import type { InjectionKind, SwitchKind } from './equipment.ts';

export interface XY {
  readonly x: number;
  readonly y: number;
}
export interface Wire {
  readonly path: readonly XY[];
  readonly kind: 'busbar' | 'station' | 'wire';
  /** Energised like this connectivity node … */
  readonly node?: string;
  /** … or like this line or busbar, which can also be selected. */
  readonly equipment?: string;
}
export interface SwitchSymbol extends XY {
  readonly equipment: string;
  readonly name: string;
  readonly kind: SwitchKind;
  readonly normalOpen: boolean;
  /** Where its words stand; `none`: there is no room, the mark and the tool tip say it. */
  readonly place: 'head' | 'right' | 'above' | 'over' | 'none';
  /** Whether its name stands beside it at all times, not only when its position is abnormal. */
  readonly named: boolean;
  /** Drawn as the contact of IEC 60617-7 with its leads; else as the small square that a wide view has room for. */
  readonly contact?: {
    readonly vertical: boolean;
    /** The nodes at its upper or left, and at its lower or right lead. */
    readonly nodes: readonly [string, string];
  };
}
export interface Winding {
  /** Centre of the ring, from the centre of the symbol. */
  readonly dx: number;
  readonly dy: number;
  readonly node: string;
}
export interface TransformerSymbol extends XY {
  readonly equipment: string;
  /** Two or three rings, in the order of the ends. */
  readonly windings: readonly Winding[];
  readonly radius: number;
  /** Index of the winding with a tap changer. */
  readonly tap?: number;
}
export interface InjectionSymbol extends XY {
  readonly equipment: string;
  readonly kind: InjectionKind;
  readonly direction: 'right' | 'left' | 'down' | 'up';
  readonly node: string;
}
/** Equipment in series that is no switch, line or transformer: a compensator, or whatever has no sign of its own. */
export interface SeriesSymbol extends XY {
  readonly equipment: string;
  readonly kind: 'reactor' | 'capacitor' | 'device';
  readonly vertical: boolean;
  readonly node: string;
}
/** Where a line leaves the display. */
export interface Exit extends XY {
  readonly equipment: string;
  readonly node: string;
  readonly direction: 'up' | 'down';
}
/** A station of an overview. */
export interface Box extends XY {
  readonly substation: string;
  readonly width: number;
  readonly height: number;
  readonly nodes: readonly string[];
  readonly equipment: readonly string[];
}
/** A display that can be opened: a substation, or a bay of it. */
export interface Place {
  readonly substation: string;
  readonly bay?: string;
}
export interface Dot extends XY {
  readonly node: string;
}
export interface Label extends XY {
  readonly text: string;
  readonly style: 'name' | 'label' | 'small';
  readonly anchor: 'start' | 'end' | 'middle';
  readonly equipment?: string;
}
export type Role = 'P' | 'Q' | 'I' | 'U' | 'tap' | 'soc' | 'loading' | 'worst';
/** A place for live values: the first equipment of the list that has a point of the role gives it. */
export interface Slot extends XY {
  readonly equipment: readonly string[];
  readonly roles: readonly Role[];
  readonly anchor: 'start' | 'end';
}
export interface LoadingBar extends XY {
  readonly equipment: string;
  readonly width: number;
}
/** What a click or the focus selects. */
export interface Target extends XY {
  /** What is selected; a substation for a box of the overview. */
  readonly equipment: string;
  /** What a double click, or `o` on the keyboard, opens. */
  readonly opens?: Place;
  readonly name: string;
  readonly width: number;
  readonly height: number;
}
export interface Drawing {
  readonly width: number;
  readonly height: number;
  readonly wires: readonly Wire[];
  readonly switches: readonly SwitchSymbol[];
  readonly transformers: readonly TransformerSymbol[];
  readonly injections: readonly InjectionSymbol[];
  readonly series: readonly SeriesSymbol[];
  readonly exits: readonly Exit[];
  readonly boxes: readonly Box[];
  readonly dots: readonly Dot[];
  readonly labels: readonly Label[];
  readonly slots: readonly Slot[];
  readonly bars: readonly LoadingBar[];
  readonly targets: readonly Target[];
  /** How much larger than usual words are, because the whole is shown that much smaller. */
  readonly textScale?: number;
}

export const pathLength = (path: readonly XY[]): number =>
  path.slice(1).reduce((sum, point, index) => sum + distance(path[index]!, point), 0);

const distance = (a: XY, b: XY): number => Math.abs(a.x - b.x) + Math.abs(a.y - b.y);

/** The point at a distance along an orthogonal path, and whether the path runs vertically there. */
export function along(path: readonly XY[], at: number): XY & { vertical: boolean } {
  let left = at;
  for (let index = 1; index < path.length; index++) {
    const [a, b] = [path[index - 1]!, path[index]!];
    const length = distance(a, b);
    const vertical = a.x === b.x;
    if (left <= length || index === path.length - 1) {
      const share = length === 0 ? 0 : Math.min(1, left / length);
      return { x: a.x + (b.x - a.x) * share, y: a.y + (b.y - a.y) * share, vertical };
    }
    left -= length;
  }
  const only = path[0] ?? { x: 0, y: 0 };
  return { x: only.x, y: only.y, vertical: true };
}

/** The part of an orthogonal path between two distances. */
export function slice(path: readonly XY[], from: number, to: number): XY[] {
  const points: XY[] = [];
  const add = ({ x, y }: XY) => {
    const last = points.at(-1);
    if (!last || last.x !== x || last.y !== y) points.push({ x, y });
  };
  add(along(path, from));
  let passed = 0;
  for (let index = 1; index < path.length; index++) {
    passed += distance(path[index - 1]!, path[index]!);
    if (passed > from && passed < to) add(path[index]!);
  }
  add(along(path, to));
  return points;
}
