/**
 * The grid-state service: reads the log of the centre, solves every second what the field says, and publishes the result
 * as a source of its own. It reaches the centre through its ports alone and could run anywhere.
 */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  BatchBuilder,
  type Connect,
  type HttpRequest,
  LinkClient,
  observationsOf,
  readCentreLog,
  readSites,
  type ServiceLogEntry,
  type Welcome,
} from '@enerchain/link';
import {
  type Clock,
  DOUBLE_POINT,
  describeError,
  EnerchainError,
  GridModel,
  type Mrid,
  type Point,
  type Quality,
  type SiteDocument,
  systemClock,
  TIME_GOOD,
  toIso,
  toMillis,
  type Value,
  validator,
  validity,
} from '@enerchain/model';
import type { CborValue, Identity } from '@enerchain/trust';
import type { Logger } from 'pino';
import { answer, OPENAPI, PREFIX } from './api.ts';
import { CheckpointFile, type LogPosition } from './checkpoint.ts';
import { serviceIdentity } from './identity.ts';
import { LiveGrid } from './live-grid.ts';
import { SOURCE, siteDocument } from './outputs.ts';
import { ServiceChain } from './own-chain.ts';

export interface GridStateOptions {
  /** Identity and checkpoint lie in here. */
  readonly dataDir: string;
  readonly centre: { readonly url: string; readonly token?: string };
  readonly logger: Logger;
  readonly signal?: AbortSignal;
  /** Instead of the one in `dataDir`. */
  readonly identity?: Identity;
  readonly clock?: Clock;
  readonly connect?: Connect;
  /** Milliseconds between two solutions. Default 1000. */
  readonly every?: number;
}

export interface GridStateHandle {
  /** Resolves when the service has ended. */
  readonly closed: Promise<void>;
  close(): Promise<void>;
}

const SOFTWARE = 'grid-state 0.1.0';
const CHECKPOINT_EVERY = 30_000;
const GRID_RETRY = 2000;
/** Until the first record of a log that should be there; then it is another log. */
const FIRST_RECORD = 5000;
/** ms by which the log may run ahead of us, and what we say still be called live. */
const LIVE_WITHIN = 10_000;
/** ms without a record after which there is none to be read. */
const QUIET = 2000;
const models = validator(GridModel, 'peer');

export async function runGridState(options: GridStateOptions): Promise<GridStateHandle> {
  const { dataDir, centre, logger, signal } = options;
  const identity =
    options.identity ??
    (await serviceIdentity({
      dir: join(dataDir, 'identity'),
      name: SOURCE,
      url: centre.url,
      token: centre.token,
      logger,
      signal,
    }));
  const service = new GridState(options, identity);
  service.start();
  if (signal?.aborted) await service.close();
  else signal?.addEventListener('abort', () => void service.close(), { once: true });
  return service;
}

class GridState implements GridStateHandle {
  readonly closed: Promise<void>;
  readonly counters = { records: 0, observations: 0, solved: 0, failed: 0, published: 0, alarms: 0 };
  readonly #options: GridStateOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #checkpoints: CheckpointFile;
  readonly #chain: ServiceChain;
  readonly #client: LinkClient;
  readonly #sites = new Map<string, SiteDocument>();
  /** Last good values of all relevant points; they survive a change of the grid. */
  readonly #values = new Map<Mrid, readonly [value: number, quality: number]>();
  /** Points that belong to some equipment: what a grid, present or to come, may be calculated from. */
  #relevant: ReadonlyMap<Mrid, Point> = new Map();
  readonly #startedAt: bigint;
  #position: LogPosition | undefined;
  #live: LiveGrid | undefined;
  /** Why the grid of the centre cannot be calculated. */
  #unusable: string | undefined;
  #announced = false;
  /** How old the last record was when it was read, ms, and when that was; undefined before the first. */
  #reading: { readonly lag: number; readonly at: number } | undefined;
  #solveMillis = 0;
  #solvedAt: bigint | undefined;
  #session: AbortController | undefined;
  #timers: NodeJS.Timeout[] = [];
  #finish: () => void = () => undefined;
  #closing: Promise<void> | undefined;

  constructor(options: GridStateOptions, identity: Identity) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger;
    this.#startedAt = this.#clock.now();
    this.closed = new Promise((done) => {
      this.#finish = done;
    });
    this.#checkpoints = new CheckpointFile(options.dataDir);
    const kept = this.#checkpoints.read();
    this.#position = kept?.position;
    for (const [point, value, quality] of kept?.values ?? []) this.#values.set(point, [value, quality]);
    this.#chain = new ServiceChain(identity, options.logger, this.#clock, (batch) => this.#client.send(batch));
    this.#client = new LinkClient({
      url: options.centre.url,
      identity,
      software: SOFTWARE,
      store: this.#chain.store,
      clock: this.#clock,
      ...(options.connect ? { connect: options.connect } : {}),
      onState: (state, reason) => {
        if (state === 'online') this.#logger.info('connected to the centre');
        else {
          this.#session?.abort();
          if (state === 'waiting') this.#logger.warn({ reason }, 'not connected to the centre');
        }
      },
      onBehind: ({ highest }) => this.#chain.goBeyond(highest),
      onReject: ({ epoch, sequence, code, text }) => {
        this.#logger.error({ epoch, sequence, code, text }, 'the centre refused what was published');
        this.#chain.abandon({ epoch, sequence, text: `${text} (${code})` });
        this.#announced = false;
      },
      onWelcome: (welcome) => this.#welcomed(welcome),
      onRequest: (method, params) => {
        if (method !== 'http') {
          throw new EnerchainError('unsupported', 'link.method', `requests '${method}' are not answered here`);
        }
        return this.#http(params as unknown as HttpRequest) as unknown as CborValue;
      },
    });
  }

  start(): void {
    this.#client.start();
    this.#timers = [
      setInterval(() => this.#solve(), this.#options.every ?? 1000),
      setInterval(() => this.#keep(), CHECKPOINT_EVERY),
      setInterval(() => this.#report(), 5000),
    ];
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      for (const timer of this.#timers) clearInterval(timer);
      this.#session?.abort();
      await this.#client.close();
      this.#keep();
      this.#finish();
    })();
    return this.#closing;
  }

  #welcomed(welcome: Welcome): void {
    this.#chain.welcomed(welcome);
    // A centre that knows nothing of us has to be told who we are before anything else.
    if (welcome.completed < 0 && welcome.cursors.length === 0) this.#announced = false;
    const session = new AbortController();
    this.#session?.abort();
    this.#session = session;
    // After the welcome has been worked off: only then can requests be sent.
    setImmediate(() => {
      this.#follow(session.signal).catch((error: unknown) => {
        if (session.signal.aborted) return;
        this.#logger.error({ error: describeError(error) }, 'following the log failed; trying again');
        setTimeout(() => {
          if (!session.signal.aborted && this.#session === session) this.#welcomed(welcome);
        }, GRID_RETRY).unref();
      });
    });
  }

  /** One connection's work: register, learn grid and points, then read the log for ever. */
  async #follow(signal: AbortSignal): Promise<void> {
    await this.#client.request('routes.register', { prefix: PREFIX, openapi: OPENAPI as unknown as CborValue });
    for (const document of await readSites(this.#client, signal)) this.#sites.set(document.source, document);
    await this.#fetchGrid(signal);
    this.#setPoints();
    await this.#readLog(signal);
  }

  async #readLog(signal: AbortSignal): Promise<void> {
    const expected = this.#position;
    const reading = new AbortController();
    const stop = (): void => reading.abort();
    signal.addEventListener('abort', stop, { once: true });
    // The last record read is read once more: it tells whether this is still the log that was read before.
    let watch: NodeJS.Timeout | undefined;
    if (expected) watch = setTimeout(stop, FIRST_RECORD);
    let first = true;
    try {
      for await (const entry of readCentreLog(this.#client, expected?.offset ?? 0, reading.signal)) {
        clearTimeout(watch);
        if (first && expected) {
          first = false;
          if (entry.offset === expected.offset && String(entry.at) === expected.at) {
            this.#reading ??= { lag: Number.POSITIVE_INFINITY, at: this.#clock.monotonic() };
            continue;
          }
          if (entry.content.kind !== 'gap') {
            this.#logger.warn('the centre has another log than before; reading it from its beginning');
            this.#position = undefined;
            return await this.#readLog(signal);
          }
        }
        this.#take(entry);
        this.#position = { offset: entry.offset, at: String(entry.at) };
      }
    } finally {
      clearTimeout(watch);
      signal.removeEventListener('abort', stop);
    }
    if (signal.aborted) return;
    if (!expected) throw new EnerchainError('peer', 'grid-state.log', 'the centre ended the log');
    this.#logger.warn('the log does not reach as far as it did; reading it from its beginning');
    this.#position = undefined;
    await this.#readLog(signal);
  }

  #take({ at, source, content }: ServiceLogEntry): void {
    this.counters.records += 1;
    this.#reading = { lag: toMillis(this.#clock.now()) - toMillis(at), at: this.#clock.monotonic() };
    switch (content.kind) {
      case 'observations':
        // Our own results come back to us with the log; they are no measurements.
        if (source === SOURCE) return;
        this.counters.observations += content.batch.count;
        for (const { point, value, quality } of observationsOf(content.batch)) {
          this.#live?.take(point, value, quality);
          this.#remember(point, value, quality);
        }
        return;
      case 'site':
        if (source === SOURCE) return;
        this.#sites.set(source, content.document);
        this.#setPoints();
        return;
      case 'audit':
        if (content.record.action === 'grid.write') {
          void this.#fetchGrid(this.#session?.signal ?? AbortSignal.abort()).catch((error: unknown) =>
            this.#logger.warn({ error: describeError(error) }, 'the new grid could not be fetched'),
          );
        }
        return;
      default:
        return;
    }
  }

  /** Keeps the last value that says something: not an invalid one, nor that of a switch on its way. */
  #remember(mRID: Mrid, value: Value, quality: Quality): void {
    const point = this.#relevant.get(mRID);
    if (!point || typeof value !== 'number' || validity(quality) === 'invalid') return;
    if (point.cdc === 'DPS' && value !== DOUBLE_POINT.off && value !== DOUBLE_POINT.on) return;
    this.#values.set(mRID, [value, quality]);
  }

  /** Waits until the centre has a grid. */
  async #fetchGrid(signal: AbortSignal): Promise<void> {
    for (let said = false; !signal.aborted; said = true) {
      try {
        const answered = await this.#client.request('grid.get', {});
        if (answered !== null) {
          this.#useGrid(models.parse(answered, 'the grid of the centre'));
          return;
        }
        if (!said) this.#logger.info('the centre has no grid yet; waiting for one');
      } catch (error) {
        if (!(error instanceof EnerchainError) || error.code !== 'centre.starting') throw error;
      }
      await pause(GRID_RETRY, undefined, { signal }).catch(() => undefined);
    }
  }

  #useGrid(model: GridModel): void {
    if (this.#live && JSON.stringify(this.#live.model) === JSON.stringify(model)) return;
    try {
      this.#live = new LiveGrid(model);
    } catch (error) {
      this.#live = undefined;
      this.#unusable = describeError(error);
      this.#logger.error({ error: this.#unusable }, 'the grid cannot be calculated');
      return;
    }
    this.#unusable = undefined;
    this.#logger.info({ grid: model.name, version: model.version }, 'calculating');
    this.#announced = false;
    this.#setPoints();
  }

  #setPoints(): void {
    const points: Point[] = [...this.#sites].flatMap(([source, document]) =>
      source === SOURCE ? [] : document.points,
    );
    const relevant = points.filter(({ kind, equipment, terminal }) => {
      return (kind === 'analog' || kind === 'discrete') && (equipment ?? terminal) !== undefined;
    });
    this.#relevant = new Map(relevant.map((point) => [point.mRID, point]));
    this.#live?.setPoints(relevant);
    for (const [point, [value, quality]] of this.#values) this.#live?.take(point, value, quality);
  }

  /** Seconds that the log runs ahead of what has been read of it. */
  #behind(): number {
    if (!this.#reading) return 0;
    const { lag, at } = this.#reading;
    // When nothing more comes, the last record was the newest, however old it is.
    return this.#clock.monotonic() - at > QUIET ? 0 : Math.max(0, lag / 1000);
  }

  #solve(): void {
    if (!this.#live || !this.#chain.isOpen || this.#client.state !== 'online') return;
    // While history is being caught up with, what comes out would be yesterday's with today's time.
    if (!this.#reading || this.#behind() * 1000 > LIVE_WITHIN) return;
    if (!this.#announced) {
      this.#announced = true;
      const now = toMillis(this.#clock.now());
      const document = this.#checkpoints.versioned(siteDocument(this.#live.outputs, 1), now);
      void this.#chain.write({ kind: 'site', document });
      this.#live.forgetSaid();
    }
    const { result, solveMillis, values, alarms } = this.#live.solve(this.#clock.monotonic(), () => performance.now());
    const at = this.#clock.now();
    this.#solveMillis = solveMillis;
    this.#solvedAt = at;
    this.counters.solved += 1;
    if (!result.converged) this.counters.failed += 1;
    if (values.length > 0) {
      const builder = new BatchBuilder();
      for (const { point, value, quality } of values) {
        builder.add({
          point,
          value,
          quality,
          sourceTime: at,
          timeQuality: TIME_GOOD,
          receiveTime: at,
          cause: 'estimated',
          repeat: false,
        });
      }
      this.counters.published += values.length;
      void this.#chain.write({ kind: 'observations', batch: builder.build() });
    }
    for (const alarm of alarms) {
      this.counters.alarms += 1;
      void this.#chain.write({ kind: 'alarmRaised', alarm: { ...alarm, source: SOURCE, at: String(at) } });
    }
  }

  #http(request: HttpRequest) {
    return answer(request, {
      model: this.#live?.model,
      unusable: this.#unusable,
      result: this.#live?.last,
      coverage: this.#live?.coverage,
      solveMillis: this.#solveMillis,
      solvedAt: this.#solvedAt === undefined ? undefined : toIso(this.#solvedAt),
      behind: this.#behind(),
    });
  }

  #keep(): void {
    if (!this.#position || this.#relevant.size === 0) return;
    try {
      const values = [...this.#values]
        .filter(([point]) => this.#relevant.has(point))
        .map(([point, [value, quality]]) => [point, value, quality] as const);
      this.#checkpoints.write({ position: this.#position, values });
    } catch (error) {
      this.#logger.warn({ error: describeError(error) }, 'the checkpoint could not be written; the old one stands');
    }
  }

  #report(): void {
    const { store, counters } = this.#chain;
    this.#client.status({
      version: SOFTWARE,
      startedAt: String(this.#startedAt),
      outbox: { batches: store.count, bytes: store.bytes },
      endpoints: [
        {
          id: 'solution',
          protocol: 'calculation',
          state: this.#live?.last?.converged ? 'up' : 'down',
          ...(this.#live ? {} : { detail: (this.#unusable ?? 'there is no grid to calculate').slice(0, 1000) }),
          counters: { ...this.counters },
        },
      ],
      counters: { batchesWritten: counters.written, batchesDropped: counters.dropped, solveMillis: this.#solveMillis },
    });
  }
}
