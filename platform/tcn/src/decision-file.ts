/** The decisions of a node in a file of its own, JSON; written whole, one after the other. */
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describeError, EnerchainError } from '@enerchain/model';
import { writeDurably } from '@enerchain/trust';
import type { Decision, DecisionStore } from './engine/decisions.ts';
import { readStatement } from './engine/gossip.ts';

const VERSION = 1;
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/;
const DIGEST = /^[0-9a-f]{64}$/;
const BY: ReadonlySet<unknown> = new Set(['own evidence', 'evidence of a neighbour', 'operator']);

export class DecisionFile implements DecisionStore {
  readonly #path: string;
  readonly #onTrouble: (text: string) => void;
  #next: readonly Decision[] | undefined;
  #writing: Promise<void> | undefined;

  constructor(path: string, onTrouble: (text: string) => void) {
    this.#path = path;
    this.#onTrouble = onTrouble;
  }

  load(): readonly Decision[] {
    try {
      return decode(readFileSync(this.#path, 'utf8'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      this.#onTrouble(`${this.#path}: whom the last run had put into quarantine is not known: ${describeError(error)}`);
      return [];
    }
  }

  keep(decisions: readonly Decision[]): void {
    this.#next = decisions;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  /** Resolves when what was given last is on disk. */
  async kept(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#next) {
      const decisions = this.#next;
      this.#next = undefined;
      try {
        mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
        await writeDurably(this.#path, encode(decisions), 0o600);
      } catch (error) {
        this.#onTrouble(`quarantines cannot be kept: ${describeError(error)}`);
      }
    }
  }
}

function encode(decisions: readonly Decision[]): string {
  const nodes = decisions.map(({ node, conviction, releasedAt, voided, order }) => ({
    node,
    ...(conviction ? { conviction } : {}),
    ...(releasedAt === undefined ? {} : { releasedAt: String(releasedAt) }),
    voided,
    ...(order ? { order: Buffer.from(order).toString('base64') } : {}),
  }));
  return `${JSON.stringify({ version: VERSION, nodes })}\n`;
}

/** @throws EnerchainError `tcn.decisions` (fault environment), SyntaxError */
function decode(text: string): Decision[] {
  const refuse = (what: string) => new EnerchainError('environment', 'tcn.decisions', `the file ${what}`);
  const { version, nodes } = JSON.parse(text) as { version?: unknown; nodes?: unknown };
  if (version !== VERSION || !Array.isArray(nodes)) throw refuse('is of another version');
  return nodes.map((each: Record<string, unknown>): Decision => {
    const { node, conviction, releasedAt, voided, order } = each;
    if (typeof node !== 'string' || !NAME.test(node)) throw refuse('names no node');
    if (!Array.isArray(voided) || !voided.every((digest) => typeof digest === 'string' && DIGEST.test(digest))) {
      throw refuse(`does not say what evidence of ${node} was forgiven`);
    }
    const bytes = typeof order === 'string' ? Uint8Array.from(Buffer.from(order, 'base64')) : undefined;
    if (bytes) {
      const read = readStatement(bytes);
      if (read.kind !== 'release' || read.content.node !== node)
        throw refuse(`has another order than one about ${node}`);
    }
    return {
      node,
      voided,
      ...(conviction === undefined
        ? {}
        : { conviction: convictionIn(conviction, () => refuse(`accuses ${node} of nothing`)) }),
      ...(typeof releasedAt === 'string' ? { releasedAt: BigInt(releasedAt) } : {}),
      ...(bytes ? { order: bytes } : {}),
    };
  });
}

function convictionIn(value: unknown, refuse: () => Error): NonNullable<Decision['conviction']> {
  const { by, reason, released, digest } = (value ?? {}) as Record<string, unknown>;
  if (!BY.has(by) || typeof reason !== 'string' || typeof released !== 'boolean') throw refuse();
  const known = by as NonNullable<Decision['conviction']>['by'];
  return { by: known, reason, released, digest: typeof digest === 'string' ? digest : undefined };
}
