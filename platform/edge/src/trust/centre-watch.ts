/**
 * The gateway attests its centre: it asks over the link, as the centre asks the gateway, and judges by the bundle that it
 * holds. The centre is a hop of every command, so what is found here decides with whether commands are carried out; nothing
 * else does. Whatever is found ends with good evidence: a release signed by the centre would be its own word for itself.
 */
import { randomBytes } from 'node:crypto';
import {
  bindingOf,
  EVIDENCE_METHOD,
  evidenceQuestion,
  isGood,
  type NodeTrust,
  readEvidenceAnswer,
  type SignedResult,
  type TrustPolicy,
  type Verifier,
} from '@enerchain/attestation';
import { type Clock, describeError } from '@enerchain/model';
import { type After, NodeRecord } from '@enerchain/tcn';
import type { CborValue } from '@enerchain/trust';

/** The centre, as nodes name it. */
export const CENTRE = 'centre';

export interface CentreWatchOptions {
  readonly self: string;
  /** One of its own: nobody else asks the centre here. */
  readonly verifier: Pick<Verifier, 'appraise' | 'cursor' | 'forget'>;
  readonly policy: () => TrustPolicy | undefined;
  /** Asks the centre. Rejects while it is not connected, and when it does not answer in time. */
  readonly ask: (method: string, params: CborValue) => Promise<CborValue>;
  /** Of the link to the centre. @throws EnerchainError while it is not connected */
  readonly exporter: () => Uint8Array;
  readonly clock: Clock;
  readonly after: After;
  readonly onChange: (trust: NodeTrust) => void;
}

/** A centre that cannot be appraised is asked again so soon, and then each time twice as late; milliseconds. */
const RETRY = 500;
/** Milliseconds between two questions at least. */
const SOONEST = 100;
/** Results kept with their evidence, for whoever was told of one and asks for it. */
const MOST_SEEN = 4;
/** How often it is looked whether the last result has run out; milliseconds. */
const LOOK_EVERY = 1_000;

/** The last result, with the evidence it stands on. */
export interface SeenCentre extends SignedResult {
  readonly evidence: Uint8Array;
}

export class CentreWatch {
  readonly counters = { asked: 0, unanswered: 0 };
  readonly #options: CentreWatchOptions;
  readonly #record = new NodeRecord(CENTRE, 'centre', true);
  /** The last results, newest first. */
  #seen: readonly SeenCentre[] = [];
  #connected = false;
  #asking = false;
  #again = false;
  #askedAt = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #closed = false;
  #cancel: () => void = () => undefined;
  #cancelLook: () => void = () => undefined;

  constructor(options: CentreWatchOptions) {
    this.#options = options;
    const look = () => {
      this.#reassess();
      this.#cancelLook = options.after(LOOK_EVERY, look);
    };
    look();
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
    this.#cancelLook();
  }

  get trust(): NodeTrust {
    const { clock } = this.#options;
    return this.#record.trust(clock.monotonic(), clock.now());
  }

  /** The last result. */
  get seen(): SeenCentre | undefined {
    return this.#seen[0];
  }

  /** The evidence behind one of the last results, by its SHA-256. */
  evidence(digest: Uint8Array): Uint8Array | undefined {
    return this.#seen.find(({ result }) => Buffer.compare(result.evidence, digest) === 0)?.evidence;
  }

  /** The link stands: another connection, perhaps another process at its other end. */
  connected(): void {
    this.#connected = true;
    this.#failures = 0;
    this.soon();
  }

  left(): void {
    this.#connected = false;
    this.#cancel();
  }

  /** Looks at once: the centre says that something has changed, or there is another bundle. */
  soon(): void {
    const since = this.#options.clock.monotonic() - this.#askedAt;
    if (this.#asking) this.#again = true;
    else this.#plan(Math.max(0, SOONEST - since));
  }

  #plan(milliseconds: number): void {
    this.#cancel();
    if (this.#closed || !this.#connected) return;
    this.#cancel = this.#options.after(milliseconds, () => void this.#look());
  }

  async #look(): Promise<void> {
    const { policy, clock } = this.#options;
    const inForce = policy();
    // Without a policy nothing is ever good; the bundle that brings one calls `soon`.
    if (!inForce || this.#asking || !this.#connected) return;
    this.#asking = true;
    this.#again = false;
    this.#askedAt = clock.monotonic();
    try {
      this.#took(await this.#appraised(), inForce);
      this.#failures = 0;
    } catch (error) {
      this.#failures++;
      this.counters.unanswered++;
      this.#missed(`it gives no evidence: ${describeError(error)}`);
    } finally {
      this.#asking = false;
      this.#reassess();
    }
    const period = inForce.period * 1000;
    const pause = this.#failures > 0 ? Math.min(period, RETRY * 2 ** Math.min(this.#failures - 1, 16)) : period;
    this.#plan(this.#again ? SOONEST : pause);
  }

  async #appraised(): Promise<SeenCentre> {
    const { verifier } = this.#options;
    const seen = await this.#question();
    if (seen.result.status !== 'none') return seen;
    // Nothing is wrong and nothing is proven: this verifier may just not know the beginning of the list.
    verifier.forget(CENTRE);
    return this.#question();
  }

  async #question(): Promise<SeenCentre> {
    const { self, verifier, ask, exporter } = this.#options;
    const nonce = randomBytes(32);
    const binding = bindingOf({ nonce, exporter: exporter(), verifier: self, node: CENTRE });
    this.counters.asked++;
    const answer = await ask(EVIDENCE_METHOD, evidenceQuestion(nonce, verifier.cursor(CENTRE)));
    const { evidence } = readEvidenceAnswer(answer);
    return { ...(await verifier.appraise(evidence, { node: CENTRE, binding })), evidence };
  }

  /** What an earlier answer has shown stands until it runs out; only then does silence count. */
  #missed(reason: string): void {
    const now = this.#options.clock.monotonic();
    const { own } = this.#record;
    this.#record.missed(now);
    this.#record.unsound = own && own.until > now ? 1 : this.#record.unsound + 1;
    this.#record.unsoundReason = reason;
  }

  #took(seen: SeenCentre, { validFor }: TrustPolicy): void {
    const { result } = seen;
    this.#seen = [seen, ...this.#seen].slice(0, MOST_SEEN);
    if (result.status === 'none') {
      this.#record.unsound++;
      this.#record.unsoundReason = result.reasons[0] ?? 'its evidence says nothing';
      return;
    }
    const own = { result, until: this.#options.clock.monotonic() + validFor * 1000 };
    if (isGood(result)) this.#record.good(own);
    else this.#record.bad(own);
  }

  #reassess(): void {
    const { policy, clock, onChange } = this.#options;
    const inForce = policy();
    const capped = inForce?.reaction === 'quarantine' ? { ...inForce, reaction: 'restrict' as const } : inForce;
    if (this.#record.reassess(capped, clock.monotonic(), clock.now())) onChange(this.trust);
  }
}
