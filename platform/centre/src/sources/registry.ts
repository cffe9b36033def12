/** The sources: who is connected, how far each has come, what each says about itself, and the way a command takes to it. */
import { type Clock, type Command, EnerchainError, type SourceReport, type UtcNanos } from '@enerchain/model';
import { type Signer, signCommand } from '@enerchain/trust';
import type { SourceChain } from '../ingest/ingest.ts';
import type { SourceRole, SourceStatus, Sources } from '../ports.ts';

/** A link session as the registry sees it. */
export interface SourceSession {
  /** Hands octets of a signed command to the peer. Rejects when the session has ended. */
  command(bytes: Uint8Array): Promise<void> | void;
  close(reason: string): void;
  /** Address of the peer, for people. */
  readonly from: string;
}

interface Presence {
  role: SourceRole;
  session: SourceSession | undefined;
  since: UtcNanos;
  report: SourceReport | undefined;
}

export class SourceRegistry implements Sources {
  readonly #presence = new Map<string, Presence>();
  readonly #listeners = new Set<(status: SourceStatus) => void>();
  readonly #chainOf: (source: string) => SourceChain | undefined;
  readonly #signer: Signer;
  readonly #kid: Uint8Array;
  readonly #clock: Clock;

  constructor(options: {
    chainOf: (source: string) => SourceChain | undefined;
    signer: Signer;
    kid: Uint8Array;
    clock: Clock;
  }) {
    this.#chainOf = options.chainOf;
    this.#signer = options.signer;
    this.#kid = options.kid;
    this.#clock = options.clock;
  }

  /** A source known from the log, not connected yet. */
  known(source: string, role: SourceRole, since: UtcNanos): void {
    this.#presence.set(source, { role, session: undefined, since, report: undefined });
  }

  status(): readonly SourceStatus[] {
    return [...this.#presence.keys()].sort().map((source) => this.#statusOf(source));
  }

  roleOf(source: string): SourceRole | undefined {
    return this.#presence.get(source)?.role;
  }

  async sendCommand(target: string, command: Command): Promise<void> {
    const away = (why: string) =>
      new EnerchainError('environment', 'centre.source.away', `${target} ${why}; the command was not sent`);
    if (command.target !== target) {
      throw new EnerchainError(
        'caller',
        'centre.source.target',
        `the command is for ${command.target}, not for ${target}`,
      );
    }
    if (!this.#presence.get(target)?.session) throw away('is not connected');
    const bytes = await signCommand(this.#signer, this.#kid, command);
    const session = this.#presence.get(target)?.session;
    if (!session) throw away('has just been disconnected');
    await session.command(bytes);
  }

  onChange(listener: (status: SourceStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  connected(source: string, role: SourceRole, session: SourceSession): void {
    const report = this.#presence.get(source)?.report;
    this.#presence.set(source, { role, session, since: this.#clock.now(), report });
    this.#tell(source);
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
