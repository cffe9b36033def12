/**
 * The European medium-voltage distribution network benchmark of CIGRE Task Force C6.04.02: "Benchmark Systems for Network
 * Integration of Renewable and Distributed Energy Resources", CIGRE Technical Brochure 575, 2014, chapter 6.
 *
 * Numbers as published there and as reproduced in K. Rudion et al., "Design of Benchmark of Medium Voltage Distribution
 * Network for Investigation of DG Integration", IEEE PES General Meeting 2006. 20 kV, 50 Hz, node 0 is the 110 kV grid. The tables and
 * the solution agree with pandapower 3.5.6 (`create_cigre_network_mv`); the test compares the voltages.
 */
import type { ConductingEquipment } from '@enerchain/model';

export interface LineType {
  /** Ω per km. */
  readonly r: number;
  readonly x: number;
  /** nF per km. */
  readonly c: number;
  /** A. */
  readonly ratedCurrent: number;
}

export const LINE_TYPES = {
  cable: { r: 0.501, x: 0.716, c: 151.1749, ratedCurrent: 145 },
  overhead: { r: 0.51, x: 0.366, c: 10.09679, ratedCurrent: 195 },
} as const satisfies Record<string, LineType>;

/** One row of the benchmark's line table. */
export interface BenchmarkLine {
  readonly from: number;
  readonly to: number;
  /** km. */
  readonly length: number;
  readonly type: keyof typeof LINE_TYPES;
  /** The benchmark's switch in this line (S1, S2, S3: normally open), and the node at which it stands. */
  readonly open?: { readonly name: string; readonly at: number };
}

export const LINES: readonly BenchmarkLine[] = [
  { from: 1, to: 2, length: 2.82, type: 'cable' },
  { from: 2, to: 3, length: 4.42, type: 'cable' },
  { from: 3, to: 4, length: 0.61, type: 'cable' },
  { from: 4, to: 5, length: 0.56, type: 'cable' },
  { from: 5, to: 6, length: 1.54, type: 'cable' },
  { from: 6, to: 7, length: 0.24, type: 'cable', open: { name: 'S2', at: 7 } },
  { from: 7, to: 8, length: 1.67, type: 'cable' },
  { from: 8, to: 9, length: 0.32, type: 'cable' },
  { from: 9, to: 10, length: 0.77, type: 'cable' },
  { from: 10, to: 11, length: 0.33, type: 'cable' },
  { from: 11, to: 4, length: 0.49, type: 'cable', open: { name: 'S3', at: 4 } },
  { from: 3, to: 8, length: 1.3, type: 'cable' },
  { from: 12, to: 13, length: 4.89, type: 'overhead' },
  { from: 13, to: 14, length: 2.99, type: 'overhead' },
  { from: 14, to: 8, length: 2, type: 'overhead', open: { name: 'S1', at: 8 } },
];

/** One row of the load table: apparent power at the peak of the day and power factor (inductive). */
export interface BenchmarkLoad {
  readonly node: number;
  readonly kind: 'residential' | 'commercialIndustrial';
  /** MVA. */
  readonly s: number;
  readonly cosPhi: number;
}

const residential = (node: number, s: number, cosPhi = 0.97): BenchmarkLoad => ({
  node,
  kind: 'residential',
  s,
  cosPhi,
});
const industrial = (node: number, s: number, cosPhi = 0.85): BenchmarkLoad => ({
  node,
  kind: 'commercialIndustrial',
  s,
  cosPhi,
});

export const LOADS: readonly BenchmarkLoad[] = [
  residential(1, 15.3, 0.98),
  residential(3, 0.285),
  residential(4, 0.445),
  residential(5, 0.75),
  residential(6, 0.565),
  residential(8, 0.605),
  residential(10, 0.49),
  residential(11, 0.34),
  residential(12, 15.3, 0.98),
  residential(14, 0.215),
  industrial(1, 5.1, 0.95),
  industrial(3, 0.265),
  industrial(7, 0.09),
  industrial(9, 0.675),
  industrial(10, 0.08),
  industrial(12, 5.28, 0.95),
  industrial(13, 0.04),
  industrial(14, 0.39),
];

/** 110/20 kV, 25 MVA, both alike; impedances referred to the primary side. */
export const TRANSFORMER = {
  ratedHigh: 110,
  ratedLow: 20,
  ratedS: 25,
  /** % short-circuit voltage, and its ohmic part. */
  vk: 12.00107,
  vkr: 0.16,
  vectorGroup: 'Dyn1',
} as const;

/** The 110 kV grid: held voltage per unit and short-circuit power, MVA. */
export const SOURCE = { voltage: 1.03, maxS: 5000 } as const;

export type DerUnit = Exclude<
  Extract<ConductingEquipment, { class: 'PowerElectronicsConnection' }>['unit'],
  'PowerElectronicsUnit'
>;

export interface BenchmarkDer {
  readonly node: number;
  readonly unit: DerUnit;
  /** MW, as published. */
  readonly p: number;
}

/**
 * Distributed generation and storage of the benchmark that is connected by converters. Its fuel cells and CHP units
 * (nodes 5, 9, 10: together 0.57 MW) are left out.
 */
export const DER: readonly BenchmarkDer[] = [
  { node: 3, unit: 'PhotoVoltaicUnit', p: 0.02 },
  { node: 4, unit: 'PhotoVoltaicUnit', p: 0.02 },
  { node: 5, unit: 'PhotoVoltaicUnit', p: 0.03 },
  { node: 6, unit: 'PhotoVoltaicUnit', p: 0.03 },
  { node: 8, unit: 'PhotoVoltaicUnit', p: 0.03 },
  { node: 9, unit: 'PhotoVoltaicUnit', p: 0.03 },
  { node: 10, unit: 'PhotoVoltaicUnit', p: 0.04 },
  { node: 11, unit: 'PhotoVoltaicUnit', p: 0.01 },
  { node: 7, unit: 'PowerElectronicsWindUnit', p: 1.5 },
  { node: 5, unit: 'BatteryUnit', p: 0.6 },
  { node: 10, unit: 'BatteryUnit', p: 0.2 },
];

/**
 * What the lab changes: the benchmark's photovoltaics stand for the penetration of 2006. Multiplied by this they stand
 * for today's, and their curtailment is something an operator can see.
 */
export const PV_GROWTH = 12;

/** Names of the stations, ours; the benchmark has numbers only. */
export const STATION_NAMES: Readonly<Record<number, string>> = {
  2: 'Weinberg',
  3: 'Mühlbach',
  4: 'Lindenhof',
  5: 'Sportpark',
  6: 'Ziegelei',
  7: 'Windfeld',
  8: 'Marktplatz',
  9: 'Gewerbering',
  10: 'Klinikum',
  11: 'Seestraße',
  13: 'Forsthaus',
  14: 'Oberdorf',
};
