import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BasicOCSPResponse } from '@peculiar/asn1-ocsp';
import { AsnConvert } from '@peculiar/asn1-schema';
import { OCSPRequest, OCSPResponse } from 'pkijs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as der from '../src/der-writer.ts';
import {
  answerOcsp,
  buildOcspFailure,
  buildOcspRequest,
  buildOcspResponse,
  certIdOf,
  checkOcspResponse,
  FileKeySigner,
  type OcspResponderOptions,
  OID,
  PkiError,
  parseOcspRequest,
  parseOcspResponse,
  type RevocationStatus,
  toPem,
} from '../src/index.ts';
import { authority, DURING, endEntity, newKey, type Party } from './authority.ts';

const dir = mkdtempSync(join(tmpdir(), 'enerchain-ocsp-'));
afterAll(() => rmSync(dir, { recursive: true }));
const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const HOUR = 3_600_000;

let ca: Party;
let responder: Party;
let good: Party;
let revoked: Party;
const revocation: RevocationStatus = { kind: 'revoked', at: new Date('2026-05-01T00:00:00Z'), reason: 'keyCompromise' };
const nonce = randomBytes(32);

beforeAll(async () => {
  ca = await authority('OCSP CA', undefined, { algorithm: 'ESB384' });
  responder = await endEntity('responder', ca, {
    algorithm: 'ESB256',
    extensions: { extKeyUsage: [OID.ocspSigning] },
    otherExtensions: [{ oid: OID.ocspNoCheck, critical: false, value: der.nullValue() }],
  });
  good = await endEntity('good', ca);
  revoked = await endEntity('revoked', ca);
});

const isRevoked = (serial: Uint8Array) => Buffer.compare(serial, revoked.certificate.serialNumber) === 0;
const responderOptions = (more: Partial<OcspResponderOptions> = {}): OcspResponderOptions => ({
  issuer: ca.certificate,
  signer: responder.signer,
  responder: responder.certificate,
  statusOf: (serial) => (isRevoked(serial) ? revocation : { kind: 'good' }),
  now: () => DURING,
  validFor: HOUR,
  ...more,
});
const request = (party: Party, hash?: 'sha1' | 'sha256') =>
  buildOcspRequest({ asked: [certIdOf(party.certificate, ca.certificate, hash)], nonce });
const check = (bytes: Uint8Array, party: Party, more: object = {}) =>
  checkOcspResponse(bytes, { certificate: party.certificate, issuer: ca.certificate, at: DURING, nonce, ...more });
const refusalOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(PkiError);
    return (error as PkiError).code;
  }
  return 'accepted';
};

describe('a responder', () => {
  it.each(['sha1', 'sha256'] as const)('answers about certificates named with %s', async (hash) => {
    const answer = check(await answerOcsp(request(good, hash), responderOptions()), good);
    expect(answer).toMatchObject({ status: { kind: 'good' }, thisUpdate: DURING });
    expect(answer.nextUpdate).toEqual(new Date(DURING.getTime() + HOUR));
    expect(check(await answerOcsp(request(revoked, hash), responderOptions()), revoked).status).toEqual(revocation);
  });

  it('may be the issuer itself, and may not know', async () => {
    const { responder: _, ...own } = responderOptions({
      signer: ca.signer,
      statusOf: () => ({ kind: 'unknown', why: 'never issued' }),
    });
    expect(check(await answerOcsp(request(good), own), good).status.kind).toBe('unknown');
  });

  it('fails in the words of the protocol: on nonsense, on certificates of others, on its own errors', async () => {
    const failure = async (bytes: Uint8Array, more: Partial<OcspResponderOptions> = {}) =>
      answerOcsp(bytes, responderOptions(more)).then((answer) => {
        expect(() => parseOcspResponse(answer)).toThrow(PkiError);
        return answer;
      });
    expect(await failure(Uint8Array.of(1, 2, 3))).toEqual(buildOcspFailure('malformedRequest'));
    const other = await authority('Other CA');
    const foreign = buildOcspRequest({ asked: [certIdOf(good.certificate, other.certificate)] });
    expect(await failure(foreign)).toEqual(buildOcspFailure('unauthorized'));
    const broken = () => {
      throw new Error('disk');
    };
    expect(await failure(request(good), { statusOf: broken })).toEqual(buildOcspFailure('internalError'));
    expect(refusalOf(() => parseOcspResponse(buildOcspFailure('tryLater')))).toBe('pki.ocsp.failure');
  });
});

describe('a response is not believed', () => {
  it('to another request, about another certificate, or out of its time', async () => {
    const response = await answerOcsp(request(good), responderOptions());
    expect(refusalOf(() => check(response, good, { nonce: randomBytes(32) }))).toBe('pki.ocsp.nonce');
    expect(refusalOf(() => check(response, revoked))).toBe('pki.ocsp.answer');
    const later = (ms: number) => ({ at: new Date(DURING.getTime() + ms) });
    expect(refusalOf(() => check(response, good, later(HOUR)))).toBe('accepted');
    expect(refusalOf(() => check(response, good, later(HOUR + 301_000)))).toBe('pki.ocsp.stale');
    expect(refusalOf(() => check(response, good, later(-301_000)))).toBe('pki.ocsp.stale');
    const answers = [
      { about: certIdOf(good.certificate, ca.certificate), status: { kind: 'good' }, thisUpdate: DURING } as const,
    ];
    const endless = await buildOcspResponse({ answers, producedAt: DURING, nonce }, ca.signer);
    expect(refusalOf(() => check(endless, good, later(24 * HOUR)))).toBe('accepted');
    expect(refusalOf(() => check(endless, good, later(25 * HOUR)))).toBe('pki.ocsp.stale');
  });

  it('from somebody whom the issuer did not name for it', async () => {
    const plain = await endEntity('no responder', ca);
    const other = await authority('OCSP CA');
    const stranger = await endEntity('stranger', other, { extensions: { extKeyUsage: [OID.ocspSigning] } });
    for (const party of [plain, stranger]) {
      const response = await answerOcsp(
        request(good),
        responderOptions({ signer: party.signer, responder: party.certificate }),
      );
      expect(refusalOf(() => check(response, good))).toBe('pki.ocsp.signer');
    }
    // The named responder's certificate, but another key.
    const forged = await answerOcsp(request(good), responderOptions({ signer: newKey() }));
    expect(refusalOf(() => check(forged, good))).toBe('pki.ocsp.signer');
  });

  it('from a responder that was revoked, unless its certificate says that nobody need ask', async () => {
    const asked = await endEntity('asked about', ca, { extensions: { extKeyUsage: [OID.ocspSigning] } });
    const bySigner = (party: Party) =>
      answerOcsp(request(good), responderOptions({ signer: party.signer, responder: party.certificate }));
    const more = { revocation: () => revocation };
    const response = await bySigner(asked);
    expect(refusalOf(() => check(response, good, more))).toBe('pki.ocsp.signer');
    expect(refusalOf(() => check(response, good))).toBe('accepted');
    const unasked = await bySigner(responder);
    expect(refusalOf(() => check(unasked, good, more))).toBe('accepted');
  });

  it('cut anywhere or changed in any byte of what is signed', async () => {
    const response = await answerOcsp(request(good), responderOptions());
    for (let at = 0; at < response.length; at++) {
      expect(() => check(response.subarray(0, at), good)).toThrow(PkiError);
    }
    const { toBeSigned, signature } = parseOcspResponse(response);
    for (const part of [toBeSigned, signature]) {
      const start = Buffer.from(response).indexOf(part);
      for (let at = start; at < start + part.length; at++) {
        const changed = Uint8Array.from(response);
        changed[at]! ^= 1;
        expect(() => check(changed, good), `byte ${at}`).toThrow(PkiError);
      }
    }
  });
});

describe('a request', () => {
  it('cut anywhere or changed is refused or read, never a crash', () => {
    const bytes = request(good);
    expect(parseOcspRequest(bytes)).toEqual({
      asked: [expect.objectContaining({ hash: 'sha1' })],
      nonce: expect.anything(),
    });
    for (let at = 0; at < bytes.length; at++) {
      expect(() => parseOcspRequest(bytes.subarray(0, at))).toThrow(PkiError);
      for (let change = 1; change < 256; change += 7) {
        const changed = Uint8Array.from(bytes);
        changed[at]! ^= change;
        try {
          parseOcspRequest(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(PkiError);
        }
      }
    }
  });

  it('asks about something, with a nonce of a sensible size', () => {
    expect(() => buildOcspRequest({ asked: [] })).toThrow(PkiError);
    const asked = [certIdOf(good.certificate, ca.certificate)];
    expect(() => buildOcspRequest({ asked, nonce: new Uint8Array(129) })).toThrow(PkiError);
  });
});

describe('with others', () => {
  it('pkijs and @peculiar read what is built here as what it was meant to be', async () => {
    const theirRequest = OCSPRequest.fromBER(Uint8Array.from(request(good)).buffer);
    expect(theirRequest.tbsRequest.requestList).toHaveLength(1);
    const response = await answerOcsp(request(revoked), responderOptions());
    const theirs = OCSPResponse.fromBER(Uint8Array.from(response).buffer);
    expect(theirs.responseStatus.valueBlock.valueDec).toBe(0);
    const basic = AsnConvert.parse(theirs.responseBytes!.response.valueBlock.valueHex, BasicOCSPResponse);
    expect(basic.tbsResponseData.responses).toHaveLength(1);
    expect(basic.tbsResponseData.responses[0]!.certStatus.revoked?.revocationTime).toEqual(revocation.at);
    expect(basic.certs).toHaveLength(1);
  });

  const files = () => {
    writeFileSync(join(dir, 'ca.pem'), toPem('CERTIFICATE', ca.certificate.der));
    writeFileSync(join(dir, 'good.pem'), toPem('CERTIFICATE', good.certificate.der));
    writeFileSync(join(dir, 'revoked.pem'), toPem('CERTIFICATE', revoked.certificate.der));
  };
  const run = (...args: string[]) => spawnSync('openssl', ['ocsp', ...args], { cwd: dir, encoding: 'utf8' });

  it.skipIf(!hasOpenssl)('openssl believes a responder of ours (skipped where openssl is not installed)', async () => {
    files();
    for (const [name, said] of [
      ['good', 'good'],
      ['revoked', 'revoked'],
    ] as const) {
      run('-issuer', 'ca.pem', '-cert', `${name}.pem`, '-reqout', 'their.req');
      const bytes = await answerOcsp(readFileSync(join(dir, 'their.req')), responderOptions());
      writeFileSync(join(dir, 'our.resp'), bytes);
      const at = ['-attime', String(DURING.getTime() / 1000), '-validity_period', '999999999'];
      const believed = ['-respin', 'our.resp', '-CAfile', 'ca.pem', ...at];
      expect(run(...believed, '-reqin', 'their.req').stderr).toContain('Response verify OK');
      const { stdout } = run(...believed, '-no_nonce', '-issuer', 'ca.pem', '-cert', `${name}.pem`);
      expect(stdout).toContain(`${name}.pem: ${said}`);
    }
  });

  it.skipIf(!hasOpenssl)(
    'a responder of openssl is believed here (skipped where openssl is not installed)',
    async () => {
      const validity = { notBefore: new Date(Date.now() - HOUR), notAfter: new Date(Date.now() + HOUR) };
      const root = await authority('Today CA', undefined, validity);
      const key = await FileKeySigner.create(join(dir, 'responder.key'), { algorithm: 'ESB256' });
      const extensions = { extKeyUsage: [OID.ocspSigning] };
      const theirs = await endEntity('their responder', root, { ...validity, extensions, signer: key });
      const subject = await endEntity('subject', root, validity);
      const about = { certificate: subject.certificate, issuer: root.certificate, at: new Date(), nonce };
      const serial = Buffer.from(subject.certificate.serialNumber).toString('hex').toUpperCase();
      writeFileSync(
        join(dir, 'index.txt'),
        `R\t300101000000Z\t260501000000Z,keyCompromise\t${serial}\tunknown\t/CN=x\n`,
      );
      writeFileSync(
        join(dir, 'ours.req'),
        buildOcspRequest({ asked: [certIdOf(subject.certificate, root.certificate)], nonce }),
      );
      writeFileSync(join(dir, 'responder.pem'), toPem('CERTIFICATE', theirs.certificate.der));
      writeFileSync(join(dir, 'root.pem'), toPem('CERTIFICATE', root.certificate.der));
      const signing = ['-rsigner', 'responder.pem', '-rkey', 'responder.key', '-CA', 'root.pem', '-ndays', '1'];
      run('-index', 'index.txt', ...signing, '-reqin', 'ours.req', '-respout', 'theirs.resp');
      const answer = checkOcspResponse(readFileSync(join(dir, 'theirs.resp')), about);
      expect(answer.status).toEqual({ kind: 'revoked', reason: 'keyCompromise', at: new Date('2026-05-01T00:00:00Z') });
    },
  );
});
