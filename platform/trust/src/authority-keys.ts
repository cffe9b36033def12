/**
 * The keys of the authority: a root that issues issuing certificates, and issuing keys that issue everything else. A new
 * issuing key is told to everybody (`ca.pem`, `readBundle`) for as long as a certificate lives before it issues: whoever
 * holds a valid certificate then has heard of it. Between two rotations the root key may be kept elsewhere.
 *
 * The folder: `ca.key`, `ca.pem` (root), `issuing/<n>.key`, `issuing/<n>.pem`. A root of before, which may have nobody
 * under it, goes on issuing itself. The keys may lie in a TPM or HSM instead, under the same names: new ones are made there,
 * and those that lie in files already are used until their certificates end.
 */
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EnerchainError } from '@enerchain/model';
import {
  buildCertificate,
  type Certificate,
  certificateFromPem,
  keyIdentifier,
  type Name,
  nameOf,
  parseCertificate,
  type Signer,
  sameName,
  toPem,
} from '@enerchain/pki';
import type { CaBundle } from './ca-bundle.ts';
import { writeDurably } from './identity.ts';
import { FileKeyStore, type KeyStore } from './key-store.ts';

const DAY = 86_400_000;
const ROOT_DAYS = 3650;
const ISSUING_DAYS = 365;
/** Days before the end of an issuing certificate at which the next one is made. */
const ROTATE_BEFORE_DAYS = 90;
/** Days after that at which it is trouble that there is none. */
const WARN_AFTER_DAYS = 7;
/** Certificates begin a little earlier, for devices whose clock is behind. */
export const BACKDATE = 5 * 60_000;

/** A key that issues. */
export interface IssuingKey {
  readonly certificate: Certificate;
  readonly signer: Signer;
}

export class AuthorityKeys {
  readonly root: Certificate;
  readonly #dir: string;
  readonly #announce: number;
  readonly #store: KeyStore;
  #rootSigner: Signer | undefined;
  /** Oldest first; without the legacy root. */
  #issuing: IssuingKey[];
  /** Those that have ended too. */
  readonly #certificates: Certificate[];

  private constructor(parts: {
    dir: string;
    announce: number;
    store: KeyStore;
    root: Certificate;
    signer: Signer | undefined;
    issuing: IssuingKey[];
    certificates: Certificate[];
  }) {
    this.#dir = parts.dir;
    this.#announce = parts.announce;
    this.#store = parts.store;
    this.root = parts.root;
    this.#rootSigner = parts.signer;
    this.#issuing = parts.issuing;
    this.#certificates = parts.certificates;
  }

  /**
   * Opens the keys in a folder, and makes what is missing.
   * @param announce milliseconds for which an issuing certificate is told before it issues
   * @param store where new keys are made; absent: files of the folder
   * @throws EnerchainError `trust.ca.key` (fault caller) when a key that must issue is neither there nor in the folder
   */
  static async open(dir: string, now: number, announce: number, store?: KeyStore): Promise<AuthorityKeys> {
    const [pemFile, folder] = [join(dir, 'ca.pem'), join(dir, 'issuing')];
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const files = new FileKeyStore(dir);
    const stores = store ? [store, files] : [files];
    const pem = await readFile(pemFile, 'utf8').catch(ifMissing(undefined));
    const issuing: IssuingKey[] = [];
    const certificates: Certificate[] = [];
    for (const file of (await readdir(folder)).filter((name) => /^\d+\.pem$/.test(name)).sort(byNumber)) {
      const certificate = certificateFromPem(await readFile(join(folder, file), 'utf8'), file);
      certificates.push(certificate);
      if (certificate.notAfter.getTime() <= now) continue;
      const name = issuingName(Number.parseInt(file, 10));
      const signer = await keyOf(certificate, name, stores);
      if (!signer)
        throw new EnerchainError(
          'caller',
          'trust.ca.key',
          `the key ${name} of the authority is not in ${dir}${store ? `, nor in its ${store.origin}` : ''}`,
        );
      issuing.push({ certificate, signer });
    }
    const known = pem === undefined ? undefined : certificateFromPem(pem, pemFile);
    const signer = known ? await keyOf(known, ROOT, stores) : await (store ?? files).make(ROOT);
    if (!signer && issuing.length === 0) {
      throw new EnerchainError('caller', 'trust.ca.key', `${dir} holds no key that may issue; bring back ca.key`);
    }
    const root = known ?? (await makeRoot(signer!, now));
    if (!known) await writeDurably(pemFile, toPem('CERTIFICATE', root.der));
    const parts = { dir, announce, store: store ?? files, root, signer, issuing, certificates };
    const opened = new AuthorityKeys(parts);
    if (!opened.#alone) await opened.keepFresh(now);
    return opened;
  }

  /** Where the key of a certificate of this authority lies; undefined for one that is not here. */
  originOf({ publicKey }: Certificate): Signer['origin'] | undefined {
    const signers = [this.#rootSigner, ...this.#issuing.map(({ signer }) => signer)];
    return signers.find((signer) => signer?.publicKey.equals(publicKey))?.origin;
  }

  /** Whether the root may have nobody under it, and issues itself. */
  get #alone(): boolean {
    return this.root.extensions.basicConstraints?.pathLength === 0;
  }

  /** The key that issues at a time. @throws EnerchainError `trust.ca.key` (fault environment) when all have ended */
  issuingAt(now: number): IssuingKey {
    if (this.#alone) {
      if (this.#rootSigner) return { certificate: this.root, signer: this.#rootSigner };
    } else {
      const valid = this.#issuing.filter(({ certificate }) => certificate.notAfter.getTime() > now);
      const announced = valid.filter(
        ({ certificate }) => certificate.notBefore.getTime() + BACKDATE + this.#announce <= now,
      );
      const key = announced.at(-1) ?? valid[0];
      if (key) return key;
    }
    throw new EnerchainError(
      'environment',
      'trust.ca.key',
      'no issuing certificate is valid any more; bring back ca.key',
    );
  }

  /** Every key with which certificates were issued that may still be valid. */
  issuers(now: number): readonly IssuingKey[] {
    return this.#alone
      ? [this.issuingAt(now)]
      : this.#issuing.filter(({ certificate }) => certificate.notAfter.getTime() > now);
  }

  /** The issuing certificate with this subject, whether it has ended or not. */
  issuerOf({ issuerDer }: Certificate): Certificate | undefined {
    return this.#certificates.find(({ subjectDer }) => sameName(subjectDer, issuerDer));
  }

  /** Every issuing certificate there ever was. */
  get allIssuing(): readonly Certificate[] {
    return this.#certificates;
  }

  bundle(now: number): CaBundle {
    const issuing = this.#alone ? [] : this.issuers(now).map(({ certificate }) => certificate);
    return { anchor: this.root, issuing };
  }

  /**
   * Makes the next issuing key in time, if the root key is there.
   * @returns the new certificate, if there is one
   */
  async keepFresh(now: number): Promise<Certificate | undefined> {
    const left = (this.#issuing.at(-1)?.certificate.notAfter.getTime() ?? 0) - now;
    if (this.#alone || !this.#rootSigner || left > ROTATE_BEFORE_DAYS * DAY + this.#announce) return undefined;
    return this.rotate(now);
  }

  /** What will keep it from issuing in some weeks, one sentence; `undefined` when nothing will. */
  trouble(now: number): string | undefined {
    const end = this.#alone ? this.root.notAfter : this.#issuing.at(-1)?.certificate.notAfter;
    const left = (end?.getTime() ?? 0) - now;
    if (left > (ROTATE_BEFORE_DAYS - WARN_AFTER_DAYS) * DAY) return undefined;
    const what = this.#alone || this.#rootSigner ? 'the authority' : 'the issuing certificate of the authority';
    const help = this.#rootSigner ? 'set up another authority' : 'bring back ca.key, so that the next one is made';
    return `${what} ends on ${end?.toISOString().slice(0, 10) ?? 'no date'}; ${help}`;
  }

  /** Makes the next issuing key now. @throws EnerchainError `trust.ca.key` (fault caller) without the root key */
  async rotate(now: number): Promise<Certificate> {
    const root = this.#rootSigner;
    if (!root || this.#alone) {
      const why = root ? 'this root may have no issuing keys under it' : 'the root key is not here';
      throw new EnerchainError('caller', 'trust.ca.key', `${why}; no issuing key was made`);
    }
    const folder = join(this.#dir, 'issuing');
    const numbers = (await readdir(folder)).map((name) => Number.parseInt(name, 10)).filter((n) => !Number.isNaN(n));
    const number = Math.max(0, ...numbers) + 1;
    const signer = await this.#store.make(issuingName(number));
    const end = Math.min(now + ISSUING_DAYS * DAY, this.root.notAfter.getTime());
    const certificate = parseCertificate(
      await caCertificate(
        {
          subject: nameOf({ commonName: `CloudEnerChain issuing CA ${number}`, organization: ORGANIZATION }),
          signer,
          pathLength: 0,
          notBefore: now - BACKDATE,
          notAfter: end,
        },
        { name: this.root.subject, signer: root },
      ),
    );
    await writeDurably(join(folder, `${number}.pem`), toPem('CERTIFICATE', certificate.der));
    this.#certificates.push(certificate);
    this.#issuing = [
      ...this.#issuing.filter((key) => key.certificate.notAfter.getTime() > now),
      { certificate, signer },
    ];
    return certificate;
  }
}

/** Names of the keys where they lie. */
const ROOT = 'ca';
const issuingName = (number: number): string => `issuing/${number}`;

/** The key of a certificate, in the first place that has it. */
async function keyOf(
  { publicKey }: Certificate,
  name: string,
  stores: readonly KeyStore[],
): Promise<Signer | undefined> {
  for (const store of stores) {
    const signer = await store.find(name);
    if (signer?.publicKey.equals(publicKey)) return signer;
  }
  return undefined;
}

const ORGANIZATION = 'Not for production';

async function makeRoot(signer: Signer, now: number): Promise<Certificate> {
  const subject = nameOf({ commonName: 'CloudEnerChain development CA', organization: ORGANIZATION });
  const span = { notBefore: now - BACKDATE, notAfter: now + ROOT_DAYS * DAY };
  return parseCertificate(await caCertificate({ subject, signer, pathLength: 1, ...span }, { name: subject, signer }));
}

function caCertificate(
  ca: { subject: Name; signer: Signer; pathLength: number; notBefore: number; notAfter: number },
  issuer: { name: Name; signer: Signer },
): Promise<Uint8Array> {
  const idOf = ({ publicKey }: Signer) => keyIdentifier(publicKey.export({ type: 'spki', format: 'der' }));
  return buildCertificate(
    {
      issuer: issuer.name,
      subject: ca.subject,
      notBefore: new Date(ca.notBefore),
      notAfter: new Date(ca.notAfter),
      publicKey: ca.signer.publicKey,
      extensions: {
        basicConstraints: { ca: true, pathLength: ca.pathLength },
        keyUsage: ['keyCertSign', 'cRLSign'],
        subjectKeyIdentifier: idOf(ca.signer),
        authorityKeyIdentifier: idOf(issuer.signer),
      },
    },
    issuer.signer,
  );
}

const byNumber = (a: string, b: string) => Number.parseInt(a, 10) - Number.parseInt(b, 10);

export function ifMissing<T>(value: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === 'ENOENT') return value;
    throw error;
  };
}
