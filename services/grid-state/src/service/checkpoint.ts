/**
 * What the service remembers between runs: how far it has read the log, what it had learned by then, and the version of
 * its announcement. Everything in it could be had again by reading the log from its beginning; it only saves the time.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Mrid, SiteDocument } from '@enerchain/model';

/** Last good value of a point. */
export type KeptValue = readonly [point: Mrid, value: number, quality: number];

export interface LogPosition {
  /** The last record that was read. */
  readonly offset: number;
  /** When the centre had appended it, nanoseconds; tells this log from another one. */
  readonly at: string;
}

export interface Checkpoint {
  readonly position: LogPosition;
  readonly values: readonly KeptValue[];
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
    const kept = readJson(this.#file) as Partial<Checkpoint> | undefined;
    const { offset, at } = kept?.position ?? {};
    if (!Number.isSafeInteger(offset) || typeof at !== 'string' || !Array.isArray(kept?.values)) return undefined;
    return kept as Checkpoint;
  }

  write(checkpoint: Checkpoint): void {
    replace(this.#file, JSON.stringify(checkpoint));
  }

  /** The document with its version: the last one when nothing has changed, a higher one otherwise. */
  versioned(document: SiteDocument, nowMillis: number): SiteDocument {
    const hash = createHash('sha256')
      .update(JSON.stringify({ ...document, version: 0 }))
      .digest('hex');
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
