/** Published models that are not part of the repository. */
import { join } from 'node:path';
import { referenceData } from '../../../tools/reference-data.ts';

const folder = referenceData('cgmes') && referenceData();

/** Why tests of published models are skipped, undefined when the models are there. */
export const missing = folder === undefined ? 'shared/data/cgmes is not beside the repository' : undefined;

/** Path of a file or folder of the reference data. */
export const data = (...path: string[]): string => join(folder ?? '', ...path);
