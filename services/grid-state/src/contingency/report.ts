/** What outages did, as it is told: named as the grid names things, in its units. */
import type { OutageResult } from './analysis.ts';
import type { Violation } from './limit-check.ts';
import type { ContingencySummary } from './run.ts';

export interface BrokenLimit {
  readonly equipment: string;
  readonly name: string;
  readonly kind: Violation['kind'];
  /** In the unit of the limit: MVA or A of an overload, pu or kV of a voltage. */
  readonly value: number;
  readonly limit: number;
  /** %, of the limit. */
  readonly loading: number;
  /** As `value`, before the outage. */
  readonly before: number;
}

/** @typeParam Named what was lost, as the grid names it */
export interface OutageReport<Named> {
  readonly outage: Named;
  /** See `OutageResult`; null where there is no solution. */
  readonly severity: number | null;
  readonly converged: boolean;
  /** A sentence where there is no solution. */
  readonly failure?: string;
  /** What is left without voltage. */
  readonly islanded?: { readonly buses: number; readonly loadLostMW: number; readonly generationLostMW: number };
  /** The worst first. */
  readonly limits: readonly BrokenLimit[];
  /** Broken limits that are not listed. */
  readonly more: number;
}

export interface ContingencyReport<Named> {
  readonly outages: number;
  /** Cleared by an estimate, and by a power flow. */
  readonly screened: number;
  readonly solved: number;
  /** Outages that break a limit or leave the grid without solution, the worst first. */
  readonly violations: readonly OutageReport<Named>[];
  /** Outages that break no limit but leave load without voltage, the most first. */
  readonly loadLost: readonly OutageReport<Named>[];
  /** Branches by the worst loading that any outage brings, the highest first; %. */
  readonly loadings: readonly {
    readonly equipment: string;
    readonly name: string;
    readonly before: number;
    readonly worst: number;
    /** Null: no outage raises it. */
    readonly outage: Named | null;
  }[];
}

/** How a grid names what a result counts. */
export interface Naming<Named> {
  readonly baseMVA: number;
  readonly outage: (index: number) => Named;
  /** A sentence. */
  readonly failure: (failure: NonNullable<OutageResult['failure']>) => string;
  readonly limit: (violation: Violation) => BrokenLimit;
}

/** Load lost below it, pu, is what is left of calculating. */
const NOTHING = 1e-9;

/** What of a summary is told in the same way of every grid. */
export function reportsOf<Named>(
  { results, screened, solved }: ContingencySummary,
  naming: Naming<Named>,
): Pick<ContingencyReport<Named>, 'screened' | 'solved' | 'violations' | 'loadLost'> {
  const report = (result: OutageResult): OutageReport<Named> => reportOf(result, naming);
  return {
    screened,
    solved,
    violations: results.filter(({ converged, severity }) => !converged || severity > 0).map(report),
    loadLost: results
      .filter(({ converged, severity, loadLost }) => converged && severity === 0 && loadLost > NOTHING)
      .map(report),
  };
}

function reportOf<Named>(result: OutageResult, { baseMVA, ...naming }: Naming<Named>): OutageReport<Named> {
  const { failure, converged, severity, deadBuses, violations, violationCount } = result;
  return {
    outage: naming.outage(result.outage),
    severity: converged ? severity : null,
    converged,
    ...(failure ? { failure: naming.failure(failure) } : {}),
    ...(deadBuses > 0
      ? {
          islanded: {
            buses: deadBuses,
            loadLostMW: result.loadLost * baseMVA,
            generationLostMW: result.generationLost * baseMVA,
          },
        }
      : {}),
    limits: violations.map(naming.limit),
    more: violationCount - violations.length,
  };
}
