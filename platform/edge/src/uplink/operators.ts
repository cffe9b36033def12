/** The list of the operators' authenticators that this gateway holds, in a file of its own in the data folder. */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { EnerchainError, type OperatorKeyList } from '@enerchain/model';
import { acceptOperatorList, decodeOperatorList, encodeOperatorList } from '@enerchain/trust';

type KeyOf = Parameters<typeof acceptOperatorList>[2];

export class HeldOperators {
  readonly #path: string;
  readonly #keyOf: KeyOf;
  #list: OperatorKeyList | undefined;

  /**
   * @param keyOf public key of the centre by key identifier
   * @throws EnerchainError `edge.operators` (fault environment) when the file is damaged: without it anybody's list would be
   *   taken for the first one, so nobody but a person at the gateway may remove it
   */
  constructor(path: string, keyOf: KeyOf) {
    this.#path = path;
    this.#keyOf = keyOf;
    try {
      this.#list = decodeOperatorList(readFileSync(path));
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return;
      const text = `${path} cannot be read: whose approvals count is unknown. Restore it, or remove it to take the centre's list.`;
      throw new EnerchainError('environment', 'edge.operators', text, { cause });
    }
  }

  get list(): OperatorKeyList | undefined {
    return this.#list;
  }

  get version(): number {
    return this.#list?.version ?? 0;
  }

  /** Takes the next lists, oldest first; each that is taken is durable. @throws EnerchainError as `acceptOperatorList` */
  take(documents: readonly Uint8Array[]): void {
    for (const document of documents) {
      const list = acceptOperatorList(document, this.#list, this.#keyOf);
      this.#keep(encodeOperatorList(list));
      this.#list = list;
    }
  }

  #keep(octets: Uint8Array): void {
    writeFileSync(`${this.#path}.new`, octets, { mode: 0o600, flush: true });
    renameSync(`${this.#path}.new`, this.#path);
    const folder = openSync(dirname(this.#path), 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  }
}
