/**
 * Who is at fault: `peer` = octets, files or behaviour from outside, `caller` = wrong use of this API, `local` = a bug of
 * this package, `unsupported` = legal but not implemented, `environment` = network, disk.
 */
export type Fault = 'peer' | 'caller' | 'local' | 'unsupported' | 'environment';

/** The one error class of this package. `code` is stable and searchable; the message says what and where. */
export class Iec61850Error extends Error {
  readonly fault: Fault;
  readonly code: string;

  constructor(fault: Fault, code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'Iec61850Error';
    this.fault = fault;
    this.code = code;
  }
}
