/**
 * Models of several authorities that meet at the boundary (EQBD): each brings injections that stand for its neighbours. Where
 * the neighbour itself is there, they go.
 */
import type { Nodes } from './nodes.ts';
import type { CimSource } from './source.ts';

const BRANCHES = ['ACLineSegment', 'PowerTransformer', 'SeriesCompensator', 'EquivalentBranch', 'Switch'];

/** Equivalent injections at boundary nodes where branches of more than one file meet. */
export function replacedInjections(source: CimSource, nodes: Nodes): ReadonlySet<number> {
  const { model, store } = source;
  const boundary = boundaryNodes(source);
  const replaced = new Set<number>();
  if (boundary.size === 0) return replaced;
  const injections = new Map<number, number[]>();
  const authorities = new Map<number, Set<number>>();
  for (const terminal of store.ofClass('Terminal')) {
    const node = nodes.at(terminal);
    const equipment = store.reference(terminal, 'Terminal.ConductingEquipment');
    if (node === undefined || equipment === undefined || !boundary.has(node)) continue;
    const name = store.class(equipment);
    if (name === 'EquivalentInjection') {
      injections.set(node, [...(injections.get(node) ?? []), equipment]);
      continue;
    }
    if (!BRANCHES.some((branch) => model.schema.isA(name, branch))) continue;
    if (store.boolean(terminal, 'ACDCTerminal.connected') === false) continue;
    if (store.boolean(equipment, 'Equipment.inService') === false) continue;
    const files = authorities.get(node) ?? new Set();
    files.add(store.file(store.first(equipment)));
    authorities.set(node, files);
  }
  for (const [node, list] of injections) {
    if ((authorities.get(node)?.size ?? 0) < 2) continue;
    for (const injection of list) replaced.add(injection);
  }
  return replaced;
}

/** Connectivity and topological nodes of the boundary, and the connectivity nodes in the latter. */
function boundaryNodes({ model, store }: CimSource): ReadonlySet<number> {
  const found = new Set<number>();
  const ofBoundary = (object: number): boolean => model.files[store.file(store.first(object))]!.letters.includes('B');
  for (const kind of ['ConnectivityNode', 'TopologicalNode']) {
    for (const object of store.ofClass(kind)) {
      if (ofBoundary(object) || store.boolean(object, `${kind}.boundaryPoint`) === true) found.add(object);
    }
  }
  for (const point of store.ofClass('BoundaryPoint')) {
    const node = store.reference(point, 'BoundaryPoint.ConnectivityNode');
    if (node !== undefined) found.add(node);
  }
  for (const node of store.ofClass('ConnectivityNode')) {
    const bus = store.reference(node, 'ConnectivityNode.TopologicalNode');
    if (bus !== undefined && found.has(bus)) found.add(node);
    if (bus !== undefined && found.has(node)) found.add(bus);
  }
  return found;
}
