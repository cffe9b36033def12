/** What we write as CGMES, read and solved by PowSyBl. */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeFile } from '@enerchain/cim';
import { buildNetwork, type PowerFlowResult, solvePowerFlow } from '@enerchain/grid-state';
import { buildLabGrid } from '@enerchain/lab';
import type { GridModel } from '@enerchain/model';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openGridCase, positionsOf } from '../../apps/enerchain/src/grid/open-case.ts';
import { gridToCim } from '../../apps/enerchain/src/grid/to-cim.ts';
import { referenceData } from '../../tools/reference-data.ts';
import { type GridPeersOrReason, installGridPeers } from './peers.ts';

type Solved =
  | { readonly failed: string }
  | {
      readonly busbars: Readonly<Record<string, readonly [kV: number, degrees: number]>>;
      readonly lines: Readonly<Record<string, readonly [MW: number, Mvar: number]>>;
    };

const FOLDER = mkdtempSync(join(tmpdir(), 'exchange-'));
const MINIGRID = referenceData('cgmes', 'cgmes3-test-models', 'MiniGrid');
/** kV and MW: what two programs may differ by that are as exact as they can be. */
const EXACT = 1e-8;

function write(name: string, grid: GridModel): { folder: string; solution: PowerFlowResult } {
  const solution = solvePowerFlow(
    buildNetwork(grid, positionsOf(grid)),
    {},
    { reactiveLimits: false, tolerance: 1e-12 },
  );
  const times = { created: '2026-06-17T12:00:00Z', scenarioTime: '2026-06-17T12:30:00Z' };
  const model = gridToCim(grid, { authority: 'urn:interop', ...times, id: randomUUID, solution });
  const folder = join(FOLDER, name);
  mkdirSync(folder);
  for (const [index, file] of model.files.entries()) {
    writeFileSync(join(folder, file.name), [...writeFile(model, index)].join(''));
  }
  return { folder, solution };
}

const solveWithPowsybl = (python: string, ...folders: readonly string[]): Solved[] =>
  JSON.parse(
    execFileSync(python, [join(import.meta.dirname, 'peers', 'exchange_peer.py'), ...folders], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 280_000,
    }),
  );

describe('CGMES that we write', () => {
  let peers: GridPeersOrReason = { missing: 'not tried' };
  beforeAll(() => {
    peers = installGridPeers();
    if ('missing' in peers) console.log(peers.missing);
  }, 600_000);
  afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

  test('a grid of the platform: PowSyBl finds the power flow that we find', { timeout: 300_000 }, ({ skip }) => {
    if ('missing' in peers) return skip(peers.missing);
    const { model } = buildLabGrid();
    const { folder, solution } = write('lab', model);
    const [theirs] = solveWithPowsybl(peers.python, folder);
    if (!theirs || 'failed' in theirs) throw new Error(`PowSyBl: ${theirs?.failed}`);
    let compared = 0;
    for (const { class: name, mRID, terminals } of model.equipment) {
      const [{ mRID: terminal, connectivityNode }] = terminals as [(typeof terminals)[number]];
      if (name === 'BusbarSection') {
        const { voltage } = solution.buses[solution.busOfNode.get(connectivityNode)!]!;
        expect(Math.abs(theirs.busbars[mRID]![0] - voltage!), mRID).toBeLessThan(EXACT);
        compared++;
      } else if (name === 'ACLineSegment') {
        const { p, q } = solution.flows.get(terminal)!;
        const [theirP, theirQ] = theirs.lines[mRID]!;
        expect(Math.abs(theirP - p), `P of ${mRID}`).toBeLessThan(EXACT);
        expect(Math.abs(theirQ - q), `Q of ${mRID}`).toBeLessThan(EXACT);
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(25);
  });

  test.skipIf(MINIGRID === undefined)(
    'a published grid, read and written again: PowSyBl finds what it finds in the published files',
    { timeout: 300_000 },
    async ({ skip }) => {
      if ('missing' in peers) return skip(peers.missing);
      const open = await openGridCase([MINIGRID!], { solved: false });
      if (open.kind !== 'grid') throw new Error('no grid');
      const { folder } = write('minigrid', open.model);
      const [published, written] = solveWithPowsybl(peers.python, MINIGRID!, folder);
      if (!published || !written || 'failed' in published || 'failed' in written) {
        throw new Error(`PowSyBl: ${JSON.stringify([published, written])}`);
      }
      expect(Object.keys(written.busbars).sort()).toEqual(Object.keys(published.busbars).sort());
      expect(Object.keys(written.busbars).length).toBeGreaterThan(10);
      for (const [mRID, [kV, degrees]] of Object.entries(published.busbars)) {
        expect(Math.abs(written.busbars[mRID]![0] - kV), mRID).toBeLessThan(EXACT);
        expect(Math.abs(written.busbars[mRID]![1] - degrees), mRID).toBeLessThan(EXACT);
      }
    },
  );
});
