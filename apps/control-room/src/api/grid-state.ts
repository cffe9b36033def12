/** What the grid-state service answers: trials, the estimate, and single outages. Any part of it may not be there. */
import { call } from './client.ts';

const PREFIX = '/services/grid-state';

export interface FlowJson {
  readonly p: number;
  readonly q: number;
  readonly i: number;
}
export interface PowerJson {
  readonly p: number;
  readonly q: number;
}

/** What is tried; everything else stands as it is live. */
export interface TrialJson {
  readonly switches: Readonly<Record<string, boolean>>;
  readonly taps: Readonly<Record<string, number>>;
  readonly powers: Readonly<Record<string, PowerJson>>;
  readonly voltages: Readonly<Record<string, number>>;
  readonly outages: readonly string[];
}
export interface ChangeJson {
  readonly equipment: string;
  readonly name: string;
  readonly kind: 'switch' | 'tap' | 'power' | 'voltage' | 'outage';
  readonly live: boolean | number | PowerJson | null;
  readonly tried: boolean | number | PowerJson;
}
export interface WhatIfJson {
  readonly at: string;
  readonly converged: boolean;
  readonly iterations: number;
  readonly losses: number | null;
  readonly solveMillis: number;
  readonly islands: readonly {
    readonly index: number;
    readonly energised: boolean;
    readonly converged: boolean;
    readonly failure?: string;
    readonly busbars: readonly string[];
  }[];
  readonly buses: readonly {
    readonly nodes: readonly string[];
    readonly nominalVoltage: number;
    readonly voltage: number | null;
    readonly live: { readonly voltage: number | null } | null;
  }[];
  readonly branches: readonly {
    readonly equipment: string;
    readonly name: string;
    readonly energised: boolean;
    readonly loading: number | null;
    readonly from: FlowJson | null;
    readonly to: FlowJson | null;
    readonly live: {
      readonly loading: number | null;
      readonly from: FlowJson | null;
      readonly to: FlowJson | null;
    } | null;
  }[];
  readonly changes: readonly ChangeJson[];
  /** Everything that the outages take out, by mRID. */
  readonly out?: readonly string[];
}

/** A measurement beside what the estimation makes of it: kV, °, MW and Mvar into the equipment, A. */
export interface EstimatedMeasurementJson {
  readonly point?: string;
  readonly equipment?: string;
  readonly terminal?: string;
  readonly kind: 'voltage' | 'angle' | 'p' | 'q' | 'current';
  readonly measured: number;
  readonly estimated: number | null;
  readonly residual: number | null;
  /** In standard deviations. */
  readonly normalizedResidual: number | null;
  readonly suspect?: boolean;
}
export interface EstimateJson {
  readonly at: string;
  readonly observable: boolean;
  /** Connectivity nodes whose voltage is not determined. */
  readonly unobservable: readonly string[];
  /** Measurements that would make it observable again. */
  readonly restore?: readonly {
    readonly kind: string;
    readonly node?: string;
    readonly terminal?: string;
    readonly equipment?: string;
  }[];
  readonly j: number | null;
  readonly degreesOfFreedom: number;
  readonly badData: readonly { readonly points: readonly string[]; readonly normalizedResidual: number }[];
  readonly measurements: readonly EstimatedMeasurementJson[];
}

/** A limit that an outage breaks: A, kV or, with a rating in MVA alone, % of it. */
export interface ContingencyLimitJson {
  readonly equipment: string;
  readonly name: string;
  readonly kind: 'overload' | 'voltageHigh' | 'voltageLow';
  readonly value: number;
  readonly limit: number;
  /** % of the limit. */
  readonly loading?: number | null;
  /** The value before the outage. */
  readonly before?: number | null;
}
export interface ContingencyJson {
  readonly outage: { readonly equipment: string; readonly name: string; readonly class?: string };
  /** % beyond limits; null without a solution. */
  readonly severity: number | null;
  readonly converged: boolean;
  readonly failure?: string;
  readonly islanded?: { readonly loadLostMW?: number } | null;
  readonly limits: readonly ContingencyLimitJson[];
  /** Broken limits that are not listed. */
  readonly more?: number;
}
export interface WorstLoadingJson {
  readonly equipment: string;
  readonly name: string;
  /** %, now and at worst. */
  readonly before: number;
  readonly worst: number;
  readonly outage: { readonly equipment: string; readonly name: string };
}
export interface ContingenciesJson {
  readonly at: string;
  readonly solved: number;
  readonly screened: number;
  readonly violations: readonly ContingencyJson[];
  /** Outages that break limits, listed or not. */
  readonly violated?: number;
  /** Outages that leave load without supply, by how much. */
  readonly loadLost?: readonly ContingencyJson[];
  readonly loadings?: readonly WorstLoadingJson[];
  readonly failure?: string;
}

/** MW that an outage leaves without supply. */
export const lostLoad = ({ islanded }: ContingencyJson): number => islanded?.loadLostMW ?? 0;

/** The routes of the service, as the API describes itself: what is not there is not asked for. */
export async function routesOf(): Promise<ReadonlySet<string>> {
  const { paths } = await call<{ paths?: Record<string, unknown> }>('GET', '/openapi.json');
  const found = Object.keys(paths ?? {}).flatMap((path) => {
    const at = path.indexOf(`${PREFIX}/`);
    return at < 0 ? [] : [path.slice(at + PREFIX.length)];
  });
  return new Set(found);
}

export const gridStateApi = {
  whatIf: (trial: TrialJson) => call<WhatIfJson>('POST', `${PREFIX}/what-if`, trial),
  estimate: () => call<EstimateJson>('GET', `${PREFIX}/estimate`),
  contingencies: () => call<ContingenciesJson>('GET', `${PREFIX}/contingencies`),
};
