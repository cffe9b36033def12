/**
 * Connectivity nodes that are one bus as the grid stands switched: joined by switches that are closed, in service and not
 * retained (IEC 61970-456, topology). This is what a TP file says too, and how an SSH without one becomes a bus-branch
 * model.
 */
import type { CimModel } from '../model.ts';

/** Bus of every connectivity node, as a number from 0. */
export function busesOf(model: CimModel): Map<number, number> {
  const { store, schema } = model;
  const parent = new Map<number, number>();
  for (const node of store.ofClass('ConnectivityNode')) parent.set(node, node);
  const root = (node: number): number => {
    let at = node;
    for (let up = parent.get(at)!; up !== at; up = parent.get(at)!) {
      parent.set(at, parent.get(up)!);
      at = up;
    }
    return at;
  };
  const ends = new Map<number, number[]>();
  for (const terminal of store.ofClass('Terminal')) {
    const equipment = store.reference(terminal, 'Terminal.ConductingEquipment');
    const node = store.reference(terminal, 'Terminal.ConnectivityNode');
    if (equipment === undefined || node === undefined || !parent.has(node)) continue;
    if (!schema.isA(store.class(equipment), 'Switch')) continue;
    if (store.boolean(terminal, 'ACDCTerminal.connected') === false) continue;
    const list = ends.get(equipment);
    if (list) list.push(node);
    else ends.set(equipment, [node]);
  }
  for (const [equipment, nodes] of ends) {
    const open = store.boolean(equipment, 'Switch.open') ?? store.boolean(equipment, 'Switch.normalOpen') ?? false;
    const off = store.boolean(equipment, 'Equipment.inService') === false;
    if (open || off || store.boolean(equipment, 'Switch.retained') === true) continue;
    for (const node of nodes) parent.set(root(node), root(nodes[0]!));
  }
  const numbers = new Map<number, number>();
  const buses = new Map<number, number>();
  for (const node of parent.keys()) {
    const at = root(node);
    const number = numbers.get(at) ?? numbers.size;
    numbers.set(at, number);
    buses.set(node, number);
  }
  return buses;
}
