/** Bounds: how much of everything, and how often. Peers are known, but a known peer may have been taken over. */

export const TCN_LIMITS = {
  /** Nodes about which something is known; neighbours are never forgotten. */
  nodes: 4096,
  /** Neighbours' views kept of one node. */
  viewsPerNode: 32,
  /** Statements that stand: bad results, silences, orders. */
  standing: 4096,
  /** Statements that wait on one connection. */
  queued: 512,
  /** Statements that wait for the certificate of who signed them, per connection. */
  unverified: 64,
  /** Certificates of others. */
  certificates: 4096,
  /** Octets of bad evidence kept for those who ask. */
  evidenceBytes: 8 << 20,
  /** Evidence of others asked for at the same time. */
  fetching: 16,
  /** Answers being appraised at the same time, and waiting for it. */
  appraising: 256,
  /** Bindings that wait for the next quote. */
  bindings: 64,
  /** Octets on the way to one neighbour above which nothing but answers is sent. */
  buffered: 1 << 20,
  /** Ended boots remembered of a node. */
  boots: 16,
} as const;

/** Per neighbour and second, with what may come at once. */
export interface Rates {
  /** Octets that are read. A connection that brings more is closed. */
  readonly received: Rate;
  /** Challenges that are answered; further ones are refused. */
  readonly challenges: Rate;
  /** Statements whose signature is checked; further ones are dropped, the exchange of digests brings them again. */
  readonly statements: Rate;
  /** Octets of statements that are sent. */
  readonly gossip: Rate;
  /** Things by hash that are handed out. */
  readonly wants: Rate;
  /** `changed` messages that are followed. */
  readonly changes: Rate;
}

export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

export const TCN_RATES: Rates = {
  received: { perSecond: 256 << 10, burst: 16 << 20 },
  challenges: { perSecond: 5, burst: 20 },
  statements: { perSecond: 50, burst: 500 },
  gossip: { perSecond: 16 << 10, burst: 64 << 10 },
  wants: { perSecond: 5, burst: 50 },
  changes: { perSecond: 2, burst: 5 },
};

/** A token bucket on the monotonic clock. */
export class Bucket {
  readonly #rate: Rate;
  #tokens: number;
  #at: number;

  constructor(rate: Rate, now: number) {
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#at = now;
  }

  #fill(now: number): void {
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + ((now - this.#at) * this.#rate.perSecond) / 1000);
    this.#at = now;
  }

  /** @returns whether there was enough; nothing is taken otherwise */
  take(now: number, amount = 1): boolean {
    this.#fill(now);
    if (this.#tokens < amount) return false;
    this.#tokens -= amount;
    return true;
  }

  /** Milliseconds until `take` of this amount succeeds; 0 = now. An amount above the burst waits for the full burst. */
  wait(now: number, amount = 1): number {
    this.#fill(now);
    const lacking = Math.min(amount, this.#rate.burst) - this.#tokens;
    return lacking <= 0 ? 0 : Math.ceil((lacking / this.#rate.perSecond) * 1000);
  }

  /** Takes what there is no bound for; the next ones wait for the debt. */
  force(now: number, amount: number): void {
    this.#fill(now);
    this.#tokens -= amount;
  }
}
