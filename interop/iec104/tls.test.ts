import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Asdu, Iec104Client, Iec104Server } from '@enerchain/iec60870';
import { type SecurityEvent, tlsConnect } from '@enerchain/transport';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Issued, opensslMissing, TestAuthority } from '../../standards/iec60870/test/tls/pki.ts';
import { freePort, PeerProcess, until } from '../peer-process.ts';

const installed = inject('iec104Peers').c104;
const peer = 'peer' in installed ? installed.peer : undefined;
const missing = 'missing' in installed ? installed.missing : opensslMissing();
if (missing !== undefined) it.skip(`c104 over TLS: ${missing}`, () => {});

describe.skipIf(missing !== undefined)('TLS with c104 (mbedTLS) and with openssl', () => {
  const folder = mkdtempSync(join(tmpdir(), 'interop-tls-'));
  let authority: TestAuthority;
  let ours: Issued;
  let intruder: Issued;
  /** What the peer program is told behind its role. */
  let theirs: string[];
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  beforeAll(() => {
    authority = new TestAuthority('Interop authority');
    ours = authority.issue('ours');
    const stranger = new TestAuthority('Stranger');
    intruder = stranger.issue('intruder');
    stranger.remove();
    const { cert, key } = authority.issue('c104');
    theirs = ['--tls', file('cert.pem', cert), file('key.pem', key), file('ca.pem', authority.cert)];
  });
  afterAll(() => {
    authority?.remove();
    rmSync(folder, { recursive: true, force: true });
  });
  const closing: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  it('our client interrogates its server, and renews the keys of the session while values flow', async () => {
    const port = await freePort();
    const server = new PeerProcess(peer!, ['server', String(port), ...theirs]);
    closing.push(() => server.stop());
    await server.expect((e) => e.event === 'listening', 'listening');
    const events: SecurityEvent[] = [];
    const asdus: Asdu[] = [];
    const host = '127.0.0.1';
    const client = new Iec104Client({
      transport: tlsConnect({
        host,
        port,
        tls: { ...ours, ca: authority.cert, renegotiateSeconds: 1.5 },
        onSecurityEvent: (e) => events.push(e),
      }),
      onAsdu: (asdu) => asdus.push(asdu),
    });
    closing.push(() => client.close());
    client.start();
    await until(() => client.state === 'started', 'STARTDT con');
    expect(events[0]).toMatchObject({
      name: 'session-established',
      protocol: 'TLSv1.2',
      certificate: { subject: 'CN=c104' },
    });
    expect((await client.interrogate(1)).terminated).toBe(true);
    const renegotiations = () => events.filter((e) => e.name === 'renegotiation-completed').length;
    for (let value = 1; renegotiations() < 2; value++) {
      await server.ask({ transmit: 7, value });
      await until(
        () => asdus.some((a) => a.cause === 3 && (a.objects[0]!.element as { value: number }).value === value),
        'value',
      );
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(client.counters.disconnects).toBe(0);
    expect(events.filter((e) => e.severity === 'alarm')).toEqual([]);
  });

  it('our client with a certificate of another authority gets no further than the handshake', async () => {
    const port = await freePort();
    const server = new PeerProcess(peer!, ['server', String(port), ...theirs]);
    closing.push(() => server.stop());
    await server.expect((e) => e.event === 'listening', 'listening');
    const events: SecurityEvent[] = [];
    const client = new Iec104Client({
      transport: tlsConnect({
        host: '127.0.0.1',
        port,
        tls: { ...intruder, ca: authority.cert },
        onSecurityEvent: (e) => events.push(e),
      }),
      reconnect: false,
    });
    closing.push(() => client.close());
    client.start();
    await until(() => events.some((e) => e.severity === 'alarm') || client.counters.disconnects > 0, 'refusal');
    expect(client.state).not.toBe('started');
  });

  it('our server authenticates openssl, answers it in 104, and refuses it by name when its authority is not ours', async () => {
    const events: SecurityEvent[] = [];
    const server = new Iec104Server({
      port: 0,
      tls: { ...ours, ca: authority.cert },
      onSecurityEvent: (e) => events.push(e),
    });
    closing.push(() => server.close());
    const { port } = await server.listen();
    const dial = (name: string, { cert, key }: Issued) => {
      const own = [
        '-cert',
        file(`${name}.pem`, cert),
        '-key',
        file(`${name}.key`, key),
        '-CAfile',
        file('ca.pem', authority.cert),
      ];
      const process = spawn('openssl', [
        's_client',
        '-quiet',
        '-verify_return_error',
        '-connect',
        `127.0.0.1:${port}`,
        ...own,
      ]);
      closing.push(async () => process.kill('SIGKILL'));
      process.stdin.on('error', () => {});
      let heard = Buffer.alloc(0);
      process.stdout.on('data', (chunk) => {
        heard = Buffer.concat([heard, chunk]);
      });
      process.stdin.write(Buffer.from('680407000000', 'hex'));
      return { heard: () => heard.toString('hex') };
    };
    const known = dial('known', authority.issue('known'));
    await until(() => known.heard() === '68040b000000', 'STARTDT con');
    expect(server.connections()[0]).toMatchObject({ subject: 'known', started: true });
    expect(events[0]).toMatchObject({
      name: 'session-established',
      role: 'server',
      certificate: { issuer: 'CN=Interop authority' },
    });
    const stranger = dial('stranger', intruder);
    await until(() => events.length === 2, 'security event');
    expect(events[1]).toMatchObject({ name: 'certificate-unknown-authority', certificate: { subject: 'CN=intruder' } });
    expect(stranger.heard()).toBe('');
    expect(server.connections()).toHaveLength(1);
  });
});
