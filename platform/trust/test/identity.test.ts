import { generateKeyPairSync } from 'node:crypto';
import { buildCertificate, FileKeySigner, nameOf, toPem } from '@enerchain/pki';
import { expect, it } from 'vitest';
import { holderUri, makeIdentity } from '../src/index.ts';

const key = (namedCurve: string, accept: 'ES256' | 'ES384' | 'ESB256') => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve });
  const keyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  return { keyPem, signer: FileKeySigner.fromPem(keyPem, 'a key', { accept: [accept] }) };
};

it('an identity whose key is not on P-256 is refused when it is opened, not with the first batch', async () => {
  const certified = async ({ keyPem, signer }: ReturnType<typeof key>) => {
    const holder = { role: 'edge', name: 'edge-nord' } as const;
    const name = nameOf({ commonName: holder.name });
    const fields = { issuer: name, subject: name, notBefore: new Date(0), notAfter: new Date(1e12) };
    const extensions = { subjectAltName: [holderUri(holder)] };
    const der = await buildCertificate({ ...fields, publicKey: signer.publicKey, extensions }, signer);
    const certificatePem = toPem('CERTIFICATE', der);
    return { certificatePem, caPem: certificatePem, signer, keyPem };
  };
  const good = await certified(key('P-256', 'ES256'));
  expect(makeIdentity(good).name).toBe('edge-nord');
  for (const other of [key('P-384', 'ES384'), key('brainpoolP256r1', 'ESB256')]) {
    const parts = await certified(other);
    expect(() => makeIdentity(parts)).toThrow(other.signer.algorithm);
  }
});
