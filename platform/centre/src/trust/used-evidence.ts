/** Evidence that neighbours have shown and the centre has used: none counts as fresh a second time. */
import type { UtcNanos } from '@enerchain/model';

/** Evidence remembered of one node; what is older than all of it is refused by its time. */
const MOST_DIGESTS = 64;

interface OfNode {
  /** By SHA-256, hex: who has shown it. */
  readonly shown: Map<string, Set<string>>;
  /** When the newest of them was made, by the clock of the node. */
  newest: UtcNanos | undefined;
}

export class UsedEvidence {
  readonly #most: number;
  readonly #nodes = new Map<string, OfNode>();

  /** @param most nodes remembered; the one that was spoken of longest ago goes first */
  constructor(most: number) {
    this.#most = most;
  }

  /**
   * Whether evidence was used before. One quote may answer several neighbours, who then all show the same; but nobody who is
   * honest has two answers in one.
   */
  before(node: string, digest: string, verifier: string): 'never' | 'for another' | 'for the same' {
    const by = this.#nodes.get(node)?.shown.get(digest);
    if (!by) return 'never';
    return by.has(verifier) ? 'for the same' : 'for another';
  }

  /** When the newest evidence of a node was made that was used. */
  newest(node: string): UtcNanos | undefined {
    return this.#nodes.get(node)?.newest;
  }

  use(node: string, digest: string, verifier: string, made: UtcNanos): void {
    const known = this.#nodes.get(node) ?? { shown: new Map<string, Set<string>>(), newest: undefined };
    this.#nodes.delete(node);
    this.#nodes.set(node, known);
    if (this.#nodes.size > this.#most) this.#nodes.delete(this.#nodes.keys().next().value as string);
    const { shown } = known;
    const by = shown.get(digest) ?? new Set<string>();
    shown.set(digest, by.add(verifier));
    if (shown.size > MOST_DIGESTS) shown.delete(shown.keys().next().value as string);
    if (known.newest === undefined || made > known.newest) known.newest = made;
  }
}
