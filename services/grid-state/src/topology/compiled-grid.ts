/** The grid model with its references resolved to numbers; made once per model, shared by all switch states. */
import {
  type ConductingEquipment,
  EnerchainError,
  type GridModel,
  type Mrid,
  type SwitchEquipment,
} from '@enerchain/model';

type OfClass<C extends ConductingEquipment['class']> = Extract<ConductingEquipment, { class: C }>;
export type Switch = SwitchEquipment;
export type Line = OfClass<'ACLineSegment'>;
export type Transformer = OfClass<'PowerTransformer'>;
export type Consumer = OfClass<'EnergyConsumer'>;
export type Converter = OfClass<'PowerElectronicsConnection'>;
export type ExternalInjection = OfClass<'ExternalNetworkInjection'>;

export interface OneNode<E> {
  readonly equipment: E;
  readonly node: number;
}
export interface TwoNodes<E> {
  readonly equipment: E;
  readonly from: number;
  readonly to: number;
}

export interface CompiledGrid {
  readonly model: GridModel;
  readonly nodes: readonly Mrid[];
  readonly nodeIndex: ReadonlyMap<Mrid, number>;
  /** kV, per node. */
  readonly nominalVoltage: Float64Array;
  readonly switches: readonly TwoNodes<Switch>[];
  /** Lines first, then transformers: the order of the branches everywhere. */
  readonly branches: readonly TwoNodes<Line | Transformer>[];
  readonly consumers: readonly OneNode<Consumer>[];
  readonly converters: readonly OneNode<Converter>[];
  readonly injections: readonly OneNode<ExternalInjection>[];
}

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
  const nominalVoltage = Float64Array.from(
    model.connectivityNodes,
    (node) => voltageOf.get(node.voltageLevel) ?? fail(`node '${node.name}' names an unknown voltage level`),
  );
  const nodeOf = (equipment: ConductingEquipment, terminal: number): number => {
    const { connectivityNode } = equipment.terminals[terminal]!;
    return nodeIndex.get(connectivityNode) ?? fail(`${equipment.class} '${equipment.name}' ends at an unknown node`);
  };
  const switches: TwoNodes<Switch>[] = [];
  const lines: TwoNodes<Line>[] = [];
  const transformers: TwoNodes<Transformer>[] = [];
  const consumers: OneNode<Consumer>[] = [];
  const converters: OneNode<Converter>[] = [];
  const injections: OneNode<ExternalInjection>[] = [];
  for (const equipment of model.equipment) {
    const node = nodeOf(equipment, 0);
    switch (equipment.class) {
      case 'Breaker':
      case 'LoadBreakSwitch':
      case 'Disconnector':
      case 'Fuse':
      case 'Jumper':
      case 'Recloser':
      case 'Sectionaliser':
      case 'Switch':
        switches.push({ equipment, from: node, to: nodeOf(equipment, 1) });
        break;
      case 'ACLineSegment': {
        const to = nodeOf(equipment, 1);
        if (nominalVoltage[node] !== nominalVoltage[to]) fail(`line '${equipment.name}' joins different voltages`);
        lines.push({ equipment, from: node, to });
        break;
      }
      case 'PowerTransformer':
        if (equipment.ends.length > 2)
          fail(`transformer '${equipment.name}' has three windings, which is not solved yet`);
        transformers.push({ equipment, from: node, to: nodeOf(equipment, 1) });
        break;
      case 'EnergyConsumer':
        consumers.push({ equipment, node });
        break;
      case 'PowerElectronicsConnection':
        converters.push({ equipment, node });
        break;
      case 'ExternalNetworkInjection':
        injections.push({ equipment, node });
        break;
      case 'BusbarSection':
      case 'Junction':
      case 'GroundDisconnector':
      case 'Ground':
        break;
      case 'SeriesCompensator':
      case 'EquivalentBranch':
      case 'EnergySource':
      case 'SynchronousMachine':
      case 'AsynchronousMachine':
      case 'EquivalentInjection':
      case 'CsConverter':
      case 'VsConverter':
      case 'LinearShuntCompensator':
      case 'NonlinearShuntCompensator':
      case 'StaticVarCompensator':
      case 'EquivalentShunt':
        fail(`${equipment.class} '${equipment.name}' is not solved yet`);
        break;
      default:
        equipment satisfies never;
    }
  }
  return {
    model,
    nodes: model.connectivityNodes.map((node) => node.mRID),
    nodeIndex,
    nominalVoltage,
    switches,
    branches: [...lines, ...transformers],
    consumers,
    converters,
    injections,
  };
}
