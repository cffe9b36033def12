/**
 * The service as a source: what it publishes goes on a chain of its own and waits in memory for its acknowledgement. What
 * was calculated is worth nothing after a restart, so nothing is kept on disk; the chain goes on where the centre stands.
 */
import { batchToBytes, ChainWriter, type Content, MemoryBatchStore, type Welcome } from '@enerchain/link';
import { describeError } from '@enerchain/model';
import type { Identity } from '@enerchain/trust';
import type { Logger } from 'pino';

export class ServiceChain {
  readonly store = new MemoryBatchStore({ maxBytes: 16 * 1024 * 1024 });
  readonly counters = { written: 0, dropped: 0 };
  readonly #identity: Identity;
  readonly #logger: Logger;
  readonly #onWritten: (batch: { epoch: number; sequence: number; bytes: Uint8Array }) => void;
  #writer: ChainWriter | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(
    identity: Identity,
    logger: Logger,
    onWritten: (batch: { epoch: number; sequence: number; bytes: Uint8Array }) => void,
  ) {
    this.#identity = identity;
    this.#logger = logger;
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

  /** An epoch that the centre does not take any more is left behind. */
  abandonEpoch(atLeast: number): void {
    this.#writer?.newEpoch(atLeast);
  }

  /** Signs and queues, in the order of the calls. What finds the store full is dropped and counted. */
  write(content: Content): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      if (!this.#writer) return;
      try {
        const batch = await this.#writer.next(content);
        const { epoch, sequence } = batch.header;
        const bytes = batchToBytes(batch);
        this.store.append({ epoch, sequence }, bytes);
        this.counters.written += 1;
        this.#onWritten({ epoch, sequence, bytes });
      } catch (error) {
        this.counters.dropped += 1;
        this.#logger.warn({ error: describeError(error) }, 'what was calculated could not be queued and is dropped');
      }
    });
    return this.#writing;
  }
}
