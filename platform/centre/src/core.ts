/**
 * The core of the centre: log, ingest, live state, historian, sources and database put together. It knows no user and no
 * screen; those stand on the ports it hands out.
 */
import { hostname } from 'node:os';
import { join } from 'node:path';
import { DEVELOPMENT_POLICY } from '@enerchain/attestation';
import { lockFolder } from '@enerchain/host';
import { describeError, EnerchainError, systemClock } from '@enerchain/model';
import { DevelopmentCa, endorsementPolicyIn, type Identity } from '@enerchain/trust';
import type { Logger } from 'pino';
import { type Database, openDatabase } from './database/database.ts';
import type { LinkedPoints } from './grid/links.ts';
import { SegmentHistorian } from './historian/historian.ts';
import { CentreIdentity } from './identity.ts';
import { encodeCheckpoint, keptOf, restore } from './ingest/checkpoint.ts';
import { decodeLogged } from './ingest/decode.ts';
import { Findings } from './ingest/findings.ts';
import { OwnChain } from './ingest/own-chain.ts';
import { Directory, SiteFiles } from './ingest/points.ts';
import { SiteHistory } from './ingest/site-history.ts';
import { type IngestContext, SourceChain } from './ingest/source-chain.ts';
import { type CentreKeyPlaces, openCentreKeys } from './keys.ts';
import { LiveTable } from './live/live.ts';
import { readSnapshot, writeSnapshot } from './live/snapshot.ts';
import { IngestLog, type LogOptions, type LogTrouble } from './log/log.ts';
import type { LiveState, LogPublisher, LogReader, LogWriter, PointDirectory, Sources } from './ports.ts';
import { ServiceSessions } from './services/sessions.ts';
import { SourceLink } from './sources/link.ts';
import { OperatorLists } from './sources/operators.ts';
import { SourceRegistry } from './sources/registry.ts';
import { RevocationList } from './sources/revocation.ts';
import { Transparency } from './transparency/transparency.ts';
import { type OpenTrust, openTrust, type TrustOptions } from './trust/open.ts';

export interface CoreOptions {
  readonly dataDir: string;
  /** Where sources connect; port 0 takes a free one. */
  readonly link: { readonly host: string; readonly port: number };
  /** Absent: the embedded PostgreSQL. */
  readonly databaseUrl?: string;
  /** Validity of certificates, in hours; by default 72. They are renewed at a third of that. */
  readonly certificateHours?: number;
  /** Days after which the centre's own key gives way to another one; absent: it stays. */
  readonly keyDays?: number | undefined;
  readonly logger: Logger;
  /** Breaks off a start that is under way. A core that is open is closed by `close`, after what stands on it. */
  readonly signal: AbortSignal;
  /** What is asked of the nodes and the witnesses. Absent: nobody is attested, and witnesses are as in development. */
  readonly trust?: TrustOptions | undefined;
  /** Address below which the revocation lists are served, as certificates name it; absent: they name none. */
  readonly crlUrl?: string | undefined;
  /** Where the keys of the centre lie; absent: in files of the data folder. */
  readonly keys?: CentreKeyPlaces | undefined;
  /** For which sources each relay may stand in; by default no relay for any. */
  readonly relays?: ReadonlyMap<string, ReadonlySet<string>> | undefined;
  /** How much of the ingest log is kept; by default 8 GiB and a year. */
  readonly retention?: LogOptions['retention'];
}

/** What the face of the centre stands on. */
export interface Core {
  readonly log: LogReader & LogWriter & LogPublisher;
  readonly points: PointDirectory & LinkedPoints;
  /** What sources announced at earlier times. */
  readonly siteHistory: SiteHistory;
  readonly live: LiveState;
  readonly historian: SegmentHistorian;
  readonly sources: Sources;
  readonly services: ServiceSessions;
  readonly operators: OperatorLists;
  /** Absent when the centre was started without a policy. */
  readonly trust: OpenTrust | undefined;
  readonly revocations: RevocationList;
  /** The link port; certificates are revoked here. */
  readonly link: SourceLink;
  /** Transparency log and receipts. */
  readonly transparency: Transparency;
  readonly database: Database;
  readonly ca: DevelopmentCa;
  readonly identity: Identity;
  /** Where sources connect and enrol: `https://host:port`. */
  readonly linkUrl: string;
  /** Counters by part, for metrics. */
  readonly counters: Readonly<Record<string, () => Readonly<Record<string, number>>>>;
  /** Everything in order → empty; otherwise one sentence each. */
  troubles(): string[];
  close(): Promise<void>;
}

/** Sources whose chains are followed at most. */
const MOST_SOURCES = 10_000;
const CHECKPOINT_MILLIS = 5_000;
const SNAPSHOT_MILLIS = 30_000;
const DEFAULT_RETENTION = { bytes: 8 * 1024 ** 3, ageMillis: 365 * 86_400_000 };

/**
 * Opens a data folder and starts everything in it. Resolves when the live state stands where the log ends.
 * @throws EnerchainError when another centre uses the folder, or a part cannot be started; then nothing is left running
 */
export async function openCore(options: CoreOptions): Promise<Core> {
  const closers: (() => Promise<void> | void)[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) {
      await Promise.resolve(closer()).catch((error) => options.logger.error({ err: error }, describeError(error)));
    }
  };
  try {
    return await assemble(options, closers, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function assemble(
  options: CoreOptions,
  closers: (() => Promise<void> | void)[],
  close: () => Promise<void>,
): Promise<Core> {
  const { dataDir, logger } = options;
  const clock = systemClock;
  const lock = lockFolder(dataDir, 'a centre');
  closers.push(() => lock.release());

  // The database takes longest: it starts while the log is read.
  const opening = openDatabase({ ...options, logger });
  opening.catch(() => {}); // awaited below
  closers.push(async () => {
    const database = await opening.catch(() => undefined);
    await database?.close();
  });

  const keys = options.keys && (await openCentreKeys(options.keys, dataDir));
  if (keys) closers.push(() => keys.close());
  const ca = await DevelopmentCa.open(join(dataDir, 'ca'), {
    keys: keys?.authority,
    crlUrl: options.crlUrl,
    ...(options.certificateHours === undefined ? {} : { hours: options.certificateHours }),
  });
  const holder = await CentreIdentity.open({
    dir: join(dataDir, 'identity'),
    ca,
    reachedAs: [options.link.host, hostname()],
    keys: keys?.identity,
    keyDays: options.keyDays,
    clock,
    onFailed: (error, expires) =>
      logger.error({ err: error, expires }, 'the certificate of the centre could not be renewed; trying again'),
  });
  closers.push(() => holder.close());
  const identity = holder.current;

  const told: { trouble: (trouble: LogTrouble) => void; dropped: NonNullable<LogOptions['onDropped']> } = {
    trouble: () => {},
    dropped: () => {},
  };
  const log = await IngestLog.open({
    folder: join(dataDir, 'log'),
    decode: decodeLogged,
    retention: options.retention ?? DEFAULT_RETENTION,
    onTrouble: (trouble) => told.trouble(trouble),
    onDropped: (dropped) => told.dropped(dropped),
  });
  closers.push(() => log.close());

  const points = new Directory();
  const siteHistory = new SiteHistory(log.files, join(dataDir, 'sites-history'), clock);
  await siteHistory.load();
  const sites = new SiteFiles(log.files, join(dataDir, 'sites'), siteHistory);
  await sites.load(points);
  const checkpointFile = join(dataDir, 'ingest.json');
  const checkpoint = await restore(log.files, checkpointFile, log, (source, document) => {
    points.announce(source, document);
  });

  const own = new OwnChain({ log, signer: identity.signer, kid: identity.kid, position: checkpoint.own });
  let { publicKey } = identity.certificate;
  holder.onRenewed((renewed) => {
    const { certificate } = renewed;
    own.renewed(renewed);
    const what = certificate.publicKey.equals(publicKey)
      ? 'the certificate of the centre was renewed'
      : 'the centre has another key';
    publicKey = certificate.publicKey;
    logger.info({ until: certificate.notAfter }, what);
  });
  const findings = new Findings(own, logger, clock);
  tellLogTroubles(log, own, findings, logger, told);

  const chains = new Map<string, SourceChain>();
  const context: IngestContext = {
    log,
    points,
    sites,
    own,
    findings,
    clock,
  };
  const sources = new SourceRegistry({
    chainOf: (source) => chains.get(source),
    signing: () => holder.current,
    clock,
    keep: (record) => own.publish({ kind: 'command', record }),
  });
  for (const kept of checkpoint.sources.values()) {
    chains.set(kept.source, new SourceChain(kept.source, context, kept));
    sources.known(kept.source, kept.role, kept.lastAt);
  }

  const saveCheckpoint = async () => {
    const kept = [...chains.values()].map((chain) => keptOf(chain, sources.roleOf(chain.source) ?? 'edge'));
    const at = {
      next: log.bounds().next,
      own: own.position,
      sources: new Map(kept.map((each) => [each.source, each])),
    };
    const text = encodeCheckpoint(log.id, at);
    // The picture is of this moment; what was announced up to it must be on the disk before it.
    await sites.settled();
    await log.files.writeAll(checkpointFile, text);
  };
  closers.push(every(CHECKPOINT_MILLIS, saveCheckpoint, logger), saveCheckpoint);
  closers.push(every(60_000, () => log.retain(), logger));

  const live = new LiveTable({ points, clock });
  const snapshotFile = join(dataDir, 'live.jsonl');
  const { first, next } = log.bounds();
  const from = await readSnapshot(log.files, snapshotFile, log.id, live);
  live.next = Math.min(Math.max(from, first), next);
  const following = new AbortController();
  await new Promise<void>((resolve) => {
    const done = follow(log, live, following.signal, next, logger, resolve);
    closers.push(() => live.close());
    const saveSnapshot = () => writeSnapshot(log.files, snapshotFile, log.id, live);
    closers.push(every(SNAPSHOT_MILLIS, saveSnapshot, logger), saveSnapshot);
    closers.push(async () => {
      following.abort();
      await done;
    });
  });

  const database = await opening;
  if (options.signal.aborted) {
    throw new EnerchainError(
      'caller',
      'centre.cancelled',
      'the start of the centre was broken off; nothing is running',
    );
  }
  const historian = new SegmentHistorian({ log, database, logger, clock });
  historian.start();
  closers.push(() => historian.close());

  const services = new ServiceSessions(log, points, findings);
  const operators = new OperatorLists({ signing: () => holder.current, findings });
  const revocations = await RevocationList.open(log.files, join(dataDir, 'revoked.json'));
  let listening: SourceLink | undefined;
  const transparency = await Transparency.open({
    dataDir,
    log,
    own,
    findings,
    points,
    live,
    historian,
    sources,
    ca,
    identity: holder,
    logSigner: keys?.log,
    revocations,
    policy: () => options.trust?.policy ?? DEVELOPMENT_POLICY,
    peers: () => listening?.peers() ?? [],
    clock,
    logger,
  });
  closers.push(() => transparency.close());
  // A certificate that is not in the log is not handed out.
  await ca.observe((event) => transparency.record(event));
  transparency.start();
  const out = { append: own.append.bind(own), publish: own.publish.bind(own) };
  const roleOf = (source: string) => sources.roleOf(source);
  const endorsement = await endorsementPolicyIn(join(dataDir, 'ca', 'tpm-makers'));
  const trust =
    options.trust &&
    (await openTrust({
      ...{
        trust: options.trust,
        dataDir,
        identity: holder,
        ca,
        log,
        out,
        findings,
        revocations,
        tpm: keys?.tpm,
        endorsement,
        roleOf,
        siteOf: (source: string) => points.site(source),
        clock,
        logger,
      },
    }));
  if (trust) {
    closers.push(() => trust.close());
    closers.push(every(SNAPSHOT_MILLIS, () => trust.save(), logger));
  }
  const link = await SourceLink.listen({
    ...options.link,
    identity: holder,
    ca,
    endorsement,
    registry: sources,
    revocations,
    trust: trust?.keeper,
    bundle: trust?.bundle,
    evidence: trust?.evidence,
    relays: options.relays,
    services,
    operators,
    findings,
    clock,
    logger,
    chainOf: (source) => {
      let chain = chains.get(source);
      if (!chain) {
        if (chains.size >= MOST_SOURCES) {
          const text = `${source} is not taken: there are ${chains.size} sources already`;
          throw new EnerchainError('peer', 'centre.sources.full', text);
        }
        chain = new SourceChain(source, context);
        chains.set(source, chain);
      }
      return chain;
    },
  });
  listening = link;
  closers.push(() => link.close());
  logger.info({ ...link.address }, 'the link listens');

  return {
    log: {
      bounds: () => log.bounds(),
      read: (offset, signal) => log.read(offset, signal),
      append: (record) => own.append(record),
      publish: (content) => own.publish(content),
    },
    points,
    siteHistory,
    live,
    historian,
    sources,
    services,
    operators,
    trust,
    revocations,
    link,
    transparency,
    linkUrl: urlOf(link.address),
    counters: {
      log: () => ({ ...log.counters, size: log.size, queuedBytes: log.queuedBytes }),
      live: () => ({ ...live.counters, points: live.size }),
      historian: () => ({ ...historian.counters, lag: historian.lag, openSamples: historian.openSamples }),
      link: () => ({ ...link.counters, peers: link.peers().length }),
      transparency: () => transparency.counters,
      ...(trust ? { trust: () => trust.keeper.counters, tcn: () => trust.keeper.networkCounters } : {}),
    },
    database,
    ca,
    get identity() {
      return holder.current;
    },
    troubles: () => [
      ...(log.healthy ? [] : ['the ingest log cannot be written']),
      ...[ca.trouble()].filter((each) => each !== undefined),
      ...(transparency.keeper.log.trouble ? [transparency.keeper.log.trouble.text] : []),
      ...[trust?.keeper.trouble()].filter((trouble) => trouble !== undefined),
      ...(database.available ? [] : [`the database (${database.where}) is away: ${database.reason}`]),
    ],
    close,
  };
}

/** What is bound to all addresses is reached on this machine by the loopback one. */
function urlOf({ host, port }: { readonly host: string; readonly port: number }): string {
  if (host === '0.0.0.0') return `https://127.0.0.1:${port}`;
  if (host === '::') return `https://[::1]:${port}`;
  return `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Applies the log to the live state, and goes on after a failure; calls `caughtUp` when it has reached `target`. */
async function follow(
  log: IngestLog,
  live: LiveTable,
  signal: AbortSignal,
  target: number,
  logger: Logger,
  caughtUp: () => void,
): Promise<void> {
  if (live.next >= target) caughtUp();
  while (!signal.aborted && !log.closed) {
    try {
      for await (const entries of log.read(live.next, signal)) {
        for (const entry of entries) live.apply(entry);
        if (live.next >= target) caughtUp();
      }
    } catch (error) {
      logger.error(
        { err: error },
        `the live state cannot read the ingest log and tries again: ${describeError(error)}`,
      );
      await new Promise((resolve) => setTimeout(resolve, 1_000).unref());
    }
  }
}

/** What is wrong with the log goes into the log, as soon as it can be written. */
function tellLogTroubles(
  log: IngestLog,
  own: OwnChain,
  findings: Findings,
  logger: Logger,
  told: { trouble: (trouble: LogTrouble) => void; dropped: NonNullable<LogOptions['onDropped']> },
): void {
  for (const finding of log.findings) {
    findings.tell({
      action: 'log.damage',
      actor: 'centre',
      outcome: 'failed',
      subject: finding.segment,
      detail: { ...finding },
    });
    if (finding.kind === 'torn-tail') continue; // never acknowledged: its source sends it again
    findings.raise({
      key: `log.damage.${finding.segment}.${finding.position}`,
      priority: 1,
      message: `The ingest log is damaged: ${finding.bytes} octets of ${finding.segment} from ${finding.position} on cannot be read.`,
      consequence: 'Records from there on are lost to whoever has not read them yet; the historian may have a gap.',
      action: 'Check the disk.',
    });
  }
  told.dropped = (dropped) => {
    own
      .append({ action: 'log.retention', actor: 'centre', outcome: 'ok', detail: { ...dropped } })
      .catch((error) => logger.error({ error, dropped }, 'the audit of a dropped segment could not be written'));
  };
  let failed: { message: string; full: boolean } | undefined;
  told.trouble = (trouble) => {
    if (trouble.kind === 'failed') {
      failed = trouble;
      logger.error(trouble.message);
      return;
    }
    logger.warn(trouble.message);
    const { message = '', full = false } = failed ?? {};
    findings.tell({ action: 'log.failed', actor: 'centre', outcome: 'failed', detail: { message, full } });
    findings.raise({
      key: 'log.failed',
      priority: 1,
      message: `The ingest log could not be written for a while: ${message}. It can again; nothing that was acknowledged is lost.`,
      action: full ? 'Make room on the disk of the centre.' : 'Check the disk of the centre.',
    });
  };
}

/** Calls `work` now and then, one call at a time. @returns stops it, and waits for a call under way */
function every(millis: number, work: () => Promise<void>, logger: Logger): () => Promise<void> {
  let running: Promise<void> | undefined;
  const timer = setInterval(() => {
    running ??= work()
      .catch((error) => logger.error({ err: error }, describeError(error)))
      .finally(() => {
        running = undefined;
      });
  }, millis);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await running;
  };
}
