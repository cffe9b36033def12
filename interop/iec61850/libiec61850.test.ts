/** ACSI in both roles with libiec61850: values, data sets, reports of both kinds with resume after a cut, all five control models. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import {
  type ControlHandler,
  checkScl,
  Iec61850Client,
  Iec61850Server,
  type ReceivedReport,
  type ReportGap,
  readScl,
} from '@enerchain/iec61850';
import { tcpConnect } from '@enerchain/transport';
import { until } from '@enerchain/transport/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { SCD } from '../../standards/iec61850/test/acsi/sample.ts';
import { freePort } from '../peer-process.ts';
import { missing, python } from '../pyiec61850.ts';

const script = (name: string) => join(import.meta.dirname, 'peers', name);

describe.skipIf(missing !== undefined)(`ACSI with libiec61850${missing ? ` (skipped: ${missing})` : ''}`, () => {
  test('its client with our server', async () => {
    const { scl } = readScl(SCD);
    const operated: string[] = [];
    const handler: ControlHandler = {
      check: ({ ctlVal }) => (ctlVal.value === true ? undefined : 'blocked-by-interlocking'),
      operate: ({ object, model, ctlVal }) => {
        operated.push(`${object.slice(-1)} ${model} ${String(ctlVal.value)}`);
        return undefined;
      },
    };
    const controls = Object.fromEntries([1, 2, 3, 4].map((number) => [`BCU1CTRL/GGIO1.SPCSO${number}`, handler]));
    const server = new Iec61850Server(checkScl(scl!).models.get('BCU1')!, {
      port: 0,
      controls,
      access: () => true,
    });
    const { port } = await server.listen();
    onTestFinished(() => server.close());
    server.update('BCU1CTRL/MMXU1.TotW', { 'mag.f': { kind: 'float', value: 12.5 } });
    const client = spawn(python, [script('client.py'), String(port)], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void client.kill());
    let text = '';
    client.stdout.on('data', (chunk) => {
      text += chunk;
    });
    await once(client, 'close');
    const said = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    const done = [null, 0];
    expect(said).toEqual([
      ['connect', 0],
      ['devices', ['BCU1CTRL']],
      ['float', [12.5, 0]],
      ['data set', [0, ['BCU1CTRL/GGIO1.SPCSO1[ST]', 'BCU1CTRL/GGIO1.SPCSO2[ST]']]],
      ['write', done],
      ['block', ['BCU1CTRL/LLN0.RP.urcb01', 0, 'BCU1CTRL/LLN0$Values', 1]],
      ['enable', done],
      ['interrogate', done],
      // 16: interrogation; 32: the report does not say, as its options want it.
      ['report', ['U', [16, 16]]],
      ['disable', done],
      ['block', ['BCU1CTRL/LLN0.BR.brcb', 0, 'BCU1CTRL/LLN0$Switches', 7]],
      ['enable', done],
      ['interrogate', done],
      ['report', ['BCU1CTRL/LLN0$BR$brcb', [32, 32]]],
      ['disable', done],
      ['operate', [1, 1, null, true]],
      ['operate', [2, 2, true, true]],
      ['operate', [3, 3, null, true]],
      ['operate', [4, 4, true, true]],
      ['refused', [false, 10]],
    ]);
    expect(server.value('BCU1CTRL/MMXU1.TotW.db', 'CF')).toEqual({ kind: 'unsigned', value: 77 });
    expect(operated).toEqual([
      '1 direct-normal true',
      '2 sbo-normal true',
      '3 direct-enhanced true',
      '4 sbo-enhanced true',
    ]);
  });

  test('its server with our client', async () => {
    const port = await freePort();
    const server = spawn(python, [script('server.py'), String(port)], { stdio: ['pipe', 'pipe', 'ignore'] });
    onTestFinished(() => void server.kill());
    expect(String((await once(server.stdout, 'data'))[0])).toContain('ready');
    const strays: string[] = [];
    const connect = async () =>
      Iec61850Client.connect(await tcpConnect('127.0.0.1', port)(AbortSignal.timeout(60_000)), {
        onStray: (text) => strays.push(text),
      });
    const change = async () => {
      server.stdin.write('\n');
      await once(server.stdout, 'data');
    };
    const listen = () => {
      const reports: ReceivedReport[] = [];
      const gaps: ReportGap[] = [];
      return {
        reports,
        gaps,
        onReport: (report: ReceivedReport) => void reports.push(report),
        onGap: (gap: ReportGap) => void gaps.push(gap),
      };
    };
    const first = await connect();
    expect(await first.devices()).toEqual(['IEDLD0']);
    expect(await first.dataSetMembers('IEDLD0/LLN0.Switches')).toEqual([
      { reference: 'IEDLD0/GGIO1.SPCSO1', fc: 'ST' },
      { reference: 'IEDLD0/GGIO1.SPCSO2', fc: 'ST' },
    ]);
    const [plain, buffered] = [listen(), listen()];
    await first.subscribe('IEDLD0/LLN0.RP.urcb01', plain);
    await first.subscribe('IEDLD0/LLN0.BR.brcb01', buffered);
    await change();
    const changed = ({ members }: ReceivedReport) => members.some(({ reasons }) => reasons.includes('dchg'));
    await until(() => plain.reports.some(changed) && buffered.reports.some(changed), 'reports of a change');
    expect(plain.reports[0]!.members.map(({ reasons }) => reasons)).toEqual([['gi'], ['gi']]);
    expect(plain.gaps).toEqual([]);
    const models = ['direct-normal', 'sbo-normal', 'direct-enhanced', 'sbo-enhanced'];
    for (const [index, model] of models.entries()) {
      const outcome = await first.operate(`IEDLD0/GGIO1.SPCSO${index + 1}`, { kind: 'boolean', value: true });
      expect(outcome).toEqual({ ok: true, model, ctlNum: 1 });
      expect(await first.read(`IEDLD0/GGIO1.SPCSO${index + 1}.stVal`, 'ST')).toEqual({ kind: 'boolean', value: true });
    }
    expect(await first.operate('IEDLD0/GGIO1.SPCSO5', { kind: 'boolean', value: true })).toMatchObject({
      ok: false,
      addCause: 'not-supported',
    });
    const other = await connect();
    expect(
      await first.operate('IEDLD0/GGIO1.SPCSO4', { kind: 'boolean', value: false }, { selectOnly: true }),
    ).toMatchObject({ ok: true });
    expect(await other.operate('IEDLD0/GGIO1.SPCSO4', { kind: 'boolean', value: false })).toMatchObject({
      ok: false,
      step: 'select',
    });
    await other.close();
    const last = buffered.reports.at(-1)!.entryId!;
    first.abort();
    await change();
    await change();
    const second = await connect();
    const resumed = listen();
    await second.subscribe('IEDLD0/LLN0.BR.brcb01', { ...resumed, interrogate: false, resumeAfter: last });
    await until(() => resumed.reports.filter(changed).length === 2, 'what was buffered');
    expect(resumed.gaps).toEqual([]);
    await second.close();
    const third = await connect();
    const unknown = listen();
    await third.subscribe('IEDLD0/LLN0.BR.brcb01', {
      ...unknown,
      interrogate: false,
      resumeAfter: new Uint8Array(8).fill(9),
    });
    expect(unknown.gaps).toContain('entry-unknown');
    await third.close();
    expect(strays).toEqual([]);
  });
});
