import { describe, expect, it } from 'vitest';
import { ringOf, World } from './world.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
/** Neighbours of `d` in the ring. */
const AROUND_D = ['b', 'c', 'e', 'f'];

describe('the network', () => {
  it('nobody is good before a neighbour has attested it; soon after, everybody is', async () => {
    const world = ringOf(NAMES);
    world.start();
    expect(world.good('d', 'b')).toBe(false);
    expect(world.status('d', 'b')).toBe('none');
    await world.time.run(200);
    for (const [a, b] of world.edges()) expect([world.good(a, b), world.good(b, a)]).toEqual([true, true]);
    await world.time.run(20_000);
    for (const [a, b] of world.edges()) expect([world.good(a, b), world.good(b, a)]).toEqual([true, true]);
    expect(world.reaction('d', 'b')).toBe('none');
    // Who is no neighbour is unknown, whatever others say.
    expect(world.good('d', 'h')).toBe(false);
    world.close();
  });

  it('a change that its measurer tells is in quarantine at all neighbours at once, with one quote for all of them', async () => {
    const world = ringOf(NAMES);
    world.start();
    await world.time.run(5000);
    const { device } = world.get('d');
    const quotes = device.quotes;
    device.change('something else');
    const took = await world.time.until(() => AROUND_D.every((at) => world.reaction('d', at) === 'quarantine'), 500);
    expect(took).toBeLessThan(500);
    expect(device.quotes - quotes).toBeLessThanOrEqual(2);
    // Those further away are convinced by the evidence.
    await world.time.run(500);
    for (const at of ['a', 'g', 'h']) expect(world.reaction('d', at)).toBe('quarantine');
    expect(world.get('h').node.get('d')?.reason).toContain('runs something else');
    world.close();
  });

  it('a change that nobody tells is found within two periods', async () => {
    const world = ringOf(NAMES, 7);
    world.start();
    await world.time.run(5000);
    world.get('d').device.change('something else', false);
    await world.time.until(() => AROUND_D.every((at) => world.reaction('d', at) === 'quarantine'), 4000);
    world.close();
  });

  it('a node in quarantine comes back only with an order of the operator and fresh good evidence', async () => {
    const world = ringOf(NAMES);
    world.start();
    await world.time.run(3000);
    const { device } = world.get('d');
    device.change('something else');
    await world.time.run(1000);
    // Good evidence alone is not enough.
    device.boot = 'boot-2';
    device.change('as delivered');
    await world.time.run(10_000);
    for (const at of AROUND_D) expect(world.reaction('d', at)).toBe('quarantine');
    // Nor is the order of somebody else than the centre.
    expect(await world.order('release', 'd', 'a', world.get('h').identity)).toBe(false);
    expect(await world.order('release', 'd', 'a')).toBe(true);
    await world.time.run(3000);
    for (const at of AROUND_D) expect([world.reaction('d', at), world.good('d', at)]).toEqual(['none', true]);
    expect(world.reaction('d', 'h')).toBe('none');
    world.close();
  });

  it('an order alone is not enough either', async () => {
    const world = ringOf(NAMES);
    world.start();
    await world.time.run(3000);
    world.get('d').device.change('something else');
    await world.time.run(1000);
    await world.order('release', 'd', 'a');
    await world.time.run(5000);
    for (const at of AROUND_D) expect(world.reaction('d', at)).toBe('quarantine');
    world.close();
  });

  it('the operator can put a node into quarantine, at all nodes', async () => {
    const world = ringOf(NAMES);
    world.start();
    await world.time.run(3000);
    await world.order('quarantine', 'd', 'a');
    await world.time.run(1000);
    for (const at of NAMES.filter((name) => name !== 'd')) expect(world.reaction('d', at)).toBe('quarantine');
    await world.order('release', 'd', 'g');
    await world.time.run(3000);
    for (const at of AROUND_D) expect(world.reaction('d', at)).toBe('none');
    world.close();
  });

  it('fifty nodes: several incidents at once, each found by all neighbours and by nobody about anybody else', async () => {
    const names = Array.from({ length: 50 }, (_, i) => `n${String(i).padStart(2, '0')}`);
    const world = ringOf(names, 3);
    world.start();
    await world.time.run(5000);
    for (const [a, b] of world.edges()) expect([world.good(a, b), world.good(b, a)]).toEqual([true, true]);
    const bad = ['n05', 'n20', 'n35'];
    for (const [i, name] of bad.entries()) world.get(name).device.change('something else', i === 0);
    await world.time.until(
      () => bad.every((of) => names.every((at) => at === of || world.reaction(of, at) === 'quarantine')),
      4000,
    );
    // Six neighbours have found each of them; two or three tell the network.
    await world.time.run(1000);
    for (const of of bad) {
      const shown = world.get('n00').node.standing();
      const by = shown.filter(({ kind, node, adverse }) => kind === 'result' && node === of && adverse);
      expect(by.length).toBeGreaterThanOrEqual(1);
      expect(by.length).toBeLessThanOrEqual(3);
    }
    for (const at of names) {
      const wrong = world
        .get(at)
        .node.all()
        .filter(({ node, reaction }) => reaction !== 'none' && !bad.includes(node));
      expect(wrong).toEqual([]);
    }
    // What a node sends is bounded by its neighbours, not by the network.
    const before = world.get('n00').node.traffic().sentBytes;
    await world.time.run(20_000);
    expect((world.get('n00').node.traffic().sentBytes - before) / 20).toBeLessThan(8 * 1024);
    world.close();
  });

  it('without a policy nobody is good and nothing is done', async () => {
    const world = new World();
    world.add('a', ['b'], { policy: () => undefined });
    world.add('b', ['a']);
    world.start();
    world.get('b').device.change('something else');
    await world.time.run(5000);
    expect([world.good('b', 'a'), world.status('b', 'a'), world.reaction('b', 'a')]).toEqual([false, 'none', 'none']);
    expect(world.good('a', 'b')).toBe(true);
    world.close();
  });
});
