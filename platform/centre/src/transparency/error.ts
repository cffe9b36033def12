/** Why there is no receipt. */
import { EnerchainError } from '@enerchain/model';

export type ReceiptProblem = 'receipt.point' | 'receipt.not-found' | 'receipt.gone' | 'receipt.log';

export class ReceiptError extends EnerchainError {
  constructor(code: ReceiptProblem, text: string) {
    super(code === 'receipt.log' ? 'environment' : 'caller', code, text);
  }
}
