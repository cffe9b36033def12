import { Buffer } from 'node:buffer';
import type { HttpRequest, HttpResponse } from '@enerchain/service';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ApiState } from '../src/service/api.ts';
import { LiveGrid } from '../src/service/live-grid.ts';
import { answerWhatIf } from '../src/service/what-if-api.ts';
import { id, smallGrid } from './small-grid.ts';

function liveGrid(): LiveGrid {
  const live = new LiveGrid(smallGrid());
  live.solve(0, () => 0);
  return live;
}
const stateOf = (live: LiveGrid): ApiState => ({
  model: live.model,
  unusable: undefined,
  result: live.last,
  coverage: live.coverage,
  solveMillis: 0,
  solvedAt: '2026-01-01T00:00:00Z',
  behind: 0,
});
const request = (body: string | Uint8Array, method = 'POST'): HttpRequest => ({
  method,
  path: '/services/grid-state/what-if',
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(body),
  user: { name: 'x', rights: [] },
});
const bodyOf = (response: HttpResponse) => JSON.parse(Buffer.from(response.body).toString());

function ask(live: LiveGrid, body: object): { status: number; body: ReturnType<typeof bodyOf> } {
  const response = answerWhatIf(request(JSON.stringify(body)), live.base, stateOf(live));
  return { status: response.status, body: bodyOf(response) };
}
type Branch = { name: string; loading: number | null; energised: boolean; live: { loading: number | null } };
const branch = (body: { branches: Branch[] }, name: string): Branch =>
  body.branches.find((each) => each.name === name)!;

describe('what if', () => {
  test('nothing is tried, nothing differs from live', () => {
    const live = liveGrid();
    const { status, body } = ask(live, {});
    expect(status).toBe(200);
    expect(body).toMatchObject({ converged: true, changes: [] });
    for (const each of body.branches as Branch[]) expect(each.loading).toBeCloseTo(each.live.loading!, 6);
    for (const each of body.buses) expect(each.voltage).toBeCloseTo(each.live.voltage, 6);
  });

  test('a switch is opened: the feeder behind it is dead, and the change is named beside how it is live', () => {
    const live = liveGrid();
    const { body } = ask(live, { switches: { [id('CB1')]: false } });
    expect(body.changes).toEqual([{ equipment: id('CB1'), name: 'CB1', kind: 'switch', live: true, tried: false }]);
    expect(branch(body, 'A')).toMatchObject({ energised: false, loading: 0 });
    expect(branch(body, 'A').live.loading).toBeGreaterThan(1);
    const dead = body.buses.find((bus: { nodes: string[] }) => bus.nodes.includes(id('a1')));
    expect(dead).toMatchObject({ voltage: null, live: { voltage: expect.any(Number) } });
  });

  test('the ring is closed instead: the load moves to the other feeder', () => {
    const live = liveGrid();
    const { body } = ask(live, { switches: { [id('CB1')]: false, [id('TIE')]: true } });
    expect(body.converged).toBe(true);
    expect(branch(body, 'B').loading).toBeGreaterThan(branch(body, 'B').live.loading!);
    expect(body.islands.every(({ energised }: { energised: boolean }) => energised)).toBe(true);
  });

  test('taps, powers and held voltages are tried, and what cannot be solved is said', () => {
    const live = liveGrid();
    const voltage = (body: { buses: { nodes: string[]; voltage: number }[] }, node: string): number =>
      body.buses.find(({ nodes }) => nodes.includes(id(node)))!.voltage;
    const before = voltage(ask(live, {}).body, 'm');
    const tap = ask(live, { taps: { [id('T1')]: -4 } }).body;
    expect(voltage(tap, 'm')).not.toBeCloseTo(before, 2);
    expect(voltage(ask(live, { voltages: { [id('source')]: 121 } }).body, 'm')).toBeGreaterThan(before * 1.05);
    const heavy = ask(live, { powers: { [id('LA')]: { p: 4, q: 1 } } }).body;
    expect(branch(heavy, 'A').loading).toBeGreaterThan(branch(heavy, 'A').live.loading!);
    const impossible = ask(live, { powers: { [id('LA')]: { p: 4000, q: 1000 } } });
    expect(impossible.status).toBe(200);
    expect(impossible.body.converged).toBe(false);
    expect(impossible.body.islands[0].failure).toMatch(/island 0 at node/);
  });

  test('a line is taken out that has no switch of its own', () => {
    const live = liveGrid();
    const { body } = ask(live, { outages: [id('A')] });
    expect(body.changes).toEqual([{ equipment: id('A'), name: 'A', kind: 'outage', live: false, tried: true }]);
    expect(branch(body, 'A')).toMatchObject({ energised: false, live: { loading: expect.any(Number) } });
    expect(body.buses.find((bus: { nodes: string[] }) => bus.nodes.includes(id('a1'))).voltage).toBeNull();
  });

  test('a busbar is taken out with everything that its protection takes along', () => {
    const busbar = { class: 'BusbarSection', mRID: id('BB'), name: 'BB' } as const;
    const grid = smallGrid([{ ...busbar, terminals: [{ mRID: id('BB:m'), connectivityNode: id('m') }] }]);
    const live = new LiveGrid(grid);
    live.solve(0, () => 0);
    const { body } = ask(live, { outages: [id('BB')] });
    expect(body.out).toEqual(expect.arrayContaining([id('BB'), id('CB1'), id('CB2'), id('T1')]));
    for (const name of ['A', 'B']) expect(branch(body, name)).toMatchObject({ energised: false });
    const source = body.buses.find((bus: { nodes: string[] }) => bus.nodes.includes(id('h')));
    expect(source.voltage).toBeGreaterThan(100);
  });

  test('leaves no trace: the live solution and its inputs are what they were', () => {
    const live = liveGrid();
    const before = JSON.stringify([live.last, live.coverage, [...(live.base.state.switches ?? [])]]);
    ask(live, { switches: { [id('CB1')]: false }, taps: { [id('T1')]: 3 }, powers: { [id('LA')]: { p: 9, q: 9 } } });
    expect(JSON.stringify([live.last, live.coverage, [...(live.base.state.switches ?? [])]])).toBe(before);
    const again = live.solve(1, () => 0);
    expect(again.result.branches.map(({ loading }) => loading)).toEqual(
      (JSON.parse(before)[0].branches as Branch[]).map(({ loading }) => expect.closeTo(loading!, 6)),
    );
    expect(again.alarms).toEqual([]);
  });

  test.each([
    ['no JSON', '{', /no JSON/],
    ['no object', '[]', /not valid/],
    ['a field that is not known', '{"command":{}}', /not valid/],
    ['equipment that is not there', `{"switches":{"${id('nobody')}":true}}`, /has no equipment/],
    ['a name that is no mRID', '{"switches":{"__proto__x":true}}', /not valid|has no equipment/],
    ['a switch that is none', `{"switches":{"${id('T1')}":true}}`, /is no switch/],
    ['a tap without a changer', `{"taps":{"${id('CB1')}":1}}`, /has no tap changer/],
    ['a tap beyond its range', `{"taps":{"${id('T1')}":99}}`, /is not between/],
    ['half a step', `{"taps":{"${id('T1')}":0.5}}`, /not valid/],
    ['power of a line', `{"powers":{"${id('A')}":{"p":1,"q":0}}}`, /power could be set/],
    ['power without q', `{"powers":{"${id('LA')}":{"p":1}}}`, /not valid/],
    ['power that is no number', `{"powers":{"${id('LA')}":{"p":"1","q":0}}}`, /not valid/],
    ['power without bound', `{"powers":{"${id('LA')}":{"p":1e300,"q":0}}}`, /not valid/],
    ['voltage of a load', `{"voltages":{"${id('LA')}":20}}`, /holds no voltage/],
    ['no voltage at all', `{"voltages":{"${id('source')}":0}}`, /not valid/],
  ])('refuses %s with a sentence', (_, body, why) => {
    const live = liveGrid();
    const response = answerWhatIf(request(body), live.base, stateOf(live));
    expect(response.status).toBe(400);
    expect(bodyOf(response).detail).toMatch(why);
  });

  test('refuses other methods, bodies without end, and says when there is no grid', () => {
    const live = liveGrid();
    expect(answerWhatIf(request('{}', 'GET'), live.base, stateOf(live)).status).toBe(405);
    const long = answerWhatIf(request(`{"switches":{}}${' '.repeat(300_000)}`), live.base, stateOf(live));
    expect(long.status).toBe(413);
    const early = answerWhatIf(request('{}'), undefined, { ...stateOf(live), unusable: 'a line leads nowhere' });
    expect(early.status).toBe(503);
    expect(bodyOf(early).detail).toContain('a line leads nowhere');
  });

  test('never throws, whatever octets come', () => {
    const live = liveGrid();
    const mRID = fc.constantFrom(...live.model.equipment.map((each) => each.mRID), 'x', id('nobody'));
    const body = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.json().map((text) => Buffer.from(text)),
      fc
        .record(
          {
            switches: fc.dictionary(mRID, fc.oneof(fc.boolean(), fc.anything())),
            taps: fc.dictionary(mRID, fc.oneof(fc.integer({ min: -20, max: 20 }), fc.anything())),
            powers: fc.dictionary(mRID, fc.record({ p: fc.double(), q: fc.double() })),
            voltages: fc.dictionary(mRID, fc.double()),
            outages: fc.array(mRID),
          },
          { requiredKeys: [] },
        )
        .map((value) => Buffer.from(JSON.stringify(value))),
    );
    fc.assert(
      fc.property(body, (octets) => {
        const { status } = answerWhatIf(request(octets), live.base, stateOf(live));
        expect([200, 400]).toContain(status);
      }),
      { numRuns: 300 },
    );
  });
});
