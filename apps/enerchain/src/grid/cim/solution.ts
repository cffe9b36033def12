/** What a solved state (SV) says, under the names that the grid has: voltages to start from, flows to compare with. */
import type { Mrid } from '@enerchain/model';
import type { Nodes } from './nodes.ts';
import type { CimSource } from './source.ts';

export interface Solution {
  /** By node: kV and degrees. */
  readonly voltages: ReadonlyMap<Mrid, { readonly v: number; readonly angle: number }>;
  /** By terminal: MW and Mvar from the node into the equipment. */
  readonly flows: ReadonlyMap<Mrid, { readonly p: number; readonly q: number }>;
  /** Nodes that hold the angle of an island. */
  readonly references: readonly Mrid[];
}

export function solutionOf(source: CimSource, nodes: Nodes): Solution | undefined {
  const { store } = source;
  const voltages = new Map<Mrid, { v: number; angle: number }>();
  for (const object of store.ofClass('SvVoltage')) {
    const bus = store.reference(object, 'SvVoltage.TopologicalNode');
    const { v, angle } = source.numbers(object, 'SvVoltage', 'v', 'angle');
    // A bus without voltage is written as 0 kV.
    if (bus === undefined || v === undefined || angle === undefined || !(v > 0)) continue;
    for (const node of nodes.within(bus)) voltages.set(node, { v, angle });
  }
  if (voltages.size === 0) return undefined;
  const flows = new Map<Mrid, { p: number; q: number }>();
  for (const object of store.ofClass('SvPowerFlow')) {
    const terminal = store.reference(object, 'SvPowerFlow.Terminal');
    const { p, q } = source.numbers(object, 'SvPowerFlow', 'p', 'q');
    if (terminal !== undefined && p !== undefined && q !== undefined) flows.set(source.mrid(terminal), { p, q });
  }
  const references = store.ofClass('TopologicalIsland').flatMap((island) => {
    const bus = store.reference(island, 'TopologicalIsland.AngleRefTopologicalNode');
    return bus === undefined ? [] : nodes.within(bus);
  });
  return { voltages, flows, references };
}
