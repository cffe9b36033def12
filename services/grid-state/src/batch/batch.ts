/**
 * Thousands of power flows of one topology: scenarios or the steps of a time series, which differ in powers, set-points,
 * ratios or what else the kernel's tables say. The order of elimination is found once; each scenario starts from the
 * solution of the case itself, so that what comes out depends neither on the other scenarios nor on the number of threads.
 */
import { EnerchainError } from '@enerchain/model';
import type { SymbolicLu } from '../powerflow/block-lu.ts';
import { BUS_TYPE, type PowerFlowCase } from '../powerflow/case.ts';
import { type NewtonFailure, type NewtonOptions, NewtonSolver } from '../powerflow/newton.ts';
import { defaultWorkers, type PoolOptions, runJob } from './pool.ts';

/** Columns of the kernel's tables that may differ between scenarios. */
export const BUS_COLUMNS = ['p', 'q', 'vm', 'va', 'gs', 'bs'] as const;
export const BRANCH_COLUMNS = ['ratio', 'shift'] as const;
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

export interface BatchOptions extends NewtonOptions, PoolOptions {
  /** Branch powers too. Default: voltages only. */
  readonly flows?: boolean;
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
  readonly flows?: {
    readonly pFrom: Float64Array;
    readonly qFrom: Float64Array;
    readonly pTo: Float64Array;
    readonly qTo: Float64Array;
  };
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

/** Numbers of a result that are worth a message of their own. */
const CHUNK_NUMBERS = 200_000;
/** Buses times scenarios from which threads pay for their start. */
const WORTH_THREADS = 200_000;
const MAX_NUMBERS = 2 ** 31;

/** A column that threads share instead of having copies of it. */
export const sharedColumn = (length: number): Float64Array =>
  new Float64Array(new SharedArrayBuffer(length * Float64Array.BYTES_PER_ELEMENT));

/**
 * Streams the solutions in the order of the scenarios; no more is calculated than is taken.
 * @throws EnerchainError `batch.input` (caller)
 */
export async function* solveBatch(
  input: BatchInput,
  options: BatchOptions = {},
): AsyncGenerator<BatchResult, void, undefined> {
  checkBatch(input);
  const { workers, signal, flows = false, ...newton } = options;
  const { buses, branches } = input.case;
  const solver = new NewtonSolver(buses.type.length, branches.from, branches.to);
  const base = solver.solve(input.case, newton);
  const size = Math.max(
    1,
    Math.floor(CHUNK_NUMBERS / (2 * buses.type.length + (flows ? 4 * branches.from.length : 0))),
  );
  const chunks: BatchChunk[] = [];
  for (let first = 0; first < input.scenarios; first += size) {
    chunks.push({ first, count: Math.min(size, input.scenarios - first) });
  }
  const small = buses.type.length * input.scenarios < WORTH_THREADS;
  const threads = workers ?? (small ? 0 : defaultWorkers());
  const setup: BatchSetup = {
    input: threads === 0 ? input : { ...input, changes: input.changes.map(shared) },
    options: { ...newton, flows },
    symbolic: solver.lu.symbolic,
    // A case that has no solution of its own may have scenarios that do.
    start: base.converged ? { vm: base.vm.slice(), va: base.va.slice() } : { vm: buses.vm, va: buses.va },
  };
  yield* runJob<BatchSetup, BatchChunk, BatchResult>(
    { module: JOB, setup, chunks },
    { workers: threads, ...(signal ? { signal } : {}) },
  );
}

const JOB = new URL(import.meta.url.endsWith('.ts') ? './batch-job.ts' : './batch-job.js', import.meta.url);

function shared(change: BatchChange): BatchChange {
  if (change.values.buffer instanceof SharedArrayBuffer) return change;
  const values = sharedColumn(change.values.length);
  values.set(change.values);
  return { ...change, values };
}

function checkBatch({ case: given, scenarios, changes }: BatchInput): void {
  const fail = (text: string): never => {
    throw new EnerchainError('caller', 'batch.input', `${text}; nothing was calculated`);
  };
  const buses = given.buses.type.length;
  if (!Number.isInteger(scenarios) || scenarios < 0 || scenarios * buses > MAX_NUMBERS) {
    fail(`${scenarios} is no number of scenarios for ${buses} buses`);
  }
  for (const { column, rows, values } of changes) {
    const ofBus = (BUS_COLUMNS as readonly string[]).includes(column);
    if (!ofBus && !(BRANCH_COLUMNS as readonly string[]).includes(column)) fail(`there is no column '${column}'`);
    const count = ofBus ? buses : given.branches.from.length;
    if (values.length !== scenarios * rows.length) {
      fail(`column ${column} has ${values.length} values for ${scenarios} scenarios of ${rows.length} rows`);
    }
    for (const row of rows) if (!(row >= 0 && row < count)) fail(`column ${column} names row ${row} of ${count}`);
  }
}

/** Set-points are where the case says; everything else starts where it is told. */
export const isSetPoint = (type: number, column: 'vm' | 'va'): boolean =>
  type === BUS_TYPE.slack || (column === 'vm' && type === BUS_TYPE.pv);
