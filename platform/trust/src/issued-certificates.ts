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
const DAY = 86_400_000;

export class IssuedCertificates {
  readonly #dir: string;
  readonly #byKid = new Map<string, Certificate>();
  /** Whose key it is and what was issued for it (thumbprints, hex), by SHA-256 of the public key. */
  readonly #keys = new Map<string, { readonly holder: Holder; readonly kids: string[] }>();
  #prunedAt: number;

  private constructor(dir: string, now: number) {
    this.#dir = dir;
    this.#prunedAt = now;
  }

  static async open(dir: string, now: number): Promise<IssuedCertificates> {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const issued = new IssuedCertificates(dir, now);
    for (const file of await readdir(dir)) {
      if (!file.endsWith('.pem')) continue;
      const certificate = certificateFromPem(await readFile(join(dir, file), 'utf8'), file);
      if (isOver(certificate, now)) await rm(join(dir, file), { force: true });
      else issued.#know(certificate);
    }
    return issued;
  }

  /** Forgets what ended too long ago to be asked for; once a day at most. */
  async prune(now: number): Promise<void> {
    if (Math.abs(now - this.#prunedAt) < DAY) return;
    this.#prunedAt = now;
    for (const [kid, certificate] of this.#byKid) {
      if (!isOver(certificate, now)) continue;
      await rm(join(this.#dir, `${kid}.pem`), { force: true });
      this.#byKid.delete(kid);
      const key = keyOf(certificate.spki);
      const known = this.#keys.get(key);
      const left = known?.kids.filter((each) => each !== kid) ?? [];
      if (known && left.length > 0) this.#keys.set(key, { ...known, kids: left });
      else this.#keys.delete(key);
    }
  }

  #know(certificate: Certificate): void {
    const kid = kidOf(certificate);
    this.#byKid.set(kid, certificate);
    const known = this.#keys.get(keyOf(certificate.spki));
    if (known) known.kids.push(kid);
    else this.#keys.set(keyOf(certificate.spki), { holder: holderOf(certificate), kids: [kid] });
  }

  /** @param kid thumbprint, hex */
  get(kid: string): Certificate | undefined {
    return this.#byKid.get(kid);
  }

  all(): ReadonlyMap<string, Certificate> {
    return this.#byKid;
  }

  /** Thumbprints (hex) of what was issued for a key. */
  kidsOf(spki: Uint8Array): readonly string[] {
    return this.#keys.get(keyOf(spki))?.kids ?? [];
  }

  /**
   * A key stands for one holder: the same one under a second name is a copied folder or a stolen key.
   * @throws EnerchainError `trust.ca.key-in-use` (fault peer)
   */
  checkKey(spki: Uint8Array, holder: Holder): void {
    const owner = this.#keys.get(keyOf(spki))?.holder;
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

const isOver = ({ notAfter }: Certificate, now: number): boolean => now - notAfter.getTime() > KEPT_DAYS * DAY;
const kidOf = (certificate: Certificate): string => Buffer.from(thumbprint(certificate)).toString('hex');
const keyOf = (spki: Uint8Array): string => createHash('sha256').update(spki).digest('hex');
