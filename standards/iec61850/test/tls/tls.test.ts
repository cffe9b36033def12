/** MMS over TLS as IEC 62351-4 has it (transport profile, with that of 62351-3 below), on both sides. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { passwordAuthentication, showsPassword } from '@enerchain/mms';
import { type SecurityEvent, type TlsSettings, tcpConnect, tlsConnect } from '@enerchain/transport';
import { until, VirtualClock } from '@enerchain/transport/testing';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import {
  Iec61850Client,
  type Iec61850ClientOptions,
  Iec61850Server,
  type Iec61850ServerOptions,
  Iec61850Session,
  type ReceivedReport,
} from '../../src/index.ts';
import { sampleModel } from '../acsi/sample.ts';
import { bool } from '../acsi/support.ts';
import { around, type Issued, TestAuthority } from './authority.ts';

describe('MMS over TLS', () => {
  let authority: TestAuthority;
  let stranger: TestAuthority;
  let device: Issued;
  let gateway: Issued;
  beforeAll(async () => {
    authority = await TestAuthority.create('Test authority');
    stranger = await TestAuthority.create('Another authority');
    device = await authority.issue('BCU1');
    gateway = await authority.issue('gateway-1');
  });

  async function listening(profile: Partial<TlsSettings> = {}, options: Iec61850ServerOptions = {}) {
    const events: SecurityEvent[] = [];
    const server = new Iec61850Server(sampleModel(), {
      port: 0,
      tls: { ...device, ca: authority.cert, ...profile },
      onSecurityEvent: (event) => events.push(event),
      ...options,
    });
    const { host, port } = await server.listen();
    onTestFinished(() => server.close());
    return { server, events, host, port };
  }

  /** A way to it, and what it reports. */
  function way(at: { host: string; port: number }, profile: Partial<TlsSettings> = {}, clock?: VirtualClock) {
    const events: SecurityEvent[] = [];
    const connect = tlsConnect({
      ...at,
      tls: { ...gateway, ca: authority.cert, ...profile },
      onSecurityEvent: (event) => events.push(event),
      ...(clock ? { clock } : {}),
    });
    const names = () => events.map(({ name }) => name);
    const client = async (options: Iec61850ClientOptions = {}) => {
      const opened = await Iec61850Client.connect(await connect(AbortSignal.timeout(60_000)), options);
      onTestFinished(() => opened.close());
      return opened;
    };
    return { connect, client, events, names };
  }

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    '%s: both sides show certificates, and say so by name',
    async (version) => {
      const at = await listening({ minVersion: version, maxVersion: version });
      const own = way(at, { serverName: 'localhost' });
      const client = await own.client();
      expect(await client.read('BCU1CTRL/LLN0.NamPlt.vendor', 'DC')).toEqual({
        kind: 'visibleString',
        value: 'Example',
      });
      expect(own.events).toMatchObject([
        { name: 'session-established', severity: 'notice', role: 'client', protocol: version },
      ]);
      expect(own.events[0]!.certificate?.subject).toBe('CN=BCU1');
      expect(at.events).toMatchObject([{ name: 'session-established', certificate: { subject: 'CN=gateway-1' } }]);
    },
  );

  test('who is not meant to come in does not, and both sides know why', async () => {
    const revoked = await authority.issue('stolen');
    const at = await listening({ crl: await authority.crl(revoked) });
    const refused: [Partial<TlsSettings>, string][] = [
      [await stranger.issue('gateway-1'), 'certificate-unknown-authority'],
      [revoked, 'certificate-revoked'],
      [await authority.issue('late', around(-48, -24)), 'certificate-expired'],
      [await authority.issue('early', around(24, 48)), 'certificate-not-yet-valid'],
      [
        { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', cipherSuites: ['TLS_RSA_WITH_AES_128_CBC_SHA256'] },
        'cipher-mismatch',
      ],
    ];
    for (const [profile, why] of refused) {
      const before = at.events.length;
      const own = way(at, profile);
      // With TLS 1.3 the refusal comes after the client's side of the handshake: then it is the association that is not had.
      await expect(own.client()).rejects.toThrow();
      await until(() => at.events.length > before, why);
      expect(at.events.at(-1)).toMatchObject({ name: why, severity: 'alarm' });
    }
    expect(at.server.connections).toBe(0);
    const wrongServer = way(at, { ca: stranger.cert });
    await expect(wrongServer.client()).rejects.toMatchObject({ code: 'tls.certificate-unknown-authority' });
    const wrongName = way(at, { serverName: 'BCU2' });
    await expect(wrongName.client()).rejects.toMatchObject({ code: 'tls.certificate-name-mismatch' });
    expect(await (await way(at).client()).devices()).toEqual(['BCU1CTRL']);
  });

  // A machine that is gone says nothing: without this its association would keep a place for ever.
  test.skipIf(process.platform !== 'linux')(
    'whether a client is still there is asked by the keep-alive of TCP, with TLS and without',
    async () => {
      const plain = new Iec61850Server(sampleModel(), { port: 0 });
      onTestFinished(() => plain.close());
      const bare = await plain.listen();
      const client = await Iec61850Client.connect(await tcpConnect(bare.host, bare.port)(AbortSignal.timeout(10_000)));
      onTestFinished(() => client.close());
      const secured = await listening();
      await way(secured).client();
      for (const { port } of [bare, secured]) await until(() => timersOf(port).join() === '02', 'the keep-alive timer');
    },
  );

  test('plain MMS, and a handshake that never ends, are turned away while others are served', async () => {
    const at = await listening({ handshakeSeconds: 2 });
    const mute = connectSocket(at.port, at.host);
    mute.on('error', () => {});
    const muteEnds = once(mute, 'close');
    const plain = connectSocket(at.port, at.host);
    plain.on('error', () => {});
    const plainEnds = once(plain, 'close');
    plain.write(Uint8Array.of(3, 0, 0, 22, 17, 0xe0, 0, 0, 0, 1, 0, 0xc0, 1, 13, 0xc2, 2, 0, 1, 0xc1, 2, 0, 1));
    await plainEnds;
    await until(() => at.events.some(({ name }) => name === 'not-tls'));
    expect(await (await way(at).client()).devices()).toEqual(['BCU1CTRL']);
    await muteEnds;
    await until(() => at.events.some(({ name }) => name === 'handshake-timeout'));
    expect(at.server.connections).toBe(1);
  });

  test('keys of TLS 1.2 are renewed by renegotiation within the association', async () => {
    const clock = new VirtualClock();
    const at = await listening({ maxVersion: 'TLSv1.2' });
    const own = way(at, { maxVersion: 'TLSv1.2', renegotiateSeconds: 3_600 }, clock);
    const client = await own.client();
    for (let round = 1; round <= 2; round++) {
      await clock.advance(3_600_000);
      await until(() => own.names().filter((name) => name === 'renegotiation-completed').length === round);
      expect(await client.devices()).toEqual(['BCU1CTRL']);
    }
    await until(() => at.events.filter(({ name }) => name === 'renegotiation-completed').length === 2);
  });

  test('a session that comes back resumes, as long as the profile allows, and its reports go on', async () => {
    const clock = new VirtualClock();
    const at = await listening();
    const own = way(at, { resumptionSeconds: 600 }, clock);
    const session = new Iec61850Session({
      clock,
      random: () => 0.5,
      client: { keepAlive: 0 },
      ways: [{ name: 'tls', connect: own.connect }],
    });
    onTestFinished(() => session.close());
    const reports: ReceivedReport[] = [];
    session.subscribe({
      blocks: ['BCU1CTRL/LLN0.BR.brcb'],
      interrogate: false,
      onReport: (report) => reports.push(report),
    });
    session.start();
    const again = async () => {
      session.use().abort();
      await until(() => session.state.kind === 'connecting');
      await clock.advance(1_000);
      await until(() => session.state.kind === 'up');
    };
    await until(() => session.state.kind === 'up');
    at.server.update('BCU1CTRL/GGIO1.SPCSO1', { stVal: bool(true) });
    await until(() => reports.length === 1);
    await again();
    at.server.update('BCU1CTRL/GGIO1.SPCSO2', { stVal: bool(true) });
    await until(() => reports.length === 2);
    await clock.advance(601_000);
    await again();
    expect(own.names()).toEqual(['session-established', 'session-resumed', 'session-established']);
  });

  test('the password of ACSE, within TLS, for devices that know nothing else', async () => {
    const at = await listening({}, { authenticate: (shown) => showsPassword(shown, 'right') });
    const show = (password: string) => ({ association: { authentication: passwordAuthentication(password) } });
    expect(await (await way(at).client(show('right'))).devices()).toEqual(['BCU1CTRL']);
    await expect(way(at).client(show('wrong'))).rejects.toThrow('diagnostic 13');
    await expect(way(at).client()).rejects.toThrow('diagnostic 14');
  });
});

/** Kinds of the timers that the kernel has for established connections to a local port: 02 is that of the keep-alive. */
function timersOf(port: number): string[] {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = readFileSync('/proc/net/tcp', 'utf8')
    .trim()
    .split('\n')
    .map((row) => row.trim().split(/\s+/));
  return rows
    .filter(([, address, , state]) => address?.endsWith(local) && state === '01')
    .map(([, , , , , timer]) => timer!.slice(0, 2));
}
