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
import type { KeyObject } from 'node:crypto';
import {
  type Batch,
  type BreakReason,
  ChainVerifier,
  type Content,
  contentOf,
  decodeBatch,
  kidOf,
  MAX_OPEN_EPOCHS,
  type MissingRange,
  verifyBatch,
  verifyColumns,
} from '@enerchain/link';
import { type Clock, describeError, EnerchainError, type GapRecord, type UtcNanos } from '@enerchain/model';
import type { IngestLog } from '../log/log.ts';
import type { LogPublisher, LogWriter, SourceRole } from '../ports.ts';
import { masked } from './decode.ts';
import type { Findings } from './findings.ts';
import { HeldBatches } from './held.ts';
import { KeyEras } from './key-eras.ts';
import { CENTRE } from './own-chain.ts';
import type { Directory, SiteFiles } from './points.ts';

/** What became of a batch. */
export type Taken =
  | { readonly kind: 'ack'; readonly epoch: number; readonly sequence: number; readonly duplicate?: true }
  | {
      readonly kind: 'reject';
      readonly epoch: number;
      readonly sequence: number;
      readonly code: string;
      readonly text: string;
    };

/** Counters of one source, since the log began to be kept. */
export interface SourceCounters {
  batches: number;
  observations: number;
  bytes: number;
  /** Observations of points not bound to the source. */
  rejected: number;
  /** Batches that came more than once. */
  duplicates: number;
  /** Batches refused as malformed, foreign or wrongly signed. */
  refused: number;
  /** Gap records by and about the source. */
  gaps: number;
  chainBreaks: number;
}

export const noCounters = (): SourceCounters => ({
  batches: 0,
  observations: 0,
  bytes: 0,
  rejected: 0,
  duplicates: 0,
  refused: 0,
  gaps: 0,
  chainBreaks: 0,
});

export interface Quarantine {
  readonly reason: BreakReason;
  readonly text: string;
  readonly since: UtcNanos;
}

/** Who a batch came from. */
export interface Sender {
  readonly role: SourceRole;
  /**
   * Public key of the source, by the SHA-256 of its certificate; nothing when it is unknown, another's or revoked.
   * @param at where the batch stands in the chain
   * @throws EnerchainError (fault peer) when the key was not in force there
   */
  keyOf(kid: Uint8Array, at: { readonly epoch: number; readonly sequence: number }): KeyObject | undefined;
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
    const opened = this.#open(bytes, sender, covered);
    if ('kind' in opened) return opened;
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

  /** Decodes and verifies; synchronous, so that batches keep their order. */
  #open(
    bytes: Uint8Array,
    sender: Sender,
    covered: boolean,
  ): { batch: Batch; content: Content } | (Taken & { kind: 'reject' }) {
    let batch: Batch | undefined;
    try {
      batch = decodeBatch(bytes);
      const { header } = batch;
      if (header.source !== this.source) {
        throw new EnerchainError(
          'peer',
          'ingest.foreign-source',
          `${this.source} sent a batch in the name of ${header.source}`,
        );
      }
      if (batch.deferred) {
        if (!covered) verifyColumns(batch);
        return { batch, content: contentOf(batch) };
      }
      const kid = kidOf(batch);
      const key = sender.keyOf(kid, header);
      if (!key) {
        const name = Buffer.from(kid).toString('hex').slice(0, 16);
        throw new EnerchainError(
          'peer',
          'ingest.unknown-key',
          `a batch of ${this.source} names the unknown key ${name}…`,
        );
      }
      verifyBatch(batch, key);
      return { batch, content: contentOf(batch) };
    } catch (error) {
      this.counters.refused++;
      const { epoch = 0, sequence = 0 } = batch?.header ?? {};
      if (batch?.header.source === this.source) this.#remember(batch);
      const code = error instanceof EnerchainError ? error.code : 'ingest.malformed';
      const text = `${describeError(error)}; the batch was not taken`;
      this.#context.findings.tell({
        action: 'ingest.refused',
        actor: this.source,
        outcome: 'refused',
        subject: code,
        detail: { epoch, sequence, bytes: bytes.length, text: text.slice(0, 500) },
      });
      return { kind: 'reject', epoch, sequence, code, text };
    }
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

  #broken(batch: Batch, reason: BreakReason, text: string): Taken {
    const { epoch, sequence, previous, kind, count } = batch.header;
    this.counters.chainBreaks++;
    if (reason !== 'epochs') this.#remember(batch);
    const { findings, clock } = this.#context;
    if (!this.quarantine) {
      this.quarantine = { reason, text, since: clock.now() };
      findings.raise({
        key: `ingest.chain.${this.source}`,
        priority: 1,
        source: this.source,
        message: `The chain of ${this.source} is broken: ${text}. Nothing it sends is taken until it continues properly.`,
        consequence: 'Values of this source are missing, or somebody else speaks in its name.',
        action:
          'Check whether a second device uses this identity or the data folder was restored from a copy; revoke its certificate if in doubt.',
      });
    }
    findings.tell({
      action: 'ingest.chain-break',
      actor: this.source,
      outcome: 'refused',
      subject: `batch ${epoch}/${sequence}`,
      detail: { reason, text, hash: hex(batch.hash), previous: hex(previous), kind, count },
    });
    return { kind: 'reject', epoch, sequence, code: `ingest.chain.${reason}`, text };
  }

  async #recordMissing(missing: MissingRange, batch: Batch): Promise<void> {
    const { epoch, first, last, lastHash } = missing;
    const { clock, own } = this.#context;
    const to = batch.header.baseTime > 0n ? batch.header.baseTime : clock.now();
    const gap: GapRecord = {
      reason: 'ingestLost',
      source: this.source,
      from: (this.lastAt > 0n && this.lastAt < to ? this.lastAt : to).toString(),
      to: to.toString(),
      batches: { epoch, first, last, lastHash: hex(lastHash) },
      detail: `batches ${first} to ${last} of epoch ${epoch} of ${this.source} never came`,
    };
    await own.publish({ kind: 'gap', gap });
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
    const rejected = this.#rejections(batch, content, role);
    const queued = log.tryAppend({ rejected, batch: bytes }, masked(batch, content, rejected), this.#generation);
    if (queued instanceof EnerchainError) throw queued;
    this.#ahead.accept(batch);
    if (!batch.deferred) this.keys.note(kidOf(batch), batch.header);
    if ((this.#notTaken.get(epoch) ?? Number.POSITIVE_INFINITY) <= sequence) this.#notTaken.delete(epoch);
    if (content.kind === 'gap') this.#ahead.acceptGap(content.gap);
    const durable = queued.then(() => this.#accepted(batch, bytes, content));
    this.#pending = durable.catch(() => {});
    if (unjoined) this.#unjoined(batch);
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
    const { findings, clock } = this.#context;
    findings.raise(
      {
        key: `ingest.chain.${this.source}`,
        priority: 1,
        source: this.source,
        message: `The chain of ${this.source} continues properly since ${batch.header.epoch}/${batch.header.sequence}.`,
      },
      false,
    );
    const seconds = Number((clock.now() - this.quarantine.since) / 1_000_000_000n);
    findings.tell({ action: 'ingest.chain-continued', actor: this.source, outcome: 'ok', detail: { seconds } });
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

  /** The source has lost its memory of the chain: nobody can say what it had before. */
  #unjoined(batch: Batch): void {
    const { findings, own, clock } = this.#context;
    const { epoch, sequence } = batch.header;
    findings.tell({
      action: 'ingest.chain-unjoined',
      actor: this.source,
      outcome: 'ok',
      subject: `batch ${epoch}/${sequence}`,
      detail: { text: 'the epoch names no epoch before it; what the source held before is unknown' },
    });
    findings.raise({
      key: `ingest.unjoined.${this.source}.${epoch}`,
      priority: 2,
      source: this.source,
      message: `${this.source} began a new chain that does not join its old one: its outbox was lost or replaced.`,
      consequence: 'Values it had not delivered yet are lost; the time since the last delivery is recorded as a gap.',
      action: 'Find out why the data folder of the gateway was lost; then acknowledge.',
    });
    const now = clock.now();
    const gap: GapRecord = {
      reason: 'ingestLost',
      source: this.source,
      from: (this.lastAt > 0n ? this.lastAt : now).toString(),
      to: now.toString(),
      detail: `${this.source} began epoch ${epoch} without a join`,
    };
    this.counters.gaps++;
    own.publish({ kind: 'gap', gap }).catch(() => {});
  }

  /** @returns indices of the columns that consumers must not see */
  #rejections(batch: Batch, content: Content, role: SourceRole): number[] {
    const { points } = this.#context;
    const bound = (point: string) => points.isBound(this.source, point);
    switch (content.kind) {
      case 'observations': {
        const rejected: number[] = [];
        let count = 0;
        content.batch.columns.forEach((column, index) => {
          if (bound(column.point)) return;
          rejected.push(index);
          count += column.cause.length;
        });
        if (count === 0) return rejected;
        this.counters.rejected += count;
        return this.#refuseContent(
          batch,
          `${count} observations of ${rejected.length} points not bound to it`,
          rejected,
          {
            point: content.batch.columns[rejected[0]!]!.point,
          },
        );
      }
      case 'gap':
      case 'sourceEvents':
        return [];
      case 'site':
        return this.#announced(batch, points.announce(this.source, content.document));
      case 'commandEvents':
        if (role === 'edge' && content.events.every(({ point }) => bound(point))) return [];
        return this.#refuseContent(batch, 'events of commands to points not bound to it', [0]);
      case 'alarmRaised':
        if (role === 'service') return [];
        if (
          (content.alarm.source ?? this.source) === this.source &&
          (!content.alarm.point || bound(content.alarm.point))
        ) {
          return [];
        }
        return this.#refuseContent(batch, "an alarm about another's point", [0]);
      case 'audit':
        return this.source === CENTRE
          ? []
          : this.#refuseContent(batch, "an audit record, which is the centre's alone", [0]);
      case 'attestation':
        return content.record.verifier === this.source
          ? []
          : this.#refuseContent(batch, "another's result of attestation", [0]);
      case 'command':
      case 'certificate':
        return this.#refuseContent(batch, `a ${content.kind}, which is the centre's alone`, [0]);
    }
  }

  #announced(batch: Batch, outcome: ReturnType<Directory['announce']>): number[] {
    if (outcome.kind === 'foreign') return this.#refuseContent(batch, "another source's site document", [0]);
    if (outcome.kind === 'old') {
      return this.#refuseContent(batch, `a site document that is not newer than version ${outcome.inForce}`, [0]);
    }
    const { findings, own } = this.#context;
    const { conflicts } = outcome;
    own
      .append({
        action: 'site.announced',
        actor: this.source,
        outcome: 'ok',
        detail: { points: outcome.points, conflicts: conflicts.length },
      })
      .catch(() => {});
    const key = `ingest.points.${this.source}`;
    if (conflicts.length > 0) {
      findings.raise({
        key,
        priority: 2,
        source: this.source,
        message: `${this.source} announces ${conflicts.length} points that belong to another source already, first ${conflicts[0]}; they stay with the other one.`,
        action: 'Correct the site file of one of the two sources.',
      });
    }
    return [];
  }

  #refuseContent(batch: Batch, what: string, rejected: number[], detail: Record<string, unknown> = {}): number[] {
    const { epoch, sequence } = batch.header;
    this.#context.findings.tell({
      action: 'ingest.not-bound',
      actor: this.source,
      outcome: 'refused',
      subject: `batch ${epoch}/${sequence}`,
      detail: { text: `${this.source} sent ${what}; kept in the log, shown to nobody`, ...detail },
    });
    return rejected;
  }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
