/**
 * Where everything stands in the matrix of the estimation, computed once per topology. Its rows, two numbers each, are
 *
 *     [ G   Cᵀ ]     bus (θ, |V|) and branch with unknown tap (ratio, shift)
 *     [ C  -R  ]     injection at a bus (P, Q): a measurement with variance R, a constraint where R is 0
 *
 * An injection has a row of its own instead of a share in G: the pattern stays that of the bus admittance matrix, where
 * its square would appear otherwise, and a constraint is a constraint instead of a huge weight.
 */
import { minimumDegreeOrder } from '../powerflow/ordering.ts';
import { type BranchPattern, branchPattern } from '../powerflow/pattern.ts';
import { BlockLdl } from './block-ldl.ts';

/** An entry of the matrix, or its bitwise complement where the block has to be written transposed. */
export type Target = number;

export class Layout {
  readonly busCount: number;
  readonly from: Int32Array;
  readonly to: Int32Array;
  /** Of the bus admittance matrix. */
  readonly admittance: BranchPattern;
  /** Rows of the matrix in all. */
  readonly size: number;
  /** Bus → row of its injection, or -1. */
  readonly injectionRow: Int32Array;
  /** Branch → row of its tap, or -1. */
  readonly tapRow: Int32Array;
  /** Per branch what of its tap is a state, as bits of `TAP`. */
  readonly taps: Uint8Array;
  /** Whether any branch has one. */
  readonly hasTaps: boolean;
  readonly pattern: BranchPattern;
  readonly ldl: BlockLdl;
  /** Per entry of the admittance matrix, rows i, columns j of two different buses: where G(i, j) stands. */
  readonly stateTarget: Int32Array;
  /** Per entry of the admittance matrix: where C(injection of i, j) stands. */
  readonly injectionTarget: Int32Array;
  /** Per branch four: G(tap, from), G(tap, to), C(injection of from, tap), C(injection of to, tap). */
  readonly tapTarget: Int32Array;

  /**
   * @param injections per bus: not 0 where an injection is measured or known to be zero
   * @param taps per branch what is a state, as bits of `TAP`
   */
  constructor(busCount: number, from: Int32Array, to: Int32Array, injections: Uint8Array, taps: Uint8Array) {
    this.busCount = busCount;
    this.from = from;
    this.to = to;
    this.taps = taps;
    const admittance = branchPattern(busCount, from, to);
    this.admittance = admittance;
    let size = busCount;
    this.injectionRow = new Int32Array(busCount).fill(-1);
    for (let i = 0; i < busCount; i++) if (injections[i] !== 0) this.injectionRow[i] = size++;
    const firstTap = size;
    this.tapRow = new Int32Array(from.length).fill(-1);
    for (let k = 0; k < from.length; k++) if (taps[k] !== 0) this.tapRow[k] = size++;
    this.size = size;
    this.hasTaps = size > firstTap;

    const rows: number[] = [];
    const columns: number[] = [];
    const pair = (u: number, v: number): number => {
      rows.push(u);
      columns.push(v);
      return rows.length - 1;
    };
    const entries = admittance.column.length;
    const statePair = new Int32Array(entries).fill(-1);
    const injectionPair = new Int32Array(entries).fill(-1);
    for (let i = 0; i < busCount; i++) {
      for (let at = admittance.start[i]!; at < admittance.start[i + 1]!; at++) {
        const j = admittance.column[at]!;
        if (j !== i) statePair[at] = pair(i, j);
        if (this.injectionRow[i]! >= 0) injectionPair[at] = pair(this.injectionRow[i]!, j);
      }
    }
    const tapPair = new Int32Array(4 * from.length).fill(-1);
    for (let k = 0; k < from.length; k++) {
      const tap = this.tapRow[k]!;
      if (tap < 0) continue;
      [from[k]!, to[k]!].forEach((bus, end) => {
        tapPair[4 * k + end] = pair(tap, bus);
        const injection = this.injectionRow[bus]!;
        if (injection >= 0) tapPair[4 * k + 2 + end] = pair(injection, tap);
      });
    }
    this.pattern = branchPattern(size, Int32Array.from(rows), Int32Array.from(columns));
    const order = this.#order(firstTap);
    const signs = new Float64Array(size).fill(1);
    for (const row of this.injectionRow) if (row >= 0) signs[row] = -1;
    this.ldl = new BlockLdl(this.pattern, order, signs);
    const { position } = this.ldl.symbolic;
    // The factorisation reads where the row comes later than the column.
    const target = (index: number): Target => {
      if (index < 0) return 0;
      const later = position[rows[index]!]! >= position[columns[index]!]!;
      return later ? this.pattern.entry[4 * index + 1]! : ~this.pattern.entry[4 * index + 2]!;
    };
    this.stateTarget = statePair.map(target);
    this.injectionTarget = injectionPair.map(target);
    this.tapTarget = tapPair.map(target);
  }

  /**
   * Buses and taps by minimum degree; the injection of a bus directly behind it, so that its pivot is the pair's: one that
   * exists even where nothing but the injection is known about the bus.
   */
  #order(firstTap: number): Int32Array {
    const { busCount, from, to, tapRow, injectionRow } = this;
    const ends = [Array.from(from), Array.from(to)] as [number[], number[]];
    for (let k = 0; k < from.length; k++) {
      if (tapRow[k]! < 0) continue;
      const tap = busCount + tapRow[k]! - firstTap;
      ends[0].push(tap, tap);
      ends[1].push(from[k]!, to[k]!);
    }
    const groups = busCount + (this.size - firstTap);
    const compressed = minimumDegreeOrder(branchPattern(groups, Int32Array.from(ends[0]), Int32Array.from(ends[1])));
    const order = new Int32Array(this.size);
    let place = 0;
    for (const group of compressed) {
      if (group >= busCount) {
        order[place++] = group - busCount + firstTap;
        continue;
      }
      order[place++] = group;
      if (injectionRow[group]! >= 0) order[place++] = injectionRow[group]!;
    }
    return order;
  }
}
