/**
 * Which of this node's own results travel, and when. Good ones go to the neighbours, now and then; bad ones, and what follows
 * upon them, to everybody: soon, or later when enough others have shown the same.
 */
import type { AttestationResult, Trustworthiness } from '@enerchain/attestation';
import { MAX_TTL } from './gossip.ts';
import type { TcnOptions } from './ports.ts';
import type { Registry } from './registry.ts';
import type { Standing, StandingTable } from './standing.ts';

/** Bad results of so many nodes about one travel at once; more of them convince few who are not convinced already. */
const SHOWN_ENOUGH = 2;
/** Milliseconds within which a bad result is shown: neighbours find it at once, and not all of them need to tell the network. */
const SHOW_WITHIN = 100;
/**
 * Milliseconds after which, and within which further, it is shown although others have: what they have said is theirs, and may
 * have been said to us alone, or with evidence that nobody can fetch. Two who lie together can delay a true word, not keep it
 * back.
 */
const SHOW_ANYWAY = 10_000;

export interface TellingOptions extends Pick<TcnOptions, 'clock' | 'after' | 'random' | 'policy'> {
  readonly self: string;
  readonly registry: Registry;
  readonly table: StandingTable;
  /** To all neighbours. @param ttl hops that they may pass it on */
  pass(statement: Standing, ttl: number): void;
}

export class Telling {
  readonly #options: TellingOptions;
  /** What the neighbours were told last of each neighbour, and when. */
  readonly #told = new Map<string, { readonly status: Trustworthiness; readonly at: number }>();
  /** Bad results that are about to be shown, by node. */
  readonly #held = new Map<string, { standing: Standing; readonly cancel: () => void }>();

  constructor(options: TellingOptions) {
    this.#options = options;
  }

  close(): void {
    for (const { cancel } of this.#held.values()) cancel();
    this.#held.clear();
  }

  /** A neighbour may not know any more how it looks: it is told again. */
  forget(node: string): void {
    this.#told.delete(node);
  }

  /** A result of our own. @param standing the same as a statement */
  result(result: AttestationResult, standing: Standing): void {
    const { self, table, pass } = this.#options;
    const before = table.get('result', self, result.node);
    if (standing.adverse) {
      // That a bad node is still bad is no news.
      if (!before?.adverse) this.#hold(standing);
      return;
    }
    // A good word stands only where a bad one stood before.
    if (before ? !table.put(standing) : !this.#isNews(result)) return;
    pass(standing, before ? MAX_TTL : 0);
  }

  /** Shows a bad result after a random moment, in which others that have found the same may be first. */
  #hold(standing: Standing): void {
    const held = this.#held.get(standing.node);
    if (held) held.standing = standing;
    else this.#wait(standing, this.#options.random() * SHOW_WITHIN, false);
  }

  #wait(standing: Standing, delay: number, last: boolean): void {
    const { node } = standing;
    const cancel = this.#options.after(delay, () => {
      const newest = this.#held.get(node)?.standing;
      this.#held.delete(node);
      if (newest) this.#show(newest, last);
    });
    this.#held.set(node, { standing, cancel });
  }

  #show(standing: Standing, last: boolean): void {
    const { registry, table, pass, random } = this.#options;
    const { node } = standing;
    const conviction = registry.find(node)?.conviction;
    // The operator may have released it meanwhile.
    if (!conviction || conviction.released) return;
    const shown = table.about(node).filter(({ kind, adverse }) => kind === 'result' && adverse).length;
    if (shown >= SHOWN_ENOUGH && !last) this.#wait(standing, (1 + random()) * SHOW_ANYWAY, true);
    else if (table.put(standing)) pass(standing, MAX_TTL);
  }

  /** The same as before is told now and then, so that the view of the neighbours does not grow old. */
  #isNews({ node, status }: AttestationResult): boolean {
    const { clock, policy } = this.#options;
    const now = clock.monotonic();
    const last = this.#told.get(node);
    if (last?.status === status && now - last.at < ((policy()?.validFor ?? 0) * 1000) / 2) return false;
    this.#told.set(node, { status, at: now });
    return true;
  }
}
