/**
 * What the field says, as the state estimation wants it: every analog point at a terminal with the deviation that its kind
 * of instrument has, and for what nobody measures what is believed of it.
 *
 * By quality (IEC 61850-7-3): good counts as it is; questionable, old, inaccurate, oscillatory or substituted by hand count
 * with three times the deviation; invalid, blocked, in test, defaulted or itself estimated do not count. A value older than
 * its point's `staleAfter` counts as old, one ten times older not at all.
 */
import type { ConductingEquipment, GridModel, Mrid, Point, Quality, Value } from '@enerchain/model';
import { QUALITY, validity } from '@enerchain/model';
import { type PseudoPower, pseudoPower } from '../estimation/pseudo-power.ts';
import type { TerminalMeasurement } from '../network-estimation/network-estimate.ts';
import { MULTIPLIERS } from './inputs.ts';

type Kind = TerminalMeasurement['kind'];

interface Role {
  readonly point: Point;
  readonly kind: Kind;
  readonly terminal: Mrid;
  readonly equipment: ConductingEquipment;
  /** To kV, degrees, MW, Mvar or A; the sign brings powers into the equipment. */
  readonly factor: number;
  readonly sigma: number;
  /** Largest magnitude that an instrument in order would show; a voltage also has a smallest. */
  readonly largest: number;
  readonly least: number;
}

interface Reading {
  readonly value: number;
  readonly quality: Quality;
  /** ms of a clock that never steps. */
  readonly at: number;
  readonly invalid: boolean;
}

/** What the estimation is given in one cycle. */
export interface EstimateInput {
  readonly measurements: readonly TerminalMeasurement[];
  readonly pseudo: ReadonlyMap<Mrid, PseudoPower>;
  /** Measurements that no instrument in order would show: left out, and said so. */
  readonly implausible: readonly TerminalMeasurement[];
}

const KINDS: Readonly<Record<string, Kind>> = {
  LineToLineVoltage: 'voltage',
  PhaseVoltage: 'voltage',
  VoltageAngle: 'angle',
  ThreePhaseActivePower: 'p',
  ThreePhaseReactivePower: 'q',
  LineCurrent: 'current',
};
/** Units that the estimation counts in. */
const UNITS: Readonly<Record<Kind, number>> = { voltage: 1e3, angle: 1, p: 1e6, q: 1e6, current: 1 };

/**
 * Standard deviations: an instrument transformer of class 0.5 with its transducer and dead band, as a share of the nominal
 * voltage, the rated power and the rated current; a synchrophasor in degrees.
 */
const ACCURACY = { voltage: 0.003, power: 0.01, current: 0.01, angle: 0.1 } as const;
/** Without a rating: a share of the value, and of the system's 10 MVA. */
const UNRATED = { share: 0.01, least: 0.02 } as const;
const DOUBTFUL = 3;
const DOUBTFUL_FLAGS =
  QUALITY.overflow |
  QUALITY.outOfRange |
  QUALITY.badReference |
  QUALITY.oscillatory |
  QUALITY.oldData |
  QUALITY.inconsistent |
  QUALITY.inaccurate |
  QUALITY.substituted;
const UNUSABLE_FLAGS = QUALITY.failure | QUALITY.test | QUALITY.operatorBlocked | QUALITY.defaulted | QUALITY.estimated;
/** Times `staleAfter` after which a value is nothing any more. */
const FORGOTTEN = 10;
/** Of the nominal voltage; of the rating. */
const VOLTAGE_RANGE = [0.5, 1.5] as const;
const BEYOND_RATING = 10;
const SQRT3 = Math.sqrt(3);

export class EstimateInputs {
  readonly #model: GridModel;
  readonly #roles = new Map<Mrid, Role>();
  readonly #readings = new Map<Mrid, Reading>();
  /** kV by terminal. */
  readonly #nominal: ReadonlyMap<Mrid, number>;
  readonly #equipment: ReadonlyMap<Mrid, ConductingEquipment>;

  constructor(model: GridModel) {
    this.#model = model;
    const levels = new Map(model.voltageLevels.map(({ mRID, nominalVoltage }) => [mRID, nominalVoltage]));
    const nodes = new Map(model.connectivityNodes.map((node) => [node.mRID, levels.get(node.voltageLevel) ?? 1]));
    this.#nominal = new Map(
      model.equipment.flatMap(({ terminals }) => terminals.map((t) => [t.mRID, nodes.get(t.connectivityNode) ?? 1])),
    );
    this.#equipment = new Map(
      model.equipment.flatMap((each) => [
        [each.mRID, each] as const,
        ...each.terminals.map((t) => [t.mRID, each] as const),
      ]),
    );
  }

  /** Points that the estimation can use. */
  get points(): Point[] {
    return Array.from(this.#roles.values(), ({ point }) => point);
  }

  point(mRID: Mrid): Point | undefined {
    return this.#roles.get(mRID)?.point;
  }

  /** Replaces what is known about points; readings taken so far stay. */
  setPoints(points: Iterable<Point>): void {
    this.#roles.clear();
    for (const point of points) {
      const kind = point.kind === 'analog' ? KINDS[point.measurementType ?? ''] : undefined;
      const equipment = this.#equipment.get(point.terminal ?? '') ?? this.#equipment.get(point.equipment ?? '');
      if (!kind || !equipment || point.phases === 'N') continue;
      // With two ends the equipment alone does not say which one is meant.
      const only = equipment.terminals.length === 1 ? equipment.terminals[0]!.mRID : undefined;
      const terminal = point.terminal && this.#equipment.has(point.terminal) ? point.terminal : only;
      if (terminal === undefined) continue;
      const sign = point.positiveFlowIn === false && (kind === 'p' || kind === 'q') ? -1 : 1;
      const phase = point.measurementType === 'PhaseVoltage' ? SQRT3 : 1;
      const factor = (sign * phase * MULTIPLIERS[point.unitMultiplier ?? 'none']) / UNITS[kind];
      this.#roles.set(point.mRID, {
        point,
        kind,
        terminal,
        equipment,
        factor,
        ...this.#instrument(kind, terminal, equipment),
      });
    }
    for (const mRID of this.#readings.keys()) if (!this.#roles.has(mRID)) this.#readings.delete(mRID);
  }

  #instrument(kind: Kind, terminal: Mrid, equipment: ConductingEquipment): Pick<Role, 'sigma' | 'largest' | 'least'> {
    const kV = this.#nominal.get(terminal)!;
    if (kind === 'voltage') {
      return { sigma: ACCURACY.voltage * kV, least: VOLTAGE_RANGE[0] * kV, largest: VOLTAGE_RANGE[1] * kV };
    }
    if (kind === 'angle') return { sigma: ACCURACY.angle, least: 0, largest: Number.POSITIVE_INFINITY };
    const rating = ratingOf(
      equipment,
      equipment.terminals.findIndex(({ mRID }) => mRID === terminal),
      kV,
    );
    if (rating === undefined) return { sigma: 0, least: 0, largest: Number.POSITIVE_INFINITY };
    const full = kind === 'current' ? (rating * 1000) / (SQRT3 * kV) : rating;
    const share = kind === 'current' ? ACCURACY.current : ACCURACY.power;
    return { sigma: share * full, least: 0, largest: BEYOND_RATING * full };
  }

  /** Takes one value in. @param at ms of a clock that never steps; without it the value does not age */
  take(point: Mrid, value: Value, quality: Quality, at = Number.POSITIVE_INFINITY): void {
    if (!this.#roles.has(point)) return;
    const before = this.#readings.get(point);
    const invalid = typeof value !== 'number' || !Number.isFinite(value) || validity(quality) === 'invalid';
    if (!invalid) this.#readings.set(point, { value, quality, at, invalid });
    else if (before) this.#readings.set(point, { ...before, invalid });
  }

  /** Takes in a value from before a restart: no news where something is known. */
  restore(point: Mrid, value: number, quality: Quality, at: number): void {
    if (!this.#readings.has(point)) this.take(point, value, quality, at);
  }

  /** @param at ms of the same clock; @param wall seconds since the Unix epoch, for what is usual at this hour */
  at(at: number, wall?: number): EstimateInput {
    const measurements: TerminalMeasurement[] = [];
    const implausible: TerminalMeasurement[] = [];
    const lost = new Map<Mrid, { p?: number; q?: number; age: number }>();
    for (const [mRID, reading] of this.#readings) {
      const role = this.#roles.get(mRID)!;
      const { kind, terminal, equipment, factor, least, largest } = role;
      const value = reading.value * factor;
      const age = Math.max(0, (at - reading.at) / 1000);
      const trust = trustOf(reading, age, role.point.staleAfter);
      if (trust === 0) {
        if (kind !== 'p' && kind !== 'q') continue;
        const known = lost.get(equipment.mRID) ?? { age };
        lost.set(equipment.mRID, { ...known, [kind]: value, age: Math.max(known.age, age) });
        continue;
      }
      const sigma = role.sigma > 0 ? role.sigma : UNRATED.share * Math.abs(value) + UNRATED.least;
      const measurement = { point: mRID, terminal, kind, value, sigma: sigma * trust };
      const size = Math.abs(value);
      (size > largest || size < least ? implausible : measurements).push(measurement);
    }
    const pseudo = new Map<Mrid, PseudoPower>();
    for (const equipment of this.#model.equipment) {
      const belief = beliefOf(equipment, wall, lost.get(equipment.mRID));
      if (belief) pseudo.set(equipment.mRID, belief);
    }
    return { measurements, pseudo, implausible };
  }
}

/** By how much the deviation grows; 0: not at all to be used. */
function trustOf({ quality, invalid }: Reading, age: number, staleAfter: number | undefined): number {
  if (invalid || (quality & UNUSABLE_FLAGS) !== 0) return 0;
  if (staleAfter !== undefined && age > FORGOTTEN * staleAfter) return 0;
  const doubtful =
    validity(quality) !== 'good' || (quality & DOUBTFUL_FLAGS) !== 0 || (staleAfter !== undefined && age > staleAfter);
  return doubtful ? DOUBTFUL : 1;
}

/** MVA; undefined where nobody says. */
function ratingOf(equipment: ConductingEquipment, end: number, kV: number): number | undefined {
  const ofCurrent = (amperes: number | undefined): number | undefined =>
    amperes ? (SQRT3 * kV * amperes) / 1000 : undefined;
  switch (equipment.class) {
    case 'PowerTransformer':
      return equipment.ends[end]?.ratedS || undefined;
    case 'EnergyConsumer':
      return Math.hypot(equipment.p, equipment.q) || undefined;
    case 'ACLineSegment':
      return ofCurrent(equipment.ratedCurrent);
    default:
      return ('ratedS' in equipment && equipment.ratedS) || undefined;
  }
}

/** Share of the rating, or of the power given, by which a machine without measurement may be elsewhere. */
const MACHINE_SIGMA = 0.3;

function beliefOf(
  equipment: ConductingEquipment,
  wall: number | undefined,
  last: { p?: number; q?: number; age: number } | undefined,
): PseudoPower | undefined {
  switch (equipment.class) {
    case 'EnergyConsumer':
    case 'PowerElectronicsConnection':
      return pseudoPower(equipment, wall, last);
    case 'SynchronousMachine':
    case 'AsynchronousMachine':
    case 'EquivalentInjection':
    case 'CsConverter': {
      const { p, q } = equipment;
      const rated = 'ratedS' in equipment ? (equipment.ratedS ?? 0) : 0;
      const sigma = MACHINE_SIGMA * Math.max(Math.hypot(p, q), rated, 1e-3);
      return { p, q, sigmaP: sigma, sigmaQ: sigma, origin: 'nominal' };
    }
    default:
      // What holds a voltage takes what is left over: nothing is believed of it.
      return undefined;
  }
}
