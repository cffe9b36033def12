/**
 * ACSI in both roles with iec61850-rust, as its wheel has it. Not tried with it, because it cannot: making data sets (it answers,
 * and expects as an answer, a NULL that is constructed: 0xab where X.690 § 8.8 has 0x8b); causes of refusals (its client does
 * not look at LastApplError, its server sends none); report control blocks of its server (it lists them and then does
 * not know their type); resuming by its client (it writes an attribute EntryId, which is EntryID); data sets, control blocks and values of the file (its server takes none of them over).
 */
import { describe, expect, test } from 'vitest';
import { SCD } from '../../standards/iec61850/test/acsi/sample.ts';
import { until } from '../peer-process.ts';
import { rust } from './packages.ts';
import { boolean, MODELS, ourClient, ourServer, peerProgram, sclFile } from './stacks.ts';

const { python, missing } = rust;

async function theirClient(port: number) {
  const peer = await peerProgram(python, 'rust_client.py');
  await peer.call('connect', port);
  return peer;
}

describe.skipIf(missing !== undefined)(`ACSI with iec61850-rust${missing ? ` (skipped: ${missing})` : ''}`, () => {
  describe('its client with our server', () => {
    test('browses, reads, writes, and is told why not', async () => {
      const { server, port } = await ourServer();
      server.update('BCU1CTRL/MMXU1.TotW', { 'mag.f': { kind: 'float', value: 12.5 } });
      const [peer, own] = [await theirClient(port), await ourClient(port)];
      expect(await peer.call('devices')).toEqual(['BCU1CTRL']);
      expect(await peer.call('names', 'BCU1CTRL')).toEqual(await own.variables('BCU1CTRL'));
      expect(await peer.call('members', 'BCU1CTRL/LLN0.Values')).toEqual([
        ['BCU1CTRL/MMXU1.TotW', 'MX'],
        ['BCU1CTRL/MMXU1.Hz.mag.f', 'MX'],
      ]);
      expect(await peer.call('values', 'BCU1CTRL/LLN0.Values')).toEqual([[[12.5], '0000', '0000000000000000'], 0]);
      expect(
        await peer.call('readMany', [
          ['BCU1CTRL/MMXU1.TotW.mag', 'MX'],
          ['BCU1CTRL/MMXU1.Nothing', 'MX'],
        ]),
      ).toEqual([[12.5], { failure: 10 }]);
      expect(await peer.call('specification', 'BCU1CTRL/MMXU1.TotW.mag', 'MX')).toMatchObject({
        kind: 'structure',
        components: [{ name: 'f', type: { kind: 'float', format_width: 32 } }],
      });
      // It writes an integer where the attribute is unsigned: the same octets but for the tag, and we take it.
      await peer.call('write', 'BCU1CTRL/MMXU1.TotW.db', 'CF', 'int32', 77);
      expect(server.value('BCU1CTRL/MMXU1.TotW.db', 'CF').value).toBe(77);
      await expect(peer.call('write', 'BCU1CTRL/MMXU1.TotW.db', 'CF', 'bool', true)).rejects.toThrow(
        /TypeInconsistent/,
      );
    });

    test('reports of both kinds, and what was buffered during a cut', async () => {
      const { server, port } = await ourServer();
      const change = (value: boolean) => server.update('BCU1CTRL/GGIO1.SPCSO1', { stVal: boolean(value) });
      const first = await theirClient(port);
      await first.call('enable', 'BCU1CTRL/LLN0.RP.urcb01', null, true);
      await first.call('enable', 'BCU1CTRL/LLN0.BR.brcb', null, false);
      server.update('BCU1CTRL/MMXU1.TotW', { 'mag.f': { kind: 'float', value: 5 } });
      change(true);
      const of = (id: string) => first.all('report').filter(({ rptId }) => rptId === id);
      await until(() => of('U').length === 2 && of('BCU1CTRL/LLN0$BR$brcb').length === 1, 'three reports');
      expect(of('U')).toMatchObject([
        {
          seqNum: 0,
          dataSet: 'BCU1CTRL/LLN0$Values',
          confRev: 1,
          members: [
            [[[0], '0000', expect.anything()], ['general_interrogation']],
            [0, ['general_interrogation']],
          ],
        },
        { seqNum: 1, members: [[[[5], '0000', expect.anything()], ['data_change']], expect.anything()] },
      ]);
      await first.kill();
      change(false);
      change(true);
      const second = await theirClient(port);
      await second.call('enable', 'BCU1CTRL/LLN0.BR.brcb', null, false);
      await until(() => second.all('report').length >= 2, 'what was kept');
      const values = second.all('report').map(({ members }) => (members as [unknown[]][])[0]![0]![0]);
      expect(values).toEqual([false, true]);
    });

    test('all five control models, and refusals', async () => {
      const { port, operated } = await ourServer();
      const peer = await theirClient(port);
      const steps: unknown[] = [];
      for (const [index] of MODELS.entries()) {
        const reference = `BCU1CTRL/GGIO1.SPCSO${index + 1}`;
        expect(await peer.call('operate', reference, true)).toMatchObject({ ok: true });
        steps.push(await peer.call('operate', reference, false));
      }
      expect(operated).toEqual(MODELS.map((name, index) => `${index + 1} ${name} true`));
      expect(steps).toMatchObject(['operate', 'operate', 'operate', 'select'].map((step) => ({ ok: false, step })));
      expect(await peer.call('operate', 'BCU1CTRL/GGIO1.SPCSO6', true)).toMatchObject({ ok: false });
      const other = await theirClient(port);
      expect(await other.call('select', 'BCU1CTRL/GGIO1.SPCSO4', true)).toMatchObject({ ok: true });
      expect(await peer.call('operate', 'BCU1CTRL/GGIO1.SPCSO4', true)).toMatchObject({ ok: false, step: 'select' });
      expect(await other.call('cancel', 'BCU1CTRL/GGIO1.SPCSO4', true)).toMatchObject({ ok: true });
      expect(await peer.call('operate', 'BCU1CTRL/GGIO1.SPCSO4', true)).toMatchObject({ ok: true });
    });
  });

  test('its server with our client: browsing, values, data sets, all five control models with refusals', async () => {
    const peer = await peerProgram(python, 'rust_server.py', sclFile(SCD), 'BCU1');
    await peer.call('dataSet', 'LLN0$Values', ['CTRL/MMXU1.TotW.mag.f', 'CTRL/MMXU1.Hz.mag.f']);
    for (const [index, name] of MODELS.entries()) await peer.call('control', `CTRL/GGIO1.SPCSO${index + 1}`, name);
    await peer.call('start');
    for (const [index] of MODELS.entries())
      await peer.call('set', 'int32', `CTRL/GGIO1.SPCSO${index + 1}.ctlModel`, index + 1);
    const strays: string[] = [];
    const own = await ourClient(await peer.call<number>('port'), strays);
    const ours = await ourClient((await ourServer()).port);
    expect(await own.devices()).toEqual(['BCU1CTRL']);
    // Control blocks are not taken from the file.
    const names = async (client: typeof own) =>
      (await client.variables('BCU1CTRL')).filter((name) => !/\$(BR|RP)/.test(name)).sort();
    expect(await names(own)).toEqual(await names(ours));
    for (const [reference, fc] of [
      ['BCU1CTRL/MMXU1.TotW', 'MX'],
      ['BCU1CTRL/GGIO1.SPCSO4', 'ST'],
    ] as const)
      expect(await own.type(reference, fc)).toEqual(await ours.type(reference, fc));
    await peer.call('set', 'float32', 'CTRL/MMXU1.TotW.mag.f', 12.5);
    expect(await own.dataSetMembers('BCU1CTRL/LLN0.Values')).toEqual([
      { reference: 'BCU1CTRL/MMXU1.TotW.mag.f', fc: 'MX' },
      { reference: 'BCU1CTRL/MMXU1.Hz.mag.f', fc: 'MX' },
    ]);
    expect(await own.readDataSet('BCU1CTRL/LLN0.Values')).toEqual([
      { kind: 'float', value: 12.5 },
      { kind: 'float', value: 0 },
    ]);
    await expect(own.read('BCU1CTRL/MMXU1.Nothing', 'MX')).rejects.toMatchObject({ code: 'access.non-existent' });
    await expect(own.write('BCU1CTRL/MMXU1.TotW.mag.f', 'MX', { kind: 'float', value: 1 })).rejects.toMatchObject({
      code: 'access.access-denied',
    });
    for (const [index, model] of MODELS.entries()) {
      const reference = `BCU1CTRL/GGIO1.SPCSO${index + 1}`;
      expect(await own.operate(reference, boolean(true))).toEqual({ ok: true, model, ctlNum: 1 });
      expect(await own.read(`${reference}.stVal`, 'ST')).toEqual(boolean(true));
      await peer.call('refuse', `CTRL/GGIO1.SPCSO${index + 1}`, 'check', 'BlockedByInterlocking');
      const step = model.startsWith('sbo') ? 'select' : 'operate';
      expect(await own.operate(reference, boolean(false))).toMatchObject({ ok: false, step, unknown: false });
    }
    expect(await own.operate('BCU1CTRL/GGIO1.SPCSO6', boolean(true))).toMatchObject({ ok: false });
    expect(strays).toEqual([]);
  });
});
