/** What a device says by GOOSE: its values as observations, and for each control block whether it can be relied on. */
import { formatMac } from '@enerchain/ethernet';
import type { GooseControl, GooseEvent, GooseOutcome, GooseState, GooseSubscriber } from '@enerchain/iec61850';
import { type After, QUALITY, TIME_GOOD, TIME_QUALITY, toIso, type UtcNanos, type Value } from '@enerchain/model';
import type { ConnectorHost } from '../../connector.ts';
import type { BoundPoint } from '../../site/site.ts';
import type { GooseBus } from './goose-bus.ts';
import { blockReference, type Supervised } from './goose-points.ts';
import type { InspectedGoose } from './inspection.ts';
import { addNews, type News, PERIODIC, type Plan, planOf, type Sink, SPONTANEOUS, timeOf } from './mapping.ts';
import type { Observed } from './observed.ts';

export interface GooseWatchOptions {
  readonly controls: readonly GooseControl[];
  /** Points of the supervision, by reference of the control block and what is watched. */
  readonly supervised: ReadonlyMap<string, ReadonlyMap<Supervised, BoundPoint>>;
  readonly sinkOf: (reference: string) => Sink | undefined;
  readonly observed: Observed;
  readonly host: Pick<ConnectorHost, 'intake' | 'clock' | 'logger'>;
  readonly bus: GooseBus;
  readonly after: After;
  /** Whether an object comes by another way as well, so that it is not lost with its frames. */
  readonly otherwise: (object: string) => boolean;
  /** Frames of some control block come in time again, or those of none do. */
  readonly onAlive: (alive: boolean) => void;
}

/** How often numbers that only repeat are told, ms. */
const REFRESH = 60_000;
/** Events of one minute that are told; a publisher that flaps is seen by its points. */
const EVENTS_PER_MINUTE = 20;
const NO_TIME = TIME_GOOD | TIME_QUALITY.receiveTime;

interface Watched {
  readonly control: GooseControl;
  readonly reference: string;
  readonly plans: readonly Plan[];
  /** Objects that it brings. */
  readonly objects: ReadonlySet<string>;
  /** Values were told as old, or none came yet: all members are told with the next state. */
  fresh: boolean;
  /** Monotonic ms of the last frame. */
  receivedAt: number | undefined;
  simulated: boolean;
  readonly problems: Set<string>;
  /** What was told of each supervised value. */
  readonly told: Map<Supervised, Value>;
}

export class GooseWatch {
  readonly counters = { gooseStates: 0, gooseLost: 0, gooseExpired: 0, gooseRefused: 0 };
  readonly #options: GooseWatchOptions;
  readonly #watched: ReadonlyMap<string, Watched>;
  #leave: (() => void) | undefined;
  #cancel: (() => void) | undefined;
  #link = '';
  #trouble: string | undefined;
  #eventsLeft = EVENTS_PER_MINUTE;
  #wasAlive = false;

  constructor(options: GooseWatchOptions) {
    this.#options = options;
    this.#watched = new Map(options.controls.map((control) => [control.gocbRef, this.#watch(control)]));
  }

  #watch(control: GooseControl): Watched {
    const { sinkOf, observed } = this.#options;
    const plans = (control.members ?? []).map(({ reference, type }) => planOf(type, reference, sinkOf));
    const objects = new Set(plans.flatMap((plan) => plan.flatMap((sink) => (sink ? [sink.object] : []))));
    for (const object of objects) {
      const there = observed.objects.get(object);
      if (there) there.shared = true;
    }
    return {
      control,
      reference: blockReference(control),
      plans,
      objects,
      fresh: true,
      receivedAt: undefined,
      simulated: false,
      problems: new Set(),
      told: new Map(),
    };
  }

  start(): void {
    const { bus, controls, host } = this.#options;
    for (const { gocbRef, address, members } of controls) {
      if (address && members) continue;
      const text = `GOOSE ${gocbRef} is not listened to: the SCL has no ${address ? 'data set that can be resolved' : 'address'} for it`;
      host.intake.event('configuration', text, 'edge.iec61850.goose');
    }
    this.#leave = bus.join({
      controls,
      onState: (subscriber, outcome) => this.#state(subscriber, outcome),
      onMessage: (subscriber, at) => this.#message(subscriber, at),
      onEvent: (event, subscriber) => this.#event(event, subscriber),
      onLink: (name, trouble) => this.#linked(name, trouble),
    });
    this.#tick();
  }

  stop(): void {
    this.#leave?.();
    this.#cancel?.();
  }

  /** What is wrong with the link; undefined when nothing is. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Whether frames of any control block come in time. */
  get alive(): boolean {
    return [...this.#watched.values()].some(({ told }) => told.get('alive') === 1);
  }

  #aliveChanged(): void {
    const { alive } = this;
    if (alive === this.#wasAlive) return;
    this.#wasAlive = alive;
    this.#options.onAlive(alive);
  }

  #tick(): void {
    this.#cancel = this.#options.after(REFRESH, () => {
      this.#eventsLeft = EVENTS_PER_MINUTE;
      for (const watched of this.#watched.values()) {
        const subscriber = this.#options.bus.subscriber(watched.control.gocbRef);
        if (subscriber?.state) this.#supervise(watched, 'sqNum', subscriber.sqNum, PERIODIC);
      }
      this.#tick();
    });
  }

  #linked(name: string, trouble: string | undefined): void {
    this.#link = name;
    if (trouble === this.#trouble) return;
    this.#trouble = trouble === undefined ? undefined : `no GOOSE on ${name}: ${trouble}`;
    if (this.#trouble === undefined) return;
    this.#options.host.logger.warn({ link: name }, this.#trouble);
    this.#options.host.intake.event('configuration', this.#trouble.slice(0, 1000), 'edge.iec61850.goose');
    for (const watched of this.#watched.values()) this.#expired(watched);
  }

  #message(subscriber: GooseSubscriber, at: number): void {
    const watched = this.#watched.get(subscriber.gocbRef);
    if (!watched) return;
    watched.receivedAt = at;
    if (subscriber.status === 'valid') this.#supervise(watched, 'alive', 1);
  }

  #state(subscriber: GooseSubscriber, { state }: GooseOutcome): void {
    const watched = this.#watched.get(subscriber.gocbRef);
    if (!watched || !state) return;
    const { host, observed } = this.#options;
    this.counters.gooseStates++;
    const receiveTime = host.clock.now();
    const stamp = timeOf(state.t);
    const news = new Map<string, News>();
    for (const index of watched.fresh ? state.values.keys() : state.changed) {
      const [plan, value] = [watched.plans[index], state.values[index]];
      if (plan && value) addNews(news, plan, value, SPONTANEOUS);
    }
    watched.fresh = false;
    for (const [object, of] of news) observed.take('goose', object, of, receiveTime, stamp);
    this.#superviseState(watched, state, stamp?.time);
  }

  #superviseState(watched: Watched, state: GooseState, time: UtcNanos | undefined): void {
    this.#supervise(watched, 'alive', 1);
    this.#supervise(watched, 'stNum', state.stNum, SPONTANEOUS, time);
    this.#supervise(watched, 'sqNum', state.sqNum);
    if (time !== undefined) this.#supervise(watched, 'lastChange', toIso(time), SPONTANEOUS, time);
    if (!watched.simulated) this.#supervise(watched, 'test', state.simulated ? 1 : 0);
    for (const what of ['ndsCom', 'confRevMismatch'] as const) {
      if (!watched.told.has(what)) this.#supervise(watched, what, 0);
    }
  }

  /** Tells what is watched, when it is another than before. @param time of the device; the present one where it has none */
  #supervise(watched: Watched, what: Supervised, value: Value, cause = SPONTANEOUS, time?: UtcNanos): void {
    if (watched.told.get(what) === value) return;
    watched.told.set(what, value);
    if (what === 'alive') this.#aliveChanged();
    const bound = this.#options.supervised.get(watched.reference)?.get(what);
    if (!bound) return;
    const { intake, clock } = this.#options.host;
    const now = clock.now();
    intake.add(bound, value, QUALITY.good, time ?? now, time === undefined ? NO_TIME : TIME_GOOD, now, cause);
  }

  #event(event: GooseEvent, subscriber: GooseSubscriber): void {
    const watched = this.#watched.get(subscriber.gocbRef);
    if (!watched) return;
    switch (event.kind) {
      case 'expired':
        this.counters.gooseExpired++;
        this.#expired(watched);
        break;
      case 'lost':
        this.counters.gooseLost += event.messages;
        return;
      case 'late':
      case 'out-of-order':
        return;
      case 'problem':
        this.#problem(watched, event.problem, event.standing);
        break;
      case 'simulation':
      case 'simulation-ignored':
        watched.simulated = event.standing;
        this.#supervise(watched, 'test', event.standing ? 1 : 0);
        break;
    }
    if (this.#eventsLeft <= 0) return;
    this.#eventsLeft--;
    const kind = event.kind === 'source-changed' ? 'security' : 'configuration';
    this.#options.host.intake.event(kind, event.text.slice(0, 1000), 'edge.iec61850.goose');
  }

  #problem(watched: Watched, problem: string, standing: boolean): void {
    if (standing) {
      this.counters.gooseRefused++;
      watched.problems.add(problem);
    } else watched.problems.delete(problem);
    const { problems } = watched;
    this.#supervise(watched, 'confRevMismatch', problems.has('conf-rev') || problems.has('dat-set') ? 1 : 0);
    this.#supervise(watched, 'ndsCom', problems.has('needs-commissioning') ? 1 : 0);
  }

  /** What comes by no other way is no longer known to be true. */
  #expired(watched: Watched): void {
    this.#supervise(watched, 'alive', 0);
    watched.fresh = true;
    const { observed, host, otherwise } = this.#options;
    const now = host.clock.now();
    for (const object of watched.objects) if (!otherwise(object)) observed.outdate(object, now, false);
  }

  inspect(): InspectedGoose[] {
    const { bus, host } = this.#options;
    return [...this.#watched.values()].map(({ control, reference, receivedAt, simulated, problems, told }) => {
      const subscriber = bus.subscriber(control.gocbRef);
      const state = subscriber?.state;
      const since = receivedAt === undefined ? undefined : host.clock.monotonic() - receivedAt;
      const change = state && timeOf(state.t);
      return {
        reference,
        interface: this.#link || bus.name,
        goId: control.goId,
        appId: control.address?.appId ?? 0,
        destination: control.address ? formatMac(control.address.destination) : '',
        dataSet: control.datSet.replaceAll('$', '.'),
        state: told.get('alive') === 1 ? 'alive' : receivedAt === undefined ? 'never' : 'lost',
        ...(subscriber?.problem ? { trouble: subscriber.problem.text } : {}),
        ...(state ? { stNum: state.stNum, sqNum: subscriber.sqNum } : {}),
        test: simulated || state?.simulated === true,
        ndsCom: problems.has('needs-commissioning'),
        ...(subscriber?.expected.confRev === undefined || problems.has('conf-rev')
          ? {}
          : { confRev: subscriber.expected.confRev }),
        expectedConfRev: control.confRev,
        ...(subscriber ? { timeAllowedToLive: subscriber.timeAllowedToLive } : {}),
        ...(since === undefined ? {} : { lastReceived: String(host.clock.now() - BigInt(Math.round(since * 1e6))) }),
        ...(change ? { lastChange: String(change.time) } : {}),
        counters: { ...subscriber?.counters },
      };
    });
  }
}
