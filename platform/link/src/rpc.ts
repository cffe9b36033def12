/** Requests over the link, in both directions, with answers that may be streams under the credit of who asks. */
import { describeError, EnerchainError } from '@enerchain/model';
import type { CborValue } from '@enerchain/trust';
import type { Message } from './message.ts';
import type { After } from './transport.ts';

/** What a handler of requests is given beside method and parameters. */
export interface RequestContext {
  /** Aborted when the asker cancels or the connection ends. */
  readonly signal: AbortSignal;
  /**
   * Sends one item of the answer's stream; resolves when the asker has room for it. Rejects when aborted.
   * @param before what is waited for once there is room
   */
  write(item: CborValue, before?: () => Promise<void>): Promise<void>;
}

/** @returns the answer. Whatever it throws goes back as the error. */
export type RequestHandler = (
  method: string,
  params: CborValue,
  context: RequestContext,
) => Promise<CborValue> | CborValue;

export interface RequestOptions {
  /** Milliseconds until the request fails; default 30 000. Streams have no such limit. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

export interface StreamOptions {
  readonly signal?: AbortSignal;
  /** Items that the answering side may send ahead; 32 unless said otherwise. */
  readonly window?: number;
}

export interface RpcLimits {
  /** Requests of the peer handled at the same time; further ones are refused as `link.busy`. */
  readonly incoming: number;
  /** Requests of ours under way at the same time. */
  readonly outgoing: number;
}

export const RPC_LIMITS: RpcLimits = { incoming: 64, outgoing: 256 };
const TIMEOUT = 30_000;
/** Items of a stream that the answering side may send ahead. */
const STREAM_WINDOW = 32;
/** Bound of the credit one asker can pile up. */
const MAX_STREAM_CREDIT = 1024;

export type RpcMessage = Extract<Message, { type: 'request' | 'response' | 'error' | 'item' | 'more' | 'cancel' }>;

interface Outgoing {
  item(value: CborValue): void;
  done(result: CborValue): void;
  failed(error: EnerchainError): void;
}

interface Incoming {
  readonly abort: AbortController;
  credit: number;
  /** Waiting writers, woken in order. */
  readonly waiting: (() => void)[];
}

export class Rpc {
  readonly #send: (message: Message) => void;
  readonly #handler: RequestHandler;
  readonly #after: After;
  readonly #limits: RpcLimits;
  readonly #outgoing = new Map<number, Outgoing>();
  readonly #incoming = new Map<number, Incoming>();
  #nextId = 1;
  #ended: EnerchainError | undefined;

  constructor(options: {
    send(message: Message): void;
    handler: RequestHandler;
    after: After;
    limits?: RpcLimits | undefined;
  }) {
    this.#send = options.send;
    this.#handler = options.handler;
    this.#after = options.after;
    this.#limits = options.limits ?? RPC_LIMITS;
  }

  /** Requests of the peer being handled. */
  get handling(): number {
    return this.#incoming.size;
  }

  /** Requests of ours without answer. */
  get waiting(): number {
    return this.#outgoing.size;
  }

  /**
   * Asks and waits for the answer.
   * @throws EnerchainError as the peer threw it, `link.timeout`, `link.closed`, `link.busy` or `link.cancelled`
   */
  request(method: string, params: CborValue, options: RequestOptions = {}): Promise<CborValue> {
    return new Promise((resolve, reject) => {
      const timeout = options.timeout ?? TIMEOUT;
      const settle = () => {
        cancelTimer();
        options.signal?.removeEventListener('abort', onAbort);
        this.#outgoing.delete(id);
      };
      const id = this.#begin(method, params, {
        item: () => undefined,
        done: (result) => {
          settle();
          resolve(result);
        },
        failed: (error) => {
          settle();
          reject(error);
        },
      });
      const give = (error: EnerchainError) => {
        if (!this.#outgoing.has(id)) return;
        settle();
        this.#send({ type: 'cancel', id });
        reject(error);
      };
      const onAbort = () => give(new EnerchainError('caller', 'link.cancelled', `the request ${method} was cancelled`));
      const cancelTimer = this.#after(timeout, () =>
        give(new EnerchainError('peer', 'link.timeout', `no answer to ${method} within ${timeout} ms`)),
      );
      if (options.signal?.aborted) onAbort();
      else options.signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /**
   * Asks for a stream. Items come as fast as they are taken: what is not taken holds the other side back. Leaving the
   * loop cancels; the stream ends with the answer.
   */
  async *stream(method: string, params: CborValue, options: StreamOptions = {}): AsyncGenerator<CborValue, CborValue> {
    const window = options.window ?? STREAM_WINDOW;
    const items: CborValue[] = [];
    let end: { result: CborValue } | { error: EnerchainError } | undefined;
    let wake: (() => void) | undefined;
    const notify = () => {
      wake?.();
      wake = undefined;
    };
    const id = this.#begin(method, params, {
      item: (value) => {
        // More than the credit that was given: the peer does not keep to the protocol.
        if (items.length >= 2 * window) {
          end ??= { error: new EnerchainError('peer', 'link.credit', `the stream ${method} ran over its credit`) };
        } else {
          items.push(value);
        }
        notify();
      },
      done: (result) => {
        end ??= { result };
        notify();
      },
      failed: (error) => {
        end ??= { error };
        notify();
      },
    });
    options.signal?.addEventListener('abort', notify, { once: true });
    try {
      this.#send({ type: 'more', id, count: window });
      let taken = 0;
      for (;;) {
        if (options.signal?.aborted) return null;
        const item = items.shift();
        if (item !== undefined) {
          yield item;
          if (++taken >= window / 2) {
            this.#send({ type: 'more', id, count: taken });
            taken = 0;
          }
        } else if (end) {
          if ('error' in end) throw end.error;
          return end.result;
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      options.signal?.removeEventListener('abort', notify);
      if (this.#outgoing.delete(id) && !end && !this.#ended) this.#send({ type: 'cancel', id });
    }
  }

  #begin(method: string, params: CborValue, outgoing: Outgoing): number {
    if (this.#ended) throw this.#ended;
    if (this.#outgoing.size >= this.#limits.outgoing) {
      throw new EnerchainError(
        'caller',
        'link.busy',
        `${method} not sent: ${this.#outgoing.size} requests are under way`,
      );
    }
    const id = this.#nextId++;
    this.#outgoing.set(id, outgoing);
    this.#send({ type: 'request', id, method, params });
    return id;
  }

  receive(message: RpcMessage): void {
    switch (message.type) {
      case 'request':
        void this.#handle(message);
        return;
      case 'more': {
        const incoming = this.#incoming.get(message.id);
        if (!incoming) return;
        incoming.credit = Math.min(MAX_STREAM_CREDIT, incoming.credit + message.count);
        while (incoming.credit > 0 && incoming.waiting.length > 0) {
          incoming.credit--;
          incoming.waiting.shift()?.();
        }
        return;
      }
      case 'cancel':
        this.#incoming.get(message.id)?.abort.abort();
        return;
      case 'item':
        this.#outgoing.get(message.id)?.item(message.value);
        return;
      case 'response':
      case 'error': {
        const outgoing = this.#outgoing.get(message.id);
        this.#outgoing.delete(message.id);
        if (message.type === 'response') outgoing?.done(message.result);
        else outgoing?.failed(new EnerchainError(message.fault, message.code, message.text));
      }
    }
  }

  async #handle({ id, method, params }: Extract<Message, { type: 'request' }>): Promise<void> {
    const fail = (error: unknown) => {
      const known = error instanceof EnerchainError ? error : undefined;
      const text = (known ? known.message : `the request ${method} failed: ${describeError(error)}`).slice(0, 500);
      this.#send({ type: 'error', id, fault: known?.fault ?? 'local', code: known?.code ?? 'link.request', text });
    };
    if (this.#incoming.has(id)) {
      fail(new EnerchainError('peer', 'link.request', `request number ${id} is under way already`));
      return;
    }
    if (this.#incoming.size >= this.#limits.incoming) {
      fail(
        new EnerchainError('peer', 'link.busy', `${method} refused: ${this.#incoming.size} requests are being handled`),
      );
      return;
    }
    const incoming: Incoming = { abort: new AbortController(), credit: 0, waiting: [] };
    this.#incoming.set(id, incoming);
    const { signal } = incoming.abort;
    const cancelled = () => new EnerchainError('peer', 'link.cancelled', `${method} was cancelled`);
    const write = async (value: CborValue, before?: () => Promise<void>) => {
      if (signal.aborted) throw cancelled();
      if (incoming.credit > 0) incoming.credit--;
      else {
        await new Promise<void>((resolve) => {
          incoming.waiting.push(resolve);
          signal.addEventListener('abort', () => resolve(), { once: true });
        });
        if (signal.aborted) throw cancelled();
      }
      if (before) {
        await before();
        if (signal.aborted) throw cancelled();
      }
      this.#send({ type: 'item', id, value });
    };
    try {
      const result = await this.#handler(method, params, { signal, write });
      if (!signal.aborted) this.#send({ type: 'response', id, result: result ?? null });
    } catch (error) {
      if (!signal.aborted) fail(error);
    } finally {
      this.#incoming.delete(id);
    }
  }

  /** The connection is gone: everything under way fails. */
  end(reason: string): void {
    if (this.#ended) return;
    this.#ended = new EnerchainError('environment', 'link.closed', `the connection ended: ${reason}`);
    for (const outgoing of [...this.#outgoing.values()]) outgoing.failed(this.#ended);
    this.#outgoing.clear();
    for (const incoming of this.#incoming.values()) incoming.abort.abort();
  }
}
