import { execFileSync, spawnSync } from 'node:child_process';
import { createReadStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { CertificateRevocationList } from 'pkijs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { algorithmIdentifier } from '../src/algorithm.ts';
import * as der from '../src/der-writer.ts';
import { encodeExtensionList } from '../src/extension.ts';
import {
  buildCrl,
  type CrlFields,
  CrlReader,
  firstThatKnows,
  fromPem,
  OID,
  PkiError,
  parseCertificate,
  parseCrl,
  RevocationIndex,
  RevocationLists,
  type RevokedCertificate,
  readCrl,
  signObject,
  toPem,
  validatePath,
} from '../src/index.ts';
import { authority, DURING, endEntity, issue, type Party } from './authority.ts';

const dir = mkdtempSync(join(tmpdir(), 'enerchain-crl-'));
afterAll(() => rmSync(dir, { recursive: true }));
const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: dir, encoding: 'utf8', stdio: 'pipe' });

const DAY = 86_400_000;
const thisUpdate = new Date('2026-05-31T12:00:00Z');
const nextUpdate = new Date('2026-06-02T12:00:00Z');
const revokedAt = new Date('2026-05-30T08:00:00Z');

let ca: Party;
let revoked: Party;
let good: Party;
let list: Uint8Array;
const fields = (more: Partial<CrlFields> = {}): CrlFields => ({
  issuer: ca.certificate,
  number: 7,
  thisUpdate,
  nextUpdate,
  entries: [
    { serialNumber: revoked.certificate.serialNumber, revokedAt, reason: 'keyCompromise' },
    {
      serialNumber: Uint8Array.of(0x80),
      revokedAt,
      reason: 'superseded',
      invalidSince: new Date('2026-01-02T00:00:00Z'),
    },
    { serialNumber: Uint8Array.of(5), revokedAt },
  ],
  ...more,
});
const build = (more: Partial<CrlFields> = {}) => buildCrl(fields(more), ca.signer);
const read = (bytes: Uint8Array) => parseCrl(bytes, { issuer: ca.certificate });

beforeAll(async () => {
  ca = await authority('CRL CA', undefined, { algorithm: 'ESB256' });
  revoked = await endEntity('revoked', ca);
  good = await endEntity('good', ca);
  list = await build();
});

describe('a revocation list', () => {
  it('says what it was built to say', () => {
    const crl = read(list);
    expect(crl).toMatchObject({ size: 3, number: 7n, thisUpdate, nextUpdate, scope: 'all' });
    expect(crl.find(revoked.certificate.serialNumber)).toMatchObject({ revokedAt, reason: 'keyCompromise' });
    expect(crl.find(Uint8Array.of(0, 0x80))).toMatchObject({ invalidSince: new Date('2026-01-02T00:00:00Z') });
    expect(crl.find(Uint8Array.of(5))).toMatchObject({ reason: 'unspecified' });
    expect(crl.find(good.certificate.serialNumber)).toBeUndefined();
    expect([...crl.entries()].map(({ reason }) => reason)).toEqual(['keyCompromise', 'superseded', 'unspecified']);
  });

  it('without entries is whole too', async () => {
    expect(read(await build({ entries: [] }))).toMatchObject({ size: 0, number: 7n });
  });

  it.skipIf(!hasOpenssl)('is believed by openssl (skipped where openssl is not installed)', () => {
    writeFileSync(join(dir, 'ca.pem'), toPem('CERTIFICATE', ca.certificate.der));
    writeFileSync(join(dir, 'ours.crl'), toPem('X509 CRL', list));
    const text = openssl('crl', '-in', 'ours.crl', '-noout', '-text', '-CAfile', 'ca.pem');
    expect(text).toContain('Key Compromise');
    expect(text).toContain('Invalidity Date');
    expect(text).toContain('ecdsa-with-SHA256');
    for (const [party, outcome] of [
      [good, 0],
      [revoked, 2],
    ] as const) {
      writeFileSync(join(dir, 'leaf.pem'), toPem('CERTIFICATE', party.certificate.der));
      const args = ['verify', '-CAfile', 'ca.pem', '-CRLfile', 'ours.crl', '-crl_check'];
      const result = spawnSync('openssl', [...args, '-attime', String(DURING.getTime() / 1000), 'leaf.pem'], {
        cwd: dir,
      });
      expect(result.status).toBe(outcome);
    }
  });

  it('is read by pkijs as the same', () => {
    const theirs = CertificateRevocationList.fromBER(Uint8Array.from(list).buffer);
    expect(theirs.revokedCertificates).toHaveLength(3);
    expect(theirs.thisUpdate.value).toEqual(thisUpdate);
  });

  it.skipIf(!hasOpenssl)('of openssl is read (skipped where openssl is not installed)', () => {
    openssl('ecparam', '-name', 'brainpoolP384r1', '-genkey', '-noout', '-out', 'their.key');
    openssl(
      'req',
      '-x509',
      '-new',
      '-key',
      'their.key',
      '-sha384',
      '-days',
      '30',
      '-subj',
      '/CN=their CA',
      '-out',
      'their.pem',
    );
    writeFileSync(join(dir, 'index.txt'), `R\t300101000000Z\t260101000000Z,cACompromise\t0A1B2C\tunknown\t/CN=gone\n`);
    writeFileSync(join(dir, 'crlnumber'), '1000\n');
    writeFileSync(
      join(dir, 'ca.cnf'),
      `[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ncrlnumber=crlnumber\ndefault_md=sha384\ndefault_crl_days=1\ncrl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid\n`,
    );
    openssl('ca', '-config', 'ca.cnf', '-gencrl', '-keyfile', 'their.key', '-cert', 'their.pem', '-out', 'their.crl');
    const [bytes] = fromPem('X509 CRL', readFileSync(join(dir, 'their.crl'), 'utf8'));
    const [certificate] = fromPem('CERTIFICATE', readFileSync(join(dir, 'their.pem'), 'utf8'));
    const issuer = parseCertificate(certificate!);
    const crl = parseCrl(bytes!, { issuer });
    expect(crl.number).toBe(0x1000n);
    expect(crl.find(Uint8Array.of(0x0a, 0x1b, 0x2c))).toMatchObject({ reason: 'cACompromise' });
  });

  it('of many entries is read out of a file, in pieces', async () => {
    const many = function* (): Generator<Omit<RevokedCertificate, 'reason'>> {
      for (let i = 1; i <= 20_000; i++) {
        const serialNumber = Buffer.alloc(16, 0x5a);
        serialNumber.writeUInt32BE(i, 6);
        yield { serialNumber, revokedAt: new Date(revokedAt.getTime() + i * 1000) };
      }
    };
    writeFileSync(join(dir, 'many.crl'), await build({ entries: many() }));
    const crl = await readCrl(createReadStream(join(dir, 'many.crl'), { highWaterMark: 1000 }), {
      issuer: ca.certificate,
    });
    expect(crl.size).toBe(20_000);
    for (const { serialNumber, revokedAt: at } of many()) {
      expect(crl.find(serialNumber)?.revokedAt.getTime()).toBe(at.getTime());
    }
    await expect(
      readCrl(createReadStream(join(dir, 'many.crl')), { issuer: ca.certificate, maxEntries: 19_999 }),
    ).rejects.toThrow('more than 19999 entries');
    await expect(
      readCrl(createReadStream(join(dir, 'many.crl')), { issuer: ca.certificate, maxBytes: 100_000 }),
    ).rejects.toThrow('too large');
  });

  it('is the same in whatever pieces it comes', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 400 }), (sizes) => {
        const reader = new CrlReader({ issuer: ca.certificate });
        let at = 0;
        for (let i = 0; at < list.length; i++) {
          const size = sizes[i % sizes.length]!;
          reader.push(list.subarray(at, at + size));
          at += size;
        }
        expect(reader.end().size).toBe(3);
      }),
      { numRuns: 100 },
    );
  });

  it('that is cut anywhere, changed in any byte or continued is refused, in whatever pieces it comes', () => {
    const refused = (bytes: Uint8Array, size: number) => {
      const reader = new CrlReader({ issuer: ca.certificate });
      expect(() => {
        for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
        reader.end();
      }).toThrow(PkiError);
    };
    for (let at = 0; at < list.length; at++) {
      refused(list.subarray(0, at), 1 + (at % 40));
      for (const change of [1, 0x80, 0xff]) {
        const changed = Uint8Array.from(list);
        changed[at]! ^= change;
        refused(changed, 1 + (at % 300));
      }
    }
    refused(Buffer.concat([list, Uint8Array.of(0)]), 1000);
    refused(Buffer.concat([list, Uint8Array.of(0)]), 1);
  });

  it('of another issuer, of another key of the name, or of a key that may not sign lists is refused', async () => {
    const other = await authority('Other CA');
    const impostor = await authority('CRL CA');
    const unsuited = await issue('No lists', undefined, {
      extensions: { basicConstraints: { ca: true }, keyUsage: ['keyCertSign'] },
    });
    expect(() => parseCrl(list, { issuer: other.certificate })).toThrow('another issuer');
    expect(() => parseCrl(list, { issuer: impostor.certificate })).toThrow('another key');
    const forged = await buildCrl(fields(), impostor.signer);
    expect(() => read(forged)).toThrow('not its issuer');
    const theirs = await buildCrl(fields({ issuer: unsuited.certificate }), unsuited.signer);
    expect(() => parseCrl(theirs, { issuer: unsuited.certificate })).toThrow('may not sign lists');
  });

  it('that is a delta, indirect or for some reasons only is refused', async () => {
    const with_ = async (oid: string, value: Uint8Array) => {
      const extensions = encodeExtensionList([{ oid, critical: true, value }]);
      const toBeSigned = der.sequence(
        der.integer(1),
        algorithmIdentifier(ca.signer.algorithm),
        ca.certificate.subjectDer,
        der.time(thisUpdate),
        der.explicit(0, extensions),
      );
      return signObject(toBeSigned, ca.signer);
    };
    const delta = await with_('2.5.29.27', der.integer(6));
    expect(() => read(delta)).toThrow('critical extension 2.5.29.27');
    const indirect = await with_(
      OID.issuingDistributionPoint,
      der.sequence(der.implicitPrimitive(4, Uint8Array.of(0xff))),
    );
    expect(() => read(indirect)).toThrow('indirect');
    const some = await with_(
      OID.issuingDistributionPoint,
      der.sequence(der.implicitPrimitive(3, Uint8Array.of(5, 0x60))),
    );
    expect(() => read(some)).toThrow('some reasons only');
  });
});

describe('what a list says', () => {
  const at = (text: string) => new Date(text);
  const status = (party: Party, when: Date) => read(list).statusOf(party.certificate, when);

  it('is good or revoked while it is current', () => {
    expect(status(good, DURING)).toEqual({ kind: 'good' });
    expect(status(revoked, DURING)).toEqual({ kind: 'revoked', at: revokedAt, reason: 'keyCompromise' });
  });

  it('holds from the moment of the revocation, and stays when the list is out of date', () => {
    expect(status(revoked, at('2026-05-30T07:59:59Z'))).toEqual({ kind: 'good' });
    expect(status(revoked, at('2026-12-01T00:00:00Z'))).toMatchObject({ kind: 'revoked' });
    const early = { ...good, certificate: { ...good.certificate, serialNumber: Uint8Array.of(0, 0x80) } };
    expect(status(early, at('2026-01-03T00:00:00Z'))).toMatchObject({ kind: 'revoked' });
  });

  it('is nothing about others once it is out of date, nor about certificates that had ended before', () => {
    expect(status(good, nextUpdate)).toEqual({ kind: 'good' });
    expect(status(good, new Date(nextUpdate.getTime() + 1000))).toMatchObject({ kind: 'unknown' });
    const ended = { ...good, certificate: { ...good.certificate, notAfter: new Date(thisUpdate.getTime() - 1) } };
    expect(status(ended, at('2026-05-01T00:00:00Z'))).toMatchObject({ kind: 'unknown' });
  });
});

describe('the lists of several authorities', () => {
  it('answer for a path, and only for issuers whose list is at hand', () => {
    const lists = new RevocationLists();
    const check = (party: Party) => {
      try {
        validatePath(party.certificate, { anchors: [ca.certificate], at: DURING, revocation: lists.check });
        return 'accepted';
      } catch (error) {
        return (error as PkiError).code;
      }
    };
    expect(check(good)).toBe('pki.path.revocation');
    lists.accept(read(list));
    expect(check(good)).toBe('accepted');
    expect(check(revoked)).toBe('pki.path.revoked');
  });

  it('never go back, and tell who listens when they went forward', async () => {
    const lists = new RevocationLists();
    const heard: (bigint | undefined)[] = [];
    const stop = lists.onChange(({ number }) => heard.push(number));
    expect(lists.accept(read(list))).toBe(true);
    expect(lists.accept(read(list))).toBe(false);
    const newer = read(await build({ number: 8, thisUpdate: new Date(thisUpdate.getTime() + DAY) }));
    expect(lists.accept(newer)).toBe(true);
    expect(() => lists.accept(read(list))).toThrow('older than the one at hand');
    const backdated = read(await build({ number: 9 }));
    expect(() => lists.accept(backdated)).toThrow('older');
    stop();
    expect(lists.accept(read(await build({ number: 10, thisUpdate: nextUpdate })))).toBe(true);
    expect(heard).toEqual([7n, 8n]);
  });

  it('keep one list for end entities and one for authorities', async () => {
    const lists = new RevocationLists();
    const sub = await authority('Sub', ca);
    const forAuthorities = read(await build({ scope: 'authorities', entries: [] }));
    expect(forAuthorities.scope).toBe('authorities');
    lists.accept(forAuthorities);
    expect(lists.check(sub.certificate, ca.certificate, DURING)).toEqual({ kind: 'good' });
    expect(lists.check(good.certificate, ca.certificate, DURING)).toMatchObject({ kind: 'unknown' });
    lists.accept(read(await build({ scope: 'endEntities' })));
    expect(lists.check(good.certificate, ca.certificate, DURING)).toEqual({ kind: 'good' });
    expect(lists.check(sub.certificate, ca.certificate, DURING)).toEqual({ kind: 'good' });
  });

  it('are asked one after the other', () => {
    const no = () => ({ kind: 'unknown', why: 'no answer' }) as const;
    const yes = () => ({ kind: 'good' }) as const;
    expect(firstThatKnows(no, yes)(good.certificate, ca.certificate, DURING)).toEqual({ kind: 'good' });
    expect(firstThatKnows(no, no)(good.certificate, ca.certificate, DURING)).toEqual({
      kind: 'unknown',
      why: 'no answer; no answer',
    });
  });
});

describe('the index', () => {
  it('finds what a map finds', () => {
    const serial = fc.uint8Array({ minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(fc.array(serial, { maxLength: 400 }), fc.array(serial, { maxLength: 50 }), (added, asked) => {
        const index = new RevocationIndex();
        const map = new Map<string, number>();
        for (const [i, each] of added.entries()) {
          const key = Buffer.from(each).toString('hex');
          if (!map.has(key)) map.set(key, i);
          index.add(each, i, 0);
        }
        expect(index.size).toBe(map.size);
        for (const each of [...added, ...asked]) {
          expect(index.find(each)?.revokedAt.getTime()).toBe(map.get(Buffer.from(each).toString('hex')));
        }
      }),
      { numRuns: 60 },
    );
  });
});
