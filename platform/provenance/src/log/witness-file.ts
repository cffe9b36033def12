/** The memory of a witness in a file: JSON, replaced as a whole, on the disk before anything is signed. */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { EnerchainError } from '@enerchain/model';
import type { WitnessMemory, WitnessStore } from './witness.ts';

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

/** A witness that has lost its memory must not begin anew by itself: somebody may have taken it. */
const unreadable = (path: string, cause: unknown) =>
  new EnerchainError(
    'environment',
    'provenance.witness.memory',
    `${path} cannot be read; nothing is cosigned until it was restored or removed`,
    { cause },
  );
