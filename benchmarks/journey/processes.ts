/**
 * What processes cost: processor seconds and memory of a process and of all that it started, out of `/proc`. On a machine
 * that others use as well, processor time is the figure that can be compared.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks a second of `/proc/PID/stat` (USER_HZ), the same on every Linux that Node runs on. */
const TICKS = 100;

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
  /** User and system time, seconds, with that of children that have ended. */
  readonly seconds: number;
  /** Resident set and its peak, octets. */
  readonly rss: number;
}

export interface Cost {
  seconds: number;
  rss: number;
}

function all(): Process[] {
  const found: Process[] = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'latin1');
      const end = stat.lastIndexOf(')');
      const fields = stat.slice(end + 2).split(' ');
      const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
      found.push({
        pid: Number(entry),
        parent: Number(fields[1]),
        name: stat.slice(stat.indexOf('(') + 1, end),
        seconds: ticks / TICKS,
        rss: Number(fields[21]) * 4096,
      });
    } catch {
      // It has ended in between.
    }
  }
  return found;
}

/**
 * @param named processes by name; what they have started counts with the one nearest to it, PostgreSQL under its own name
 * @returns cost by name
 */
export function costs(named: ReadonlyMap<string, number>): Map<string, Cost> {
  const names = new Map([...named].map(([name, pid]) => [pid, name]));
  const processes = all();
  const byPid = new Map(processes.map((process) => [process.pid, process]));
  const owner = (process: Process | undefined): string | undefined => {
    if (!process) return undefined;
    return names.get(process.pid) ?? owner(byPid.get(process.parent));
  };
  const result = new Map<string, Cost>();
  for (const process of processes) {
    const of = owner(process);
    if (of === undefined) continue;
    const name = process.name.startsWith('postgres') ? 'postgres' : of;
    const cost = result.get(name) ?? { seconds: 0, rss: 0 };
    cost.seconds += process.seconds;
    cost.rss += process.rss;
    result.set(name, cost);
  }
  return result;
}
