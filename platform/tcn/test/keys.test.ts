import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@enerchain/model';
import { certificateFromPem, FileKeySigner, thumbprint } from '@enerchain/pki';
import { DevelopmentCa, requestFor, TLS_ONLY } from '@enerchain/trust';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CertificateDirectory, readBundle, signBundle } from '../src/index.ts';
import { TEST_POLICY } from './world.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'enerchain-keys-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

it('knows signers alone: the key of the connections of a centre, or of its TPM, speaks for nobody', async () => {
  const ca = await DevelopmentCa.open(join(dir, 'ca'), { clock: systemClock });
  const keys = new CertificateDirectory({ caPem: ca.certificatePem });
  const holder = { name: 'centre', role: 'centre' } as const;
  const bundle = { sequence: 1, policy: TEST_POLICY, authorities: [], manifests: [], revoked: [] };
  const read = async (of: (signer: FileKeySigner) => Promise<string>) => {
    const signer = await FileKeySigner.create(join(dir, `${Math.random()}.pem`));
    const { der } = certificateFromPem(await of(signer));
    try {
      keys.learn(der);
    } catch (error) {
      expect(error).toMatchObject({ fault: 'peer', code: 'tcn.certificate' });
    }
    return readBundle(await signBundle(signer, thumbprint(der), bundle), keys);
  };
  const issue = async (signer: FileKeySigner, hosts: (typeof TLS_ONLY)[] = []) =>
    ca.issue(await requestFor(holder, signer), { ...holder, hosts });
  expect(await read((signer) => issue(signer))).toMatchObject({ sequence: 1 });
  await expect(read((signer) => issue(signer, [TLS_ONLY]))).rejects.toMatchObject({ code: 'cose.kid' });
  await expect(read(({ publicKey }) => ca.issueAttestation(publicKey, holder))).rejects.toMatchObject({
    code: 'cose.kid',
  });
});
