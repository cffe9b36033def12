/**
 * What a fault on a busbar takes away: the busbar protection opens every breaker around it. Sections that a closed coupler
 * joins are one bus until then, and only the faulty one is lost.
 */
import type { Topology } from './topology.ts';

/** Switches that open under a fault; what other switches join is lost together. */
const BREAKING = new Set(['Breaker', 'Recloser']);

/**
 * @param node of the busbar; @param isBusbar whether a node is one of the others
 * @returns nodes of its bus that are lost, ascending, among them feeders that now hang at no busbar; undefined: the whole bus
 */
export function busbarZone(
  { grid, closed, busOfNode }: Topology,
  node: number,
  isBusbar: (node: number) => boolean,
): Int32Array | undefined {
  const { switches, switchesAt } = grid;
  const reach = (start: number, barred: ReadonlySet<number>, opens: boolean): Set<number> => {
    const found = new Set([start]);
    for (const at of found) {
      for (let p = switchesAt.start[at]!; p < switchesAt.start[at + 1]!; p++) {
        const index = switchesAt.list[p]!;
        const { equipment, from, to } = switches[index]!;
        const other = from === at ? to : from;
        if (closed[index] !== 1 || barred.has(other) || (opens && BREAKING.has(equipment.class))) continue;
        found.add(other);
      }
    }
    return found;
  };
  const zone = reach(node, new Set(), true);
  const lost = new Set(zone);
  const kept = new Set<number>();
  for (let other = 0; other < busOfNode.length; other++) {
    if (busOfNode[other] !== busOfNode[node] || lost.has(other) || kept.has(other)) continue;
    const part = reach(other, zone, false);
    const into = [...part].some(isBusbar) ? kept : lost;
    for (const each of part) into.add(each);
  }
  return kept.size > 0 ? Int32Array.from(lost).sort() : undefined;
}
