/** The last entry of each buffered report that is safely on disk: from there a restarted gateway goes on. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** How long changes are gathered before they are written, ms: after a crash the entries since then come again, and are marked as repeats. */
const GATHER = 250;

export class Entries {
  readonly #file: string;
  readonly #onError: (error: unknown) => void;
  readonly #last = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;

  /** @param dir folder of the gateway's data */
  constructor(dir: string, endpoint: string, onError: (error: unknown) => void) {
    this.#file = join(dir, 'iec61850', `${endpoint}.json`);
    this.#onError = onError;
    try {
      const saved = JSON.parse(readFileSync(this.#file, 'utf8')) as Record<string, unknown>;
      for (const [block, id] of Object.entries(saved)) {
        if (typeof id === 'string' && /^([0-9a-f]{2}){1,8}$/.test(id)) this.#last.set(block, id);
      }
    } catch (error) {
      // Not there the first time; what cannot be read counts as not there: the device then gives all it has.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') onError(error);
    }
  }

  get(block: string): Uint8Array | undefined {
    const id = this.#last.get(block);
    return id === undefined ? undefined : Uint8Array.from(Buffer.from(id, 'hex'));
  }

  set(block: string, id: Uint8Array): void {
    this.#last.set(block, Buffer.from(id).toString('hex'));
    this.#timer ??= setTimeout(() => this.save(), GATHER);
  }

  /** At once. */
  save(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    try {
      mkdirSync(dirname(this.#file), { recursive: true });
      writeFileSync(`${this.#file}.new`, JSON.stringify(Object.fromEntries(this.#last)));
      renameSync(`${this.#file}.new`, this.#file);
    } catch (error) {
      this.#onError(error);
    }
  }
}
