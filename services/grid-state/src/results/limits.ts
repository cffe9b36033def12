/** How much equipment may carry and how high a voltage may be, and where that is exceeded (IEC 61970-301, OperationalLimits). */
import type { GridModel, Mrid } from '@enerchain/model';
import type { BranchEquipment } from '../topology/compiled-grid.ts';

/** What flows from the bus into a terminal. */
export interface Flow {
  /** MW, load sign convention. */
  readonly p: number;
  /** Mvar. */
  readonly q: number;
  /** A. */
  readonly i: number;
}

export interface LimitViolation {
  /** Equipment, or where only a voltage is concerned the node. */
  readonly equipment: Mrid;
  readonly name: string;
  readonly terminal?: Mrid;
  readonly kind: 'overload' | 'voltageHigh' | 'voltageLow';
  /** Name of the limit in the model. */
  readonly limit: string;
  /** CIM's OperationalLimitType.kind: patl for good, tatl for `acceptableDuration` … */
  readonly type: string;
  readonly quantity: 'current' | 'apparentPower' | 'activePower' | 'voltage';
  /** A, MVA, MW or kV. */
  readonly value: number;
  readonly bound: number;
  /** s; absent: for good. */
  readonly acceptableDuration?: number;
  /** %. */
  readonly loading: number;
}

const QUANTITIES = {
  CurrentLimit: 'current',
  ApparentPowerLimit: 'apparentPower',
  ActivePowerLimit: 'activePower',
  VoltageLimit: 'voltage',
} as const;

interface Bound {
  readonly equipment: Mrid;
  readonly name: string;
  readonly terminals: readonly Mrid[];
  readonly limit: string;
  readonly type: string;
  readonly quantity: (typeof QUANTITIES)[keyof typeof QUANTITIES];
  readonly direction: 'high' | 'low';
  readonly bound: number;
  readonly acceptableDuration?: number;
}

const known = new WeakMap<GridModel, readonly Bound[]>();

/** The limits of a model by terminal; made once. */
function boundsOf(model: GridModel): readonly Bound[] {
  let bounds = known.get(model);
  if (bounds) return bounds;
  const byMrid = new Map(model.equipment.map((equipment) => [equipment.mRID, equipment]));
  const byTerminal = new Map(
    model.equipment.flatMap((equipment) => equipment.terminals.map((t) => [t.mRID, equipment])),
  );
  bounds = (model.operationalLimitSets ?? []).flatMap((set): Bound[] => {
    const equipment = byTerminal.get(set.terminal ?? '') ?? byMrid.get(set.equipment ?? '');
    if (!equipment) return [];
    const terminals = set.terminal ? [set.terminal] : equipment.terminals.map(({ mRID }) => mRID);
    return set.limits.map(({ class: kind, name, kind: type, direction, value, acceptableDuration }) => ({
      equipment: equipment.mRID,
      name: equipment.name,
      terminals,
      limit: name,
      type,
      quantity: QUANTITIES[kind],
      direction: direction === 'low' ? 'low' : 'high',
      bound: value,
      ...(acceptableDuration === undefined ? {} : { acceptableDuration }),
    }));
  });
  known.set(model, bounds);
  return bounds;
}

const measure = (quantity: Bound['quantity'], flow: Flow | undefined, voltage: number | null): number | undefined => {
  if (quantity === 'voltage') return voltage ?? undefined;
  if (!flow) return undefined;
  if (quantity === 'current') return flow.i;
  return quantity === 'apparentPower' ? Math.hypot(flow.p, flow.q) : Math.abs(flow.p);
};

/** @param voltageAt kV at a terminal; null without voltage or solution */
export function violationsOf(
  model: GridModel,
  flows: ReadonlyMap<Mrid, Flow>,
  voltageAt: (terminal: Mrid) => number | null,
): LimitViolation[] {
  return boundsOf(model).flatMap(({ terminals, direction, bound, ...limit }): LimitViolation[] =>
    terminals.flatMap((terminal) => {
      const value = measure(limit.quantity, flows.get(terminal), voltageAt(terminal));
      if (value === undefined || !(bound > 0) || (direction === 'low' ? value >= bound : value <= bound)) return [];
      const kind = limit.quantity !== 'voltage' ? 'overload' : direction === 'low' ? 'voltageLow' : 'voltageHigh';
      return [{ ...limit, terminal, kind, value, bound, loading: (100 * value) / bound }];
    }),
  );
}

const patls = new WeakMap<GridModel, ReadonlyMap<Mrid, readonly Bound[]>>();

/** What may be carried for good, by terminal. */
function permanentBounds(model: GridModel): ReadonlyMap<Mrid, readonly Bound[]> {
  let byTerminal = patls.get(model);
  if (byTerminal) return byTerminal;
  const found = new Map<Mrid, Bound[]>();
  for (const bound of boundsOf(model)) {
    if (bound.type !== 'patl' || bound.quantity === 'voltage' || !(bound.bound > 0)) continue;
    for (const terminal of bound.terminals) found.set(terminal, [...(found.get(terminal) ?? []), bound]);
  }
  byTerminal = found;
  patls.set(model, byTerminal);
  return byTerminal;
}

/** Percent of what a line or transformer may carry for good; null where nobody says how much that is. */
export function loadingOf(model: GridModel, equipment: BranchEquipment, flows: readonly Flow[]): number | null {
  const loadings: number[] = [];
  flows.forEach((flow, end) => {
    for (const { quantity, bound } of permanentBounds(model).get(equipment.terminals[end]!.mRID) ?? []) {
      loadings.push((100 * measure(quantity, flow, null)!) / bound);
    }
    if (equipment.class === 'PowerTransformer') {
      const { ratedU, ratedS } = equipment.ends[end]!;
      if (ratedS > 0) loadings.push((100 * flow.i * Math.sqrt(3) * ratedU) / 1000 / ratedS);
    } else if (equipment.ratedCurrent) loadings.push((100 * flow.i) / equipment.ratedCurrent);
  });
  return loadings.length > 0 ? Math.max(...loadings) : null;
}

/** A that one end of a line or transformer may carry for good; 0 where nobody says. @param kV that powers are converted with */
export function currentLimit(model: GridModel, equipment: BranchEquipment, end: number, kV: number): number {
  const limits = (permanentBounds(model).get(equipment.terminals[end]!.mRID) ?? []).map(({ quantity, bound }) =>
    quantity === 'current' ? bound : (bound * 1000) / (Math.sqrt(3) * kV),
  );
  if (equipment.class === 'PowerTransformer') {
    const { ratedU, ratedS } = equipment.ends[end]!;
    if (ratedS > 0) limits.push((ratedS * 1000) / (Math.sqrt(3) * ratedU));
  } else if (equipment.ratedCurrent) limits.push(equipment.ratedCurrent);
  return limits.length > 0 ? Math.min(...limits) : 0;
}

/** kV between which the voltage at a terminal has to be, where the model says so. */
export function voltageBands(model: GridModel): ReadonlyMap<Mrid, { readonly low?: number; readonly high?: number }> {
  const bands = new Map<Mrid, { low?: number; high?: number }>();
  for (const { quantity, direction, bound, terminals, acceptableDuration } of boundsOf(model)) {
    if (quantity !== 'voltage' || !(bound > 0) || acceptableDuration !== undefined) continue;
    for (const terminal of terminals) {
      const band = bands.get(terminal) ?? {};
      if (direction === 'low') band.low = Math.max(bound, band.low ?? 0);
      else band.high = Math.min(bound, band.high ?? Number.POSITIVE_INFINITY);
      bands.set(terminal, band);
    }
  }
  return bands;
}
