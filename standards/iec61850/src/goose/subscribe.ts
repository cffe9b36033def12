/** Listening on a link: each message finds the subscriber of its control block, and timers see to those that fall silent. */
import { ETHERTYPE, etherTypeAt, type LinkLayer } from '@enerchain/ethernet';
import type { Clock } from '@enerchain/transport';
import type { LinkEvent } from '../multicast/directory.ts';
import { type Listening, listenOn } from '../multicast/listening.ts';
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

export type GooseListening = Listening<GooseSubscriber>;

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
  let frame: Uint8Array = new Uint8Array(0);
  const read = (): boolean => {
    const typeAt = etherTypeAt(frame);
    view.read(frame, typeAt < 0 ? frame.length : typeAt + 2, frame.length);
    return true;
  };
  const tell = (subscriber: GooseSubscriber, outcome: GooseOutcome): void => {
    if (onEvent) for (const event of outcome.events) onEvent(event, subscriber);
    if (outcome.state) onState?.(subscriber, outcome);
  };
  const told = (event: LinkEvent): GooseLinkEvent =>
    event.kind === 'unknown' ? { kind: 'unknown', gocbRef: event.id, text: event.text } : event;
  return listenOn<GooseSubscriber, GooseOutcome, ExpectedGoose & { readonly firstWithin?: number }, GooseView>(
    link,
    clock,
    {
      what: 'GOOSE',
      etherType: ETHERTYPE.goose,
      expected,
      idOf: ({ gocbRef }) => gocbRef,
      learn,
      byFrames: options.time === 'frames',
      simulation: options.simulation ?? false,
      make(one, at, simulation) {
        const { firstWithin } = one;
        return new GooseSubscriber(
          one,
          { ...options, simulation, ...(firstWithin === undefined ? {} : { firstWithin }) },
          at,
        );
      },
      tell,
      onLink: onEvent && ((event) => onEvent(told(event), undefined)),
      take(octets, at, _arrived, directory, watch) {
        frame = octets;
        if (!directory.reads(at, read)) return;
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
    },
  );
}
