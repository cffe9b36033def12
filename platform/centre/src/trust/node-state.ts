/**
 * One node as the centre knows it: pure, time comes in with every call. Results, silence and people go in; the state with
 * its reason, the step of the reaction ladder and the history come out.
 *
 * The ladder: a result that is not good is acted on at once, up to the step that the policy allows; silence first raises an
 * alarm and, when it lasts, restricts. A restriction ends with good evidence. A quarantine stays until two persons have
 * released the node, and they may do that only while good evidence is fresh.
 */
import {
  type AttestationResult,
  isGood,
  type NeighbourView,
  type NodeRole,
  type NodeTrust,
  REACTIONS,
  type Reaction,
  type Segment,
  type TrustPolicy,
  TrustTimeline,
  type ValueTrust,
} from '@enerchain/attestation';
import type { UtcNanos } from '@enerchain/model';

/** A change in the state of a node. */
export interface TrustChange {
  readonly at: UtcNanos;
  readonly status: NodeTrust['status'];
  readonly reaction: Reaction;
  readonly reason: string;
}

export interface Quarantine {
  readonly since: UtcNanos;
  readonly reason: string;
  /** A person, or `policy`. */
  readonly by: string;
  /** Undefined while it stands. */
  readonly until?: UtcNanos;
}

export interface Release {
  readonly id: string;
  readonly requestedBy: string;
  readonly reason: string;
  readonly at: UtcNanos;
}

/** What survives a restart. */
export interface KeptNode {
  readonly node: string;
  readonly role: NodeRole;
  readonly segments: readonly Segment[];
  readonly quarantines: readonly Quarantine[];
  readonly release?: Release | undefined;
  readonly results: readonly AttestationResult[];
  readonly history: readonly TrustChange[];
  readonly keyOrigin?: KeyOrigin | undefined;
}

export type KeyOrigin = 'file' | 'hsm' | 'tpm';

const MOST_RESULTS = 100;
const MOST_HISTORY = 500;
const MOST_QUARANTINES = 1000;
const SECOND = 1_000_000_000;

const lower = (a: Reaction, b: Reaction): Reaction => (REACTIONS.indexOf(a) < REACTIONS.indexOf(b) ? a : b);

export class NodeState {
  readonly node: string;
  readonly role: NodeRole;
  /** Where the key of its identity lies, as it says. */
  keyOrigin: KeyOrigin | undefined;
  neighbours: readonly NeighbourView[] = [];
  readonly #timeline: TrustTimeline;
  readonly #quarantines: Quarantine[];
  #results: AttestationResult[];
  readonly #history: TrustChange[];
  #release: Release | undefined;
  #connected = false;
  #silence: { readonly since: UtcNanos; readonly reason: string } | undefined;
  #shown: NodeTrust;

  constructor(node: string, role: NodeRole, now: UtcNanos, kept?: KeptNode) {
    this.node = node;
    this.role = role;
    this.#timeline = new TrustTimeline(kept?.segments);
    this.#quarantines = [...(kept?.quarantines ?? [])];
    this.#results = [...(kept?.results ?? [])];
    this.#history = [...(kept?.history ?? [])];
    this.#release = kept?.release;
    this.keyOrigin = kept?.keyOrigin;
    const last = this.#history.at(-1);
    this.#shown = {
      ...this.#derive(now, undefined),
      since: last?.at ?? now,
      status: last?.status ?? 'none',
      reaction: last?.reaction ?? 'none',
      reason: last?.reason ?? 'nothing is known about it yet',
    };
  }

  get kept(): KeptNode {
    return {
      node: this.node,
      role: this.role,
      segments: this.#timeline.segments.slice(-2000),
      quarantines: this.#quarantines,
      release: this.#release,
      results: this.#results.slice(0, 20),
      history: this.#history.slice(-100),
      keyOrigin: this.keyOrigin,
    };
  }

  /** As it was derived last. */
  get trust(): NodeTrust {
    return this.#shown;
  }

  /** Newest first. */
  get results(): readonly AttestationResult[] {
    return this.#results;
  }

  /** Newest first. */
  get history(): readonly TrustChange[] {
    return [...this.#history].reverse();
  }

  get release(): Release | undefined {
    return this.#release;
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** The last one, whether or not it stands. */
  get lastQuarantine(): Quarantine | undefined {
    return this.#quarantines.at(-1);
  }

  get quarantine(): Quarantine | undefined {
    const last = this.#quarantines.at(-1);
    return last?.until === undefined ? last : undefined;
  }

  /** Whether the newest result is good and has not run out, whatever else is thought of the node. */
  goodEvidence(now: UtcNanos): boolean {
    const [last] = this.#results;
    return last !== undefined && isGood(last) && now < last.validUntil;
  }

  connect(connected: boolean): void {
    this.#connected = connected;
    this.#silence = undefined;
  }

  /** It was asked and there is no evidence. */
  silent(now: UtcNanos, reason: string): void {
    this.#silence = { since: this.#silence?.since ?? now, reason };
  }

  /**
   * A result of this centre about the node.
   * @returns from when on its values have another trust than before; undefined when none has
   */
  take(result: AttestationResult, policy: TrustPolicy | undefined): UtcNanos | undefined {
    this.#silence = undefined;
    const forgiven = this.lastQuarantine?.until;
    // What was seen before persons let it in again is what they have forgiven; a neighbour may show it late.
    if (result.status === 'contraindicated' && forgiven !== undefined && result.issuedAt <= forgiven) return undefined;
    this.#results = [result, ...this.#results].slice(0, MOST_RESULTS);
    const from = this.#timeline.add(result);
    if (result.status === 'contraindicated' && policy?.reaction === 'quarantine' && !this.quarantine) {
      this.isolate(result.issuedAt, reasonOf(result), 'policy');
    }
    return from;
  }

  isolate(at: UtcNanos, reason: string, by: string): void {
    if (this.quarantine) return;
    this.#quarantines.push({ since: at, reason, by });
    if (this.#quarantines.length > MOST_QUARANTINES) this.#quarantines.shift();
    this.#release = undefined;
  }

  ask(release: Release): void {
    this.#release = release;
  }

  /** Ends the quarantine. */
  readmit(at: UtcNanos): void {
    const last = this.quarantine;
    if (last) this.#quarantines[this.#quarantines.length - 1] = { ...last, until: at };
    this.#release = undefined;
  }

  /**
   * Derives the state anew.
   * @returns whether status, reaction, or being good has changed
   */
  look(now: UtcNanos, policy: TrustPolicy | undefined): boolean {
    const next = this.#derive(now, policy);
    const before = this.#shown;
    const changed =
      next.status !== before.status ||
      next.reaction !== before.reaction ||
      next.tier !== before.tier ||
      (next.trustedUntil === undefined) !== (before.trustedUntil === undefined);
    this.#shown = changed ? next : { ...next, since: before.since };
    if (changed) {
      this.#history.push({ at: now, status: next.status, reaction: next.reaction, reason: next.reason });
      if (this.#history.length > MOST_HISTORY) this.#history.shift();
    }
    return changed;
  }

  /** Trust of what the node measured at a time. */
  at(time: UtcNanos): ValueTrust {
    for (let i = this.#quarantines.length - 1; i >= 0; i--) {
      const { since, until } = this.#quarantines[i] as Quarantine;
      if (time >= since && (until === undefined || time < until)) return 'distrusted';
      if (until !== undefined && until <= time) break;
    }
    return this.#timeline.at(time);
  }

  #derive(now: UtcNanos, policy: TrustPolicy | undefined): NodeTrust {
    const [last] = this.#results;
    const fresh = last !== undefined && now < last.validUntil;
    const good = last !== undefined && fresh && isGood(last);
    const quarantine = this.quarantine;
    const base = {
      node: this.node,
      role: this.role,
      tier: last?.tier,
      since: now,
      neighbours: this.neighbours,
      status: fresh ? last.status : ('none' as const),
    };
    if (quarantine) {
      const why = good
        ? `${quarantine.reason}; its evidence is good, and two persons can release it`
        : quarantine.reason;
      return { ...base, trustedUntil: undefined, reaction: 'quarantine', reason: why };
    }
    if (good) {
      const how = last.tier === 'tpm' ? 'proven by its TPM' : 'shown by its own software, without a TPM';
      return {
        ...base,
        trustedUntil: last.validUntil,
        reaction: 'none',
        reason: `everything is as it must be, ${how}`,
      };
    }
    const most = policy?.reaction ?? 'observe';
    if (fresh && last.status !== 'none') {
      return { ...base, trustedUntil: undefined, reaction: lower(most, 'restrict'), reason: reasonOf(last) };
    }
    return { ...base, trustedUntil: undefined, ...this.#unknown(now, most, policy, fresh ? last : undefined) };
  }

  /** Nothing good and nothing bad is known. */
  #unknown(
    now: UtcNanos,
    most: Reaction,
    policy: TrustPolicy | undefined,
    last: AttestationResult | undefined,
  ): { readonly reaction: Reaction; readonly reason: string } {
    if (!policy) return { reaction: 'none', reason: 'there is no policy that says what good is' };
    if (!this.#connected) return { reaction: 'none', reason: 'it is not connected, so nothing new is known about it' };
    if (this.#silence) {
      const lasts = Number(now - this.#silence.since) / SECOND;
      const reaction = lasts >= policy.isolateAfter ? 'restrict' : 'alarm';
      return { reaction: lower(most, reaction), reason: `it gives no evidence: ${this.#silence.reason}` };
    }
    if (last) return { reaction: lower(most, 'alarm'), reason: reasonOf(last) };
    if (this.#results.length > 0) return { reaction: lower(most, 'alarm'), reason: 'its last result has run out' };
    return { reaction: 'none', reason: 'it has just connected and was not appraised yet' };
  }
}

/** The findings as one sentence. */
export const reasonOf = ({ reasons, status }: Pick<AttestationResult, 'reasons' | 'status'>): string =>
  reasons.length === 0
    ? `its result is '${status}'`
    : reasons.slice(0, 3).join('; ') + (reasons.length > 3 ? `, and ${reasons.length - 3} more` : '');
