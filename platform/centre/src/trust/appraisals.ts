/**
 * One appraisal: a node is asked for evidence under a fresh nonce, bound to its connection, and the verifier judges it.
 * Whether the verifier itself works is watched here as well.
 */
import { randomBytes } from 'node:crypto';
import {
  type Attester,
  bindingOf,
  EVIDENCE_METHOD,
  evidenceQuestion,
  type Measurement,
  readEvidenceAnswer,
  type SignedResult,
  type Verifier,
  VerifierWatch,
} from '@enerchain/attestation';
import { type Clock, describeError, EnerchainError } from '@enerchain/model';
import { CENTRE } from '../ingest/own-chain.ts';
import type { KeyOrigin, NodeState } from './node-state.ts';
import type { AttestedPeer } from './peer.ts';

export interface AppraisalsOptions {
  readonly verifier: Verifier;
  readonly clock: Clock;
  /** Milliseconds between two looks at one node. */
  readonly period: number;
  /** The centre as a node: what attests it, and where the key of its identity lies. */
  readonly own: { readonly attester: Promise<Attester>; origin(): KeyOrigin } | undefined;
  /** Development: takes as right what is particular to a node and was never seen. @returns whether it did */
  acceptFirst?: ((node: string, measurements: readonly Measurement[]) => Promise<boolean>) | undefined;
}

/** Milliseconds that a source may take for its evidence; a TPM behind a slow processor takes seconds. */
const ANSWER_WITHIN = 10_000;
/** A channel of the centre with itself has no exporter. */
const NO_CHANNEL = new Uint8Array(32);

export class Appraisals {
  readonly #options: AppraisalsOptions;
  readonly #watch: VerifierWatch;

  constructor(options: AppraisalsOptions) {
    this.#options = options;
    this.#watch = new VerifierWatch(options.period, options.clock.monotonic());
  }

  /** Whether the verifier works, and what is wrong when it does not. */
  check(): { readonly ok: boolean; readonly text: string } {
    return this.#watch.check(this.#options.clock.monotonic());
  }

  /**
   * @param peer the node's connection; absent for the centre itself
   * @throws Error of the connection or the attester (no evidence), or of the verifier (no result)
   */
  async of(node: NodeState, peer: AttestedPeer | undefined): Promise<SignedResult> {
    const { verifier, acceptFirst } = this.#options;
    let signed = await this.#ask(node, peer);
    // Nothing is wrong and nothing is proven: this verifier may just not know the beginning of the list.
    if (signed.result.status === 'none') {
      verifier.forget(node.node);
      signed = await this.#ask(node, peer);
    }
    if (signed.result.reasons.length === 0 || !acceptFirst) return signed;
    const accepted = await acceptFirst(node.node, verifier.measurements(node.node));
    return accepted ? this.#ask(node, peer) : signed;
  }

  async #ask(state: NodeState, peer: AttestedPeer | undefined): Promise<SignedResult> {
    const { node } = state;
    const nonce = randomBytes(32);
    const exporter = peer ? peer.exporter() : NO_CHANNEL;
    const binding = bindingOf({ nonce, exporter, verifier: CENTRE, node });
    const since = this.#options.verifier.cursor(node);
    const { evidence, origin } = peer
      ? readEvidenceAnswer(
          await peer.request(EVIDENCE_METHOD, evidenceQuestion(nonce, since), { timeout: ANSWER_WITHIN }),
        )
      : await this.#ownEvidence(binding, since);
    state.keyOrigin = origin;
    return this.#appraise(evidence, node, binding);
  }

  async #ownEvidence(binding: Uint8Array, since: ReturnType<Verifier['cursor']>) {
    const { own } = this.#options;
    if (!own) throw new EnerchainError('unsupported', 'trust.own', 'the centre was started without an attester');
    const attester = await own.attester;
    return { evidence: await attester.evidence([binding], since), origin: own.origin() };
  }

  async #appraise(evidence: Uint8Array, node: string, binding: Uint8Array): Promise<SignedResult> {
    const { verifier, clock } = this.#options;
    this.#watch.waiting(true, clock.monotonic());
    const { failures } = verifier.counters;
    try {
      const signed = await verifier.appraise(evidence, { node, binding });
      const failed = verifier.counters.failures > failures && signed.result.vector.instanceIdentity === -1;
      if (failed) this.#watch.failure(signed.result.reasons[0] ?? 'unknown');
      else this.#watch.result(clock.monotonic());
      return signed;
    } catch (error) {
      this.#watch.failure(describeError(error));
      throw error;
    } finally {
      this.#watch.waiting(false, clock.monotonic());
    }
  }
}
