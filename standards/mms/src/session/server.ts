import { type Clock, systemClock, type Transport } from '@enerchain/transport';
import type { MmsPdu } from '../codec/pdu.ts';
import { MmsError } from '../errors.ts';
import { Association, type AssociationOptions, type Authentication } from '../machine/association.ts';
import { DEFAULT_ASSOCIATION } from '../machine/defaults.ts';
import { REJECT, serviceErrorOf } from '../spec/faults.ts';
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
import { Answering, type Handlers } from './answering.ts';
import { CallingBack } from './calling-back.ts';
import { Connection } from './connection.ts';

/** What a server answers, by service; handlers get the session that asks. */
export type ServiceHandlers = Handlers<MmsServerSession>;

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
  readonly #answering: Answering<MmsServerSession>;
  readonly #callingBack: CallingBack;
  readonly #bufferLimit: number;
  #initiate: Initiate | undefined;
  #malformed = 0;

  /** Serves a connected transport. */
  constructor(transport: Transport, options: ServerOptions) {
    this.#options = options;
    this.#bufferLimit = options.bufferLimit ?? 1 << 20;
    const clock = options.clock ?? systemClock;
    const send = (pdu: MmsPdu): void => this.#send(pdu);
    this.#answering = new Answering<MmsServerSession>({
      handlers: options.handlers,
      context: this,
      limit: () => this.#initiate?.outstandingCalling ?? 1,
      send,
      onFailure: options.onFailure,
    });
    this.#callingBack = new CallingBack({
      clock,
      send,
      limit: () => this.#initiate?.outstandingCalled ?? 1,
      remote: transport.remote,
    });
    const association = new Association('responder', { ...DEFAULT_ASSOCIATION, ...options.association });
    this.#connection = new Connection(association, transport, clock, {
      onAsked: (_, authentication) => this.#asked(authentication),
      onAssociated: (initiate) => {
        this.#initiate = initiate;
        options.onAssociated?.(this);
      },
      onPdu: (pdu) => this.#receive(pdu),
      onMalformed: (invokeId, error) => this.#unreadable(invokeId, error),
      onClosed: (error) => {
        this.#answering.end();
        this.#callingBack.end();
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

  /**
   * Asks the client for a service, as it is to be done for ObtainFile. Rejects with MmsRefusal when it says no, MmsError
   * `server.timeout` (peer) when it says nothing, `server.outstanding` (caller) when it owes as many answers as agreed.
   * @param timeout milliseconds until it must be answered
   */
  call<S extends ServiceName>(service: S, request: RequestOf<S>, timeout = 10_000): Promise<ResponseOf<S>> {
    if (!this.#connection.associated)
      return Promise.reject(new MmsError('environment', 'association.lost', `${service}: there is no association`));
    return this.#callingBack.call(service, request, timeout);
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
        this.#answering.request(pdu.value);
        return;
      case 'cancelRequest':
        this.#answering.cancel(pdu.value);
        return;
      case 'concludeRequest':
        if (this.#answering.running > 0)
          this.#send({ kind: 'concludeError', value: serviceErrorOf('conclude', 'further-communication-required') });
        else {
          this.#send({ kind: 'concludeResponse', value: null });
          this.#connection.end();
        }
        return;
      case 'confirmedResponse':
      case 'confirmedError':
        if (!this.#callingBack.take(pdu)) this.#connection.abort();
        return;
      case 'reject':
        // What was no call cannot be taken back.
        this.#callingBack.take(pdu);
        return;
      case 'unconfirmed':
        return;
      default:
        this.#send({ kind: 'reject', value: { reason: { kind: 'pdu', value: REJECT.unknownPduType } } });
    }
  }

  #send(pdu: MmsPdu): void {
    if (!this.#connection.associated) return;
    if (this.#connection.bufferedBytes > this.#bufferLimit) this.#connection.abort();
    else this.#connection.send(pdu);
  }
}
