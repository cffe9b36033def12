/** Published models that are not part of the repository: a folder `shared/data` beside it or further up. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

function find(): string | undefined {
  for (let at = import.meta.dirname; ; at = dirname(at)) {
    const folder = join(at, 'shared', 'data');
    if (existsSync(join(folder, 'cgmes'))) return folder;
    if (dirname(at) === at) return undefined;
  }
}

const folder = find();

/** Why tests of published models are skipped, undefined when the models are there. */
export const missing = folder === undefined ? 'shared/data/cgmes is not beside the repository' : undefined;

/** Path of a file or folder of the reference data. */
export const data = (...path: string[]): string => join(folder ?? '', ...path);
