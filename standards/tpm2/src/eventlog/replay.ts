/** An event log extended into PCRs, to be compared with what a quote proves. */
import type { HashAlgorithm } from '../spec/algorithms.ts';
import { canHash } from '../structures/hash.ts';
import { extendPcr, initialPcr, type PcrBank } from '../structures/pcr.ts';
import { bindingOf } from './binding.ts';
import type { EventLog, LoggedEvent } from './event-log.ts';
import { EV_NO_ACTION } from './event-types.ts';

export interface Replay {
  /** Only the PCRs that the log extends; a PCR without an event has its value after start-up (`initialPcr`). */
  readonly pcrs: readonly PcrBank[];
  /** Locality of TPM2_Startup or H-CRTM, which is the first value of PCR 0. */
  readonly locality: number;
  /** Numbers of the events whose data is not what their digest says. */
  readonly mismatches: readonly number[];
  /** Banks that the log announces and that cannot be computed here, or that some event leaves out. */
  readonly incomplete: readonly HashAlgorithm[];
}

const STARTUP_LOCALITY = 'StartupLocality\0';

/** TCG_EfiStartupLocalityEvent (PFP § 10.4.5.3); `undefined` for another event. */
export function startupLocality({ type, data }: LoggedEvent): number | undefined {
  if (type !== EV_NO_ACTION || data.length !== STARTUP_LOCALITY.length + 1) return undefined;
  return Buffer.from(data.subarray(0, -1)).toString('latin1') === STARTUP_LOCALITY ? data.at(-1) : undefined;
}

/** Extends every event but EV_NO_ACTION into its PCR, in each bank. */
export function replayEventLog(log: EventLog): Replay {
  const announced: HashAlgorithm[] = log.spec?.algorithms.flatMap(({ hash }) => (hash ? [hash] : [])) ?? [];
  const hashes: readonly HashAlgorithm[] = announced.length > 0 ? announced : ['sha1'];
  const computable = hashes.filter(canHash);
  const incomplete = new Set(hashes.filter((hash) => !canHash(hash)));
  const banks = new Map(computable.map((hash) => [hash, new Map<number, Uint8Array>()]));
  let locality = 0;
  const mismatches: number[] = [];
  for (const event of log.events) {
    if (event.type === EV_NO_ACTION) {
      // Counts only before anything was extended into PCR 0.
      if (![...banks.values()].some((values) => values.has(0))) locality = startupLocality(event) ?? locality;
      continue;
    }
    if (bindingOf(event) === 'mismatch') mismatches.push(event.number);
    for (const [hash, values] of banks) {
      const by = event.digests.get(hash);
      if (by === undefined) incomplete.add(hash);
      else values.set(event.pcr, extendPcr(hash, values.get(event.pcr) ?? first(hash, event.pcr, locality), by));
    }
  }
  return {
    pcrs: [...banks].map(([hash, values]) => ({ hash, values })),
    locality,
    mismatches,
    incomplete: [...incomplete],
  };
}

function first(hash: HashAlgorithm, pcr: number, locality: number): Uint8Array {
  const value = initialPcr(hash, pcr);
  if (pcr === 0) value[value.length - 1] = locality;
  return value;
}
