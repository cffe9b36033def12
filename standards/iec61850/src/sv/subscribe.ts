/** Listening on a link: each ASDU finds the subscriber of its stream, and timers see to those that fall silent. */
import { ETHERTYPE, etherTypeAt, type LinkLayer } from '@enerchain/ethernet';
import type { Clock } from '@enerchain/transport';
import { Directory, type LinkEvent, type ListenerCounters, Watch } from '../multicast/listening.ts';
import { type SampledValueControl, samplesPerSecond } from './controls.ts';
import { layoutOf } from './layout.ts';
import { SvView } from './message.ts';
import { type ExpectedSv, type SvEvent, type SvOutcome, SvSubscriber, type SvSubscriberOptions } from './subscriber.ts';

export interface SubscribeSvOptions extends SvSubscriberOptions {
  /** Streams to listen to: from `expectedSvOf`, or by hand. One that never comes is told. */
  readonly expected?: readonly ExpectedSv[];
  /** How many others are learned from what comes: 64 when nothing is expected, else none. */
  readonly learn?: number;
  /** frames: time is what the link says of each frame, for captures; there are no timers then. */
  readonly time?: 'clock' | 'frames';
  /** Each sample that is the next or late: `subscriber.decode(view)` gives its values. `view` is only valid during the call. */
  readonly onSample?: (subscriber: SvSubscriber, view: SvView, outcome: SvOutcome) => void;
  /** Whatever is not as it should be, with its sentence in `text`. */
  readonly onEvent?: (event: SvEvent | LinkEvent, subscriber: SvSubscriber | undefined) => void;
}

export interface SvListening {
  /** By svID; a second one with the same has its APPID behind it: `MU0101 4001`. */
  readonly subscribers: ReadonlyMap<string, SvSubscriber>;
  readonly counters: ListenerCounters;
  /** LPHD.Sim has changed. */
  setSimulation(on: boolean): void;
  /** Looks for what has run out until a moment, for `time: 'frames'`. @param at nanoseconds since the Unix epoch */
  until(at: bigint): void;
  stop(): void;
}

const LEARN = 64;

/** What a subscriber of a control block of SCL expects. @param frequency nominal, Hz @throws Iec61850Error `sv.layout` */
export function expectedSvOf(control: SampledValueControl, frequency = 50): ExpectedSv {
  return {
    svId: control.svId,
    datSet: control.datSet,
    confRev: control.confRev,
    appId: control.address?.appId,
    destination: control.address?.destination,
    samplesPerSecond: samplesPerSecond(control.smpMod, control.smpRate, frequency),
    layout: control.members && layoutOf(control.members),
  };
}

/** Listens for sampled values until it is stopped or the link ends. */
export function subscribeSv(link: LinkLayer, clock: Clock, options: SubscribeSvOptions = {}): SvListening {
  const { expected = [], learn = expected.length > 0 ? 0 : LEARN, onSample, onEvent, maxDelay } = options;
  let simulation = options.simulation ?? false;
  const view = new SvView();
  const tell = (subscriber: SvSubscriber, outcome: SvOutcome): void => {
    if (onEvent) for (const event of outcome.events) onEvent(event, subscriber);
  };
  const watch: Watch<SvSubscriber, SvOutcome> = new Watch(
    clock,
    options.time === 'frames',
    () => directory.subscribers.values(),
    tell,
  );
  const directory = new Directory<SvSubscriber, ExpectedSv, SvView>(
    'SV',
    learn,
    (one, at) => {
      const subscriber = new SvSubscriber(one, { ...options, simulation }, at);
      watch.until(subscriber.deadline);
      return subscriber;
    },
    onEvent && ((event) => onEvent(event, undefined)),
  );
  let waiting = expected;
  const begin = (at: number): void => {
    for (const one of waiting) directory.add(one.svId, one, at);
    waiting = [];
  };
  if (!watch.byFrames) begin(clock.monotonic());

  /** @returns whether the view stands at an ASDU */
  const step = (at: number, read: () => boolean): boolean => {
    try {
      return read();
    } catch (error) {
      if ((error as { fault?: unknown }).fault !== 'peer') throw error;
      directory.malformed((error as Error).message, at);
      return false;
    }
  };
  const first = (frame: Uint8Array): boolean => {
    const typeAt = etherTypeAt(frame);
    return view.read(frame, typeAt < 0 ? frame.length : typeAt + 2, frame.length).next();
  };
  const next = (): boolean => view.next();
  const take = (frame: Uint8Array, arrived: bigint): void => {
    const at = watch.now(arrived);
    if (waiting.length > 0) begin(at);
    directory.frames++;
    const wall = maxDelay === undefined ? undefined : Number(arrived / 1000n) / 1000;
    for (let there = step(at, () => first(frame)); there; there = step(at, next)) {
      const subscriber =
        directory.find(view, view.bytes, view.svIdAt, view.svIdEnd) ??
        directory.learn(view.svId, { svId: view.svId }, at);
      if (!subscriber) continue;
      const before = subscriber.deadline;
      const outcome = subscriber.receive(view, at, wall);
      if (subscriber.deadline < before) watch.until(subscriber.deadline);
      if (onSample && (outcome.kind === 'sample' || outcome.kind === 'late')) onSample(subscriber, view, outcome);
      if (outcome.events.length > 0) tell(subscriber, outcome);
    }
  };
  const stopListening = link.listen(take, { etherTypes: [ETHERTYPE.sampledValues] });
  const stop = (): void => {
    stopListening();
    watch.stop();
  };
  void link.closed.then(stop, stop);
  return {
    subscribers: directory.subscribers,
    get counters() {
      return directory.counters;
    },
    setSimulation(on) {
      simulation = on;
      for (const subscriber of directory.subscribers.values()) tell(subscriber, subscriber.setSimulation(on));
    },
    until: (at) => watch.reach(at),
    stop,
  };
}
