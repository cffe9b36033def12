/** Elements of arrays: no name leads to them, but a path from the array on (ISO 9506-2 § 14.5, alternate access). */
import type { AlternateAccess, Variable } from '@enerchain/mms';
import { describe, expect, test } from 'vitest';
import { ModelIndex } from '../../src/client/model-index.ts';
import { checkScl, readScl } from '../../src/index.ts';
import { ANYBODY, float, PAIRS, station, until } from './support.ts';

const SCD = `<SCL xmlns="http://www.iec.ch/61850/2003/SCL" version="2007" revision="B" release="4"><Header id="arrays"/>
<IED name="B"><AccessPoint name="A"><Server><Authentication/><LDevice inst="M"><LN0 lnClass="LLN0" inst="" lnType="LLN0">
<DataSet name="Third"><FCDA ldInst="M" lnClass="MHAI" lnInst="1" doName="HA" daName="phsAHar" ix="3" fc="MX"/><FCDA ldInst="M" lnClass="MHAI" lnInst="1" doName="HA" daName="phsAHar.mag.f" ix="1" fc="MX"/></DataSet>
<ReportControl name="third" rptID="T" datSet="Third" confRev="1" indexed="false"><TrgOps dchg="true" gi="true"/><OptFields dataRef="true"/></ReportControl></LN0><LN lnClass="MHAI" inst="1" lnType="MHAI"/></LDevice></Server></AccessPoint></IED>
<DataTypeTemplates><LNodeType id="LLN0" lnClass="LLN0"/><LNodeType id="MHAI" lnClass="MHAI"><DO name="HA" type="HWYE"/></LNodeType>
<DOType id="HWYE" cdc="HWYE"><DA name="phsAHar" bType="Struct" type="Vector" count="4" fc="MX" dchg="true"/><DA name="q" bType="Quality" fc="MX"/><DA name="limit" bType="INT32" count="3" fc="CF"/></DOType>
<DAType id="Vector"><BDA name="mag" bType="Struct" type="AV"/></DAType><DAType id="AV"><BDA name="f" bType="FLOAT32"/></DAType></DataTypeTemplates></SCL>`;

const HA = 'BM/MHAI1.HA';
const int = (value: number) => ({ kind: 'integer', value }) as const;
const variable = (item: string, access: AlternateAccess): Variable => ({
  specification: { kind: 'name', value: { kind: 'domain', value: { domain: 'BM', item } } },
  access,
});

describe.each(PAIRS)('over $name', (pair) => {
  const open = async () => {
    const { server, connect } = station(pair, ANYBODY, checkScl(readScl(SCD).scl!).models.get('B')!);
    for (const index of [0, 1, 2, 3]) server.update(HA, { [`phsAHar.${index}.mag.f`]: float(index + 0.5) });
    return connect();
  };

  test('an element, and a part of one, are read by their references', async () => {
    const client = await open();
    expect(await client.read(`${HA}.phsAHar(2).mag.f`, 'MX')).toEqual(float(2.5));
    expect(await client.read(`${HA}.phsAHar(3)`, 'MX')).toEqual({
      kind: 'structure',
      value: [{ kind: 'structure', value: [float(3.5)] }],
    });
    for (const wrong of ['phsAHar(4)', 'phsAHar(2).ang', 'q(0)', 'limit(0).f'])
      await expect(client.read(`${HA}.${wrong}`, 'MX'), wrong).rejects.toMatchObject({ fault: 'peer' });
    for (const wrong of ['phsAHar()', 'phsAHar(x)', 'phsAHar(1)mag', 'phsAHar(-1)', 'phsAHar(1'])
      await expect(client.read(`${HA}.${wrong}`, 'MX'), wrong).rejects.toMatchObject({ code: 'client.reference' });
  });

  test('ranges, all elements, and several paths at once', async () => {
    const client = await open();
    const f: AlternateAccess = [
      {
        kind: 'nested',
        value: { select: { kind: 'component', value: 'mag' }, access: [{ kind: 'component', value: 'f' }] },
      },
    ];
    const element = (index: number) =>
      ({ kind: 'nested', value: { select: { kind: 'index', value: index }, access: f } }) as const;
    const limits = { kind: 'array', value: [int(0), int(0), int(0)] };
    expect(
      await client.readMany([
        variable('MHAI1$MX$HA$phsAHar', [element(0), { kind: 'named', value: { name: 'last', access: element(3) } }]),
        variable('MHAI1$CF$HA$limit', [{ kind: 'indexRange', value: { lowIndex: 1, numberOfElements: 2 } }]),
        variable('MHAI1$CF$HA', [
          {
            kind: 'nested',
            value: { select: { kind: 'component', value: 'limit' }, access: [{ kind: 'allElements', value: null }] },
          },
        ]),
        variable('MHAI1$CF$HA$limit', [{ kind: 'indexRange', value: { lowIndex: 2, numberOfElements: 2 } }]),
      ]),
    ).toMatchObject([
      { kind: 'structure', value: [float(0.5), float(3.5)] },
      { kind: 'array', value: [int(0), int(0)] },
      limits,
      { code: 'access.access-unsupported' },
    ]);
  });

  test('an element is written, and nothing beside it', async () => {
    const client = await open();
    await client.write(`${HA}.limit(1)`, 'CF', int(7));
    expect(await client.read(`${HA}.limit`, 'CF')).toEqual({ kind: 'array', value: [int(0), int(7), int(0)] });
    await expect(client.write(`${HA}.limit(1)`, 'CF', float(1))).rejects.toMatchObject({
      code: 'access.type-inconsistent',
    });
    await expect(client.write(`${HA}.limit(3)`, 'CF', int(1))).rejects.toMatchObject({ fault: 'peer' });
    // A path does not lead around what its constraint says.
    await expect(client.write(`${HA}.phsAHar(0).mag.f`, 'MX', float(1))).rejects.toMatchObject({
      code: 'access.access-denied',
    });
    expect(await client.read(`${HA}.phsAHar(0).mag.f`, 'MX')).toEqual(float(0.5));
  });

  test('an element is a member of a data set, of the file or of a client, and reported alone', async () => {
    const model = checkScl(readScl(SCD).scl!).models.get('B')!;
    const { server, connect } = station(pair, ANYBODY, model);
    const client = await connect();
    const members = [
      { reference: `${HA}.phsAHar(3)`, fc: 'MX' },
      { reference: `${HA}.phsAHar(1).mag.f`, fc: 'MX' },
    ];
    expect(await client.dataSetMembers('BM/LLN0.Third')).toEqual(members);
    // And as the file has it.
    const inFile = ModelIndex.of(model).reportBlock('BM/LLN0.RP.third')?.members;
    expect(inFile).toEqual(members.map(({ reference, fc }) => `${reference} [${fc}]`));
    await client.createDataSet('@Mine', [{ reference: `${HA}.phsAHar(1).mag.f`, fc: 'MX' }]);
    expect(await client.dataSetMembers('@Mine')).toEqual([{ reference: `${HA}.phsAHar(1).mag.f`, fc: 'MX' }]);
    const reports: unknown[] = [];
    const subscription = await client.subscribe('BM/LLN0.RP.third', {
      interrogate: false,
      onReport: ({ members }) => reports.push(members.map(({ reference, value }) => [reference, value])),
    });
    server.update(HA, { 'phsAHar.2.mag.f': float(2) });
    server.update(HA, { 'phsAHar.3.mag.f': float(3) });
    await until(() => reports.length === 1);
    const structure = { kind: 'structure', value: [{ kind: 'structure', value: [float(3)] }] };
    expect(reports).toEqual([[[`${HA}.phsAHar(3)`, structure]]]);
    await subscription.end();
    server.update(HA, { 'phsAHar.1.mag.f': float(1) });
    expect(await client.readDataSet('@Mine')).toEqual([float(1)]);
    await expect(client.createDataSet('@Nothing', [{ reference: `${HA}.phsAHar(9)`, fc: 'MX' }])).rejects.toMatchObject(
      { code: 'service.definition' },
    );
  });
});
