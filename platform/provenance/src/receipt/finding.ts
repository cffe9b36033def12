/** What the verification of a receipt finds: one finding for every link of the chain, in plain words. */
import type { Tier, ValueTrust } from '@enerchain/attestation';
import type { Mrid, UtcNanos } from '@enerchain/model';

/** The links of the chain, from the device to the witnesses; `receipt` is the file itself. */
export const LINKS = [
  'receipt',
  'device',
  'gateway',
  'software',
  'neighbours',
  'signature',
  'log',
  'witnesses',
] as const;
export type ChainLink = (typeof LINKS)[number];

/**
 * `ok`: it holds. `weak`: it holds, and there is something to know about it. `bad`: it does not hold. `missing`: there is
 * nothing in the receipt that could show it.
 */
export type FindingState = 'ok' | 'weak' | 'bad' | 'missing';

export interface Finding {
  readonly link: ChainLink;
  readonly state: FindingState;
  /** Dotted name, for programs. */
  readonly code: string;
  /** One or two sentences. */
  readonly text: string;
  readonly at?: UtcNanos;
  readonly details?: Readonly<Record<string, string | number | boolean>>;
}

/** The value that a receipt is about, as signed. */
export interface ReceiptValue {
  readonly point: Mrid;
  /** Name in the site document; absent when the receipt does not hold it. */
  readonly name?: string;
  readonly unit?: string;
  readonly source: string;
  readonly value: number | string | null;
  /** Bits of the model. */
  readonly quality: number;
  readonly sourceTime: UtcNanos;
  readonly receiveTime: UtcNanos;
  /** Record of the log. */
  readonly record: number;
}

export interface Verdict {
  /** Every link holds: nothing is bad or missing. */
  readonly ok: boolean;
  readonly value: ReceiptValue | undefined;
  readonly trust: ValueTrust;
  /** Of the results that bracket the value. */
  readonly tier: Tier | undefined;
  readonly findings: readonly Finding[];
}

/** A link that does not hold; what is thrown inside and becomes a finding. */
export class BrokenLink extends Error {
  readonly finding: Finding;
  constructor(link: ChainLink, code: string, text: string, state: 'bad' | 'missing' = 'bad') {
    super(text);
    this.finding = { link, state, code, text };
  }
}
