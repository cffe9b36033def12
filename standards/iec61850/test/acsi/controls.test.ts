import { describe, expect, test } from 'vitest';
import type { AddCause, ControlHandler, ControlRequest } from '../../src/index.ts';
import { bool, PAIRS, station, turn, until } from './support.ts';

const object = (number: number) => `BCU1CTRL/GGIO1.SPCSO${number}`;

describe.each(PAIRS)('controls over $name', (pair) => {
  function switches(handler: Partial<ControlHandler> = {}) {
    const done: ControlRequest[] = [];
    const own: ControlHandler = {
      operate: (request) => {
        done.push(request);
        return undefined;
      },
      ...handler,
    };
    const controls = Object.fromEntries([1, 2, 3, 4, 5, 6].map((number) => [object(number), own]));
    return { done, ...station(pair, { controls }) };
  }

  test.each([
    [1, 'direct-normal'],
    [2, 'sbo-normal'],
    [3, 'direct-enhanced'],
    [4, 'sbo-enhanced'],
  ] as const)('SPCSO%i is operated as %s', async (number, model) => {
    const { connect, done, server } = switches();
    const client = await connect();
    const origin = { category: 'station-control', identification: Uint8Array.of(7) } as const;
    expect(await client.operate(object(number), bool(true), { origin, synchroCheck: false })).toEqual({
      ok: true,
      model,
      ctlNum: 1,
    });
    await turn();
    expect(done).toMatchObject([
      {
        object: object(number),
        model,
        ctlVal: bool(true),
        origin,
        ctlNum: 1,
        test: false,
        synchroCheck: false,
        interlockCheck: true,
      },
    ]);
    expect(server.value(`${object(number)}.stSeld`, 'ST')).toEqual(bool(false));
    expect(await client.operate(object(number), bool(false))).toMatchObject({ ok: true, ctlNum: 2 });
  });

  test('an object that only has a status, and one that nobody serves, say so', async () => {
    const client = await switches().connect();
    expect(await client.operate(object(6), bool(true))).toMatchObject({
      ok: false,
      step: 'operate',
      addCause: 'not-supported',
    });
    const bare = await station(pair).connect();
    expect(await bare.operate(object(4), bool(true))).toMatchObject({
      ok: false,
      step: 'select',
      addCause: 'not-supported',
    });
  });

  test('refusals name the step and the cause', async () => {
    let why: AddCause | undefined = 'blocked-by-interlocking';
    const { connect } = switches({ check: () => why });
    const client = await connect();
    expect(await client.operate(object(4), bool(true))).toMatchObject({
      ok: false,
      step: 'select',
      addCause: 'blocked-by-interlocking',
      unknown: false,
    });
    expect(await client.operate(object(3), bool(true))).toMatchObject({
      ok: false,
      step: 'operate',
      addCause: 'blocked-by-interlocking',
    });
    expect(await client.operate(object(1), bool(true))).toMatchObject({
      ok: false,
      step: 'operate',
      addCause: 'blocked-by-interlocking',
    });
    why = undefined;
    expect(await client.operate(object(4), bool(true))).toMatchObject({ ok: true });
  });

  test('a selection is exclusive, ends in time, and with its client', async () => {
    const { connect, clock, server } = switches();
    const [one, two] = [await connect(), await connect()];
    for (const number of [2, 4]) {
      expect(await one.operate(object(number), bool(true), { selectOnly: true })).toMatchObject({ ok: true });
      expect(server.value(`${object(number)}.stSeld`, 'ST')).toEqual(bool(true));
      expect(await two.operate(object(number), bool(true))).toMatchObject({ ok: false, step: 'select' });
      expect(await one.operate(object(number), bool(true))).toMatchObject({ ok: true });
      expect(await two.operate(object(number), bool(false), { selectOnly: true })).toMatchObject({ ok: true });
      await clock.advance(10_000);
      expect(server.value(`${object(number)}.stSeld`, 'ST')).toEqual(bool(false));
      expect(await two.operate(object(number), bool(false))).toMatchObject({
        ok: false,
        step: 'operate',
        addCause: 'object-not-selected',
      });
      expect(await two.operate(object(number), bool(false), { selectOnly: true })).toMatchObject({ ok: true });
    }
    two.abort();
    await turn();
    expect(await one.operate(object(4), bool(true))).toMatchObject({ ok: true });
  });

  test('a selection is cancelled; another value than the one selected is refused', async () => {
    const { connect, done } = switches();
    const client = await connect();
    await client.operate(object(4), bool(true), { selectOnly: true });
    expect(await client.operate(object(4), bool(true), { cancel: true })).toMatchObject({ ok: true });
    expect(await client.operate(object(4), bool(true), { cancel: true })).toMatchObject({
      ok: false,
      step: 'cancel',
      addCause: 'object-not-selected',
    });
    await client.operate(object(4), bool(true), { selectOnly: true });
    expect(await client.operate(object(4), bool(false))).toMatchObject({
      ok: false,
      step: 'operate',
      addCause: 'inconsistent-parameters',
    });
    expect(done).toEqual([]);
  });

  test('enhanced: the end is waited for; a bad one has its cause, and none at all is not known', async () => {
    const begun: ((cause: AddCause | undefined) => void)[] = [];
    const { connect, clock } = switches({ operate: () => new Promise((resolve) => void begun.push(resolve)) });
    const client = await connect();
    const bad = client.operate(object(3), bool(true));
    await until(() => begun.length === 1);
    expect(await client.operate(object(3), bool(true))).toMatchObject({
      ok: false,
      step: 'operate',
      addCause: 'command-already-in-execution',
    });
    begun[0]!('blocked-by-process');
    expect(await bad).toMatchObject({ ok: false, step: 'termination', addCause: 'blocked-by-process', unknown: false });
    const silent = client.operate(object(3), bool(true), { terminationTimeout: 2_000 });
    await until(() => begun.length === 2);
    await clock.advance(2_000);
    expect(await silent).toMatchObject({ ok: false, step: 'termination', unknown: true });
    begun[1]!(undefined);
    await turn();
    const cut = client.operate(object(3), bool(true));
    await until(() => begun.length === 3);
    client.abort();
    expect(await cut).toMatchObject({ ok: false, unknown: true });
  });

  test('one that is to be carried out later waits, and may be cancelled', async () => {
    const { connect, clock, done } = switches();
    const client = await connect();
    const later = client.operate(object(5), bool(true), { at: clock.now() + 5_000 });
    await turn();
    await clock.advance(4_000);
    expect(done).toEqual([]);
    await clock.advance(1_100);
    expect(await later).toMatchObject({ ok: true });
    expect(done).toHaveLength(1);
    const cancelled = client.operate(object(5), bool(false), { at: clock.now() + 5_000 });
    await turn();
    expect(await client.operate(object(5), bool(false), { cancel: true })).toMatchObject({ ok: true });
    expect(await cancelled).toMatchObject({ ok: false, step: 'termination', addCause: 'abortion-by-cancel' });
    await expect(client.operate(object(3), bool(true), { at: clock.now() + 1_000 })).rejects.toMatchObject({
      code: 'control.time',
    });
  });
});
