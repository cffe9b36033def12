/** A capture as a link that only listens: a file, or whatever writes one into a pipe while it captures. */
import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import { EthernetError } from '../errors.ts';
import type { Filter, LinkCounters, LinkLayer, Receive } from '../link-layer.ts';
import { Receivers } from '../receivers.ts';
import { type CapturedFrame, CaptureReader } from './reader.ts';

/** Time for a replay; tests pass one that they move by hand. */
export interface ReplayClock {
  /** ms on a scale that never steps. */
  monotonic(): number;
  /** Calls back once after a delay; the returned function cancels. */
  schedule(delayMillis: number, callback: () => void): () => void;
}

export interface ReplayOptions {
  /** `recorded`: with the pauses that lay between the frames. `fast`: as fast as the receivers take them. Default `fast`. */
  readonly pace?: 'recorded' | 'fast';
  /** Times are moved so that the first frame came then, ns since the Unix epoch; left out: as they are in the capture. */
  readonly from?: bigint;
  readonly clock?: ReplayClock;
}

const systemClock: ReplayClock = {
  monotonic: () => performance.now(),
  schedule(delayMillis, callback) {
    const timer = setTimeout(callback, delayMillis);
    return () => clearTimeout(timer);
  },
};

/** Octets read from a file at a time. */
const CHUNK = 1 << 20;

/** A capture file; it begins to play in the turn after somebody has begun to listen, and `closed` is its end. */
export function captureFile(path: string, options: ReplayOptions = {}): LinkLayer {
  return new CaptureLink(basename(path), () => createReadStream(path, { highWaterMark: CHUNK }), options);
}

/** A capture that comes while it is made, as `tcpdump -U -w -` writes it; from standard input for example. */
export function captureStream(name: string, octets: AsyncIterable<Uint8Array>, onEnd?: () => void): LinkLayer {
  return new CaptureLink(name, () => octets, {}, onEnd);
}

export class CaptureLink implements LinkLayer {
  readonly name: string;
  readonly #receivers: Receivers;
  readonly #source: () => AsyncIterable<Uint8Array>;
  readonly #onEnd: (() => void) | undefined;
  readonly #pace: 'recorded' | 'fast';
  readonly #clock: ReplayClock;
  readonly #from: bigint | undefined;
  /** Recorded time and monotonic ms of the first frame. */
  #first: { readonly at: bigint; readonly began: number } | undefined;
  #started = false;
  #wake: (() => void) | undefined;

  constructor(
    name: string,
    source: () => AsyncIterable<Uint8Array>,
    { pace = 'fast', from, clock = systemClock }: ReplayOptions,
    onEnd?: () => void,
  ) {
    this.name = name;
    this.#source = source;
    this.#pace = pace;
    this.#from = from;
    this.#clock = clock;
    this.#onEnd = onEnd;
    this.#receivers = new Receivers(() => this.#start());
  }

  get counters(): LinkCounters {
    return this.#receivers.counters;
  }

  get closed(): Promise<void> {
    return this.#receivers.closed;
  }

  listen(receive: Receive, filter?: Filter): () => void {
    return this.#receivers.add(receive, filter);
  }

  send(): never {
    throw new EthernetError(
      'unsupported',
      'ethernet.receive-only',
      `${this.name} is a capture: it can be listened to, nothing can be sent`,
    );
  }

  close(): Promise<void> {
    this.end();
    return this.closed.catch(() => {});
  }

  /** The link has come to its end, with a reason when it is none to be expected. */
  end(error?: Error): void {
    if (!this.#receivers.open) return;
    this.#receivers.end(error);
    this.#wake?.();
    this.#onEnd?.();
  }

  #start(): void {
    if (this.#started) return;
    this.#started = true;
    setImmediate(() => void this.#play());
  }

  async #play(): Promise<void> {
    const frames: CapturedFrame[] = [];
    const paced = this.#pace === 'recorded';
    const reader = new CaptureReader(this.name, (captured) => {
      if (paced) frames.push(captured);
      else this.#deliver(captured);
    });
    try {
      for await (const chunk of this.#source()) {
        if (!this.#receivers.open) return;
        reader.push(chunk);
        // The frames are views into the chunk, which is kept until the next is asked for.
        for (const captured of frames.splice(0)) {
          await this.#due(captured.at);
          if (!this.#receivers.open) return;
          this.#deliver(captured);
        }
      }
      reader.end();
      this.end();
    } catch (cause) {
      const known = cause instanceof EthernetError || (cause as NodeJS.ErrnoException).code === undefined;
      this.end(
        known
          ? (cause as Error)
          : new EthernetError('environment', 'capture.read', `${this.name}: ${(cause as Error).message}`, { cause }),
      );
    }
  }

  #deliver({ frame, at, wireLength }: CapturedFrame): void {
    this.#first ??= { at, began: this.#clock.monotonic() };
    // What lacks its end is no frame.
    if (frame.length < wireLength) this.#receivers.lost++;
    else this.#receivers.deliver(frame, this.#from === undefined ? at : at - this.#first.at + this.#from);
  }

  /** Until as much time has passed since the first frame as then. */
  async #due(at: bigint): Promise<void> {
    if (!this.#first) return;
    const { at: first, began } = this.#first;
    const wait = Number(at - first) / 1e6 - (this.#clock.monotonic() - began);
    if (wait <= 0) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.schedule(wait, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
    this.#wake = undefined;
  }
}
