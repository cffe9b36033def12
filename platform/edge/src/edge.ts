/** The gateway as a whole: site, outbox, endpoints, uplink, from start to an orderly end. */
import { join } from 'node:path';
import { ProcessAttester } from '@enerchain/attestation';
import { lockFolder } from '@enerchain/host';
import {
  type Clock,
  describeError,
  EnerchainError,
  type SourceEvent,
  type SourceReport,
  systemClock,
  toIso,
} from '@enerchain/model';
import { witnessAnswers } from '@enerchain/provenance';
import { checkApproval, checkBreakGlass, type NodeKeys, openNodeKeys, Renewal, rotateNodeKey } from '@enerchain/trust';
import type { Logger } from 'pino';
import manifest from '../package.json' with { type: 'json' };
import { ClockWatch } from './clock-watch.ts';
import { Endpoints } from './endpoints.ts';
import { Outbox } from './outbox/outbox.ts';
import { type Recovery, recover, remember } from './outbox/recovery.ts';
import { OutboxStore, type StoreOptions } from './outbox/store.ts';
import { openSite } from './site/load-site.ts';
import type { Site } from './site/site.ts';
import { controlsOf, enabledOf, idOf, pointsBySlot, slotsByPoint } from './site/slots.ts';
import { EdgeNetwork } from './tcn/edge-network.ts';
import { measuredFiles } from './trust/measured-files.ts';
import { coapQuoter, type EdgeTpm, tpmSettings } from './trust/tpm.ts';
import { versioned } from './uplink/announcement.ts';
import { answersOf } from './uplink/answers.ts';
import { CommandDesk } from './uplink/commands.ts';
import { obtainEdgeIdentity } from './uplink/enrolment.ts';
import { CommandGate, type MayCommand } from './uplink/gate.ts';
import { InspectionDesk } from './uplink/inspections.ts';
import { HeldOperators } from './uplink/operators.ts';
import { Uplink } from './uplink/uplink.ts';

export interface EdgeOptions {
  readonly siteFile: string;
  /** Folder of this edge alone: identity and outbox. Made when it is not there. */
  readonly dataDir: string;
  readonly centre: {
    /** `wss://host:port`; the site file's `uplink.url` when absent. */
    readonly url?: string;
    /** One-time enrolment token; needed on the first start only. */
    readonly token?: string;
  };
  readonly logger: Logger;
  /** Ends the edge in good order. */
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  /** What this gateway's own view of the nodes on the way says about commands to a point. */
  readonly mayCommand?: MayCommand;
  /** Folder of the installation, to attest what runs here; absent: this gateway does not attest. */
  readonly installation?: string;
  /** Days after which a key in a file gives way to another one; absent: it stays. */
  readonly keyDays?: number;
  /** For tests: writes of the outbox that fail. */
  readonly store?: StoreOptions;
}

export interface EdgeHandle {
  readonly name: string;
  /** Whether the centre is connected at this moment. */
  readonly connected: boolean;
  /** The state as it is reported to the centre. */
  report(): SourceReport;
  /**
   * Makes another key for this gateway, certified on the word of the present one. Nothing is lost: what the old one has
   * signed stays valid. @throws EnerchainError (environment) when the centre cannot be reached
   */
  rotateKey(): Promise<void>;
  /** Closes in good order; the same as aborting the signal. */
  close(): Promise<void>;
  /** Resolves when the edge has ended. */
  readonly closed: Promise<void>;
}

const SOFTWARE = `${manifest.name} ${manifest.version}`;
/** Bounds in age, the moment up to which everything is on disk, and the clock are looked after this often, milliseconds. */
const TICK = 5_000;
/** How long connectors may take to end their connections in order, milliseconds. */
const STOP = 4_000;
/** How long the first value waits for a first proof of what takes it, milliseconds; without a centre it waits in vain. */
const FIRST_PROOF = 1_500;
/** How long the last batches may take to reach the centre when the edge is closed, milliseconds. */
const DRAIN = 3_000;

/**
 * Starts an edge.
 * @throws SiteError when the site file cannot be used; EnerchainError when there is no identity and no token, when the
 *   enrolment is refused, when another process uses the folder, or when the outbox cannot be opened
 */
export async function runEdge(options: EdgeOptions): Promise<EdgeHandle> {
  const { site, warnings } = openSite(options.siteFile);
  const logger = options.logger.child({ edge: site.source });
  for (const { text } of warnings) logger.warn(text);
  const url = options.centre.url ?? site.uplink.url;
  if (url === undefined) {
    throw new EnerchainError('caller', 'edge.centre', `${site.file} names no centre (uplink.url) and none was given`);
  }
  const lock = lockFolder(options.dataDir, `the gateway ${site.source}`);
  let keys: NodeKeys | undefined;
  try {
    keys = await openNodeKeys({ ...site.trust, dir: join(options.dataDir, 'identity') });
    const identity = await obtainEdgeIdentity({
      dir: join(options.dataDir, 'identity'),
      source: site.source,
      url,
      token: options.centre.token,
      logger,
      signer: keys.signer,
      tlsInHsm: keys.tlsInHsm,
      signal: options.signal,
    });
    const edge = new Edge(site, { ...options, logger, clock: options.clock ?? systemClock, url, identity, keys });
    void edge.closed.then(() => lock.release());
    await edge.start();
    if (options.signal?.aborted) await edge.close();
    else options.signal?.addEventListener('abort', () => void edge.close(), { once: true });
    return edge;
  } catch (error) {
    await keys?.close();
    lock.release();
    throw error;
  }
}

/** What `runEdge` has settled before there is an edge. */
interface Settled extends EdgeOptions {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly url: string;
  readonly identity: Awaited<ReturnType<typeof obtainEdgeIdentity>>;
  readonly keys: NodeKeys;
}

class Edge implements EdgeHandle {
  readonly name: string;
  readonly closed: Promise<void>;
  readonly #site: Site;
  readonly #options: Settled;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #startedAt: bigint;
  readonly #clockWatch: ClockWatch;
  readonly #store: OutboxStore;
  readonly #outbox: Outbox;
  readonly #endpoints: Endpoints;
  readonly #renewal: Renewal;
  readonly #attester: ProcessAttester | undefined;
  readonly #network: EdgeNetwork | undefined;
  readonly #operators: HeldOperators;
  readonly #inspections: InspectionDesk;
  readonly #uplink: Uplink;
  readonly #desk: CommandDesk;
  #ticker: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;
  #resolveClosed: () => void = () => undefined;

  constructor(site: Site, options: Settled) {
    const { logger, clock, dataDir, identity } = options;
    this.name = site.source;
    this.#site = site;
    this.#options = options;
    this.#logger = logger;
    this.#clock = clock;
    this.#startedAt = clock.now();
    this.#clockWatch = new ClockWatch(clock);
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#store = new OutboxStore(join(dataDir, 'outbox.sqlite'), { clock, ...options.store });
    const recovery = recover(this.#store, enabledOf(site).map(idOf), clock);
    this.#outbox = new Outbox({
      store: this.#store,
      settings: site.outbox,
      source: site.source,
      signer: identity.signer,
      kid: identity.kid,
      points: pointsBySlot(site),
      clock,
      logger,
    });
    this.#endpoints = new Endpoints({
      site,
      dataDir,
      outbox: this.#outbox,
      openGaps: recovery.openGaps,
      clock,
      logger,
      onChange: () => this.#uplink.reportSoon(),
    });
    remember(this.#store, this.#endpoints.memories, slotsByPoint(site), logger);
    this.#begin(recovery);
    // Each of the following reaches the uplink only when something happens; what it answers with is there before it.
    this.#operators = new HeldOperators(join(dataDir, 'operators'), (kid) => this.#uplink.centreKeyOf(kid));
    this.#renewal = this.#newRenewal();
    this.#attester = this.#newAttester();
    this.#network = this.#attester && this.#newNetwork(this.#attester);
    this.#inspections = new InspectionDesk({
      source: site.source,
      policy: site.policy,
      connectors: this.#endpoints.connectors,
      ready: (bytes, signal) => this.#uplink.spare(bytes, signal),
      clock,
      logger,
      writeSourceEvents: (events) => this.#outbox.writeSourceEvents(events),
    });
    this.#uplink = this.#newUplink();
    this.#desk = this.#newDesk();
  }

  // --- its parts -----------------------------------------------------------------------------------------------------

  #newRenewal(): Renewal {
    const { dataDir, identity, url, clock, logger, keys, keyDays } = this.#options;
    return new Renewal({
      dir: join(dataDir, 'identity'),
      identity,
      url,
      evidence: (binding) => this.#attester?.proof(binding) ?? Promise.resolve(undefined),
      clock,
      onRenewed: (renewed) => {
        logger.info({ until: renewed.certificate.notAfter }, 'the certificate was renewed');
        this.#uplink.renewed(renewed);
        this.#network?.renewed(renewed);
      },
      ...(keyDays === undefined ? {} : { keyDays }),
      ...(keys.signer && { keys }),
      rotate: (asking) =>
        rotateNodeKey(asking, keys.tpm, (error) =>
          logger.warn({ error: describeError(error) }, 'the authority did not confirm that the new key is in the TPM'),
        ),
      onFailed: (error, expires) =>
        logger.warn({ error: describeError(error), expires }, 'the certificate could not be renewed; trying again'),
    });
  }

  #newAttester(): ProcessAttester | undefined {
    const { installation, dataDir, clock, logger, url } = this.#options;
    if (!installation) return undefined;
    const tpm = this.#tpm;
    const attester = new ProcessAttester({
      root: installation,
      dataDir,
      identity: () => this.#renewal.identity,
      files: measuredFiles(this.#site.file),
      ...(tpm ? { tpm: tpmSettings(tpm, url) } : {}),
      clock,
      onTrouble: (error) => logger.error({ error: describeError(error) }, 'this gateway cannot attest'),
    });
    attester.onChange(() => this.#uplink.attestationChanged());
    return attester;
  }

  #newNetwork(attester: ProcessAttester): EdgeNetwork {
    const { identity, dataDir, clock, logger } = this.#options;
    const tpm = this.#tpm;
    return new EdgeNetwork({
      identity,
      attester,
      settings: this.#site.network,
      dataDir,
      software: SOFTWARE,
      clock,
      logger,
      writeSourceEvents: (events) => this.#outbox.writeSourceEvents(events),
      request: (method, params, more) => this.#uplink.request(method, params, more),
      exporter: () => this.#uplink.exporter(),
      ...(tpm ? { quote: coapQuoter(tpm) } : {}),
      isConnected: () => this.#uplink.connected,
    });
  }

  #newUplink(): Uplink {
    const { url, identity, dataDir, clock, logger } = this.#options;
    const { bytesPerSecond, reportSeconds } = this.#site.uplink;
    return new Uplink({
      url,
      identity,
      software: SOFTWARE,
      outbox: this.#outbox,
      clock,
      logger,
      ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
      reportSeconds,
      report: () => this.report(),
      onCommand: (bytes) => this.#desk.receive(bytes),
      answers: answersOf({
        source: this.name,
        operators: this.#operators,
        cosign: witnessAnswers({
          dataDir,
          identity: () => this.#renewal.identity,
          clock,
          // The centre shows another log than before; it hears of it too, with its own words against it in our log.
          onEvent: ({ code, text }) => this.#security(code, text),
        }),
        inspections: this.#inspections,
        attester: this.#attester,
        network: this.#network,
        exporter: () => this.#uplink.exporter(),
        security: (code, detail) => this.#security(code, detail),
        logger,
      }),
      operators: () => this.#operators.version,
      onConnected: (connected) => this.#network?.connected(connected),
      announce: () => this.#announce(),
    });
  }

  #newDesk(): CommandDesk {
    const { mayCommand, clock, logger } = this.#options;
    const { guard } = this.#uplink;
    const knows = (challenge: string): boolean => guard.knows(challenge);
    return new CommandDesk({
      points: controlsOf(this.#site),
      connectors: this.#endpoints.connectors,
      gate: new CommandGate({
        policy: this.#site.policy,
        mayCommand: mayCommand ?? this.#network?.mayCommand,
        approvedBy: (command) => checkApproval(command, this.#operators.list, knows),
        brokenBy: (command) => checkBreakGlass(command, this.#operators.list, knows),
      }),
      guard,
      clock,
      logger,
      writeEvents: (events) => this.#outbox.writeCommandEvents(events),
      writeSourceEvents: (events) => this.#outbox.writeSourceEvents(events),
    });
  }

  get #tpm(): EdgeTpm | undefined {
    const { keys, dataDir } = this.#options;
    return keys.tpm && { tpm: keys.tpm, eventLog: this.#site.trust.eventLog, dataDir };
  }

  // --- its life ------------------------------------------------------------------------------------------------------

  /** What stands first on the chain of this run: which points it speaks for, and what became of the run before. */
  #begin({ clean, fresh, committedUntil, orphaned }: Recovery): void {
    this.#announce();
    if (!clean && !fresh && committedUntil !== undefined) {
      const detail = `the last run broke off; everything up to ${toIso(committedUntil)} is kept`;
      this.#logger.warn(detail);
      this.#tell({ kind: 'uncleanRestart', detail });
    }
    this.#tell({ kind: 'started', detail: SOFTWARE });
    for (const { endpoint, reason, since, detail } of orphaned) {
      const gap = {
        reason,
        endpoint,
        from: String(since),
        to: String(this.#clock.now()),
        detail: `${detail}; the endpoint is no longer part of the site`,
      };
      void this.#outbox.writeGap(gap, [{ close: endpoint }]);
    }
  }

  async start(): Promise<void> {
    this.#uplink.start();
    await this.#network?.start();
    // A value is attested when good results stand before and after it: the first one should come before the first value.
    await this.#attester?.asked(FIRST_PROOF);
    if (this.#closing) return;
    await this.#endpoints.start();
    this.#ticker = setInterval(() => this.#tick(), TICK);
  }

  #tick(): void {
    this.#outbox.tick();
    const step = this.#clockWatch.step();
    if (step === undefined) return;
    const detail = `the clock of this machine was set by ${(step / 1000).toFixed(1)} s`;
    this.#logger.warn(detail);
    this.#tell({ kind: 'clockStep', detail });
    // Or the machine has slept: the age of what answers the present one could not be told.
    this.#uplink.challenge();
  }

  close(): Promise<void> {
    this.#closing ??= this.#shutDown().finally(() => this.#resolveClosed());
    return this.#closing;
  }

  async #shutDown(): Promise<void> {
    clearInterval(this.#ticker);
    this.#renewal.close();
    await this.#network?.close();
    this.#attester?.close();
    this.#logger.info('closing');
    // What has been heard is committed first, so that the devices can be told before the connections end.
    await this.#outbox.flush();
    // A device waits for its acknowledgement before it stops, and gets none while the disk fails.
    const ended = this.#endpoints.stop().then(() => this.#desk.settled());
    await Promise.race([ended, new Promise((giveUp) => setTimeout(giveUp, STOP).unref())]);
    this.#tell({ kind: 'stopped' });
    const changes = this.#endpoints.stopped();
    await this.#outbox.flush();
    await this.#uplink.drain(DRAIN);
    await this.#uplink.stop();
    await this.#outbox.close(changes);
    await this.#options.keys.close();
    this.#logger.info('closed');
  }

  async rotateKey(): Promise<void> {
    await this.#renewal.rotate();
  }

  // --- what others hear of it ----------------------------------------------------------------------------------------

  get connected(): boolean {
    return this.#uplink.connected;
  }

  report(): SourceReport {
    const { oldest, batches, bytes } = this.#store;
    const prefixed = (prefix: string, counters: object): Record<string, number> =>
      Object.fromEntries(Object.entries(counters).map(([name, value]) => [`${prefix}.${name}`, value as number]));
    return {
      version: manifest.version,
      startedAt: String(this.#startedAt),
      outbox: {
        batches,
        bytes,
        ...(oldest === undefined ? {} : { oldest: String(BigInt(oldest) * 1_000_000n) }),
      },
      endpoints: this.#endpoints.report(),
      counters: {
        ...prefixed('outbox', this.#outbox.counters),
        'outbox.memory': this.#outbox.memory,
        'outbox.failing': this.#outbox.failing ? 1 : 0,
        'outbox.epoch': this.#outbox.epoch,
        ...prefixed('commands', this.#desk.counters),
        ...prefixed('inspections', this.#inspections.counters),
        ...this.#uplink.counters,
        ...this.#network?.counters,
        'process.rss': process.memoryUsage.rss(),
      },
    };
  }

  /** Puts it on the chain, as part of the history of this source. */
  #tell(event: Omit<SourceEvent, 'at'>): void {
    void this.#outbox.writeSourceEvents([{ ...event, at: String(this.#clock.now()) }]);
  }

  #security(code: string, text: string): void {
    const detail = text.slice(0, 1000);
    this.#logger.error({ code }, detail);
    this.#tell({ kind: 'security', code, detail });
  }

  #announce(): void {
    const { document, change, changed } = versioned(this.#site.document, (key) => this.#store.meta(key));
    if (changed) this.#logger.info({ version: document.version, points: document.points.length }, 'new announcement');
    void this.#outbox.write({ kind: 'site', document }, [change]);
  }
}
