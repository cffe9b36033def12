/**
 * Enrolment with a TPM, at the authority: a certificate for the attestation key goes only to whoever opens a credential that was
 * made for its endorsement key and for the name of that attestation key (TPM 2.0 Library, Part 1 § 24), so only to the TPM
 * that holds both. A TPM2_Certify of the identity's key binds that to the same TPM.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, EnerchainError, systemClock, toMillis } from '@enerchain/model';
import {
  type Certificate,
  type CertificationRequest,
  cmc,
  fromPem,
  PkiError,
  parseCertificate,
  sameName,
  validatePath,
} from '@enerchain/pki';
import {
  makeCredential,
  objectName,
  parsePublic,
  Tpm2Error,
  type TpmPublic,
  toKeyObject,
  verifyCertify,
} from '@enerchain/tpm2';
import type { Assurance } from './assurance.ts';
import { ifMissing } from './authority-keys.ts';
import type { HeldCertificate } from './role.ts';

/** Which endorsement keys count. */
export interface EndorsementPolicy {
  /** Certificates of makers of TPMs. */
  readonly anchors: readonly Certificate[];
  readonly intermediates?: readonly Certificate[];
  /**
   * Takes endorsement keys without a certificate that leads to an anchor. Nothing then says that there is a TPM at all, and
   * the certificates say `unattested`.
   */
  readonly acceptUnknown?: boolean;
}

/**
 * The makers of TPMs whose certificates lie in a folder as PEM: those that sign themselves are anchors, the others lie between.
 * @returns `undefined` when there is none: then no TPMs are enrolled
 */
export async function endorsementPolicyIn(folder: string): Promise<EndorsementPolicy | undefined> {
  const files = (await readdir(folder).catch(ifMissing([] as string[]))).filter((name) => name.endsWith('.pem')).sort();
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
  const all = texts.flatMap((text) => fromPem('CERTIFICATE', text).map(parseCertificate));
  const own = (each: Certificate) => sameName(each.issuerDer, each.subjectDer);
  if (all.length === 0) return undefined;
  return { anchors: all.filter(own), intermediates: all.filter((each) => !own(each)) };
}

/** What a node says about its TPM. */
export interface TpmClaim {
  /** TPMT_PUBLIC of the endorsement key. */
  readonly ek: Uint8Array;
  /** X.509, DER; a TPM may have none. */
  readonly ekCertificate?: Uint8Array | undefined;
  /** TPMT_PUBLIC of the attestation key. */
  readonly ak: Uint8Array;
  /** TPMT_PUBLIC of the identity's key, where that lies in the TPM. */
  readonly identity?: Uint8Array | undefined;
}

/** What only the TPM can answer. */
export interface TpmChallenge {
  /** For TPM2_ActivateCredential. */
  readonly idObject: Uint8Array;
  readonly encryptedSecret: Uint8Array;
  /** SHA-256 of the secret within. */
  readonly witness: Uint8Array;
  /** Names the challenge, and is the qualifying data for TPM2_Certify; 32 octets. */
  readonly nonce: Uint8Array;
}

export interface TpmAnswer {
  readonly nonce: Uint8Array;
  /** MAC with the secret over what the challenge was about (`cmc.proofOf`). */
  readonly proof: Uint8Array;
  /** TPM2_Certify of the identity's key by the attestation key, with the nonce. */
  readonly certified?: { readonly attest: Uint8Array; readonly signature: Uint8Array } | undefined;
}

/** A challenge that was met. */
export interface ProvenTpm {
  readonly attestationKey: Certificate['publicKey'];
  /** What is known of the attestation key. */
  readonly attestation: readonly Assurance[];
  /** Whether the identity's key lies in the TPM as well. */
  readonly identityInTpm: boolean;
}

interface Pending {
  readonly claim: { readonly akPublic: TpmPublic; readonly known: boolean; readonly identity: TpmPublic | undefined };
  readonly held: HeldCertificate;
  readonly publicKey: CertificationRequest['publicKey'];
  readonly ek: string;
  readonly secret: Uint8Array;
  readonly about: Uint8Array;
  readonly until: number;
}

/** Milliseconds a TPM may take. */
const ANSWER_WITHIN = 60_000;
/** Challenges that one node may have open, and all of them together: what is kept is bounded, and nobody takes it from others. */
const MAX_PENDING_OF_NODE = 3;
const MAX_PENDING = 10_000;
const SECRET_BYTES = 32;

/** Keeps which TPM is whose: the chip that enrols as a second node is in two places, or one of the two is not what it says. */
export interface EndorsementBook {
  /** @param ek SHA-256 of the endorsement key, hex. @throws EnerchainError `trust.tpm.in-use` (fault peer) */
  claim(ek: string, name: string): Promise<void>;
}

export class TpmDesk {
  readonly #policy: EndorsementPolicy;
  readonly #book: EndorsementBook;
  readonly #clock: Clock;
  /** By nonce, hex. */
  readonly #pending = new Map<string, Pending>();

  constructor(policy: EndorsementPolicy, book: EndorsementBook, clock: Clock = systemClock) {
    this.#policy = policy;
    this.#book = book;
    this.#clock = clock;
  }

  /**
   * @param about octets over which the answer is to be given
   * @throws EnerchainError `trust.tpm.ek`, `trust.tpm.ak`, `trust.tpm.limit` (fault peer)
   */
  challenge(
    held: HeldCertificate,
    { publicKey }: Pick<CertificationRequest, 'publicKey'>,
    claim: TpmClaim,
    about: Uint8Array,
  ): TpmChallenge {
    const ek = read(claim.ek, 'endorsement key');
    const akPublic = read(claim.ak, 'attestation key');
    const identity = claim.identity && read(claim.identity, 'identity key');
    const known = this.#isKnown(ek, claim.ekCertificate);
    checkAttestationKey(akPublic);
    const now = this.#clock.monotonic();
    for (const [id, { until }] of this.#pending) if (until <= now) this.#pending.delete(id);
    const { name, role } = held.holder;
    const own = [...this.#pending].filter(
      ([, each]) => each.held.holder.name === name && each.held.holder.role === role,
    );
    // Whoever asks once more has given up on what was asked first.
    for (const [id] of own.slice(0, own.length - MAX_PENDING_OF_NODE + 1)) this.#pending.delete(id);
    if (this.#pending.size >= MAX_PENDING)
      throw refuse('limit', 'too many TPMs are being asked; come again in a minute');
    const [secret, nonce] = [randomBytes(SECRET_BYTES), randomBytes(32)];
    const credential = tpm('the endorsement key', () => makeCredential(ek, objectName(akPublic), secret));
    // Over the key alone: the rest of its description is what the node says, and the chip would open the credential for any.
    const spki = tpm('the endorsement key', () => toKeyObject(ek).export({ type: 'spki', format: 'der' }));
    const ekHash = createHash('sha256').update(spki).digest('hex');
    const pending = { claim: { akPublic, known, identity }, held, publicKey, ek: ekHash, secret, about };
    this.#pending.set(nonce.toString('hex'), { ...pending, until: now + ANSWER_WITHIN });
    return { ...credential, witness: cmc.witnessOf(secret), nonce };
  }

  /**
   * @param held the certificate under which it was claimed
   * @throws EnerchainError `trust.tpm.answer`, `trust.tpm.certify`, `trust.tpm.in-use` (fault peer)
   */
  async proven(held: HeldCertificate, { nonce, proof, certified }: TpmAnswer): Promise<ProvenTpm> {
    const key = Buffer.from(nonce).toString('hex');
    const pending = this.#pending.get(key);
    // One answer each: what was guessed wrong cannot be guessed again.
    this.#pending.delete(key);
    if (!pending || pending.until <= this.#clock.monotonic() || Buffer.compare(pending.held.kid, held.kid) !== 0)
      throw refuse('answer', 'the challenge is unknown or too old');
    const { claim } = pending;
    if (!cmc.isProof(proof, pending.secret, pending.about)) {
      const text = 'the credential was not opened: the attestation key is not in the TPM of the endorsement key';
      throw refuse('answer', text);
    }
    await this.#book.claim(pending.ek, held.holder.name);
    if (certified) this.#checkCertified(pending, certified, nonce);
    return {
      attestationKey: tpm('the attestation key', () => toKeyObject(claim.akPublic)),
      attestation: [claim.known ? 'tpm' : 'unattested'],
      identityInTpm: certified !== undefined && claim.known,
    };
  }

  /** @returns whether a maker of TPMs vouches for the key. @throws EnerchainError `trust.tpm.ek` when nobody does and that is needed */
  #isKnown(ek: TpmPublic, der: Uint8Array | undefined): boolean {
    const { anchors, intermediates = [], acceptUnknown } = this.#policy;
    let why = 'it has no certificate';
    if (der) {
      try {
        const certificate = parseCertificate(der);
        if (!certificate.publicKey.equals(toKeyObject(ek)))
          throw refuse('ek', 'its certificate is that of another key');
        validatePath(certificate, { anchors, intermediates, at: new Date(toMillis(this.#clock.now())) });
        return true;
      } catch (error) {
        if (!(error instanceof PkiError || error instanceof EnerchainError || error instanceof Tpm2Error)) throw error;
        why = error.message;
      }
    }
    if (acceptUnknown) return false;
    throw refuse('ek', `the endorsement key is not that of a TPM known here: ${why}`);
  }

  #checkCertified(
    { claim, publicKey }: Pending,
    certified: NonNullable<TpmAnswer['certified']>,
    nonce: Uint8Array,
  ): void {
    const { akPublic, identity } = claim;
    if (!identity || !tpm('the identity key', () => toKeyObject(identity)).equals(publicKey)) {
      throw refuse('certify', 'what was certified is not the key of the request');
    }
    const { ok, problems } = verifyCertify({ ...certified, akPublic, object: identity, qualifyingData: nonce });
    if (!ok) throw refuse('certify', problems.map(({ text }) => text).join('; '));
  }
}

const NEEDED = ['fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'restricted', 'sign'] as const;

/** A key that signs only what its TPM made, and cannot leave it (Part 1 § 31.4). */
function checkAttestationKey({ attributes, type, ...rest }: TpmPublic): void {
  const missing = NEEDED.filter((each) => !attributes.includes(each));
  if (missing.length > 0) throw refuse('ak', `the attestation key is not ${missing.join(', not ')}`);
  if (attributes.includes('decrypt')) throw refuse('ak', 'the attestation key also decrypts');
  if (type !== 'ecc' || !('curve' in rest) || rest.curve !== 'nist_p256') {
    throw refuse('ak', 'the attestation key is not on P-256');
  }
}

const read = (bytes: Uint8Array, what: string): TpmPublic => tpm(`the ${what}`, () => parsePublic(bytes));

function tpm<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (!(cause instanceof Tpm2Error)) throw cause;
    throw new EnerchainError('peer', 'trust.tpm.key', `${what} cannot be used: ${cause.message}`, { cause });
  }
}

const refuse = (code: string, text: string) => new EnerchainError('peer', `trust.tpm.${code}`, text);
