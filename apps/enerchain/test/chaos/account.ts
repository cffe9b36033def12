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
  /** Where it stands, for the report of a fault. */
  readonly offset?: number;
  readonly source?: string;
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
  /** Copies that are not marked, beyond as many as were produced. A marked repeat may stand before its original. */
  readonly unmarked: readonly Stored[];
}

/** @param sourceOf which source an endpoint belongs to */
export function account(
  produced: Iterable<Produced>,
  stored: Iterable<Stored>,
  gaps: readonly Gap[],
  sourceOf: (endpoint: string) => string | undefined,
): Account {
  const copies = new Map<string, { readonly unmarked: Stored[] }>();
  let repeats = 0;
  for (const sample of stored) {
    const key = keyOf(sample);
    const found = copies.get(key) ?? { unmarked: [] };
    copies.set(key, found);
    if (sample.repeat) repeats += 1;
    else found.unmarked.push(sample);
  }
  const lost: Produced[] = [];
  /** A device may produce the same twice: two changes within a millisecond that end where they began. */
  const times = new Map<string, number>();
  let [count, found, inGap] = [0, 0, 0];
  for (const event of produced) {
    count += 1;
    const key = keyOf(event);
    times.set(key, (times.get(key) ?? 0) + 1);
    if (copies.has(key)) found += 1;
    else if (gaps.some((gap) => covers(gap, event, sourceOf))) inGap += 1;
    else lost.push(event);
  }
  const unmarked: Stored[] = [];
  for (const [key, copy] of copies) {
    const expected = times.get(key);
    if (expected !== undefined) unmarked.push(...copy.unmarked.slice(expected));
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
