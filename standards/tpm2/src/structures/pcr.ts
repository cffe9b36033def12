/** PCR selections and values: TPMS_PCR_SELECTION (Part 2 § 10.6.2), TPML_PCR_SELECTION (§ 10.9.7), TPML_DIGEST (§ 10.9.5). */
import { HASHES, type HashAlgorithm, MAX_DIGEST } from '../spec/algorithms.ts';
import type { TpmReader } from '../wire/reader.ts';
import type { TpmWriter } from '../wire/writer.ts';
import { digest } from './hash.ts';
import { readHash, writeAlgorithm } from './ids.ts';

/** PCRs of one bank; the numbers ascend. */
export interface PcrSelection {
  readonly hash: HashAlgorithm;
  readonly pcrs: readonly number[];
}

/** Values of PCRs of one bank. */
export interface PcrBank {
  readonly hash: HashAlgorithm;
  readonly values: ReadonlyMap<number, Uint8Array>;
}

/** HASH_COUNT of any TPM that is sold, and room. */
const MAX_BANKS = 16;
/** 24 PCRs take three octets (PCR_SELECT_MIN, PC Client profile); more than 32 PCRs has no TPM. */
const SELECT_OCTETS = 3;
const MAX_SELECT_OCTETS = 4;
/** Most digests in a TPML_DIGEST (§ 10.9.5). */
const MAX_DIGESTS = 8;

export function readPcrSelections(reader: TpmReader): PcrSelection[] {
  return reader.list('PCR selection', MAX_BANKS, () => {
    const hash = readHash(reader, 'bank of a PCR selection');
    const size = reader.u8('size of a PCR selection');
    if (size > MAX_SELECT_OCTETS) throw reader.fail(`a PCR selection has ${size} octets`);
    const bits = reader.bytes(size, 'PCR selection');
    const pcrs: number[] = [];
    for (let i = 0; i < size * 8; i++) if (bits[i >> 3]! & (1 << (i & 7))) pcrs.push(i);
    return { hash, pcrs };
  });
}

export function writePcrSelections(writer: TpmWriter, selections: readonly PcrSelection[]): void {
  writer.list(selections, ({ hash, pcrs }) => {
    const bits = new Uint8Array(Math.max(SELECT_OCTETS, ...pcrs.map((pcr) => (pcr >> 3) + 1)));
    for (const pcr of pcrs) bits[pcr >> 3]! |= 1 << (pcr & 7);
    writeAlgorithm(writer, hash);
    writer.u8(bits.length).bytes(bits);
  });
}

export function readDigestList(reader: TpmReader): Uint8Array[] {
  return reader.list('digest list', MAX_DIGESTS, () => reader.sized('digest', MAX_DIGEST));
}

/** What the banks hold, as a selection. */
export const selectionOf = (banks: readonly PcrBank[]): PcrSelection[] =>
  banks.map(({ hash, values }) => ({ hash, pcrs: [...values.keys()].sort((a, b) => a - b) }));

/** The same banks in the same order with the same PCRs; banks without any PCR count for nothing. */
export function sameSelection(a: readonly PcrSelection[], b: readonly PcrSelection[]): boolean {
  const [left, right] = [a, b].map((list) => list.filter(({ pcrs }) => pcrs.length > 0)) as [
    PcrSelection[],
    PcrSelection[],
  ];
  return (
    left.length === right.length &&
    left.every(({ hash, pcrs }, i) => {
      const other = right[i]!;
      return hash === other.hash && pcrs.length === other.pcrs.length && pcrs.every((pcr, j) => pcr === other.pcrs[j]);
    })
  );
}

/** `sha256:0,1,2+sha1:7`, as tpm2-tools writes it. */
export const describeSelection = (selections: readonly PcrSelection[]): string =>
  selections.map(({ hash, pcrs }) => `${hash}:${pcrs.join(',')}`).join('+') || 'no PCR';

/**
 * The digest of a quote (Part 3 § 18.4.1, Part 1 § 17.2): the selected PCRs in the order of the selection, within a bank by
 * ascending number.
 * @param hash that of the quoting key's scheme
 */
export function pcrDigest(hash: HashAlgorithm, banks: readonly PcrBank[]): Uint8Array {
  const values: Uint8Array[] = [];
  for (const bank of banks) {
    for (const pcr of [...bank.values.keys()].sort((a, b) => a - b)) values.push(bank.values.get(pcr)!);
  }
  return digest(hash, ...values);
}

/** TPM2_PCR_Extend (Part 3 § 22.2): H(old ‖ digest). */
export const extendPcr = (hash: HashAlgorithm, old: Uint8Array, by: Uint8Array): Uint8Array => digest(hash, old, by);

/** A PCR after start-up: zeros, or all ones for 17 to 22 (PC Client Platform TPM Profile § 4.6.2). */
export const initialPcr = (hash: HashAlgorithm, pcr: number): Uint8Array =>
  new Uint8Array(HASHES[hash].size).fill(pcr >= 17 && pcr <= 22 ? 0xff : 0);
