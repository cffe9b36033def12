/**
 * Reactive limits after an outage, in both directions: what needs more than it has is held at its limit, and what no longer
 * needs its limit, from before the outage or from a round before, holds its voltage again.
 */
import { BUS_TYPE, type BusTable } from '../powerflow/case.ts';
import type { NewtonSolution } from '../powerflow/newton.ts';
import type { Linearisation } from '../sensitivity/linearisation.ts';
import type { OutageEvent } from './event.ts';

/** Per bus, per unit. */
export interface ReactiveLimits {
  /** Everything that is brought in at the bus, what is drawn there taken off. */
  readonly qMin: Float64Array;
  readonly qMax: Float64Array;
  /** Voltage that a bus would hold whose machines are all at a limit before the outage; NaN elsewhere. Absent: no such bus. */
  readonly target?: Float64Array;
}

/** The state before the outage. */
interface Before {
  readonly vm: Float64Array;
  readonly q: Float64Array;
}

/** pu of reactive power. */
const NEGLIGIBLE = 1e-6;
/** pu of voltage by which a bus at its limit must have passed its target before it is held again. */
const HYSTERESIS = 1e-5;
const MAX_ROUNDS = 20;
/** A bus that was held again so often and still cannot do it stays at its limit. */
const MAX_TAKEN_BACK = 3;
/** Share of its change by which an estimate of a reactive power may be wrong. */
const DOUBT = 0.2;

export class ReactiveCheck {
  readonly #qMin: Float64Array;
  readonly #qMax: Float64Array;
  /** What a bus holds or would hold; NaN: nobody holds it. */
  readonly #target: Float64Array;
  readonly #before: Before;
  /** 1: held at the upper limit, -1: at the lower one, 0: not held. */
  readonly #atLimit: Int8Array;

  /** @param type of the buses as the outage leaves them */
  constructor(limits: ReactiveLimits, before: Before, type: Uint8Array, event: OutageEvent) {
    const count = type.length;
    const [qMin, qMax] = [limits.qMin.slice(), limits.qMax.slice()];
    this.#target = new Float64Array(count).fill(Number.NaN);
    this.#atLimit = new Int8Array(count);
    for (const [bus, { q }] of event.injections) {
      qMin[bus] = qMin[bus]! + q;
      qMax[bus] = qMax[bus]! + q;
    }
    for (const [bus, { down, up }] of event.reserves) {
      if (Number.isFinite(down)) qMin[bus] = qMin[bus]! + down;
      if (Number.isFinite(up)) qMax[bus] = qMax[bus]! - up;
    }
    for (let i = 0; i < count; i++) {
      const q = before.q[i]!;
      const [low, high] = [limits.qMin[i]!, limits.qMax[i]!];
      const wanted = limits.target?.[i] ?? Number.NaN;
      if (type[i] === BUS_TYPE.pv) {
        this.#target[i] = before.vm[i]!;
        // One that was beyond its limit before goes on as it was: whoever solved the grid did not mind.
        if (q > high || q < low) [qMin[i], qMax[i]] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
      } else if (type[i] === BUS_TYPE.pq && !Number.isNaN(wanted) && qMax[i]! > qMin[i]! + NEGLIGIBLE) {
        const side = q >= high - NEGLIGIBLE ? 1 : q <= low + NEGLIGIBLE ? -1 : 0;
        this.#atLimit[i] = side;
        if (side !== 0 && !event.released.has(i)) this.#target[i] = wanted;
      }
    }
    this.#qMin = qMin;
    this.#qMax = qMax;
    this.#before = before;
  }

  /**
   * Whether, by an estimate, a bus may reach a limit or leave one.
   * @param dead buses without voltage
   * @param ends buses that lost a branch: what they need cannot be told from the grid as it was
   */
  atRisk(
    { vm, va }: { readonly vm: Float64Array; readonly va: Float64Array },
    grid: Linearisation,
    dead: Uint8Array,
    ends: ReadonlySet<number>,
  ): boolean {
    const { pattern, yRe, yIm } = grid;
    for (let i = 0; i < pattern.size; i++) {
      const target = this.#target[i]!;
      if (Number.isNaN(target) || dead[i] === 1) continue;
      const side = this.#atLimit[i]!;
      if (side !== 0) {
        const doubt = DOUBT * Math.abs(vm[i]! - this.#before.vm[i]!);
        if (side * (vm[i]! - target) + doubt > HYSTERESIS) return true;
        continue;
      }
      if (ends.has(i)) return true;
      let q = 0;
      for (let at = pattern.start[i]!; at < pattern.start[i + 1]!; at++) {
        const j = pattern.column[at]!;
        const angle = va[i]! - va[j]!;
        q += vm[i]! * vm[j]! * (yRe[at]! * Math.sin(angle) - yIm[at]! * Math.cos(angle));
      }
      const doubt = DOUBT * Math.abs(q - this.#before.q[i]!);
      if (q - doubt < this.#qMin[i]! || q + doubt > this.#qMax[i]!) return true;
    }
    return false;
  }

  /**
   * Solves again until every bus is within its limits.
   * @param buses changed as the limits ask for it
   * @param first what it starts from
   * @param solve solves the grid with these buses
   */
  settle(buses: BusTable, first: NewtonSolution, solve: () => NewtonSolution): NewtonSolution {
    let solution = first;
    const takenBack = new Uint8Array(buses.type.length);
    for (let round = 0; round < MAX_ROUNDS && solution.converged; round++) {
      if (!this.#act(buses, solution, takenBack)) break;
      solution = solve();
    }
    return solution;
  }

  /** @returns whether something changed */
  #act(buses: BusTable, { vm, va, q }: NewtonSolution, takenBack: Uint8Array): boolean {
    const [qMin, qMax, target, atLimit] = [this.#qMin, this.#qMax, this.#target, this.#atLimit];
    buses.va.set(va);
    let changed = false;
    for (let i = 0; i < target.length; i++) {
      buses.vm[i] = vm[i]!;
      if (Number.isNaN(target[i]!)) continue;
      if (atLimit[i] === 0) {
        const side = q[i]! > qMax[i]! + NEGLIGIBLE ? 1 : q[i]! < qMin[i]! - NEGLIGIBLE ? -1 : 0;
        if (buses.type[i] !== BUS_TYPE.pv || side === 0) continue;
        buses.type[i] = BUS_TYPE.pq;
        buses.q[i] = side > 0 ? qMax[i]! : qMin[i]!;
        atLimit[i] = side;
      } else {
        if (takenBack[i] === MAX_TAKEN_BACK || !(atLimit[i]! * (vm[i]! - target[i]!) > HYSTERESIS)) continue;
        buses.type[i] = BUS_TYPE.pv;
        buses.vm[i] = target[i]!;
        atLimit[i] = 0;
        takenBack[i] = takenBack[i]! + 1;
      }
      changed = true;
    }
    return changed;
  }
}
