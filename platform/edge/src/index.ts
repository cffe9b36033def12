/**
 * The gateway. It hears devices over their own protocols, makes what they say durable on a signed chain, acknowledges it to
 * them only then, and brings it to the centre; it carries out commands that it can verify itself.
 *
 *   const edge = await runEdge({ siteFile: 'site.yaml', dataDir: 'data', centre: { token }, logger });
 *   await edge.close();
 *
 * `runEdge` rejects with a `SiteError` that lists everything that is wrong in a site, or an `EnerchainError` (`edge.…`); while
 * it runs nothing throws: what happens goes onto the chain as events and gap records. README.md has the site file.
 */

// The gateway as a whole.

export { type EdgeHandle, type EdgeOptions, runEdge } from './edge.ts';
export { measuredFiles } from './trust/measured-files.ts';
export { byOwnView, type MayCommand, type OwnView } from './uplink/gate.ts';

// Its site: read, checked, with findings by file and line.

export { SiteError, type SiteFinding } from './site/findings.ts';
export { type LoadedSite, loadSite, openSite } from './site/load-site.ts';
export type { BoundPoint, EndpointSite, Site } from './site/site.ts';

// The port that a protocol implements, see `connectors/`.

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

// Tools of single protocols.

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
