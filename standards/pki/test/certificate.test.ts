import { execFileSync, spawnSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, verify, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  buildCertificate,
  buildRequest,
  type Certificate,
  commonNameOf,
  FileKeySigner,
  fromPem,
  keyIdentifier,
  nameOf,
  OID,
  PkiError,
  parseCertificate,
  parseRequest,
  thumbprint,
  toPem,
  verifyCertificate,
} from '../src/index.ts';

const dir = mkdtempSync(join(tmpdir(), 'enerchain-pki-'));
afterAll(() => rmSync(dir, { recursive: true }));
const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: dir, encoding: 'utf8', stdio: 'pipe' });

const day = 86_400_000;
const notBefore = new Date('2026-01-01T00:00:00Z');
const notAfter = new Date('2027-01-01T00:00:00Z');
const during = new Date('2026-06-01T00:00:00Z');

let caKey: FileKeySigner;
let leafKey: FileKeySigner;
let ca: Certificate;
let leaf: Certificate;
const caName = nameOf({ commonName: 'Test CA', organization: 'Überlandwerk' });

beforeAll(async () => {
  caKey = await FileKeySigner.create(join(dir, 'ca.key'));
  leafKey = await FileKeySigner.create(join(dir, 'leaf.key'));
  const spki = (key: FileKeySigner) => key.publicKey.export({ type: 'spki', format: 'der' });
  const common = { issuer: caName, notBefore, notAfter };
  ca = parseCertificate(
    await buildCertificate(
      {
        ...common,
        subject: caName,
        publicKey: caKey.publicKey,
        extensions: {
          basicConstraints: { ca: true, pathLength: 0 },
          keyUsage: ['keyCertSign', 'cRLSign'],
          subjectKeyIdentifier: keyIdentifier(spki(caKey)),
        },
      },
      caKey,
    ),
  );
  leaf = parseCertificate(
    await buildCertificate(
      {
        ...common,
        subject: nameOf({ commonName: 'edge-nord' }),
        publicKey: leafKey.publicKey,
        extensions: {
          basicConstraints: { ca: false },
          keyUsage: ['digitalSignature'],
          extKeyUsage: [OID.serverAuth, OID.clientAuth],
          subjectAltName: [
            { kind: 'uri', value: 'urn:enerchain:edge:edge-nord' },
            { kind: 'dns', value: 'localhost' },
            { kind: 'ip', value: '127.0.0.1' },
            { kind: 'ip', value: '2001:db8::7' },
          ],
          subjectKeyIdentifier: keyIdentifier(spki(leafKey)),
          authorityKeyIdentifier: keyIdentifier(spki(caKey)),
        },
      },
      caKey,
    ),
  );
  writeFileSync(join(dir, 'ca.pem'), toPem('CERTIFICATE', ca.der));
  writeFileSync(join(dir, 'leaf.pem'), toPem('CERTIFICATE', leaf.der));
});

describe('a certificate built here', () => {
  it('is read by node as what it was meant to be', () => {
    const theirs = new X509Certificate(leaf.der);
    expect(theirs.subject).toBe('CN=edge-nord');
    expect(theirs.issuer).toBe('O=Überlandwerk\nCN=Test CA');
    expect(theirs.subjectAltName).toBe(
      'URI:urn:enerchain:edge:edge-nord, DNS:localhost, IP Address:127.0.0.1, IP Address:2001:DB8:0:0:0:0:0:7',
    );
    expect(theirs.keyUsage).toEqual([OID.serverAuth, OID.clientAuth]);
    expect(theirs.ca).toBe(false);
    expect(theirs.verify(createPublicKey(caKey.publicKey.export({ type: 'spki', format: 'pem' })))).toBe(true);
    expect(theirs.checkIssued(new X509Certificate(ca.der))).toBe(true);
    expect(theirs.fingerprint256.replaceAll(':', '').toLowerCase()).toBe(Buffer.from(thumbprint(leaf)).toString('hex'));
    expect(new X509Certificate(ca.der).ca).toBe(true);
  });

  it('is read back here as what it was meant to be', () => {
    expect(commonNameOf(leaf.subject)).toBe('edge-nord');
    expect(leaf.notAfter).toEqual(notAfter);
    expect(leaf.extensions.keyUsage).toEqual(['digitalSignature']);
    expect(leaf.extensions.subjectAltName?.at(-1)).toEqual({ kind: 'ip', value: '2001:db8::7' });
    expect(ca.extensions.basicConstraints).toEqual({ ca: true, pathLength: 0 });
    expect(leaf.extensions.authorityKeyIdentifier).toEqual(ca.extensions.subjectKeyIdentifier);
  });

  it.skipIf(!hasOpenssl)('is verified by openssl (skipped where openssl is not installed)', () => {
    const at = ['-attime', String(during.getTime() / 1000)];
    expect(openssl('verify', '-CAfile', 'ca.pem', ...at, '-purpose', 'sslclient', 'leaf.pem')).toContain('OK');
    const text = openssl('x509', '-in', 'leaf.pem', '-noout', '-text');
    expect(text).toContain('ecdsa-with-SHA256');
    expect(text).toContain('URI:urn:enerchain:edge:edge-nord');
  });

  it('verifies against its issuer, and against nobody else', () => {
    expect(() => verifyCertificate(leaf, ca, during)).not.toThrow();
    expect(() => verifyCertificate(leaf, leaf, during)).toThrow('issued by somebody else');
    expect(() => verifyCertificate(leaf, ca, new Date(notBefore.getTime() - day))).toThrow('not valid before');
    expect(() => verifyCertificate(leaf, ca, new Date(notAfter.getTime() + day))).toThrow('expired');
  });

  it('is refused when the issuer is not a CA', async () => {
    const subject = nameOf({ commonName: 'edge-nord' });
    const fields = { issuer: subject, subject, notBefore, notAfter, publicKey: leafKey.publicKey, extensions: {} };
    const below = parseCertificate(await buildCertificate(fields, leafKey));
    expect(() => verifyCertificate(below, leaf, during)).toThrow('may not issue');
  });

  it('is refused when another key of the same name signed it', async () => {
    const other = await FileKeySigner.create(join(dir, `other-${process.pid}.key`));
    const fields = {
      issuer: caName,
      subject: caName,
      notBefore,
      notAfter,
      publicKey: leafKey.publicKey,
      extensions: {},
    };
    const forged = parseCertificate(await buildCertificate(fields, other));
    expect(() => verifyCertificate(forged, ca, during)).toThrow('not its issuer');
  });
});

describe('a certificate of others', () => {
  it.skipIf(!hasOpenssl)('made by openssl is read and verified (skipped where openssl is not installed)', () => {
    openssl('ecparam', '-name', 'secp384r1', '-genkey', '-noout', '-out', 'p384.key');
    const subject = ['-subj', '/C=DE/O=Werk/CN=root'];
    openssl('req', '-x509', '-new', '-key', 'p384.key', '-sha384', '-days', '30', ...subject, '-out', 'p384.pem');
    const [bytes] = fromPem('CERTIFICATE', openssl('x509', '-in', 'p384.pem'));
    const root = parseCertificate(bytes!);
    expect(root.subject.map(({ value }) => value)).toEqual(['DE', 'Werk', 'root']);
    expect(() => verifyCertificate(root, root, new Date(root.notBefore.getTime() + day))).not.toThrow();
  });

  it('cut short anywhere or with any byte changed is refused or read, never a crash', () => {
    for (let size = 0; size < leaf.der.length; size++) {
      expect(() => parseCertificate(leaf.der.subarray(0, size))).toThrow(PkiError);
    }
    fc.assert(
      fc.property(fc.nat(leaf.der.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = Uint8Array.from(leaf.der);
        changed[at]! ^= change;
        try {
          verifyCertificate(parseCertificate(changed), ca, during);
        } catch (error) {
          expect(error).toBeInstanceOf(PkiError);
          return;
        }
        throw new Error(`the change of byte ${at} went unnoticed`);
      }),
      { numRuns: 400 },
    );
  });
});

describe('a certification request', () => {
  it.skipIf(!hasOpenssl)('is verified by openssl (skipped where openssl is not installed)', async () => {
    const request = await buildRequest(
      { subject: nameOf({ commonName: 'edge-nord' }), extensions: { subjectAltName: [{ kind: 'dns', value: 'a.b' }] } },
      leafKey,
    );
    writeFileSync(join(dir, 'request.pem'), toPem('CERTIFICATE REQUEST', request));
    const text = openssl('req', '-in', 'request.pem', '-noout', '-text', '-verify');
    expect(text).toContain('DNS:a.b');
    expect(text).toContain('CN = edge-nord');
  });

  it.skipIf(!hasOpenssl)('of openssl is read (skipped where openssl is not installed)', () => {
    const subject = ['-subj', '/CN=theirs', '-addext', 'subjectAltName=IP:10.0.0.1'];
    openssl('req', '-new', '-key', 'leaf.key', ...subject, '-out', 'theirs.pem');
    const [bytes] = fromPem('CERTIFICATE REQUEST', openssl('req', '-in', 'theirs.pem'));
    const request = parseRequest(bytes!);
    expect(commonNameOf(request.subject)).toBe('theirs');
    expect(request.extensions.subjectAltName).toEqual([{ kind: 'ip', value: '10.0.0.1' }]);
  });

  it('that was changed, or signed with another key, is refused', async () => {
    const request = await buildRequest({ subject: nameOf({ commonName: 'edge-nord' }) }, leafKey);
    expect(parseRequest(request).publicKey.equals(leafKey.publicKey)).toBe(true);
    for (let at = 0; at < request.length; at++) {
      const changed = Uint8Array.from(request);
      changed[at]! ^= 1;
      expect(() => parseRequest(changed), `byte ${at}`).toThrow(PkiError);
    }
  });
});

describe('a key in a file', () => {
  it('can be read by its owner alone, and is never overwritten', async () => {
    const path = join(dir, 'mine.key');
    const key = await FileKeySigner.create(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await expect(FileKeySigner.create(path)).rejects.toMatchObject({ code: 'pki.key.exists' });
    const again = await FileKeySigner.load(path);
    const signature = again.sign(Buffer.from('x'));
    expect(signature).toHaveLength(64);
    const publicKey = { key: key.publicKey, dsaEncoding: 'ieee-p1363' } as const;
    expect(verify('sha256', Buffer.from('x'), publicKey, signature)).toBe(true);
  });

  it('that others may read, of another curve, or that is none, is refused', async () => {
    const path = join(dir, 'bad.key');
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
    writeFileSync(path, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o644 });
    await expect(FileKeySigner.load(path)).rejects.toMatchObject({ code: 'pki.key.mode' });
    writeFileSync(join(dir, 'p384b.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    await expect(FileKeySigner.load(join(dir, 'p384b.key'))).rejects.toMatchObject({ code: 'pki.key.curve' });
    writeFileSync(join(dir, 'none.key'), 'hello', { mode: 0o600 });
    await expect(FileKeySigner.load(join(dir, 'none.key'))).rejects.toMatchObject({ code: 'pki.key.format' });
  });
});
