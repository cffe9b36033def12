/** `enerchain powerflow`: what an engineer and a script see of a case, and the exit status. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { enerchain } from './enerchain.ts';

const folder = mkdtempSync(join(tmpdir(), 'enerchain-powerflow-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const powerflow = (name: string, content: string, ...more: string[]) => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return enerchain(['powerflow', path, ...more]);
};
/** @param load MW at bus 20, Mvar likewise */
const twoBuses = (load: number): string => `function mpc = two
mpc.version = '2';
mpc.baseMVA = 100;
mpc.bus = [10 3 0 0 0 0 1 1 0 110 1 1.1 0.9; 20 1 ${load} ${load} 0 0 1 1 0 110 1 1.1 0.9];
mpc.gen = [10 0 0 Inf -Inf 1.05 100 1 Inf 0];
mpc.branch = [10 20 0 0.1 0 60 0 0 0 0 1];
`;

describe('enerchain powerflow', () => {
  it('prints the solution in pu and degrees under the bus numbers of the file, and ends with 0', async () => {
    const { status, stdout } = await powerflow('two.m', twoBuses(40), '--json');
    expect(status).toBe(0);
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({ converged: true, baseMVA: 100, buses: [{ id: 10, vm: 1.05, va: 0 }, { id: 20 }] });
    expect(result.iterations).toBeGreaterThan(0);
    expect(result.maxMismatch).toBeLessThan(1e-8);
    // V² of the one line without resistance, in closed form: v⁴ + (2qx − e²)v² + x²(p² + q²) = 0.
    const half = (1.05 ** 2 - 2 * 0.4 * 0.1) / 2;
    const v = Math.sqrt(half + Math.sqrt(half ** 2 - 0.01 * 2 * 0.16));
    expect(result.buses[1].vm).toBeCloseTo(v, 9);
    expect(result.buses[1].va).toBeCloseTo((-Math.asin((0.4 * 0.1) / (1.05 * v)) * 180) / Math.PI, 7);
    expect(result.branches).toMatchObject([{ from: 10, to: 20, inService: true }]);
    expect(result.branches[0].pTo).toBeCloseTo(-0.4, 9);

    const text = await powerflow('two.m', twoBuses(40));
    expect(text.status).toBe(0);
    expect(text.stdout).toMatch(/^two: 2 buses, 1 branches/);
    expect(text.stdout).toMatch(/converged in \d iterations/);
    expect(text.stdout).toContain(`      20   ${v.toFixed(5)}`);
  });

  it('solves an input of power-grid-model under its own ids, with a regulator that may move its tap', async () => {
    const component = (values: Record<string, number>) => values;
    const input = (regulated: boolean) => ({
      version: '1.0',
      type: 'input',
      is_batch: false,
      attributes: {},
      data: {
        node: [component({ id: 1, u_rated: 10e3 }), component({ id: 2, u_rated: 400 })],
        source: [component({ id: 3, node: 1, status: 1, u_ref: 1.06 })],
        transformer: [
          component({
            ...{ id: 4, from_node: 1, to_node: 2, from_status: 1, to_status: 1, u1: 10e3, u2: 400, sn: 4e5 },
            ...{ uk: 0.04, pk: 4e3, i0: 0.01, p0: 500, winding_from: 2, winding_to: 1, clock: 5 },
            ...{ tap_side: 0, tap_pos: 0, tap_min: -5, tap_max: 5, tap_size: 150 },
          }),
        ],
        sym_load: [component({ id: 5, node: 2, status: 1, type: 0, p_specified: 1e5, q_specified: 2e4 })],
        ...(regulated
          ? {
              transformer_tap_regulator: [
                component({ id: 6, regulated_object: 4, status: 1, control_side: 1, u_set: 400, u_band: 8 }),
              ],
            }
          : {}),
      },
    });
    const still = await powerflow('input.json', JSON.stringify(input(true)), '--json');
    expect(still.status).toBe(0);
    const { buses, branches } = JSON.parse(still.stdout);
    // The stiff voltage behind the source is no node of the file.
    expect(buses.map(({ id }: { id: number }) => id)).toEqual([1, 2]);
    expect(buses[1].vm).toBeGreaterThan(1.04);
    expect(buses[1].va).toBeCloseTo(-150, -1);
    expect(branches).toMatchObject([{ id: 4, from: 1, to: 2, pTo: expect.closeTo(-0.1, 6) }]);
    const moved = JSON.parse((await powerflow('input.json', JSON.stringify(input(true)), '--json', '--taps')).stdout);
    expect(Math.abs(moved.buses[1].vm - 1)).toBeLessThan(0.011);
    expect(moved.islands[0].moved).toHaveLength(1);
    const fixed = JSON.parse((await powerflow('input.json', JSON.stringify(input(false)), '--json', '--taps')).stdout);
    expect(fixed.buses[1].vm).toBeCloseTo(buses[1].vm, 9);
  });

  it('says where it does not add up and ends with 1 when there is no solution', async () => {
    const { status, stdout } = await powerflow('much.m', twoBuses(4000));
    expect(stdout).toMatch(/NOT converged[\s\S]*at bus 20 there is a mismatch/);
    expect(status).toBe(1);
    const json = await powerflow('much.m', twoBuses(4000), '--json');
    expect(json.status).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({
      converged: false,
      buses: [{ id: 10, vm: null }, { id: 20 }],
      islands: [{ largestMismatches: [{ bus: 20 }] }],
    });
  });

  it('refuses in a sentence what is no case or is of a format that is not solved', async () => {
    const code = await powerflow('code.m', 'function mpc = x\nmpc.baseMVA = 2 * 50;\n');
    expect(code.status).toBe(1);
    expect(code.stderr).toMatch(/computes is not read/);
    const other = await powerflow('other.json', '{"buses": []}');
    expect(other.status).toBe(1);
    expect(other.stderr).toMatch(/is JSON, but neither a grid model nor an input of power-grid-model/);
    const xml = await powerflow('other.xml', '<page/>');
    expect(xml.status).toBe(1);
    expect(xml.stderr).toMatch(/there is no grid in it: other\.xml/);
  });
});
