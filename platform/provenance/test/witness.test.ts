import { describe, expect, it } from 'vitest';
import { isCosignedBy, LogMonitor, type LogSource, parseCheckpoint, spkiPem } from '../src/index.ts';
import { LogWorld, newSigner, ORIGIN, WitnessWorld } from '../src/testing/world.ts';

const sourceOf = (world: LogWorld): LogSource => ({
  checkpoint: async () => world.log.note!,
  consistency: async (from, to) => world.log.consistency(from, to),
});

describe('a witness', () => {
  it('cosigns what grew out of what it saw, also after a restart', async () => {
    const world = new LogWorld();
    const other = new WitnessWorld('edge-nord');
    let from = 0;
    for (const size of [1, 1, 5, 8, 100]) {
      const note = await world.grow(size);
      const answer = await other.open().answer(world.request(note, from));
      if (answer.kind !== 'cosigned') throw new Error(answer.kind);
      expect(isCosignedBy(answer.cosignature, parseCheckpoint(note).text, other.signer.publicKey)).toBe(true);
      expect(other.open().size).toBe(size);
      from = size;
    }
    expect(other.events).toEqual([]);
  });

  it('says where it stands when the proof begins elsewhere', async () => {
    const world = new LogWorld();
    const witness = new WitnessWorld('edge-nord').open();
    await witness.answer(world.request(await world.grow(7)));
    const note = await world.grow(9);
    expect(await witness.answer(world.request(note, 3))).toEqual({ kind: 'from', size: 7 });
    expect(await witness.answer(world.request(note, 7))).toMatchObject({ kind: 'cosigned' });
  });

  it('refuses a log that was rewritten, and keeps both notes', async () => {
    const [world, rewritten] = [new LogWorld(), new LogWorld()];
    const other = new WitnessWorld('edge-nord');
    const witness = other.open();
    const before = await world.grow(7);
    await witness.answer(world.request(before));
    Object.assign(rewritten, { signer: world.signer });
    rewritten.open();
    const note = await rewritten.grow(12, 'x');
    expect(await witness.answer(rewritten.request(note, 7))).toMatchObject({
      kind: 'refused',
      code: 'provenance.inconsistent',
    });
    expect(other.events).toMatchObject([{ code: 'provenance.inconsistent', notes: [before, note] }]);
    expect(witness.size).toBe(7);
    // A proof that is not one helps as little.
    const honest = await world.grow(12);
    const { proof } = rewritten.request(note, 7);
    expect(await witness.answer({ ...world.request(honest, 7), proof })).toMatchObject({ kind: 'refused' });
    expect(await witness.answer(world.request(honest, 7))).toMatchObject({ kind: 'cosigned' });
  });

  it('refuses a log that was cut short, and two versions of the same size', async () => {
    const [world, copy] = [new LogWorld(), new LogWorld()];
    Object.assign(copy, { signer: world.signer });
    copy.open();
    const other = new WitnessWorld('edge-nord');
    const witness = other.open();
    await witness.answer(world.request(await world.grow(7)));
    expect(await witness.answer(copy.request(await copy.grow(5)))).toMatchObject({ code: 'provenance.shrunk' });
    expect(await witness.answer(copy.request(await copy.grow(7, 'x'), 0))).toMatchObject({ code: 'provenance.fork' });
    expect(other.events.map(({ code }) => code)).toEqual(['provenance.shrunk', 'provenance.fork']);
  });

  it('finds out when a log shows two witnesses two versions and they meet', async () => {
    // Each version is good for the witness that saw it; the monitor that gets both notes sees the fork.
    const [world, fork] = [new LogWorld(), new LogWorld()];
    Object.assign(fork, { signer: world.signer });
    fork.open();
    const [nord, sued] = [new WitnessWorld('edge-nord'), new WitnessWorld('edge-sued')];
    expect(await nord.open().answer(world.request(await world.grow(9)))).toMatchObject({ kind: 'cosigned' });
    expect(await sued.open().answer(fork.request(await fork.grow(9, 'x')))).toMatchObject({ kind: 'cosigned' });
    const monitor = new LogMonitor({
      origin: ORIGIN,
      key: world.signer.publicKey,
      witnesses: new Map(),
      seen: nord.memory!.note,
    });
    const shown = { checkpoint: async () => sued.memory!.note, consistency: async () => [] };
    expect(await monitor.look(shown)).toMatchObject({ kind: 'bad', code: 'provenance.fork' });
    // Whichever version goes on, the other witness will not sign it.
    const next = await world.grow(12);
    expect(await sued.open().answer(world.request(next, 9))).toMatchObject({ code: 'provenance.inconsistent' });
    expect(await nord.open().answer(world.request(next, 9))).toMatchObject({ kind: 'cosigned' });
  });

  it('knows one log with one key, until it is enrolled with another authority', async () => {
    const [world, stranger] = [new LogWorld(), new LogWorld()];
    const other = new WitnessWorld('edge-nord');
    await other.open().answer(world.request(await world.grow(7)));
    const note = await stranger.grow(9);
    expect(await other.open().answer(stranger.request(note, 7))).toMatchObject({ code: 'provenance.foreign-log' });
    const key = spkiPem(world.signer.publicKey);
    expect(await other.open().answer({ ...stranger.request(note, 7), key })).toMatchObject({
      code: 'provenance.log-signature',
    });
    expect(other.open('bb').size).toBe(0);
    expect(await other.open('bb').answer(stranger.request(note))).toMatchObject({ kind: 'cosigned' });
  });

  it('signs nothing when it cannot remember', async () => {
    const world = new LogWorld();
    const other = new WitnessWorld('edge-nord');
    other.memory = { authority: 'aa', origin: ORIGIN, key: '', note: 'nonsense' };
    expect(() => other.open()).toThrow(expect.objectContaining({ code: 'provenance.witness.memory' }));
    other.memory = undefined;
    const witness = other.open();
    Object.defineProperty(other, 'memory', {
      get: () => undefined,
      set: () => {
        throw new Error('disk full');
      },
    });
    await expect(witness.answer(world.request(await world.grow(3)))).rejects.toThrow('disk full');
    expect(witness.size).toBe(0);
  });

  it('answers one after the other, so that two versions at once are not both signed', async () => {
    const [world, fork] = [new LogWorld(), new LogWorld()];
    Object.assign(fork, { signer: world.signer });
    fork.open();
    const witness = new WitnessWorld('edge-nord').open();
    const answers = await Promise.all([
      witness.answer(world.request(await world.grow(9))),
      witness.answer(fork.request(await fork.grow(9, 'x'))),
    ]);
    expect(answers.map(({ kind }) => kind).sort()).toEqual(['cosigned', 'refused']);
  });
});

describe('a monitor', () => {
  it('follows a log that grows, and notices each way in which it may not', async () => {
    const world = new LogWorld();
    const other = new WitnessWorld('edge-nord');
    const options = {
      origin: ORIGIN,
      key: world.signer.publicKey,
      witnesses: new Map([['edge-nord', other.signer.publicKey]]),
    };
    const monitor = new LogMonitor(options);
    await world.grow(4);
    expect(await monitor.look(sourceOf(world))).toMatchObject({ kind: 'grown', size: 4 });
    expect(await monitor.look(sourceOf(world))).toMatchObject({ kind: 'unchanged', size: 4 });
    const answer = await other.open().answer(world.request(await world.grow(9)));
    if (answer.kind !== 'cosigned') throw new Error(answer.kind);
    const keys = (name: string) => options.witnesses.get(name);
    const note = await world.log.takeCosignatures(world.log.note!, [answer.cosignature], keys);
    const source = { ...sourceOf(world), checkpoint: async () => note };
    expect(await monitor.look(source)).toMatchObject({ kind: 'grown', size: 9, witnesses: ['edge-nord'] });

    const fork = new LogWorld();
    Object.assign(fork, { signer: world.signer });
    fork.open();
    await fork.grow(6);
    expect(await monitor.look(sourceOf(fork))).toMatchObject({ code: 'provenance.shrunk' });
    await fork.grow(9, 'x');
    expect(await monitor.look(sourceOf(fork))).toMatchObject({ code: 'provenance.fork' });
    await fork.grow(11, 'x');
    expect(await monitor.look(sourceOf(fork))).toMatchObject({ code: 'provenance.inconsistent' });
    expect(await monitor.look(sourceOf(fork))).toMatchObject({ code: 'provenance.inconsistent' });
    const stranger = new LogWorld();
    await stranger.grow(20);
    expect(await monitor.look(sourceOf(stranger))).toMatchObject({ code: 'provenance.log-signature' });
    const forged = new LogMonitor({ ...options, witnesses: new Map([['edge-nord', newSigner().publicKey]]) });
    expect(await forged.look(source)).toMatchObject({ code: 'provenance.cosignature' });
    expect(await monitor.look({ ...source, checkpoint: async () => 'x' })).toMatchObject({ kind: 'bad' });
    const away = () => Promise.reject(new Error('away'));
    expect(await monitor.look({ ...source, checkpoint: away })).toMatchObject({ kind: 'unreachable' });
    await world.grow(12);
    expect(await new LogMonitor({ ...options, seen: monitor.note }).look(sourceOf(world))).toMatchObject({
      kind: 'grown',
      size: 12,
    });
  });
});
