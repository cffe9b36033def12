import { connect as connectPlain } from 'node:net';
import { connect as connectTls } from 'node:tls';
import {
  clientOptions,
  contextOptions,
  SECURITY_EVENTS,
  type SecurityEvent,
  securityEventOf,
  serverOptions,
  systemClock,
  TLS_RULES,
  type TlsSettings,
  tlsConnect,
} from '@enerchain/transport';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Iec104Server } from '../../src/server/server.ts';
import { Master, until } from '../server/support.ts';
import { type Issued, opensslMissing, TestAuthority } from './pki.ts';

describe('TLS profile', () => {
  const base: TlsSettings = { cert: 'c', key: 'k', ca: 'a' };

  it('offers suites with forward secrecy only, unless others are named', () => {
    const ciphers = (cipherSuites = TLS_RULES.cipherSuites) => contextOptions({ ...TLS_RULES, cipherSuites }).ciphers;
    for (const suite of ciphers()!.split(':')) expect(suite).toMatch(/^TLS_|DHE-/);
    expect(ciphers(['TLS_RSA_WITH_AES_128_CBC_SHA256'])).toBe('AES128-SHA256');
    expect(() => ciphers(['TLS_NULL'])).toThrow(/not in the catalogue/);
    expect(() => ciphers([])).toThrow(/no cipher suite/);
  });

  it('refuses versions below 1.2 and spans that are empty', () => {
    expect(() => serverOptions({ ...base, minVersion: 'TLSv1.1' as 'TLSv1.2' }, 'test')).toThrow(/62351-3/);
    expect(() => clientOptions({ ...base, minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' })).toThrow(/no version/);
    expect(() => clientOptions({ ...base, ca: [] })).toThrow(/no authority/);
  });

  it('the catalogue knows each code once', () => {
    const codes = Object.values(SECURITY_EVENTS).flatMap((row) => [...row.codes]);
    expect(new Set(codes).size).toBe(codes.length);
    expect(securityEventOf('CERT_REVOKED')).toBe('certificate-revoked');
    expect(securityEventOf('SOMETHING_NEW')).toBe('handshake-failed');
    expect(securityEventOf(undefined)).toBe('handshake-failed');
  });
});

const missing = opensslMissing();
if (missing !== undefined) it.skip(`TLS connections: ${missing}`, () => {});

describe.skipIf(missing !== undefined)('TLS connections', () => {
  let authority: TestAuthority;
  let stranger: TestAuthority;
  let station: Issued;
  let centre: Issued;
  beforeAll(() => {
    authority = new TestAuthority('Test authority');
    stranger = new TestAuthority('Another authority');
    station = authority.issue('station');
    centre = authority.issue('centre');
  });
  afterAll(() => {
    authority?.remove();
    stranger?.remove();
  });

  const closing: (() => Promise<void> | void)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  /** A server and one attempt to connect; what both sides report. */
  async function meet(serverSide: Partial<TlsSettings> = {}, clientSide: Partial<TlsSettings> = {}) {
    const serverEvents: SecurityEvent[] = [];
    const clientEvents: SecurityEvent[] = [];
    const server = new Iec104Server({
      port: 0,
      tls: { ...station, ca: authority.cert, ...serverSide },
      onSecurityEvent: (event) => serverEvents.push(event),
    });
    const { host, port } = await server.listen();
    closing.push(() => server.close());
    const connect = tlsConnect({
      host,
      port,
      tls: { ...centre, ca: authority.cert, ...clientSide },
      onSecurityEvent: (event) => clientEvents.push(event),
    });
    const attempt = async () => {
      const transport = await connect(AbortSignal.timeout(60_000));
      const master = new Master(transport, systemClock);
      closing.push(() => master.connection.close());
      master.connection.start();
      await until(() => master.connection.transfer === 'started' || master.closed !== undefined, 'STARTDT con');
      return master;
    };
    return { server, host, port, attempt, serverEvents, clientEvents };
  }
  const names = (events: readonly SecurityEvent[]) => events.map((event) => event.name);

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('mutual authentication with %s carries the protocol', async (version) => {
    const { server, attempt, serverEvents, clientEvents } = await meet({ maxVersion: version });
    const master = await attempt();
    server.enqueue({
      typeId: 1,
      commonAddress: 1,
      objects: [{ address: 7, element: { kind: 'single', value: 1, quality: 0 } }],
    });
    await until(() => master.asdus.length === 1, 'event over TLS');
    expect(server.connections()[0]!.subject).toBe('centre');
    expect(serverEvents[0]).toMatchObject({
      name: 'session-established',
      severity: 'notice',
      role: 'server',
      protocol: version,
    });
    expect(clientEvents[0]).toMatchObject({ name: 'session-established', role: 'client', protocol: version });
    expect(clientEvents[0]!.certificate).toMatchObject({ subject: 'CN=station', issuer: 'CN=Test authority' });
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'a session of %s is resumed, and is not when the profile forbids it',
    async (version) => {
      const { attempt, serverEvents, clientEvents } = await meet({ maxVersion: version });
      const first = await attempt();
      // With TLS 1.3 the ticket arrives after the handshake, at the latest with the first answer.
      first.connection.close();
      await attempt();
      expect(names(clientEvents)).toEqual(['session-established', 'session-resumed']);
      expect(names(serverEvents)).toEqual(['session-established', 'session-resumed']);
      const strict = await meet({ maxVersion: version, resumptionSeconds: 0 }, { resumptionSeconds: 0 });
      (await strict.attempt()).connection.close();
      await strict.attempt();
      expect(names(strict.clientEvents)).toEqual(['session-established', 'session-established']);
    },
  );

  it('renews the keys of a TLS 1.2 session while data flows', async () => {
    const { server, attempt, clientEvents, serverEvents } = await meet(
      { maxVersion: 'TLSv1.2' },
      { renegotiateSeconds: 0.05 },
    );
    const master = await attempt();
    await until(() => names(clientEvents).includes('renegotiation-completed'), 'renegotiation');
    server.enqueue({
      typeId: 1,
      commonAddress: 1,
      objects: [{ address: 7, element: { kind: 'single', value: 1, quality: 0 } }],
    });
    await until(() => master.asdus.length === 1, 'event after it');
    expect(names(serverEvents)).toContain('session-established');
  });

  it('a server that is not of our authority is refused by the client', async () => {
    const { attempt, clientEvents } = await meet({ ...stranger.issue('impostor') }, {});
    await expect(attempt()).rejects.toMatchObject({ fault: 'peer', code: 'tls.certificate-unknown-authority' });
    expect(names(clientEvents)).toEqual(['certificate-unknown-authority']);
  });

  it.each([
    ['of another authority', () => stranger.issue('intruder'), {}, 'certificate-unknown-authority'],
    ['that has expired', () => authority.issue('late', { days: -1 }), {}, 'certificate-expired'],
    [
      'with a key that is too short',
      () => authority.issue('weak', { key: 'rsa1024' }),
      { cipherSuites: ['TLS_AES_128_GCM_SHA256', 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256'] },
      'key-too-weak',
    ],
    [
      'that is not one of the known',
      () => authority.issue('other'),
      { knownCertificates: ['AA:BB'] },
      'certificate-not-known',
    ],
  ] as const)('a client certificate %s is refused by the server', async (_what, make, serverSide, expected) => {
    const issued = make();
    let serverEvents: SecurityEvent[] = [];
    try {
      const met = await meet(serverSide as Partial<TlsSettings>, { ...issued });
      serverEvents = met.serverEvents;
      await met.attempt();
      await until(() => met.server.counters.connectionsAccepted === 0 && serverEvents.length > 0, 'refusal');
    } catch (error) {
      // The library itself may refuse to sign with the short key; then nothing was sent at all.
      if (expected !== 'key-too-weak' || serverEvents.length > 0) {
        await until(() => serverEvents.length > 0, 'refusal');
      } else {
        expect(String(error)).toMatch(/key too small|too small/i);
        return;
      }
    }
    expect(names(serverEvents)).toEqual([expected]);
    expect(serverEvents[0]).toMatchObject({ severity: 'alarm', role: 'server' });
    expect(serverEvents[0]!.text).toContain('connection refused');
    expect(serverEvents[0]!.peer).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  it('a revoked certificate is refused; without a list of the issuer everybody is', async () => {
    const revoked = authority.issue('revoked');
    authority.revoke('revoked');
    const crl = authority.crl();
    const withList = await meet({ crl }, { ...revoked });
    await withList.attempt().catch(() => {});
    await until(() => withList.serverEvents.length > 0, 'refusal');
    expect(withList.serverEvents[0]).toMatchObject({
      name: 'certificate-revoked',
      certificate: { subject: 'CN=revoked' },
    });
    const good = await meet({ crl }, {});
    await good.attempt();
    expect(names(good.serverEvents)).toEqual(['session-established']);
    const foreign = await meet({ crl: stranger.crl() }, {});
    await foreign.attempt().catch(() => {});
    await until(() => foreign.serverEvents.length > 0, 'refusal');
    expect(names(foreign.serverEvents)).toEqual(['crl-unavailable']);
  });

  it('a client without a certificate is refused', async () => {
    const { server, host, port, serverEvents } = await meet();
    const socket = connectTls({ host, port, ca: authority.cert, checkServerIdentity: () => undefined });
    socket.on('error', () => {});
    await until(() => serverEvents.length > 0, 'refusal');
    socket.destroy();
    expect(names(serverEvents)).toEqual(['certificate-missing']);
    expect(server.counters.connectionsAccepted).toBe(0);
  });

  it('no common version and no common suite are told apart, on both sides', async () => {
    const version = await meet({ maxVersion: 'TLSv1.2' }, { minVersion: 'TLSv1.3' });
    await expect(version.attempt()).rejects.toMatchObject({ code: 'tls.version-too-low' });
    await until(() => version.serverEvents.length > 0, 'event of the server');
    expect(names(version.serverEvents)).toEqual(['version-too-low']);
    const cipher = await meet(
      { maxVersion: 'TLSv1.2', cipherSuites: ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384'] },
      { maxVersion: 'TLSv1.2', cipherSuites: ['TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256'] },
    );
    await expect(cipher.attempt()).rejects.toMatchObject({ fault: 'peer' });
    await until(() => cipher.serverEvents.length > 0, 'event of the server');
    expect(names(cipher.serverEvents)).toEqual(['cipher-mismatch']);
  });

  it('a certificate for another name is refused when the client asks for a name', async () => {
    const wrong = await meet({}, { serverName: 'rtu-7.example' });
    await expect(wrong.attempt()).rejects.toMatchObject({ code: 'tls.certificate-name-mismatch' });
    const right = await meet({}, { serverName: 'localhost' });
    await right.attempt();
    expect(names(right.clientEvents)).toEqual(['session-established']);
  });

  it('a peer that speaks plain 104 is an event, not a connection', async () => {
    const { server, host, port, serverEvents } = await meet();
    const socket = connectPlain({ host, port }, () => socket.write(Buffer.from('680407000000', 'hex')));
    socket.on('error', () => {});
    await until(() => serverEvents.length > 0, 'refusal');
    socket.destroy();
    expect(names(serverEvents)).toEqual(['not-tls']);
    expect(server.counters.connectionsAccepted).toBe(0);
  });

  it('a peer that never finishes its handshake is given up', async () => {
    const { host, port, serverEvents } = await meet({ handshakeSeconds: 0.1 });
    const socket = connectPlain({ host, port });
    socket.on('error', () => {});
    await until(() => serverEvents.length > 0, 'time-out');
    socket.destroy();
    expect(names(serverEvents)).toEqual(['handshake-timeout']);
  });

  it('an address nobody listens on is the network, not the peer', async () => {
    const { server, attempt, clientEvents } = await meet();
    await server.close();
    await expect(attempt()).rejects.toMatchObject({ fault: 'environment', code: 'connect' });
    expect(clientEvents).toEqual([]);
  });
});
