/**
 * A certification authority in a folder, for development and the lab: the root key lies in a file (0600) and signs every
 * certificate itself. Its name says so. A real installation brings certificates of its own authority.
 *
 * The folder: `ca.key`, `ca.pem`, `tokens.json`, `issued/<thumbprint>.pem`.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, EnerchainError, systemClock, toMillis } from '@enerchain/model';
import {
  buildCertificate,
  type Certificate,
  certificateFromPem,
  FileKeySigner,
  type GeneralName,
  keyIdentifier,
  nameOf,
  OID,
  parseRequest,
  thumbprint,
  toPem,
} from '@enerchain/pki';
import { writeDurably } from './identity.ts';
import { checkName, type Holder, holderOf, holderUri } from './role.ts';
import { findToken, hashOfSecret, newToken, type TokenRecord, writeToken } from './token.ts';

const DAY = 86_400_000;
const CA_DAYS = 3650;
/** Validity of what is issued unless said otherwise. */
export const CERTIFICATE_DAYS = 365;
/** Certificates begin a little earlier, for devices whose clock is behind; short-lived ones by a tenth of their life. */
const BACKDATE = 5 * 60_000;
/** Most tokens kept; expired ones go first. */
const MAX_TOKENS = 1000;

export interface IssueOptions extends Holder {
  readonly days?: number;
  /** DNS names and IP addresses under which a server is reached. */
  readonly hosts?: readonly GeneralName[];
}

export class DevelopmentCa {
  readonly certificate: Certificate;
  readonly certificatePem: string;
  /** SHA-256 of the certificate's DER, hex. */
  readonly fingerprint: string;
  readonly #dir: string;
  readonly #signer: FileKeySigner;
  readonly #clock: Clock;
  readonly #days: number;
  readonly #issued = new Map<string, Certificate>();
  #tokens: TokenRecord[];
  /** Changes of the token file, one after the other. */
  #queue: Promise<unknown> = Promise.resolve();

  private constructor(
    dir: string,
    signer: FileKeySigner,
    pem: string,
    tokens: TokenRecord[],
    clock: Clock,
    days: number,
  ) {
    this.#dir = dir;
    this.#signer = signer;
    this.#clock = clock;
    this.#days = days;
    this.#tokens = tokens;
    this.certificatePem = pem;
    this.certificate = certificateFromPem(pem, join(dir, 'ca.pem'));
    this.fingerprint = Buffer.from(thumbprint(this.certificate)).toString('hex');
  }

  /**
   * Opens the authority in a folder; makes it when the folder is empty.
   * @param options.days validity of what is issued, unless said otherwise there
   */
  static async open(dir: string, options: { clock?: Clock; days?: number } = {}): Promise<DevelopmentCa> {
    const clock = options.clock ?? systemClock;
    await mkdir(join(dir, 'issued'), { recursive: true, mode: 0o700 });
    const keyFile = join(dir, 'ca.key');
    const pemFile = join(dir, 'ca.pem');
    const existing = await readFile(pemFile, 'utf8').catch(ifMissing(undefined));
    const files = await readdir(dir);
    const signer = files.includes('ca.key') ? await FileKeySigner.load(keyFile) : await FileKeySigner.create(keyFile);
    const pem = existing ?? (await selfSigned(signer, new Date(toMillis(clock.now()))));
    if (!existing) await writeDurably(pemFile, pem);
    const tokens = tokensFrom(await readFile(join(dir, 'tokens.json'), 'utf8').catch(ifMissing('[]')), dir);
    const ca = new DevelopmentCa(dir, signer, pem, tokens, clock, options.days ?? CERTIFICATE_DAYS);
    for (const file of await readdir(join(dir, 'issued'))) {
      if (!file.endsWith('.pem')) continue;
      const certificate = certificateFromPem(await readFile(join(dir, 'issued', file), 'utf8'), file);
      ca.#issued.set(Buffer.from(thumbprint(certificate)).toString('hex'), certificate);
    }
    return ca;
  }

  #now(): number {
    return toMillis(this.#clock.now());
  }

  /**
   * Issues a certificate for the key of a request. Name and role are decided by the caller, never by the request.
   * @returns PEM
   * @throws PkiError (fault peer) when the request is malformed or not signed with its own key
   */
  async issue(requestDer: Uint8Array, options: IssueOptions): Promise<string> {
    checkName(options.name);
    const request = parseRequest(requestDer);
    if (request.publicKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
      throw new EnerchainError('peer', 'trust.ca.key', `the request of ${options.name} has no P-256 key`);
    }
    const now = this.#now();
    const life = (options.days ?? this.#days) * DAY;
    const der = await buildCertificate(
      {
        issuer: this.certificate.subject,
        subject: nameOf({ commonName: options.name, organizationalUnit: options.role }),
        notBefore: new Date(now - Math.min(BACKDATE, life / 10)),
        notAfter: new Date(now + life),
        publicKey: request.publicKey,
        extensions: {
          basicConstraints: { ca: false },
          keyUsage: ['digitalSignature'],
          // A relay is a server to edges and a client to the centre; neighbours are both to each other.
          extKeyUsage: options.role === 'service' ? [OID.clientAuth] : [OID.serverAuth, OID.clientAuth],
          subjectAltName: [holderUri(options), ...(options.hosts ?? [])],
          subjectKeyIdentifier: keyIdentifier(request.spki),
          authorityKeyIdentifier: keyIdentifier(this.certificate.spki),
        },
      },
      this.#signer,
    );
    const pem = toPem('CERTIFICATE', der);
    const kid = Buffer.from(thumbprint(der)).toString('hex');
    await writeDurably(join(this.#dir, 'issued', `${kid}.pem`), pem);
    this.#issued.set(kid, certificateFromPem(pem));
    return pem;
  }

  /** What was issued under a name and has not ended yet, by thumbprint (hex). */
  validCertificatesOf(name: string): ReadonlyMap<string, Certificate> {
    const now = this.#now();
    return new Map(
      [...this.#issued].filter(
        ([, certificate]) => holderOf(certificate).name === name && certificate.notAfter.getTime() > now,
      ),
    );
  }

  /** The certificate with this thumbprint, if this authority issued it. */
  certificateOf(kid: Uint8Array): Certificate | undefined {
    return this.#issued.get(Buffer.from(kid).toString('hex'));
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
   * Redeems a token for a certificate. A token belongs to the first key that comes with it: the same key may ask again
   * (its answer may have been lost) until the token expires, another key may not.
   * @throws EnerchainError `trust.token.refused` (fault peer), without saying which of the reasons it was
   */
  redeem(secret: Uint8Array, requestDer: Uint8Array): Promise<string> {
    return this.#exclusively(async () => {
      const refused = new EnerchainError(
        'peer',
        'trust.token.refused',
        'the enrolment token is unknown, expired or used; ask for a new one',
      );
      const record = findToken(this.#tokens, secret);
      if (!record || record.expiresAt <= this.#now()) throw refused;
      const key = createHash('sha256').update(parseRequest(requestDer).spki).digest('hex');
      if (record.usedBy !== undefined && record.usedBy !== key) throw refused;
      if (record.usedBy === undefined) {
        await this.#saveTokens(this.#tokens.map((each) => (each === record ? { ...each, usedBy: key } : each)));
      }
      return this.issue(requestDer, { name: record.name, role: record.role });
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

async function selfSigned(signer: FileKeySigner, at: Date): Promise<string> {
  const name = nameOf({ commonName: 'CloudEnerChain development CA', organization: 'Not for production' });
  const id = keyIdentifier(signer.publicKey.export({ type: 'spki', format: 'der' }));
  const der = await buildCertificate(
    {
      issuer: name,
      subject: name,
      notBefore: new Date(at.getTime() - BACKDATE),
      notAfter: new Date(at.getTime() + CA_DAYS * DAY),
      publicKey: signer.publicKey,
      extensions: {
        basicConstraints: { ca: true, pathLength: 0 },
        keyUsage: ['keyCertSign', 'cRLSign'],
        subjectKeyIdentifier: id,
        authorityKeyIdentifier: id,
      },
    },
    signer,
  );
  return toPem('CERTIFICATE', der);
}

function ifMissing<T>(value: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === 'ENOENT') return value;
    throw error;
  };
}
