/** An IMA list extended into its PCR, entry by entry, so that a list that grows is replayed only once. */
import { HASHES, type HashAlgorithm } from '../spec/algorithms.ts';
import { extendPcr, initialPcr, type PcrBank } from '../structures/pcr.ts';
import { type ImaEntry, templateDigest } from './ima-template.ts';

export interface ImaReplayOptions {
  /** Banks to compute; SHA-256 by default. */
  readonly hashes?: readonly HashAlgorithm[];
  /** Algorithm of the digests in the list; SHA-1 by default. */
  readonly listHash?: HashAlgorithm;
  /**
   * What kernels before 5.8 extend into other banks than SHA-1: the SHA-1 digest, padded with zeros. Later ones hash the
   * template data with the bank’s algorithm.
   */
  readonly padded?: boolean;
}

export class ImaReplay {
  readonly #hashes: readonly HashAlgorithm[];
  readonly #listHash: HashAlgorithm;
  readonly #padded: boolean;
  readonly #banks: Map<HashAlgorithm, Map<number, Uint8Array>>;
  readonly #mismatches: number[] = [];
  readonly #violations: number[] = [];
  #count = 0;

  constructor({ hashes = ['sha256'], listHash = 'sha1', padded = false }: ImaReplayOptions = {}) {
    this.#hashes = hashes;
    this.#listHash = listHash;
    this.#padded = padded;
    this.#banks = new Map(hashes.map((hash) => [hash, new Map()]));
  }

  extend(entry: ImaEntry): void {
    const listed = entry.violation ? undefined : templateDigest(this.#listHash, entry);
    if (listed === undefined) this.#violations.push(this.#count);
    else if (Buffer.compare(listed, entry.templateDigest) !== 0) this.#mismatches.push(this.#count);
    for (const hash of this.#hashes) {
      const values = this.#banks.get(hash)!;
      const old = values.get(entry.pcr) ?? initialPcr(hash, entry.pcr);
      values.set(entry.pcr, extendPcr(hash, old, this.#measured(hash, entry, listed)));
    }
    this.#count++;
  }

  /** A violation is listed as zeros and extended as ones, so that the list never replays to a good value by chance. */
  #measured(hash: HashAlgorithm, entry: ImaEntry, listed: Uint8Array | undefined): Uint8Array {
    const { size } = HASHES[hash];
    if (listed === undefined) return new Uint8Array(size).fill(0xff);
    if (hash === this.#listHash) return entry.templateDigest;
    if (!this.#padded) return templateDigest(hash, entry);
    const padded = new Uint8Array(size);
    padded.set(entry.templateDigest.subarray(0, size));
    return padded;
  }

  /** Entries so far. */
  get count(): number {
    return this.#count;
  }

  /** Positions of entries whose digest is not that of their contents. */
  get mismatches(): readonly number[] {
    return this.#mismatches;
  }

  /** Positions of violations. */
  get violations(): readonly number[] {
    return this.#violations;
  }

  /** The PCRs as they are now, usually PCR 10. */
  get pcrs(): readonly PcrBank[] {
    return [...this.#banks].map(([hash, values]) => ({ hash, values: new Map(values) }));
  }
}

/** A whole list at once. */
export function replayIma(entries: Iterable<ImaEntry>, options?: ImaReplayOptions): ImaReplay {
  const replay = new ImaReplay(options);
  for (const entry of entries) replay.extend(entry);
  return replay;
}
