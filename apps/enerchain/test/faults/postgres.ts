/** The processes of an embedded PostgreSQL, to be frozen or killed. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Why its processes cannot be found here; undefined when they can. */
export const whyNoProcesses: string | undefined =
  process.platform === 'linux' ? undefined : 'the processes of the database are found in /proc, which is of Linux';

/** @param centreFolder of a centre that has started; @returns the server and all its helpers, the server first */
export function postgresProcesses(centreFolder: string): number[] {
  const { home } = JSON.parse(readFileSync(join(centreFolder, 'database', 'location.json'), 'utf8')) as {
    home: string;
  };
  const server = Number(readFileSync(join(home, 'data', 'postmaster.pid'), 'utf8').split('\n')[0]);
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => parentOf(pid) === server);
  return [server, ...children];
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
