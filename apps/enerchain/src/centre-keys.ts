/** The file that says where the keys of a centre lie (`enerchain centre --keys`): YAML, read once at the start. */
import { readFileSync } from 'node:fs';
import { type CentreKeyPlaces, readKeyPlaces } from '@enerchain/centre';
import { EnerchainError } from '@enerchain/model';
import { parse } from 'yaml';

/** @throws EnerchainError (caller) that names the file and what is wrong in it */
export function centreKeysIn(file: string): CentreKeyPlaces {
  let content: unknown;
  try {
    content = parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new EnerchainError('caller', 'cli.keys', `${file} cannot be read as YAML`, { cause });
  }
  return readKeyPlaces(content, file);
}
