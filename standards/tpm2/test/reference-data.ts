/** Published attestation data that is not part of the repository. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { referenceData } from '../../../tools/reference-data.ts';

const folder = referenceData('attestation');

/** Why tests on it are skipped; `undefined` when it is there. */
export const missing = folder === undefined ? 'shared/data/attestation is not beside the repository' : undefined;

export const referencePath = (name: string): string => join(folder!, name);
export const reference = (name: string): Uint8Array => readFileSync(referencePath(name));
export const referenceText = (name: string): string => readFileSync(referencePath(name), 'utf8');
