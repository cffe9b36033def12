/** What scenarios are made of, and what comes out of them. */
import type { SymbolicLu } from '../powerflow/block-lu.ts';
import type { BranchFlows } from '../powerflow/branch-flows.ts';
import { BUS_TYPE, type PowerFlowCase } from '../powerflow/case.ts';
import type { NewtonFailure, NewtonOptions } from '../powerflow/newton.ts';

/** Columns of the kernel's tables that may differ between scenarios. */
export const BUS_COLUMNS = ['p', 'q', 'vm', 'va', 'gs', 'bs'] as const;
export const BRANCH_COLUMNS = ['ratio', 'shift'] as const;
/** What may differ between scenarios that are solved side by side: the others are part of the admittance matrix. */
export const LANE_COLUMNS: readonly BatchColumn[] = ['p', 'q', 'vm', 'va'];
export type BatchColumn = (typeof BUS_COLUMNS)[number] | (typeof BRANCH_COLUMNS)[number];

export interface BatchChange {
  readonly column: BatchColumn;
  /** Buses or branches. */
  readonly rows: Int32Array;
  /** A number for each of `rows`, one scenario after the other; in the unit of the column. In a SharedArrayBuffer it is shared with the threads, see `sharedColumn`. */
  readonly values: Float64Array;
}

export interface BatchInput {
  /** What does not change, and where everything starts. */
  readonly case: PowerFlowCase;
  readonly scenarios: number;
  readonly changes: readonly BatchChange[];
}

/** Scenarios one after the other, in each column all buses (or branches) of one after all of the one before. */
export interface BatchResult {
  /** The first scenario of these, and how many they are. */
  readonly first: number;
  readonly count: number;
  /** Per scenario: 1 where there is a solution. Without one the voltages are NaN. */
  readonly converged: Uint8Array;
  readonly iterations: Uint8Array;
  /** Magnitudes, per unit, and angles, radians, per bus. */
  readonly vm: Float64Array;
  readonly va: Float64Array;
  /** Power into the branch at its ends, per unit. */
  readonly flows?: BranchFlows;
  /** Of the scenarios without a solution. */
  readonly failures: readonly { readonly scenario: number; readonly failure: NewtonFailure }[];
}

export interface BatchSetup {
  readonly input: BatchInput;
  readonly options: NewtonOptions & { readonly flows: boolean };
  readonly symbolic: SymbolicLu;
  /** Voltages to start from. */
  readonly start: { readonly vm: Float64Array; readonly va: Float64Array };
}
export interface BatchChunk {
  readonly first: number;
  readonly count: number;
}

/** Set-points are where the case says; everything else starts where it is told. */
export const isSetPoint = (type: number, column: 'vm' | 'va'): boolean =>
  type === BUS_TYPE.slack || (column === 'vm' && type === BUS_TYPE.pv);
