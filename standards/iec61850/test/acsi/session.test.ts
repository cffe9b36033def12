/** A session that comes back by itself: what is restored, and what it says may be missing. */
import { utcTimeFromMillis } from '@enerchain/mms';
import { memoryPair, type Transport } from '@enerchain/transport';
import { PAIRS, turn, until, VirtualClock } from '@enerchain/transport/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  Iec61850Server,
  type Iec61850ServerOptions,
  Iec61850Session,
  type ReceivedReport,
  type SessionGap,
  type SessionOptions,
  type SessionState,
} from '../../src/index.ts';
import { sampleModel } from './sample.ts';
import { bool, float } from './support.ts';

const U = ['BCU1CTRL/LLN0.RP.urcb01', 'BCU1CTRL/LLN0.RP.urcb02'];
const B = 'BCU1CTRL/LLN0.BR.brcb';

/** A device that can be cut off, restarted, and reached over several addresses. */
function device(pair: (typeof PAIRS)[number], serverOptions: Iec61850ServerOptions = {}) {
  const clock = new VirtualClock();
  const make = () => new Iec61850Server(sampleModel(), { clock, ...serverOptions });
  let server = make();
  const ends: Transport[] = [];
  const lefts: Transport[] = [];
  const unreachable = new Set<string>();
  const attempts: string[] = [];
  const states: SessionState[] = [];
  const gaps: SessionGap[] = [];
  onTestFinished(() => server.close());
  const way = (name: string) => ({
    name,
    connect: async () => {
      attempts.push(name);
      if (unreachable.has(name)) throw new Error('unreachable');
      const { left, right, shutdown } = await pair.open();
      onTestFinished(shutdown);
      ends.push(right);
      lefts.push(left);
      server.attach(right, 'gateway');
      return left;
    },
  });
  return {
    clock,
    ends,
    unreachable,
    attempts,
    states,
    gaps,
    get server() {
      return server;
    },
    restart(options: Iec61850ServerOptions = {}) {
      const old = server;
      server = new Iec61850Server(sampleModel(), { clock, ...serverOptions, ...options });
      return old.close();
    },
    cut: () => ends.at(-1)!.destroy(),
    left: () => lefts.at(-1)!,
    session(options: Partial<SessionOptions> = {}, names = ['a']) {
      const session = new Iec61850Session({
        ways: names.map(way),
        clock,
        random: () => 0.5,
        onState: (state) => states.push(state),
        onGap: (gap) => gaps.push(gap),
        ...options,
      });
      onTestFinished(() => session.close());
      return session;
    },
    up: () => until(() => states.at(-1)?.kind === 'up', 'up'),
    missing: () => {
      const state = states.at(-1);
      return state?.kind === 'up' ? state.missing : undefined;
    },
    kinds: () => gaps.map(({ kind }) => kind),
  };
}

const changes = (reports: readonly ReceivedReport[]) =>
  reports.flatMap(({ members }) =>
    members
      .filter(({ reasons }) => !reasons.includes('gi'))
      .map(({ reference, value }) => {
        const first = value.kind === 'structure' ? value.value[0]! : value;
        const inner = first.kind === 'structure' ? first.value[0]! : first;
        return `${reference.split('.').at(-1)}=${inner.value}`;
      }),
  );

describe.each(PAIRS)('a session over $name', (pair) => {
  test('buffered reports go on where they were, once each, and nothing is said to be missing but the connection', async () => {
    const ied = device(pair);
    const session = ied.session();
    const reports: ReceivedReport[] = [];
    session.subscribe({ blocks: [B], interrogate: false, onReport: (report) => reports.push(report) });
    session.start();
    await ied.up();
    ied.server.update('BCU1CTRL/GGIO1.SPCSO1', { stVal: bool(true) });
    await until(() => reports.length === 1);
    ied.cut();
    await until(() => ied.states.at(-1)?.kind === 'connecting');
    ied.server.update('BCU1CTRL/GGIO1.SPCSO1', { stVal: bool(false) });
    ied.server.update('BCU1CTRL/GGIO1.SPCSO2', { stVal: bool(true) });
    await ied.clock.advance(1_000);
    await ied.up();
    await until(() => reports.length === 3);
    await turn();
    expect(changes(reports)).toEqual(['SPCSO1=true', 'SPCSO1=false', 'SPCSO2=true']);
    expect(ied.gaps).toMatchObject([{ kind: 'connection-lost', text: 'a: no association for 1 s' }]);
    const [gap] = ied.gaps;
    expect(gap?.kind === 'connection-lost' && gap.to - gap.from).toBe(1_000);
    expect(ied.states.map(({ kind }) => kind)).toEqual(['restoring', 'up', 'connecting', 'restoring', 'up']);
  });

  test('an unbuffered block is enabled again, asked for everything, and the time without it is a gap before the values', async () => {
    const ied = device(pair);
    const session = ied.session();
    const seen: string[] = [];
    const reports: ReceivedReport[] = [];
    session.subscribe({
      blocks: U,
      onReport: (report, block) => {
        reports.push(report);
        seen.push(`${block.slice(-6)} ${report.members[0]?.reasons.join()}`);
      },
    });
    session.start();
    await ied.up();
    await until(() => reports.length === 1);
    ied.cut();
    await until(() => ied.states.at(-1)?.kind === 'connecting');
    ied.server.update('BCU1CTRL/MMXU1.TotW', { 'mag.f': float(1) });
    ied.server.update('BCU1CTRL/MMXU1.TotW', { 'mag.f': float(2) });
    await ied.clock.advance(1_000);
    await until(() => reports.length === 2);
    expect(seen).toEqual(['urcb01 gi', 'urcb01 gi']);
    expect(ied.gaps.map(({ kind }) => kind)).toEqual(['connection-lost', 'unreported']);
    expect(ied.gaps[1]).toMatchObject({ block: U[0], text: `${U[0]}: no reports for 1 s` });
  });

  test('several subscriptions spread over the free instances; one that finds none is missing, and had later', async () => {
    const ied = device(pair);
    const session = ied.session();
    const other = ied.session({ onState: () => {}, onGap: () => {} });
    other.subscribe({ blocks: U.slice(0, 1), onReport: () => {} });
    other.start();
    await until(() => other.state.kind === 'up');
    const one = session.subscribe({ blocks: U, onReport: () => {} });
    const two = session.subscribe({ blocks: U, onReport: () => {} });
    session.start();
    await ied.up();
    expect([one.block, two.block]).toEqual([U[1], undefined]);
    expect(ied.states.at(-1)).toMatchObject({
      missing: [{ what: U[0], why: expect.stringContaining('another client') }],
    });
    await other.close();
    await turn();
    await ied.clock.advance(1_000);
    await until(() => two.block !== undefined);
    await until(() => ied.missing()?.length === 0);
    expect([one.block, two.block]).toEqual([U[1], U[0]]);
    await one.end();
    const three = session.subscribe({ blocks: U, onReport: () => {} });
    await until(() => three.block !== undefined);
    expect(three.block).toBe(U[1]);
  });

  test('a device that was restarted does not know the entry: a gap, then all it has', async () => {
    const ied = device(pair);
    const session = ied.session();
    const reports: ReceivedReport[] = [];
    session.subscribe({ blocks: [B], interrogate: false, onReport: (report) => reports.push(report) });
    session.start();
    await ied.up();
    ied.server.update('BCU1CTRL/GGIO1.SPCSO1', { stVal: bool(true) });
    await until(() => reports.length === 1);
    // Numbers of entries begin with the time of the start.
    await ied.clock.advance(5_000);
    await ied.restart();
    ied.server.update('BCU1CTRL/GGIO1.SPCSO2', { stVal: bool(true) });
    await until(() => ied.states.at(-1)?.kind === 'connecting');
    await ied.clock.advance(1_000);
    await until(() => reports.length === 2);
    expect(changes(reports)).toEqual(['SPCSO1=true', 'SPCSO2=true']);
    expect(ied.kinds()).toEqual(['connection-lost', 'entry-unknown']);
  });

  test('where it is to be purged, a restarted device’s old entries are not taken', async () => {
    const ied = device(pair);
    const session = ied.session();
    const reports: ReceivedReport[] = [];
    const unknown = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    ied.server.update('BCU1CTRL/GGIO1.SPCSO1', { stVal: bool(true) });
    session.subscribe({
      blocks: [B],
      interrogate: false,
      whenUnknown: 'purge',
      resumeAfter: () => unknown,
      onReport: (report) => reports.push(report),
    });
    session.start();
    await ied.up();
    ied.server.update('BCU1CTRL/GGIO1.SPCSO2', { stVal: bool(true) });
    await until(() => reports.length === 1);
    expect(changes(reports)).toEqual(['SPCSO2=true']);
    expect(ied.kinds()).toEqual(['entry-unknown']);
  });

  test('another address is tried at once; pauses double, and are not the same for all', async () => {
    const ied = device(pair);
    ied.unreachable.add('a').add('b');
    let jitter = 0;
    const session = ied.session({ random: () => jitter, pause: { first: 1_000, longest: 4_000 } }, ['a', 'b']);
    session.start();
    const failed = (rounds: number) => until(() => ied.states.length === rounds);
    await failed(1);
    expect(ied.attempts).toEqual(['a', 'b']);
    expect(ied.states[0]).toMatchObject({ kind: 'connecting', why: 'b: unreachable' });
    expect(() => session.use()).toThrow('no association with a: b: unreachable');
    await ied.clock.advance(699);
    expect(ied.attempts).toHaveLength(2);
    jitter = 1;
    await ied.clock.advance(1);
    await failed(2);
    expect(ied.attempts).toHaveLength(4);
    await ied.clock.advance(2_599);
    expect(ied.attempts).toHaveLength(4);
    await ied.clock.advance(1);
    await failed(3);
    ied.unreachable.delete('b');
    await ied.clock.advance(5_200);
    await ied.up();
    expect(ied.attempts).toEqual(['a', 'b', 'a', 'b', 'a', 'b', 'a', 'b']);
    expect(ied.states.at(-1)).toMatchObject({ way: 'b' });
    // The one that worked last comes first.
    await ied.clock.advance(60_000);
    ied.cut();
    await until(() => ied.states.at(-1)?.kind === 'connecting');
    await ied.clock.advance(1_300);
    await ied.up();
    expect(ied.attempts.at(-1)).toBe('b');
    expect(ied.attempts).toHaveLength(9);
  });

  test('data sets of clients are there again after a restart; others than given are a gap', async () => {
    const ied = device(pair);
    const session = ied.session();
    const reports: ReceivedReport[] = [];
    const reference = 'BCU1CTRL/LLN0.Mine';
    const members = [{ reference: 'BCU1CTRL/MMXU1.Hz', fc: 'MX' }] as const;
    await session.keepDataSet({ reference, members });
    await session.keepDataSet({ reference: '@Own', members });
    session.subscribe({ blocks: U, dataSet: reference, onReport: (report) => reports.push(report) });
    session.subscribe({ blocks: U, dataSet: '@Own', onReport: (report) => reports.push(report) });
    session.start();
    await ied.up();
    await until(() => reports.length === 2);
    expect(reports.map(({ members: [first] }) => first?.reference)).toEqual(['BCU1CTRL/MMXU1.Hz', 'BCU1CTRL/MMXU1.Hz']);
    await ied.restart();
    await until(() => ied.states.at(-1)?.kind === 'connecting');
    await ied.clock.advance(1_000);
    await until(() => reports.length === 4);
    expect(ied.states.at(-1)).toMatchObject({ missing: [] });
    ied.cut();
    await until(() => ied.states.at(-1)?.kind === 'connecting');
    const engineer = ied.session({ onState: () => {}, onGap: () => {} });
    engineer.start();
    await until(() => engineer.state.kind === 'up');
    await engineer.use().write('BCU1CTRL/LLN0.urcb01.DatSet', 'RP', { kind: 'visibleString', value: '' });
    await engineer.use().deleteDataSet(reference);
    await engineer.use().createDataSet(reference, [{ reference: 'BCU1CTRL/MMXU1.TotW', fc: 'MX' }]);
    await ied.clock.advance(2_000);
    await until(() => reports.length === 6);
    expect(ied.gaps.find(({ kind }) => kind === 'data-set')).toMatchObject({
      block: reference,
      expected: ['BCU1CTRL/MMXU1.Hz [MX]'],
      actual: ['BCU1CTRL/MMXU1.TotW [MX]'],
    });
    expect(await engineer.use().dataSetMembers(reference)).toEqual(members);
  });

  test('a configuration that is another one than the file’s, and one that changes meanwhile', async () => {
    const ied = device(pair);
    const session = ied.session();
    session.subscribe({ blocks: [B], confRev: 3, onReport: () => {} });
    session.start();
    await ied.up();
    expect(ied.gaps).toMatchObject([{ kind: 'configuration', block: B, expected: 3, actual: 7 }]);
    ied.cut();
    await until(() => ied.states.at(-1)?.kind === 'connecting');
    const engineer = ied.session({ onState: () => {}, onGap: () => {} });
    engineer.start();
    await until(() => engineer.state.kind === 'up');
    await engineer
      .use()
      .write('BCU1CTRL/LLN0.brcb.DatSet', 'BR', { kind: 'visibleString', value: 'BCU1CTRL/LLN0$Values' });
    await ied.clock.advance(1_000);
    await ied.up();
    expect(ied.kinds()).toEqual(['configuration', 'connection-lost', 'data-set', 'configuration', 'entry-unknown']);
    expect(ied.gaps).toContainEqual(expect.objectContaining({ kind: 'configuration', expected: 7, actual: 8 }));
    expect(ied.gaps).toContainEqual(
      expect.objectContaining({
        kind: 'data-set',
        actual: ['BCU1CTRL/MMXU1.TotW [MX]', 'BCU1CTRL/MMXU1.Hz.mag.f [MX]'],
      }),
    );
  });

  test('an event that was sent and never arrived comes after the cut, though none was had before', async () => {
    const ied = device(pair);
    const session = ied.session();
    const reports: ReceivedReport[] = [];
    session.subscribe({ blocks: [B], interrogate: false, onReport: (report) => reports.push(report) });
    session.start();
    await ied.up();
    ied.left().pause();
    ied.server.update('BCU1CTRL/GGIO1.SPCSO1', { stVal: bool(true) });
    await turn();
    ied.cut();
    ied.left().destroy();
    await until(() => ied.states.at(-1)?.kind === 'connecting');
    await ied.clock.advance(1_000);
    await until(() => reports.length === 1);
    expect(changes(reports)).toEqual(['SPCSO1=true']);
    expect(ied.kinds()).toEqual(['connection-lost']);
  });

  test('a buffer that overflowed meanwhile is a gap', async () => {
    const ied = device(pair, { buffer: { entries: 3, octets: 1 << 20 } });
    const session = ied.session();
    const reports: ReceivedReport[] = [];
    session.subscribe({ blocks: [B], interrogate: false, onReport: (report) => reports.push(report) });
    session.start();
    await ied.up();
    ied.cut();
    await until(() => ied.states.at(-1)?.kind === 'connecting');
    for (let i = 0; i < 6; i++) ied.server.update('BCU1CTRL/GGIO1.SPCSO1', { stVal: bool(i % 2 === 0) });
    await ied.clock.advance(1_000);
    await until(() => reports.length === 3);
    expect(ied.kinds()).toContain('buffer-overflow');
  });

  test('a clock that is not synchronised is told when it changes, by what changed', async () => {
    const ied = device(pair);
    const session = ied.session();
    const reports: ReceivedReport[] = [];
    session.subscribe({ blocks: U, onReport: (report) => reports.push(report) });
    session.start();
    await ied.up();
    const t = (quality: number) =>
      ({ kind: 'utcTime', value: utcTimeFromMillis(Date.UTC(2026, 0, 1), quality) }) as const;
    const qualities = [0x0a, 0x2a, 0x2a, 0x4a, 0x0a];
    for (const [index, quality] of qualities.entries())
      ied.server.update('BCU1CTRL/MMXU1.TotW', { 'mag.f': float(index + 1), t: t(quality) });
    await until(() => reports.length === 1 + qualities.length);
    expect(ied.gaps.map((gap) => gap.kind === 'clock' && gap.clock)).toEqual([
      'not-synchronised',
      'failed',
      'synchronised',
    ]);
    expect(ied.gaps[0]).toMatchObject({
      text: 'BCU1CTRL/MMXU1.TotW: the clock that stamps it is not synchronised',
    });
  });

  test('a connection that is open on one side only is found and made anew', async () => {
    const ied = device(pair);
    const session = ied.session({ client: { callTimeout: 5_000 } });
    session.start();
    await ied.up();
    ied.ends[0]!.pause();
    await ied.clock.advance(15_000);
    await until(() => ied.states.at(-1)?.kind === 'connecting');
    expect(ied.states.at(-1)).toMatchObject({ why: expect.stringContaining('nothing heard for') });
    await ied.clock.advance(1_000);
    await ied.up();
    expect(ied.gaps[0]).toMatchObject({ kind: 'connection-lost' });
    const [gap] = ied.gaps;
    // From when it was heard last, not from when that was found out.
    expect(gap?.kind === 'connection-lost' && gap.to - gap.from).toBe(16_000);
  });

  test('what its owner restores himself is asked for with each association, and again while something is missing', async () => {
    const ied = device(pair);
    const clients = new Set<unknown>();
    let missing = [{ what: 'BCU1CTRL/LLN0.RP.urcb01', why: 'another client has it' }];
    let useless: Error | undefined;
    const session = ied.session({
      restore: async (client) => {
        clients.add(client);
        await client.read('BCU1CTRL/GGIO1.SPCSO1.stVal', 'ST');
        if (useless) throw useless;
        return missing;
      },
    });
    session.start();
    await ied.up();
    expect(ied.missing()).toEqual(missing);
    missing = [];
    await ied.clock.advance(1_000);
    await until(() => ied.missing()?.length === 0);
    expect(clients.size).toBe(1);

    useless = new Error('no report control block could be had');
    session.renew('its owner wants another one');
    await until(() => ied.states.at(-1)?.kind === 'connecting');
    expect(ied.states.at(-1)).toMatchObject({ why: 'a: its owner wants another one' });
    await ied.clock.advance(1_000);
    await until(() => clients.size === 2 && ied.states.at(-1)?.kind === 'connecting', 'the second one given up');
    expect(ied.states.at(-1)).toMatchObject({ why: 'a: no report control block could be had' });
    useless = undefined;
    await ied.clock.advance(4_000);
    await ied.up();
    expect(clients.size).toBe(3);
  });

  test('close ends it, also while it connects, associates or waits', async () => {
    const ied = device(pair);
    const session = ied.session();
    session.start();
    await ied.up();
    await session.close();
    expect(ied.states.at(-1)?.kind).toBe('closed');
    expect(() => session.use()).toThrow('no association');
    const clock = new VirtualClock();
    const never = new Iec61850Session({
      clock,
      ways: [{ name: 'x', connect: (signal) => new Promise((_, no) => signal.addEventListener('abort', no)) }],
    });
    never.start();
    await never.close();
    const mute = new Iec61850Session({ clock, ways: [{ name: 'y', connect: async () => memoryPair()[0] }] });
    mute.start();
    await turn();
    await mute.close();
    const waiting = new Iec61850Session({
      clock,
      ways: [{ name: 'z', connect: () => Promise.reject(new Error('no')) }],
    });
    waiting.start();
    await turn();
    await waiting.close();
    expect(clock.pending).toBe(0);
  });
});
