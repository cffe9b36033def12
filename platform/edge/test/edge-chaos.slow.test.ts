import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { TestCentre, until } from './centre.ts';
import { TestStation } from './station.ts';

const ROUNDS = Number(process.env.EDGE_CHAOS_ROUNDS ?? 25);
const SEED = Number(process.env.EDGE_CHAOS_SEED ?? Date.now() % 2 ** 31);

/** mulberry32: the same seed, the same order of events. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

test('every value of the device arrives once, whatever is killed and cut meanwhile', async () => {
  console.log(`EDGE_CHAOS_SEED=${SEED} EDGE_CHAOS_ROUNDS=${ROUNDS}`);
  const random = randomOf(SEED);
  const centre = await TestCentre.open();
  const station = new TestStation();
  const siteFile = await station.open();
  const token = await centre.token('edge-test');
  const start = async (): Promise<ChildProcess> => {
    const args = [siteFile, join(station.folder, 'data'), centre.url, token];
    const child = fork(join(import.meta.dirname, 'edge-process.ts'), args, {
      execArgv: ['--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    await once(child, 'message');
    return child;
  };
  let edge = await start();
  const kill = async (): Promise<void> => {
    edge.kill('SIGKILL');
    await once(edge, 'exit');
  };
  const number = station.mrid('ca=1 ioa=2');
  const numbers = () => centre.observations().filter(({ point }) => point === number);
  const source = setInterval(() => station.produce(30), 10);
  try {
    for (let round = 0; round < ROUNDS; round++) {
      await pause(random() * 700);
      const act = Math.floor(random() * 5);
      if (act <= 1) {
        await kill();
        edge = await start();
      } else if (act === 2) {
        centre.cut();
      } else if (act === 3) {
        for (const { id } of station.server.connections()) station.server.disconnect(id);
      } else {
        await centre.close();
        await pause(random() * 800);
        await centre.listen();
      }
    }
    clearInterval(source);
    await until(() => centre.observations().length >= station.produced, 'as many as were produced', 120_000);
    await until(() => new Set(numbers().map(({ value }) => value)).size === station.produced, 'every value', 60_000);
    const first = numbers().filter(({ repeat }) => !repeat);
    expect(first.length).toBe(station.produced);
    expect(new Set(first.map(({ value }) => value)).size).toBe(station.produced);
    expect(centre.problems).toEqual([]);
  } finally {
    clearInterval(source);
    await kill();
    await station.close();
    await centre.close();
  }
});
