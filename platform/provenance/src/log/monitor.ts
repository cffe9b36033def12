/**
 * A monitor follows the checkpoints of a log from outside and checks that it only ever grows. It signs nothing; whoever runs
 * one on a machine of their own needs to believe nobody.
 */
import type { KeyObject } from 'node:crypto';
import { describeError } from '@enerchain/model';
import { same } from '../tree/hash.ts';
import { isConsistent } from '../tree/proof.ts';
import { isCosignedBy, isSignedBy, parseCheckpoint, type SignedCheckpoint } from './checkpoint.ts';

/** Where a monitor gets what it checks. */
export interface LogSource {
  /** The newest checkpoint, as a note. */
  checkpoint(): Promise<string>;
  consistency(from: number, to: number): Promise<readonly Uint8Array[]>;
}

export interface MonitorOptions {
  readonly origin: string;
  readonly key: KeyObject;
  /** Keys of the witnesses by name; a cosignature by one of them that does not fit is a finding. */
  readonly witnesses: ReadonlyMap<string, KeyObject>;
  /** The note that an earlier run saw last. */
  readonly seen?: string | undefined;
}

export interface MonitorFinding {
  readonly kind: 'grown' | 'unchanged' | 'bad' | 'unreachable';
  readonly code: string;
  readonly text: string;
  readonly size: number;
  /** Witnesses whose cosignatures were checked and hold. */
  readonly witnesses: readonly string[];
}

export class LogMonitor {
  readonly #options: MonitorOptions;
  #seen: SignedCheckpoint | undefined;
  #note: string | undefined;

  /** @throws EnerchainError (fault peer) when `seen` is no checkpoint */
  constructor(options: MonitorOptions) {
    this.#options = options;
    this.#note = options.seen;
    if (options.seen !== undefined) this.#seen = parseCheckpoint(options.seen);
  }

  /** The newest checkpoint that was found good; keep it and give it to the next run. */
  get note(): string | undefined {
    return this.#note;
  }

  /** Looks once. After a bad finding it stays where it was, so that the next look finds it again. */
  async look(source: LogSource): Promise<MonitorFinding> {
    const size = this.#seen?.checkpoint.size ?? 0;
    let note: string;
    let shown: SignedCheckpoint;
    try {
      note = await source.checkpoint();
    } catch (error) {
      return { kind: 'unreachable', code: 'provenance.unreachable', text: describeError(error), size, witnesses: [] };
    }
    const bad = (code: string, text: string): MonitorFinding => ({ kind: 'bad', code, text, size, witnesses: [] });
    try {
      shown = parseCheckpoint(note);
    } catch (error) {
      return bad('provenance.checkpoint', describeError(error));
    }
    const { origin, key } = this.#options;
    const now = shown.checkpoint;
    if (now.origin !== origin) return bad('provenance.foreign-log', `this is the log ${now.origin}, not ${origin}`);
    if (!isSignedBy(shown, key))
      return bad('provenance.log-signature', 'the checkpoint is not signed by the log’s key');
    const witnesses: string[] = [];
    for (const cosignature of shown.cosignatures) {
      const witnessKey = this.#options.witnesses.get(cosignature.witness);
      if (!witnessKey) continue;
      if (!isCosignedBy(cosignature, shown.text, witnessKey)) {
        return bad('provenance.cosignature', `the cosignature of ${cosignature.witness} does not fit its key`);
      }
      witnesses.push(cosignature.witness);
    }
    const before = this.#seen?.checkpoint;
    if (before && now.size < before.size) {
      return bad('provenance.shrunk', `the log has ${now.size} records where it had ${before.size}`);
    }
    if (before && now.size === before.size && !same(now.root, before.root)) {
      return bad('provenance.fork', `the log shows two different versions of its first ${now.size} records`);
    }
    if (before && now.size > before.size) {
      let proof: readonly Uint8Array[];
      try {
        proof = await source.consistency(before.size, now.size);
      } catch (error) {
        return { kind: 'unreachable', code: 'provenance.unreachable', text: describeError(error), size, witnesses };
      }
      if (!isConsistent(before, now, proof)) {
        const text = `the log of ${now.size} records does not begin with the ${before.size} records it had: it was rewritten`;
        return bad('provenance.inconsistent', text);
      }
    }
    const kind = before && now.size === before.size ? 'unchanged' : 'grown';
    this.#seen = shown;
    this.#note = note;
    const text =
      kind === 'unchanged'
        ? `the log has ${now.size} records, as before`
        : `the log has ${now.size} records and begins with the ${before?.size ?? 0} it had`;
    return { kind, code: `provenance.${kind}`, text, size: now.size, witnesses };
  }
}
