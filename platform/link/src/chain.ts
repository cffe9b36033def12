/**
 * The chain of a source. It runs in epochs: within an epoch every batch names the hash of the one before; the first batch
 * of a new epoch names the last batch of the epoch it ends (the join). So live data can travel in a new epoch while the
 * old one is still being sent, and once the old one is complete its end must be the one that the new one named.
 */
import { EnerchainError, type GapRecord } from '@enerchain/model';
import type { Signer } from '@enerchain/trust';
import { type Batch, type ChainPosition, encodeBatch, type LogRange, NO_PREVIOUS, sealBatch } from './batch.ts';
import type { Content } from './content.ts';

/** Writes one chain; the caller keeps what it writes before asking for more. */
export class ChainWriter {
  readonly #source: string;
  #signer: Signer;
  #kid: Uint8Array;
  #position: ChainPosition | undefined;
  #epoch: number;
  #join: ChainPosition | undefined;
  #busy = false;

  /** @param options.position the last batch written, absent when there is none; `epoch` then says where to begin (0) */
  constructor(options: {
    source: string;
    signer: Signer;
    kid: Uint8Array;
    position?: ChainPosition | undefined;
    epoch?: number;
  }) {
    this.#source = options.source;
    this.#signer = options.signer;
    this.#kid = options.kid;
    this.#position = options.position;
    this.#epoch = options.position?.epoch ?? options.epoch ?? 0;
  }

  /**
   * The certificate of the key was renewed: what is written from now on names the new one.
   * @param signer of another key, if that was made as well
   */
  renewed(kid: Uint8Array, signer?: Signer): void {
    this.#kid = kid;
    if (signer) this.#signer = signer;
  }

  /** Epoch in which the next batch will stand. */
  get epoch(): number {
    return this.#epoch;
  }

  /** The last batch written. */
  get position(): ChainPosition | undefined {
    return this.#position;
  }

  /**
   * Ends the epoch: the next batch opens another one. Nothing happens when the present one is still empty.
   * @param atLeast smallest number of the new epoch, when the centre knows of higher ones
   */
  newEpoch(atLeast = 0): void {
    if (this.#position && this.#position.epoch === this.#epoch) {
      this.#join = this.#position;
      this.#epoch = Math.max(this.#epoch + 1, atLeast);
    } else {
      this.#epoch = Math.max(this.#epoch, atLeast);
    }
  }

  /**
   * Begins an epoch that names none before it: what this source remembers of its chain is not what it sent (a restored
   * backup, a lost disk). The receiver records this as a break of the chain.
   * @param epoch above every number that the receiver knows
   */
  restart(epoch: number): void {
    this.#position = undefined;
    this.#join = undefined;
    this.#epoch = epoch;
  }

  /** Signs a batch of this chain that was written without a signature, with the present key. */
  seal(batch: Batch): Promise<Batch> {
    return sealBatch(batch, this.#signer, this.#kid);
  }

  /**
   * Makes the next batch and signs it. The chain moves on when the promise resolves; when it rejects, nothing has happened.
   * @param options.defer leaves the signature to a later batch of the epoch
   * @param options.reads what a service has read of the centre's log
   * @throws EnerchainError `link.chain.busy` (fault caller) while another call is under way
   */
  async next(
    content: Content,
    options: { readonly defer?: boolean; readonly reads?: readonly LogRange[] } = {},
  ): Promise<Batch> {
    if (this.#busy) {
      throw new EnerchainError('caller', 'link.chain.busy', `two batches of ${this.#source} were asked for at once`);
    }
    this.#busy = true;
    try {
      const last = this.#position?.epoch === this.#epoch ? this.#position : undefined;
      const batch = await encodeBatch(content, {
        source: this.#source,
        signer: this.#signer,
        kid: this.#kid,
        epoch: this.#epoch,
        sequence: last ? last.sequence + 1 : 0,
        previous: last?.hash ?? NO_PREVIOUS,
        ...(!last && this.#join ? { join: this.#join } : {}),
        ...options,
      });
      this.#position = { epoch: this.#epoch, sequence: batch.header.sequence, hash: batch.hash };
      return batch;
    } finally {
      this.#busy = false;
    }
  }
}

/** A range of sequence numbers that never came. */
export interface MissingRange {
  readonly epoch: number;
  readonly first: number;
  readonly last: number;
  /** Hash of the last missing batch, as the batch after it names it. */
  readonly lastHash: Uint8Array;
}

/** How one epoch of one source stands at the receiver. */
export interface EpochState {
  readonly epoch: number;
  /** Last batch taken; -1 before the first. */
  sequence: number;
  hash: Uint8Array;
  /** Where a later epoch says that this one ends. */
  end?: { readonly sequence: number; readonly hash: Uint8Array };
  /** Ranges that a gap record named and that the cursor has not reached yet. */
  dropped?: readonly MissingRange[];
}

/** Everything the receiver must keep to go on with a source; plain data. */
export interface ChainState {
  /** Epochs up to this number are complete, or were given up; -1 at first. */
  readonly completed: number;
  /** Epochs above it, ascending. */
  readonly epochs: readonly Readonly<EpochState>[];
}

export const BREAKS = {
  previous: 'names another batch before it than the one that was taken',
  fork: 'differs from the batch that was taken under the same number',
  afterEnd: 'lies behind the end of its epoch',
  join: 'ends the epoch before it with another batch than the one that was taken',
  epochs: 'opens more epochs than are kept open for one source',
} as const;
export type BreakReason = keyof typeof BREAKS;

export type Verdict =
  | {
      readonly kind: 'next';
      /** Numbers between the last batch and this one that never came; to be recorded, unless a gap record named them. */
      readonly missing?: MissingRange;
      /** A first batch that names no epoch before although the source is known: its memory of the chain is lost. */
      readonly unjoined?: true;
    }
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'broken'; readonly reason: BreakReason; readonly text: string };

/** Most epochs of one source that may be incomplete at the same time. */
export const MAX_OPEN_EPOCHS = 256;
/** Most dropped ranges remembered per epoch; one more and its numbers will be reported as missing. */
const MAX_DROPPED = 256;
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

/**
 * Follows the chain of one source. `check` changes nothing; `accept` moves on and is called once the batch is kept (or
 * is sure to be kept before anything after it). Signatures are not its business: `verifyBatch` comes first.
 */
export class ChainVerifier {
  readonly #epochs = new Map<number, EpochState>();
  #completed: number;

  constructor(state?: ChainState) {
    this.#completed = state?.completed ?? -1;
    for (const epoch of state?.epochs ?? []) this.#epochs.set(epoch.epoch, { ...epoch });
  }

  /** A copy of the state, ascending by epoch. */
  state(): ChainState {
    const epochs = [...this.#epochs.values()].sort((a, b) => a.epoch - b.epoch).map((epoch) => ({ ...epoch }));
    return { completed: this.#completed, epochs };
  }

  /** Last batch taken in each epoch that is not complete. */
  cursors(): ChainPosition[] {
    return this.state()
      .epochs.filter((epoch) => epoch.sequence >= 0)
      .map(({ epoch, sequence, hash }) => ({ epoch, sequence, hash }));
  }

  get completed(): number {
    return this.#completed;
  }

  /** Highest epoch known, -1 when the source is new. */
  get highest(): number {
    return Math.max(this.#completed, ...this.#epochs.keys());
  }

  check(batch: Batch): Verdict {
    const { epoch, sequence, previous, join } = batch.header;
    if (epoch <= this.#completed) return { kind: 'duplicate' };
    const state = this.#epochs.get(epoch);
    const last = state?.sequence ?? -1;
    if (state && sequence <= last) {
      if (sequence === last && !same(batch.hash, state.hash)) return broken(batch, 'fork');
      return { kind: 'duplicate' };
    }
    if (state?.end) {
      if (sequence > state.end.sequence) return broken(batch, 'afterEnd');
      if (sequence === state.end.sequence && !same(batch.hash, state.end.hash)) return broken(batch, 'join');
    }
    if (sequence === last + 1 && !same(previous, last < 0 ? NO_PREVIOUS : state!.hash))
      return broken(batch, 'previous');
    if (!state && this.#epochs.size >= MAX_OPEN_EPOCHS) return broken(batch, 'epochs');
    if (join && !this.#canJoin(join)) return broken(batch, 'join');
    if (sequence > last + 1) {
      return { kind: 'next', missing: { epoch, first: last + 1, last: sequence - 1, lastHash: previous } };
    }
    if (sequence === 0 && !join && this.highest >= 0 && epoch > this.highest) return { kind: 'next', unjoined: true };
    return { kind: 'next' };
  }

  /** Whether what is known of the epoch before allows it to end there. */
  #canJoin(join: ChainPosition): boolean {
    if (join.epoch <= this.#completed) return true;
    const state = this.#epochs.get(join.epoch);
    if (!state) return this.#epochs.size + 1 < MAX_OPEN_EPOCHS;
    if (state.end) return state.end.sequence === join.sequence && same(state.end.hash, join.hash);
    return state.sequence < join.sequence || (state.sequence === join.sequence && same(state.hash, join.hash));
  }

  /** Moves on to a batch that `check` has called `next`. */
  accept(batch: Batch): void {
    const { epoch, sequence, join } = batch.header;
    const unjoined = sequence === 0 && !join && epoch > this.highest;
    const state = this.#open(epoch);
    state.sequence = sequence;
    state.hash = batch.hash;
    skipDropped(state);
    if (join && join.epoch > this.#completed) this.#open(join.epoch).end = join;
    if (unjoined) {
      for (const other of this.#epochs.values()) {
        if (other.epoch < epoch) other.end ??= { sequence: other.sequence, hash: other.hash };
      }
    }
    this.#prune();
  }

  /**
   * Takes note of a gap record of the source: dropped batches will not come, and the chain goes on behind them.
   * Call it after `accept` of the batch that carried the record.
   */
  acceptGap(gap: GapRecord): void {
    if (!gap.batches) return;
    const { epoch, first, last, lastHash } = gap.batches;
    if (epoch <= this.#completed || last < first) return;
    if (!this.#epochs.has(epoch) && this.#epochs.size >= MAX_OPEN_EPOCHS) return;
    const state = this.#open(epoch);
    const dropped = state.dropped ?? [];
    if (last > (state.end?.sequence ?? last) || dropped.length >= MAX_DROPPED) return;
    state.dropped = [...dropped, { epoch, first, last, lastHash: Buffer.from(lastHash, 'hex') }];
    skipDropped(state);
    this.#prune();
  }

  #open(epoch: number): EpochState {
    let state = this.#epochs.get(epoch);
    if (!state) {
      state = { epoch, sequence: -1, hash: NO_PREVIOUS };
      this.#epochs.set(epoch, state);
    }
    return state;
  }

  /** Forgets complete epochs from the lowest on. A join names every epoch before it, so none below can still turn up. */
  #prune(): void {
    for (const epoch of [...this.#epochs.keys()].sort((a, b) => a - b)) {
      const state = this.#epochs.get(epoch)!;
      // A gap record may have led to the end under another hash: then the epoch stays open for all to see.
      if (!state.end || state.sequence < state.end.sequence || !same(state.hash, state.end.hash)) return;
      this.#epochs.delete(epoch);
      this.#completed = epoch;
    }
  }
}

/** Moves the cursor over dropped ranges that begin where it stands. */
function skipDropped(state: EpochState): void {
  for (;;) {
    const left = (state.dropped ?? []).filter((range) => range.last > state.sequence);
    const range = left.find(({ first }) => first <= state.sequence + 1);
    if (!range) {
      if (left.length > 0) state.dropped = left;
      else delete state.dropped;
      return;
    }
    state.sequence = range.last;
    state.hash = range.lastHash;
  }
}

function broken(batch: Batch, reason: BreakReason): Verdict {
  const { source, epoch, sequence } = batch.header;
  return { kind: 'broken', reason, text: `batch ${epoch}/${sequence} of ${source} ${BREAKS[reason]}` };
}
