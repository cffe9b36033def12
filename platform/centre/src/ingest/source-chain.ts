/**
 * Ingest: what a source sends is checked, appended to the log, and acknowledged once it is durable; in this order and no
 * other. One `SourceChain` per source; batches of one source are taken in the order in which they arrive.
 *
 * What is refused, and what becomes of it:
 *
 * - A batch that is malformed, names another source, or is not signed by a key of that source: not logged, audited.
 * - A broken chain: not logged (its header is in the audit record), the source is in quarantine and an alarm stands until
 *   it goes on exactly where its chain was taken last, or opens an epoch that joins there.
 * - Observations of points that are not bound to the source, events and alarms in another's name: the batch is logged as
 *   it came, as evidence, and the refused columns are named beside it; consumers do not see them.
 * - What is on its way behind a batch that was not taken is not taken either: that batch comes again, or a gap record of
 *   the source names it.
 * - Missing sequence numbers: the centre writes a gap record before it takes the batch behind them.
 *
 * A batch without a signature of its own is held in memory until a later one of its epoch covers it, and is logged and
 * acknowledged only then (see `held.ts`).
 */
import {
  type Batch,
  type BreakReason,
  ChainVerifier,
  type Content,
  kidOf,
  MAX_OPEN_EPOCHS,
  type MissingRange,
} from '@enerchain/link';
import { type Clock, EnerchainError, type UtcNanos } from '@enerchain/model';
import type { IngestLog } from '../log/log.ts';
import type { LogPublisher, LogWriter, SourceRole } from '../ports.ts';
import { ChainFindings } from './chain-findings.ts';
import { noCounters, type SourceCounters } from './counters.ts';
import { masked } from './decode.ts';
import type { Findings } from './findings.ts';
import { HeldBatches } from './held.ts';
import { KeyEras } from './key-eras.ts';
import { openBatch, type Sender } from './opened.ts';
import type { Directory, SiteFiles } from './points.ts';
import { SpeakingRights } from './speaking-rights.ts';

/** What became of a batch. */
export type Taken =
  | { readonly kind: 'ack'; readonly epoch: number; readonly sequence: number; readonly duplicate?: true }
  | Rejected;

export interface Rejected {
  readonly kind: 'reject';
  readonly epoch: number;
  readonly sequence: number;
  readonly code: string;
  readonly text: string;
}

/** A chain that is broken. */
export interface Quarantine {
  readonly reason: BreakReason;
  readonly text: string;
  readonly since: UtcNanos;
}

/** What ingest needs around it. */
export interface IngestContext {
  readonly log: IngestLog;
  readonly points: Directory;
  readonly sites: SiteFiles;
  readonly own: LogWriter & LogPublisher;
  readonly findings: Findings;
  readonly clock: Clock;
}

/** Where one source stands. */
export class SourceChain {
  readonly source: string;
  readonly counters: SourceCounters;
  /** Set while the source's chain is broken. */
  quarantine: Quarantine | undefined;
  /** Receive time of the last observation, for the range of a gap. */
  lastAt: UtcNanos;
  /** Which certificates have signed from where on. */
  readonly keys: KeyEras;
  readonly #context: IngestContext;
  readonly #findings: ChainFindings;
  readonly #rights: SpeakingRights;
  /** The chain as far as it is durable. */
  durable: ChainVerifier;
  /** The chain with what is on its way to the disk. */
  #ahead: ChainVerifier;
  #generation: number;
  /** A batch before which a gap record must become durable; those after it wait. */
  #gate: Promise<unknown> | undefined;
  /** Lowest batch per epoch that came and was not taken. */
  readonly #notTaken = new Map<number, number>();
  /** Batches that no signature covers yet. */
  readonly #held = new HeldBatches<Sender, Taken>();
  /** The append ordered last. */
  #pending: Promise<unknown> = Promise.resolve();

  constructor(
    source: string,
    context: IngestContext,
    kept?: {
      chain: ChainVerifier;
      counters: SourceCounters;
      quarantine?: Quarantine | undefined;
      lastAt: UtcNanos;
      keys?: KeyEras;
    },
  ) {
    this.source = source;
    this.#context = context;
    this.counters = kept?.counters ?? noCounters();
    this.#findings = new ChainFindings(source, context);
    this.#rights = new SpeakingRights(source, context, this.counters);
    this.durable = kept?.chain ?? new ChainVerifier();
    this.#ahead = new ChainVerifier(this.durable.state());
    this.quarantine = kept?.quarantine;
    this.lastAt = kept?.lastAt ?? 0n;
    this.keys = kept?.keys ?? new KeyEras();
    this.#generation = context.log.generation;
  }

  /**
   * Takes one batch.
   * @param sender role of the source, which decides for whom it may speak, and its keys by SHA-256 of the certificate
   * @returns an acknowledgement once the batch is durable, or why it was refused
   * @throws EnerchainError `environment` when the log cannot be written: nothing is acknowledged, the source sends again
   */
  take(bytes: Uint8Array, sender: Sender): Promise<Taken> {
    return this.#inTurn(bytes, sender, false);
  }

  /** @param covered its signature is that of a batch behind it, and was checked */
  async #inTurn(bytes: Uint8Array, sender: Sender, covered: boolean): Promise<Taken> {
    while (this.#gate) await this.#gate;
    return this.#takeNow(bytes, sender, covered);
  }

  async #takeNow(bytes: Uint8Array, sender: Sender, covered: boolean): Promise<Taken> {
    const { log } = this.#context;
    if (this.#generation !== log.generation) {
      this.#generation = log.generation;
      this.#ahead = new ChainVerifier(this.durable.state());
    }
    const opened = openBatch(this.source, bytes, sender, covered);
    if ('refused' in opened) return this.#refused(opened.batch, opened.refused, bytes.length);
    const { batch, content } = opened;
    if (batch.deferred && !covered) return this.#hold(batch, bytes, sender);
    const before = batch.deferred ? [] : this.#held.coveredBy(batch);
    if (before.length > 0) {
      // Each takes its turn, and this one after them.
      for (const each of before) each.settle(this.#inTurn(each.bytes, each.sender, true));
      return this.#inTurn(bytes, sender, false);
    }
    try {
      return await this.#takeOpened(batch, content, bytes, sender, covered);
    } catch (error) {
      this.#remember(batch);
      throw error;
    }
  }

  /** Not async, so that what comes next sees what has become of it. */
  #takeOpened(
    batch: Batch,
    content: Content,
    bytes: Uint8Array,
    sender: Sender,
    covered: boolean,
  ): Promise<Taken> | Taken {
    const verdict = this.#ahead.check(batch);
    if (verdict.kind === 'duplicate') return this.#duplicate(batch);
    if (verdict.kind === 'broken') return this.#broken(batch, verdict.reason, verdict.text);
    if (this.quarantine && (verdict.missing || verdict.unjoined)) {
      // Behind a broken batch the following ones look like a jump; they are no proper continuation.
      return this.#broken(batch, this.quarantine.reason, this.quarantine.text);
    }
    const { missing } = verdict;
    const before = missing && this.#notTaken.get(missing.epoch);
    if (missing && before !== undefined && before >= missing.first && before <= missing.last) {
      return this.#behind(batch, before);
    }
    if (missing) {
      // What arrives meanwhile waits until this batch has had its turn.
      const passed = this.#recordMissing(missing, batch).then(() => this.#takeNow(bytes, sender, covered));
      const gate = passed.then(
        () => {},
        () => {},
      );
      this.#gate = gate;
      return passed.finally(() => {
        if (this.#gate === gate) this.#gate = undefined;
      });
    }
    return this.#append(batch, bytes, content, sender.role, verdict.unjoined === true);
  }

  /** @returns what becomes of it once it is covered, or why it was not held */
  #hold(batch: Batch, bytes: Uint8Array, sender: Sender): Promise<Taken> | Taken {
    const { epoch, sequence } = batch.header;
    const reject = (why: string): Taken => {
      this.#remember(batch);
      const text = `batch ${epoch}/${sequence} of ${this.source} has no signature and ${why}; it was not taken`;
      return { kind: 'reject', epoch, sequence, code: 'ingest.uncovered', text };
    };
    // A copy of what is there already is not asked for its signature again.
    if (this.durable.check(batch).kind === 'duplicate') return this.#duplicate(batch);
    return this.#held.hold(batch, bytes, sender, reject);
  }

  /** It came and was not taken: those behind it must not make it a missing one. */
  #remember({ header }: Batch): void {
    const { epoch, sequence } = header;
    this.#notTaken.set(epoch, Math.min(sequence, this.#notTaken.get(epoch) ?? sequence));
    if (this.#notTaken.size > MAX_OPEN_EPOCHS) this.#notTaken.delete(this.#notTaken.keys().next().value as number);
  }

  #behind(batch: Batch, before: number): Taken {
    const { epoch, sequence } = batch.header;
    const text = `batch ${epoch}/${sequence} of ${this.source} comes behind ${epoch}/${before}, which was not taken; it was not taken either`;
    return { kind: 'reject', epoch, sequence, code: 'ingest.behind', text };
  }

  #refused(batch: Batch | undefined, { code, text }: { code: string; text: string }, bytes: number): Rejected {
    this.counters.refused++;
    if (batch?.header.source === this.source) this.#remember(batch);
    this.#findings.refused(batch, code, text, bytes);
    const { epoch = 0, sequence = 0 } = batch?.header ?? {};
    return { kind: 'reject', epoch, sequence, code, text };
  }

  async #duplicate(batch: Batch): Promise<Taken> {
    this.counters.duplicates++;
    const { epoch, sequence } = batch.header;
    // It may be on its way to the disk still; it is acknowledged only when it is there.
    if (this.durable.check(batch).kind !== 'duplicate') await this.#pending;
    if (this.durable.check(batch).kind !== 'duplicate') {
      const text = `the first copy of batch ${epoch}/${sequence} of ${this.source} could not be kept; nothing was acknowledged`;
      throw new EnerchainError('environment', 'centre.log.failed', text);
    }
    return { kind: 'ack', epoch, sequence, duplicate: true };
  }

  #broken(batch: Batch, reason: BreakReason, text: string): Rejected {
    const { epoch, sequence } = batch.header;
    this.counters.chainBreaks++;
    if (reason !== 'epochs') this.#remember(batch);
    this.#findings.broken(batch, reason, text, this.quarantine === undefined);
    this.quarantine ??= { reason, text, since: this.#context.clock.now() };
    return { kind: 'reject', epoch, sequence, code: `ingest.chain.${reason}`, text };
  }

  async #recordMissing(missing: MissingRange, batch: Batch): Promise<void> {
    const gap = await this.#findings.missing(missing, batch, this.lastAt);
    // The verifier takes it like a gap record of the source: the chain goes on behind it.
    this.#ahead.acceptGap(gap);
    this.durable.acceptGap(gap);
    this.counters.gaps++;
  }

  async #append(
    batch: Batch,
    bytes: Uint8Array,
    content: Content,
    role: SourceRole,
    unjoined: boolean,
  ): Promise<Taken> {
    const { log, sites } = this.#context;
    const { epoch, sequence } = batch.header;
    const rejected = this.#rights.rejected(batch, content, role);
    const queued = log.tryAppend({ rejected, batch: bytes }, masked(batch, content, rejected), this.#generation);
    if (queued instanceof EnerchainError) throw queued;
    this.#ahead.accept(batch);
    if (!batch.deferred) this.keys.note(kidOf(batch), batch.header);
    if ((this.#notTaken.get(epoch) ?? Number.POSITIVE_INFINITY) <= sequence) this.#notTaken.delete(epoch);
    if (content.kind === 'gap') this.#ahead.acceptGap(content.gap);
    const durable = queued.then(() => this.#accepted(batch, bytes, content));
    this.#pending = durable.catch(() => {});
    if (unjoined) {
      this.counters.gaps++;
      this.#findings.unjoined(batch, this.lastAt);
    }
    await durable;
    if (content.kind === 'site' && rejected.length === 0) await sites.save(content.document);
    return { kind: 'ack', epoch, sequence };
  }

  /** The batch is durable. */
  #accepted(batch: Batch, bytes: Uint8Array, content: Content): void {
    this.durable.accept(batch);
    if (content.kind === 'gap') this.durable.acceptGap(content.gap);
    this.count(batch, bytes.length, content);
    if (!this.quarantine) return;
    this.#findings.continued(batch, this.quarantine.since);
    this.quarantine = undefined;
  }

  /** Also when the log is read again after a start. */
  count(batch: Batch, bytes: number, content?: Content): void {
    this.counters.batches++;
    this.counters.bytes += bytes;
    if (batch.header.kind === 'gap') this.counters.gaps++;
    if (batch.header.kind !== 'observations') return;
    this.counters.observations += batch.header.count;
    const last = content?.kind === 'observations' ? content.batch.columns.at(-1)?.receiveTime.at(-1) : undefined;
    this.lastAt = last ?? (batch.header.baseTime > this.lastAt ? batch.header.baseTime : this.lastAt);
  }
}
