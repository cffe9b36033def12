/** Two ends of a connection inside one process, for simulations and tests. */
import { randomBytes } from 'node:crypto';
import type { After, Channel, ChannelHandlers } from '../channel.ts';

type Peer = Channel['peer'];

class MemoryChannel implements Channel {
  readonly peer: Peer;
  readonly exporter: Uint8Array;
  readonly remote = 'memory';
  readonly dialled: boolean;
  other: MemoryChannel | undefined;
  readonly #after: After;
  readonly #latency: () => number;
  #handlers: ChannelHandlers | undefined;
  #early: Uint8Array[] = [];
  #open = true;
  #onWay = 0;

  constructor(peer: Peer, exporter: Uint8Array, dialled: boolean, after: After, latency: () => number) {
    this.peer = peer;
    this.exporter = exporter;
    this.dialled = dialled;
    this.#after = after;
    this.#latency = latency;
  }

  get buffered(): number {
    return this.#onWay;
  }

  open(handlers: ChannelHandlers): void {
    this.#handlers = handlers;
    for (const bytes of this.#early.splice(0)) handlers.message(bytes);
  }

  send(bytes: Uint8Array): void {
    if (!this.#open) return;
    this.#onWay += bytes.length;
    this.#after(this.#latency(), () => {
      this.#onWay -= bytes.length;
      this.other?.deliver(bytes);
    });
  }

  deliver(bytes: Uint8Array): void {
    if (!this.#open) return;
    if (this.#handlers) this.#handlers.message(bytes);
    else this.#early.push(bytes);
  }

  close(reason: string): void {
    this.end(reason);
    this.other?.end(reason);
  }

  end(reason: string): void {
    if (!this.#open) return;
    this.#open = false;
    this.#handlers?.closed(reason);
  }
}

/**
 * @param latency milliseconds of one message; messages stay in order as long as it does not vary
 * @returns the end of who dials, and that of who listens
 */
export function memoryChannels(options: {
  dialler: Peer;
  listener: Peer;
  after: After;
  latency?: () => number;
}): readonly [Channel, Channel] {
  const exporter = randomBytes(32);
  const latency = options.latency ?? (() => 1);
  const dialler = new MemoryChannel(options.listener, exporter, true, options.after, latency);
  const listener = new MemoryChannel(options.dialler, exporter, false, options.after, latency);
  dialler.other = listener;
  listener.other = dialler;
  return [dialler, listener];
}
