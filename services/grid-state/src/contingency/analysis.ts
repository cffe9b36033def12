/**
 * What the grid looks like after each outage: an estimate by one step, and the full power flow for what the estimate does
 * not clear. Every outage starts from the same state, so that results do not depend on order or on who else calculates.
 */
import { BUS_TYPE, type BusTable } from '../powerflow/case.ts';
import { type NewtonFailure, type NewtonOptions, type NewtonSolution, NewtonSolver } from '../powerflow/newton.ts';
import { Linearisation } from '../sensitivity/linearisation.ts';
import { Connectivity } from './connectivity.ts';
import { eventOf, type OutageEvent } from './event.ts';
import { LimitCheck, type Violation } from './limit-check.ts';
import type { ContingencyInput, Outage } from './outage.ts';
import { ReactiveCheck } from './reactive-limits.ts';
import { type Estimate, Screening } from './screening.ts';

export interface ContingencyOptions extends NewtonOptions {
  /** The full power flow for every outage. Default: for those that the estimate does not clear. */
  readonly allAc?: boolean;
  /** Violations kept per outage, the worst; the count says how many there are. Default 20. */
  readonly maxViolations?: number;
}

export interface OutageResult {
  /** Place in the list of outages. */
  readonly outage: number;
  /** `screened`: cleared by the estimate; `solved`: by the power flow. */
  readonly method: 'screened' | 'solved';
  readonly converged: boolean;
  readonly failure?: NewtonFailure;
  readonly iterations: number;
  /** Buses left without voltage, and what was drawn and brought in there, per unit. */
  readonly deadBuses: number;
  readonly loadLost: number;
  readonly generationLost: number;
  /** The worst first. */
  readonly violations: readonly Violation[];
  readonly violationCount: number;
  /**
   * Infinite when there is no solution; otherwise what the worst overload has beyond its limit, in % of it, and the worst
   * voltage beyond its band, in % of 1 pu, together. 0: nothing is violated.
   */
  readonly severity: number;
}

/** With this share of the mismatch left, an estimate is not worth starting from. */
const NOT_LINEAR = 0.3;
/** An estimate whose mismatch shrinks no faster is not trusted. */
const SLOW = 0.5;

export class ContingencyAnalysis {
  readonly #input: ContingencyInput;
  readonly #options: ContingencyOptions;
  readonly #grid: Linearisation;
  readonly #connectivity: Connectivity;
  readonly #check: LimitCheck;
  readonly #screening: Screening;
  readonly #solver: NewtonSolver;
  readonly #buses: BusTable;
  readonly #out: Uint8Array;
  readonly #dead: Uint8Array;

  /** @throws EnerchainError `sensitivity.base` (caller) when there is no solution before any outage */
  constructor(input: ContingencyInput, options: ContingencyOptions = {}) {
    const { buses, branches, outOfService } = input.case;
    this.#input = input;
    this.#options = options;
    this.#solver = new NewtonSolver(buses.type.length, branches.from, branches.to);
    this.#grid = new Linearisation(input.case, options, this.#solver);
    this.#connectivity = new Connectivity(input.case);
    this.#check = new LimitCheck(this.#grid, input.limits);
    this.#screening = new Screening(this.#grid);
    this.#buses = {
      ...buses,
      type: buses.type.slice(),
      p: buses.p.slice(),
      q: buses.q.slice(),
      vm: buses.vm.slice(),
      va: buses.va.slice(),
    };
    this.#out = outOfService?.slice() ?? new Uint8Array(branches.from.length);
    this.#dead = new Uint8Array(buses.type.length);
  }

  /** The state before any outage. */
  get base(): Linearisation {
    return this.#grid;
  }

  /** Loadings before any outage, and the worst that was met after one, per branch. */
  get loadings(): { readonly before: Float64Array; readonly worst: Float64Array; readonly worstOutage: Int32Array } {
    const { loading, worst, worstOutage } = this.#check;
    return { before: loading, worst: worst.map(Math.sqrt), worstOutage };
  }

  /** The worst loadings are looked for anew. */
  forgetWorst(): void {
    this.#check.worst.fill(0);
    this.#check.worstOutage.fill(-1);
  }

  /** @param index place in the list of outages, for the result */
  analyse(outage: Outage, index: number): OutageResult {
    const event = eventOf(outage, this.#input, this.#grid, this.#connectivity);
    for (const k of event.branches) this.#out[k] = 1;
    for (const bus of event.dead) this.#dead[bus] = 1;
    const result = this.#judge(event, index);
    for (const k of event.branches) this.#out[k] = 0;
    for (const bus of event.dead) this.#dead[bus] = 0;
    return result;
  }

  #judge(event: OutageEvent, index: number): OutageResult {
    const shared = {
      outage: index,
      deadBuses: event.dead.length,
      loadLost: event.loadLost,
      generationLost: event.generationLost,
    };
    const estimate = this.#screening.estimate(event, this.#dead);
    const usable = estimate !== undefined && estimate.remaining < NOT_LINEAR;
    this.#prepare(event);
    const limits = this.#input.reactive;
    const reactive = limits && new ReactiveCheck(limits, this.#grid, this.#buses.type, event);
    if (usable && !this.#options.allAc && !this.#suspicious(estimate, event, reactive)) {
      this.#check.note(index, estimate.e, estimate.f, this.#out, this.#dead);
      const nothing = { violations: [], violationCount: 0, severity: 0 };
      return { ...shared, method: 'screened', converged: true, iterations: 0, ...nothing };
    }
    const solution = this.#solve(usable ? estimate : undefined, reactive);
    if (!solution.converged) {
      const failure = solution.failure ? { failure: solution.failure } : {};
      const nothing = { violations: [], violationCount: 0, severity: Number.POSITIVE_INFINITY };
      const { iterations } = solution;
      return { ...shared, method: 'solved', converged: false, ...failure, iterations, ...nothing };
    }
    const { e, f } = solution;
    this.#check.note(index, e, f, this.#out, this.#dead);
    const found = this.#check.violations(e, f, solution.vm, this.#out, this.#dead);
    found.sort((a, b) => excess(b) - excess(a));
    return {
      ...shared,
      method: 'solved',
      converged: true,
      iterations: solution.iterations,
      violations: found.slice(0, this.#options.maxViolations ?? 20),
      violationCount: found.length,
      severity: severityOf(found),
    };
  }

  #suspicious(estimate: Estimate, event: OutageEvent, reactive: ReactiveCheck | undefined): boolean {
    if (!(estimate.contraction < SLOW)) return true;
    if (this.#check.suspicious(estimate, this.#out, this.#dead)) return true;
    return reactive?.atRisk(estimate, this.#grid, this.#dead, this.#endsOf(event)) ?? false;
  }

  #endsOf({ branches }: OutageEvent): Set<number> {
    const { from, to } = this.#input.case.branches;
    return new Set(branches.flatMap((k) => [from[k]!, to[k]!]));
  }

  /** The buses as the outage leaves them. */
  #prepare(event: OutageEvent): void {
    const { buses: given } = this.#input.case;
    const own = this.#buses;
    own.type.set(given.type);
    own.p.set(given.p);
    own.q.set(given.q);
    for (const bus of event.released) own.type[bus] = BUS_TYPE.pq;
    if (event.promoted !== undefined) own.type[event.promoted] = BUS_TYPE.slack;
    // Without voltage: identity rows, whatever stands there.
    for (const bus of event.dead) own.type[bus] = BUS_TYPE.slack;
    for (const [bus, { p, q }] of event.injections) {
      own.p[bus] = own.p[bus]! + p;
      own.q[bus] = own.q[bus]! + q;
    }
  }

  /** The full power flow, from the estimate, then from the state before, then in damped steps. */
  #solve(estimate: Estimate | undefined, reactive: ReactiveCheck | undefined): NewtonSolution {
    const { buses: given } = this.#input.case;
    const own = this.#buses;
    const input = { ...this.#input.case, buses: own, outOfService: this.#out };
    const starts: readonly { readonly vm: Float64Array; readonly va: Float64Array; readonly damped?: boolean }[] = [
      ...(estimate ? [estimate] : []),
      this.#grid,
      { ...this.#grid, damped: true },
    ];
    let solution: NewtonSolution | undefined;
    for (const start of starts) {
      own.vm.set(start.vm);
      own.va.set(start.va);
      // Set-points are not the estimate's business.
      for (let i = 0; i < own.type.length; i++) {
        if (given.type[i] !== BUS_TYPE.pq && own.type[i] !== BUS_TYPE.pq) own.vm[i] = this.#grid.vm[i]!;
      }
      solution = this.#solver.solve(input, { ...this.#options, damped: start.damped ?? false });
      if (solution.converged) break;
    }
    // Limits are judged at the voltages of machines that do not know of them.
    return reactive && solution
      ? reactive.settle(own, solution, () => this.#solver.solve(input, this.#options))
      : solution!;
  }
}

/** % beyond the limit, of the limit or of 1 pu. */
function excess({ kind, value, limit }: Violation): number {
  return kind === 'overload' ? 100 * (value / limit - 1) : 100 * Math.abs(value - limit);
}

export function severityOf(violations: readonly Violation[]): number {
  let overload = 0;
  let voltage = 0;
  for (const violation of violations) {
    if (violation.kind === 'overload') overload = Math.max(overload, excess(violation));
    else voltage = Math.max(voltage, excess(violation));
  }
  return overload + voltage;
}

/** The worst first: no solution, then severity, then load lost, then place in the list. */
export function byViolation(a: OutageResult, b: OutageResult): number {
  if (a.converged !== b.converged) return a.converged ? 1 : -1;
  if (a.severity !== b.severity) return b.severity > a.severity ? 1 : -1;
  return b.loadLost - a.loadLost || a.outage - b.outage;
}
