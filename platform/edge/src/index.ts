/** The gateway: connectors, outbox, uplink. */
export type {
  Connector,
  ConnectorHost,
  EndpointState,
  Health,
  Intake,
  Order,
  Receipt,
  ReportStep,
} from './connector.ts';
export { draftPointList, type ScanOptions, scanIec104 } from './connectors/iec104/scan.ts';
export type {
  DeviceInspection,
  InspectedAttribute,
  InspectedControlBlock,
  InspectedDevice,
  InspectedFiles,
  InspectedGoose,
  InspectedModel,
  InspectedNode,
  InspectedObject,
  InspectedReference,
  InspectedValue,
} from './connectors/iec61850/inspection.ts';
export { INSPECTION_LIMITS } from './connectors/iec61850/inspection.ts';
export { type EdgeHandle, type EdgeOptions, runEdge } from './edge.ts';
export { SiteError, type SiteFinding } from './site/findings.ts';
export { type LoadedSite, loadSite, openSite } from './site/load-site.ts';
export type { BoundPoint, EndpointSite, Site } from './site/site.ts';
export { measuredFiles } from './trust/measured-files.ts';
export { byOwnView, type MayCommand, type OwnView } from './uplink/gate.ts';
