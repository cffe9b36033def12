/** What runs on this machine, read from /proc. */
import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessInfo {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
  /** Clock ticks since boot; with the pid it names a process for good. */
  readonly started: string;
}

export function processes(): ProcessInfo[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    const found = processInfo(Number(name));
    return found ? [found] : [];
  });
}

/** A process with everything it has started, directly or not. */
export function treeOf(pid: number): ProcessInfo[] {
  const all = processes();
  const found = all.filter((each) => each.pid === pid);
  for (const each of found) found.push(...all.filter(({ parent }) => parent === each.pid));
  return found;
}

/** Those of the given processes that still run; a zombie does not. */
export function stillRunning(known: readonly ProcessInfo[]): ProcessInfo[] {
  return known.filter(({ pid, started }) => processInfo(pid)?.started === started);
}

/** The process of a tree whose command line contains all the words. */
export function processIn(pid: number, ...words: readonly string[]): ProcessInfo {
  const tree = treeOf(pid);
  const found = tree.find(({ command }) => words.every((word) => command.split(' ').includes(word)));
  if (!found)
    throw new Error(`no process with ${words.join(' ')} among:\n${tree.map(({ command }) => command).join('\n')}`);
  return found;
}

function processInfo(pid: number): ProcessInfo | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything; the fields after it count from 3 (state).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    return { pid, parent: Number(fields[1]), command, started: fields[19]! };
  } catch {
    return undefined;
  }
}
