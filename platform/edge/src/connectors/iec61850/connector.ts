/**
 * An IEC 61850 device as an endpoint: reports of its data sets, polling of what they do not bring, GOOSE where it is
 * listened to, controls; a connection that comes back restores all of it.
 */
import {
  configuredValue,
  type FunctionalConstraint,
  find,
  Iec61850Client,
  type LogicalNode,
  variableOf,
} from '@enerchain/iec61850';
import type { Data } from '@enerchain/mms';
import { type After, describeError, EnerchainError, systemAfter, type UtcNanos } from '@enerchain/model';
import type { Connect } from '@enerchain/transport';
import type { Connector, ConnectorHost, EndpointState, Health, Order, ReportStep } from '../../connector.ts';
import type { BoundPoint, EndpointSite } from '../../site/site.ts';
import { CARRIERS } from './common-data-classes.ts';
import { DeviceTypes } from './device-types.ts';
import { DeviceWatch } from './device-watch.ts';
import { Entries } from './entries.ts';
import { GooseWatch } from './goose.ts';
import { busOf } from './goose-links.ts';
import type { Supervised } from './goose-points.ts';
import type { DeviceInspection, InspectedControlBlock } from './inspection.ts';
import { Inspector } from './inspector.ts';
import { addNews, type News, type Plan, planOf, REQUESTED, type Sink } from './mapping.ts';
import { Observed } from './observed.ts';
import { carryOut } from './order.ts';
import { Poller, type PollItem, whyNot } from './polling.ts';
import type { Iec61850Settings, Iec61850Target } from './protocol.ts';
import { Coverage, dynamicDataSets, reportBlocks, type Wanted } from './report-plan.ts';
import { Reports } from './reports.ts';
import { type IedSource, iedOf } from './scl-file.ts';
import { startingTurn } from './starting-turn.ts';
import { IedViews } from './views.ts';
import { waysTo } from './ways.ts';

const CONNECT_WITHIN = 10_000;
/** Silence after which the device is asked whether it is there, ms. */
const KEEP_ALIVE = 10_000;
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;
const DEFAULT_RESERVE = 60;
/** Blocks that could not be had are asked for again after this long, ms; meanwhile what they hold is polled. */
const RETRY_BLOCKS = 60_000;

/** What tests give in place of the real thing. */
export interface Iec61850Wiring {
  readonly after?: After;
  readonly connect?: Connect;
}

/** A value to be had from the device, and where. */
interface Target extends Wanted {
  readonly setting: boolean;
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
  /** By preference; none for a device that is only heard by GOOSE. */
  readonly #ways: readonly Connect[];
  readonly #entries: Entries;
  readonly #observed: Observed;
  readonly #reports: Reports;
  readonly #poller: Poller;
  readonly #watch: DeviceWatch;
  readonly #goose: GooseWatch | undefined;
  readonly #targets: readonly Target[];
  readonly #sinks = new Map<string, Sink>();
  readonly #counters = { connects: 0, commands: 0, strays: 0, pollFailures: 0 };
  #way = 0;
  #client: Iec61850Client | undefined;
  #types: DeviceTypes | undefined;
  #plans = new Map<PollItem, Plan>();
  #synchronized = false;
  #state: EndpointState = 'connecting';
  #since: UtcNanos;
  #away: string | undefined;
  #pause = FIRST_PAUSE;
  #cancelRetry: (() => void) | undefined;
  #cancelBlocks: (() => void) | undefined;
  #stopped = false;

  constructor(endpoint: EndpointSite, host: ConnectorHost, wiring: Iec61850Wiring = {}) {
    this.#endpoint = endpoint;
    this.#settings = endpoint.settings as unknown as Iec61850Settings;
    this.#host = host;
    this.#after = wiring.after ?? systemAfter;
    this.#since = host.clock.now();
    this.#ied = iedOf(this.#settings, host.folder);
    this.#ways = wiring.connect ? [wiring.connect] : waysTo(endpoint.endpoint.id, this.#settings, this.#ied, host);
    this.#entries = new Entries(host.data, endpoint.endpoint.id, (error) =>
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
    this.#targets = this.#bind();
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

  /** What each point is in the device; a point that the SCL does not have is believed to be there all the same. */
  #bind(): Target[] {
    const targets: Target[] = [];
    for (const bound of this.#endpoint.points) {
      const { object, value, cdc, deadband } = bound.target as Iec61850Target;
      // Supervision of GOOSE is no value of the device.
      if (value === undefined || object.includes('.GO.')) continue;
      this.#observed.add(bound, object, value, deadband ?? 0);
      this.#sinks.set(`${object}.${value}`, { object, part: value });
      this.#sinks.set(`${object}.q`, { object, part: 'q' });
      this.#sinks.set(`${object}.t`, { object, part: 't' });
      const carrier = CARRIERS[cdc];
      const fc =
        constraintOf(this.#ied, object, value) ?? (carrier?.kind === 'analog' && !carrier.setting ? 'MX' : 'ST');
      const setting = fc === 'SP' || fc === 'SG' || fc === 'SE' || fc === 'CF' || fc === 'DC';
      targets.push({ reference: `${object}.${value}`, object, fc, setting });
    }
    return targets;
  }

  #reportsOf(): Reports {
    const { reports, client, integritySeconds, reserveSeconds } = this.#settings;
    const coverage = new Coverage(this.#targets);
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
      sinkOf: (reference) => this.#sinks.get(reference),
      observed: this.#observed,
      entries: this.#entries,
      host: this.#host,
      integrityPeriod: integritySeconds === undefined ? undefined : integritySeconds * 1000,
      reserve: reserveSeconds ?? DEFAULT_RESERVE,
      onGap: (text) => this.#host.intake.overflowed(this.#host.clock.now(), text),
      onDeviation: (code, text) => this.#watch.deviates(code, text),
      onChanged: (text) => {
        this.#watch.deviates('edge.iec61850.dataSet', text);
        this.#client?.abort();
        this.#lost(`${text}; the reports are set up anew`);
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
      sinkOf: (reference) => this.#sinks.get(reference),
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
    if (this.#ways.length > 0) return;
    const { intake } = this.#host;
    this.#enter(alive ? 'up' : 'connecting');
    if (alive) {
      intake.connected();
      intake.synchronized();
    } else intake.lost('no GOOSE of the device comes any more');
  }

  start(): void {
    this.#goose?.start();
    if (this.#ways.length > 0) this.#connectAfter(startingTurn(this.#host.clock.monotonic()));
  }

  #connectAfter(milliseconds: number): void {
    this.#cancelRetry = this.#after(milliseconds, () => {
      this.#cancelRetry = undefined;
      void this.#attempt(this.#ways[this.#way]!);
    });
  }

  async #attempt(connect: Connect): Promise<void> {
    let client: Iec61850Client | undefined;
    try {
      const transport = await connect(AbortSignal.timeout(CONNECT_WITHIN));
      client = await Iec61850Client.connect(transport, {
        keepAlive: KEEP_ALIVE,
        onClose: (error) => {
          if (client && client === this.#client) this.#lost(error?.message ?? 'the device has ended the association');
        },
        onStray: (text) => {
          this.#counters.strays++;
          this.#host.intake.malformed(text);
        },
      });
      if (this.#stopped) {
        await client.close();
        return;
      }
      this.#client = client;
      this.#counters.connects++;
      await this.#begin(client);
    } catch (error) {
      // Whoever has lost the connection meanwhile has seen to the next one.
      if (client && client !== this.#client) return;
      if (!client) this.#way = (this.#way + 1) % this.#ways.length;
      client?.abort();
      this.#lost(describeError(error));
    }
  }

  /** Reports first, then the first round of polling; when all of that is done the state is complete. */
  async #begin(client: Iec61850Client): Promise<void> {
    const { intake } = this.#host;
    this.#enter('up');
    this.#away = undefined;
    this.#synchronized = false;
    this.#watch.connected();
    intake.connected();
    const types = new DeviceTypes((reference, fc) => client.type(reference, fc));
    this.#types = types;
    await this.#compareRevisions(client);
    await this.#enableReports(client, types);
    if (this.#client !== client) return;
    const { counters, states } = this.#reports;
    if (counters.blocks === 0 && counters.failedBlocks > 0 && this.#pollItems().length === 0) {
      const why = states.map(({ block, detail }) => `${block.reference}: ${detail}`).join('; ');
      throw new EnerchainError(
        'peer',
        'edge.iec61850.reports',
        `no report control block could be had: ${why}`.slice(0, 900),
      );
    }
    this.#pause = FIRST_PAUSE;
    this.#poll();
    if (this.#poller.size === 0) this.#complete();
  }

  async #enableReports(client: Iec61850Client, types: DeviceTypes): Promise<void> {
    const alive = (): boolean => this.#client === client;
    await this.#reports.enable(client, types, alive);
    const dynamic = this.#settings.dynamicDataSets ? dynamicDataSets(this.#ied.model) : undefined;
    if (dynamic && alive()) await this.#reports.enableDynamic(client, types, this.#pollItems(), dynamic, alive);
    if (!alive()) return;
    const failures = this.#reports.states.flatMap(({ state, block, detail }) =>
      state === 'failed' ? [`${block.reference}: ${detail}`] : [],
    );
    this.#watch.reports(failures);
    this.#cancelBlocks?.();
    this.#cancelBlocks =
      failures.length === 0 ? undefined : this.#after(RETRY_BLOCKS, () => void this.#retryBlocks(client, types));
  }

  /** Another client may have let go of a block meanwhile. */
  async #retryBlocks(client: Iec61850Client, types: DeviceTypes): Promise<void> {
    if (this.#client !== client) return;
    const before = this.#reports.counters.blocks;
    try {
      await this.#enableReports(client, types);
    } catch {
      // The connection went; the next one asks for them anyway.
      return;
    }
    if (this.#client === client && this.#reports.counters.blocks !== before) this.#poll();
  }

  /** What the device was set up with, where both sides say it (7-3 LPL): the first sign that the file is of another time. */
  async #compareRevisions(client: Iec61850Client): Promise<void> {
    const asked = this.#ied.model.devices.flatMap((device) => {
      const node = device.nodes.find(({ ln }) => ln.lnClass === 'LLN0');
      const expected = node && configuredRevision(node);
      return expected === undefined ? [] : [{ reference: `${device.name}/LLN0.NamPlt.configRev`, expected }];
    });
    if (asked.length === 0) return;
    const values = await client.readMany(asked.map(({ reference }) => variableOf(reference, 'DC')));
    asked.forEach(({ reference, expected }, index) => {
      const value = values[index];
      if (value === undefined || value instanceof Error || !('value' in value)) return;
      const own = String(value.value);
      if (own !== expected)
        this.#watch.deviates('edge.iec61850.model', `${reference} is '${own}', in the SCL it is '${expected}'`);
    });
  }

  /** Objects with a value that no report brings, each once. */
  #pollItems(): PollItem[] {
    if (this.#settings.poll === false) return [];
    const items = new Map<string, PollItem>();
    for (const { reference, object, fc, setting } of this.#targets) {
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
            planOf(type, item.reference, (at) => this.#sinks.get(at)),
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

  #lost(reason: string): void {
    this.#client = undefined;
    this.#types = undefined;
    this.#poller.stop();
    this.#reports.lost();
    this.#cancelBlocks?.();
    if (this.#stopped || this.#cancelRetry) return;
    if (this.#state === 'up') this.#host.intake.lost(reason);
    this.#enter('connecting');
    this.#away = reason.slice(0, 500);
    // Not all at once after a cut that many share.
    const wait = this.#pause * (0.7 + 0.6 * Math.random());
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
    this.#connectAfter(wait);
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
    this.#stopped = true;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    this.#cancelBlocks?.();
    this.#poller.stop();
    this.#goose?.stop();
    const client = this.#client;
    this.#client = undefined;
    await client?.close();
    this.#entries.save();
  }
}

const configuredRevision = (node: LogicalNode): string | undefined =>
  configuredValue(node, ['NamPlt', 'configRev']) || undefined;

const unknownBlock = (reference: string) => ({
  reference,
  instances: [reference],
  confRev: undefined,
  dataSet: undefined,
  members: undefined,
});

/** @returns undefined when the SCL does not have it */
function constraintOf({ model }: IedSource, object: string, value: string): FunctionalConstraint | undefined {
  const slash = object.indexOf('/');
  const [node, ...names] = object.slice(slash + 1).split('.');
  const device = model.devices.find(({ name }) => name === object.slice(0, slash));
  const type = device?.nodes.find(({ name }) => name === node)?.type;
  const [first] = value.split(/[.(]/);
  return type && find(type, [...names, first!])?.attributes[0]?.fc;
}
