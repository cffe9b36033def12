/** `enerchain import --check`: what an engineer sees of an export, and the exit status that scripts go by. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { GridModel, validator } from '@enerchain/model';
import { afterAll, describe, expect, it } from 'vitest';
import { enerchain, MAIN } from './enerchain.ts';

const folder = mkdtempSync(join(tmpdir(), 'enerchain-import-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string, profile: string, body: string): string => {
  const path = join(folder, name);
  writeFileSync(
    path,
    `<?xml version="1.0" encoding="utf-8"?>
<rdf:RDF xmlns:cim="http://iec.ch/TC57/CIM100#" xmlns:md="http://iec.ch/TC57/61970-552/ModelDescription/1#" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<md:FullModel rdf:about="urn:uuid:${name}"><md:Model.profile>http://iec.ch/TC57/ns/CIM/${profile}-EU/3.0</md:Model.profile>
<md:Model.modelingAuthoritySet>http://utility.example/planning</md:Model.modelingAuthoritySet></md:FullModel>
${body}</rdf:RDF>`,
  );
  return path;
};
const base = (voltage: string): string =>
  `<cim:BaseVoltage rdf:ID="_bv"><cim:IdentifiedObject.name>110 kV</cim:IdentifiedObject.name>
<cim:BaseVoltage.nominalVoltage>${voltage}</cim:BaseVoltage.nominalVoltage></cim:BaseVoltage>`;

describe('enerchain import --check', () => {
  const ssh = file('ssh.xml', 'SteadyStateHypothesis', '');

  it('says what came in and ends with 0 when nothing is wrong', async () => {
    const { status, stdout } = await enerchain([
      'import',
      '--check',
      file('eq.xml', 'CoreEquipment', base('110')),
      ssh,
    ]);
    expect(stdout).toContain('CGMES 3.0: 2 files');
    expect(stdout).toContain('EQ         eq.xml, http://utility.example/planning');
    expect(stdout).toContain('BaseVoltage 1');
    expect(stdout).toContain('0 errors, 0 warnings, 0 notes');
    expect(status).toBe(0);
  });

  it('names file, line, object and property of an error and ends with 1; JSON Lines say the same', async () => {
    const eq = file('bad.xml', 'CoreEquipment', base('NaN'));
    const text = await enerchain(['import', eq, ssh, '--check']);
    expect(text.stdout).toContain(
      `error   bad.xml:6 BaseVoltage '110 kV' (_bv): BaseVoltage.nominalVoltage is "NaN", not a number [cim.value]`,
    );
    expect(text.status).toBe(1);
    const { status, stdout } = await enerchain(['import', eq, ssh, '--check', '--json']);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ kind }) => kind)).toEqual(['file', 'file', 'finding', 'model']);
    expect(lines[2]).toMatchObject({ code: 'cim.value', file: 'bad.xml', line: 6, object: '_bv' });
    expect(lines[3]).toMatchObject({ version: '3.0', classes: { BaseVoltage: 1 }, findings: { error: 1 } });
    expect(status).toBe(1);
  });

  it('offers the measurements of OP as a point list that a gateway reads once addresses are added', async () => {
    const op = `<cim:Analog rdf:ID="_11111111-1111-4111-8111-111111111111"><cim:IdentifiedObject.mRID>11111111-1111-4111-8111-111111111111</cim:IdentifiedObject.mRID><cim:IdentifiedObject.name>U; 110</cim:IdentifiedObject.name>
<cim:Measurement.measurementType>LineToLineVoltage</cim:Measurement.measurementType><cim:Measurement.PowerSystemResource rdf:resource="#_bv"/>
<cim:Measurement.unitSymbol rdf:resource="http://iec.ch/TC57/CIM100#UnitSymbol.V"/><cim:Measurement.unitMultiplier rdf:resource="http://iec.ch/TC57/CIM100#UnitMultiplier.k"/></cim:Analog>`;
    const eq = file('op.xml', 'CoreEquipment', base('110') + op);
    expect((await enerchain(['import', '--check', eq, ssh])).stdout).toContain(
      '1 measurement and 0 controls of OP can become points: --points',
    );
    const list = join(folder, 'points.csv');
    await enerchain(['import', '--check', eq, ssh, '--points', list]);
    const [columns, row] = readFileSync(list, 'utf8').split('\n');
    const site = join(folder, 'site.yaml');
    writeFileSync(list, `${columns};ca;ioa;type\n${row};1;100;M_ME_NC_1\n`);
    writeFileSync(
      site,
      `source: edge-a
site: { id: a, name: A }
endpoints:
  - { id: rtu, protocol: iec104, host: 127.0.0.1, pointsFile: points.csv }
`,
    );
    const check = await enerchain(['edge', site, '--check']);
    expect(check.stderr + check.stdout).toMatch(/1 point/);
    expect(check.status).toBe(0);
  });

  it('--shacl: what shapes find stands among the findings; without the optional packages a sentence says so', async () => {
    const shapes = join(folder, 'shapes.ttl');
    writeFileSync(
      shapes,
      `@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix cim: <http://iec.ch/TC57/CIM100#> .
<#s> a sh:NodeShape ; sh:targetClass cim:BaseVoltage ; sh:property [ sh:path cim:BaseVoltage.nominalVoltage ; sh:name "only 400" ;
sh:message "Another voltage." ; sh:hasValue 400.0 ] .`,
    );
    const eq = file('eq.xml', 'CoreEquipment', base('110'));
    const told = await enerchain(['import', '--check', eq, ssh, '--shacl', shapes]);
    expect(told.stdout).toMatch(/shapes\.ttl: 1 findings in \d+ statements/);
    expect(told.stdout).toMatch(
      /error {3}eq\.xml:6 BaseVoltage '110 kV' \(_bv\): Another voltage\..* \[shacl\.only-400\]/,
    );
    expect(told.status).toBe(1);
    const hook = `import { registerHooks } from 'node:module'; registerHooks({ resolve(name, context, next) {
      if (name === 'shacl-engine') throw Object.assign(new Error('no such package'), { code: 'ERR_MODULE_NOT_FOUND' });
      return next(name, context); } });`;
    const args = [
      `--import=data:text/javascript,${encodeURIComponent(hook)}`,
      MAIN,
      'import',
      '--check',
      eq,
      '--shacl',
      shapes,
    ];
    const { stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(stderr).toMatch(
      /SHACL shapes are checked with the packages shacl-engine .* optional and not installed here/,
    );
    expect(stderr).not.toContain('    at ');
    expect(status).toBe(1);
  });

  it('says in a sentence that a file is not there', async () => {
    const { status, stderr } = await enerchain(['import', '--check', join(folder, 'nowhere.xml')]);
    expect(stderr).toMatch(/nowhere\.xml cannot be read/);
    expect(stderr).not.toContain('    at ');
    expect(status).toBe(1);
  });
});

describe('enerchain import', () => {
  const named = (id: string): string => `<cim:IdentifiedObject.name>${id}</cim:IdentifiedObject.name>`;
  const to = (property: string, id: string): string => `<cim:${property} rdf:resource="#_${id}"/>`;
  const object = (name: string, id: string, ...rest: string[]): string =>
    `<cim:${name} rdf:ID="_${id}">${named(id)}${rest.join('')}</cim:${name}>\n`;
  const number = (property: string, value: unknown): string => `<cim:${property}>${value}</cim:${property}>`;
  const terminals = (equipment: string, ...nodes: string[]): string =>
    nodes
      .map((node, at) =>
        object(
          'Terminal',
          `${equipment}-${at}`,
          number('ACDCTerminal.sequenceNumber', at + 1),
          to('Terminal.ConductingEquipment', equipment),
          to('Terminal.ConnectivityNode', node),
        ),
      )
      .join('');
  const level = (id: string, voltage: number): string =>
    object('BaseVoltage', `${id}-base`, number('BaseVoltage.nominalVoltage', voltage)) +
    object('VoltageLevel', id, to('VoltageLevel.Substation', 'station'), to('VoltageLevel.BaseVoltage', `${id}-base`));
  const node = (id: string, of: string): string =>
    object('ConnectivityNode', id, to('ConnectivityNode.ConnectivityNodeContainer', of));
  const within = (id: string): string => to('Equipment.EquipmentContainer', id);
  const NODES = [node('a', 'high'), node('b', 'high'), node('c', 'low'), node('d', 'low')].join('');
  const GRID =
    object('GeographicalRegion', 'land') +
    object('SubGeographicalRegion', 'part', to('SubGeographicalRegion.Region', 'land')) +
    object('Substation', 'station', to('Substation.Region', 'part')) +
    level('high', 110) +
    level('low', 20) +
    NODES +
    object(
      'ExternalNetworkInjection',
      'feed',
      within('high'),
      ...['maxP', 'minP', 'maxQ', 'minQ', 'governorSCD'].map((name) => number(`ExternalNetworkInjection.${name}`, 0)),
    ) +
    terminals('feed', 'a') +
    object('Breaker', 'q0', within('high'), number('Switch.normalOpen', false), number('Switch.retained', true)) +
    terminals('q0', 'a', 'b') +
    object('PowerTransformer', 't1', within('station')) +
    terminals('t1', 'b', 'c') +
    ['b', 'c']
      .map((_, at) =>
        object(
          'PowerTransformerEnd',
          `t1-end${at}`,
          to('PowerTransformerEnd.PowerTransformer', 't1'),
          to('TransformerEnd.Terminal', `t1-${at}`),
          to('TransformerEnd.BaseVoltage', at === 0 ? 'high-base' : 'low-base'),
          number('TransformerEnd.endNumber', at + 1),
          ...(at === 0 ? [number('PowerTransformerEnd.ratedS', 40)] : []),
          number('PowerTransformerEnd.ratedU', at === 0 ? 110 : 20),
          ...['r', 'b'].map((name) => number(`PowerTransformerEnd.${name}`, 0)),
          number('PowerTransformerEnd.x', at === 0 ? 36 : 0),
        ),
      )
      .join('') +
    object(
      'ACLineSegment',
      'cable',
      to('ConductingEquipment.BaseVoltage', 'low-base'),
      number('Conductor.length', 5),
      ...['r', 'x', 'bch'].map((name) => number(`ACLineSegment.${name}`, 0.5)),
    ) +
    terminals('cable', 'c', 'd') +
    object('EnergyConsumer', 'load', within('low'), number('EnergyConsumer.pfixed', 3)) +
    terminals('load', 'd');
  /** With a winding more than the platform's model has. */
  const FOUR =
    object('PowerTransformer', 't4', within('station')) +
    terminals('t4', 'b', 'b', 'c', 'c') +
    [0, 1, 2, 3]
      .map((at) =>
        object(
          'PowerTransformerEnd',
          `t4-end${at}`,
          to('PowerTransformerEnd.PowerTransformer', 't4'),
          to('TransformerEnd.Terminal', `t4-${at}`),
          to('TransformerEnd.BaseVoltage', at < 2 ? 'high-base' : 'low-base'),
          number('TransformerEnd.endNumber', at + 1),
          number('PowerTransformerEnd.ratedS', 40),
          number('PowerTransformerEnd.ratedU', at < 2 ? 110 : 20),
          ...['r', 'b'].map((name) => number(`PowerTransformerEnd.${name}`, 0)),
          number('PowerTransformerEnd.x', 36),
        ),
      )
      .join('');
  const ssh = file('ssh2.xml', 'SteadyStateHypothesis', '');

  /** A system that takes the grid and remembers it. */
  async function run(
    ...args: string[]
  ): Promise<{ status: number; stdout: string; stderr: string; bodies: unknown[] }> {
    const bodies: unknown[] = [];
    const server = createServer(async (request, response) => {
      expect(`${request.method} ${request.url} ${request.headers.authorization}`).toBe(
        'PUT /api/v1/grid Bearer secret',
      );
      bodies.push(await json(request));
      response.setHeader('content-type', 'application/json').end('{"version":7,"changed":true}');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const said = await enerchain(args, { ENERCHAIN_URL: `http://127.0.0.1:${port}`, ENERCHAIN_TOKEN: 'secret' });
    server.close();
    return { ...said, bodies };
  }

  it('puts the grid in force: nodes, switch, transformer with its rating, line, load and feed', async () => {
    const { status, stdout, stderr, bodies } = await run('import', file('grid.xml', 'CoreEquipment', GRID), ssh);
    expect(stderr).toBe('');
    expect(stdout).toContain('0 errors');
    expect(stdout).toContain('in force as version 7: 4 nodes, 5 pieces of equipment');
    expect(status).toBe(0);
    const grid = bodies[0] as GridModel;
    expect(validator(GridModel).findings(grid, 5)).toEqual([]);
    const of = (name: string) => grid.equipment.find((item) => item.name === name);
    expect(of('t1')).toMatchObject({
      class: 'PowerTransformer',
      ends: [
        { ratedU: 110, ratedS: 40, x: 36 },
        { ratedU: 20, ratedS: 40, x: 0 },
      ],
    });
    expect(of('feed')).toMatchObject({ voltage: 110 });
    expect(of('load')).toMatchObject({ p: 3, q: 0 });
    expect(of('cable')).toMatchObject({ length: 5, r: 0.5 });
    const nodeOf = (name: string) => grid.connectivityNodes.find((item) => item.name === name)!.mRID;
    expect(of('q0')!.terminals.map(({ connectivityNode }) => connectivityNode)).toEqual([nodeOf('a'), nodeOf('b')]);
  });

  it('does not store a grid without some of its equipment unless told so, and names it', async () => {
    const path = file('four.xml', 'CoreEquipment', GRID + FOUR);
    const refused = await run('import', path, ssh);
    expect(refused.stdout).toContain("PowerTransformer 't4' (_t4): it is left out: it has 4 windings [grid.leftOut]");
    expect(refused.stdout).toContain("left out: 1 PowerTransformer, 't4': it has 4 windings");
    expect(refused).toMatchObject({ status: 1, bodies: [] });
    const stored = await run('import', path, ssh, '--partial', '--json');
    expect(JSON.parse(stored.stdout.trim().split('\n').at(-1)!)).toMatchObject({
      kind: 'stored',
      stored: true,
      version: 7,
    });
    expect(stored.bodies).toHaveLength(1);
  });

  it('does not store a model with errors', async () => {
    const path = file('broken.xml', 'CoreEquipment', GRID.replace('#_low-base', '#_nowhere'));
    const { status, stdout, bodies } = await run('import', path, ssh, '--partial');
    expect(stdout).toContain('not stored: a model with errors is not put in force');
    expect({ status, bodies }).toEqual({ status: 1, bodies: [] });
  });
});
