/**
 * Who is at fault: `peer` = octets from outside, `caller` = wrong use of this API, `unsupported` = a link cannot do it,
 * `environment` = network, rights, disk, a part that is not built, `local` = a bug of this package.
 */
export type Fault = 'peer' | 'caller' | 'unsupported' | 'environment' | 'local';

/** The one error class of this package. `code` is stable and searchable; the message says what and where. */
export class EthernetError extends Error {
  readonly fault: Fault;
  readonly code: string;

  constructor(fault: Fault, code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'EthernetError';
    this.fault = fault;
    this.code = code;
  }
}
