import { describe, expect, test } from 'vitest';
import { ANYBODY, bool, float, PAIRS, station } from './support.ts';

describe.each(PAIRS)('values over $name', (pair) => {
  test('a client sees what the file says: devices, variables, types, data sets', async () => {
    const client = await station(pair).connect();
    expect(await client.devices()).toEqual(['BCU1CTRL']);
    const names = await client.variables('BCU1CTRL');
    expect(names).toContain('MMXU1$MX$TotW$mag$f');
    expect(names).toContain('LLN0$RP$urcb02$RptEna');
    expect(names).toContain('LLN0$BR$brcb$EntryID');
    expect(new Set(names).size).toBe(names.length);
    expect(await client.dataSets('BCU1CTRL')).toEqual(['BCU1CTRL/LLN0.Switches', 'BCU1CTRL/LLN0.Values']);
    expect(await client.dataSetMembers('BCU1CTRL/LLN0.Values')).toEqual([
      { reference: 'BCU1CTRL/MMXU1.TotW', fc: 'MX' },
      { reference: 'BCU1CTRL/MMXU1.Hz.mag.f', fc: 'MX' },
    ]);
    expect(await client.type('BCU1CTRL/MMXU1.TotW', 'MX')).toMatchObject({
      kind: 'structure',
      value: {
        components: [
          { name: 'mag' },
          { name: 'q', type: { kind: 'bitString', value: -13 } },
          { name: 't', type: { kind: 'utcTime' } },
        ],
      },
    });
    expect(await client.read('BCU1CTRL/LLN0.NamPlt.vendor', 'DC')).toEqual({ kind: 'visibleString', value: 'Example' });
    expect(await client.read('BCU1CTRL/GGIO1.SPCSO4.ctlModel', 'CF')).toEqual({ kind: 'integer', value: 4 });
  });

  test('names come in pieces when they do not fit', async () => {
    const { connect } = station(pair);
    const initiate = { outstandingCalling: 1, outstandingCalled: 1, nesting: 10, localDetail: 1_000 };
    const detail = {
      version: 1,
      parameters: { length: 11, bytes: Uint8Array.of(0xf1, 0) },
      services: { length: 85, bytes: new Uint8Array(11).fill(0xff) },
    };
    const small = await connect({ association: { initiate: { ...initiate, detail } } });
    const whole = await connect();
    expect(await small.variables('BCU1CTRL')).toEqual(await whole.variables('BCU1CTRL'));
  });

  test('what the process sets is read; attributes of the configuration are written, status never', async () => {
    const { server, connect } = station(pair, ANYBODY);
    const client = await connect();
    server.update('BCU1CTRL/MMXU1.TotW', {
      'mag.f': float(12.5),
      q: { kind: 'bitString', value: { length: 13, bytes: Uint8Array.of(0x40, 0) } },
    });
    expect(await client.read('BCU1CTRL/MMXU1.TotW.mag.f', 'MX')).toEqual(float(12.5));
    expect(await client.readDataSet('BCU1CTRL/LLN0.Values')).toMatchObject([
      { kind: 'structure', value: [{ value: [float(12.5)] }, {}, {}] },
      float(0),
    ]);
    await client.write('BCU1CTRL/MMXU1.TotW.db', 'CF', { kind: 'unsigned', value: 500 });
    expect(server.value('BCU1CTRL/MMXU1.TotW.db', 'CF')).toEqual({ kind: 'unsigned', value: 500 });
    await expect(client.write('BCU1CTRL/MMXU1.TotW.mag.f', 'MX', float(1))).rejects.toMatchObject({
      code: 'access.access-denied',
    });
    await expect(client.write('BCU1CTRL/GGIO1.SPCSO1.stVal', 'ST', bool(true))).rejects.toMatchObject({
      code: 'access.access-denied',
    });
    await expect(client.write('BCU1CTRL/MMXU1.TotW.db', 'CF', bool(true))).rejects.toMatchObject({
      code: 'access.type-inconsistent',
    });
    await expect(client.read('BCU1CTRL/MMXU1.TotVAr', 'MX')).rejects.toMatchObject({ code: 'access.non-existent' });
    expect(() => server.update('BCU1CTRL/MMXU1.TotW', { 'mag.i': float(1) })).toThrow(/no attribute/);
    expect(() => server.update('BCU1CTRL/MMXU1.TotW', { 'mag.f': bool(true) })).toThrow(/takes float/);
  });

  test('who may write is asked where somebody wants to know', async () => {
    const asked: string[] = [];
    const { connect } = station(pair, { onWrite: ({ reference, fc }) => asked.push(`${reference} ${fc}`) > 1 });
    const client = await connect();
    const write = () => client.write('BCU1CTRL/MMXU1.Hz.db', 'CF', { kind: 'unsigned', value: 1 });
    await expect(write()).rejects.toMatchObject({ code: 'access.access-denied' });
    await write();
    expect(asked).toEqual(['BCU1CTRL/MMXU1.Hz.db CF', 'BCU1CTRL/MMXU1.Hz.db CF']);
  });

  test('data sets of a client: made, read, removed; those of the file stay', async () => {
    const { connect } = station(pair);
    const [client, other] = [await connect(), await connect()];
    const members = [{ reference: 'BCU1CTRL/MMXU1.Hz', fc: 'MX' }] as const;
    await client.createDataSet('@Mine', members);
    await client.createDataSet('BCU1CTRL/LLN0.Ours', members);
    expect(await client.readDataSet('@Mine')).toHaveLength(1);
    await expect(other.readDataSet('@Mine')).rejects.toMatchObject({ code: 'service.access' });
    expect(await other.readDataSet('BCU1CTRL/LLN0.Ours')).toHaveLength(1);
    await expect(client.createDataSet('@Mine', members)).rejects.toMatchObject({ code: 'service.definition' });
    await client.deleteDataSet('@Mine');
    await client.deleteDataSet('BCU1CTRL/LLN0.Ours');
    await expect(client.deleteDataSet('BCU1CTRL/LLN0.Values')).rejects.toMatchObject({ code: 'access.denied' });
    await expect(client.createDataSet('@None', [{ reference: 'BCU1CTRL/MMXU1.None', fc: 'MX' }])).rejects.toMatchObject(
      { code: 'service.definition' },
    );
  });

  test('one association more than allowed is refused', async () => {
    const { connect, server } = station(pair, { maxConnections: 2 });
    await connect();
    await connect();
    await expect(connect()).rejects.toMatchObject({ name: 'MmsError' });
    expect(server.connections).toBe(2);
  });
});
