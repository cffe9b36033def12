/** ACSI in both roles with a stack in pure Python that has nothing of libiec61850. */
import { type Iec61850Client, Iec61850Server, type ReceivedReport } from '@enerchain/iec61850';
import type { Data } from '@enerchain/mms';
import { describe, expect, onTestFinished, test } from 'vitest';
import { SCD } from '../../standards/iec61850/test/acsi/sample.ts';
import { SERVICES_SCD, servicesModel } from '../../standards/iec61850/test/acsi/services-sample.ts';
import { until } from '../peer-process.ts';
import { open61850 } from './packages.ts';
import { boolean, listen, MODELS, ourClient, ourServer, peerProgram, sclFile } from './stacks.ts';

const { python, missing } = open61850;
const LD = 'PROT1LD';
const SETTING = `${LD}/PTOC1.StrVal.setMag.f`;
const client = () => peerProgram(python, 'open61850_client.py');

async function theirServer(scd = SCD, ied = 'BCU1') {
  const server = await peerProgram(python, 'open61850_server.py', sclFile(scd), ied);
  const port = await server.call<number>('port');
  const strays: string[] = [];
  return {
    server,
    strays,
    set: (...values: [reference: string, value: unknown][]) => server.call('set', values),
    connect: () => ourClient(port, strays),
  };
}

describe.skipIf(missing !== undefined)(`ACSI with open61850${missing ? ` (skipped: ${missing})` : ''}`, () => {
  describe('its client with our server', () => {
    test('reads the file as we do, and finds all of it', async () => {
      const { port } = await ourServer();
      const peer = await client();
      await peer.call('connect', port);
      expect(await peer.call('devices')).toEqual(['BCU1CTRL']);
      expect(await peer.call('differences', sclFile(SCD), 'BCU1')).toEqual([]);
      expect(await peer.call('members', 'BCU1CTRL/LLN0.Values')).toEqual([
        'BCU1CTRL/MMXU1$MX$TotW',
        'BCU1CTRL/MMXU1$MX$Hz$mag$f',
      ]);
    });

    test('reads, writes, and is told why not', async () => {
      const { server, port } = await ourServer();
      server.update('BCU1CTRL/MMXU1.TotW', { 'mag.f': { kind: 'float', value: 12.5 } });
      const peer = await client();
      await peer.call('connect', port);
      expect(await peer.call('read', 'BCU1CTRL/MMXU1.TotW.mag.f', 'MX')).toBe(12.5);
      expect(await peer.call('read', 'BCU1CTRL/LLN0.NamPlt.vendor', 'DC')).toBe('Example');
      expect(
        await peer.call('readMany', [
          ['BCU1CTRL/MMXU1.TotW.mag', 'MX'],
          ['BCU1CTRL/MMXU1.Nothing', 'MX'],
        ]),
      ).toEqual([[12.5], { failure: 10 }]);
      await peer.call('write', 'BCU1CTRL/MMXU1.TotW.db', 'CF', 'unsigned', 77);
      expect(server.value('BCU1CTRL/MMXU1.TotW.db', 'CF')).toEqual({ kind: 'unsigned', value: 77 });
      await expect(peer.call('write', 'BCU1CTRL/MMXU1.TotW.mag.f', 'MX', 'float', 1)).rejects.toThrow(
        /object-access-denied/,
      );
      await expect(peer.call('write', 'BCU1CTRL/MMXU1.TotW.db', 'CF', 'bool', true)).rejects.toThrow(
        /type-inconsistent/,
      );
    });

    test('unbuffered reports: changes, interrogation, a block that another client has', async () => {
      const { server, port } = await ourServer();
      const peer = await client();
      await peer.call('connect', port);
      await peer.call('enable', 'BCU1CTRL/LLN0$RP$urcb01', null, true);
      server.update('BCU1CTRL/MMXU1.TotW', { 'mag.f': { kind: 'float', value: 5 } });
      await peer.expect(
        ({ event, members }) => event === 'report' && (members as unknown[]).length === 1,
        'a report of one value',
      );
      expect(peer.all('report')).toMatchObject([
        {
          rptId: 'U',
          seqNum: 0,
          dataSet: 'BCU1CTRL/LLN0$Values',
          confRev: 1,
          members: [
            [0, [[0], expect.anything(), expect.anything()], ['general_interrogation']],
            [1, 0, ['general_interrogation']],
          ],
        },
        { rptId: 'U', seqNum: 1, members: [[0, [[5], expect.anything(), expect.anything()], ['data_change']]] },
      ]);
      const other = await client();
      await other.call('connect', port);
      expect(await other.call('status', 'BCU1CTRL/LLN0$RP$urcb01')).toMatch(/^enabled, reserved/);
      expect(await other.call('status', 'BCU1CTRL/LLN0$RP$urcb02')).toBe('free');
      await expect(other.call('enable', 'BCU1CTRL/LLN0$RP$urcb01', null, true)).rejects.toThrow(
        /temporarily-unavailable/,
      );
      await peer.call('disable', 'BCU1CTRL/LLN0$RP$urcb01');
      expect(await other.call('status', 'BCU1CTRL/LLN0$RP$urcb01')).toBe('free');
    });

    test('buffered reports: a cut, and on after the last entry', async () => {
      const { server, port } = await ourServer();
      const change = (value: boolean) => server.update('BCU1CTRL/GGIO1.SPCSO1', { stVal: boolean(value) });
      const first = await client();
      await first.call('connect', port);
      await first.call('enable', 'BCU1CTRL/LLN0$BR$brcb', null, false);
      change(true);
      const last = await first.expect(({ event }) => event === 'report', 'a report');
      expect(last).toMatchObject({ rptId: 'BCU1CTRL/LLN0$BR$brcb', bufOvfl: false, confRev: 7 });
      await first.kill();
      change(false);
      change(true);
      const second = await client();
      await second.call('connect', port);
      await second.call('enable', 'BCU1CTRL/LLN0$BR$brcb', last.entryId, false);
      await until(() => second.all('report').length >= 2, 'what was kept');
      const values = second.all('report').map(({ members }) => (members as [number, unknown[]][])[0]![1][0]);
      expect(values).toEqual([false, true]);
      await second.call('disable', 'BCU1CTRL/LLN0$BR$brcb');
      await expect(second.call('enable', 'BCU1CTRL/LLN0$BR$brcb', '0909090909090909', false)).rejects.toThrow(
        /EntryID/,
      );
    });

    test('all five control models, with refusals and their causes', async () => {
      const { port, operated } = await ourServer();
      const peer = await client();
      await peer.call('connect', port);
      for (const [index] of MODELS.entries())
        expect(await peer.call('operate', `BCU1CTRL/GGIO1.SPCSO${index + 1}`, true)).toEqual({
          ok: true,
          model: index + 1,
          terminated: index >= 2,
        });
      expect(operated).toEqual(MODELS.map((name, index) => `${index + 1} ${name} true`));
      // Interlocking is 10. With selection, it is the selection that is refused.
      expect(await peer.call('operate', 'BCU1CTRL/GGIO1.SPCSO3', false)).toEqual({
        ok: false,
        stage: 'operate',
        addCause: 10,
        object: 'BCU1CTRL/GGIO1$CO$SPCSO3$Oper',
      });
      expect(await peer.call('operate', 'BCU1CTRL/GGIO1.SPCSO4', false)).toMatchObject({
        stage: 'select',
        addCause: 10,
      });
      expect(await peer.call('operate', 'BCU1CTRL/GGIO1.SPCSO6', true)).toMatchObject({ ok: false, stage: 'check' });
      const other = await client();
      await other.call('connect', port);
      await other.call('select', 'BCU1CTRL/GGIO1.SPCSO4', true);
      expect(await peer.call('operate', 'BCU1CTRL/GGIO1.SPCSO4', true)).toMatchObject({
        ok: false,
        stage: 'select',
        addCause: 27,
      });
      await other.call('cancel', 'BCU1CTRL/GGIO1.SPCSO4', true);
      expect(await peer.call('operate', 'BCU1CTRL/GGIO1.SPCSO4', true)).toMatchObject({ ok: true, terminated: true });
    });
  });

  test('setting groups: its client with our server', async () => {
    const server = new Iec61850Server(servicesModel(), { port: 0, access: () => true });
    const { port } = await server.listen();
    onTestFinished(() => server.close());
    const [peer, other] = [await client(), await client()];
    for (const each of [peer, other]) await each.call('connect', port);
    expect(await peer.call('differences', sclFile(SERVICES_SCD), 'PROT1')).toEqual([]);
    expect(await peer.call('groups', LD)).toMatchObject({ num_of_sg: 4, act_sg: 2, edit_sg: 0, resv_tms: 30 });
    await peer.call('activate', LD, 1);
    expect(await peer.call('read', SETTING, 'SG')).toBe(100);
    await peer.call('edit', LD, 3);
    await expect(other.call('edit', LD, 3)).rejects.toThrow(/temporarily-unavailable/);
    await peer.call('write', SETTING, 'SE', 'float', 333);
    expect(await peer.call('read', SETTING, 'SG')).toBe(100);
    await peer.call('confirm', LD);
    await peer.call('activate', LD, 3);
    expect(await other.call('read', SETTING, 'SG')).toBe(333);
    await expect(peer.call('activate', LD, 5)).rejects.toThrow(/object-value-invalid/);
  });

  test('setting groups: its server with our client', async () => {
    const { connect } = await theirServer(SERVICES_SCD, 'PROT1');
    const { settingGroups } = await connect();
    // It shows a reservation only while there is one.
    expect(await settingGroups.info(LD)).toMatchObject({ groups: 4, active: 2, edited: 0, reservation: 0 });
    expect(await settingGroups.value(SETTING)).toEqual({ kind: 'float', value: 200 });
    await settingGroups.activate(LD, 1);
    expect(await settingGroups.value(SETTING)).toEqual({ kind: 'float', value: 100 });
    await settingGroups.change(LD, 3, [{ reference: SETTING, value: { kind: 'float', value: 333 } }]);
    await settingGroups.activate(LD, 3);
    expect(await settingGroups.value(SETTING)).toEqual({ kind: 'float', value: 333 });
    await settingGroups.edit(LD, 2);
    const { settingGroups: others } = await connect();
    await expect(others.edit(LD, 2)).rejects.toMatchObject({ code: 'access.temporarily-unavailable' });
    await expect(settingGroups.activate(LD, 5)).rejects.toMatchObject({ code: 'access.value-invalid' });
  });

  describe('its server with our client', () => {
    test('serves the file as we read it: names, types, data sets', async () => {
      const their = await theirServer();
      const ours = await ourServer();
      const [theirs, own] = [await their.connect(), await ourClient(ours.port)];
      expect(await theirs.devices()).toEqual(['BCU1CTRL']);
      // 8-1 has TimeofEntry and 7-2 TimeOfEntry; stacks have the one or the other, and clients go by the type.
      const names = async (client: Iec61850Client) =>
        (await client.variables('BCU1CTRL')).map((name) => name.replace('TimeOfEntry', 'TimeofEntry')).sort();
      expect(await names(theirs)).toEqual(await names(own));
      expect((await theirs.dataSets('BCU1CTRL')).sort()).toEqual((await own.dataSets('BCU1CTRL')).sort());
      for (const set of await own.dataSets('BCU1CTRL'))
        expect(await theirs.dataSetMembers(set)).toEqual(await own.dataSetMembers(set));
      for (const [reference, fc] of [
        ['BCU1CTRL/GGIO1.SPCSO5', 'CO'],
        ['BCU1CTRL/GGIO1.SPCSO4', 'ST'],
        ['BCU1CTRL/MMXU1.TotW', 'MX'],
        ['BCU1CTRL/LLN0.urcb01', 'RP'],
      ] as const)
        expect(await theirs.type(reference, fc), reference).toEqual(await own.type(reference, fc));
      expect(their.strays).toEqual([]);
    });

    test('values and data sets', async () => {
      const { connect, set } = await theirServer();
      await set(['BCU1CTRL/MMXU1.TotW.mag.f[MX]', 12.5]);
      const own = await connect();
      expect(await own.read('BCU1CTRL/MMXU1.TotW.mag.f', 'MX')).toEqual({ kind: 'float', value: 12.5 });
      const [total] = await own.readDataSet('BCU1CTRL/LLN0.Values');
      expect(total).toMatchObject({
        kind: 'structure',
        value: [{ kind: 'structure', value: [{ value: 12.5 }] }, {}, {}],
      });
      await own.write('BCU1CTRL/MMXU1.TotW.db', 'CF', { kind: 'unsigned', value: 9 });
      expect(await own.read('BCU1CTRL/MMXU1.TotW.db', 'CF')).toEqual({ kind: 'unsigned', value: 9 });
      await expect(own.read('BCU1CTRL/MMXU1.Nothing', 'MX')).rejects.toMatchObject({ code: 'access.non-existent' });
    });

    test('reports of both kinds, and on after a cut', async () => {
      const { connect, set, strays } = await theirServer();
      const first = await connect();
      const [plain, buffered] = [listen(), listen()];
      await first.subscribe('BCU1CTRL/LLN0.RP.urcb01', plain);
      await first.subscribe('BCU1CTRL/LLN0.BR.brcb', buffered);
      await set(['BCU1CTRL/MMXU1.TotW.mag.f[MX]', 5]);
      await set(['BCU1CTRL/GGIO1.SPCSO1.stVal[ST]', true]);
      const changed = ({ members }: ReceivedReport) => members.some(({ reasons }) => reasons.includes('dchg'));
      await until(() => plain.reports.some(changed) && buffered.reports.some(changed), 'reports of a change');
      expect(plain.reports[0]!.members.map(({ reasons }) => reasons)).toEqual([['gi'], ['gi']]);
      expect([plain.gaps, buffered.gaps]).toEqual([[], []]);
      const last = buffered.reports.at(-1)!.entryId!;
      first.abort();
      await set(['BCU1CTRL/GGIO1.SPCSO1.stVal[ST]', false]);
      await set(['BCU1CTRL/GGIO1.SPCSO1.stVal[ST]', true]);
      const second = await connect();
      const resumed = listen();
      await second.subscribe('BCU1CTRL/LLN0.BR.brcb', { ...resumed, interrogate: false, resumeAfter: last });
      await until(() => resumed.reports.length === 2, 'what was buffered');
      const values = resumed.reports.map(({ members }) => (members[0]!.value as Data & { kind: 'structure' }).value[0]);
      expect(values).toEqual([boolean(false), boolean(true)]);
      expect(resumed.gaps).toEqual([]);
      expect(strays).toEqual([]);
    });

    test('all five control models, with refusals and their causes', async () => {
      const { connect, server, strays } = await theirServer();
      const own = await connect();
      for (const [index, name] of MODELS.entries()) {
        const reference = `BCU1CTRL/GGIO1.SPCSO${index + 1}`;
        expect(await own.operate(reference, boolean(true))).toEqual({ ok: true, model: name, ctlNum: 1 });
        expect(await own.read(`${reference}.stVal`, 'ST')).toEqual(boolean(true));
      }
      expect(await own.operate('BCU1CTRL/GGIO1.SPCSO6', boolean(true))).toMatchObject({
        ok: false,
        addCause: 'not-supported',
      });
      await server.call('refuse', 'BCU1CTRL/GGIO1.SPCSO1', 10);
      await server.call('refuse', 'BCU1CTRL/GGIO1.SPCSO4', 11);
      await server.call('fail', 'BCU1CTRL/GGIO1.SPCSO3', 17);
      expect(await own.operate('BCU1CTRL/GGIO1.SPCSO1', boolean(false))).toMatchObject({
        step: 'operate',
        addCause: 'blocked-by-interlocking',
      });
      expect(await own.operate('BCU1CTRL/GGIO1.SPCSO4', boolean(false))).toMatchObject({
        step: 'select',
        addCause: 'blocked-by-synchrocheck',
      });
      expect(await own.operate('BCU1CTRL/GGIO1.SPCSO3', boolean(false))).toMatchObject({
        step: 'termination',
        addCause: 'abortion-by-trip',
      });
      const other = await connect();
      await server.call('refuse', 'BCU1CTRL/GGIO1.SPCSO4', null);
      expect(await own.operate('BCU1CTRL/GGIO1.SPCSO4', boolean(true), { selectOnly: true })).toMatchObject({
        ok: true,
      });
      // It calls a selection by somebody else object-already-selected; we say locked-by-other-client.
      expect(await other.operate('BCU1CTRL/GGIO1.SPCSO4', boolean(true))).toMatchObject({
        ok: false,
        step: 'select',
        addCause: 'object-already-selected',
      });
      expect(await own.operate('BCU1CTRL/GGIO1.SPCSO4', boolean(true), { cancel: true })).toMatchObject({ ok: true });
      expect(await other.operate('BCU1CTRL/GGIO1.SPCSO4', boolean(true))).toMatchObject({ ok: true });
      expect(strays).toEqual([]);
    });
  });
});
