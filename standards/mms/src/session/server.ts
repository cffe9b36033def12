import { type Clock, systemClock, type Transport } from '@enerchain/transport';
import type { MmsPdu } from '../codec/pdu.ts';
import { MmsError } from '../errors.ts';
import { Association, type AssociationOptions, type Authentication } from '../machine/association.ts';
import { DEFAULT_ASSOCIATION } from '../machine/defaults.ts';
import { REJECT, type ServiceError, serviceErrorOf } from '../spec/faults.ts';
import type { Initiate } from '../spec/initiate.ts';
import type {
  EncodedReport,
  InformationReport,
  MmsStatus,
  RequestOf,
  ResponseOf,
  ServiceName,
} from '../spec/services.ts';
import { DIAGNOSTIC } from '../upper/acse.ts';
import { Connection } from './connection.ts';
import { MmsRefusal } from './refusal.ts';

/** Answers to services, by name; one that is not there is rejected as unrecognised. Throw MmsRefusal to say no. */
export type ServiceHandlers = {
  readonly [S in ServiceName]?: (
    request: RequestOf<S>,
    session: MmsServerSession,
    /** Aborted when the client cancels the call or the association ends. */
    signal: AbortSignal,
  ) => ResponseOf<S> | Promise<ResponseOf<S>>;
};

export interface ServerOptions {
  readonly handlers: ServiceHandlers;
  readonly association?: Partial<AssociationOptions>;
  /** Refuse whoever comes, for the moment: there are too many already. The refusal is an answer, not a connection that breaks. */
  readonly full?: boolean;
  /** Whether what a client shows is good enough; without it everybody may come. */
  readonly authenticate?: (authentication: Authentication | undefined, remote: string) => boolean;
  /** Octets that a client may leave unread before its association is aborted; reports are refused at half of it. */
  readonly bufferLimit?: number;
  readonly clock?: Clock;
  /** A handler failed with something that is not an MmsRefusal; the client was told `others: other`. */
  readonly onFailure?: (service: ServiceName, error: unknown) => void;
  /** A request that could not be read; it was rejected, and after too many of them the association aborted. */
  readonly onMalformed?: (session: MmsServerSession, error: MmsError) => void;
  readonly onAssociated?: (session: MmsServerSession) => void;
  readonly onClose?: (session: MmsServerSession, error?: MmsError) => void;
}

/** Requests of one association that could not be read; one more, and it is given up. */
const MALFORMED_LIMIT = 16;

/** The called side of an association. */
export class MmsServerSession {
  readonly #options: ServerOptions;
  readonly #connection: Connection;
  readonly #running = new Map<number, AbortController>();
  readonly #bufferLimit: number;
  #initiate: Initiate | undefined;
  #malformed = 0;

  /** Serves a connected transport. */
  constructor(transport: Transport, options: ServerOptions) {
    this.#options = options;
    this.#bufferLimit = options.bufferLimit ?? 1 << 20;
    const association = new Association('responder', { ...DEFAULT_ASSOCIATION, ...options.association });
    this.#connection = new Connection(association, transport, options.clock ?? systemClock, {
      onAsked: (_, authentication) => this.#asked(authentication),
      onAssociated: (initiate) => {
        this.#initiate = initiate;
        options.onAssociated?.(this);
      },
      onPdu: (pdu) => this.#receive(pdu),
      onMalformed: (invokeId, error) => this.#unreadable(invokeId, error),
      onClosed: (error) => {
        for (const controller of this.#running.values()) controller.abort();
        this.#running.clear();
        this.#initiate = undefined;
        options.onClose?.(this, error);
      },
    });
    this.#connection.open();
  }

  get remote(): string {
    return this.#connection.remote;
  }

  /** What was agreed on; undefined while there is no association. */
  get initiate(): Initiate | undefined {
    return this.#initiate;
  }

  /** Sends a report. False when it was not sent: no association, or a client that does not read what it has got. */
  report(report: InformationReport): boolean {
    if (!this.#connection.associated || this.#connection.bufferedBytes > this.#bufferLimit / 2) return false;
    this.#connection.send({
      kind: 'unconfirmed',
      value: { service: { kind: 'informationReport', value: report } },
    });
    return true;
  }

  /** As `report`, of values that are encoded: what keeps reports for later keeps octets. */
  reportEncoded(report: EncodedReport): boolean {
    if (!this.#connection.associated || this.#connection.bufferedBytes > this.#bufferLimit / 2) return false;
    this.#connection.sendReport(report);
    return true;
  }

  /** Tells the client how the server is (unsolicited Status, § 10.3). False as for `report`. */
  status(status: MmsStatus): boolean {
    if (!this.#connection.associated || this.#connection.bufferedBytes > this.#bufferLimit / 2) return false;
    this.#connection.send({ kind: 'unconfirmed', value: { service: { kind: 'unsolicitedStatus', value: status } } });
    return true;
  }

  abort(): void {
    this.#connection.abort();
  }

  #unreadable(invokeId: number, error: MmsError): void {
    if (++this.#malformed > MALFORMED_LIMIT) {
      this.#options.onMalformed?.(this, error);
      this.#connection.abort();
      return;
    }
    this.#send({
      kind: 'reject',
      value: { invokeId, reason: { kind: 'confirmedRequest', value: REJECT.invalidArgument } },
    });
    this.#options.onMalformed?.(this, error);
  }

  #asked(authentication: Authentication | undefined): void {
    const { authenticate, full } = this.#options;
    if (full) this.#connection.refuse(DIAGNOSTIC.noReason, true);
    else if (!authenticate || authenticate(authentication, this.remote)) this.#connection.accept();
    else this.#connection.refuse(authentication ? DIAGNOSTIC.authenticationFailure : DIAGNOSTIC.authenticationRequired);
  }

  #receive(pdu: MmsPdu): void {
    switch (pdu.kind) {
      case 'confirmedRequest':
        this.#request(pdu.value);
        return;
      case 'cancelRequest':
        this.#cancel(pdu.value);
        return;
      case 'concludeRequest':
        if (this.#running.size > 0)
          this.#send({ kind: 'concludeError', value: serviceErrorOf('conclude', 'further-communication-required') });
        else {
          this.#send({ kind: 'concludeResponse', value: null });
          this.#connection.end();
        }
        return;
      case 'reject':
      case 'unconfirmed':
        // Nothing that was sent can be taken back.
        return;
      default:
        this.#send({ kind: 'reject', value: { reason: { kind: 'pdu', value: REJECT.unknownPduType } } });
    }
  }

  #request({ invokeId, modifiers, service }: Extract<MmsPdu, { kind: 'confirmedRequest' }>['value']): void {
    const handler =
      service.kind === 'other'
        ? undefined
        : (this.#options.handlers[service.kind] as
            | ((request: unknown, session: this, signal: AbortSignal) => unknown)
            | undefined);
    let refusal: number | undefined;
    if (this.#running.has(invokeId)) refusal = REJECT.invalidInvokeId;
    // One more than agreed is let through: a client frees a place when it reads the answer, not when it is sent.
    else if (this.#running.size > Math.max(1, this.#initiate?.outstandingCalling ?? 1))
      refusal = REJECT.tooManyOutstanding;
    else if (modifiers) refusal = REJECT.unrecognizedModifier;
    else if (!handler) refusal = REJECT.unrecognizedService;
    if (!handler || refusal !== undefined || service.kind === 'other') {
      const value = refusal ?? REJECT.unrecognizedService;
      this.#send({ kind: 'reject', value: { invokeId, reason: { kind: 'confirmedRequest', value } } });
      return;
    }
    const controller = new AbortController();
    this.#running.set(invokeId, controller);
    const name = service.kind;
    const done = (answer: () => void) => {
      // Cancelled, or the association is gone: the client has its answer already.
      if (this.#running.get(invokeId) !== controller) return;
      this.#running.delete(invokeId);
      answer();
    };
    const succeed = (value: unknown) => done(() => this.#answer(invokeId, name, value));
    const fail = (error: unknown) => done(() => this.#error(invokeId, name, error));
    try {
      const result = handler(service.value, this, controller.signal);
      if (result instanceof Promise) result.then(succeed, fail);
      else succeed(result);
    } catch (error) {
      fail(error);
    }
  }

  #answer(invokeId: number, service: ServiceName, value: unknown): void {
    try {
      this.#send({ kind: 'confirmedResponse', value: { invokeId, service: { kind: service, value } as never } });
    } catch (error) {
      // Larger than agreed, or a value that does not fit its type.
      const large = error instanceof MmsError && error.code === 'association.size';
      this.#error(
        invokeId,
        service,
        large ? new MmsRefusal({ error: serviceErrorOf('resource', 'capability-unavailable') }) : error,
      );
    }
  }

  #error(invokeId: number, service: ServiceName, cause: unknown): void {
    const error: ServiceError | undefined = cause instanceof MmsRefusal ? cause.error : undefined;
    if (!error) this.#options.onFailure?.(service, cause);
    this.#send({ kind: 'confirmedError', value: { invokeId, error: error ?? serviceErrorOf('others', 'other') } });
  }

  #cancel(invokeId: number): void {
    const controller = this.#running.get(invokeId);
    if (!controller) {
      const error = serviceErrorOf('cancel', 'invoke-id-unknown');
      this.#send({ kind: 'cancelError', value: { invokeId, error } });
      return;
    }
    this.#running.delete(invokeId);
    controller.abort();
    this.#send({ kind: 'cancelResponse', value: invokeId });
    this.#send({
      kind: 'confirmedError',
      value: { invokeId, error: serviceErrorOf('service-preempt', 'cancel') },
    });
  }

  #send(pdu: MmsPdu): void {
    if (!this.#connection.associated) return;
    if (this.#connection.bufferedBytes > this.#bufferLimit) this.#connection.abort();
    else this.#connection.send(pdu);
  }
}
