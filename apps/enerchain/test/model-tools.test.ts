/** `enerchain model`: what an engineer sees of two exports, and files that read back the same. */
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildLabGrid } from '@enerchain/lab';
import { afterAll, describe, expect, it } from 'vitest';
import { enerchain, type Said } from './enerchain.ts';

const folder = mkdtempSync(join(tmpdir(), 'enerchain-model-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string, body: string): string => {
  const path = join(folder, name);
  writeFileSync(
    path,
    `<?xml version="1.0" encoding="utf-8"?>
<rdf:RDF xmlns:cim="http://iec.ch/TC57/CIM100#" xmlns:md="http://iec.ch/TC57/61970-552/ModelDescription/1#" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<md:FullModel rdf:about="urn:uuid:${name}"><md:Model.profile>http://iec.ch/TC57/ns/CIM/CoreEquipment-EU/3.0</md:Model.profile></md:FullModel>
${body}</rdf:RDF>`,
  );
  return path;
};
const base = (id: string, voltage: string): string =>
  `<cim:BaseVoltage rdf:ID="_${id}"><cim:IdentifiedObject.name>${id} kV</cim:IdentifiedObject.name>
<cim:BaseVoltage.nominalVoltage>${voltage}</cim:BaseVoltage.nominalVoltage></cim:BaseVoltage>`;

describe('enerchain model, of a running system', () => {
  const ANSWERS: Readonly<Record<string, unknown>> = {
    '/api/v1/grid/versions?limit=100': {
      items: [
        {
          version: 2,
          at: '2026-03-01T00:00:00.000Z',
          by: 'token:anna',
          name: 'Nord',
          nodes: 4,
          equipment: 5,
          supersedes: 1,
          headers: [
            { id: '_m2', profiles: ['EQ'], created: '2026-02-28T00:00:00Z', dependentOn: [], supersedes: ['_m1'] },
          ],
        },
      ],
    },
    '/api/v1/grid/diff?from=1&to=2': {
      from: 1,
      to: 2,
      changes: [
        { change: 'added', mRID: 'a', class: 'Breaker', name: 'Q0', properties: [] },
        { change: 'changed', mRID: 'b', class: 'ACLineSegment', properties: [{ property: 'r', before: 1, after: 2 }] },
      ],
    },
  };
  const lab = buildLabGrid().model;
  const impossible = {
    ...lab,
    equipment: lab.equipment.map((each) => (each.class === 'EnergyConsumer' ? { ...each, p: 1_000 } : each)),
  };
  const GRIDS: Readonly<Record<string, unknown>> = {
    '/api/v1/grid?version=7': lab,
    '/api/v1/grid?version=8': impossible,
  };
  async function run(...args: string[]): Promise<Said> {
    const server = createServer((request, response) => {
      const answer = ANSWERS[request.url ?? ''] ?? GRIDS[request.url ?? ''];
      response.writeHead(answer ? 200 : 404, { 'content-type': 'application/json' }).end(JSON.stringify(answer ?? {}));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const said = await enerchain(args, { ENERCHAIN_URL: `http://127.0.0.1:${port}`, ENERCHAIN_TOKEN: 'secret' });
    server.close();
    return said;
  }

  it('versions: when, by whom, from which files', async () => {
    expect((await run('model', 'versions')).stdout.split('\n')).toEqual([
      '   2  2026-03-01T00:00:00.000Z  Nord: 4 nodes, 5 pieces of equipment, by token:anna',
      '        EQ _m2, created 2026-02-28T00:00:00Z, supersedes _m1',
      '',
    ]);
    const lines = (await run('model', 'versions', '--json')).stdout.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).version)).toEqual([2]);
  });

  it('diff of two numbers: what changed between versions that the system keeps', async () => {
    const { status, stdout } = await run('model', 'diff', '1', '2');
    expect(stdout.split('\n')).toEqual(["+ Breaker 'Q0' (a)", '~ ACLineSegment (b)', '    r: 1 → 2', '']);
    expect(status).toBe(1);
    expect((await run('model', 'diff', '1', '3')).status).toBe(1);
  });

  it('export of a number: a version as CGMES, with its state when asked, that others read', async () => {
    const out = join(folder, 'version');
    const said = await run('model', 'export', '7', '--solve', '--out', out);
    expect(said).toMatchObject({ status: 0, stderr: '' });
    expect(readdirSync(out).sort()).toEqual(['grid_EQ.xml', 'grid_SSH.xml', 'grid_SV.xml', 'grid_TP.xml']);
    const flow = await enerchain(['powerflow', out, '--json']);
    expect(flow.status).toBe(0);
    const { converged, buses } = JSON.parse(flow.stdout);
    expect(converged).toBe(true);
    expect(buses.length).toBeGreaterThan(10);
    expect(await run('model', 'export', '7', '--format', 'jsonld', '--out', join(folder, 'ld'))).toMatchObject({
      status: 0,
    });
    expect(readdirSync(join(folder, 'ld')).sort()).toEqual(['grid_EQ.jsonld', 'grid_SSH.jsonld']);
  });

  it('export of a number that cannot be: no version, no solution, no version but files', async () => {
    const out = join(folder, 'nothing');
    expect((await run('model', 'export', '9', '--out', out)).status).toBe(1);
    expect(await run('model', 'export', '8', '--solve', '--out', out)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('version 8 has no power flow: '),
    });
    expect((await run('model', 'export', '7', '8', '--out', out)).status).toBe(1);
    const files = await run('model', 'export', file('plain.xml', base('a', '110')), '--solve', '--out', out);
    expect(files.stderr).toContain('--solve goes with the number of a version');
    expect(existsSync(out)).toBe(false);
  });
});

describe('enerchain model', () => {
  const before = file('before.xml', base('a', '110') + base('b', '20'));
  const after = file('after.xml', base('a', '123') + base('c', '10'));

  it('diff: objects with name and place, old and new values, and a count; status 1 as diff has it', async () => {
    const { status, stdout, stderr } = await enerchain(['model', 'diff', before, after]);
    expect(stderr).toBe('');
    expect(stdout.split('\n')).toEqual([
      "− BaseVoltage 'b kV' (b)  before.xml:5",
      "+ BaseVoltage 'c kV' (c)  after.xml:5",
      "~ BaseVoltage 'a kV' (a)  after.xml:4",
      '    BaseVoltage.nominalVoltage: 110 → 123',
      '1 added, 1 removed, 1 changed',
      '',
    ]);
    expect(status).toBe(1);
    expect(await enerchain(['model', 'diff', before, before])).toMatchObject({
      status: 0,
      stdout: 'the models say the same\n',
    });
  });

  it('diff --json: one object a line, with every property of what came and went', async () => {
    const { stdout } = await enerchain(['model', 'diff', before, after, '--json']);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ change, mRID }) => `${change} ${mRID}`)).toEqual(['removed b', 'added c', 'changed a']);
    expect(lines[0].properties).toContainEqual({ property: 'BaseVoltage.nominalVoltage', before: ['20'], after: [] });
  });

  it('diff --difference and export: the difference applied is the model after, in XML and in JSON-LD', async () => {
    const out = join(folder, 'differences');
    const { stdout } = await enerchain(['model', 'diff', before, after, '--difference', out]);
    expect(stdout).toContain(join(out, 'after_DIFF.xml'));
    for (const format of ['cgmes', 'jsonld']) {
      const made = join(folder, format);
      const written = await enerchain([
        'model',
        'export',
        before,
        join(out, 'after_DIFF.xml'),
        '--format',
        format,
        '--out',
        made,
      ]);
      expect(written.stderr).toBe('');
      const [name] = readdirSync(made);
      expect(name).toBe(format === 'cgmes' ? 'before.xml' : 'before.jsonld');
      expect(await enerchain(['model', 'diff', '--spelling', join(made, name!), after])).toMatchObject({ status: 0 });
    }
    const again = await enerchain(['model', 'export', before, '--out', join(folder, 'cgmes')]);
    expect(again).toMatchObject({ status: 1, stderr: expect.stringContaining('nothing is written over') });
  });

  it('a difference of another model, half a file, and a format that there is not: sentences', async () => {
    const out = join(folder, 'differences', 'after_DIFF.xml');
    expect((await enerchain(['model', 'export', after, out, '--out', join(folder, 'x')])).stderr).toMatch(
      /after_DIFF\.xml:\d+ _\w+: the difference takes away .*, which the model does not say/,
    );
    const half = join(folder, 'half.xml');
    writeFileSync(half, '<rdf:RDF ');
    expect((await enerchain(['model', 'diff', half, after])).stderr).toMatch(/half\.xml:1 cannot be read whole: /);
    expect((await enerchain(['model', 'export', after, '--format', 'xls', '--out', folder])).stderr).toMatch(
      /--format is cgmes or jsonld, not xls/,
    );
  });
});
