/**
 * A radial grid of about 2 000 nodes, as a distribution operator has it: a 110/10 kV transformer, ten medium-voltage feeders,
 * a 10/0.4 kV transformer at each of their nodes, low-voltage feeders behind. Once as power-grid-model's JSON, once as tables
 * of our kernel; the formulas between them are written down here.
 */
import { BUS_TYPE, branchTable, busTable, type PowerFlowCase } from '@enerchain/grid-state';
import type { PgmBatch } from '../../interop/grid/peers.ts';

/** MVA. */
const BASE = 1;
const OMEGA = 2 * Math.PI * 50;
const FEEDERS = 10;
const STATIONS = 20;
const LOW_VOLTAGE_NODES = 8;

interface Line {
  readonly id: number;
  readonly from_node: number;
  readonly to_node: number;
  readonly from_status: 1;
  readonly to_status: 1;
  readonly r1: number;
  readonly x1: number;
  readonly c1: number;
  readonly tan1: 0;
  readonly i_n: number;
}
interface Load {
  readonly id: number;
  readonly node: number;
  readonly status: 1;
  readonly type: 0;
  readonly p_specified: number;
  readonly q_specified: number;
}

export interface RadialGrid {
  /** Components of power-grid-model by type. */
  readonly components: { readonly [type: string]: readonly object[] };
  readonly nodes: readonly { readonly id: number; readonly u_rated: number }[];
  readonly loads: readonly Load[];
  readonly case: PowerFlowCase;
}

export function radialGrid(): RadialGrid {
  let next = 0;
  const random = randomFrom(4711);
  const nodes: { id: number; u_rated: number }[] = [];
  const lines: Line[] = [];
  const transformers: object[] = [];
  const loads: Load[] = [];
  const branches: { from: number; to: number; r: number; x: number; b: number }[] = [];
  const node = (kV: number): number => nodes.push({ id: next++, u_rated: kV * 1000 }) - 1;
  const base = (at: number): number => ((nodes[at]!.u_rated / 1e6) * nodes[at]!.u_rated) / BASE; // V² / VA
  const line = (from: number, to: number, km: number, r: number, x: number, c: number): void => {
    const [r1, x1, c1] = [r * km, x * km, c * km];
    lines.push({
      id: next++,
      from_node: nodes[from]!.id,
      to_node: nodes[to]!.id,
      from_status: 1,
      to_status: 1,
      r1,
      x1,
      c1,
      tan1: 0,
      i_n: 300,
    });
    branches.push({ from, to, r: r1 / base(to), x: x1 / base(to), b: OMEGA * c1 * base(to) });
  };
  const transformer = (from: number, to: number, sn: number, uk: number, pk: number): void => {
    const [u1, u2] = [nodes[from]!.u_rated, nodes[to]!.u_rated];
    transformers.push({
      id: next++,
      from_node: nodes[from]!.id,
      to_node: nodes[to]!.id,
      from_status: 1,
      to_status: 1,
      u1,
      u2,
      sn,
      uk,
      pk,
      i0: 0,
      p0: 0,
      winding_from: 1,
      winding_to: 1,
      clock: 0,
      tap_side: 0,
      tap_pos: 0,
      tap_min: 0,
      tap_max: 0,
      tap_size: 0,
    });
    // |z| = uk, r = pk / sn, of the rated power.
    const r = (pk / sn) * ((BASE * 1e6) / sn);
    const z = uk * ((BASE * 1e6) / sn);
    branches.push({ from, to, r, x: Math.sqrt(z * z - r * r), b: 0 });
  };

  const high = node(110);
  const station = node(10);
  transformer(high, station, 40e6, 0.12, 140e3);
  for (let f = 0; f < FEEDERS; f++) {
    let at = station;
    for (let s = 0; s < STATIONS; s++) {
      const medium = node(10);
      line(at, medium, 0.3 + random() * 0.9, 0.125, 0.11, 0.3e-6);
      at = medium;
      const bar = node(0.4);
      transformer(medium, bar, 400e3, 0.04, 4600);
      let low = bar;
      for (let n = 0; n < LOW_VOLTAGE_NODES; n++) {
        const house = node(0.4);
        line(n === LOW_VOLTAGE_NODES / 2 ? bar : low, house, 0.03 + random() * 0.05, 0.206, 0.08, 0.2e-6);
        low = house;
        const p = 500 + random() * 4000;
        loads.push({
          id: next++,
          node: nodes[house]!.id,
          status: 1,
          type: 0,
          p_specified: p,
          q_specified: p * random() * 0.3,
        });
      }
    }
  }
  const source = { id: next++, node: nodes[high]!.id, status: 1, u_ref: 1.03, sk: 1e20 };

  const indexOf = new Map(nodes.map(({ id }, i) => [id, i]));
  const buses = busTable(nodes.length);
  buses.type[high] = BUS_TYPE.slack;
  buses.vm[high] = source.u_ref;
  for (const load of loads) {
    const at = indexOf.get(load.node)!;
    buses.p[at] = -load.p_specified / 1e6 / BASE;
    buses.q[at] = -load.q_specified / 1e6 / BASE;
  }
  const table = branchTable(branches.length);
  branches.forEach(({ from, to, r, x, b }, k) => {
    table.from[k] = from;
    table.to[k] = to;
    table.r[k] = r;
    table.x[k] = x;
    table.bFrom[k] = b / 2;
    table.bTo[k] = b / 2;
  });
  return {
    components: { node: nodes, line: lines, transformer: transformers, sym_load: loads, source: [source] },
    nodes,
    loads,
    case: { buses, branches: table },
  };
}

/** A factor per scenario and load. */
export function scales(scenarios: number, loads: number): number[][] {
  const random = randomFrom(1);
  return Array.from({ length: scenarios }, () => Array.from({ length: loads }, () => 0.2 + random() * 1.2));
}

export const pgmBatch = ({ components, loads }: RadialGrid, scale: readonly (readonly number[])[]): PgmBatch => ({
  input: { version: '1.0', type: 'input', is_batch: false, attributes: {}, data: components },
  loads: loads.map(({ id }) => id),
  scale,
});

/** Numbers from 0 to 1, the same every time. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
