/** Who is at fault: what came from outside, the caller, this code, something not implemented, disk or key store. */
export type PkiFault = 'peer' | 'caller' | 'local' | 'unsupported' | 'environment';

/** The one error of this package. `code` is stable; the message says what, where and why. */
export class PkiError extends Error {
  readonly fault: PkiFault;
  readonly code: string;

  constructor(fault: PkiFault, code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'PkiError';
    this.fault = fault;
    this.code = code;
  }
}
