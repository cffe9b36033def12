/**
 * What becomes of a request for a certificate. Who asks has shown a token, the present certificate, or a signature of the
 * present key.
 */
import { type Clock, describeError, EnerchainError, systemClock, toMillis } from '@enerchain/model';
import { type CertificationRequest, type GeneralName, PkiError, parseCertificate, toPem } from '@enerchain/pki';
import { type Assurance, assuranceOf, type EvidenceGate, enrolmentBinding } from './assurance.ts';
import { type EndorsementPolicy, type TpmAnswer, type TpmChallenge, type TpmClaim, TpmDesk } from './enrolment-tpm.ts';
import { checkedCertificate, type HeldCertificate, type Holder, maySign, TLS_ONLY } from './role.ts';

/** What the desk needs of an authority. */
export interface EnrolmentAuthority {
  /** Anchor and issuing certificates. */
  readonly certificatePem: string;
  /** Thumbprints of what was issued for a key before. */
  kidsOf(spki: Uint8Array): readonly Uint8Array[];
  /** Takes a token for a key. @throws EnerchainError (fault peer) */
  claim(secret: Uint8Array, spki: Uint8Array): Promise<Holder>;
  /** For the key of a TPM that signs evidence alone. */
  issueAttestation(
    publicKey: CertificationRequest['publicKey'],
    options: Holder & { readonly assurance?: readonly Assurance[] },
  ): Promise<string>;
  /** Takes a TPM for a node. @throws EnerchainError (fault peer) when it is another's */
  claimTpm(ek: string, name: string): Promise<void>;
  issue(
    requestDer: Uint8Array,
    options: Holder & {
      readonly hosts?: readonly GeneralName[];
      readonly assurance?: readonly Assurance[];
      /** It ends then, if not before. */
      readonly until?: Date | undefined;
    },
  ): Promise<string>;
  /** Whether the key gave way to another. */
  isSuperseded(spki: Uint8Array): boolean;
  /**
   * Lets a key give way to another, once and for good.
   * @param statement what the old key has signed: the full request by CMC for the new one
   * @throws EnerchainError `trust.rotate.superseded` (fault peer) when it gave way to a third one before
   */
  supersede(old: HeldCertificate, spki: Uint8Array, statement: Uint8Array): Promise<void>;
}

export interface DeskOptions {
  readonly authority: EnrolmentAuthority;
  readonly clock?: Clock;
  /** Whether the certificate with this thumbprint is no longer accepted: it is not renewed. */
  isRevoked?(kid: Uint8Array): boolean;
  /** Which TPMs get certificates for their attestation keys; absent: none. */
  readonly endorsement?: EndorsementPolicy;
  /** Judges evidence; without a gate nobody looks at it, and the certificates say so. */
  readonly evidenceGate?: EvidenceGate;
  /** Evidence was shown that is not good. Where none is required, the node gets a certificate that says `unattested`. */
  onBadEvidence?(holder: Holder, why: string): void;
  /**
   * Hours after its end in which a certificate is still renewed, for the same key: a gateway that was without power for some
   * days comes back by itself. Nobody else takes such a certificate. By default 30 days.
   */
  readonly renewalGraceHours?: number;
  /** What a node must show to get a certificate; by default nothing. */
  requiresEvidence?(holder: Holder, occasion: Occasion): EvidenceRequired;
}

/** `enrol`: by token, when nothing runs yet; `renew`: whoever has a certificate wants another one, for the same key or the next. */
export type Occasion = 'enrol' | 'renew';
/**
 * `shown`: evidence must come, so that nobody who can attest ceases to in silence; where it is not good, the certificate says
 * so. `good`: there is no certificate without good evidence.
 */
export type EvidenceRequired = 'nothing' | 'shown' | 'good';

/** What came along with a request. */
export interface Accompanying {
  readonly evidence?: Uint8Array | undefined;
  /** Of the channel; `undefined` where it offers none. */
  readonly exporter?: Uint8Array | undefined;
}

/** Failed attempts per address and minute before further ones are turned away unread. */
const MAX_FAILURES = 10;
const RENEWAL_GRACE_HOURS = 30 * 24;
const MINUTE = 60_000;
const MAX_ADDRESSES = 10_000;

export class EnrolmentDesk {
  readonly #options: DeskOptions;
  readonly #clock: Clock;
  readonly #tpm: TpmDesk | undefined;
  readonly #failures = new Map<string, { count: number; since: number }>();

  constructor(options: DeskOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const { authority, endorsement } = options;
    const book = { claim: (ek: string, name: string) => authority.claimTpm(ek, name) };
    this.#tpm = endorsement && new TpmDesk(endorsement, book, this.#clock);
  }

  /** Whether an address may try; the question costs nothing. */
  admits(from: string): boolean {
    const entry = this.#failures.get(from);
    if (entry && this.#clock.monotonic() - entry.since > MINUTE) this.#failures.delete(from);
    return (this.#failures.get(from)?.count ?? 0) < MAX_FAILURES;
  }

  /** @returns whether it was a fault of the one who asked; then the address has one attempt less */
  failed(from: string, error: unknown): boolean {
    const fault = error instanceof EnerchainError || error instanceof PkiError ? error.fault : undefined;
    if (fault !== 'peer' && fault !== 'caller' && fault !== 'unsupported') return false;
    if (this.#failures.size >= MAX_ADDRESSES) this.#failures.delete(this.#failures.keys().next().value as string);
    const entry = this.#failures.get(from) ?? { count: 0, since: this.#clock.monotonic() };
    this.#failures.set(from, { ...entry, count: entry.count + 1 });
    return true;
  }

  /** Anchor and issuing certificates, PEM. */
  get certificatePem(): string {
    return this.#options.authority.certificatePem;
  }

  /**
   * A certificate that somebody shows: of this authority, valid or ended not long ago, and not revoked.
   * @throws EnerchainError, PkiError (fault peer)
   */
  held(der: Uint8Array): HeldCertificate {
    const now = toMillis(this.#clock.now());
    const end = parseCertificate(der).notAfter.getTime();
    const grace = (this.#options.renewalGraceHours ?? RENEWAL_GRACE_HOURS) * 3_600_000;
    const at = now > end && now <= end + grace ? end : now;
    const held = checkedCertificate(der, this.certificatePem, new Date(at));
    if (this.#options.isRevoked?.(held.kid)) {
      throw refuse('trust.renew.revoked', `the certificate of ${held.holder.name} was revoked`);
    }
    return held;
  }

  /** By token. @returns PEM */
  async enrol(secret: Uint8Array, request: CertificationRequest, along: Accompanying): Promise<string> {
    const { authority, isRevoked } = this.#options;
    // Whoever has a copy of a revoked key would be let in with it again.
    if (isRevoked && authority.kidsOf(request.spki).some((kid) => isRevoked(kid))) {
      const text =
        'a certificate of this key was revoked; remove the identity folder, so that the device makes another key';
      throw refuse('trust.enrol.key-revoked', text);
    }
    const holder = await authority.claim(secret, request.spki);
    return this.#issue('enrol', holder, request, along);
  }

  /** Another certificate for the same key, on the word of that key or of a connection that was made with it. */
  renew(held: HeldCertificate, request: CertificationRequest, along: Accompanying): Promise<string> {
    this.#checkRenewable(held, request);
    // A key that was seen inside a TPM cannot have left it (fixedTPM).
    const kept = assuranceOf(held).filter((each) => each === 'tpm');
    return this.#issue('renew', held.holder, request, along, kept);
  }

  #checkRenewable(held: HeldCertificate, request: CertificationRequest): void {
    const { name } = held.holder;
    this.#checkSigns(held);
    // Whoever holds the key of a connection must not get another key certified with it.
    if (!request.publicKey.equals(held.publicKey)) {
      throw refuse('trust.renew.key', `the request is for another key than that of ${name}`);
    }
    this.#checkPresent(name, request.spki);
  }

  /** A certificate for the key of the connections, on the word of the identity's key; it ends with that of the identity. */
  async tls(held: HeldCertificate, request: CertificationRequest): Promise<string> {
    const { name, role } = held.holder;
    this.#checkSigns(held);
    this.#checkPresent(name, held.spki);
    return this.#options.authority.issue(request.der, { name, role, hosts: [TLS_ONLY], until: held.notAfter });
  }

  /**
   * A certificate for another key, on the word of the present one, which is not renewed any more.
   * @param statement what the present key has signed about it
   */
  async rotate(
    held: HeldCertificate,
    request: CertificationRequest,
    statement: Uint8Array,
    along: Accompanying,
  ): Promise<string> {
    const { name, role } = held.holder;
    this.#checkSigns(held);
    if (request.publicKey.equals(held.publicKey)) throw refuse('trust.rotate.key', `the key of ${name} is the same`);
    await this.#options.authority.supersede(held, request.spki, statement);
    return this.#issue('renew', { name, role }, request, along);
  }

  /**
   * A TPM claims an attestation key for the holder of a certificate: what only it can answer.
   * @param about octets over which it is to be answered
   */
  challenge(held: HeldCertificate, request: CertificationRequest, claim: TpmClaim, about: Uint8Array): TpmChallenge {
    if (!this.#tpm) throw refuse('trust.tpm.policy', 'no TPMs are enrolled here');
    this.#checkRenewable(held, request);
    return this.#tpm.challenge(held, request, claim, about);
  }

  /** The answer of the TPM. @returns PEM for the key of the identity and for the attestation key */
  async answered(
    held: HeldCertificate,
    request: CertificationRequest,
    answer: TpmAnswer,
    along: Accompanying,
  ): Promise<{ readonly certificate: string; readonly attestation: string }> {
    if (!this.#tpm) throw refuse('trust.tpm.policy', 'no TPMs are enrolled here');
    this.#checkRenewable(held, request);
    const { authority } = this.#options;
    const { attestationKey, attestation, identityInTpm } = await this.#tpm.proven(held, answer);
    const { holder } = held;
    const proven = identityInTpm ? (['tpm'] as const) : [];
    // The attestation key may be what is missing for evidence. Without any, what is said anew of the identity's key holds no
    // longer than what was said before: this is not a way around the evidence of a renewal.
    const open = along.evidence !== undefined || this.#required(holder, 'renew') === 'nothing';
    const assurance = [open ? await this.#judge('renew', holder, request, along) : ('unattested' as const), ...proven];
    const options = { ...holder, assurance, until: open ? undefined : held.notAfter };
    const over = !open && held.notAfter.getTime() <= toMillis(this.#clock.now());
    return {
      certificate: over ? toPem('CERTIFICATE', held.der) : await authority.issue(request.der, options),
      attestation: await authority.issueAttestation(attestationKey, { ...holder, assurance: attestation }),
    };
  }

  #checkPresent(name: string, spki: Uint8Array): void {
    if (!this.#options.authority.isSuperseded(spki)) return;
    throw refuse('trust.renew.superseded', `the key of ${name} has given way to another`);
  }

  #checkSigns(named: HeldCertificate): void {
    if (maySign(named)) return;
    throw refuse('trust.tls.signer', `the key of ${named.holder.name} makes connections only, or signs evidence only`);
  }

  async #issue(
    occasion: Occasion,
    holder: Holder,
    request: CertificationRequest,
    along: Accompanying,
    known: readonly Assurance[] = [],
  ): Promise<string> {
    const assurance = [await this.#judge(occasion, holder, request, along), ...known];
    return this.#options.authority.issue(request.der, { ...holder, assurance });
  }

  #required(holder: Holder, occasion: Occasion): EvidenceRequired {
    return this.#options.requiresEvidence?.(holder, occasion) ?? 'nothing';
  }

  async #judge(
    occasion: Occasion,
    holder: Holder,
    request: CertificationRequest,
    along: Accompanying,
  ): Promise<Assurance> {
    const { evidenceGate, onBadEvidence } = this.#options;
    const { evidence, exporter } = along;
    const required = this.#required(holder, occasion);
    if (!evidence || !evidenceGate) {
      if (required === 'nothing') return 'unattested';
      throw refuse('trust.evidence.missing', `${holder.name} gets a certificate only with evidence of its state`);
    }
    if (!exporter) throw refuse('trust.evidence.channel', 'evidence needs a channel with an exporter (TLS 1.3)');
    const binding = enrolmentBinding(exporter, holder, request.spki);
    const verdict = await evidenceGate({ holder, request: request.der, evidence, binding }).catch((error: unknown) => {
      return { ok: false, text: `it could not be judged: ${describeError(error)}` };
    });
    if (verdict.ok) return 'evidence';
    onBadEvidence?.(holder, verdict.text);
    // Whoever may show none gets no less for showing some: its values go on, marked by what is found over the link.
    if (required !== 'good') return 'unattested';
    throw refuse('trust.evidence.refused', `the evidence of ${holder.name} was not accepted: ${verdict.text}`);
  }
}

const refuse = (code: string, text: string) => new EnerchainError('peer', code, text);
