/** The program of a worker thread of `pool.ts`. */
import { parentPort, workerData } from 'node:worker_threads';
import type { EnerchainError } from '@enerchain/model';
import type { ChunkMessage, OpenJob, ResultMessage, SetupMessage } from './pool.ts';

const { module } = workerData as { module: string };
const { open } = (await import(module)) as { open: OpenJob<unknown, unknown, unknown> };
let setup: unknown;
let work: ((chunk: unknown) => unknown) | undefined;

parentPort!.on('message', (given: SetupMessage | ChunkMessage) => {
  if ('setup' in given) {
    setup = given.setup;
    return;
  }
  const { index, chunk } = given;
  let message: ResultMessage;
  try {
    work ??= open(setup);
    message = { index, result: work(chunk) };
  } catch (error) {
    // Told by its members: to load the class with its package would take longer than many a job.
    const { fault = 'local', code = 'batch.failed' } = error as Partial<EnerchainError>;
    message = { index, error: { fault, code, message: error instanceof Error ? error.message : String(error) } };
  }
  parentPort!.postMessage(message, 'result' in message ? ownBuffers(message.result) : []);
});

/** Columns of the result, to be handed over instead of copied. */
function ownBuffers(result: unknown): ArrayBuffer[] {
  if (typeof result !== 'object' || result === null) return [];
  const buffers = Object.values(result).flatMap((value) =>
    ArrayBuffer.isView(value) && value.buffer instanceof ArrayBuffer ? [value.buffer] : [],
  );
  return [...new Set(buffers)];
}
