/**
 * The service as a source: what it publishes goes on a chain of its own and waits in memory for its acknowledgement. What
 * was calculated is worth nothing after a restart, so nothing is kept on disk; the chain goes on where the centre stands.
 */
import { batchToBytes, ChainWriter, type Content, MemoryBatchStore, type Welcome } from '@enerchain/link';
import { type Clock, describeError } from '@enerchain/model';
import type { Identity } from '@enerchain/trust';
import type { Logger } from 'pino';

export class ServiceChain {
  readonly store = new MemoryBatchStore({ maxBytes: 16 * 1024 * 1024 });
  readonly counters = { written: 0, dropped: 0 };
  readonly #identity: Identity;
  readonly #logger: Logger;
  readonly #onWritten: (batch: { epoch: number; sequence: number; bytes: Uint8Array }) => void;
  readonly #clock: Clock;
  #writer: ChainWriter | undefined;
  /** When the oldest batch that may still wait was written. */
  #oldest: bigint | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(
    identity: Identity,
    logger: Logger,
    clock: Clock,
    onWritten: (batch: { epoch: number; sequence: number; bytes: Uint8Array }) => void,
  ) {
    this.#identity = identity;
    this.#logger = logger;
    this.#clock = clock;
    this.#onWritten = onWritten;
  }

  /** True once the centre has said where our chain stands. */
  get isOpen(): boolean {
    return this.#writer !== undefined;
  }

  /** The first welcome of this run: a new epoch, joined to the last batch that the centre has of us. */
  welcomed({ completed, cursors }: Pick<Welcome, 'completed' | 'cursors'>): void {
    if (this.#writer) return;
    const { name: source, signer, kid } = this.#identity;
    const position = [...cursors].sort((a, b) => b.epoch - a.epoch)[0];
    this.#writer = new ChainWriter({ source, signer, kid, position, epoch: completed + 1 });
    this.#writer.newEpoch(completed + 1);
  }

  /** The centre knows of epochs up to this one: what comes goes into a later one. */
  goBeyond(epoch: number): void {
    this.#enqueue(async (writer) => writer.newEpoch(epoch + 1));
  }

  /**
   * The centre has refused a batch and takes nothing more of its epoch: what waits there is given up, and a gap record
   * in a new epoch says so.
   */
  abandon(refused: { readonly epoch: number; readonly sequence: number; readonly text: string }): void {
    this.#enqueue(async (writer) => {
      const last = writer.position;
      this.store.acknowledge(refused.epoch, Number.MAX_SAFE_INTEGER);
      if (last?.epoch !== refused.epoch) return;
      writer.newEpoch();
      this.counters.dropped += last.sequence - refused.sequence + 1;
      const now = this.#clock.now();
      await this.#append(writer, {
        kind: 'gap',
        gap: {
          reason: 'ingestLost',
          from: String(this.#oldest ?? now),
          to: String(now),
          batches: {
            epoch: refused.epoch,
            first: refused.sequence,
            last: last.sequence,
            lastHash: Buffer.from(last.hash).toString('hex'),
          },
          detail: `calculated values given up: ${refused.text}`.slice(0, 1000),
        },
      });
    });
  }

  /** Signs and queues, in the order of the calls. What finds the store full is dropped and counted. */
  write(content: Content): Promise<void> {
    return this.#enqueue((writer) => this.#append(writer, content));
  }

  #enqueue(act: (writer: ChainWriter) => Promise<void>): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      if (this.#writer) await act(this.#writer);
    });
    return this.#writing;
  }

  async #append(writer: ChainWriter, content: Content): Promise<void> {
    try {
      const batch = await writer.next(content);
      const { epoch, sequence } = batch.header;
      const bytes = batchToBytes(batch);
      if (this.store.count === 0) this.#oldest = this.#clock.now();
      this.store.append({ epoch, sequence }, bytes);
      this.counters.written += 1;
      this.#onWritten({ epoch, sequence, bytes });
    } catch (error) {
      this.counters.dropped += 1;
      this.#logger.warn({ error: describeError(error) }, 'what was calculated could not be queued and is dropped');
    }
  }
}
