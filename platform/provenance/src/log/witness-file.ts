/** The memory of a witness in a file: JSON, replaced as a whole, on the disk before anything is signed. */
import { hash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { EnerchainError } from '@enerchain/model';
import type { WitnessEvent, WitnessMemory, WitnessStore } from './witness.ts';

const FIELDS = ['authority', 'origin', 'key', 'note'] as const satisfies readonly (keyof WitnessMemory)[];

export function witnessFile(path: string): WitnessStore {
  return {
    load() {
      let text: string;
      try {
        text = readFileSync(path, 'utf8');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw unreadable(path, error);
      }
      try {
        const json: unknown = JSON.parse(text);
        const fields = json as Record<string, unknown>;
        if (!FIELDS.every((field) => typeof fields[field] === 'string')) throw new Error('a field is missing');
        return json as WitnessMemory;
      } catch (error) {
        throw unreadable(path, error);
      }
    },
    save(memory) {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      const file = openSync(`${path}.new`, 'w', 0o600);
      try {
        writeSync(file, `${JSON.stringify(memory, undefined, 1)}\n`);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(`${path}.new`, path);
    },
  };
}

/** Files of evidence kept; the first ones say most. */
const MOST_EVIDENCE = 64;

/**
 * Keeps what speaks against a log: `evidence-<digest>.json` with both notes, each signed by the log itself.
 * @returns false when the same is there already
 */
export function keepEvidence(folder: string, { code, text, notes }: WitnessEvent): boolean {
  const name = `evidence-${hash('sha256', `${code} ${notes[0] ?? text}`).slice(0, 16)}.json`;
  const path = join(folder, name);
  if (existsSync(path)) return false;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (readdirSync(folder).filter((each) => each.startsWith('evidence-')).length >= MOST_EVIDENCE) return true;
  writeFileSync(path, `${JSON.stringify({ code, text, notes }, undefined, 1)}\n`, { mode: 0o600, flush: true });
  return true;
}

/** A witness that has lost its memory must not begin anew by itself: somebody may have taken it. */
const unreadable = (path: string, cause: unknown) =>
  new EnerchainError(
    'environment',
    'provenance.witness.memory',
    `${path} cannot be read; nothing is cosigned until it was restored or removed`,
    { cause },
  );
