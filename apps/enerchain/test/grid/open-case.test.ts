/** Grids of every kind through one door, and files that are none. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildNetwork, solvePowerFlow } from '@enerchain/grid-state';
import { EnerchainError } from '@enerchain/model';
import { afterAll, describe, expect, it } from 'vitest';
import { gridReport, gridText } from '../../src/grid/grid-report.ts';
import { type OpenGrid, openGridCase } from '../../src/grid/open-case.ts';
import { about, at, end, object, type Part, STATION, source, TRANSFORMER } from './cim-text.ts';

const folder = mkdtempSync(join(tmpdir(), 'enerchain-open-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const put = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, content);
  return path;
};
async function text(part: Part, index: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source(part, index).open!()) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
/** @returns the files, in a folder of their own */
async function exported(name: string, ...parts: (string | Part)[]): Promise<string[]> {
  const whole = parts.map((part): Part => (typeof part === 'string' ? { profile: 'EQ', body: part } : part));
  return Promise.all(
    whole.map(async (part, index) => put(`${name}/${part.profile}${index}.xml`, await text(part, index))),
  );
}
const codeOf = async (paths: readonly string[]): Promise<string> => {
  try {
    await openGridCase(paths);
  } catch (error) {
    if (error instanceof EnerchainError) return error.code;
    throw error;
  }
  return 'opened';
};

const FED: string =
  STATION +
  TRANSFORMER +
  at('ExternalNetworkInjection', 'feed', ['a'], { 'Equipment.EquipmentContainer': '@high' }) +
  at('Breaker', 'q0', ['a', 'b'], { 'Switch.normalOpen': true, 'Equipment.EquipmentContainer': '@high' }) +
  at('ACLineSegment', 'line', ['c', 'd'], { r: 0.5, x: 0.5, bch: 0 }) +
  at('EnergyConsumer', 'load', ['d']);
const CLOSED: Part = {
  profile: 'SSH',
  body: about('Breaker', 'q0', { 'Switch.open': false }) + about('EnergyConsumer', 'load', { p: 3, q: 1 }),
};
const MATPOWER = `function mpc = tiny
mpc.version = '2';
mpc.baseMVA = 100;
mpc.bus = [1 3 0 0 0 0 1 1 0 110 1 1.1 0.9; 2 1 5 1 0 0 1 1 0 110 1 1.1 0.9];
mpc.gen = [1 0 0 10 -10 1 100 1 10 0];
mpc.branch = [1 2 0.01 0.1 0 0 0 0 0 0 1];
`;
const PGM = JSON.stringify({
  ...{ version: '1.0', type: 'input', is_batch: false, attributes: {} },
  data: { node: [{ id: 1, u_rated: 10e3 }], source: [{ id: 2, node: 1, status: 1, u_ref: 1 }] },
});

describe('a grid in files', () => {
  it('is CGMES in files, a folder or a zip, whatever their names; switches stand as the hypothesis has them', async () => {
    const files = await exported('cgmes', FED, CLOSED);
    for (const paths of [files, [join(folder, 'cgmes')]]) {
      const open = (await openGridCase(paths)) as OpenGrid;
      expect(open).toMatchObject({ kind: 'grid', format: 'cgmes', leftOut: [] });
      const breaker = open.model.equipment.find(({ name }) => name === 'q0')!;
      expect(open.state.switches!.get(breaker.mRID)).toBe(true);
      const result = solvePowerFlow(buildNetwork(open.model, open.state));
      expect(result.converged).toBe(true);
      expect(result.islands.filter(({ energised }) => energised)).toHaveLength(1);
    }
  });

  it('is our own model as JSON', async () => {
    const { model } = (await openGridCase(await exported('own', FED, CLOSED))) as OpenGrid;
    const open = await openGridCase([put('own.json', JSON.stringify(model))]);
    expect(open).toMatchObject({ kind: 'grid', format: 'enerchain', name: model.name });
    expect((open as OpenGrid).model).toEqual(model);
    const { equipment, ...rest } = model;
    const broken = put('broken.json', JSON.stringify({ ...rest, equipment: [{ class: 'Reactor' }, ...equipment] }));
    await expect(openGridCase([broken])).rejects.toThrow(/broken\.json is not valid: \/equipment\/0/);
  });

  it('is a MATPOWER case or an input of power-grid-model, alone or the only one of a folder', async () => {
    expect(await openGridCase([put('case.m', MATPOWER)])).toMatchObject({
      kind: 'case',
      format: 'matpower',
      name: 'tiny',
    });
    put('some/tiny.m', MATPOWER);
    expect(await openGridCase([join(folder, 'some')])).toMatchObject({ kind: 'case', name: 'tiny' });
    put('pgm/input.json', PGM);
    put('pgm/sym_output.json', '{}');
    expect(await openGridCase([join(folder, 'pgm')])).toMatchObject({
      kind: 'case',
      format: 'power-grid-model',
      name: 'pgm',
      grid: { ids: [1, 2] },
    });
  });

  it('is refused in a sentence when it is none, two at once, or not there', async () => {
    expect(await codeOf([])).toBe('case.format');
    expect(await codeOf([join(folder, 'nowhere.m')])).toBe('cli.file');
    expect(await codeOf([put('a.json', '{"a": 1}')])).toBe('case.format');
    expect(await codeOf([put('b.json', '{"a": ')])).toBe('case.format');
    expect(await codeOf([put('c.m', MATPOWER), put('d.json', PGM)])).toBe('case.format');
    put('two/a.m', MATPOWER);
    put('two/b.m', MATPOWER);
    expect(await codeOf([join(folder, 'two')])).toBe('case.format');
    mkdirSync(join(folder, 'empty'), { recursive: true });
    expect(await codeOf([join(folder, 'empty')])).toBe('case.format');
    expect(await codeOf([put('page.xml', '<html/>')])).toBe('case.grid');
    expect(await codeOf([put('not.zip', 'PK no archive')])).toBe('case.grid');
    await expect(openGridCase([put('cut.xml', '<?xml version="1.0"?><rdf:RDF')])).rejects.toThrow(/cut\.xml:1/);
  });
});

describe('the report of a power flow', () => {
  const bus = (id: string, level: string, ...nodes: string[]): string =>
    object('TopologicalNode', id, { ConnectivityNodeContainer: `@${level}`, BaseVoltage: `@${level}-base` }) +
    nodes.map((node) => about('ConnectivityNode', node, { TopologicalNode: `@${id}` })).join('');
  const topology: Part = { profile: 'TP', body: bus('one', 'high', 'a', 'b') + bus('two', 'low', 'c') };
  const solution: Part = {
    profile: 'SV',
    body: object('SvVoltage', 'v', { TopologicalNode: '@one', v: 110, angle: 12 }),
  };

  it('has the buses of the files, what they do not name under a node, and the angle of their solved state', async () => {
    const open = (await openGridCase(await exported('report', FED, CLOSED, topology, solution))) as OpenGrid;
    const report = gridReport(open, solvePowerFlow(buildNetwork(open.model, open.state)));
    expect(report).toMatchObject({ converged: true, baseMVA: 100, notes: expect.any(Array) });
    const node = open.model.connectivityNodes.find(({ name }) => name === 'd')!;
    expect(report.buses.map(({ id, nominalVoltage }) => [id, nominalVoltage])).toEqual([
      ['one', 110],
      ['two', 20],
      [node.mRID, 20],
    ]);
    expect(report.buses[0]).toMatchObject({ vm: 1, va: 12 });
    expect(report.buses[2]!.va).toBeLessThan(12);
    const line = report.branches.find(({ name }) => name === 'line')!;
    expect(line.ends.map(({ bus: at }) => at)).toEqual(['two', node.mRID]);
    expect(line.ends[1]!.p).toBeCloseTo(-0.03, 6);
    expect(gridText(report)).toMatch(/converged in \d iterations/);
  });

  it('says that nothing holds a voltage', async () => {
    const dark = FED.replace(/<cim:ExternalNetworkInjection .*\n/, '');
    const open = (await openGridCase(await exported('dark', dark, CLOSED))) as OpenGrid;
    const report = gridReport(open, solvePowerFlow(buildNetwork(open.model, open.state)));
    expect(report.converged).toBe(false);
    expect(gridText(report)).toMatch(/NOT converged\nnothing here holds a voltage\nwithout voltage: 3 buses/);
  });
});

describe('a bad grid', () => {
  const bad: Readonly<Record<string, { parts: (string | Part)[]; codes: string[] }>> = {
    'with a negative reactance': {
      parts: [FED.replace('<cim:ACLineSegment.x>0.5<', '<cim:ACLineSegment.x>-0.5<'), CLOSED],
      codes: ['grid.negative-reactance'],
    },
    'with a line of no length and no impedance': {
      parts: [FED.replace('.r>0.5<', '.r>0<').replace('Segment.x>0.5<', 'Segment.x>0<'), CLOSED],
      codes: ['grid.zero-impedance'],
    },
    'with consumers and no source': {
      parts: [FED.replace(/<cim:ExternalNetworkInjection .*\n/, ''), CLOSED],
      codes: [],
    },
    'with a tap that stands in two places': {
      parts: [
        FED +
          object('RatioTapChanger', 'tap', {
            ...{ TransformerEnd: '@t1-end1', stepVoltageIncrement: 1, 'TapChanger.neutralStep': 99 },
            ...{ 'TapChanger.lowStep': 1, 'TapChanger.highStep': 9, 'TapChanger.normalStep': 5 },
          }),
        { ...CLOSED, body: CLOSED.body + about('RatioTapChanger', 'tap', { 'TapChanger.step': 400 }) },
        { profile: 'SV', body: object('SvTapStep', 'sv', { TapChanger: '@tap', position: -3 }) },
      ],
      codes: ['grid.assumed'],
    },
    'with NaN where numbers belong': {
      parts: [FED.replaceAll('>0.5<', '>NaN<'), { ...CLOSED, body: CLOSED.body.replace('>3<', '>NaN<') }],
      codes: ['cim.value', 'grid.leftOut'],
    },
    'with containers within themselves': {
      parts: [FED + object('Bay', 'bay', { VoltageLevel: '@bay' }) + at('EnergyConsumer', 'lost', ['bay'])],
      codes: ['cim.cycle'],
    },
    'with an angle reference that has no machine': {
      parts: [
        FED,
        CLOSED,
        {
          profile: 'TP',
          body:
            object('TopologicalNode', 'bus', { ConnectivityNodeContainer: '@low', BaseVoltage: '@low-base' }) +
            about('ConnectivityNode', 'd', { TopologicalNode: '@bus' }),
        },
        {
          profile: 'SV',
          body: object('TopologicalIsland', 'island', { AngleRefTopologicalNode: '@bus', TopologicalNodes: '@bus' }),
        },
      ],
      codes: ['grid.slack'],
    },
    'with a winding at a stranger’s terminal': {
      parts: [
        FED +
          at('PowerTransformer', 't9', ['b', 'c']) +
          [1, 2].map((n) => end('t9', n, { ratedU: 10, r: 0, x: 1, 'TransformerEnd.Terminal': '@load-1' })).join(''),
      ],
      codes: ['grid.leftOut'],
    },
  };
  for (const [title, { parts, codes }] of Object.entries(bad)) {
    it(`${title} is told with its place, and what is left of it is calculated or refused`, async () => {
      const files = await exported(title.replaceAll(/[^a-z]/g, '-'), ...parts);
      const open = (await openGridCase(files)) as OpenGrid;
      for (const code of codes) {
        const found = open.findings.find((finding) => finding.code === code);
        expect(found, `${code} among ${open.findings.map((each) => each.code).join(', ')}`).toBeDefined();
        expect(found!.file).toMatch(/\.xml$/);
        expect(found!.line).toBeGreaterThan(0);
      }
      const result = solvePowerFlow(buildNetwork(open.model, open.state));
      for (const { voltage } of result.buses) expect(voltage === null || Number.isFinite(voltage)).toBe(true);
    });
  }
});
