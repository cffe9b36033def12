import { type Clock, systemClock, type Transport } from '@enerchain/transport';
import type { MmsPdu } from '../codec/pdu.ts';
import { callerError, MmsError, peerError } from '../errors.ts';
import { Association, type AssociationOptions } from '../machine/association.ts';
import { DEFAULT_ASSOCIATION } from '../machine/defaults.ts';
import { type Initiate, supports } from '../spec/initiate.ts';
import type { InformationReport, MmsStatus, RequestOf, ResponseOf, ServiceName } from '../spec/services.ts';
import { Answering, type Handlers } from './answering.ts';
import { Connection } from './connection.ts';
import { MmsRefusal } from './refusal.ts';

export interface ClientOptions {
  readonly association?: Partial<AssociationOptions>;
  /** Milliseconds until a call must be answered, from when it is sent. */
  readonly callTimeout?: number;
  /** Calls that may wait for others to be answered; one more is refused. */
  readonly queueLimit?: number;
  /**
   * Milliseconds of silence after which the peer is asked whether it is still there (Identify). One that then says nothing
   * within `callTimeout` is given up: a connection may be open on one side only. Default 0: never.
   */
  readonly keepAlive?: number;
  /** What the peer may ask of this side, as a server does for ObtainFile. Default: nothing; one that asks all the same is given up. */
  readonly handlers?: Handlers<undefined>;
  readonly clock?: Clock;
  readonly onReport?: (report: InformationReport) => void;
  /** The peer tells its state without being asked. */
  readonly onStatus?: (status: MmsStatus) => void;
  /** Once, with the error that ended the association, or without one after `conclude` and `abort`. */
  readonly onClose?: (error?: MmsError) => void;
}

export interface CallOptions {
  /** Milliseconds until it must be answered, from when it is sent. Default: of the client. */
  readonly timeout?: number;
  /**
   * Gives it up: while it waits it is not sent, which rejects with `client.cancelled`; afterwards the peer is asked to cancel
   * it, and the call ends as the peer says: with its answer, or with MmsRefusal `service.service-preempt`.
   */
  readonly signal?: AbortSignal;
  /** Told when it is sent: the number by which it can be cancelled. */
  readonly onSent?: (invokeId: number) => void;
}

interface Call {
  readonly service: ServiceName;
  readonly request: unknown;
  readonly options: CallOptions;
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
  cancelTimer?: () => void;
}

interface Settled {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Calls whose time has run out but whose answer may still come; a peer that owes more answers is given up. */
const LATE_LIMIT = 64;

/** Octets of answers that a peer may leave unread; one more, and it is given up. */
const UNREAD_LIMIT = 1 << 20;

/** The calling side of an association. */
export class MmsClient {
  readonly #options: ClientOptions;
  readonly #clock: Clock;
  readonly #connection: Connection;
  readonly #answering: Answering<undefined> | undefined;
  readonly #calls = new Map<number, Call>();
  readonly #late = new Set<number>();
  readonly #cancels = new Map<number, Settled>();
  readonly #queue: Call[] = [];
  #initiate: Initiate | undefined;
  #invokeId = 0;
  #closed: MmsError | true | undefined;
  #opening: Settled | undefined;
  #concluding: Settled | undefined;
  #cancelWatch: (() => void) | undefined;

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
    const { handlers } = options;
    if (!handlers) return;
    this.#answering = new Answering<undefined>({
      handlers,
      context: undefined,
      limit: () => this.#initiate?.outstandingCalled ?? 1,
      send: (pdu) => {
        if (!this.#connection.associated) return;
        if (this.#connection.bufferedBytes > UNREAD_LIMIT) this.#connection.abort();
        else this.#connection.send(pdu);
      },
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
    client.#watch();
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

  /** When the peer was last heard, on the clock's monotonic scale, ms. */
  get heardAt(): number {
    return this.#connection.heardAt;
  }

  /**
   * Asks for a service. Rejects with MmsRefusal when the peer says no; MmsError `client.timeout` when it says nothing
   * (it may have done it all the same), `association.size` (caller) when it is larger than agreed and was not sent; the
   * error of the association when that ends. Sent once, never repeated.
   */
  call<S extends ServiceName>(service: S, request: RequestOf<S>, options: CallOptions = {}): Promise<ResponseOf<S>> {
    return new Promise((resolve, reject) => {
      if (options.signal?.aborted) throw cancelled(service);
      if (this.#closed !== undefined || this.#concluding)
        throw callerError('client.closed', `${service}: the association has ended`);
      if (this.#queue.length >= (this.#options.queueLimit ?? 1000))
        throw callerError('client.queue', `${service}: ${this.#queue.length} calls are waiting already`);
      const call: Call = { service, request, options, resolve: resolve as (value: never) => void, reject };
      this.#queue.push(call);
      if (options.signal) this.#giveUpOn(options.signal, call);
      this.#next();
    });
  }

  /**
   * Asks the peer to cancel a call (ISO 9506-2 § 7.4.4): when it does, the call ends with MmsRefusal
   * `service.service-preempt`. Rejects with MmsRefusal `service.cancel` when it does not, because it is done already or
   * cannot be stopped; MmsError as for a call.
   */
  cancel(invokeId: number): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed !== undefined) throw callerError('client.closed', 'cancel: the association has ended');
      if (this.#cancels.has(invokeId))
        throw callerError('client.cancel', `call ${invokeId} is being cancelled already`);
      this.#connection.send({ kind: 'cancelRequest', value: invokeId });
      const stop = this.#clock.schedule(this.#timeout(), () => {
        this.#cancels.delete(invokeId);
        reject(new MmsError('peer', 'client.timeout', `cancel: no answer from ${this.#connection.remote}`));
      });
      const settle = (): void => {
        stop();
        this.#cancels.delete(invokeId);
      };
      this.#cancels.set(invokeId, {
        resolve: () => {
          settle();
          resolve();
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      });
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

  #giveUpOn(signal: AbortSignal, call: Call): void {
    const giveUp = (): void => {
      const at = this.#queue.indexOf(call);
      if (at >= 0) {
        this.#queue.splice(at, 1);
        call.reject(cancelled(call.service));
        return;
      }
      const invokeId = [...this.#calls].find(([, one]) => one === call)?.[0];
      if (invokeId === undefined || this.#cancels.has(invokeId)) return;
      if (supports(this.initiate.detail.services, 'cancel')) {
        // What the peer says to it shows in the call.
        this.cancel(invokeId).catch(() => {});
        return;
      }
      // A peer that cannot cancel does it all the same; its answer is nobody's any more.
      call.cancelTimer?.();
      this.#forget(invokeId, call, cancelled(call.service));
    };
    signal.addEventListener('abort', giveUp, { once: true });
    const { resolve, reject } = call;
    Object.assign(call, {
      resolve: (value: never) => {
        signal.removeEventListener('abort', giveUp);
        resolve(value);
      },
      reject: (error: Error) => {
        signal.removeEventListener('abort', giveUp);
        reject(error);
      },
    });
  }

  /** Looks whether the peer is still heard. */
  #watch(): void {
    const { keepAlive = 0 } = this.#options;
    if (keepAlive <= 0 || this.#closed !== undefined) return;
    const silent = this.#clock.monotonic() - this.#connection.heardAt;
    if (silent < keepAlive) {
      this.#cancelWatch = this.#clock.schedule(keepAlive - silent, () => this.#watch());
      return;
    }
    // Where as many calls as agreed are under way, they are question enough.
    if (this.#calls.size === 0 && this.#queue.length === 0) this.call('identify', null).catch(() => {});
    const asked = this.#clock.monotonic();
    this.#cancelWatch = this.#clock.schedule(this.#timeout(), () => {
      if (this.#connection.heardAt >= asked) {
        this.#watch();
        return;
      }
      const seconds = Math.round((this.#clock.monotonic() - this.#connection.heardAt) / 1000);
      this.#end(
        new MmsError(
          'environment',
          'client.silent',
          `${this.#connection.remote}: nothing heard for ${seconds} s; association aborted`,
        ),
      );
      this.#connection.abort();
    });
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
      const { timeout = this.#timeout(), onSent } = call.options;
      call.cancelTimer = this.#clock.schedule(timeout, () => {
        const text = `${call.service}: no answer from ${this.#connection.remote}`;
        this.#forget(invokeId, call, new MmsError('peer', 'client.timeout', text));
      });
      onSent?.(invokeId);
    }
  }

  /** Nobody waits for the answer any more; it may still come. */
  #forget(invokeId: number, call: Call, error: MmsError): void {
    this.#calls.delete(invokeId);
    this.#late.add(invokeId);
    call.reject(error);
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
        if (pdu.value.reason.kind === 'cancelRequest' && pdu.value.invokeId !== undefined) {
          this.#cancels.get(pdu.value.invokeId)?.reject(new MmsRefusal({ reject: pdu.value }));
          break;
        }
        this.#answered(pdu.value.invokeId)?.reject(new MmsRefusal({ reject: pdu.value }));
        break;
      case 'unconfirmed':
        if (pdu.value.service.kind === 'informationReport') this.#options.onReport?.(pdu.value.service.value);
        else if (pdu.value.service.kind === 'unsolicitedStatus') this.#options.onStatus?.(pdu.value.service.value);
        break;
      // An answer to a cancellation whose time had run out is nobody's.
      case 'cancelResponse':
        this.#cancels.get(pdu.value)?.resolve();
        break;
      case 'cancelError':
        this.#cancels.get(pdu.value.invokeId)?.reject(new MmsRefusal({ error: pdu.value.error }));
        break;
      case 'confirmedRequest':
        if (this.#answering) this.#answering.request(pdu.value);
        else this.#breach(`${pdu.kind} is not for a client`);
        break;
      case 'cancelRequest':
        if (this.#answering) this.#answering.cancel(pdu.value);
        else this.#breach(`${pdu.kind} is not for a client`);
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
    for (const { reject } of [...this.#cancels.values()]) reject(reason);
    this.#cancelWatch?.();
    this.#answering?.end();
    this.#calls.clear();
    this.#late.clear();
    this.#queue.length = 0;
    if (!this.#opening) this.#options.onClose?.(error);
  }
}

const cancelled = (service: ServiceName): MmsError =>
  callerError('client.cancelled', `${service}: given up by its caller before it was done`);
