/**
 * Work in chunks over worker threads: results come in the order of the chunks, whoever has worked on them, and no faster
 * than they are taken. Without threads the same job runs here, a chunk at a time, and leaves the event loop free between.
 */
import { availableParallelism } from 'node:os';
import { setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { EnerchainError, type Fault } from '@enerchain/model';

/** What the module of a job exports as `open`: is given the setup once, and then one chunk after another. */
export type OpenJob<Setup, Chunk, Result> = (setup: Setup) => (chunk: Chunk) => Result;

export interface Job<Setup, Chunk> {
  /** Of a module that exports `open`, an `OpenJob`. */
  readonly module: URL;
  /**
   * Goes to every thread: plain data; what lies in a SharedArrayBuffer is shared, the rest copied. Is asked for once, while
   * the threads start: that takes as long as many a preparation.
   */
  readonly setup: () => Setup;
  readonly chunks: readonly Chunk[];
}

export interface PoolOptions {
  /** Threads; 0: none, the work is done here. Default: one per processor, at most 16. */
  readonly workers?: number;
  /** Ends the threads; the run rejects with its reason. */
  readonly signal?: AbortSignal;
}

/** To a thread, before all chunks. */
export interface SetupMessage {
  readonly setup: unknown;
}
/** To a thread. */
export interface ChunkMessage {
  readonly index: number;
  readonly chunk: unknown;
}
/** From a thread. */
export type ResultMessage =
  | { readonly index: number; readonly result: unknown }
  | { readonly index: number; readonly error: { fault: Fault; code: string; message: string } };

const MAX_WORKERS = 16;
/** Chunks under way per thread: one being worked on, one waiting. */
const AHEAD = 2;
// The sources run as they are; a build has it under the name that it gives to all of them.
const THREAD = new URL(import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js', import.meta.url);

export const defaultWorkers = (): number => Math.min(MAX_WORKERS, availableParallelism());

/** @throws EnerchainError what the job throws; `batch.thread` (environment) when a thread dies */
export async function* runJob<Setup, Chunk, Result>(
  job: Job<Setup, Chunk>,
  options: PoolOptions = {},
): AsyncGenerator<Result, void, undefined> {
  const { signal } = options;
  signal?.throwIfAborted();
  const workers = Math.min(options.workers ?? defaultWorkers(), MAX_WORKERS, job.chunks.length);
  if (workers > 0) {
    yield* overThreads<Setup, Chunk, Result>(job, workers, signal);
    return;
  }
  const { open } = (await import(job.module.href)) as { open: OpenJob<Setup, Chunk, Result> };
  const work = open(job.setup());
  for (const chunk of job.chunks) {
    signal?.throwIfAborted();
    yield work(chunk);
    await turn();
  }
}

async function* overThreads<Setup, Chunk, Result>(
  { module, setup, chunks }: Job<Setup, Chunk>,
  count: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Result, void, undefined> {
  const done = new Map<number, Result>();
  let failure: unknown;
  let wake = (): void => undefined;
  const fail = (error: unknown): void => {
    failure ??= error;
    wake();
  };
  const aborted = (): void => fail(signal!.reason);
  signal?.addEventListener('abort', aborted, { once: true });
  const threads = Array.from({ length: count }, () => {
    const worker = new Worker(THREAD, { workerData: { module: module.href }, execArgv: QUIET });
    const thread = { worker, busy: 0 };
    worker.on('message', (message: ResultMessage) => {
      thread.busy -= 1;
      if ('error' in message) {
        const { fault, code, message: text } = message.error;
        fail(new EnerchainError(fault, code, text));
      } else done.set(message.index, message.result as Result);
      wake();
    });
    worker.on('error', (cause) => fail(died(cause.message, cause)));
    worker.on('exit', (code) => fail(died(`it ended with ${code}`)));
    return thread;
  });
  try {
    const message: SetupMessage = { setup: setup() };
    for (const { worker } of threads) worker.postMessage(message);
    let next = 0;
    for (let index = 0; index < chunks.length; index++) {
      for (;;) {
        if (failure !== undefined) throw failure;
        while (next < chunks.length && next < index + AHEAD * count) {
          const free = threads.reduce((a, b) => (b.busy < a.busy ? b : a));
          if (free.busy >= AHEAD) break;
          free.busy += 1;
          free.worker.postMessage({ index: next, chunk: chunks[next] } satisfies ChunkMessage);
          next += 1;
        }
        if (done.has(index)) break;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const result = done.get(index) as Result;
      done.delete(index);
      yield result;
    }
  } finally {
    signal?.removeEventListener('abort', aborted);
    await Promise.all(threads.map(({ worker }) => worker.terminate()));
  }
}

/** Types are stripped by an experimental feature of this Node; nobody needs to hear that from every thread. */
const QUIET = ['--disable-warning=ExperimentalWarning'];

const died = (what: string, cause?: unknown): EnerchainError =>
  new EnerchainError('environment', 'batch.thread', `a thread of the calculation died: ${what}`, { cause });
