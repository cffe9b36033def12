/** Whose key is it: certificates of nodes, by the identifier under which they sign. */
import type { KeyObject } from 'node:crypto';
import { type Clock, EnerchainError, systemClock, toMillis } from '@enerchain/model';
import { checkedCertificate, type HeldCertificate, maySign, type Role } from '@enerchain/trust';
import { TCN_LIMITS } from './engine/limits.ts';

export interface KnownKey {
  readonly name: string;
  readonly role: Role;
  readonly key: KeyObject;
  readonly der: Uint8Array;
}

export interface KeyDirectory {
  /** Undefined when it is not known, revoked, or has ended. */
  keyOf(kid: Uint8Array): KnownKey | undefined;
  /**
   * Takes a certificate after checking it against our CA. One whose key makes connections only, or signs evidence only, is
   * none of a signer.
   * @throws PkiError or EnerchainError (fault peer)
   */
  learn(der: Uint8Array): KnownKey;
}

/** Checks against one CA; keeps the newest few thousand. */
export class CertificateDirectory implements KeyDirectory {
  readonly #caPem: () => string;
  readonly #clock: Clock;
  readonly #isRevoked: (kid: Uint8Array) => boolean;
  readonly #known = new Map<string, HeldCertificate>();

  constructor(options: { caPem: string | (() => string); clock?: Clock; isRevoked?: (kid: Uint8Array) => boolean }) {
    const { caPem } = options;
    this.#caPem = typeof caPem === 'string' ? () => caPem : caPem;
    this.#clock = options.clock ?? systemClock;
    this.#isRevoked = options.isRevoked ?? (() => false);
  }

  keyOf(kid: Uint8Array): KnownKey | undefined {
    const held = this.#known.get(Buffer.from(kid).toString('hex'));
    if (!held || this.#isRevoked(kid) || held.notAfter.getTime() < toMillis(this.#clock.now())) return undefined;
    return asKey(held);
  }

  learn(der: Uint8Array): KnownKey {
    const held = checkedCertificate(der.slice(), this.#caPem(), new Date(toMillis(this.#clock.now())));
    if (!maySign(held)) {
      const text = `the key of ${held.holder.name} makes connections only, or signs evidence only`;
      throw new EnerchainError('peer', 'tcn.certificate', text);
    }
    const id = Buffer.from(held.kid).toString('hex');
    this.#known.delete(id);
    this.#known.set(id, held);
    if (this.#known.size > TCN_LIMITS.certificates) this.#known.delete(this.#known.keys().next().value as string);
    return asKey(held);
  }
}

const asKey = (held: HeldCertificate): KnownKey => ({
  name: held.holder.name,
  role: held.holder.role,
  key: held.publicKey,
  der: held.der,
});
