import { execFileSync, spawnSync } from 'node:child_process';
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ALGORITHMS,
  algorithmOf,
  buildCertificate,
  buildRequest,
  FileKeySigner,
  keyIdentifier,
  nameOf,
  PkiError,
  parseCertificate,
  parseRequest,
  SIGNATURE_ALGORITHMS,
  type SignatureAlgorithm,
  type Signer,
  signatureFromDer,
  signatureToDer,
  signedBy,
  toPem,
  verifyCertificate,
  verifyRaw,
} from '../src/index.ts';

const dir = mkdtempSync(join(tmpdir(), 'enerchain-signer-'));
afterAll(() => rmSync(dir, { recursive: true }));
const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: dir, encoding: 'utf8', stdio: 'pipe' });
const hex = (text: string) => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');

const keys = {} as Record<SignatureAlgorithm, FileKeySigner>;
beforeAll(async () => {
  for (const algorithm of SIGNATURE_ALGORITHMS) {
    keys[algorithm] = await FileKeySigner.create(join(dir, `${algorithm}.key`), { algorithm });
  }
});

/** The public key with the coordinates x and y. */
const publicKeyAt = (crv: 'P-256' | 'P-384', x: Buffer, y: Buffer) =>
  createPublicKey({
    key: { kty: 'EC', crv, x: x.toString('base64url'), y: y.toString('base64url') },
    format: 'jwk',
  });

describe.each(SIGNATURE_ALGORITHMS)('a key for %s', (algorithm) => {
  const facts = ALGORITHMS[algorithm];

  it('signs what node verifies, and what other algorithms do not', () => {
    const key = keys[algorithm];
    expect(key.algorithm).toBe(algorithm);
    expect(algorithmOf(key.publicKey)).toBe(algorithm);
    const signature = key.sign(Buffer.from('Umspannwerk'));
    expect(signature).toHaveLength(2 * facts.size);
    const theirs = { key: key.publicKey, dsaEncoding: 'ieee-p1363' } as const;
    expect(verify(facts.hash, Buffer.from('Umspannwerk'), theirs, signature)).toBe(true);
    for (const other of SIGNATURE_ALGORITHMS) {
      expect(verifyRaw(other, key.publicKey, Buffer.from('Umspannwerk'), signature)).toBe(other === algorithm);
    }
    expect(verifyRaw(algorithm, key.publicKey, Buffer.from('umspannwerk'), signature)).toBe(false);
  });

  it('is read back from its file, where it is asked for', async () => {
    const path = join(dir, `${algorithm}.key`);
    const again = await FileKeySigner.load(path, { accept: [algorithm] });
    expect(again.publicKey.equals(keys[algorithm].publicKey)).toBe(true);
    const others = SIGNATURE_ALGORITHMS.filter((other) => other !== algorithm);
    await expect(FileKeySigner.load(path, { accept: others })).rejects.toMatchObject({ code: 'pki.key.curve' });
  });

  it('issues certificates and requests', async () => {
    const key = keys[algorithm];
    const name = nameOf({ commonName: `CA ${algorithm}` });
    const fields = {
      issuer: name,
      subject: name,
      notBefore: new Date('2026-01-01T00:00:00Z'),
      notAfter: new Date('2027-01-01T00:00:00Z'),
      publicKey: key.publicKey,
      extensions: {
        basicConstraints: { ca: true },
        keyUsage: ['keyCertSign'],
        subjectKeyIdentifier: keyIdentifier(key.publicKey.export({ type: 'spki', format: 'der' })),
      },
    } as const;
    const der = await buildCertificate(fields, key);
    const certificate = parseCertificate(der);
    expect(certificate.signatureAlgorithm).toBe(facts.oid);
    expect(() => verifyCertificate(certificate, certificate, new Date('2026-06-01T00:00:00Z'))).not.toThrow();
    expect(new X509Certificate(der).verify(key.publicKey)).toBe(true);
    const request = await buildRequest({ subject: nameOf({ commonName: 'edge' }) }, key);
    expect(parseRequest(request).publicKey.equals(key.publicKey)).toBe(true);
    if (!hasOpenssl) return;
    const file = `${algorithm}.pem`;
    writeFileSync(join(dir, file), toPem('CERTIFICATE', der));
    writeFileSync(join(dir, `${algorithm}.csr`), toPem('CERTIFICATE REQUEST', request));
    expect(openssl('verify', '-CAfile', file, '-attime', '1780300000', '-check_ss_sig', file)).toContain('OK');
    expect(openssl('req', '-in', `${algorithm}.csr`, '-noout', '-text', '-verify')).toContain(
      `ecdsa-with-${facts.hash.toUpperCase()}`,
    );
  });

  it('whose signer answers in another size is not believed', async () => {
    const key = keys[algorithm];
    const cut: Signer = {
      algorithm,
      origin: 'hsm',
      publicKey: key.publicKey,
      sign: (data) => key.sign(data).subarray(1),
    };
    await expect(buildRequest({ subject: nameOf({ commonName: 'x' }) }, cut)).rejects.toMatchObject({
      code: 'pki.signer',
      fault: 'local',
    });
  });
});

describe('signatures of the RFCs', () => {
  it('RFC 6979 A.2.5: P-256, SHA-256, "sample"', () => {
    const key = publicKeyAt(
      'P-256',
      hex('60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6'),
      hex('7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299'),
    );
    const signature = hex(`
      EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
      F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8`);
    expect(verifyRaw('ES256', key, Buffer.from('sample'), signature)).toBe(true);
    expect(verifyRaw('ES256', key, Buffer.from('test'), signature)).toBe(false);
  });

  it('RFC 6979 A.2.6: P-384, SHA-384, "sample"', () => {
    const key = publicKeyAt(
      'P-384',
      hex('EC3A4E415B4E19A4568618029F427FA5DA9A8BC4AE92E02E06AAE5286B300C64DEF8F0EA9055866064A254515480BC13'),
      hex('8015D9B72D7D57244EA8EF9AC0C621896708A59367F9DFB9F54CA84B3F1C9DB1288B231C3AE0D4FE7344FD2533264720'),
    );
    const signature = hex(`
      94EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA73D64C4EA95AD133C81A648152E44ACF96E36DD1E80FABE46
      99EF4AEB15F178CEA1FE40DB2603138F130E740A19624526203B6351D0A3A94FA329C145786E679E7B82C71A38628AC8`);
    expect(verifyRaw('ES384', key, Buffer.from('sample'), signature)).toBe(true);
    expect(verifyRaw('ES384', key, Buffer.from('test'), signature)).toBe(false);
  });
});

describe('a signature as SEQUENCE { r, s }', () => {
  it('comes back as it was, whatever its leading octets', () => {
    const octets = fc.uint8Array({ minLength: 64, maxLength: 64 });
    fc.assert(
      fc.property(octets, fc.nat(31), (raw, zeros) => {
        const padded = Uint8Array.from(raw).fill(0, 32, 32 + zeros);
        expect(Buffer.from(signatureFromDer(signatureToDer(padded), 32))).toEqual(Buffer.from(padded));
      }),
    );
  });

  it('is refused when it is cut, too large or negative', () => {
    const good = signatureToDer(new Uint8Array(64).fill(0x11));
    for (let size = 0; size < good.length; size++) {
      expect(() => signatureFromDer(good.subarray(0, size), 32)).toThrow(PkiError);
    }
    expect(() => signatureFromDer(signatureToDer(new Uint8Array(96).fill(0x11)), 32)).toThrow(PkiError);
    expect(() => signatureFromDer(hex('3006020181020101'), 32)).toThrow('out of range');
  });
});

describe('a signature with RSA', () => {
  const issued = (bits: number) => {
    const file = `rsa${bits}`;
    openssl(
      'req',
      '-x509',
      '-newkey',
      `rsa:${bits}`,
      '-nodes',
      '-subj',
      '/CN=r',
      '-keyout',
      `${file}.key`,
      '-out',
      file,
    );
    return parseCertificate(new X509Certificate(readFileSync(join(dir, file))).raw);
  };

  it.skipIf(!hasOpenssl)('is verified, and refused below 2 048 bits (skipped where openssl is not installed)', () => {
    const certificate = issued(2048);
    expect(signedBy(certificate, certificate.publicKey)).toBe(true);
    expect(signedBy(certificate, keys.ES256.publicKey)).toBe(false);
    const short = issued(1024);
    expect(signedBy(short, short.publicKey)).toBe(false);
  });
});

describe('a key under a passphrase', () => {
  const passphrase = () => 'Schutz-Relais 7';
  let path: string;
  beforeAll(async () => {
    path = join(dir, 'secret.key');
    await FileKeySigner.create(path, { algorithm: 'ESB256', passphrase });
  });

  it('is opened with it: here, by node and by openssl', async () => {
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, 'utf8')).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----/);
    const key = await FileKeySigner.load(path, { accept: ['ESB256'], passphrase: async () => passphrase() });
    expect(key.sign(Buffer.from('x'))).toHaveLength(64);
    const theirs = createPrivateKey({ key: readFileSync(path), passphrase: passphrase() });
    expect(createPublicKey(theirs).equals(key.publicKey)).toBe(true);
    if (!hasOpenssl) return;
    expect(openssl('pkey', '-in', path, '-passin', `pass:${passphrase()}`, '-noout', '-text')).toContain('brainpool');
  });

  it('is opened with one from the environment', async () => {
    process.env.PKI_TEST_PASSPHRASE = passphrase();
    try {
      const source = { env: 'PKI_TEST_PASSPHRASE' };
      await expect(FileKeySigner.load(path, { accept: ['ESB256'], passphrase: source })).resolves.toBeDefined();
    } finally {
      delete process.env.PKI_TEST_PASSPHRASE;
    }
  });

  it('stays closed without it and with a wrong one; no message shows any', async () => {
    const wrong = 'Schutz-Relais 8';
    const attempts = [
      () => FileKeySigner.load(path, { accept: ['ESB256'] }),
      () => FileKeySigner.load(path, { accept: ['ESB256'], passphrase: () => wrong }),
      () => FileKeySigner.load(path, { accept: ['ESB256'], passphrase: () => '' }),
      () => FileKeySigner.load(path, { accept: ['ESB256'], passphrase: { env: 'PKI_TEST_NO_SUCH_VARIABLE' } }),
    ];
    for (const attempt of attempts) {
      const error: unknown = await attempt().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(PkiError);
      const { code, message, stack, cause } = error as PkiError;
      expect(code).toBe('pki.key.passphrase');
      expect(`${message} ${stack} ${String(cause)} ${JSON.stringify(cause)}`).not.toContain('Relais');
    }
  });

  it('written by node is opened too', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-128-cbc', passphrase: passphrase() });
    writeFileSync(join(dir, 'node.key'), pem, { mode: 0o600 });
    const key = await FileKeySigner.load(join(dir, 'node.key'), { accept: ['ES384'], passphrase });
    const expected = sign('sha384', Buffer.from('x'), { key: privateKey, dsaEncoding: 'ieee-p1363' });
    expect(verifyRaw('ES384', key.publicKey, Buffer.from('x'), expected)).toBe(true);
  });
});
