/** Writes crypto-agile event logs (PFP 1.05 § 10.2): for measured boots that are simulated, and for tests. */
import { Tpm2Error } from '../error.ts';
import { ALGORITHM_IDS, HASHES, type HashAlgorithm } from '../spec/algorithms.ts';
import { digest } from '../structures/hash.ts';
import { EV_NO_ACTION } from './event-types.ts';

export interface EventToWrite {
  readonly pcr: number;
  /** A code of `EVENT_TYPES`. */
  readonly type: number;
  readonly data: Uint8Array;
  /** What is measured, when it is not the data. */
  readonly measured?: Uint8Array;
}

/** What an event extends into its PCR; nothing for EV_NO_ACTION. */
export const digestsOf = (
  hashes: readonly HashAlgorithm[],
  event: EventToWrite,
): ReadonlyMap<HashAlgorithm, Uint8Array> =>
  new Map(event.type === EV_NO_ACTION ? [] : hashes.map((hash) => [hash, digest(hash, event.measured ?? event.data)]));

/** A whole log, with its specification event. */
export function writeEventLog(hashes: readonly HashAlgorithm[], events: readonly EventToWrite[]): Uint8Array {
  if (hashes.length === 0) throw new Tpm2Error('caller', 'tpm2.eventlog', 'a log without a bank cannot be written');
  const parts = [number(0, 4), number(EV_NO_ACTION, 4), new Uint8Array(HASHES.sha1.size), sized(specId(hashes))];
  for (const event of events) {
    const digests = digestsOf(hashes, event);
    parts.push(number(event.pcr, 4), number(event.type, 4), number(hashes.length, 4));
    for (const hash of hashes) {
      parts.push(number(ALGORITHM_IDS[hash], 2), digests.get(hash) ?? new Uint8Array(HASHES[hash].size));
    }
    parts.push(sized(event.data));
  }
  return Buffer.concat(parts);
}

/** TCG_EfiSpecIDEvent: version 2.0 errata 0, UINTN of 64 bits, no vendor information. */
const specId = (hashes: readonly HashAlgorithm[]): Uint8Array =>
  Buffer.concat([
    Buffer.from('Spec ID Event03\0', 'latin1'),
    number(0, 4),
    Buffer.of(0, 2, 0, 2),
    number(hashes.length, 4),
    ...hashes.flatMap((hash) => [number(ALGORITHM_IDS[hash], 2), number(HASHES[hash].size, 2)]),
    Buffer.of(0),
  ]);

const sized = (data: Uint8Array): Uint8Array => Buffer.concat([number(data.length, 4), data]);

function number(value: number, octets: 2 | 4): Uint8Array {
  const bytes = Buffer.alloc(octets);
  bytes.writeUIntLE(value, 0, octets);
  return bytes;
}
