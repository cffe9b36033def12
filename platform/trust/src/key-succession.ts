/** Which key gave way to which, with what the old one has signed about it; a file. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { EnerchainError } from '@enerchain/model';
import { ifMissing } from './authority-keys.ts';
import { writeDurably } from './identity.ts';

interface Entry {
  readonly name: string;
  /** SHA-256 of the public keys, hex. */
  readonly old: string;
  readonly next: string;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  /** What the old key has signed: the full request by CMC that names the new one, base64. */
  readonly statement: string;
}

export class KeySuccession {
  readonly #path: string;
  #entries: readonly Entry[];

  private constructor(path: string, entries: readonly Entry[]) {
    this.#path = path;
    this.#entries = entries;
  }

  static async open(path: string): Promise<KeySuccession> {
    const text = await readFile(path, 'utf8').catch(ifMissing('[]'));
    return new KeySuccession(path, JSON.parse(text) as Entry[]);
  }

  /** SHA-256 of the key that took its place, hex. */
  successorOf(spki: Uint8Array): string | undefined {
    const key = hash(spki);
    return this.#entries.find(({ old }) => old === key)?.next;
  }

  /** @throws EnerchainError `trust.rotate.superseded` (fault peer) when the old key has another successor */
  async add(step: {
    readonly old: Uint8Array;
    readonly next: Uint8Array;
    readonly name: string;
    readonly at: number;
    readonly statement: Uint8Array;
  }): Promise<void> {
    const [old, next] = [hash(step.old), hash(step.next)];
    const present = this.successorOf(step.old);
    if (present === next) return;
    if (present !== undefined || this.#entries.some((entry) => entry.old === next)) {
      const text = `the key of ${step.name} has given way to another before; whoever asks holds an old copy of it`;
      throw new EnerchainError('peer', 'trust.rotate.superseded', text);
    }
    const statement = Buffer.from(step.statement).toString('base64');
    const entries = [...this.#entries, { name: step.name, old, next, at: step.at, statement }];
    await writeDurably(this.#path, `${JSON.stringify(entries, undefined, 1)}\n`);
    this.#entries = entries;
  }
}

const hash = (spki: Uint8Array): string => createHash('sha256').update(spki).digest('hex');
