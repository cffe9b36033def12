/** Published grids that are not part of the repository: a folder `shared/data` beside it or further up. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** @returns the folder, or undefined where it is not there */
export function published(...path: string[]): string | undefined {
  for (let at = dirname(import.meta.dirname); dirname(at) !== at; at = dirname(at)) {
    const folder = join(at, 'shared', 'data', ...path);
    if (existsSync(folder)) return folder;
  }
  return undefined;
}
