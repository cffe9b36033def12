/** Both roles over TLS with libiec61850 (mbed TLS), with certificates of the platform's development authority. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkScl, Iec61850Client, Iec61850Server, readScl } from '@enerchain/iec61850';
import { FileKeySigner } from '@enerchain/pki';
import { type SecurityEvent, tlsConnect } from '@enerchain/transport';
import { until } from '@enerchain/transport/testing';
import { DevelopmentCa, requestFor } from '@enerchain/trust';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { SCD } from '../../standards/iec61850/test/acsi/sample.ts';
import { freePort } from '../peer-process.ts';
import { missing, python } from '../pyiec61850.ts';

const script = join(import.meta.dirname, 'peers', 'tls.py');

describe.skipIf(missing !== undefined)(`TLS with libiec61850${missing ? ` (skipped: ${missing})` : ''}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'interop-61850-tls-'));
  const at = (name: string) => join(folder, name);
  const text = (name: string) => readFileSync(at(name), 'utf8');
  beforeAll(async () => {
    for (const [authority, names] of [
      ['ca', ['device', 'gateway']],
      ['foreign', ['stranger']],
    ] as const) {
      const ca = await DevelopmentCa.open(at(authority));
      writeFileSync(at(`${authority}.pem`), ca.certificatePem);
      for (const name of names) {
        const signer = await FileKeySigner.create(at(`${name}.key`));
        const holder = { name, role: 'network' } as const;
        writeFileSync(at(`${name}.pem`), await ca.issue(await requestFor(holder, signer), holder));
      }
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const own = (name: string) => ({ cert: text(`${name}.pem`), key: text(`${name}.key`), ca: text('ca.pem') });
  const started = (role: string, port: number, name: string) => {
    const child = spawn(python, [script, role, String(port), at(`${name}.pem`), at(`${name}.key`), at('ca.pem')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill());
    return child;
  };

  test('its client with our server; a stranger is refused by name', async () => {
    const events: SecurityEvent[] = [];
    const server = new Iec61850Server(checkScl(readScl(SCD).scl!).models.get('BCU1')!, {
      port: 0,
      // Its client takes the session ticket of TLS 1.3 for an error and leaves; see the README.
      tls: { ...own('device'), maxVersion: 'TLSv1.2' },
      onSecurityEvent: (event) => events.push(event),
    });
    const { port } = await server.listen();
    onTestFinished(() => server.close());
    server.update('BCU1CTRL/MMXU1.TotW', { 'mag.f': { kind: 'float', value: 12.5 } });
    const said = async (name: string) => {
      const client = started('client', port, name);
      let all = '';
      client.stdout.on('data', (chunk) => {
        all += chunk;
      });
      await once(client, 'close');
      return all
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown);
    };
    expect(await said('gateway')).toEqual([
      ['connect', 0],
      ['devices', ['BCU1CTRL']],
      ['float', [12.5, 0]],
    ]);
    expect(events).toMatchObject([{ name: 'session-established', severity: 'notice' }]);
    const [[, error]] = (await said('stranger')) as [[string, number]];
    expect(error).not.toBe(0);
    await until(() => events.length > 1, 'the refusal');
    expect(events.at(-1)).toMatchObject({ name: 'certificate-unknown-authority', severity: 'alarm' });
  });

  test('our client with its server', async () => {
    const port = await freePort();
    const server = started('server', port, 'device');
    expect(String((await once(server.stdout, 'data'))[0])).toContain('ready');
    const connect = async (name: string) => {
      const events: SecurityEvent[] = [];
      const onSecurityEvent = (event: SecurityEvent) => void events.push(event);
      const way = tlsConnect({ host: '127.0.0.1', port, tls: own(name), onSecurityEvent });
      const client = await Iec61850Client.connect(await way(AbortSignal.timeout(60_000)));
      return { client, events };
    };
    const { client, events } = await connect('gateway');
    expect(await client.devices()).toEqual(['IEDLD0']);
    expect(await client.read('IEDLD0/GGIO1.Alm1.stVal', 'ST')).toEqual({ kind: 'boolean', value: false });
    expect(events).toMatchObject([{ name: 'session-established' }]);
    expect(events[0]!.certificate?.subject).toContain('CN=device');
    await client.close();
    await expect(connect('stranger')).rejects.toThrow();
  });
});
