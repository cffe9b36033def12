/**
 * The bookkeeping of a chaos run: for each observation that a device says it produced, where is it? Either stored, or
 * inside a gap record of its device; anything else is a loss. A second copy that is not marked as a repeat is a fault
 * too. Pure, so that the judge can be tested before it judges.
 */

/** One line of a device's ledger: written and fsynced before the device sent anything. */
export interface Produced {
  readonly endpoint: string;
  readonly point: string;
  readonly value: number;
  /** Source time, ms since the Unix epoch. */
  readonly time: number;
}

/** One observation in the ingest log. */
export interface Stored {
  readonly point: string;
  readonly value: number;
  readonly time: number;
  readonly repeat: boolean;
}

/** A gap record; without an endpoint it covers all devices of its source. */
export interface Gap {
  readonly source: string;
  readonly endpoint?: string;
  readonly reason: string;
  /** ms since the Unix epoch, inclusive. */
  readonly from: number;
  readonly to: number;
}

export interface Account {
  readonly produced: number;
  readonly stored: number;
  readonly repeats: number;
  readonly inGap: number;
  readonly lost: readonly Produced[];
  /** Copies that are not marked, beyond the one that is the original (live data may overtake it in the log). */
  readonly unmarked: readonly Stored[];
}

/** @param sourceOf which source an endpoint belongs to */
export function account(
  produced: Iterable<Produced>,
  stored: Iterable<Stored>,
  gaps: readonly Gap[],
  sourceOf: (endpoint: string) => string | undefined,
): Account {
  /** Unmarked copies of each sample. */
  const copies = new Map<string, number>();
  const unmarked: Stored[] = [];
  let repeats = 0;
  for (const sample of stored) {
    const key = keyOf(sample);
    const before = copies.get(key) ?? 0;
    copies.set(key, sample.repeat ? before : before + 1);
    if (sample.repeat) repeats += 1;
    else if (before > 0) unmarked.push(sample);
  }
  const lost: Produced[] = [];
  let [count, found, inGap] = [0, 0, 0];
  for (const event of produced) {
    count += 1;
    if (copies.has(keyOf(event))) found += 1;
    else if (gaps.some((gap) => covers(gap, event, sourceOf))) inGap += 1;
    else lost.push(event);
  }
  return { produced: count, stored: found, repeats, inGap, lost, unmarked };
}

const keyOf = (sample: { point: string; value: number; time: number }): string =>
  `${sample.point} ${sample.time} ${sample.value}`;

function covers(gap: Gap, event: Produced, sourceOf: (endpoint: string) => string | undefined): boolean {
  const concerned =
    gap.endpoint === undefined ? sourceOf(event.endpoint) === gap.source : gap.endpoint === event.endpoint;
  return concerned && event.time >= gap.from && event.time <= gap.to;
}
