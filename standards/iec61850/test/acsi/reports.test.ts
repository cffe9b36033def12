import { describe, expect, test } from 'vitest';
import type { ReceivedReport, ReportGap } from '../../src/index.ts';
import { bool, float, PAIRS, station, turn } from './support.ts';

const U = 'BCU1CTRL/LLN0.RP.urcb01';
const B = 'BCU1CTRL/LLN0.BR.brcb';

describe.each(PAIRS)('reports over $name', (pair) => {
  function listen() {
    const reports: ReceivedReport[] = [];
    const gaps: ReportGap[] = [];
    return {
      reports,
      gaps,
      onReport: (report: ReceivedReport) => void reports.push(report),
      onGap: (gap: ReportGap) => void gaps.push(gap),
    };
  }
  const values = ({ members }: ReceivedReport) =>
    members.map(({ reference, value, reasons }) => [
      reference,
      JSON.stringify(value).match(/"(?:float|boolean)","value":([^}]*)/)?.[1],
      reasons.join(),
    ]);

  test('unbuffered: interrogation, changes in one report, integrity; numbers in sequence', async () => {
    const { server, connect, clock } = station(pair);
    const client = await connect();
    const heard = listen();
    const subscription = await client.subscribe(U, { ...heard, integrityPeriod: 5_000 });
    await turn();
    expect(heard.reports.map(values)).toEqual([
      [
        ['BCU1CTRL/MMXU1.TotW', '0', 'gi'],
        ['BCU1CTRL/MMXU1.Hz.mag.f', '0', 'gi'],
      ],
    ]);
    server.update('BCU1CTRL/MMXU1.TotW', {
      'mag.f': float(7),
      q: { kind: 'bitString', value: { length: 13, bytes: Uint8Array.of(0x40, 0) } },
    });
    server.update('BCU1CTRL/MMXU1.TotW', { 'mag.f': float(7) });
    server.update('BCU1CTRL/MMXU1.Hz', { 'mag.f': float(50) });
    await turn();
    expect(heard.reports.slice(1).map(values)).toEqual([
      [['BCU1CTRL/MMXU1.TotW', '7', 'dchg,qchg']],
      [['BCU1CTRL/MMXU1.Hz.mag.f', '50', 'dchg']],
    ]);
    await clock.advance(5_000);
    expect(heard.reports.slice(3).map(values)).toEqual([
      [
        ['BCU1CTRL/MMXU1.TotW', '7', 'integrity'],
        ['BCU1CTRL/MMXU1.Hz.mag.f', '50', 'integrity'],
      ],
    ]);
    expect(heard.reports.map(({ seqNum }) => seqNum)).toEqual([0, 1, 2, 3]);
    expect(heard.gaps).toEqual([]);
    await subscription.end();
    server.update('BCU1CTRL/MMXU1.Hz', { 'mag.f': float(51) });
    await turn();
    expect(heard.reports).toHaveLength(4);
  });

  test('changes within the buffer time go into one report; a second one of the same member sends the first', async () => {
    const { server, connect, clock } = station(pair);
    const client = await connect();
    const heard = listen();
    await client.subscribe(U, { ...heard, bufferTime: 100, interrogate: false });
    server.update('BCU1CTRL/MMXU1.TotW', { 'mag.f': float(1) });
    server.update('BCU1CTRL/MMXU1.Hz', { 'mag.f': float(2) });
    await clock.advance(99);
    expect(heard.reports).toEqual([]);
    await clock.advance(1);
    server.update('BCU1CTRL/MMXU1.TotW', { 'mag.f': float(3) });
    server.update('BCU1CTRL/MMXU1.TotW', { 'mag.f': float(4) });
    await turn();
    expect(heard.reports.map(values)).toEqual([
      [
        ['BCU1CTRL/MMXU1.TotW', '1', 'dchg'],
        ['BCU1CTRL/MMXU1.Hz.mag.f', '2', 'dchg'],
      ],
      [['BCU1CTRL/MMXU1.TotW', '3', 'dchg']],
    ]);
    await clock.advance(100);
    expect(heard.reports.map(values)[2]).toEqual([['BCU1CTRL/MMXU1.TotW', '4', 'dchg']]);
  });

  test('an unbuffered block belongs to one client until it leaves', async () => {
    const { connect } = station(pair);
    const [one, two] = [await connect(), await connect()];
    await one.subscribe(U, listen());
    await expect(two.subscribe(U, listen())).rejects.toMatchObject({ code: 'report.taken' });
    await two.subscribe('BCU1CTRL/LLN0.RP.urcb02', listen());
    await one.close();
    await turn();
    const three = await connect();
    await three.subscribe(U, listen());
  });

  test('buffered: what happened while nobody was there comes afterwards, and once', async () => {
    const { server, connect } = station(pair);
    const first = await connect();
    const early = listen();
    await first.subscribe(B, { ...early, interrogate: false });
    server.update('BCU1CTRL/GGIO1.SPCSO1', { stVal: bool(true) });
    await turn();
    expect(early.reports).toHaveLength(1);
    first.abort();
    await turn();
    server.update('BCU1CTRL/GGIO1.SPCSO1', { stVal: bool(false) });
    server.update('BCU1CTRL/GGIO1.SPCSO2', { stVal: bool(true) });
    const second = await connect();
    const late = listen();
    await second.subscribe(B, { ...late, interrogate: false, resumeAfter: early.reports[0]!.entryId! });
    await turn();
    expect(late.reports.map(values)).toEqual([
      [['BCU1CTRL/GGIO1.SPCSO1', 'false', 'dchg']],
      [['BCU1CTRL/GGIO1.SPCSO2', 'true', 'dchg']],
    ]);
    expect(late.gaps).toEqual([]);
  });

  test('an entry that the server does not know is a gap, and all it has is given', async () => {
    const { server, connect } = station(pair);
    server.update('BCU1CTRL/GGIO1.SPCSO1', { stVal: bool(true) });
    const client = await connect();
    const heard = listen();
    await client.subscribe(B, { ...heard, interrogate: false, resumeAfter: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) });
    await turn();
    expect(heard.gaps).toEqual(['entry-unknown']);
    expect(heard.reports).toHaveLength(1);
  });

  test('a buffer that overflowed says so, once; purged, there is nothing', async () => {
    const { server, connect } = station(pair, { buffer: { entries: 3, octets: 1 << 20 } });
    for (let i = 0; i < 6; i++) server.update('BCU1CTRL/GGIO1.SPCSO1', { stVal: bool(i % 2 === 0) });
    const client = await connect();
    const heard = listen();
    const subscription = await client.subscribe(B, { ...heard, interrogate: false });
    await turn();
    expect(heard.gaps).toEqual(['buffer-overflow']);
    expect(heard.reports).toHaveLength(3);
    await subscription.end();
    server.update('BCU1CTRL/GGIO1.SPCSO1', { stVal: bool(true) });
    const again = listen();
    await client.subscribe(B, { ...again, purge: true, interrogate: false });
    await turn();
    expect(again.reports).toEqual([]);
  });

  test.each([
    ['', undefined],
    [' with references', ['seqNum', 'reasonCode', 'dataRef', 'configRef'] as const],
  ])('a report%s too large for the client comes in segments and is put together', async (_, options) => {
    const { connect } = station(pair);
    const detail = {
      version: 1,
      parameters: { length: 11, bytes: Uint8Array.of(0xf1, 0) },
      services: { length: 85, bytes: new Uint8Array(11).fill(0xff) },
    };
    const client = await connect({
      association: { initiate: { outstandingCalling: 1, outstandingCalled: 1, nesting: 10, localDetail: 700, detail } },
    });
    const members = Array.from({ length: 30 }, () => ({ reference: 'BCU1CTRL/MMXU1.TotW', fc: 'MX' }) as const);
    await client.createDataSet('@Many', members.slice(0, 12)).catch(() => {});
    const heard = listen();
    await client.subscribe(U, { ...heard, dataSet: '@Many', confRev: 9, ...(options ? { options } : {}) });
    await turn();
    expect(heard.reports).toHaveLength(1);
    expect(heard.reports[0]!.members).toHaveLength(12);
    expect(heard.reports[0]!.members.map(({ reasons }) => reasons)).toEqual(new Array(12).fill(['gi']));
    expect(heard.gaps).toEqual(['configuration']);
  });

  test('an enabled block stays as it is; a reserved one stays with its client for its time', async () => {
    const { connect, clock } = station(pair);
    const [one, two] = [await connect({}, 'gateway-1'), await connect({}, 'gateway-2')];
    await one.subscribe(B, { ...listen(), reserve: 5 });
    await expect(one.write('BCU1CTRL/LLN0.brcb.IntgPd', 'BR', { kind: 'unsigned', value: 1 })).rejects.toMatchObject({
      code: 'access.temporarily-unavailable',
    });
    await expect(one.write('BCU1CTRL/LLN0.brcb.SqNum', 'BR', { kind: 'unsigned', value: 1 })).rejects.toMatchObject({
      code: 'access.access-denied',
    });
    one.abort();
    await turn();
    await expect(two.subscribe(B, listen())).rejects.toMatchObject({ code: 'access.temporarily-unavailable' });
    const back = await connect({}, 'gateway-1');
    await (await back.subscribe(B, { ...listen(), reserve: 5 })).end();
    back.abort();
    await turn();
    await expect(two.subscribe(B, listen())).rejects.toMatchObject({ code: 'access.temporarily-unavailable' });
    await clock.advance(5_000);
    await two.subscribe(B, listen());
  });
});
