/** What the centre knows about the nodes, as this screen has it: fetched once, overtaken by what the stream says since. */
import { createSignal } from 'solid-js';
import { ApiError } from '../api/client.ts';
import type { NodeTrustJson, TrustJson } from '../api/trust.ts';

/** `undefined` while loading; `null`: this centre keeps no trust. */
export type TrustView = TrustJson | null | Error | undefined;

export class TrustBook {
  readonly #view: () => TrustView;
  readonly #set: (view: TrustView) => void;
  /** For each running fetch, the nodes that the stream has spoken of since it began. */
  readonly #running = new Set<Map<string, NodeTrustJson>>();
  #asked = 0;
  /** The latest question that has its answer. */
  #answered = 0;

  constructor() {
    const [view, setView] = createSignal<TrustView>(undefined);
    this.#view = view;
    this.#set = (next) => setView(() => next);
  }

  view(): TrustView {
    return this.#view();
  }

  /** The last good answer. */
  known(): TrustJson | undefined {
    const view = this.#view();
    return view && !(view instanceof Error) ? view : undefined;
  }

  node(name: string): NodeTrustJson | undefined {
    return this.known()?.nodes.find(({ node }) => node === name);
  }

  async refetch(fetch: () => Promise<TrustJson>): Promise<void> {
    const since = new Map<string, NodeTrustJson>();
    const question = ++this.#asked;
    this.#running.add(since);
    try {
      const fetched = await fetch();
      if (question < this.#answered) return;
      this.#answered = question;
      this.#set({ ...fetched, nodes: merged(fetched.nodes, since.values()) });
    } catch (error) {
      // What is on the screen is better than an error message in its place.
      if (this.known()) return;
      if (error instanceof ApiError && error.status === 404) this.#set(null);
      else this.#set(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.#running.delete(since);
    }
  }

  /** @returns whether something other than a renewed term has changed, so that links and reasons are worth a new look */
  apply(nodes: readonly NodeTrustJson[]): boolean {
    for (const since of this.#running) for (const node of nodes) since.set(node.node, node);
    const known = this.known();
    if (!known) return true;
    this.#set({ ...known, nodes: merged(known.nodes, nodes) });
    return nodes.some((node) => {
      const before = known.nodes.find((each) => each.node === node.node);
      return !before || essence(before) !== essence(node);
    });
  }
}

const essence = ({ status, reaction, fresh, neighbours, release }: NodeTrustJson): string =>
  JSON.stringify([status, reaction, fresh, release?.id, neighbours.map(({ node, status: says }) => [node, says])]);

function merged(known: readonly NodeTrustJson[], newer: Iterable<NodeTrustJson>): NodeTrustJson[] {
  const byNode = new Map(known.map((node) => [node.node, node]));
  for (const node of newer) byNode.set(node.node, node);
  return [...byNode.values()];
}
