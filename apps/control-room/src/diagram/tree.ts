/**
 * Which hub hangs below which. Stations with a source stand at the top; from them the lines that are normally closed
 * lead downward. What closes a ring, or is normally open, is a tie and hangs below nobody.
 */
import { byName, type Chain, type Graph, type Hub, hasLine, normallyOpen } from './graph.ts';

export interface TreeNode {
  readonly hub: Hub;
  /** Chains to hubs of the same station that nothing else hangs below: drawn beside this one. */
  readonly beside: { readonly chain: Chain; readonly node: TreeNode }[];
  readonly children: { readonly chain: Chain; readonly node: TreeNode }[];
  readonly ties: Chain[];
}

export interface Forest {
  /** Stations at the top, each a list of its hubs from the highest voltage down. */
  readonly primaries: readonly (readonly TreeNode[])[];
  /** Chains between hubs of one primary station: transformers and couplers. */
  readonly internal: readonly Chain[];
  /** Hubs that nothing leads to. */
  readonly orphans: readonly TreeNode[];
  readonly ties: readonly Chain[];
}

const chainName = (chain: Chain) => ({
  name: chain.links[0]?.equipment.name ?? '',
  mRID: chain.links[0]?.equipment.mRID ?? '',
});
const byFirst = (a: Chain, b: Chain) => byName(chainName(a), chainName(b));
const hubKey = (hub: Hub) => ({ name: hub.name, mRID: hub.node });

export function buildForest(graph: Graph): Forest {
  const station = stationsOf(graph);
  const hubs = [...graph.hubs.values()].sort((a, b) => byName(hubKey(a), hubKey(b)));
  let primaryStations = new Set(hubs.filter((hub) => hub.sources.length).map((hub) => station.get(hub.node)));
  if (primaryStations.size === 0) {
    const top = Math.max(0, ...hubs.map((hub) => hub.nominalVoltage));
    primaryStations = new Set(
      hubs
        .filter((hub) => hub.nominalVoltage === top)
        .slice(0, 1)
        .map((h) => station.get(h.node)),
    );
  }
  const nodes = new Map<string, TreeNode>(hubs.map((hub) => [hub.node, { hub, beside: [], children: [], ties: [] }]));
  const isPrimary = (hub: string) => primaryStations.has(station.get(hub));
  const placed = new Set<string>();
  const used = new Set<string>();
  const key = (chain: Chain) =>
    chain.links[0]!.equipment.mRID < chain.links.at(-1)!.equipment.mRID
      ? `${chain.links[0]!.equipment.mRID}|${chain.links.at(-1)!.equipment.mRID}`
      : `${chain.links.at(-1)!.equipment.mRID}|${chain.links[0]!.equipment.mRID}`;

  const primaries = [...primaryStations].map((id) =>
    hubs
      .filter((hub) => station.get(hub.node) === id)
      .sort((a, b) => b.nominalVoltage - a.nominalVoltage || byName(hubKey(a), hubKey(b)))
      .map((hub) => nodes.get(hub.node)!),
  );
  const internal = graph.chains.filter(
    (chain) => isPrimary(chain.from) && station.get(chain.from) === station.get(chain.to) && !hasLine(chain.links),
  );
  for (const chain of internal) used.add(key(chain));

  const grow = (roots: readonly TreeNode[], over: (chain: Chain) => boolean) => {
    const queue = [...roots];
    for (const root of roots) placed.add(root.hub.node);
    for (let head = 0; head < queue.length; head++) {
      const parent = queue[head]!;
      for (const chain of [...parent.hub.chains].sort(byFirst)) {
        if (used.has(key(chain)) || placed.has(chain.to) || !over(chain)) continue;
        const node = nodes.get(chain.to)!;
        used.add(key(chain));
        placed.add(chain.to);
        parent.children.push({ chain, node });
        queue.push(node);
      }
    }
  };
  grow(primaries.flat(), (chain) => !normallyOpen(chain.links));
  // What is fed only over a normally open switch still hangs where that switch would feed it.
  const rest = () => hubs.filter((hub) => !placed.has(hub.node)).map((hub) => nodes.get(hub.node)!);
  if (rest().length)
    grow(
      hubs.filter((hub) => placed.has(hub.node)).map((hub) => nodes.get(hub.node)!),
      () => true,
    );
  const orphans: TreeNode[] = [];
  for (let left = rest(); left.length; left = rest()) {
    orphans.push(left[0]!);
    grow([left[0]!], () => true);
  }

  for (const node of nodes.values()) {
    for (const child of [...node.children]) {
      const leaf = child.node.children.length === 0 && !child.node.hub.chains.some((chain) => !used.has(key(chain)));
      if (leaf && !hasLine(child.chain.links)) {
        node.children.splice(node.children.indexOf(child), 1);
        node.beside.push(child);
      }
    }
  }
  const ties = graph.chains.filter((chain) => !used.has(key(chain))).sort(byFirst);
  for (const tie of ties) {
    nodes.get(tie.from)!.ties.push(tie);
    nodes.get(tie.to)!.ties.push(tie);
  }
  return { primaries, internal, orphans, ties };
}

/** Hubs joined without a line stand in one station; the id is the least node of it. */
function stationsOf(graph: Graph): Map<string, string> {
  const parent = new Map([...graph.hubs.keys()].map((node) => [node, node]));
  const find = (node: string): string => {
    let root = node;
    while (parent.get(root) !== root) root = parent.get(root)!;
    for (let at = node; at !== root; ) {
      const next = parent.get(at)!;
      parent.set(at, root);
      at = next;
    }
    return root;
  };
  for (const chain of graph.chains) {
    if (hasLine(chain.links)) continue;
    const [a, b] = [find(chain.from), find(chain.to)];
    if (a !== b) parent.set(a < b ? b : a, a < b ? a : b);
  }
  return new Map([...graph.hubs.keys()].map((node) => [node, find(node)]));
}
