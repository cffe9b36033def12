/**
 * Whose turn it is: each node is looked at once a period, sooner when something has changed, never twice at the same time
 * and never without a pause. What looking means is the business of who is asked to.
 */
import type { After } from '@enerchain/link';
import type { Clock } from '@enerchain/model';
import type { AttestedPeer } from './peer.ts';

/** A node under attestation, as long as one connection of it lasts. */
export interface Charge {
  readonly node: string;
  /** Absent: the centre itself. */
  readonly peer: AttestedPeer | undefined;
}

interface Turn extends Charge {
  cancel: () => void;
  running: boolean;
  /** Asked for again while one was under way. */
  again: boolean;
  /** When it was looked at last; monotonic milliseconds. */
  at: number;
}

export interface RoundsOptions {
  readonly clock: Clock;
  readonly after: After;
  /** Milliseconds between two looks at one node. */
  readonly period: number;
  /** Never rejects. */
  look(charge: Charge): Promise<void>;
}

/** The first look comes when the node has had a moment to measure itself, milliseconds. */
const FIRST_AFTER = 100;
/** Milliseconds between two looks at one node at least. */
const SOONEST = 100;

export class Rounds {
  readonly #options: RoundsOptions;
  readonly #turns = new Map<string, Turn>();
  #closed = false;

  constructor(options: RoundsOptions) {
    this.#options = options;
  }

  has(node: string): boolean {
    return this.#turns.has(node);
  }

  /** Over which connection a node is asked. */
  peerOf(node: string): AttestedPeer | undefined {
    return this.#turns.get(node)?.peer;
  }

  /** Whether the connection still is the present one of its node. */
  holds(charge: Charge): boolean {
    return this.#turns.get(charge.node) === charge;
  }

  /** Takes the node on, over this connection instead of any other. */
  begin(node: string, peer: AttestedPeer | undefined): void {
    this.end(node);
    const at = Number.NEGATIVE_INFINITY;
    this.#turns.set(node, { node, peer, cancel: () => undefined, running: false, again: false, at });
    this.#plan(node, FIRST_AFTER);
  }

  end(node: string): void {
    this.#turns.get(node)?.cancel();
    this.#turns.delete(node);
  }

  /** Looks at a node at once, or as soon as the look under way is over. */
  now(node: string): void {
    const turn = this.#turns.get(node);
    if (!turn || this.#closed) return;
    if (turn.running) {
      turn.again = true;
      return;
    }
    turn.cancel();
    turn.running = true;
    turn.at = this.#options.clock.monotonic();
    void this.#options.look(turn).finally(() => {
      turn.running = false;
      if (!this.holds(turn)) return;
      const next = turn.again ? SOONEST : this.#options.period;
      turn.again = false;
      this.#plan(node, next);
    });
  }

  /** The node says that it has changed. One that cries without end is looked at often, and not without end. */
  changed(node: string): void {
    const turn = this.#turns.get(node);
    if (!turn) return;
    const since = this.#options.clock.monotonic() - turn.at;
    if (since >= SOONEST) this.now(node);
    else this.#plan(node, SOONEST - since);
  }

  close(): void {
    this.#closed = true;
    for (const { cancel } of this.#turns.values()) cancel();
    this.#turns.clear();
  }

  #plan(node: string, milliseconds: number): void {
    const turn = this.#turns.get(node);
    if (!turn || this.#closed) return;
    turn.cancel();
    turn.cancel = this.#options.after(milliseconds, () => this.now(node));
  }
}
