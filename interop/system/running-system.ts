/** The whole system as a new user starts it: `npm start` with a data folder and a port of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, isFree } from '../peer-process.ts';

/** The checkout whose `npm start` is run. */
export const root = resolve(fileURLToPath(new URL('../..', import.meta.url)));

/** Limit of a hook that starts a system, ms: the first start on a machine also builds the control room. */
export const STARTS_WITHIN = 400_000;

export interface StartOptions {
  /** A folder of an earlier run; a new one when left out. Only a new one is removed at the end. */
  readonly data?: string;
  readonly port?: number;
  /** Another checkout. */
  readonly root?: string;
  /** Starts it as another user. */
  readonly uid?: number;
  readonly gid?: number;
  readonly env?: Readonly<Record<string, string>>;
}

export interface RunningSystem {
  readonly url: string;
  readonly port: number;
  /** Only at the first start on a folder. */
  readonly setupLink: string | undefined;
  readonly data: string;
  readonly output: () => string;
  /** The process that `npm start` runs; to be killed by tests about orphans. */
  readonly process: ChildProcess;
  /** Resolves with the exit status; null when a signal ended it. */
  readonly ended: Promise<number | null>;
  stop(): Promise<number | null>;
}

export async function startSystem(more: readonly string[] = [], options: StartOptions = {}): Promise<RunningSystem> {
  const data = options.data ?? mkdtempSync(join(tmpdir(), 'enerchain-system-'));
  const port = options.port ?? (await twoFreePorts());
  const { child, output, ended } = npmStart(['--data', data, '--port', String(port), ...more], options);
  const stop = async (): Promise<number | null> => {
    // As Ctrl-C does it: to the whole process group.
    if (child.exitCode === null && child.signalCode === null && child.pid) process.kill(-child.pid, 'SIGINT');
    const code = await ended;
    if (!options.data) removeData(data);
    return code;
  };
  try {
    const ready = (): boolean => {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`npm start ended with ${child.exitCode}`);
      return /CloudEnerChain runs: /.test(output()) && /Stop with/.test(output());
    };
    await until('the system to be ready', ready, 300_000);
  } catch (error) {
    const said = `${(error as Error).message}\n${output()}\n${tails(data)}`;
    await stop();
    throw new Error(said);
  }
  return {
    url: `http://localhost:${port}`,
    port,
    setupLink: /https?:\/\/\S+#\/setup\/\S+/.exec(output())?.[0],
    data,
    output,
    process: child,
    ended,
    stop,
  };
}

/** `npm start` that is expected to end by itself. */
export async function startAndEnd(
  args: readonly string[],
  options: StartOptions = {},
): Promise<{ code: number | null; output: string }> {
  const { output, ended } = npmStart(args, options);
  return { code: await ended, output: output() };
}

function npmStart(
  args: readonly string[],
  options: StartOptions,
): { child: ChildProcess; output: () => string; ended: Promise<number | null> } {
  const child = spawn('npm', ['start', '--silent', '--', ...args], {
    cwd: options.root ?? root,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    env: { ...process.env, ...options.env },
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
  });
  let text = '';
  const keep = (chunk: Buffer): void => {
    text += chunk.toString('utf8');
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  return { child, output: () => text, ended: new Promise((done) => child.once('close', done)) };
}

/** Removes a data folder, and its database where that had to lie elsewhere (as root it does). */
export function removeData(data: string): void {
  try {
    const location = JSON.parse(readFileSync(join(data, 'centre', 'database', 'location.json'), 'utf8')) as {
      home: string;
    };
    rmSync(location.home, { recursive: true, force: true });
  } catch {
    // The centre has not come so far.
  }
  rmSync(data, { recursive: true, force: true });
}

/** The last lines of every log, for a failure's message. */
export function tails(data: string, lines = 5): string {
  let text = '';
  try {
    for (const name of readdirSync(join(data, 'logs'))) {
      text += `--- ${name}\n${readFileSync(join(data, 'logs', name), 'utf8')
        .split('\n')
        .slice(-lines)
        .join('\n')}\n`;
    }
  } catch {
    // No logs yet: there is nothing to add.
  }
  return text;
}

/**
 * Asks again and again until the answer is something, and returns it.
 * @param limit ms; it ends what would never end, and measures nothing
 * @throws Error that says what was waited for, and the last error of the question
 */
export async function until<T>(
  what: string,
  question: () => Promise<T | undefined | false> | T | undefined | false,
  limit = 90_000,
): Promise<T> {
  const deadline = performance.now() + limit;
  let last: unknown;
  for (;;) {
    try {
      const answer = await question();
      if (answer !== undefined && answer !== false) return answer;
      last = undefined;
    } catch (error) {
      last = error;
      if (/ended with/.test(String(error))) throw error;
    }
    if (performance.now() > deadline) {
      throw new Error(`waited ${limit / 1000} s in vain for ${what}${last ? `; last: ${String(last)}` : ''}`);
    }
    await new Promise((wake) => setTimeout(wake, 100));
  }
}

/** The first of two ports in a row that are free. */
export async function twoFreePorts(): Promise<number> {
  for (;;) {
    const first = await freePort();
    if (await isFree(first + 1)) return first;
  }
}
