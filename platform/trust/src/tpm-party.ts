/** The TPM of a node as enrolment asks it, and the enrolment with it, seen from the node. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, EnerchainError, toMillis } from '@enerchain/model';
import { type Certificate, certificateFromPem, parseRequest } from '@enerchain/pki';
import {
  type EndorsementKey,
  encodePublic,
  openAttestationKey,
  openEndorsementKey,
  type TpmClient,
  type TpmKey,
} from '@enerchain/tpm2';
import { newerBundle } from './ca-bundle.ts';
import type { DevelopmentCa } from './development-ca.ts';
import { type Renewing, rotateKey, tlsOf } from './enrolment-client.ts';
import { postJson } from './enrolment-exchange.ts';
import { type EndorsementPolicy, type TpmChallenge, TpmDesk } from './enrolment-tpm.ts';
import { hasOwnTlsKey, type Identity, keepCertificates, makeIdentity, requestFor, writeDurably } from './identity.ts';
import type { NodeTpm } from './node-keys.ts';
import { checkedCertificate } from './role.ts';

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

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

/**
 * Proves to the authority that the attestation key lies in the TPM, and gets a certificate for it, with another one for the
 * identity's key that says whether that lies there too. To be repeated in time, like any renewal.
 * @throws EnerchainError `trust.enrol.refused`, `trust.enrol.answer` (peer), `trust.enrol.connect` (environment); Tpm2Error
 */
export async function enrolTpm(options: Renewing & { readonly tpm: TpmParty }): Promise<AttestedIdentity> {
  const { dir, identity, url, tpm } = options;
  const context = tlsOf(options);
  const challenge = await postJson(new URL('/enrol/tpm', url), context, {
    request: base64(await requestFor(identity, identity.signer)),
    certificate: base64(identity.certificate.der),
    ek: base64(tpm.ek),
    ak: base64(tpm.ak),
    ...(tpm.ekCertificate && { ekCertificate: base64(tpm.ekCertificate) }),
    ...(tpm.identity && { identity: base64(tpm.identity) }),
  });
  const octets = (field: string) => Buffer.from(textOf(challenge, field, url), 'base64');
  const secret = await tpm.activate({ idObject: octets('idObject'), encryptedSecret: octets('encryptedSecret') });
  const certified = await tpm.certify?.(octets('nonce'));
  const answer = await postJson(new URL('/enrol/tpm/answer', url), context, {
    id: textOf(challenge, 'id', url),
    secret: base64(secret),
    ...(certified && { attest: base64(certified.attest), signature: base64(certified.signature) }),
  });
  const attestationPem = textOf(answer, 'attestation', url);
  const parts = {
    certificatePem: textOf(answer, 'certificate', url),
    caPem: newerBundle(identity.caPem, textOf(answer, 'ca', url)),
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
  const { id, nonce, ...credential } = desk.challenge(held, request, tpm);
  const secret = await tpm.activate(credential);
  const certified = await tpm.certify?.(nonce);
  const { attestationKey, attestation } = await desk.proven({ id, secret, certified });
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

function textOf(answer: Readonly<Record<string, unknown>>, field: string, url: string): string {
  const value = answer[field];
  if (typeof value === 'string') return value;
  throw new EnerchainError('peer', 'trust.enrol.answer', `the answer of ${url} has no field '${field}'`);
}
