/** Who is at fault: what came from outside, the caller, this code, something not implemented, disk or memory. */
export type XmlFault = 'peer' | 'caller' | 'local' | 'unsupported' | 'environment';

/** A text that is no XML, or no XML of the kind a reader takes. `code` is stable; the message says what, where and why. */
export class XmlError extends Error {
  readonly fault: XmlFault;
  readonly code: string;
  /** Line of the file the message speaks of, counted from 1. */
  readonly line: number | undefined;

  constructor(fault: XmlFault, code: string, message: string, options?: { cause?: unknown; line?: number }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'XmlError';
    this.fault = fault;
    this.code = code;
    this.line = options?.line;
  }
}
