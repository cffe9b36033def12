/** What a layout yields: shapes with coordinates, each tied to the equipment or node whose state it shows. */

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
  readonly normalOpen: boolean;
  /** Where its words stand. */
  readonly place: 'head' | 'right' | 'above' | 'over';
  /** Whether its name stands beside it at all times, not only when its position is abnormal. */
  readonly named: boolean;
}
export interface TransformerSymbol extends XY {
  readonly equipment: string;
  readonly vertical: boolean;
  readonly nodes: readonly [string, string];
}
export type InjectionKind = 'load' | 'pv' | 'wind' | 'battery' | 'network';
export interface InjectionSymbol extends XY {
  readonly equipment: string;
  readonly kind: InjectionKind;
  readonly direction: 'right' | 'down' | 'up';
  readonly node: string;
}
export interface Dot extends XY {
  readonly node: string;
}
export interface Label extends XY {
  readonly text: string;
  readonly style: 'name' | 'label';
  readonly anchor: 'start' | 'end' | 'middle';
  readonly equipment?: string;
}
export type Role = 'P' | 'Q' | 'I' | 'U' | 'tap' | 'soc';
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
  readonly equipment: string;
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
  readonly dots: readonly Dot[];
  readonly labels: readonly Label[];
  readonly slots: readonly Slot[];
  readonly bars: readonly LoadingBar[];
  readonly targets: readonly Target[];
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
