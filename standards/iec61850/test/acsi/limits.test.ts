/** What a server lets a client have, and what becomes of those who want more. */
import { MmsClient } from '@enerchain/mms';
import type { Transport } from '@enerchain/transport';
import { PAIRS, turn, until, VirtualClock } from '@enerchain/transport/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Iec61850Client, Iec61850Server, Iec61850Session, type SessionGap } from '../../src/index.ts';
import { sampleModel } from './sample.ts';
import { float, station } from './support.ts';

describe.each(PAIRS)('limits over $name', (pair) => {
  async function attached(server: Iec61850Server): Promise<Transport> {
    const { left, right, shutdown } = await pair.open();
    onTestFinished(shutdown);
    server.attach(right);
    return left;
  }

  test('one association too many is refused in an answer; the others are served, and a place that is left is given', async () => {
    const { server, connect, clock } = station(pair, { maxConnections: 2 });
    const [one, two] = [await connect(), await connect()];
    await expect(connect()).rejects.toMatchObject({
      code: 'association.refused',
      message: expect.stringContaining('for the moment'),
    });
    expect([server.connections, server.refused]).toEqual([2, 1]);
    expect(await two.devices()).toEqual(['BCU1CTRL']);
    await one.close();
    await turn();
    expect(await (await connect()).devices()).toEqual(['BCU1CTRL']);
    expect(clock.pending).toBe(0);
  });

  test('those who only connect keep nobody out, and are refused no answer when there are many of them', async () => {
    const { server, connect, clock } = station(pair, { maxConnections: 2 });
    let closed = 0;
    for (let i = 0; i < 20; i++) {
      const left = await attached(server);
      left.open({ onData: () => {}, onClose: () => closed++ });
      await turn();
    }
    expect(server.connections).toBe(2);
    await until(() => closed === 18);
    const client = await connect();
    expect(await client.devices()).toEqual(['BCU1CTRL']);
    await connect();
    // Now all places are taken by associations: who comes and says nothing is waited for, for two seconds and twice at most.
    for (let i = 0; i < 20; i++) (await attached(server)).open({ onData: () => {}, onClose: () => closed++ });
    await until(() => closed === 20 + 18);
    await clock.advance(2_000);
    await until(() => closed === 40);
    expect(server.connections).toBe(2);
    expect(await client.devices()).toEqual(['BCU1CTRL']);
  });

  test('an association without a word is ended in time where that is wanted', async () => {
    const { server, connect, clock } = station(pair, { association: { idleTimeout: 60_000 } });
    const ended: unknown[] = [];
    await connect({ onClose: (error) => ended.push(error?.code) });
    await connect({ keepAlive: 20_000, onClose: () => ended.push('kept') });
    await clock.advance(120_000);
    expect(ended).toEqual(['association.aborted']);
    expect(server.connections).toBe(1);
  });

  test('a client has so many data sets of its own, and they go with it', async () => {
    const { connect, server } = station(pair);
    const client = await connect();
    const members = [{ reference: 'BCU1CTRL/MMXU1.TotW', fc: 'MX' }] as const;
    for (let i = 0; i < 32; i++) await client.createDataSet(`@Set${i}`, members);
    await expect(client.createDataSet('@Set32', members)).rejects.toMatchObject({ code: 'service.resource' });
    // Those of another client are its own.
    const other = await connect();
    await other.createDataSet('@Set0', members);
    await client.close();
    await turn();
    expect(server.connections).toBe(1);
    const again = await connect();
    await again.createDataSet('@Set0', members);
  });

  test('a question whose answer cannot fit is refused before the answer is put together', async () => {
    const { server, connect } = station(pair);
    let asked = 0;
    const initiate = { outstandingCalling: 1, outstandingCalled: 1, nesting: 10, localDetail: 1_500 };
    const detail = {
      version: 1,
      parameters: { length: 11, bytes: Uint8Array.of(0xf1, 0) },
      services: { length: 85, bytes: new Uint8Array(11).fill(0xff) },
    };
    const client = await connect({ association: { initiate: { ...initiate, detail } } });
    const specification = {
      kind: 'name',
      value: { kind: 'domain', value: { domain: 'BCU1CTRL', item: 'GGIO1' } },
    } as const;
    const variables = Array.from({ length: 20 }, () => ({ specification }));
    await expect(client.readMany(variables)).rejects.toMatchObject({ code: 'service.resource' });
    await expect(client.askType(specification.value)).rejects.toMatchObject({ code: 'service.resource' });
    for (const device of await client.devices()) asked += (await client.variables(device)).length;
    expect(asked).toBeGreaterThan(100);
    expect(server.connections).toBe(1);
  });

  test('a client that does not read: what is buffered is kept for it, what is not is told, and others are served', async () => {
    const clock = new VirtualClock();
    const server = new Iec61850Server(sampleModel(), { clock });
    onTestFinished(() => server.close());
    const gaps: SessionGap[] = [];
    const lefts: Transport[] = [];
    const session = new Iec61850Session({
      clock,
      random: () => 0.5,
      client: { keepAlive: 0 },
      onGap: (gap) => gaps.push(gap),
      ways: [
        {
          name: 'a',
          connect: async () => {
            lefts.push(await attached(server));
            return lefts.at(-1)!;
          },
        },
      ],
    });
    onTestFinished(() => session.close());
    const buffered: number[] = [];
    const unbuffered: number[] = [];
    const noteIn = (list: number[]) => (report: { members: readonly { value: { value: unknown } }[] }) => {
      const [{ value }] = report.members[0]!.value.value as [{ value: [{ value: number }] }];
      list.push(value[0].value);
    };
    // The same values in both, so that both can be compared.
    const engineer = await Iec61850Client.connect(await attached(server), { clock });
    await engineer.write('BCU1CTRL/LLN0.brcb.DatSet', 'BR', { kind: 'visibleString', value: 'BCU1CTRL/LLN0$Values' });
    session.subscribe({ blocks: ['BCU1CTRL/LLN0.BR.brcb'], interrogate: false, onReport: noteIn(buffered) });
    session.subscribe({ blocks: ['BCU1CTRL/LLN0.RP.urcb01'], interrogate: false, onReport: noteIn(unbuffered) });
    session.start();
    await until(() => session.state.kind === 'up');
    lefts[0]!.pause();
    let count = 0;
    while (server.connections === 2 && count < 20_000) {
      server.update('BCU1CTRL/MMXU1.TotW', { 'mag.f': float(++count) });
      if (count % 64 === 0) await clock.advance(20);
    }
    expect(server.connections).toBe(1);
    expect(await engineer.devices()).toEqual(['BCU1CTRL']);
    server.update('BCU1CTRL/MMXU1.TotW', { 'mag.f': float(++count) });
    lefts[0]!.resume();
    await until(() => session.state.kind === 'connecting');
    await clock.advance(1_000);
    await until(() => session.state.kind === 'up');
    await until(() => buffered.length >= count, 'all that was buffered');
    await turn();
    const all = Array.from({ length: count }, (_, index) => index + 1);
    expect(buffered).toEqual(all);
    expect(gaps.map(({ kind }) => kind)).toEqual(['connection-lost', 'unreported']);
    // Without a hole up to where it was given up.
    expect(unbuffered).toEqual(all.slice(0, unbuffered.length));
    expect(unbuffered.length).toBeLessThan(count);
  });

  test('a client may ask whether a request can be cancelled: what is answered at once cannot', async () => {
    const { server, clock } = station(pair);
    const mms = await MmsClient.associate(await attached(server), { clock });
    let number = 0;
    await mms.call('identify', null, { onSent: (invokeId) => (number = invokeId) });
    await expect(mms.cancel(number)).rejects.toMatchObject({ code: 'service.cancel' });
  });
});
