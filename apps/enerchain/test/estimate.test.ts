/** `enerchain estimate`: what an engineer and a script see, and the exit status. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { uuidV5 } from '@enerchain/model';
import { afterAll, describe, expect, it } from 'vitest';
import { enerchain } from './enerchain.ts';

const folder = mkdtempSync(join(tmpdir(), 'enerchain-estimate-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string, content: string): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const estimate = (...args: string[]) => enerchain(['estimate', ...args]);
const id = (name: string): string => uuidV5('6ba7b811-9dad-11d1-80b4-00c04fd430c8', `estimate:${name}`);
/** A ring of three with nothing at bus 30, fed at bus 10. */
const ring = file(
  'ring.m',
  `function mpc = ring
mpc.version = '2';
mpc.baseMVA = 100;
mpc.bus = [10 3 0 0 0 0 1 1 0 110 1 1.1 0.9; 20 1 50 20 0 0 1 1 0 110 1 1.1 0.9; 30 1 0 0 0 0 1 1 0 110 1 1.1 0.9];
mpc.gen = [10 0 0 Inf -Inf 1.05 100 1 Inf 0];
mpc.branch = [10 20 0.01 0.1 0 60 0 0 0 0 1; 30 20 0.01 0.1 0 60 0 0 0 0 1; 10 30 0.01 0.1 0 60 0 0 0 0 1];
`,
);

describe('enerchain estimate', () => {
  it('makes measurements up by a seed, estimates them, and reads back what it has saved', async () => {
    const saved = join(folder, 'made.csv');
    const first = await estimate(ring, '--simulate', '7', '--save', saved, '--json');
    expect(first.status).toBe(0);
    const result = JSON.parse(first.stdout);
    expect(result).toMatchObject({ converged: true, observable: true, badData: [], zeroInjections: 1, baseMVA: 100 });
    expect(result.buses[0]).toMatchObject({ id: 10, va: 0, sigmaVa: 0 });
    for (const { vm, sigmaVm } of result.buses) expect(Math.abs(vm - 1.03)).toBeLessThan(0.03 + 5 * sigmaVm);
    // Nothing is injected at bus 30, exactly.
    expect(Math.abs(result.buses[2].p)).toBeLessThan(1e-9);
    expect(readFileSync(saved, 'utf8')).toMatch(/^kind,bus,from,to,circuit,value,sigma\nvoltage,10,/);
    const second = JSON.parse((await estimate(ring, '--measurements', saved, '--json')).stdout);
    expect(second.buses[1].vm).toBe(result.buses[1].vm);
    expect((await estimate(ring, '--simulate', '8', '--json')).stdout).not.toBe(first.stdout);
  });

  it('names a wrong measurement, and what would have to be measured', async () => {
    const saved = join(folder, 'made.json');
    await estimate(ring, '--simulate', '7', '--save', saved);
    const { measurements } = JSON.parse(readFileSync(saved, 'utf8'));
    // At bus 20 towards 30: the case file has that branch from 30 to 20.
    const wrong = measurements.findIndex((m: { kind: string; from: number; to: number }) => {
      return m.kind === 'pFlow' && m.from === 20 && m.to === 30;
    });
    measurements[wrong].value += 0.3;
    const text = await estimate(ring, '--measurements', file('wrong.json', JSON.stringify(measurements)));
    expect(text.status).toBe(0);
    expect(text.stdout).toMatch(/bad data: pFlow at 20 towards 30 = .*, off by 0\.[23]/);

    const few = file('few.csv', 'kind;bus;from;to;value;sigma\nvoltage;10;;;1.05;0.004\npFlow;;10;20;0.3;0.01\n');
    const blind = await estimate(ring, '--measurements', few, '--no-zero-injections');
    expect(blind.status).toBe(1);
    expect(blind.stdout).toMatch(/NOT observable: 3 measurements are missing; nothing is known of bus 20, bus 30/);
    expect(blind.stdout).toMatch(/to be measured: .*flow at bus/);
  });

  it('takes a grid of equipment with measurements at its terminals', async () => {
    const t = (name: string, node: string) => ({ mRID: id(name), connectivityNode: id(node) });
    const level = { mRID: id('level'), name: '110 kV', substation: id('station'), nominalVoltage: 110 };
    const grid = {
      mRID: id('grid'),
      name: 'line',
      version: 1,
      frequency: 50,
      substations: [{ mRID: id('station'), name: 'station' }],
      voltageLevels: [level],
      bays: [],
      connectivityNodes: ['a', 'b'].map((name) => ({ mRID: id(name), name, voltageLevel: level.mRID })),
      equipment: [
        {
          class: 'ExternalNetworkInjection',
          mRID: id('source'),
          name: 'source',
          terminals: [t('source a', 'a')],
          voltage: 112,
        },
        {
          class: 'ACLineSegment',
          mRID: id('line'),
          name: 'line',
          terminals: [t('line a', 'a'), t('line b', 'b')],
          r: 2,
          x: 8,
          bch: 1e-5,
        },
        { class: 'EnergyConsumer', mRID: id('load'), name: 'load', terminals: [t('load b', 'b')], p: 20, q: 5 },
      ],
    };
    const model = file('grid.json', JSON.stringify(grid));
    const saved = join(folder, 'terminals.csv');
    const made = await estimate(model, '--simulate', '3', '--save', saved, '--json');
    expect(made.stderr).toBe('');
    expect(made.status).toBe(0);
    const result = JSON.parse(made.stdout);
    expect(result).toMatchObject({ name: 'line', converged: true, estimate: { observable: true, badData: [] } });
    expect(result.estimate.measurements).toHaveLength(10);
    const wrong = readFileSync(saved, 'utf8').replace(/^p,(\S+?),20\.\d+/m, 'p,$1,26.5');
    const text = await estimate(model, '--measurements', file('wrong.csv', wrong));
    expect(text.stdout).toMatch(/bad data: p of (line|load) .*, off by 6\.\d/);
    const one = `kind,terminal,value,sigma\nvoltage,${id('line b')},110,0.4\n`;
    const few = await estimate(model, '--measurements', file('one.csv', one));
    expect(few.status).toBe(1);
    expect(few.stdout).toMatch(/NOT observable[\s\S]*nothing is known of a, b[\s\S]*to be measured: /);
  });

  it.each([
    ['kind,value,sigma\nvoltage,1,0.1\n', /line 2: 'bus' is no number/],
    ['kind,bus,value,sigma\nfrequency,10,50,0.1\n', /line 2: its kind is "frequency"; there are voltage, /],
    ['kind,bus,value,sigma\nvoltage,10,1,0\n', /line 2: a standard deviation cannot be 0/],
    ['kind,bus,value,sigma\nvoltage,10,1\n', /line 2: it has 3 columns instead of 4/],
    ['kind,bus,value,sigma\nvoltage,11,1,0.1\n', /measurement 1 \(voltage\): there is no bus 11/],
    ['{"measurements": 3}', /there is no list "measurements"/],
    [
      '[{"kind": "pFlow", "from": 10, "to": 20, "circuit": 2, "value": 1, "sigma": 1}]',
      /no branch 2 between buses 10 and 20/,
    ],
    ['', /names no column 'kind'/],
  ])('says what is wrong with %j', async (content, sentence) => {
    const { status, stderr } = await estimate(ring, '--measurements', file('bad', content));
    expect(status).toBe(1);
    expect(stderr).toMatch(sentence);
  });
});
