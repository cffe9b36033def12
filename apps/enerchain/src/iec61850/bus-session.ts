/** What commands on the process bus share: when they end, and how time passes on what they listen to. */
import type { LinkLayer } from '@enerchain/ethernet';
import { wholeNumber } from '../options.ts';
import { stopSignal } from '../supervisor/supervised.ts';
import type { OpenedLink } from './open-link.ts';

/** How often a pipe that is silent is looked at for what has run out, ms; and how late its frames may come. */
const [LOOK, LATE] = [200, 100];

const nanos = (): bigint => BigInt(Date.now()) * 1_000_000n;

/** Resolves when it is stopped, time is up, or the link has ended; rejects when the link failed. */
export function ends(link: LinkLayer, options: { readonly for?: string }): PromiseWithResolvers<void> {
  const ending = Promise.withResolvers<void>();
  stopSignal().addEventListener('abort', () => ending.resolve(), { once: true });
  if (options.for !== undefined) {
    const timer = setTimeout(() => ending.resolve(), wholeNumber(options.for, '--for', 1, 1e6) * 1000);
    void ending.promise.finally(() => clearTimeout(timer)).catch(() => {});
  }
  link.closed.then(ending.resolve, ending.reject);
  return ending;
}

/** Time on a link: of this machine, or of the frames, which goes on between them as long as it is a pipe. */
export class BusTime {
  readonly #time: OpenedLink['time'];
  readonly #stop: () => void;
  /** Of the last frame, and when it came here on the clock that never steps. */
  #last: { readonly at: bigint; readonly here: number } | undefined;
  #looking: ReturnType<typeof setInterval> | undefined;

  /** Before anybody else listens, so that it knows of a frame first. */
  constructor({ link, time }: OpenedLink) {
    this.#time = time;
    this.#stop = link.listen((_frame, at) => {
      this.#last = { at, here: performance.now() };
    });
  }

  /** Of the frame that is being looked at, ns since the Unix epoch. */
  get frame(): bigint {
    return this.#last?.at ?? nanos();
  }

  /** ns since the Unix epoch. */
  get now(): bigint {
    if (this.#time === 'clock' || !this.#last) return nanos();
    const since = this.#time === 'frames' ? 0 : performance.now() - this.#last.here;
    return this.#last.at + BigInt(Math.round(since * 1e6));
  }

  /** Has somebody look for what has run out in a pipe that is silent. */
  look(until: (at: bigint) => void): void {
    if (this.#time !== 'stream') return;
    this.#looking = setInterval(() => until(this.now - BigInt(LATE) * 1_000_000n), LOOK);
  }

  /** @param until looks once more, at the time of the last frame */
  stop(until: (at: bigint) => void): void {
    clearInterval(this.#looking);
    if (this.#last) until(this.#last.at);
    this.#stop();
  }
}
