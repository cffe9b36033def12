/** A revocation list whose signature was checked, and the lists of several authorities kept up to date. */
import { createHash } from 'node:crypto';
import type { Certificate } from '../certificate.ts';
import { PkiError } from '../error.ts';
import { commonNameOf } from '../name.ts';
import type { RevocationCheck, RevocationStatus } from '../revocation.ts';
import type { CrlScope } from './crl-writer.ts';
import type { RevocationIndex, RevokedCertificate } from './revocation-index.ts';

export class RevocationList {
  readonly issuer: Certificate;
  readonly thisUpdate: Date;
  /** Until when the issuer promises to have issued the next one; it may not say. */
  readonly nextUpdate: Date | undefined;
  readonly number: bigint | undefined;
  readonly scope: CrlScope;
  readonly #index: RevocationIndex;

  constructor(parts: {
    readonly issuer: Certificate;
    readonly thisUpdate: Date;
    readonly nextUpdate: Date | undefined;
    readonly number: bigint | undefined;
    readonly scope: CrlScope;
    readonly index: RevocationIndex;
  }) {
    this.issuer = parts.issuer;
    this.thisUpdate = parts.thisUpdate;
    this.nextUpdate = parts.nextUpdate;
    this.number = parts.number;
    this.scope = parts.scope;
    this.#index = parts.index;
  }

  /** Number of certificates revoked. */
  get size(): number {
    return this.#index.size;
  }

  /** @param serialNumber contents of the INTEGER */
  find(serialNumber: Uint8Array): RevokedCertificate | undefined {
    return this.#index.find(serialNumber);
  }

  entries(): Iterable<RevokedCertificate> {
    return this.#index.entries();
  }

  /** Whether the list speaks about a certificate of its issuer. */
  covers(certificate: Certificate): boolean {
    if (this.scope === 'all') return true;
    return (certificate.extensions.basicConstraints?.ca ?? false) === (this.scope === 'authorities');
  }

  /**
   * What the list says of a certificate of its issuer at a time. A revocation counts from its date, or from the earlier one
   * since when the certificate is known to be invalid. That something is not in a list says nothing once the list is out of
   * date, nor about certificates that had ended before it was made, since those may be left out (RFC 5280 § 3.3).
   */
  statusOf(certificate: Certificate, at: Date): RevocationStatus {
    const entry = this.find(certificate.serialNumber);
    if (entry) {
      const since = Math.min(entry.revokedAt.getTime(), entry.invalidSince?.getTime() ?? Number.POSITIVE_INFINITY);
      if (since <= at.getTime()) return { kind: 'revoked', at: new Date(since), reason: entry.reason };
    }
    if (!this.nextUpdate || at > this.nextUpdate) {
      return {
        kind: 'unknown',
        why: `the revocation list ended on ${this.nextUpdate?.toISOString() ?? 'no stated date'}`,
      };
    }
    if (!entry && certificate.notAfter < this.thisUpdate) {
      return { kind: 'unknown', why: 'the revocation list was made after the certificate had ended' };
    }
    return { kind: 'good' };
  }
}

const keyOf = (issuer: Certificate): string => createHash('sha256').update(issuer.spki).digest('base64');

/** The current lists of several authorities, as a `RevocationCheck`; tells listeners when one was replaced. */
export class RevocationLists {
  /** By the issuer's key; one list per scope. */
  readonly #lists = new Map<string, readonly RevocationList[]>();
  readonly #listeners = new Set<(list: RevocationList) => void>();

  /**
   * Takes a list in place of the one before.
   * @returns whether it is newer than what was there; the same one again changes nothing
   * @throws PkiError `pki.crl.older` (fault peer): a list that goes back in number or time could hide a revocation
   */
  accept(list: RevocationList): boolean {
    const key = keyOf(list.issuer);
    const known = this.#lists.get(key) ?? [];
    const before = known.find(({ scope }) => scope === list.scope);
    if (before) {
      const order = compare(list.number ?? -1n, before.number ?? -1n) || compare(+list.thisUpdate, +before.thisUpdate);
      if (order === 0) return false;
      if (order < 0 || list.thisUpdate < before.thisUpdate) {
        const name = commonNameOf(list.issuer.subject) ?? 'an authority without a name';
        throw new PkiError('peer', 'pki.crl.older', `the revocation list of ${name} is older than the one at hand`);
      }
    }
    this.#lists.set(key, [...known.filter((other) => other !== before), list]);
    for (const listener of [...this.#listeners]) listener(list);
    return true;
  }

  /** @returns takes the listener off again */
  onChange(listener: (list: RevocationList) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The list that speaks about a certificate. */
  listFor(certificate: Certificate, issuer: Certificate): RevocationList | undefined {
    return this.#lists.get(keyOf(issuer))?.find((list) => list.covers(certificate));
  }

  /** For `validatePath`. */
  readonly check: RevocationCheck = (certificate, issuer, at) => {
    const list = this.listFor(certificate, issuer);
    return list
      ? list.statusOf(certificate, at)
      : { kind: 'unknown', why: 'there is no revocation list of its issuer' };
  };
}

const compare = <T extends number | bigint>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0);

/** Asks one after the other until somebody knows. */
export const firstThatKnows =
  (...checks: readonly RevocationCheck[]): RevocationCheck =>
  (certificate, issuer, at) => {
    const reasons: string[] = [];
    for (const check of checks) {
      const status = check(certificate, issuer, at);
      if (status.kind !== 'unknown') return status;
      reasons.push(status.why);
    }
    return { kind: 'unknown', why: reasons.join('; ') || 'nobody was asked' };
  };
