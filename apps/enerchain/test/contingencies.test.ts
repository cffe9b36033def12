/** `enerchain contingencies`: what an engineer and a script see, and the exit status. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { enerchain } from './enerchain.ts';

const folder = mkdtempSync(join(tmpdir(), 'enerchain-contingencies-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string, content: string): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const contingencies = (...args: string[]) => enerchain(['contingencies', ...args]);
/** Two lines to bus 20. @param rating MVA of each */
const twoLines = (rating: number): string => `function mpc = two
mpc.version = '2';
mpc.baseMVA = 100;
mpc.bus = [10 3 0 0 0 0 1 1 0 110 1 1.1 0.9; 20 1 90 10 0 0 1 1 0 110 1 1.1 0.9];
mpc.gen = [10 0 0 Inf -Inf 1.02 100 1 Inf 0];
mpc.branch = [10 20 0.01 0.05 0 ${rating} 0 0 0 0 1; 10 20 0.01 0.05 0 ${rating} 0 0 0 0 1];
`;

describe('enerchain contingencies', () => {
  it('lists the outages that would break limits, the worst first, and ends with 1', async () => {
    const path = file('two.m', twoLines(80));
    const json = await contingencies(path, '--json');
    expect(json.stderr).toBe('');
    expect(json.status).toBe(1);
    const result = JSON.parse(json.stdout);
    expect(result).toMatchObject({ name: 'two', outages: 5, violated: 2, losingLoad: 3 });
    expect(result.violations).toMatchObject([
      { outage: { equipment: 'branch:1' }, converged: true, limits: [{ equipment: 'branch:2', kind: 'overload' }] },
      { outage: { equipment: 'branch:2' } },
    ]);
    expect(result.loadLost[0]).toMatchObject({ islanded: { loadLostMW: 90 } });

    const text = await contingencies(path, '--limit', '1', '--all-ac', '--workers', '1');
    expect(text.status).toBe(1);
    expect(text.stdout).toMatch(
      /^two: 5 outages of 2 buses and 2 branches\n0 cleared by an estimate, 5 by a power flow/,
    );
    expect(text.stdout).toMatch(/branch 1 \(10–20\) +branch 2 \(10–20\) loaded 11\d\.\d %/);
    expect(text.stdout).toContain('and 1 more (--limit)');
  });

  it('ends with 0 when no outage breaks a limit, and takes groups', async () => {
    const path = file('wide.m', twoLines(200));
    const calm = await contingencies(path, '--outages', 'branches', '--json');
    expect(calm.status).toBe(0);
    expect(JSON.parse(calm.stdout)).toMatchObject({ outages: 2, violations: [], loadLost: [] });
    const groups = file('groups.json', JSON.stringify([{ name: 'the road', branches: [1, 2] }]));
    const both = await contingencies(path, '--outages', 'branches', '--groups', groups);
    expect(both.status).toBe(0);
    expect(both.stdout).toMatch(/the road +90\.0 MW at 1 buses/);
  });

  it('says what is wrong with what it was given', async () => {
    const path = file('two.m', twoLines(80));
    const cases: [string[], RegExp][] = [
      [['missing.m'], /missing\.m cannot be read/],
      [[path, '--outages', 'all'], /--outages is a list of branches, generators, buses/],
      [[path, '--limit', '0'], /--limit must be a whole number/],
      [[path, '--groups', file('bad.json', '[{"name": "x", "lines": [1]}]')], /lines/],
      [[file('much.m', twoLines(80).replace('90 10', '9000 10'))], /no solution before any outage/],
    ];
    for (const [args, say] of cases) {
      const { status, stderr } = await contingencies(...args);
      expect(status, args.join(' ')).not.toBe(0);
      expect(stderr).toMatch(say);
    }
  });
});
