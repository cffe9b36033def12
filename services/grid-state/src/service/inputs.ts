/**
 * What the field says, as the power flow wants it: switch positions, tap positions, injections, and the voltage held at
 * the source. A value with validity `invalid` changes nothing: the last good one goes on being used and is counted as old.
 */
import {
  DOUBLE_POINT,
  type GridModel,
  type Mrid,
  type Point,
  type Quality,
  type Value,
  validity,
} from '@enerchain/model';
import type { Injections, Power } from '../power-flow.ts';
import { buildNetwork, type SwitchAndTapState } from '../topology/network.ts';

/** What a point is to us; decided once per announcement. */
type Role =
  | { readonly role: 'position' | 'tap'; readonly equipment: Mrid }
  | { readonly role: 'p' | 'q'; readonly equipment: Mrid; readonly factor: number }
  | { readonly role: 'voltage'; readonly node: Mrid; readonly factor: number };

/** CIM UnitMultiplier. */
export const MULTIPLIERS = { n: 1e-9, micro: 1e-6, m: 1e-3, none: 1, k: 1e3, M: 1e6, G: 1e9 } as const;

/** How much of the grid is known by measurement. */
export interface InputCoverage {
  readonly switches: number;
  readonly switchesKnown: number;
  readonly taps: number;
  readonly tapsKnown: number;
  /** Consumers and converters. */
  readonly injections: number;
  readonly injectionsMeasured: number;
  /** Inputs whose last value was invalid, so that an older one is used. */
  readonly old: number;
}

export class GridInputs {
  readonly model: GridModel;
  readonly #roles = new Map<Mrid, Role>();
  readonly #switches = new Map<Mrid, boolean>();
  readonly #taps = new Map<Mrid, number>();
  readonly #p = new Map<Mrid, number>();
  readonly #q = new Map<Mrid, number>();
  /** kV per connectivity node. */
  readonly #voltages = new Map<Mrid, number>();
  readonly #old = new Set<Mrid>();

  constructor(model: GridModel) {
    this.model = model;
  }

  /** Replaces what is known about points; values taken so far stay. */
  setPoints(points: Iterable<Point>): void {
    this.#roles.clear();
    const byMrid = new Map(this.model.equipment.map((equipment) => [equipment.mRID, equipment]));
    const byTerminal = new Map(
      this.model.equipment.flatMap((equipment) => equipment.terminals.map((terminal) => [terminal.mRID, equipment])),
    );
    for (const point of points) {
      const equipment = byMrid.get(point.equipment ?? '') ?? byTerminal.get(point.terminal ?? '');
      if (!equipment) continue;
      // W, VAr and V to MW, Mvar and kV.
      const scale = MULTIPLIERS[point.unitMultiplier ?? 'none'];
      const sign = point.positiveFlowIn === false ? -1 : 1;
      const { measurementType } = point;
      if (point.kind === 'discrete') {
        if ('normalOpen' in equipment && (measurementType === 'SwitchPosition' || point.cdc === 'DPS')) {
          this.#roles.set(point.mRID, { role: 'position', equipment: equipment.mRID });
        } else if (equipment.class === 'PowerTransformer' && measurementType === 'TapPosition') {
          this.#roles.set(point.mRID, { role: 'tap', equipment: equipment.mRID });
        }
      } else if (point.kind === 'analog') {
        const injects = equipment.class === 'EnergyConsumer' || equipment.class === 'PowerElectronicsConnection';
        if (injects && measurementType === 'ThreePhaseActivePower') {
          this.#roles.set(point.mRID, { role: 'p', equipment: equipment.mRID, factor: (sign * scale) / 1e6 });
        } else if (injects && measurementType === 'ThreePhaseReactivePower') {
          this.#roles.set(point.mRID, { role: 'q', equipment: equipment.mRID, factor: (sign * scale) / 1e6 });
        } else if (equipment.class === 'BusbarSection' && measurementType === 'LineToLineVoltage') {
          const node = equipment.terminals[0]!.connectivityNode;
          this.#roles.set(point.mRID, { role: 'voltage', node, factor: scale / 1e3 });
        }
      }
    }
  }

  /** Takes one value in. @returns true when the calculation may come out differently now */
  take(point: Mrid, value: Value, quality: Quality): boolean {
    const role = this.#roles.get(point);
    if (!role) return false;
    if (typeof value !== 'number' || !Number.isFinite(value) || validity(quality) === 'invalid') {
      this.#old.add(point);
      return false;
    }
    this.#old.delete(point);
    switch (role.role) {
      case 'position':
        // On its way or faulty: where it was last is the best guess.
        if (value !== DOUBLE_POINT.off && value !== DOUBLE_POINT.on) return false;
        return put(this.#switches, role.equipment, value === DOUBLE_POINT.on);
      case 'tap':
        return put(this.#taps, role.equipment, Math.round(value));
      case 'p':
        return put(this.#p, role.equipment, value * role.factor);
      case 'q':
        return put(this.#q, role.equipment, value * role.factor);
      case 'voltage':
        return put(this.#voltages, role.node, value * role.factor);
    }
  }

  get state(): SwitchAndTapState {
    return { switches: this.#switches, taps: this.#taps };
  }

  /**
   * Consumers and converters as measured (the others as the model says), and at each source the voltage that is measured
   * at a busbar joined to it.
   */
  injections(): Injections {
    const powers = new Map<Mrid, Power>();
    for (const equipment of this.model.equipment) {
      const [p, q] = [this.#p.get(equipment.mRID), this.#q.get(equipment.mRID)];
      if (p === undefined && q === undefined) continue;
      const nominal = equipment.class === 'EnergyConsumer' ? equipment : { p: 0, q: 0 };
      powers.set(equipment.mRID, { p: p ?? nominal.p, q: q ?? nominal.q });
    }
    const voltages = new Map<Mrid, number>();
    const { topology } = buildNetwork(this.model, this.state);
    const busOf = (node: Mrid): number => topology.busOfNode[topology.grid.nodeIndex.get(node) ?? -1] ?? -1;
    for (const { equipment } of topology.grid.injections) {
      const bus = busOf(equipment.terminals[0]!.connectivityNode);
      for (const [node, voltage] of this.#voltages) {
        // Half the nominal voltage and below is a fault or a broken transducer, not a set-point.
        if (busOf(node) === bus && voltage > equipment.voltage / 2) voltages.set(equipment.mRID, voltage);
      }
    }
    return { powers, voltages };
  }

  coverage(): InputCoverage {
    const { equipment } = this.model;
    const count = (of: (each: (typeof equipment)[number]) => boolean): number => equipment.filter(of).length;
    return {
      switches: count((each) => 'normalOpen' in each),
      switchesKnown: this.#switches.size,
      taps: count((each) => each.class === 'PowerTransformer' && each.ratioTapChanger !== undefined),
      tapsKnown: this.#taps.size,
      injections: count((each) => each.class === 'EnergyConsumer' || each.class === 'PowerElectronicsConnection'),
      injectionsMeasured: this.#p.size,
      old: this.#old.size,
    };
  }
}

function put<T>(map: Map<Mrid, T>, key: Mrid, value: T): boolean {
  if (map.get(key) === value) return false;
  map.set(key, value);
  return true;
}
