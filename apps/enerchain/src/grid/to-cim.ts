/**
 * A grid model of the platform as CGMES 3.0: equipment (EQ) and hypothesis (SSH), buses and state (TP, SV) where there is a
 * solution, the diagram (DL) where there is one. The other way round than `from-cim.ts`: what is read back is the same grid.
 * What CIM wants and the grid model does not have (regions, base voltages, tables, limit types) gets identities that follow
 * from those it belongs to, so two exports of one version are the same but for the identifiers of the files.
 */
import type { CimModel } from '@enerchain/cim';
import type { PowerFlowResult } from '@enerchain/grid-state';
import type { GridModel } from '@enerchain/model';
import { Places } from './to-cim/containers.ts';
import { withInfeedControls, writeControls } from './to-cim/controls.ts';
import { writeDiagram } from './to-cim/diagram.ts';
import { writeEquipment } from './to-cim/equipment.ts';
import { writeLimits } from './to-cim/limits.ts';
import { writeSolution } from './to-cim/solution.ts';
import { Target } from './to-cim/target.ts';

export interface CimExportOptions {
  /** Modelling authority. */
  readonly authority: string;
  /** ISO 8601. */
  readonly created: string;
  readonly scenarioTime: string;
  /** A new UUID for each file. */
  readonly id: () => string;
  /** The power flow of this grid: then TP and SV are written too. */
  readonly solution?: PowerFlowResult;
}

/** @param grid a valid one: its references lead somewhere */
export function gridToCim(grid: GridModel, { authority, solution, id, ...times }: CimExportOptions): CimModel {
  const target = new Target();
  const places = new Places(target, grid);
  const whole = withInfeedControls(solution ? withInfeeds(grid, solution) : grid, places);
  writeEquipment(target, places, whole);
  writeControls(target, whole.regulatingControls ?? []);
  writeLimits(target, whole);
  if (solution) writeSolution(target, places, whole, solution);
  writeDiagram(target, whole);
  const description = `${grid.name}, version ${grid.version}`;
  const header = { ...times, description, version: String(grid.version), modelingAuthoritySet: authority };
  return target.build('grid', header, id).build();
}

/** Infeeds take what is left over; in a hypothesis that is what they had in the solution. */
function withInfeeds(grid: GridModel, { flows }: PowerFlowResult): GridModel {
  const equipment = grid.equipment.map((each): GridModel['equipment'][number] => {
    if (each.class !== 'ExternalNetworkInjection' || each.p !== undefined) return each;
    const flow = flows.get(each.terminals[0]!.mRID);
    const { referencePriority = 1 } = each;
    return flow ? { ...each, p: flow.p, q: flow.q, referencePriority } : each;
  });
  return { ...grid, equipment };
}
