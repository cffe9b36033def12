/** `enerchain import --check`: what an engineer sees of an export, and the exit status that scripts go by. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const MAIN = join(import.meta.dirname, '..', 'src', 'main.ts');
const enerchain = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', MAIN, ...args],
    { encoding: 'utf8' },
  );
  return { status, stdout, stderr };
};
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

describe('enerchain import --check', { timeout: 60_000 }, () => {
  const ssh = file('ssh.xml', 'SteadyStateHypothesis', '');

  it('says what came in and ends with 0 when nothing is wrong', () => {
    const { status, stdout } = enerchain('import', '--check', file('eq.xml', 'CoreEquipment', base('110')), ssh);
    expect(stdout).toContain('CGMES 3.0: 2 files');
    expect(stdout).toContain('EQ         eq.xml, http://utility.example/planning');
    expect(stdout).toContain('BaseVoltage 1');
    expect(stdout).toContain('0 errors, 0 warnings, 0 notes');
    expect(status).toBe(0);
  });

  it('names file, line, object and property of an error and ends with 1; JSON Lines say the same', () => {
    const eq = file('bad.xml', 'CoreEquipment', base('NaN'));
    const text = enerchain('import', eq, ssh, '--check');
    expect(text.stdout).toContain(
      `error   bad.xml:6 BaseVoltage '110 kV' (_bv): BaseVoltage.nominalVoltage is "NaN", not a number [cim.value]`,
    );
    expect(text.status).toBe(1);
    const { status, stdout } = enerchain('import', eq, ssh, '--check', '--json');
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ kind }) => kind)).toEqual(['file', 'file', 'finding', 'model']);
    expect(lines[2]).toMatchObject({ code: 'cim.value', file: 'bad.xml', line: 6, object: '_bv' });
    expect(lines[3]).toMatchObject({ version: '3.0', classes: { BaseVoltage: 1 }, findings: { error: 1 } });
    expect(status).toBe(1);
  });

  it('says in a sentence that a file is not there', () => {
    const { status, stderr } = enerchain('import', '--check', join(folder, 'nowhere.xml'));
    expect(stderr).toMatch(/nowhere\.xml cannot be read/);
    expect(stderr).not.toContain('    at ');
    expect(status).toBe(1);
  });
});
