/**
 * What is believed of consumers and plants that nobody measures, and how much: the last value known, fading into what such
 * equipment usually does at that hour. The deviations are honest: wide enough to hold what really happens, so that a
 * pseudo-measurement makes an unmeasured part observable without outvoting a real measurement.
 */
import type { ConductingEquipment } from '@enerchain/model';

/** A belief about one piece of equipment: MW and Mvar drawn, with standard deviations. */
export interface PseudoPower {
  readonly p: number;
  readonly q: number;
  readonly sigmaP: number;
  readonly sigmaQ: number;
  readonly origin: 'lastKnown' | 'profile' | 'nominal';
}

/** The last good measurement of an equipment that is measured no more. */
export interface LastKnown {
  readonly p?: number;
  readonly q?: number;
  /** Seconds since. */
  readonly age: number;
}

/**
 * Typical share of the nominal power at each full hour of a working day, mean over the seasons: households with a morning
 * and an evening peak, trade and industry with the working day.
 */
const SHAPES = {
  residential: [
    0.4, 0.36, 0.34, 0.33, 0.34, 0.39, 0.51, 0.61, 0.64, 0.63, 0.63, 0.66, 0.69, 0.66, 0.61, 0.6, 0.64, 0.75, 0.87,
    0.93, 0.91, 0.82, 0.67, 0.52,
  ],
  commercialIndustrial: [
    0.33, 0.31, 0.31, 0.32, 0.35, 0.43, 0.58, 0.75, 0.88, 0.94, 0.95, 0.94, 0.89, 0.92, 0.93, 0.88, 0.79, 0.66, 0.55,
    0.48, 0.43, 0.4, 0.37, 0.35,
  ],
} as const;
const MEAN_SHARE = 0.6;
/** Standard deviation of a load from its profile, and without one from its nominal power; shares of the nominal power. */
const PROFILE_SIGMA = 0.25;
const NOMINAL_SIGMA = 0.35;
/** A value just lost is as good as this share of the nominal power, and no better than the profile after some hours. */
const FRESH_SIGMA = 0.03;
const FADING = 2 * 3600;
const HOUR = 3600;
/** Weekends: what trade and industry still take of a working day. */
const WEEKEND_SHARE = 0.5;

/** Equipment that draws or brings in power and may be believed something about. */
export type Believable = Extract<ConductingEquipment, { class: 'EnergyConsumer' | 'PowerElectronicsConnection' }>;

/**
 * @param at seconds since the Unix epoch, in local solar time; without it the mean of the day
 * @param last what was measured last, where it was
 */
export function pseudoPower(equipment: Believable, at?: number, last?: LastKnown): PseudoPower {
  const usual = equipment.class === 'EnergyConsumer' ? ofConsumer(equipment, at) : ofPlant(equipment, at);
  if (!last || (last.p === undefined && last.q === undefined)) return usual;
  const size =
    equipment.class === 'EnergyConsumer' ? Math.hypot(equipment.p, equipment.q) : Math.max(equipment.ratedS, 1e-6);
  // A random walk that ends in the profile: trust halves and the deviation grows.
  const trust = Math.exp(-last.age / FADING);
  const mixed = (known: number | undefined, belief: number): number =>
    known === undefined ? belief : trust * known + (1 - trust) * belief;
  const spread = (known: number | undefined, sigma: number): number =>
    known === undefined ? sigma : Math.hypot(FRESH_SIGMA * size * trust, sigma * Math.sqrt(1 - trust * trust));
  return {
    p: mixed(last.p, usual.p),
    q: mixed(last.q, usual.q),
    sigmaP: spread(last.p, usual.sigmaP),
    sigmaQ: spread(last.q, usual.sigmaQ),
    origin: 'lastKnown',
  };
}

function ofConsumer(
  { p, q, customerKind }: Extract<Believable, { class: 'EnergyConsumer' }>,
  at: number | undefined,
): PseudoPower {
  const size = Math.max(Math.hypot(p, q), 1e-4);
  if (customerKind === undefined || at === undefined) {
    const share = at === undefined && customerKind !== undefined ? MEAN_SHARE : 1;
    const sigma = (share === 1 ? NOMINAL_SIGMA : PROFILE_SIGMA) * size;
    return { p: share * p, q: share * q, sigmaP: sigma, sigmaQ: sigma, origin: share === 1 ? 'nominal' : 'profile' };
  }
  const shape = SHAPES[customerKind];
  const hours = (at / HOUR) % 24;
  const hour = Math.floor(hours);
  const day = new Date(at * 1000).getUTCDay();
  const weekend = day === 0 || day === 6;
  const factor = weekend && customerKind === 'commercialIndustrial' ? WEEKEND_SHARE : 1;
  const share = factor * (shape[hour]! + (shape[(hour + 1) % 24]! - shape[hour]!) * (hours - hour));
  const sigma = PROFILE_SIGMA * size;
  return { p: share * p, q: share * q, sigmaP: sigma, sigmaQ: sigma, origin: 'profile' };
}

/** Plants: the sun by the hour, the wind and batteries hardly at all. Reactive power is kept near zero by most. */
function ofPlant(
  { unit, maxP, minP, ratedS }: Extract<Believable, { class: 'PowerElectronicsConnection' }>,
  at: number | undefined,
): PseudoPower {
  const sigmaQ = 0.2 * ratedS;
  const range = maxP - minP;
  switch (unit) {
    case 'PhotoVoltaicUnit': {
      const hours = at === undefined ? 12 : (at / HOUR) % 24;
      const sun = Math.max(0, Math.cos(((hours - 12) / 8) * (Math.PI / 2)));
      // Clouds, season and snow take anything between nothing and nearly all.
      return { p: -0.45 * sun * maxP, q: 0, sigmaP: (0.3 * sun + 0.02) * maxP, sigmaQ, origin: 'profile' };
    }
    case 'PowerElectronicsWindUnit':
      return { p: -0.3 * maxP, q: 0, sigmaP: 0.35 * maxP, sigmaQ, origin: 'profile' };
    case 'BatteryUnit':
      return { p: 0, q: 0, sigmaP: 0.3 * range, sigmaQ, origin: 'profile' };
    default:
      return { p: 0, q: 0, sigmaP: 0.4 * Math.max(range, ratedS), sigmaQ, origin: 'nominal' };
  }
}
