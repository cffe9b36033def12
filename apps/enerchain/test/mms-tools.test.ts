import { checkScl, Iec61850Server, readScl } from '@enerchain/iec61850';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { enerchainProcess } from './enerchain.ts';

const CONTROL =
  '<BDA name="ctlVal" bType="BOOLEAN"/><BDA name="origin" bType="Struct" type="Origin"/><BDA name="ctlNum" bType="INT8U"/><BDA name="T" bType="Timestamp"/><BDA name="Test" bType="BOOLEAN"/><BDA name="Check" bType="Check"/>';
const SCD = `<SCL xmlns="http://www.iec.ch/61850/2003/SCL" version="2007" revision="B" release="4"><Header id="h"/>
<IED name="BCU1"><AccessPoint name="AP1"><Server><Authentication/><LDevice inst="CTRL">
<LN0 lnClass="LLN0" inst="" lnType="LLN0"><DataSet name="D"><FCDA ldInst="CTRL" lnClass="GGIO" lnInst="1" doName="SPCSO1" fc="ST"/></DataSet>
<ReportControl name="urcb" rptID="U" datSet="D" confRev="1" indexed="false"><TrgOps dchg="true" gi="true"/><OptFields seqNum="true"/></ReportControl></LN0>
<LN lnClass="GGIO" inst="1" lnType="GGIO"/></LDevice></Server></AccessPoint></IED>
<DataTypeTemplates><LNodeType id="LLN0" lnClass="LLN0"/><LNodeType id="GGIO" lnClass="GGIO"><DO name="SPCSO1" type="SPC"/></LNodeType>
<DOType id="SPC" cdc="SPC"><DA name="stVal" bType="BOOLEAN" fc="ST" dchg="true"/><DA name="q" bType="Quality" fc="ST"/><DA name="t" bType="Timestamp" fc="ST"/><DA name="ctlModel" bType="Enum" type="M" fc="CF"><Val>direct</Val></DA><DA name="sboTimeout" bType="INT32U" fc="CF"/><DA name="Oper" bType="Struct" type="Oper" fc="CO"/></DOType>
<DAType id="Origin"><BDA name="orCat" bType="INT8"/><BDA name="orIdent" bType="Octet64"/></DAType><DAType id="Oper">${CONTROL}</DAType>
<EnumType id="M"><EnumVal ord="1">direct</EnumVal></EnumType></DataTypeTemplates></SCL>`;

describe('enerchain mms', () => {
  const { scl } = readScl(SCD);
  const server = new Iec61850Server(checkScl(scl!).models.get('BCU1')!, {
    port: 0,
    access: () => true,
    controls: {
      'BCU1CTRL/GGIO1.SPCSO1': {
        check: ({ ctlVal }) => (ctlVal.value === true ? undefined : 'blocked-by-interlocking'),
        operate: ({ ctlVal }) => {
          server.update('BCU1CTRL/GGIO1.SPCSO1', { stVal: ctlVal });
          return undefined;
        },
      },
    },
  });
  let at: string;
  beforeAll(async () => {
    at = `127.0.0.1:${(await server.listen()).port}`;
  });
  afterAll(() => server.close());
  const lines = (stdout: string) =>
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);

  it('browse names data objects and data sets, read prints a line an attribute', async () => {
    const { stdout } = await enerchainProcess(['mms', 'browse', at, '--json']);
    expect(lines(stdout)).toContainEqual({ reference: 'BCU1CTRL/GGIO1.SPCSO1', fc: 'ST' });
    expect(lines(stdout)).toContainEqual({ dataSet: 'BCU1CTRL/LLN0.D', members: ['BCU1CTRL/GGIO1.SPCSO1 [ST]'] });
    const one = await enerchainProcess(['mms', 'read', at, 'BCU1CTRL/GGIO1.SPCSO1', '--json']);
    expect(lines(one.stdout)).toEqual([
      { reference: 'BCU1CTRL/GGIO1.SPCSO1.stVal', fc: 'ST', value: false },
      { reference: 'BCU1CTRL/GGIO1.SPCSO1.q', fc: 'ST', value: 'good' },
      { reference: 'BCU1CTRL/GGIO1.SPCSO1.t', fc: 'ST', value: '1970-01-01T00:00:00.000000Z' },
    ]);
  });

  it('write changes the configuration and nothing else', async () => {
    expect(
      (await enerchainProcess(['mms', 'write', at, 'BCU1CTRL/GGIO1.SPCSO1.sboTimeout', '500', '--fc', 'CF'])).stdout,
    ).toBe('BCU1CTRL/GGIO1.SPCSO1.sboTimeout [CF]  500\n');
    const refused = await enerchainProcess(['mms', 'write', at, 'BCU1CTRL/GGIO1.SPCSO1.stVal', 'true']);
    expect(refused).toMatchObject({ status: 1, stdout: '' });
    expect(refused.stderr).toContain('object-access-denied');
    expect(
      (await enerchainProcess(['mms', 'write', at, 'BCU1CTRL/GGIO1.SPCSO1.sboTimeout', 'soon', '--fc', 'CF'])).stderr,
    ).toContain("'soon' is no unsigned");
  });

  it('control says what came of it, report prints what changes', async () => {
    const done = await enerchainProcess(['mms', 'control', at, 'BCU1CTRL/GGIO1.SPCSO1', 'on']);
    expect(done).toMatchObject({ status: 0, stdout: 'BCU1CTRL/GGIO1.SPCSO1: done (direct-normal, ctlNum 1)\n' });
    expect(server.value('BCU1CTRL/GGIO1.SPCSO1.stVal', 'ST')).toEqual({ kind: 'boolean', value: true });
    const refused = await enerchainProcess(['mms', 'control', at, 'BCU1CTRL/GGIO1.SPCSO1', 'off']);
    expect(refused).toMatchObject({
      status: 1,
      stdout: 'BCU1CTRL/GGIO1.SPCSO1: not done at operate: blocked-by-interlocking (direct-normal)\n',
    });
    const { stdout, status } = await enerchainProcess([
      'mms',
      'report',
      at,
      'BCU1CTRL/LLN0.RP.urcb',
      '--json',
      '--count',
      '1',
    ]);
    expect(status).toBe(0);
    expect(lines(stdout)).toMatchObject([
      {
        reference: 'BCU1CTRL/GGIO1.SPCSO1',
        fc: 'ST',
        value: [true, 'good', expect.any(String)],
        reasons: ['gi'],
        seqNum: 0,
      },
    ]);
  });

  it('a device that is not there is a sentence', async () => {
    const { status, stderr } = await enerchainProcess(['mms', 'browse', '127.0.0.1:1']);
    expect(status).toBe(1);
    expect(stderr).toContain('No connection to 127.0.0.1:1');
  });
});
