/** `npx enerchain …` as a person types it. */
import { spawnSync } from 'node:child_process';
import { root } from './running-system.ts';

export interface Said {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs to its end. @param env added to the environment of this process */
export function enerchain(args: readonly string[], env: Readonly<Record<string, string>> = {}): Said {
  const { ENERCHAIN_URL: _url, ENERCHAIN_TOKEN: _token, ...inherited } = process.env;
  const { status, stdout, stderr } = spawnSync('npx', ['enerchain', ...args], {
    cwd: root,
    encoding: 'utf8',
    timeout: 60_000,
    // npm's own remarks about its configuration are not ours.
    env: { ...inherited, npm_config_loglevel: 'error', ...env },
  });
  return { status, stdout, stderr };
}
