/**
 * A certification authority in a folder, for development and the lab: its name says so, and its keys lie in files (0600)
 * unless it is given another place. A real installation brings certificates of its own authority.
 *
 * The folder: keys as in `AuthorityKeys`, `tokens.json`, `issued/<thumbprint>.pem`.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, EnerchainError, systemClock, toMillis } from '@enerchain/model';
import {
  buildCertificate,
  type Certificate,
  commonNameOf,
  type GeneralName,
  keyIdentifier,
  nameOf,
  OID,
  parseRequest,
  type Signer,
  thumbprint,
} from '@enerchain/pki';
import { ASSURANCE_POLICY, type Assurance } from './assurance.ts';
import { AuthorityKeys, BACKDATE, type IssuingKey, ifMissing } from './authority-keys.ts';
import { type CaBundle, writeBundle } from './ca-bundle.ts';
import { writeDurably } from './identity.ts';
import { IssuedCertificates } from './issued-certificates.ts';
import type { KeyStore } from './key-store.ts';
import { KeySuccession } from './key-succession.ts';
import { ATTESTATION_USAGE, checkName, type HeldCertificate, type Holder, holderOf, holderUri } from './role.ts';
import { findToken, hashOfSecret, newToken, type TokenRecord, writeToken } from './token.ts';

const HOUR = 3_600_000;
/**
 * Validity of what is issued unless said otherwise, in hours. It is renewed at a third of that, so that two days without the
 * authority are survived.
 */
export const CERTIFICATE_HOURS = 72;
/** Most tokens kept; expired ones go first. */
const MAX_TOKENS = 1000;

/** `attestation`: the key of a TPM that signs evidence alone. */
export type CertificateUse = 'identity' | 'attestation';

export interface IssueOptions extends Holder {
  readonly hours?: number;
  /** It ends then, if not before. */
  readonly until?: Date | undefined;
  /** DNS names and IP addresses under which a server is reached. */
  readonly hosts?: readonly GeneralName[];
  /** What is known about the node and its key; `unattested` when absent. */
  readonly assurance?: readonly Assurance[];
}

/** Something that the world should know of. */
export interface CertificateEvent {
  readonly name: string;
  /** A `Role`, or `authority` for an issuing certificate. */
  readonly role: string;
  readonly use: CertificateUse | 'authority';
  readonly certificate: Certificate;
}

export interface AuthorityOptions {
  readonly clock?: Clock;
  readonly hours?: number;
  readonly keys?: KeyStore | undefined;
  readonly crlUrl?: string | undefined;
}

export class DevelopmentCa {
  readonly certificate: Certificate;
  /** SHA-256 of the anchor's DER, hex. */
  readonly fingerprint: string;
  readonly #dir: string;
  readonly #keys: AuthorityKeys;
  readonly #clock: Clock;
  readonly #hours: number;
  readonly #crlUrl: string | undefined;
  readonly #issued: IssuedCertificates;
  readonly #succession: KeySuccession;
  #tokens: TokenRecord[];
  /** Changes of the token file and of the keys, one after the other. */
  #queue: Promise<unknown> = Promise.resolve();
  #observer: ((event: CertificateEvent) => Promise<unknown>) | undefined;
  /** What happened before somebody observed. */
  #untold: CertificateEvent[] = [];

  private constructor(parts: {
    dir: string;
    keys: AuthorityKeys;
    issued: IssuedCertificates;
    succession: KeySuccession;
    tokens: TokenRecord[];
    clock: Clock;
    hours: number;
    crlUrl: string | undefined;
  }) {
    this.#dir = parts.dir;
    this.#keys = parts.keys;
    this.#issued = parts.issued;
    this.#succession = parts.succession;
    this.#clock = parts.clock;
    this.#hours = parts.hours;
    this.#crlUrl = parts.crlUrl;
    this.#tokens = parts.tokens;
    this.certificate = parts.keys.root;
    this.fingerprint = Buffer.from(thumbprint(parts.keys.root)).toString('hex');
  }

  /**
   * Opens the authority in a folder; makes it when the folder is empty.
   * @param options.hours validity of what is issued, unless said otherwise there
   * @param options.keys where its keys lie, and are made; absent: in the folder
   * @param options.crlUrl address below which its revocation lists are served, `<crlUrl>/<key identifier>.crl`, as the
   *   certificates then say (RFC 5280 § 4.2.1.13); absent: they say nothing
   */
  static async open(dir: string, options: AuthorityOptions = {}): Promise<DevelopmentCa> {
    const clock = options.clock ?? systemClock;
    const hours = options.hours ?? CERTIFICATE_HOURS;
    const now = toMillis(clock.now());
    const issued = await IssuedCertificates.open(join(dir, 'issued'), now);
    const keys = await AuthorityKeys.open(dir, now, hours * HOUR, options.keys);
    const tokens = tokensFrom(await readFile(join(dir, 'tokens.json'), 'utf8').catch(ifMissing('[]')), dir);
    const succession = await KeySuccession.open(join(dir, 'succession.json'));
    return new DevelopmentCa({ dir, keys, issued, succession, tokens, clock, hours, crlUrl: options.crlUrl });
  }

  #now(): number {
    return toMillis(this.#clock.now());
  }

  /** Anchor and issuing certificates as they are now: what nodes keep as `ca.pem`. */
  get certificatePem(): string {
    return writeBundle(this.bundle);
  }

  /** As `certificatePem`, with the issuing certificates that have ended: what was signed under them is checked for years. */
  get archivePem(): string {
    return writeBundle({ anchor: this.certificate, issuing: this.#keys.allIssuing });
  }

  get bundle(): CaBundle {
    return this.#keys.bundle(this.#now());
  }

  /**
   * Tells of every certificate, before it is handed out: when the observer fails, it is not. What was issued before somebody
   * observed is told first; where that fails, it is told again before the next one.
   */
  async observe(observer: (event: CertificateEvent) => Promise<unknown>): Promise<void> {
    this.#observer = observer;
    await this.#catchUp(observer).catch(() => undefined);
  }

  async #catchUp(observer: (event: CertificateEvent) => Promise<unknown>): Promise<void> {
    for (let event = this.#untold[0]; event; event = this.#untold[0]) {
      await observer(event);
      if (this.#untold[0] === event) this.#untold.shift();
    }
  }

  async #tell(event: CertificateEvent): Promise<void> {
    if (!this.#observer) {
      this.#untold.push(event);
      return;
    }
    await this.#catchUp(this.#observer);
    await this.#observer(event);
  }

  /**
   * Issues a certificate for the key of a request. Name and role are decided by the caller, never by the request.
   * @returns PEM
   * @throws PkiError (fault peer) when the request is malformed or not signed with its own key; EnerchainError
   *   `trust.ca.key` for a key that is not P-256, `trust.ca.key-in-use` for that of somebody else (fault peer)
   */
  async issue(requestDer: Uint8Array, options: IssueOptions): Promise<string> {
    return this.#issue(parseRequest(requestDer), 'identity', options);
  }

  /**
   * Issues a certificate for the attestation key of a TPM. That the key is in the TPM was proven to the caller: such a key
   * cannot sign a request.
   */
  async issueAttestation(publicKey: Certificate['publicKey'], options: IssueOptions): Promise<string> {
    const spki = publicKey.export({ type: 'spki', format: 'der' });
    return this.#issue({ publicKey, spki }, 'attestation', options);
  }

  async #issue(
    { publicKey, spki }: Pick<Certificate, 'publicKey' | 'spki'>,
    use: CertificateUse,
    options: IssueOptions,
  ): Promise<string> {
    checkName(options.name);
    if (publicKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
      throw new EnerchainError('peer', 'trust.ca.key', `the request of ${options.name} has no P-256 key`);
    }
    this.#issued.checkKey(spki, options);
    await this.#exclusively(async () => {
      await this.#keepFresh();
      await this.#issued.prune(this.#now());
    });
    const now = this.#now();
    const issuing = this.#keys.issuingAt(now);
    const life = (options.hours ?? this.#hours) * HOUR;
    const { assurance = ['unattested'], until } = options;
    // Nothing outlives the one who vouches for it.
    const end = Math.min(
      now + life,
      issuing.certificate.notAfter.getTime(),
      until?.getTime() ?? Number.POSITIVE_INFINITY,
    );
    const issuer = Buffer.from(keyIdentifier(issuing.certificate.spki));
    const der = await buildCertificate(
      {
        issuer: issuing.certificate.subject,
        subject: nameOf({ commonName: options.name, organizationalUnit: options.role }),
        // Short-lived ones begin earlier by a tenth of their life.
        notBefore: new Date(now - Math.min(BACKDATE, life / 10)),
        notAfter: new Date(end),
        publicKey,
        extensions: {
          basicConstraints: { ca: false },
          keyUsage: ['digitalSignature'],
          extKeyUsage: usagesOf(use, options),
          subjectAltName: [holderUri(options), ...(options.hosts ?? [])],
          subjectKeyIdentifier: keyIdentifier(spki),
          authorityKeyIdentifier: issuer,
          ...(this.#crlUrl === undefined ? {} : { crlDistributionPoints: [listAt(this.#crlUrl, issuer)] }),
          certificatePolicies: assurance.map((each) => ({ oid: ASSURANCE_POLICY[each] })),
        },
      },
      issuing.signer,
    );
    const pem = await this.#issued.add(der);
    const certificate = this.#issued.get(Buffer.from(thumbprint(der)).toString('hex'))!;
    try {
      await this.#tell({ name: options.name, role: options.role, use, certificate });
    } catch (cause) {
      await this.#issued.remove(der);
      const text = `the certificate of ${options.name} could not be recorded, so it was not issued`;
      throw new EnerchainError('environment', 'trust.ca.record', text, { cause });
    }
    return pem;
  }

  async #keepFresh(): Promise<void> {
    const made = await this.#keys.keepFresh(this.#now());
    if (made) await this.#tell(authorityEvent(made));
  }

  /**
   * Makes another issuing key; it issues once everybody has heard of it.
   * @throws EnerchainError `trust.ca.key` (fault caller) when the root key is not here
   */
  rotateIssuingKey(): Promise<Certificate> {
    return this.#exclusively(async () => {
      const certificate = await this.#keys.rotate(this.#now());
      await this.#tell(authorityEvent(certificate));
      return certificate;
    });
  }

  /** What was issued and has not ended yet, by thumbprint (hex). */
  validCertificates(): ReadonlyMap<string, Certificate> {
    const now = this.#now();
    return new Map([...this.#issued.all()].filter(([, { notAfter }]) => notAfter.getTime() > now));
  }

  /** What was issued under a name and has not ended yet, by thumbprint (hex). */
  validCertificatesOf(name: string): ReadonlyMap<string, Certificate> {
    return new Map([...this.validCertificates()].filter(([, certificate]) => holderOf(certificate).name === name));
  }

  /** The certificate with this thumbprint, if this authority issued it. */
  certificateOf(kid: Uint8Array): Certificate | undefined {
    return this.#issued.get(Buffer.from(kid).toString('hex'));
  }

  /** Thumbprints of what was issued for a key. */
  kidsOf(spki: Uint8Array): readonly Uint8Array[] {
    return this.#issued.kidsOf(spki).map((kid) => Buffer.from(kid, 'hex'));
  }

  /** Everything that was issued to a name, valid or ended, by thumbprint (hex). */
  certificatesOf(name: string): ReadonlyMap<string, Certificate> {
    return new Map([...this.#issued.all()].filter(([, certificate]) => holderOf(certificate).name === name));
  }

  /** Keys whose certificates may still be valid; they sign the revocation lists. */
  issuers(): readonly IssuingKey[] {
    return this.#keys.issuers(this.#now());
  }

  /** Where the key of one of its own certificates lies; undefined for one that is not here. */
  originOf(certificate: Certificate): Signer['origin'] | undefined {
    return this.#keys.originOf(certificate);
  }

  /** What will keep it from issuing in some weeks, one sentence; `undefined` when nothing will. */
  trouble(): string | undefined {
    return this.#keys.trouble(this.#now());
  }

  /** Number of the next revocation list: the time, or more. Durable before it is used. */
  nextCrlNumber(): Promise<number> {
    return this.#exclusively(async () => {
      const file = join(this.#dir, 'crl-number');
      const last = Number(await readFile(file, 'utf8').catch(ifMissing('0')));
      const number = Math.max(Math.floor(this.#now()), last + 1);
      await writeDurably(file, String(number));
      return number;
    });
  }

  /** From a certificate that this authority issued to the anchor. */
  pathOf(certificate: Certificate): readonly Certificate[] {
    const issuer = this.#keys.issuerOf(certificate);
    return [certificate, ...(issuer ? [issuer] : []), this.certificate];
  }

  /**
   * Makes a one-time token.
   * @param options.address where to enrol, `https://host:port`
   * @param options.validFor milliseconds
   */
  createToken(options: Holder & { address: string; validFor: number }): Promise<string> {
    return this.#exclusively(async () => {
      const token = newToken({ name: options.name, role: options.role }, thumbprint(this.certificate), options.address);
      const now = this.#now();
      const kept = this.#tokens.filter(({ expiresAt }) => expiresAt > now).slice(-(MAX_TOKENS - 1));
      const record: TokenRecord = {
        name: options.name,
        role: options.role,
        hash: hashOfSecret(token.secret).toString('hex'),
        expiresAt: now + options.validFor,
      };
      await this.#saveTokens([...kept, record]);
      return writeToken(token);
    });
  }

  /**
   * Takes a token for a key. A token belongs to the first key that comes with it: the same key may ask again (its answer may
   * have been lost) until the token expires, another key may not.
   * @param spki of the request
   * @returns whom the token is for
   * @throws EnerchainError `trust.token.refused` (fault peer), without saying which of the reasons it was;
   *   `trust.ca.key-in-use` before the token is used up
   */
  claim(secret: Uint8Array, spki: Uint8Array): Promise<Holder> {
    return this.#exclusively(async () => {
      const refused = new EnerchainError(
        'peer',
        'trust.token.refused',
        'the enrolment token is unknown, expired or used; ask for a new one',
      );
      const record = findToken(this.#tokens, secret);
      if (!record || record.expiresAt <= this.#now()) throw refused;
      const key = createHash('sha256').update(spki).digest('hex');
      if (record.usedBy !== undefined && record.usedBy !== key) throw refused;
      this.#issued.checkKey(spki, record);
      if (record.usedBy === undefined) {
        await this.#saveTokens(this.#tokens.map((each) => (each === record ? { ...each, usedBy: key } : each)));
      }
      return { name: record.name, role: record.role };
    });
  }

  /** Redeems a token for a certificate, without evidence: `claim`, then `issue`. @returns PEM */
  async redeem(secret: Uint8Array, requestDer: Uint8Array): Promise<string> {
    return this.issue(requestDer, await this.claim(secret, parseRequest(requestDer).spki));
  }

  /** Whether a key gave way to another; it is not renewed any more. What it signed is still verified. */
  isSuperseded(spki: Uint8Array): boolean {
    return this.#succession.successorOf(spki) !== undefined;
  }

  /**
   * Lets a key give way to another, once and for good.
   * @param statement what the old key has signed
   * @throws EnerchainError `trust.rotate.superseded` (fault peer) when it gave way to a third one before: somebody else holds it
   */
  supersede(old: HeldCertificate, spki: Uint8Array, statement: Uint8Array): Promise<void> {
    return this.#exclusively(async () => {
      this.#issued.checkKey(spki, old.holder);
      await this.#succession.add({ old: old.spki, next: spki, name: old.holder.name, at: this.#now(), statement });
    });
  }

  /**
   * A TPM is that of one node. It may become that of another when the first has no certificate any more.
   * @param ek SHA-256 of its endorsement key, hex
   * @throws EnerchainError `trust.tpm.in-use` (fault peer)
   */
  claimTpm(ek: string, name: string): Promise<void> {
    return this.#exclusively(async () => {
      const file = join(this.#dir, 'tpms.json');
      const owners = JSON.parse(await readFile(file, 'utf8').catch(ifMissing('{}'))) as Record<string, string>;
      const owner = owners[ek];
      if (owner === name) return;
      if (owner !== undefined && this.validCertificatesOf(owner).size > 0) {
        throw new EnerchainError('peer', 'trust.tpm.in-use', `this TPM is that of ${owner}, not of ${name}`);
      }
      await writeDurably(file, `${JSON.stringify({ ...owners, [ek]: name }, undefined, 1)}\n`);
    });
  }

  async #saveTokens(tokens: TokenRecord[]): Promise<void> {
    await writeDurably(join(this.#dir, 'tokens.json'), `${JSON.stringify(tokens, undefined, 1)}\n`, 0o600);
    this.#tokens = tokens;
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work);
    this.#queue = result.catch(() => undefined);
    return result;
  }
}

const authorityEvent = (certificate: Certificate): CertificateEvent => ({
  name: commonNameOf(certificate.subject)!,
  role: 'authority',
  use: 'authority',
  certificate,
});

const listAt = (url: string, issuer: Buffer) => ({
  fullName: [{ kind: 'uri' as const, value: `${url}/${issuer.toString('hex')}.crl` }],
});

function usagesOf(use: CertificateUse, { role }: Holder): readonly string[] {
  if (use === 'attestation') return [ATTESTATION_USAGE];
  // A relay is a server to edges and a client to the centre; neighbours are both to each other.
  return role === 'service' ? [OID.clientAuth] : [OID.serverAuth, OID.clientAuth];
}

function tokensFrom(text: string, dir: string): TokenRecord[] {
  try {
    return JSON.parse(text) as TokenRecord[];
  } catch (cause) {
    const file = join(dir, 'tokens.json');
    throw new EnerchainError('environment', 'trust.ca.tokens', `${file} is damaged; remove it to void all tokens`, {
      cause,
    });
  }
}
