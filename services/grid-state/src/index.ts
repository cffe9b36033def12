/** Grid state: topology and power flow as pure functions, and the service that runs them on live values. */
export { type BatchOptions, sharedColumn, solveBatch } from './batch/batch.ts';
export type { PoolOptions } from './batch/pool.ts';
export type { BatchChange, BatchInput, BatchResult } from './batch/scenarios.ts';
export {
  type CaseContingencyOptions,
  type CaseContingencyResult,
  caseContingencies,
  type OutageGroup,
  outageGroups,
} from './cases/case-contingencies.ts';
export {
  type CaseBadData,
  type CaseBranchEstimate,
  type CaseBusEstimate,
  type CaseEstimate,
  type CaseEstimateOptions,
  CaseEstimator,
  type CaseMeasurementResult,
  zeroInjectionsOf,
} from './cases/case-estimator.ts';
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
  type CaseMeasurement,
  readMeasurements,
  readTerminalMeasurements,
  writeMeasurements,
} from './cases/measurement-file.ts';
export { type SimulateOptions, simulateMeasurements } from './cases/simulate.ts';
export { byViolation, type ContingencyOptions, type OutageResult } from './contingency/analysis.ts';
export type { Violation } from './contingency/limit-check.ts';
export {
  type ContingencyInput,
  type LostInjection,
  noLimits,
  type OperatingLimits,
  type Outage,
  type OutageKind,
} from './contingency/outage.ts';
export type { BrokenLimit, ContingencyReport, OutageReport } from './contingency/report.ts';
export { type ContingencySummary, runContingencies } from './contingency/run.ts';
export { type BadDataOptions, type CheckedEstimate, estimateChecked, type Suspect } from './estimation/bad-data.ts';
export { TAP } from './estimation/branch-equations.ts';
export { type Estimate, type EstimationInput, Estimator } from './estimation/estimator.ts';
export type { EstimationOptions } from './estimation/gauss-newton.ts';
export {
  KIND,
  MEASUREMENT_KINDS,
  type MeasurementKind,
  type MeasurementTable,
  measurementTable,
  type RowMeasurement,
} from './estimation/measurement.ts';
export type { Observability, Proposal } from './estimation/observability.ts';
export { type Believable, type LastKnown, type PseudoPower, pseudoPower } from './estimation/pseudo-power.ts';
export { ZERO } from './estimation/step-matrix.ts';
export {
  type NetworkContingencies,
  type NetworkContingencyOptions,
  networkContingencies,
} from './network-contingencies.ts';
export { estimateNetwork } from './network-estimation/estimate-network.ts';
export type {
  BadData,
  EstimationInputs,
  IslandEstimate,
  MeasurementEstimate,
  NetworkEstimate,
  NetworkEstimateOptions,
  TerminalMeasurement,
} from './network-estimation/network-estimate.ts';
export {
  type BranchResult,
  type BusResult,
  type ControlAction,
  type Flow,
  type Injections,
  type IslandResult,
  type LimitViolation,
  type Power,
  type PowerFlowOptions,
  type PowerFlowResult,
  type StartVoltages,
  solvePowerFlow,
} from './power-flow.ts';
export {
  type BranchTable,
  BUS_TYPE,
  type BusTable,
  branchTable,
  busTable,
  type PowerFlowCase,
  type ResponseTable,
  responseTable,
} from './powerflow/case.ts';
export type { Machine } from './powerflow/control/machine.ts';
export type { Actuator, BranchSetting, StepControl } from './powerflow/control/steps.ts';
export { type GridSolution, GridSolver } from './powerflow/grid-solver.ts';
export type { ControlledCase, FailedAttempt, IslandOptions, IslandSolution } from './powerflow/island-solver.ts';
export { type NewtonFailure, type NewtonOptions, type NewtonSolution, NewtonSolver } from './powerflow/newton.ts';
export { type EstimateState, estimateJson } from './results/estimate-json.ts';
export { DistributionFactors } from './sensitivity/distribution-factors.ts';
export { Linearisation } from './sensitivity/linearisation.ts';
export {
  type SensitivityInput,
  type SensitivityMethod,
  type SensitivityOutput,
  sensitivities,
} from './sensitivity/sensitivities.ts';
export { simulateTerminals } from './simulate-terminals.ts';
export { buildNetwork, type Network, type SwitchAndTapState } from './topology/network.ts';
export { type NetworkCase, networkCase } from './topology/network-case.ts';
export { buildTopology, busBranchNodes, type Island, moveSwitch, type Topology } from './topology/topology.ts';
