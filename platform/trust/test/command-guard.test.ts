import { generateKeyPairSync } from 'node:crypto';
import { type Clock, type Command, type CommandOrder, newMrid } from '@enerchain/model';
import { FileKeySigner } from '@enerchain/pki';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  CHALLENGE_LIFE,
  CommandGuard,
  CommandSession,
  coseSign1,
  encodeCbor,
  RENEW_EVERY,
  signCommand,
} from '../src/index.ts';

const newKey = () =>
  FileKeySigner.fromPem(
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  );
const signer = newKey();
const kid = Buffer.alloc(32, 7);

/** Edge and centre have clocks of their own: neither the wall clocks nor the monotonic ones agree. */
const edge = { wall: 0n, mono: 0 };
const centre = { wall: 0n, mono: 0 };
const clockOf = (machine: typeof edge): Clock => ({ now: () => machine.wall, monotonic: () => machine.mono });
const pass = (millis: number) => {
  for (const machine of [edge, centre]) {
    machine.mono += millis;
    machine.wall += BigInt(Math.round(millis * 1e6));
  }
};

let guard: CommandGuard;
let session: CommandSession;
const newGuard = () =>
  new CommandGuard({
    source: 'edge-nord',
    clock: clockOf(edge),
    keyOf: (id) => (Buffer.from(id).equals(kid) ? signer.publicKey : undefined),
  });
/** The link is there: a challenge goes up, taking so many milliseconds. */
const tell = (way = 0) => {
  const challenge = guard.challenge();
  pass(way);
  session.challenged({ challenge });
};
const connect = () => {
  guard.newSession();
  session = new CommandSession(clockOf(centre));
  tell();
};
const order = (fields: Partial<CommandOrder> = {}): CommandOrder => ({
  id: newMrid(),
  point: newMrid(),
  action: 'operate',
  value: 1,
  validFor: 5000,
  issuedAt: String(centre.wall),
  origin: { orCat: 'remoteControl', orIdent: 'operator' },
  target: 'edge-nord',
  ...fields,
});
const sign = (command: Command) => signCommand(signer, kid, command);
const signed = (fields: Partial<CommandOrder> = {}) => sign(session.answer(order(fields)));
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
  Object.assign(edge, { wall: 1_700_000_000_000_000_000n, mono: 50 });
  Object.assign(centre, { wall: 4_000_000_000_000_000_000n, mono: 987_654_321 });
  guard = newGuard();
  connect();
});

describe('the guard before commands', () => {
  it('lets a fresh command pass once, and its select beside its operate', async () => {
    const id = newMrid();
    expect(await codeOf(signed({ id, action: 'select' }))).toBe('accepted');
    expect(await codeOf(signed({ id, action: 'operate' }))).toBe('accepted');
    expect(await codeOf(signed({ id, action: 'operate', value: 0 }))).toBe('trust.command.replay');
  });

  it('refuses what was captured in this session, in every order', async () => {
    const [first, second] = [await signed(), await signed()];
    expect(await codeOf(second)).toBe('accepted');
    for (const bytes of [second, first]) expect(await codeOf(bytes)).toBe('trust.command.replay');
    tell();
    const third = await signed();
    expect(await codeOf(third)).toBe('accepted');
    for (const bytes of [first, second, third]) expect(await codeOf(bytes)).toBe('trust.command.replay');
  });

  it('refuses what was captured in another session, held back or not', async () => {
    const [taken, heldBack] = [await signed(), await signed()];
    expect(await codeOf(taken)).toBe('accepted');
    connect();
    for (const bytes of [taken, heldBack]) expect(await codeOf(bytes)).toBe('trust.command.session');
    expect(await codeOf(signed())).toBe('accepted');
  });

  it('refuses what was captured before a restart, though nothing is kept on disk, whatever the clocks say', async () => {
    const [taken, heldBack] = [await signed(), await signed()];
    expect(await codeOf(taken)).toBe('accepted');
    guard = newGuard();
    edge.mono = 50;
    edge.wall -= 3_600_000_000_000n;
    for (const bytes of [taken, heldBack]) expect(await codeOf(bytes)).toBe('trust.command.session');
    connect();
    for (const bytes of [taken, heldBack]) expect(await codeOf(bytes)).toBe('trust.command.session');
    expect(await codeOf(signed())).toBe('accepted');
  });

  it('refuses what is delayed beyond its life, by no clock but its own monotonic one', async () => {
    pass(20_000);
    const [inTime, late] = [await signed(), await signed()];
    pass(5000);
    expect(await codeOf(inTime)).toBe('accepted');
    pass(1);
    expect(await codeOf(late)).toBe('trust.command.age');
  });

  it('takes a command for older than it is when the challenge was long on its way, never for younger', async () => {
    tell(3000);
    const [inTime, late] = [await signed(), await signed()];
    pass(2000);
    expect(await codeOf(inTime)).toBe('accepted');
    pass(1);
    expect(await codeOf(late)).toBe('trust.command.age');
  });

  it('measures the time to carry it out from its signing', async () => {
    const bytes = await signed();
    pass(2000);
    const accepted = guard.accept(bytes);
    pass(3000);
    expect(guard.isFresh(accepted)).toBe(true);
    pass(1);
    expect(guard.isFresh(accepted)).toBe(false);
  });

  it('takes what answers the newest challenge or the one before', async () => {
    const before = await signed({ validFor: 120_000 });
    const older = await signed({ validFor: 120_000 });
    pass(RENEW_EVERY);
    const unheard = guard.challenge();
    expect(await codeOf(before)).toBe('accepted');
    pass(RENEW_EVERY);
    session.challenged({ challenge: unheard });
    tell();
    expect(await codeOf(older)).toBe('trust.command.session');
    expect(await codeOf(signed())).toBe('accepted');
  });

  it('knows no challenge that is not renewed for long, at neither end', async () => {
    const bytes = await sign({ ...session.answer(order({ validFor: 120_000 })), elapsed: CHALLENGE_LIFE });
    pass(CHALLENGE_LIFE);
    expect(session.challenge).toBeDefined();
    pass(1);
    expect(session.challenge).toBeUndefined();
    expect(() => session.answer(order())).toThrow(/has named no challenge/);
    expect(await codeOf(bytes)).toBe('trust.command.session');
  });

  it('refuses what says it was signed later than now', async () => {
    const command = session.answer(order());
    expect(await codeOf(sign({ ...command, elapsed: 1000 }))).toBe('accepted');
    expect(await codeOf(sign({ ...session.answer(order()), elapsed: 1001 }))).toBe('trust.command.future');
  });

  it('refuses what it finds after the machine has slept, and asks for another challenge', async () => {
    let stale = 0;
    guard.onStale = () => {
      stale++;
    };
    const bytes = await signed();
    // Halted for an hour: its monotonic clock stood still, its wall clock was set right since.
    edge.wall += 3_600_000_000_000n;
    expect(await codeOf(bytes)).toBe('trust.command.slept');
    expect(stale).toBe(1);
    expect(await codeOf(bytes)).toBe('trust.command.session');
    tell();
    expect(await codeOf(signed())).toBe('accepted');
  });

  it('goes on when the wall clock is set back, and when that of the centre is set to any time', async () => {
    edge.wall -= 31_536_000_000_000_000n;
    centre.wall = 5n;
    expect(await codeOf(signed())).toBe('accepted');
  });

  it('refuses commands to others', async () => {
    expect(await codeOf(signed({ target: 'edge-sued' }))).toBe('trust.command.target');
  });

  it('refuses commands in the form from before there were challenges', async () => {
    const bytes = coseSign1(signer, kid, 'enerchain-command', encodeCbor(order()));
    expect(await codeOf(bytes)).toBe('model.invalid');
  });

  it('refuses an order that it had a day before at most, whatever place a mistaken centre gives it', async () => {
    const id = newMrid();
    expect(await codeOf(signed({ id }))).toBe('accepted');
    pass(6 * 3_600_000);
    connect();
    expect(await codeOf(signed({ id }))).toBe('trust.command.replay');
    pass(18 * 3_600_000 + 1);
    connect();
    await codeOf(signed());
    expect(guard.remembered).toBe(1);
  });

  it('refuses what the centre did not sign, or signed as something else, or is no command', async () => {
    const command = session.answer(order());
    expect(await codeOf(signCommand(newKey(), kid, command))).toBe('cose.signature');
    expect(await codeOf(signCommand(signer, Buffer.alloc(32), command))).toBe('cose.kid');
    expect(await codeOf(coseSign1(signer, kid, 'enerchain-batch', encodeCbor(command)))).toBe('cose.type');
    expect(await codeOf(signed({ validFor: 0 }))).toBe('model.invalid');
    expect(await codeOf(coseSign1(signer, kid, 'enerchain-command', Buffer.from('ff', 'hex')))).toBe('cbor.malformed');
    expect(await codeOf(Buffer.alloc(100_000))).toBe('trust.command.size');
  });
});

describe('whatever an adversary on the way does', () => {
  type Step =
    | { readonly kind: 'pass'; readonly millis: number }
    /** A challenge is drawn; it arrives now, or later. */
    | { readonly kind: 'draw'; readonly held: boolean }
    | { readonly kind: 'arrive' }
    | { readonly kind: 'sign' }
    | { readonly kind: 'deliver'; readonly which: number }
    | { readonly kind: 'reconnect' }
    | { readonly kind: 'restart' };
  const steps = fc.array(
    fc.oneof(
      fc.record({
        kind: fc.constant('pass' as const),
        millis: fc.oneof(fc.integer({ min: 1, max: 3_000 }), fc.integer({ min: 1, max: 20_000 })),
      }),
      fc.record({ kind: fc.constant('draw' as const), held: fc.boolean() }),
      fc.record({ kind: fc.constant('deliver' as const), which: fc.oneof(fc.nat(2), fc.nat(30)) }),
      fc.constantFrom<Step>(
        { kind: 'arrive' },
        { kind: 'sign' },
        { kind: 'sign' },
        { kind: 'reconnect' },
        { kind: 'restart' },
      ),
    ),
    { maxLength: 60 },
  );

  it('no command is taken twice, out of order, in another session, or later than its life after its signing', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (run) => {
        guard = newGuard();
        connect();
        let era = 0;
        let held: Uint8Array | undefined;
        let last = -1;
        const made: { bytes: Uint8Array; at: number; era: number }[] = [];
        const taken = new Set<number>();
        for (const step of run) {
          if (step.kind === 'pass') pass(step.millis);
          else if (step.kind === 'draw') {
            const challenge = guard.challenge();
            if (step.held) held = challenge;
            else session.challenged({ challenge });
          } else if (step.kind === 'arrive') {
            if (held) session.challenged({ challenge: held });
          } else if (step.kind === 'sign') {
            if (session.challenge) made.push({ bytes: await signed(), at: centre.mono, era });
          } else if (step.kind === 'deliver') {
            const one = made.at(-1 - (step.which % Math.max(1, made.length)));
            if (!one || (await codeOf(one.bytes)) !== 'accepted') continue;
            const index = made.indexOf(one);
            expect(taken.has(index)).toBe(false);
            expect(one.era).toBe(era);
            expect(centre.mono - one.at).toBeLessThanOrEqual(5000);
            expect(index).toBeGreaterThan(last);
            taken.add(index);
            last = index;
          } else {
            era++;
            held = undefined;
            if (step.kind === 'restart') guard = newGuard();
            connect();
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('what is signed and brought in time is taken', async () => {
    const life = fc.array(fc.tuple(fc.nat(1500), fc.nat(20_000), fc.nat(1500), fc.nat(1500)), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(life, async (rounds) => {
        guard = newGuard();
        connect();
        for (const [up, wait, down, gap] of rounds) {
          tell(up);
          pass(wait);
          const bytes = await signed();
          pass(down);
          expect(await codeOf(bytes)).toBe('accepted');
          pass(gap);
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe('the session of commands at the centre', () => {
  it('takes sixteen octets for a challenge and nothing else', () => {
    for (const params of [null, {}, { challenge: 'x' }, { challenge: new Uint8Array(15) }]) {
      expect(() => session.challenged(params)).toThrow('a challenge is 16 octets');
    }
  });

  it('counts from one for each challenge, and says when it was signed', () => {
    pass(1234.9);
    expect(session.answer(order())).toMatchObject({ counter: 1, elapsed: 1234 });
    expect(session.answer(order())).toMatchObject({ counter: 2 });
    tell();
    expect(session.answer(order())).toMatchObject({ counter: 1, elapsed: 0 });
  });
});
