/**
 * One association, from the transport connection up to MMS, as a state machine without sockets, timers or a clock: every
 * function gets the time (`at`, milliseconds on any monotonic scale) and returns what is to be done. The same calls in
 * the same order give the same result.
 */
import { type BitString, bits, bitText } from '../ber/primitive.ts';
import { withWriter } from '../ber/type.ts';
import type { BerWriter } from '../ber/writer.ts';
import { decodeMms, encodeMms, invokeIdOf, type MmsPdu, writeEncodedReport, writeMms } from '../codec/pdu.ts';
import { callerError, MmsError, peerError } from '../errors.ts';
import type { Initiate } from '../spec/initiate.ts';
import type { EncodedReport } from '../spec/services.ts';
import {
  decodeTpdu,
  encodeTpdu,
  fitsOneTpdu,
  Reassembler,
  segment,
  type Tpdu,
  type TpduSize,
  writeDataTpdu,
} from '../transport/cotp.ts';
import { encodeTpkt, TpktReader, writeTpkt } from '../transport/tpkt.ts';
import {
  AUTHENTICATION_UNIT,
  type AuthenticationValue,
  asUserInformation,
  DIAGNOSTIC,
  decodeAcse,
  encodeAcse,
  OID,
  userInformationOf,
} from '../upper/acse.ts';
import {
  BASIC_ENCODING,
  type ConnectPpdu,
  decodeAcceptPpdu,
  decodeConnectPpdu,
  decodeUserData,
  encodeAcceptPpdu,
  encodeConnectPpdu,
  encodeUserData,
  pdvList,
  pdvs,
  writeUserData,
} from '../upper/presentation.ts';
import { DUPLEX, decodeSpdu, encodeSpdu, type Spdu, writeDataTransfer } from '../upper/session.ts';

export type AssociationRole = 'initiator' | 'responder';

export interface Authentication {
  /** Object identifier of the mechanism. */
  readonly mechanism: string;
  readonly value: AuthenticationValue;
}

/** Addresses of one side: selectors of the transport, session and presentation layers. */
export interface Selectors {
  readonly transport: Uint8Array;
  readonly session: Uint8Array;
  readonly presentation: Uint8Array;
}

export interface AssociationOptions {
  /** What this side offers; the responder answers with the smaller of both. */
  readonly initiate: Initiate;
  readonly calling: Selectors;
  readonly called: Selectors;
  /** Largest TPDU. */
  readonly tpduSize: TpduSize;
  /** What an initiator shows. */
  readonly authentication?: Authentication;
  /** Milliseconds until the association must be there. */
  readonly associateTimeout: number;
  /** Milliseconds without any octet from the peer until a responder gives it up; 0 = never. */
  readonly idleTimeout: number;
}

export type AssociationEffect =
  | { readonly kind: 'send'; readonly bytes: Uint8Array }
  /** A responder is asked: go on with `accept` or `refuse`. */
  | { readonly kind: 'asked'; readonly proposal: Initiate; readonly authentication: Authentication | undefined }
  | { readonly kind: 'associated'; readonly initiate: Initiate }
  | { readonly kind: 'pdu'; readonly pdu: MmsPdu }
  /** A responder got a request that cannot be read, but for its number: to be rejected. */
  | { readonly kind: 'malformed'; readonly invokeId: number; readonly error: MmsError }
  /** The transport connection is to be closed after what was sent; nothing more happens. */
  | { readonly kind: 'closed'; readonly error?: MmsError };

export type AssociationState = 'idle' | 'transport' | 'associating' | 'asked' | 'associated' | 'closed';

/** Octets around an MMS PDU in the largest TSDU. */
const OVERHEAD = 1024;

/** The smaller of what both sides offer (ISO 9506-2 § 8.2.3). */
export function negotiate(proposal: Initiate, own: Initiate): Initiate {
  const least = (a: number | undefined, b: number | undefined) =>
    a === undefined ? b : b === undefined ? a : Math.min(a, b);
  const localDetail = least(proposal.localDetail, own.localDetail);
  const nesting = least(proposal.nesting, own.nesting);
  return {
    ...(localDetail === undefined ? {} : { localDetail }),
    outstandingCalling: Math.min(proposal.outstandingCalling, own.outstandingCalling),
    outstandingCalled: Math.min(proposal.outstandingCalled, own.outstandingCalled),
    ...(nesting === undefined ? {} : { nesting }),
    detail: {
      version: Math.min(proposal.detail.version, own.detail.version),
      parameters: both(proposal.detail.parameters, own.detail.parameters),
      services: own.detail.services,
    },
  };
}

function both(a: BitString, b: BitString): BitString {
  const other = bitText(b);
  return bits([...bitText(a)].map((bit, i) => (bit === '1' && other[i] === '1' ? '1' : '0')).join(''));
}

export class Association {
  readonly role: AssociationRole;
  readonly #options: AssociationOptions;
  readonly #tpkt = new TpktReader();
  readonly #reassembler: Reassembler;
  #state: AssociationState = 'idle';
  #deadline: number | undefined;
  #effects: AssociationEffect[] = [];
  #size: number;
  #acseContext = 1;
  #mmsContext = 3;
  #connect: ConnectPpdu | undefined;
  #proposal: Initiate | undefined;
  #limit: number;

  constructor(role: AssociationRole, options: AssociationOptions) {
    this.role = role;
    this.#options = options;
    this.#size = options.tpduSize;
    this.#limit = options.initiate.localDetail ?? 65_000;
    this.#reassembler = new Reassembler(this.#limit + OVERHEAD);
  }

  get state(): AssociationState {
    return this.#state;
  }

  /** When `tick` wants to be called next; undefined = nothing is awaited. */
  get deadline(): number | undefined {
    return this.#deadline;
  }

  /** The transport carries octets now. */
  start(at: number): readonly AssociationEffect[] {
    if (this.#state !== 'idle') throw callerError('association.state', 'the association has been started already');
    this.#state = 'transport';
    this.#deadline = at + this.#options.associateTimeout;
    if (this.role === 'initiator') {
      const { calling, called, tpduSize } = this.#options;
      this.#tpdu({
        kind: 'CR',
        source: 1,
        destination: 0,
        options: 0,
        size: tpduSize,
        calling: calling.transport,
        called: called.transport,
      });
    }
    return this.#take();
  }

  /** Octets from the peer. What breaks a rule aborts the association. */
  receive(chunk: Uint8Array, at: number): readonly AssociationEffect[] {
    if (this.#state === 'closed') return [];
    if (this.#state === 'associated') this.#awaitNext(at);
    try {
      this.#tpkt.push(chunk, (packet) => {
        if (this.#state !== 'closed') this.#packet(packet, at);
      });
    } catch (error) {
      this.#fail(
        error instanceof MmsError ? error : new MmsError('local', 'association.bug', String(error), { cause: error }),
      );
    }
    return this.#take();
  }

  tick(at: number): readonly AssociationEffect[] {
    if (this.#deadline !== undefined && at >= this.#deadline) {
      const what = this.#state === 'associated' ? 'nothing heard of the peer' : 'no association';
      const code = this.#state === 'associated' ? 'association.idle' : 'association.timeout';
      this.#fail(peerError(code, `${what} in time`));
    }
    return this.#take();
  }

  /** A responder takes the association. */
  accept(at: number): readonly AssociationEffect[] {
    const initiate = negotiate(this.#asked(), this.#options.initiate);
    this.#answer(0, DIAGNOSTIC.none, encodeMms({ kind: 'initiateResponse', value: initiate }));
    this.#become(initiate, at);
    return this.#take();
  }

  /** A responder does not: `diagnostic` is one of DIAGNOSTIC; `transient` when it may be asked again later. */
  refuse(diagnostic: number, transient = false): readonly AssociationEffect[] {
    this.#asked();
    this.#answer(transient ? 2 : 1, diagnostic);
    this.#close(peerError('association.refused', `association refused (diagnostic ${diagnostic})`));
    return this.#take();
  }

  /** MmsError (caller) when there is no association or the PDU is larger than agreed. */
  send(pdu: MmsPdu): readonly AssociationEffect[] {
    return this.#transfer((writer) => writeMms(writer, pdu));
  }

  /** As `send`, of a report whose values are encoded. */
  sendReport(report: EncodedReport): readonly AssociationEffect[] {
    return this.#transfer((writer) => writeEncodedReport(writer, report));
  }

  #transfer(write: (writer: BerWriter) => void): readonly AssociationEffect[] {
    if (this.#state !== 'associated') throw callerError('association.state', 'there is no association');
    withWriter((writer) => {
      this.#within(writer, write);
      writeUserData(writer, this.#mmsContext);
      writeDataTransfer(writer);
      if (fitsOneTpdu(writer.length, this.#size)) {
        writeDataTpdu(writer);
        writeTpkt(writer);
        this.#effects.push({ kind: 'send', bytes: writer.pooled() });
      } else for (const tpdu of segment(writer.copy(), this.#size)) this.#tpdu(tpdu);
    }, this.#limit + OVERHEAD);
    return this.#take();
  }

  #within(writer: BerWriter, write: (writer: BerWriter) => void): void {
    const refuse = (octets: string) =>
      callerError('association.size', `a PDU of ${octets} octets; ${this.#limit} are agreed`);
    try {
      write(writer);
    } catch (error) {
      if (error instanceof MmsError && error.code === 'ber.size') throw refuse(`more than ${this.#limit}`);
      throw error;
    }
    if (writer.length > this.#limit) throw refuse(String(writer.length));
  }

  /** Ends it without asking. */
  abort(): readonly AssociationEffect[] {
    this.#abortPeer();
    this.#close();
    return this.#take();
  }

  /** Ends it after Conclude: what has been sent still goes out. */
  end(): readonly AssociationEffect[] {
    this.#close();
    return this.#take();
  }

  /** The transport connection is gone. */
  lost(cause?: Error): readonly AssociationEffect[] {
    const text = cause ? `: ${cause.message}` : '';
    this.#close(new MmsError('environment', 'association.lost', `connection lost${text}`, { cause }));
    return this.#take();
  }

  #take(): readonly AssociationEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #asked(): Initiate {
    if (this.#state !== 'asked' || !this.#proposal) throw callerError('association.state', 'nobody has asked');
    return this.#proposal;
  }

  #awaitNext(at: number): void {
    const { idleTimeout } = this.#options;
    this.#deadline = this.role === 'responder' && idleTimeout > 0 ? at + idleTimeout : undefined;
  }

  #become(initiate: Initiate, at: number): void {
    this.#state = 'associated';
    this.#limit = Math.min(initiate.localDetail ?? this.#limit, this.#limit);
    this.#awaitNext(at);
    this.#effects.push({ kind: 'associated', initiate });
  }

  #fail(error: MmsError): void {
    this.#abortPeer();
    this.#close(error);
  }

  #abortPeer(): void {
    if (this.#state === 'associated' || this.#state === 'asked' || this.#state === 'associating')
      this.#spdu({ kind: 'AB', data: new Uint8Array(0) });
  }

  #close(error?: MmsError): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#deadline = undefined;
    this.#effects.push({ kind: 'closed', ...(error ? { error } : {}) });
  }

  #tpdu(tpdu: Tpdu): void {
    this.#effects.push({ kind: 'send', bytes: encodeTpkt(encodeTpdu(tpdu)) });
  }

  #spdu(spdu: Spdu): void {
    for (const tpdu of segment(encodeSpdu(spdu), this.#size)) this.#tpdu(tpdu);
  }

  #packet(packet: Uint8Array, at: number): void {
    const tpdu = decodeTpdu(packet);
    const early = this.#state === 'transport';
    switch (tpdu.kind) {
      case 'CR': {
        if (!early || this.role !== 'responder') throw unexpected('CR', this.#state);
        const asked = tpdu.size;
        if (asked !== undefined) this.#size = Math.min(asked, this.#size);
        const size = asked === undefined ? {} : { size: this.#size as TpduSize };
        this.#tpdu({ kind: 'CC', source: 1, destination: tpdu.source, options: 0, ...size });
        this.#state = 'associating';
        return;
      }
      case 'CC':
        if (!early || this.role !== 'initiator') throw unexpected('CC', this.#state);
        if (tpdu.options >> 4 !== 0) throw peerError('cotp.class', `COTP: class ${tpdu.options >> 4} instead of 0`);
        if (tpdu.size !== undefined) this.#size = Math.min(tpdu.size, this.#size);
        this.#state = 'associating';
        this.#ask();
        return;
      case 'DT': {
        if (early) throw unexpected('DT', this.#state);
        const tsdu = this.#reassembler.push(tpdu.data, tpdu.last);
        if (tsdu) this.#session(decodeSpdu(tsdu), at);
        return;
      }
      case 'DR':
        this.#close(peerError('cotp.refused', `COTP: connection refused or released, reason ${tpdu.reason}`));
        return;
      case 'ER':
        throw peerError('cotp.error', `COTP: the peer reports error ${tpdu.cause}`);
    }
  }

  #ask(): void {
    const { initiate, calling, called, authentication } = this.#options;
    const acse = encodeAcse({
      kind: 'AARQ',
      value: {
        contextName: OID.mmsContext,
        ...(authentication
          ? {
              requirements: AUTHENTICATION_UNIT,
              mechanism: authentication.mechanism,
              authentication: authentication.value,
            }
          : {}),
        userInformation: asUserInformation(3, encodeMms({ kind: 'initiateRequest', value: initiate })),
      },
    });
    const data = encodeConnectPpdu({
      calling: calling.presentation,
      called: called.presentation,
      contexts: [
        { context: 1, abstractSyntax: OID.acse, transferSyntaxes: [BASIC_ENCODING] },
        { context: 3, abstractSyntax: OID.mms, transferSyntaxes: [BASIC_ENCODING] },
      ],
      data: pdvList({ context: 1, data: acse }),
    });
    this.#spdu({ kind: 'CN', requirements: DUPLEX, calling: calling.session, called: called.session, data });
  }

  #session(spdu: Spdu, at: number): void {
    const { kind } = spdu;
    if (kind === 'AB') {
      this.#close(peerError('association.aborted', 'the peer has aborted the association'));
      return;
    }
    if (kind === 'CN' && this.role === 'responder' && this.#state === 'associating') {
      this.#connectAsked(decodeConnectPpdu(spdu.data));
      return;
    }
    if (kind === 'AC' && this.role === 'initiator' && this.#state === 'associating') {
      this.#connectAnswered(spdu.data, at);
      return;
    }
    if (kind === 'RF' && this.role === 'initiator' && this.#state === 'associating') {
      this.#close(peerError('session.refused', `session: refused, reason ${spdu.reason ?? 'not given'}`));
      return;
    }
    if (kind === 'DT' && this.#state === 'associated') {
      for (const { context, data } of decodeUserData(spdu.data)) {
        if (context !== this.#mmsContext)
          throw peerError('presentation.context', `presentation: values in context ${context}`);
        this.#effects.push(this.#read(data));
      }
      return;
    }
    if (kind === 'FN' && this.#state === 'associated') {
      const data = encodeAcse({ kind: 'RLRE', value: { reason: 0 } });
      this.#spdu({ kind: 'DN', data: encodeUserData({ context: this.#acseContext, data }) });
      this.#close();
      return;
    }
    throw unexpected(kind, this.#state);
  }

  #read(data: Uint8Array): AssociationEffect {
    try {
      return { kind: 'pdu', pdu: decodeMms(data) };
    } catch (error) {
      const invokeId = this.role === 'responder' ? invokeIdOf(data) : undefined;
      if (invokeId === undefined || !(error instanceof MmsError)) throw error;
      return { kind: 'malformed', invokeId, error };
    }
  }

  #connectAsked(ppdu: ConnectPpdu): void {
    const acse = ppdu.contexts.find(({ abstractSyntax }) => abstractSyntax === OID.acse);
    const mms = ppdu.contexts.find(({ abstractSyntax }) => abstractSyntax === OID.mms);
    if (!acse || !mms) throw peerError('presentation.context', 'presentation: ACSE or MMS is not among the contexts');
    this.#acseContext = acse.context;
    this.#mmsContext = mms.context;
    this.#connect = ppdu;
    const apdu = decodeAcse(pdvs(ppdu.data)[0]?.data ?? new Uint8Array(0));
    if (apdu.kind !== 'AARQ') throw peerError('acse.apdu', `ACSE: ${apdu.kind} instead of AARQ`);
    const pdu = decodeMms(userInformationOf(apdu.value.userInformation));
    if (pdu.kind !== 'initiateRequest') throw peerError('mms.initiate', `MMS: ${pdu.kind} instead of Initiate`);
    this.#proposal = pdu.value;
    this.#state = 'asked';
    const { authentication: value, mechanism } = apdu.value;
    this.#effects.push({
      kind: 'asked',
      proposal: pdu.value,
      authentication: value ? { mechanism: mechanism ?? OID.password, value } : undefined,
    });
  }

  #answer(result: number, diagnostic: number, pdu?: Uint8Array): void {
    const acse = encodeAcse({
      kind: 'AARE',
      value: {
        contextName: OID.mmsContext,
        result,
        diagnostic: { kind: 'user', value: diagnostic },
        ...(pdu ? { userInformation: asUserInformation(this.#mmsContext, pdu) } : {}),
      },
    });
    const data = encodeAcceptPpdu({
      responding: this.#options.called.presentation,
      results: this.#connect!.contexts.map(({ context }) =>
        context === this.#acseContext || context === this.#mmsContext
          ? { result: 0, transferSyntax: BASIC_ENCODING }
          : { result: 2, reason: 1 },
      ),
      data: pdvList({ context: this.#acseContext, data: acse }),
    });
    this.#spdu({ kind: 'AC', requirements: DUPLEX, data });
  }

  #connectAnswered(bytes: Uint8Array, at: number): void {
    const apdu = decodeAcse(pdvs(decodeAcceptPpdu(bytes).data)[0]?.data ?? new Uint8Array(0));
    if (apdu.kind !== 'AARE') throw peerError('acse.apdu', `ACSE: ${apdu.kind} instead of AARE`);
    const { result, diagnostic, userInformation } = apdu.value;
    if (result !== 0) {
      this.#close(
        peerError(
          'association.refused',
          `association refused by the ${diagnostic.kind} (diagnostic ${diagnostic.value})${result === 2 ? ' for the moment' : ''}`,
        ),
      );
      return;
    }
    const pdu = decodeMms(userInformationOf(userInformation));
    if (pdu.kind !== 'initiateResponse') throw peerError('mms.initiate', `MMS: ${pdu.kind} instead of Initiate`);
    this.#become(pdu.value, at);
  }
}

function unexpected(what: string, state: string): MmsError {
  return peerError('association.unexpected', `${what} does not belong into the state "${state}"`);
}
