/**
 * The centre's own chain: audit records, alarms it raises, gaps it finds. It is a source like any other, with its own
 * key; its records stand in the same log between those of the others.
 */
import { batchToBytes, type ChainPosition, ChainWriter, type Content } from '@enerchain/link';
import { EnerchainError } from '@enerchain/model';
import type { Signer } from '@enerchain/trust';
import type { IngestLog } from '../log/log.ts';
import type { AuditRecord, CentreContent, LogPublisher, LogWriter } from '../ports.ts';

/** Name under which the centre signs. */
export const CENTRE = 'centre';

/** Records that may wait to be signed. */
const LONGEST_QUEUE = 10_000;

export interface OwnChainOptions {
  readonly log: IngestLog;
  readonly signer: Signer;
  /** Of the certificate of the key at the beginning. */
  readonly kid: Uint8Array;
  /** Last batch of the chain that stands in the log. */
  readonly position: ChainPosition | undefined;
}

export class OwnChain implements LogWriter, LogPublisher {
  readonly #options: OwnChainOptions;
  #writer: ChainWriter;
  #signer: Signer;
  #kid: Uint8Array;
  /** Last batch that is durable. */
  #position: ChainPosition | undefined;
  #generation: number;
  /** The last record that is being signed; signing is one after the other, becoming durable is together. */
  #signing: Promise<unknown> = Promise.resolve();
  /** The last record that was queued: settled when it is durable or refused. */
  #settled: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(options: OwnChainOptions) {
    this.#options = options;
    this.#signer = options.signer;
    this.#kid = options.kid;
    this.#position = options.position;
    this.#generation = options.log.generation;
    this.#writer = this.#newWriter();
  }

  /** There is another certificate, perhaps of another key: what is signed from now on is signed with that, and names it. */
  renewed({ signer, kid }: { readonly signer: Signer; readonly kid: Uint8Array }): void {
    this.#signer = signer;
    this.#kid = kid;
    this.#writer.renewed(kid, signer);
  }

  get position(): ChainPosition | undefined {
    return this.#position;
  }

  append(record: AuditRecord): Promise<number> {
    return this.#put({ kind: 'audit', record });
  }

  publish(content: CentreContent): Promise<number> {
    return this.#put(content);
  }

  async #put(content: Content): Promise<number> {
    if (this.#waiting >= LONGEST_QUEUE) throw new RangeError(`${LONGEST_QUEUE} records of the centre wait already`);
    this.#waiting++;
    try {
      const signed = this.#signing.then(() => this.#signNext(content));
      this.#signing = signed.catch(() => {});
      // The append is ordered inside #signNext, in the order of the chain; only its outcome is awaited here.
      const { durable } = await signed;
      return await durable;
    } finally {
      this.#waiting--;
    }
  }

  async #signNext(content: Content): Promise<{ durable: Promise<number> }> {
    const { log } = this.#options;
    if (this.#generation !== log.generation) {
      // A write failed: what was signed after the last durable record never happened.
      this.#generation = log.generation;
      this.#writer = this.#newWriter();
    }
    const batch = await this.#writer.next(content);
    const decoded = { source: CENTRE, content };
    const queued = log.tryAppend({ rejected: [], batch: batchToBytes(batch) }, decoded, this.#generation);
    if (queued instanceof EnerchainError) {
      // Not a failed write, but not in the log either: the chain must not go on behind it.
      await this.#settled.catch(() => {});
      this.#writer = this.#newWriter();
      throw queued;
    }
    const durable = queued.then((offset) => {
      this.#position = { epoch: batch.header.epoch, sequence: batch.header.sequence, hash: batch.hash };
      return offset;
    });
    this.#settled = durable;
    durable.catch(() => {}); // its caller hears of it
    return { durable };
  }

  #newWriter(): ChainWriter {
    return new ChainWriter({ source: CENTRE, signer: this.#signer, kid: this.#kid, position: this.#position });
  }
}
