/**
 * What each single outage would do to the live grid: once a minute, and when a switch has changed the topology. A small grid
 * is calculated in slices between other work, a large one in a thread beside it; the solution once a second waits for neither.
 */
import { describeError } from '@enerchain/model';
import { type NetworkContingencies, networkContingencies } from '../network-contingencies.ts';
import type { Injections, PowerFlowResult } from '../power-flow.ts';
import type { Network } from '../topology/network.ts';
import type { Topology } from '../topology/topology.ts';

/** ms from the beginning of one analysis to that of the next. */
const EVERY = 60_000;
/** ms at least between two, however often switches move. */
const PAUSE = 2_000;

export interface ContingencyState {
  /** When the state was taken that was analysed, ms of the clock given to `look`. */
  readonly at: number;
  /** ms from then to the result. */
  readonly took: number;
  readonly result: NetworkContingencies;
}

/** The state of the grid to start from. */
export interface ContingencyBase {
  readonly network: Network;
  readonly injections: Injections;
  readonly last: PowerFlowResult;
}

export class LiveContingencies {
  #running: Promise<void> | undefined;
  readonly #abort = new AbortController();
  #topology: Topology | undefined;
  #begun = Number.NEGATIVE_INFINITY;
  #state: ContingencyState | undefined;
  #failure: string | undefined;

  /** What came out last. */
  get state(): ContingencyState | undefined {
    return this.#state;
  }

  /** Why the last analysis came to nothing. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Resolves when nothing is being calculated. */
  get idle(): Promise<void> {
    return this.#running ?? Promise.resolve();
  }

  /**
   * Begins an analysis when one is due; call after each solution.
   * @param now ms of a clock that never steps; @param done is told each result
   */
  look(base: ContingencyBase, now: () => number, done: (state: ContingencyState) => void): void {
    if (this.#running || this.#abort.signal.aborted || !base.last.converged) return;
    const at = now();
    const since = at - this.#begun;
    const moved = base.network.topology !== this.#topology;
    if (since < (moved ? PAUSE : EVERY)) return;
    this.#begun = at;
    this.#topology = base.network.topology;
    this.#running = this.#analyse(base, at, now, done).finally(() => {
      this.#running = undefined;
    });
  }

  close(): void {
    this.#abort.abort();
  }

  async #analyse(
    { network, injections, last }: ContingencyBase,
    at: number,
    now: () => number,
    done: (state: ContingencyState) => void,
  ): Promise<void> {
    const { signal } = this.#abort;
    try {
      const result = await networkContingencies(network, injections, { start: last, background: true, signal });
      if (signal.aborted) return;
      this.#state = { at, took: now() - at, result };
      this.#failure = undefined;
      done(this.#state);
    } catch (error) {
      if (!signal.aborted) this.#failure = describeError(error);
    }
  }
}
