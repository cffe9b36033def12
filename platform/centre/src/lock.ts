/** One centre per data folder: a lock file that names its process and when that process began. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EnerchainError } from '@enerchain/model';

/**
 * Takes the lock; a lock whose process is gone is taken over.
 * @returns releases it
 * @throws EnerchainError `centre.locked` (fault caller) when another centre uses the folder
 */
export function lockFolder(dataDir: string): () => void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const path = join(dataDir, 'centre.lock');
  const mine = JSON.stringify({ pid: process.pid, began: beganAt(process.pid) });
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      writeFileSync(path, mine, { flag: 'wx', mode: 0o600 });
      return () => {
        if (readHolder(path) === mine) rmSync(path, { force: true });
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = readHolder(path);
    if (holder !== undefined && isAlive(holder) && holder !== mine) {
      throw new EnerchainError(
        'caller',
        'centre.locked',
        `another centre (process ${JSON.parse(holder).pid}) uses the data folder ${dataDir}; stop it or choose another --data`,
      );
    }
    if (holder === mine) {
      throw new EnerchainError('caller', 'centre.locked', `this process has opened the data folder ${dataDir} already`);
    }
    rmSync(path, { force: true });
  }
  throw new EnerchainError('caller', 'centre.locked', `another centre is starting in the data folder ${dataDir}`);
}

function readHolder(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function isAlive(holder: string): boolean {
  try {
    const { pid, began } = JSON.parse(holder);
    return Number.isInteger(pid) && began !== '' && beganAt(pid) === began;
  } catch {
    return false; // half written by a process that was killed
  }
}

/** Start time of a process as the system tells it; empty when there is no such process. */
function beganAt(pid: number): string {
  try {
    // Field 22 of /proc/<pid>/stat; the name in parentheses may contain anything.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? '' : (fields[19] ?? '');
  } catch {
    if (process.platform === 'linux') return '';
    return spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).stdout?.trim() ?? '';
  }
}
