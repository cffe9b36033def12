/** What is calculated is worth no more than what it is calculated from. */
import type { ValueTrust } from '@enerchain/attestation';

/** The least first. */
export const WORTH = ['distrusted', 'unknown', 'provisional', 'attested'] as const satisfies readonly ValueTrust[];

export const lesser = (a: ValueTrust, b: ValueTrust): ValueTrust => (WORTH.indexOf(a) < WORTH.indexOf(b) ? a : b);
