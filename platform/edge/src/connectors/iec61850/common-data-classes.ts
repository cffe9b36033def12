/**
 * Common data classes (IEC 61850-7-3, edition 2.1) and where their values are: what a data object becomes as points, and
 * whether it can be operated. Classes that only describe (DPL, LPL, CSD), that track services, and curves (CURVE, CSG, HST)
 * have no value of their own.
 */
import type { PointKind } from '@enerchain/model';

type Monitored = Exclude<PointKind, 'command' | 'setpoint'>;

export interface Carrier {
  /** Attributes that hold the value, by the names down to them; the first one there counts. */
  readonly values: readonly string[];
  readonly kind: Monitored;
  /** Further values, each a point of its own: phases of a protection, what a counter was frozen at. */
  readonly further?: readonly { readonly value: string; readonly kind: Monitored }[];
  /** A setting: read only, and seldom. */
  readonly setting?: true;
}

const discrete = (...values: string[]): Carrier => ({ values, kind: 'discrete' });
const analog = (...values: string[]): Carrier => ({ values, kind: 'analog' });
const setting = (kind: Monitored, ...values: string[]): Carrier => ({ values, kind, setting: true });
const all = (kind: Monitored, ...names: string[]) => names.map((value) => ({ value, kind }));

const PHASES = ['phsA', 'phsB', 'phsC', 'neut'] as const;
const DIRECTIONS = ['dirGeneral', 'dirPhsA', 'dirPhsB', 'dirPhsC', 'dirNeut'] as const;

/** Those that are not here hold no value, or hold objects that do (WYE, DEL, SEQ). */
export const CARRIERS: Readonly<Record<string, Carrier>> = {
  // Status information (§ 7.3).
  SPS: discrete('stVal'),
  DPS: discrete('stVal'),
  INS: discrete('stVal'),
  ENS: discrete('stVal'),
  ACT: { ...discrete('general'), further: all('discrete', ...PHASES) },
  ACD: { ...discrete('general'), further: all('discrete', ...PHASES, ...DIRECTIONS) },
  SEC: { values: ['cnt'], kind: 'accumulator', further: all('discrete', 'sev') },
  BCR: { values: ['actVal'], kind: 'accumulator', further: all('accumulator', 'frVal') },
  VSS: { values: ['stVal'], kind: 'string' },
  // Measurands (§ 7.4). `i` stands where there is no `f`.
  MV: analog('mag.f', 'mag.i', 'instMag.f', 'instMag.i'),
  CMV: analog('cVal.mag.f', 'cVal.mag.i', 'instCVal.mag.f', 'instCVal.mag.i'),
  SAV: analog('instMag.f', 'instMag.i'),
  // Controls (§ 7.5): what they show of the process.
  SPC: discrete('stVal'),
  DPC: discrete('stVal'),
  INC: discrete('stVal'),
  ENC: discrete('stVal'),
  BSC: { ...discrete('valWTr.posVal'), further: all('discrete', 'valWTr.transInd') },
  ISC: { ...discrete('valWTr.posVal'), further: all('discrete', 'valWTr.transInd') },
  APC: analog('mxVal.f', 'mxVal.i'),
  BAC: analog('mxVal.f', 'mxVal.i'),
  // Settings (§ 7.6, 7.7).
  SPG: setting('discrete', 'setVal'),
  ING: setting('discrete', 'setVal'),
  ENG: setting('discrete', 'setVal'),
  ORG: setting('string', 'setSrcRef'),
  TSG: setting('string', 'setTm'),
  CUG: setting('string', 'cur'),
  VSG: setting('string', 'setVal'),
  ASG: setting('analog', 'setMag.f', 'setMag.i'),
};

/** Angles of phasors, for those who want them. */
export const ANGLES: Readonly<Record<string, string>> = { CMV: 'cVal.ang.f' };

/** Arrays of magnitudes or phasors (HMV, HWYE, HDEL § 7.4), by what an element holds. */
export const HARMONICS: ReadonlySet<string> = new Set(['HMV', 'HWYE', 'HDEL']);
export const HARMONIC_VALUES = ['mag.f', 'cVal.mag.f', 'mag.i', 'cVal.mag.i'] as const;
/** Elements of one array that become points. */
export const MAX_HARMONICS = 64;

/** What is the value of an object, not one of its further ones. */
const PRIMARY: ReadonlySet<string> = new Set(Object.values(CARRIERS).flatMap(({ values }) => values));
export const isPrimary = (attribute: string): boolean => PRIMARY.has(attribute);

/** Controls by class; a set-point where the value is a quantity. */
export const CONTROLS: Readonly<Record<string, 'command' | 'setpoint'>> = {
  SPC: 'command',
  DPC: 'command',
  INC: 'command',
  ENC: 'command',
  BSC: 'command',
  ISC: 'command',
  APC: 'setpoint',
  BAC: 'setpoint',
};

interface Meaning {
  readonly measurementType: string;
  readonly unit?: string;
}

/** What is measured, by logical node class and data object (IEC 61850-7-4), in CIM's words (IEC 61970-301 Meas). */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  'MMXU.TotW': { measurementType: 'ThreePhaseActivePower', unit: 'W' },
  'MMXU.TotVAr': { measurementType: 'ThreePhaseReactivePower', unit: 'VAr' },
  'MMXU.TotVA': { measurementType: 'ThreePhasePower', unit: 'VA' },
  'MMXU.TotPF': { measurementType: 'PowerFactor' },
  'MMXU.Hz': { measurementType: 'Frequency', unit: 'Hz' },
  'MMXU.PhV': { measurementType: 'PhaseVoltage', unit: 'V' },
  'MMXU.PNV': { measurementType: 'PhaseVoltage', unit: 'V' },
  'MMXU.PPV': { measurementType: 'LineToLineVoltage', unit: 'V' },
  'MMXU.A': { measurementType: 'LineCurrent', unit: 'A' },
  'MMXU.W': { measurementType: 'ActivePower', unit: 'W' },
  'MMXU.VAr': { measurementType: 'ReactivePower', unit: 'VAr' },
  'MMXU.VA': { measurementType: 'ApparentPower', unit: 'VA' },
  'MMXN.Watt': { measurementType: 'ActivePower', unit: 'W' },
  'MMXN.VolAmpr': { measurementType: 'ReactivePower', unit: 'VAr' },
  'MMXN.VolAmp': { measurementType: 'ApparentPower', unit: 'VA' },
  'MMXN.PwrFact': { measurementType: 'PowerFactor' },
  'MMXN.Hz': { measurementType: 'Frequency', unit: 'Hz' },
  'MMXN.Vol': { measurementType: 'Voltage', unit: 'V' },
  'MMXN.Amp': { measurementType: 'LineCurrent', unit: 'A' },
  'MMTR.TotWh': { measurementType: 'ActiveEnergy', unit: 'Wh' },
  'MMTR.TotVArh': { measurementType: 'ReactiveEnergy', unit: 'VArh' },
  'MMTR.TotVAh': { measurementType: 'ApparentEnergy', unit: 'VAh' },
  'MMTR.SupWh': { measurementType: 'ActiveEnergy', unit: 'Wh' },
  'MMTR.DmdWh': { measurementType: 'ActiveEnergy', unit: 'Wh' },
  'MMTR.SupVArh': { measurementType: 'ReactiveEnergy', unit: 'VArh' },
  'MMTR.DmdVArh': { measurementType: 'ReactiveEnergy', unit: 'VArh' },
  'XCBR.Pos': { measurementType: 'SwitchPosition' },
  'XSWI.Pos': { measurementType: 'SwitchPosition' },
  'CSWI.Pos': { measurementType: 'SwitchPosition' },
  'ATCC.TapChg': { measurementType: 'TapPosition' },
  'ATCC.TapPos': { measurementType: 'TapPosition' },
  'YLTC.TapChg': { measurementType: 'TapPosition' },
  'YLTC.TapPos': { measurementType: 'TapPosition' },
  'ATCC.Auto': { measurementType: 'Automatic' },
};

/** @param object the outermost data object */
export const meaningOf = (lnClass: string, object: string): Meaning | undefined => MEANINGS[`${lnClass}.${object}`];

export const PHASE_OF: Readonly<Record<string, string>> = {
  phsA: 'A',
  phsB: 'B',
  phsC: 'C',
  neut: 'N',
  phsAB: 'AB',
  phsBC: 'BC',
  phsCA: 'CA',
};

/** `units.SIUnit` (§ 8, table of SIUnit) as CIM UnitSymbol, by the word and by the number. */
export const SI_UNITS: Readonly<Record<string, string>> = {
  A: 'A',
  5: 'A',
  Hz: 'Hz',
  33: 'Hz',
  V: 'V',
  29: 'V',
  ohm: 'ohm',
  30: 'ohm',
  W: 'W',
  38: 'W',
  VA: 'VA',
  61: 'VA',
  VAr: 'VAr',
  63: 'VAr',
  VAh: 'VAh',
  71: 'VAh',
  Wh: 'Wh',
  72: 'Wh',
  VArh: 'VArh',
  73: 'VArh',
  '°C': 'degC',
  23: 'degC',
  deg: 'deg',
  9: 'deg',
  Pa: 'Pa',
  39: 'Pa',
  s: 's',
  4: 's',
};

/** `units.multiplier` as CIM UnitMultiplier, by the word and by the exponent. */
export const MULTIPLIERS: Readonly<Record<string, string>> = {
  n: 'n',
  '-9': 'n',
  µ: 'micro',
  μ: 'micro',
  '-6': 'micro',
  m: 'm',
  '-3': 'm',
  k: 'k',
  3: 'k',
  M: 'M',
  6: 'M',
  G: 'G',
  9: 'G',
};
