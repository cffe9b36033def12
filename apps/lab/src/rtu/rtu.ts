/**
 * A remote terminal unit: scans its part of the grid, writes what it finds into its ledger, and serves it over IEC
 * 60870-5-104. Nothing time-tagged goes on the wire that is not on the disk before.
 */
import { join } from 'node:path';
import { cp56FromEpochMillis, cp56ToEpochMillis, Iec104Server, type ServerHandlers } from '@enerchain/iec60870';
import { describeError, EnerchainError, type Mrid } from '@enerchain/model';
import { socketTransport } from '@enerchain/transport';
import type { Logger } from 'pino';
import type { LabBay, LabStation } from '../grid/lab-grid.ts';
import { normal, randomStream } from '../simulation/random.ts';
import type { GridSimulation } from '../simulation/simulation.ts';
import type { Movement, Scheduler, Switchgear } from '../simulation/switchgear.ts';
import { Controls } from './controls.ts';
import { eventAsdus, imageContents, isTimed, typeOf } from './frames.ts';
import { Ledger, lastLedgerValue } from './ledger.ts';
import { Line } from './line.ts';
import { CONTROL_TYPES, type ControlPoint, type MonitoredPoint, type PointList } from './point-list.ts';
import { type Reading, read } from './readings.ts';
import { type RtuEvent, RtuImage } from './rtu-image.ts';
import { LEDGER_IOA, OVERFLOW_IOA } from './station-points.ts';

/** Events (ASDUs) that an RTU keeps for a control centre that is away. */
const QUEUE_CAPACITY = 10_000;
/** Events that may wait for the disk; beyond that nothing is scanned, and changes are found later. */
const MOST_WAITING = 100_000;
/** Return information caused by a remote command (5-101 § 7.2.3). */
const RETURN_REMOTE = 11;
const INITIALISED = 4;
/** M_EI_NA_1. */
const END_OF_INITIALISATION = 70;

export interface RtuOptions {
  readonly station: LabStation;
  readonly points: PointList;
  readonly simulation: GridSimulation;
  readonly switchgear: Switchgear;
  readonly scheduler: Scheduler;
  readonly seed: number;
  /** Part of the mRIDs that the gateway derives; written into the ledger. */
  readonly site: string;
  readonly ledgerFolder: string;
  readonly host: string;
  readonly port: number;
  readonly logger: Logger;
  /** Wall clock, ms since the Unix epoch. */
  readonly now: () => number;
  /** Simulated seconds since the start. */
  readonly elapsed: () => number;
  /** The grid has changed: every RTU has something to see. */
  readonly onGridChanged: () => void;
}

export class Rtu {
  readonly name: string;
  readonly counters = {
    events: 0,
    cyclic: 0,
    commands: 0,
    refused: 0,
    ledgerFailures: 0,
    queueLost: 0,
    scansSkipped: 0,
  };
  readonly #options: RtuOptions;
  readonly #image: RtuImage;
  readonly #controls: Controls;
  readonly #ledger: Ledger;
  readonly #line: Line;
  readonly #scanned: readonly MonitoredPoint[];
  readonly #flags = new Set<string>();
  #server: Iec104Server;
  #ledgerCounter: number;
  /** ms that the device's clock is ahead. */
  #clockOffset = 0;
  #sending: Promise<void> = Promise.resolve();
  /** Events found and not yet handed to the server. */
  #waiting = 0;
  #away = false;
  #closed = false;

  private constructor(options: RtuOptions, ledger: Ledger, ledgerCounter: number) {
    this.#options = options;
    this.name = options.station.rtu;
    this.#ledger = ledger;
    this.#ledgerCounter = ledgerCounter;
    const random = randomStream(options.seed, `noise/${this.name}`);
    this.#image = new RtuImage(options.points.monitored, () => normal(random));
    // The overflow point is the event queue's own to speak through.
    this.#scanned = options.points.monitored.filter((point) => point.ioa !== OVERFLOW_IOA);
    this.#controls = new Controls(options.station, {
      simulation: options.simulation,
      switchgear: options.switchgear,
      changed: () => {
        options.simulation.settle();
        options.onGridChanged();
      },
      isLocal: () => this.#flags.has('local'),
    });
    options.switchgear.onMovement((movement) => this.#moved(movement));
    this.#server = this.#makeServer();
    this.#line = new Line(options.host, options.port, (socket) => this.#server.attach(socketTransport(socket)));
  }

  static async start(options: RtuOptions): Promise<Rtu> {
    const { station, site, ledgerFolder } = options;
    const file = join(ledgerFolder, `${station.rtu}.jsonl`);
    const ledger = await Ledger.open(file, { rtu: station.rtu, site, commonAddress: station.commonAddress });
    const rtu = new Rtu(options, ledger, lastLedgerValue(file, LEDGER_IOA) ?? 0);
    rtu.scan();
    rtu.#announce();
    try {
      await rtu.#line.up();
    } catch (error) {
      await ledger.close();
      throw new EnerchainError(
        'environment',
        'lab.rtu.listen',
        `${station.rtu} cannot listen on ${options.host}:${options.port}: ${describeError(error)}`,
        { cause: error },
      );
    }
    return rtu;
  }

  get port(): number {
    return this.#line.port;
  }

  get station(): LabStation {
    return this.#options.station;
  }

  get ledgerFile(): string {
    return this.#ledger.file;
  }

  get isConnected(): boolean {
    return this.#server.connections().some((connection) => connection.started);
  }

  /** Looks at everything and reports what is new or due. */
  scan(): void {
    this.#scan(this.#scanned);
  }

  /** The counter that counts up for ever makes its next step. */
  count(): void {
    // A device that is off or cannot write does not count: the numbers it would leave out would look like lost events.
    if (this.#away || this.#waiting > MOST_WAITING) return;
    this.#ledgerCounter = (this.#ledgerCounter + 1) % 2 ** 31;
    this.#scan([this.#image.point(LEDGER_IOA)!]);
  }

  /** Resolves when everything found so far is in the ledger and handed to the server. */
  async settled(): Promise<void> {
    await this.#sending;
  }

  // Faults. Each returns a sentence of what was done.

  linkDown(seconds: number): string {
    void this.#line.down();
    this.#after(seconds, () => this.#reopen());
    return `${this.name}: link down for ${seconds} s`;
  }

  restart(seconds: number): string {
    this.#away = true;
    const old = this.#server;
    void this.#line.down().then(() => old.close());
    this.#after(seconds, () => {
      this.#server = this.#makeServer();
      this.#away = false;
      this.#clockOffset = 0;
      this.#announce();
      this.#reopen();
    });
    return `${this.name}: restarting, back in ${seconds} s; its event buffer is lost`;
  }

  disturb(kind: 'stuck' | 'noisy', ioa: number, amplitude: number, seconds: number): string {
    const point = this.#image.point(ioa);
    if (!point || ioa === LEDGER_IOA || ioa === OVERFLOW_IOA) {
      throw new EnerchainError(
        'caller',
        'lab.fault.point',
        `${this.name} has no point ${ioa} to disturb; nothing was done`,
      );
    }
    const fault = { kind, amplitude };
    this.#image.faults.set(ioa, fault);
    this.#after(seconds, () => {
      if (this.#image.faults.get(ioa) === fault) this.#image.faults.delete(ioa);
    });
    return `${this.name}: '${point.name}' is ${kind} for ${seconds} s`;
  }

  trip(code: string): string {
    const bay = this.bay(code);
    const breaker = bay.switches[0];
    if (breaker?.class !== 'Breaker') {
      throw new EnerchainError(
        'caller',
        'lab.fault.bay',
        `bay ${code} of ${this.name} has no breaker; nothing was done`,
      );
    }
    this.#setFlag(`${code}/start`, true);
    this.#setFlag(`${code}/trip`, true);
    this.#after(0.2, () => this.#setFlag(`${code}/start`, false));
    this.#controls.moveSwitch(breaker.mRID, false);
    return `${this.name}: protection has opened ${bay.code} ${bay.name}`;
  }

  /** Raises a flag of the station or of a bay for a while. */
  raise(flag: string, seconds: number): string {
    const code = flag.includes('/') ? flag.slice(0, flag.indexOf('/')) : undefined;
    if (code) this.bay(code);
    if (!this.#options.points.monitored.some(({ quantity }) => quantity.of === 'flag' && quantity.name === flag)) {
      throw new EnerchainError('caller', 'lab.fault.flag', `${this.name} has no point for ${flag}; nothing was done`);
    }
    this.#setFlag(flag, true);
    this.#after(seconds, () => this.#setFlag(flag, false));
    return `${this.name}: ${flag} for ${seconds} s`;
  }

  /** A contact of another device, wired to this one. @param flag `J11/trip` */
  contact(flag: string, raised: boolean): void {
    if (this.#flags.has(flag) !== raised) this.#setFlag(flag, raised);
  }

  /** Whether a flag of the station or of a bay stands: `local`, `E03/buchholz`. */
  flag(name: string): boolean {
    return this.#flags.has(name);
  }

  stepClock(seconds: number): string {
    this.#clockOffset += seconds * 1000;
    return `${this.name}: clock is off by ${this.#clockOffset / 1000} s until it is synchronised`;
  }

  storm(count: number): string {
    const rounds = Math.max(1, Math.min(100, Math.round(count)));
    for (let i = 0; i < rounds; i++) {
      this.#announce();
      this.#report(this.#scanned);
    }
    return `${this.name}: ${rounds} × end of initialisation and ${this.#scanned.length} points`;
  }

  flood(events: number): string {
    const total = Math.max(1, Math.min(1_000_000, Math.round(events)));
    const measured = this.#scanned.filter((point) => point.family === 'measured');
    for (let sent = 0; sent < total; sent += measured.length) this.#report(measured.slice(0, total - sent));
    return `${this.name}: ${total} events at once`;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#sending.catch(() => {});
    await this.#line.down();
    await this.#server.close();
    await this.#ledger.close();
  }

  #after(seconds: number, act: () => void): void {
    this.#options.scheduler.after(seconds * 1000, () => {
      if (!this.#closed) act();
    });
  }

  #reopen(): void {
    this.#line.up().catch((error: unknown) => {
      this.#options.logger.error({ rtu: this.name, error: describeError(error) }, 'RTU cannot listen again; trying on');
      this.#after(1, () => this.#reopen());
    });
  }

  /** @throws EnerchainError (caller) that names those there are */
  bay(code: string): LabBay {
    const bay = this.station.bays.find((candidate) => candidate.code === code);
    if (bay) return bay;
    const codes = this.station.bays.map((candidate) => candidate.code).join(', ');
    throw new EnerchainError('caller', 'lab.fault.bay', `${this.name} has no bay '${code}'; it has ${codes}`);
  }

  /** Device time, ms since the Unix epoch. */
  #time(): number {
    return Math.floor(this.#options.now()) + this.#clockOffset;
  }

  #read(point: MonitoredPoint): Reading {
    return read(point.quantity, this.#options.simulation, {
      flag: (name) => (name === 'overflow' ? (this.#server.queue()?.overflowed ?? false) : this.#flags.has(name)),
      position: (mRID) =>
        this.#options.switchgear.isMoving(mRID) ? 0 : this.#options.simulation.isClosed(mRID) ? 2 : 1,
      ledgerCounter: this.#ledgerCounter,
    });
  }

  #scan(points: readonly MonitoredPoint[], cause?: number): void {
    if (this.#away) return;
    if (this.#waiting > MOST_WAITING) {
      this.counters.scansSkipped += 1;
      return;
    }
    const events = this.#image.scan(points, (point) => this.#read(point), this.#time(), this.#options.elapsed());
    this.#emit(cause === undefined ? events : events.map((event) => ({ ...event, cause })));
  }

  #report(points: readonly MonitoredPoint[]): void {
    if (this.#away) return;
    const time = this.#time();
    this.#emit(points.map((point) => this.#image.force(point, time)).filter((event) => event !== undefined));
  }

  #positionPoint(mRID: Mrid): MonitoredPoint | undefined {
    return this.#scanned.find(({ quantity }) => quantity.of === 'position' && quantity.switch === mRID);
  }

  /** A switch has begun to move or is there; a breaker that was closed again is no longer tripped. */
  #moved({ mRID, phase, by }: Movement): void {
    if (this.#closed) return;
    const point = this.#positionPoint(mRID);
    if (point) this.#scan([point], by === this.#controls ? RETURN_REMOTE : undefined);
    if (phase === 'moving') return;
    const bay = this.station.bays.find((candidate) => candidate.switches[0]?.mRID === mRID);
    if (bay && this.#options.simulation.isClosed(mRID)) this.#setFlag(`${bay.code}/trip`, false);
  }

  #setFlag(name: string, raised: boolean): void {
    if (raised) this.#flags.add(name);
    else this.#flags.delete(name);
    this.#scan(this.#scanned.filter(({ quantity }) => quantity.of === 'flag' && quantity.name === name));
  }

  /** Ledger first, then the wire; in the order in which it was found. */
  #emit(events: readonly RtuEvent[]): void {
    if (events.length === 0) return;
    const server = this.#server;
    const timed = events.filter(isTimed);
    this.#waiting += events.length;
    const durable =
      timed.length === 0
        ? Promise.resolve()
        : this.#ledger.append(
            timed.map((event) => [event.time, event.point.ioa, event.value, event.quality, typeOf(event)] as const),
          );
    this.#sending = Promise.all([this.#sending, durable]).then(
      () => {
        this.#waiting -= events.length;
        this.#send(server, events);
      },
      (error: unknown) => {
        this.#waiting -= events.length;
        this.counters.ledgerFailures += 1;
        this.#options.logger.error({ rtu: this.name, error: describeError(error) }, 'events not sent');
      },
    );
  }

  #send(server: Iec104Server, events: readonly RtuEvent[]): void {
    for (const asdu of eventAsdus(this.station.commonAddress, events)) {
      if (asdu.cause === 1 || asdu.cause === 2) {
        server.transmit(asdu);
        this.counters.cyclic += asdu.objects.length;
      } else {
        if (!server.enqueue(asdu)) this.counters.queueLost += asdu.objects.length;
        this.counters.events += asdu.objects.length;
      }
    }
  }

  #announce(): void {
    const server = this.#server;
    this.#sending = this.#sending.then(() => {
      server.enqueue({
        typeId: END_OF_INITIALISATION,
        cause: INITIALISED,
        commonAddress: this.station.commonAddress,
        objects: [{ address: 0, element: { kind: 'endOfInitialization', cause: 0, parametersChanged: false } }],
      });
    });
  }

  #makeServer(): Iec104Server {
    const { station, logger } = this.#options;
    return new Iec104Server({
      host: this.#options.host,
      commonAddresses: [station.commonAddress],
      maxConnections: 8,
      queue: {
        capacity: QUEUE_CAPACITY,
        overflowPoint: { commonAddress: station.commonAddress, address: OVERFLOW_IOA, timeTag: true },
        onOverflow: (_, { lostTotal }) => logger.warn({ rtu: this.name, lostTotal }, 'event buffer overflow'),
      },
      handlers: this.#handlers(),
      onError: (error) => logger.warn({ rtu: this.name, error: describeError(error) }, 'request failed'),
    });
  }

  *#readings(points: Iterable<MonitoredPoint>): Generator<readonly [MonitoredPoint, Reading]> {
    for (const point of points) {
      // What the image knows: a point that is stuck is stuck for everybody who asks.
      yield [point, this.#image.reading(point) ?? this.#read(point)];
    }
  }

  #handlers(): ServerHandlers {
    const { monitored, controls } = this.#options.points;
    const control = (typeId: number, address: number): ControlPoint | undefined =>
      controls.find(
        ({ ioa, action }) =>
          ioa === address && (CONTROL_TYPES[action.do].typeId === typeId || CONTROL_TYPES[action.do].timed === typeId),
      );
    return {
      interrogation: (_, __, qualifier) => {
        const group = qualifier - 20;
        return imageContents(
          this.#readings(
            monitored.filter((point) => point.family !== 'counter' && (group === 0 || point.group === group)),
          ),
        );
      },
      counterInterrogation: (_, __, request, freeze) => {
        if (freeze !== 0) return { refuse: 'negative' };
        return imageContents(
          this.#readings(
            monitored.filter((point) => point.family === 'counter' && (request === 5 || point.group === request)),
          ),
        );
      },
      read: (_, __, address) => {
        const point = this.#image.point(address);
        return point && [...imageContents(this.#readings([point]))][0];
      },
      controlMode: (typeId, _, address) => control(typeId, address)?.mode,
      command: (_, request) => {
        if (request.phase === 'cancel') return 'accept';
        const found = control(request.typeId, request.address);
        if (!found) return { refuse: 'unknown object address' };
        this.counters.commands += 1;
        const verdict = this.#controls.operate(found, request.value, request.phase === 'execute');
        if (!verdict.ok) {
          this.counters.refused += 1;
          this.#options.logger.info({ rtu: this.name, control: found.name, reason: verdict.reason }, 'command refused');
          return { refuse: 'negative' };
        }
        return { accept: true, ...(verdict.done ? { done: verdict.done } : {}) };
      },
      clockSync: (_, __, time) => {
        this.#clockOffset = cp56ToEpochMillis(time) - Math.floor(this.#options.now());
        return cp56FromEpochMillis(this.#time());
      },
      resetProcess: (_, __, qualifier) => {
        if (qualifier !== 1) return { refuse: 'negative' };
        // The confirmation goes out before the device does.
        this.#after(0.2, () => this.restart(2));
        return undefined;
      },
    };
  }
}
