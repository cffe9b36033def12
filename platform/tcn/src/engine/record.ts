/** What one node knows about another one, and how that becomes a state. */
import {
  type AttestationResult,
  isGood,
  type NeighbourView,
  type NodeRole,
  type NodeTrust,
  type Tier,
  type TrustPolicy,
  type Trustworthiness,
} from '@enerchain/attestation';
import type { UtcNanos } from '@enerchain/model';
import { type Assessment, assess, type Conviction, KNOWN_NOTHING, type OwnResult } from './assess.ts';
import { TCN_LIMITS } from './limits.ts';

/** What another node says of this one. */
export interface View {
  readonly status: Trustworthiness | 'silent';
  readonly at: UtcNanos;
  readonly sequence: number;
  /** Of a good result: its tier, when we heard of it (monotonic), and for how many milliseconds it stands. */
  readonly good?: { readonly tier: Tier; readonly heardAt: number; readonly lifetime: number };
}

/**
 * What a result of another node says, as a view.
 * @param now monotonic milliseconds
 */
export function viewOf(result: AttestationResult, now: number): View {
  const { status, issuedAt, validUntil, sequence, tier } = result;
  const lifetime = Number(validUntil - issuedAt) / 1e6;
  return { status, at: issuedAt, sequence, ...(isGood(result) ? { good: { tier, heardAt: now, lifetime } } : {}) };
}

/** After as many good answers in a row an isolated node is one of us again, so that a poor line does not make it flap. */
const STEADY = 2;

export class NodeRecord {
  readonly name: string;
  readonly neighbour: boolean;
  role: NodeRole;
  own: OwnResult | undefined;
  conviction: (Conviction & { readonly digest: string | undefined }) | undefined;
  missingSince: number | undefined;
  unsound = 0;
  unsoundReason: string | undefined;
  /** Until when a finding about its word, or about two devices under its name, stands; monotonic. */
  contradicted: { readonly text: string; readonly until: number } | undefined;
  twins: { readonly text: string; readonly until: number } | undefined;
  /** Evidence that has been forgiven by a release, SHA-256 hex. */
  readonly voided = new Set<string>();
  releasedAt: UtcNanos | undefined;
  /** Whether we have declared its silence, and when last; monotonic. */
  declaredSilent: number | undefined;
  readonly #views = new Map<string, View>();
  readonly #silentTo = new Map<string, number>();
  readonly #endedBoots: string[] = [];
  #boot: string | undefined;
  #steady = 0;
  #quorumSince: number | undefined;
  #isolated = false;
  #state: { readonly assessment: Assessment; readonly since: UtcNanos } | undefined;

  constructor(name: string, role: NodeRole, neighbour: boolean) {
    this.name = name;
    this.role = role;
    this.neighbour = neighbour;
  }

  get isolated(): boolean {
    return this.#isolated;
  }

  /** Worth keeping when room is needed. */
  get matters(): boolean {
    return this.neighbour || this.conviction !== undefined || this.#isolated || this.releasedAt !== undefined;
  }

  /** A good result of our own. @returns whether it lets the node back in */
  good(own: OwnResult): boolean {
    this.own = own;
    this.unsound = 0;
    this.unsoundReason = undefined;
    this.missingSince = undefined;
    this.#steady++;
    if (this.#isolated && this.#steady >= STEADY) {
      this.#isolated = false;
      this.#quorumSince = undefined;
    }
    if (!this.conviction?.released) return false;
    this.conviction = undefined;
    return true;
  }

  /** A bad result of our own: it has answered, and is not to be trusted. */
  bad(own: OwnResult): void {
    this.own = own;
    this.unsound = 0;
    this.unsoundReason = undefined;
    this.missingSince = undefined;
    this.#steady = 0;
  }

  /** It owes an answer. */
  missed(now: number): void {
    this.#steady = 0;
    this.missingSince ??= now;
  }

  /**
   * A device that starts anew gives its boot another name, and never an earlier one.
   * @returns false when an earlier boot has come back: two devices answer under one name
   */
  booted(boot: string): boolean {
    if (boot === this.#boot) return true;
    if (this.#endedBoots.includes(boot)) return false;
    if (this.#boot !== undefined) this.#endedBoots.push(this.#boot);
    if (this.#endedBoots.length > TCN_LIMITS.boots) this.#endedBoots.shift();
    this.#boot = boot;
    return true;
  }

  /** A released node begins anew. */
  forgetBoots(): void {
    this.#endedBoots.length = 0;
    this.#boot = undefined;
  }

  viewed(verifier: string, view: View): void {
    this.#views.delete(verifier);
    this.#views.set(verifier, view);
    if (this.#views.size > TCN_LIMITS.viewsPerNode) this.#views.delete(this.#views.keys().next().value as string);
  }

  viewOf(verifier: string): View | undefined {
    return this.#views.get(verifier);
  }

  /**
   * What others say of it that is good and has not run out, by whom.
   * @param now monotonic milliseconds
   * @param most milliseconds for which a result stands at most, whatever its verifier says
   */
  goodViews(
    now: number,
    most: number,
  ): { readonly by: string; readonly tier: Tier; readonly until: number; readonly view: View }[] {
    return [...this.#views].flatMap(([by, view]) => {
      if (!view.good) return [];
      const { tier, heardAt, lifetime } = view.good;
      const until = heardAt + Math.min(lifetime, most);
      return until > now ? [{ by, tier, until, view }] : [];
    });
  }

  silentTo(verifier: string, silent: boolean, now: number): void {
    if (!silent) this.#silentTo.delete(verifier);
    else if (this.#silentTo.has(verifier) || this.#silentTo.size < TCN_LIMITS.viewsPerNode) {
      this.#silentTo.set(verifier, now);
    }
  }

  /**
   * Counts who misses the node, and isolates it when that lasts.
   * @param counts whose word counts: not that of a node in quarantine
   * @param expiry milliseconds after which a silence that is not repeated is forgotten
   */
  quorum(policy: TrustPolicy, now: number, expiry: number, self: string, counts: (verifier: string) => boolean): void {
    for (const [verifier, at] of [...this.#silentTo]) if (now - at > expiry) this.#silentTo.delete(verifier);
    if (this.declaredSilent === undefined) this.#silentTo.delete(self);
    const missed = [...this.#silentTo.keys()].filter(counts).length;
    // Whoever answers us is not silent, whatever others say.
    const answers = this.neighbour && this.own !== undefined && this.own.until > now && this.missingSince === undefined;
    if (missed < policy.silenceQuorum || answers) {
      this.#quorumSince = undefined;
      if (!this.neighbour) this.#isolated = false;
      return;
    }
    this.#quorumSince ??= now;
    if (now - this.#quorumSince >= policy.isolateAfter * 1000 && !this.#isolated) {
      this.#isolated = true;
      this.#steady = 0;
    }
  }

  /** @returns whether the state is another one than before */
  reassess(policy: TrustPolicy | undefined, now: number, wall: UtcNanos): boolean {
    if (this.contradicted && this.contradicted.until <= now) this.contradicted = undefined;
    if (this.twins && this.twins.until <= now) this.twins = undefined;
    const assessment = assess(
      {
        neighbour: this.neighbour,
        own: this.own,
        conviction: this.conviction,
        missingSince: this.missingSince,
        unsound: this.unsound,
        unsoundReason: this.unsoundReason,
        isolated: this.#isolated,
        missedBy: [...this.#silentTo.keys()],
        contradicted: this.contradicted?.text,
        twins: this.twins?.text,
      },
      policy,
      now,
    );
    const before = this.#state?.assessment;
    const same = before?.status === assessment.status && before.reaction === assessment.reaction;
    this.#state = { assessment, since: same ? this.#state!.since : wall };
    return !same || before.reason !== assessment.reason;
  }

  get assessment(): Assessment | undefined {
    return this.#state?.assessment;
  }

  trust(now: number, wall: UtcNanos): NodeTrust {
    const { assessment, since } = this.#state ?? {
      assessment: assess({ ...KNOWN_NOTHING, neighbour: this.neighbour }, undefined, now),
      since: wall,
    };
    const { tier, status, reaction, reason, goodUntil } = assessment;
    const good = goodUntil !== undefined && goodUntil > now;
    const views: NeighbourView[] = [...this.#views].map(([node, view]) => ({ node, status: view.status, at: view.at }));
    return {
      node: this.name,
      role: this.role,
      tier,
      status: goodUntil !== undefined && !good ? 'none' : status,
      trustedUntil: good ? wall + BigInt(Math.round((goodUntil - now) * 1e6)) : undefined,
      reaction,
      reason,
      since,
      neighbours: views,
    };
  }
}
