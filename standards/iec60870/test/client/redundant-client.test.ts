import { turn, until, VirtualClock } from '@enerchain/transport/testing';
import { expect, test } from 'vitest';
import { Iec104RedundantClient } from '../../src/client/redundant-client.ts';
import { MiniRtu } from '../support/mini-rtu.ts';

async function group() {
  const clock = new VirtualClock();
  const left = new MiniRtu(clock, (received, rtu) => rtu.mirror(received, 7));
  const right = new MiniRtu(clock, (received, rtu) => rtu.mirror(received, 7));
  const values: [string, number][] = [];
  const moves: (string | undefined)[][] = [];
  const client = new Iec104RedundantClient({
    clock,
    random: () => 0,
    connections: [
      { name: 'left', transport: left.connect },
      { name: 'right', transport: right.connect },
    ],
    onAsdu: (asdu, _, connection) => values.push([connection, asdu.objects[0]!.address]),
    onSwitchover: (to, from) => moves.push([from, to]),
  });
  client.start();
  await until(() => client.state === 'started');
  await turn();
  return { clock, left, right, client, values, moves };
}

test('one connection is started, the other is held in standby and tested', async () => {
  const { clock, left, right, client, values } = await group();
  expect(client.active).toBe('left');
  expect([left.connection.transfer, right.connection.transfer]).toEqual(['started', 'stopped']);
  left.value(5, 3);
  await until(() => values.length === 1);
  await clock.advance(50_000);
  expect([left.connection.closed, right.connection.closed]).toEqual([false, false]);
  expect(client.clients.get('right')!.counters.uReceived).toBeGreaterThan(0);
  await client.close();
});

test('when the started connection is lost the standby takes over at once, and the lost one becomes standby', async () => {
  const { clock, left, right, client, values, moves } = await group();
  left.connection.close();
  await until(() => client.active === 'right');
  expect(right.connection.transfer).toBe('started');
  right.value(6, 3);
  await until(() => values.length === 1);
  expect(values).toEqual([['right', 6]]);
  await clock.advance(3_000);
  await until(() => left.connections.length === 2);
  await turn();
  expect([left.connection.transfer, client.active, client.switchovers]).toEqual(['stopped', 'right', 1]);
  expect(moves).toEqual([
    [undefined, 'left'],
    ['left', 'right'],
  ]);
  await client.close();
});

test('a standby that does not confirm STARTDT is given up and the other one is tried again', async () => {
  const { clock, left, right, client } = await group();
  right.connection.fail(new Error('gone') as never);
  left.connection.close();
  await until(() => client.state !== 'started');
  await clock.advance(2_000);
  await until(() => client.state === 'started');
  expect(client.active).toBeDefined();
  await client.close();
});

test('a switchover on request stops one connection in order before the other starts', async () => {
  const { left, right, client } = await group();
  client.switchOver();
  await until(() => client.active === 'right');
  expect([left.connection.transfer, right.connection.transfer]).toEqual(['stopped', 'started']);
  await expect(client.test(1)).resolves.toBeUndefined();
  client.switchOver('left');
  await until(() => client.active === 'left');
  await client.close();
});

test('without a started connection requests are rejected', async () => {
  const { left, right, client } = await group();
  left.up = false;
  right.up = false;
  left.connection.close();
  right.connection.close();
  await until(() => client.active === undefined);
  await expect(client.interrogate(1)).rejects.toMatchObject({ code: 'client.notStarted' });
  expect(client.send({} as never)).toBe(false);
  await client.close();
});
