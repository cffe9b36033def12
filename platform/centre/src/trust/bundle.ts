/**
 * What every node of the network judges by, signed by this centre: policy, reference values, what was revoked. Gateways fetch
 * it over their link and pass it on to their neighbours, so that a station without its centre goes on judging.
 */
import { createHash } from 'node:crypto';
import type { SignedManifest, TrustPolicy } from '@enerchain/attestation';
import { type Clock, toMillis } from '@enerchain/model';
import { MAX_BUNDLE, signBundle } from '@enerchain/tcn';
import type { CborValue, Identity } from '@enerchain/trust';
import type { Authorities } from './authority.ts';

export interface BundleOptions {
  /** Asked for each time: its certificate is renewed while the centre runs. */
  readonly identity: Identity;
  readonly policy: TrustPolicy;
  readonly authorities: Authorities;
  /** Fingerprints (hex) of certificates that are no longer accepted. */
  revoked(): readonly string[];
  readonly clock: Clock;
}

/** Octets of a bundle for everything that is no manifest. */
const RESERVE = 512 << 10;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

export class BundleSigner {
  readonly #options: BundleOptions;
  #made: { readonly key: string; readonly bytes: Uint8Array; readonly hash: Uint8Array } | undefined;
  #making: Promise<unknown> = Promise.resolve();
  #sequence = 0;

  constructor(options: BundleOptions) {
    this.#options = options;
  }

  /** SHA-256 of the bundle in force: the answer to `tcn.gossip`. */
  async hash(): Promise<Uint8Array> {
    return (await this.#current()).hash;
  }

  /** The answer to `tcn.bundle`: the bundle, and DER of the certificate whose key signed it. */
  async answer(): Promise<CborValue> {
    const { bytes } = await this.#current();
    return [bytes, this.#options.identity.certificate.der];
  }

  /** Makes another one when something in it has changed. */
  #current() {
    const next = this.#making.then(() => this.#make());
    this.#making = next.catch(() => undefined);
    return next;
  }

  async #make() {
    const { authorities, policy, identity, clock } = this.#options;
    const { references } = authorities;
    const now = clock.now();
    const revoked = [...this.#options.revoked()].sort();
    const manifests = newestThatFit(references.all().filter((each) => references.endOf(each) > now));
    const key = JSON.stringify([
      policy,
      hex(identity.kid),
      [...authorities.keys.keys()].sort(),
      manifests.map((each) => `${each.digest} ${references.endOf(each)}`),
      revoked,
    ]);
    if (this.#made?.key === key) return this.#made;
    this.#sequence = Math.max(this.#sequence + 1, Math.floor(toMillis(now)));
    const bytes = await signBundle(identity.signer, identity.kid, {
      sequence: this.#sequence,
      policy,
      authorities: [...authorities.keys].map(([kid, each]) => ({
        kid: Buffer.from(kid, 'hex'),
        spki: each.export({ type: 'spki', format: 'der' }),
      })),
      manifests: manifests.map((each) => {
        const end = references.endOf(each);
        return { bytes: each.bytes, until: end < each.manifest.notAfter ? end : undefined };
      }),
      revoked: revoked.map((fingerprint) => Buffer.from(fingerprint, 'hex')),
    });
    this.#made = { key, bytes, hash: createHash('sha256').update(bytes).digest() };
    return this.#made;
  }
}

/** A bundle has a bound: what is older than what fits is left out, and nodes that still run it are noticed. */
function newestThatFit(manifests: readonly SignedManifest[]): SignedManifest[] {
  let room = MAX_BUNDLE - RESERVE;
  return [...manifests]
    .sort((a, b) => b.manifest.version - a.manifest.version || (a.digest < b.digest ? -1 : 1))
    .filter(({ bytes }) => {
      room -= bytes.length + 16;
      return room >= 0;
    });
}
