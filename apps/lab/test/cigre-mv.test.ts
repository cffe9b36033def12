import { BUS_TYPE, branchTable, busTable, NewtonSolver } from '@enerchain/grid-state';
import { describe, expect, it } from 'vitest';
import { LINE_TYPES, LINES, LOADS, SOURCE, TRANSFORMER } from '../src/grid/cigre-mv.ts';

/**
 * Magnitude (per unit) and angle (degrees) of nodes 0 to 14 at the peak loads of the benchmark, without distributed
 * generation: `pandapower` 3.5.6, `create_cigre_network_mv(with_der=False)` and `runpp(calculate_voltage_angles=True,
 * tolerance_mva=1e-10)`.
 */
const PANDAPOWER: readonly (readonly [vm: number, va: number])[] = [
  [1.03, 0],
  [0.991971823, -36.55677079],
  [0.968147302, -37.60419065],
  [0.930961111, -39.33095981],
  [0.929098403, -39.43497343],
  [0.927822739, -39.5066217],
  [0.926320774, -39.59179097],
  [0.925121971, -39.5895604],
  [0.925404278, -39.57899212],
  [0.924421557, -39.61916722],
  [0.923173597, -39.68543005],
  [0.922979775, -39.6965272],
  [1.000146253, -35.48709976],
  [0.995325586, -35.53823672],
  [0.992552888, -35.56791277],
];

const BASE_MVA = 10;
const OMEGA = 2 * Math.PI * 50;

describe('the CIGRE medium-voltage benchmark', () => {
  it('has the voltages that pandapower finds for its own copy of it', () => {
    // A line that is open at one end hangs on the other one: its charging counts, so its open end is a bus of its own.
    const openLines = LINES.filter((line) => line.open !== undefined);
    const count = 15 + openLines.length;
    const buses = busTable(count);
    buses.type[0] = BUS_TYPE.slack;
    buses.vm[0] = SOURCE.voltage;
    for (const { node, s, cosPhi } of LOADS) {
      buses.p[node]! -= (s * cosPhi) / BASE_MVA;
      buses.q[node]! -= (s * Math.sqrt(1 - cosPhi * cosPhi)) / BASE_MVA;
    }
    const branches = branchTable(LINES.length + 2);
    const baseOhm = TRANSFORMER.ratedLow ** 2 / BASE_MVA;
    LINES.forEach((line, row) => {
      const { r, x, c } = LINE_TYPES[line.type];
      const end = (node: number): number => (line.open?.at === node ? 15 + openLines.indexOf(line) : node);
      branches.from[row] = end(line.from);
      branches.to[row] = end(line.to);
      branches.r[row] = (r * line.length) / baseOhm;
      branches.x[row] = (x * line.length) / baseOhm;
      const half = (OMEGA * c * 1e-9 * line.length * baseOhm) / 2;
      branches.bFrom[row] = half;
      branches.bTo[row] = half;
    });
    [1, 12].forEach((node, index) => {
      const row = LINES.length + index;
      const [vk, vkr] = [TRANSFORMER.vk / 100, TRANSFORMER.vkr / 100];
      branches.from[row] = 0;
      branches.to[row] = node;
      branches.r[row] = (vkr * BASE_MVA) / TRANSFORMER.ratedS;
      branches.x[row] = (Math.sqrt(vk * vk - vkr * vkr) * BASE_MVA) / TRANSFORMER.ratedS;
      // Dyn1: the low side lags by 30°.
      branches.shift[row] = Math.PI / 6;
    });
    const solver = new NewtonSolver(count, branches.from, branches.to);
    const solution = solver.solve({ buses, branches }, { tolerance: 1e-12 });
    expect(solution.converged).toBe(true);
    PANDAPOWER.forEach(([vm, va], node) => {
      expect(solution.vm[node], `magnitude of node ${node}`).toBeCloseTo(vm, 8);
      expect((solution.va[node]! * 180) / Math.PI, `angle of node ${node}`).toBeCloseTo(va, 6);
    });
  });
});
