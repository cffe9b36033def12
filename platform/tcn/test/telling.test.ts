import { describe, expect, it } from 'vitest';
import type { Registry } from '../src/engine/registry.ts';
import { type Standing, StandingTable } from '../src/engine/standing.ts';
import { Telling } from '../src/engine/telling.ts';
import { VirtualTime } from './virtual-time.ts';

const bad = (issuer: string): Standing => ({
  kind: 'result',
  issuer,
  node: 'd',
  sequence: 1,
  bytes: new Uint8Array(),
  adverse: true,
  takenAt: 0,
});

/** A node that has found its neighbour `d` bad. */
function found() {
  const time = new VirtualTime();
  const table = new StandingTable();
  const conviction = { released: false };
  const told: Standing[] = [];
  const telling = new Telling({
    self: 'a',
    clock: time.clock,
    after: time.after,
    random: () => 0.5,
    policy: () => undefined,
    registry: { find: () => ({ conviction }) } as unknown as Registry,
    table,
    pass: (standing) => told.push(standing),
  });
  const find = () => telling.result({ node: 'd' } as Parameters<Telling['result']>[0], bad('a'));
  return { time, table, conviction, told, telling, find };
}

describe('what a node tells of a bad neighbour', () => {
  it('is told soon, once', async () => {
    const { time, told, find } = found();
    find();
    find();
    await time.run(60);
    find();
    await time.run(60_000);
    expect(told.map(({ issuer }) => issuer)).toEqual(['a']);
  });

  it('is delayed by two others that say the same, and not kept back: they may have said it to nobody else', async () => {
    const { time, table, told, find } = found();
    table.put(bad('b'));
    table.put(bad('c'));
    find();
    await time.run(9000);
    // It is found again all the time; that begins no new delay.
    find();
    expect(told).toEqual([]);
    await time.run(11_000);
    expect(told.map(({ issuer }) => issuer)).toEqual(['a']);
  });

  it('is not told of a node that was let in again meanwhile, or by a node that has ended', async () => {
    const first = found();
    first.find();
    first.conviction.released = true;
    await first.time.run(60_000);
    const second = found();
    second.find();
    second.telling.close();
    await second.time.run(60_000);
    expect([...first.told, ...second.told]).toEqual([]);
  });
});
