/**
 * The transparency log of a centre: the tree over its ingest log, and checkpoints. A folder holds
 *
 *     tree         the hashes (`tree/tree.ts`)
 *     checkpoint   the newest checkpoint, signed by the log; written once the tree is on the disk up to it
 *     cosigned     the newest checkpoint with the cosignatures of its witnesses
 *     damaged      there when a proof was found not to lead to the root: the tree is built again at the next start
 *
 * What stands behind the checkpoint is cut off at the start and comes again from the ingest log. A tree that does not lead
 * to its own checkpoint, or an ingest log that ends before it, is damage or a copy: nothing is signed then, since a second
 * version of what was signed once would be a fork.
 */
import type { KeyObject } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, describeError, EnerchainError } from '@enerchain/model';
import type { Signer } from '@enerchain/pki';
import { same } from '../tree/hash.ts';
import { FileMedium, type TreeMedium } from '../tree/medium.ts';
import { MerkleTree } from '../tree/tree.ts';
import {
  type Checkpoint,
  type Cosignature,
  isCosignedBy,
  isSignedBy,
  parseCheckpoint,
  type SignedCheckpoint,
  signCheckpoint,
  withCosignatures,
} from './checkpoint.ts';

export interface TransparencyLogOptions {
  readonly folder: string;
  /** Name of the log: `enerchain/<id of the ingest log>`. */
  readonly origin: string;
  readonly signer: Signer;
  readonly clock: Clock;
  /** Makes durable what else must be there up to a checkpoint, before it is signed. */
  readonly beforeCheckpoint?: () => Promise<void>;
  /** For tests. */
  readonly medium?: TreeMedium;
}

export interface LogTrouble {
  readonly code:
    | 'provenance.tree.damaged'
    | 'provenance.log.shrunk'
    | 'provenance.log.rewritten'
    | 'provenance.log.foreign';
  readonly text: string;
}

/** The name of the log that is derived from an ingest log. @param id of the ingest log, 32 hex digits */
export const originOf = (id: string): string => `enerchain/${id}`;

export class TransparencyLog {
  readonly #options: TransparencyLogOptions;
  readonly #tree: MerkleTree;
  #newest: { readonly note: string; readonly signed: SignedCheckpoint } | undefined;
  #cosigned: string | undefined;
  #trouble: LogTrouble | undefined;
  #making: Promise<string | undefined> | undefined;

  private constructor(options: TransparencyLogOptions, tree: MerkleTree) {
    this.#options = options;
    this.#tree = tree;
  }

  /** @throws EnerchainError `environment` when the folder cannot be used, `provenance.tree.format` when it holds no tree */
  static open(options: TransparencyLogOptions): TransparencyLog {
    const { folder, origin, signer } = options;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const note = readIfThere(join(folder, 'checkpoint'));
    let signed: SignedCheckpoint | undefined;
    let trouble: LogTrouble | undefined;
    if (note !== undefined) {
      try {
        signed = parseCheckpoint(note);
        if (signed.checkpoint.origin !== origin || !isSignedBy(signed, signer.publicKey)) {
          const text = `${folder} belongs to the log ${signed.checkpoint.origin} or to another key, not to ${origin}`;
          trouble = { code: 'provenance.log.foreign', text };
        }
      } catch (error) {
        trouble = { code: 'provenance.log.foreign', text: `${join(folder, 'checkpoint')}: ${describeError(error)}` };
      }
    }
    const medium = options.medium ?? new FileMedium(join(folder, 'tree'));
    const log = new TransparencyLog(
      options,
      MerkleTree.open(medium, trouble ? undefined : (signed?.checkpoint.size ?? 0)),
    );
    log.#trouble = trouble;
    if (signed && note !== undefined && !trouble) {
      log.#newest = { note, signed };
      log.#checkAgainst(signed.checkpoint);
    }
    const damaged = readIfThere(join(folder, 'damaged'));
    if (damaged !== undefined) log.#trouble ??= { code: 'provenance.tree.damaged', text: damaged };
    log.#cosigned = readIfThere(join(folder, 'cosigned'));
    return log;
  }

  get origin(): string {
    return this.#options.origin;
  }

  /** Records in the tree. */
  get size(): number {
    return this.#tree.size;
  }

  /** Why nothing is signed; undefined when all is well. */
  get trouble(): LogTrouble | undefined {
    return this.#trouble;
  }

  /** The newest checkpoint. */
  get checkpoint(): Checkpoint | undefined {
    return this.#newest?.signed.checkpoint;
  }

  /** The newest checkpoint as a note, without cosignatures. */
  get note(): string | undefined {
    return this.#newest?.note;
  }

  /** The newest note with cosignatures. */
  get cosigned(): string | undefined {
    return this.#cosigned;
  }

  get signer(): Signer {
    return this.#options.signer;
  }

  /** Appends leaf hashes, record by record. @throws EnerchainError `provenance.tree.write` (environment) */
  append(leaves: readonly Uint8Array[]): void {
    this.#tree.append(leaves);
  }

  leaf(index: number): Uint8Array {
    return this.#tree.leaf(index);
  }

  /** @throws EnerchainError `provenance.proof.index` (caller), `provenance.tree.damaged` (environment) */
  inclusion(index: number, size?: number): Uint8Array[] {
    try {
      return this.#tree.inclusion(index, size);
    } catch (error) {
      if (error instanceof EnerchainError && error.code === 'provenance.tree.damaged') this.#damaged(error.message);
      throw error;
    }
  }

  /** @throws EnerchainError `provenance.proof.index` (caller), `provenance.tree.damaged` (environment) */
  consistency(from: number, to?: number): Uint8Array[] {
    return this.#tree.consistency(from, to);
  }

  /**
   * The ingest log is not what was signed: its end lies before the checkpoint, or its records are others. Nothing is signed
   * from now on.
   */
  suspect(trouble: LogTrouble): void {
    this.#trouble ??= trouble;
  }

  /**
   * Builds a damaged tree again from the records of the ingest log, which must lead to the checkpoint.
   * @param leaves leaf hashes of all records from the first on; as many as the checkpoint has, at least
   * @returns whether the tree is whole again
   */
  async rebuild(leaves: AsyncIterable<readonly Uint8Array[]>): Promise<boolean> {
    const { trouble } = this;
    const checkpoint = this.#newest?.signed.checkpoint;
    if (trouble?.code !== 'provenance.tree.damaged' || !checkpoint) return false;
    this.#tree.clear();
    for await (const chunk of leaves) {
      const left = checkpoint.size - this.#tree.size;
      if (left <= 0) break;
      this.#tree.append(chunk.slice(0, left));
    }
    this.#trouble = undefined;
    this.#checkAgainst(checkpoint);
    if (this.#trouble) return false;
    rmSync(join(this.#options.folder, 'damaged'), { force: true });
    return true;
  }

  /**
   * Signs a checkpoint when there are records that none covers yet, after the tree is on the disk.
   * @returns the newest note; undefined while the log is empty or in trouble
   * @throws EnerchainError or an error of the operating system when the disk does not take it
   */
  makeCheckpoint(): Promise<string | undefined> {
    this.#making ??= this.#make().finally(() => {
      this.#making = undefined;
    });
    return this.#making;
  }

  async #make(): Promise<string | undefined> {
    const { folder, origin, signer, clock } = this.#options;
    const { size } = this.#tree;
    if (this.#trouble || size === 0) return undefined;
    if (size === this.#newest?.signed.checkpoint.size) return this.#newest.note;
    const root = this.#tree.root(size);
    await this.#options.beforeCheckpoint?.();
    await this.#tree.sync();
    const note = await signCheckpoint(signer, { origin, size, root, time: clock.now() });
    await writeFile(join(folder, 'checkpoint'), note);
    this.#newest = { note, signed: parseCheckpoint(note) };
    return note;
  }

  /**
   * Takes cosignatures of a note of this log; those that do not fit their keys are left out.
   * @param keyOf key of a witness by name
   * @returns the note with its cosignatures
   */
  async takeCosignatures(
    note: string,
    cosignatures: readonly Cosignature[],
    keyOf: (witness: string) => KeyObject | undefined,
  ): Promise<string> {
    const signed = parseCheckpoint(note);
    const good = cosignatures.filter((each) => {
      const key = keyOf(each.witness);
      return key !== undefined && isCosignedBy(each, signed.text, key);
    });
    const cosigned = withCosignatures(signed, good);
    if (good.length > 0) {
      await writeFile(join(this.#options.folder, 'cosigned'), cosigned);
      this.#cosigned = cosigned;
    }
    return cosigned;
  }

  async close(): Promise<void> {
    await this.#making?.catch(() => {});
    this.#tree.close();
  }

  /** Found while it runs: from now on nothing is signed, and the next start builds the tree again. */
  #damaged(text: string): void {
    this.suspect({ code: 'provenance.tree.damaged', text });
    writeFileSync(join(this.#options.folder, 'damaged'), text);
  }

  #checkAgainst({ size, root }: Checkpoint): void {
    let found = this.#tree.size < size ? `it has ${this.#tree.size} records of ${size}` : undefined;
    try {
      if (!found && !same(this.#tree.root(size), root)) found = 'it does not lead to the checkpoint that was signed';
    } catch (error) {
      found = describeError(error);
    }
    if (found) this.#trouble = { code: 'provenance.tree.damaged', text: `the tree of the log is damaged: ${found}` };
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new EnerchainError('environment', 'provenance.log.read', `${path} cannot be read`, { cause: error });
  }
}

/** Replaces a file: after a crash it is the old or the new one. */
async function writeFile(path: string, text: string): Promise<void> {
  const file = await open(`${path}.new`, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
}
