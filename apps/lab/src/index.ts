/** The lab: a simulated medium-voltage grid whose devices speak the real protocols. */
export { FAULTS, type FaultSpec } from './faults/catalogue.ts';
export { labFault } from './faults/control-port.ts';
export type { FaultRequest } from './faults/request.ts';
export { buildLabGrid, EDGES, type EdgeName, type LabGrid } from './grid/lab-grid.ts';
export { type LabHandle, type LabOptions, runLab } from './lab.ts';
export { CORES } from './network/network-files.ts';
export { type NetworkNodeHandle, type NetworkNodeOptions, runNetworkNode } from './network/network-node.ts';
export { type LedgerRecord, readLedger } from './rtu/ledger.ts';
export { pointListOf } from './rtu/station-points.ts';
export { GridSimulation } from './simulation/simulation.ts';
export * from './tpm/index.ts';
