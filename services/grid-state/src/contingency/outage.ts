/** What may be lost, in terms of the kernel's tables, and what must not be exceeded afterwards. */
import type { PowerFlowCase } from '../powerflow/case.ts';
import type { ReactiveLimits } from './reactive-limits.ts';

/** What is lost by itself: lines and transformers, what brings in power, busbars or buses. */
export const OUTAGE_KINDS = ['branch', 'generator', 'bus'] as const;
export type OutageKind = (typeof OUTAGE_KINDS)[number];

/** Power that is no longer brought in (positive) or drawn (negative) at a bus, per unit. */
export interface LostInjection {
  readonly bus: number;
  readonly p: number;
  readonly q: number;
  /** With it nothing is left that holds the voltage of the bus. */
  readonly releases?: boolean;
  /** By how much less and more reactive power it could have brought in, pu: others at the bus cannot do it for it. */
  readonly reserve?: { readonly down: number; readonly up: number };
}

/** Everything that is lost by one event. */
export interface Outage {
  /** Rows of the branch table. */
  readonly branches?: readonly number[];
  /** Buses with all that is connected to them. */
  readonly buses?: readonly number[];
  readonly injections?: readonly LostInjection[];
}

/** What may be carried and which voltages are allowed. */
export interface OperatingLimits {
  /** Per branch and end, per unit: what it may carry for good. 0 or infinite: no limit. */
  readonly from: Float64Array;
  readonly to: Float64Array;
  /** Per branch: 1 where the limits are of the current, 0 where of the apparent power. */
  readonly ofCurrent: Uint8Array;
  /** Per bus, per unit. */
  readonly vMin: Float64Array;
  readonly vMax: Float64Array;
}

/** One energised, connected grid with a solution, and what outages are judged by. */
export interface ContingencyInput {
  readonly case: PowerFlowCase;
  readonly limits: OperatingLimits;
  /** Active power that consumers draw per bus, per unit; what is lost with a bus. Without it: what the bus draws on balance. */
  readonly load?: Float64Array;
  /**
   * Per bus, any unit: the share of lost generation or load that the machines there take over. Without it the references
   * take it all.
   */
  readonly participation?: Float64Array;
  /** Beyond these a bus gives up its voltage after an outage and is held at the limit, as long as it needs to be. */
  readonly reactive?: ReactiveLimits;
}

/** Tables without limits, to be filled. */
export function noLimits(buses: number, branches: number): OperatingLimits {
  return {
    from: new Float64Array(branches),
    to: new Float64Array(branches),
    ofCurrent: new Uint8Array(branches),
    vMin: new Float64Array(buses),
    vMax: new Float64Array(buses).fill(Number.POSITIVE_INFINITY),
  };
}
