/** The calculation itself: takes values in, and says on demand what the grid looks like. Knows no link and no clock. */
import type { GridModel, Mrid, Point, Quality, Value } from '@enerchain/model';
import { type PowerFlowResult, solvePowerFlow } from '../power-flow.ts';
import { buildNetwork } from '../topology/network.ts';
import { type AlarmCondition, SolutionAlarms } from './alarms.ts';
import { GridInputs, type InputCoverage } from './inputs.ts';
import type { ContingencyBase } from './live-contingencies.ts';
import { type OutageReadings, type Output, OutputFilter, type OutputValue, outputsOf } from './outputs.ts';
import type { WhatIfBase } from './what-if-api.ts';

export interface Solution {
  readonly result: PowerFlowResult;
  readonly solveMillis: number;
  readonly values: readonly OutputValue[];
  readonly alarms: readonly AlarmCondition[];
}

export class LiveGrid {
  readonly model: GridModel;
  readonly outputs: readonly Output[];
  readonly #inputs: GridInputs;
  readonly #filter = new OutputFilter();
  readonly #alarms = new SolutionAlarms();
  #last: PowerFlowResult | undefined;
  #outages: OutageReadings | undefined;

  /** @throws EnerchainError (caller) when the model's references lead nowhere */
  constructor(model: GridModel) {
    this.model = model;
    buildNetwork(model);
    this.outputs = outputsOf(model);
    this.#inputs = new GridInputs(model);
  }

  get last(): PowerFlowResult | undefined {
    return this.#last;
  }

  /** The inputs as they are now, and what they came to last. */
  get base(): WhatIfBase {
    const { state } = this.#inputs;
    return { model: this.model, state, injections: this.#inputs.injections(), last: this.#last };
  }

  /** The inputs and the solution that the outages are tried on. */
  get contingencyBase(): ContingencyBase | undefined {
    if (!this.#last) return undefined;
    const network = buildNetwork(this.model, this.#inputs.state);
    return { network, injections: this.#inputs.injections(), last: this.#last };
  }

  get coverage(): InputCoverage {
    return this.#inputs.coverage();
  }

  setPoints(points: Iterable<Point>): void {
    this.#inputs.setPoints(points);
  }

  take(point: Mrid, value: Value, quality: Quality): boolean {
    return this.#inputs.take(point, value, quality);
  }

  /** What single outages would do, as calculated beside; published with the next solution. */
  setOutages(readings: OutageReadings): void {
    this.#outages = readings;
  }

  /** Solves what is known now. @param at ms of a clock that never steps; @param now the same clock, to measure with */
  solve(at: number, now: () => number): Solution {
    const before = now();
    const network = buildNetwork(this.model, this.#inputs.state);
    const result = solvePowerFlow(network, this.#inputs.injections(), this.#last ? { start: this.#last } : {});
    const solveMillis = now() - before;
    this.#last = result;
    return {
      result,
      solveMillis,
      values: this.#filter.select(this.outputs, result, solveMillis, at, this.#outages),
      alarms: this.#alarms.check(result),
    };
  }

  /** After a new announcement everything is said again. */
  forgetSaid(): void {
    this.#filter.forget();
  }
}
