/**
 * Linking a request to the TLS channel it travels on (RFC 7030 § 3.5): the challenge password of the request is the
 * channel binding, so that a request cannot be taken from one connection and shown on another.
 */
import { timingSafeEqual } from 'node:crypto';
import type { TLSSocket } from 'node:tls';

/** RFC 9266 § 2. */
const LABEL = 'EXPORTER-Channel-Binding';
const BYTES = 32;

/**
 * Base64 of tls-exporter with TLS 1.3 (RFC 9266), of tls-unique with TLS 1.2 (RFC 5929 § 3).
 * @param side whose socket it is. @returns `undefined` where the channel offers none that is safe: a resumed session of
 *   TLS 1.2 (the Finished messages of one are not bound to the certificates)
 */
export function channelBinding(socket: TLSSocket, side: 'client' | 'server'): string | undefined {
  if (socket.getProtocol() === 'TLSv1.3') {
    return socket.exportKeyingMaterial(BYTES, LABEL, Buffer.alloc(0)).toString('base64');
  }
  if (socket.getProtocol() !== 'TLSv1.2' || socket.isSessionReused()) return undefined;
  const finished = side === 'client' ? socket.getFinished() : socket.getPeerFinished();
  return finished?.toString('base64');
}

/** Keying material of a channel (RFC 8446 § 7.5): 32 octets, context empty. @returns `undefined` below TLS 1.3 */
export type Exporter = (label: string) => Uint8Array | undefined;

export const exporterOf =
  (socket: TLSSocket): Exporter =>
  (label) =>
    socket.getProtocol() === 'TLSv1.3' ? socket.exportKeyingMaterial(BYTES, label, Buffer.alloc(0)) : undefined;

export function sameBinding(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
