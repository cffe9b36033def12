/**
 * Certificates that are no longer accepted, by fingerprint. The list lies in the data folder and not in the database:
 * whoever was shut out stays out while the database is away.
 */
import { validator } from '@enerchain/model';
import Type from 'typebox';
import type { LogFiles } from '../log/files.ts';

export const Revocation = Type.Object({
  fingerprint: Type.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256 of the certificate, hex' }),
  name: Type.String(),
  reason: Type.String({ maxLength: 500 }),
  at: Type.String({ description: 'ISO 8601' }),
});
export type Revocation = Type.Static<typeof Revocation>;

const list = validator(Type.Array(Revocation));

export class RevocationList {
  readonly #files: LogFiles;
  readonly #path: string;
  readonly #revoked: Map<string, Revocation>;

  private constructor(files: LogFiles, path: string, revoked: readonly Revocation[]) {
    this.#files = files;
    this.#path = path;
    this.#revoked = new Map(revoked.map((each) => [each.fingerprint, each]));
  }

  static async open(files: LogFiles, path: string): Promise<RevocationList> {
    const text = (await files.readAll(path))?.toString('utf8') ?? '[]';
    return new RevocationList(files, path, list.parse(JSON.parse(text), path));
  }

  has(fingerprint: string): boolean {
    return this.#revoked.has(fingerprint);
  }

  all(): readonly Revocation[] {
    return [...this.#revoked.values()];
  }

  /** Resolves when the revocations are durable; they are in force at once. */
  async add(revocations: readonly Revocation[]): Promise<void> {
    for (const revocation of revocations) this.#revoked.set(revocation.fingerprint, revocation);
    await this.#files.writeAll(this.#path, Buffer.from(JSON.stringify(this.all(), undefined, 1)));
  }
}
