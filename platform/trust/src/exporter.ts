/** Keying material of a TLS connection, to which evidence is bound (RFC 5705 § 4, RFC 8446 § 7.5). */
import type { TLSSocket } from 'node:tls';

export const EXPORTER_LABEL = 'EXPORTER-enerchain-attestation';
export const EXPORTER_BYTES = 32;

/**
 * What both ends of this connection know and nobody else: 32 octets, context empty.
 * @throws Error of node:tls when the connection has gone
 */
export const exporterOf = (socket: TLSSocket): Uint8Array =>
  socket.exportKeyingMaterial(EXPORTER_BYTES, EXPORTER_LABEL, Buffer.alloc(0));
