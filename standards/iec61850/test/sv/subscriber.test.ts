import { encodeFrame } from '@enerchain/ethernet';
import { expect, test } from 'vitest';
import {
  type ExpectedSv,
  encodeSv,
  PHS_MEAS_1,
  type SvAsdu,
  type SvEvent,
  SvPublisher,
  SvSubscriber,
  type SvSubscriberOptions,
  SvView,
} from '../../src/index.ts';
import { random } from '../goose/support.ts';

const DESTINATION = Uint8Array.of(1, 0x0c, 0xcd, 4, 0, 1);

/** Gives a subscriber samples, 0.25 ms apart unless told otherwise, and keeps what it says. */
class Feed {
  readonly subscriber: SvSubscriber;
  readonly view = new SvView();
  readonly said: SvEvent[] = [];
  at = 10_000;

  constructor(expected: Partial<ExpectedSv> = {}, options: SvSubscriberOptions = {}) {
    this.subscriber = new SvSubscriber({ svId: 'MU1', ...expected }, options, this.at);
  }

  give(
    smpCnt: number,
    own: Partial<SvAsdu> & { source?: number; appId?: number; simulated?: boolean } = {},
    after = 0.25,
    wall?: number,
  ): string {
    this.at += after;
    const { source = 1, appId = 0x4000, simulated = false, ...rest } = own;
    const asdu: SvAsdu = { svId: 'MU1', smpCnt, confRev: 1, smpSynch: 2, sample: new Uint8Array(64), ...rest };
    const payload = encodeSv({ appId, simulated, asdus: [asdu] });
    const frame = encodeFrame({
      destination: DESTINATION,
      source: Uint8Array.of(2, 0, 0, 0, 0, source),
      vlan: { id: 0, priority: 4 },
      etherType: 0x88ba,
      payload,
    });
    this.view.read(frame, 18).next();
    const { kind, events } = this.subscriber.receive(this.view, this.at, wall);
    this.said.push(...events);
    return [kind, ...events.map(this.#word)].join(', ');
  }

  pass(millis: number): string {
    this.at += millis;
    const { kind, events } = this.subscriber.expire(this.at);
    this.said.push(...events);
    return [kind, ...events.map(this.#word)].join(', ');
  }

  run(from: number, count: number, rate = 4000): void {
    const others = new Set<string>();
    for (let i = 0; i < count; i++) others.add(this.give((from + i) % rate));
    expect([...others]).toEqual(['sample']);
  }

  readonly #word = (event: SvEvent): string => {
    if (event.kind === 'lost') return `lost ${event.samples}`;
    const name = event.kind === 'problem' ? event.problem : event.kind;
    return 'standing' in event && !event.standing ? `no ${name}` : name;
  };
}

test('a second and the next one without a gap', () => {
  const feed = new Feed({ samplesPerSecond: 4000 });
  feed.run(3990, 4100);
  expect(feed.subscriber.counters).toMatchObject({ samples: 4100, lost: 0, jumps: 0 });
  expect(feed.said).toEqual([]);
  expect(feed.subscriber.smpCnt).toBe(89);
});

test('lost samples are counted, also over the end of the second; told at once, then once a second', () => {
  const feed = new Feed({ samplesPerSecond: 4000 });
  feed.run(3900, 50);
  expect(feed.give(3953, {}, 1)).toBe('sample, lost 3');
  expect(feed.said[0]!.text).toBe('SV MU1: 3 samples lost before smpCnt 3953');
  expect(feed.give(5, {}, 13)).toBe('sample');
  expect(feed.give(8, {}, 0.75)).toBe('sample');
  expect(feed.subscriber.counters.lost).toBe(3 + 51 + 2);
  feed.run(9, 3900);
  expect(feed.pass(100)).toBe('time, lost 53');
});

test('a second and more without samples: time says how many seconds', () => {
  for (const seconds of [0.4, 0.6, 1, 3.25]) {
    const feed = new Feed({ samplesPerSecond: 4000 }, { silence: 60_000 });
    feed.run(0, 1000);
    const from = 1000 + seconds * 4000;
    feed.give(from % 4000, {}, seconds * 1000 + 0.25);
    // Where the counter goes on as if nothing were missing, it takes a second to see that nothing catches up.
    if (seconds === 1) for (let i = 1; i < 7100; i++) feed.give((from + i) % 4000);
    expect(feed.subscriber.counters).toMatchObject({ lost: seconds * 4000, jumps: 0 });
  }
});

test('held up on their way, then a gap where no more could wait: lost, though no time has passed between', () => {
  const feed = new Feed({ samplesPerSecond: 4000 });
  feed.run(0, 1000);
  expect(feed.give(1000, {}, 500)).toBe('sample');
  for (let smpCnt = 1001; smpCnt < 1500; smpCnt++) expect(feed.give(smpCnt, {}, 0)).toBe('sample');
  expect(feed.give(3000, {}, 0)).toBe('sample, lost 1500');
});

test('a counter that was set', () => {
  const feed = new Feed({ samplesPerSecond: 4000 });
  feed.run(0, 1000);
  expect(feed.give(3000)).toBe('sample, jump');
  feed.run(3001, 100);
  expect(feed.give(0)).toBe('sample, jump');
  expect(feed.subscriber.counters).toMatchObject({ lost: 0, jumps: 2 });
  expect(feed.said[1]!.text).toBe('SV MU1: smpCnt went from 3100 to 0, and the samples between are not due');
});

test('copies and late samples', () => {
  const feed = new Feed({ samplesPerSecond: 4000 });
  feed.run(3990, 20);
  expect(feed.give(9, {}, 0)).toBe('copy');
  expect(feed.give(3995, {}, 0)).toBe('copy');
  expect(feed.give(12, {}, 0.5)).toBe('sample, lost 2');
  expect(feed.give(11, {}, 0)).toBe('late');
  expect(feed.give(11, {}, 0)).toBe('copy');
  expect(feed.subscriber.counters).toMatchObject({ samples: 21, copies: 3, late: 1, lost: 1 });
});

test('a rate that nobody has said is learned at the end of a second', () => {
  const usual = new Feed();
  usual.run(4700, 100, 4800);
  expect(usual.subscriber.samplesPerSecond).toBeUndefined();
  expect(usual.give(0)).toBe('sample');
  expect(usual.subscriber.samplesPerSecond).toBe(4800);

  // An unusual one at its second sight; until then its end of the second cannot be told from a counter that was set.
  const unusual = new Feed();
  unusual.run(0, 1000, 1000);
  expect(unusual.give(0)).toBe('sample, jump');
  unusual.run(1, 999, 1000);
  expect(unusual.give(0)).toBe('sample');
  expect(unusual.subscriber.samplesPerSecond).toBe(1000);

  const said = new Feed();
  said.run(0, 1);
  expect(said.give(1, { smpRate: 256, smpMod: 'SmpPerPeriod' })).toBe('sample');
  expect(said.subscriber.samplesPerSecond).toBe(12_800);
});

test('another rate than configured', () => {
  const feed = new Feed({ samplesPerSecond: 4000 });
  feed.run(3999, 1);
  expect(feed.give(4000)).toBe('refused, rate');
  expect(feed.give(0, { smpRate: 96, smpMod: 'SmpPerPeriod' })).toBe('refused, no rate, rate');
  expect(feed.said.at(-1)!.text).toContain('4800 samples a second, not 4000');
});

test('each thing that is not as configured is refused with its own problem', () => {
  for (const [problem, own] of [
    ['conf-rev', { confRev: 2 }],
    ['dat-set', { datSet: 'MU1/LLN0$Other' }],
    ['length', { sample: new Uint8Array(60) }],
    ['app-id', { appId: 0x4001 }],
    ['source', { source: 9 }],
  ] as const) {
    const feed = new Feed({
      samplesPerSecond: 4000,
      confRev: 1,
      datSet: 'MU1/LLN0$D',
      layout: PHS_MEAS_1,
      appId: 0x4000,
      destination: DESTINATION,
    });
    feed.run(0, 10);
    expect(feed.give(10, own)).toBe(`refused, ${problem}`);
    expect(feed.give(11, own)).toBe('refused');
    expect(feed.give(12)).toBe('sample, lost 2');
    expect(feed.give(13, {}, 1000)).toMatch(new RegExp(`no ${problem}`));
    expect(feed.subscriber.counters.refused).toBe(2);
  }
  const feed = new Feed({ destination: Uint8Array.of(1, 0x0c, 0xcd, 4, 0, 2) });
  expect(feed.give(0)).toBe('refused, destination');
  expect(feed.pass(200)).toBe('time, silent');
});

test('silence, and samples again', () => {
  const feed = new Feed({ samplesPerSecond: 4000 });
  feed.run(0, 10);
  expect(feed.pass(199)).toBe('time');
  expect(feed.pass(1)).toBe('time, silent');
  expect(feed.subscriber.status).toBe('silent');
  expect(feed.subscriber.deadline).toBe(Number.POSITIVE_INFINITY);
  expect(feed.give(1209, {}, 100)).toBe('sample, resumed, lost 1199');
  expect(feed.subscriber.status).toBe('valid');
  // Another device may have taken its place meanwhile.
  feed.pass(1000);
  expect(feed.give(0, { source: 7 })).toBe('sample, source-changed, resumed');
  expect(feed.give(1, { source: 7 })).toBe('sample');
});

test('what the samples are synchronised to', () => {
  const feed = new Feed({ samplesPerSecond: 4000 });
  feed.run(0, 3);
  expect(feed.give(3, { smpSynch: 0 })).toBe('sample, synchronisation');
  expect(feed.give(4, { smpSynch: 17 })).toBe('sample, synchronisation');
  expect(feed.said.map(({ text }) => text)).toEqual([
    'SV MU1: the clock of its samples is not synchronised, was synchronised globally',
    'SV MU1: the clock of its samples is synchronised with clock 17, was not synchronised',
  ]);
});

test('samples that come late by the clock', () => {
  const feed = new Feed({ samplesPerSecond: 4000 }, { maxDelay: 3 });
  expect(feed.give(3999, {}, 0.25, 5_000_001)).toBe('sample');
  expect(feed.subscriber.delay).toBeCloseTo(1.25);
  expect(feed.give(0, {}, 0.25, 5_000_008)).toBe('sample, delay');
  expect(feed.give(1, {}, 0.25, 5_000_008)).toBe('sample');
  expect(feed.give(2, {}, 0.25, 5_000_002)).toBe('sample, no delay');
  // Whose clock is not synchronised cannot be late.
  expect(feed.give(3, { smpSynch: 1 }, 0.25, 5_000_500)).toBe('sample, synchronisation');
});

test('simulated samples', () => {
  const feed = new Feed({ samplesPerSecond: 4000 });
  feed.run(0, 10);
  expect(feed.give(500, { simulated: true, source: 3 })).toBe('ignored, simulation-ignored');
  expect(feed.give(10)).toBe('sample');
  feed.subscriber.setSimulation(true);
  expect(feed.give(501, { simulated: true, source: 3 })).toBe('sample, simulation');
  expect(feed.give(502, { simulated: true, source: 3 })).toBe('sample');
  expect(feed.give(11)).toBe('ignored');
  feed.subscriber.setSimulation(false);
  expect(feed.give(12)).toBe('sample');
  expect(feed.subscriber.counters).toMatchObject({ lost: 0, jumps: 0, ignored: 2 });
});

test('against losses, copies and overtaking: every sample is accounted for, once', () => {
  for (let seed = 1; seed <= 4; seed++) {
    const next = random(seed);
    const arrivals: { at: number; position: number }[] = [];
    const here = new Set<number>();
    const total = 2500;
    for (let position = 0; position < total; position++) {
      // Two networks, as with PRP: each loses one of twenty, and delays by up to five samples.
      for (const _ of ['A', 'B']) {
        if (position > 0 && position < total - 10 && next() % 20 === 0) continue;
        if (position === 0 || position >= total - 10) arrivals.push({ at: position, position });
        else arrivals.push({ at: position + (next() % 500) / 100, position });
        here.add(position);
      }
    }
    arrivals.sort((a, b) => a.at - b.at);
    const feed = new Feed({ samplesPerSecond: 4000 });
    const got = new Set<number>();
    const twice: number[] = [];
    let at = 0;
    for (const arrival of arrivals) {
      const kind = feed.give((arrival.position + 2000) % 4000, {}, (arrival.at - at) * 0.25).split(',')[0]!;
      at = arrival.at;
      if ((kind === 'copy') !== got.has(arrival.position)) twice.push(arrival.position);
      got.add(arrival.position);
    }
    const { counters } = feed.subscriber;
    expect(twice).toEqual([]);
    expect(counters.samples + counters.late).toBe(here.size);
    expect(counters.lost).toBe(total - here.size);
    expect(counters.copies).toBe(arrivals.length - here.size);
  }
});

test('publisher: as many ASDUs in a message as it should have, smpCnt over the end of the second, values as they were', () => {
  const publisher = new SvPublisher({
    appId: 0x4000,
    svId: 'MU1',
    confRev: 1,
    layout: PHS_MEAS_1,
    samplesPerSecond: 4800,
    asdus: 2,
    refreshTime: true,
  });
  const subscriber = new SvSubscriber({ svId: 'MU1', samplesPerSecond: 4800, layout: PHS_MEAS_1 });
  publisher.smpSynch = 2;
  publisher.smpCnt = 4797;
  const view = new SvView();
  const seen: unknown[] = [];
  for (let i = 0; i < 8; i++) {
    const payload = publisher.add([i, -i, 0, 0, 100 * i], [0, 0, 1], 1_768_478_400_000 + i);
    expect(payload !== undefined).toBe(i % 2 === 1);
    if (!payload) continue;
    view.read(payload);
    while (view.next()) {
      expect(subscriber.receive(view, i).kind).toBe('sample');
      subscriber.decode(view);
      seen.push([
        view.smpCnt,
        subscriber.values[0],
        subscriber.values[1],
        subscriber.values[4],
        subscriber.qualities[2],
        view.refrTm?.seconds,
      ]);
    }
  }
  expect(seen).toEqual(
    [4797, 4798, 4799, 0, 1, 2, 3, 4].map((smpCnt, i) => [smpCnt, i, i === 0 ? 0 : -i, 100 * i, 1, 1_768_478_400]),
  );
  expect(subscriber.counters.lost).toBe(0);
  expect(() => {
    publisher.smpCnt = 4800;
  }).toThrow(/smpCnt 4800/);
  expect(
    () => new SvPublisher({ appId: 1, svId: 'MU1', confRev: 1, layout: PHS_MEAS_1, samplesPerSecond: 4800, asdus: 30 }),
  ).toThrow(/do not fit/);
});
