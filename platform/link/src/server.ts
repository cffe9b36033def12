/** The link as the centre (or a relay) sees it: one peer per source. What is allowed is decided by the policy. */
import { type Clock, EnerchainError, systemClock } from '@enerchain/model';
import { type LinkCounters, newCounters } from './connection.ts';
import type { LinkPeer, LinkServerOptions } from './policy.ts';
import { Session } from './session.ts';
import { type After, type LinkTransport, systemAfter } from './transport.ts';

export class LinkServer {
  /** Sums over all connections so far. */
  readonly counters: LinkCounters = newCounters();
  readonly #options: LinkServerOptions;
  readonly #clock: Clock;
  readonly #after: After;
  readonly #peers = new Map<string, Session>();
  readonly #greeting = new Set<Session>();
  #closed = false;

  constructor(options: LinkServerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#after = options.after ?? systemAfter;
  }

  /** The connected sources. */
  peers(): LinkPeer[] {
    return [...this.#peers.values()];
  }

  peer(source: string): LinkPeer | undefined {
    return this.#peers.get(source);
  }

  /** Takes a connection; `serveWebSocket` calls this. */
  accept(transport: LinkTransport): void {
    if (this.#closed) {
      transport.abort();
      return;
    }
    const session = new Session(this.#options, this.#clock, this.#after, this.counters, transport, {
      enter: (entering) => this.#enter(entering),
      leave: (leaving) => this.#over(leaving),
    });
    this.#greeting.add(session);
    session.open();
  }

  /**
   * There is another certificate of who signs commands: peers are told, before the first command that names it.
   * @param source this one alone
   */
  renewed(source?: string): void {
    for (const [name, session] of this.#peers) if (source === undefined || name === source) session.centreRenewed();
  }

  /** Says goodbye to all. */
  async close(): Promise<void> {
    this.#closed = true;
    const sessions = [...this.#peers.values(), ...this.#greeting];
    for (const session of sessions) session.close('link.closing', 'the centre is shutting down');
    await Promise.all(sessions.map((session) => session.settled));
  }

  /** A session knows its name: it takes its place, or throws. */
  async #enter(session: Session): Promise<void> {
    const { policy } = this.#options;
    for (let existing = this.#peers.get(session.source); existing; existing = this.#peers.get(session.source)) {
      const decision = policy.onDuplicate?.(existing, session.remote) ?? 'replace';
      const text = `${session.source} connected from ${session.remote} while it was connected from ${existing.remote}; `;
      const outcome = decision === 'replace' ? 'the older connection was closed' : 'the newer one was refused';
      policy.onEvent?.({
        code: 'link.identity.duplicate',
        source: session.source,
        remote: session.remote,
        text: text + outcome,
      });
      if (decision === 'refuse') {
        throw new EnerchainError('peer', 'link.in-use', `${session.source} is connected already`);
      }
      existing.close('link.replaced', `${session.source} connected anew from ${session.remote}`);
      // What the older connection brought must be settled before it is said where the chain stands.
      await existing.settled;
      this.#leave(existing);
    }
    // It may have left while the older one was waited for.
    if (session.ended) return;
    this.#greeting.delete(session);
    this.#peers.set(session.source, session);
  }

  /** A session is over. */
  #over(session: Session): void {
    this.#greeting.delete(session);
    this.#leave(session);
  }

  #leave(session: Session): void {
    if (this.#peers.get(session.source) === session) this.#peers.delete(session.source);
  }
}
