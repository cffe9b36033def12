/** The centre in one process: the core, and the face on top of it. */
import { chmodSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describeError, EnerchainError, pointMatcher, systemClock } from '@enerchain/model';
import type { Logger } from 'pino';
import { Accounts, type Principal } from './accounts/accounts.ts';
import { SqlAuthenticatorStore } from './accounts/authenticator-store.ts';
import { Authenticators } from './accounts/authenticators.ts';
import { rightsOf } from './accounts/rights.ts';
import { SqlAccountStore } from './accounts/store.ts';
import { conditionStands } from './alarms/machine.ts';
import type { ApiContext } from './api/context.ts';
import { checkBinding, createApi, type HttpOptions } from './api/server.ts';
import type { CommandCheck } from './commands/checks.ts';
import { Commands } from './commands/commands.ts';
import { pathCheck } from './commands/path.ts';
import { type Core, type CoreOptions, openCore } from './core.ts';
import type { Database } from './database/database.ts';
import { DeviceWatch } from './events/device-watch.ts';
import { Journal } from './events/journal.ts';
import { checkpointFile, JournalStore } from './events/journal-store.ts';
import { SourceWatch } from './events/source-watch.ts';
import { GridLinks } from './grid/links.ts';
import { PathPlaces } from './grid/path-places.ts';
import { GridStore } from './grid/store.ts';
import { CENTRE } from './ingest/own-chain.ts';
import { Inspections } from './inspection/inspections.ts';
import { nodeFiles } from './log/files.ts';
import { collect } from './metrics/collectors.ts';
import { healthOf } from './metrics/health.ts';
import { HttpMetrics, Metrics } from './metrics/metrics.ts';
import { StreamHub } from './stream/hub.ts';
import { certificatesOf } from './trust/certificates.ts';

export interface CentreOptions {
  readonly dataDir: string;
  readonly http: HttpOptions;
  /** Where sources connect. */
  readonly link: CoreOptions['link'];
  /** Absent: the embedded PostgreSQL. */
  readonly databaseUrl?: string;
  readonly certificateHours?: CoreOptions['certificateHours'];
  readonly keyDays?: CoreOptions['keyDays'];
  /** Folder with the built control room; absent: the API alone. */
  readonly controlRoomDir?: string;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Days for which events, past alarms and audit rows stay in the database; by default two years. */
  readonly journalDays?: number;
  /** Names of the services that may prepare and operate commands; by default none. */
  readonly commandingServices?: readonly string[];
  /** The policy that says what a good node is, and what is measured and vouched for; absent: nobody is attested. */
  readonly trust?: CoreOptions['trust'];
  /** Address below which others fetch the revocation lists, as certificates name it; absent: that of the API, `<url>/crl`. */
  readonly crlUrl?: string | undefined;
  /** Where the keys of the centre lie; absent: in files of the data folder. */
  readonly keys?: CoreOptions['keys'];
  /** For which sources each relay may stand in; by default no relay for any. */
  readonly relays?: CoreOptions['relays'];
  /** Checks of commands beside the standard ones. */
  readonly commandChecks?: readonly CommandCheck[];
}

export interface CentreHandle {
  /** Where the control room and the API are. */
  readonly url: string;
  /** Where sources connect and enrol: `https://host:port`. */
  readonly linkUrl: string;
  /** The one-time link for the first administrator; absent when there is a user. Also in `<dataDir>/setup-token`. */
  readonly setupLink?: string;
  /** File (0600) with the token of the command line on this machine. */
  readonly adminTokenFile: string;
  /** @returns the token with which a gateway or service of this name can enrol once */
  createEnrolmentToken(name: string, role: 'edge' | 'service' | 'network'): Promise<string>;
  /** Stops everything in order. Also done when the signal aborts. */
  close(): Promise<void>;
  /** Resolves when everything has stopped. */
  readonly closed: Promise<void>;
}

/** A gateway is carried to its place and started within this time. */
const ENROLMENT_MILLIS = 24 * 3_600_000;
/** How long the start waits for the journal to have read the log to its end. */
const CATCH_UP_MILLIS = 60_000;
const JOURNAL_DAYS = 730;
const DAY_MILLIS = 86_400_000;
/** Records by which the journal may be behind before that is worth a word. */
const BEHIND = 10_000;

/** @throws EnerchainError when a part cannot be started; then nothing is left running */
export async function runCentre(options: CentreOptions): Promise<CentreHandle> {
  checkBinding(options.http);
  const { dataDir, link, databaseUrl, logger, signal } = options;
  const core = await openCore({
    dataDir,
    link,
    logger,
    signal,
    ...(databaseUrl ? { databaseUrl } : {}),
    trust: options.trust,
    keys: options.keys,
    relays: options.relays,
    crlUrl: options.crlUrl ?? crlUrlOf(options.http),
    ...(options.certificateHours === undefined ? {} : { certificateHours: options.certificateHours }),
    keyDays: options.keyDays,
  });
  const closers: (() => Promise<void> | void)[] = [() => core.close()];
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) {
      await Promise.resolve()
        .then(closer)
        .catch((error: unknown) => logger.error({ err: error }, describeError(error)));
    }
  };
  try {
    const handle = await startFace(core, options, closers);
    const ended = Promise.withResolvers<void>();
    let closing: Promise<void> | undefined;
    const closeOnce = () => {
      closing ??= close().then(ended.resolve);
      return closing;
    };
    signal.addEventListener('abort', () => void closeOnce(), { once: true });
    if (signal.aborted) await closeOnce();
    return { ...handle, close: closeOnce, closed: ended.promise };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startFace(
  core: Core,
  options: CentreOptions,
  closers: (() => Promise<void> | void)[],
): Promise<Omit<CentreHandle, 'close' | 'closed'>> {
  const { dataDir, http, logger } = options;
  const { log, points, live, sources, historian, database } = core;
  const clock = systemClock;
  const onError = (error: unknown) => logger.error({ err: error }, describeError(error));

  const setupFile = join(dataDir, 'setup-token');
  const accounts = await Accounts.open({
    store: new SqlAccountStore(database),
    audit: log,
    clock,
    onSetUp: () => rmSync(setupFile, { force: true }),
  });
  const authenticators = new Authenticators({
    store: new SqlAuthenticatorStore(database),
    audit: log,
    clock,
    mayApprove: (name) => accounts.may(name, 'commands.operate'),
    onList: () => core.operators.changed(),
  });
  await authenticators.load().catch((error: unknown) => {
    if (!(error instanceof EnerchainError) || error.fault !== 'environment') throw error;
  });
  core.operators.attach(authenticators);
  const store = new JournalStore(database);
  const copy = checkpointFile(nodeFiles, join(dataDir, 'journal.zst'));
  const journal = await Journal.open({ log, store, copy, logger });
  journal.start();
  closers.push(() => journal.close());

  const keepMillis = (options.journalDays ?? JOURNAL_DAYS) * DAY_MILLIS;
  const trimming = setInterval(() => {
    trim(store, clock.now() - BigInt(keepMillis) * 1_000_000n).catch(onError);
  }, DAY_MILLIS / 4);
  trimming.unref();
  closers.push(() => clearInterval(trimming));

  const { next } = log.bounds();
  if (next > 0 && !(await journal.reached(next - 1, CATCH_UP_MILLIS)))
    logger.warn(`events and alarms are still being read from the log (at ${journal.offset} of ${next})`);
  const open = journal.openCommands();

  const stop = new AbortController();
  closers.push(() => stop.abort());
  const trust = core.trust?.keeper;
  const checks = [...(trust ? [pathCheck(trust, clock)] : []), ...(options.commandChecks ?? [])];
  const secondPerson = { needed: pointMatcher(trust?.policy?.secondPerson ?? []), approvers: authenticators };
  const commands = new Commands({ log, points, sources, live, clock, checks, secondPerson, onError });
  closers.push(() => commands.close());
  await commands.recover(open);
  void follow(commands, next, stop.signal, onError);

  const lost = journal
    .standingAlarms()
    .filter(({ key, state }) => key.startsWith('source:') && conditionStands(state))
    .map(({ key }) => key.slice('source:'.length));
  const watch = new SourceWatch({ sources, audit: log, lost, onError });
  closers.push(() => watch.close());
  const devices = new DeviceWatch({
    unreachable: () => journal.unreachableDevices(),
    onChange: (listener) => journal.onMessages(listener),
    sources,
    audit: log,
    onError,
  });
  closers.push(() => devices.close());

  const stream = new StreamHub({ journal, log, live, sources, clock, trust });
  closers.push(() => stream.close());

  const grid = await GridStore.open(database, log);
  const gridLinks = new GridLinks(database, log, points);
  grid.follow((model) => points.placeBy(new PathPlaces(model)));
  const loadGrid = async () => {
    await grid.load();
    await gridLinks.load();
  };
  await gridLinks.load().catch((error: unknown) => {
    if (!(error instanceof EnerchainError) || error.fault !== 'environment') throw error;
  });
  const linkUrl = core.linkUrl;
  const createEnrolmentToken = (name: string, role: 'edge' | 'service' | 'network') =>
    core.ca.createToken({ name, role, address: linkUrl, validFor: ENROLMENT_MILLIS });
  const commanding = new Set(options.commandingServices);
  const asService = (name: string): Principal => ({
    name: `service:${name}`,
    kind: 'service',
    roles: ['OPERATOR'],
    rights: new Set(rightsOf(['OPERATOR'])),
  });
  core.services.attach({
    grid: async () => grid.current(),
    mayCommand: (name) => commanding.has(name),
    prepare: (name, request) => commands.prepare(asService(name), request),
    step: (name, action, id) => commands.order(asService(name), id, action),
  });
  const inspections = new Inspections({ sources, peerOf: (source) => core.link.peer(source), audit: log });
  const metrics = new Metrics();
  const context: ApiContext = {
    accounts,
    audit: log,
    authenticators,
    clock,
    commands,
    createEnrolmentToken,
    grid,
    gridLinks,
    siteHistory: core.siteHistory,
    historian,
    httpMetrics: new HttpMetrics(),
    inspections,
    journal,
    live,
    metrics,
    points,
    services: core.services,
    sources,
    certificates: core.link,
    revocationLists: core.link.lists,
    trust,
    trustCertificates: () =>
      certificatesOf(
        core.ca,
        core.revocations,
        (name) => (name === CENTRE ? core.identity.signer.origin : trust?.state(name)?.keyOrigin),
        core.transparency.keeper.log.signer,
      ),
    store,
    stream,
    transparency: core.transparency,
    health: () =>
      healthOf([
        ...core.troubles().map((trouble) => () => trouble),
        () => journal.failure && `events and alarms cannot be read from the log: ${journal.failure}`,
        () => {
          const behind = log.bounds().next - journal.offset;
          return behind > BEHIND ? `events and alarms are ${behind} records behind the log` : undefined;
        },
      ]),
  };
  collect(metrics, context, log, database, core.counters);

  const { app } = await createApi({
    context,
    logger,
    version: packageVersion(),
    port: http.port,
    ...(http.tls ? { tls: http.tls } : {}),
    controlRoomDir: options.controlRoomDir,
  });
  closers.push(() => app.close());
  await listen(app, http);
  const address = app.server.address();
  const port = typeof address === 'object' && address ? address.port : http.port;
  const scheme = http.tls ? 'https' : 'http';
  const host = http.host === '127.0.0.1' || http.host === '::1' ? 'localhost' : http.host;
  const url = `${scheme}://${host}:${port}`;

  const adminTokenFile = join(dataDir, 'admin.token');
  writeSecret(adminTokenFile, accounts.createLocalToken());
  const setUp = () => {
    const token = accounts.createSetupToken();
    if (token) writeSecret(setupFile, token);
    else rmSync(setupFile, { force: true });
    return token;
  };
  const loadLate = async () => {
    await accounts.load();
    await authenticators.load();
    core.operators.changed();
    await loadGrid();
    if (setUp()) logger.info(`there is no user yet; the secret of the one-time link is in ${setupFile}`);
  };
  const setupToken = accounts.loaded ? setUp() : undefined;
  if (!accounts.loaded) void whenBack(database, loadLate, stop.signal, onError);
  else if (!grid.loaded || !gridLinks.loaded) void whenBack(database, loadGrid, stop.signal, onError);
  await log.append({
    action: 'centre.start',
    actor: 'centre',
    outcome: 'ok',
    detail: { url, link: linkUrl, commandingServices: [...commanding] },
  });
  closers.push(async () => {
    rmSync(adminTokenFile, { force: true });
    await log.append({ action: 'centre.stop', actor: 'centre', outcome: 'ok' });
  });
  return {
    url,
    linkUrl,
    ...(setupToken ? { setupLink: `${url}/#/setup/${setupToken}` } : {}),
    adminTokenFile,
    createEnrolmentToken,
  };
}

/** Where the lists are served, if that is known before the port is. */
function crlUrlOf({ host, port, tls }: HttpOptions): string | undefined {
  if (port === 0) return undefined;
  const name = host === '0.0.0.0' || host === '::' ? hostname() : host.includes(':') ? `[${host}]` : host;
  return `${tls ? 'https' : 'http'}://${name}:${port}/crl`;
}

/** Does it once the database is back, as often as it takes. */
async function whenBack(
  database: Pick<Database, 'whenAvailable'>,
  work: () => Promise<void>,
  signal: AbortSignal,
  onError: (error: unknown) => void,
): Promise<void> {
  for (;;) {
    try {
      await database.whenAvailable(signal);
      await work();
      return;
    } catch (error) {
      if (signal.aborted) return;
      onError(error);
      await new Promise<void>((resolve) => setTimeout(resolve, 1_000).unref());
    }
  }
}

async function trim(store: JournalStore, cutoff: bigint): Promise<void> {
  while ((await store.trim(cutoff)) > 0);
}

/** Reads the log for the results of commands, and goes on after a failure. */
async function follow(
  commands: Commands,
  from: number,
  signal: AbortSignal,
  onError: (error: unknown) => void,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await commands.follow(from, signal);
      return;
    } catch (error) {
      if (signal.aborted) return;
      onError(error);
      from = commands.followed;
      await new Promise<void>((resolve) => setTimeout(resolve, 1_000));
    }
  }
}

async function listen(app: Awaited<ReturnType<typeof createApi>>['app'], { host, port }: HttpOptions): Promise<void> {
  try {
    await app.listen({ host, port });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const reason =
      code === 'EADDRINUSE'
        ? 'another program listens there; choose another port'
        : code === 'EACCES'
          ? 'this user may not listen there; choose a port above 1023'
          : describeError(cause);
    throw new EnerchainError(
      'environment',
      'centre.http.listen',
      `The centre cannot listen on ${host}:${port}: ${reason}. It was not started.`,
      { cause },
    );
  }
}

/** Never readable by others, not even for a moment. */
function writeSecret(path: string, secret: string): void {
  const temporary = `${path}.new`;
  rmSync(temporary, { force: true });
  writeFileSync(temporary, `${secret}\n`, { mode: 0o600, flag: 'wx' });
  chmodSync(temporary, 0o600);
  renameSync(temporary, path);
}

function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return version;
}
