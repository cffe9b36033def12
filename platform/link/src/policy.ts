/** What the owner of a link server decides, and what it is told. */
import type { KeyObject } from 'node:crypto';
import type { Clock, SourceReport } from '@enerchain/model';
import type { CborValue, HeldCertificate, Holder, Identity } from '@enerchain/trust';
import type { Ending, LinkCounters, LivenessTimes } from './connection.ts';
import type { Hello, Welcome } from './message.ts';
import type { RequestContext, RequestOptions, RpcLimits, StreamOptions } from './rpc.ts';
import type { After } from './transport.ts';

/** Where the receiver stands with a source; what the welcome says. */
export type Admission = Pick<Welcome, 'completed' | 'cursors'>;

/** Something a security officer may want to know. */
export interface LinkEvent {
  readonly code:
    | 'link.identity.duplicate'
    | 'link.hello.refused'
    | 'link.certificate'
    | 'link.protocol'
    | 'link.credit.exceeded'
    | 'link.batch.rejected'
    | 'link.silent';
  readonly remote: string;
  readonly source?: string;
  readonly text: string;
}

/** What the owner of a server decides. */
export interface LinkPolicy {
  /** Lets a source in and says where its chain stands. @throws to refuse; the text goes to the source */
  admit(hello: Hello, holder: Holder): Admission | Promise<Admission>;
  /** Whether a relay may stand in for a source; never, unless said so. */
  mayRelay?(relay: string, source: string): boolean;
  /** A second connection with the identity of a first: the newer replaces the older, unless said otherwise. */
  onDuplicate?(existing: LinkPeer, remote: string): 'replace' | 'refuse';
  /**
   * A batch, in the order of arrival, without waiting for the one before; resolves once it is kept. An error with fault
   * `peer` rejects the batch and ends its epoch on this connection; any other closes the connection, so that the source
   * comes again later.
   */
  onBatch(peer: LinkPeer, bytes: Uint8Array): Promise<{ readonly epoch: number; readonly sequence: number }>;
  onRequest?(
    peer: LinkPeer,
    method: string,
    params: CborValue,
    context: RequestContext,
  ): Promise<CborValue> | CborValue;
  /** The peer shows another certificate of its key on the running connection. @throws to refuse it */
  onRenewed?(peer: LinkPeer, certificate: HeldCertificate): void;
  onStatus?(peer: LinkPeer, report: SourceReport): void;
  onConnect?(peer: LinkPeer): void;
  onDisconnect?(peer: LinkPeer, ending: Ending): void;
  onEvent?(event: LinkEvent): void;
}

export interface LinkServerOptions {
  readonly identity: Identity;
  readonly policy: LinkPolicy;
  readonly clock?: Clock;
  readonly after?: After;
  readonly liveness?: LivenessTimes;
  readonly rpcLimits?: RpcLimits;
  /** Bytes of batches that one source may have under way unacknowledged; default 8 MiB. */
  readonly window?: number;
  /** Seconds after which a connection is ended, so that another handshake is made; a day unless said otherwise. */
  readonly longestSession?: number;
  /** DER of the certificate whose key signs commands; the server's own unless said (a relay passes on its centre's). */
  readonly commandCertificate?: () => Uint8Array;
}

/** A connected source. */
export interface LinkPeer {
  readonly source: string;
  /** Whose certificate the connection has: the source itself, or the relay that stands in for it. */
  readonly holder: Holder;
  readonly software: string;
  readonly remote: string;
  /** As it came, with the certificate of the connection put in front when it is the source's own. */
  readonly hello: Hello;
  readonly counters: LinkCounters;
  /** Batches received whose `onBatch` has not settled. */
  readonly pending: number;
  /** Keys of the source by key identifier: of the connection and of the hello, all checked against the CA. */
  keyOf(kid: Uint8Array): KeyObject | undefined;
  /** `LinkTransport.exporter` of the connection; with a relay it is the relay's connection, not the source's. */
  exporter(): Uint8Array;
  /** Sends a signed command. @throws EnerchainError `link.congested` or `link.offline` */
  command(bytes: Uint8Array): void;
  request(method: string, params: CborValue, options?: RequestOptions): Promise<CborValue>;
  stream(method: string, params: CborValue, options?: StreamOptions): AsyncGenerator<CborValue, CborValue>;
  close(code: string, text: string): void;
}
