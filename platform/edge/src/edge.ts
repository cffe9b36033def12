/** The gateway as a whole: site, outbox, connectors, uplink, from start to an orderly end. */
import { dirname, join, resolve } from 'node:path';
import { EVIDENCE_METHOD, LINUX_LOGS, ProcessAttester, type TpmSettings } from '@enerchain/attestation';
import { lockFolder } from '@enerchain/host';
import type { RequestHandler } from '@enerchain/link';
import {
  type Clock,
  describeError,
  type EndpointReport,
  EnerchainError,
  INSPECT_METHOD,
  isControl,
  type Mrid,
  type SourceReport,
  systemClock,
  toIso,
} from '@enerchain/model';
import { WITNESS_METHOD, type WitnessEvent, witnessAnswers } from '@enerchain/provenance';
import { COAP_KEY_FILE, type Quoter, tpmQuoter } from '@enerchain/tcn';
import {
  type CborValue,
  checkApproval,
  checkBreakGlass,
  type NodeKeys,
  type NodeTpm,
  OPERATORS_METHOD,
  openNodeKeys,
  Renewal,
  rotateNodeKey,
} from '@enerchain/trust';
import type { Logger } from 'pino';
import manifest from '../package.json' with { type: 'json' };
import type { Connector } from './connector.ts';
import { EndpointIntake } from './intake.ts';
import { Outbox } from './outbox/outbox.ts';
import { recover, remember } from './outbox/recovery.ts';
import { OutboxStore, type StoreOptions } from './outbox/store.ts';
import { PROTOCOLS } from './protocols.ts';
import { openSite } from './site/load-site.ts';
import type { BoundPoint, EndpointSite, Site } from './site/site.ts';
import { EDGE_NETWORK_METHODS, EdgeNetwork } from './tcn/edge-network.ts';
import { CENTRE } from './trust/centre-watch.ts';
import { measuredFiles } from './trust/measured-files.ts';
import { versioned } from './uplink/announcement.ts';
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
/** Bounds in age, and the moment up to which everything is on disk, are looked after this often, milliseconds. */
const TICK = 5_000;
/** A wall clock that moves this much against the monotonic one has been set, milliseconds. */
const CLOCK_STEP = 2_000;
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
    const edge = new Edge(site, { ...options, logger, clock: options.clock ?? systemClock }, url, identity, keys);
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

type Identity = Awaited<ReturnType<typeof obtainEdgeIdentity>>;

class Edge implements EdgeHandle {
  readonly name: string;
  readonly closed: Promise<void>;
  readonly #site: Site;
  readonly #keys: NodeKeys;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #dataDir: string;
  readonly #store: OutboxStore;
  readonly #outbox: Outbox;
  readonly #intakes = new Map<string, EndpointIntake>();
  readonly #connectors = new Map<string, Connector>();
  readonly #failed = new Map<string, string>();
  readonly #uplink: Uplink;
  readonly #desk: CommandDesk;
  readonly #inspections: InspectionDesk;
  readonly #operators: HeldOperators;
  readonly #renewal: Renewal;
  readonly #attester: ProcessAttester | undefined;
  readonly #network: EdgeNetwork | undefined;
  readonly #startedAt: bigint;
  #ticker: NodeJS.Timeout | undefined;
  #clockOffset: number;
  #closing: Promise<void> | undefined;
  #resolveClosed: () => void = () => undefined;

  constructor(
    site: Site,
    options: EdgeOptions & { logger: Logger; clock: Clock },
    url: string,
    identity: Identity,
    keys: NodeKeys,
  ) {
    const { logger, clock } = options;
    this.name = site.source;
    this.#site = site;
    this.#keys = keys;
    this.#logger = logger;
    this.#clock = clock;
    this.#startedAt = clock.now();
    this.#clockOffset = this.#wallOffset();
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#store = new OutboxStore(join(options.dataDir, 'outbox.sqlite'), { clock, ...options.store });
    const points = slotsOf(site);
    const recovery = recover(this.#store, enabled(site).map(idOf), clock);
    this.#outbox = new Outbox({
      store: this.#store,
      settings: site.outbox,
      source: site.source,
      signer: identity.signer,
      kid: identity.kid,
      points,
      clock,
      logger,
    });
    for (const endpoint of enabled(site)) {
      const id = idOf(endpoint);
      const openGap = recovery.openGaps.get(id);
      const intake = new EndpointIntake({
        endpoint: id,
        outbox: this.#outbox,
        clock,
        logger: logger.child({ endpoint: id }),
        points,
        openGap,
        onChange: () => this.#uplink.reportSoon(),
      });
      this.#intakes.set(id, intake);
    }
    this.#remember(site);
    this.#announce();
    const at = String(clock.now());
    const until = recovery.committedUntil;
    if (!recovery.clean && !recovery.fresh && until !== undefined) {
      const detail = `the last run broke off; everything up to ${toIso(until)} is kept`;
      logger.warn(detail);
      void this.#outbox.writeSourceEvents([{ kind: 'uncleanRestart', at, detail }]);
    }
    void this.#outbox.writeSourceEvents([{ kind: 'started', at, detail: SOFTWARE }]);
    for (const gap of recovery.orphaned) {
      const detail = `${gap.detail}; the endpoint is no longer part of the site`;
      const { endpoint, reason, since } = gap;
      void this.#outbox.writeGap({ reason, endpoint, from: String(since), to: at, detail }, [{ close: endpoint }]);
    }
    const { dataDir } = options;
    this.#dataDir = dataDir;
    const newest = () => this.#renewal.identity;
    const cosign = witnessAnswers({ dataDir, identity: newest, clock, onEvent: (event) => this.#logTrouble(event) });
    this.#uplink = new Uplink({
      url,
      identity,
      software: SOFTWARE,
      outbox: this.#outbox,
      clock,
      logger,
      ...(site.uplink.bytesPerSecond === undefined ? {} : { bytesPerSecond: site.uplink.bytesPerSecond }),
      reportSeconds: site.uplink.reportSeconds,
      report: () => this.report(),
      onCommand: (bytes) => this.#desk.receive(bytes),
      answers: new Map<string, RequestHandler>([
        [OPERATORS_METHOD, (_method, params) => this.#takeOperators(params)],
        [EVIDENCE_METHOD, (_method, params) => this.#evidence(params)],
        [WITNESS_METHOD, (_method, params) => cosign(params)],
        [INSPECT_METHOD, (_method, params, context) => this.#inspections.answer(params, context)],
        ...EDGE_NETWORK_METHODS.map((method): [string, RequestHandler] => [
          method,
          (_method, params) => this.#inNetwork(method, params),
        ]),
      ]),
      operators: () => this.#operators.version,
      onConnected: (connected) => this.#network?.connected(connected),
      announce: () => this.#announce(),
    });
    this.#operators = new HeldOperators(join(options.dataDir, 'operators'), this.#uplink.centreKeyOf);
    this.#renewal = new Renewal({
      dir: join(options.dataDir, 'identity'),
      identity,
      url,
      evidence: (binding) => this.#attester?.proof(binding) ?? Promise.resolve(undefined),
      clock,
      onRenewed: (renewed) => {
        logger.info({ until: renewed.certificate.notAfter }, 'the certificate was renewed');
        this.#uplink.renewed(renewed);
        this.#network?.renewed(renewed);
      },
      ...(options.keyDays === undefined ? {} : { keyDays: options.keyDays }),
      ...(keys.signer && { keys }),
      rotate: (asking) =>
        rotateNodeKey(asking, keys.tpm, (error) =>
          logger.warn({ error: describeError(error) }, 'the authority did not confirm that the new key is in the TPM'),
        ),
      onFailed: (error, expires) =>
        logger.warn({ error: describeError(error), expires }, 'the certificate could not be renewed; trying again'),
    });
    this.#attester = options.installation
      ? new ProcessAttester({
          root: options.installation,
          dataDir: options.dataDir,
          identity: () => this.#renewal.identity,
          files: measuredFiles(site.file),
          ...(keys.tpm ? { tpm: tpmSettings(keys.tpm, site, options.dataDir, url) } : {}),
          clock,
          onTrouble: (error) => logger.error({ error: describeError(error) }, 'this gateway cannot attest'),
        })
      : undefined;
    this.#attester?.onChange(() => this.#uplink.attestationChanged());
    this.#network = this.#attester
      ? new EdgeNetwork({
          identity,
          attester: this.#attester,
          settings: site.network,
          dataDir,
          software: SOFTWARE,
          clock,
          logger,
          writeSourceEvents: (events) => this.#outbox.writeSourceEvents(events),
          request: (method, params, more) => this.#uplink.request(method, params, more),
          exporter: () => this.#uplink.exporter(),
          ...(keys.tpm ? { quote: coapQuoter(keys.tpm, site, dataDir) } : {}),
          isConnected: () => this.#uplink.connected,
        })
      : undefined;
    this.#inspections = new InspectionDesk({
      source: site.source,
      policy: site.policy,
      connectors: this.#connectors,
      ready: (bytes, signal) => this.#uplink.spare(bytes, signal),
      clock,
      logger,
      writeSourceEvents: (events) => this.#outbox.writeSourceEvents(events),
    });
    this.#desk = new CommandDesk({
      points: controlsOf(site),
      connectors: this.#connectors,
      gate: new CommandGate({
        policy: site.policy,
        mayCommand: options.mayCommand ?? this.#network?.mayCommand,
        approvedBy: (command) =>
          checkApproval(command, this.#operators.list, (challenge) => this.#uplink.guard.knows(challenge)),
        brokenBy: (command) =>
          checkBreakGlass(command, this.#operators.list, (challenge) => this.#uplink.guard.knows(challenge)),
      }),
      guard: this.#uplink.guard,
      clock,
      logger,
      writeEvents: (events) => this.#outbox.writeCommandEvents(events),
      writeSourceEvents: (events) => this.#outbox.writeSourceEvents(events),
    });
  }

  /** @throws EnerchainError: the centre hears of it, and the chain of this gateway tells it too */
  #takeOperators(params: CborValue): CborValue {
    const { documents } = params as { documents?: unknown };
    try {
      if (!Array.isArray(documents) || !documents.every((each) => each instanceof Uint8Array)) {
        throw new EnerchainError('peer', 'trust.operators.size', 'there are no lists of operators');
      }
      this.#operators.take(documents);
    } catch (error) {
      const code = error instanceof EnerchainError ? error.code : 'trust.operators';
      const detail = `a list of operators was refused: ${describeError(error)}`.slice(0, 1000);
      this.#logger.error({ code }, detail);
      void this.#outbox.writeSourceEvents([{ kind: 'security', at: String(this.#clock.now()), code, detail }]);
      throw error;
    }
    this.#logger.info({ version: this.#operators.version }, 'the list of operators');
    return { version: this.#operators.version };
  }

  async start(): Promise<void> {
    this.#uplink.start();
    await this.#network?.start();
    // A value is attested when good results stand before and after it: the first one should come before the first value.
    await this.#attester?.asked(FIRST_PROOF);
    if (this.#closing) return;
    const folder = dirname(resolve(this.#site.file));
    for (const endpoint of enabled(this.#site)) {
      const id = idOf(endpoint);
      const logger = this.#logger.child({ endpoint: id });
      try {
        const host = {
          intake: this.#intakes.get(id)!,
          clock: this.#clock,
          logger,
          folder,
          data: this.#dataDir,
          source: this.name,
        };
        const connector = await PROTOCOLS[endpoint.endpoint.protocol]!.create(endpoint, host);
        connector.start();
        this.#connectors.set(id, connector);
      } catch (error) {
        // One endpoint that cannot be started is no reason to leave the others unheard.
        this.#failed.set(id, describeError(error));
        logger.error({ error: describeError(error) }, 'the endpoint cannot be started');
        void this.#outbox.writeSourceEvents([
          {
            kind: 'configuration',
            at: String(this.#clock.now()),
            endpoint: id,
            detail: describeError(error).slice(0, 1000),
          },
        ]);
      }
    }
    this.#ticker = setInterval(() => this.#tick(), TICK);
  }

  async rotateKey(): Promise<void> {
    await this.#renewal.rotate();
  }

  get connected(): boolean {
    return this.#uplink.connected;
  }

  #evidence(params: CborValue): Promise<CborValue> {
    const channel = { verifier: CENTRE, exporter: () => this.#uplink.exporter() };
    if (this.#attester) return this.#attester.answer(params, channel);
    throw new EnerchainError(
      'unsupported',
      'edge.attestation',
      `the gateway ${this.name} was started without an attester`,
    );
  }

  /** The centre shows another log than before; it hears of it too, with its own words against it in our log. */
  #logTrouble({ code, text }: WitnessEvent): void {
    this.#logger.error({ code }, text);
    const event = { kind: 'security', at: String(this.#clock.now()), code, detail: text.slice(0, 1000) } as const;
    void this.#outbox.writeSourceEvents([event]);
  }

  /** @throws EnerchainError `edge.network` when this gateway takes no part in a network */
  #inNetwork(method: string, params: CborValue): CborValue {
    if (this.#network) return this.#network.answer(method, params);
    throw new EnerchainError('unsupported', 'edge.network', `the gateway ${this.name} is no node of a network`);
  }

  #announce(): void {
    const { document, change, changed } = versioned(this.#site.document, (key) => this.#store.meta(key));
    if (changed) this.#logger.info({ version: document.version, points: document.points.length }, 'new announcement');
    void this.#outbox.write({ kind: 'site', document }, [change]);
  }

  #remember(site: Site): void {
    const memories = new Map([...this.#intakes].map(([id, intake]) => [id, intake.memory]));
    const slots = new Map<Mrid, { slot: number; endpoint: string }>();
    for (const endpoint of enabled(site)) {
      for (const { slot, point } of endpoint.points) slots.set(point.mRID, { slot, endpoint: idOf(endpoint) });
    }
    remember(this.#store, memories, slots, this.#logger);
  }

  #tick(): void {
    this.#outbox.tick();
    const offset = this.#wallOffset();
    const step = offset - this.#clockOffset;
    if (Math.abs(step) > CLOCK_STEP) {
      const detail = `the clock of this machine was set by ${(step / 1000).toFixed(1)} s`;
      this.#logger.warn(detail);
      void this.#outbox.writeSourceEvents([{ kind: 'clockStep', at: String(this.#clock.now()), detail }]);
      // Or the machine has slept: the age of what answers the present one could not be told.
      this.#uplink.challenge();
    }
    // Slow drift is followed, so that it never adds up to a step.
    this.#clockOffset = offset;
  }

  #wallOffset(): number {
    return Number(this.#clock.now() / 1_000_000n) - this.#clock.monotonic();
  }

  report(): SourceReport {
    const oldest = this.#store.oldest;
    const prefixed = (prefix: string, counters: object): Record<string, number> =>
      Object.fromEntries(Object.entries(counters).map(([name, value]) => [`${prefix}.${name}`, value as number]));
    return {
      version: manifest.version,
      startedAt: String(this.#startedAt),
      outbox: {
        batches: this.#store.batches,
        bytes: this.#store.bytes,
        ...(oldest === undefined ? {} : { oldest: String(BigInt(oldest) * 1_000_000n) }),
      },
      endpoints: this.#site.endpoints.map((endpoint) => this.#reportOf(endpoint)),
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

  #reportOf(endpoint: EndpointSite): EndpointReport {
    const id = idOf(endpoint);
    const { protocol } = endpoint.endpoint;
    if (!endpoint.enabled) return { id, protocol, state: 'disabled', counters: {} };
    const intake = this.#intakes.get(id)!;
    const health = this.#connectors.get(id)?.health();
    if (!health) {
      const detail = this.#failed.get(id) ?? 'not started yet';
      return { id, protocol, state: 'down', detail: detail.slice(0, 1000), counters: { ...intake.counters } };
    }
    return {
      id,
      protocol,
      state: health.state,
      since: String(health.since),
      ...(health.detail === undefined ? {} : { detail: health.detail.slice(0, 1000) }),
      counters: { ...health.counters, ...intake.counters },
    };
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
    const stopped = Promise.allSettled([...this.#connectors.values()].map((connector) => connector.stop()));
    // A device waits for its acknowledgement before it stops, and gets none while the disk fails.
    const ended = stopped.then(() => this.#desk.settled());
    await Promise.race([ended, new Promise((giveUp) => setTimeout(giveUp, STOP).unref())]);
    void this.#outbox.writeSourceEvents([{ kind: 'stopped', at: String(this.#clock.now()) }]);
    const changes = [...this.#intakes.values()].flatMap((intake) => intake.stopped());
    await this.#outbox.flush();
    await this.#uplink.drain(DRAIN);
    await this.#uplink.stop();
    await this.#outbox.close(changes);
    await this.#keys.close();
    this.#logger.info('closed');
  }
}

function tpmSettings(tpm: NodeTpm, { trust: { eventLog } }: Site, dataDir: string, url: string): TpmSettings {
  const settings = { tpm, identityDir: join(dataDir, 'identity'), url: `https://${new URL(url).host}` };
  return { ...settings, ...(eventLog ? { eventLog } : {}) };
}

function coapQuoter({ client: tpm }: NodeTpm, { trust: { eventLog } }: Site, dataDir: string): Quoter {
  const logs = { ima: LINUX_LOGS.ima, 'tcg-boot': eventLog ?? LINUX_LOGS.events };
  return tpmQuoter({ tpm, keyFile: join(dataDir, COAP_KEY_FILE), logs });
}

const idOf = (endpoint: EndpointSite): string => endpoint.endpoint.id;
const enabled = (site: Site): EndpointSite[] => site.endpoints.filter((endpoint) => endpoint.enabled);

/** mRID of each slot. */
function slotsOf(site: Site): Mrid[] {
  const points: Mrid[] = [];
  for (const endpoint of site.endpoints) for (const { slot, point } of endpoint.points) points[slot] = point.mRID;
  return points;
}

/** The points that can be commanded; a point that is bound twice is commanded over its first binding. */
function controlsOf(site: Site): Map<Mrid, { bound: BoundPoint; endpoint: string }> {
  const controls = new Map<Mrid, { bound: BoundPoint; endpoint: string }>();
  for (const endpoint of enabled(site)) {
    for (const bound of endpoint.points) {
      const { point, binding } = bound;
      if (!isControl(point) || binding.access !== 'control' || controls.has(point.mRID)) continue;
      controls.set(point.mRID, { bound, endpoint: idOf(endpoint) });
    }
  }
  return controls;
}
