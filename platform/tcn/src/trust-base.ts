/** What a node judges by: the newest bundle of the centre, kept on disk, so that a node that starts without the centre has one. */
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ReferenceValues, type TrustPolicy } from '@enerchain/attestation';
import { describeError } from '@enerchain/model';
import { writeDurably } from '@enerchain/trust';
import { bundleSigner, readBundle, referencesOf, type TrustBundle } from './bundle.ts';
import { hexOf, sha256 } from './engine/evidence-store.ts';
import type { KeyDirectory } from './keys.ts';

export interface HeldBundle {
  readonly sequence: number;
  /** SHA-256 of `bytes`. */
  readonly hash: Uint8Array;
  readonly bytes: Uint8Array;
}

export interface TrustBaseOptions {
  readonly keys: KeyDirectory;
  /**
   * Where the bundle is kept; absent: in memory only. The certificate of the centre that signed it is kept beside it
   * (`.signer`), so that it can be checked at the next start.
   */
  readonly file?: string;
  readonly onTrouble: (text: string) => void;
}

export class TrustBase {
  readonly #options: TrustBaseOptions;
  readonly #listeners = new Set<() => void>();
  #keeping: Promise<void> = Promise.resolve();
  #held: HeldBundle | undefined;
  #bundle: TrustBundle | undefined;
  #references = new ReferenceValues();
  #revoked: ReadonlySet<string> = new Set();

  constructor(options: TrustBaseOptions) {
    this.#options = options;
    const { file, keys, onTrouble } = options;
    if (file === undefined) return;
    try {
      keys.learn(readFileSync(`${file}.signer`));
      this.#use(readFileSync(file));
    } catch (error) {
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      // Without it everybody is unknown until the centre or a neighbour gives one.
      if (!missing) onTrouble(`the bundle in ${file} is not used: ${describeError(error)}`);
    }
  }

  /** Resolves when the one that is held is on disk. */
  get kept(): Promise<void> {
    return this.#keeping;
  }

  get held(): HeldBundle | undefined {
    return this.#held;
  }

  get policy(): TrustPolicy | undefined {
    return this.#bundle?.policy;
  }

  get references(): ReferenceValues {
    return this.#references;
  }

  /** @param fingerprint SHA-256 of a certificate, hex */
  isRevoked(fingerprint: string): boolean {
    return this.#revoked.has(fingerprint);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Takes a bundle that came from the centre or a neighbour.
   * @returns whether it is newer than the one that is held; an older one changes nothing
   * @throws EnerchainError as `readBundle`
   */
  take(bytes: Uint8Array): boolean {
    if (!this.#use(bytes)) return false;
    this.#keeping = this.#keep(bytes);
    for (const listener of this.#listeners) listener();
    return true;
  }

  #use(bytes: Uint8Array): boolean {
    const bundle = readBundle(bytes, this.#options.keys);
    if (this.#held && bundle.sequence <= this.#held.sequence) return false;
    this.#references = referencesOf(bundle, (error) =>
      this.#options.onTrouble(`a manifest in the bundle is not used: ${describeError(error)}`),
    );
    this.#revoked = new Set(bundle.revoked.map(hexOf));
    this.#bundle = bundle;
    this.#held = { sequence: bundle.sequence, hash: sha256(bytes), bytes: bytes.slice() };
    return true;
  }

  async #keep(bytes: Uint8Array): Promise<void> {
    const { file, keys, onTrouble } = this.#options;
    if (file === undefined) return;
    try {
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
      const signer = keys.keyOf(bundleSigner(bytes))?.der;
      if (signer) await writeDurably(`${file}.signer`, signer, 0o600);
      await writeDurably(file, bytes, 0o600);
    } catch (error) {
      onTrouble(`the bundle cannot be kept: ${describeError(error)}`);
    }
  }
}
