/**
 * The grid-state service: reads the log of the centre, estimates every second the state that the field tells of, and
 * publishes the result as a source of its own. It reaches the centre through its ports alone and could run anywhere.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Connect, observationsOf } from '@enerchain/link';
import {
  type Clock,
  DOUBLE_POINT,
  describeError,
  type EndpointReport,
  EnerchainError,
  GridModel,
  type Mrid,
  type Point,
  type Quality,
  systemClock,
  toIso,
  type Value,
  validator,
  validity,
} from '@enerchain/model';
import { type HttpRequest, runService, type Service, type ServiceLogEntry } from '@enerchain/service';
import type { Identity } from '@enerchain/trust';
import type { Logger } from 'pino';
import { type ApiState, answer, OPENAPI, PREFIX } from './api.ts';
import { ContingencyAlarms } from './contingency-alarms.ts';
import { answerContingencies, CONTINGENCY_OPENAPI } from './contingency-api.ts';
import { answerEstimate, ESTIMATE_OPENAPI } from './estimate-api.ts';
import { LiveContingencies } from './live-contingencies.ts';
import { LiveGrid } from './live-grid.ts';
import { announcementOf, SOURCE } from './outputs.ts';
import { answerWhatIf, WHAT_IF_OPENAPI } from './what-if-api.ts';

export interface GridStateOptions {
  /** Identity, chain and checkpoint lie in here. */
  readonly dataDir: string;
  readonly centre: { readonly url: string; readonly token?: string };
  readonly logger: Logger;
  readonly signal?: AbortSignal;
  /** Folder of the installation, to attest what runs here. */
  readonly installation?: string;
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
const GRID_RETRY = 2000;
/** s by which the log may run ahead of us, and what we say still be called live. */
const LIVE_WITHIN = 10;
const PAGE = {
  id: SOURCE,
  title: 'Grid state',
  // A busbar with two feeders, and the wave of a flow.
  icon: 'M3 4h14M6 4v5M14 4v5M3 14q2.3-4 4.7 0t4.6 0t4.7 0',
  folder: fileURLToPath(new URL('../../page', import.meta.url)),
  module: 'page.ts',
} as const;
const models = validator(GridModel, 'peer');

/** Last good value of a point. */
type KeptValue = readonly [point: Mrid, value: number, quality: number];

export async function runGridState(options: GridStateOptions): Promise<GridStateHandle> {
  const { every, clock = systemClock, ...rest } = options;
  const state = new GridState(options.logger, clock);
  const service = await runService({
    ...rest,
    clock,
    name: SOURCE,
    software: SOFTWARE,
    routes: {
      prefix: PREFIX,
      openapi: { ...OPENAPI, ...WHAT_IF_OPENAPI, ...CONTINGENCY_OPENAPI, ...ESTIMATE_OPENAPI },
      answer: (path, request) => state.http(path, request),
    },
    pages: [PAGE],
    checkpoint: { save: () => state.save(), restore: (kept) => state.restore(kept) },
    onConnected: (to, signal) => state.fetchGrid(to, signal),
    onSites: (to) => state.setPoints(to),
    onRecord: (record, from) => state.take(record, from),
    onAnnounced: () => state.announced(),
    report: () => state.report(),
  });
  const timer = setInterval(() => state.solve(service), every ?? 1000);
  void service.closed.then(() => {
    clearInterval(timer);
    state.close();
  });
  return service;
}

/** What is known of the field, and the calculation from it. */
class GridState {
  readonly #counters = { solved: 0, failed: 0, contingencies: 0 };
  readonly #logger: Logger;
  readonly #clock: Clock;
  /** Last good values of all relevant points; they survive a change of the grid. */
  readonly #values = new Map<Mrid, readonly [value: number, quality: number]>();
  /** Points that belong to some equipment: what a grid, present or to come, may be calculated from. */
  #relevant: ReadonlyMap<Mrid, Point> = new Map();
  #live: LiveGrid | undefined;
  /** What was announced last: for which grid, and what of it, calculated from what. */
  #announced: LiveGrid | undefined;
  #said = '';
  /** Why the grid of the centre cannot be calculated. */
  #unusable: string | undefined;
  #behind = 0;
  #solveMillis = 0;
  #solvedAt: bigint | undefined;
  #contingencies = new LiveContingencies();
  #contingenciesAt: bigint | undefined;
  readonly #contingencyAlarms = new ContingencyAlarms();

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger;
    this.#clock = clock;
  }

  restore(kept: unknown): void {
    if (!Array.isArray(kept)) return;
    for (const [point, value, quality] of kept as KeptValue[]) this.#values.set(point, [value, quality]);
  }

  save(): KeptValue[] | undefined {
    if (this.#relevant.size === 0) return undefined;
    return [...this.#values]
      .filter(([point]) => this.#relevant.has(point))
      .map(([point, [value, quality]]) => [point, value, quality] as const);
  }

  take({ source, content }: ServiceLogEntry, service: Service): void {
    if (content.kind === 'observations' && source !== SOURCE) {
      // Our own results come back to us with the log; they are no measurements.
      for (const { point, value, quality } of observationsOf(content.batch)) {
        this.#live?.take(point, value, quality, this.#clock.monotonic());
        this.#remember(point, value, quality);
      }
    } else if (content.kind === 'audit' && content.record.action === 'grid.write') {
      void this.fetchGrid(service).catch((error: unknown) =>
        this.#logger.warn({ error: describeError(error) }, 'the new grid could not be fetched'),
      );
    }
  }

  /** Keeps the last value that says something: not an invalid one, nor that of a switch on its way. */
  #remember(mRID: Mrid, value: Value, quality: Quality): void {
    const point = this.#relevant.get(mRID);
    if (!point || typeof value !== 'number' || validity(quality) === 'invalid') return;
    if (point.cdc === 'DPS' && value !== DOUBLE_POINT.off && value !== DOUBLE_POINT.on) return;
    this.#values.set(mRID, [value, quality]);
  }

  /** Waits until the centre has a grid, or is no longer there. */
  async fetchGrid(service: Service, signal?: AbortSignal): Promise<void> {
    for (let said = false; !signal?.aborted && service.online; said = true) {
      try {
        const answered = await service.request('grid.get');
        if (answered !== null) {
          this.#useGrid(models.parse(answered, 'the grid of the centre'), service);
          return;
        }
        if (!said) this.#logger.info('the centre has no grid yet; waiting for one');
      } catch (error) {
        if (!(error instanceof EnerchainError) || error.code !== 'centre.starting') throw error;
      }
      await pause(GRID_RETRY, undefined, signal ? { signal } : {}).catch(() => undefined);
    }
  }

  #useGrid(model: GridModel, service: Service): void {
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
    this.#contingencies.close();
    this.#contingencies = new LiveContingencies();
    this.#logger.info({ grid: model.name, version: model.version }, 'calculating');
    this.setPoints(service);
  }

  setPoints(service: Service): void {
    const isRelevant = ({ kind, equipment, terminal }: Point) =>
      (kind === 'analog' || kind === 'discrete') && (equipment ?? terminal) !== undefined;
    const sites = [...service.sites.values()];
    const relevant = sites.flatMap(({ points }) => points.filter(isRelevant));
    const inputs = sites.filter(({ points }) => points.some(isRelevant)).map(({ source }) => source);
    this.#relevant = new Map(relevant.map((point) => [point.mRID, point]));
    this.#live?.setPoints(relevant);
    this.#announce(service, inputs.sort());
    const now = this.#clock.monotonic();
    for (const [point, [value, quality]] of this.#values) this.#live?.restore(point, value, quality, now);
  }

  /** Says what is published and what it is calculated from, when that is new. */
  #announce(service: Service, inputs: readonly string[]): void {
    if (!this.#live) return;
    const said = [...inputs, ...this.#live.outputs.map(({ point }) => `${point.mRID} ${point.name}`)].join();
    if (this.#announced === this.#live && said === this.#said) return;
    this.#announced = this.#live;
    this.#said = said;
    service.announce(announcementOf(this.#live.outputs, inputs));
  }

  announced(): void {
    this.#live?.forgetSaid();
  }

  solve(service: Service): void {
    this.#behind = Number.isFinite(service.behind) ? service.behind : 0;
    // While history is being caught up with, what comes out would be yesterday's with today's time.
    if (!this.#live || !service.online || service.behind > LIVE_WITHIN) return;
    const wall = Number(this.#clock.now() / 1_000_000_000n);
    const { result, solveMillis, values, alarms } = this.#live.solve(
      this.#clock.monotonic(),
      () => performance.now(),
      wall,
    );
    this.#solveMillis = solveMillis;
    this.#solvedAt = this.#clock.now();
    this.#counters.solved += 1;
    if (!result.converged) this.#counters.failed += 1;
    void service.observe(values);
    for (const alarm of alarms) void service.raise(alarm);
    this.#tryOutages(service, this.#live);
  }

  /** Outages are calculated beside everything else; a result that belongs to another grid by then is dropped. */
  #tryOutages(service: Service, live: LiveGrid): void {
    const base = live.contingencyBase;
    if (!base) return;
    const at = this.#clock.now();
    const now = () => this.#clock.monotonic();
    this.#contingencies.look(base, now, ({ result }) => {
      if (this.#live !== live) return;
      this.#contingenciesAt = at;
      this.#counters.contingencies += 1;
      live.setOutages({
        violations: result.violations.length,
        loading: new Map(result.loadings.map(({ equipment, worst }) => [equipment, worst])),
      });
      for (const alarm of this.#contingencyAlarms.check(result)) void service.raise(alarm);
    });
  }

  close(): void {
    this.#contingencies.close();
  }

  http(path: string, request: HttpRequest) {
    const state: ApiState = {
      model: this.#live?.model,
      unusable: this.#unusable,
      result: this.#live?.last,
      coverage: this.#live?.coverage,
      solveMillis: this.#solveMillis,
      solvedAt: this.#solvedAt === undefined ? undefined : toIso(this.#solvedAt),
      behind: this.#behind,
    };
    if (path === '/contingencies') {
      const at = this.#contingenciesAt === undefined ? undefined : toIso(this.#contingenciesAt);
      const { state: found, failure } = this.#contingencies;
      return answerContingencies(request.method, state, found, at, failure);
    }
    if (path === '/estimate') return answerEstimate(request.method, this.#live?.estimate, state);
    if (path === '/what-if') return answerWhatIf(request, this.#live?.base, state);
    return answer(path, request.method, state);
  }

  report(): { endpoints: EndpointReport[]; counters: Record<string, number> } {
    const detail = this.#live ? {} : { detail: (this.#unusable ?? 'there is no grid to calculate').slice(0, 1000) };
    const state = this.#live?.last?.converged ? 'up' : 'down';
    return {
      endpoints: [{ id: 'solution', protocol: 'calculation', state, ...detail, counters: { ...this.#counters } }],
      counters: { solveMillis: this.#solveMillis },
    };
  }
}
