/** Our state estimation and those of others make the same of the same measurements. */
import { readFileSync } from 'node:fs';
import { readMatpower } from '@enerchain/cim';
import { CaseEstimator, CaseSolver, caseOfMatpower, simulateMeasurements } from '@enerchain/grid-state';
import { beforeAll, describe, expect, test } from 'vitest';
import { hasMatpower, matpowerFile } from '../../services/grid-state/test/matpower.ts';
import { deviation, type EstimationPeer, estimateWithPeers } from './estimation-peers.ts';
import { type GridPeersOrReason, installGridPeers } from './peers.ts';

/** Cases, and the peers that come to an estimate there; pandapower finds none for case118 and case300. */
const CASES: Readonly<Record<string, readonly EstimationPeer[]>> = {
  case9: ['pandapower', 'power-grid-model'],
  case39: ['pandapower', 'power-grid-model'],
  case118: ['power-grid-model'],
  case300: ['power-grid-model'],
  case1354pegase: ['pandapower', 'power-grid-model'],
};

describe.skipIf(!hasMatpower('case9'))('the state estimation of cases', () => {
  let peers: GridPeersOrReason = { missing: 'not tried' };
  beforeAll(() => {
    peers = installGridPeers();
    if ('missing' in peers) console.log(peers.missing);
  }, 600_000);

  for (const [name, tools] of Object.entries(CASES)) {
    test(`${name} is estimated alike by ${tools.join(', ')}`, { timeout: 300_000 }, ({ skip }) => {
      if ('missing' in peers) return skip(peers.missing);
      const file = matpowerFile(name);
      const grid = caseOfMatpower(readMatpower(readFileSync(file, 'utf8')));
      const measurements = simulateMeasurements(new CaseSolver(grid).solve(), { seed: 1, injections: false });
      const ours = new CaseEstimator(grid).estimate(measurements, { tolerance: 1e-9 });
      expect(ours).toMatchObject({ converged: true, observable: true, badData: [] });
      const results = estimateWithPeers(peers.python, file, grid, measurements, 0, tools);
      for (const tool of tools) {
        const result = results[tool]!;
        if ('failed' in result) throw new Error(`${tool}: ${result.failed}`);
        const reference = ours.buses.findIndex(({ sigmaVa }) => sigmaVa === 0);
        const { magnitude, angle } = deviation(ours.buses, result, reference);
        // pandapower knows constraints as weights only.
        expect(magnitude, `${tool}, magnitude`).toBeLessThan(tool === 'pandapower' ? 1e-6 : 1e-9);
        expect(angle, `${tool}, angle`).toBeLessThan(tool === 'pandapower' ? 1e-5 : 1e-6);
      }
    });
  }
});
