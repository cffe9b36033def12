/** The gateway: connectors, outbox, uplink. */
export type { Connector, ConnectorHost, Health, Intake, Order, Receipt, ReportStep } from './connector.ts';
export { SiteError, type SiteFinding } from './site/findings.ts';
export { type LoadedSite, loadSite, openSite } from './site/load-site.ts';
export type { BoundPoint, EndpointSite, Site } from './site/site.ts';
