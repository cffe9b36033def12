/** What a source puts on its chain. */
import type {
  AttestationRecord,
  AuditRecord,
  CertificateRecord,
  CommandEvent,
  CommandRecord,
  GapRecord,
  Mrid,
  RaisedAlarm,
  SiteDocument,
  SourceEvent,
} from '@enerchain/model';

/**
 * All observations of one point in a batch, in the order in which they were made. The arrays have equal length.
 * `value` is a `Float64Array` when all values are numbers, which is the case that must be fast.
 */
export interface Column {
  readonly point: Mrid;
  /** Nanoseconds since the Unix epoch. */
  readonly sourceTime: BigInt64Array;
  /** Nanoseconds since the Unix epoch. */
  readonly receiveTime: BigInt64Array;
  readonly value: Float64Array | readonly (number | string | null)[];
  /** `Quality` bits of the model. */
  readonly quality: Uint16Array;
  /** `TimeQuality` bits of the model. */
  readonly timeQuality: Uint16Array;
  /** Index into `CAUSES`, with `REPEAT` set when the observation is a repeat. */
  readonly cause: Uint8Array;
}

/** Bit of `Column.cause`: the same change was already sent once. */
export const REPEAT = 0x80;

export interface ObservationBatch {
  /** One column per point, in order of first appearance. */
  readonly columns: readonly Column[];
  /** Observations in all columns together. */
  readonly count: number;
}

/** Kinds of content; the position is the code in the batch header. */
export const CONTENT_KINDS = [
  'observations',
  'gap',
  'commandEvents',
  'sourceEvents',
  'site',
  'alarmRaised',
  'audit',
  'attestation',
  'command',
  'certificate',
] as const;
export type ContentKind = (typeof CONTENT_KINDS)[number];

export type Content =
  | { readonly kind: 'observations'; readonly batch: ObservationBatch }
  | { readonly kind: 'gap'; readonly gap: GapRecord }
  | { readonly kind: 'commandEvents'; readonly events: readonly CommandEvent[] }
  | { readonly kind: 'sourceEvents'; readonly events: readonly SourceEvent[] }
  | { readonly kind: 'site'; readonly document: SiteDocument }
  | { readonly kind: 'alarmRaised'; readonly alarm: RaisedAlarm }
  /** Of the centre's own chain only. */
  | { readonly kind: 'audit'; readonly record: AuditRecord }
  /** Of the verifier's own chain only. */
  | { readonly kind: 'attestation'; readonly record: AttestationRecord }
  /** Of the centre's own chain only. */
  | { readonly kind: 'command'; readonly record: CommandRecord }
  /** Of the centre's own chain only. */
  | { readonly kind: 'certificate'; readonly record: CertificateRecord };
