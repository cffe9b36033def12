/**
 * Announcements of sources, kept beside the tree as they were signed: a receipt needs the one in force, which may be much
 * older than what retention leaves of the log. One that only says again what is in force is not kept again.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type Batch, decodeBatch } from '@enerchain/link';
import type { LogFiles } from '../log/files.ts';
import { subjectOf } from './record-index.ts';

interface Kept {
  readonly record: number;
  readonly path: string;
}

export class KeptSites {
  readonly #files: LogFiles;
  readonly #folder: string;
  /** By source, oldest first. */
  readonly #sites = new Map<string, Kept[]>();
  /** What the newest of each source says. */
  readonly #digests = new Map<string, string>();

  private constructor(files: LogFiles, folder: string) {
    this.#files = files;
    this.#folder = folder;
  }

  static async open(files: LogFiles, folder: string): Promise<KeptSites> {
    await files.makeFolder(folder);
    const sites = new KeptSites(files, folder);
    for (const name of (await files.list(folder)).sort()) {
      const [, subject = '', record] = /^([0-9a-f]{16})-(\d{16})\.batch$/.exec(name) ?? [];
      if (record !== undefined) sites.#note(subject, { record: Number(record), path: join(folder, name) });
    }
    return sites;
  }

  /** Keeps an announcement; durable when the promise resolves. */
  async keep(record: number, batch: Batch, bytes: Uint8Array): Promise<void> {
    const subject = nameOf(batch.header.source);
    const newest = this.#sites.get(subject)?.at(-1);
    if (newest && newest.record >= record) return;
    const digest = digestOf(batch);
    if (newest && !this.#digests.has(subject)) {
      const before = await this.#read(newest);
      if (before) this.#digests.set(subject, digestOf(before));
    }
    if (this.#digests.get(subject) === digest) return;
    const path = join(this.#folder, `${subject}-${String(record).padStart(16, '0')}.batch`);
    await this.#files.writeAll(path, bytes);
    this.#digests.set(subject, digest);
    this.#note(subject, { record, path });
  }

  /** The announcement of a source that was in force when a record came. */
  async inForce(source: string, record: number): Promise<{ index: number; batch: Batch } | undefined> {
    const kept = this.#sites.get(nameOf(source))?.findLast((each) => each.record < record);
    const batch = kept && (await this.#read(kept));
    return kept && batch ? { index: kept.record, batch } : undefined;
  }

  async #read({ path }: Kept): Promise<Batch | undefined> {
    const bytes = await this.#files.readAll(path);
    return bytes && decodeBatch(bytes);
  }

  #note(subject: string, kept: Kept): void {
    const list = this.#sites.get(subject);
    if (list) list.push(kept);
    else this.#sites.set(subject, [kept]);
  }
}

const nameOf = (source: string): string => Buffer.from(subjectOf(source)).toString('hex');

function digestOf({ columns }: Batch): string {
  const hash = createHash('sha256');
  for (const column of columns) hash.update(column);
  return hash.digest('hex');
}
