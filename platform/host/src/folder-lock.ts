/** One process per data folder: a lock that the operating system releases whatever ends the process. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { EnerchainError } from '@enerchain/model';

/** Result code of SQLite: another process, or another place in this one, holds the lock. */
const SQLITE_BUSY = 5;

export interface FolderLock {
  release(): void;
}

/**
 * Takes the folder, and makes it when it is not there. SQLite's file lock does it: unlike a PID file it cannot go stale.
 * @param what for people, who takes it: `a centre`
 * @throws EnerchainError `host.folder.in-use` (fault caller) when it is taken, `host.folder.lock` when it cannot be locked
 */
export function lockFolder(folder: string, what: string): FolderLock {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const holderFile = join(folder, 'holder.pid');
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(join(folder, 'lock.sqlite'));
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (cause) {
    database?.close();
    if ((cause as { errcode?: number }).errcode !== SQLITE_BUSY) {
      const text = `${folder} cannot be locked for ${what}`;
      throw new EnerchainError('environment', 'host.folder.lock', text, { cause });
    }
    const holder = readIfThere(holderFile);
    throw new EnerchainError(
      'caller',
      'host.folder.in-use',
      `${what} already runs on ${folder}${holder ? ` (process ${holder})` : ''}: stop it, or use another --data`,
    );
  }
  writeFileSync(holderFile, String(process.pid));
  const held = database;
  return {
    release: () => {
      if (held.isOpen) held.close();
    },
  };
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
