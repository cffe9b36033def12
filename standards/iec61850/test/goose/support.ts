/** Messages for tests: one control block, numbers as wanted, in frames or without. */
import { encodeFrame } from '@enerchain/ethernet';
import { bits, type Data } from '@enerchain/mms';
import fc from 'fast-check';
import {
  encodeGoose,
  type GooseEncoding,
  type GooseMessage,
  type GooseOutcome,
  type GooseSubscriber,
  GooseView,
} from '../../src/index.ts';

export const REFERENCE = 'BCU1CTRL/LLN0$GO$Trip';
export const T = { seconds: 1_768_478_400, fraction: 0x800000, quality: 0x0a };

export const boolean = (value: boolean): Data => ({ kind: 'boolean', value });
export const quality = (text = '0000000000000'): Data => ({ kind: 'bitString', value: bits(text) });

export const message = (own: Partial<GooseMessage> = {}): GooseMessage => ({
  appId: 0x0001,
  simulated: own.simulation ?? false,
  gocbRef: REFERENCE,
  timeAllowedToLive: 2000,
  datSet: 'BCU1CTRL/LLN0$Positions',
  goId: 'BCU1/Trip',
  t: T,
  stNum: 1,
  sqNum: 0,
  simulation: false,
  confRev: 2,
  ndsCom: false,
  allData: [boolean(false), quality()],
  ...own,
});

export const DESTINATION = Uint8Array.of(0x01, 0x0c, 0xcd, 1, 0, 1);
export const SOURCE = Uint8Array.of(2, 0, 0, 0, 0, 1);

/** A whole frame with a VLAN tag. */
export const frameOf = (
  own: Partial<GooseMessage> = {},
  { destination = DESTINATION, source = SOURCE, encoding = {} as GooseEncoding } = {},
): Uint8Array =>
  encodeFrame({
    destination,
    source,
    vlan: { id: 0, priority: 4 },
    etherType: 0x88b8,
    payload: encodeGoose(message(own), encoding),
  });

/** Gives a subscriber messages and keeps what it says. */
export class Feed {
  readonly subscriber: GooseSubscriber;
  readonly view = new GooseView();
  at = 1000;
  readonly events: string[] = [];

  constructor(subscriber: GooseSubscriber) {
    this.subscriber = subscriber;
  }

  frame(frame: Uint8Array, after = 10): GooseOutcome {
    this.at += after;
    // A copy that is spoilt afterwards: nothing may refer to the frame.
    const copy = frame.slice();
    const outcome = this.subscriber.receive(this.view.read(copy, 18), this.at);
    copy.fill(0xee);
    for (const { text } of outcome.events) this.events.push(text);
    return outcome;
  }

  /** A message with its numbers, 10 ms after the one before. @returns what became of it, with the kinds of events */
  give(stNum: number, sqNum: number, own: Partial<GooseMessage> = {}, after = 10): string {
    // Other values for each stNum, so that a state is known by them.
    const allData = [boolean(stNum % 2 === 0), quality()];
    const t = { ...T, seconds: T.seconds + stNum };
    return said(this.frame(frameOf({ stNum, sqNum, allData, t, ...own }), after));
  }

  pass(millis: number): string {
    this.at += millis;
    const outcome = this.subscriber.expire(this.at);
    for (const { text } of outcome.events) this.events.push(text);
    return said(outcome);
  }
}

export function said({ kind, events }: GooseOutcome): string {
  const words = events.map((event) => {
    if (event.kind === 'problem') return `${event.standing ? '' : 'no '}${event.problem}`;
    if (event.kind === 'lost') return `lost ${event.states}/${event.messages}`;
    return 'standing' in event && !event.standing ? `no ${event.kind}` : event.kind;
  });
  return [kind, ...words].join(', ');
}

export const unhex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'));

/** The same numbers for the same seed, 0 … 2^32-1 (Park and Miller, spread out). */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 0x7fff_ffff;
    return Math.imul(state ^ (state >>> 15), 0x45d9f3b) >>> 0;
  };
}

const bitString = fc.array(fc.constantFrom('0', '1'), { maxLength: 30 }).map((array) => bits(array.join('')));
const kind = <K extends string, V>(name: K, value: fc.Arbitrary<V>) => fc.record({ kind: fc.constant(name), value });

/** Values of the kinds that data sets have, structures and arrays of them. */
export const dataOf: fc.Arbitrary<Data> = fc.letrec<{ data: Data }>((tie) => ({
  data: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    kind('boolean', fc.boolean()),
    kind('bitString', bitString),
    kind('integer', fc.oneof(fc.integer(), fc.maxSafeInteger())),
    kind('unsigned', fc.oneof(fc.nat(), fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }))),
    kind('float', fc.float()),
    kind('double', fc.double()),
    kind('octetString', fc.uint8Array({ maxLength: 20 })),
    kind('visibleString', fc.string({ unit: fc.constantFrom(...'AZaz09$_ '), maxLength: 35 })),
    kind('utcTime', fc.record({ seconds: fc.nat(), fraction: fc.nat(0xff_ffff), quality: fc.nat(255) })),
    kind('structure', fc.array(tie('data'), { maxLength: 4 })),
    kind('array', fc.array(tie('data'), { maxLength: 4 })),
  ) as fc.Arbitrary<Data>,
})).data;
