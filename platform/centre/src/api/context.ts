/** What the routes stand on. */

import type { Clock } from '@enerchain/model';
import type { CrlPublisher } from '@enerchain/trust';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { Accounts } from '../accounts/accounts.ts';
import type { Authenticators } from '../accounts/authenticators.ts';
import type { Commands } from '../commands/commands.ts';
import type { Journal } from '../events/journal.ts';
import type { JournalStore } from '../events/journal-store.ts';
import type { GridLinks } from '../grid/links.ts';
import type { GridStore } from '../grid/store.ts';
import type { SiteHistory } from '../ingest/site-history.ts';
import type { Inspections } from '../inspection/inspections.ts';
import type { HealthJson } from '../metrics/health.ts';
import type { HttpMetrics, Metrics } from '../metrics/metrics.ts';
import type { Historian, LiveState, LogWriter, PointDirectory, ServiceRoutes, Sources } from '../ports.ts';
import type { SourceLink } from '../sources/link.ts';
import type { StreamHub } from '../stream/hub.ts';
import type { Transparency } from '../transparency/transparency.ts';
import type { TrustKeeper } from '../trust/keeper.ts';
import type { TrustCertificateJson } from './routes/trust.ts';

export interface ApiContext {
  readonly accounts: Accounts;
  readonly audit: LogWriter;
  readonly authenticators: Authenticators;
  readonly clock: Clock;
  readonly commands: Commands;
  readonly grid: GridStore;
  /** Links of points to the grid. */
  readonly gridLinks: GridLinks;
  /** What sources announced at earlier times. */
  readonly siteHistory: Pick<SiteHistory, 'at'>;
  readonly historian: Historian;
  readonly inspections: Pick<Inspections, 'view' | 'file' | 'counters'>;
  readonly journal: Journal;
  readonly store: JournalStore;
  readonly live: LiveState;
  readonly points: PointDirectory;
  readonly sources: Sources;
  readonly certificates: Pick<SourceLink, 'certificates' | 'revoke' | 'rotateOwnKey'>;
  readonly revocationLists: Pick<CrlPublisher, 'current'>;
  readonly transparency: Pick<Transparency, 'receipts' | 'keeper' | 'rounds' | 'anchor'>;
  /** Absent when the centre was started without a policy. */
  readonly trust?: TrustKeeper | undefined;
  trustCertificates(): TrustCertificateJson[];
  readonly stream: StreamHub;
  readonly services: ServiceRoutes;
  readonly metrics: Metrics;
  readonly httpMetrics: HttpMetrics;
  health(): HealthJson;
  /** @returns the token with which a gateway or service of this name can enrol once */
  createEnrolmentToken(name: string, role: 'edge' | 'service' | 'network'): Promise<string>;
}

export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;
