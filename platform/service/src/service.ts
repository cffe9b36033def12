/**
 * A service: a process with an identity of its own on the ports of the centre. It reads the log from where it had read
 * to, publishes on a chain of its own, raises alarms, answers over HTTP, adds pages, and commands where it may.
 */
import { join } from 'node:path';
import { CHANGED_METHOD, EVIDENCE_METHOD, ProcessAttester } from '@enerchain/attestation';
import { lockFolder } from '@enerchain/host';
import {
  BatchBuilder,
  type Connect,
  type HttpRequest,
  type HttpResponse,
  LinkClient,
  readSites,
  type ServiceLogEntry,
  type Welcome,
} from '@enerchain/link';
import {
  type Cause,
  type Clock,
  describeError,
  type EndpointReport,
  EnerchainError,
  type Mrid,
  QUALITY,
  type RaisedAlarm,
  type SiteDocument,
  systemClock,
  TIME_GOOD,
  toMillis,
  type UtcNanos,
  type Value,
} from '@enerchain/model';
import { WITNESS_METHOD, witnessAnswers } from '@enerchain/provenance';
import { type CborValue, type Identity, Renewal } from '@enerchain/trust';
import type { Logger } from 'pino';
import { ChainStore } from './chain-store.ts';
import { CheckpointFile } from './checkpoint.ts';
import { type Commands, commandsOver } from './commands.ts';
import { problem } from './http.ts';
import { serviceIdentity } from './identity.ts';
import { LogFollower } from './log-follower.ts';
import { OwnChain } from './own-chain.ts';
import { type PageFiles, type PageOptions, pageFiles } from './page.ts';

export type Announcement = Pick<SiteDocument, 'site' | 'endpoints' | 'points' | 'bindings'>;

export interface NewValue {
  readonly point: Mrid;
  readonly value: Value;
  /** Default: good and estimated. */
  readonly quality?: number;
  /** Default: now. */
  readonly at?: UtcNanos;
  /** Default: `estimated`. */
  readonly cause?: Cause;
}

/** Raised again with `active: false` when its condition has gone. */
export type NewAlarm = Omit<RaisedAlarm, 'source' | 'at'> & { readonly at?: UtcNanos };

export interface Routes {
  /** Below `/api/v1`, for example `/services/mean`. */
  readonly prefix: string;
  /** OpenAPI 3.1 path items by path below the prefix; part of `/api/v1/openapi.json`. */
  readonly openapi?: Readonly<Record<string, object>>;
  /** @param path below the prefix, without query and closing slash */
  answer?(path: string, request: HttpRequest): HttpResponse | Promise<HttpResponse>;
}

export interface ServiceOptions {
  /** The name in its certificate. */
  readonly name: string;
  /** Name and version of the software. */
  readonly software: string;
  /** Identity, chain and checkpoint lie in here. */
  readonly dataDir: string;
  /** `token`: for the enrolment on the first start. */
  readonly centre: { readonly url: string; readonly token?: string };
  readonly logger: Logger;
  readonly signal?: AbortSignal;
  /** Where the log is read from on the first start: its beginning, or what comes from now on. Default its beginning. */
  readonly from?: 'beginning' | 'next';
  /** Every record of the log in order, the service's own too; the next comes when this has been worked off. */
  onRecord?(record: ServiceLogEntry, service: Service): void | Promise<void>;
  /** After each connect, before the log is read; tried again when it throws. */
  onConnected?(service: Service, signal: AbortSignal): void | Promise<void>;
  /** The announcements of all other sources have changed. */
  onSites?(service: Service): void;
  /** The own announcement was made again: the centre may know none of the values said so far. */
  onAnnounced?(): void;
  /** What is kept with the place in the log, as JSON, so that a restart needs no reading from the beginning. */
  readonly checkpoint?: {
    /** Undefined: not now. */
    save(): unknown;
    /** Called once, before anything else. */
    restore(kept: unknown): void;
  };
  readonly routes?: Routes;
  readonly pages?: readonly PageOptions[];
  /** State and counters for the list of sources. */
  report?(): { readonly endpoints?: readonly EndpointReport[]; readonly counters?: Readonly<Record<string, number>> };
  /** Octets of own batches that may wait for the centre. Default 64 MiB. */
  readonly maxBytes?: number;
  /** Folder of the installation, to attest what runs here; absent: this service does not attest. */
  readonly installation?: string;
  /** Instead of the one in `dataDir`. */
  readonly identity?: Identity;
  readonly clock?: Clock;
  readonly connect?: Connect;
}

/** ms between two checkpoints. */
const CHECKPOINT_EVERY = 30_000;
const REPORT_EVERY = 5000;
/** ms until what failed right after a connect is tried again. */
const RETRY = 2000;
/** Days after which the key of a service gives way to another one. */
const KEY_DAYS = 365;
const MAX_BYTES = 64 * 1024 * 1024;

/**
 * Starts a service; returns when it has its identity, whether or not the centre can be reached.
 * @throws EnerchainError what `serviceIdentity` throws, `service.chain.open`, `service.page`
 */
export async function runService(options: ServiceOptions): Promise<Service> {
  const { name, dataDir, centre, logger, signal } = options;
  const dir = join(dataDir, 'identity');
  const lock = lockFolder(dataDir, `the service ${name}`);
  let service: Service;
  try {
    const identity =
      options.identity ?? (await serviceIdentity({ dir, name, url: centre.url, token: centre.token, logger, signal }));
    service = new Service(options, identity);
    void service.closed.then(() => lock.release());
  } catch (error) {
    lock.release();
    throw error;
  }
  if (signal?.aborted) await service.close();
  else signal?.addEventListener('abort', () => void service.close(), { once: true });
  return service;
}

export class Service {
  readonly name: string;
  readonly identity: Identity;
  readonly commands: Commands;
  /** Resolves when the service has ended. */
  readonly closed: Promise<void>;
  /** Everything grows only. */
  readonly counters = { records: 0, observations: 0, alarms: 0, requests: 0, failedRequests: 0 };
  readonly #options: ServiceOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #checkpoints: CheckpointFile;
  readonly #store: ChainStore;
  readonly #chain: OwnChain;
  readonly #client: LinkClient;
  /** To the centre, as evidence is bound to it. */
  readonly #channel = { verifier: 'centre', exporter: () => this.#client.exporter() };
  readonly #follower: LogFollower;
  readonly #renewal: Renewal | undefined;
  readonly #attester: ProcessAttester | undefined;
  readonly #pages: readonly { readonly page: PageOptions; readonly files: PageFiles }[];
  readonly #sites = new Map<string, SiteDocument>();
  readonly #startedAt: bigint;
  readonly #timers: NodeJS.Timeout[];
  #announcement: Announcement | undefined;
  #session: AbortController | undefined;
  #finish: () => void = () => undefined;
  #closing: Promise<void> | undefined;

  constructor(options: ServiceOptions, identity: Identity) {
    this.#options = options;
    this.name = options.name;
    this.identity = identity;
    const { dataDir, logger, clock = systemClock } = options;
    this.#clock = clock;
    this.#logger = logger;
    this.#startedAt = clock.now();
    this.closed = new Promise((done) => {
      this.#finish = done;
    });
    this.#pages = (options.pages ?? []).map((page) => ({ page, files: pageFiles(page) }));
    this.#checkpoints = new CheckpointFile(dataDir);
    const found = this.#checkpoints.read();
    if (found) options.checkpoint?.restore(found.kept);
    this.#store = new ChainStore(dataDir);
    this.#chain = new OwnChain({
      store: this.#store,
      identity,
      clock,
      logger,
      maxBytes: options.maxBytes ?? MAX_BYTES,
      onWritten: (batch) => this.#client.send(batch),
      onLost: () => this.#announce(),
      reads: () => this.#follower.ranges,
    });
    const cosign = witnessAnswers({
      dataDir,
      identity: () => this.#renewal?.identity ?? identity,
      clock,
      onEvent: ({ code, text }) => logger.error({ code }, text),
    });
    this.#client = new LinkClient({
      url: options.centre.url,
      identity,
      software: options.software,
      store: this.#store,
      clock,
      ...(options.connect ? { connect: options.connect } : {}),
      onState: (state, reason) => {
        if (state === 'online') logger.info('connected to the centre');
        else {
          this.#session?.abort();
          if (state === 'waiting') logger.warn({ reason }, 'not connected to the centre');
        }
      },
      onBehind: (behind) => void this.#chain.behind(behind),
      onReject: ({ epoch, sequence, code, text }) => {
        logger.error({ epoch, sequence, code, text }, 'the centre refused what was published');
        void this.#chain.abandon({ epoch, sequence, text: `${text} (${code})` });
      },
      onWelcome: (welcome) => this.#welcomed(welcome),
      onRequest: (method, params) => {
        if (method === 'http') return this.#http(params as unknown as HttpRequest) as unknown as Promise<CborValue>;
        if (method === EVIDENCE_METHOD && this.#attester) return this.#attester.answer(params, this.#channel);
        if (method === WITNESS_METHOD) return cosign(params);
        throw new EnerchainError('unsupported', 'link.method', `requests '${method}' are not answered here`);
      },
    });
    this.commands = commandsOver(this.#client);
    this.#follower = new LogFollower({
      client: this.#client,
      clock,
      logger,
      from: options.from === 'next' ? 'next' : 0,
      take: (entry) => this.#take(entry),
      another: () => this.#logger.info('the checkpoint is not used'),
    });
    this.#follower.position = found?.position;
    // An identity that was given is looked after by whoever gave it.
    if (!options.identity) this.#renewal = this.#keepValid(identity);
    if (options.installation) this.#attester = this.#attesting(options.installation);
    this.#client.start();
    this.#timers = [setInterval(() => this.#keep(), CHECKPOINT_EVERY), setInterval(() => this.#report(), REPORT_EVERY)];
  }

  #attesting(root: string): ProcessAttester {
    const attester = new ProcessAttester({
      root,
      dataDir: this.#options.dataDir,
      identity: () => this.#renewal?.identity ?? this.identity,
      clock: this.#clock,
      onTrouble: (error) => this.#logger.error({ error: describeError(error) }, 'this service cannot attest'),
    });
    // The centre looks each period anyway; it shall look at once.
    attester.onChange(() => {
      if (this.online) this.#client.request(CHANGED_METHOD, {}).catch(() => undefined);
    });
    return attester;
  }

  get online(): boolean {
    return this.#client.state === 'online';
  }

  /** Seconds that the log runs ahead of what has been read of it; infinite before the first record. */
  get behind(): number {
    return this.#follower.behind;
  }

  /** Announcements of the other sources, as they are in force. */
  get sites(): ReadonlyMap<string, SiteDocument> {
    return this.#sites;
  }

  /** Which points the service speaks for. The centre takes values of no others; the version is looked after. */
  announce(announcement: Announcement): void {
    this.#announcement = announcement;
    this.#announce();
  }

  /** Publishes values; they are durable when the promise resolves. */
  async observe(values: readonly NewValue[]): Promise<void> {
    if (values.length === 0) return;
    const builder = new BatchBuilder();
    const now = this.#clock.now();
    for (const { point, value, quality, at = now, cause = 'estimated' } of values) {
      builder.add({
        point,
        value,
        quality: quality ?? QUALITY.good | QUALITY.estimated,
        sourceTime: at,
        timeQuality: TIME_GOOD,
        receiveTime: now,
        cause,
        repeat: false,
      });
    }
    this.counters.observations += values.length;
    await this.#chain.write({ kind: 'observations', batch: builder.build() });
  }

  /** Raises an alarm, or takes it back; durable when the promise resolves. */
  async raise({ at = this.#clock.now(), ...alarm }: NewAlarm): Promise<void> {
    this.counters.alarms += 1;
    await this.#chain.write({ kind: 'alarmRaised', alarm: { ...alarm, source: this.name, at: String(at) } });
  }

  /** Asks the centre for something. @throws EnerchainError `link.offline`, or what the centre refuses with */
  request(method: string, params: CborValue = {}): Promise<CborValue> {
    return this.#client.request(method, params);
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      for (const timer of this.#timers) clearInterval(timer);
      this.#renewal?.close();
      this.#attester?.close();
      this.#session?.abort();
      await this.#chain.settled();
      await this.#client.close();
      this.#keep();
      this.#store.close();
      this.#finish();
    })();
    return this.#closing;
  }

  #keepValid(identity: Identity): Renewal {
    const { dataDir, centre } = this.#options;
    return new Renewal({
      dir: join(dataDir, 'identity'),
      identity,
      url: centre.url,
      evidence: (binding) => this.#attester?.proof(binding) ?? Promise.resolve(undefined),
      keyDays: KEY_DAYS,
      clock: this.#clock,
      onRenewed: (renewed) => {
        this.#logger.info({ until: renewed.certificate.notAfter }, 'the certificate was renewed');
        this.#chain.renewed(renewed);
        this.#client.renewed(renewed);
      },
      onFailed: (error, expires) =>
        this.#logger.warn(
          { error: describeError(error), expires },
          'the certificate could not be renewed; trying again',
        ),
    });
  }

  #announce(): void {
    if (!this.#announcement || this.#closing) return;
    const { site, endpoints, points, bindings } = this.#announcement;
    const document = this.#checkpoints.versioned(
      { source: this.name, site, endpoints, points, bindings },
      toMillis(this.#clock.now()),
    );
    void this.#chain.write({ kind: 'site', document });
    this.#options.onAnnounced?.();
  }

  #welcomed(welcome: Welcome): void {
    // A centre that knows nothing of us has to be told who we are, unless that is on its way already.
    const unknown = welcome.completed < 0 && welcome.cursors.length === 0;
    if (unknown && this.#store.count === 0) this.#announce();
    const session = new AbortController();
    this.#session?.abort();
    this.#session = session;
    // After the welcome has been worked off: only then can requests be sent.
    setImmediate(() => {
      this.#serve(session.signal).catch((error: unknown) => {
        if (session.signal.aborted) return;
        this.#logger.error({ error: describeError(error) }, 'following the log failed; trying again');
        setTimeout(() => {
          if (!session.signal.aborted && this.#session === session) this.#welcomed(welcome);
        }, RETRY).unref();
      });
    });
  }

  /** One connection's work: register, learn the points, then read the log for ever. */
  async #serve(signal: AbortSignal): Promise<void> {
    const { routes, onConnected, onSites } = this.#options;
    const { prefix } = this.#routes();
    if (routes || this.#pages.length > 0) {
      const openapi = (routes?.openapi ?? {}) as CborValue;
      await this.#client.request('routes.register', { prefix, openapi });
    }
    for (const { page, files } of this.#pages) {
      const { id, title, icon } = page;
      await this.#client.request('page.register', { id, title, icon, module: prefix + files.module });
    }
    for (const document of await readSites(this.#client, signal)) {
      if (document.source !== this.name) this.#sites.set(document.source, document);
    }
    onSites?.(this);
    await onConnected?.(this, signal);
    await this.#follower.follow(signal);
  }

  #routes(): Routes {
    return this.#options.routes ?? { prefix: `/services/${this.name}` };
  }

  async #take(entry: ServiceLogEntry): Promise<void> {
    this.counters.records += 1;
    const { source, content } = entry;
    if (content.kind === 'site' && source !== this.name) {
      this.#sites.set(source, content.document);
      this.#options.onSites?.(this);
    }
    await this.#options.onRecord?.(entry, this);
  }

  async #http(request: HttpRequest): Promise<HttpResponse> {
    this.counters.requests += 1;
    const { prefix, answer } = this.#routes();
    const path = (request.path.split('?')[0] ?? '').slice(prefix.length).replace(/\/$/, '');
    if (request.method === 'GET') {
      for (const { files } of this.#pages) {
        const file = files.answer(path);
        if (file) return file;
      }
    }
    try {
      if (answer) return await answer(path, request);
    } catch (error) {
      this.counters.failedRequests += 1;
      this.#logger.error({ error: describeError(error), path: request.path }, 'a request could not be answered');
      return problem(500, `${this.name} could not answer this; its log says why.`);
    }
    return problem(404, `There is nothing at ${request.method} ${request.path}.`);
  }

  #keep(): void {
    const { position } = this.#follower;
    const { checkpoint } = this.#options;
    const kept = checkpoint ? checkpoint.save() : null;
    if (!position || kept === undefined) return;
    try {
      this.#checkpoints.write({ position, kept });
    } catch (error) {
      this.#logger.warn({ error: describeError(error) }, 'the checkpoint could not be written; the old one stands');
    }
  }

  #report(): void {
    const { endpoints = [], counters = {} } = this.#options.report?.() ?? {};
    const { count: batches, bytes, oldest } = this.#store;
    const { written, dropped, gaps, failedWrites } = this.#chain.counters;
    this.#client.status({
      version: this.#options.software,
      startedAt: String(this.#startedAt),
      outbox: { batches, bytes, ...(oldest === undefined ? {} : { oldest: String(oldest) }) },
      endpoints: [...endpoints],
      counters: {
        ...this.counters,
        batchesWritten: written,
        batchesDropped: dropped,
        gapRecords: gaps,
        failedWrites,
        ...counters,
      },
    });
  }
}
