/** Files in memory whose disk can be full, fail to sync, or forget what was not synced. */
import type { LogFile, LogFiles } from '../../src/log/files.ts';

const errno = (code: string) => Object.assign(new Error(code), { code });

export class MemoryFiles implements LogFiles {
  readonly contents = new Map<string, Buffer>();
  /** What a power cut would leave: contents as of the last sync. */
  readonly synced = new Map<string, Buffer>();
  /** Octets that may still be written. */
  room = Number.POSITIVE_INFINITY;
  /** Number of syncs that will fail. */
  failingSyncs = 0;
  syncs = 0;

  async makeFolder(): Promise<void> {}

  async list(folder: string): Promise<string[]> {
    return [...this.contents.keys()]
      .filter((path) => path.startsWith(`${folder}/`))
      .map((path) => path.slice(folder.length + 1));
  }

  async size(path: string): Promise<number> {
    return this.#get(path).length;
  }

  async open(path: string, mode: 'create' | 'write' | 'read'): Promise<LogFile> {
    if (mode === 'create') {
      if (this.contents.has(path)) throw errno('EEXIST');
      this.contents.set(path, Buffer.alloc(0));
    }
    this.#get(path);
    return {
      write: async (buffers, position) => {
        const bytes = Buffer.concat(buffers);
        const written = bytes.subarray(0, Math.max(0, Math.min(bytes.length, this.room)));
        const before = this.#get(path);
        const after = Buffer.alloc(Math.max(before.length, position + written.length));
        before.copy(after);
        written.copy(after, position);
        this.contents.set(path, after);
        this.room -= written.length;
        if (written.length < bytes.length) throw errno('ENOSPC');
      },
      sync: async () => {
        this.syncs++;
        if (this.failingSyncs-- > 0) throw errno('EIO');
        this.failingSyncs = Math.max(0, this.failingSyncs);
        this.synced.set(path, Buffer.from(this.#get(path)));
      },
      truncate: async (length) => {
        this.contents.set(path, Buffer.from(this.#get(path).subarray(0, length)));
      },
      read: async (into, position) => this.#get(path).copy(into, 0, position),
      size: async () => this.#get(path).length,
      close: async () => {},
    };
  }

  async remove(path: string): Promise<void> {
    this.#get(path);
    this.contents.delete(path);
    this.synced.delete(path);
  }

  async readAll(path: string): Promise<Buffer | undefined> {
    return this.contents.get(path);
  }

  async writeAll(path: string, bytes: Uint8Array): Promise<void> {
    if (bytes.length > this.room) throw errno('ENOSPC');
    this.contents.set(path, Buffer.from(bytes));
    this.synced.set(path, Buffer.from(bytes));
  }

  async syncFolder(): Promise<void> {}

  /** The same disk after a power cut: only what was synced, and of the file named perhaps a part of the rest. */
  afterPowerCut(torn = 0): MemoryFiles {
    const files = new MemoryFiles();
    for (const [path, bytes] of this.synced) {
      const rest = this.contents.get(path)?.subarray(bytes.length, bytes.length + torn) ?? Buffer.alloc(0);
      files.contents.set(path, Buffer.concat([bytes, rest]));
      files.synced.set(path, Buffer.from(files.contents.get(path)!));
    }
    return files;
  }

  #get(path: string): Buffer {
    const bytes = this.contents.get(path);
    if (!bytes) throw errno('ENOENT');
    return bytes;
  }
}
