/** The sources: who is connected, how far each has come, what each says about itself, and the way a command takes to it. */
import {
  type Clock,
  type CommandOrder,
  type CommandRecord,
  describeError,
  EnerchainError,
  type SourceReport,
  type UtcNanos,
} from '@enerchain/model';
import { type CborValue, CommandSession, type Identity, signCommand } from '@enerchain/trust';
import type { SourceChain } from '../ingest/source-chain.ts';
import type { SourceRole, SourceStatus, Sources } from '../ports.ts';

/** A link session as the registry sees it. */
export interface SourceSession {
  /** Hands octets of a signed command to the peer. Rejects when the session has ended. */
  command(bytes: Uint8Array): Promise<void> | void;
  close(reason: string): void;
  /** Asks the peer; absent where nobody can be asked. */
  request?(method: string, params: CborValue): Promise<CborValue>;
  /** Address of the peer, for people. */
  readonly from: string;
}

interface Presence {
  role: SourceRole;
  session: SourceSession | undefined;
  /** What commands answer; of this session alone. */
  readonly commands: CommandSession;
  /** Commands are sent in the order of their counters. */
  sending: Promise<unknown>;
  since: UtcNanos;
  report: SourceReport | undefined;
}

export class SourceRegistry implements Sources {
  readonly #presence = new Map<string, Presence>();
  readonly #listeners = new Set<(status: SourceStatus) => void>();
  readonly #chainOf: (source: string) => SourceChain | undefined;
  readonly #signing: () => Pick<Identity, 'signer' | 'kid'>;
  readonly #clock: Clock;
  readonly #keep: ((record: CommandRecord) => Promise<unknown>) | undefined;

  /**
   * @param options.signing the key of the centre as it is certified now
   * @param options.keep puts a signed command into the log; it is sent when that is durable
   */
  constructor(options: {
    chainOf: (source: string) => SourceChain | undefined;
    signing: () => Pick<Identity, 'signer' | 'kid'>;
    clock: Clock;
    keep?: (record: CommandRecord) => Promise<unknown>;
  }) {
    this.#chainOf = options.chainOf;
    this.#signing = options.signing;
    this.#clock = options.clock;
    this.#keep = options.keep;
  }

  /** A source known from the log, not connected yet. */
  known(source: string, role: SourceRole, since: UtcNanos): void {
    this.#presence.set(source, this.#present(role, undefined, since, undefined));
  }

  status(): readonly SourceStatus[] {
    return [...this.#presence.keys()].sort().map((source) => this.#statusOf(source));
  }

  roleOf(source: string): SourceRole | undefined {
    return this.#presence.get(source)?.role;
  }

  async sendCommand(target: string, order: CommandOrder): Promise<void> {
    if (order.target !== target) {
      throw new EnerchainError(
        'caller',
        'centre.source.target',
        `the command is for ${order.target}, not for ${target}`,
      );
    }
    const presence = this.#presence.get(target);
    if (!presence?.session) throw unsent('away', `${target} is not connected`);
    const sent = presence.sending.then(() => this.#send(presence, order));
    presence.sending = sent.catch(() => undefined);
    await sent;
  }

  async #send(presence: Presence, order: CommandOrder): Promise<void> {
    const { target } = order;
    let bytes: Uint8Array;
    try {
      const { signer, kid } = this.#signing();
      bytes = await signCommand(signer, kid, presence.commands.answer(order));
      // What was ordered stands in the log before anybody can carry it out.
      await this.#keep?.({ command: bytes });
    } catch (cause) {
      throw unsent('unsigned', describeError(cause), cause);
    }
    const { session } = presence;
    if (!session) throw unsent('away', `${target} has just been disconnected`);
    await session.command(bytes);
  }

  commandChallenge(source: string): string | undefined {
    const presence = this.#presence.get(source);
    return presence?.session && presence.commands.challenge;
  }

  knowsChallenge(source: string, challenge: string): boolean {
    const presence = this.#presence.get(source);
    return presence?.session !== undefined && presence.commands.knows(challenge);
  }

  onChange(listener: (status: SourceStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  connected(source: string, role: SourceRole, session: SourceSession): void {
    const report = this.#presence.get(source)?.report;
    this.#presence.set(source, this.#present(role, session, this.#clock.now(), report));
    this.#tell(source);
  }

  /** The source has drawn another challenge. @returns false when the session is not the present one @throws EnerchainError */
  challenged(source: string, session: SourceSession, params: unknown): boolean {
    const presence = this.#presence.get(source);
    if (presence?.session !== session) return false;
    presence.commands.challenged(params);
    return true;
  }

  /** The session ended; ignored when another one has taken its place. */
  left(source: string, session: SourceSession): void {
    const presence = this.#presence.get(source);
    if (presence?.session !== session) return;
    presence.session = undefined;
    presence.since = this.#clock.now();
    this.#tell(source);
  }

  reported(source: string, report: SourceReport): void {
    const presence = this.#presence.get(source);
    if (!presence) return;
    presence.report = report;
    this.#tell(source);
  }

  #present(
    role: SourceRole,
    session: SourceSession | undefined,
    since: UtcNanos,
    report: SourceReport | undefined,
  ): Presence {
    return { role, session, since, report, commands: new CommandSession(this.#clock), sending: Promise.resolve() };
  }

  #tell(source: string): void {
    const status = this.#statusOf(source);
    for (const listener of this.#listeners) listener(status);
  }

  #statusOf(source: string): SourceStatus {
    const { role, session, since, report } = this.#presence.get(source)!;
    const chain = this.#chainOf(source);
    const last = chain?.durable.cursors().at(-1);
    const counters = chain?.counters;
    return {
      source,
      role,
      connected: session !== undefined,
      since,
      epoch: last?.epoch ?? chain?.durable.completed ?? -1,
      sequence: last?.sequence ?? -1,
      batches: counters?.batches ?? 0,
      observations: counters?.observations ?? 0,
      rejected: counters?.rejected ?? 0,
      gaps: counters?.gaps ?? 0,
      chainBreaks: counters?.chainBreaks ?? 0,
      ...(report && { report }),
    };
  }
}

/** The command has certainly not left the centre. */
const unsent = (code: 'away' | 'unsigned', why: string, cause?: unknown) =>
  new EnerchainError('environment', `centre.source.${code}`, `${why}; the command was not sent`, { cause });
