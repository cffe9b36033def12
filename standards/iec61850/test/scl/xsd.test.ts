/** A schema of two files in the manner of the standard's, which is not ours to hand on. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Findings } from '@enerchain/xml';
import { afterAll, describe, expect, it } from 'vitest';
import { validateByXsd } from '../../src/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'enerchain-xsd-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const put = (name: string, content: string): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const head = `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="http://www.iec.ch/61850/2003/SCL" targetNamespace="http://www.iec.ch/61850/2003/SCL" elementFormDefault="qualified">`;
put(
  'Types.xsd',
  `${head}<xs:complexType name="tIED"><xs:attribute name="name" use="required"><xs:simpleType><xs:restriction base="xs:string"><xs:pattern value="[A-Za-z]\\w*"/></xs:restriction></xs:simpleType></xs:attribute></xs:complexType></xs:schema>`,
);
const schema = put(
  'SCL.xsd',
  `${head}<xs:include schemaLocation="Types.xsd"/><xs:element name="SCL"><xs:complexType><xs:sequence><xs:element name="Header"/><xs:element name="IED" type="tIED" minOccurs="0" maxOccurs="unbounded"/></xs:sequence></xs:complexType></xs:element></xs:schema>`,
);
const scl = (content: string): string => `<SCL xmlns="http://www.iec.ch/61850/2003/SCL">\n${content}\n</SCL>\n`;

async function said(file: string, by = schema): Promise<Findings> {
  const findings = new Findings();
  await validateByXsd(file, by, findings);
  return findings;
}

describe('validation by the schema that a user has', () => {
  it('finds nothing in what is valid, and the line and the reason where something is not', async () => {
    expect((await said(put('good.scd', scl('<Header/>\n<IED name="BCU1"/>')))).list).toEqual([]);
    const { list } = await said(put('bad.scd', scl('<Header/>\n<IED name="1"/>\n<Bay/>')));
    expect(list.map(({ line }) => line)).toContain(3);
    expect(list.find(({ line }) => line === 3)).toMatchObject({ code: 'scl.xsd', severity: 'error', file: 'bad.scd' });
    expect(list[0]!.text).toMatch(/pattern/);
    expect(list.find(({ line }) => line === 4)!.text).toMatch(/Bay/);
  });

  it('says of what is no XML, and of a schema that is none, what is the matter', async () => {
    expect((await said(put('half.scd', '<SCL>'))).counts.error).toBeGreaterThan(0);
    const noSchema = put('none.xsd', '<xs:nothing xmlns:xs="http://www.w3.org/2001/XMLSchema"/>');
    await expect(said(put('any.scd', scl('<Header/>')), noSchema)).rejects.toMatchObject({ code: 'scl.xsd.schema' });
    await expect(said(join(folder, 'missing.scd'))).rejects.toMatchObject({ code: 'scl.file' });
  });
});
