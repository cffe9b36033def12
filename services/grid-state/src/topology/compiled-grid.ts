/** The grid model with its references resolved to numbers; made once per model, shared by all switch states. */
import {
  type ConductingEquipment,
  EnerchainError,
  type GridModel,
  type Mrid,
  type RegulatingControl,
  type SwitchEquipment,
} from '@enerchain/model';
import { UnionFind } from '../powerflow/union-find.ts';

type OfClass<C extends ConductingEquipment['class']> = Extract<ConductingEquipment, { class: C }>;
export type Switch = SwitchEquipment;
export type Transformer = OfClass<'PowerTransformer'>;
export type ExternalInjection = OfClass<'ExternalNetworkInjection'>;
export type BranchEquipment = OfClass<'ACLineSegment' | 'SeriesCompensator' | 'EquivalentBranch'> | Transformer;
/** What has one terminal and brings in or takes power. */
export type Single = OfClass<
  | 'EnergyConsumer'
  | 'EnergySource'
  | 'PowerElectronicsConnection'
  | 'ExternalNetworkInjection'
  | 'SynchronousMachine'
  | 'AsynchronousMachine'
  | 'EquivalentInjection'
  | 'CsConverter'
  | 'VsConverter'
  | 'LinearShuntCompensator'
  | 'NonlinearShuntCompensator'
  | 'StaticVarCompensator'
  | 'EquivalentShunt'
>;

export interface OneNode<E> {
  readonly equipment: E;
  readonly node: number;
}
export interface TwoNodes<E> {
  readonly equipment: E;
  readonly from: number;
  readonly to: number;
}
/** One row of the branch table: a line, a transformer of two windings, or one winding of three. */
export interface Branch extends TwoNodes<BranchEquipment> {
  /** Place of the equipment in `branchEquipment`. */
  readonly index: number;
  readonly fromTerminal: Mrid;
  /** None where the row ends at the star point of three windings. */
  readonly toTerminal?: Mrid;
  /** Which end of a transformer with three; the row ends at its star point. */
  readonly winding?: number;
}
/** Rows that hang at each node, compressed: those of node n are `list[start[n]]` … `list[start[n + 1] - 1]`. */
export interface Incidence {
  readonly start: Int32Array;
  readonly list: Int32Array;
}

export interface CompiledGrid {
  readonly model: GridModel;
  /** Connectivity nodes. Behind them in all numbering: star points of transformers, and ends that are open. */
  readonly nodes: readonly Mrid[];
  readonly nodeIndex: ReadonlyMap<Mrid, number>;
  readonly nodeCount: number;
  /** What an inner node belongs to. */
  readonly innerNodes: readonly BranchEquipment[];
  /** kV, per node: what 1 pu is there. One for all nodes that switches could join. */
  readonly baseVoltage: Float64Array;
  readonly switches: readonly TwoNodes<Switch>[];
  readonly switchIndex: ReadonlyMap<Mrid, number>;
  /** Per switch: 1 when closed as long as nobody says otherwise. */
  readonly closed: Uint8Array;
  /** Per switch: 1 when it can be closed at all: in service, with both terminals connected. */
  readonly usable: Uint8Array;
  /** Lines, then transformers, then series compensators and equivalent branches, in or out of service. */
  readonly branchEquipment: readonly BranchEquipment[];
  /** Those in service, in the same order; three rows for a transformer of three windings. */
  readonly branches: readonly Branch[];
  /** In service and connected, in the order of the model. */
  readonly singles: readonly OneNode<Single>[];
  readonly injections: readonly OneNode<ExternalInjection>[];
  /** Terminal → node, of all equipment. */
  readonly nodeOfTerminal: ReadonlyMap<Mrid, number>;
  readonly controls: ReadonlyMap<Mrid, RegulatingControl>;
  readonly switchesAt: Incidence;
  readonly branchesAt: Incidence;
}

/** Two ends of a line may differ in nominal voltage by this factor (220 and 225 kV are one grid), not by more. */
const SAME_VOLTAGE = 1.25;

/** @throws EnerchainError (caller) when a reference leads nowhere, a voltage level is unknown or an mRID comes twice */
export function compileGrid(model: GridModel): CompiledGrid {
  const fail = (text: string): never => {
    throw new EnerchainError('caller', 'grid-state.model', `grid '${model.name}': ${text}; nothing was calculated`);
  };
  const seen = new Set<Mrid>();
  for (const list of [model.voltageLevels, model.connectivityNodes, model.equipment]) {
    for (const { mRID, name } of list as { mRID: Mrid; name: string }[]) {
      if (seen.has(mRID)) fail(`mRID ${mRID} ('${name}') is used twice`);
      seen.add(mRID);
    }
  }
  const voltageOf = new Map(model.voltageLevels.map((level) => [level.mRID, level.nominalVoltage]));
  const nodeIndex = new Map(model.connectivityNodes.map((node, index) => [node.mRID, index]));
  const nominalVoltage = model.connectivityNodes.map(
    (node): number => voltageOf.get(node.voltageLevel) ?? fail(`node '${node.name}' names an unknown voltage level`),
  );
  const nodeOfTerminal = new Map<Mrid, number>();
  for (const equipment of model.equipment) {
    for (const { mRID, connectivityNode } of equipment.terminals) {
      const node = nodeIndex.get(connectivityNode);
      if (nodeOfTerminal.has(mRID)) fail(`terminal ${mRID} of ${equipment.class} '${equipment.name}' is used twice`);
      nodeOfTerminal.set(mRID, node ?? fail(`${equipment.class} '${equipment.name}' ends at an unknown node`));
    }
  }

  const innerNodes: BranchEquipment[] = [];
  const innerVoltage: number[] = [];
  const innerNode = (equipment: BranchEquipment, kV: number): number => {
    innerNodes.push(equipment);
    innerVoltage.push(kV);
    return nominalVoltage.length + innerNodes.length - 1;
  };
  const nodeOf = (equipment: ConductingEquipment, terminal: number): number =>
    nodeOfTerminal.get(equipment.terminals[terminal]!.mRID)!;
  /** An end that is not connected hangs at a node of its own: the line stays under voltage from the other end. */
  const endOf = (equipment: BranchEquipment, terminal: number): number => {
    const node = nodeOf(equipment, terminal);
    return equipment.terminals[terminal]!.connected === false ? innerNode(equipment, nominalVoltage[node]!) : node;
  };

  const switches: TwoNodes<Switch>[] = [];
  const lines: BranchEquipment[] = [];
  const transformers: BranchEquipment[] = [];
  const others: BranchEquipment[] = [];
  const singles: OneNode<Single>[] = [];
  for (const equipment of model.equipment) {
    switch (equipment.class) {
      case 'Breaker':
      case 'LoadBreakSwitch':
      case 'Disconnector':
      case 'Fuse':
      case 'Jumper':
      case 'Recloser':
      case 'Sectionaliser':
      case 'Switch':
        switches.push({ equipment, from: nodeOf(equipment, 0), to: nodeOf(equipment, 1) });
        break;
      case 'ACLineSegment':
        lines.push(equipment);
        break;
      case 'PowerTransformer':
        if (equipment.ends.length !== equipment.terminals.length) {
          fail(
            `transformer '${equipment.name}' has ${equipment.ends.length} ends but ${equipment.terminals.length} terminals`,
          );
        }
        transformers.push(equipment);
        break;
      case 'SeriesCompensator':
      case 'EquivalentBranch':
        others.push(equipment);
        break;
      case 'BusbarSection':
      case 'Junction':
      case 'GroundDisconnector':
      case 'Ground':
        break;
      default: {
        const [terminal] = equipment.terminals;
        if (equipment.inService === false || terminal!.connected === false) break;
        singles.push({ equipment, node: nodeOf(equipment, 0) });
      }
    }
  }
  const branchEquipment = [...lines, ...transformers, ...others];
  const branches = branchEquipment.flatMap((equipment, index): Branch[] => {
    if (equipment.inService === false) return [];
    const { class: kind, name, terminals } = equipment;
    if (kind === 'PowerTransformer' && terminals.length === 3) {
      const to = innerNode(equipment, equipment.ends[0]!.ratedU);
      return terminals.map(({ mRID }, winding) => ({
        equipment,
        index,
        from: endOf(equipment, winding),
        to,
        fromTerminal: mRID,
        winding,
      }));
    }
    const [from, to] = [endOf(equipment, 0), endOf(equipment, 1)];
    if (kind !== 'PowerTransformer') {
      const ratio = nominalVoltage[nodeOf(equipment, 0)]! / nominalVoltage[nodeOf(equipment, 1)]!;
      if (ratio > SAME_VOLTAGE || ratio < 1 / SAME_VOLTAGE) {
        fail(`${kind === 'ACLineSegment' ? 'line' : kind} '${name}' joins different voltages`);
      }
    }
    return [{ equipment, index, from, to, fromTerminal: terminals[0]!.mRID, toTerminal: terminals[1]!.mRID }];
  });

  const nodeCount = nominalVoltage.length + innerNodes.length;
  const joinable = new UnionFind(nodeCount);
  for (const { from, to } of switches) joinable.union(from, to);
  const { of, count } = joinable.number();
  const kV = new Float64Array(count);
  [...nominalVoltage, ...innerVoltage].forEach((value, node) => {
    if (kV[of[node]!] === 0) kV[of[node]!] = value;
  });
  const usable = Uint8Array.from(switches, ({ equipment: { inService, terminals } }) =>
    inService === false || terminals.some(({ connected }) => connected === false) ? 0 : 1,
  );
  return {
    model,
    nodes: model.connectivityNodes.map((node) => node.mRID),
    nodeIndex,
    nodeCount,
    innerNodes,
    baseVoltage: Float64Array.from(of, (set) => kV[set]!),
    switches,
    switchIndex: new Map(switches.map(({ equipment }, index) => [equipment.mRID, index])),
    closed: usable.map((can, index) => {
      const { open, normalOpen } = switches[index]!.equipment;
      return can === 1 && !(open ?? normalOpen) ? 1 : 0;
    }),
    usable,
    branchEquipment,
    branches,
    singles,
    injections: singles.filter(
      (single): single is OneNode<ExternalInjection> => single.equipment.class === 'ExternalNetworkInjection',
    ),
    nodeOfTerminal,
    controls: new Map((model.regulatingControls ?? []).map((control) => [control.mRID, control])),
    switchesAt: incidence(switches, nodeCount),
    branchesAt: incidence(branches, nodeCount),
  };
}

function incidence(rows: readonly { readonly from: number; readonly to: number }[], nodeCount: number): Incidence {
  const start = new Int32Array(nodeCount + 1);
  for (const { from, to } of rows) {
    start[from + 1] = start[from + 1]! + 1;
    start[to + 1] = start[to + 1]! + 1;
  }
  for (let node = 0; node < nodeCount; node++) start[node + 1] = start[node + 1]! + start[node]!;
  const next = start.slice(0, nodeCount);
  const list = new Int32Array(2 * rows.length);
  rows.forEach(({ from, to }, row) => {
    for (const node of [from, to]) {
      list[next[node]!] = row;
      next[node] = next[node]! + 1;
    }
  });
  return { start, list };
}
