/** What the routes stand on. */

import type { Clock } from '@enerchain/model';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { Accounts } from '../accounts/accounts.ts';
import type { Commands } from '../commands/commands.ts';
import type { Journal } from '../events/journal.ts';
import type { JournalStore } from '../events/journal-store.ts';
import type { GridStore } from '../grid/store.ts';
import type { HealthJson } from '../metrics/health.ts';
import type { HttpMetrics, Metrics } from '../metrics/metrics.ts';
import type { Historian, LiveState, LogWriter, PointDirectory, Sources } from '../ports.ts';
import type { StreamHub } from '../stream/hub.ts';

export interface ApiContext {
  readonly accounts: Accounts;
  readonly audit: LogWriter;
  readonly clock: Clock;
  readonly commands: Commands;
  readonly grid: GridStore;
  readonly historian: Historian;
  readonly journal: Journal;
  readonly store: JournalStore;
  readonly live: LiveState;
  readonly points: PointDirectory;
  readonly sources: Sources;
  readonly stream: StreamHub;
  readonly services: ServiceRegistry;
  readonly metrics: Metrics;
  readonly httpMetrics: HttpMetrics;
  health(): HealthJson;
  /** @returns the token with which a gateway or service of this name can enrol once */
  createEnrolmentToken(name: string, role: 'edge' | 'service'): Promise<string>;
}

/** What services in other processes have registered: routes and pages. */
export interface ServiceRegistry {
  pages(): readonly ServicePage[];
  /** @returns undefined when no service has registered a prefix of this path */
  request(request: ServiceRequest): Promise<ServiceResponse> | undefined;
}

export interface ServicePage {
  readonly id: string;
  readonly title: string;
  readonly icon: string;
  /** Path of the script that draws it, below the service's own routes. */
  readonly module: string;
}

export interface ServiceRequest {
  readonly method: string;
  /** Path and query below `/api/v1`. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
  readonly user: { readonly name: string; readonly rights: readonly string[] };
}

export interface ServiceResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;
