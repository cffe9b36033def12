/** The files of a server as clients see them (IEC 61850-7-2 § 23, mapped by 8-1 § 23 on the file services of MMS). */
import {
  type DirectoryEntry,
  MmsRefusal,
  type MmsServerSession,
  type RequestOf,
  type ResponseOf,
  type ServiceHandlers,
  serviceErrorOf,
} from '@enerchain/mms';
import { generalizedTime, pathOf } from '../../mapping/file-names.ts';
import type { Access, AcsiService } from '../access.ts';
import type { Client } from '../device.ts';
import { FileError, type FileProblem, type FileStore, type OpenFile, type StoredFile } from './store.ts';

export interface FileOptions {
  readonly store: FileStore;
  /** Files that an association, and all of them together, may have open. Default 8 and 64. */
  readonly openPerClient?: number;
  readonly open?: number;
}

interface Opened {
  readonly file: OpenFile;
  position: number;
  /** A read is under way. */
  busy: boolean;
}

/** What an association has open; `opening` are those that are not there yet. */
interface Held {
  readonly files: Map<number, Opened>;
  opening: number;
  closed: boolean;
}

/** Octets of an answer that are not the file's, or are not names. */
const OVERHEAD = 100;
/** Pieces without an octet, one after the other, after which a client is not believed that more follows. */
const MAX_EMPTY = 16;
/** Octets of an entry of a directory beside its name. */
const ENTRY_OVERHEAD = 48;

export class FileService {
  readonly #store: FileStore;
  readonly #access: Access;
  readonly #perClient: number;
  readonly #most: number;
  readonly #held = new Map<Client, Held>();
  readonly #obtaining = new Set<Client>();
  #open = 0;
  #next = 0;

  constructor({ store, openPerClient = 8, open = 64 }: FileOptions, access: Access) {
    this.#store = store;
    this.#access = access;
    this.#perClient = openPerClient;
    this.#most = open;
  }

  /** Files that are open, of all clients. */
  get open(): number {
    return this.#open;
  }

  handlers(client: (session: MmsServerSession) => Client): ServiceHandlers {
    return {
      fileOpen: (request, session) => this.#openFile(request, client(session)),
      fileRead: (frsm, session) => this.#read(frsm, client(session)),
      fileClose: async (frsm, session) => {
        await this.#close(client(session), frsm);
        return null;
      },
      fileDirectory: (request, session) => this.#directory(request, client(session)),
      fileDelete: async (name, session) => {
        const path = this.#path(name, client(session), 'DeleteFile');
        await refusing(() => this.#store.remove(path));
        return null;
      },
      obtainFile: async (request, session) => {
        await this.#obtain(request, client(session));
        return null;
      },
      fileRename: async ({ from, to }, session) => {
        const paths = [from, to].map((name) => this.#path(name, client(session), 'RenameFile'));
        await refusing(() => this.#store.rename(paths[0]!, paths[1]!));
        return null;
      },
    };
  }

  /** The association of a client has ended: what it had open is closed. */
  lost(client: Client): void {
    const held = this.#held.get(client);
    if (!held) return;
    held.closed = true;
    this.#held.delete(client);
    for (const { file } of held.files.values()) this.#release(file);
    held.files.clear();
  }

  #release(file: OpenFile): void {
    this.#open--;
    void file.close().catch(() => {});
  }

  /** @throws MmsRefusal for a name that is none, and where it may not */
  #path(name: readonly string[], client: Client, service: AcsiService): readonly string[] {
    const path = pathOf(name);
    if (!path) throw refusal('filename-syntax-error');
    if (!this.#access.allows(client.identity, service, path.join('/'))) throw refusal('file-access-denied');
    return path;
  }

  async #openFile({ name, position }: RequestOf<'fileOpen'>, client: Client): Promise<ResponseOf<'fileOpen'>> {
    const path = this.#path(name, client, 'GetFile');
    const held = this.#held.get(client) ?? { files: new Map(), opening: 0, closed: false };
    this.#held.set(client, held);
    if (held.files.size + held.opening >= this.#perClient || this.#open >= this.#most)
      throw new MmsRefusal({ error: serviceErrorOf('resource', 'capability-unavailable') });
    held.opening++;
    this.#open++;
    let file: OpenFile;
    try {
      file = await refusing(() => this.#store.open(path));
    } catch (error) {
      this.#open--;
      throw error;
    } finally {
      held.opening--;
    }
    if (held.closed || position > file.size) {
      this.#release(file);
      throw refusal('position-invalid');
    }
    this.#next = (this.#next % 0x7fff_ffff) + 1;
    held.files.set(this.#next, { file, position, busy: false });
    return {
      frsm: this.#next,
      attributes: { size: size32(file.size), lastModified: generalizedTime(file.modified) },
    };
  }

  #opened(client: Client, frsm: number): Opened {
    const opened = this.#held.get(client)?.files.get(frsm);
    if (!opened) throw refusal('file-non-existent');
    return opened;
  }

  async #read(frsm: number, client: Client): Promise<ResponseOf<'fileRead'>> {
    const opened = this.#opened(client, frsm);
    // Two reads at once would get the same octets.
    if (opened.busy) throw refusal('file-busy');
    opened.busy = true;
    try {
      const { file, position } = opened;
      const data = await refusing(() => file.read(position, Math.max(1, client.maxPdu - OVERHEAD)));
      opened.position += data.length;
      return { data, moreFollows: data.length > 0 && opened.position < file.size };
    } finally {
      opened.busy = false;
    }
  }

  async #close(client: Client, frsm: number): Promise<void> {
    const { file } = this.#opened(client, frsm);
    this.#held.get(client)!.files.delete(frsm);
    this.#release(file);
  }

  /** Fetches what the client brings, one file at a time; it is there when it is whole. */
  async #obtain({ server, source, destination }: RequestOf<'obtainFile'>, client: Client): Promise<void> {
    const path = this.#path(destination, client, 'SetFile');
    // From a third party, for which this server would have to be a client.
    if (server) throw new MmsRefusal({ error: serviceErrorOf('access', 'object-access-unsupported') });
    if (this.#obtaining.has(client)) throw refusal('file-busy');
    this.#obtaining.add(client);
    try {
      await refusing(() => this.#store.write(path, brought(client.session, source)));
    } finally {
      this.#obtaining.delete(client);
    }
  }

  /** A folder, or one file; names are whole, so that they can be opened as they are, those of folders end in a slash. */
  async #directory(
    { specification = [], continueAfter }: RequestOf<'fileDirectory'>,
    client: Client,
  ): Promise<ResponseOf<'fileDirectory'>> {
    const path = this.#path(specification, client, 'GetFile');
    const after = continueAfter && pathOf(continueAfter)?.join('/');
    if (continueAfter && after === undefined) throw refusal('filename-syntax-error');
    const found = await refusing(() => this.#listed(path));
    const room = client.maxPdu - OVERHEAD;
    const entries: DirectoryEntry[] = [];
    let used = 0;
    for (const { name, folder, size, modified } of found) {
      // By name and not by place: files come and go while a client pages.
      if (after !== undefined && name <= after) continue;
      used += name.length + ENTRY_OVERHEAD;
      if (used > room && entries.length > 0) return { entries, moreFollows: true };
      entries.push({
        name: [folder ? `${name}/` : name],
        attributes: { size: size32(size), lastModified: generalizedTime(modified) },
      });
    }
    return { entries, moreFollows: false };
  }

  async #listed(path: readonly string[]): Promise<readonly StoredFile[]> {
    const whole = (names: readonly string[]): string => names.join('/');
    let found: readonly StoredFile[];
    try {
      found = (await this.#store.list(path)).map((file) => ({ ...file, name: whole([...path, file.name]) }));
    } catch (error) {
      const isFile = error instanceof FileError && error.problem === 'file-non-existent' && path.length > 0;
      if (!isFile) throw error;
      const beside = await this.#store.list(path.slice(0, -1));
      found = beside.filter(({ name }) => name === path.at(-1)).map((file) => ({ ...file, name: whole(path) }));
      if (found.length === 0) throw error;
    }
    return found.filter(({ name }) => isTellable(name)).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }
}

/** Pieces of a file of a client, which is the server for that. */
async function* brought(session: MmsServerSession, source: readonly string[]): AsyncGenerator<Uint8Array> {
  const { frsm } = await session.call('fileOpen', { name: source, position: 0 });
  let empty = 0;
  try {
    for (;;) {
      const { data, moreFollows } = await session.call('fileRead', frsm);
      empty = data.length === 0 ? empty + 1 : 0;
      if (empty > MAX_EMPTY) throw refusal('file-access-denied');
      // The octets are those of the PDU, which are used again.
      if (data.length > 0) yield Uint8Array.from(data);
      if (!moreFollows) return;
    }
  } finally {
    await session.call('fileClose', frsm).catch(() => {});
  }
}

/** Names go in Latin-1, and one that could not be opened again is not told. */
const isTellable = (name: string): boolean => /^[\x20-\xff]*$/.test(name) && pathOf([name])?.join('/') === name;

/** MMS has 32 bits for it. */
const size32 = (size: number): number => Math.min(size, 0xffff_ffff);

const refusal = (problem: FileProblem): MmsRefusal => new MmsRefusal({ error: serviceErrorOf('file', problem) });

async function refusing<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw error instanceof FileError ? refusal(error.problem) : error;
  }
}
