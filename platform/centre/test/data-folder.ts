/** Data folders of tests. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const newDataFolder = (name: string): string => mkdtempSync(join(tmpdir(), `${name}-`));

/** Removes a folder, and the database cluster that stands elsewhere when the tests run as root. */
export function removeDataFolder(folder: string): void {
  const location = join(folder, 'database', 'location.json');
  if (existsSync(location)) {
    const { home } = JSON.parse(readFileSync(location, 'utf8')) as { home: string };
    rmSync(home, { recursive: true, force: true });
  }
  rmSync(folder, { recursive: true, force: true });
}
