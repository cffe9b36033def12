/**
 * Room on the disk that batches may not take: deleting what has been acknowledged needs room in the write-ahead log, so an
 * outbox that filled its disk to the end could never empty itself.
 */
import { statfsSync } from 'node:fs';

/** Octets kept free, and at most this share of a small disk. */
const SPARE_BYTES = 16 * 1024 * 1024;
const SPARE_SHARE = 4;
/** Pages in the write-ahead log before it is moved into the file; fewer where the spare room is small. */
const CHECKPOINT_PAGES = 1_000;

/** Octets of a page of SQLite. */
export const PAGE_BYTES = 4_096;

export class DiskRoom {
  readonly folder: string;
  /** Octets that stay free. */
  readonly spare: number;

  constructor(folder: string) {
    this.folder = folder;
    this.spare = Math.min(SPARE_BYTES, Math.floor(this.#disk().size / SPARE_SHARE));
  }

  /** Octets that are free now; without end where the system does not say. */
  get free(): number {
    return this.#disk().free;
  }

  /** Pages that the write-ahead log may have, so that it fits into the spare room several times. */
  get checkpointPages(): number {
    return Math.max(8, Math.min(CHECKPOINT_PAGES, Math.floor(this.spare / 4 / PAGE_BYTES)));
  }

  #disk(): { readonly free: number; readonly size: number } {
    try {
      const { bavail, blocks, bsize } = statfsSync(this.folder);
      return { free: bavail * bsize, size: blocks * bsize };
    } catch {
      return { free: Number.POSITIVE_INFINITY, size: Number.POSITIVE_INFINITY };
    }
  }
}
