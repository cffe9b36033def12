import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { derivedMrid, SiteDocument, validator } from '@enerchain/model';
import { describe, expect, test } from 'vitest';
import { parseCsv } from '../src/site/csv.ts';
import { SiteError } from '../src/site/findings.ts';
import { loadSite, openSite } from '../src/site/load-site.ts';

const HEAD = `source: edge-nord
site: { id: nord, name: Umspannwerk Nord }
`;

function siteOf(files: Record<string, string | Uint8Array>): string {
  const folder = mkdtempSync(join(tmpdir(), 'enerchain-site-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return join(folder, 'site.yaml');
}

const texts = (file: string): string[] =>
  loadSite(file).findings.map((finding) => finding.text.replaceAll(join(file, '..'), '.'));

describe('a CSV point list', () => {
  test('is read with any of the usual separators, quotes, line ends and a byte order mark', () => {
    const expected = [
      ['U "L1"', '1'],
      ['a;b,c', '2'],
    ];
    for (const separator of [';', ',', '\t']) {
      for (const end of ['\n', '\r\n', '\r']) {
        const text = `\ufeffname${separator}ioa${end}# a comment${end}"U ""L1"""${separator}1${end}${end}"a;b,c"${separator}2${end}`;
        const table = parseCsv(text);
        expect(table.problems).toEqual([]);
        expect(table.header).toEqual(['name', 'ioa']);
        expect(table.rows.map((row) => row.cells)).toEqual(expected);
        expect(table.rows.map((row) => row.line)).toEqual([3, 5]);
      }
    }
  });

  test('says on which line a quote was opened and never closed', () => {
    expect(parseCsv('a;b\n1;2\n"x;3\n4').problems).toEqual([
      { line: 3, message: 'a quoted field is never closed; expected a closing "' },
    ]);
  });

  test('gives points with kind and class from the ASDU type, limits, scaling and feedback', () => {
    const file = siteOf({
      'site.yaml': `${HEAD}endpoints:\n  - { id: rtu, protocol: iec104, host: 127.0.0.1, commonAddress: 7, pointsFile: list.csv }\n`,
      'list.csv': [
        'Name;IOA;Type;k;d;unit;multiplier;high;highHigh;alarm priority;ctlModel;feedback;aliases',
        'P;100;M_ME_NC_1;0,5;-3;W;M;10;12;2;;;',
        'Q0;200;M_DP_TB_1;;;;;;;1;;;1=open|2=closed',
        'Q0 command;200;C_DC_NA_1;;;;;;;;sbo;Q0;',
      ].join('\r\n'),
    });
    const { site, findings } = loadSite(file);
    expect(findings).toEqual([]);
    const [p, q, command] = site!.document.points;
    expect(p).toEqual({
      mRID: derivedMrid('nord', 'rtu', 'ca=7 ioa=100'),
      name: 'P',
      kind: 'analog',
      cdc: 'MV',
      unitSymbol: 'W',
      unitMultiplier: 'M',
      limits: [
        { kind: 'highHigh', value: 12, priority: 1 },
        { kind: 'high', value: 10, priority: 2 },
      ],
      alarmPriority: 2,
    });
    expect(q).toMatchObject({ kind: 'discrete', cdc: 'DPS', valueAliases: { 1: 'open', 2: 'closed' } });
    expect(command).toMatchObject({ kind: 'command', cdc: 'DPC', ctlModel: 'sbo', feedback: q!.mRID });
    expect(site!.document.bindings[0]!.scaling).toEqual({ k: 0.5, d: -3 });
    expect(validator(SiteDocument).findings({ ...site!.document, version: 1 })).toEqual([]);
  });

  test('that is not UTF-8 is read as Windows-1252', () => {
    const file = siteOf({
      'site.yaml': `${HEAD}endpoints:\n  - { id: rtu, protocol: iec104, host: h, commonAddress: 1, pointsFile: list.csv }\n`,
      'list.csv': Buffer.from('name;ioa;type\nÖltemperatur;1;M_ME_NC_1\n', 'latin1'),
    });
    expect(loadSite(file).site!.document.points[0]!.name).toBe('Öltemperatur');
  });
});

describe('what is wrong with a site', () => {
  test('is said all at once, with file, line, field and what was expected', () => {
    const file = siteOf({
      'site.yaml': `source: edge-nord
site: { id: nord }
outbox:
  maxBytes: lots
endpoints:
  - id: rtu-1
    protocol: iec104
    host: 10.0.0.1
    port: 99999
    timeZone: Europe/Nowhere
    colour: blue
  - id: rtu-2
    protocol: modbus
  - id: rtu-3
    protocol: iec104
    host: 10.0.0.3
    pointsFile: list.csv
`,
      'list.csv':
        'name;ca;ioa;type;k;colour\nA;1;100;M_ME_NC_1;0;\nB;1;abc;M_ME_XX_1;1;\nC;;7;M_SP_NA_1;;\nD;1;8;C_SC_NA_1;1;\nE;1;8;C_SC_NA_1;1;\n',
    });
    const found = texts(file).join('\n');
    expect(found).toContain(
      './site.yaml:4: outbox.maxBytes: must be integer; expected a whole number (octets on disk)',
    );
    // A file whose frame is broken is not read further, so that one slip does not hide behind a hundred others.
    const mended = siteOf({ 'site.yaml': '', 'list.csv': '' });
    expect(texts(mended).join()).toMatch(/site\.yaml/);
    const second = siteOf({
      'site.yaml': `${HEAD}endpoints:
  - id: rtu-1
    protocol: iec104
    host: 10.0.0.1
    port: 99999
    colour: blue
  - id: rtu-2
    protocol: modbus
  - id: rtu-3
    protocol: iec104
    host: 10.0.0.3
    timeZone: Europe/Nowhere
    pointsFile: list.csv
  - id: rtu-3
    protocol: iec104
    host: 10.0.0.4
    pointsFile: none.csv
`,
      'list.csv':
        'name;ca;ioa;type;k;colour\nA;1;100;M_ME_NC_1;0;\nB;1;abc;M_ME_XX_1;1;\nC;;7;M_SP_NA_1;;\nD;1;8;C_SC_NA_1;1;\nE;1;8;C_SC_NA_1;1;\n',
    });
    const list = texts(second);
    const has = (part: string) => expect(list.join('\n')).toContain(part);
    has('./site.yaml:7: endpoints[0].port: must be <= 65535');
    has('./site.yaml:8: endpoints[0].colour: is not a key known here; expected one of id, name, protocol');
    has(
      "./site.yaml:10: endpoints[1].protocol: 'modbus' is not a protocol of this edge; expected one of iec104, iec61850, mqtt",
    );
    has("./site.yaml:14: endpoints[2].timeZone: 'Europe/Nowhere' is not a time zone");
    has('./list.csv:1: colour: is not a column of a iec104 point list');
    has('./list.csv:2: k: is 0; expected another number');
    has("./list.csv:3: ioa: 'abc' is not valid; expected a whole number from 0 to 16777215");
    has("./list.csv:3: type: 'M_ME_XX_1' is not valid; expected one of M_SP_NA_1");
    has('./list.csv:4: ca: is missing; expected a common address here or `commonAddress` at the endpoint');
    has("./list.csv:6: address 'ca=1 ioa=8 control' is bound twice on endpoint 'rtu-3'; first in ./list.csv:5");
    has("./site.yaml:16: endpoints[3].id: 'rtu-3' is also the id of endpoints[2]");
    has('./site.yaml:19: endpoints[3].pointsFile: the file ./none.csv does not exist');
    expect(loadSite(second).site).toBeUndefined();
    expect(() => openSite(second)).toThrow(SiteError);
  });

  test('in the YAML itself is said with its line', () => {
    const file = siteOf({ 'site.yaml': 'source: a\nsite: {\nendpoints: [\n' });
    expect(texts(file)[0]).toMatch(/^\.\/site\.yaml:\d+: /);
    expect(texts('/nowhere/site.yaml')[0]).toContain('does not exist');
  });

  test('in an inline point names the key', () => {
    const file = siteOf({
      'site.yaml': `${HEAD}endpoints:
  - id: iot
    protocol: mqtt
    url: mqtt://127.0.0.1:1883
    topic: 'plant/{device}/state'
    points:
      - { name: T1, device: s1, field: /temperature, unit: degC }
      - { name: T2, field: /temperature }
      - { name: T3, device: s3, field: [1], colour: red }
`,
    });
    const list = texts(file).join('\n');
    expect(list).toContain(
      "./site.yaml:10: endpoints[0].points[1].device: is missing; the template 'plant/{device}/state' of topic needs it",
    );
    expect(list).toContain('./site.yaml:11: endpoints[0].points[2].field: is a list; expected a text');
    expect(list).toContain('./site.yaml:11: endpoints[0].points[2].colour: is not a key of a mqtt point');
  });
});
