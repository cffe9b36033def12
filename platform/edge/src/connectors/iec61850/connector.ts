/**
 * An IEC 61850 device as an endpoint: reports of its data sets, polling of what they do not bring, GOOSE where it is
 * listened to, controls; a connection that comes back restores all of it.
 */
import {
  type Iec61850Client,
  Iec61850Session,
  type Missing,
  type SessionState,
  variableOf,
  type Way,
} from '@enerchain/iec61850';
import type { Data } from '@enerchain/mms';
import { type After, describeError, EnerchainError, systemAfter, type UtcNanos } from '@enerchain/model';
import type { Connect } from '@enerchain/transport';
import type { Connector, ConnectorHost, EndpointState, Health, Order, ReportStep } from '../../connector.ts';
import type { BoundPoint, EndpointSite } from '../../site/site.ts';
import { DeviceTypes } from './device-types.ts';
import { DeviceWatch } from './device-watch.ts';
import { Entries } from './entries.ts';
import { GooseWatch } from './goose.ts';
import { busOf } from './goose-links.ts';
import type { Supervised } from './goose-points.ts';
import type { DeviceInspection, InspectedControlBlock } from './inspection.ts';
import { Inspector } from './inspector.ts';
import { addNews, type News, type Plan, planOf, REQUESTED } from './mapping.ts';
import { Observed } from './observed.ts';
import { carryOut } from './order.ts';
import { Poller, type PollItem, whyNot } from './polling.ts';
import type { Iec61850Settings, Iec61850Target } from './protocol.ts';
import { Coverage, dynamicDataSets, reportBlocks } from './report-plan.ts';
import { Reports } from './reports.ts';
import { otherRevisions } from './revisions.ts';
import { type IedSource, iedOf } from './scl-file.ts';
import { startingTurn } from './starting-turn.ts';
import { type Targets, targetsOf } from './targets.ts';
import { IedViews } from './views.ts';
import { waysTo } from './ways.ts';

const DEFAULT_RESERVE = 60;

/** What tests give in place of the real thing. */
export interface Iec61850Wiring {
  readonly after?: After;
  readonly connect?: Connect;
}

export class Iec61850Connector implements Connector {
  readonly inspect: DeviceInspection;
  /** The same in the words in which it goes to the centre. */
  readonly inspector: IedViews;
  readonly #endpoint: EndpointSite;
  readonly #settings: Iec61850Settings;
  readonly #host: ConnectorHost;
  readonly #after: After;
  readonly #ied: IedSource;
  /** None for a device that is only heard by GOOSE. */
  readonly #session: Iec61850Session | undefined;
  readonly #entries: Entries;
  readonly #observed: Observed;
  readonly #reports: Reports;
  readonly #poller: Poller;
  readonly #watch: DeviceWatch;
  readonly #goose: GooseWatch | undefined;
  readonly #targets: Targets;
  readonly #counters = { connects: 0, commands: 0, strays: 0, pollFailures: 0 };
  #types: DeviceTypes | undefined;
  #plans = new Map<PollItem, Plan>();
  #synchronized = false;
  #state: EndpointState = 'connecting';
  #since: UtcNanos;
  #away: string | undefined;
  #cancelStart: (() => void) | undefined;

  constructor(endpoint: EndpointSite, host: ConnectorHost, wiring: Iec61850Wiring = {}) {
    this.#endpoint = endpoint;
    this.#settings = endpoint.settings as unknown as Iec61850Settings;
    this.#host = host;
    this.#after = wiring.after ?? systemAfter;
    this.#since = host.clock.now();
    this.#ied = iedOf(this.#settings, host.folder);
    const { id } = endpoint.endpoint;
    this.#session = this.#sessionOver(
      wiring.connect ? [{ name: id, connect: wiring.connect }] : waysTo(id, this.#settings, this.#ied, host),
    );
    this.#entries = new Entries(host.data, id, (error) =>
      host.logger.warn(
        { error: describeError(error) },
        'the last entries of the reports cannot be kept; after a restart they come again',
      ),
    );
    this.#watch = new DeviceWatch(host);
    const { intake, clock } = host;
    const poll = typeof this.#settings.poll === 'object' ? this.#settings.poll : {};
    this.#observed = new Observed({
      emit: (bound, value, quality, sourceTime, timeQuality, receiveTime, cause) => {
        const { object, value: attribute } = bound.target as Iec61850Target;
        if (attribute === 'stVal' && object.endsWith('/LLN0.Beh')) this.#watch.behaviour(object, value);
        intake.add(bound, value, quality, sourceTime, timeQuality, receiveTime, cause);
      },
      stamped: (time, quality) => this.#watch.time(time, quality),
      malformed: (text) => intake.malformed(text),
      monotonic: () => clock.monotonic(),
      refresh: (poll.refreshSeconds ?? 600) * 1000,
    });
    this.#targets = targetsOf(endpoint, this.#ied, this.#observed);
    this.#reports = this.#reportsOf();
    this.#poller = new Poller({
      read: (items) => this.#read(items),
      take: (item, data) => this.#polled(item, data),
      failed: (item, error, gone) => this.#pollFailed(item, error, gone),
      onRound: (took) => this.#roundEnded(took),
      after: this.#after,
      monotonic: () => clock.monotonic(),
      interval: (poll.seconds ?? 10) * 1000,
      settingsInterval: (poll.settingsSeconds ?? 3600) * 1000,
      readsPerSecond: poll.readsPerSecond ?? 10,
    });
    this.#goose = this.#settings.goose && this.#gooseOn(this.#settings.goose);
    this.inspect = new Inspector({
      ied: this.#ied,
      association: () => (this.#client && this.#types ? { client: this.#client, types: this.#types } : undefined),
      deviations: () => this.#watch.deviations,
      useOf: (instance) => this.#useOf(instance),
      goose: () => this.#goose?.inspect() ?? [],
    });
    const { model, station } = this.#ied;
    this.inspector = new IedViews({ inspection: this.inspect, model, station, clock });
  }

  #useOf(reference: string): InspectedControlBlock['use'] {
    const { states } = this.#reports;
    const state =
      states.find(({ instance }) => instance === reference) ??
      states.find(({ block }) => block.instances.includes(reference));
    if (!state) return undefined;
    const mine = state.instance === undefined || state.instance === reference;
    const entryId = this.#entries.get(reference);
    return {
      state: mine ? state.state : 'unused',
      ...(mine && state.detail !== undefined ? { detail: state.detail } : {}),
      ...(mine && state.state === 'subscribed' ? { reports: state.reports } : {}),
      ...(mine && state.lastReport !== undefined ? { lastReport: String(state.lastReport) } : {}),
      ...(entryId === undefined ? {} : { entryId: Buffer.from(entryId).toString('hex') }),
    };
  }

  get #client(): Iec61850Client | undefined {
    return this.#session?.client;
  }

  #sessionOver(ways: readonly Way[]): Iec61850Session | undefined {
    if (ways.length === 0) return undefined;
    const { clock, intake } = this.#host;
    return new Iec61850Session({
      ways,
      clock: {
        monotonic: () => clock.monotonic(),
        now: () => Number(clock.now() / 1_000_000n),
        schedule: (milliseconds, action) => this.#after(milliseconds, action),
      },
      restore: (client) => this.#restore(client),
      onState: (state) => this.#sessionIs(state),
      onStray: (text) => {
        this.#counters.strays++;
        intake.malformed(text);
      },
    });
  }

  #reportsOf(): Reports {
    const { reports, client, integritySeconds, reserveSeconds } = this.#settings;
    const coverage = new Coverage(this.#targets.targets);
    const known = reportBlocks(this.#ied.model, coverage, client);
    const wanted = reports?.map((reference) =>
      // One that the SCL has is checked against it.
      ({
        ...(known.find(({ instances }) => instances.includes(reference)) ?? unknownBlock(reference)),
        instances: [reference],
      }),
    );
    return new Reports({
      blocks: wanted ?? known,
      all: wanted !== undefined,
      coverage,
      sinkOf: (reference) => this.#targets.sinks.get(reference),
      observed: this.#observed,
      entries: this.#entries,
      host: this.#host,
      integrityPeriod: integritySeconds === undefined ? undefined : integritySeconds * 1000,
      reserve: reserveSeconds ?? DEFAULT_RESERVE,
      onGap: (text) => this.#host.intake.overflowed(this.#host.clock.now(), text),
      onDeviation: (code, text) => this.#watch.deviates(code, text),
      onChanged: (text) => {
        this.#watch.deviates('edge.iec61850.dataSet', text);
        this.#session?.renew(`${text}; the reports are set up anew`);
      },
    });
  }

  #gooseOn(settings: NonNullable<Iec61850Settings['goose']>): GooseWatch {
    const supervised = new Map<string, Map<Supervised, BoundPoint>>();
    for (const bound of this.#endpoint.points) {
      const { object, value } = bound.target as Iec61850Target;
      if (!object.includes('.GO.') || value === undefined) continue;
      const of = supervised.get(object) ?? new Map<Supervised, BoundPoint>();
      supervised.set(object, of.set(value as Supervised, bound));
    }
    return new GooseWatch({
      controls: this.#ied.goose,
      supervised,
      sinkOf: (reference) => this.#targets.sinks.get(reference),
      observed: this.#observed,
      host: this.#host,
      bus: busOf(settings, this.#host.folder),
      after: this.#after,
      otherwise: (object) => this.#client !== undefined && this.#comesByMms(object),
      onAlive: (alive) => this.#onlyGoose(alive),
    });
  }

  #comesByMms(object: string): boolean {
    if (this.#settings.poll !== false) return true;
    const values = this.#observed.objects.get(object)?.values.keys() ?? [];
    return [...values].some((value) => this.#reports.brings(`${object}.${value}`));
  }

  /** A device without an address is there as long as its frames are. */
  #onlyGoose(alive: boolean): void {
    if (this.#session) return;
    const { intake } = this.#host;
    this.#enter(alive ? 'up' : 'connecting');
    if (alive) {
      intake.connected();
      intake.synchronized();
    } else intake.lost('no GOOSE of the device comes any more');
  }

  start(): void {
    this.#goose?.start();
    const session = this.#session;
    if (!session) return;
    this.#cancelStart = this.#after(startingTurn(this.#host.clock.monotonic()), () => session.start());
  }

  #sessionIs(state: SessionState): void {
    const { intake } = this.#host;
    if (state.kind === 'restoring') {
      this.#counters.connects++;
      this.#enter('up');
      this.#away = undefined;
      this.#types = undefined;
      this.#synchronized = false;
      this.#watch.connected();
      intake.connected();
    } else if (state.kind === 'connecting') {
      const why = state.why ?? 'the device has ended the association';
      this.#types = undefined;
      this.#poller.stop();
      this.#reports.lost();
      if (this.#state === 'up') intake.lost(why);
      this.#enter('connecting');
      this.#away = why.slice(0, 500);
    }
  }

  /** Reports first, then the first round of polling; when all of that is done the state is complete. */
  async #restore(client: Iec61850Client): Promise<readonly Missing[]> {
    const first = !this.#types;
    this.#types ??= new DeviceTypes((reference, fc) => client.type(reference, fc));
    if (first) {
      for (const text of await otherRevisions(client, this.#ied.model))
        this.#watch.deviates('edge.iec61850.model', text);
    }
    const { counters } = this.#reports;
    const before = counters.blocks;
    const missing = await this.#enableReports(client, this.#types);
    if (this.#client !== client) return [];
    if (counters.blocks === 0 && missing.length > 0 && this.#pollItems().length === 0) {
      const why = missing.map(({ what, why }) => `${what}: ${why}`).join('; ');
      throw new EnerchainError(
        'peer',
        'edge.iec61850.reports',
        `no report control block could be had: ${why}`.slice(0, 900),
      );
    }
    // Another client may have let go of a block meanwhile; until then what it holds is polled.
    if (first || counters.blocks !== before) this.#poll();
    if (this.#poller.size === 0) this.#complete();
    return missing;
  }

  async #enableReports(client: Iec61850Client, types: DeviceTypes): Promise<readonly Missing[]> {
    const alive = (): boolean => this.#client === client;
    await this.#reports.enable(client, types, alive);
    const wanted = this.#settings.dynamicDataSets && !this.#reports.states.some(({ dynamic }) => dynamic);
    const dynamic = wanted ? dynamicDataSets(this.#ied.model) : undefined;
    if (dynamic && alive()) await this.#reports.enableDynamic(client, types, this.#pollItems(), dynamic, alive);
    if (!alive()) return [];
    const missing = this.#reports.states.flatMap(({ state, block, detail }) =>
      state === 'failed' ? [{ what: block.reference, why: detail ?? 'not known' }] : [],
    );
    this.#watch.reports(missing.map(({ what, why }) => `${what}: ${why}`));
    return missing;
  }

  /** Objects with a value that no report brings, each once. */
  #pollItems(): PollItem[] {
    if (this.#settings.poll === false) return [];
    const items = new Map<string, PollItem>();
    for (const { reference, object, fc, setting } of this.#targets.targets) {
      if (!this.#reports.brings(reference)) items.set(`${object} ${fc}`, { reference: object, fc, setting });
    }
    return [...items.values()];
  }

  #poll(): void {
    this.#plans = new Map();
    this.#poller.start(this.#pollItems());
  }

  async #read(items: readonly PollItem[]): Promise<readonly (Data | Error)[]> {
    const [client, types] = [this.#client, this.#types];
    if (!client || !types) throw new Error('the connection is gone');
    const results: (Data | Error)[] = [];
    const asked: PollItem[] = [];
    for (const item of items) {
      if (!this.#plans.has(item)) {
        try {
          const type = await types.of(item.reference, item.fc);
          this.#plans.set(
            item,
            planOf(type, item.reference, (at) => this.#targets.sinks.get(at)),
          );
        } catch (error) {
          if (!(error instanceof EnerchainError)) throw error;
          results[items.indexOf(item)] = error;
          continue;
        }
      }
      asked.push(item);
    }
    if (asked.length === 0) return results;
    const values = await client.readMany(asked.map(({ reference, fc }) => variableOf(reference, fc)));
    asked.forEach((item, index) => {
      results[items.indexOf(item)] = values[index] ?? new Error('the device left it out');
    });
    return results;
  }

  #polled(item: PollItem, data: Data): void {
    const news = new Map<string, News>();
    addNews(news, this.#plans.get(item)!, data, REQUESTED);
    const receiveTime = this.#host.clock.now();
    for (const [object, of] of news) this.#observed.take('poll', object, of, receiveTime);
  }

  #pollFailed(item: PollItem, error: unknown, gone: boolean): void {
    if (!this.#client) return;
    this.#counters.pollFailures++;
    const absent = gone || (error as { code?: string }).code === 'edge.iec61850.model';
    this.#watch.deviates(absent ? 'edge.iec61850.model' : 'edge.iec61850.read', whyNot(item, error));
    this.#observed.outdate(item.reference, this.#host.clock.now(), absent);
  }

  #roundEnded(took: number): void {
    this.#watch.round(took, (typeof this.#settings.poll === 'object' ? this.#settings.poll.seconds : undefined) ?? 10);
    this.#complete();
  }

  #complete(): void {
    if (this.#synchronized || !this.#client) return;
    this.#synchronized = true;
    this.#watch.complete();
    this.#host.intake.synchronized();
  }

  #enter(state: EndpointState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#since = this.#host.clock.now();
  }

  async operate({ command, point }: Order, report: ReportStep): Promise<void> {
    this.#counters.commands++;
    const client = this.#client;
    const refused = command.action === 'select' ? 'selectRefused' : 'negative';
    if (!client) {
      report(refused, `${this.#endpoint.endpoint.id} is not connected`);
      return;
    }
    try {
      await carryOut(client, { command, point }, report);
    } catch (error) {
      // Nothing that was operated throws: an outcome that nobody knows is an outcome.
      report(refused, describeError(error).slice(0, 500));
    }
  }

  health(): Health {
    const detail = [this.#away ?? this.#watch.detail, this.#goose?.trouble].filter(Boolean).join('; ') || undefined;
    const { values, duplicates, unchanged, stale } = this.#observed.counters;
    const { reads, late } = this.#poller.counters;
    return {
      state: this.#state,
      since: this.#since,
      ...(detail === undefined ? {} : { detail: detail.slice(0, 500) }),
      counters: {
        ...this.#counters,
        ...this.#reports.counters,
        ...this.#watch.counters,
        ...this.#goose?.counters,
        values,
        duplicates,
        unchanged,
        stale,
        reads,
        lateRounds: late,
        polled: this.#poller.size,
      },
    };
  }

  async stop(): Promise<void> {
    this.#cancelStart?.();
    this.#poller.stop();
    this.#goose?.stop();
    await this.#session?.close();
    this.#entries.save();
  }
}

const unknownBlock = (reference: string) => ({
  reference,
  instances: [reference],
  confRev: undefined,
  dataSet: undefined,
  members: undefined,
});
