import { describe, expect, it } from 'vitest';
import type { AlarmJson, EventJson, LiveValueJson } from '../src/api/types.ts';
import { AlarmBook, countByPriority, groupAlarms } from '../src/live/alarms.ts';
import { ClockOffset } from '../src/live/clock.ts';
import { keepConnected, type LinkState } from '../src/live/connection.ts';
import { mergeEvents } from '../src/live/events.ts';
import { ResumeCursor } from '../src/live/resume.ts';
import { SseParser } from '../src/live/sse.ts';
import { type StreamHandlers, StreamReader } from '../src/live/stream.ts';
import { ValueStore } from '../src/live/values.ts';

const value = (p: string, v: number | string | null, o = 1, q = 0): LiveValueJson => ({
  p,
  v,
  q,
  t: 1000 + o,
  tq: 31,
  r: 1001,
  s: 'edge-nord',
  o,
});

describe('the reader of server-sent events', () => {
  const text =
    ': hi\r\nretry: 1000\r\n\r\nid: i:7\r\nevent: alarm\r\ndata: {"a":1}\r\n\r\ndata: one\ndata: two\n\nevent: empty\n\n';
  const expected = [
    { event: 'alarm', data: '{"a":1}', id: 'i:7' },
    { event: 'message', data: 'one\ntwo' },
  ];

  it('reads messages however the text is cut', () => {
    for (let size = 1; size <= text.length; size++) {
      const parser = new SseParser();
      const found = [];
      for (let at = 0; at < text.length; at += size) found.push(...parser.push(text.slice(at, at + size)));
      expect(found).toEqual(expected);
    }
  });

  it('keeps an unfinished message until the rest comes', () => {
    const parser = new SseParser();
    expect(parser.push('data: a\n')).toEqual([]);
    expect(parser.push('\n')).toEqual([{ event: 'message', data: 'a' }]);
  });
});

describe('the resume cursor', () => {
  it('asks for everything at the first greeting and takes its place', () => {
    const cursor = new ResumeCursor();
    expect(cursor.lastEventId).toBeUndefined();
    expect(cursor.greet({ instance: 'a' }, 'a:40')).toBe('refetch');
    expect(cursor.lastEventId).toBe('a:40');
  });

  it('goes on after a break without a hole and without a repetition', () => {
    const cursor = new ResumeCursor();
    cursor.greet({ instance: 'a' }, 'a:40');
    expect(cursor.accept('a:41')).toBe(true);
    expect(cursor.greet({ instance: 'a' }, undefined)).toBe('continue');
    expect(cursor.lastEventId).toBe('a:41');
    expect(cursor.accept('a:41')).toBe(false);
    expect(cursor.accept('a:42')).toBe(true);
  });

  it('fetches anew when another instance answers, or when the centre gives a new place', () => {
    const cursor = new ResumeCursor();
    cursor.greet({ instance: 'a' }, 'a:40');
    expect(cursor.greet({ instance: 'b' }, undefined)).toBe('refetch');
    expect(cursor.lastEventId).toBeUndefined();
    expect(cursor.greet({ instance: 'b' }, 'b:3')).toBe('refetch');
    expect(cursor.lastEventId).toBe('b:3');
  });

  it('lets messages without a usable id pass', () => {
    const cursor = new ResumeCursor();
    cursor.greet({ instance: 'a' }, 'a:1');
    expect([undefined, 'nonsense', 'a:', ':5', 'a:x'].map((id) => cursor.accept(id))).toEqual([
      true,
      true,
      true,
      true,
      true,
    ]);
    expect(cursor.lastEventId).toBe('a:1');
  });
});

function recorder() {
  const seen: string[] = [];
  const say = (name: string) => (what?: unknown) =>
    void seen.push(what === undefined ? name : `${name} ${JSON.stringify(what)}`);
  const handlers: StreamHandlers = {
    values: say('values'),
    event: say('event'),
    alarm: say('alarm'),
    command: say('command'),
    source: say('source'),
    gap: say('gap'),
    grid: say('grid'),
    trust: say('trust'),
    refetch: say('refetch'),
    restarted: say('restarted'),
    serverTime: () => {},
    state: () => {},
    snapshot: () => [],
  };
  return { seen, handlers };
}

describe('the stream', () => {
  it('hands out each numbered message once, and says when to fetch', () => {
    const { seen, handlers } = recorder();
    const reader = new StreamReader(handlers);
    const hello = (instance: string) => JSON.stringify({ instance, first: 0, next: 9, serverTime: 1 });
    reader.read({ event: 'hello', data: hello('a'), id: 'a:5' });
    reader.read({ event: 'event', data: '{"id":6}', id: 'a:6' });
    reader.read({ event: 'hello', data: hello('a') });
    reader.read({ event: 'event', data: '{"id":6}', id: 'a:6' });
    reader.read({ event: 'event', data: '{"id":7}', id: 'a:7' });
    reader.read({ event: 'reset', data: '{"reason":"too far behind"}', id: 'a:90' });
    reader.read({ event: 'event', data: 'not json', id: 'a:91' });
    expect(seen).toEqual(['refetch', 'event {"id":6}', 'event {"id":7}', 'refetch']);
    expect(reader.cursor.lastEventId).toBe('a:90');
  });
});

describe('the connection', () => {
  const answer = (text: string, status = 200) => new Response(status === 200 ? text : null, { status });

  it('resumes at the last id, says lost at once, and ends with the session', async () => {
    const cursor = new ResumeCursor();
    const asked: (string | null)[] = [];
    const states: LinkState[] = [];
    const answers = [
      answer('id: a:5\nevent: hello\ndata: {}\n\n'),
      answer('', 503),
      answer('event: ping\ndata: {}\n\n'),
      answer('', 401),
    ];
    await keepConnected({
      cursor,
      signal: new AbortController().signal,
      fetch: async (_url, init) => {
        asked.push(new Headers(init?.headers).get('last-event-id'));
        return answers.shift()!;
      },
      wait: async () => {},
      message: ({ id }) => void cursor.restart(id),
      state: (state) => void states.push(state),
    });
    expect(asked).toEqual([null, 'a:5', 'a:5', 'a:5']);
    expect(states).toEqual(['live', 'lost', 'lost', 'live', 'lost', 'unauthorised']);
  });

  it('backs off while the centre is away, and not for ever', async () => {
    const waits: number[] = [];
    const stop = new AbortController();
    await keepConnected({
      cursor: new ResumeCursor(),
      signal: stop.signal,
      fetch: () => Promise.reject(new TypeError('refused')),
      wait: async (millis) => {
        waits.push(millis);
        if (waits.length === 7) stop.abort();
      },
      random: () => 1,
      message: () => {},
      state: () => {},
    });
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 8000, 8000]);
  });
});

describe('the value store', () => {
  const make = () => {
    const frames: (() => void)[] = [];
    return {
      store: new ValueStore((callback) => void frames.push(callback)),
      frame: () => {
        for (const each of frames.splice(0)) each();
      },
    };
  };

  it('calls a listener once per frame, however often its point changed', () => {
    const { store, frame } = make();
    let calls = 0;
    store.subscribe('p', () => calls++);
    for (let offset = 1; offset <= 100; offset++) store.apply([value('p', offset, offset)]);
    expect(calls).toBe(0);
    frame();
    expect(calls).toBe(1);
    expect(store.get('p')?.value).toBe(100);
  });

  it('does not let a snapshot overtake what is newer', () => {
    const { store } = make();
    store.apply([value('p', 2, 20)]);
    store.apply([value('p', 1, 10)]);
    expect(store.get('p')?.value).toBe(2);
    store.forgetOffsets();
    store.apply([value('p', 3, 1)]);
    expect(store.get('p')?.value).toBe(3);
  });

  it('holds texts and missing values beside numbers, past its first size', () => {
    const { store } = make();
    store.apply(
      Array.from({ length: 3000 }, (_, index) => value(`p${index}`, index % 3 ? index : index % 2 ? 'text' : null)),
    );
    expect([store.get('p1')?.value, store.get('p3')?.value, store.get('p6')?.value]).toEqual([1, 'text', null]);
    store.apply([value('p3', 7)]);
    expect(store.get('p3')?.value).toBe(7);
    expect(store.snapshot()).toHaveLength(3000);
    expect(store.get('unknown')).toBeUndefined();
  });

  it('tells only those whose point changed, and forgets who has left', () => {
    const { store, frame } = make();
    const heard: string[] = [];
    const leave = store.subscribe('a', () => heard.push('a'));
    store.subscribe('b', () => heard.push('b'));
    store.apply([value('a', 1)]);
    frame();
    leave();
    store.apply([value('a', 2, 2), value('b', 1)]);
    frame();
    expect(heard).toEqual(['a', 'b']);
  });
});

const alarm = (id: string, changes: Partial<AlarmJson> = {}): AlarmJson => ({
  id,
  key: id,
  priority: 2,
  state: 'unacknowledged',
  message: id,
  raisedAt: '2026-11-23T12:00:00Z',
  changedAt: '2026-11-23T12:00:00Z',
  ...changes,
});

describe('the alarm list', () => {
  it('puts first what waits, then what is urgent', () => {
    const book = new AlarmBook();
    book.apply(alarm('acknowledged', { state: 'acknowledged', priority: 1 }));
    book.apply(alarm('low', { priority: 3 }));
    book.apply(alarm('urgent', { priority: 1, state: 'returnedUnacknowledged' }));
    book.apply(alarm('gone', { state: 'normal', priority: 1 }));
    expect(book.active().map(({ id }) => id)).toEqual(['urgent', 'low', 'acknowledged']);
    expect(countByPriority(book.active())[0]).toEqual({ priority: 1, standing: 2, unacknowledged: 1 });
  });

  it('does not let an answer under way undo what the stream has said since', async () => {
    const book = new AlarmBook();
    book.apply(alarm('old'));
    let answer: (of: { items: AlarmJson[] }) => void = () => {};
    const fetching = book.refetch(
      () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    );
    book.apply(alarm('a', { state: 'acknowledged', changedAt: '2026-11-23T12:00:05Z' }));
    answer({ items: [alarm('a'), alarm('b')] });
    await fetching;
    expect(book.active().map(({ id, state }) => [id, state])).toEqual([
      ['b', 'unacknowledged'],
      ['a', 'acknowledged'],
    ]);
  });

  it('keeps the later of two statements about one alarm', () => {
    const book = new AlarmBook();
    book.apply(alarm('a', { state: 'acknowledged', changedAt: '2026-11-23T12:00:05Z' }));
    book.apply(alarm('a'));
    expect(book.active()[0]?.state).toBe('acknowledged');
  });
});

describe('the sequence of events', () => {
  const event = (id: number, at: string): EventJson => ({ id, at, kind: 'stateChange', text: String(id) });
  it('stands in the order of source times, also when a backlog comes late', () => {
    const merged = mergeEvents(
      [event(1, '2026-11-23T12:00:00Z'), event(2, '2026-11-23T12:00:10Z')],
      [event(3, '2026-11-23T12:00:05Z'), event(2, '2026-11-23T12:00:10Z')],
    );
    expect(merged.map(({ id }) => id)).toEqual([2, 3, 1]);
  });
});

describe('the clock', () => {
  it('takes the least difference as the offset and the spread as its doubt', () => {
    const clock = new ClockOffset();
    expect(clock.uncertainty).toBeUndefined();
    for (const late of [30, 4, 8, 6, 5]) clock.hear(1000, 1000 + late);
    expect(clock.offset).toBe(4);
    expect(clock.uncertainty).toBe(1);
  });
});

describe('alarms with a common cause', () => {
  const alarm = (id: number, after?: number): AlarmJson => ({
    id,
    key: `k${id}`,
    priority: 2,
    state: 'unacknowledged',
    message: '',
    raisedAt: new Date(id).toISOString(),
    changedAt: new Date(id).toISOString(),
    ...(after === undefined ? {} : { after }),
  });
  const ids = (...alarms: AlarmJson[]) =>
    groupAlarms(alarms).map((group) => [group.alarm.id, ...group.followers.map(({ id }) => id)]);

  it('stand behind the switch after which they came, at the place of the most urgent of them', () => {
    expect(ids(alarm(3, 1), alarm(9), alarm(1), alarm(2, 1))).toEqual([[1, 3, 2], [9]]);
  });
  it('stand alone when that one is not in the list any more', () => {
    expect(ids(alarm(3, 1), alarm(2))).toEqual([[3], [2]]);
  });
});
