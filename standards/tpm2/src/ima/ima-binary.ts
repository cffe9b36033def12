/** The binary IMA list (`/sys/kernel/security/ima/binary_runtime_measurements*`), in the byte order of a little-endian machine. */
import { HASHES, type HashAlgorithm } from '../spec/algorithms.ts';
import { LittleEndianReader } from '../wire/little-endian-reader.ts';
import { decodeFields, type ImaEntry } from './ima-template.ts';

export interface ImaListOptions {
  /** Algorithm of the template digests: SHA-1, but for the lists by bank of kernel 6.11 and later (`…_sha256`). */
  readonly hash?: HashAlgorithm;
  /** Most octets of one entry’s template data; 1 MiB by default. */
  readonly entrySize?: number;
}

export interface ImaChunk {
  readonly entries: readonly ImaEntry[];
  /** Octets of whole entries; what follows is the beginning of the next one. */
  readonly consumed: number;
}

const MAX_TEMPLATE_NAME = 64;
const MAX_ENTRY = 1024 * 1024;

/** A whole list. @throws Tpm2Error `tpm2.malformed` (fault peer), also when the last entry is cut short */
export function parseImaBinary(bytes: Uint8Array, options?: ImaListOptions): ImaEntry[] {
  const { entries, consumed } = readImaBinary(bytes, options);
  if (consumed < bytes.length) {
    throw new LittleEndianReader(bytes.subarray(consumed), 'IMA list').fail(
      `the entry at byte ${consumed} is cut short after ${bytes.length - consumed} bytes`,
    );
  }
  return [...entries];
}

/** As many whole entries as there are: for a list that arrives in pieces. @throws Tpm2Error `tpm2.malformed` (fault peer) */
export function readImaBinary(bytes: Uint8Array, options: ImaListOptions = {}): ImaChunk {
  const { hash = 'sha1', entrySize = MAX_ENTRY } = options;
  const digestSize = HASHES[hash].size;
  const reader = new LittleEndianReader(bytes, 'IMA list');
  const entries: ImaEntry[] = [];
  let consumed = 0;
  for (;;) {
    if (reader.left < 8 + digestSize) break;
    const pcr = reader.u32('PCR');
    if (pcr > 23) throw reader.fail(`an entry extends PCR ${pcr}, which does not exist`);
    const templateDigest = reader.bytes(digestSize, 'template digest');
    const nameSize = reader.u32('length of the template name');
    if (nameSize === 0 || nameSize > MAX_TEMPLATE_NAME) throw reader.fail(`a template name has ${nameSize} octets`);
    if (reader.left < nameSize) break;
    const template = Buffer.from(reader.bytes(nameSize, 'template name')).toString('latin1');
    const data = takeData(reader, template, entrySize);
    if (data === undefined) break;
    consumed = reader.position;
    entries.push({
      pcr,
      templateDigest,
      template,
      violation: templateDigest.every((octet) => octet === 0),
      ...decodeFields(template, data),
    });
  }
  return { entries, consumed };
}

/** `ima` has no length of its own: a digest, and a name after its length. */
function takeData(reader: LittleEndianReader, template: string, entrySize: number): Uint8Array | undefined {
  const head = template === 'ima' ? 24 : 4;
  if (reader.left < head) return undefined;
  const digest = template === 'ima' ? reader.bytes(20, 'digest') : undefined;
  const size = reader.u32('length of the entry');
  if (size > entrySize) throw reader.fail(`an entry claims ${size} bytes, ${entrySize} are the most`);
  if (reader.left < size) return undefined;
  const rest = reader.bytes(size, 'entry');
  if (digest === undefined) return rest;
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, size, true);
  return Buffer.concat([digest, length, rest]);
}
