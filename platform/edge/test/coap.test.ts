/** A gateway with a TPM (swtpm) that answers attestation over CoAP, as its site file asks. */
import { spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  decodeEvidence,
  EVIDENCE_METHOD,
  evidenceQuestion,
  quotedData,
  readEvidenceAnswer,
} from '@enerchain/attestation';
import { appraiseCharra, askCharra, COAP_KEY_FILE, TCG_HASH } from '@enerchain/tcn';
import { parseAttest, parsePublic, TpmClient, toKeyObject, verifyQuote } from '@enerchain/tpm2';
import { afterEach, expect, test } from 'vitest';
import { runEdge } from '../src/edge.ts';
import { loadSite } from '../src/site/load-site.ts';
import { TestCentre, until } from './centre.ts';
import { silent } from './helpers.ts';
import { TestStation } from './station.ts';
import './trusted.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const swtpm = spawnSync('swtpm', ['--version']).status === 0;
const PCRS = [0, 1, 2, 3, 4, 5, 6, 7];

/** A TPM of this machine for one test. */
async function startTpm(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'enerchain-edge-tpm-'));
  const path = join(folder, 'tpm');
  const sockets = ['--server', `type=unixio,path=${path}`, '--ctrl', `type=unixio,path=${path}.ctrl`];
  const state = ['--tpmstate', `dir=${folder}`, '--flags', 'not-need-init,startup-clear'];
  const child = spawn('swtpm', ['socket', '--tpm2', ...sockets, ...state], { stdio: 'ignore' });
  closing.push(() => {
    child.kill();
    return new Promise((resolve) => child.once('close', resolve));
  });
  const probe = new TpmClient({ path });
  let open = false;
  for (const deadline = Date.now() + 10_000; !open && Date.now() < deadline; ) {
    open = await probe.pcrRead([{ hash: 'sha256', pcrs: [0] }]).then(
      () => true,
      () => new Promise<false>((resolve) => setTimeout(() => resolve(false), 20)),
    );
  }
  await probe.close();
  return path;
}

test.skipIf(!swtpm)(
  `a quote over CoAP is by a key of its own, with which nobody can speak for the node${swtpm ? '' : ': swtpm is not installed'}`,
  async () => {
    const path = await startTpm();
    const centre = await TestCentre.open();
    closing.push(() => centre.close());
    const station = new TestStation();
    await station.open();
    closing.push(() => station.close());
    // A free port: the one that the system gave to somebody who has left.
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await new Promise((resolve) => socket.once('listening', resolve));
    const { port } = socket.address();
    await new Promise<void>((resolve) => socket.close(() => resolve()));
    const dataDir = join(station.folder, 'data');
    const installation = mkdtempSync(join(tmpdir(), 'enerchain-installation-'));
    writeFileSync(join(installation, 'package-lock.json'), '{}');
    const edge = await runEdge({
      siteFile: station.write('', `trust: { tpm: ${path}, key: file, coap: '127.0.0.1:${port}' }`),
      dataDir,
      installation,
      centre: { url: centre.url, token: await centre.token('edge-test') },
      logger: silent,
    });
    closing.push(() => edge.close());
    await until(() => centre.online, 'the gateway is connected');
    const target = {
      host: '127.0.0.1',
      port,
      keyId: 'PK.RSA.default',
      selections: [{ algorithm: TCG_HASH.sha256, pcrs: PCRS }],
    };
    const answer = await askCharra(target);
    const akPublic = parsePublic(readFileSync(join(dataDir, COAP_KEY_FILE)));
    const { attested } = parseAttest(answer.response.attest);
    expect(attested).toMatchObject({ type: 'quote', pcrs: [{ hash: 'sha256', pcrs: PCRS }] });
    const zero = [{ hash: 'sha256' as const, values: new Map(PCRS.map((pcr) => [pcr, new Uint8Array(32)])) }];
    expect(appraiseCharra(answer, { akPublic, pcrs: zero })).toEqual({ status: 'warning', reasons: [] });
    // What the node signs for its verifiers, somebody asks to have signed here: it is of another key.
    const native = await centre.ask(EVIDENCE_METHOD, evidenceQuestion(new Uint8Array(32), undefined));
    const { proof, claimsBytes } = decodeEvidence(readEvidenceAnswer(native).evidence);
    if (proof.tier !== 'tpm') throw new Error('the gateway attests by its TPM');
    const nodeKey = parsePublic(Uint8Array.from(proof.ak));
    const qualifyingData = quotedData(claimsBytes, proof.identity, proof.listPcr);
    const pcrs = [{ hash: 'sha256' as const, values: proof.pcrs }];
    const ofNode = { attest: proof.attest, signature: proof.signature, akPublic: nodeKey, qualifyingData, pcrs };
    expect(verifyQuote(ofNode).problems.filter(({ code }) => code !== 'unsafeClock')).toEqual([]);
    expect(toKeyObject(akPublic).equals(toKeyObject(nodeKey))).toBe(false);
    expect(verifyQuote({ ...answer.response, akPublic: nodeKey, qualifyingData: answer.nonce, pcrs: zero }).ok).toBe(
      false,
    );
  },
);

test('a site that asks for it without a TPM is refused with a sentence', async () => {
  const station = new TestStation();
  closing.push(() => station.close());
  await station.open();
  const { findings } = loadSite(station.write('', "trust: { coap: '127.0.0.1:5683' }"));
  expect(findings.map(({ message }) => message)).toEqual([
    'attestation over CoAP answers with quotes of a TPM: name one under trust.tpm',
  ]);
});
