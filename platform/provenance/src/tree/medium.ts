/** Where the hashes lie: a port, so that a full or failing disk can be tested. */
import {
  closeSync,
  constants,
  fdatasync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';

const sync = promisify(fdatasync);

export interface TreeMedium {
  readonly size: number;
  /** Fills `into` from `position`. @returns octets read; fewer only at the end */
  read(into: Uint8Array, position: number): number;
  /** @throws when the disk does not take all of it; a part may have been written */
  write(bytes: Uint8Array, position: number): void;
  truncate(length: number): void;
  /** Resolves when everything written is on the disk. */
  sync(): Promise<void>;
  close(): void;
}

/** A file. Reading and writing is synchronous: what a proof needs lies in the page cache or is a few reads of 32 octets. */
export class FileMedium implements TreeMedium {
  readonly #fd: number;

  /** Opens or makes the file. @throws Error of the operating system */
  constructor(path: string) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.#fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  }

  get size(): number {
    return fstatSync(this.#fd).size;
  }

  read(into: Uint8Array, position: number): number {
    let done = 0;
    while (done < into.length) {
      const got = readSync(this.#fd, into, done, into.length - done, position + done);
      if (got === 0) break;
      done += got;
    }
    return done;
  }

  write(bytes: Uint8Array, position: number): void {
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(this.#fd, bytes, done, bytes.length - done, position + done);
    }
  }

  truncate(length: number): void {
    ftruncateSync(this.#fd, length);
  }

  sync(): Promise<void> {
    return sync(this.#fd);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** In memory, for tests. */
export class MemoryMedium implements TreeMedium {
  bytes = Buffer.alloc(0);
  /** Octets that it takes; writing more fails as on a full disk. */
  capacity = Number.POSITIVE_INFINITY;

  get size(): number {
    return this.bytes.length;
  }

  read(into: Uint8Array, position: number): number {
    return this.bytes.copy(into, 0, position, position + into.length);
  }

  write(bytes: Uint8Array, position: number): void {
    const room = Math.max(0, Math.min(bytes.length, this.capacity - position));
    const end = position + room;
    if (end > this.bytes.length) this.bytes = Buffer.concat([this.bytes, Buffer.alloc(end - this.bytes.length)]);
    this.bytes.set(bytes.subarray(0, room), position);
    if (room < bytes.length) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  }

  truncate(length: number): void {
    this.bytes = Buffer.from(this.bytes.subarray(0, length));
  }

  async sync(): Promise<void> {}

  close(): void {}
}
