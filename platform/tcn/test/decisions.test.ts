/** What a node knows of quarantines and orders when it starts anew. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Decision, DecisionFile, type DecisionStore, signRelease } from '../src/index.ts';
import { TEST_POLICY, World } from './world.ts';

const STRICT = { ...TEST_POLICY, appraisal: {} };
let dir: string;
let world: World;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'enerchain-decisions-'));
  world = new World();
});
afterEach(() => {
  world.close();
  rmSync(dir, { recursive: true, force: true });
});

/** Keeps in memory what a file would. */
class Memory implements DecisionStore {
  kept: readonly Decision[] = [];
  load(): readonly Decision[] {
    return this.kept;
  }
  keep(decisions: readonly Decision[]): void {
    this.kept = decisions;
  }
}

async function orderOf(action: 'release' | 'quarantine', sequence: number, node = 'b'): Promise<Uint8Array> {
  const { signer, kid } = world.centre;
  const persons = ['anna', 'ben'];
  return signRelease(signer, kid, { node, action, sequence, at: world.time.clock.now(), reason: 'repaired', persons });
}

describe('a node that starts anew', () => {
  /** Starts `a`, whose neighbour is `b`, with what was kept. */
  const start = (memory: DecisionStore, policy = STRICT) => {
    world.members.get('a')?.node.close();
    const { node } = world.add('a', ['b'], { decisions: memory, policy: () => policy });
    node.start();
    return node;
  };
  const meet = async () => {
    world.connect('a', 'b');
    await world.time.run(3_000);
  };

  it('holds a neighbour in quarantine that it had found bad, though it shows good evidence now', async () => {
    const memory = new Memory();
    world.add('b', ['a'], { policy: () => STRICT }).node.start();
    start(memory);
    await meet();
    world.get('b').device.change('something else');
    await world.time.run(1_000);
    expect(world.reaction('b', 'a')).toBe('quarantine');
    const node = start(memory);
    expect(node.get('b')).toMatchObject({ reaction: 'quarantine', reason: 'runs something else (own evidence)' });
    world.get('b').device.change('as delivered');
    world.get('b').device.boot = 'boot-2';
    await meet();
    expect(world.reaction('b', 'a')).toBe('quarantine');
    expect(node.order(await orderOf('release', 1))).toBe(true);
    await world.time.run(3_000);
    expect(world.reaction('b', 'a')).toBe('none');
    expect(start(memory).get('b')?.reaction).not.toBe('quarantine');
  });

  it('takes no order a second time: neither the one that it has followed, nor one before it', async () => {
    const memory = new Memory();
    const [quarantine, release, again] = [
      await orderOf('quarantine', 10),
      await orderOf('release', 11),
      await orderOf('quarantine', 12),
    ];
    const first = start(memory);
    for (const order of [quarantine, release, again]) expect(first.order(order)).toBe(true);
    const second = start(memory);
    expect(second.get('b')).toMatchObject({ reaction: 'quarantine', reason: 'repaired (operator)' });
    for (const order of [quarantine, release, again]) expect(second.order(order)).toBe(false);
    expect(second.get('b')?.reaction).toBe('quarantine');
    expect(second.standing().map(({ kind, sequence }) => [kind, sequence])).toEqual([['release', 12]]);
    expect(second.order(await orderOf('release', 13))).toBe(true);
  });

  it('under a policy for development forgets what it found itself, and no person’s word', async () => {
    const memory = new Memory();
    const kept = { released: false, digest: undefined };
    memory.kept = [
      { node: 'b', voided: [], conviction: { ...kept, by: 'own evidence', reason: 'runs something else' } },
      { node: 'c', voided: [], conviction: { ...kept, by: 'operator', reason: 'seen a stranger' } },
    ];
    const node = start(memory, { ...STRICT, appraisal: { firstConfiguration: true } });
    expect(node.get('b')?.reaction).not.toBe('quarantine');
    expect(node.get('c')?.reaction).toBe('quarantine');
    expect(start(memory).get('b')?.reaction).toBe('quarantine');
  });
});

describe('the file of decisions', () => {
  it('gives back what was put into it last', async () => {
    const troubles: string[] = [];
    const path = join(dir, 'tcn', 'decisions.json');
    const file = new DecisionFile(path, (text) => troubles.push(text));
    expect(file.load()).toEqual([]);
    const decisions: Decision[] = [
      {
        node: 'core-1',
        conviction: { by: 'own evidence', reason: 'main.ts is another', released: true, digest: 'ab'.repeat(32) },
        releasedAt: 1_790_000_000_000_000_123n,
        voided: ['cd'.repeat(32)],
        order: await orderOf('release', 7, 'core-1'),
      },
      { node: 'core-2', voided: [], order: await orderOf('quarantine', 8, 'core-2') },
    ];
    file.keep([]);
    file.keep(decisions);
    await file.kept();
    expect(new DecisionFile(path, (text) => troubles.push(text)).load()).toEqual(decisions);
    expect(troubles).toEqual([]);
  });

  it('that is damaged, or speaks of something else, is said to be so', async () => {
    const path = join(dir, 'decisions.json');
    const file = new DecisionFile(path, () => undefined);
    file.keep([{ node: 'core-1', voided: [], order: await orderOf('release', 7, 'core-1') }]);
    await file.kept();
    const good = readFileSync(path, 'utf8');
    for (const text of [
      good.slice(0, -10),
      good.replace('"version":1', '"version":2'),
      good.replace('core-1', 'core-2'),
      good.replace('"voided":[]', '"voided":["x"]'),
      good.replace('"voided":[]', '"voided":[],"conviction":{"by":"rumour","reason":"","released":false}'),
    ]) {
      writeFileSync(path, text);
      const troubles: string[] = [];
      expect(new DecisionFile(path, (trouble) => troubles.push(trouble)).load()).toEqual([]);
      expect(troubles).toHaveLength(1);
    }
  });
});
