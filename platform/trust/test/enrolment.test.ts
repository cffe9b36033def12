import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, fromMillis, systemClock } from '@enerchain/model';
import { buildRequest, type Certificate, cmc, est, FileKeySigner, type Signer } from '@enerchain/pki';
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
  TLS_ONLY,
  tlsContext,
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
    const key = await FileKeySigner.create(join(dir, 'k.pem'));
    const target = { url: address, tls: { ca: ca.certificatePem }, credentials: { user: '', password: 'AAAA' } };
    const attempts: string[] = [];
    for (let i = 0; i < 11; i++) {
      const told = await detailOf(est.enroll(target, () => requestFor({ name: 'x', role: 'edge' }, key)));
      attempts.push(/HTTP (\d+)/.exec(told)?.[1] ?? told);
    }
    expect(attempts).toEqual([...new Array<string>(10).fill('401'), '429']);
  });

  it.each([
    ['simpleenroll', 'hello', 'application/pkcs10', 400],
    ['simpleenroll', 'AAAA', 'application/pkcs10', 400],
    ['simplereenroll', 'A'.repeat(2_000_000), 'application/pkcs10', 413],
    ['fullcmc', 'AAAA', 'application/pkcs7-mime', 400],
    ['fullcmc', 'AAAA', 'application/json', 415],
  ])('refuses %s of something else (%#)', async (operation, body, type, status) => {
    expect(await post(`${address}/.well-known/est/${operation}`, body, type)).toBe(status);
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
    const identity = await enrol({ dir: join(dir, 'edge'), token: await tokenFor('edge-nord') });
    const target = { url: address, tls: { ca: ca.certificatePem } };
    const request = est.reenroll(target, () => requestFor(identity, identity.signer));
    await expect(request).rejects.toThrow('needs the present certificate');
  });

  it('asks for a request that was made for this channel, so that none is shown a second time', async () => {
    const identity = await enrol({ dir: join(dir, 'edge'), token: await tokenFor('edge-nord') });
    const target = { url: address, tls: tlsContext(identity) };
    let stolen: Uint8Array | undefined;
    await est.full(target, async (challengePassword = '') => {
      stolen = await cmc.buildFullRequest(
        await requestFor(identity, identity.signer, [], { challengePassword }),
        [],
        identity,
      );
      return stolen;
    });
    await expect(est.full(target, () => stolen!)).rejects.toThrow('made for another channel');
    const unlinked = async () => cmc.buildFullRequest(await requestFor(identity, identity.signer), [], identity);
    await expect(est.full(target, unlinked)).rejects.toThrow('must be linked to its channel');
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
    // The files of the connections are all that the thief has: their key signs for nobody.
    const thief = await FileKeySigner.create(join(dir, 'thief.pem'));
    const connection = FileKeySigner.fromPem(identity.tls.keyPem!, 'stolen');
    const as = (signer: Signer, certificate: Certificate) => ({ signer, certificate });
    expect(await detailOf(asked(identity, thief, as(connection, identity.tls.certificate)))).toContain(
      'makes connections only',
    );
    // What is signed with it is not signed with the key of the identity, whatever it says.
    const claimed = { ...thief, publicKey: identity.signer.publicKey, sign: (data: Uint8Array) => thief.sign(data) };
    expect(await detailOf(asked(identity, thief, as(claimed, identity.certificate)))).toContain(
      'not made with the key of the certificate',
    );
    const { subject, extensions } = identity.tls.certificate;
    const names = { subjectAltName: extensions.subjectAltName ?? [] };
    const again = est.reenroll({ url: address, tls: tlsContext(identity) }, () =>
      buildRequest({ subject, extensions: names }, thief),
    );
    expect(await detailOf(again)).toContain('makes connections only');
    expect(events.at(-1)).toMatchObject({ action: 'renew', outcome: 'refused' });
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
    const claimed = { ...thief, publicKey: signer.publicKey, sign: (data: Uint8Array) => thief.sign(data) };
    const forged = { signer: claimed, certificate: identity.certificate };
    expect(await detailOf(asked(identity, thief, forged, [TLS_ONLY]))).toContain('not made with the key');
    revoked.add(Buffer.from(identity.kid).toString('hex'));
    expect(await detailOf(asked(identity, thief, identity, [TLS_ONLY]))).toContain('was revoked');
    expect(events.at(-1)).toMatchObject({ action: 'tls', outcome: 'refused' });
  });

  /** Asks for a certificate for a key, over the connection of an identity, on the word of somebody. */
  const asked = (
    identity: Identity,
    key: Signer,
    by: Pick<Identity, 'signer' | 'certificate'>,
    names: Parameters<typeof requestFor>[2] = [],
  ) =>
    est.full({ url: address, tls: tlsContext(identity) }, async (challengePassword = '') =>
      cmc.buildFullRequest(await requestFor(identity, key, names, { challengePassword }), [], by),
    );
});

const detailOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'resolved',
    (error: Error) => error.message,
  );

/** POSTs without any check of the server; returns the status. */
async function post(url: string, body: string, type: string): Promise<number> {
  const { request } = await import('node:https');
  return new Promise((resolve, reject) => {
    const options = { method: 'POST', rejectUnauthorized: false, agent: false, headers: { 'content-type': type } };
    const call = request(url, options, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    call.on('error', reject);
    call.end(body);
  });
}
