/** Our power flow and those of others agree on published cases. */
import { readFileSync } from 'node:fs';
import { readMatpower } from '@enerchain/cim';
import { CaseSolver, caseOfMatpower } from '@enerchain/grid-state';
import { beforeAll, describe, expect, test } from 'vitest';
import { hasMatpower, matpowerFile } from '../../services/grid-state/test/matpower.ts';
import { type GridPeer, type GridPeersOrReason, installGridPeers, type PeerResult, solveWithPeers } from './peers.ts';

/** Cases, and the peers that read them as MATPOWER means them. */
const CASES: Readonly<Record<string, readonly GridPeer[]>> = {
  case9: ['lightsim2grid', 'pandapower', 'pypowsybl', 'power-grid-model'],
  case14: ['lightsim2grid', 'power-grid-model'],
  case39: ['lightsim2grid', 'pandapower', 'pypowsybl', 'power-grid-model'],
  case118: ['lightsim2grid', 'pandapower', 'power-grid-model'],
  case1354pegase: ['lightsim2grid', 'pypowsybl', 'power-grid-model'],
  case2869pegase: ['lightsim2grid', 'pypowsybl'],
};
/** pu and degrees: what two programs with a tolerance of 1e-8 may differ by. */
const VOLTAGE = 1e-6;
const ANGLE = 1e-4;

describe.skipIf(!hasMatpower('case9'))('the power flow of cases', () => {
  let peers: GridPeersOrReason = { missing: 'not tried' };
  beforeAll(() => {
    peers = installGridPeers();
    if ('missing' in peers) console.log(peers.missing);
  }, 600_000);

  for (const [name, tools] of Object.entries(CASES)) {
    test(`${name} is solved alike by ${tools.join(', ')}`, { timeout: 300_000 }, ({ skip }) => {
      if ('missing' in peers) return skip(peers.missing);
      const file = matpowerFile(name);
      const ours = new CaseSolver(caseOfMatpower(readMatpower(readFileSync(file, 'utf8')))).solve();
      expect(ours.converged).toBe(true);
      const reference = ours.buses.findIndex(({ id }) => id === ours.islands[0]!.references[0]);
      const reactive = ours.buses.map(({ q }) => q ?? 0);
      const results = solveWithPeers(peers.python, file, 0, tools, reactive);
      for (const tool of tools) {
        const result = results[tool] as PeerResult;
        if ('failed' in result) throw new Error(`${tool}: ${result.failed}`);
        // Some turn the whole grid so that the reference stands at 0.
        const turn = ours.buses[reference]!.va! - result.va[reference]!;
        ours.buses.forEach(({ id, vm, va }, i) => {
          expect(Math.abs(vm! - result.vm[i]!), `${tool}, magnitude at bus ${id}`).toBeLessThan(VOLTAGE);
          expect(Math.abs(va! - result.va[i]! - turn), `${tool}, angle at bus ${id}`).toBeLessThan(ANGLE);
        });
      }
    });
  }
});
