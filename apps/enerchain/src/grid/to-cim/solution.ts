/** Buses as switched (TP), and the solved state of a grid (SV). */
import type { PowerFlowResult } from '@enerchain/grid-state';
import { type ConductingEquipment, type GridModel, type Mrid, tapChangersOf } from '@enerchain/model';
import type { Places } from './containers.ts';
import { at, partOf, type Target } from './target.ts';

export function writeSolution(target: Target, places: Places, grid: GridModel, result: PowerFlowResult): void {
  const buses = new Map<number, Mrid>();
  for (const { mRID, name } of grid.connectivityNodes) {
    // A node that nothing is connected to is in no bus; where EQ does not have it either, it is a bus itself.
    const alone = !places.isNode(mRID);
    if (!alone && !places.isUsed(mRID)) continue;
    const index = result.busOfNode.get(mRID)!;
    let bus = buses.get(index);
    if (bus === undefined) {
      bus = alone ? mRID : partOf(mRID, 'topological node');
      buses.set(index, bus);
      target.define('TP', 'TopologicalNode', bus, name, {
        'TopologicalNode.BaseVoltage': at(places.base(places.nominal(mRID))),
        'TopologicalNode.ConnectivityNodeContainer': at(places.holder(mRID)),
      });
    }
    if (!alone) target.add('TP', 'ConnectivityNode', mRID, { 'ConnectivityNode.TopologicalNode': at(bus) });
  }
  for (const { terminals } of grid.equipment) {
    for (const { mRID, connectivityNode } of terminals) {
      const bus = buses.get(result.busOfNode.get(connectivityNode)!)!;
      target.add('TP', 'Terminal', mRID, { 'Terminal.TopologicalNode': at(bus) });
    }
  }
  writeState(target, grid, result, buses);
}

function writeState(target: Target, grid: GridModel, result: PowerFlowResult, buses: ReadonlyMap<number, Mrid>): void {
  for (const { index, voltage, angle } of result.buses) {
    const bus = buses.get(index);
    // A star point or an open end is nobody's node.
    if (bus === undefined) continue;
    target.define('SV', 'SvVoltage', partOf(bus, 'SvVoltage'), undefined, {
      'SvVoltage.TopologicalNode': at(bus),
      'SvVoltage.v': voltage ?? 0,
      'SvVoltage.angle': angle ?? 0,
    });
  }
  const moved = new Map<Mrid, number>();
  for (const action of result.actions) if (action.kind !== 'reactiveLimit') moved.set(action.mRID, action.to);
  for (const equipment of grid.equipment) {
    const { class: name, mRID, terminals, inService = true } = equipment;
    target.define('SV', 'SvStatus', partOf(mRID, 'SvStatus'), undefined, {
      'SvStatus.ConductingEquipment': at(mRID),
      'SvStatus.inService': inService,
    });
    const [{ mRID: terminal }] = terminals as [(typeof terminals)[number]];
    const flow = result.flows.get(terminal);
    if (terminals.length === 1 && flow && !PASSIVE.has(name)) {
      target.define('SV', 'SvPowerFlow', partOf(terminal, 'SvPowerFlow'), undefined, {
        'SvPowerFlow.Terminal': at(terminal),
        'SvPowerFlow.p': flow.p,
        'SvPowerFlow.q': flow.q,
      });
    }
    writePositions(target, equipment, moved);
  }
}

/** Nothing flows into them. */
const PASSIVE: ReadonlySet<string> = new Set(['BusbarSection', 'Junction', 'Ground', 'GroundDisconnector']);

/** @param moved where tap changers and sections went */
function writePositions(target: Target, equipment: ConductingEquipment, moved: ReadonlyMap<Mrid, number>): void {
  if (equipment.class === 'PowerTransformer') {
    for (const { mRID, normalStep, step = normalStep } of tapChangersOf(equipment)) {
      target.define('SV', 'SvTapStep', partOf(mRID, 'SvTapStep'), undefined, {
        'SvTapStep.TapChanger': at(mRID),
        'SvTapStep.position': moved.get(mRID) ?? step,
      });
    }
  }
  if (equipment.class === 'LinearShuntCompensator' || equipment.class === 'NonlinearShuntCompensator') {
    const { mRID, normalSections, sections = normalSections } = equipment;
    target.define('SV', 'SvShuntCompensatorSections', partOf(mRID, 'SvShuntCompensatorSections'), undefined, {
      'SvShuntCompensatorSections.ShuntCompensator': at(mRID),
      'SvShuntCompensatorSections.sections': moved.get(mRID) ?? sections,
    });
  }
}
