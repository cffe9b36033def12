/**
 * Who is at fault: `peer` = bytes or behaviour from outside, `caller` = wrong use of this API, `local` = a bug of this
 * package, `unsupported` = legal but not implemented, `environment` = network.
 */
export type Fault = 'peer' | 'caller' | 'local' | 'unsupported' | 'environment';

/** The one error class of this package. `code` is stable and searchable; the message says what and where. */
export class MmsError extends Error {
  readonly fault: Fault;
  readonly code: string;

  constructor(fault: Fault, code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'MmsError';
    this.fault = fault;
    this.code = code;
  }
}

/** Octets or behaviour of the other side that break a rule. */
export function peerError(code: string, message: string): MmsError {
  return new MmsError('peer', code, message);
}

/** A value or call that cannot be meant: out of range, wrong type, wrong moment. */
export function callerError(code: string, message: string): MmsError {
  return new MmsError('caller', code, message);
}
