import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server, TLSSocket } from 'node:tls';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  ALGORITHMS,
  buildCrl,
  checkRuntime,
  connectGuarded,
  engineKeySource,
  FileKeySigner,
  fileKeySource,
  issueUnder,
  keyIdentifier,
  nameOf,
  PLATFORM_TLS,
  parseCrl,
  RevocationLists,
  requireSafeRuntime,
  SessionSupervisor,
  ShortLivedLeaf,
  SIGNATURE_ALGORITHMS,
  type SignatureAlgorithm,
  type SupervisorClock,
  type SupervisorOptions,
  supervisedServer,
  TLS_CIPHER_SUITES,
  TLS_IEC62351_3,
  TLS_SECURITY_EVENTS,
  TLS_TR03116_3,
  type TlsKeySource,
  type TlsProfile,
  type TlsSecurityEvent,
  tlsClientOptions,
  tlsEventOf,
  tlsServerOptions,
  toPem,
} from '../../src/index.ts';
import { authority, endEntity, type IssueOptions, type Party } from '../authority.ts';

const HOUR = 3_600_000;
/** Certificates are of now: OpenSSL looks at the clock of the machine. */
const now = new Date(Math.floor(Date.now() / 1000) * 1000);
const validity = { notBefore: new Date(now.getTime() - HOUR), notAfter: new Date(now.getTime() + 100 * HOUR) };

/** A clock that moves when told to, and runs what is due. */
class VirtualClock implements SupervisorClock {
  #now = now.getTime();
  readonly #due = new Set<{ at: number; action: () => void }>();

  now(): Date {
    return new Date(this.#now);
  }

  schedule(delay: number, action: () => void): () => void {
    const entry = { at: this.#now + delay, action };
    this.#due.add(entry);
    return () => this.#due.delete(entry);
  }

  advance(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const [next] = [...this.#due].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at);
      if (!next) break;
      this.#due.delete(next);
      this.#now = next.at;
      next.action();
    }
    this.#now = until;
  }

  get waiting(): number {
    return this.#due.size;
  }
}

interface Held {
  readonly party: Party;
  readonly keys: TlsKeySource;
}

const pemOf = (...parties: Party[]) => parties.map(({ certificate }) => toPem('CERTIFICATE', certificate.der)).join('');

async function hold(name: string, ca: Party, options: IssueOptions = {}, between: Party[] = []): Promise<Held> {
  const algorithm = options.algorithm ?? 'ES256';
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: ALGORITHMS[algorithm].curve });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const signer = FileKeySigner.fromPem(pem, 'a key', { accept: [algorithm] });
  const extensions = { subjectAltName: [{ kind: 'dns', value: 'localhost' }], ...options.extensions } as const;
  const party = await endEntity(name, ca, { ...validity, ...options, signer, extensions });
  return { party, keys: fileKeySource(pemOf(party, ...between), pem) };
}

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
  vi.restoreAllMocks();
});

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push({ close: () => server.close() });
  return (server.address() as AddressInfo).port;
}

/** Connects and waits for the first byte: with TLS 1.3 the server's refusal comes after our side of the handshake. */
async function connect(
  port: number,
  keys: TlsKeySource,
  ca: Party,
  profile: TlsProfile,
  serverName: string | false = 'localhost',
) {
  const socket = connectGuarded({
    ...tlsClientOptions(profile, { keys, ca: [pemOf(ca)] }, serverName),
    host: '127.0.0.1',
    port,
  });
  open.push({ close: () => socket.destroy() });
  await new Promise<void>((resolve, reject) => {
    socket.once('data', () => resolve());
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed')));
  });
  return socket;
}

const only = (version: 'TLSv1.2' | 'TLSv1.3', profile = TLS_IEC62351_3): TlsProfile => ({
  ...profile,
  minVersion: version,
  maxVersion: version,
});

describe('a profile', () => {
  it.each([TLS_IEC62351_3, TLS_TR03116_3])(
    '$name names suites that are known, none without forward secrecy',
    (profile) => {
      const suites = profile.cipherSuites.map((name) => TLS_CIPHER_SUITES.find((suite) => suite.name === name));
      for (const suite of suites) expect(suite?.name).toMatch(/DHE_|^TLS_AES|^TLS_CHACHA/);
      expect(profile.minVersion).toBe('TLSv1.2');
      expect(profile.maxSessionSeconds).toBeGreaterThan(0);
    },
  );

  const cases = SIGNATURE_ALGORITHMS.flatMap((algorithm) =>
    [TLS_IEC62351_3, TLS_TR03116_3].flatMap((profile) =>
      (['TLSv1.2', 'TLSv1.3'] as const).map((version) => [profile.name, algorithm, version, profile] as const),
    ),
  );
  it.each(cases)(
    '%s: both sides show %s certificates over %s',
    async (_name, algorithm: SignatureAlgorithm, version, profile) => {
      const ca = await authority('TLS CA', undefined, { ...validity, algorithm });
      const server = await hold('server', ca, { algorithm });
      const client = await hold('client', ca, { algorithm });
      const used = only(version, profile);
      const port = await listen(
        createServer(tlsServerOptions(used, { keys: server.keys, ca: [pemOf(ca)] }, 'test'), (socket) =>
          socket.write('x'),
        ),
      );
      const socket = await connect(port, client.keys, ca, used);
      expect(socket.authorized).toBe(true);
      expect(socket.getProtocol()).toBe(version);
      expect(used.cipherSuites).toContain(socket.getCipher().standardName);
      if (profile === TLS_TR03116_3) expect(socket.getEphemeralKeyInfo()).toMatchObject({ name: /^brainpoolP256r1/ });
    },
  );

  it('that cannot be used is refused before anything is opened', async () => {
    const ca = await authority('TLS CA', undefined, validity);
    const { keys } = await hold('server', ca);
    const trust = { keys, ca: [pemOf(ca)] };
    const use =
      (change: Partial<TlsProfile>, more = {}) =>
      () =>
        tlsServerOptions({ ...TLS_IEC62351_3, ...change }, { ...trust, ...more }, 'test');
    expect(use({ cipherSuites: ['TLS_NULL_WITH_NULL_NULL'] })).toThrow('not in the catalogue');
    expect(use({ minVersion: 'TLSv1.3', cipherSuites: ['TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256'] })).toThrow(
      'no cipher suite',
    );
    expect(use({ minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' })).toThrow('no version');
    expect(use({}, { ca: [] })).toThrow('without any authority');
  });
});

describe('the guard', () => {
  it('lets no handshake reach the call that crashes, and names are still checked', async () => {
    const crash = vi.spyOn(TLSSocket.prototype, 'getPeerCertificate').mockImplementation(() => {
      throw new Error('here some versions of Node end');
    });
    const ca = await authority('TLS CA', undefined, { ...validity, algorithm: 'ESB256' });
    const server = await hold('server', ca, { algorithm: 'ESB256' });
    const client = await hold('client', ca, {
      algorithm: 'ESB256',
      subject: nameOf({ commonName: 'client', organization: 'Netz' }),
    });
    const seen: unknown[] = [];
    const supervisor = new SessionSupervisor({ profile: TLS_IEC62351_3, anchors: [ca.certificate], onEvent: () => {} });
    const tls = supervisedServer({
      profile: TLS_IEC62351_3,
      trust: { keys: server.keys, ca: [pemOf(ca)] },
      service: 'test',
      supervisor,
      onSession: (socket) => {
        seen.push(socket.getPeerCertificate());
        socket.write('x');
      },
    });
    const port = await listen(tls);
    await connect(port, client.keys, ca, TLS_IEC62351_3);
    expect(seen).toMatchObject([
      { subject: { CN: 'client', O: 'Netz' }, issuer: { CN: 'TLS CA' }, subjectaltname: 'DNS:localhost' },
    ]);
    await expect(connect(port, client.keys, ca, TLS_IEC62351_3, 'elsewhere.example')).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
    expect(crash).not.toHaveBeenCalled();
    supervisor.stop();
  });
});

describe('the check of the runtime', () => {
  it('passes the one that the tests run on', async () => {
    expect(await checkRuntime()).toEqual({ safe: true, outcome: 'exit 0' });
    await expect(requireSafeRuntime()).resolves.toBeUndefined();
  });

  it('refuses one whose child dies, fails or is not there', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'enerchain-runtime-'));
    open.push({ close: () => rmSync(dir, { recursive: true }) });
    const runtime = (name: string, body: string) => {
      const path = join(dir, name);
      writeFileSync(path, `#!/bin/sh\n${body}\n`);
      chmodSync(path, 0o755);
      return path;
    };
    const crashing = runtime('crashing', 'kill -SEGV $$');
    expect(await checkRuntime(crashing)).toEqual({ safe: false, outcome: 'signal SIGSEGV' });
    await expect(requireSafeRuntime(crashing)).rejects.toMatchObject({ code: 'pki.runtime', fault: 'environment' });
    expect(await checkRuntime(runtime('failing', 'exit 3'))).toMatchObject({ safe: false, outcome: 'exit 3' });
    expect(await checkRuntime(join(dir, 'missing'))).toMatchObject({ safe: false });
  });
});

describe('the supervisor of running sessions', () => {
  let root: Party;
  let sub: Party;
  let server: Held;
  let client: Held;
  beforeAll(async () => {
    root = await authority('Root', undefined, validity);
    sub = await authority('Sub', root, validity);
    server = await hold('server', sub, {}, [sub]);
    client = await hold('client', sub, { notAfter: new Date(now.getTime() + 10 * HOUR) }, [sub]);
  });

  async function session(options: Partial<SupervisorOptions> = {}, by: Held = client) {
    const clock = new VirtualClock();
    const events: TlsSecurityEvent[] = [];
    const supervisor = new SessionSupervisor({
      profile: TLS_IEC62351_3,
      anchors: [root.certificate],
      onEvent: (event) => events.push(event),
      clock,
      ...options,
    });
    open.push({ close: () => supervisor.stop() });
    const profile = options.profile ?? TLS_IEC62351_3;
    const trust = { keys: server.keys, ca: [pemOf(root)] };
    const onSession = (socket: TLSSocket) => socket.write('x');
    const port = await listen(supervisedServer({ profile, trust, service: 'test', supervisor, onSession }));
    const outcome = await connect(port, by.keys, root, TLS_IEC62351_3).then(
      (socket) => ({ socket, closed: once(socket, 'close') }),
      (error: unknown) => error as Error,
    );
    return { clock, events, supervisor, port, outcome, names: () => events.map(({ name }) => name) };
  }
  const closed = async ({ outcome }: Awaited<ReturnType<typeof session>>) => {
    expect(outcome).not.toBeInstanceOf(Error);
    await (outcome as { closed: Promise<unknown> }).closed;
  };
  const list = async (issuer: Party, number: number, entries: Party[] = [], hours = 200) =>
    parseCrl(
      await buildCrl(
        {
          issuer: issuer.certificate,
          number,
          thisUpdate: new Date(now.getTime() - HOUR + number),
          nextUpdate: new Date(now.getTime() + hours * HOUR),
          entries: entries.map(({ certificate: { serialNumber } }) => ({
            serialNumber,
            revokedAt: now,
            reason: 'keyCompromise',
          })),
        },
        issuer.signer,
      ),
      { issuer: issuer.certificate },
    );

  it('closes a session when the certificate of the peer ends, not a second before', async () => {
    const run = await session();
    run.clock.advance(10 * HOUR);
    expect(run.names()).toEqual(['session-established']);
    run.clock.advance(1);
    expect(run.names()).toEqual(['session-established', 'session-certificate-ended']);
    await closed(run);
    expect(run.events[1]!.text).toContain('CN=client');
    expect(run.events[1]).toMatchObject({ severity: 'alarm', role: 'server', certificate: { subject: 'CN=client' } });
    expect(run.supervisor.size).toBe(0);
  });

  it('closes a session when an authority above it ends', async () => {
    const brief = await authority('Brief', root, { ...validity, notAfter: new Date(now.getTime() + 2 * HOUR) });
    const run = await session({}, await hold('below', brief, {}, [brief]));
    run.clock.advance(2 * HOUR);
    expect(run.supervisor.size).toBe(1);
    run.clock.advance(1);
    expect(run.names()).toContain('session-certificate-ended');
    await closed(run);
  });

  it('closes a session that has lasted long enough', async () => {
    const run = await session({ profile: { ...TLS_IEC62351_3, maxSessionSeconds: 3600 } });
    run.clock.advance(HOUR);
    expect(run.supervisor.size).toBe(1);
    run.clock.advance(1);
    expect(run.names()).toEqual(['session-established', 'session-lifetime-ended']);
    expect(run.events[1]!.text).toContain('connection closed');
    await closed(run);
  });

  it.each(['the peer', 'an authority of the peer'])(
    'closes a session as soon as a new list revokes %s',
    async (who) => {
      const lists = new RevocationLists();
      lists.accept(await list(root, 1));
      lists.accept(await list(sub, 1));
      const run = await session({ lists });
      lists.accept(await list(sub, 2));
      lists.accept(await list(root, 2));
      expect(run.names()).toEqual(['session-established']);
      lists.accept(who === 'the peer' ? await list(sub, 3, [client.party]) : await list(root, 3, [sub]));
      expect(run.names()).toEqual(['session-established', 'session-certificate-revoked']);
      await closed(run);
    },
  );

  it('lets nobody in who is revoked, or of whom it is not known', async () => {
    const lists = new RevocationLists();
    lists.accept(await list(root, 1));
    const unknown = await session({ lists });
    expect(unknown.outcome).toBeInstanceOf(Error);
    expect(unknown.names()).toEqual(['crl-unavailable']);
    lists.accept(await list(sub, 1, [client.party]));
    const revoked = await session({ lists });
    expect(revoked.outcome).toBeInstanceOf(Error);
    expect(revoked.names()).toEqual(['certificate-revoked']);
    expect(revoked.supervisor.size).toBe(0);
  });

  it('keeps a session whose list went out of date and says so once; or closes it, if told to', async () => {
    const profile = { ...TLS_IEC62351_3, reevaluateSeconds: 60 };
    for (const whenUnknown of ['keep', 'close'] as const) {
      const lists = new RevocationLists();
      lists.accept(await list(root, 1));
      lists.accept(await list(sub, 1, [], 1));
      const run = await session({ lists, profile, whenUnknown });
      run.clock.advance(HOUR);
      expect(run.names()).toEqual(['session-established']);
      run.clock.advance(10 * 60_000);
      expect(run.names()).toEqual(['session-established', 'session-revocation-unknown']);
      expect(run.supervisor.size).toBe(whenUnknown === 'keep' ? 1 : 0);
      if (whenUnknown === 'close') {
        await closed(run);
        continue;
      }
      // It still ends when it has to, and a list that is heard of again counts.
      lists.accept(await list(sub, 2, [client.party]));
      expect(run.names().at(-1)).toBe('session-certificate-revoked');
      await closed(run);
    }
  });

  it('closes the sessions of a peer that its owner no longer trusts', async () => {
    const run = await session();
    expect(
      run.supervisor.end(
        ({ spki }) => Buffer.compare(spki, server.party.certificate.spki) === 0,
        'session-attestation-lapsed',
      ),
    ).toBe(0);
    const isClient = ({ spki }: { spki: Uint8Array }) => Buffer.compare(spki, client.party.certificate.spki) === 0;
    expect(run.supervisor.end(isClient, 'session-attestation-lapsed')).toBe(1);
    await closed(run);
    expect(run.names().at(-1)).toBe('session-attestation-lapsed');
  });

  it('refuses certificates that are larger than the profile allows', async () => {
    const bulky = await hold(
      'bulky',
      sub,
      {
        extensions: {
          subjectAltName: Array.from({ length: 400 }, (_, i) => ({
            kind: 'dns',
            value: `host-${i}.substation.example`,
          })),
        },
      },
      [sub],
    );
    const run = await session({}, bulky);
    expect(run.outcome).toBeInstanceOf(Error);
    expect(run.names()).toEqual(['certificate-too-large']);
  });

  it('forgets a session that ends by itself, timers and all', async () => {
    const run = await session();
    expect(run.clock.waiting).toBe(2);
    (run.outcome as { socket: TLSSocket }).socket.destroy();
    await vi.waitUntil(() => run.supervisor.size === 0, { timeout: 10_000 });
    expect(run.clock.waiting).toBe(1);
    run.supervisor.stop();
    expect(run.clock.waiting).toBe(0);
  });

  it('names what went wrong in a handshake', async () => {
    const run = await session();
    const stranger = await hold('stranger', await authority('Stranger', undefined, validity));
    await expect(connect(run.port, stranger.keys, root, TLS_IEC62351_3)).rejects.toThrow();
    await vi.waitUntil(() => run.events.length === 2, { timeout: 10_000 });
    const tcp = connectTcp(run.port, '127.0.0.1', () => tcp.write('GET / HTTP/1.1\r\n\r\n'));
    tcp.on('error', () => {});
    await vi.waitUntil(() => run.events.length === 3, { timeout: 10_000 });
    expect(run.names()).toEqual(['session-established', 'certificate-unknown-authority', 'not-tls']);
  });
});

describe('security events', () => {
  it('have each code once', () => {
    const codes = Object.values(TLS_SECURITY_EVENTS).flatMap(({ codes }) => codes);
    expect(new Set(codes).size).toBe(codes.length);
    expect(tlsEventOf('CERT_REVOKED')).toBe('certificate-revoked');
    expect(tlsEventOf('ERR_SOMETHING_NEW')).toBe('handshake-failed');
    expect(tlsEventOf(undefined)).toBe('handshake-failed');
  });
});

describe('a short-lived leaf', () => {
  it('has its key in memory alone, and is renewed in time; a failure leaves the old one', async () => {
    const ca = await authority('Leaf CA', undefined, validity);
    const clock = new VirtualClock();
    let away = false;
    const leaf = await ShortLivedLeaf.create({
      now: () => clock.now(),
      issue: async (key) => {
        if (away) throw new Error('the authority is away');
        const der = await issueUnder(
          PLATFORM_TLS,
          {
            subject: nameOf({ commonName: 'edge-nord', organizationalUnit: 'edge' }),
            publicKey: key.publicKey,
            notBefore: clock.now(),
            notAfter: new Date(clock.now().getTime() + 72 * HOUR),
            extensions: { subjectAltName: [{ kind: 'dns', value: 'localhost' }] },
          },
          { signer: ca.signer, certificate: ca.certificate },
        );
        return toPem('CERTIFICATE', der);
      },
    });
    const first = leaf.certificate;
    const port = await listen(
      createServer(tlsServerOptions(TLS_IEC62351_3, { keys: leaf, ca: [pemOf(ca)] }, 'test'), (socket) =>
        socket.write('x'),
      ),
    );
    const client = await hold('client', ca);
    expect((await connect(port, client.keys, ca, TLS_IEC62351_3)).authorized).toBe(true);
    clock.advance(24 * HOUR - 1);
    expect(await leaf.renew()).toBe(false);
    clock.advance(1);
    away = true;
    await expect(leaf.renew()).rejects.toThrow('away');
    expect(leaf.certificate).toBe(first);
    away = false;
    expect(await leaf.renew()).toBe(true);
    expect(Buffer.compare(keyIdentifier(leaf.certificate.spki), keyIdentifier(first.spki))).not.toBe(0);
    expect(leaf.renewAt.getTime()).toBe(clock.now().getTime() + 24 * HOUR);
  });

  it('is none when the authority certified another key', async () => {
    const ca = await authority('Leaf CA', undefined, validity);
    const other = await hold('other', ca);
    const issue = async () => pemOf(other.party);
    await expect(ShortLivedLeaf.create({ now: () => now, issue })).rejects.toMatchObject({ code: 'pki.tls.leaf' });
  });
});

describe('a key behind an engine', () => {
  it('needs to be told where engines lie', () => {
    const before = process.env.OPENSSL_ENGINES;
    delete process.env.OPENSSL_ENGINES;
    try {
      expect(() => engineKeySource({ certificatePem: '', identifier: 'pkcs11:object=x' })).toThrow('OPENSSL_ENGINES');
    } finally {
      if (before !== undefined) process.env.OPENSSL_ENGINES = before;
    }
  });
});
