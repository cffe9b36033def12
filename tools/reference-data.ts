/** Published test data that is no part of the repository: a folder `shared/data` beside it or further up. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** @returns the file or folder; undefined where it is not there, and tests on it are skipped */
export function referenceData(...path: readonly string[]): string | undefined {
  for (let at = import.meta.dirname; ; at = dirname(at)) {
    const found = join(at, 'shared', 'data', ...path);
    if (existsSync(found)) return found;
    if (dirname(at) === at) return undefined;
  }
}
