/** Listening on a link: each message finds the subscriber of its control block, and timers see to those that fall silent. */
import { ETHERTYPE, etherTypeAt, type LinkLayer } from '@enerchain/ethernet';
import type { Clock } from '@enerchain/transport';
import { Directory, type LinkEvent, type ListenerCounters, Watch } from '../multicast/listening.ts';
import type { GooseControl } from './controls.ts';
import { GooseView } from './message.ts';
import type { ExpectedGoose, GooseEvent, GooseOutcome, GooseSubscriberOptions } from './outcome.ts';
import { GooseSubscriber } from './subscriber.ts';

/** What is not of a control block that is listened to. */
export type GooseLinkEvent =
  | Extract<LinkEvent, { kind: 'malformed' }>
  /** Nobody expects it, and no more are learned. Told once for each, as far as they can be remembered. */
  | { readonly kind: 'unknown'; readonly gocbRef: string; readonly text: string };

export interface SubscribeGooseOptions extends Omit<GooseSubscriberOptions, 'firstWithin'> {
  /** Control blocks to listen to: from `expectedOf`, or by hand. One that never comes is told. */
  readonly expected?: readonly (ExpectedGoose & { readonly firstWithin?: number })[];
  /** How many others are learned from what comes: 256 when nothing is expected, else none. */
  readonly learn?: number;
  /** frames: time is what the link says of each frame, for captures; there are no timers then. */
  readonly time?: 'clock' | 'frames';
  /** Each outcome with a new state. */
  readonly onState?: (subscriber: GooseSubscriber, outcome: GooseOutcome) => void;
  /** Each message, repetitions and copies as well. `view` is only valid during the call. */
  readonly onMessage?: (subscriber: GooseSubscriber, outcome: GooseOutcome, view: GooseView) => void;
  /** Whatever is not as it should be, with its sentence in `text`. */
  readonly onEvent?: (event: GooseEvent | GooseLinkEvent, subscriber: GooseSubscriber | undefined) => void;
}

export interface GooseListening {
  /** By gocbRef; a second one with the same has its APPID behind it: `BCU1CTRL/LLN0$GO$gcb 0001`. */
  readonly subscribers: ReadonlyMap<string, GooseSubscriber>;
  readonly counters: ListenerCounters;
  /** LPHD.Sim has changed. */
  setSimulation(on: boolean): void;
  /** Looks for what has run out until a moment, for `time: 'frames'`. @param at nanoseconds since the Unix epoch */
  until(at: bigint): void;
  stop(): void;
}

const LEARN = 256;
/** Heartbeats until a control block that never came is told. */
const FIRST_HEARTBEATS = 2;
const DEFAULT_FIRST = 60_000;

/** What a subscriber of a control block of SCL expects. */
export function expectedOf(control: GooseControl): ExpectedGoose & { readonly firstWithin: number } {
  return {
    gocbRef: control.gocbRef,
    datSet: control.datSet,
    goId: control.goId,
    confRev: control.confRev,
    appId: control.address?.appId,
    destination: control.address?.destination,
    types: control.members?.map(({ type }) => type),
    firstWithin: control.maxTime === undefined ? DEFAULT_FIRST : control.maxTime * FIRST_HEARTBEATS + 1000,
  };
}

/** Listens for GOOSE until it is stopped or the link ends. */
export function subscribeGoose(link: LinkLayer, clock: Clock, options: SubscribeGooseOptions = {}): GooseListening {
  const { expected = [], learn = expected.length > 0 ? 0 : LEARN, onState, onMessage, onEvent } = options;
  const view = new GooseView();
  let simulation = options.simulation ?? false;
  const tell = (subscriber: GooseSubscriber, outcome: GooseOutcome): void => {
    if (onEvent) for (const event of outcome.events) onEvent(event, subscriber);
    if (outcome.state) onState?.(subscriber, outcome);
  };
  const watch: Watch<GooseSubscriber, GooseOutcome> = new Watch(
    clock,
    options.time === 'frames',
    () => directory.subscribers.values(),
    tell,
  );
  const directory = new Directory<GooseSubscriber, ExpectedGoose & { readonly firstWithin?: number }, GooseView>(
    'GOOSE',
    learn,
    (one, at) => {
      const { firstWithin } = one;
      const own = firstWithin === undefined ? {} : { firstWithin };
      const subscriber = new GooseSubscriber(one, { ...options, simulation, ...own }, at);
      watch.until(subscriber.deadline);
      return subscriber;
    },
    onEvent &&
      ((event) =>
        onEvent(
          event.kind === 'unknown' ? { kind: 'unknown', gocbRef: event.id, text: event.text } : event,
          undefined,
        )),
  );
  // Time begins with the first frame of a capture.
  let waiting = expected;
  const begin = (at: number): void => {
    for (const one of waiting) directory.add(one.gocbRef, one, at);
    waiting = [];
  };
  if (!watch.byFrames) begin(clock.monotonic());

  const stopListening = link.listen(
    (frame, arrived) => {
      const at = watch.now(arrived);
      if (waiting.length > 0) begin(at);
      directory.frames++;
      try {
        const typeAt = etherTypeAt(frame);
        view.read(frame, typeAt < 0 ? frame.length : typeAt + 2, frame.length);
      } catch (error) {
        if ((error as { fault?: unknown }).fault !== 'peer') throw error;
        directory.malformed((error as Error).message, at);
        return;
      }
      const subscriber =
        directory.find(view, view.bytes, view.gocbRefAt, view.gocbRefEnd) ??
        directory.learn(view.gocbRef, { gocbRef: view.gocbRef }, at);
      if (!subscriber) return;
      const before = subscriber.deadline;
      const outcome = subscriber.receive(view, at);
      if (subscriber.deadline < before) watch.until(subscriber.deadline);
      onMessage?.(subscriber, outcome, view);
      if (outcome.state || outcome.events.length > 0) tell(subscriber, outcome);
    },
    { etherTypes: [ETHERTYPE.goose] },
  );
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
