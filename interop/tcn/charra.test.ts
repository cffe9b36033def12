/**
 * The Trusted Attestation Protocol against TPMs: our listener over a software TPM (swtpm), and, when a build of the public
 * CHARRA attester is at hand, that one. `ENERCHAIN_CHARRA` names its folder; `bin/attester` there is started with the TPM
 * that its own settings in the environment name, and with the format of TAP.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@enerchain/model';
import { appraiseCharra, askCharra, CoapListener, TCG_HASH, tpmQuoter } from '@enerchain/tcn';
import { openAttestationKey, parseAttest, parsePublic, TpmClient, toKeyObject } from '@enerchain/tpm2';
import { afterEach, expect, it } from 'vitest';

const PCRS = [0, 1, 2, 3, 4, 5, 6, 7, 10];
const SELECTIONS = [{ algorithm: TCG_HASH.sha256, pcrs: PCRS }];
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const ended = (child: ChildProcess) => {
  child.kill();
  return child.exitCode === null && child.signalCode === null
    ? new Promise((resolve) => child.once('close', resolve))
    : undefined;
};

async function eventually<T>(what: () => Promise<T>): Promise<T> {
  const end = performance.now() + 60_000;
  for (;;) {
    try {
      return await what();
    } catch (error) {
      if (performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

const swtpm = spawnSync('swtpm', ['--version']).status === 0;

it.skipIf(!swtpm)(`our listener over a TPM${swtpm ? '' : ': swtpm is not installed'}`, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'enerchain-tap-'));
  closing.push(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'tpm');
  const child = spawn(
    'swtpm',
    [
      ...['socket', '--tpm2', '--server', `type=unixio,path=${path}`, '--ctrl', `type=unixio,path=${path}.ctrl`],
      ...['--tpmstate', `dir=${folder}`, '--flags', 'not-need-init,startup-clear'],
    ],
    { stdio: 'ignore' },
  );
  closing.push(() => ended(child));
  const tpm = new TpmClient({ path });
  closing.push(() => tpm.close());
  const own = await eventually(() => openAttestationKey(tpm));
  const log = Uint8Array.from({ length: 100_000 }, (_, i) => i % 253);
  writeFileSync(join(folder, 'ima'), log);
  const keyFile = join(folder, 'coap-key');
  const quote = tpmQuoter({ tpm, keyFile, logs: { ima: join(folder, 'ima') } });
  const listener = await CoapListener.open({ host: '127.0.0.1', port: 0, quote, clock: systemClock });
  closing.push(() => listener.close());
  const target = { host: '127.0.0.1', port: listener.port, keyId: 'PK.RSA.default', selections: SELECTIONS };
  const answer = await askCharra({ ...target, logs: [{ id: 'ima', start: 0, count: 0 }] });
  const pcrs = await tpm.pcrRead([{ hash: 'sha256', pcrs: PCRS }]);
  const akPublic = parsePublic(readFileSync(keyFile));
  expect(appraiseCharra(answer, { akPublic, pcrs })).toEqual({ status: 'warning', reasons: [] });
  // Whoever asks here chooses what is signed: it is not signed by the key that evidence of the node is believed under.
  expect(toKeyObject(akPublic).equals(toKeyObject(own.public))).toBe(false);
  expect(appraiseCharra(answer, { akPublic: own.public, pcrs }).status).toBe('contraindicated');
  await expect(askCharra({ ...target, logs: [{ id: 'ima', start: 5, count: 0 }] })).rejects.toThrow('given out whole');
  expect(Buffer.compare(answer.response.logs[0]!.bytes, log)).toBe(0);
  await tpm.pcrExtend(10, new Map([['sha256', new Uint8Array(32).fill(1)]]));
  const changed = await askCharra(target);
  expect(appraiseCharra(changed, { akPublic, pcrs }).status).toBe('contraindicated');
});

const charra = process.env.ENERCHAIN_CHARRA;

it.skipIf(!charra)(`the attester of CHARRA${charra ? '' : ': ENERCHAIN_CHARRA names no build of it'}`, async () => {
  const child = spawn(join(charra!, 'bin', 'attester'), [], { cwd: charra, stdio: 'ignore' });
  closing.push(() => ended(child));
  const target = { host: '127.0.0.1', port: 5683, keyId: 'PK.RSA.default', selections: SELECTIONS, timeout: 2000 };
  const { nonce, response } = await eventually(() => askCharra(target));
  const attest = parseAttest(response.attest);
  expect(Buffer.compare(attest.extraData, nonce)).toBe(0);
  expect(attest.attested).toMatchObject({ type: 'quote', pcrs: [{ hash: 'sha256', pcrs: PCRS }] });
});
