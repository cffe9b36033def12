import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, fromMillis, systemClock } from '@enerchain/model';
import { FileKeySigner, type Signer } from '@enerchain/pki';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  DevelopmentCa,
  type EnrolmentEvent,
  enrol,
  enrolmentHandler,
  type Identity,
  obtainIdentity,
  openIdentity,
  readToken,
  renew,
  requestFor,
  serverTls,
  signedTlsRequest,
} from '../src/index.ts';

let dir: string;
let ca: DevelopmentCa;
let centre: Identity;
let server: Server;
let address: string;
let wall: number;
const events: EnrolmentEvent[] = [];
const revoked = new Set<string>();
const clock: Clock = { now: () => fromMillis(wall), monotonic: systemClock.monotonic };
const hour = 3_600_000;

const rejection = async (promise: Promise<unknown>) =>
  promise.then(
    () => 'resolved',
    (error: { code?: string }) => error.code,
  );

beforeEach(async () => {
  wall = Date.now();
  events.length = 0;
  dir = await mkdtemp(join(tmpdir(), 'enerchain-trust-'));
  ca = await DevelopmentCa.open(join(dir, 'ca'), { clock });
  const holder = { name: 'centre', role: 'centre' } as const;
  centre = await obtainIdentity(join(dir, 'centre'), holder, async (request) => ({
    certificate: await ca.issue(request, { ...holder, hosts: [{ kind: 'ip', value: '127.0.0.1' }] }),
    ca: ca.certificatePem,
  }));
  const handler = enrolmentHandler({
    authority: ca,
    clock,
    isRevoked: (kid) => revoked.has(Buffer.from(kid).toString('hex')),
    onEvent: (event) => events.push(event),
  });
  server = createServer(serverTls(centre), (request, response) => {
    if (!handler(request, response)) response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(dir, { recursive: true });
});

const tokenFor = (name: string, validFor = hour) => ca.createToken({ name, role: 'edge', address, validFor });

describe('enrolment by one-time token', () => {
  it('gives a device an identity that opens again and whose key only its owner can read', async () => {
    const identity = await enrol({ dir: join(dir, 'edge'), token: await tokenFor('edge-nord') });
    expect(identity).toMatchObject({ name: 'edge-nord', role: 'edge' });
    const opened = await openIdentity(join(dir, 'edge'));
    expect(opened.kid).toEqual(identity.kid);
    expect((await stat(join(dir, 'edge', 'key.pem'))).mode & 0o777).toBe(0o600);
    expect(ca.certificateOf(identity.kid)?.publicKey.equals(identity.signer.publicKey)).toBe(true);
    expect(events).toEqual([{ action: 'enrol', outcome: 'ok', from: '127.0.0.1' }]);
  });

  it('keeps no token from which the secret could be read, and remembers it over a restart', async () => {
    const token = await tokenFor('edge-nord');
    const stored = await readFile(join(dir, 'ca', 'tokens.json'), 'utf8');
    for (const form of ['hex', 'base64', 'base64url'] as const) {
      expect(stored).not.toContain(Buffer.from(readToken(token).secret).toString(form));
    }
    const reopened = await DevelopmentCa.open(join(dir, 'ca'), { clock });
    expect(reopened.fingerprint).toBe(ca.fingerprint);
    const signer = await FileKeySigner.create(join(dir, 'k.pem'));
    const request = await requestFor({ name: 'edge-nord', role: 'edge' }, signer);
    expect(await reopened.redeem(readToken(token).secret, request)).toContain('BEGIN CERTIFICATE');
  });

  it('lets the same key ask again when the answer was lost, and nobody else', async () => {
    const token = await tokenFor('edge-nord');
    await enrol({ dir: join(dir, 'edge'), token });
    await rm(join(dir, 'edge', 'certificate.pem'));
    expect((await enrol({ dir: join(dir, 'edge'), token })).name).toBe('edge-nord');
    expect(await rejection(enrol({ dir: join(dir, 'thief'), token }))).toBe('trust.enrol.refused');
    expect(events.at(-1)?.outcome).toBe('refused');
  });

  it('lets one of two keys win that come with the same token at the same time', async () => {
    const token = await tokenFor('edge-nord');
    const results = await Promise.all(['a', 'b'].map((name) => rejection(enrol({ dir: join(dir, name), token }))));
    expect(results.sort()).toEqual(['resolved', 'trust.enrol.refused']);
  });

  it('refuses a token after its time', async () => {
    const token = await tokenFor('edge-nord', hour);
    wall += hour;
    expect(await rejection(enrol({ dir: join(dir, 'edge'), token }))).toBe('trust.enrol.refused');
  });

  it('does not show the secret to a server of another CA', async () => {
    const other = await DevelopmentCa.open(join(dir, 'other'), { clock });
    const token = await other.createToken({ name: 'edge-nord', role: 'edge', address, validFor: hour });
    expect(await rejection(enrol({ dir: join(dir, 'edge'), token }))).toBe('trust.enrol.fingerprint');
    expect(events).toEqual([]);
  });

  it('turns an address away after ten failed attempts', async () => {
    const signer = await FileKeySigner.create(join(dir, 'k.pem'));
    const request = await requestFor({ name: 'x', role: 'edge' }, signer);
    const post = () =>
      fetchPem(`${address}/enrol`, {
        token: Buffer.alloc(32).toString('base64url'),
        request: Buffer.from(request).toString('base64'),
      });
    const statuses: number[] = [];
    for (let i = 0; i < 11; i++) statuses.push(await post());
    expect(statuses).toEqual([...new Array<number>(10).fill(403), 429]);
  });

  it.each([
    ['no JSON', 'hello'],
    ['no fields', '{}'],
    ['a request that is no request', JSON.stringify({ token: 'AAAA', request: 'AAAA' })],
    ['a body without end', `{"token":"${'x'.repeat(20_000)}"}`],
  ])('answers %s with a problem', async (_, body) => {
    expect(await fetchPem(`${address}/enrol`, body)).toBe(403);
  });
});

describe('renewal', () => {
  it('gives the same name and role to the same key, on the strength of the present certificate', async () => {
    const identity = await enrol({ dir: join(dir, 'edge'), token: await tokenFor('edge-nord') });
    const renewed = await renew({ dir: join(dir, 'edge'), identity, url: address });
    expect(renewed).toMatchObject({ name: 'edge-nord', role: 'edge' });
    expect(renewed.kid).not.toEqual(identity.kid);
    expect((await openIdentity(join(dir, 'edge'))).kid).toEqual(renewed.kid);
  });

  it('is refused without a certificate', async () => {
    expect(await fetchPem(`${address}/enrol/renew`, { request: '' })).toBe(403);
  });

  it('is refused with the certificate of another CA', async () => {
    const other = await DevelopmentCa.open(join(dir, 'other'), { clock });
    const holder = { name: 'edge-nord', role: 'edge' } as const;
    const stranger = await obtainIdentity(join(dir, 'stranger'), holder, async (request) => ({
      certificate: await other.issue(request, holder),
      ca: other.certificatePem,
    }));
    const forged = { ...stranger, caPem: ca.certificatePem };
    expect(await rejection(renew({ dir: join(dir, 'stranger'), identity: forged, url: address }))).toBe(
      'trust.enrol.refused',
    );
  });
});

describe('an identity whose key lies in an HSM or TPM', () => {
  /** As an HSM would: the key signs, and no file of the identity holds it. */
  const elsewhere = async (): Promise<Signer> => {
    const key = await FileKeySigner.create(join(dir, 'hsm', 'k.pem'));
    return { algorithm: 'ES256', origin: 'hsm', publicKey: key.publicKey, sign: (data) => key.sign(data) };
  };

  it('connects with a key of its own beside it, and opens and renews with both', async () => {
    const signer = await elsewhere();
    const identity = await enrol({ dir: join(dir, 'edge'), token: await tokenFor('edge-nord'), signer });
    expect(await readdir(join(dir, 'edge'))).not.toContain('key.pem');
    expect(identity.certificate.publicKey.equals(signer.publicKey)).toBe(true);
    expect(identity.tls.certificate.publicKey.equals(signer.publicKey)).toBe(false);
    // Renewal is made over mutual TLS: the key of the connections serves.
    const renewed = await renew({ dir: join(dir, 'edge'), identity, url: address });
    expect(renewed.kid).not.toEqual(identity.kid);
    expect(renewed.tls.certificatePem).not.toBe(identity.tls.certificatePem);
    const opened = await openIdentity(join(dir, 'edge'), signer);
    expect(opened.kid).toEqual(renewed.kid);
    expect(opened.tls.certificatePem).toBe(renewed.tls.certificatePem);
  });

  it('gets no other key certified with the key of its connections, which lies in a file', async () => {
    const identity = await enrol({
      dir: join(dir, 'edge'),
      token: await tokenFor('edge-nord'),
      signer: await elsewhere(),
    });
    const thief = await FileKeySigner.create(join(dir, 'thief.pem'));
    const stolen = { ...identity, signer: thief };
    expect(await rejection(renew({ dir: join(dir, 'thief'), identity: stolen, url: address }))).toBe(
      'trust.enrol.refused',
    );
    expect(events.at(-1)?.detail).toContain('another key');
    const asIdentity = { ...stolen, certificate: identity.tls.certificate };
    expect(await rejection(renew({ dir: join(dir, 'thief'), identity: asIdentity, url: address }))).toBe(
      'trust.enrol.refused',
    );
    expect(events.at(-1)?.detail).toContain('makes connections only');
  });

  it('does not open without that key', async () => {
    await enrol({ dir: join(dir, 'edge'), token: await tokenFor('edge-nord'), signer: await elsewhere() });
    expect(await rejection(openIdentity(join(dir, 'edge'), await FileKeySigner.create(join(dir, 'other.pem'))))).toBe(
      'trust.identity',
    );
  });

  it('lets nobody else ask for a key of its connections', async () => {
    const signer = await elsewhere();
    const identity = await enrol({ dir: join(dir, 'edge'), token: await tokenFor('edge-nord'), signer });
    const thief = await FileKeySigner.create(join(dir, 'thief.pem'));
    const forged = await signedTlsRequest(identity, { signer: thief, kid: identity.kid }, thief);
    const body = {
      request: Buffer.from(forged).toString('base64'),
      certificate: Buffer.from(identity.certificate.der).toString('base64'),
    };
    expect(await fetchPem(`${address}/enrol/tls`, body)).toBe(403);
    expect(events.at(-1)).toMatchObject({ action: 'tls', outcome: 'refused' });
    revoked.add(Buffer.from(identity.kid).toString('hex'));
    const own = await signedTlsRequest(identity, identity, thief);
    expect(await fetchPem(`${address}/enrol/tls`, { ...body, request: Buffer.from(own).toString('base64') })).toBe(403);
    expect(events.at(-1)?.detail).toContain('was revoked');
  });
});

/** POSTs without any check of the server; returns the status. */
async function fetchPem(url: string, body: object | string): Promise<number> {
  const { request } = await import('node:https');
  return new Promise((resolve, reject) => {
    const call = request(url, { method: 'POST', rejectUnauthorized: false, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    call.on('error', reject);
    call.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
}
