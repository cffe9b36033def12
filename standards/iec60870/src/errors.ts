/**
 * Who is at fault: `peer` = bytes or behaviour from outside, `caller` = wrong use of this API, `local` = a bug of this
 * package, `unsupported` = legal but not implemented, `environment` = network, disk, keys.
 */
export type Fault = 'peer' | 'caller' | 'local' | 'unsupported' | 'environment';

/** The one error class of this package. `code` is stable and searchable; the message says what, where, what was done. */
export class Iec104Error extends Error {
  readonly fault: Fault;
  readonly code: string;

  constructor(fault: Fault, code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'Iec104Error';
    this.fault = fault;
    this.code = code;
  }
}

/** A malformed frame or a breach of the protocol by the other side. */
export function peerError(code: string, message: string): Iec104Error {
  return new Iec104Error('peer', code, message);
}

/** A value or call that cannot be meant: out of range, wrong type, wrong moment. */
export function callerError(code: string, message: string): Iec104Error {
  return new Iec104Error('caller', code, message);
}
