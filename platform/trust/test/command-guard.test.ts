import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, type Command, newMrid } from '@enerchain/model';
import { FileKeySigner } from '@enerchain/pki';
import { beforeEach, describe, expect, it } from 'vitest';
import { CommandGuard, coseSign1, encodeCbor, fileMemory, type GuardMemory, signCommand } from '../src/index.ts';

const pem = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' });
const signer = FileKeySigner.fromPem(pem as string);
const kid = Buffer.alloc(32, 7);

let wall: bigint;
let mono: number;
let guard: CommandGuard;
const clock: Clock = { now: () => wall, monotonic: () => mono };
const millis = (n: number) => BigInt(n) * 1_000_000n;
const makeGuard = (memory?: GuardMemory) =>
  new CommandGuard({
    ...(memory ? { memory } : {}),
    source: 'edge-nord',
    clock,
    keyOf: (id) => (Buffer.from(id).equals(kid) ? signer.publicKey : undefined),
    tolerance: 1000,
  });
const command = (fields: Partial<Command> = {}): Command => ({
  id: newMrid(),
  point: newMrid(),
  action: 'operate',
  value: 1,
  validFor: 5000,
  issuedAt: String(wall),
  origin: { orCat: 'remoteControl', orIdent: 'operator' },
  target: 'edge-nord',
  ...fields,
});
const signed = (fields: Partial<Command> = {}) => signCommand(signer, kid, command(fields));
const codeOf = async (bytes: Uint8Array | Promise<Uint8Array>) => {
  const awaited = await bytes;
  try {
    guard.accept(awaited);
    return 'accepted';
  } catch (error) {
    return (error as { code: string }).code;
  }
};

beforeEach(() => {
  wall = 1_700_000_000_000_000_000n;
  mono = 50;
  guard = makeGuard();
});

describe('the guard before commands', () => {
  it('lets a fresh command pass once, and its select beside its operate', async () => {
    const id = newMrid();
    expect(await codeOf(signed({ id, action: 'select' }))).toBe('accepted');
    const operate = await signed({ id, action: 'operate' });
    expect(await codeOf(operate)).toBe('accepted');
    expect(await codeOf(operate)).toBe('trust.command.replay');
    expect(await codeOf(signed({ id, action: 'operate', value: 0 }))).toBe('trust.command.replay');
  });

  it('measures the time to carry it out from its receipt on the monotonic clock, whatever the wall clock does', async () => {
    const accepted = guard.accept(await signed());
    wall += millis(365 * 86_400_000);
    mono += 5000;
    expect(guard.isFresh(accepted)).toBe(true);
    mono += 1;
    expect(guard.isFresh(accepted)).toBe(false);
  });

  it('refuses commands to others', async () => {
    expect(await codeOf(signed({ target: 'edge-sued' }))).toBe('trust.command.target');
  });

  it('refuses commands that are too old or from the future, beyond what clocks may differ', async () => {
    const issuedAt = String(wall);
    wall += millis(6000);
    expect(await codeOf(signed({ issuedAt }))).toBe('accepted');
    wall += millis(1);
    expect(await codeOf(signed({ issuedAt }))).toBe('trust.command.age');
    expect(await codeOf(signed({ issuedAt: String(wall + millis(1000)) }))).toBe('accepted');
    expect(await codeOf(signed({ issuedAt: String(wall + millis(1002)) }))).toBe('trust.command.future');
  });

  it('refuses what was issued before it started, since it cannot know whether it has seen it', async () => {
    const bytes = await signed();
    wall += millis(10);
    guard = makeGuard();
    expect(await codeOf(bytes)).toBe('trust.command.restart');
  });

  it('tells an old command from a new one after a restart whatever its own clock says, with a memory on disk', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'guard-'));
    const restart = () => {
      guard = makeGuard(fileMemory(join(folder, 'commands')));
    };
    restart();
    const [never, first] = [await signed(), await signed()];
    wall += millis(10);
    const second = await signed();
    wall += millis(1);
    const third = await signed();
    wall -= millis(11);
    for (const bytes of [first, second]) expect(await codeOf(bytes)).toBe('accepted');
    // The own clock is ahead by 900 ms, as far as is tolerated: started, by that, after all of them were issued.
    wall += millis(900);
    restart();
    for (const bytes of [never, first, second]) expect(await codeOf(bytes)).toBe('trust.command.restart');
    expect(await codeOf(third)).toBe('accepted');
    expect(await codeOf(third)).toBe('trust.command.replay');
    restart();
    expect(await codeOf(third)).toBe('trust.command.restart');
    rmSync(folder, { recursive: true });
    wall += millis(1);
    expect(await codeOf(signed())).toBe('trust.command.memory');
    writeFileSync(folder, 'nonsense');
    expect(() => fileMemory(folder)).toThrow(/cannot be read/);
    rmSync(folder);
  });

  it('still knows a command when the wall clock is set back hours later', async () => {
    const bytes = await signed();
    expect(await codeOf(bytes)).toBe('accepted');
    mono += 6 * 3_600_000;
    expect(await codeOf(bytes)).toBe('trust.command.replay');
  });

  it('forgets after a day', async () => {
    await codeOf(signed());
    mono += 24 * 3_600_000 + 1;
    await codeOf(signed());
    expect(guard.remembered).toBe(1);
  });

  it('refuses what the centre did not sign, or signed as something else, or is no command', async () => {
    const other = FileKeySigner.fromPem(
      generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    );
    expect(await codeOf(signCommand(other, kid, command()))).toBe('cose.signature');
    expect(await codeOf(signCommand(signer, Buffer.alloc(32), command()))).toBe('cose.kid');
    expect(await codeOf(coseSign1(signer, kid, 'enerchain-batch', encodeCbor(command())))).toBe('cose.type');
    expect(await codeOf(signed({ validFor: 0 }))).toBe('model.invalid');
    expect(await codeOf(coseSign1(signer, kid, 'enerchain-command', Buffer.from('ff', 'hex')))).toBe('cbor.malformed');
    expect(await codeOf(Buffer.alloc(100_000))).toBe('trust.command.size');
  });
});
