/**
 * A substation taken apart as its builders think of it: voltage levels with busbars, and cells – a bay with what it leads
 * to, or a coupler – that hang at the busbars. Whatever the model says, everything in it ends up in exactly one place.
 */

import type { Place } from './drawing.ts';
import { byName, type Equipment, type GridIndex, isBusbar, isTransformer } from './equipment.ts';

/** Something with both ends in the cell, or one of them at a busbar. */
export interface Device {
  readonly equipment: Equipment;
  readonly a: string;
  readonly b: string;
}
/** Where the cell leads to: a line, an end of a transformer, a load, a machine. */
export interface Feeder {
  readonly equipment: Equipment;
  /** Index of the terminal that lies in the cell. */
  readonly terminal: number;
  readonly node: string;
  readonly kind: 'exit' | 'transformer' | 'injection';
  readonly name: string;
  /** The station at the other end of a line. */
  readonly opens?: Place;
  readonly towards?: string;
}
export interface Cell {
  /** The bay, or else the first equipment in it: names the cell in addresses. */
  readonly key: string;
  readonly name: string;
  /** Nodes of the busbars that it hangs at, by name of the busbar. */
  readonly bars: readonly string[];
  readonly nodes: readonly string[];
  readonly devices: readonly Device[];
  readonly feeders: readonly Feeder[];
}
export interface Bar {
  readonly node: string;
  /** Busbar sections at the node; none where the model has only a node. */
  readonly sections: readonly Equipment[];
  readonly name: string;
}
export interface Level {
  readonly mRID: string;
  readonly name: string;
  /** kV. */
  readonly nominalVoltage: number;
  readonly bars: readonly Bar[];
  readonly cells: readonly Cell[];
}

/** The voltage levels of a substation, the highest voltage first. */
export function levelsOf(index: GridIndex, substation: string): Level[] {
  const { model } = index;
  const levels = model.voltageLevels
    .filter((level) => level.substation === substation || level.mRID === substation)
    .sort((a, b) => b.nominalVoltage - a.nominalVoltage || byName(a, b));
  return levels.map((level) => {
    const nodes = model.connectivityNodes.filter((node) => node.voltageLevel === level.mRID).sort(byName);
    return { ...level, ...levelOf(index, substation, nodes) };
  });
}

function levelOf(
  index: GridIndex,
  substation: string,
  nodes: readonly { readonly mRID: string; readonly name: string }[],
): Pick<Level, 'bars' | 'cells'> {
  const inside = new Set(nodes.map(({ mRID }) => mRID));
  const devices: Device[] = [];
  const feeders: Feeder[] = [];
  const seen = new Set<string>();
  for (const { mRID: node } of nodes) {
    for (const { equipment, terminal } of index.at(node)) {
      if (isBusbar(equipment) || equipment.class === 'Junction' || seen.has(equipment.mRID)) continue;
      const ends = equipment.terminals.map(({ connectivityNode }) => connectivityNode);
      const within = ends.length === 2 && ends.every((end) => inside.has(end)) && ends[0] !== ends[1];
      if (within && !isTransformer(equipment)) {
        seen.add(equipment.mRID);
        devices.push({ equipment, a: ends[0]!, b: ends[1]! });
      } else feeders.push(feederOf(index, substation, equipment, terminal, node));
    }
  }
  // A lead with nothing behind it, such as the earth side of an earthing switch, is drawn as what hangs there.
  const degree = new Map<string, number>();
  for (const { a, b } of devices) for (const end of [a, b]) degree.set(end, (degree.get(end) ?? 0) + 1);
  for (const { node } of feeders) degree.set(node, (degree.get(node) ?? 0) + 1);

  const isBar = new Map<string, Equipment[]>();
  for (const { mRID: node } of nodes) {
    const sections = index.at(node).flatMap(({ equipment }) => (isBusbar(equipment) ? [equipment] : []));
    if (sections.length) isBar.set(node, sections);
  }
  const order = new Map(nodes.map(({ mRID }, at) => [mRID, at]));
  const byOrder = (a: string, b: string) => order.get(a)! - order.get(b)!;
  let parts = componentsOf(nodes, devices, isBar);
  for (const part of parts) {
    const reachesBar = devices.some(
      ({ a, b }) => (part.includes(a) && isBar.has(b)) || (part.includes(b) && isBar.has(a)),
    );
    if (reachesBar || part.every((node) => !degree.has(node))) continue;
    // No busbar: the node at which most things meet stands for one.
    const most = Math.max(...part.map((node) => degree.get(node) ?? 0));
    isBar.set(part.filter((node) => (degree.get(node) ?? 0) === most).sort(byOrder)[0]!, []);
  }
  parts = componentsOf(nodes, devices, isBar);
  const nodeName = new Map(nodes.map(({ mRID, name }) => [mRID, name]));
  const bars = [...isBar]
    .map(([node, sections]) => ({ node, sections, mRID: node, name: sections[0]?.name ?? nodeName.get(node)! }))
    .sort(byName);
  const barOrder = new Map(bars.map(({ node }, at) => [node, at]));
  const bayOf = (list: readonly Equipment[]): string | undefined =>
    list.map(({ container }) => container).find((each) => each !== undefined && isBay(index, each));

  const cells: Cell[] = [];
  const add = (part: readonly string[], own: readonly Device[], ends: readonly Feeder[]): void => {
    const touched = [...new Set([...own.flatMap(({ a, b }) => [a, b]), ...ends.map(({ node }) => node)])].filter(
      (node) => isBar.has(node),
    );
    const all = [...own.map(({ equipment }) => equipment), ...ends.map(({ equipment }) => equipment)];
    if (all.length === 0) return;
    const bay = bayOf(all);
    const first = ends[0]?.equipment ?? all[0]!;
    cells.push({
      key: bay ?? first.mRID,
      name: (bay === undefined ? undefined : index.name(bay)) ?? ends[0]?.name ?? all[0]!.name,
      bars: touched.sort((a, b) => barOrder.get(a)! - barOrder.get(b)!),
      nodes: part,
      devices: own,
      feeders: ends,
    });
  };
  const partOf = new Map(parts.flatMap((part, at) => part.map((node) => [node, at] as const)));
  const grouped = parts.map(() => ({ devices: [] as Device[], feeders: [] as Feeder[] }));
  for (const device of devices) {
    const at = partOf.get(device.a) ?? partOf.get(device.b);
    if (at === undefined) add([], [device], []);
    else grouped[at]!.devices.push(device);
  }
  for (const feeder of feeders) {
    const at = partOf.get(feeder.node);
    if (at === undefined) add([], [], [feeder]);
    else grouped[at]!.feeders.push(feeder);
  }
  parts.forEach((part, at) => {
    add(part, grouped[at]!.devices, grouped[at]!.feeders.sort(feederOrder));
  });
  return { bars, cells: uniqueKeys(cells.sort((a, b) => byName({ ...a, mRID: a.key }, { ...b, mRID: b.key }))) };
}

const isBay = (index: GridIndex, mRID: string): boolean => index.isBay(mRID);

/** Two cells may lie in one bay; the second goes by its own first equipment. */
function uniqueKeys(cells: readonly Cell[]): Cell[] {
  const taken = new Set<string>();
  return cells.map((cell) => {
    const own = cell.feeders[0]?.equipment.mRID ?? cell.devices[0]!.equipment.mRID;
    const key = taken.has(cell.key) ? (taken.has(own) ? `${own}-${taken.size}` : own) : cell.key;
    taken.add(key);
    return key === cell.key ? cell : { ...cell, key };
  });
}

/** What leads on before what ends here. */
const RANK = { transformer: 0, exit: 1, injection: 2 } as const;
const feederOrder = (a: Feeder, b: Feeder): number =>
  RANK[a.kind] - RANK[b.kind] || byName(a.equipment, b.equipment) || a.terminal - b.terminal;

function feederOf(index: GridIndex, substation: string, equipment: Equipment, terminal: number, node: string): Feeder {
  const shared = { equipment, terminal, node, name: equipment.name };
  if (equipment.terminals.length === 1) return { ...shared, kind: 'injection' };
  const others = index.substationsOf(equipment).filter((each) => each !== substation);
  const whole = equipment.terminals.every(
    ({ connectivityNode }) => index.substationOf(connectivityNode) === substation,
  );
  if (isTransformer(equipment) && whole) return { ...shared, kind: 'transformer' };
  const [next] = others;
  const towards = next === undefined ? undefined : index.name(next);
  return {
    ...shared,
    kind: 'exit',
    ...(next === undefined ? {} : { opens: { substation: next } }),
    ...(towards === undefined ? {} : { towards }),
  };
}

/** Nodes without busbars that are joined by devices, each list and all of them in the order of the nodes. */
function componentsOf(
  nodes: readonly { readonly mRID: string }[],
  devices: readonly Device[],
  bars: ReadonlyMap<string, unknown>,
): string[][] {
  const beside = new Map<string, string[]>();
  for (const { mRID } of nodes) if (!bars.has(mRID)) beside.set(mRID, []);
  for (const { a, b } of devices) {
    beside.get(a)?.push(...(beside.has(b) ? [b] : []));
    beside.get(b)?.push(...(beside.has(a) ? [a] : []));
  }
  const parts: string[][] = [];
  const seen = new Set<string>();
  const order = new Map(nodes.map(({ mRID }, at) => [mRID, at]));
  for (const start of beside.keys()) {
    if (seen.has(start)) continue;
    const part = [start];
    seen.add(start);
    for (const node of part) {
      for (const next of beside.get(node)!) {
        if (seen.has(next)) continue;
        seen.add(next);
        part.push(next);
      }
    }
    parts.push(part.sort((a, b) => order.get(a)! - order.get(b)!));
  }
  return parts;
}
