/** What an authority has issued, in a folder: `<thumbprint>.pem` each. Batches are verified by it for as long as they are kept. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EnerchainError } from '@enerchain/model';
import { type Certificate, certificateFromPem, parseCertificate, thumbprint, toPem } from '@enerchain/pki';
import { writeDurably } from './identity.ts';
import { type Holder, holderOf } from './role.ts';

/** Days for which a certificate is kept after its end: what it signed may come late, and is kept for a year. */
const KEPT_DAYS = 400;

export class IssuedCertificates {
  readonly #dir: string;
  readonly #byKid = new Map<string, Certificate>();
  /** Whose key it is, by SHA-256 of the public key. */
  readonly #holders = new Map<string, Holder>();

  private constructor(dir: string) {
    this.#dir = dir;
  }

  static async open(dir: string, now: number): Promise<IssuedCertificates> {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const issued = new IssuedCertificates(dir);
    for (const file of await readdir(dir)) {
      if (!file.endsWith('.pem')) continue;
      const certificate = certificateFromPem(await readFile(join(dir, file), 'utf8'), file);
      if (now - certificate.notAfter.getTime() > KEPT_DAYS * 86_400_000) await rm(join(dir, file), { force: true });
      else issued.#know(certificate);
    }
    return issued;
  }

  #know(certificate: Certificate): void {
    this.#byKid.set(kidOf(certificate), certificate);
    this.#holders.set(keyOf(certificate.spki), holderOf(certificate));
  }

  /** @param kid thumbprint, hex */
  get(kid: string): Certificate | undefined {
    return this.#byKid.get(kid);
  }

  all(): ReadonlyMap<string, Certificate> {
    return this.#byKid;
  }

  /**
   * A key stands for one holder: the same one under a second name is a copied folder or a stolen key.
   * @throws EnerchainError `trust.ca.key-in-use` (fault peer)
   */
  checkKey(spki: Uint8Array, holder: Holder): void {
    const owner = this.#holders.get(keyOf(spki));
    if (!owner || (owner.name === holder.name && owner.role === holder.role)) return;
    throw new EnerchainError(
      'peer',
      'trust.ca.key-in-use',
      `the key of the request is that of ${owner.role} ${owner.name}; ${holder.role} ${holder.name} must make its own`,
    );
  }

  async add(der: Uint8Array): Promise<string> {
    const certificate = parseCertificate(der);
    const pem = toPem('CERTIFICATE', der);
    await writeDurably(join(this.#dir, `${kidOf(certificate)}.pem`), pem);
    this.#know(certificate);
    return pem;
  }

  /** What was not handed out after all. Its key stays that of its holder. */
  async remove(der: Uint8Array): Promise<void> {
    const kid = Buffer.from(thumbprint(der)).toString('hex');
    this.#byKid.delete(kid);
    await rm(join(this.#dir, `${kid}.pem`), { force: true });
  }
}

const kidOf = (certificate: Certificate): string => Buffer.from(thumbprint(certificate)).toString('hex');
const keyOf = (spki: Uint8Array): string => createHash('sha256').update(spki).digest('hex');
