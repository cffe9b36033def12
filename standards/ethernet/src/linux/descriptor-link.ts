/** A packet socket that somebody with rights has opened, read without any code in C: `read` and `write` of its descriptor. */
import { fstatSync, writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { EthernetError } from '../errors.ts';
import type { LinkCounters, LinkLayer, Receive } from '../link-layer.ts';
import { Receivers } from '../receivers.ts';
import { FrameRing, ringMemory } from './frame-ring.ts';
import { onlyOnLinux } from './native.ts';

/** 8 MB: a twentieth of a second at 100 000 frames/s. */
const SLOTS = 4096;
/** Frames handed out before others have their turn. */
const PER_TURN = 1024;

const THREAD = new URL(
  import.meta.url.endsWith('.ts') ? './descriptor-reader.ts' : './descriptor-reader.js',
  import.meta.url,
);

export interface DescriptorLinkOptions {
  /** For messages; default `descriptor 3`. */
  readonly name?: string;
  /** Own address of the interface, for who sends. */
  readonly address?: Uint8Array;
}

/**
 * A descriptor inherited from a launcher (`native/packet-launcher.c`, or any that opens AF_PACKET, binds it, and leaves the rest to
 * `exec`). It is closed with the link. Two things the kernel tells only to code in C are missing: VLAN tags, which it has taken
 * off, and its own losses; the time is that of reading. A blocking descriptor should have a time-out (SO_RCVTIMEO), or the thread that
 * reads ends with the next frame only.
 * @throws EthernetError: `ethernet.linux-only`; `ethernet.descriptor` when it is no socket
 */
export function descriptorLink(fd: number, options: DescriptorLinkOptions = {}): LinkLayer {
  onlyOnLinux(`descriptor ${fd}`);
  let socket = false;
  try {
    socket = fstatSync(fd).isSocket();
  } catch {}
  if (!socket)
    throw new EthernetError(
      'caller',
      'ethernet.descriptor',
      `Descriptor ${fd} is no socket; a launcher has to open it and leave it open`,
    );
  return new DescriptorLink(fd, options);
}

class DescriptorLink implements LinkLayer {
  readonly name: string;
  readonly address?: Uint8Array;
  readonly #fd: number;
  readonly #receivers = new Receivers();
  readonly #ring: FrameRing;
  readonly #thread: Worker;

  constructor(fd: number, { name = `descriptor ${fd}`, address }: DescriptorLinkOptions) {
    this.name = name;
    if (address) this.address = address;
    this.#fd = fd;
    const memory = ringMemory(SLOTS);
    this.#ring = new FrameRing(memory);
    this.#thread = new Worker(THREAD, {
      workerData: { fd, memory },
      // The descriptor is not the thread's own.
      trackUnmanagedFds: false,
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    this.#thread.on('message', (message: 'frames' | { failure: string }) => {
      if (message === 'frames') this.#drain();
      else this.#fail(message.failure);
    });
    this.#thread.on('error', (error) => this.#fail(error.message));
    // Sleeps from the start: the first frame wakes.
    this.#ring.sleep();
  }

  get counters(): LinkCounters {
    const { received, sent, lost } = this.#receivers.counters;
    return { received, sent, lost: lost + this.#ring.lost };
  }

  get closed(): Promise<void> {
    return this.#receivers.closed;
  }

  listen(receive: Receive, filter?: Parameters<LinkLayer['listen']>[1]): () => void {
    return this.#receivers.add(receive, filter);
  }

  send(frame: Uint8Array): void {
    try {
      if (!this.#receivers.open) throw new Error('closed');
      writeSync(this.#fd, frame);
      this.#receivers.sent++;
    } catch {
      this.#receivers.lost++;
    }
  }

  close(): Promise<void> {
    this.#end();
    return this.closed.catch(() => {});
  }

  #drain(): void {
    for (;;) {
      let taken: number;
      try {
        taken = this.#ring.take(PER_TURN, (frame, at) => this.#receivers.deliver(frame, at));
      } catch (error) {
        this.#end(error as Error);
        return;
      }
      if (taken === PER_TURN) {
        setImmediate(() => this.#drain());
        return;
      }
      if (this.#ring.sleep()) return;
    }
  }

  #fail(text: string): void {
    this.#end(new EthernetError('environment', 'ethernet.descriptor', `${this.name}: ${text}; the link has ended`));
  }

  #end(error?: Error): void {
    if (!this.#receivers.open) return;
    this.#ring.stop();
    this.#receivers.end(error);
    // It closes the descriptor when it comes back from reading; the program need not wait for it.
    this.#thread.unref();
  }
}
