/** Where CIM files come from: XML files, folders, zip archives, and zip archives within those. */
import { createReadStream, readdirSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { CimError } from '../error.ts';
import type { Finding } from '../findings.ts';
import { type ArchiveEntry, readDirectory, ZIP_LIMITS, ZipBudget, type ZipLimits } from './zip.ts';

export interface Source {
  /** For messages: the file's name, `archive.zip/entry.xml` within an archive. */
  readonly name: string;
  /** Its octets, once; undefined when there is nothing to read and only something to say. */
  readonly open?: () => AsyncIterable<Uint8Array>;
  readonly finding?: Finding;
}

const CHUNK = 1 << 20;
const isModel = (name: string): boolean => /\.(xml|rdf|jsonld)$/i.test(name);
const isZip = (name: string): boolean => /\.zip$/i.test(name);

/**
 * Files in the order given, folders and archives by name.
 * @throws CimError `cim.file` (environment) when a path is not there; a bad archive is a finding
 */
export async function* openSources(paths: readonly string[], limits: ZipLimits = ZIP_LIMITS): AsyncGenerator<Source> {
  for (const path of paths) yield* openPath(path, limits, true);
}

async function* openPath(path: string, limits: ZipLimits, named: boolean): AsyncGenerator<Source> {
  let folder: boolean;
  try {
    folder = statSync(path).isDirectory();
  } catch (cause) {
    throw new CimError('environment', 'cim.file', `${path} cannot be read`, { cause });
  }
  if (folder) {
    for (const name of readdirSync(path).sort()) {
      if (isModel(name) || isZip(name)) yield* openPath(join(path, name), limits, false);
    }
    return;
  }
  if (isZip(path)) yield* openArchive(path, limits);
  else if (named || isModel(path)) {
    yield { name: basename(path), open: () => createReadStream(path, { highWaterMark: CHUNK }) };
  }
}

async function* openArchive(path: string, limits: ZipLimits): AsyncGenerator<Source> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const read = async (start: number, length: number): Promise<Buffer> => {
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, start);
      return buffer.subarray(0, bytesRead);
    };
    yield* entries(basename(path), size, read, new ZipBudget(limits), true);
  } finally {
    await file.close();
  }
}

type Read = (start: number, length: number) => Promise<Buffer>;

async function* entries(
  archive: string,
  size: number,
  read: Read,
  budget: ZipBudget,
  outer: boolean,
): AsyncGenerator<Source> {
  let list: ArchiveEntry[];
  try {
    list = await readDirectory(size, read, budget);
  } catch (error) {
    yield { name: archive, finding: told(error, archive) };
    return;
  }
  for (const entry of list.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const name = `${archive}/${entry.name}`;
    if (isModel(entry.name)) yield { name, open: () => entry.open() };
    else if (isZip(entry.name) && outer) {
      try {
        const inner = await whole(entry, budget.limits.nested);
        const slice = async (start: number, length: number): Promise<Buffer> => inner.subarray(start, start + length);
        yield* entries(name, inner.length, slice, budget, false);
      } catch (error) {
        yield { name, finding: told(error, name) };
      }
    }
  }
}

async function whole(entry: ArchiveEntry, limit: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of entry.open()) {
    length += chunk.length;
    if (length > limit) {
      throw new CimError('peer', 'zip.limit', `an archive within the archive has more than ${limit} octets`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function told(error: unknown, file: string): Finding {
  if (!(error instanceof CimError)) throw error;
  return { severity: 'error', code: error.code, text: error.message, file };
}
