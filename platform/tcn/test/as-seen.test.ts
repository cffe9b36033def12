/** How a node looks to its neighbours, as it knows itself: what its own command gate asks. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TEST_POLICY, World } from './world.ts';

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(() => world.close());

const seen = (name: string) => world.get(name).node.asSeen();

it('is good while a neighbour that is good itself has found it good lately', async () => {
  world.add('a', ['b', 'c']);
  world.add('b', ['a']);
  world.add('c', ['a']);
  world.start();
  expect(seen('a')).toMatchObject({
    trustedUntil: undefined,
    tier: undefined,
    reason: 'of its neighbours (b, c) none that is good itself has found it good lately',
  });
  await world.time.run(3_000);
  expect(seen('a')).toMatchObject({ node: 'a', tier: 'software', status: 'warning', reaction: 'none' });
  expect(seen('a')?.reason).toMatch(/^[bc] has found it good$/);
  // One that is bad vouches for nobody.
  world.get('b').device.change('something else');
  await world.time.run(3_000);
  expect(seen('a')?.reason).toBe('c has found it good');
  // The other one leaves: what it has said stands until it runs out.
  world.cut('a', 'c');
  await world.time.run(2_000);
  expect(seen('a')?.trustedUntil).toBeDefined();
  await world.time.run(TEST_POLICY.validFor * 1000);
  expect(seen('a')?.trustedUntil).toBeUndefined();
});

it('is not good when its neighbours find it bad, whatever they have said before', async () => {
  world.add('a', ['b']);
  world.add('b', ['a']);
  world.start();
  await world.time.run(3_000);
  expect(seen('a')?.trustedUntil).toBeDefined();
  world.get('a').device.change('something else');
  await world.time.run(1_000);
  expect(seen('a')?.trustedUntil).toBeUndefined();
});

it('hears at once how it looks when it has started anew, and what was said before it had a policy counts', async () => {
  let policy: typeof TEST_POLICY | undefined = { ...TEST_POLICY, validFor: 600 };
  const long = () => policy;
  world.add('a', ['b'], { policy: long });
  world.add('b', ['a'], { policy: long });
  world.start();
  await world.time.run(5_000);
  world.get('a').node.close();
  policy = undefined;
  world.add('a', ['b'], { policy: long });
  world.get('a').node.start();
  policy = { ...TEST_POLICY, validFor: 600 };
  world.connect('a', 'b');
  await world.time.run(1_000);
  expect(seen('a')?.reason).toBe('b has found it good');
});

it('is nobody’s to say when there are no neighbours', () => {
  world.add('a', []);
  world.start();
  expect(seen('a')).toBeUndefined();
});
