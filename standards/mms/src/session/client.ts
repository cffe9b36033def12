import { type Clock, systemClock, type Transport } from '@enerchain/transport';
import type { MmsPdu } from '../codec/pdu.ts';
import { callerError, MmsError, peerError } from '../errors.ts';
import { Association, type AssociationOptions } from '../machine/association.ts';
import { DEFAULT_ASSOCIATION } from '../machine/defaults.ts';
import type { Initiate } from '../spec/initiate.ts';
import type { InformationReport, RequestOf, ResponseOf, ServiceName } from '../spec/services.ts';
import { Connection } from './connection.ts';
import { MmsRefusal } from './refusal.ts';

export interface ClientOptions {
  readonly association?: Partial<AssociationOptions>;
  /** Milliseconds until a call must be answered, from when it is sent. */
  readonly callTimeout?: number;
  /** Calls that may wait for others to be answered; one more is refused. */
  readonly queueLimit?: number;
  readonly clock?: Clock;
  readonly onReport?: (report: InformationReport) => void;
  /** Once, with the error that ended the association, or without one after `conclude` and `abort`. */
  readonly onClose?: (error?: MmsError) => void;
}

interface Call {
  readonly service: ServiceName;
  readonly request: unknown;
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
  cancelTimer?: () => void;
}

/** Calls whose time has run out but whose answer may still come; a peer that owes more answers is given up. */
const LATE_LIMIT = 64;

/** The calling side of an association. */
export class MmsClient {
  readonly #options: ClientOptions;
  readonly #clock: Clock;
  readonly #connection: Connection;
  readonly #calls = new Map<number, Call>();
  readonly #late = new Set<number>();
  readonly #queue: Call[] = [];
  #initiate: Initiate | undefined;
  #invokeId = 0;
  #closed: MmsError | true | undefined;
  #opening: { resolve: () => void; reject: (error: Error) => void } | undefined;
  #concluding: { resolve: () => void; reject: (error: Error) => void } | undefined;

  private constructor(transport: Transport, options: ClientOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const association = new Association('initiator', { ...DEFAULT_ASSOCIATION, ...options.association });
    this.#connection = new Connection(association, transport, this.#clock, {
      onAssociated: (initiate) => {
        this.#initiate = initiate;
        this.#opening?.resolve();
      },
      onPdu: (pdu) => this.#receive(pdu),
      onClosed: (error) => this.#end(error),
    });
  }

  /** Associates over a connected transport. Rejects with MmsError: refused, timed out, lost, or octets that are no MMS. */
  static async associate(transport: Transport, options: ClientOptions = {}): Promise<MmsClient> {
    const client = new MmsClient(transport, options);
    await new Promise<void>((resolve, reject) => {
      client.#opening = { resolve, reject };
      client.#connection.open();
    });
    client.#opening = undefined;
    return client;
  }

  /** What was agreed on. */
  get initiate(): Initiate {
    return this.#initiate!;
  }

  /** Calls that are sent and not answered. */
  get outstanding(): number {
    return this.#calls.size;
  }

  /**
   * Asks for a service. Rejects with MmsRefusal when the peer says no; MmsError `client.timeout` when it says nothing
   * (it may have done it all the same); the error of the association when that ends. Sent once, never repeated.
   */
  call<S extends ServiceName>(service: S, request: RequestOf<S>): Promise<ResponseOf<S>> {
    return new Promise((resolve, reject) => {
      if (this.#closed !== undefined || this.#concluding)
        throw callerError('client.closed', `${service}: the association has ended`);
      if (this.#queue.length >= (this.#options.queueLimit ?? 1000))
        throw callerError('client.queue', `${service}: ${this.#queue.length} calls are waiting already`);
      this.#queue.push({ service, request, resolve: resolve as (value: never) => void, reject });
      this.#next();
    });
  }

  /** Ends the association in agreement. Waiting calls are given up. Rejects with MmsRefusal when the peer wants to go on. */
  conclude(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed !== undefined || this.#concluding)
        throw callerError('client.closed', 'the association has ended');
      this.#connection.send({ kind: 'concludeRequest', value: null });
      const cancel = this.#clock.schedule(this.#timeout(), () => {
        this.#end(new MmsError('peer', 'client.timeout', `conclude: no answer from ${this.#connection.remote}`));
        this.#connection.abort();
      });
      const settle = (next: () => void) => () => {
        cancel();
        next();
      };
      this.#concluding = { resolve: settle(resolve), reject: (error) => settle(() => reject(error))() };
    });
  }

  /** Ends the association at once. */
  abort(): void {
    this.#connection.abort();
  }

  #timeout(): number {
    return this.#options.callTimeout ?? 10_000;
  }

  #next(): void {
    const limit = Math.max(1, this.#initiate?.outstandingCalling ?? 1);
    while (this.#calls.size < limit && this.#queue.length > 0 && this.#closed === undefined) {
      const call = this.#queue.shift()!;
      do this.#invokeId = (this.#invokeId + 1) % 0x8000_0000;
      while (this.#calls.has(this.#invokeId) || this.#late.has(this.#invokeId));
      const invokeId = this.#invokeId;
      const service = { kind: call.service, value: call.request } as never;
      this.#calls.set(invokeId, call);
      try {
        this.#connection.send({ kind: 'confirmedRequest', value: { invokeId, service } });
      } catch (error) {
        this.#calls.delete(invokeId);
        call.reject(error as Error);
        continue;
      }
      call.cancelTimer = this.#clock.schedule(this.#timeout(), () => this.#expired(invokeId, call));
    }
  }

  #expired(invokeId: number, call: Call): void {
    this.#calls.delete(invokeId);
    this.#late.add(invokeId);
    call.reject(new MmsError('peer', 'client.timeout', `${call.service}: no answer from ${this.#connection.remote}`));
    if (this.#late.size > LATE_LIMIT) this.#connection.abort();
    else this.#next();
  }

  /** The call that an answer belongs to; undefined when its time had run out. An answer to nothing ends the association. */
  #answered(invokeId: number | undefined): Call | undefined {
    if (invokeId !== undefined && this.#late.delete(invokeId)) return undefined;
    const call = invokeId === undefined ? undefined : this.#calls.get(invokeId);
    if (!call) {
      this.#breach(`an answer to call ${invokeId}, which there is not`);
      return undefined;
    }
    this.#calls.delete(invokeId as number);
    call.cancelTimer?.();
    return call;
  }

  #breach(text: string): void {
    this.#end(peerError('client.answer', `${this.#connection.remote}: ${text}; association aborted`));
    this.#connection.abort();
  }

  #receive(pdu: MmsPdu): void {
    switch (pdu.kind) {
      case 'confirmedResponse': {
        const call = this.#answered(pdu.value.invokeId);
        if (!call) return;
        const { kind, value } = pdu.value.service;
        if (kind === call.service) call.resolve(value as never);
        else {
          call.reject(peerError('client.answer', `${call.service} was answered with ${kind}`));
          this.#breach(`${call.service} was answered with ${kind}`);
        }
        break;
      }
      case 'confirmedError':
        this.#answered(pdu.value.invokeId)?.reject(new MmsRefusal({ error: pdu.value.error }));
        break;
      case 'reject':
        this.#answered(pdu.value.invokeId)?.reject(new MmsRefusal({ reject: pdu.value }));
        break;
      case 'unconfirmed':
        if (pdu.value.service.kind === 'informationReport') this.#options.onReport?.(pdu.value.service.value);
        break;
      case 'concludeResponse':
        if (this.#concluding) this.#connection.end();
        else this.#breach('a conclusion that nobody asked for');
        return;
      case 'concludeError':
        this.#concluding?.reject(new MmsRefusal({ error: pdu.value }));
        this.#concluding = undefined;
        break;
      default:
        this.#breach(`${pdu.kind} is not for a client`);
    }
    this.#next();
  }

  #end(error?: MmsError): void {
    if (this.#closed !== undefined) return;
    this.#closed = error ?? true;
    const reason = error ?? new MmsError('caller', 'client.closed', 'the association was ended before the answer came');
    this.#opening?.reject(reason);
    if (error) this.#concluding?.reject(error);
    else this.#concluding?.resolve();
    for (const call of [...this.#calls.values(), ...this.#queue]) {
      call.cancelTimer?.();
      call.reject(reason);
    }
    this.#calls.clear();
    this.#late.clear();
    this.#queue.length = 0;
    if (!this.#opening) this.#options.onClose?.(error);
  }
}
