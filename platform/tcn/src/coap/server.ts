/**
 * What answers FETCH /attest in the wire format of the CHARRA attester: pure, datagrams in and out. Anybody may ask and
 * nobody is known: so little is done per datagram, little is kept, and both are bounded per address and in all.
 */
import { type Clock, describeError } from '@enerchain/model';
import { Bucket, type Rate } from '../engine/limits.ts';
import { type CharraResponse, encodeCharraResponse } from '../tap/charra.ts';
import { decodeTapRequest, type TapRequest } from '../tap/request.ts';
import {
  COAP_CODES,
  COAP_OPTIONS,
  type CoapMessage,
  type CoapOption,
  decodeBlock,
  decodeCoap,
  encodeBlock,
  encodeCoap,
  optionOf,
  pathOf,
} from './message.ts';

/** Quotes for a request; a TPM of this machine. @throws when there is none now */
export type Quoter = (request: TapRequest) => Promise<CharraResponse>;

export interface CoapServerOptions {
  readonly quote: Quoter;
  readonly clock: Clock;
  /** @param to as it was given to `receive` */
  readonly send: (bytes: Uint8Array, to: string) => void;
  /** Log ids with the trailing NUL, as the C verifier expects them. Default true. */
  readonly terminated?: boolean;
}

export interface CoapCounters {
  received: number;
  /** Beyond what an address, or all of them, may send: not answered. */
  dropped: number;
  malformed: number;
  refused: number;
  quotes: number;
  blocks: number;
}

/** Datagrams and quotes of one address, and of all. A log of 250 kB takes 250 datagrams. */
const DATAGRAMS: Rate = { perSecond: 100, burst: 600 };
const DATAGRAMS_OF_ALL: Rate = { perSecond: 500, burst: 2000 };
const QUOTES: Rate = { perSecond: 1, burst: 5 };
const QUOTES_OF_ALL: Rate = { perSecond: 5, burst: 20 };
const MAX_ADDRESSES = 1024;
/** Requests are small; logs go the other way only. */
const MAX_DATAGRAM = 1024;
/** Answers kept for the blocks that follow, and for how many milliseconds. */
const MAX_ANSWERS = 32;
const MAX_ANSWER_BYTES = 16 << 20;
const ANSWER_LIFE = 60_000;
const DEFAULT_BLOCK = 1024;
const CBOR_FORMAT = Uint8Array.of(60);
/** Options without which a request cannot be understood are those with odd numbers (RFC 7252 § 5.4.1). */
const UNDERSTOOD: ReadonlySet<number> = new Set([
  COAP_OPTIONS.uriHost,
  COAP_OPTIONS.uriPort,
  COAP_OPTIONS.uriPath,
  COAP_OPTIONS.accept,
  COAP_OPTIONS.block2,
]);

interface Client {
  readonly datagrams: Bucket;
  readonly quotes: Bucket;
}

interface Answer {
  readonly body: Uint8Array;
  readonly at: number;
}

export class CoapServer {
  readonly counters: CoapCounters = { received: 0, dropped: 0, malformed: 0, refused: 0, quotes: 0, blocks: 0 };
  readonly #options: CoapServerOptions;
  readonly #clients = new Map<string, Client>();
  readonly #answers = new Map<string, Answer>();
  readonly #datagrams: Bucket;
  readonly #quotes: Bucket;
  /** Requests being answered: a repeated one is the same one. */
  readonly #underWay = new Set<string>();
  #kept = 0;
  #nextId: number;

  constructor(options: CoapServerOptions) {
    this.#options = options;
    const now = options.clock.monotonic();
    this.#datagrams = new Bucket(DATAGRAMS_OF_ALL, now);
    this.#quotes = new Bucket(QUOTES_OF_ALL, now);
    this.#nextId = Math.floor(now) & 0xffff;
  }

  /** A datagram has arrived. @param from address without port: who is bounded. @param to where the answer goes */
  receive(bytes: Uint8Array, from: string, to: string): void {
    this.counters.received++;
    const now = this.#options.clock.monotonic();
    const client = this.#client(from, now);
    if (bytes.length > MAX_DATAGRAM || !client.datagrams.take(now) || !this.#datagrams.take(now)) {
      this.counters.dropped++;
      return;
    }
    let message: CoapMessage;
    try {
      message = decodeCoap(bytes);
    } catch {
      this.counters.malformed++;
      return;
    }
    const request = message.type === 'confirmable' || message.type === 'nonConfirmable';
    if (!request) return;
    if (message.code === COAP_CODES.empty) {
      // A CoAP ping (§ 4.3).
      this.#send(to, { ...message, type: 'reset', token: new Uint8Array(0), options: [], payload: new Uint8Array(0) });
      return;
    }
    // Answers of others are no business of a server.
    if (message.code >= 0x20) return;
    try {
      this.#handle(message, client, to, now);
    } catch (error) {
      this.counters.malformed++;
      this.#refuse(to, message, COAP_CODES.badRequest, describeError(error));
    }
  }

  #handle(message: CoapMessage, client: Client, to: string, now: number): void {
    if (pathOf(message) !== 'attest') {
      this.#refuse(to, message, COAP_CODES.notFound, 'only /attest is here');
      return;
    }
    if (message.code !== COAP_CODES.fetch) {
      this.#refuse(to, message, COAP_CODES.methodNotAllowed, 'only FETCH');
      return;
    }
    if (message.options.some(({ number }) => number % 2 === 1 && !UNDERSTOOD.has(number))) {
      this.#refuse(to, message, COAP_CODES.badOption, 'an option that is not understood');
      return;
    }
    const asked = optionOf(message, COAP_OPTIONS.block2);
    const block = asked ? decodeBlock(asked) : { number: 0, more: false, size: DEFAULT_BLOCK };
    if (block.number > 0) {
      const answer = this.#answers.get(to);
      if (!answer || now - answer.at > ANSWER_LIFE) {
        this.#refuse(to, message, COAP_CODES.incomplete, 'no such answer; ask anew');
        return;
      }
      this.#sendBlock(to, message, answer.body, block.number, block.size);
      return;
    }
    const key = `${to} ${message.messageId}`;
    if (this.#underWay.has(key)) return;
    const request = decodeTapRequest(message.payload);
    if (!client.quotes.take(now) || !this.#quotes.take(now)) {
      this.#refuse(to, message, COAP_CODES.tooManyRequests, 'too many requests');
      return;
    }
    this.#underWay.add(key);
    this.counters.quotes++;
    void this.#options
      .quote(request)
      .then(
        (response) => {
          const body = encodeCharraResponse(response, { terminated: this.#options.terminated ?? true });
          this.#keep(to, body, this.#options.clock.monotonic());
          this.#sendBlock(to, message, body, 0, block.size);
        },
        (error: unknown) => this.#refuse(to, message, COAP_CODES.serviceUnavailable, describeError(error)),
      )
      .finally(() => this.#underWay.delete(key));
  }

  #client(from: string, now: number): Client {
    const known = this.#clients.get(from);
    if (known) return known;
    if (this.#clients.size >= MAX_ADDRESSES) this.#clients.delete(this.#clients.keys().next().value as string);
    const client = { datagrams: new Bucket(DATAGRAMS, now), quotes: new Bucket(QUOTES, now) };
    this.#clients.set(from, client);
    return client;
  }

  #keep(to: string, body: Uint8Array, at: number): void {
    this.#forget(to);
    this.#answers.set(to, { body, at });
    this.#kept += body.length;
    for (const [oldest, answer] of this.#answers) {
      const tooMany = this.#answers.size > MAX_ANSWERS || this.#kept > MAX_ANSWER_BYTES;
      if (!tooMany && at - answer.at <= ANSWER_LIFE) break;
      this.#forget(oldest);
    }
  }

  #forget(to: string): void {
    this.#kept -= this.#answers.get(to)?.body.length ?? 0;
    this.#answers.delete(to);
  }

  #sendBlock(to: string, request: CoapMessage, body: Uint8Array, number: number, size: number): void {
    const start = number * size;
    if (start >= body.length) {
      this.#refuse(to, request, COAP_CODES.badOption, 'there is no such block');
      return;
    }
    const more = start + size < body.length;
    const options: CoapOption[] = [{ number: COAP_OPTIONS.contentFormat, value: CBOR_FORMAT }];
    if (more || number > 0) {
      options.push({ number: COAP_OPTIONS.block2, value: encodeBlock({ number, more, size }) });
    }
    this.counters.blocks++;
    this.#reply(to, request, COAP_CODES.content, options, body.subarray(start, start + size));
  }

  #refuse(to: string, request: CoapMessage, code: number, text: string): void {
    this.counters.refused++;
    this.#reply(to, request, code, [], new TextEncoder().encode(text.slice(0, 100)));
  }

  #reply(to: string, request: CoapMessage, code: number, options: readonly CoapOption[], payload: Uint8Array): void {
    const piggybacked = request.type === 'confirmable';
    this.#send(to, {
      type: piggybacked ? 'acknowledgement' : 'nonConfirmable',
      code,
      messageId: piggybacked ? request.messageId : this.#nextId++ & 0xffff,
      token: request.token,
      options,
      payload,
    });
  }

  #send(to: string, message: CoapMessage): void {
    this.#options.send(encodeCoap(message), to);
  }
}
