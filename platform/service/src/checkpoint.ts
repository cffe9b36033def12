/**
 * What a service remembers between runs beside its chain: how far it has read the log, what it had learned by then, and
 * the version of its announcement. All of it could be had again by reading the log from its beginning; it saves the time.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LogRange } from '@enerchain/link';
import type { SiteDocument } from '@enerchain/model';

export interface LogPosition {
  /** The last record that was read. */
  readonly offset: number;
  /** When the centre had appended it, nanoseconds; tells this log from another one. */
  readonly at: string;
  /** What was read without a break, first and last of each range; absent in older files. */
  readonly ranges?: readonly LogRange[];
}

export interface Checkpoint {
  readonly position: LogPosition;
  /** Whatever the service wanted to be kept with it. */
  readonly kept: unknown;
}

export class CheckpointFile {
  readonly #file: string;
  readonly #announcement: string;

  constructor(dataDir: string) {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    this.#file = join(dataDir, 'checkpoint.json');
    this.#announcement = join(dataDir, 'announcement.json');
  }

  /** Undefined when there is none, or none that can be read: then the log is read from its beginning. */
  read(): Checkpoint | undefined {
    const found = readJson(this.#file) as Partial<Checkpoint> | undefined;
    const { offset, at } = found?.position ?? {};
    if (!Number.isSafeInteger(offset) || typeof at !== 'string' || found?.kept === undefined) return undefined;
    return found as Checkpoint;
  }

  write(checkpoint: Checkpoint): void {
    replace(this.#file, JSON.stringify(checkpoint));
  }

  /** The document with its version: the last one when nothing has changed, a higher one otherwise. */
  versioned(document: Omit<SiteDocument, 'version'>, nowMillis: number): SiteDocument {
    const hash = createHash('sha256').update(JSON.stringify(document)).digest('hex');
    const kept = readJson(this.#announcement) as { version?: number; hash?: string } | undefined;
    if (kept?.hash === hash && Number.isSafeInteger(kept.version))
      return { ...document, version: kept.version as number };
    // Seconds, so that the versions go on growing when the folder has been lost.
    const version = Math.max((kept?.version ?? 0) + 1, Math.floor(nowMillis / 1000));
    replace(this.#announcement, JSON.stringify({ version, hash }));
    return { ...document, version };
  }
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

function replace(file: string, text: string): void {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}
