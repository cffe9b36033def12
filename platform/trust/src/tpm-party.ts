/** The TPM of a node as enrolment asks it, and the enrolment with it, seen from the node. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, EnerchainError, toMillis } from '@enerchain/model';
import { type Certificate, certificateFromPem, cmc, parseRequest } from '@enerchain/pki';
import {
  type EndorsementKey,
  encodePublic,
  openAttestationKey,
  openEndorsementKey,
  parsePublic,
  type TpmClient,
  type TpmKey,
  toKeyObject,
} from '@enerchain/tpm2';
import type { DevelopmentCa } from './development-ca.ts';
import { authorityOf, type Renewing, rotateKey } from './enrolment-client.ts';
import { askInFull, authorityNow, certificateIn } from './enrolment-est.ts';
import { type EndorsementPolicy, type TpmAnswer, type TpmChallenge, TpmDesk } from './enrolment-tpm.ts';
import { hasOwnTlsKey, type Identity, keepCertificates, makeIdentity, requestFor, writeDurably } from './identity.ts';
import type { NodeTpm } from './node-keys.ts';
import { checkedCertificate } from './role.ts';
import { answerControls, challengeIn, claimControl } from './tpm-controls.ts';

export interface TpmParty {
  /** TPMT_PUBLIC of each key. */
  readonly ek: Uint8Array;
  readonly ekCertificate: Uint8Array | undefined;
  readonly ak: Uint8Array;
  /** Of the identity's key, where that lies in this TPM. */
  readonly identity: Uint8Array | undefined;
  activate(challenge: Pick<TpmChallenge, 'idObject' | 'encryptedSecret'>): Promise<Uint8Array>;
  /** TPM2_Certify of the identity's key by the attestation key. */
  certify?(nonce: Uint8Array): Promise<{ readonly attest: Uint8Array; readonly signature: Uint8Array }>;
}

/** @param identity the identity's key, where that lies in this TPM */
export function tpmParty(client: TpmClient, ek: EndorsementKey, ak: TpmKey, identity?: TpmKey): TpmParty {
  return {
    ek: encodePublic(ek.key.public),
    ekCertificate: ek.certificate,
    ak: encodePublic(ak.public),
    identity: identity && encodePublic(identity.public),
    activate: (credential) => client.activateCredential(ak, ek.key, credential),
    ...(identity && { certify: (nonce: Uint8Array) => client.certify(identity, ak, nonce) }),
  };
}

/** The certificate of the attestation key, in the folder of the identity. */
export const ATTESTATION_FILE = 'attestation.pem';

export interface AttestedIdentity {
  readonly identity: Identity;
  /** Of the attestation key; shown with evidence. */
  readonly attestation: Certificate;
}

/**
 * Proves to the authority that the attestation key lies in the TPM, and gets a certificate for it, with another one for the
 * identity's key that says whether that lies there too: two full requests by EST, a claim and the answer to what is asked then.
 * To be repeated in time, like any renewal.
 * @throws EnerchainError `trust.enrol.refused`, `trust.enrol.answer` (peer), `trust.enrol.connect` (environment); Tpm2Error
 */
export async function enrolTpm(options: Renewing & { readonly tpm: TpmParty }): Promise<AttestedIdentity> {
  const { dir, identity, url, tpm, evidence } = options;
  const at = authorityOf(options);
  const wanted = { holder: identity, key: identity.signer };
  const asked = await askInFull(at, identity, wanted, [claimControl(tpm)]);
  const challenge = asked.kind === 'response' ? challengeIn(asked.controls) : undefined;
  if (!challenge) throw new EnerchainError('peer', 'trust.enrol.answer', `${url} does not ask the TPM for anything`);
  const controls = answerControls(await answerOf(tpm, challenge, challenge.request));
  const answer = await askInFull(at, identity, { ...wanted, evidence }, controls);
  const attestationPem = certificateIn(at, answer, { publicKey: toKeyObject(parsePublic(tpm.ak)) });
  const parts = {
    certificatePem: certificateIn(at, answer, identity.signer),
    caPem: await authorityNow(at, identity.caPem),
    signer: identity.signer,
  };
  const { keyPem = '' } = identity.tls;
  const renewed = makeIdentity(
    hasOwnTlsKey(identity) ? { ...parts, tls: identity.tls } : { ...parts, keyPem },
    'the answer',
  );
  const attestation = certificateFromPem(attestationPem, 'the answer');
  await writeDurably(join(dir, ATTESTATION_FILE), attestationPem);
  await keepCertificates(dir, renewed);
  return { identity: renewed, attestation };
}

/** What the TPM says to a challenge. @param about octets that the challenge is about */
async function answerOf(tpm: TpmParty, challenge: TpmChallenge, about: Uint8Array): Promise<TpmAnswer> {
  const secret = await tpm.activate(challenge);
  const certified = await tpm.certify?.(challenge.nonce);
  return { nonce: challenge.nonce, proof: cmc.proofOf(secret, about), certified };
}

/**
 * The same for the machine of the authority itself, whose attestation key is certified without a way over the network. What
 * the TPM has to prove is what any other one has to.
 * @param options.dir folder of the identity, where the certificate is kept
 * @throws EnerchainError `trust.tpm.*` (fault peer), Tpm2Error
 */
export async function certifyHere(options: {
  readonly authority: Pick<DevelopmentCa, 'claimTpm' | 'issueAttestation' | 'certificatePem'>;
  readonly endorsement: EndorsementPolicy;
  readonly identity: Identity;
  readonly dir: string;
  readonly tpm: TpmParty;
  readonly clock: Clock;
}): Promise<Certificate> {
  const { authority, endorsement, identity, dir, tpm, clock } = options;
  const book = { claim: (ek: string, name: string) => authority.claimTpm(ek, name) };
  const desk = new TpmDesk(endorsement, book, clock);
  const held = checkedCertificate(identity.certificate.der, authority.certificatePem, new Date(toMillis(clock.now())));
  const request = parseRequest(await requestFor(identity, identity.signer));
  const answer = await answerOf(tpm, desk.challenge(held, request, tpm, request.der), request.der);
  const { attestationKey, attestation } = await desk.proven(held, answer);
  const pem = await authority.issueAttestation(attestationKey, { ...held.holder, assurance: attestation });
  await writeDurably(join(dir, ATTESTATION_FILE), pem);
  return certificateFromPem(pem, ATTESTATION_FILE);
}

/**
 * `rotateKey`, and where the key lies in a TPM, the word of the authority that the new one does.
 * @param onUnconfirmed the key is the new one already; its certificate says where it lies once that of the attestation key
 *   is renewed
 */
export async function rotateNodeKey(
  options: Parameters<typeof rotateKey>[0],
  tpm: NodeTpm | undefined,
  onUnconfirmed: (error: unknown) => void,
): Promise<Identity> {
  const identity = await rotateKey(options);
  if (!tpm?.identity) return identity;
  try {
    const [ek, ak] = [await openEndorsementKey(tpm.client), await openAttestationKey(tpm.client)];
    const party = tpmParty(tpm.client, ek, ak, tpm.identity);
    return (await enrolTpm({ dir: options.dir, url: options.url, identity, tpm: party })).identity;
  } catch (error) {
    onUnconfirmed(error);
    return identity;
  }
}

/** The certificate of the attestation key that was obtained before; `undefined` when there is none. */
export async function attestationIn(dir: string): Promise<Certificate | undefined> {
  const pem = await readFile(join(dir, ATTESTATION_FILE), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  return pem === undefined ? undefined : certificateFromPem(pem, ATTESTATION_FILE);
}
