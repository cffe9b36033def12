/**
 * Certificates get a place in the log before they are handed out, those of others when they are met for the first time, and
 * all when they are revoked: whoever reads the log sees every certificate that this centre has ever accepted, also one that should not be.
 */
import { join } from 'node:path';
import type { LinkPeer } from '@enerchain/link';
import type { CertificateRecord } from '@enerchain/model';
import { fromIso } from '@enerchain/model';
import type { Certificate } from '@enerchain/pki';
import { ATTESTATION_USAGE, holderOf } from '@enerchain/trust';
import type { LogFiles } from '../log/files.ts';
import type { LogPublisher } from '../ports.ts';
import type { RevocationList } from '../sources/revocation.ts';

export interface CertificateLogOptions {
  readonly folder: string;
  readonly files: LogFiles;
  readonly own: LogPublisher;
  readonly revocations: Pick<RevocationList, 'all'>;
  /** Certificates of a source that have not ended, by fingerprint. */
  readonly certificatesOf: (name: string) => ReadonlyMap<string, Certificate>;
  readonly certificateOf: (kid: Uint8Array) => Certificate | undefined;
}

export class CertificateLog {
  readonly #options: CertificateLogOptions;
  readonly #path: string;
  readonly #logged: Set<string>;
  readonly #met = new WeakSet<LinkPeer>();

  private constructor(options: CertificateLogOptions, path: string, logged: readonly string[]) {
    this.#options = options;
    this.#path = path;
    this.#logged = new Set(logged);
  }

  static async open(options: CertificateLogOptions): Promise<CertificateLog> {
    const path = join(options.folder, 'certificates');
    const text = (await options.files.readAll(path))?.toString('utf8') ?? '';
    return new CertificateLog(options, path, text.split('\n').filter(Boolean));
  }

  /** Logs a certificate unless it has its place already. */
  async note(certificate: Certificate, fingerprint: string, use?: CertificateRecord['use']): Promise<void> {
    if (this.#logged.has(fingerprint)) return;
    const { name, role } = use === 'authority' ? { name: 'authority', role: 'authority' } : holderOf(certificate);
    await this.#put(fingerprint, { name, role, ...(use ? { use } : {}), certificate: certificate.der });
  }

  /** Looks at who is connected and what was revoked since. */
  async look(peers: readonly LinkPeer[]): Promise<void> {
    const { certificatesOf, certificateOf, revocations } = this.#options;
    for (const peer of peers) {
      if (this.#met.has(peer)) continue;
      this.#met.add(peer);
      for (const [fingerprint, certificate] of certificatesOf(peer.source)) {
        const attests = certificate.extensions.extKeyUsage?.includes(ATTESTATION_USAGE) ?? false;
        await this.note(certificate, fingerprint, attests ? 'attestation' : 'identity');
      }
    }
    for (const { fingerprint, at, reason } of revocations.all()) {
      const key = `${fingerprint} revoked`;
      const certificate = this.#logged.has(key) ? undefined : certificateOf(Buffer.from(fingerprint, 'hex'));
      if (!certificate) continue;
      const revoked = { at: fromIso(at).toString(), reason: reason.slice(0, 200) };
      await this.#put(key, { ...holderOf(certificate), use: 'identity', certificate: certificate.der, revoked });
    }
  }

  async #put(key: string, record: CertificateRecord): Promise<void> {
    const { own, files } = this.#options;
    // At once, since it may be met while it is written.
    this.#logged.add(key);
    try {
      await own.publish({ kind: 'certificate', record });
    } catch (error) {
      this.#logged.delete(key);
      throw error;
    }
    // When it is lost, a certificate is in the log twice: no harm.
    await files.writeAll(this.#path, Buffer.from([...this.#logged].join('\n')));
  }
}
