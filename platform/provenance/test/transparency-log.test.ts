import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MerkleTree, parseCheckpoint } from '../src/index.ts';
import { LogWorld, leaves, newSigner, WitnessWorld } from '../src/testing/world.ts';
import { placeOf } from '../src/tree/shape.ts';

async function* chunks(list: readonly Uint8Array[]) {
  for (let at = 0; at < list.length; at += 7) yield list.slice(at, at + 7);
}

describe('the transparency log', () => {
  it('signs once for what is new, and goes on after a restart from what was signed', async () => {
    const world = new LogWorld();
    expect(await world.log.makeCheckpoint()).toBeUndefined();
    const note = await world.grow(9);
    expect(await world.log.makeCheckpoint()).toBe(note);
    world.log.append(leaves(9, 14));
    const reopened = world.open();
    expect(reopened.trouble).toBeUndefined();
    // What no checkpoint covers may not be on the disk: it comes from the ingest log again.
    expect(reopened.size).toBe(9);
    expect(reopened.note).toBe(note);
    await world.grow(14);
    const tree = MerkleTree.open(world.medium);
    expect(tree.root()).toEqual(parseCheckpoint(world.log.note!).checkpoint.root);
  });

  it.each([
    ['cut short', (world: LogWorld) => world.medium.truncate(600)],
    ['changed', (world: LogWorld) => (world.medium.bytes[32 + 32 * placeOf(3, 0)]! ^= 1)],
    ['emptied', (world: LogWorld) => world.medium.truncate(0)],
  ])('signs nothing on a tree that was %s, until it was rebuilt from the same records', async (_, damage) => {
    const world = new LogWorld();
    await world.grow(13);
    damage(world);
    const log = world.open();
    expect(log.trouble?.code).toBe('provenance.tree.damaged');
    expect(await log.makeCheckpoint()).toBeUndefined();
    expect(await log.rebuild(chunks(leaves(0, 30, 'x')))).toBe(false);
    expect(log.trouble?.code).toBe('provenance.tree.damaged');
    expect(await log.rebuild(chunks(leaves(0, 12)))).toBe(false);
    expect(await log.rebuild(chunks(leaves(0, 30)))).toBe(true);
    expect(log.size).toBe(13);
    expect(log.trouble).toBeUndefined();
    await world.grow(30);
  });

  it('remembers damage that was found by whoever needed a proof', async () => {
    const world = new LogWorld();
    await world.grow(13);
    world.medium.bytes[32 + 32 * placeOf(0, 2)]! ^= 1;
    expect(world.open().trouble).toBeUndefined();
    expect(() => world.log.inclusion(3)).toThrow(expect.objectContaining({ code: 'provenance.tree.damaged' }));
    world.log.append(leaves(13, 14));
    expect(await world.log.makeCheckpoint()).toBeUndefined();
    expect(world.open().trouble?.code).toBe('provenance.tree.damaged');
    expect(await world.log.rebuild(chunks(leaves(0, 30)))).toBe(true);
    expect(world.open().trouble).toBeUndefined();
    expect(world.log.inclusion(3)).toHaveLength(4);
  });

  it('cuts off what somebody put behind the checkpoint', async () => {
    const world = new LogWorld();
    await world.grow(13);
    MerkleTree.open(world.medium).append(leaves(13, 29, 'x'));
    expect(world.open().size).toBe(13);
    expect(world.log.trouble).toBeUndefined();
  });

  it('signs nothing in the name of another log, or under a note that is not its own', async () => {
    const world = new LogWorld();
    const note = await world.grow(13);
    Object.assign(world, { signer: newSigner() });
    expect(world.open().trouble?.code).toBe('provenance.log.foreign');
    expect(await world.log.makeCheckpoint()).toBeUndefined();
    writeFileSync(join(world.folder, 'checkpoint'), note.replace('13\n', '12\n'));
    expect(world.open().trouble?.code).toBe('provenance.log.foreign');
    writeFileSync(join(world.folder, 'checkpoint'), note.slice(0, 50));
    expect(world.open().trouble?.code).toBe('provenance.log.foreign');
  });

  it('stops signing when the ingest log is not what was signed', async () => {
    const world = new LogWorld();
    await world.grow(13);
    world.log.suspect({ code: 'provenance.log.shrunk', text: 'x' });
    world.log.append(leaves(13, 14));
    expect(await world.log.makeCheckpoint()).toBeUndefined();
    expect(await world.log.rebuild(chunks(leaves(0, 30)))).toBe(false);
  });

  it('keeps the cosignatures that fit', async () => {
    const world = new LogWorld();
    const [nord, sued] = [new WitnessWorld('edge-nord'), new WitnessWorld('edge-sued')];
    const note = await world.grow(13);
    const cosignatures = [];
    for (const each of [nord, sued]) {
      const answer = await each.open().answer(world.request(note));
      if (answer.kind === 'cosigned') cosignatures.push(answer.cosignature);
    }
    const cosigned = await world.log.takeCosignatures(note, cosignatures, (name) =>
      name === 'edge-nord' ? nord.signer.publicKey : newSigner().publicKey,
    );
    expect(parseCheckpoint(cosigned).cosignatures.map(({ witness }) => witness)).toEqual(['edge-nord']);
    expect(world.open().cosigned).toBe(cosigned);
    expect(readFileSync(join(world.folder, 'cosigned'), 'utf8')).toBe(cosigned);
    expect(await world.log.takeCosignatures(note, [], () => undefined)).toBe(note);
  });
});
