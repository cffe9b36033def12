/**
 * How an edge knows that a command is fresh without looking at a wall clock. The edge draws a random challenge, remembers
 * on its monotonic clock when, and tells the centre. A command names the challenge it answers and how long after its
 * receipt it was signed, on the monotonic clock of the centre. The challenge cannot have been received before it was drawn,
 * so the edge never takes a command for younger than it is; the way up and down is all by which it may seem older. No two
 * clocks need agree but in their rate, and those only for as long as a challenge lives.
 */
import { randomBytes } from 'node:crypto';
import { type Clock, type Command, type CommandOrder, EnerchainError } from '@enerchain/model';

/** Request with which an edge tells the centre its newest challenge: `{ challenge: bstr }`. */
export const SESSION_METHOD = 'command.session';
export const CHALLENGE_BYTES = 16;
/** Milliseconds after which an edge draws another challenge. */
export const RENEW_EVERY = 30_000;
/** Milliseconds after which a challenge is answered no more, should renewing it fail. */
export const CHALLENGE_LIFE = 3 * RENEW_EVERY;
/** Milliseconds for which an edge knows a challenge of its session: an approval that names it is as old as it at most. */
export const APPROVAL_LIFE = 300_000;
const ON_THE_WAY = 15_000;
const MOST_CHALLENGES = 1_000;
/** How far a wall clock may run ahead of the monotonic one before the machine is taken to have slept, milliseconds. */
const SLEPT = 2_000;

export interface Challenge {
  readonly hex: string;
  /** Grows with each challenge. */
  readonly number: number;
  /** Monotonic milliseconds at which it was drawn. */
  readonly at: number;
  readonly wall: bigint;
}

/** The challenges of an edge in one session of its link; drawn by it, known to nobody before. */
export class Challenges {
  readonly #clock: Clock;
  readonly #random: (size: number) => Uint8Array;
  readonly #keep: number;
  /** Newest last. */
  #drawn: Challenge[] = [];
  #number = 0;

  /** @param options.keep milliseconds for which a challenge is known (`known`), beyond being answered (`current`) */
  constructor(options: { clock: Clock; keep: number; random?: (size: number) => Uint8Array }) {
    this.#clock = options.clock;
    this.#keep = options.keep;
    this.#random = options.random ?? randomBytes;
  }

  draw(): Uint8Array {
    const at = this.#clock.monotonic();
    const octets = this.#random(CHALLENGE_BYTES);
    const challenge = {
      hex: Buffer.from(octets).toString('hex'),
      number: ++this.#number,
      at,
      wall: this.#clock.now(),
    };
    this.#drawn = [...this.#drawn.filter((each) => at - each.at <= this.#keep), challenge];
    return octets;
  }

  /** The session is over: nothing that was said in it is believed any more. */
  forget(): void {
    this.#drawn = [];
  }

  /** The newest challenge or the one before, if `hex` is one of them and young enough. */
  current(hex: string): Challenge | undefined {
    const found = this.#drawn.slice(-2).find((each) => each.hex === hex);
    return found && this.#clock.monotonic() - found.at <= CHALLENGE_LIFE ? found : undefined;
  }

  /** Any challenge of this session that is kept. */
  known(hex: string): Challenge | undefined {
    const now = this.#clock.monotonic();
    return this.#drawn.find((each) => each.hex === hex && now - each.at <= this.#keep);
  }

  /**
   * The monotonic clock of a machine that sleeps, or of a guest that is halted, may stand still. The wall clock is set
   * right afterwards: it is ahead then. (So it is when somebody sets it; the edge draws another challenge and goes on.)
   */
  slept(since: Challenge): boolean {
    const { at, wall } = since;
    const passed = Number((this.#clock.now() - wall) / 1_000_000n);
    return passed - (this.#clock.monotonic() - at) > SLEPT;
  }
}

/** The centre's end of one session: what it needs to make a command out of an order. */
export class CommandSession {
  readonly #clock: Clock;
  #challenge: { readonly hex: string; readonly receivedAt: number } | undefined;
  #counter = 0;
  /** When each challenge of this session was received, oldest first. */
  readonly #received = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws EnerchainError `trust.command.challenge` (fault peer) when it is none */
  challenged(params: unknown): void {
    const challenge = (params as { challenge?: unknown } | null)?.challenge;
    if (!(challenge instanceof Uint8Array) || challenge.length !== CHALLENGE_BYTES) {
      throw new EnerchainError('peer', 'trust.command.challenge', `a challenge is ${CHALLENGE_BYTES} octets`);
    }
    const [hex, receivedAt] = [Buffer.from(challenge).toString('hex'), this.#clock.monotonic()];
    this.#challenge = { hex, receivedAt };
    this.#counter = 0;
    for (const [old, at] of this.#received) if (receivedAt - at > APPROVAL_LIFE) this.#received.delete(old);
    if (this.#received.size < MOST_CHALLENGES) this.#received.set(hex, receivedAt);
  }

  /** Whether the edge would still take an approval that names this challenge, with some time to get there. */
  knows(challenge: string): boolean {
    const receivedAt = this.#received.get(challenge);
    return receivedAt !== undefined && this.#clock.monotonic() - receivedAt <= APPROVAL_LIFE - ON_THE_WAY;
  }

  /** The challenge that commands answer now; undefined when there is none, or none that the edge would still know. */
  get challenge(): string | undefined {
    const { hex, receivedAt } = this.#challenge ?? {};
    if (receivedAt === undefined || this.#clock.monotonic() - receivedAt > CHALLENGE_LIFE) return undefined;
    return hex;
  }

  /** To be signed at once. @throws EnerchainError `trust.command.no-challenge` (fault environment) */
  answer(order: CommandOrder): Command {
    const session = this.challenge;
    if (session === undefined || !this.#challenge) {
      const text = `${order.target} has named no challenge that a command could answer`;
      throw new EnerchainError('environment', 'trust.command.no-challenge', text);
    }
    // Rounded down: a command must not seem younger than it is.
    const elapsed = Math.floor(this.#clock.monotonic() - this.#challenge.receivedAt);
    return { ...order, session, elapsed, counter: ++this.#counter };
  }
}
