/** The peer `golang.org/x/mod/sumdb/tlog`: proofs over our own tree file. Needs Go; built into `.peers` on demand. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { PEERS } from '../peers.ts';

const SOURCE = join(import.meta.dirname, 'peers', 'tlog');
const PROGRAM = join(PEERS, 'tlog');
export const TLOG_VERSION = 'golang.org/x/mod v0.31.0';

export interface TlogSaid {
  readonly root: string;
  /** SHA-256 over all proofs. */
  readonly inclusion: string;
  readonly consistency: string;
  readonly nanoseconds: number;
  /** Whether tlog accepts its own proofs. */
  readonly accepted: boolean;
}

/** @returns the program, or why there is none */
export function buildTlog(): { readonly program: string } | { readonly missing: string } {
  if (existsSync(PROGRAM)) return { program: PROGRAM };
  mkdirSync(PEERS, { recursive: true });
  const { status, stderr, error } = spawnSync('go', ['build', '-o', PROGRAM, '.'], { cwd: SOURCE, encoding: 'utf8' });
  if (status === 0) return { program: PROGRAM };
  return {
    missing: error ? 'there is no Go on this machine' : `it could not be built: ${stderr.trim().slice(0, 300)}`,
  };
}

/** @param tree path of a tree file. @throws Error with the words of the program */
export function askTlog(
  program: string,
  tree: string,
  size: number,
  from: number,
  indices: readonly number[],
): TlogSaid {
  const { stdout, stderr, status } = spawnSync(program, [tree, String(size), String(from)], {
    input: indices.join('\n'),
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`tlog: ${stderr}`);
  return JSON.parse(stdout);
}
