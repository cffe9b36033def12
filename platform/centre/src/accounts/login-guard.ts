/**
 * Slows down whoever guesses passwords, per account and address. Pure but for its own tables; time comes in. An
 * account is not simply locked after a few failures from anywhere, for then anybody could lock an operator out.
 */

/** After `free` failures each further one blocks for twice as long as the one before, from `first` to `longest`. */
export interface LockoutRule {
  readonly free: number;
  readonly firstMillis: number;
  readonly longestMillis: number;
}

export const LOCKOUT = {
  /** One account from one address. */
  pair: { free: 5, firstMillis: 15_000, longestMillis: 15 * 60_000 },
  /** One account from anywhere. */
  account: { free: 50, firstMillis: 15_000, longestMillis: 15 * 60_000 },
  /** One address, any account. */
  address: { free: 20, firstMillis: 15_000, longestMillis: 15 * 60_000 },
} as const satisfies Record<string, LockoutRule>;
type Scope = keyof typeof LOCKOUT;

/** Failures are forgotten after this long without another one. */
const FORGET_MILLIS = 60 * 60_000;
const MAX_ENTRIES = 10_000;

interface Entry {
  failures: number;
  blockedUntil: number;
  last: number;
}

export class LoginGuard {
  readonly #entries = new Map<string, Entry>();

  /** @param now monotonic milliseconds; @returns milliseconds to wait, 0 when an attempt is allowed */
  wait(account: string, address: string, now: number): number {
    let longest = 0;
    for (const [, key] of keys(account, address))
      longest = Math.max(longest, (this.#fresh(key, now)?.blockedUntil ?? 0) - now);
    return Math.ceil(longest);
  }

  failed(account: string, address: string, now: number): void {
    for (const [scope, key] of keys(account, address)) {
      const { free, firstMillis, longestMillis }: LockoutRule = LOCKOUT[scope];
      const failures = (this.#fresh(key, now)?.failures ?? 0) + 1;
      const over = failures - free;
      const block = over < 0 ? 0 : Math.min(longestMillis, firstMillis * 2 ** Math.min(over, 20));
      this.#entries.delete(key);
      this.#entries.set(key, { failures, blockedUntil: now + block, last: now });
    }
    // A Map keeps the order of insertion: the first keys are those that failed longest ago.
    for (const key of this.#entries.keys()) {
      if (this.#entries.size <= MAX_ENTRIES) break;
      this.#entries.delete(key);
    }
  }

  /** A right password clears the account at this address, and takes back what `failed` counted for this attempt. */
  succeeded(account: string, address: string): void {
    this.#entries.delete(keyOf('pair', account, address));
    for (const scope of ['account', 'address'] as const) {
      const entry = this.#entries.get(keyOf(scope, account, address));
      if (!entry) continue;
      entry.failures--;
      if (entry.failures < LOCKOUT[scope].free) entry.blockedUntil = 0;
    }
  }

  get size(): number {
    return this.#entries.size;
  }

  #fresh(key: string, now: number): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry && now - entry.last > FORGET_MILLIS && now > entry.blockedUntil) {
      this.#entries.delete(key);
      return undefined;
    }
    return entry;
  }
}

function keys(account: string, address: string): [Scope, string][] {
  return (Object.keys(LOCKOUT) as Scope[]).map((scope) => [scope, keyOf(scope, account, address)]);
}

function keyOf(scope: Scope, account: string, address: string): string {
  if (scope === 'pair') return `p|${account}|${address}`;
  return scope === 'account' ? `a|${account}` : `i|${address}`;
}
