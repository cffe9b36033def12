/** The little that the log needs of a file system; a port, so that a full or failing disk can be tested. */
import { mkdir, open, readdir, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface LogFile {
  /** Writes all of it at `position`. A failure may leave a part behind. */
  write(buffers: readonly Uint8Array[], position: number): Promise<void>;
  /** Resolves when the data are on the medium (fdatasync). */
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
  /** @returns octets read, less than asked for only at the end of the file */
  read(into: Uint8Array, position: number): Promise<number>;
  size(): Promise<number>;
  close(): Promise<void>;
}

export interface LogFiles {
  makeFolder(path: string): Promise<void>;
  /** Names in a folder. */
  list(folder: string): Promise<string[]>;
  size(path: string): Promise<number>;
  /** `create` fails when the file exists. */
  open(path: string, mode: 'create' | 'write' | 'read'): Promise<LogFile>;
  remove(path: string): Promise<void>;
  /** @returns undefined when there is no such file */
  readAll(path: string): Promise<Buffer | undefined>;
  /** Replaces the whole file: after a crash it is the old or the new one. Of several calls the last one stands in the end. */
  writeAll(path: string, bytes: Uint8Array): Promise<void>;
  /** Makes creations, renames and removals in a folder durable. */
  syncFolder(path: string): Promise<void>;
}

const FLAGS = { create: 'wx+', write: 'r+', read: 'r' } as const;

/** By path, the end of the last replacement: two at once would take each other's new file away. */
const replacing = new Map<string, Promise<void>>();

async function replace(path: string, bytes: Uint8Array): Promise<void> {
  await writeFile(`${path}.new`, bytes, { mode: 0o600, flush: true });
  await rename(`${path}.new`, path);
  await nodeFiles.syncFolder(dirname(path));
}

export const nodeFiles: LogFiles = {
  makeFolder: async (path) => {
    await mkdir(path, { recursive: true, mode: 0o700 });
  },
  list: (folder) => readdir(folder),
  size: async (path) => (await stat(path)).size,
  open: async (path, mode) => {
    const handle = await open(path, FLAGS[mode], 0o600);
    return {
      write: async (buffers, position) => {
        let left = buffers.reduce((sum, { length }) => sum + length, 0);
        let pieces: readonly Uint8Array[] = buffers;
        while (left > 0) {
          const { bytesWritten } = await handle.writev(pieces, position);
          position += bytesWritten;
          left -= bytesWritten;
          if (left > 0) pieces = rest(pieces, bytesWritten);
        }
      },
      sync: () => handle.datasync(),
      truncate: (length) => handle.truncate(length),
      read: async (into, position) => {
        let done = 0;
        while (done < into.length) {
          const { bytesRead } = await handle.read(into, done, into.length - done, position + done);
          if (bytesRead === 0) break;
          done += bytesRead;
        }
        return done;
      },
      size: async () => (await handle.stat()).size,
      close: () => handle.close(),
    };
  },
  remove: (path) => unlink(path),
  readAll: async (path) => {
    try {
      return await readFile(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  },
  writeAll: (path, bytes) => {
    const write = (replacing.get(path) ?? Promise.resolve()).then(() => replace(path, bytes));
    const settled = write
      .catch(() => {})
      .then(() => {
        if (replacing.get(path) === settled) replacing.delete(path);
      });
    replacing.set(path, settled);
    return write;
  },
  syncFolder: async (path) => {
    const handle = await open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

/** What is left of `pieces` after `written` octets. */
function rest(pieces: readonly Uint8Array[], written: number): Uint8Array[] {
  const left: Uint8Array[] = [];
  for (const piece of pieces) {
    if (written >= piece.length) written -= piece.length;
    else {
      left.push(written > 0 ? piece.subarray(written) : piece);
      written = 0;
    }
  }
  return left;
}
