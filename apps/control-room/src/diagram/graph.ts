/**
 * The grid as a drawing needs it: hubs (busbars, and nodes where more than two things meet) joined by chains of
 * equipment in series (breaker, line, switch …), and stubs that end in a load or a generator. What leads to earth stands in
 * the display of its station: here it would make a busbar of every joint that can be earthed.
 */
import type { GridModel } from '@enerchain/model';
import { byName, type Equipment, isEarth, isLine, isSwitch, isTransformer } from './equipment.ts';

export type { Equipment };
/** Whatever has one terminal and is no busbar. */
export type Injection = Equipment;

/** One piece of equipment in a chain, entered at the terminal `entry`. `node` is the connectivity node behind it. */
export interface Link {
  readonly equipment: Equipment;
  readonly entry: 0 | 1;
  readonly node: string;
}
/** Equipment in series between hub `from` and hub `to`; `from === to` does not occur. */
export interface Chain {
  readonly from: string;
  readonly to: string;
  readonly links: readonly Link[];
}
/** Equipment in series that ends in an injection, or at nothing. */
export interface Stub {
  readonly from: string;
  readonly links: readonly Link[];
  readonly injection?: Injection;
}
export interface Hub {
  /** The connectivity node. */
  readonly node: string;
  readonly busbar?: Equipment;
  readonly name: string;
  readonly voltageLevel: string;
  /** kV; 0 when the model does not say. */
  readonly nominalVoltage: number;
  readonly chains: Chain[];
  readonly stubs: Stub[];
  /** What feeds the hub from outside the model, over its switches. */
  readonly sources: Stub[];
}

export interface Graph {
  readonly hubs: ReadonlyMap<string, Hub>;
  /** Each chain once, `from` before `to` in the order of the model's names. */
  readonly chains: readonly Chain[];
}

export { byName, isLine, isSwitch, isTransformer };

export const normallyOpen = (links: readonly Link[]): boolean =>
  links.some(({ equipment }) => isSwitch(equipment) && equipment.normalOpen);
export const hasLine = (links: readonly Link[]): boolean => links.some(({ equipment }) => isLine(equipment));
export const hasTransformer = (links: readonly Link[]): boolean =>
  links.some(({ equipment }) => isTransformer(equipment));

/** The chain seen from its other end. */
export function reversed(chain: Chain): Chain {
  const links: Link[] = [];
  for (let index = chain.links.length - 1; index >= 0; index--) {
    const link = chain.links[index]!;
    const node = index === 0 ? chain.from : chain.links[index - 1]!.node;
    links.push({ equipment: link.equipment, entry: link.entry === 0 ? 1 : 0, node });
  }
  return { from: chain.to, to: chain.from, links };
}

export function buildGraph(model: GridModel): Graph {
  const nodes = [...model.connectivityNodes].sort(byName);
  const levels = new Map(model.voltageLevels.map((level) => [level.mRID, level]));
  const substations = new Map(model.substations.map((substation) => [substation.mRID, substation]));
  const bays = new Map(model.bays.map((bay) => [bay.mRID, bay]));
  const at = new Map<string, { equipment: Equipment; terminal: number }[]>(nodes.map((node) => [node.mRID, []]));
  for (const equipment of model.equipment.filter((each) => !isEarth(each)).sort(byName)) {
    equipment.terminals.forEach((terminal, index) => {
      at.get(terminal.connectivityNode)?.push({ equipment, terminal: index });
    });
  }

  const hubs = new Map<string, Hub>();
  for (const node of nodes) {
    const here = at.get(node.mRID)!;
    const branches = here.filter(({ equipment }) => equipment.terminals.length === 2);
    const busbar = here.find(({ equipment }) => equipment.class === 'BusbarSection')?.equipment;
    const single = here.length - branches.length;
    // One branch and one injection is the end of a stub, unless the branch is a line or a transformer: then it is a
    // station without a busbar, or the upstream network at the terminals of a transformer.
    const [branch] = branches;
    const end = branches.length === 1 && branch !== undefined;
    const external = here.some(({ equipment }) => equipment.class === 'ExternalNetworkInjection');
    const atEnd = end && (isLine(branch.equipment) || (external && !isSwitch(branch.equipment)));
    const isHub = busbar || atEnd || branches.length > 2 || single > 1 || (single > 0 && branches.length !== 1);
    if (!isHub || here.length === 0) continue;
    const level = levels.get(node.voltageLevel);
    const container = busbar?.container;
    const named = level ?? levels.get(bays.get(container ?? '')?.voltageLevel ?? '');
    hubs.set(node.mRID, {
      node: node.mRID,
      ...(busbar ? { busbar } : {}),
      name: busbar?.name ?? substations.get(named?.substation ?? '')?.name ?? node.name,
      voltageLevel: node.voltageLevel,
      nominalVoltage: named?.nominalVoltage ?? 0,
      chains: [],
      stubs: [],
      sources: [],
    });
  }

  // A station with one busbar goes by its own name; where there are several, each goes by the busbar's.
  const perSubstation = new Map<string, Hub[]>();
  for (const hub of hubs.values()) {
    const substation = levels.get(hub.voltageLevel)?.substation ?? '';
    perSubstation.set(substation, [...(perSubstation.get(substation) ?? []), hub]);
  }
  for (const [substation, [only, ...others]] of perSubstation) {
    const name = substations.get(substation)?.name;
    if (only && name && others.length === 0) hubs.set(only.node, { ...only, name });
  }

  const chains: Chain[] = [];
  const walked = new Set<string>();
  for (const hub of hubs.values()) {
    for (const { equipment, terminal } of at.get(hub.node)!) {
      if (equipment.class === 'BusbarSection') continue;
      if (equipment.terminals.length === 1) {
        const injection = equipment as Injection;
        if (injection.class === 'ExternalNetworkInjection') hub.sources.push({ from: hub.node, links: [], injection });
        else hub.stubs.push({ from: hub.node, links: [], injection });
        continue;
      }
      if (walked.has(`${equipment.mRID}:${terminal}`)) continue;
      const links: Link[] = [];
      let next: { equipment: Equipment; terminal: number } | undefined = { equipment, terminal };
      let end: { hub?: string; injection?: Injection } = {};
      while (next) {
        const entry = next.terminal as 0 | 1;
        const exit = entry === 0 ? 1 : 0;
        const current: Equipment = next.equipment;
        walked.add(`${current.mRID}:${entry}`);
        const node: string = current.terminals[exit]!.connectivityNode;
        links.push({ equipment: current, entry, node });
        if (hubs.has(node)) {
          walked.add(`${current.mRID}:${exit}`);
          end = { hub: node };
          break;
        }
        next = undefined;
        for (const other of at.get(node) ?? []) {
          if (other.equipment === current) continue;
          if (other.equipment.terminals.length === 1) end = { injection: other.equipment as Injection };
          else if (!walked.has(`${other.equipment.mRID}:${other.terminal}`)) next = other;
        }
        // A node with one branch and one injection ends the walk; a plain joint goes on.
        if (end.injection) next = undefined;
      }
      if (end.hub === hub.node) continue; // equipment short-circuited on itself has no place on a drawing
      if (end.hub) {
        const chain: Chain = { from: hub.node, to: end.hub, links };
        chains.push(chain);
        hub.chains.push(chain);
        hubs.get(end.hub)!.chains.push(reversed(chain));
      } else if (end.injection?.class === 'ExternalNetworkInjection')
        hub.sources.push({ from: hub.node, links, injection: end.injection });
      else hub.stubs.push({ from: hub.node, links, ...(end.injection ? { injection: end.injection } : {}) });
    }
  }
  return { hubs, chains };
}
