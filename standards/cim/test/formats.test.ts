/** Formats of engineers: MATPOWER cases and inputs of power-grid-model. */
import { globSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CimError } from '../src/error.ts';
import { readMatpower } from '../src/formats/matpower.ts';
import { readPowerGridModel, readPowerGridModelBatch } from '../src/formats/power-grid-model.ts';
import { data, missing } from './reference-data.ts';

const codeOf = (read: () => unknown): string => {
  try {
    read();
  } catch (error) {
    if (error instanceof CimError) return `${error.code} ${error.line ?? ''}`.trim();
    throw error;
  }
  return 'read';
};

const CASE = `function mpc = tiny
% a case
mpc.version = '2';
mpc.baseMVA = 100; % MVA
mpc.bus = [ % rows
  1 3 0 0 0 0 1 1.02 0 110 1 1.1 0.9;
  2, 1, 50, -1.5e1, 0, 19, 1, 1, 0, 110, ...
     1, 1.1, 0.9
];
mpc.gen = [1 50 0 Inf -Inf 1.02 100 1 250 10];
mpc.branch = [1 2 0.01 0.1 0.02 0 0 0 0 0 1; 1 2 .01 1d-1 0 0 0 0 0.98 -30 0];
mpc.bus_name = {
  'North';
  'it''s South';
};
mpc.gencost = [2 0 0 3 0 1 0];
`;

describe('MATPOWER', () => {
  test('a case with comments, continued rows, infinite limits and names', () => {
    const read = readMatpower(CASE);
    expect(read).toMatchObject({ name: 'tiny', baseMVA: 100, others: ['gencost'] });
    expect(read.buses).toMatchObject([
      { number: 1, type: 'slack', vm: 1.02, name: 'North' },
      { number: 2, type: 'pq', pd: 50, qd: -15, bs: 19, vmin: 0.9, name: "it's South" },
    ]);
    expect(read.generators).toMatchObject([{ bus: 1, qmax: Number.POSITIVE_INFINITY, inService: true, pmin: 10 }]);
    expect(read.branches).toMatchObject([
      { from: 1, to: 2, x: 0.1, b: 0.02, inService: true },
      { x: 0.1, ratio: 0.98, angle: -30, inService: false },
    ]);
  });

  test.each([
    ['NaN', CASE.replace('0.01 0.1', '0.01 NaN'), 'matpower.format 11'],
    ['an unknown bus', CASE.replace('[1 2 0.01', '[1 7 0.01'), 'matpower.format 11'],
    ['a bus twice', CASE.replace('  2, 1, 50', '  1, 1, 50'), 'matpower.format 7'],
    ['a row that is too short', CASE.replace(' 250 10]', ' 250]'), 'matpower.format 10'],
    ['arithmetic', CASE.replace('= 100;', '= 10 * 10;'), 'matpower.code 4'],
    ['arithmetic in a row', CASE.replace('[1 50 ', '[1 5*10 '), 'matpower.format 10'],
    ['a loop', `${CASE}for k = 1:3\nend\n`, 'matpower.code 17'],
    ['a changed column', `${CASE}mpc.bus(:, 3) = 0;\n`, 'matpower.code 17'],
    ['another version', CASE.replace("'2'", "'1'"), 'matpower.version 3'],
    ['a matrix without end', CASE.slice(0, CASE.indexOf('];')), 'matpower.format 7'],
    ['something else', '<html>', 'matpower.format 1'],
  ])('%s is refused with its line', (_, text, code) => {
    expect(codeOf(() => readMatpower(text))).toBe(code);
  });

  test('a case changed anywhere is read or refused, and ends', () => {
    fc.assert(
      fc.property(fc.nat(CASE.length), fc.string({ maxLength: 3 }), fc.nat(20), (at, put, out) => {
        expect(codeOf(() => readMatpower(CASE.slice(0, at) + put + CASE.slice(at + out)))).toMatch(
          /^(read|matpower\.)/,
        );
      }),
      { numRuns: 2_000 },
    );
  });

  test.skipIf(missing !== undefined)(`every published case is read${missing ? ` (${missing})` : ''}`, () => {
    const sizes = globSync(data('matpower', '*.m')).map((path) => {
      const { buses, branches, generators } = readMatpower(readFileSync(path, 'utf8'));
      expect(branches.length).toBeGreaterThanOrEqual(buses.length - 1);
      expect(generators.length).toBeGreaterThan(0);
      expect(buses.filter(({ type }) => type === 'slack')).toHaveLength(1);
      return buses.length;
    });
    expect(sizes.sort((a, b) => a - b)).toEqual([
      9, 14, 30, 30, 39, 57, 118, 200, 300, 500, 1354, 2000, 2869, 3120, 9241,
    ]);
  });
});

const input = (components: unknown, attributes: unknown = {}): string =>
  JSON.stringify({ version: '1.0', type: 'input', is_batch: false, attributes, data: components });
const NODES = [
  [1, 10_500],
  [2, 10_500],
];
const link = { id: 3, from_node: 1, to_node: 2, from_status: 1, to_status: 1, note: 'x' };

describe('power-grid-model', () => {
  test('components as rows and as objects; notes are named and left out', () => {
    const { components, typeOf, ignored } = readPowerGridModel(
      input({ node: NODES, link: [link] }, { node: ['id', 'u_rated'] }),
    );
    expect(components.get('node')).toEqual([
      { id: 1, u_rated: 10_500 },
      { id: 2, u_rated: 10_500 },
    ]);
    expect(typeOf.get(3)).toBe('link');
    expect(ignored).toEqual(['link.note']);
  });

  test.each([
    ['no JSON', '{', 'pgm.format'],
    ['another version', input({}).replace('1.0', '2.0'), 'pgm.version'],
    ['an output', input({}).replace('"input"', '"sym_output"'), 'pgm.format'],
    ['an id twice', input({ node: [{ id: 1, u_rated: 1 }], link: [{ ...link, id: 1 }] }), 'pgm.format'],
    ['a node that is not there', input({ node: [{ id: 1, u_rated: 1 }], link: [link] }), 'pgm.reference'],
    ['an attribute missing', input({ node: [{ id: 1 }] }), 'pgm.format'],
    ['a row without its list', input({ node: NODES }), 'pgm.format'],
    ['an unknown component', input({ flux: [{ id: 1 }] }), 'pgm.component'],
  ])('%s is refused', (_, text, code) => {
    expect(codeOf(() => readPowerGridModel(text))).toBe(code);
  });

  test.skipIf(missing !== undefined)(`every published case is read${missing ? ` (${missing})` : ''}`, () => {
    const inputs = globSync(data('power-grid-model', '**', 'input.json'));
    expect(inputs.length).toBeGreaterThan(100);
    for (const path of inputs) {
      const { components } = readPowerGridModel(readFileSync(path, 'utf8'));
      expect(components.get('source')?.length, path).toBeGreaterThan(0);
    }
    const batches = globSync(data('power-grid-model', '**', 'update_batch.json'));
    expect(batches.length).toBeGreaterThan(10);
    for (const path of batches) expect(readPowerGridModelBatch(readFileSync(path, 'utf8')).length).toBeGreaterThan(0);
  });
});
