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

  private constructor(dir: string, keyOf: (kid: Uint8Array) => KeyObject | undefined) {
    this.#dir = dir;
    this.#keyOf = keyOf;
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
    const folder = new ManifestFolder(dir, keyOf);
    for (const file of (await readdir(dir)).sort()) {
      try {
        const digest = file.replace(/\.(?:corim|until)$/, '');
        if (file.endsWith('.corim')) {
          const signed = readManifest(await readFile(join(dir, file)), keyOf);
          if (signed.digest !== digest) throw new Error(`its content is ${signed.digest}`);
          folder.values.add(signed);
        } else if (file.endsWith('.until')) {
          folder.values.withdraw(digest, fromIso((await readFile(join(dir, file), 'utf8')).trim()));
        }
      } catch (error) {
        onRefused(file, describeError(error));
      }
    }
    return folder;
  }

  /** Takes a manifest in. @throws what `readManifest` throws */
  async add(bytes: Uint8Array): Promise<SignedManifest> {
    const signed = readManifest(bytes, this.#keyOf);
    if (!this.values.get(signed.digest)) {
      await writeDurably(join(this.#dir, `${signed.digest}.corim`), Buffer.from(bytes));
      this.values.add(signed);
    }
    return signed;
  }

  async withdraw(digest: string, at: UtcNanos): Promise<void> {
    await writeDurably(join(this.#dir, `${digest}.until`), `${toIso(at)}\n`);
    this.values.withdraw(digest, at);
  }
}
