/**
 * A connection that could not be had. `environment`: the network; `peer`: what the handshake or the profile refused, with the
 * name of the security event as `code` (`tls.certificate-revoked`). The message says what and where.
 */
export class TransportError extends Error {
  readonly fault: 'peer' | 'environment';
  readonly code: string;

  constructor(fault: 'peer' | 'environment', code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'TransportError';
    this.fault = fault;
    this.code = code;
  }
}

/** @param peer `host:port` */
export function unreachable(peer: string, cause: unknown): TransportError {
  const text = cause instanceof Error ? cause.message : String(cause);
  return new TransportError('environment', 'connect', `No connection to ${peer}: ${text}`, { cause });
}
