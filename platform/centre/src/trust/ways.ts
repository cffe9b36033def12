/** The network of nodes as a picture: who is next to whom, and which nodes a command passes. */
import type { UtcNanos } from '@enerchain/model';
import { CENTRE } from '../ingest/own-chain.ts';
import type { NodeState } from './node-state.ts';

export interface LinkState {
  readonly a: string;
  readonly b: string;
  readonly state: 'attested' | 'failing' | 'silent' | 'unknown';
  readonly at: UtcNanos | undefined;
}

/** Two nodes that say that they are neighbours. */
export interface Neighbours {
  readonly a: string;
  readonly b: string;
  readonly connected: boolean;
}

/**
 * Names of the network nodes on the shortest way from the centre to a source, from the centre on; none where nobody tells of a way.
 * @param isNetwork whether a node passes on what is not for itself
 */
export function nodesBetween(
  source: string,
  neighbours: readonly Neighbours[],
  isNetwork: (node: string) => boolean,
): string[] {
  const ways = new Map<string, string[]>();
  const way = (from: string, to: string) => ways.set(from, [...(ways.get(from) ?? []), to]);
  for (const { a, b } of neighbours) {
    way(a, b);
    way(b, a);
  }
  const cameFrom = new Map<string, string>([[CENTRE, CENTRE]]);
  for (const queue = [CENTRE]; queue.length > 0; ) {
    const at = queue.shift() as string;
    if (at !== CENTRE && !isNetwork(at)) continue;
    for (const next of ways.get(at) ?? []) {
      if (cameFrom.has(next)) continue;
      cameFrom.set(next, at);
      queue.push(next);
    }
  }
  const path: string[] = [];
  for (let at = cameFrom.get(source); at !== undefined && at !== CENTRE; at = cameFrom.get(at)) path.unshift(at);
  return path;
}

/** @param attested whether the centre attests a node over a link of its own */
export function linkStates(
  nodes: Iterable<NodeState>,
  neighbours: readonly Neighbours[],
  attested: (node: string) => boolean,
): LinkState[] {
  const links: LinkState[] = [];
  for (const { node, trust, connected, results } of nodes) {
    const at = results[0]?.issuedAt;
    if (node !== CENTRE && (attested(node) || trust.role !== 'network')) {
      const bad = at !== undefined && trust.status !== 'none' && trust.trustedUntil === undefined;
      const state = trust.trustedUntil ? 'attested' : bad ? 'failing' : connected ? 'silent' : 'unknown';
      links.push({ a: CENTRE, b: node, state, at });
    }
    for (const view of trust.neighbours) {
      const good = view.status === 'affirming' || view.status === 'warning';
      const state = view.status === 'silent' ? 'silent' : good ? 'attested' : 'failing';
      links.push({ a: view.node, b: node, state, at: view.at });
    }
  }
  for (const { a, b, connected } of neighbours) {
    const told = links.some((link) => (link.a === a && link.b === b) || (link.a === b && link.b === a));
    if (!told) links.push({ a, b, state: connected ? 'unknown' : 'silent', at: undefined });
  }
  return links;
}
