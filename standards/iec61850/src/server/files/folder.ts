/**
 * A folder of this machine as the files of a server. What is below it is shown, and nothing else: symbolic links are not
 * followed, only plain files and folders count.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, link, lstat, open, readdir, realpath, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FileError, type FileProblem, type FileStore, type OpenFile, type StoredFile } from './store.ts';

/** Of one folder; what is beyond is not listed. */
const MAX_LISTED = 10_000;
/** Begins the name of a file that is still written. */
const PARTIAL = '.partial-';

const PROBLEMS: Readonly<Record<string, FileProblem>> = {
  ENOENT: 'file-non-existent',
  ENOTDIR: 'file-non-existent',
  EISDIR: 'file-access-denied',
  ELOOP: 'file-access-denied',
  EACCES: 'file-access-denied',
  EPERM: 'file-access-denied',
  EROFS: 'file-access-denied',
  ENAMETOOLONG: 'filename-syntax-error',
  EEXIST: 'duplicate-filename',
  ENOTEMPTY: 'file-access-denied',
  ENOSPC: 'insufficient-space-in-filestore',
  EDQUOT: 'insufficient-space-in-filestore',
};

export class FolderStore implements FileStore {
  readonly #folder: string;
  readonly #maxSize: number;

  /** @param folder is there @param maxSize octets of a file that a client may bring. Default 16 MiB */
  constructor(folder: string, { maxSize = 16 << 20 }: { readonly maxSize?: number } = {}) {
    this.#folder = folder;
    this.#maxSize = maxSize;
  }

  async list(folder: readonly string[]): Promise<readonly StoredFile[]> {
    return told(async () => {
      const path = await this.#confined(folder);
      const listed: StoredFile[] = [];
      for (const { name } of await readdir(path, { withFileTypes: true })) {
        if (listed.length === MAX_LISTED) break;
        if (name.startsWith(PARTIAL)) continue;
        // One that went away meanwhile is not there.
        const found = await lstat(join(path, name)).catch(() => undefined);
        if (!found || !(found.isFile() || found.isDirectory())) continue;
        const isFolder = found.isDirectory();
        listed.push({ name, folder: isFolder, size: isFolder ? 0 : found.size, modified: Math.floor(found.mtimeMs) });
      }
      return listed;
    });
  }

  async open(path: readonly string[]): Promise<OpenFile> {
    return told(async () => {
      const at = join(await this.#confined(path.slice(0, -1)), last(path));
      // Without waiting for a writer, should it be a pipe.
      const handle = await open(at, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      try {
        const found = await handle.stat();
        if (!found.isFile()) throw new FileError('file-access-denied', `${at} is no file`);
        await this.#still(at, found);
        return reader(handle, found.size, Math.floor(found.mtimeMs));
      } catch (error) {
        await handle.close();
        throw error;
      }
    });
  }

  async remove(path: readonly string[]): Promise<void> {
    await told(async () => {
      const at = join(await this.#confined(path.slice(0, -1)), last(path));
      if (!(await lstat(at)).isFile()) throw new FileError('file-access-denied', `${at} is no file`);
      await unlink(at);
    });
  }

  async rename(from: readonly string[], to: readonly string[]): Promise<void> {
    await told(async () => {
      const before = join(await this.#confined(from.slice(0, -1)), last(from));
      const after = join(await this.#confined(to.slice(0, -1)), last(to));
      if (!(await lstat(before)).isFile()) throw new FileError('file-access-denied', `${before} is no file`);
      // A second name first: it fails where one is there, which renaming would not.
      await link(before, after);
      await unlink(before);
    });
  }

  async write(path: readonly string[], chunks: AsyncIterable<Uint8Array>): Promise<void> {
    await told(async () => {
      const folder = await this.#confined(path.slice(0, -1));
      const partial = join(folder, `${PARTIAL}${randomUUID()}`);
      const handle = await open(partial, 'wx', 0o640);
      try {
        let octets = 0;
        for await (const chunk of chunks) {
          octets += chunk.length;
          if (octets > this.#maxSize)
            throw new FileError('insufficient-space-in-filestore', `more than ${this.#maxSize} octets`);
          await handle.writeFile(chunk);
        }
        await handle.sync();
        await link(partial, join(folder, last(path)));
      } finally {
        await handle.close();
        await unlink(partial).catch(() => {});
      }
    });
  }

  /** A folder below the root, none of the names on the way being a link. */
  async #confined(folder: readonly string[]): Promise<string> {
    const root = await realpath(this.#folder);
    let at = root;
    for (const name of folder) {
      at = join(at, name);
      const found = await lstat(at);
      if (!found.isDirectory())
        throw new FileError(found.isSymbolicLink() ? 'file-access-denied' : 'file-non-existent', at);
    }
    return at;
  }

  /** Nobody has put a link in the way between looking and opening. */
  async #still(at: string, opened: { readonly dev: number; readonly ino: number }): Promise<void> {
    const there = await lstat(at);
    const same = there.dev === opened.dev && there.ino === opened.ino && (await realpath(dirname(at))) === dirname(at);
    if (!same) throw new FileError('file-access-denied', `${at} was changed while it was opened`);
  }
}

const last = (path: readonly string[]): string => {
  const name = path.at(-1);
  if (name === undefined || name.startsWith(PARTIAL)) throw new FileError('file-access-denied', 'the root is no file');
  return name;
};

function reader(handle: FileHandle, size: number, modified: number): OpenFile {
  return {
    size,
    modified,
    read: (position, length) =>
      told(async () => {
        const room = Math.max(0, Math.min(length, size - position));
        const buffer = new Uint8Array(room);
        let filled = 0;
        while (filled < room) {
          const { bytesRead } = await handle.read(buffer, filled, room - filled, position + filled);
          if (bytesRead === 0) break;
          filled += bytesRead;
        }
        return buffer.subarray(0, filled);
      }),
    close: () => handle.close(),
  };
}

/** What the system says, in the words of MMS. */
async function told<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof FileError) throw error;
    const problem = PROBLEMS[(error as NodeJS.ErrnoException).code ?? ''];
    if (problem) throw new FileError(problem, (error as Error).message, { cause: error });
    throw error;
  }
}
