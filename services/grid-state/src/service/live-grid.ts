/** The calculation itself: takes values in, and says on demand what the grid looks like. Knows no link and no clock. */
import type { GridModel, Mrid, Point, Quality, Value } from '@enerchain/model';
import { estimateNetwork } from '../network-estimation/estimate-network.ts';
import type { NetworkEstimate, TerminalMeasurement } from '../network-estimation/network-estimate.ts';
import type { Injections, PowerFlowResult } from '../power-flow.ts';
import type { EstimateState } from '../results/estimate-json.ts';
import { buildNetwork, type Network } from '../topology/network.ts';
import { type AlarmCondition, SolutionAlarms } from './alarms.ts';
import { EstimateAlarms } from './estimate-alarms.ts';
import { EstimateInputs } from './estimate-inputs.ts';
import { asOutputs, estimateOutputs, residualOutputs } from './estimate-outputs.ts';
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

/** Share of cycles in which sound measurements may look wrong: once in some hours. */
const FALSE_ALARMS = 1e-4;

export class LiveGrid {
  readonly model: GridModel;
  readonly #solutionOutputs: readonly Output[];
  readonly #inputs: GridInputs;
  readonly #estimateInputs: EstimateInputs;
  readonly #estimateAlarms: EstimateAlarms;
  #outputs: readonly Output[];
  #estimate: NetworkEstimate | undefined;
  #implausible: readonly TerminalMeasurement[] = [];
  readonly #filter = new OutputFilter();
  readonly #alarms = new SolutionAlarms();
  #last: PowerFlowResult | undefined;
  #outages: OutageReadings | undefined;

  /** @throws EnerchainError (caller) when the model's references lead nowhere */
  constructor(model: GridModel) {
    this.model = model;
    buildNetwork(model);
    this.#inputs = new GridInputs(model);
    this.#estimateInputs = new EstimateInputs(model);
    this.#estimateAlarms = new EstimateAlarms(model);
    this.#solutionOutputs = [...outputsOf(model), ...asOutputs(estimateOutputs(), () => this.#estimate)];
    this.#outputs = this.#solutionOutputs;
  }

  /** What is published: of the solution, and a residual for each measurement. */
  get outputs(): readonly Output[] {
    return this.#outputs;
  }

  get estimate(): EstimateState | undefined {
    return this.#estimate && { estimate: this.#estimate, implausible: this.#implausible };
  }

  get last(): PowerFlowResult | undefined {
    return this.#last;
  }

  /** The inputs as they are now, and what they came to last. */
  get base(): WhatIfBase {
    const { state } = this.#inputs;
    return { model: this.model, state, injections: this.#injections, last: this.#last };
  }

  /** What everything draws: as estimated, so that what is tried starts from the state that is shown. */
  get #injections(): Injections {
    return this.#estimate?.injections ?? this.#inputs.injections();
  }

  /** The inputs and the solution that the outages are tried on. */
  get contingencyBase(): ContingencyBase | undefined {
    if (!this.#last) return undefined;
    const network = buildNetwork(this.model, this.#inputs.state);
    return { network, injections: this.#injections, last: this.#last };
  }

  get coverage(): InputCoverage {
    return this.#inputs.coverage();
  }

  setPoints(points: Iterable<Point>): void {
    const list = [...points];
    this.#inputs.setPoints(list);
    this.#estimateInputs.setPoints(list);
    const residuals = asOutputs(residualOutputs(this.#estimateInputs.points), () => this.#estimate);
    this.#outputs = [...this.#solutionOutputs, ...residuals];
  }

  /** @param at ms of the clock of `solve`; without it the value does not age */
  take(point: Mrid, value: Value, quality: Quality, at?: number): boolean {
    this.#estimateInputs.take(point, value, quality, at);
    return this.#inputs.take(point, value, quality);
  }

  /** What single outages would do, as calculated beside; published with the next solution. */
  setOutages(readings: OutageReadings): void {
    this.#outages = readings;
  }

  /** Takes in a value that was kept over a restart, or a change of the points. */
  restore(point: Mrid, value: number, quality: Quality, at: number): void {
    this.#estimateInputs.restore(point, value, quality, at);
    this.#inputs.take(point, value, quality);
  }

  /**
   * Estimates what is known now; the power flow stands in where the measurements do not determine the state.
   * @param at ms of a clock that never steps; @param now the same clock, to measure with
   * @param wall seconds since the Unix epoch, for what is usual at this hour
   */
  solve(at: number, now: () => number, wall?: number): Solution {
    const before = now();
    const network = buildNetwork(this.model, this.#inputs.state);
    const { measurements, pseudo, implausible } = this.#estimateInputs.at(at, wall);
    const inputs = { measurements, pseudo, injections: this.#inputs.injections() };
    const last = this.#estimate ? { last: this.#estimate } : {};
    const estimate = estimateNetwork(network, inputs, { falseAlarms: FALSE_ALARMS, ...last });
    const { result } = estimate;
    const solveMillis = now() - before;
    this.#estimate = estimate;
    this.#implausible = implausible.filter((each) => !isOfDeadBus(each, network, result));
    this.#last = result;
    return {
      result,
      solveMillis,
      values: this.#filter.select(this.outputs, result, solveMillis, at, this.#outages),
      alarms: [
        ...this.#alarms.check(result),
        ...this.#estimateAlarms.check({ estimate, implausible: this.#implausible }, (point) =>
          this.#estimateInputs.point(point),
        ),
      ],
    };
  }

  /** After a new announcement everything is said again. */
  forgetSaid(): void {
    this.#filter.forget();
  }
}

/** A voltage near zero is what every instrument shows where the switches leave none. */
function isOfDeadBus(
  { kind, terminal, value }: TerminalMeasurement,
  network: Network,
  result: PowerFlowResult,
): boolean {
  if (kind !== 'voltage') return false;
  const { grid } = network.topology;
  const node = grid.nodes[grid.nodeOfTerminal.get(terminal) ?? -1];
  const bus = result.buses[result.busOfNode.get(node ?? '') ?? -1];
  return bus !== undefined && result.islands[bus.island]?.energised === false && value < bus.nominalVoltage / 2;
}
