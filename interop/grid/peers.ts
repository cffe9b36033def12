/** The power flows of others, in a Python environment of their own. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PEERS } from '../peers.ts';

/** What pip gives; licences: BSD-3, MPL-2.0, MPL-2.0, MPL-2.0; the others are what these need to read a case and to be fast. */
export const GRID_PEERS = {
  pandapower: '3.5.6',
  pypowsybl: '1.16.1',
  lightsim2grid: '1.2.0',
  'power-grid-model': '1.12.110',
} as const;
const BESIDE = {
  matpowercaseframes: '2.1.1',
  numba: '0.68.1',
  numpy: '2.4.6',
  scipy: '1.17.1',
  pandas: '2.3.3',
} as const;

export type GridPeer = keyof typeof GRID_PEERS;
export type GridPeersOrReason = { readonly python: string } | { readonly missing: string };

const PROGRAM = join(import.meta.dirname, 'peers', 'grid_peers.py');

/** Installed once, in a minute or two; afterwards a few seconds to see that they load. */
export function installGridPeers(): GridPeersOrReason {
  const folder = join(PEERS, 'grid');
  const python = join(folder, 'bin', 'python');
  const loads = (): boolean => {
    const { status, stdout } = spawnSync(python, [PROGRAM, 'versions'], { encoding: 'utf8', timeout: 120_000 });
    if (status !== 0) return false;
    const found = JSON.parse(stdout) as Record<string, string>;
    return Object.entries(GRID_PEERS).every(([name, version]) => found[name] === version);
  };
  if (existsSync(python) && loads()) return { python };
  mkdirSync(PEERS, { recursive: true });
  const quiet = { stdio: 'pipe', timeout: 540_000 } as const;
  try {
    if (!existsSync(python)) execFileSync('python3', ['-m', 'venv', folder], quiet);
    const wanted = Object.entries({ ...GRID_PEERS, ...BESIDE }).map(([name, version]) => `${name}==${version}`);
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--only-binary', ':all:'];
    execFileSync(python, [...pip, ...wanted], quiet);
  } catch (error) {
    const said = String((error as { stderr?: Buffer }).stderr ?? error).split('\n');
    const line = said.find((each) => /error|not found|no matching/i.test(each)) ?? said[0] ?? '';
    return { missing: `pandapower and others could not be installed: ${line.trim().slice(0, 300)}` };
  }
  return loads() ? { python } : { missing: 'pandapower and others are installed but cannot be loaded' };
}

/** Milliseconds of one call. */
export interface Timing {
  readonly median: number;
  readonly best: number;
  /** Of the processor, on average; what else runs on the machine does not count. Null where only a clock was to be had. */
  readonly cpu: number | null;
  readonly calls: number;
}

/** What a peer makes of a case: its voltages in the order of the file, pu and degrees. */
export type PeerResult =
  | { readonly failed: string }
  | {
      /** The call that a user makes, and what is inside it. */
      readonly whole?: Timing;
      readonly solver?: Timing;
      readonly iterations?: number;
      readonly vm: readonly (number | null)[];
      readonly va: readonly (number | null)[];
    };

function run(python: string, args: readonly string[], input: unknown): unknown {
  const text = execFileSync(python, [PROGRAM, ...args], {
    input: JSON.stringify(input),
    encoding: 'utf8',
    maxBuffer: 2 ** 29,
    stdio: ['pipe', 'pipe', 'ignore'],
    timeout: 580_000,
  });
  return JSON.parse(text);
}

/**
 * @param seconds for each of them
 * @param reactive per bus, pu: what is brought in where a voltage is held, for those that know no such buses
 */
export function solveWithPeers(
  python: string,
  file: string,
  seconds: number,
  peers: readonly GridPeer[],
  reactive?: readonly number[],
): Partial<Record<GridPeer, PeerResult>> {
  const given = reactive ? { reactive } : {};
  return run(python, ['case', file, String(seconds), ...peers], given) as Partial<Record<GridPeer, PeerResult>>;
}

/** A batch for power-grid-model: its own JSON, and a factor on each load in each scenario. */
export interface PgmBatch {
  readonly input: object;
  readonly loads: readonly number[];
  readonly scale: readonly (readonly number[])[];
}

export interface PgmBatchResult {
  /** Of the grid alone; of all scenarios with voltages, with flows too; on one thread and on all. */
  readonly single: Timing;
  readonly voltages: Timing;
  readonly voltagesThreads: Timing;
  readonly flows: Timing;
  readonly flowsThreads: Timing;
  readonly ids: readonly number[];
  /** Some scenarios, and the voltages in them: pu and degrees. */
  readonly picked: readonly number[];
  readonly vm: readonly (readonly number[])[];
  readonly va: readonly (readonly number[])[];
}

export function batchWithPgm(python: string, batch: PgmBatch, seconds: number): PgmBatchResult {
  const folder = mkdtempSync(join(tmpdir(), 'grid-peers-'));
  try {
    const file = join(folder, 'batch.json');
    writeFileSync(file, JSON.stringify(batch));
    return run(python, ['radial', file, String(seconds)], {}) as PgmBatchResult;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
