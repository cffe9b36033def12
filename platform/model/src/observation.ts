/** An observation: what one source said about one point at one moment. */
import type { Mrid } from './identity.ts';
import type { Quality } from './quality.ts';
import type { TimeQuality, UtcNanos } from './time.ts';

/**
 * A number (analog, discrete, double point 0–3, boolean 0/1, counter), a text, or `null` when the source reported
 * only a quality (an MQTT last will, a NaN).
 */
export type Value = number | string | null;

/** Why the source spoke; the position is the code on the link and in the history. */
export const CAUSES = [
  'spontaneous',
  'periodic',
  'background',
  'interrogation',
  'counterInterrogation',
  'requested',
  'returnInformation',
  'initialised',
  'estimated',
  'sourceLost',
] as const;
export type Cause = (typeof CAUSES)[number];

export interface Observation {
  readonly point: Mrid;
  readonly value: Value;
  readonly quality: Quality;
  /** When it happened according to the source; equals `receiveTime` when the source gave no time (TIME_QUALITY.receiveTime). */
  readonly sourceTime: UtcNanos;
  readonly timeQuality: TimeQuality;
  /** When the connector received it. */
  readonly receiveTime: UtcNanos;
  readonly cause: Cause;
  /** True when the same change was already sent once: device to edge is at-least-once. */
  readonly repeat: boolean;
}
