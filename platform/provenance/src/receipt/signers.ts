/** Who signed: certificates of a receipt, checked against the authorities of the anchor, and used at the right time. */
import { describeError, EnerchainError, fromMillis, toIso, type UtcNanos } from '@enerchain/model';
import { type Certificate, commonNameOf, parseCertificate, thumbprint, validatePath } from '@enerchain/pki';
import { type Holder, holderOf, maySign } from '@enerchain/trust';
import { keyIdOfSpki } from '../log/note.ts';
import { same } from '../tree/hash.ts';
import type { Anchor } from './anchor.ts';
import { BrokenLink, type ChainLink } from './finding.ts';
import { keyOf, type Memo } from './memo.ts';

/** A certificate that leads to an authority. */
export interface SignerCertificate {
  readonly certificate: Certificate;
  readonly holder: Holder;
  /** Thumbprint. */
  readonly kid: Uint8Array;
  /** The same in hex. */
  readonly fingerprint: string;
  /** When all certificates of the path are valid. */
  readonly from: UtcNanos;
  readonly until: UtcNanos;
  readonly authority: string;
  /** As in notes. */
  readonly keyId: Uint8Array;
}

/** Reads a certificate and finds its path. @throws PkiError or EnerchainError when it leads to no authority */
function checked(der: Uint8Array, anchor: Anchor): SignerCertificate {
  const certificate = parseCertificate(der);
  const holder = holderOf(certificate);
  if (!maySign(certificate)) {
    throw new EnerchainError('peer', 'receipt.certificate', `a key of ${holder.name} signs what it is not made for`);
  }
  const kid = thumbprint(certificate);
  // The path as such; whether it was valid when something was signed is asked for each signature.
  const { authorities: anchors, issuing: intermediates } = anchor;
  const path = validatePath(certificate, { anchors, intermediates, at: certificate.notBefore });
  const nanos = (date: Date): UtcNanos => fromMillis(date.getTime());
  const most = (times: readonly UtcNanos[]) => times.reduce((a, b) => (a > b ? a : b));
  const least = (times: readonly UtcNanos[]) => times.reduce((a, b) => (a < b ? a : b));
  return {
    certificate,
    holder,
    kid,
    fingerprint: Buffer.from(kid).toString('hex'),
    keyId: keyIdOfSpki(certificate.spki),
    from: most(path.map(({ notBefore }) => nanos(notBefore))),
    until: least(path.map(({ notAfter }) => nanos(notAfter))),
    authority: commonNameOf(path.at(-1)!.subject) ?? 'without a name',
  };
}

/** The certificates of one receipt. */
export class Signers {
  readonly #anchor: Anchor;
  readonly #known = new Map<string, SignerCertificate>();
  readonly #used = new Set<string>();

  /** @throws BrokenLink when one of them leads to no authority, or is there twice */
  constructor(certificates: readonly Uint8Array[], anchor: Anchor, memo: Memo<SignerCertificate>) {
    this.#anchor = anchor;
    for (const der of certificates) {
      let signer: SignerCertificate;
      try {
        signer = memo.get(keyOf(der), () => checked(der, anchor));
      } catch (error) {
        const text = `a certificate leads to no authority of the anchor: ${describeError(error)}`;
        throw new BrokenLink('gateway', 'receipt.certificate', text);
      }
      if (this.#known.has(signer.fingerprint)) {
        throw new BrokenLink('receipt', 'receipt.twice', 'a certificate is in the receipt twice');
      }
      this.#known.set(signer.fingerprint, signer);
    }
  }

  /** @throws BrokenLink when nobody with this key is in the receipt */
  byKid(kid: Uint8Array, link: ChainLink, what: string): SignerCertificate {
    const fingerprint = Buffer.from(kid.buffer, kid.byteOffset, kid.length).toString('hex');
    const signer = this.#known.get(fingerprint);
    if (!signer) {
      const text = `${what} is signed by the key ${fingerprint.slice(0, 16)}…, whose certificate is not in the receipt`;
      throw new BrokenLink(link, 'receipt.signer', text);
    }
    this.#used.add(fingerprint);
    return signer;
  }

  /** @param keyId first octets of SHA-256 over the key */
  byKeyId(name: string, keyId: Uint8Array): SignerCertificate | undefined {
    for (const signer of this.#known.values()) {
      if (signer.holder.name !== name || !same(signer.keyId, keyId)) continue;
      this.#used.add(signer.fingerprint);
      return signer;
    }
    return undefined;
  }

  /** @throws BrokenLink when a certificate was not valid at a time, or was revoked by then */
  validAt(signer: SignerCertificate, at: UtcNanos, link: ChainLink, what: string): void {
    const { fingerprint, from, until, holder } = signer;
    if (at < from || at > until) {
      const text = `${what} was signed at ${toIso(at)}, when the certificate of ${holder.name} was not valid (${toIso(from)} to ${toIso(until)})`;
      throw new BrokenLink(link, 'receipt.certificate.time', text);
    }
    const revoked = this.#anchor.revoked.get(fingerprint);
    if (revoked !== undefined && at >= revoked) {
      const text = `${what} was signed at ${toIso(at)}; the certificate of ${holder.name} was revoked at ${toIso(revoked)}`;
      throw new BrokenLink(link, 'receipt.certificate.revoked', text);
    }
  }

  /**
   * What says no time itself, and was signed before something else: a certificate that began only later cannot have signed it,
   * and one that was revoked by then, while it was still valid, counts for nothing.
   * @throws BrokenLink
   */
  validBefore(signer: SignerCertificate, at: UtcNanos, link: ChainLink, what: string): void {
    const { until } = signer;
    this.validAt(signer, at < until ? at : until, link, what);
  }

  /** @throws BrokenLink when a certificate is in the receipt for nothing */
  allUsed(): void {
    for (const [fingerprint, { holder }] of this.#known) {
      if (this.#used.has(fingerprint)) continue;
      const text = `the certificate of ${holder.name} is in the receipt and signed nothing in it`;
      throw new BrokenLink('receipt', 'receipt.unused', text);
    }
  }
}
