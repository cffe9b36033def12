import { MmsError } from '../errors.ts';
import { type RejectPdu, type ServiceError, serviceErrorText } from '../spec/faults.ts';

/**
 * The peer says no: with a ServiceError, or by rejecting the PDU. A handler of a server throws one with a ServiceError
 * to say no itself.
 */
export class MmsRefusal extends MmsError {
  readonly error: ServiceError | undefined;
  readonly reject: RejectPdu | undefined;

  constructor(answer: { readonly error: ServiceError } | { readonly reject: RejectPdu }) {
    if ('error' in answer) super('peer', `service.${answer.error.error.kind}`, serviceErrorText(answer.error));
    else {
      const { reason } = answer.reject;
      super('peer', 'service.rejected', `rejected: ${reason.kind} ${reason.value}`);
    }
    this.name = 'MmsRefusal';
    this.error = 'error' in answer ? answer.error : undefined;
    this.reject = 'reject' in answer ? answer.reject : undefined;
  }
}
