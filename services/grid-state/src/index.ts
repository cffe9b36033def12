/** Grid state: topology and power flow as pure functions, and the service that runs them on live values. */
export {
  type CaseBranchResult,
  type CaseBusResult,
  type CaseIslandResult,
  type CaseOptions,
  type CaseResult,
  CaseSolver,
} from './cases/case-solver.ts';
export { type CaseBranch, type CaseGenerator, type CaseGrid, caseOfMatpower } from './cases/matpower.ts';
export {
  type BranchResult,
  type BusResult,
  type Flow,
  type Injections,
  type IslandResult,
  type Power,
  type PowerFlowOptions,
  type PowerFlowResult,
  solvePowerFlow,
} from './power-flow.ts';
export {
  type BranchTable,
  BUS_TYPE,
  type BusTable,
  branchTable,
  busTable,
  type PowerFlowCase,
} from './powerflow/case.ts';
export { type NewtonFailure, type NewtonOptions, type NewtonSolution, NewtonSolver } from './powerflow/newton.ts';
export { type GridStateHandle, type GridStateOptions, runGridState } from './service/run.ts';
export { buildNetwork, type Island, type Network, type SwitchAndTapState, type Topology } from './topology/network.ts';
