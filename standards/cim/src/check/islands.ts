/** Islands of the grid as it stands switched: which have no source, and whether the slack has a machine. */
import type { CimModel } from '../model.ts';
import { place } from './place.ts';

const SOURCES = [
  'RotatingMachine',
  'ExternalNetworkInjection',
  'EquivalentInjection',
  'PowerElectronicsConnection',
  'ACDCConverter',
];
const BRANCHES = ['ACLineSegment', 'SeriesCompensator', 'EquivalentBranch', 'PowerTransformer'];

export function checkIslands(model: CimModel): void {
  const { store, schema, findings } = model;
  const parent = Int32Array.from({ length: store.objects }, (_, object) => object);
  const root = (object: number): number => {
    let at = object;
    while (parent[at] !== at) {
      parent[at] = parent[parent[at]!]!;
      at = parent[at]!;
    }
    return at;
  };
  const families = (ancestors: readonly string[]): Set<string> =>
    new Set(ancestors.flatMap((ancestor) => schema.family(ancestor)));
  const sources = families(SOURCES);
  const branches = families(BRANCHES);
  const switches = families(['Switch']);
  const consumers = families(['EnergyConsumer']);

  const nodesOf = new Map<number, number[]>();
  const nodes = new Set<number>();
  for (const terminal of store.ofClass('Terminal')) {
    const node =
      store.reference(terminal, 'Terminal.ConnectivityNode') ?? store.reference(terminal, 'Terminal.TopologicalNode');
    const equipment = store.reference(terminal, 'Terminal.ConductingEquipment');
    if (node === undefined || equipment === undefined) continue;
    nodes.add(node);
    if (store.boolean(terminal, 'ACDCTerminal.connected') === false) continue;
    const list = nodesOf.get(equipment);
    if (list) list.push(node);
    else nodesOf.set(equipment, [node]);
  }
  for (const [equipment, own] of nodesOf) {
    const name = store.class(equipment) ?? '';
    const open = store.boolean(equipment, 'Switch.open') ?? store.boolean(equipment, 'Switch.normalOpen') ?? false;
    if (!branches.has(name) && !(switches.has(name) && !open)) continue;
    for (const node of own) parent[root(node)] = root(own[0]!);
  }

  const fed = new Set<number>();
  const consuming = new Map<number, number>();
  for (const [equipment, own] of nodesOf) {
    const name = store.class(equipment) ?? '';
    if (sources.has(name)) for (const node of own) fed.add(root(node));
    else if (consumers.has(name)) {
      for (const node of own) consuming.set(root(node), (consuming.get(root(node)) ?? 0) + 1);
    }
  }
  const sizes = new Map<number, number>();
  for (const node of nodes) sizes.set(root(node), (sizes.get(root(node)) ?? 0) + 1);
  for (const [island, count] of consuming) {
    if (fed.has(island)) continue;
    const text = `an island of ${sizes.get(island)} nodes has no source; ${count} consumers are without supply`;
    findings.add({ severity: 'warning', code: 'grid.island-without-source', text, ...place(model, island) });
  }

  const held = new Set<number>();
  for (const terminal of store.ofClass('Terminal')) {
    const node = store.reference(terminal, 'Terminal.TopologicalNode');
    const equipment = store.reference(terminal, 'Terminal.ConductingEquipment');
    if (node !== undefined && equipment !== undefined && sources.has(store.class(equipment) ?? '')) held.add(node);
  }
  for (const island of store.ofClass('TopologicalIsland')) {
    const slack = store.reference(island, 'TopologicalIsland.AngleRefTopologicalNode');
    if (slack === undefined || held.has(slack)) continue;
    const text = 'the angle reference of the island is a node without machine or injection';
    findings.add({ severity: 'warning', code: 'grid.slack', text, ...place(model, slack) });
  }
}
