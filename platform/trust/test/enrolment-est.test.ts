import { copyFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, fromMillis } from '@enerchain/model';
import {
  buildRequest,
  type Certificate,
  certificateFromPem,
  der,
  est,
  FileKeySigner,
  fromPem,
  nameOf,
  parseCertificate,
  parseRequest,
  type Signer,
  thumbprint,
} from '@enerchain/pki';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Assurance,
  assuranceOf,
  authorityAt,
  checkedCertificate,
  coseSign1,
  coseVerify1,
  DevelopmentCa,
  EnrolmentDesk,
  type EnrolmentEvent,
  EVIDENCE_ATTRIBUTE,
  type EvidenceRequired,
  type EvidenceToJudge,
  EXPORTER_LABEL,
  enrol,
  enrolmentBinding,
  enrolmentHandler,
  IDENTITY_FILES,
  type Identity,
  obtainIdentity,
  openIdentity,
  Renewal,
  readToken,
  renew,
  requestFor,
  rotateKey,
  serverTls,
  tlsContext,
} from '../src/index.ts';

const HOUR = 3_600_000;
let dir: string;
let ca: DevelopmentCa;
let server: Server;
let address: string;
let wall: number;
const events: EnrolmentEvent[] = [];
const judged: EvidenceToJudge[] = [];
const badEvidence: string[] = [];
let verdict: (ask: EvidenceToJudge) => Promise<{ ok: boolean; text: string }>;
let required: EvidenceRequired = 'nothing';
const revoked = new Set<string>();
const clock: Clock = { now: () => fromMillis(wall), monotonic: () => wall };
const holder = { name: 'edge-nord', role: 'edge' } as const;

const detailOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'resolved',
    (error: Error) => error.message,
  );

beforeEach(async () => {
  wall = Date.now();
  events.length = 0;
  judged.length = 0;
  badEvidence.length = 0;
  revoked.clear();
  required = 'nothing';
  verdict = async () => ({ ok: true, text: 'as it should be' });
  dir = await mkdtemp(join(tmpdir(), 'enerchain-est-'));
  ca = await DevelopmentCa.open(join(dir, 'ca'), { clock });
  const centre = await obtainIdentity(join(dir, 'centre'), { name: 'centre', role: 'centre' }, async (request) => ({
    certificate: await ca.issue(request, {
      name: 'centre',
      role: 'centre',
      hosts: [{ kind: 'ip', value: '127.0.0.1' }],
    }),
    ca: ca.certificatePem,
  }));
  const handler = enrolmentHandler({
    authority: ca,
    clock,
    isRevoked: (kid) => revoked.has(Buffer.from(kid).toString('hex')),
    evidenceGate: async (ask) => {
      judged.push(ask);
      return verdict(ask);
    },
    requiresEvidence: () => required,
    onBadEvidence: ({ name }, why) => badEvidence.push(`${name}: ${why}`),
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

const tokenFor = (name: string = holder.name) => ca.createToken({ name, role: 'edge', address, validFor: HOUR });
const enrolled = async (more: Partial<Parameters<typeof enrol>[0]> = {}) =>
  enrol({ dir: join(dir, 'edge'), token: await tokenFor(), ...more });
const assurance = ({ certificate }: Identity): Assurance[] => assuranceOf(certificate);

describe('enrolment by EST on the same port', () => {
  const subject = nameOf({ commonName: holder.name });
  const device = (name: string) => FileKeySigner.create(join(dir, `${name}.pem`));
  const maker = (key: Signer, of?: Certificate) => (binding: string | undefined) =>
    buildRequest(
      {
        subject: of?.subject ?? subject,
        ...(of && { extensions: { subjectAltName: of.extensions.subjectAltName ?? [] } }),
        ...(binding !== undefined && { challengePassword: binding }),
      },
      key,
    );

  it('takes the token as password, and re-enrols on the present certificate', async () => {
    const token = await tokenFor();
    const known = await est.caCertificates({ url: address, tls: { rejectUnauthorized: false } });
    const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
    expect(known.map((each) => hex(thumbprint(each)))).toContain(hex(readToken(token).fingerprint));
    const tls = { ca: ca.certificatePem };
    const key = await device('device');
    const credentials = { user: holder.name, password: token };
    const first = await est.enroll({ url: address, tls, credentials }, maker(key));
    if (first.kind !== 'issued') throw new Error('not issued');
    const certificate = checkedCertificate(first.certificate, ca.certificatePem, new Date(wall));
    expect(certificate.holder).toEqual(holder);
    expect(assuranceOf(certificate)).toEqual(['unattested']);
    const parts = { cert: pemOf(certificate), key: await keyPemOf('device') };
    const again = await est.reenroll({ url: address, tls: { ...tls, ...parts } }, maker(key, certificate));
    if (again.kind !== 'issued') throw new Error('not issued');
    expect(parseCertificate(again.certificate).publicKey.equals(key.publicKey)).toBe(true);
    expect(events.map(({ action, outcome }) => [action, outcome])).toEqual([
      ['enrol', 'ok'],
      ['renew', 'ok'],
    ]);
    // Another key is not certified on the word of a connection, and a revoked certificate gets nothing.
    const other = maker(await device('other'), certificate);
    expect(await detailOf(est.reenroll({ url: address, tls: { ...tls, ...parts } }, other))).toMatch(
      /403: .*another key/,
    );
    revoked.add(Buffer.from(certificate.kid).toString('hex'));
    const refused = est.reenroll({ url: address, tls: { ...tls, ...parts } }, maker(key, certificate));
    expect(await detailOf(refused)).toMatch(/403: .*revoked/);
  });

  it('gives a thief nothing for a token that was used, and turns the address away in the end', async () => {
    const token = await tokenFor();
    const tls = { ca: ca.certificatePem };
    const target = { url: address, tls, credentials: { user: '', password: token } };
    expect((await est.enroll(target, maker(await device('owner')))).kind).toBe('issued');
    const thief = await device('thief');
    expect(await detailOf(est.enroll(target, maker(thief)))).toMatch(/401: the enrolment token is unknown/);
    expect(await detailOf(est.enroll({ url: address, tls }, maker(thief)))).toMatch(/401/);
    for (let i = 0; i < 8; i++) await detailOf(est.enroll(target, maker(thief)));
    expect(await detailOf(est.enroll(target, maker(thief)))).toMatch(/429/);
    expect(events.filter(({ outcome }) => outcome === 'refused')).toHaveLength(10);
    expect(ca.validCertificatesOf(holder.name).size).toBe(1);
  });

  it('takes evidence as an attribute of the request', async () => {
    const key = await device('device');
    const spki = key.publicKey.export({ type: 'spki', format: 'der' });
    const attributes = [{ type: EVIDENCE_ATTRIBUTE, value: der.octetString(Buffer.from('evidence')) }];
    const target = {
      url: address,
      tls: { ca: ca.certificatePem },
      credentials: { user: '', password: await tokenFor() },
    };
    const answer = await est.enroll(target, () => buildRequest({ subject, attributes }, key));
    if (answer.kind !== 'issued') throw new Error('not issued');
    expect(assuranceOf(parseCertificate(answer.certificate))).toEqual(['evidence']);
    expect(Buffer.from(judged[0]!.evidence).toString()).toBe('evidence');
    expect(judged[0]!.binding).not.toEqual(enrolmentBinding(new Uint8Array(32), holder, spki));
  });

  const pemOf = (certificate: Certificate) =>
    `-----BEGIN CERTIFICATE-----\n${Buffer.from(certificate.der).toString('base64')}\n-----END CERTIFICATE-----\n`;
  const keyPemOf = async (name: string) => readFile(join(dir, `${name}.pem`), 'utf8');
});

describe('evidence before a certificate', () => {
  it('is bound to the channel and the key, and the certificate says that it was seen', async () => {
    const bindings: Uint8Array[] = [];
    const evidence = async (binding: Uint8Array) => {
      bindings.push(binding);
      return Buffer.concat([Buffer.from('good:'), binding]);
    };
    verdict = async ({ evidence, binding }) => {
      const fits = Buffer.compare(evidence.subarray(5), binding) === 0;
      return { ok: fits, text: fits ? 'good' : 'bound to something else' };
    };
    const identity = await enrolled({ evidence });
    expect(assurance(identity)).toEqual(['evidence']);
    const renewed = await renew({ dir: join(dir, 'edge'), identity, url: address, evidence });
    expect(assurance(renewed)).toEqual(['evidence']);
    expect(judged.map((each) => each.holder)).toEqual([holder, holder]);
    expect(bindings[0]).not.toEqual(bindings[1]);
    // Evidence of another channel does not count.
    required = 'good';
    const relayed = renew({
      dir: join(dir, 'edge'),
      identity,
      url: address,
      evidence: async () => evidence(bindings[0]!),
    });
    expect(await detailOf(relayed)).toContain('bound to something else');
    expect(events.at(-1)).toMatchObject({ action: 'renew', outcome: 'refused' });
  });

  it('that is bad, or cannot be judged, gets none where it is required', async () => {
    const evidence = async () => Buffer.from('x');
    required = 'good';
    verdict = async () => ({ ok: false, text: 'its firmware was changed' });
    expect(await detailOf(enrolled({ evidence }))).toContain('its firmware was changed');
    verdict = () => Promise.reject(new Error('the verifier fell over'));
    expect(await detailOf(enrolled({ evidence }))).toContain('the verifier fell over');
    expect(ca.validCertificatesOf(holder.name).size).toBe(0);
  });

  it('that is bad is told of, and the certificate says that nobody vouches, where none is required', async () => {
    verdict = async () => ({ ok: false, text: 'its firmware was changed' });
    expect(assurance(await enrolled({ evidence: async () => Buffer.from('x') }))).toEqual(['unattested']);
    expect(badEvidence).toEqual(['edge-nord: its firmware was changed']);
  });

  it('that is too much to send is left out', async () => {
    expect(assurance(await enrolled({ evidence: async () => Buffer.alloc(600_000) }))).toEqual(['unattested']);
    expect(judged).toEqual([]);
  });

  it('may be absent where policy allows, and the certificate says so', async () => {
    expect(assurance(await enrolled())).toEqual(['unattested']);
    expect(assurance(await enrolled({ evidence: async () => undefined, dir: join(dir, 'edge') }))).toEqual([
      'unattested',
    ]);
    required = 'good';
    expect(await detailOf(enrolled())).toContain('only with evidence of its state');
  });

  it('must be shown at a renewal where policy says so, and that it is bad is then written into the certificate', async () => {
    const identity = await enrolled();
    required = 'shown';
    const renewing = { dir: join(dir, 'edge'), identity, url: address };
    expect(await detailOf(renew(renewing))).toContain('only with evidence of its state');
    verdict = async () => ({ ok: false, text: 'its firmware was changed' });
    const evidence = async () => Buffer.from('x');
    expect(assurance(await renew({ ...renewing, evidence }))).toEqual(['unattested']);
    expect(badEvidence).toEqual(['edge-nord: its firmware was changed']);
    verdict = async () => ({ ok: true, text: 'good' });
    expect(assurance(await renew({ ...renewing, evidence }))).toEqual(['evidence']);
    // Nor does another key come without it.
    expect(await detailOf(rotateKey(renewing))).toContain('only with evidence of its state');
  });

  it('cannot be gone around by way of the connections: their certificate ends with that of the identity', async () => {
    const identity = await enrolled();
    required = 'good';
    wall += 40 * HOUR;
    const desk = new EnrolmentDesk({ authority: ca, clock, requiresEvidence: () => required });
    const connection = await FileKeySigner.create(join(dir, 'connection.pem'));
    const request = parseRequest(await requestFor(holder, connection));
    const { notAfter } = certificateFromPem(await desk.tls(desk.held(identity.certificate.der), request));
    expect(notAfter).toEqual(identity.certificate.notAfter);
  });

  it('uses the exporter that the link uses', () => {
    expect(EXPORTER_LABEL).toBe('EXPORTER-enerchain-attestation');
  });
});

describe('two nodes with one key', () => {
  it('are noticed when the second asks for a name of its own; its token stays good for a key of its own', async () => {
    const owner = await enrolled();
    await mkdir(join(dir, 'copy'));
    await copyFile(join(dir, 'edge', 'key.pem'), join(dir, 'copy', 'key.pem'));
    const token = await tokenFor('edge-sued');
    expect(await detailOf(enrol({ dir: join(dir, 'copy'), token }))).toContain('is that of edge edge-nord');
    expect(events.at(-1)).toMatchObject({ action: 'enrol', outcome: 'refused' });
    expect(events.at(-1)?.detail).toContain('edge-nord');
    const own = await enrol({ dir: join(dir, 'own'), token });
    expect(own.name).toBe('edge-sued');
    expect(own.signer.publicKey.equals(owner.signer.publicKey)).toBe(false);
  });
});

describe('a revoked key', () => {
  it('is not enrolled again, by no token; another key of the same device is', async () => {
    const identity = await enrolled();
    revoked.add(Buffer.from(identity.kid).toString('hex'));
    const token = await tokenFor();
    expect(await detailOf(enrol({ dir: join(dir, 'edge'), token }))).toContain('remove the identity folder');
    expect(events.at(-1)).toMatchObject({ action: 'enrol', outcome: 'refused' });
    await rm(join(dir, 'edge'), { recursive: true });
    const again = await enrol({ dir: join(dir, 'edge'), token });
    expect(again.signer.publicKey.equals(identity.signer.publicKey)).toBe(false);
  });
});

describe('the rotation of a key', () => {
  const TYPE = 'test';
  it('certifies the next key on the word of the present one, and what both have signed is verified', async () => {
    const before = await enrolled();
    const signedBefore = await coseSign1(before.signer, before.kid, TYPE, Buffer.from('before'));
    const after = await rotateKey({ dir: join(dir, 'edge'), identity: before, url: address });
    expect(after).toMatchObject(holder);
    expect(after.signer.publicKey.equals(before.signer.publicKey)).toBe(false);
    expect((await openIdentity(join(dir, 'edge'))).kid).toEqual(after.kid);
    const signedAfter = await coseSign1(after.signer, after.kid, TYPE, Buffer.from('after'));
    const keyOf = (kid: Uint8Array) => ca.certificateOf(kid)?.publicKey;
    expect(
      [signedBefore, signedAfter].map((each) => Buffer.from(coseVerify1(each, TYPE, keyOf).payload).toString()),
    ).toEqual(['before', 'after']);
    expect((await renew({ dir: join(dir, 'edge'), identity: after, url: address })).name).toBe('edge-nord');
    expect(events.map(({ action, outcome }) => `${action} ${outcome}`)).toEqual(['enrol ok', 'rotate ok', 'renew ok']);
  });

  it('is for good: an old copy of the key is not renewed, and rotates to nothing else', async () => {
    const before = await enrolled();
    await rotateKey({ dir: join(dir, 'edge'), identity: before, url: address });
    ca = await DevelopmentCa.open(join(dir, 'ca'), { clock });
    const copy = join(dir, 'copy');
    await mkdir(copy);
    expect(await detailOf(rotateKey({ dir: copy, identity: before, url: address }))).toContain('old copy');
    expect(await detailOf(renew({ dir: copy, identity: before, url: address }))).toContain('given way');
    expect(events.slice(-2).map(({ outcome }) => outcome)).toEqual(['refused', 'refused']);
  });

  it('is for good: an old copy of the key gets no certificate for a connection either', async () => {
    const before = await enrolled();
    const desk = new EnrolmentDesk({ authority: ca, clock });
    const connection = await FileKeySigner.create(join(dir, 'connection.pem'));
    const request = parseRequest(await requestFor(holder, connection));
    const held = desk.held(before.certificate.der);
    expect(await detailOf(desk.tls(held, request))).toBe('resolved');
    await rotateKey({ dir: join(dir, 'edge'), identity: before, url: address });
    expect(await detailOf(desk.tls(held, request))).toContain('given way');
  });

  it('of a key that lies elsewhere takes the next one there, and leaves the key of the connections', async () => {
    const place = await FileKeySigner.create(join(dir, 'elsewhere-1.pem'));
    const token = await tokenFor();
    const before = await enrol({ dir: join(dir, 'edge'), token, signer: place });
    const rotation = rotateKey({ dir: join(dir, 'edge'), identity: before, url: address });
    await expect(rotation).rejects.toMatchObject({ code: 'trust.rotate.origin', fault: 'caller' });
    const next = await FileKeySigner.create(join(dir, 'elsewhere-2.pem'));
    const taken: unknown[] = [];
    const keys = { next: async () => next, taken: (key: unknown) => taken.push(key) };
    const after = await rotateKey({ dir: join(dir, 'edge'), identity: before, url: address, keys });
    expect(taken).toEqual([next]);
    expect(after.signer).toBe(next);
    expect(after.tls.keyPem).toBe(before.tls.keyPem);
    expect(await openIdentity(join(dir, 'edge'), next)).toMatchObject({ kid: after.kid, name: 'edge-nord' });
    expect((await renew({ dir: join(dir, 'edge'), identity: after, url: address })).signer).toBe(next);
    expect(await detailOf(renew({ dir: join(dir, 'edge'), identity: before, url: address }))).toContain('given way');
  });

  it('is asked for again with the same key when the answer was lost', async () => {
    const before = await enrolled();
    const answered = server.listeners('request')[0] as (...args: unknown[]) => void;
    server.removeAllListeners('request');
    server.once('request', (request, response) => {
      // The authority decides, and the line breaks before the answer arrives.
      response.end = (() => request.socket.destroy()) as never;
      answered(request, response);
    });
    expect(await detailOf(rotateKey({ dir: join(dir, 'edge'), identity: before, url: address }))).toContain(
      'cannot be reached',
    );
    server.on('request', answered);
    const still = await openIdentity(join(dir, 'edge'));
    expect(still.kid).toEqual(before.kid);
    const after = await rotateKey({ dir: join(dir, 'edge'), identity: still, url: address });
    expect(after.signer.publicKey.equals(before.signer.publicKey)).toBe(false);
  });

  it('survives a power cut between its steps', async () => {
    const before = await enrolled();
    const next = await FileKeySigner.create(join(dir, 'edge', IDENTITY_FILES.nextKey));
    const pem = await ca.issue(await requestFor(holder, next), holder);
    const file = (name: keyof typeof IDENTITY_FILES) => join(dir, 'edge', IDENTITY_FILES[name]);
    // Only the key is there: nothing is decided.
    expect((await openIdentity(join(dir, 'edge'))).kid).toEqual(before.kid);
    // The certificate is there as well, and the key was moved, and then the power went.
    await writeFile(file('nextCertificate'), pem);
    await rename(file('nextKey'), file('key'));
    const opened = await openIdentity(join(dir, 'edge'));
    expect(opened.kid).toEqual(thumbprint(certificateFromPem(pem)));
    expect(opened.signer.publicKey.equals(next.publicKey)).toBe(true);
  });
});

describe('an authority that is away', () => {
  it('for a day, and for nearly two, is survived by a node that came to renew in between', async () => {
    let timer: { readonly at: number; readonly act: () => void } | undefined;
    let away = false;
    const failures: number[] = [];
    const renewed: number[] = [];
    const identity = await enrolled();
    const began = wall;
    const renewal = new Renewal({
      dir: join(dir, 'edge'),
      identity,
      url: address,
      clock,
      random: () => 0,
      after: (milliseconds, act) => {
        timer = { at: wall + milliseconds, act };
        return () => {};
      },
      ask: async (options) => {
        if (away) throw new Error('nobody answers');
        return renew(options);
      },
      onRenewed: () => renewed.push((wall - began) / HOUR),
      onFailed: () => failures.push((wall - began) / HOUR),
    });
    const pass = async (hours: number) => {
      const end = wall + hours * HOUR;
      while (timer && timer.at <= end) {
        const { at, act } = timer;
        timer = undefined;
        wall = Math.max(wall, at);
        act();
        await expect.poll(() => timer, { interval: 1, timeout: 10_000 }).toBeDefined();
      }
      wall = end;
      const { certificate, caPem } = renewal.identity;
      expect(checkedCertificate(certificate.der, caPem, new Date(wall)).holder).toEqual(holder);
    };
    await pass(23);
    expect(renewed).toEqual([]);
    away = true;
    await pass(24);
    expect(renewed).toEqual([]);
    expect(failures.length).toBeGreaterThan(5);
    await pass(24);
    away = false;
    await pass(1);
    expect(renewed).toHaveLength(1);
    expect(renewal.identity.kid).not.toEqual(identity.kid);
    renewal.close();
  });

  it('for longer than the certificate lives is come back to without a token, for a month', async () => {
    const identity = await enrolled();
    wall += (72 + 29 * 24) * HOUR;
    const back = await renew({ dir: join(dir, 'edge'), identity, url: address });
    expect(back.certificate.notAfter.getTime()).toBeGreaterThan(wall);
    // Nobody else takes a certificate that has ended.
    expect(() => checkedCertificate(identity.certificate.der, identity.caPem, new Date(wall))).toThrow('expired');
    revoked.add(Buffer.from(identity.kid).toString('hex'));
    expect(await detailOf(renew({ dir: join(dir, 'edge'), identity, url: address }))).toContain('revoked');
  });

  it('for longer than that needs a token again, and the key is the same', async () => {
    const identity = await enrolled();
    wall += (72 + 31 * 24) * HOUR;
    expect(await detailOf(renew({ dir: join(dir, 'edge'), identity, url: address }))).toContain('expired');
    const again = await enrolled();
    expect(again.signer.publicKey.equals(identity.signer.publicKey)).toBe(true);
  });
});

describe('who is asked for a certificate', () => {
  it('is known by the anchor, whatever issuing keys it has by now', async () => {
    const token = readToken(await tokenFor());
    await ca.rotateIssuingKey();
    const pem = await authorityAt(address, token.fingerprint);
    expect(fromPem('CERTIFICATE', pem)).toHaveLength(3);
    const identity = await enrolled();
    expect(identity.caPem).toBe(pem);
    expect(tlsContext(identity).ca).toEqual([pem]);
  });
});
