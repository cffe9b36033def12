/**
 * Requests under way: each has an ASDU to send, an eye on what arrives, and a time limit. Requests wait in a bounded
 * queue while the window (k) is closed; what was not sent when the connection ends was never sent.
 */

import type { Clock } from '@enerchain/transport';
import type { Asdu } from '../codec/asdu.ts';
import { Iec104Error } from '../errors.ts';

export interface Exchange {
  /** For messages and to recognise a second request of the same kind: `C_SC_NA_1 CA 1 IOA 5000`. */
  readonly name: string;
  /** Looks at an ASDU of the control, system, parameter or file kind, or one that answers an interrogation. */
  receive(asdu: Asdu): void;
  /** The time limit has passed; `sent` says whether anything had gone out. */
  expire(sent: boolean): void;
  /** The connection has ended; `sent` says whether anything had gone out. */
  lose(reason: string, sent: boolean): void;
  /** An ASDU of it cannot be encoded. The exchange has been ended. */
  refuse(error: unknown): void;
}

interface Entry {
  readonly exchange: Exchange;
  cancel: (() => void) | undefined;
  sent: boolean;
}

export interface ExchangeCounters {
  /** Requests begun. */
  started: number;
  /** Requests that ended by their time limit. */
  expired: number;
  /** Requests that ended with the connection. */
  lost: number;
  /** Requests refused at once because too many were under way. */
  refused: number;
}

const MOST_EXCHANGES = 1024;

export class Exchanges {
  readonly counters: ExchangeCounters = { started: 0, expired: 0, lost: 0, refused: 0 };
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #queue: { entry: Entry; asdu: Asdu }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** ASDUs that wait for the window. */
  get queued(): number {
    return this.#queue.length;
  }

  /** @throws Iec104Error (caller) when the same request is under way or too many are */
  begin(exchange: Exchange): void {
    if (this.#entries.has(exchange.name) || this.#entries.size >= MOST_EXCHANGES) {
      this.counters.refused++;
      throw new Iec104Error(
        'caller',
        'client.busy',
        this.#entries.has(exchange.name)
          ? `${exchange.name}: the same request is under way; nothing was sent`
          : `${exchange.name}: ${MOST_EXCHANGES} requests are under way; nothing was sent`,
      );
    }
    this.counters.started++;
    this.#entries.set(exchange.name, { exchange, cancel: undefined, sent: false });
  }

  /** Queues an ASDU of a request; `pump` sends it. */
  enqueue(exchange: Exchange, asdu: Asdu): void {
    const entry = this.#entries.get(exchange.name);
    if (entry) this.#queue.push({ entry, asdu });
  }

  /** Sets the time limit anew, seconds. */
  limit(exchange: Exchange, seconds: number): void {
    const entry = this.#entries.get(exchange.name);
    if (!entry) return;
    entry.cancel?.();
    entry.cancel = this.#clock.schedule(seconds * 1000, () => {
      entry.cancel = undefined;
      this.counters.expired++;
      exchange.expire(entry.sent);
    });
  }

  end(exchange: Exchange): void {
    const entry = this.#entries.get(exchange.name);
    if (!entry) return;
    entry.cancel?.();
    this.#entries.delete(exchange.name);
    for (let i = this.#queue.length - 1; i >= 0; i--) if (this.#queue[i]!.entry === entry) this.#queue.splice(i, 1);
  }

  /** Sends what the window allows. */
  pump(send: (asdu: Asdu) => boolean): void {
    while (this.#queue.length > 0) {
      const { entry, asdu } = this.#queue[0]!;
      try {
        if (!send(asdu)) return;
        entry.sent = true;
        this.#queue.shift();
      } catch (error) {
        this.end(entry.exchange);
        entry.exchange.refuse(error);
      }
    }
  }

  receive(asdu: Asdu): void {
    for (const entry of [...this.#entries.values()]) entry.exchange.receive(asdu);
  }

  lose(reason: string): void {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    this.#queue.length = 0;
    for (const entry of entries) {
      entry.cancel?.();
      this.counters.lost++;
      entry.exchange.lose(reason, entry.sent);
    }
  }
}
