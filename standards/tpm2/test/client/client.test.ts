import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  identityKey,
  storageKey,
  Tpm2Error,
  TpmClient,
  type TpmClientOptions,
  type TpmKey,
  type TpmPublic,
  type TpmTransport,
} from '../../src/index.ts';
import { ManualClock, settle } from './manual-clock.ts';
import { broken, ModelTpm } from './model-tpm.ts';
import { responseOf } from './recording.ts';

const DIGEST = new Uint8Array(32);
const client = (tpm: TpmTransport, options?: TpmClientOptions) => new TpmClient({ transport: tpm }, options);
const makeKeys = async (tpm: TpmClient, count: number): Promise<TpmKey[]> => {
  const keys: TpmKey[] = [];
  for (let i = 0; i < count; i++) keys.push(await tpm.createPrimary('owner', identityKey('ecc', `key ${i}`)));
  return keys;
};
const outcome = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'done',
    (error: unknown) => (error as Tpm2Error).code,
  );

describe('keys in a TPM of three slots', () => {
  it('come and go as they are used', async () => {
    const model = new ModelTpm(3);
    const tpm = client(model);
    const keys = await makeKeys(tpm, 10);
    for (let round = 0; round < 3; round++) for (const key of keys) await tpm.sign(key, DIGEST);
    expect(model.loaded.size).toBeLessThanOrEqual(3);
    expect(tpm.counters).toMatchObject({ remade: 0, strangers: 0 });
    expect(tpm.counters.restored).toBeGreaterThan(0);
    await tpm.close();
    expect(model.loaded.size).toBe(0);
  });

  it('the one used last stays', async () => {
    const model = new ModelTpm(3);
    const tpm = client(model);
    const [a, b, c] = (await makeKeys(tpm, 3)) as [TpmKey, TpmKey, TpmKey];
    await tpm.sign(a, DIGEST);
    await makeKeys(tpm, 1);
    model.log.length = 0;
    await tpm.sign(a, DIGEST);
    await tpm.sign(c, DIGEST);
    expect(model.log).toEqual(['Sign', 'Sign']);
    await tpm.sign(b, DIGEST);
    expect(model.log).toContain('ContextLoad');
  });

  it('a context is saved once, however often its key goes', async () => {
    const model = new ModelTpm(1);
    const tpm = client(model);
    const keys = await makeKeys(tpm, 2);
    for (let round = 0; round < 5; round++) for (const key of keys) await tpm.sign(key, DIGEST);
    expect(model.log.filter((name) => name === 'ContextSave')).toHaveLength(2);
  });

  it('are made anew after a reset of the TPM, which is started first', async () => {
    const model = new ModelTpm(2);
    const tpm = client(model);
    const keys = await makeKeys(tpm, 4);
    model.reset();
    for (const key of keys) await tpm.sign(key, DIGEST);
    expect(model.running).toBe(true);
    expect(tpm.counters.remade).toBe(4);
  });

  it('are lost, and said to be, when the hierarchy was cleared', async () => {
    const model = new ModelTpm(3);
    const tpm = client(model);
    const [key] = (await makeKeys(tpm, 1)) as [TpmKey];
    model.clear();
    await expect(tpm.sign(key, DIGEST)).rejects.toMatchObject({ code: 'tpm2.key-lost', fault: 'environment' });
    expect(model.loaded.size).toBe(0);
  });

  it('are looked for where they were after the connection broke', async () => {
    const model = new ModelTpm(3);
    const tpm = client(model);
    const [a, b] = (await makeKeys(tpm, 2)) as [TpmKey, TpmKey];
    model.before = () => {
      model.before = () => {};
      throw broken();
    };
    await expect(tpm.sign(a, DIGEST)).rejects.toMatchObject({ code: 'tpm2.transport' });
    model.log.length = 0;
    await tpm.sign(a, DIGEST);
    expect(model.log).toEqual(['ReadPublic', 'Sign']);
    // Behind the connection somebody else has put another key where ours was.
    const [handleOfB] = [...model.loaded].find(([, { type }], i) => type === 'ecc' && i === 1)!;
    model.loaded.set(handleOfB, a.public);
    await tpm.sign(b, DIGEST);
    expect(tpm.counters.remade).toBe(1);
  });

  it('what an earlier process left behind makes room, but only when the TPM is ours alone', async () => {
    const left = new ModelTpm(3);
    await makeKeys(client(left), 3);
    const shared = client(left, { alone: false });
    await expect(makeKeys(shared, 1)).rejects.toMatchObject({ refusal: { name: 'TPM_RC_OBJECT_MEMORY' } });
    const tpm = client(left);
    await makeKeys(tpm, 1);
    expect(tpm.counters.strangers).toBe(3);
  });

  it('below a parent come back with it, whatever else is in the slots', async () => {
    const model = new ModelTpm(2);
    const tpm = client(model);
    const parent = await tpm.createPrimary('owner', storageKey());
    const children: TpmKey[] = [];
    for (let i = 0; i < 4; i++) {
      const area = { ...identityKey('ecc'), x: new Uint8Array(32).fill(i + 1), y: new Uint8Array(32) } as TpmPublic;
      children.push(await tpm.load(parent, { private: Buffer.of(i), public: area }));
    }
    for (let round = 0; round < 2; round++) {
      for (const child of children) await tpm.sign(child, DIGEST);
      model.reset();
    }
    for (const child of children) await tpm.sign(child, DIGEST);
    expect(tpm.counters.strangers).toBe(0);
    await tpm.close();
    expect(model.loaded.size).toBe(0);
  });

  it('a flushed key is not used any more', async () => {
    const tpm = client(new ModelTpm(3));
    const [key] = (await makeKeys(tpm, 1)) as [TpmKey];
    await tpm.flush(key);
    await expect(tpm.sign(key, DIGEST)).rejects.toMatchObject({ code: 'tpm2.key', fault: 'caller' });
  });

  it('whatever happens in between, a key signs as itself or says why not', async () => {
    const step = fc.oneof(
      { weight: 10, arbitrary: fc.record({ do: fc.constant('sign' as const), key: fc.nat(5) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('reset' as const, 'break' as const), key: fc.nat(5) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 40 }), async (slots, steps) => {
        const model = new ModelTpm(slots);
        const tpm = client(model);
        const keys = await makeKeys(tpm, 6);
        for (const each of steps) {
          if (each.do === 'reset') model.reset();
          else if (each.do === 'break') {
            model.before = () => {
              model.before = () => {};
              throw broken();
            };
            expect(await outcome(tpm.sign(keys[each.key]!, DIGEST))).toBe('tpm2.transport');
          } else {
            const { name } = await tpm.readPublic(keys[each.key]!);
            expect(Buffer.compare(name, keys[each.key]!.name)).toBe(0);
          }
          expect(model.loaded.size).toBeLessThanOrEqual(slots);
        }
        await tpm.close();
        expect(model.loaded.size).toBe(0);
      }),
      { numRuns: 50 },
    );
  });
});

/** Answers by hand. */
class Scripted implements TpmTransport {
  readonly description = 'scripted';
  readonly commands: Uint8Array[] = [];
  readonly answers: ((response: Uint8Array | Tpm2Error) => void)[] = [];
  disconnected = 0;

  transact(command: Uint8Array): Promise<Uint8Array> {
    this.commands.push(command);
    return new Promise((resolve, reject) => {
      this.answers.push((response) => (response instanceof Tpm2Error ? reject(response) : resolve(response)));
    });
  }

  disconnect(): Promise<void> {
    this.disconnected++;
    return Promise.resolve();
  }

  async answer(response: Uint8Array | Tpm2Error): Promise<void> {
    await settle();
    this.answers.shift()!(response);
    await settle();
  }
}

const RETRY = Buffer.from('80010000000a00000922', 'hex');
const TESTING = Buffer.from('80010000000a0000090a', 'hex');

describe('commands', () => {
  function set(options: TpmClientOptions = {}) {
    const transport = new Scripted();
    const clock = new ManualClock();
    return { transport, clock, tpm: client(transport, { clock, timeout: 1000, ...options }) };
  }

  it('go one after the other', async () => {
    const { transport, tpm } = set();
    const both = Promise.all([tpm.getRandom(8), tpm.readClock()]);
    await settle();
    expect(transport.commands).toHaveLength(1);
    await transport.answer(responseOf('getRandom'));
    expect(transport.commands).toHaveLength(2);
    await transport.answer(responseOf('readClock'));
    const [random, clock] = await both;
    expect(random).toHaveLength(8);
    expect(clock.clockInfo.resetCount).toBe(2);
  });

  it('are repeated with growing pauses when the TPM asks for it', async () => {
    const { transport, clock, tpm } = set();
    const random = tpm.getRandom(8);
    await transport.answer(RETRY);
    await clock.advance(4);
    expect(transport.commands).toHaveLength(1);
    await clock.advance(1);
    expect(transport.commands).toHaveLength(2);
    await transport.answer(TESTING);
    await clock.advance(9);
    expect(transport.commands).toHaveLength(2);
    await clock.advance(1);
    await transport.answer(responseOf('getRandom'));
    expect(await random).toHaveLength(8);
    expect(tpm.counters).toMatchObject({ retries: 2, refused: 0, commands: 3 });
    expect(clock.scheduled).toBe(0);
  });

  it('are refused with the reason when the TPM asks for it until time is up', async () => {
    const { transport, clock, tpm } = set({ timeout: 20 });
    const result = outcome(tpm.getRandom(8));
    await transport.answer(RETRY);
    await clock.advance(5);
    await transport.answer(RETRY);
    await clock.advance(10);
    await transport.answer(RETRY);
    expect(await result).toBe('tpm2.refused');
  });

  it('are given up when there is no answer, and the connection with them', async () => {
    const { transport, clock, tpm } = set();
    const result = outcome(tpm.getRandom(8));
    await clock.advance(999);
    expect(transport.disconnected).toBe(0);
    await clock.advance(1);
    expect(await result).toBe('tpm2.timeout');
    expect(transport.disconnected).toBe(1);
    // A late answer hurts nobody, and the next command has its own.
    await transport.answer(broken());
    const next = tpm.getRandom(8);
    await transport.answer(responseOf('getRandom'));
    expect(await next).toHaveLength(8);
    expect(tpm.counters).toMatchObject({ timeouts: 1, broken: 0 });
  });

  it('fail with the connection, and the next ones try again', async () => {
    const { transport, tpm } = set();
    const [first, second] = [outcome(tpm.getRandom(8)), outcome(tpm.getRandom(8))];
    await transport.answer(broken());
    expect(await first).toBe('tpm2.transport');
    await transport.answer(responseOf('getRandom'));
    expect(await second).toBe('done');
  });

  it('wait in a queue that has a bound', async () => {
    const { transport, tpm } = set({ queue: 2 });
    const results = [1, 2, 3].map(() => outcome(tpm.getRandom(8)));
    expect(await results[2]).toBe('tpm2.busy');
    await transport.answer(responseOf('getRandom'));
    await transport.answer(responseOf('getRandom'));
    expect(await Promise.all(results.slice(0, 2))).toEqual(['done', 'done']);
    expect(tpm.counters.waiting).toBe(0);
  });

  it('of a closed client are refused', async () => {
    const { transport, tpm } = set();
    await tpm.close();
    expect(await outcome(tpm.getRandom(8))).toBe('tpm2.closed');
    expect(transport.commands).toHaveLength(0);
  });

  it('with an answer that is none are refused, and the TPM is said to be at fault', async () => {
    const { transport, tpm } = set();
    const result = tpm.getRandom(8).catch((error: unknown) => error);
    await transport.answer(Buffer.from('hello'));
    expect(await result).toMatchObject({ code: 'tpm2.malformed', fault: 'peer' });
  });
});
