import { type Point, QUALITY } from '@enerchain/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Derivation } from '../src/events/derivation.ts';
import type { EventJson } from '../src/events/rows.ts';
import type { LogContent, LogEntry } from '../src/ports.ts';
import { MemoryLog, mRID, observations, type Sample, SECOND, siteOf, T0, TestClock } from './doubles.ts';

const breaker: Point = { mRID: mRID(1), name: 'CB', kind: 'discrete', cdc: 'DPS', normalValue: 2, alarmPriority: 1 };
const disconnector: Point = { ...breaker, mRID: mRID(4), name: 'Q1', measurementType: 'SwitchPosition' };
const voltage: Point = {
  mRID: mRID(2),
  name: 'U',
  kind: 'analog',
  unitSymbol: 'V',
  limits: [
    { kind: 'highHigh', value: 260, priority: 1, hysteresis: 1 },
    { kind: 'high', value: 250, priority: 2, hysteresis: 1 },
  ],
};
const site = siteOf('edge-a', [breaker, voltage, disconnector]);
const INTERROGATION = 3;

function derive(...contents: (LogContent | readonly [string, LogContent])[]) {
  const log = new MemoryLog(new TestClock());
  const derivation = new Derivation();
  const rows = [log.add('edge-a', { kind: 'site', document: site }), ...contents].flatMap((content) => {
    if ('offset' in content) return derivation.apply(content as LogEntry).rows;
    const [source, what] = 'kind' in content ? ['edge-a', content] : content;
    return derivation.apply(log.add(source as string, what as LogContent)).rows;
  });
  const events = rows.filter(({ stream }) => stream === 'event').map(({ body }) => JSON.parse(body) as EventJson);
  return { derivation, rows, events: events.slice(1), alarms: derivation.alarms.standing() };
}
const cb = (value: number, at: number, more: Partial<Sample> = {}) =>
  observations({ point: breaker.mRID, value, at, ...more });

describe('events from the log', () => {
  it('are changes of discretes; an interrogation that says the same is none', () => {
    const { events } = derive(cb(2, 1, { cause: INTERROGATION }), cb(2, 2, { cause: INTERROGATION }), cb(1, 3));
    expect(events.map(({ kind, text }) => `${kind}: ${text}`)).toEqual([
      'stateChange: CB in Substation edge-a: off, before on.',
      'alarm: CB in Substation edge-a is off since 2027-01-15 08:00:03 UTC; normal is on.',
    ]);
  });

  it('know a repeat and leave it out', () => {
    expect(derive(cb(2, 1), cb(1, 2, { cause: 0x80 })).events).toHaveLength(1);
  });

  it('take in what arrives late without touching the present', () => {
    const { events, alarms } = derive(cb(2, 1), cb(2, 10, { cause: 1 }), cb(1, 5));
    expect(events.at(-1)?.text).toContain('(arrived late)');
    expect(alarms).toEqual([]);
  });

  it('are numbered in the order of source time within a record', () => {
    const { events } = derive(
      observations(
        { point: breaker.mRID, value: 1, at: 9 },
        { point: voltage.mRID, value: 270, at: 3 },
        { point: breaker.mRID, value: 2, at: 12 },
      ),
    );
    const times = events.map(({ at }) => at);
    expect(times).toEqual([...times].sort());
    const ids = events.map(({ id }) => id);
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
  });

  it('tell when a discrete is not believed any more', () => {
    const { events } = derive(cb(2, 1), cb(2, 2, { quality: QUALITY.invalid }));
    expect(events.at(-1)?.text).toContain('quality is now invalid');
  });
});

describe('alarms from the log', () => {
  const audit = (action: string, subject = 'edge-a'): LogContent => ({
    kind: 'audit',
    record: { action, actor: 'centre', outcome: 'ok', subject },
  });
  const device = (kind: 'endpointDown' | 'endpointUp' | 'started' | 'stopped'): LogContent => ({
    kind: 'sourceEvents',
    events: [{ kind, at: String(T0), endpoint: 'rtu-1', detail: 'connection refused' }],
  });
  const u = (...values: number[]) =>
    observations(...values.map((value, index) => ({ point: voltage.mRID, value, at: index + 1, cause: 1 })));

  it('stand for the worst limit that is passed on each side, and go with the hysteresis', () => {
    const seen = (...values: number[]) =>
      derive(u(...values)).alarms.map(({ key, priority, state }) => `${key.split(':')[2]} ${priority} ${state}`);
    expect(seen(255)).toEqual(['high 2 unacknowledged']);
    expect(seen(265)).toEqual(['high 1 unacknowledged']);
    expect(seen(255, 265)).toEqual(['high 1 unacknowledged']);
    expect(seen(265, 259.5)).toEqual(['high 1 unacknowledged']);
    expect(seen(265, 255)).toEqual(['high 2 unacknowledged']);
    expect(seen(265, 240)).toEqual(['high 1 returnedUnacknowledged']);
    expect(derive(u(255, 265, 255)).events.filter(({ kind }) => kind === 'alarm')).toHaveLength(3);
  });

  it('wait to be seen again when they get worse, and not when they get better', () => {
    const acknowledge = (id: number): readonly [string, LogContent] => [
      'centre',
      { kind: 'audit', record: { action: 'alarm.acknowledge', actor: 'anna', outcome: 'ok', subject: String(id) } },
    ];
    const id = derive(u(255)).alarms[0]?.id as number;
    const at = (value: number, second: number) => observations({ point: voltage.mRID, value, at: second, cause: 1 });
    const worse = derive(u(255), acknowledge(id), at(265, 5)).alarms;
    expect(worse).toMatchObject([{ id, priority: 1, state: 'unacknowledged' }]);
    expect(worse[0]).not.toHaveProperty('acknowledgedBy');
    const better = derive(u(265), acknowledge(id), at(255, 5)).alarms;
    expect(better).toMatchObject([{ id, priority: 2, state: 'acknowledged', acknowledgedBy: 'anna' }]);
  });

  it('are not raised or cleared by values that their source does not believe', () => {
    const bad = observations({ point: voltage.mRID, value: 300, at: 1, quality: QUALITY.invalid });
    expect(derive(bad).alarms).toEqual([]);
  });

  it('are raised for a lost source and device, and return when they are back', () => {
    const lost = ['centre', audit('device.lost', 'endpoint:edge-a:rtu-1')] as const;
    const { alarms } = derive(['centre', audit('source.lost')], device('endpointDown'), lost);
    expect(alarms.map(({ message }) => message)).toEqual([
      'edge-a is not connected since 2027-01-15 08:00:00 UTC.',
      'rtu-1 of edge-a is not reachable since 2027-01-15 08:00:00 UTC: connection refused.',
    ]);
    expect(alarms.every(({ action, consequence }) => action && consequence)).toBe(true);
    const back = derive(
      ['centre', audit('source.lost')],
      device('endpointDown'),
      lost,
      ['centre', audit('source.back')],
      device('endpointUp'),
    );
    expect(back.alarms.map(({ state }) => state)).toEqual(['returnedUnacknowledged', 'returnedUnacknowledged']);
    expect(derive(device('endpointDown'), device('endpointUp'), lost).alarms).toEqual([]);
  });

  it('are not raised by an ordinary stop, after which a gateway that stays away matters less', () => {
    const down = device('endpointDown');
    const lost = ['centre', audit('device.lost', 'endpoint:edge-a:rtu-1')] as const;
    expect(derive(down, device('stopped'), lost, device('started'), device('endpointUp')).alarms).toEqual([]);
    const { alarms } = derive(down, device('stopped'), ['centre', audit('source.lost')]);
    expect(alarms).toMatchObject([{ priority: 3, message: expect.stringContaining('stopped in order') }]);
  });

  it('say what a discrete off its normal value means and what can be done', () => {
    const words = { consequence: 'What lies behind is dark.', action: 'Close it again.' };
    const document = siteOf('edge-a', [{ ...breaker, ...words }], 2);
    expect(derive({ kind: 'site', document }, cb(1, 1)).alarms).toMatchObject([words]);
  });

  it('say after which switch they came, whichever is reported first', () => {
    const position: Point = { ...breaker, mRID: mRID(3), name: 'J01', measurementType: 'SwitchPosition' };
    const document = siteOf('edge-a', [breaker, voltage, position], 2);
    const opens = (at: number) => observations({ point: position.mRID, value: 1, at });
    const high = (at: number) => observations({ point: voltage.mRID, value: 255, at, cause: 1 });
    const after = (...contents: LogContent[]) => {
      const { alarms } = derive({ kind: 'site', document }, ...contents);
      const cause = alarms.find(({ point }) => point === position.mRID)?.id;
      return alarms.find(({ point }) => point === voltage.mRID)?.after === cause;
    };
    expect(after(opens(5), high(9))).toBe(true);
    expect(after(high(5.5), opens(5))).toBe(true);
    expect(after(opens(5), high(16))).toBe(false);
    expect(after(high(2), opens(5))).toBe(false);
  });

  it('wait for acknowledgement after a gap, which is over when it is known', () => {
    const gap: LogContent = {
      kind: 'gap',
      gap: { reason: 'outboxOverflow', from: String(T0), to: String(T0 + 60n * SECOND), lost: 42 },
    };
    const { alarms, rows } = derive(gap);
    expect(alarms).toMatchObject([{ state: 'returnedUnacknowledged', priority: 2 }]);
    expect(alarms[0]?.message).toContain('42 observations are lost');
    const shown = rows.find(({ stream }) => stream === 'gap');
    expect(JSON.parse(shown?.body ?? '')).toMatchObject({
      source: 'edge-a',
      from: '2027-01-15T08:00:00Z',
      to: '2027-01-15T08:01:00Z',
      lost: 42,
    });
  });

  it('go with the point or limit that is not announced any more', () => {
    const next = siteOf('edge-a', [{ ...voltage, limits: [voltage.limits?.[1] as never] }], 2);
    const { alarms } = derive(u(265), cb(1, 1), { kind: 'site', document: next });
    expect(alarms.map(({ key, state }) => [key.split(':')[0], key.split(':')[2], state])).toEqual([
      ['limit', 'high', 'unacknowledged'],
      ['state', undefined, 'returnedUnacknowledged'],
    ]);
    expect(alarms[0]).toMatchObject({ priority: 2, message: expect.stringContaining('warning limit of 250 V') });
    const none = siteOf('edge-a', [{ ...voltage, limits: [] }], 2);
    expect(derive(u(265), { kind: 'site', document: none }).alarms).toMatchObject([
      { state: 'returnedUnacknowledged' },
    ]);
  });

  it('of a service cannot touch those of others, and are bounded', () => {
    const raise = (key: string, active = true): LogContent => ({
      kind: 'alarmRaised',
      alarm: { key, priority: 3, message: `Overload ${key}.`, active, at: String(T0) },
    });
    const { alarms } = derive(['grid-state', raise('line-1')], ['other', raise('line-1', false)]);
    expect(alarms).toMatchObject([{ state: 'unacknowledged', source: 'grid-state' }]);
    const many = Array.from({ length: 600 }, (_, n) => ['flood', raise(String(n))] as const);
    const flooded = derive(...many);
    expect(flooded.alarms).toHaveLength(500);
    expect(flooded.derivation.counters.alarmsRefused).toBe(100);
  });
});

describe('any log', () => {
  const content = fc.oneof(
    fc
      .record({
        value: fc.integer({ min: 0, max: 3 }),
        at: fc.integer({ min: 0, max: 100 }),
        quality: fc.constantFrom(0, 1, 3),
      })
      .map(({ value, at, quality }) => ['edge-a', cb(value, at, { quality })] as const),
    fc
      .record({ value: fc.double({ min: 200, max: 300, noNaN: true }), at: fc.integer({ min: 0, max: 100 }) })
      .map(({ value, at }) => ['edge-a', observations({ point: voltage.mRID, value, at, cause: 1 })] as const),
    fc
      .constantFrom('endpointDown' as const, 'endpointUp' as const, 'stopped' as const, 'started' as const)
      .map(
        (kind) => ['edge-a', { kind: 'sourceEvents', events: [{ kind, at: String(T0), endpoint: 'rtu-1' }] }] as const,
      ),
    fc.constant([
      'centre',
      {
        kind: 'audit',
        record: { action: 'device.lost', actor: 'centre', outcome: 'ok', subject: 'endpoint:edge-a:rtu-1' },
      },
    ] as const),
    fc
      .constantFrom('source.lost', 'source.back')
      .map(
        (action) =>
          ['centre', { kind: 'audit', record: { action, actor: 'centre', outcome: 'ok', subject: 'edge-a' } }] as const,
      ),
    fc.integer({ min: 1, max: 40 }).map(
      (n) =>
        [
          'centre',
          {
            kind: 'audit',
            record: { action: 'alarm.acknowledge', actor: 'anna', outcome: 'ok', subject: String(n * 2 ** 20 + 1) },
          },
        ] as const,
    ),
    fc.constant(['edge-a', { kind: 'site', document: siteOf('edge-a', [breaker, voltage, disconnector], 2) }] as const),
    fc
      .record({ value: fc.integer({ min: 0, max: 3 }), at: fc.integer({ min: 0, max: 100 }) })
      .map(({ value, at }) => ['edge-a', observations({ point: disconnector.mRID, value, at })] as const),
  );

  it('gives the same rows and alarms when its reading is interrupted and goes on from a checkpoint', () => {
    fc.assert(
      fc.property(fc.array(content, { maxLength: 60 }), fc.nat(60), (contents, cut) => {
        const log = new MemoryLog(new TestClock());
        log.add('edge-a', { kind: 'site', document: site });
        for (const [source, what] of contents) log.add(source, what as LogContent);
        const whole = new Derivation();
        const expected = log.entries.flatMap((entry) => whole.apply(entry).rows);
        const at = Math.min(cut, log.entries.length);
        const before = new Derivation();
        const rows = log.entries.slice(0, at).flatMap((entry) => before.apply(entry).rows);
        const after = new Derivation(
          JSON.parse(JSON.stringify([...before.sites()])),
          JSON.parse(JSON.stringify(before.state())),
        );
        rows.push(...log.entries.slice(at).flatMap((entry) => after.apply(entry).rows));
        expect(rows).toEqual(expected);
        expect(after.alarms.standing()).toEqual(whole.alarms.standing());
      }),
    );
  });
});
