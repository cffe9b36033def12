/** An IEC 61850 device as an endpoint: reports of its data sets, controls, reconnection that restores both. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Iec61850Client, type ReceivedReport, type ReportGap, type ReportSubscription } from '@enerchain/iec61850';
import type { BitString, Data, UtcTime } from '@enerchain/mms';
import { describeError, EnerchainError, TIME_GOOD, TIME_QUALITY, type UtcNanos } from '@enerchain/model';
import { type Connect, type TlsProfile, tcpConnect, tlsConnect } from '@enerchain/transport';
import type { Connector, ConnectorHost, EndpointState, Health, Order, ReportStep } from '../../connector.ts';
import type { BoundPoint, EndpointSite } from '../../site/site.ts';
import { Entries } from './entries.ts';
import { type News, newsOf, type Plan, planOf, pointValueOf, qualityOf, type Sink, timeOf } from './mapping.ts';
import { ctlValOf, stepsOf } from './order.ts';
import { addressOf, reportBlocks } from './points.ts';
import { type Iec61850Settings, type Iec61850Target, iedOf } from './protocol.ts';

const CONNECT_WITHIN = 10_000;
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;
const DEFAULT_RESERVE = 60;
const NO_TIME = TIME_GOOD | TIME_QUALITY.receiveTime;

/** An object with the last that is known of it: a report need not repeat what has not changed. */
interface Watched {
  readonly bound: BoundPoint;
  value: Data | undefined;
  q: BitString | undefined;
  t: UtcTime | undefined;
}

interface Block {
  readonly reference: string;
  readonly instances: readonly string[];
  readonly confRev: number | undefined;
}

export class Iec61850Connector implements Connector {
  readonly #endpoint: EndpointSite;
  readonly #settings: Iec61850Settings;
  readonly #host: ConnectorHost;
  readonly #connect: Connect;
  readonly #blocks: readonly Block[];
  readonly #entries: Entries;
  readonly #watched = new Map<string, Watched>();
  readonly #sinks = new Map<string, Sink>();
  readonly #counters = { reports: 0, values: 0, connects: 0, gaps: 0, commands: 0, strays: 0, blocks: 0 };
  #client: Iec61850Client | undefined;
  #subscriptions: ReportSubscription[] = [];
  #state: EndpointState = 'connecting';
  #since: UtcNanos;
  #detail: string | undefined;
  #pause = FIRST_PAUSE;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(endpoint: EndpointSite, host: ConnectorHost) {
    this.#endpoint = endpoint;
    this.#settings = endpoint.settings as unknown as Iec61850Settings;
    this.#host = host;
    this.#since = host.clock.now();
    const ied = iedOf(this.#settings, host.folder);
    const address = this.#settings.host ?? addressOf(ied);
    if (address === undefined) {
      throw new EnerchainError(
        'caller',
        'edge.iec61850.address',
        `endpoint '${endpoint.endpoint.id}': the SCL has no address for ${ied.model.ied.name}, and \`host\` gives none; the endpoint is not started`,
      );
    }
    this.#connect = this.#way(address);
    const { reports } = this.#settings;
    this.#blocks = reports
      ? reports.map((reference) => ({ reference, instances: [reference], confRev: undefined }))
      : reportBlocks(ied);
    this.#entries = new Entries(host.data, endpoint.endpoint.id, (error) =>
      host.logger.warn(
        { error: describeError(error) },
        'the last entries of the reports cannot be kept; after a restart they come again',
      ),
    );
    for (const bound of endpoint.points) {
      const { object, value } = bound.target as Iec61850Target;
      if (value === undefined) continue;
      this.#watched.set(object, { bound, value: undefined, q: undefined, t: undefined });
      this.#sinks.set(`${object}.${value}`, { object, part: 'value' });
      this.#sinks.set(`${object}.q`, { object, part: 'q' });
      this.#sinks.set(`${object}.t`, { object, part: 't' });
    }
  }

  /** TCP, or TLS with the profile of IEC 62351-3. */
  #way(host: string): Connect {
    const { tls, port } = this.#settings;
    if (!tls) return tcpConnect(host, port ?? 102);
    const read = (file: string): Buffer => readFileSync(resolve(this.#host.folder, file));
    const profile: TlsProfile = {
      ca: read(tls.ca),
      cert: read(tls.certificate),
      key: read(tls.key),
      ...(tls.crl ? { crl: read(tls.crl) } : {}),
      ...(tls.serverName ? { serverName: tls.serverName } : {}),
    };
    const onSecurityEvent = (event: { readonly name: string; readonly text: string }): void =>
      this.#host.intake.event('security', event.text, event.name);
    return tlsConnect({ host, port: port ?? 3782, profile, onSecurityEvent });
  }

  start(): void {
    void this.#attempt();
  }

  async #attempt(): Promise<void> {
    let client: Iec61850Client | undefined;
    try {
      const transport = await this.#connect(AbortSignal.timeout(CONNECT_WITHIN));
      client = await Iec61850Client.connect(transport, {
        onClose: (error) => this.#lost(error?.message ?? 'the device has ended the association'),
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
      this.#client = undefined;
      client?.abort();
      this.#retry(describeError(error));
    }
  }

  /** Reports first; when all of them have said what is, the state is complete. */
  async #begin(client: Iec61850Client): Promise<void> {
    const { intake } = this.#host;
    this.#enter('up');
    intake.connected();
    const failures: string[] = [];
    for (const block of this.#blocks) {
      try {
        await this.#subscribe(client, block);
      } catch (error) {
        if (this.#client !== client) return;
        failures.push(`${block.reference}: ${describeError(error)}`);
      }
    }
    if (this.#client !== client) return;
    this.#counters.blocks = this.#subscriptions.length;
    if (this.#subscriptions.length === 0 && this.#blocks.length > 0) {
      throw new EnerchainError(
        'peer',
        'edge.iec61850.reports',
        `no report control block could be had: ${failures.join('; ')}`.slice(0, 900),
      );
    }
    this.#pause = FIRST_PAUSE;
    if (failures.length > 0) {
      this.#detail = failures.join('; ').slice(0, 500);
      this.#host.logger.warn({ failures }, 'some reports could not be had; their values do not come');
      intake.event('configuration', `no reports of ${this.#detail}`.slice(0, 1000), 'edge.iec61850.reports');
    } else this.#detail = undefined;
    intake.synchronized();
  }

  /** The first instance that no other client has. */
  async #subscribe(client: Iec61850Client, { reference, instances, confRev }: Block): Promise<void> {
    const { integritySeconds, reserveSeconds } = this.#settings;
    let refused: unknown;
    // The instance that it had before first: its buffer is where the other one's entries are.
    const known = instances.filter((instance) => this.#entries.get(instance));
    for (const instance of [...known, ...instances.filter((one) => !known.includes(one))]) {
      const resumeAfter = this.#entries.get(instance);
      const plans = new Map<string, Plan>();
      const early: ReceivedReport[] = [];
      let ready = false;
      try {
        const subscription = await client.subscribe(instance, {
          onReport: (report) => {
            if (ready) this.#take(instance, report, plans);
            else early.push(report);
          },
          onGap: (gap, text) => this.#gap(gap, text),
          reserve: reserveSeconds ?? DEFAULT_RESERVE,
          ...(confRev === undefined ? {} : { confRev }),
          ...(integritySeconds === undefined ? {} : { integrityPeriod: integritySeconds * 1000 }),
          ...(resumeAfter === undefined ? {} : { resumeAfter }),
        });
        await this.#plan(client, subscription, plans);
        ready = true;
        for (const report of early) this.#take(instance, report, plans);
        this.#subscriptions.push(subscription);
        return;
      } catch (error) {
        refused = error;
        const { code } = error as { code?: string };
        if (code !== 'report.taken' && code !== 'access.temporarily-unavailable') throw error;
      }
    }
    throw refused ?? new EnerchainError('caller', 'edge.iec61850.reports', `${reference} has no instance`);
  }

  /** What each value of a report is for follows from the device's own types: they count where the SCL differs. */
  async #plan(client: Iec61850Client, { members }: ReportSubscription, plans: Map<string, Plan>): Promise<void> {
    for (const { reference, fc } of members) {
      const key = `${reference} ${fc}`;
      if (fc === undefined || plans.has(key)) continue;
      const plan = planOf(await client.type(reference, fc), reference, (at) => this.#sinks.get(at));
      if (plan.every((sink) => sink === undefined)) this.#host.intake.unknown(key, () => `${reference} [${fc}]`);
      plans.set(key, plan);
    }
  }

  #take(block: string, report: ReceivedReport, plans: ReadonlyMap<string, Plan>): void {
    const { intake, clock } = this.#host;
    const receiveTime = clock.now();
    this.#counters.reports++;
    for (const [object, news] of newsOf(report.members, plans)) this.#observe(object, news, receiveTime);
    const { entryId } = report;
    // What is on disk is not asked for again.
    if (entryId && block.includes('.BR.')) intake.hold({ release: () => this.#entries.set(block, entryId) });
  }

  #observe(object: string, { value: data, q, t, cause }: News, receiveTime: UtcNanos): void {
    const watched = this.#watched.get(object)!;
    watched.value = data ?? watched.value;
    watched.q = q ?? watched.q;
    watched.t = t ?? watched.t;
    if (!watched.value) return;
    const raw = pointValueOf(watched.value);
    if (raw === undefined) {
      this.#host.intake.malformed(`${object} is ${watched.value.kind}, which no point holds`);
      return;
    }
    const { bound } = watched;
    const value = typeof raw === 'number' ? raw * bound.k + bound.d : raw;
    const time = watched.t && timeOf(watched.t);
    this.#counters.values++;
    this.#host.intake.add(
      bound,
      value,
      watched.q ? qualityOf(watched.q) : 0,
      time?.at ?? receiveTime,
      time?.quality ?? NO_TIME,
      receiveTime,
      cause,
    );
  }

  #gap(gap: ReportGap, text: string): void {
    const { intake, clock } = this.#host;
    if (gap === 'configuration') {
      intake.event('configuration', text.slice(0, 1000), 'edge.iec61850.configuration');
      return;
    }
    this.#counters.gaps++;
    intake.overflowed(clock.now(), text);
  }

  #enter(state: EndpointState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#since = this.#host.clock.now();
  }

  #lost(reason: string): void {
    const was = this.#client;
    this.#client = undefined;
    this.#subscriptions = [];
    if (!was || this.#stopped) return;
    this.#host.intake.lost(reason);
    this.#retry(reason);
  }

  #retry(reason: string): void {
    if (this.#stopped || this.#timer) return;
    if (this.#state === 'up') this.#host.intake.lost(reason);
    this.#enter('connecting');
    this.#subscriptions = [];
    this.#detail = reason.slice(0, 500);
    // Not all at once after a cut that many share.
    const wait = this.#pause * (0.7 + 0.6 * Math.random());
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#attempt();
    }, wait);
  }

  async operate({ command, point }: Order, report: ReportStep): Promise<void> {
    this.#counters.commands++;
    const { object, cdc } = point.target as Iec61850Target;
    const client = this.#client;
    const refused = command.action === 'select' ? 'selectRefused' : 'negative';
    if (!client) {
      report(refused, `${this.#endpoint.endpoint.id} is not connected`);
      return;
    }
    try {
      const type = await client.type(`${object}.Oper.ctlVal`, 'CO');
      const value = ctlValOf(cdc, type, (command.value - point.d) / point.k);
      if (typeof value === 'string') {
        report('refusedByEdge', value);
        return;
      }
      if (command.action === 'operate') report('operateSent', object);
      const outcome = await client.operate(object, value, {
        test: command.test === true,
        ...(command.action === 'select' ? { selectOnly: true } : {}),
        ...(command.action === 'cancel' ? { cancel: true } : {}),
      });
      for (const { step, reason } of stepsOf(command.action, outcome)) report(step, reason);
    } catch (error) {
      // Nothing that was operated throws: an outcome that nobody knows is an outcome.
      report(refused, describeError(error).slice(0, 500));
    }
  }

  health(): Health {
    return {
      state: this.#state,
      since: this.#since,
      ...(this.#detail === undefined ? {} : { detail: this.#detail }),
      counters: { ...this.#counters },
    };
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const client = this.#client;
    this.#client = undefined;
    await client?.close();
    this.#entries.save();
  }
}
