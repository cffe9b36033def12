/** What the network needs of a connection to a neighbour: whole messages in order, and to know who is at the other end. */
import type { Role } from '@enerchain/trust';

export { type After, systemAfter } from '@enerchain/model';

export interface ChannelHandlers {
  message(bytes: Uint8Array): void;
  /** Nothing comes afterwards. */
  closed(reason: string): void;
}

export interface Channel {
  /** Name and role in the peer's certificate, which the transport has checked against our CA. */
  readonly peer: { readonly name: string; readonly role: Role };
  /** 32 octets that both ends of this connection know, and nobody else (RFC 8446 § 7.5). */
  readonly exporter: Uint8Array;
  /** Address of the peer, for people. */
  readonly remote: string;
  /** Whether this end opened it; when two neighbours dial each other, one of the two connections has to go. */
  readonly dialled: boolean;
  /** Octets taken by `send` that are not on the wire yet. */
  readonly buffered: number;
  open(handlers: ChannelHandlers): void;
  send(bytes: Uint8Array): void;
  close(reason: string): void;
}
