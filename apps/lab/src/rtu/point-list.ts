/**
 * What an RTU has points for. One row says everything about a point: how the device reads or carries it out, how it
 * travels (IEC 60870-5-104), and what an engineer writes about it into the point list of the gateway.
 */
import type { ConductingEquipment, Mrid } from '@enerchain/model';

/** What a monitored point shows. Flags are states of the RTU itself, by name. */
export type Quantity =
  | { readonly of: 'p' | 'q' | 'i'; readonly terminal: Mrid; readonly sign: 1 | -1 }
  | { readonly of: 'voltage' | 'frequency'; readonly node: Mrid }
  | { readonly of: 'position'; readonly switch: Mrid }
  | { readonly of: 'tap'; readonly transformer: Mrid }
  | { readonly of: 'regulated'; readonly transformer: Mrid }
  | { readonly of: 'windingTemperature'; readonly terminal: Mrid; readonly ratedCurrent: number }
  | { readonly of: 'energy'; readonly terminal: Mrid; readonly direction: 'forward' | 'reverse' }
  | { readonly of: 'setPoint' | 'charge'; readonly converter: Mrid }
  | { readonly of: 'flag'; readonly name: string }
  | { readonly of: 'ledgerCounter' };

/** Families of monitored information with their ASDU types without and with CP56Time2a (5-101 § 7.3.1). */
export const FAMILIES = {
  single: { plain: 1, timed: 30, type: 'M_SP_TB_1' },
  double: { plain: 3, timed: 31, type: 'M_DP_TB_1' },
  step: { plain: 5, timed: 32, type: 'M_ST_TB_1' },
  measured: { plain: 13, timed: 36, type: 'M_ME_TF_1' },
  counter: { plain: 15, timed: 37, type: 'M_IT_TB_1' },
} as const;
export type Family = keyof typeof FAMILIES;

/** Columns of the gateway's point list; empty cells are left out. */
export type ListColumns = Readonly<Record<string, string | number | boolean>>;

export interface MonitoredPoint {
  readonly ioa: number;
  /** Unique within the RTU. */
  readonly name: string;
  readonly family: Family;
  readonly quantity: Quantity;
  /** Measured values: how far the value must move before it is reported, in its unit. */
  readonly deadBand?: number;
  /** Sent again every so many seconds: cause 1 (periodic) or 2 (background scan), without time tag. */
  readonly cycle?: { readonly seconds: number; readonly cause: 1 | 2 };
  /** Reported as an event, when it has changed, no more often than every so many seconds. */
  readonly period?: number;
  /** Group of the interrogation, 1 to 16; counters 1 to 4. */
  readonly group: number;
  readonly columns: ListColumns;
}

export type ControlAction =
  | { readonly do: 'switch'; readonly switch: Mrid; readonly class: ConductingEquipment['class'] }
  | { readonly do: 'tap'; readonly transformer: Mrid }
  | { readonly do: 'regulate'; readonly transformer: Mrid }
  | { readonly do: 'setPoint'; readonly converter: Mrid };

export const CONTROL_TYPES = {
  switch: { typeId: 46, timed: 59, type: 'C_DC_NA_1' },
  tap: { typeId: 47, timed: 60, type: 'C_RC_NA_1' },
  regulate: { typeId: 45, timed: 58, type: 'C_SC_NA_1' },
  setPoint: { typeId: 50, timed: 63, type: 'C_SE_NC_1' },
} as const;

export interface ControlPoint {
  readonly ioa: number;
  readonly name: string;
  readonly action: ControlAction;
  readonly mode: 'direct' | 'select-before-operate';
  /** Name of the monitored point that shows the result. */
  readonly feedback: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly columns: ListColumns;
}

export interface PointList {
  readonly monitored: readonly MonitoredPoint[];
  readonly controls: readonly ControlPoint[];
}
