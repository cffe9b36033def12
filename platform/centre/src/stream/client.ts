/**
 * One client of the stream. Nothing is queued for it: numbered messages are read from the journal by its own cursor,
 * values that it could not take are remembered by their point and sent as they are when it can. So a client that reads
 * slowly costs a cursor and a set of points, and one that does not read at all is dropped.
 */
import type { Mrid } from '@enerchain/model';
import type { Message } from '../events/journal.ts';

/** The connection as the client sees it; `ServerResponse` fulfils it. */
export interface StreamSocket {
  /** @returns false when the client should wait for `drain` */
  write(chunk: string | Uint8Array): boolean;
  once(event: 'drain' | 'close', listener: () => void): unknown;
  end(): unknown;
  destroy(): unknown;
}

export interface StreamClientOptions {
  readonly socket: StreamSocket;
  /** Undefined: all points. */
  readonly points: ReadonlySet<Mrid> | undefined;
  /** Number of the last message that it has seen. */
  readonly cursor: number;
  /** False hides events of kind `audit`. */
  readonly audit: boolean;
  /** Whether the login still stands. */
  readonly valid: () => boolean;
}

/** What a client asks of the hub. */
export interface StreamSupply {
  messages(after: number, limit: number): readonly Message[] | Promise<readonly Message[]>;
  /** @returns frames with the present values of these points, or of all */
  values(points: Iterable<Mrid> | undefined, snapshot: boolean): Iterable<string>;
  source(name: string): string | undefined;
  frame(message: Message): string;
  now(): number;
}

/** Numbered messages read at once. */
const LOT = 200;

export class StreamClient {
  readonly #options: StreamClientOptions;
  readonly #supply: StreamSupply;
  #cursor: number;
  #closed = false;
  /** True between two runs of the pump, when the socket takes more: only then may others write directly. */
  #idle = false;
  #blockedSince: number | undefined;
  #snapshotDue = true;
  readonly #missed = new Set<Mrid>();
  readonly #missedSources = new Set<string>();
  /** Numbered messages may have come in since they were last looked for. */
  #due = false;
  #wake: (() => void) | undefined;
  #wakeDrained: (() => void) | undefined;

  constructor(options: StreamClientOptions, supply: StreamSupply) {
    this.#options = options;
    this.#supply = supply;
    this.#cursor = options.cursor;
    options.socket.once('close', () => this.#close());
  }

  get points(): ReadonlySet<Mrid> | undefined {
    return this.#options.points;
  }

  get valid(): boolean {
    return this.#options.valid();
  }

  /** Milliseconds for which it has not taken anything, though there was something. */
  blockedFor(now: number): number {
    return this.#blockedSince === undefined ? 0 : now - this.#blockedSince;
  }

  /** Sends until the connection ends. */
  async run(greeting: readonly string[]): Promise<void> {
    for (const frame of greeting) await this.#write(frame);
    while (!this.#closed) {
      this.#due = false;
      await this.#sendMessages();
      await this.#sendSources();
      await this.#sendValues();
      await this.#drained();
      // What came in during the waits above.
      if (this.#due || this.#missed.size > 0 || this.#missedSources.size > 0) continue;
      if (this.#closed) return;
      this.#idle = true;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
      this.#idle = false;
    }
  }

  /** There are new numbered messages. */
  notify(): void {
    this.#due = true;
    this.#wake?.();
  }

  /** Values have changed; `frames` say so in the form that all clients share. */
  delta(changed: readonly Mrid[], frames: readonly (string | Uint8Array)[]): void {
    if (this.#idle && this.#direct(frames)) return;
    if (this.#snapshotDue) return;
    for (const point of changed) this.#missed.add(point);
    this.#wake?.();
  }

  source(name: string, frame: string): void {
    if (this.#idle && this.#direct([frame])) return;
    this.#missedSources.add(name);
    this.#wake?.();
  }

  /** Nothing is kept of this for a client that does not read. */
  ping(frame: string): void {
    if (this.#idle) this.#direct([frame]);
  }

  /** Ends the connection in order. */
  end(): void {
    this.#options.socket.end();
    this.#close();
  }

  /** Ends the connection at once, whatever it still holds. */
  drop(): void {
    this.#options.socket.destroy();
    this.#close();
  }

  #close(): void {
    this.#closed = true;
    this.#wake?.();
    this.#wakeDrained?.();
  }

  /** @returns false when the frames were not all taken */
  #direct(frames: readonly (string | Uint8Array)[]): boolean {
    for (const [index, frame] of frames.entries()) {
      if (this.#options.socket.write(frame)) continue;
      this.#idle = false;
      this.#blocked();
      this.#wake?.();
      return index === frames.length - 1;
    }
    return true;
  }

  async #sendMessages(): Promise<void> {
    while (!this.#closed) {
      const found = this.#supply.messages(this.#cursor, LOT);
      const messages = Array.isArray(found) ? (found as readonly Message[]) : await found;
      if (messages.length === 0) return;
      let text = '';
      for (const message of messages) {
        if (message.kind !== 'audit' || this.#options.audit) text += this.#supply.frame(message);
        this.#cursor = message.id;
        if (text.length > 16_384) {
          await this.#write(text);
          text = '';
        }
      }
      if (text) await this.#write(text);
    }
  }

  async #sendSources(): Promise<void> {
    for (const name of [...this.#missedSources]) {
      this.#missedSources.delete(name);
      const frame = this.#supply.source(name);
      if (frame) await this.#write(frame);
    }
  }

  async #sendValues(): Promise<void> {
    if (this.#snapshotDue) {
      this.#snapshotDue = false;
      this.#missed.clear();
      for (const frame of this.#supply.values(this.#options.points, true)) await this.#write(frame);
    }
    if (this.#missed.size === 0) return;
    const points = [...this.#missed].filter((point) => this.#options.points?.has(point) ?? true);
    this.#missed.clear();
    for (const frame of this.#supply.values(points, false)) await this.#write(frame);
  }

  /** Waits while the connection takes no more: what it holds is at most one frame above its own mark. */
  async #write(frame: string): Promise<void> {
    await this.#drained();
    if (this.#closed || this.#options.socket.write(frame)) return;
    this.#blocked();
    await this.#drained();
  }

  #blocked(): void {
    this.#blockedSince = this.#supply.now();
    this.#options.socket.once('drain', () => {
      this.#blockedSince = undefined;
      this.#wakeDrained?.();
    });
  }

  #drained(): Promise<void> {
    if (this.#blockedSince === undefined || this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wakeDrained = resolve;
    });
  }
}
