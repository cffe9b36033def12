/** Reading and writing of algorithm identifiers, with a sentence when one is not legal where it stands. */
import { ALGORITHM_IDS, type Algorithm, algorithmOf, type HashAlgorithm, isHash } from '../spec/algorithms.ts';
import type { TpmReader } from '../wire/reader.ts';
import type { TpmWriter } from '../wire/writer.ts';

export function readAlgorithm(reader: TpmReader, what: string): Algorithm {
  const id = reader.u16(what);
  const algorithm = algorithmOf(id);
  if (algorithm === undefined) throw reader.fail(`${what} 0x${id.toString(16).padStart(4, '0')} is not known`);
  return algorithm;
}

/** TPMI_ALG_HASH (Part 2 § 9.27) without TPM_ALG_NULL. */
export function readHash(reader: TpmReader, what: string): HashAlgorithm {
  const algorithm = readAlgorithm(reader, what);
  if (!isHash(algorithm)) throw reader.fail(`${what} is ${algorithm}, which is no hash`);
  return algorithm;
}

export function writeAlgorithm(writer: TpmWriter, algorithm: Algorithm): void {
  writer.u16(ALGORITHM_IDS[algorithm]);
}
