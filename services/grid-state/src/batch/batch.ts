/**
 * Thousands of power flows of one topology: scenarios or the steps of a time series, which differ in powers, set-points,
 * ratios or what else the kernel's tables say. The order of elimination is found once; each scenario starts from the
 * solution of the case itself (and, near it, from its Jacobian: `chord-lanes.ts`), so that what comes out depends neither on the other scenarios nor on the number of threads.
 */
import { EnerchainError } from '@enerchain/model';
import { type NewtonOptions, NewtonSolver } from '../powerflow/newton.ts';
import { defaultWorkers, type PoolOptions, runJob } from './pool.ts';
import {
  type BatchChange,
  type BatchChunk,
  type BatchInput,
  type BatchResult,
  type BatchSetup,
  BRANCH_COLUMNS,
  BUS_COLUMNS,
  LANE_COLUMNS,
} from './scenarios.ts';

export interface BatchOptions extends NewtonOptions, PoolOptions {
  /** Branch powers too. Default: voltages only. */
  readonly flows?: boolean;
}

/** Numbers of a result that are worth a message of their own. */
const CHUNK_NUMBERS = 200_000;
/** Buses times scenarios from which threads pay for their start: solved side by side, and one after the other. */
const WORTH_THREADS = { lanes: 4_000_000, alone: 1_000_000 };
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
  const size = Math.max(
    1,
    Math.floor(CHUNK_NUMBERS / (2 * buses.type.length + (flows ? 4 * branches.from.length : 0))),
  );
  const chunks: BatchChunk[] = [];
  for (let first = 0; first < input.scenarios; first += size) {
    chunks.push({ first, count: Math.min(size, input.scenarios - first) });
  }
  const alone =
    newton.damped || input.case.responses || input.changes.some(({ column }) => !LANE_COLUMNS.includes(column));
  const small = buses.type.length * input.scenarios < WORTH_THREADS[alone ? 'alone' : 'lanes'];
  const threads = workers ?? (small ? 0 : defaultWorkers());
  const setup = (): BatchSetup => {
    const solver = new NewtonSolver(buses.type.length, branches.from, branches.to);
    const base = solver.solve(input.case, newton);
    return {
      input: threads === 0 ? input : { ...input, changes: input.changes.map(shared) },
      options: { ...newton, flows },
      symbolic: solver.lu.symbolic,
      // A case that has no solution of its own may have scenarios that do.
      start: base.converged ? { vm: base.vm.slice(), va: base.va.slice() } : { vm: buses.vm, va: buses.va },
    };
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
