/** An IEC 60870-5-104 station as an endpoint: the edge is the controlling station (client). */
import {
  type Asdu,
  type ClientState,
  Cp56Time,
  cp24ToEpochMillis,
  cp56ToEpochMillis,
  Iec104Client,
  type Iec104ClientOptions,
  Iec104RedundantClient,
  Iec104Refusal,
  type Receipt,
  type Time,
} from '@enerchain/iec60870';
import { describeError, QUALITY, TIME_GOOD, TIME_QUALITY, type UtcNanos } from '@enerchain/model';
import { tlsConnect } from '@enerchain/transport';
import type {
  Connector,
  ConnectorHost,
  EndpointState,
  Health,
  Receipt as HeldReceipt,
  Order,
  ReportStep,
} from '../../connector.ts';
import type { BoundPoint, EndpointSite } from '../../site/site.ts';
import { endpointTls } from '../endpoint-tls.ts';
import { CAUSE_OF_COT, IS_MONITORED, M_EI_NA_1, qualityOf, rawValueOf } from './mapping.ts';
import { requestOf, stepsOf } from './order.ts';
import { addressText, type Iec104Settings, type Iec104Target } from './protocol.ts';

const DEFAULT_PORT = 2404;
const DEFAULT_TLS_PORT = 19998;
const DEFAULT_W = 8;
/** Seconds after which an interrogation that failed is tried again, as long as the connection stands. */
const RETRY_INTERROGATION = 30;
/** A device clock that is further ahead of ours than this has stepped, milliseconds. */
const CLOCK_AHEAD = 60_000;
const NO_TIME = TIME_GOOD | TIME_QUALITY.receiveTime;

/** Released with the last frame that the batch covers: receipts of 104 are cumulative. */
class CumulativeReceipt implements HeldReceipt {
  latest: Receipt;

  constructor(first: Receipt) {
    this.latest = first;
  }

  release(): void {
    this.latest.release();
  }
}

export class Iec104Connector implements Connector {
  readonly #endpoint: EndpointSite;
  readonly #settings: Iec104Settings;
  readonly #host: ConnectorHost;
  /** Common address → object address → point, monitor direction. */
  readonly #points = new Map<number, Map<number, BoundPoint>>();
  readonly #stations: readonly number[];
  readonly #zone: { readonly zone: string } | undefined;
  readonly #window: number;
  readonly #overflow: { readonly ca: number; readonly ioa: number } | undefined;
  readonly #counters = {
    asdus: 0,
    objects: 0,
    interrogations: 0,
    interrogationFailures: 0,
    switchovers: 0,
    commands: 0,
    pendingReceipts: 0,
    octetsReceived: 0,
    octetsSent: 0,
    connects: 0,
    malformedAsdus: 0,
  };
  #client: Iec104Client | Iec104RedundantClient | undefined;
  #state: EndpointState = 'connecting';
  #since: UtcNanos;
  #detail: string | undefined;
  #held: CumulativeReceipt | undefined;
  #turn = -1;
  #overflowed = false;
  #clockAhead = false;
  /** Counts connections, so that a procedure of an earlier one ends by itself. */
  #session = 0;
  #interrogating: number | undefined;
  #interrogateAgain = false;
  #timers: NodeJS.Timeout[] = [];
  /** Select that stands: the command's id by object. */
  readonly #selected = new Map<string, string>();

  constructor(endpoint: EndpointSite, host: ConnectorHost) {
    this.#endpoint = endpoint;
    this.#settings = endpoint.settings as unknown as Iec104Settings;
    this.#host = host;
    this.#since = host.clock.now();
    this.#window = this.#settings.parameters?.w ?? DEFAULT_W;
    const { timeZone } = endpoint.endpoint;
    this.#zone = timeZone === undefined || timeZone === 'UTC' ? undefined : { zone: timeZone };
    for (const point of endpoint.points) {
      if (point.binding.access !== 'read') continue;
      const { ca, ioa } = point.target as Iec104Target;
      let station = this.#points.get(ca);
      if (!station) {
        station = new Map();
        this.#points.set(ca, station);
      }
      station.set(ioa, point);
    }
    const { overflowPoint, commonAddress } = this.#settings;
    if (overflowPoint) this.#overflow = { ca: overflowPoint.ca ?? commonAddress ?? 1, ioa: overflowPoint.ioa };
    const stations = new Set(endpoint.points.map((point) => (point.target as Iec104Target).ca));
    if (stations.size === 0 && commonAddress !== undefined) stations.add(commonAddress);
    this.#stations = [...stations];
  }

  start(): void {
    const { originator, parameters, redundant, host, port } = this.#settings;
    const common = {
      ...(parameters ? { parameters: parameters as NonNullable<Iec104ClientOptions['parameters']> } : {}),
      ...(originator === undefined ? {} : { originator }),
      ...this.#zone,
      acknowledge: 'manual' as const,
      onAsdu: (asdu: Asdu, receipt: Receipt) => this.#receive(asdu, receipt),
      onState: (state: ClientState, reason?: string) => this.#enter(state, reason),
      onMalformed: (error: Error) => this.#host.intake.malformed(error.message),
    };
    if (redundant && redundant.length > 0) {
      this.#client = new Iec104RedundantClient({
        ...common,
        connections: [{ host, ...(port === undefined ? {} : { port }) }, ...redundant].map((one) => ({
          name: `${one.host}:${one.port ?? DEFAULT_PORT}`,
          ...this.#way(one.host, one.port),
        })),
        onSwitchover: (to, from, reason) => {
          this.#counters.switchovers++;
          this.#host.logger.info({ to, from, reason }, 'switched over to another connection');
        },
      });
    } else {
      this.#client = new Iec104Client({ ...common, ...this.#way(host, port) });
    }
    this.#client.start();
  }

  /** TCP, or TLS with the profile of IEC 62351-3. */
  #way(host: string, port: number | undefined): Pick<Iec104ClientOptions, 'host' | 'port' | 'transport'> {
    const { tls } = this.#settings;
    if (!tls) return { host, port: port ?? DEFAULT_PORT };
    const secured = endpointTls(this.#endpoint.endpoint.id, tls, this.#host);
    return { transport: tlsConnect({ host, port: port ?? DEFAULT_TLS_PORT, ...secured }) };
  }

  /** The hot path: fifty thousand objects a second come through here. */
  #receive(asdu: Asdu, receipt: Receipt): void {
    const { intake, clock } = this.#host;
    this.#counters.asdus++;
    if (IS_MONITORED[asdu.typeId] === 1) {
      this.#observe(asdu, clock.now());
    } else if (asdu.typeId === M_EI_NA_1) {
      intake.event('configuration', `CA ${asdu.commonAddress} has initialised`, 'iec104.initialised');
      void this.#interrogateAll(this.#session);
    }
    const { turn } = intake;
    if (this.#turn === turn && this.#held) {
      this.#held.latest = receipt;
    } else {
      this.#held = new CumulativeReceipt(receipt);
      this.#turn = turn;
      intake.hold(this.#held);
    }
    // The station stops sending when k frames are unacknowledged: commit before that.
    if (receipt.number % this.#window === 0) intake.commitSoon();
  }

  #observe(asdu: Asdu, receiveTime: UtcNanos): void {
    const { intake } = this.#host;
    const { objects, commonAddress } = asdu;
    const station = this.#points.get(commonAddress);
    const cause = CAUSE_OF_COT[asdu.cause & 0x3f]!;
    const test = asdu.test ? QUALITY.test : 0;
    this.#counters.objects += objects.length;
    for (let i = 0; i < objects.length; i++) {
      const { address, element, time } = objects[i]!;
      const bound = station?.get(address);
      if (bound === undefined) {
        this.#unbound(commonAddress, address, rawValueOf(element), receiveTime);
        continue;
      }
      const raw = rawValueOf(element);
      const value = bound.k === 1 && bound.d === 0 ? raw : raw * bound.k + bound.d;
      const quality = qualityOf(element) | test;
      if (time === undefined) {
        intake.add(bound, value, quality, receiveTime, NO_TIME, receiveTime, cause);
      } else {
        this.#timed(bound, value, quality, time, receiveTime, cause);
      }
      if (this.#overflow?.ioa === address) this.#overflowState(commonAddress, address, raw, receiveTime);
    }
  }

  #timed(bound: BoundPoint, value: number, quality: number, time: Time, receiveTime: UtcNanos, cause: number): void {
    const { intake } = this.#host;
    const received = Number(receiveTime / 1_000_000n);
    const full = time instanceof Cp56Time;
    const millis = full ? cp56ToEpochMillis(time, this.#zone) : cp24ToEpochMillis(time, received);
    if (Number.isNaN(millis)) {
      intake.add(bound, value, quality, receiveTime, NO_TIME | TIME_QUALITY.clockFailure, receiveTime, cause);
      return;
    }
    let timeQuality = TIME_GOOD;
    if (!full) timeQuality |= TIME_QUALITY.completedHere;
    else if (time.summerTime) timeQuality |= TIME_QUALITY.summerTime;
    if (time.invalid) timeQuality |= TIME_QUALITY.clockFailure;
    if (time.substituted) timeQuality |= TIME_QUALITY.substitutedTime;
    const ahead = millis - received > CLOCK_AHEAD;
    if (ahead !== this.#clockAhead) this.#clockStepped(ahead, millis - received);
    intake.add(bound, value, quality, BigInt(millis) * 1_000_000n, timeQuality, receiveTime, cause);
  }

  #clockStepped(ahead: boolean, by: number): void {
    this.#clockAhead = ahead;
    const detail = ahead
      ? `the clock of the device is ${Math.round(by / 1000)} s ahead of ours; its time stamps are kept as they are`
      : 'the time stamps of the device are no longer ahead of our clock';
    this.#host.logger.warn(detail);
    this.#host.intake.event('clockStep', detail);
  }

  #unbound(ca: number, ioa: number, value: number, at: UtcNanos): void {
    if (this.#overflow?.ioa === ioa && this.#overflow.ca === ca) {
      this.#overflowState(ca, ioa, value, at);
      return;
    }
    this.#host.intake.unknown(ca * 0x1000000 + ioa, () => addressText(ca, ioa));
  }

  /** 1: events are missing from here on; said once until the point has returned to 0. */
  #overflowState(ca: number, ioa: number, value: number, at: UtcNanos): void {
    if (this.#overflow?.ca !== ca) return;
    const overflowed = value !== 0;
    if (overflowed && !this.#overflowed) {
      this.#host.intake.overflowed(at, `the overflow point ${addressText(ca, ioa)} is ${value}`);
    }
    this.#overflowed = overflowed;
  }

  #enter(state: ClientState, reason: string | undefined): void {
    const { intake, clock } = this.#host;
    const was = this.#state;
    const is: EndpointState = state === 'started' ? 'up' : state === 'closed' ? 'down' : 'connecting';
    this.#detail = state === 'started' ? undefined : (reason ?? this.#detail);
    if (is === was) return;
    this.#state = is;
    this.#since = clock.now();
    if (is === 'up') {
      this.#session++;
      this.#held = undefined;
      this.#turn = -1;
      intake.connected();
      // Not inside the callback: the client has to finish becoming started first.
      const session = this.#session;
      queueMicrotask(() => void this.#begin(session));
    } else if (was === 'up') {
      this.#session++;
      this.#selected.clear();
      this.#clearTimers();
      intake.lost(reason ?? 'the connection was closed');
    }
  }

  /** After STARTDT: set the clock, ask for the whole state, then go on in intervals. */
  async #begin(session: number): Promise<void> {
    const { clockSynchronization, interrogation, counterInterrogation } = this.#settings;
    if (clockSynchronization) {
      await this.#synchronizeClocks(session);
      this.#every(clockSynchronization.everySeconds, () => this.#synchronizeClocks(session));
    }
    await this.#interrogateAll(session);
    this.#every(interrogation?.everySeconds, () => this.#interrogateAll(session));
    if (counterInterrogation) {
      await this.#interrogateCounters(session);
      this.#every(counterInterrogation.everySeconds, () => this.#interrogateCounters(session));
    }
  }

  /** One at a time; asked for while one is under way, another one follows it. */
  async #interrogateAll(session: number): Promise<void> {
    if (this.#interrogating === session) {
      this.#interrogateAgain = true;
      return;
    }
    this.#interrogating = session;
    do {
      this.#interrogateAgain = false;
      await this.#interrogateOnce(session);
    } while (this.#interrogateAgain && session === this.#session);
    if (this.#interrogating === session) this.#interrogating = undefined;
  }

  async #interrogateOnce(session: number): Promise<void> {
    const { interrogation } = this.#settings;
    const failures: string[] = [];
    let retry = false;
    for (const ca of this.#stations) {
      if (session !== this.#session) return;
      try {
        this.#counters.interrogations++;
        const { terminated } = await this.#client!.interrogate(ca, interrogation?.group ?? 20, {
          ...(interrogation?.timeoutSeconds === undefined ? {} : { actterm: interrogation.timeoutSeconds }),
        });
        if (!terminated) failures.push(`CA ${ca}: no termination`);
      } catch (error) {
        if (session !== this.#session) return;
        this.#counters.interrogationFailures++;
        failures.push(`CA ${ca}: ${describeError(error)}`);
        // A refusal will be the same next time; silence need not.
        retry ||= !(error instanceof Iec104Refusal);
      }
    }
    if (session !== this.#session) return;
    if (failures.length > 0) {
      this.#detail = `interrogation: ${failures.join('; ')}`.slice(0, 500);
      this.#host.logger.warn({ failures }, 'an interrogation did not end as it should');
    } else {
      this.#detail = undefined;
    }
    if (retry) this.#after(RETRY_INTERROGATION, () => this.#interrogateAll(session));
    else this.#host.intake.synchronized();
  }

  async #interrogateCounters(session: number): Promise<void> {
    const qcc = this.#settings.counterInterrogation?.qualifier ?? 5;
    for (const ca of this.#stations) {
      await this.#attempt(session, `counter interrogation of CA ${ca}`, () =>
        this.#client!.counterInterrogation(ca, { request: qcc & 0x3f, freeze: qcc >> 6 }),
      );
    }
  }

  async #synchronizeClocks(session: number): Promise<void> {
    for (const ca of this.#stations) {
      await this.#attempt(session, `clock synchronisation of CA ${ca}`, () =>
        this.#client!.synchronizeClock(ca, Number(this.#host.clock.now() / 1_000_000n)),
      );
    }
  }

  async #attempt(session: number, what: string, act: () => Promise<unknown>): Promise<void> {
    if (session !== this.#session) return;
    try {
      await act();
    } catch (error) {
      if (session === this.#session) this.#host.logger.warn({ error: describeError(error) }, `${what} failed`);
    }
  }

  #every(seconds: number | undefined, act: () => Promise<void>): void {
    if (seconds !== undefined) this.#timers.push(setInterval(() => void act(), seconds * 1000));
  }

  #after(seconds: number, act: () => Promise<void>): void {
    this.#timers.push(setTimeout(() => void act(), seconds * 1000));
  }

  #clearTimers(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers = [];
  }

  async operate({ command, point }: Order, report: ReportStep): Promise<void> {
    this.#counters.commands++;
    const { ca, ioa } = point.target as Iec104Target;
    const object = addressText(ca, ioa);
    const selected = this.#selected.get(object) === command.id;
    const { commandTimeouts } = this.#settings;
    const order = requestOf(command, point, {
      selected,
      ...(commandTimeouts ? { timeouts: commandTimeouts as { actcon?: number; actterm?: number } } : {}),
    });
    if ('refusal' in order) {
      report('refusedByEdge', order.refusal);
      return;
    }
    if (command.action !== 'select') this.#selected.delete(object);
    if (command.action === 'operate') report('operateSent', `${object} ${order.request.mode}`);
    try {
      const outcome = await this.#client!.command(order.request);
      if (command.action === 'select' && outcome.kind === 'confirmed') this.#selected.set(object, command.id);
      for (const { step, reason } of stepsOf(command.action, outcome)) report(step, reason);
    } catch (error) {
      // The client rejects only when nothing was sent.
      report(command.action === 'select' ? 'selectRefused' : 'negative', describeError(error).slice(0, 500));
    }
  }

  health(): Health {
    const client = this.#client;
    this.#counters.pendingReceipts = client?.pendingReceipts ?? 0;
    const all = client instanceof Iec104RedundantClient ? [...client.clients.values()] : client ? [client] : [];
    let [octetsReceived, octetsSent, connects, malformed] = [0, 0, 0, 0];
    for (const { counters } of all) {
      octetsReceived += counters.octetsReceived;
      octetsSent += counters.octetsSent;
      connects += counters.connects;
      malformed += counters.asdusMalformed;
    }
    Object.assign(this.#counters, { octetsReceived, octetsSent, connects, malformedAsdus: malformed });
    return {
      state: this.#state,
      since: this.#since,
      ...(this.#detail === undefined ? {} : { detail: this.#detail }),
      counters: { ...this.#counters },
    };
  }

  async stop(): Promise<void> {
    this.#clearTimers();
    await this.#client?.close();
    this.#client = undefined;
  }
}
