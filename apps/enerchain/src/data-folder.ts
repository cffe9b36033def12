/** Where a system keeps what it must not forget. One folder per system; two systems never share one. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { EnerchainError } from '@enerchain/model';

/** The folders under `--data`. */
export interface DataFolder {
  readonly root: string;
  readonly centre: string;
  readonly lab: string;
  readonly logs: string;
  edge(name: string): string;
  service(name: string): string;
}

/** `--data`, else `ENERCHAIN_DATA`, else a folder of the user's own. */
export function defaultDataFolder(): string {
  return (
    process.env.ENERCHAIN_DATA ?? join(process.env.XDG_DATA_HOME ?? join(homedir(), '.local', 'share'), 'enerchain')
  );
}

/** Creates the folders (0700: they hold keys) and returns their paths. */
export function openDataFolder(path: string): DataFolder {
  const root = resolve(path);
  const folder = (...parts: string[]): string => {
    const full = join(root, ...parts);
    mkdirSync(full, { recursive: true, mode: 0o700 });
    return full;
  };
  return {
    root: folder(),
    centre: folder('centre'),
    lab: folder('lab'),
    logs: folder('logs'),
    edge: (name) => folder('edges', name),
    service: (name) => folder('services', name),
  };
}

/** Result code of SQLite: another process holds the lock. */
const SQLITE_BUSY = 5;

/** A lock that the operating system releases whatever ends the process. */
export interface FolderLock {
  release(): void;
}

/**
 * Takes the folder for this process. SQLite's file lock does it: unlike a PID file it cannot go stale.
 * @throws EnerchainError `cli.folder.in-use` when another process has it
 */
export function lockFolder(folder: string, what: string): FolderLock {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const holderFile = join(folder, 'holder.pid');
  const database = new DatabaseSync(join(folder, 'lock.sqlite'));
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if ((error as { errcode?: number }).errcode !== SQLITE_BUSY) {
      throw new EnerchainError('environment', 'cli.folder.lock', `${folder} cannot be locked for ${what}`, {
        cause: error,
      });
    }
    const holder = readIfThere(holderFile);
    throw new EnerchainError(
      'caller',
      'cli.folder.in-use',
      `${what} already runs on ${folder}${holder ? ` (process ${holder})` : ''}: stop it, or use another --data`,
    );
  }
  writeFileSync(holderFile, String(process.pid));
  return { release: () => database.close() };
}

export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
