/** Setting groups, logs, substitution and files in both roles with libiec61850, through its C interface (`peers/libiec61850.py`). */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FolderStore, Iec61850Client, Iec61850Server, type LogEntry, type LogQuery } from '@enerchain/iec61850';
import { tcpConnect } from '@enerchain/transport';
import { describe, expect, onTestFinished, test } from 'vitest';
import { servicesModel } from '../../standards/iec61850/test/acsi/services-sample.ts';
import { freePort } from '../peer-process.ts';
import { missing, python } from '../pyiec61850.ts';

const script = (name: string) => join(import.meta.dirname, 'peers', name);
const LD = 'PROT1LD';

/** A folder with a fault record, and something beside it. */
function folder(): { root: string; own: string } {
  const base = mkdtempSync(join(tmpdir(), 'files-'));
  onTestFinished(() => rmSync(base, { recursive: true }));
  const [root, own] = [join(base, 'root'), join(base, 'own')];
  mkdirSync(join(root, 'COMTRADE'), { recursive: true });
  mkdirSync(own);
  writeFileSync(join(base, 'secret'), 'secret');
  writeFileSync(join(root, 'old.txt'), 'old');
  writeFileSync(join(root, 'COMTRADE', 'F1.cfg'), 'configuration');
  writeFileSync(join(root, 'COMTRADE', 'F1.dat'), Buffer.alloc(150_000, 1));
  writeFileSync(join(own, 'brought.cfg'), Buffer.alloc(100_000, 2));
  return { root, own };
}

describe.skipIf(missing !== undefined)(`services with libiec61850${missing ? ` (skipped: ${missing})` : ''}`, () => {
  test('its client with our server', async () => {
    const { root, own } = folder();
    const server = new Iec61850Server(servicesModel(), {
      port: 0,
      access: () => true,
      files: { store: new FolderStore(root) },
    });
    const { port } = await server.listen();
    onTestFinished(() => server.close());
    for (const value of [true, false]) server.update(`${LD}/GGIO1.Ind1`, { stVal: { kind: 'boolean', value } });
    const client = spawn(python, [script('services_client.py'), String(port), own], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void client.kill());
    let text = '';
    client.stdout.on('data', (chunk) => {
      text += chunk;
    });
    await once(client, 'close');
    const said = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as [string, unknown]);
    const log = [`${LD}/GGIO1$ST$Ind1`, 'ReasonCode'];
    expect(said).toEqual([
      ['connect', 0],
      ['groups', [4, 2, 0, 30]],
      ['active', 200],
      // 26: temporarily unavailable; 32: invalid value, in its numbers.
      ['not edited', 'error 26'],
      ['edit', 0],
      ['edited', 100],
      ['set', 0],
      ['out of bounds', 32],
      ['confirm', 0],
      ['activate', 0],
      ['active', 123],
      ['subVal', 0],
      ['subEna', 0],
      // The bit of the source, counted from the other end.
      ['substituted', [true, 1 << 10]],
      ['ended', 0],
      ['process', [false, 0]],
      ['log', [0, false, [log, log, log, log]]],
      ['log after the first', [0, false, 3]],
      ['files', [0, ['COMTRADE/', 'old.txt']]],
      ['folder', [0, ['COMTRADE/F1.cfg', 'COMTRADE/F1.dat']]],
      ['fetched', [0, 150_000, 150_000, 150_000]],
      ['outside', [expect.any(Number), expect.any(Number)]],
      ['renamed', 0],
      ['deleted', 0],
      ['brought', 0],
    ]);
    expect(readFileSync(join(root, 'COMTRADE', 'brought.cfg'))).toEqual(Buffer.alloc(100_000, 2));
    expect(said.find(([what]) => what === 'outside')![1]).not.toContain(0);
    expect(readdirSync(root)).toEqual(['COMTRADE']);
    expect(server.value(`${LD}/LLN0.SGCB.ActSG`, 'SP')).toEqual({ kind: 'unsigned', value: 1 });
  });

  test('its server with our client', async () => {
    const { root } = folder();
    const port = await freePort();
    const server = spawn(python, [script('services_server.py'), String(port), root], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    onTestFinished(() => void server.kill());
    expect(String((await once(server.stdout, 'data'))[0])).toContain('ready');
    const connect = async () =>
      Iec61850Client.connect(await tcpConnect('127.0.0.1', port)(AbortSignal.timeout(60_000)));
    const [client, other] = [await connect(), await connect()];
    onTestFinished(() => other.close());
    onTestFinished(() => client.close());

    const { settingGroups, logs, files } = client;
    const setting = 'IEDLD0/PTOC1.StrVal.setMag.f';
    const float = (value: number) => ({ kind: 'float', value }) as const;
    expect(await settingGroups.info('IEDLD0')).toMatchObject({ groups: 3, active: 1, edited: 0 });
    expect(await settingGroups.value(setting)).toEqual(float(10));
    await settingGroups.change('IEDLD0', 2, [{ reference: setting, value: float(25) }]);
    await settingGroups.activate('IEDLD0', 2);
    expect(await settingGroups.info('IEDLD0')).toMatchObject({ active: 2, edited: 0 });
    expect(await settingGroups.value(setting)).toEqual(float(25));
    expect(await settingGroups.read('IEDLD0', 3, [setting])).toEqual([float(30)]);
    await expect(settingGroups.activate('IEDLD0', 9)).rejects.toMatchObject({ code: 'access.value-invalid' });
    await settingGroups.edit('IEDLD0', 1);
    await expect(other.settingGroups.edit('IEDLD0', 1)).rejects.toMatchObject({
      code: 'access.temporarily-unavailable',
    });
    await settingGroups.release('IEDLD0');

    for (let i = 0; i < 3; i++) {
      server.stdin.write('\n');
      await once(server.stdout, 'data');
    }
    expect(await logs.list('IEDLD0')).toEqual(['IEDLD0/LLN0.EventLog']);
    const query = async (wanted: LogQuery) => {
      const entries: LogEntry[] = [];
      for await (const entry of logs.query('IEDLD0/LLN0.EventLog', wanted)) entries.push(entry);
      return entries;
    };
    const entries = await query({});
    expect(entries.map(({ values }) => values)).toEqual(
      [true, false, true].map((value) => [
        { reference: 'IEDLD0/GGIO1$ST$Ind1$stVal', data: { kind: 'boolean', value }, reasons: ['dchg'] },
      ]),
    );
    const gone: string[] = [];
    const onGone = (text: string) => void gone.push(text);
    expect(await query({ after: entries[0]!, onGone })).toEqual(entries.slice(1));
    expect(gone).toEqual([]);
    await query({ after: { ...entries[0]!, id: new Uint8Array(8).fill(0xee) }, onGone });
    expect(gone).toHaveLength(1);
    expect(await query({ after: entries[0]!, to: entries[0]!.time - 1 })).toEqual([]);
    expect(await query({ to: entries[0]!.time - 1_000 })).toEqual([]);
    const info = await logs.info('IEDLD0/LLN0.events');
    expect(info).toMatchObject({ enabled: true, triggers: ['dchg'], log: 'IEDLD0/LLN0.EventLog' });
    expect([info.oldest, info.newest]).toEqual(
      [entries[0], entries[2]].map((entry) => ({ id: entry!.id, time: entry!.time })),
    );
    await logs.configure('IEDLD0/LLN0.events', { enabled: false });
    expect(await logs.info('IEDLD0/LLN0.events')).toMatchObject({ enabled: false });
    // It has no InitializeJournal.
    await expect(logs.clear('IEDLD0/LLN0.EventLog')).rejects.toMatchObject({ code: 'service.rejected' });

    // It lists what is below, too, without the folders themselves.
    expect((await files.list()).map(({ name, size }) => [name, size])).toEqual([
      ['COMTRADE/F1.cfg', 13],
      ['COMTRADE/F1.dat', 150_000],
      ['old.txt', 3],
    ]);
    const [record] = await files.records();
    const { cfg, dat } = await files.record(record!);
    expect([Buffer.from(cfg!).toString(), dat!.length]).toEqual(['configuration', 150_000]);
    await expect(files.content('COMTRADE/F9.dat')).rejects.toMatchObject({ code: 'service.file' });
    await files.delete('old.txt');
    await files.put('brought.dat', Buffer.alloc(100_000, 3));
    expect(readFileSync(join(root, 'brought.dat'))).toEqual(Buffer.alloc(100_000, 3));
    await files.delete('brought.dat');
    expect(readdirSync(root)).toEqual(['COMTRADE']);
  });
});
