/** The processes of an embedded PostgreSQL, to be frozen or killed. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Why its processes cannot be found here; undefined when they can. */
export const whyNoProcesses: string | undefined =
  process.platform === 'linux' ? undefined : 'the processes of the database are found in /proc, which is of Linux';

/** @param centreFolder of a centre that has started; @returns the server and all its helpers, the server first */
export function postgresProcesses(centreFolder: string): number[] {
  const server = Number(pidFile(centreFolder)[0]);
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => parentOf(pid) === server);
  return [server, ...children];
}

/**
 * The server, once it takes connections. One that was started too early, with processes of a killed one still there,
 * writes its number too, and ends again.
 */
export function readyServer(centreFolder: string): number | undefined {
  try {
    const lines = pidFile(centreFolder);
    return lines[7]?.trim() === 'ready' ? Number(lines[0]) : undefined;
  } catch {
    return undefined; // there is none, or it has just begun
  }
}

/** Lines of `postmaster.pid`: its number stands in the first, its state in the eighth. */
function pidFile(centreFolder: string): string[] {
  const { home } = JSON.parse(readFileSync(join(centreFolder, 'database', 'location.json'), 'utf8')) as {
    home: string;
  };
  return readFileSync(join(home, 'data', 'postmaster.pid'), 'utf8').split('\n');
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

export function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch {
      // Ended meanwhile.
    }
  }
}
