/** A log file that never grows beyond its bound: at the bound it becomes `<name>.1`, the older one goes. */
import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';

export class RotatingFile {
  readonly #path: string;
  readonly #bound: number;
  #fd: number;
  #size: number;

  /** @param bound octets; on disk there is at most twice as much */
  constructor(path: string, bound = 8 * 1024 * 1024) {
    this.#path = path;
    this.#bound = bound;
    this.#fd = openSync(path, 'a', 0o600);
    this.#size = fstatSync(this.#fd).size;
  }

  write(chunk: Uint8Array): void {
    if (this.#size + chunk.length > this.#bound && this.#size > 0) this.#rotate();
    try {
      this.#size += writeSync(this.#fd, chunk);
    } catch {
      // A full disk must not end the supervisor: what it supervises reports the full disk itself.
    }
  }

  close(): void {
    closeSync(this.#fd);
  }

  #rotate(): void {
    closeSync(this.#fd);
    renameSync(this.#path, `${this.#path}.1`);
    this.#fd = openSync(this.#path, 'a', 0o600);
    this.#size = 0;
  }
}
