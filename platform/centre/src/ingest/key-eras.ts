/**
 * From where in its chain on a source has signed with which certificate. A key that has given way to a newer one signs
 * nothing behind the place where the newer one began; what lies before it may still come, since a rotation loses no data.
 */
import type { Certificate } from '@enerchain/pki';

/** Where a certificate was named first. */
export interface KeyEra {
  /** SHA-256 of the certificate, hex. */
  readonly kid: string;
  readonly epoch: number;
  readonly sequence: number;
}

/** Certificates remembered of one source; they are renewed daily, keys far less often. The oldest is forgotten first. */
const MOST_ERAS = 64;

export class KeyEras {
  #eras: KeyEra[];

  constructor(kept: readonly KeyEra[] = []) {
    this.#eras = [...kept];
  }

  /** In the order in which they were named first. */
  all(): readonly KeyEra[] {
    return this.#eras;
  }

  /** A batch was taken that names a certificate. */
  note(kid: Uint8Array, { epoch, sequence }: { readonly epoch: number; readonly sequence: number }): void {
    const name = Buffer.from(kid).toString('hex');
    const index = this.#eras.findIndex((era) => era.kid === name);
    const known = this.#eras[index];
    // What comes late, from an older epoch, shows that it was in use before.
    if (known && isBefore({ epoch, sequence }, known)) this.#eras[index] = { kid: name, epoch, sequence };
    if (known) return;
    this.#eras.push({ kid: name, epoch, sequence });
    if (this.#eras.length > MOST_ERAS) this.#eras.shift();
  }
}

/** What the authority says of certificates. */
export interface IssuedKeys {
  certificateOf(kid: Uint8Array): Certificate | undefined;
  /** Thumbprints of what was issued for a key. */
  kidsOf(spki: Uint8Array): readonly Uint8Array[];
}

/**
 * The place from which on a newer key has signed, when that lies before a batch.
 * @param kid what the batch names
 * @param at where it stands in the chain
 * @returns undefined when the key of the batch was in force there
 */
export function supersededFrom(
  kid: Uint8Array,
  at: { readonly epoch: number; readonly sequence: number },
  eras: readonly KeyEra[],
  issued: IssuedKeys,
): KeyEra | undefined {
  const certificate = issued.certificateOf(kid);
  if (!certificate) return undefined;
  const keyOf = (era: KeyEra) => issued.certificateOf(Buffer.from(era.kid, 'hex'));
  const isSame = (other: Certificate) => Buffer.compare(other.spki, certificate.spki) === 0;
  const firstSeen = eras.findIndex((era) => {
    const other = keyOf(era);
    return other !== undefined && isSame(other);
  });
  const began = firstIssued(certificate, issued);
  return eras.find((era, index) => {
    if (!isBefore(era, at)) return false;
    const other = keyOf(era);
    if (!other || isSame(other)) return false;
    const otherBegan = firstIssued(other, issued);
    // Of two keys of one second the one that was used later is the newer.
    return otherBegan > began || (otherBegan === began && firstSeen >= 0 && index > firstSeen);
  });
}

function firstIssued({ spki, notBefore }: Certificate, issued: IssuedKeys): number {
  const dates = issued.kidsOf(spki).flatMap((kid) => issued.certificateOf(kid)?.notBefore.getTime() ?? []);
  return Math.min(notBefore.getTime(), ...dates);
}

const isBefore = (
  a: { readonly epoch: number; readonly sequence: number },
  b: { readonly epoch: number; readonly sequence: number },
): boolean => a.epoch < b.epoch || (a.epoch === b.epoch && a.sequence < b.sequence);
