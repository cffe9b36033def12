/**
 * The centre as an attester: its gateways ask for its evidence over their links, as it asks for theirs. The binding is made
 * here, from the connection on which the question came: whoever passes a question on gets an answer that fits nowhere else.
 * Many gateways that ask at once are answered by one quote.
 */
import { type Attester, bindingOf, readEvidenceQuestion } from '@enerchain/attestation';
import { type Clock, EnerchainError } from '@enerchain/model';
import { type After, Answering, Bucket } from '@enerchain/tcn';
import type { CborValue } from '@enerchain/trust';
import { CENTRE } from '../ingest/own-chain.ts';
import type { AttestedPeer } from './peer.ts';

/** Milliseconds for which questions are collected. */
const WINDOW = 50;
/** What one gateway may ask: it needs one answer per period, and some more when something changes. */
const RATE = { perSecond: 2, burst: 10 } as const;
/** Milliseconds for which changes are collected before gateways are told. */
const TELL_AFTER = 100;

export interface OwnEvidenceOptions {
  readonly attester: Promise<Attester>;
  onChange(listener: () => void): () => void;
  readonly clock: Clock;
  readonly after: After;
}

export class OwnEvidence {
  readonly counters = { asked: 0, refused: 0 };
  readonly #options: OwnEvidenceOptions;
  readonly #answering: Answering;
  readonly #buckets = new WeakMap<AttestedPeer, Bucket>();

  constructor(options: OwnEvidenceOptions) {
    this.#options = options;
    const attester = {
      evidence: async (...asked: Parameters<Attester['evidence']>) => (await options.attester).evidence(...asked),
    };
    this.#answering = new Answering(attester, options.after, WINDOW);
  }

  /**
   * Answers `attestation.evidence` with a nonce.
   * @throws EnerchainError `attestation.request`, `attestation.busy` (fault peer), `attestation.relay` (fault unsupported), or
   *   what the attester throws
   */
  async answer(peer: AttestedPeer, params: CborValue): Promise<CborValue> {
    this.counters.asked++;
    const { nonce, since } = readEvidenceQuestion(params);
    if (peer.holder.name !== peer.source) {
      const text = `${peer.source} is connected through the relay ${peer.holder.name}: there is no common channel that evidence could be bound to`;
      throw new EnerchainError('unsupported', 'attestation.relay', text);
    }
    const now = this.#options.clock.monotonic();
    const bucket = this.#buckets.get(peer) ?? new Bucket(RATE, now);
    this.#buckets.set(peer, bucket);
    const binding = bindingOf({ nonce, exporter: peer.exporter(), verifier: peer.source, node: CENTRE });
    const evidence = bucket.take(now) ? this.#answering.evidence(binding, since) : undefined;
    if (!evidence) {
      this.counters.refused++;
      throw new EnerchainError(
        'peer',
        'attestation.busy',
        'the centre is asked for evidence too often; ask again later',
      );
    }
    return { evidence: await evidence };
  }

  /** Something that the centre measures has changed: told once for all that changes in a moment. @returns unsubscribe */
  onChange(listener: () => void): () => void {
    let cancel: (() => void) | undefined;
    const unsubscribe = this.#options.onChange(() => {
      cancel ??= this.#options.after(TELL_AFTER, () => {
        cancel = undefined;
        listener();
      });
    });
    return () => {
      unsubscribe();
      cancel?.();
    };
  }

  close(): void {
    this.#answering.close();
  }
}
