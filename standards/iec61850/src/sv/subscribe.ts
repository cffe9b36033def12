/** Listening on a link: each ASDU finds the subscriber of its stream, and timers see to those that fall silent. */
import { ETHERTYPE, etherTypeAt, type LinkLayer } from '@enerchain/ethernet';
import type { Clock } from '@enerchain/transport';
import type { LinkEvent } from '../multicast/directory.ts';
import { type Listening, listenOn } from '../multicast/listening.ts';
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

export type SvListening = Listening<SvSubscriber>;

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
  const view = new SvView();
  let frame: Uint8Array = new Uint8Array(0);
  /** Whether the view stands at an ASDU: at the first of a frame, at the next one. */
  const first = (): boolean => {
    const typeAt = etherTypeAt(frame);
    return view.read(frame, typeAt < 0 ? frame.length : typeAt + 2, frame.length).next();
  };
  const next = (): boolean => view.next();
  const tell = (subscriber: SvSubscriber, outcome: SvOutcome): void => {
    if (onEvent) for (const event of outcome.events) onEvent(event, subscriber);
  };
  return listenOn<SvSubscriber, SvOutcome, ExpectedSv, SvView>(link, clock, {
    what: 'SV',
    etherType: ETHERTYPE.sampledValues,
    expected,
    idOf: ({ svId }) => svId,
    learn,
    byFrames: options.time === 'frames',
    simulation: options.simulation ?? false,
    make: (one, at, simulation) => new SvSubscriber(one, { ...options, simulation }, at),
    tell,
    onLink: onEvent && ((event) => onEvent(event, undefined)),
    take(octets, at, arrived, directory, watch) {
      frame = octets;
      const wall = maxDelay === undefined ? undefined : Number(arrived / 1000n) / 1000;
      for (let there = directory.reads(at, first); there; there = directory.reads(at, next)) {
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
    },
  });
}
