/** The face of the centre on in-memory ports, for `inject`. */

import { EnerchainError, newMrid, pointMatcher, type SiteDocument } from '@enerchain/model';
import type { RouteOptions } from 'fastify';
import pino from 'pino';
import { Accounts } from '../src/accounts/accounts.ts';
import { Authenticators } from '../src/accounts/authenticators.ts';
import type { Role } from '../src/accounts/rights.ts';
import type { ApiContext, App } from '../src/api/context.ts';
import { createApi } from '../src/api/server.ts';
import { Commands } from '../src/commands/commands.ts';
import type { Database } from '../src/database/database.ts';
import { Journal } from '../src/events/journal.ts';
import type { JournalStore } from '../src/events/journal-store.ts';
import { GridLinks } from '../src/grid/links.ts';
import { GridStore } from '../src/grid/store.ts';
import type { SiteHistory } from '../src/ingest/site-history.ts';
import { Inspections, type InspectionsOptions } from '../src/inspection/inspections.ts';
import { fromCounters, HttpMetrics, Metrics } from '../src/metrics/metrics.ts';
import type { Historian, ServiceRoutes } from '../src/ports.ts';
import { StreamHub, type StreamLimits } from '../src/stream/hub.ts';
import type { TrustKeeper } from '../src/trust/keeper.ts';
import {
  MemoryAccounts,
  MemoryAuthenticators,
  MemoryJournal,
  MemoryLive,
  MemoryLog,
  MemoryPoints,
  MemorySources,
  noTransparency,
  TestClock,
} from './doubles.ts';

export const PASSWORD = 'correct horse battery';
/** A thousandth of the real cost: the tests are not about scrypt. */
const CHEAP = { N: 16, r: 1, p: 1 };

export type Face = Awaited<ReturnType<typeof newFace>>;

export async function newFace(
  options: {
    controlRoomDir?: string;
    stream?: Partial<StreamLimits>;
    secondPerson?: string[];
    trust?: TrustKeeper;
    tls?: { cert: string; key: string };
    /** For the grid and its versions; without one nothing is kept. */
    database?: Pick<Database, 'query'>;
    /** What sources announced. */
    history?: Pick<SiteHistory, 'at'>;
    /** How gateways are asked about their devices; without it none can be. */
    inspection?: Partial<InspectionsOptions>;
  } = {},
) {
  const clock = new TestClock();
  const log = new MemoryLog(clock);
  const points = new MemoryPoints();
  const live = new MemoryLive();
  const sources = new MemorySources();
  const accountStore = new MemoryAccounts();
  const logger = pino({ level: 'silent' });
  const accounts = await Accounts.open({ store: accountStore, audit: log, clock, cost: CHEAP });
  const setup = accounts.createSetupToken() as string;
  const { principal } = await accounts.setUp(setup, 'anna', PASSWORD);
  const memory = new MemoryJournal();
  const journal = await Journal.open({ log, store: memory, logger });
  journal.start();
  const authenticatorStore = new MemoryAuthenticators();
  const authenticators = new Authenticators({
    store: authenticatorStore,
    audit: log,
    clock,
    mayApprove: (name) => accounts.may(name, 'commands.operate'),
  });
  await authenticators.load();
  const secondPerson = { needed: pointMatcher(options.secondPerson ?? []), approvers: authenticators };
  const commands = new Commands({ log, points, sources, live, clock, secondPerson });
  const stop = new AbortController();
  void commands.follow(0, stop.signal);
  const stream = new StreamHub({
    journal,
    log,
    live,
    sources,
    clock,
    trust: options.trust,
    limits: options.stream ?? {},
  });
  const metrics = new Metrics();
  metrics.add(() => fromCounters('journal', 'the journal', journal.counters));
  let away = false;
  const answer = async <T>(value: T): Promise<T> => {
    if (away) throw new EnerchainError('environment', 'centre.database.away', 'the database is away');
    return value;
  };
  const store = {
    events: () => answer([]),
    gaps: () => answer([]),
    pastAlarms: () => answer([]),
    audit: () => answer([]),
    commands: () => answer([]),
    command: () => answer(undefined),
  } as unknown as JournalStore;
  const services: { -readonly [K in keyof ServiceRoutes]: ServiceRoutes[K] } = {
    pages: () => [],
    descriptions: () => new Map(),
    request: () => undefined,
  };
  const database = options.database ?? { query: async () => ({ rows: [] }) };
  const gridLinks = new GridLinks(database, log, {
    get: (mRID) => points.get(mRID),
    link: () => {},
    placeBy: () => {},
  });
  await gridLinks.load();
  const context: ApiContext = {
    accounts,
    audit: log,
    authenticators,
    clock,
    commands,
    grid: await GridStore.open(database, log),
    gridLinks,
    siteHistory: options.history ?? { at: async () => [] },
    historian: {} as Historian,
    inspections: new Inspections({ sources, audit: log, peerOf: () => undefined, ...options.inspection }),
    journal,
    store,
    live,
    points,
    sources,
    stream,
    transparency: noTransparency,
    services,
    trust: options.trust,
    trustCertificates: () => [],
    certificates: {
      certificates: () => [],
      revoke: async () => [],
      rotateOwnKey: () => Promise.reject(new Error('there is no key here')),
    },
    revocationLists: { current: async () => new Map([['ab'.repeat(20), Buffer.from('a list')]]) },
    metrics,
    httpMetrics: new HttpMetrics(),
    health: () => ({ status: 'ok', reasons: [] }),
    createEnrolmentToken: async (name) => `token for ${name}`,
  };
  const { app, routes }: { app: App; routes: readonly RouteOptions[] } = await createApi({
    context,
    logger,
    version: '0.0.0',
    controlRoomDir: options.controlRoomDir,
    ...(options.tls ? { tls: options.tls } : {}),
  });
  await app.ready();
  const tokenWith = async (roles: readonly Role[]): Promise<string> =>
    (await accounts.createToken(principal, newMrid(), roles, 3_600_000)).secret;
  const admin = (await accounts.createToken(principal, 'admin', principal.roles, 3_600_000)).secret;
  return {
    app,
    routes,
    accounts,
    accountStore,
    admin,
    authenticators,
    authenticatorStore,
    principal,
    clock,
    commands,
    journal,
    live,
    log,
    points,
    services,
    sources,
    stream,
    tokenWith,
    databaseAway(is: boolean): void {
      away = is;
      memory.failing = is;
    },
    announce(document: SiteDocument): void {
      points.announce(document);
      log.add(document.source, { kind: 'site', document });
    },
    async login(): Promise<Record<string, string>> {
      const { secret } = await accounts.login('anna', PASSWORD, '127.0.0.1');
      return { enerchain_session: secret };
    },
    async settled(): Promise<void> {
      await journal.reached(log.bounds().next - 1);
      await new Promise((resolve) => setImmediate(resolve));
    },
    async close(): Promise<void> {
      stop.abort();
      stream.close();
      commands.close();
      await app.close();
      await journal.close();
    },
  };
}
