/**
 * A service as a source: what it publishes goes on a chain of its own, is durable on disk, and waits there for its
 * acknowledgement. Bounded; what had to be given up is said by a gap record on the same chain.
 */
import {
  type Batch,
  batchToBytes,
  ChainWriter,
  type Content,
  contentOf,
  decodeBatch,
  type LogRange,
} from '@enerchain/link';
import { type Clock, describeError, type GapRecord } from '@enerchain/model';
import type { Identity } from '@enerchain/trust';
import type { Logger } from 'pino';
import type { ChainStore } from './chain-store.ts';

type SigningKey = Pick<Identity, 'signer' | 'kid'>;

export interface OwnChainOptions {
  readonly store: ChainStore;
  readonly identity: Identity;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Octets that may wait. */
  readonly maxBytes: number;
  onWritten(batch: { readonly epoch: number; readonly sequence: number; readonly bytes: Uint8Array }): void;
  /** What was read of the centre's log so far; it stands in the header of every batch of values. */
  reads(): readonly LogRange[];
  /** Something on the chain will not reach the centre; what must stand there has to be said again. */
  onLost(): void;
}

/** How much more than necessary is dropped at the bound, so that not every batch needs a gap record of its own. */
const DROP_SHARE = 0.1;
const ALL = Number.MAX_SAFE_INTEGER;
const READ = { count: 64, bytes: 4 * 1024 * 1024 } as const;

export class OwnChain {
  readonly counters = { written: 0, dropped: 0, gaps: 0, failedWrites: 0 };
  readonly #options: OwnChainOptions;
  #signing: SigningKey;
  #writer: ChainWriter;
  /** What could not be written to disk. */
  #unkept: { from: bigint; to: bigint; lost: number } | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: OwnChainOptions) {
    this.#options = options;
    this.#signing = options.identity;
    this.#writer = this.#newWriter();
  }

  /** There is another certificate, perhaps of another key: what is signed from now on is signed with that, and names it. */
  renewed(identity: SigningKey): void {
    this.#signing = identity;
    this.#writer.renewed(identity.kid, identity.signer);
  }

  /** Signs, keeps and sends, in the order of the calls. */
  write(content: Content): Promise<void> {
    return this.#enqueue(() => this.#append(content));
  }

  /**
   * The centre has refused a batch and takes nothing more of its epoch: what waits there is given up, and a gap record in
   * another epoch says so.
   */
  abandon(refused: { readonly epoch: number; readonly sequence: number; readonly text: string }): Promise<void> {
    return this.#enqueue(async () => {
      const { epoch, sequence } = refused;
      if (epoch === this.#writer.epoch) this.#writer.newEpoch();
      await this.#giveUp(epoch, sequence, ALL, 'ingestLost', `the centre refused it: ${refused.text}`);
    });
  }

  /**
   * The centre knows more of this chain than we do: our folder is older than what we sent. What waits is put on the chain
   * anew, in an epoch that names none before it; the centre records the break.
   */
  behind({ epochs, highest }: { readonly epochs: readonly number[]; readonly highest: number }): Promise<void> {
    return this.#enqueue(async () => {
      if (this.#writer.epoch <= highest) this.#writer.restart(highest + 1);
      for (const epoch of epochs) {
        for (;;) {
          const batches = this.#options.store.read(epoch, 0, READ);
          if (batches.length === 0) break;
          for (const { bytes } of batches) await this.#append(contentOf(decodeBatch(bytes)));
          this.#options.store.acknowledge(epoch, batches.at(-1)!.sequence);
        }
      }
    });
  }

  /** Resolves when everything asked for so far is on disk or given up. */
  settled(): Promise<void> {
    return this.#writing;
  }

  /** Every run writes an epoch of its own, numbered by the clock: live values pass what still waits. */
  #newWriter(): ChainWriter {
    const { store, identity, clock } = this.#options;
    const { signer, kid } = this.#signing;
    const writer = new ChainWriter({ source: identity.name, signer, kid, position: store.position() });
    writer.newEpoch(Number(clock.now() / 1_000_000_000n));
    return writer;
  }

  #enqueue(act: () => Promise<void>): Promise<void> {
    this.#writing = this.#writing.then(act).catch((error: unknown) => {
      this.#options.logger.error({ error: describeError(error) }, 'the own chain could not be continued');
    });
    return this.#writing;
  }

  async #append(content: Content): Promise<void> {
    try {
      if (this.#unkept) {
        const { from, to, lost } = this.#unkept;
        const detail = 'what was published could not be written to disk';
        await this.#keep({
          kind: 'gap',
          gap: { reason: 'outboxFailure', from: String(from), to: String(to), lost, detail },
        });
        this.counters.gaps += 1;
        this.#unkept = undefined;
        this.#options.onLost();
      }
      await this.#keep(content);
    } catch (error) {
      const { clock, logger } = this.#options;
      const now = clock.now();
      const lost = content.kind === 'observations' ? content.batch.count : 0;
      this.#unkept = { from: this.#unkept?.from ?? now, to: now, lost: (this.#unkept?.lost ?? 0) + lost };
      this.counters.failedWrites += 1;
      this.counters.dropped += 1;
      // The batch was signed but not kept: nobody must see its number again with something else.
      this.#writer = this.#newWriter();
      logger.warn({ error: describeError(error) }, 'what was published could not be kept and is lost');
      return;
    }
    if (this.#options.store.bytes > this.#options.maxBytes) await this.#makeRoom();
  }

  async #keep(content: Content): Promise<void> {
    const { store, clock, onWritten, reads } = this.#options;
    const batch: Batch = await this.#writer.next(content, content.kind === 'observations' ? { reads: reads() } : {});
    const { epoch, sequence } = batch.header;
    const bytes = batchToBytes(batch);
    store.append({ epoch, sequence, hash: batch.hash }, bytes, clock.now());
    this.counters.written += 1;
    onWritten({ epoch, sequence, bytes });
  }

  /** Drops the oldest batches that wait. */
  async #makeRoom(): Promise<void> {
    const { store, maxBytes } = this.#options;
    const until = maxBytes * (1 - DROP_SHARE);
    for (let excess = store.bytes - until; excess > 0; ) {
      const [oldest] = store.epochs();
      if (!oldest) return;
      let last = oldest.first;
      for (const { sequence, bytes } of store.read(oldest.epoch, oldest.first, { count: 4096, bytes: excess })) {
        last = sequence;
        excess -= bytes.length;
      }
      // The record travels in a later epoch, before what is left of this one: the centre then knows why numbers are missing.
      if (oldest.epoch === this.#writer.epoch) this.#writer.newEpoch();
      await this.#giveUp(oldest.epoch, oldest.first, last, 'outboxOverflow', `more than ${maxBytes} octets waited`);
    }
  }

  async #giveUp(
    epoch: number,
    first: number,
    until: number,
    reason: 'ingestLost' | 'outboxOverflow',
    why: string,
  ): Promise<void> {
    const { store, clock, logger, onLost } = this.#options;
    let last: { readonly sequence: number; readonly hash: Uint8Array } | undefined;
    let [lost, batches] = [0, 0];
    const times = store.times(epoch, first, until);
    for (let from = first; ; from = last.sequence + 1) {
      const run = store.read(epoch, from, READ).filter(({ sequence }) => sequence <= until);
      for (const { sequence, bytes } of run) {
        const { header, hash } = decodeBatch(bytes);
        if (header.kind === 'observations') lost += header.count;
        batches += 1;
        last = { sequence, hash };
      }
      if (run.length === 0 || !last) break;
    }
    store.acknowledge(epoch, until);
    if (!last) return;
    this.counters.dropped += batches;
    logger.error({ epoch, first, last: last.sequence, reason: why }, 'what was published is given up');
    const now = clock.now();
    const gap: GapRecord = {
      reason,
      from: String(times?.from ?? now),
      to: String(times?.to ?? now),
      lost,
      batches: { epoch, first, last: last.sequence, lastHash: Buffer.from(last.hash).toString('hex') },
      detail: `given up: ${why}`.slice(0, 1000),
    };
    this.counters.gaps += 1;
    await this.#append({ kind: 'gap', gap });
    onLost();
  }
}
