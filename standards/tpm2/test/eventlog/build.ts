/** Event logs written by hand from the structures of the profile (PFP 1.05 § 10.2), for tests. */
import { ALGORITHM_IDS, digest, HASHES, type HashAlgorithm } from '../../src/index.ts';

export const le = (value: number | bigint, octets: 1 | 2 | 4 | 8): Uint8Array => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes.subarray(0, octets);
};

export const specIdEvent = (hashes: readonly HashAlgorithm[]): Uint8Array =>
  Buffer.concat([
    Buffer.from('Spec ID Event03\0'),
    le(0, 4),
    Buffer.of(0, 2, 0, 2),
    le(hashes.length, 4),
    ...hashes.flatMap((hash) => [le(ALGORITHM_IDS[hash], 2), le(HASHES[hash].size, 2)]),
    Buffer.of(0),
  ]);

export interface EventToBuild {
  readonly pcr: number;
  readonly type: number;
  readonly data: Uint8Array;
  /** What is measured, when it is not the data. */
  readonly measured?: Uint8Array;
}

const header = ({ pcr, type }: EventToBuild) => Buffer.concat([le(pcr, 4), le(type, 4)]);
const sized = (data: Uint8Array) => Buffer.concat([le(data.length, 4), data]);

/** TCG_PCR_EVENT: SHA-1, and all there is in the old form. */
export const oldEvent = (event: EventToBuild, value?: Uint8Array): Uint8Array =>
  Buffer.concat([header(event), value ?? digest('sha1', event.measured ?? event.data), sized(event.data)]);

/** TCG_PCR_EVENT2. */
export const agileEvent = (hashes: readonly HashAlgorithm[], event: EventToBuild): Uint8Array =>
  Buffer.concat([
    header(event),
    le(hashes.length, 4),
    ...hashes.flatMap((hash) => [
      le(ALGORITHM_IDS[hash], 2),
      event.type === 3 ? new Uint8Array(HASHES[hash].size) : digest(hash, event.measured ?? event.data),
    ]),
    sized(event.data),
  ]);

export const agileLog = (hashes: readonly HashAlgorithm[], events: readonly EventToBuild[]): Uint8Array =>
  Buffer.concat([
    oldEvent({ pcr: 0, type: 3, data: specIdEvent(hashes) }, new Uint8Array(20)),
    ...events.map((event) => agileEvent(hashes, event)),
  ]);

/** UEFI_VARIABLE_DATA. */
export const variableData = (name: string, value: Uint8Array): Uint8Array =>
  Buffer.concat([
    Buffer.from('61dfe48bca93d211aa0d00e098032b8c', 'hex'),
    le(name.length, 8),
    le(value.length, 8),
    Buffer.from(name, 'utf16le'),
    value,
  ]);
