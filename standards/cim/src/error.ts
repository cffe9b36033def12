import { XmlError, type XmlFault } from '@enerchain/xml';

export type CimFault = XmlFault;

/**
 * The error of this package: what an exchange says that CIM does not allow. A file that is no XML at all is told by its
 * parent, with the same fields. `code` is stable; the message says what, where and why.
 */
export class CimError extends XmlError {
  constructor(fault: CimFault, code: string, message: string, options?: { cause?: unknown; line?: number }) {
    super(fault, code, message, options);
    this.name = 'CimError';
  }
}
