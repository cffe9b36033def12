/** Published test data that is not part of the repository: a folder `shared/data/attestation` beside it or further up. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

function find(): string | undefined {
  for (let at = import.meta.dirname; dirname(at) !== at; at = dirname(at)) {
    const folder = join(at, 'shared', 'data', 'attestation');
    if (existsSync(folder)) return folder;
  }
  return undefined;
}

const folder = find();

/** Why tests on it are skipped; `undefined` when it is there. */
export const missing = folder === undefined ? 'shared/data/attestation is not beside the repository' : undefined;

export const referencePath = (name: string): string => join(folder!, name);
export const reference = (name: string): Uint8Array => readFileSync(referencePath(name));
export const referenceText = (name: string): string => readFileSync(referencePath(name), 'utf8');
