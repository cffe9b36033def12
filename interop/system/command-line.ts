/** `npx enerchain …` as a person types it. */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { root } from './running-system.ts';

export interface Said {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs to its end. @param env added to the environment of this process */
export async function enerchain(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Said> {
  const { ENERCHAIN_URL: _url, ENERCHAIN_TOKEN: _token, ...inherited } = process.env;
  const child = spawn('npx', ['enerchain', ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 120_000,
    // npm's own remarks about its configuration are not ours.
    env: { ...inherited, npm_config_loglevel: 'error', ...env },
  });
  const ended = new Promise<number | null>((done) => child.once('close', done));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { status: await ended, stdout, stderr };
}
