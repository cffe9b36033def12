/** Who is at fault: what came from outside, the caller, this code, something not implemented, disk or memory. */
export type CimFault = 'peer' | 'caller' | 'local' | 'unsupported' | 'environment';

/** The one error of this package. `code` is stable; the message says what, where and why. */
export class CimError extends Error {
  readonly fault: CimFault;
  readonly code: string;
  /** Line of the file the message speaks of, counted from 1. */
  readonly line: number | undefined;

  constructor(fault: CimFault, code: string, message: string, options?: { cause?: unknown; line?: number }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CimError';
    this.fault = fault;
    this.code = code;
    this.line = options?.line;
  }
}
