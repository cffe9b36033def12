import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, fromMillis } from '@enerchain/model';
import { buildCertificate, type Certificate, FileKeySigner, nameOf, parseCertificate } from '@enerchain/pki';
import {
  attestationKey,
  EK_ECC_P256,
  encodeAttest,
  encodePublic,
  encodeSignature,
  fromKeyObject,
  identityKey,
  objectName,
  openAttestationKey,
  openCredential,
  openEndorsementKey,
  openIdentityKey,
  TpmClient,
  type TpmPublic,
  TpmSigner,
} from '@enerchain/tpm2';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  assuranceOf,
  attestationIn,
  checkedCertificate,
  DevelopmentCa,
  type EndorsementPolicy,
  type EnrolmentEvent,
  type EvidenceRequired,
  endorsementPolicyIn,
  enrol,
  enrolmentHandler,
  enrolTpm,
  type Identity,
  maySign,
  obtainIdentity,
  openIdentity,
  renew,
  serverTls,
  type TpmParty,
  tpmParty,
} from '../src/index.ts';

let dir: string;
let ca: DevelopmentCa;
let server: Server;
let address: string;
let monotonic = 0;
const clock: Clock = { now: () => fromMillis(Date.now()), monotonic: () => monotonic };
const events: EnrolmentEvent[] = [];
let maker: { readonly certificate: Certificate; readonly key: FileKeySigner };

const detailOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'resolved',
    (error: Error) => error.message,
  );

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'enerchain-maker-'));
  const key = await FileKeySigner.create(join(folder, 'k.pem'));
  rmSync(folder, { recursive: true });
  const subject = nameOf({ commonName: 'Maker of chips' });
  const span = { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 86_400_000) };
  const extensions = { basicConstraints: { ca: true }, keyUsage: ['keyCertSign'] as const };
  const fields = { issuer: subject, subject, ...span, publicKey: key.publicKey, extensions };
  maker = { key, certificate: parseCertificate(await buildCertificate(fields, key)) };
});

async function listen(
  endorsement: EndorsementPolicy | undefined,
  required: EvidenceRequired = 'nothing',
): Promise<void> {
  dir = mkdtempSync(join(tmpdir(), 'enerchain-tpm-'));
  ca = await DevelopmentCa.open(join(dir, 'ca'), { clock });
  const centre = await obtainIdentity(join(dir, 'centre'), { name: 'centre', role: 'centre' }, async (request) => ({
    certificate: await ca.issue(request, {
      name: 'centre',
      role: 'centre',
      hosts: [{ kind: 'ip', value: '127.0.0.1' }],
    }),
    ca: ca.certificatePem,
  }));
  const onEvent = (event: EnrolmentEvent) => events.push(event);
  const handler = enrolmentHandler({
    authority: ca,
    clock,
    onEvent,
    ...(endorsement && { endorsement }),
    requiresEvidence: (_holder, occasion) => (occasion === 'renew' ? required : 'nothing'),
  });
  server = createServer(serverTls(centre), (request, response) => {
    if (!handler(request, response)) response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
beforeEach(() => {
  events.length = 0;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(dir, { recursive: true });
});

const node = async (name = 'edge-nord'): Promise<Identity> => {
  const token = await ca.createToken({ name, role: 'edge', address, validFor: 60_000 });
  return enrol({ dir: join(dir, name), token });
};
const renewing = (identity: Identity) => ({ dir: join(dir, identity.name), identity, url: address });

/** A TPM in software, as far as enrolment goes: it can do only what a real one would. */
interface SoftTpm extends TpmParty {
  readonly ekPublic: TpmPublic;
  readonly ekKey: KeyObject;
}
async function softTpm(options: { certified?: boolean; ak?: TpmPublic } = {}): Promise<SoftTpm> {
  const ek = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const ak = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { attributes, authPolicy } = EK_ECC_P256;
  const symmetric = { algorithm: 'aes', keyBits: 128, mode: 'cfb' } as const;
  const ekPublic = fromKeyObject(ek.publicKey, { attributes, authPolicy, symmetric });
  const scheme = { scheme: 'ecdsa', hash: 'sha256' } as const;
  const akPublic = fromKeyObject(ak.publicKey, { attributes: attestationKey().attributes, scheme });
  const certificate = buildCertificate(
    {
      issuer: maker.certificate.subject,
      subject: nameOf({ commonName: 'chip' }),
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + 86_400_000),
      publicKey: ek.publicKey,
      extensions: { basicConstraints: { ca: false }, keyUsage: ['keyAgreement'] },
    },
    maker.key,
  );
  return {
    ekPublic,
    ekKey: ek.privateKey,
    ek: encodePublic(ekPublic),
    ekCertificate: options.certified === false ? undefined : await certificate,
    ak: encodePublic(options.ak ?? akPublic),
    identity: undefined,
    activate: async (credential) =>
      openCredential(ekPublic, ek.privateKey, objectName(options.ak ?? akPublic), credential),
  };
}

describe('enrolment with a TPM', () => {
  const policy = (): EndorsementPolicy => ({ anchors: [maker.certificate] });

  it('gives the attestation key a certificate when the TPM of a known maker opens the credential', async () => {
    await listen(policy());
    const identity = await node();
    const tpm = await softTpm();
    const { identity: renewed, attestation } = await enrolTpm({ ...renewing(identity), tpm });
    const held = checkedCertificate(attestation.der, renewed.caPem, new Date());
    expect(held.holder).toEqual({ name: 'edge-nord', role: 'edge' });
    expect(assuranceOf(held)).toEqual(['tpm']);
    expect(maySign(held)).toBe(false);
    // The key of the identity lies in a file: nothing is said of it.
    expect(assuranceOf(renewed.certificate)).toEqual(['unattested']);
    expect((await openIdentity(join(dir, 'edge-nord'))).kid).toEqual(renewed.kid);
    expect(Buffer.from((await attestationIn(join(dir, 'edge-nord')))!.der)).toEqual(Buffer.from(attestation.der));
    expect(events.map(({ action, outcome }) => `${action} ${outcome}`)).toEqual(['enrol ok', 'tpm ok']);
    // As any renewal, again and again.
    expect(await detailOf(enrolTpm({ ...renewing(renewed), tpm }))).toBe('resolved');
  });

  it('is no way around the evidence that a renewal asks for: the identity’s certificate ends no later than before', async () => {
    await listen(policy(), 'good');
    const identity = await node();
    expect(await detailOf(renew(renewing(identity)))).toContain('only with evidence of its state');
    const { identity: again, attestation } = await enrolTpm({ ...renewing(identity), tpm: await softTpm() });
    expect(again.certificate.notAfter.getTime()).toBeLessThanOrEqual(identity.certificate.notAfter.getTime());
    expect(attestation.notAfter.getTime()).toBeGreaterThanOrEqual(identity.certificate.notAfter.getTime());
  });

  it('refuses an endorsement key off the chain, without a certificate, or with that of another', async () => {
    await listen(policy());
    const identity = await node();
    const none = await softTpm({ certified: false });
    expect(await detailOf(enrolTpm({ ...renewing(identity), tpm: none }))).toContain('it has no certificate');
    const other = await softTpm();
    const swapped = { ...none, ekCertificate: other.ekCertificate };
    expect(await detailOf(enrolTpm({ ...renewing(identity), tpm: swapped }))).toContain('that of another key');
    const offChain = { ...other, ekCertificate: identity.certificate.der };
    expect(await detailOf(enrolTpm({ ...renewing(identity), tpm: offChain }))).toContain(
      'not that of a TPM known here',
    );
    expect(events.filter(({ outcome }) => outcome === 'refused').map(({ action }) => action)).toEqual([
      'tpm',
      'tpm',
      'tpm',
    ]);
  });

  it('refuses an attestation key that is not in the TPM of the endorsement key', async () => {
    await listen(policy());
    const identity = await node();
    const [genuine, thief] = [await softTpm(), await softTpm()];
    // The thief shows the key of a genuine chip beside his own attestation key, and cannot open what was made for it.
    const guess = {
      ...thief,
      ek: genuine.ek,
      ekCertificate: genuine.ekCertificate,
      activate: async () => new Uint8Array(32),
    };
    expect(await detailOf(enrolTpm({ ...renewing(identity), tpm: guess }))).toContain('the credential was not opened');
    // The genuine chip opens nothing for a key that is not loaded in it: the name does not fit.
    const relayed = { ...thief, ek: genuine.ek, ekCertificate: genuine.ekCertificate, activate: genuine.activate };
    expect(await detailOf(enrolTpm({ ...renewing(identity), tpm: relayed }))).toContain(
      'not made for this endorsement key',
    );
  });

  it.each([
    ['that may leave its TPM', ['restricted', 'sign', 'sensitiveDataOrigin', 'fixedParent'], 'not fixedTPM'],
    ['that signs anything', identityKey().attributes, 'not restricted'],
    ['that decrypts', [...attestationKey().attributes, 'decrypt'], 'also decrypts'],
  ] as const)('refuses an attestation key %s', async (_, attributes, text) => {
    await listen(policy());
    const identity = await node();
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const scheme = attributes.includes('decrypt' as never)
      ? {}
      : { scheme: { scheme: 'ecdsa', hash: 'sha256' } as const };
    const symmetric = attributes.includes('decrypt' as never)
      ? { symmetric: { algorithm: 'aes', keyBits: 128, mode: 'cfb' } as const }
      : {};
    const ak = fromKeyObject(publicKey, { attributes, ...scheme, ...symmetric });
    expect(await detailOf(enrolTpm({ ...renewing(identity), tpm: await softTpm({ ak }) }))).toContain(text);
  });

  it('gives one TPM to one node, until that has no certificate any more', async () => {
    await listen(policy());
    const tpm = await softTpm();
    await enrolTpm({ ...renewing(await node()), tpm });
    const second = await node('edge-sued');
    expect(await detailOf(enrolTpm({ ...renewing(second), tpm }))).toContain('this TPM is that of edge-nord');
    // The same chip under another description of its key, which changes nothing about what it can open.
    const disguised = { ...tpm, ek: encodePublic({ ...tpm.ekPublic, authPolicy: new Uint8Array(32) }) };
    expect(await detailOf(enrolTpm({ ...renewing(second), tpm: disguised }))).toContain(
      'this TPM is that of edge-nord',
    );
  });

  it('keeps a few challenges of each node, so that nobody takes those of others', async () => {
    await listen(policy());
    const [nord, sued] = [await node(), await node('edge-sued')];
    const tpm = await softTpm();
    const gate = Promise.withResolvers<void>();
    let asked = 0;
    const waiting: TpmParty = {
      ...tpm,
      activate: async (challenge) => {
        asked++;
        await gate.promise;
        return tpm.activate(challenge);
      },
    };
    const attempts: Promise<string>[] = [];
    for (let i = 1; i <= 5; i++) {
      attempts.push(detailOf(enrolTpm({ ...renewing(nord), dir: join(dir, `nord-${i}`), tpm: waiting })));
      while (asked < i) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(await detailOf(enrolTpm({ ...renewing(sued), tpm: await softTpm() }))).toBe('resolved');
    gate.resolve();
    const outcomes = await Promise.all(attempts);
    expect(outcomes.map((each) => each.includes('unknown or too old'))).toEqual([true, true, false, false, false]);
  });

  it('takes an answer once, and not after a minute', async () => {
    await listen(policy());
    const identity = await node();
    const tpm = await softTpm();
    const slow: TpmParty = {
      ...tpm,
      activate: async (challenge) => {
        monotonic += 60_000;
        return tpm.activate(challenge);
      },
    };
    expect(await detailOf(enrolTpm({ ...renewing(identity), tpm: slow }))).toContain('unknown or too old');
  });

  it('may take TPMs that nobody vouches for, and says so', async () => {
    await listen({ anchors: [], acceptUnknown: true });
    const { attestation } = await enrolTpm({ ...renewing(await node()), tpm: await softTpm({ certified: false }) });
    expect(assuranceOf(attestation)).toEqual(['unattested']);
  });

  it('is not offered without a policy', async () => {
    await listen(undefined);
    const enrolling = enrolTpm({ ...renewing(await node()), tpm: await softTpm() });
    expect(await detailOf(enrolling)).toContain('no TPMs are enrolled here');
  });

  it('refuses a certification that was made for another challenge or another key', async () => {
    await listen(policy());
    const identity = await node();
    const tpm = await softTpm();
    const ak = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const key = fromKeyObject(identity.signer.publicKey, {
      attributes: identityKey().attributes,
      scheme: { scheme: 'ecdsa', hash: 'sha256' },
    });
    const forged: TpmParty = {
      ...tpm,
      identity: encodePublic(key),
      certify: async (nonce) => {
        const clockInfo = { clock: 1n, resetCount: 1, restartCount: 0, safe: true };
        const attested = { type: 'certify', name: objectName(key), qualifiedName: objectName(key) } as const;
        const attest = encodeAttest({
          qualifiedSigner: new Uint8Array(),
          extraData: nonce,
          clockInfo,
          firmwareVersion: 1n,
          attested,
        });
        const raw = sign('sha256', attest, { key: ak.privateKey, dsaEncoding: 'ieee-p1363' });
        const pair = { r: raw.subarray(0, 32), s: raw.subarray(32) };
        return { attest, signature: encodeSignature({ scheme: 'ecdsa', hash: 'sha256', ...pair }) };
      },
    };
    expect(await detailOf(enrolTpm({ ...renewing(identity), tpm: forged }))).toMatch(
      /refused with HTTP 403: .*signature/i,
    );
    // A key that is said to be in the TPM and is not that of the request.
    const other = { ...forged, identity: tpm.ak };
    expect(await detailOf(enrolTpm({ ...renewing(identity), tpm: other }))).toContain('not the key of the request');
  });
});

const hasSwtpm = ['swtpm', 'swtpm_setup', 'swtpm_cert'].every((name) => spawnSync('which', [name]).status === 0);

describe.skipIf(!hasSwtpm)('enrolment with swtpm (skipped where it is not installed)', () => {
  let folder: string;
  let client: TpmClient;
  let end: (() => Promise<void>) | undefined;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'swtpm-'));
    const at = (name: string) => join(folder, name);
    mkdirSync(at('ca'));
    mkdirSync(at('state'));
    mkdirSync(at('makers'));
    const ca = ['signingkey = signkey.pem', 'issuercert = issuercert.pem', 'certserial = certserial'].map((line) =>
      line.replace(/= /, `= ${at('ca')}/`),
    );
    writeFileSync(at('localca.conf'), [`statedir = ${at('ca')}`, ...ca, ''].join('\n'));
    writeFileSync(at('localca.options'), '--platform-manufacturer Test\n--platform-version 1\n--platform-model Test\n');
    const setup = [
      `create_certs_tool_config = ${at('localca.conf')}`,
      `create_certs_tool_options = ${at('localca.options')}`,
    ];
    writeFileSync(at('setup.conf'), ['create_certs_tool = swtpm_localca', ...setup, ''].join('\n'));
    const made = ['--tpm2', '--tpmstate', at('state'), '--create-ek-cert', '--config', at('setup.conf')];
    execFileSync('swtpm_setup', made, { stdio: 'pipe' });
    for (const file of ['swtpm-localca-rootca-cert.pem', 'issuercert.pem'])
      copyFileSync(join(at('ca'), file), join(at('makers'), file));
    const socket = at('s');
    const child = spawn(
      'swtpm',
      ['socket', '--tpm2', '--tpmstate', `dir=${at('state')}`, '--server', `type=unixio,path=${socket}`].concat([
        '--ctrl',
        `type=unixio,path=${socket}.ctrl`,
        '--flags',
        'not-need-init,startup-clear',
      ]),
      { stdio: 'ignore' },
    );
    for (let i = 0; i < 2000 && !existsSync(socket); i++) await new Promise((resolve) => setTimeout(resolve, 10));
    client = new TpmClient({ path: socket });
    end = async () => {
      await client.close();
      await new Promise((resolve) => {
        child.once('exit', resolve);
        child.kill();
      });
      rmSync(folder, { recursive: true });
    };
  });
  afterAll(() => end?.());

  it('binds the identity and the attestation key to one chip of a known maker', async () => {
    await listen(await endorsementPolicyIn(join(folder, 'makers')));
    const ek = await openEndorsementKey(client);
    expect(ek.certificate).toBeDefined();
    const ak = await openAttestationKey(client);
    const key = await openIdentityKey(client);
    const token = await ca.createToken({ name: 'edge-chip', role: 'edge', address, validFor: 60_000 });
    const identity = await enrol({ dir: join(dir, 'edge-chip'), token, signer: new TpmSigner(client, key) });
    const enrolled = await enrolTpm({ ...renewing(identity), tpm: tpmParty(client, ek, ak, key) });
    expect(assuranceOf(enrolled.identity.certificate)).toEqual(['unattested', 'tpm']);
    expect(assuranceOf(enrolled.attestation)).toEqual(['tpm']);
    expect(enrolled.attestation.publicKey.equals(ak.publicKey)).toBe(true);
    expect(enrolled.identity.signer.origin).toBe('tpm');
    // The attestation key of this chip with the endorsement key of another one.
    const stranger = await softTpm();
    const mixed = { ...tpmParty(client, ek, ak), ek: stranger.ek, ekCertificate: stranger.ekCertificate };
    const mixing = await detailOf(enrolTpm({ ...renewing(enrolled.identity), tpm: mixed }));
    expect(mixing).not.toBe('resolved');
  });
});
