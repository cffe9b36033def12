/** What people, the audit and the log hear about the chain of one source: that it broke, goes on, began anew, or lacks something. */
import type { Batch, BreakReason, MissingRange } from '@enerchain/link';
import type { Clock, GapRecord, UtcNanos } from '@enerchain/model';
import type { LogPublisher } from '../ports.ts';
import type { Findings } from './findings.ts';

export interface ChainFindingsContext {
  readonly own: LogPublisher;
  readonly findings: Findings;
  readonly clock: Clock;
}

export class ChainFindings {
  readonly #source: string;
  readonly #context: ChainFindingsContext;

  constructor(source: string, context: ChainFindingsContext) {
    this.#source = source;
    this.#context = context;
  }

  /** A batch was malformed, of another source or wrongly signed. @param bytes its length */
  refused(batch: Batch | undefined, code: string, text: string, bytes: number): void {
    const { epoch = 0, sequence = 0 } = batch?.header ?? {};
    this.#context.findings.tell({
      action: 'ingest.refused',
      actor: this.#source,
      outcome: 'refused',
      subject: code,
      detail: { epoch, sequence, bytes, text: text.slice(0, 500) },
    });
  }

  /** @param first the chain was in order before */
  broken(batch: Batch, reason: BreakReason, text: string, first: boolean): void {
    const { epoch, sequence, previous, kind, count } = batch.header;
    const { findings } = this.#context;
    if (first) {
      findings.raise({
        key: `ingest.chain.${this.#source}`,
        priority: 1,
        source: this.#source,
        message: `The chain of ${this.#source} is broken: ${text}. Nothing it sends is taken until it continues properly.`,
        consequence: 'Values of this source are missing, or somebody else speaks in its name.',
        action:
          'Check whether a second device uses this identity or the data folder was restored from a copy; revoke its certificate if in doubt.',
      });
    }
    findings.tell({
      action: 'ingest.chain-break',
      actor: this.#source,
      outcome: 'refused',
      subject: `batch ${epoch}/${sequence}`,
      detail: { reason, text, hash: hex(batch.hash), previous: hex(previous), kind, count },
    });
  }

  /** @param since when the chain broke */
  continued({ header }: Batch, since: UtcNanos): void {
    const { findings, clock } = this.#context;
    findings.raise(
      {
        key: `ingest.chain.${this.#source}`,
        priority: 1,
        source: this.#source,
        message: `The chain of ${this.#source} continues properly since ${header.epoch}/${header.sequence}.`,
      },
      false,
    );
    const seconds = Number((clock.now() - since) / 1_000_000_000n);
    findings.tell({ action: 'ingest.chain-continued', actor: this.#source, outcome: 'ok', detail: { seconds } });
  }

  /**
   * The source has lost its memory of the chain: nobody can say what it had before.
   * @param lastAt receive time of its last observation that is here; 0 when there is none
   */
  unjoined(batch: Batch, lastAt: UtcNanos): void {
    const { findings, own, clock } = this.#context;
    const { epoch, sequence } = batch.header;
    findings.tell({
      action: 'ingest.chain-unjoined',
      actor: this.#source,
      outcome: 'ok',
      subject: `batch ${epoch}/${sequence}`,
      detail: { text: 'the epoch names no epoch before it; what the source held before is unknown' },
    });
    findings.raise({
      key: `ingest.unjoined.${this.#source}.${epoch}`,
      priority: 2,
      source: this.#source,
      message: `${this.#source} began a new chain that does not join its old one: its outbox was lost or replaced.`,
      consequence: 'Values it had not delivered yet are lost; the time since the last delivery is recorded as a gap.',
      action: 'Find out why the data folder of the gateway was lost; then acknowledge.',
    });
    const now = clock.now();
    const gap: GapRecord = {
      reason: 'ingestLost',
      source: this.#source,
      from: String(lastAt > 0n ? lastAt : now),
      to: String(now),
      detail: `${this.#source} began epoch ${epoch} without a join`,
    };
    own.publish({ kind: 'gap', gap }).catch(() => {});
  }

  /**
   * Writes the gap record for batches that never came.
   * @param before the batch behind them
   * @returns it, once it is durable
   */
  async missing(missing: MissingRange, before: Batch, lastAt: UtcNanos): Promise<GapRecord> {
    const { epoch, first, last, lastHash } = missing;
    const { baseTime } = before.header;
    const to = baseTime > 0n ? baseTime : this.#context.clock.now();
    const gap: GapRecord = {
      reason: 'ingestLost',
      source: this.#source,
      from: String(lastAt > 0n && lastAt < to ? lastAt : to),
      to: String(to),
      batches: { epoch, first, last, lastHash: hex(lastHash) },
      detail: `batches ${first} to ${last} of epoch ${epoch} of ${this.#source} never came`,
    };
    await this.#context.own.publish({ kind: 'gap', gap });
    return gap;
  }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
