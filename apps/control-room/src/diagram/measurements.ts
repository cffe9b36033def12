/** Which points speak about which equipment, and in which role a diagram shows them. */
import type { GridModel } from '@enerchain/model';
import type { PointInfo } from '../api/types.ts';
import { isDouble } from '../format/number.ts';
import type { Role } from './drawing.ts';
import type { SwitchState } from './topology.ts';

/** End of the address of a loading that is not now, but after the worst single outage. */
const AFTER_OUTAGE = ' loading after outage';

/** What a diagram writes beside its signs. */
export type ValueMode = 'measured' | 'estimated' | 'residual';

export interface EquipmentPoints {
  readonly equipment: string;
  /** Measured in the field. */
  readonly byRole: Partial<Record<Role, PointInfo>>;
  /** Calculated by the grid-state service. */
  readonly calculated: Partial<Record<Role, PointInfo>>;
  readonly position?: PointInfo;
  readonly all: readonly PointInfo[];
}

const ROLE_OF: Readonly<Record<string, Role>> = {
  ThreePhaseActivePower: 'P',
  ActivePower: 'P',
  ThreePhaseReactivePower: 'Q',
  ReactivePower: 'Q',
  LineCurrent: 'I',
  Current: 'I',
  LineToLineVoltage: 'U',
  Voltage: 'U',
  PhaseVoltage: 'U',
  TapPosition: 'tap',
  StateOfCharge: 'soc',
  Loading: 'loading',
};
/** Source of what is calculated from the measurements of all others. */
export const CALCULATION = 'grid-state';

/** Of several measurements of one role the first is shown; a voltage between phases is the one that limits speak of. */
const PHASE_ORDER: readonly PointInfo['phases'][] = ['ABC', undefined, 'AB', 'BC', 'CA', 'A', 'B', 'C'];
const preference = ({ phases, measurementType }: PointInfo): number =>
  PHASE_ORDER.length * (measurementType === 'PhaseVoltage' ? 1 : 0) +
  (PHASE_ORDER.includes(phases) ? PHASE_ORDER.indexOf(phases) : PHASE_ORDER.length - 1);

/**
 * @returns points by the mRID of their equipment; a measurement also by its terminal, a voltage also by the connectivity
 * node at which it is measured
 */
export function measurementsOf(model: GridModel, points: readonly PointInfo[]): Map<string, EquipmentPoints> {
  const terminals = new Map<string, { equipment: string; node: string }>();
  const nodesOf = new Map<string, string[]>();
  for (const { mRID, terminals: of } of model.equipment) {
    nodesOf.set(
      mRID,
      of.map((terminal) => terminal.connectivityNode),
    );
    for (const terminal of of) terminals.set(terminal.mRID, { equipment: mRID, node: terminal.connectivityNode });
  }
  const busbars = new Set(model.equipment.filter((each) => each.class === 'BusbarSection').map((each) => each.mRID));
  type Draft = { -readonly [K in keyof EquipmentPoints]: EquipmentPoints[K] } & { all: PointInfo[] };
  const found = new Map<string, Draft>();
  const at = (key: string): Draft => {
    const known = found.get(key) ?? { equipment: key, byRole: {}, calculated: {}, all: [] };
    found.set(key, known);
    return known;
  };
  const better = (candidate: PointInfo, known: PointInfo | undefined) =>
    !known || preference(candidate) < preference(known);
  for (const point of points) {
    const terminal = terminals.get(point.terminal ?? '');
    const equipment = point.equipment ?? terminal?.equipment;
    if (!equipment) continue;
    const entry = at(equipment);
    entry.all.push(point);
    const measured = point.kind === 'analog' || point.kind === 'discrete';
    if (!measured) continue;
    if (point.measurementType === 'SwitchPosition') entry.position ??= point;
    const role = point.address.endsWith(AFTER_OUTAGE) ? 'worst' : ROLE_OF[point.measurementType ?? ''];
    if (!role) continue;
    const list = point.source === CALCULATION ? 'calculated' : 'byRole';
    const put = (there: Draft): void => {
      if (better(point, there[list][role])) there[list] = { ...there[list], [role]: point };
    };
    put(entry);
    if (point.terminal) put(at(point.terminal));
    if (role === 'U') {
      const nodes = terminal ? [terminal.node] : busbars.has(equipment) ? (nodesOf.get(equipment) ?? []) : [];
      for (const node of nodes) put(at(node));
    }
  }
  return found;
}

/** The position of a switch from the value of its point; `uncertain` when it is in between, faulty or invalid. */
export function switchState(point: Pick<PointInfo, 'cdc'>, value: unknown, invalid: boolean): SwitchState | undefined {
  if (typeof value !== 'number') return value === null ? 'uncertain' : undefined;
  if (invalid) return 'uncertain';
  if (isDouble(point)) return value === 2 ? 'closed' : value === 1 ? 'open' : 'uncertain';
  return value ? 'closed' : 'open';
}

/** Share of the rating in percent from the powers at hand; undefined when they are not. */
export function loading(ratedS: number, p: number, q: number): number | undefined {
  if (!(ratedS > 0) || Number.isNaN(p)) return undefined;
  return (100 * Math.hypot(p, Number.isNaN(q) ? 0 : q)) / ratedS;
}
