/** All outages of a list, over threads where that pays, ranked. */
import { defaultWorkers, type PoolOptions, runJob } from '../batch/pool.ts';
import { byViolation, type ContingencyOptions, type OutageResult } from './analysis.ts';
import type { ContingencyInput, Outage } from './outage.ts';

export interface ContingencySetup {
  readonly input: ContingencyInput;
  readonly options: ContingencyOptions;
}
export interface ContingencyChunk {
  /** Place of the first outage in the list. */
  readonly first: number;
  readonly outages: readonly Outage[];
}
export interface ContingencyPart {
  readonly results: readonly OutageResult[];
  /** Loadings as shares of the limits, per branch: before any outage, and the worst after one of these outages and which. */
  readonly before: Float64Array;
  readonly worst: Float64Array;
  readonly worstOutage: Int32Array;
}

export interface ContingencySummary {
  /** Of every outage, the worst first. */
  readonly results: readonly OutageResult[];
  readonly screened: number;
  readonly solved: number;
  /** Per branch, as shares of its limit; 0 without one. */
  readonly loadings: {
    readonly before: Float64Array;
    readonly worst: Float64Array;
    /** The outage after which it is worst; -1: none raises it above 0. */
    readonly worstOutage: Int32Array;
  };
}

/** Outages per message to a thread: few enough that threads end together, many enough that messages cost nothing. */
const CHUNK = 64;
/** Outages per turn of the event loop in the background. */
const SLICE = 8;
/** Buses times outages from which threads pay for their start. */
const WORTH_THREADS = 1_000_000;

const JOB = new URL(import.meta.url.endsWith('.ts') ? './contingency-job.ts' : './contingency-job.js', import.meta.url);

export interface RunOptions extends ContingencyOptions, PoolOptions {
  /** Not to be hurried: one thread at most, and small chunks without. Default: false. */
  readonly background?: boolean;
}

/** @throws EnerchainError `sensitivity.base` (caller) when there is no solution before any outage */
export async function runContingencies(
  input: ContingencyInput,
  outages: readonly Outage[],
  { workers, signal, background = false, ...options }: RunOptions = {},
): Promise<ContingencySummary> {
  const branches = input.case.branches.from.length;
  const small = input.case.buses.type.length * outages.length < WORTH_THREADS;
  const chunks: ContingencyChunk[] = [];
  const size = background && small ? SLICE : CHUNK;
  for (let first = 0; first < outages.length; first += size) {
    chunks.push({ first, outages: outages.slice(first, first + size) });
  }
  if (chunks.length === 0) chunks.push({ first: 0, outages: [] });
  const results: OutageResult[] = [];
  let before = new Float64Array(branches);
  const worst = new Float64Array(branches);
  const worstOutage = new Int32Array(branches).fill(-1);
  const parts = runJob<ContingencySetup, ContingencyChunk, ContingencyPart>(
    { module: JOB, setup: () => ({ input, options }), chunks },
    { workers: workers ?? (small ? 0 : background ? 1 : defaultWorkers()), ...(signal ? { signal } : {}) },
  );
  for await (const part of parts) {
    results.push(...part.results);
    before = part.before as typeof before;
    for (let k = 0; k < branches; k++) {
      if (part.worst[k]! > worst[k]!) {
        worst[k] = part.worst[k]!;
        worstOutage[k] = part.worstOutage[k]!;
      }
    }
  }
  const solved = results.filter(({ method }) => method === 'solved').length;
  return {
    results: results.sort(byViolation),
    screened: results.length - solved,
    solved,
    loadings: { before, worst, worstOutage },
  };
}
