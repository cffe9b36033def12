/** From a transformer's symbol to the cells of its other ends: along channels between the levels, each in a track of its own. */
import type { Cell, Feeder, Level } from './cells.ts';
import { type PlacedLevel, type Port, type Side, THREE, TRACK, type TransformerPlan } from './station-measures.ts';

/** The end of a transformer below which its symbol stands, and from where on the symbol wires run to the others. */
export interface TransformerEnd {
  readonly symbol: boolean;
  /** Of the others, in order; empty for one of them. */
  readonly others: readonly Feeder[];
  readonly dx: number;
}

export function transformerEnds(
  levels: readonly Level[],
  sideOf: (cell: Cell) => Side,
): ReadonlyMap<Feeder, TransformerEnd> {
  const found = new Map<string, EndPlace[]>();
  levels.forEach((level, at) => {
    for (const cell of level.cells)
      for (const feeder of cell.feeders) {
        if (feeder.kind !== 'transformer') continue;
        const { mRID } = feeder.equipment;
        found.set(mRID, [...(found.get(mRID) ?? []), { feeder, level: at, side: sideOf(cell) }]);
      }
  });
  const ends = new Map<Feeder, TransformerEnd>();
  for (const list of found.values()) {
    const [symbol, ...others] = list.sort(bySymbol).map(({ feeder }) => feeder);
    ends.set(symbol!, { symbol: true, others, dx: 0 });
    for (const [at, other] of others.entries())
      ends.set(other, { symbol: false, others: [], dx: besides(at, others.length) });
  }
  return ends;
}

interface EndPlace {
  readonly feeder: Feeder;
  readonly level: number;
  readonly side: Side;
}
/** The symbol of a transformer stands at the first end in this order. */
const bySymbol = (a: EndPlace, b: EndPlace): number =>
  a.level - b.level || (a.side === b.side ? 0 : a.side === 'down' ? -1 : 1) || a.feeder.terminal - b.feeder.terminal;
/** From the middle of a symbol to where the wire to the n-th of its other ends leaves it. */
const besides = (at: number, others: number): number => (others === 1 ? 0 : at === 0 ? -THREE : THREE);

/** A wire from a transformer to the cell of another of its ends. */
export interface Net {
  readonly equipment: string;
  readonly symbol: Port;
  readonly end: Port;
  /** From the middle of the symbol to where the wire leaves it. */
  readonly dx: number;
  /** Tracks of its horizontal pieces; none where it runs straight down. */
  readonly first?: { readonly channel: number; readonly track: number };
  readonly last?: { readonly channel: number; readonly track: number };
  /** Where it passes levels in between. */
  readonly passX?: number;
}

/** Gives every horizontal piece a track of its channel in which nothing else lies. */
export function routeNets(
  transformers: readonly TransformerPlan[],
  levels: number,
  right: number,
): { readonly nets: readonly Net[]; readonly tracks: readonly number[]; readonly passing: number } {
  const taken: [from: number, to: number][][][] = Array.from({ length: levels + 1 }, () => []);
  const track = (channel: number, from: number, to: number): { channel: number; track: number } => {
    const [low, high] = [Math.min(from, to) - 6, Math.max(from, to) + 6];
    const rows = taken[channel]!;
    let at = rows.findIndex((row) => row.every(([a, b]) => b <= low || high <= a));
    if (at < 0) at = rows.push([]) - 1;
    rows[at]!.push([low, high]);
    return { channel, track: at };
  };
  let passing = 0;
  const nets = transformers.flatMap(({ equipment, symbol, others }) =>
    others.map((end, index): Net => {
      const dx = besides(index, others.length);
      const from = symbol.x + dx;
      const [out, into] = [symbol.level + 1, end.side === 'up' ? end.level : end.level + 1];
      const net = { equipment, symbol, end, dx };
      if (out === into && end.side === 'up' && Math.abs(from - end.x) < 0.5) return net;
      if (out === into) {
        const only = track(out, from, end.x);
        return { ...net, first: only, last: only };
      }
      passing += 1;
      const passX = right + TRACK * passing;
      return { ...net, first: track(out, from, passX), last: track(into, passX, end.x), passX };
    }),
  );
  return { nets, tracks: taken.map((rows) => rows.length), passing };
}

export function transformersOf(levels: readonly PlacedLevel[]): TransformerPlan[] {
  const ports = new Map<string, Port[]>();
  for (const { ports: own } of levels) {
    for (const port of own) {
      if (port.feeder.kind !== 'transformer') continue;
      const { mRID } = port.feeder.equipment;
      ports.set(mRID, [...(ports.get(mRID) ?? []), port]);
    }
  }
  return [...ports].flatMap(([equipment, list]) => {
    const [symbol, ...others] = [...list].sort(bySymbol);
    return symbol ? [{ equipment, symbol, others }] : [];
  });
}
