/** What goes into the estimation of a network and what comes out, in physical units. */
import type { Mrid } from '@enerchain/model';
import type { BadDataOptions, ChiSquaredTest } from '../estimation/bad-data.ts';
import type { Method } from '../estimation/gauss-newton.ts';
import type { PseudoPower } from '../estimation/pseudo-power.ts';
import type { PowerFlowResult } from '../power-flow.ts';
import type { Injections } from '../topology/network-case.ts';

/** A measurement at a terminal. */
export interface TerminalMeasurement {
  /** Who says so. */
  readonly point: Mrid;
  readonly terminal: Mrid;
  readonly kind: 'voltage' | 'angle' | 'p' | 'q' | 'current';
  /** kV, degrees, MW, Mvar or A; powers positive into the equipment. */
  readonly value: number;
  /** Standard deviation, in the same unit. */
  readonly sigma: number;
}

export interface EstimationInputs {
  readonly measurements: readonly TerminalMeasurement[];
  /** By equipment, where nothing is measured: MW and Mvar drawn. */
  readonly pseudo: ReadonlyMap<Mrid, PseudoPower>;
  /** What the power flow would be calculated from: it fills in where the estimation has no answer. */
  readonly injections: Injections;
}

export interface NetworkEstimateOptions extends BadDataOptions {
  /** The estimate of the cycle before, to start from. */
  readonly last?: NetworkEstimate;
}

/**
 * Why a measurement takes no part: at no terminal of the grid, without voltage there, at a switch that is open or behind
 * which several things hang, at equipment out of service, or of a kind that says nothing about the state there.
 */
export type Unused = 'unknownTerminal' | 'notEnergised' | 'atSwitch' | 'outOfService' | 'notModelled';

export interface MeasurementEstimate extends TerminalMeasurement {
  readonly equipment: Mrid | undefined;
  /** In the unit of the value; null where nothing is known. */
  readonly estimated: number | null;
  readonly residual: number | null;
  /** Null for critical measurements and where nothing is known. */
  readonly normalizedResidual: number | null;
  readonly critical: boolean;
  /** Left out because it contradicts the rest. */
  readonly suspect: boolean;
  readonly unused?: Unused;
}

/** Something that contradicts the rest. Powers of one bus cannot be told apart: all of them are named. */
export interface BadData {
  readonly points: readonly Mrid[];
  /** Beliefs of this equipment that turned out wrong. */
  readonly pseudo: readonly Mrid[];
  /** A node at which nothing should be injected, and MW or Mvar that seem to be. */
  readonly zeroInjection?: { readonly node: Mrid; readonly power: 'p' | 'q' };
  readonly normalizedResidual: number;
  /** How far off it seems to be, in the unit of the measurement. */
  readonly error: number;
  /** Points that may be wrong instead. */
  readonly alternatives: readonly Mrid[];
}

export interface IslandEstimate {
  readonly index: number;
  /** Whether its state is the estimate; otherwise the power flow's. */
  readonly estimated: boolean;
  readonly converged: boolean;
  readonly observable: boolean;
  readonly failure?: string;
  /** Points that fit least when it did not converge, worst first. */
  readonly worst: readonly Mrid[];
  readonly method: Method;
  readonly iterations: number;
  readonly measurements: number;
  readonly pseudo: number;
  readonly j: number;
  readonly degreesOfFreedom: number;
  readonly before: ChiSquaredTest;
  readonly after: ChiSquaredTest;
}

export interface BusEstimate {
  /** Into `PowerFlowResult.buses`. */
  readonly index: number;
  /** kV and degrees; null where nothing is known, or the power flow stands in. */
  readonly sigmaVoltage: number | null;
  readonly sigmaAngle: number | null;
}

/** What would have to be measured. */
export interface MissingMeasurement {
  readonly kind: 'voltage' | 'flow' | 'tap';
  /** Where: the node of a voltage, the terminal of a flow (P and Q). */
  readonly node?: Mrid;
  readonly terminal?: Mrid;
  readonly equipment?: Mrid;
}

export interface NetworkEstimate {
  /** All islands: the estimate where there is one, the power flow elsewhere. */
  readonly result: PowerFlowResult;
  /** Every energised island is estimated. */
  readonly estimated: boolean;
  /** Every energised island is observable. */
  readonly observable: boolean;
  readonly islands: readonly IslandEstimate[];
  readonly buses: readonly BusEstimate[];
  readonly measurements: readonly MeasurementEstimate[];
  readonly badData: readonly BadData[];
  /** Nodes whose voltage is not determined. */
  readonly unobservable: readonly Mrid[];
  readonly restore: readonly MissingMeasurement[];
  readonly j: number;
  readonly degreesOfFreedom: number;
  /** What every consumer, machine and converter draws according to the estimate; where there is none, as given. */
  readonly injections: Injections;
  /** Standard deviation of P at each terminal of an estimated branch, MW. */
  readonly sigmaP: ReadonlyMap<Mrid, number>;
}
