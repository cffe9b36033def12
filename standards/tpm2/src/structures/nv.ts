/** TPMS_NV_PUBLIC (Part 2 § 13.5): what an NV index is. */
import { ALGORITHM_IDS, type HashAlgorithm, MAX_DIGEST } from '../spec/algorithms.ts';
import {
  attributesOf,
  attributeWord,
  NV_ATTRIBUTES,
  NV_TYPES,
  type NvAttribute,
  type NvType,
} from '../spec/attributes.ts';
import type { TpmReader } from '../wire/reader.ts';
import { type TpmWriter, writeAll } from '../wire/writer.ts';
import { digest } from './hash.ts';
import { readHash } from './ids.ts';

export interface NvPublic {
  readonly index: number;
  readonly nameAlg: HashAlgorithm;
  readonly type: NvType;
  readonly attributes: readonly NvAttribute[];
  readonly authPolicy: Uint8Array;
  readonly dataSize: number;
}

const TYPE_BITS = 0xf0;

export function readNvPublic(reader: TpmReader): NvPublic {
  const index = reader.u32('NV index');
  const nameAlg = readHash(reader, 'name algorithm');
  const word = reader.u32('NV attributes');
  const type = (Object.keys(NV_TYPES) as NvType[]).find((each) => NV_TYPES[each] === (word & TYPE_BITS) >> 4);
  if (type === undefined) throw reader.fail('the type of the NV index is not known');
  const attributes = attributesOf(NV_ATTRIBUTES, word & ~TYPE_BITS);
  if (attributes === undefined) throw reader.fail(`NV attributes 0x${word.toString(16)} have reserved bits`);
  const authPolicy = reader.sized('authorisation policy', MAX_DIGEST);
  return { index, nameAlg, type, attributes, authPolicy, dataSize: reader.u16('data size') };
}

export function writeNvPublic(writer: TpmWriter, area: NvPublic): void {
  writer
    .u32(area.index)
    .u16(ALGORITHM_IDS[area.nameAlg])
    .u32((attributeWord(NV_ATTRIBUTES, area.attributes) | (NV_TYPES[area.type] << 4)) >>> 0)
    .sized(area.authPolicy)
    .u16(area.dataSize);
}

/** Name of an NV index (Part 1 § 16). */
export const nvName = (area: NvPublic): Uint8Array => {
  const bytes = writeAll((writer) => writeNvPublic(writer, area));
  return writeAll((writer) => writer.u16(ALGORITHM_IDS[area.nameAlg]).bytes(digest(area.nameAlg, bytes)));
};
