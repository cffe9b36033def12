/** Question and answer with one neighbour after the other, in both directions, and the appraisal of what comes. */
import { type AttestationResult, bindingOf, type SignedResult, untimely } from '@enerchain/attestation';
import { describeError, EnerchainError } from '@enerchain/model';
import type { Channel } from '../channel.ts';
import type { TcnMessage } from '../message.ts';
import { decodeNativeResponse, encodeNativeResponse } from '../tap/native.ts';
import { decodeTapRequest, encodeTapRequest } from '../tap/request.ts';
import type { Answering } from './answering.ts';
import { CYCLE_DOWN, type CycleEffect, type CycleInput, stepCycle, type Timing } from './cycle.ts';
import { type EvidenceStore, hexOf } from './evidence-store.ts';
import { TCN_LIMITS } from './limits.ts';
import type { Neighbour } from './neighbour.ts';
import type { Appraiser, TcnOptions } from './ports.ts';
import type { Registry } from './registry.ts';
import type { SilenceWatch } from './silence.ts';

const NONCE_BYTES = 32;
/** Least octets of a nonce that is answered. */
const LEAST_NONCE = 16;
/** A verifier of ours that takes longer than this, milliseconds, has stalled: nobody stays good because of that. */
const APPRAISAL_TIMEOUT = 30_000;
/** Evidence up to so many octets travels whole each time; of longer one, only now and then. */
const LARGE = 2 << 10;
/** Questions in a row without an answer after which a connection is closed: its other end may be gone. */
const DEAD = 2;

/** Whether evidence came from the node it speaks of. Otherwise what is wrong with it says nothing about the node. */
export function isAuthentic({ vector }: AttestationResult): boolean {
  const identity = vector.instanceIdentity;
  return identity !== undefined && identity >= 2 && identity < 96;
}

export interface DialogueOptions
  extends Pick<TcnOptions, 'clock' | 'after' | 'random' | 'randomBytes' | 'policy' | 'appraiser'> {
  readonly self: string;
  readonly timing: () => Timing;
  readonly registry: Registry;
  readonly answering: Answering;
  readonly silence: SilenceWatch;
  /** Bad evidence that others may ask for. */
  readonly adverse: EvidenceStore;
  /** A result of our own that others are to hear of. @param whole its evidence can be appraised by who knows nothing yet */
  tell(signed: SignedResult, whole: boolean): void;
  /** A result of our own that convinces nobody else; the centre hears of it all the same. */
  note(signed: SignedResult): void;
  /** A result of our own that nobody else hears of. */
  keep(signed: SignedResult): void;
  /** The connection has to go. */
  dead(neighbour: Neighbour): void;
}

export class Dialogue {
  readonly counters = { appraisals: 0, stalled: 0 };
  readonly #options: DialogueOptions;
  /** The newest evidence of each neighbour, for a centre that appraises it too. */
  readonly #latest = new Map<string, { readonly digest: string; readonly evidence: Uint8Array }>();
  /** Neighbours whose clocks are too far from ours. */
  readonly #apart = new Set<string>();
  #nextId = 1;
  #appraising = 0;
  #closed = false;

  constructor(options: DialogueOptions) {
    this.#options = options;
  }

  close(): void {
    this.#closed = true;
  }

  /** The newest evidence of a neighbour, by its SHA-256 in hex. */
  latest(digest: string): Uint8Array | undefined {
    return [...this.#latest.values()].find((each) => each.digest === digest)?.evidence;
  }

  #now(): number {
    return this.#options.clock.monotonic();
  }

  // ---- asking ----------------------------------------------------------------------------------------------------------

  step(neighbour: Neighbour, input: CycleInput): void {
    if (this.#closed) return;
    const { random, timing } = this.#options;
    const { state, effects } = stepCycle(neighbour.cycle, input, { now: this.#now(), random, timing: timing() });
    neighbour.cycle = state;
    for (const effect of effects) this.#act(neighbour, effect);
    if (state === CYCLE_DOWN) neighbour.cancelWake?.();
  }

  #act(neighbour: Neighbour, effect: CycleEffect): void {
    switch (effect.kind) {
      case 'wakeAt': {
        neighbour.cancelWake?.();
        const wait = Math.max(0, effect.at - this.#now());
        neighbour.cancelWake = this.#options.after(wait, () => this.step(neighbour, { kind: 'wake' }));
        return;
      }
      case 'ask':
        this.#ask(neighbour);
        return;
      case 'missed': {
        neighbour.question = undefined;
        neighbour.counters.missed++;
        const { registry } = this.#options;
        const record = registry.of(neighbour.name);
        record.missed(this.#now());
        registry.reassess([record]);
        const { cycle } = neighbour;
        if (effect.why === 'timeout' && cycle.phase === 'resting' && cycle.misses >= DEAD)
          this.#options.dead(neighbour);
      }
    }
  }

  #ask(neighbour: Neighbour): void {
    const { channel } = neighbour;
    if (!channel) return;
    const { appraiser, registry, randomBytes, self } = this.#options;
    const nonce = randomBytes(NONCE_BYTES);
    const binding = bindingOf({ nonce, exporter: channel.exporter, verifier: self, node: neighbour.name });
    const convicted = registry.find(neighbour.name)?.conviction !== undefined;
    const now = this.#now();
    // Now and then all of it, for the centre and whoever else appraises it without having seen the beginning.
    const due = now - neighbour.wholeAt > ((this.#options.policy()?.validFor ?? 0) * 1000) / 2;
    const needed = neighbour.whole || convicted || due || !neighbour.large;
    const since = needed ? undefined : appraiser.cursor?.(neighbour.name);
    if (since === undefined) neighbour.wholeAt = now;
    neighbour.whole = false;
    neighbour.question = { id: this.#nextId++, binding, whole: since === undefined };
    neighbour.counters.challenges++;
    const request = encodeTapRequest({ hello: false, keyId: '', nonce, selections: [], logs: [] });
    neighbour.send({ type: 'challenge', id: neighbour.question.id, request, since });
  }

  refused(neighbour: Neighbour, id: number): void {
    if (id === neighbour.question?.id) this.step(neighbour, { kind: 'refused' });
  }

  // ---- answering -------------------------------------------------------------------------------------------------------

  answer(neighbour: Neighbour, channel: Channel, message: TcnMessage & { readonly type: 'challenge' }): void {
    const { id, request, since } = message;
    const refuse = (code: string, text: string) => {
      neighbour.counters.refusedChallenges++;
      if (neighbour.channel === channel) neighbour.send({ type: 'refused', id, code, text });
    };
    const { nonce } = decodeTapRequest(request);
    if (nonce.length < LEAST_NONCE)
      throw new EnerchainError('peer', 'tcn.nonce', 'a nonce that is too short to be fresh');
    if (!neighbour.buckets.challenges.take(this.#now())) {
      refuse('tcn.busy', 'too many challenges');
      return;
    }
    const { self, answering } = this.#options;
    const binding = bindingOf({ nonce, exporter: channel.exporter, verifier: neighbour.name, node: self });
    const evidence = answering.evidence(binding, since);
    if (!evidence) {
      refuse('tcn.busy', 'too many challenges of all neighbours together');
      return;
    }
    evidence.then(
      (bytes) => {
        if (neighbour.channel !== channel) return;
        neighbour.counters.answers++;
        neighbour.send({ type: 'answer', id, response: encodeNativeResponse({ evidence: bytes, binding }) });
      },
      (error: unknown) => refuse('tcn.attester', describeError(error).slice(0, 500)),
    );
  }

  // ---- appraisal -------------------------------------------------------------------------------------------------------

  /** An answer has come; one to a question that is not open any more means nothing. */
  answered(neighbour: Neighbour, id: number, response: Uint8Array): void {
    const { question } = neighbour;
    if (!question || question.id !== id) return;
    neighbour.question = undefined;
    const { evidence, binding } = decodeNativeResponse(response);
    neighbour.large ||= evidence.length > LARGE;
    this.step(neighbour, { kind: 'answered' });
    if (Buffer.compare(binding, question.binding) !== 0) {
      this.#unsound(neighbour, 'its answer is for another question: replayed, or relayed from another connection');
      return;
    }
    if (this.#appraising >= TCN_LIMITS.appraising) {
      this.#unsound(neighbour, 'too many appraisals are under way here');
      return;
    }
    void this.appraise(evidence, { node: neighbour.name, binding }, this.#options.appraiser).then(
      (signed) => this.#appraised(neighbour, signed, evidence, question.whole),
      (error: unknown) => this.#unsound(neighbour, `our verifier failed: ${describeError(error)}`),
    );
  }

  /** Rejects when the verifier throws or stalls. */
  appraise<T>(
    evidence: Uint8Array,
    expected: { readonly node: string; readonly binding: Uint8Array },
    appraiser: { appraise(...what: Parameters<Appraiser['appraise']>): Promise<T> | T },
  ): Promise<T> {
    this.#appraising++;
    this.counters.appraisals++;
    return new Promise<T>((resolve, reject) => {
      const cancel = this.#options.after(APPRAISAL_TIMEOUT, () => {
        this.counters.stalled++;
        reject(new EnerchainError('local', 'tcn.verifier', `no result within ${APPRAISAL_TIMEOUT / 1000} s`));
      });
      const settle = (then: () => void) => {
        cancel();
        then();
      };
      void (async () => appraiser.appraise(evidence, expected))().then(
        (signed) => settle(() => resolve(signed)),
        (error: unknown) => settle(() => reject(error)),
      );
    }).finally(() => {
      this.#appraising--;
    });
  }

  /**
   * Whether the time in evidence fits ours. Otherwise its node is judged here alone, where a nonce says that it is fresh; to
   * others it would look like old evidence, and we like somebody who shows it.
   */
  #fitsTime({ result }: SignedResult, evidence: Uint8Array): boolean {
    const { appraiser, policy, registry } = this.#options;
    const inForce = policy();
    const made = isAuthentic(result) ? appraiser.timeOf?.(evidence) : undefined;
    const wrong = inForce && made !== undefined ? untimely(made, result.issuedAt, inForce) : undefined;
    const { node } = result;
    if (!wrong) this.#apart.delete(node);
    else if (!this.#apart.has(node)) {
      this.#apart.add(node);
      registry.notice(
        node,
        `its clock and ours are apart, so nobody else is shown its evidence: it ${wrong}`,
        'tcn.clock',
      );
    }
    return wrong === undefined;
  }

  #unsound(neighbour: Neighbour, reason: string): void {
    const { registry } = this.#options;
    const record = registry.of(neighbour.name);
    record.unsound++;
    record.unsoundReason = reason;
    // It may have begun a new list, of which ours is no beginning.
    neighbour.whole = true;
    registry.notice(neighbour.name, reason, 'tcn.unsound');
    this.step(neighbour, { kind: 'appraised', sound: false });
    registry.reassess([record]);
  }

  #appraised(neighbour: Neighbour, signed: SignedResult, evidence: Uint8Array, whole: boolean): void {
    if (this.#closed) return;
    const { registry, policy, adverse, silence } = this.#options;
    const { result } = signed;
    const record = registry.of(neighbour.name);
    const digest = hexOf(result.evidence);
    this.#latest.set(neighbour.name, { digest, evidence });
    const shown = this.#fitsTime(signed, evidence);
    if (result.status === 'none') {
      this.#unsound(neighbour, result.reasons[0] ?? 'its evidence says nothing');
      if (shown) this.#options.tell(signed, whole);
      return;
    }
    const lifetime = Number(result.validUntil - result.issuedAt) / 1e6;
    const own = { result, until: this.#now() + Math.min(lifetime, (policy()?.validFor ?? 0) * 1000) };
    if (result.status === 'contraindicated') {
      record.bad(own);
      registry.convict(record, 'own evidence', result.reasons[0] ?? 'its evidence is bad', digest);
      if (whole) adverse.put(digest, evidence);
    } else if (!record.booted(result.boot)) {
      record.bad(own);
      registry.convict(record, 'own evidence', 'an earlier boot has come back: two devices use its key', digest);
    } else if (record.good(own)) {
      registry.decided();
      registry.notice(record.name, 'let back in: released by the operator, and its evidence is good', 'tcn.readmitted');
    }
    // Bad news goes out with evidence that convinces others: signed by the node, and all of it, which may take one more
    // question. That an answer does not fit our question is for us alone to see.
    const bad = result.status === 'contraindicated';
    if (!shown) this.#options.keep(signed);
    else if (!bad || (whole && isAuthentic(result))) this.#options.tell(signed, whole);
    else this.#options.note(signed);
    silence.look(record);
    registry.reassess([record]);
    if (bad && !whole) this.step(neighbour, { kind: 'event' });
    this.step(neighbour, { kind: 'appraised', sound: true });
  }
}
