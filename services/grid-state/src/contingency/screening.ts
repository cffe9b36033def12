/**
 * The state after an outage by two Newton steps from the state before, without a new factorisation: an outage changes a few
 * rows of the Jacobian only, J' = J + E·R, so that with W = J⁻¹·E
 *
 *     J'⁻¹·b = y − W·(1 + R·W)⁻¹·R·y,   y = J⁻¹·b
 *
 * (the compensation method of Alsac, Stott and Tinney, 1983). The first step finds the flows; most of what happens to the
 * voltages, the reactive losses of what has to go another way, is of second order and comes with the second.
 */

import { branchPower } from '../powerflow/branch-flows.ts';
import { BUS_TYPE, voltagePower } from '../powerflow/case.ts';
import type { Linearisation } from '../sensitivity/linearisation.ts';
import type { OutageEvent } from './event.ts';

/** Changed rows up to which compensation pays. */
const MAX_ROWS = 24;
/** Mismatch, per unit, with which one step is enough. */
const ADDS_UP = 1e-5;

export interface Estimate {
  /** Voltages after the steps so far, valid until the next estimate. */
  readonly vm: Float64Array;
  readonly va: Float64Array;
  readonly e: Float64Array;
  readonly f: Float64Array;
  /** Magnitudes after the step before the last. */
  readonly vmEarlier: Float64Array;
  /** Mismatch that is left, as a share of the one that the outage has made. */
  readonly remaining: number;
  /** By which the last step has lessened the mismatch; near 1 and above, nothing is known about the state. */
  readonly contraction: number;
}

/** Changes of one scalar row of the Jacobian. */
interface ChangedRow {
  readonly row: number;
  readonly columns: number[];
  readonly values: number[];
  mismatch: number;
}

export class Screening {
  readonly #grid: Linearisation;
  readonly #vm: Float64Array;
  readonly #va: Float64Array;
  readonly #e: Float64Array;
  readonly #f: Float64Array;
  readonly #step: Float64Array;
  readonly #columns: Float64Array[] = [];
  readonly #vmEarlier: Float64Array;
  readonly #rhs: Float64Array;
  readonly #flow = new Float64Array(4);
  #rows: readonly ChangedRow[] = [];
  /** 1 + R·W, with room for a right-hand side at the end of each row. */
  #changed = new Float64Array(0);
  /** Largest mismatch that the outage has brought, per unit. */
  #before = 0;

  constructor(grid: Linearisation) {
    this.#grid = grid;
    const n = grid.vm.length;
    this.#step = new Float64Array(2 * n);
    this.#rhs = new Float64Array(2 * n);
    const column = () => new Float64Array(n);
    [this.#vm, this.#va, this.#e, this.#f, this.#vmEarlier] = [column(), column(), column(), column(), column()];
  }

  /** @param dead 1 per bus without voltage. Undefined: the outage changes too much for this, or has no single answer. */
  estimate(event: OutageEvent, dead: Uint8Array): Estimate | undefined {
    if (event.promoted !== undefined) return undefined;
    for (const bus of event.released) if (this.#grid.case.buses.type[bus] === BUS_TYPE.slack) return undefined;
    const rows = this.#changedRows(event, dead);
    if (rows.length > MAX_ROWS) return undefined;
    this.#rows = rows;
    this.#prepare(rows);
    this.#rhs.fill(0);
    this.#before = 0;
    for (const { row, mismatch } of rows) {
      this.#rhs[row] = mismatch;
      this.#before = Math.max(this.#before, Math.abs(mismatch));
    }
    this.#vm.set(this.#grid.vm);
    this.#va.set(this.#grid.va);
    if (this.#before === 0) {
      this.#e.set(this.#grid.e);
      this.#f.set(this.#grid.f);
      this.#vmEarlier.set(this.#grid.vm);
      return this.#estimate(0, 0);
    }
    // W is there already, so that the first step is a combination of its columns.
    const step = this.#step;
    step.fill(0);
    rows.forEach(({ mismatch }, c) => {
      addTimes(step, mismatch, this.#columns[c]!);
    });
    const first = this.#move(event, dead);
    if (!(first > ADDS_UP)) return this.#estimate(first, first / this.#before);
    step.set(this.#rhs);
    this.#grid.lu.solve(step);
    const second = this.#move(event, dead);
    return this.#estimate(second, second / first);
  }

  #estimate(mismatch: number, contraction: number): Estimate {
    const remaining = this.#before === 0 ? 0 : mismatch / this.#before;
    return {
      vm: this.#vm,
      va: this.#va,
      e: this.#e,
      f: this.#f,
      vmEarlier: this.#vmEarlier,
      remaining,
      contraction,
    };
  }

  /** Makes a step of the changed grid from one of the unchanged grid, and takes it. @returns the mismatch left, NaN: no end */
  #move(event: OutageEvent, dead: Uint8Array): number {
    const step = this.#step;
    const [vm, va, e, f] = [this.#vm, this.#va, this.#e, this.#f];
    this.#vmEarlier.set(vm);
    if (!this.#compensate(step)) return Number.NaN;
    for (let i = 0; i < vm.length; i++) {
      const magnitude = vm[i]! * (1 + step[2 * i + 1]!);
      const angle = va[i]! + step[2 * i]!;
      vm[i] = magnitude;
      va[i] = angle;
      e[i] = magnitude * Math.cos(angle);
      f[i] = magnitude * Math.sin(angle);
    }
    return this.#mismatch(event, dead);
  }

  /** Rows of the Jacobian and mismatches that the outage changes; those of dead buses do not matter to the living. */
  #changedRows(event: OutageEvent, dead: Uint8Array): ChangedRow[] {
    const { case: input, branch: y, e, f } = this.#grid;
    const { type } = input.buses;
    const { from, to } = input.branches;
    const rows = new Map<number, ChangedRow>();
    const rowOf = (row: number): ChangedRow => {
      let found = rows.get(row);
      if (!found) {
        found = { row, columns: [], values: [], mismatch: 0 };
        rows.set(row, found);
      }
      return found;
    };
    const hasP = (bus: number): boolean => type[bus] !== BUS_TYPE.slack;
    const hasQ = (bus: number): boolean => type[bus] === BUS_TYPE.pq || event.released.has(bus);
    for (const bus of event.released) if (dead[bus] === 0) this.#release(bus, rowOf(2 * bus + 1));
    const flow = this.#flow;
    for (const k of event.branches) {
      for (const end of [0, 1] as const) {
        const [bus, other] = end === 0 ? [from[k]!, to[k]!] : [to[k]!, from[k]!];
        if (dead[bus] === 1) continue;
        branchPower(y, k, end, e, f, bus, other, flow);
        const [a, b, c, d] = flow as unknown as [number, number, number, number];
        const [p, q] = [a + c, b + d];
        if (hasP(bus)) {
          const row = rowOf(2 * bus);
          row.columns.push(2 * bus, 2 * bus + 1, 2 * other, 2 * other + 1);
          row.values.push(q - b, -(p + a), -d, -c);
          row.mismatch += p;
        }
        if (hasQ(bus)) {
          const row = rowOf(2 * bus + 1);
          row.columns.push(2 * bus, 2 * bus + 1, 2 * other, 2 * other + 1);
          row.values.push(a - p, -(q + b), c, -d);
          row.mismatch += q;
        }
      }
    }
    for (const [bus, { p, q }] of event.injections) {
      if (hasP(bus)) rowOf(2 * bus).mismatch += p;
      if (hasQ(bus)) rowOf(2 * bus + 1).mismatch += q;
    }
    return [...rows.values()];
  }

  /** The row of a bus that held its voltage becomes one of reactive power. */
  #release(bus: number, row: ChangedRow): void {
    const { pattern, yRe, yIm, e, f, vm, p, q, case: input } = this.#grid;
    const [eb, fb] = [e[bus]!, f[bus]!];
    for (let at = pattern.start[bus]!; at < pattern.start[bus + 1]!; at++) {
      const j = pattern.column[at]!;
      const re = yRe[at]! * e[j]! - yIm[at]! * f[j]!;
      const im = yRe[at]! * f[j]! + yIm[at]! * e[j]!;
      const real = eb * re + fb * im;
      const imaginary = fb * re - eb * im;
      row.columns.push(2 * j, 2 * j + 1);
      // Less what the identity row has had.
      row.values.push(j === bus ? p[bus]! - real : -real, j === bus ? q[bus]! + imaginary - 1 : imaginary);
    }
    let given = input.buses.q[bus]!;
    const { responses } = input;
    for (let k = 0; responses && k < responses.bus.length; k++) {
      if (responses.bus[k] !== bus) continue;
      const exponent = responses.qExponent[k]!;
      const follows = responses.q[k]! * voltagePower(vm[bus]!, exponent);
      given += follows;
      row.columns.push(2 * bus + 1);
      row.values.push(-exponent * follows);
    }
    row.mismatch += given - q[bus]!;
  }

  /** W, and 1 + R·W. */
  #prepare(rows: readonly ChangedRow[]): void {
    const count = rows.length;
    for (let c = 0; c < count; c++) {
      if (c === this.#columns.length) this.#columns.push(new Float64Array(this.#step.length));
      const column = this.#columns[c]!;
      column.fill(0);
      column[rows[c]!.row] = 1;
      this.#grid.lu.solve(column);
    }
    const width = count + 1;
    this.#changed = new Float64Array(count * width);
    for (let r = 0; r < count; r++) {
      for (let c = 0; c < count; c++) {
        this.#changed[r * width + c] = along(rows[r]!, this.#columns[c]!) + (r === c ? 1 : 0);
      }
    }
  }

  /** x = y − W·(1 + R·W)⁻¹·R·y, in place. @returns false when the changed Jacobian is singular */
  #compensate(step: Float64Array): boolean {
    const rows = this.#rows;
    const count = rows.length;
    const width = count + 1;
    const system = this.#changed.slice();
    for (let r = 0; r < count; r++) system[r * width + count] = along(rows[r]!, step);
    if (!eliminate(system, count)) return false;
    for (let c = 0; c < count; c++) addTimes(step, -system[c * width + count]!, this.#columns[c]!);
    return true;
  }

  /** What is given at the estimated voltages beyond the bus table, per bus. */
  #following(): { readonly p: Float64Array; readonly q: Float64Array } | undefined {
    const { responses } = this.#grid.case;
    if (!responses || responses.bus.length === 0) return undefined;
    const [p, q] = [new Float64Array(this.#vm.length), new Float64Array(this.#vm.length)];
    for (let k = 0; k < responses.bus.length; k++) {
      const i = responses.bus[k]!;
      p[i] = p[i]! + responses.p[k]! * voltagePower(this.#vm[i]!, responses.pExponent[k]!);
      q[i] = q[i]! + responses.q[k]! * voltagePower(this.#vm[i]!, responses.qExponent[k]!);
    }
    return { p, q };
  }

  /** Mismatches at the estimated voltages into the right-hand side. @returns the largest, per unit */
  #mismatch(event: OutageEvent, dead: Uint8Array): number {
    const { case: input, pattern, yRe, yIm, branch: y } = this.#grid;
    const { type, p: givenP, q: givenQ } = input.buses;
    const following = this.#following();
    const [e, f, flow, rhs] = [this.#e, this.#f, this.#flow, this.#rhs];
    rhs.fill(0);
    const corrections = new Map<number, { p: number; q: number }>();
    const correct = (bus: number, p: number, q: number): void => {
      const sum = corrections.get(bus) ?? { p: 0, q: 0 };
      corrections.set(bus, { p: sum.p + p, q: sum.q + q });
    };
    for (const k of event.branches) {
      for (const end of [0, 1] as const) {
        const [b, t] = [input.branches.from[k]!, input.branches.to[k]!];
        const [bus, other] = end === 0 ? [b, t] : [t, b];
        branchPower(y, k, end, e, f, bus, other, flow);
        correct(bus, flow[0]! + flow[2]!, flow[1]! + flow[3]!);
      }
    }
    for (const [bus, { p, q }] of event.injections) correct(bus, p, q);
    let worst = 0;
    for (let i = 0; i < pattern.size; i++) {
      if (type[i] === BUS_TYPE.slack || dead[i] === 1) continue;
      let re = 0;
      let im = 0;
      for (let at = pattern.start[i]!; at < pattern.start[i + 1]!; at++) {
        const j = pattern.column[at]!;
        re += yRe[at]! * e[j]! - yIm[at]! * f[j]!;
        im += yRe[at]! * f[j]! + yIm[at]! * e[j]!;
      }
      const more = corrections.get(i);
      const released = event.released.has(i);
      const p = givenP[i]! + (following?.p[i] ?? 0) + (more?.p ?? 0) - (e[i]! * re + f[i]! * im);
      const q =
        type[i] === BUS_TYPE.pq || released
          ? givenQ[i]! + (following?.q[i] ?? 0) + (more?.q ?? 0) - (f[i]! * re - e[i]! * im)
          : 0;
      rhs[2 * i] = p;
      rhs[2 * i + 1] = q;
      // Math.max: NaN stays, whatever follows.
      worst = Math.max(worst, Math.abs(p));
      worst = Math.max(worst, Math.abs(q));
    }
    return worst;
  }
}

/** R·y of one row. */
function along({ columns, values }: ChangedRow, y: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < columns.length; k++) sum += values[k]! * y[columns[k]!]!;
  return sum;
}

function addTimes(to: Float64Array, factor: number, column: Float64Array): void {
  for (let i = 0; i < to.length; i++) to[i] = to[i]! + factor * column[i]!;
}

/** Gauss with partial pivoting, in place, of rows with one right-hand side at their end. @returns false when singular */
function eliminate(rows: Float64Array, count: number): boolean {
  const width = count + 1;
  for (let k = 0; k < count; k++) {
    let pivot = k;
    for (let r = k + 1; r < count; r++) {
      if (Math.abs(rows[r * width + k]!) > Math.abs(rows[pivot * width + k]!)) pivot = r;
    }
    const value = rows[pivot * width + k]!;
    if (!(Math.abs(value) > 1e-9)) return false;
    for (let c = k; c < width; c++) {
      const kept = rows[k * width + c]!;
      rows[k * width + c] = rows[pivot * width + c]! / value;
      if (pivot !== k) rows[pivot * width + c] = kept;
    }
    for (let r = 0; r < count; r++) {
      const factor = rows[r * width + k]!;
      if (r === k || factor === 0) continue;
      for (let c = k; c < width; c++) rows[r * width + c] = rows[r * width + c]! - factor * rows[k * width + c]!;
    }
  }
  return true;
}
