/** A whole centre whose keys (identity, log, authority) lie in an HSM (SoftHSM) or in a TPM (swtpm), started twice. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findSwtpm, TpmFleet } from '@enerchain/lab';
import { checkedCertificate, enrol, hasOwnTlsKey, renew } from '@enerchain/trust';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { centreKeysIn } from '../../apps/enerchain/src/centre-keys.ts';
import { openCore } from '../../platform/centre/src/core.ts';
import { certificatesOf } from '../../platform/centre/src/trust/certificates.ts';
import { silent } from '../../platform/edge/test/helpers.ts';
import { startSoftHsm, whyNoSoftHsm } from '../hsm/softhsm.ts';

const noHsm = whyNoSoftHsm();
const noTpm = (await findSwtpm()).installed ? undefined : 'swtpm is not installed';
for (const reason of [noHsm, noTpm]) if (reason) console.log(`skipped: ${reason}`);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'centre-keys-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Starts a centre with these keys; a gateway enrols with it, or renews, and the log is signed. */
async function run(keyFile: string, origin: 'hsm' | 'tpm') {
  const core = await openCore({
    dataDir: join(folder, 'centre'),
    link: { host: '127.0.0.1', port: 0 },
    // No database: what is asked of it here is nothing.
    databaseUrl: 'postgres://nobody@127.0.0.1:9/none',
    keys: centreKeysIn(keyFile),
    logger: silent,
    signal: new AbortController().signal,
  });
  try {
    const dir = join(folder, 'edge');
    const token = await core.ca.createToken({
      name: 'edge-nord',
      role: 'edge',
      address: core.linkUrl,
      validFor: 60_000,
    });
    const identity = await enrol({ dir, token });
    expect((await renew({ dir, identity, url: core.linkUrl })).name).toBe('edge-nord');
    expect(checkedCertificate(identity.certificate.der, core.ca.certificatePem, new Date()).holder.name).toBe(
      'edge-nord',
    );
    const offset = await core.log.append({ action: 'test', actor: 'test', outcome: 'ok' });
    await core.transparency.keeper.reached(offset + 1, AbortSignal.timeout(60_000));
    expect(await core.transparency.keeper.checkpoint()).toContain('enerchain/');
    expect(core.troubles().filter((text) => !text.includes('database'))).toEqual([]);
    expect(core.identity.signer.origin).toBe(origin);
    expect(hasOwnTlsKey(core.identity)).toBe(true);
    const shown = certificatesOf(
      core.ca,
      core.revocations,
      (name) => (name === 'centre' ? core.identity.signer.origin : undefined),
      core.transparency.keeper.log.signer,
    );
    const originsOf = (use: string) =>
      new Set(shown.filter((each) => each.use === use && each.name !== 'edge-nord').map(({ keyOrigin }) => keyOrigin));
    for (const use of ['authority', 'identity', 'log']) expect(originsOf(use)).toEqual(new Set([origin]));
    expect(originsOf('connections')).toEqual(new Set(['file']));
    return { fingerprint: core.ca.fingerprint, logKey: core.transparency.anchor().logKey };
  } finally {
    await core.close();
  }
}

/** What must hold wherever the keys are: the same ones after a restart, and none of them in a file. */
async function twice(keyFile: string, origin: 'hsm' | 'tpm'): Promise<void> {
  const first = await run(keyFile, origin);
  expect(await run(keyFile, origin)).toEqual(first);
  const files = readdirSync(join(folder, 'centre'), { recursive: true }).map(String);
  expect(files.filter((name) => name.endsWith('.key') || /(^|[\\/])key\.pem$/.test(name))).toEqual([]);
  expect(files.filter((name) => name.endsWith('tls-key.pem'))).toHaveLength(1);
}

describe.skipIf(noHsm)('a centre whose keys lie in an HSM', () => {
  it('issues, signs its log and commands with them, before and after a restart', async () => {
    const hsm = startSoftHsm();
    try {
      hsm.addToken('control centre');
      const pinFile = join(folder, 'pin');
      writeFileSync(pinFile, `${hsm.pin}\n`, { mode: 0o600 });
      const place = `{ library: ${hsm.library}, token: control centre, pinFile: ${pinFile} }`;
      const keyFile = join(folder, 'keys.yaml');
      writeFileSync(keyFile, `identity: ${place}\nlog: ${place}\nauthority: ${place}\n`);
      await twice(keyFile, 'hsm');
    } finally {
      hsm.remove();
    }
  });

  it('does not exchange the key of a log that was begun', async () => {
    const hsm = startSoftHsm();
    try {
      hsm.addToken('control centre');
      const [pinFile, keyFile] = [join(folder, 'pin'), join(folder, 'keys.yaml')];
      writeFileSync(pinFile, hsm.pin, { mode: 0o600 });
      const options = {
        dataDir: join(folder, 'centre'),
        link: { host: '127.0.0.1', port: 0 },
        databaseUrl: 'postgres://nobody@127.0.0.1:9/none',
        logger: silent,
        signal: new AbortController().signal,
      };
      await (await openCore(options)).close();
      writeFileSync(keyFile, `log: { library: ${hsm.library}, token: control centre, pinFile: ${pinFile} }\n`);
      const again = openCore({ ...options, keys: centreKeysIn(keyFile) });
      await expect(again).rejects.toMatchObject({ code: 'centre.keys.log', fault: 'caller' });
    } finally {
      hsm.remove();
    }
  });
});

describe.skipIf(noTpm)('a centre whose keys lie in its TPM', () => {
  it('issues, signs its log and commands with them, before and after a restart', async () => {
    const fleet = await TpmFleet.start({ folder: join(folder, 'tpm'), nodes: ['centre'] });
    try {
      const keyFile = join(folder, 'keys.yaml');
      writeFileSync(keyFile, `tpm: ${fleet.get('centre')!.socket}\nidentity: tpm\nlog: tpm\nauthority: tpm\n`);
      await twice(keyFile, 'tpm');
    } finally {
      await fleet.close();
    }
  });
});
