/**
 * Manifests in a folder: `<SHA-256>.corim`, and beside it `<SHA-256>.until` with the moment from which it is withdrawn.
 * A file under a name that is not its content's is not read.
 */
import type { KeyObject } from 'node:crypto';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError, fromIso, toIso, type UtcNanos } from '@enerchain/model';
import { writeDurably } from '@enerchain/trust';
import { readManifest, type SignedManifest } from './corim.ts';
import { ReferenceValues } from './values.ts';

export class ManifestFolder {
  readonly values = new ReferenceValues();
  readonly #dir: string;
  readonly #keyOf: (kid: Uint8Array) => KeyObject | undefined;

  readonly #onRefused: (file: string, reason: string) => void;
  /** Files that were read, and those that were not used. */
  readonly #seen = new Set<string>();

  private constructor(
    dir: string,
    keyOf: (kid: Uint8Array) => KeyObject | undefined,
    onRefused: (file: string, reason: string) => void,
  ) {
    this.#dir = dir;
    this.#keyOf = keyOf;
    this.#onRefused = onRefused;
  }

  /**
   * Opens a folder and reads what is in it.
   * @param keyOf public keys of the authorities whose manifests count
   * @param onRefused a file that is not used, and why
   */
  static async open(
    dir: string,
    keyOf: (kid: Uint8Array) => KeyObject | undefined,
    onRefused: (file: string, reason: string) => void,
  ): Promise<ManifestFolder> {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const folder = new ManifestFolder(dir, keyOf, onRefused);
    await folder.look();
    return folder;
  }

  /** Reads what has been put there since. @returns whether there was anything */
  async look(): Promise<boolean> {
    const fresh = (await readdir(this.#dir)).filter((file) => /\.(?:corim|until)$/.test(file) && !this.#seen.has(file));
    for (const file of fresh.sort()) {
      this.#seen.add(file);
      try {
        await this.#read(file);
      } catch (error) {
        this.#onRefused(file, describeError(error));
      }
    }
    return fresh.length > 0;
  }

  async #read(file: string): Promise<void> {
    const [digest = '', kind] = file.split('.');
    const path = join(this.#dir, file);
    if (kind === 'until') {
      this.values.withdraw(digest, fromIso((await readFile(path, 'utf8')).trim()));
      return;
    }
    const signed = readManifest(await readFile(path), this.#keyOf);
    if (signed.digest !== digest) throw new Error(`its content is ${signed.digest}`);
    this.values.add(signed);
  }

  /** Takes a manifest in. @throws what `readManifest` throws */
  async add(bytes: Uint8Array): Promise<SignedManifest> {
    const signed = readManifest(bytes, this.#keyOf);
    if (!this.values.get(signed.digest)) {
      this.#seen.add(`${signed.digest}.corim`);
      await writeDurably(join(this.#dir, `${signed.digest}.corim`), Buffer.from(bytes));
      this.values.add(signed);
    }
    return signed;
  }

  async withdraw(digest: string, at: UtcNanos): Promise<void> {
    this.#seen.add(`${digest}.until`);
    await writeDurably(join(this.#dir, `${digest}.until`), `${toIso(at)}\n`);
    this.values.withdraw(digest, at);
  }
}
