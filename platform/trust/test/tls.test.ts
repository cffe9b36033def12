/** TLS of the platform's own connections: what the profile allows, and what whoever is turned away is called. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as tcpConnect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect, createServer, type Server, type TLSSocket } from 'node:tls';
import { type Clock, fromMillis } from '@enerchain/model';
import { FileKeySigner, type GeneralName } from '@enerchain/pki';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  connectTls,
  DevelopmentCa,
  handshakeEvent,
  type Identity,
  obtainIdentity,
  PLATFORM_TLS_PROFILE,
  peerRefusal,
  refusalEvent,
  serverTls,
  type TlsSecurityEvent,
  tlsContext,
} from '../src/index.ts';

let dir: string;
let ca: DevelopmentCa;
let wall: number;
let server: Server;
const clock: Clock = { now: () => fromMillis(wall), monotonic: () => wall };
const events: TlsSecurityEvent[] = [];
const reused: boolean[] = [];

const identity = (name: string, by = ca, hosts: readonly GeneralName[] = []): Promise<Identity> =>
  obtainIdentity(join(dir, name), { name, role: name === 'centre' ? 'centre' : 'edge' }, async (request) => ({
    certificate: await by.issue(request, { name, role: name === 'centre' ? 'centre' : 'edge', hosts }),
    ca: by.certificatePem,
  }));

beforeEach(async () => {
  wall = Date.now();
  events.length = 0;
  reused.length = 0;
  dir = mkdtempSync(join(tmpdir(), 'enerchain-tls-'));
  ca = await DevelopmentCa.open(join(dir, 'ca'), { clock });
  server = createServer(serverTls(await identity('centre')));
  server.on('secureConnection', (socket) => {
    socket.on('error', () => undefined);
    reused.push(socket.isSessionReused());
    const refusal = peerRefusal(socket);
    if (refusal) events.push(refusalEvent(refusal, { clock, role: 'server', socket }));
    socket.end('hello');
  });
  server.on('tlsClientError', (error, socket) => {
    socket.on('error', () => undefined);
    events.push(handshakeEvent(error, { clock, role: 'server', remote: socket.remoteAddress ?? 'unknown' }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(dir, { recursive: true });
});

const here = () => ({ host: '127.0.0.1', port: (server.address() as { port: number }).port });
/** Connects and reads to the end. @returns the protocol, and the sessions that were offered */
async function visit(options: ConnectionOptions): Promise<{ protocol: string | null; sessions: Buffer[] }> {
  const socket: TLSSocket = connect({ ...here(), checkServerIdentity: () => undefined, ...options });
  const sessions: Buffer[] = [];
  let protocol: string | null = null;
  socket.on('session', (session: Buffer) => sessions.push(session));
  socket.on('secureConnect', () => {
    protocol = socket.getProtocol();
  });
  socket.on('error', () => undefined);
  socket.resume();
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
  return { protocol, sessions };
}
const names = () => events.map(({ name }) => name);

describe('TLS between the parts of the platform', () => {
  it('is of version 1.3, and no session is ever resumed', async () => {
    const edge = await identity('edge-nord');
    const first = await visit(tlsContext(edge));
    expect(first.protocol).toBe('TLSv1.3');
    for (const session of first.sessions) await visit({ ...tlsContext(edge), session });
    await visit(tlsContext(edge));
    expect(reused).toEqual(reused.map(() => false));
    expect(reused).toHaveLength(first.sessions.length + 2);
    expect(events).toEqual([]);
    expect(PLATFORM_TLS_PROFILE).toMatchObject({ maxSessionSeconds: 86_400, maxCertificateBytes: 8192 });
  });

  it('turns away older versions and what is no TLS, under their names', async () => {
    const edge = await identity('edge-nord');
    await visit({
      ...tlsContext(edge),
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.2',
      ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256',
    });
    const plain = tcpConnect(here(), () => plain.write('GET / HTTP/1.0\r\n\r\n'));
    plain.on('error', () => undefined);
    await new Promise<void>((resolve) => plain.resume().once('close', () => resolve()));
    expect(names()).toEqual(['version-too-low', 'not-tls']);
    expect(events[0]).toMatchObject({ severity: 'alarm', role: 'server', peer: '127.0.0.1' });
  });

  it('turns away a curve that the profile does not have', async () => {
    const key = await FileKeySigner.create(join(dir, 'brainpool.pem'), { algorithm: 'ESB256' });
    expect(key.algorithm).toBe('ESB256');
    await visit({ ...tlsContext(await identity('edge-nord')), ecdhCurve: 'brainpoolP256r1tls13' });
    expect(names()).toEqual(['cipher-mismatch']);
  });

  it('says who has no certificate, one of another authority, one that has ended, or one that is too large', async () => {
    await visit({ ca: ca.certificatePem });
    const other = await DevelopmentCa.open(join(dir, 'another'), { clock });
    await visit({ ...tlsContext(await identity('edge-other', other)), ca: ca.certificatePem });
    wall -= 30 * 86_400_000;
    const ended = await identity('edge-late');
    wall += 30 * 86_400_000;
    await visit(tlsContext(ended));
    const hosts = Array.from({ length: 300 }, (_, i) => ({
      kind: 'dns' as const,
      value: `host-${i}.${'x'.repeat(20)}.example`,
    }));
    await visit(tlsContext(await identity('edge-large', ca, hosts)));
    await visit(tlsContext(await identity('edge-nord')));
    expect(names()).toEqual([
      'certificate-missing',
      'certificate-unknown-authority',
      'certificate-expired',
      'certificate-too-large',
    ]);
    expect(events[2]!.certificate?.subject).toContain('edge-late');
    expect(events[2]!.text).toContain('connection refused');
  });

  it('reads the certificate of a server without what crashes some runtimes', async () => {
    const socket = connectTls({
      ...here(),
      ...tlsContext(await identity('edge-nord')),
      checkServerIdentity: () => undefined,
    });
    const names = new Promise((resolve, reject) => {
      socket.once('secureConnect', () => resolve(socket.getPeerCertificate().subject?.CN)).once('error', reject);
    });
    expect(await names).toBe('centre');
    // As often as it is asked.
    expect(socket.getPeerX509Certificate()?.subject).toContain('centre');
    expect(socket.getPeerX509Certificate()?.subject).toContain('centre');
    expect(Object.hasOwn(socket, 'getPeerCertificate')).toBe(true);
    socket.destroy();
  });
});
