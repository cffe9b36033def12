import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { enerchain } from './enerchain.ts';

const folder = mkdtempSync(join(tmpdir(), 'scl-tools-'));

const SCD = `<SCL xmlns="http://www.iec.ch/61850/2003/SCL" version="2007" revision="B" release="4"><Header id="h"/>
<IED name="BCU1"><AccessPoint name="AP1"><Server><Authentication/><LDevice inst="CTRL">
<LN0 lnClass="LLN0" inst="" lnType="LLN0"><DataSet name="D"><FCDA ldInst="CTRL" lnClass="XCBR" lnInst="1" doName="Pos" fc="ST"/></DataSet></LN0>
<LN lnClass="XCBR" inst="1" lnType="XCBR"/></LDevice></Server></AccessPoint></IED>
<DataTypeTemplates><LNodeType id="LLN0" lnClass="LLN0"/><LNodeType id="XCBR" lnClass="XCBR"><DO name="Pos" type="DPC"/></LNodeType>
<DOType id="DPC" cdc="DPC"><DA name="stVal" bType="Dbpos" fc="ST"/><DA name="ctlModel" bType="Enum" type="CtlModel" fc="CF"><Val>status-only</Val></DA></DOType>
<EnumType id="CtlModel"><EnumVal ord="0">status-only</EnumVal><EnumVal ord="1">direct-with-normal-security</EnumVal></EnumType></DataTypeTemplates></SCL>`;
const good = join(folder, 'good.scd');
const other = join(folder, 'other.scd');
const bad = join(folder, 'bad.scd');
writeFileSync(good, SCD);
writeFileSync(other, SCD.replace('<Val>status-only</Val>', '<Val>direct-with-normal-security</Val>'));
writeFileSync(bad, SCD.replace('doName="Pos" fc', 'doName="Position" fc'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('enerchain scl', () => {
  it('check says what is wrong, where, and ends with 1', async () => {
    const { status, stdout } = await enerchain(['scl', 'check', good, bad]);
    expect(status).toBe(1);
    expect(stdout).toContain(`${good}: SCL 2007B4: 1 IEDs, 1 logical devices, 2 logical nodes; 0 errors, 0 warnings`);
    expect(stdout).toContain(`${bad}:3  error  data set D of BCU1CTRL/LLN0: CTRL/XCBR1.Position [ST] is not there`);
    expect((await enerchain(['scl', 'check', good])).status).toBe(0);
  });

  it('tree --json prints one line a data object, with --attributes one an attribute', async () => {
    const lines = async (...args: string[]) =>
      (await enerchain(['scl', 'tree', good, '--json', ...args])).stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
    expect(await lines()).toEqual([{ reference: 'BCU1CTRL/XCBR1.Pos', cdc: 'DPC', line: 4 }]);
    expect(await lines('--attributes')).toEqual([
      { reference: 'BCU1CTRL/XCBR1.Pos.stVal', fc: 'ST', bType: 'Dbpos' },
      { reference: 'BCU1CTRL/XCBR1.Pos.ctlModel', fc: 'CF', bType: 'Enum', enum: 'CtlModel', value: 'status-only' },
    ]);
    const { status, stderr } = await enerchain(['scl', 'tree', good, '--ied', 'BCU2']);
    expect(status).toBe(1);
    expect(stderr).toContain('has no IED BCU2; it has BCU1');
  });

  it('diff says what is different and nothing else', async () => {
    expect(await enerchain(['scl', 'diff', good, good])).toMatchObject({ status: 0, stdout: 'no difference\n' });
    const { status, stdout } = await enerchain(['scl', 'diff', good, other]);
    expect(status).toBe(1);
    expect(stdout).toContain(
      '~ BCU1CTRL/XCBR1.Pos.ctlModel [CF]\n    was  Enum = status-only\n    is   Enum = direct-with-normal-security\n1 differences',
    );
  });

  it('extract writes a CID that is the same device, and writes nothing over', async () => {
    const cid = join(folder, 'bcu1.cid');
    expect(await enerchain(['scl', 'extract', good, '--ied', 'BCU1', '--out', cid])).toMatchObject({
      status: 0,
      stderr: '',
    });
    expect((await enerchain(['scl', 'diff', good, cid])).stdout).toBe('no difference\n');
    expect((await enerchain(['scl', 'extract', good, '--ied', 'BCU1'])).stdout).toBe(readFileSync(cid, 'utf8'));
    const again = await enerchain(['scl', 'extract', good, '--ied', 'BCU1', '--out', cid]);
    expect(again).toMatchObject({ status: 1, stderr: expect.stringContaining('nothing is written over') });
    const unknown = await enerchain(['scl', 'extract', good, '--ied', 'BCU9']);
    expect(unknown.stderr).toBe('there is no IED BCU9; there are BCU1\n');
  });

  it('check --xsd adds what the schema says', async () => {
    const xsd = join(folder, 'SCL.xsd');
    writeFileSync(
      xsd,
      `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="http://www.iec.ch/61850/2003/SCL"><xs:element name="LCS"/></xs:schema>`,
    );
    const { status, stdout } = await enerchain(['scl', 'check', good, '--xsd', xsd]);
    expect(stdout).toMatch(/good\.scd:1 {2}error {2}.*SCL.* \(scl\.xsd\)/);
    expect(status).toBe(1);
  });
});
