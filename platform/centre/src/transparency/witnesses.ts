/**
 * Has connected sources cosign checkpoints over their links (`transparency.cosign`). A checkpoint is signed at most once a
 * second while something is new, and shown to witnesses less often: what they sign covers everything before.
 */
import type { KeyObject } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { LinkPeer } from '@enerchain/link';
import { type Clock, describeError, EnerchainError, validator } from '@enerchain/model';
import { type Cosignature, keyIdOf, parseCheckpoint, spkiPem, WITNESS_METHOD } from '@enerchain/provenance';
import type { CborValue } from '@enerchain/trust';
import Type from 'typebox';
import type { Findings } from '../ingest/findings.ts';
import type { TransparencyKeeper } from './keeper.ts';

export interface WitnessRoundsOptions {
  readonly keeper: TransparencyKeeper;
  readonly peers: () => readonly LinkPeer[];
  /** Public key of a source by its present certificate. */
  readonly keyOf: (name: string) => KeyObject | undefined;
  /** Cosignatures that a receipt needs. */
  readonly quorum: () => number;
  readonly clock: Clock;
  readonly findings: Findings;
  readonly onError: (error: unknown) => void;
}

const TICK_MILLIS = 1_000;
/** Between two rounds that nobody waits for. */
const ROUND_MILLIS = 5_000;
const ANSWER_MILLIS = 3_000;
/** Between any two rounds, however many ask: the key of a witness may be slow. */
const PAUSE_MILLIS = 250;
/** How long the others may still take once there are as many cosignatures as a receipt needs. */
const GRACE_MILLIS = 200;
/** Rounds until a record that is in the tree is under a checkpoint: two suffice, a slow disk or not. */
const MOST_TURNS = 3;
/** Sources asked in one round; with more, they take turns. */
const MOST_WITNESSES = 16;

const Answer = validator(
  Type.Object({
    kind: Type.Enum(['cosigned', 'from', 'refused'] as const),
    size: Type.Optional(Type.Integer({ minimum: 0 })),
    time: Type.Optional(Type.Unknown()),
    signature: Type.Optional(Type.Unknown()),
    code: Type.Optional(Type.String({ maxLength: 100 })),
    text: Type.Optional(Type.String({ maxLength: 1000 })),
  }),
  'peer',
);

export class WitnessRounds {
  readonly counters = { rounds: 0, cosignatures: 0, refusals: 0, silent: 0 };
  readonly #options: WitnessRoundsOptions;
  readonly #sizes = new Map<string, number>();
  /** Witnesses that do not believe us; an alarm stands for each. */
  readonly #refusing = new Set<string>();
  /** Peers that do not know the method. */
  readonly #without = new WeakSet<LinkPeer>();
  #round: Promise<string | undefined> | undefined;
  #lastRound = Number.NEGATIVE_INFINITY;
  #turn = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: WitnessRoundsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => void this.#tick().catch(this.#options.onError), TICK_MILLIS);
    this.#timer.unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#round?.catch(() => {});
  }

  /**
   * The newest note that covers a record, with as many cosignatures as a receipt needs where they can be had.
   * @returns undefined when the log has no such record yet, or signs nothing
   */
  async noteOver(record: number): Promise<string | undefined> {
    const { keeper, quorum } = this.#options;
    const kept = keeper.log.cosigned;
    if (kept !== undefined && covers(kept, record) >= quorum()) return kept;
    for (let turn = 0; turn < MOST_TURNS; turn++) {
      // A round that is under way may have begun with an older checkpoint, and so may the checkpoint that ours meets.
      await this.#round?.catch(() => {});
      const note = await this.round();
      if (note === undefined) return undefined;
      if (covers(note, record) >= 0) return note;
    }
    return undefined;
  }

  /** Signs a checkpoint and has it cosigned. @returns the note with the cosignatures that came */
  round(): Promise<string | undefined> {
    this.#round ??= this.#ask().finally(() => {
      this.#round = undefined;
    });
    return this.#round;
  }

  async #tick(): Promise<void> {
    const { keeper, clock } = this.#options;
    await keeper.checkpoint();
    const { checkpoint, cosigned } = keeper.log;
    if (!checkpoint || clock.monotonic() - this.#lastRound < ROUND_MILLIS) return;
    if (cosigned !== undefined && parseCheckpoint(cosigned).checkpoint.size === checkpoint.size) return;
    await this.round();
  }

  async #ask(): Promise<string | undefined> {
    const { keeper, clock, keyOf, quorum } = this.#options;
    const wait = this.#lastRound + PAUSE_MILLIS - clock.monotonic();
    if (wait > 0) await pause(wait);
    this.#lastRound = clock.monotonic();
    const note = await keeper.checkpoint();
    if (note === undefined) return undefined;
    const { cosigned } = keeper.log;
    const last = parseCheckpoint(note).checkpoint.size - 1;
    if (cosigned !== undefined && quorum() > 0 && covers(cosigned, last) >= quorum()) return cosigned;
    this.counters.rounds++;
    const cosignatures = await this.#gather(note);
    this.counters.cosignatures += cosignatures.length;
    return keeper.log.takeCosignatures(note, cosignatures, keyOf);
  }

  /** What comes in time: all of them, or enough and what comes soon after. */
  #gather(note: string): Promise<readonly Cosignature[]> {
    const peers = this.#chosen();
    const found: Cosignature[] = [];
    const enough = Math.max(1, this.#options.quorum());
    return new Promise((resolve) => {
      let left = peers.length;
      let grace: NodeJS.Timeout | undefined;
      const done = () => {
        clearTimeout(grace);
        resolve([...found]);
      };
      if (left === 0) done();
      for (const peer of peers) {
        void this.#cosignatureOf(peer, note).then((cosignature) => {
          if (cosignature) found.push(cosignature);
          left--;
          if (left === 0) done();
          else if (found.length >= enough) grace ??= setTimeout(done, GRACE_MILLIS);
        });
      }
    });
  }

  #chosen(): LinkPeer[] {
    const peers = this.#options
      .peers()
      .filter((peer) => peer.holder.name === peer.source && !this.#without.has(peer))
      .sort((a, b) => (a.source < b.source ? -1 : 1));
    if (peers.length <= MOST_WITNESSES) return peers;
    const first = (this.#turn++ * MOST_WITNESSES) % peers.length;
    return [...peers.slice(first), ...peers.slice(0, first)].slice(0, MOST_WITNESSES);
  }

  async #cosignatureOf(peer: LinkPeer, note: string): Promise<Cosignature | undefined> {
    const { keeper, keyOf } = this.#options;
    const key = spkiPem(keeper.log.signer.publicKey);
    const { size } = parseCheckpoint(note).checkpoint;
    let from = Math.min(this.#sizes.get(peer.source) ?? 0, size);
    try {
      // The second time with a proof from where the witness stands.
      for (let turn = 0; turn < 2; turn++) {
        const params = { note, from, proof: keeper.log.consistency(from, size), key } as unknown as CborValue;
        const answered = await peer.request(WITNESS_METHOD, params, { timeout: ANSWER_MILLIS });
        const answer = Answer.parse(answered, `the cosignature of ${peer.source}`);
        if (answer.kind === 'refused') return this.#refused(peer.source, answer.code ?? '', answer.text ?? '');
        if (answer.kind === 'from') {
          // A witness that remembers more than there is says so when it sees the note.
          from = Math.min(answer.size ?? 0, size);
          continue;
        }
        const { time, signature } = answer;
        if (!(signature instanceof Uint8Array) || (typeof time !== 'bigint' && typeof time !== 'number')) {
          throw new EnerchainError('peer', 'transparency.cosignature', `${peer.source} sent no cosignature`);
        }
        const own = keyOf(peer.source);
        if (!own) return undefined;
        this.#sizes.set(peer.source, size);
        this.#believes(peer.source);
        return { witness: peer.source, keyId: keyIdOf(own), time: BigInt(time), signature };
      }
      return undefined;
    } catch (error) {
      if (error instanceof EnerchainError && error.code === 'link.method') this.#without.add(peer);
      else this.counters.silent++;
      this.#options.onError(new Error(`${peer.source} did not cosign: ${describeError(error)}`));
      return undefined;
    }
  }

  /** It cosigns again: somebody has put right what was wrong. */
  #believes(source: string): void {
    if (!this.#refusing.delete(source)) return;
    const message = `${source} cosigns the log of this centre again.`;
    this.#options.findings.raise({ key: keyFor(source), priority: 1, source, message }, false);
  }

  #refused(source: string, code: string, text: string): undefined {
    const { findings } = this.#options;
    this.counters.refusals++;
    if (this.#refusing.has(source)) return undefined;
    this.#refusing.add(source);
    findings.tell({ action: 'transparency.refused', actor: source, outcome: 'refused', detail: { code, text } });
    findings.raise({
      key: keyFor(source),
      priority: 1,
      source,
      message: `${source} does not cosign the log of this centre: ${text}`,
      consequence:
        'What this centre shows is not what it showed before, or somebody pretends so; receipts lack a witness.',
      action: 'Compare the checkpoints that the gateway keeps in its data folder (witness) with those of this centre.',
    });
    return undefined;
  }
}

const keyFor = (source: string) => `transparency.witness.${source}`;

/** Number of cosignatures of a note that covers a record; -1 when it does not. */
function covers(note: string, record: number): number {
  const { checkpoint, cosignatures } = parseCheckpoint(note);
  return record < checkpoint.size ? cosignatures.length : -1;
}
