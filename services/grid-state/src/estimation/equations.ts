/** The measurement equations in polar coordinates: the state, the matrix of a step from it, and what is read at it. */
import { BranchEquations } from './branch-equations.ts';
import { EstimatedState } from './estimated-state.ts';
import type { Layout } from './layout.ts';
import type { ChannelMap } from './measurement.ts';
import { Readings } from './readings.ts';
import { StepMatrix } from './step-matrix.ts';

export class Equations {
  readonly layout: Layout;
  readonly map: ChannelMap;
  readonly state: EstimatedState;
  readonly step: StepMatrix;
  readonly readings: Readings;

  constructor(layout: Layout, map: ChannelMap) {
    this.layout = layout;
    this.map = map;
    this.state = new EstimatedState(layout);
    const branch = new BranchEquations(layout, this.state);
    this.step = new StepMatrix(layout, map, this.state, branch);
    this.readings = new Readings(layout, map, this.state, branch);
  }
}
