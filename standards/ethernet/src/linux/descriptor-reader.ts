/** The thread of `descriptor-link.ts`: reads one frame per call and nothing else, so that the kernel's queue is emptied whatever the program does. */
import { closeSync, readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { FrameRing, RING_FRAME, type RingMemory } from './frame-ring.ts';

const { fd, memory } = workerData as { fd: number; memory: RingMemory };
const ring = new FrameRing(memory);
const scratch = new Uint8Array(RING_FRAME);
/** For waiting without a call-back. */
const nobody = new Int32Array(new SharedArrayBuffer(4));
/** How long a non-blocking descriptor rests when it had nothing, ms; also how late a frame may be seen then. */
const REST = 1;

/** Wall clock in ns: hrtime, set right whenever Date.now(), which has ms only, says otherwise. */
let offset = 0n;
function now(): bigint {
  const ticks = process.hrtime.bigint();
  const wall = BigInt(Date.now()) * 1_000_000n;
  const drift = ticks + offset - wall;
  if (drift < 0n || drift >= 2_000_000n) offset = wall - ticks;
  return ticks + offset;
}

let failure: string | undefined;
while (!ring.stopped) {
  const full = ring.full;
  const began = performance.now();
  let length: number;
  try {
    length = readSync(fd, full ? scratch : ring.free, 0, RING_FRAME, null);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EAGAIN') {
      // A descriptor with a time-out has waited already.
      if (performance.now() - began < REST) Atomics.wait(nobody, 0, 0, REST);
      continue;
    }
    // Taken down; may come up again.
    if (code === 'ENETDOWN') {
      Atomics.wait(nobody, 0, 0, 100);
      continue;
    }
    if (code === 'EINTR') continue;
    failure = message;
    break;
  }
  if (full || length === 0) ring.lose();
  else if (ring.commit(length, now())) parentPort!.postMessage('frames');
}
closeSync(fd);
if (failure !== undefined) parentPort!.postMessage({ failure });
