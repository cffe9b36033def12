import type { Clock, Transport } from '@enerchain/transport';
import type { Asdu } from '../codec/asdu.ts';
import { Iec104Error, peerError } from '../errors.ts';
import { Connection, type Receipt } from '../session/connection.ts';
import type { ConnectionCounters } from '../session/counters.ts';
import type { Parameters } from '../spec/parameters.ts';
import type { EventQueue } from './event-queue.ts';
import type { RequestContext } from './handlers.ts';
import type { RedundancyGroup } from './redundancy.ts';
import type { ReplyJob } from './reply-job.ts';
import { Ring } from './ring.ts';
import type { Station, StationPeer } from './station.ts';

export type ServerGroup = RedundancyGroup<ServerConnection, EventQueue<Asdu>>;

/** Bounds of one connection; all have defaults that a station never meets in normal operation. */
export interface ConnectionLimits {
  /** Confirmations waiting for the peer's window. More: the peer asks and does not take the answers; closed. Default 256. */
  readonly replies: number;
  /** Interrogations waiting or running. More are confirmed negatively. Default 8. */
  readonly jobs: number;
  /** Cyclic values waiting. More are left out, the next cycle brings newer ones. Default 64. */
  readonly cyclic: number;
}

export const DEFAULT_LIMITS: ConnectionLimits = { replies: 256, jobs: 8, cyclic: 64 };

/** What a connection has done as part of a server, beside the counters of its session. */
export interface ServerConnectionCounters {
  repliesSent: number;
  eventsSent: number;
  /** Events sent again because an earlier connection ended before they were acknowledged. */
  eventsRepeated: number;
  eventsAcknowledged: number;
  cyclicSent: number;
  /** Cyclic values left out because the peer was too slow for them. */
  cyclicSkipped: number;
}

export interface ServerConnectionOwner {
  readonly station: Station<ServerConnection>;
  readonly parameters: Parameters;
  readonly limits: ConnectionLimits;
  readonly clock: Clock;
  started(connection: ServerConnection): void;
  stopped(connection: ServerConnection): void;
  closed(connection: ServerConnection, error: Iec104Error | undefined): void;
  malformed(connection: ServerConnection, error: Iec104Error): void;
  acknowledged(connection: ServerConnection, events: readonly Asdu[]): void;
  failed(connection: ServerConnection, error: unknown): void;
}

/**
 * One client of a server. What goes out, in this order of priority: confirmations; then in turn one ASDU of an interrogation or
 * file, one event, one cyclic value, so that none of them starves another. Requests are answered one after the other; a
 * request is acknowledged by N(R) when its turn comes, so a peer that floods meets its own k and then a socket nobody reads.
 */
export class ServerConnection implements StationPeer {
  readonly id: number;
  readonly peer: string;
  readonly group: ServerGroup;
  /** Common name of the client's certificate, where TLS gave one. */
  readonly subject: string | undefined;
  readonly counters: ServerConnectionCounters = {
    repliesSent: 0,
    eventsSent: 0,
    eventsRepeated: 0,
    eventsAcknowledged: 0,
    cyclicSent: 0,
    cyclicSkipped: 0,
  };
  readonly #owner: ServerConnectionOwner;
  readonly #connection: Connection;
  readonly #inbox = new Ring<{ asdu: Asdu; receipt: Receipt }>();
  readonly #replies = new Ring<Asdu>();
  readonly #jobs = new Ring<ReplyJob>();
  readonly #cyclic = new Ring<Asdu>();
  /** For each unacknowledged I frame, oldest first: whether it carried an entry of the event queue. */
  readonly #unacknowledged = new Ring<boolean>();
  #acknowledged = 0;
  #answering = false;
  #pumping = false;
  #turn = 0;
  /** A job whose next ASDU is being waited for. */
  #awaiting: ReplyJob | undefined;
  #closed = false;

  constructor(id: number, group: ServerGroup, transport: Transport, owner: ServerConnectionOwner, subject?: string) {
    this.id = id;
    this.group = group;
    this.peer = transport.remote;
    this.subject = subject;
    this.#owner = owner;
    this.#connection = new Connection({
      role: 'controlled',
      transport,
      parameters: owner.parameters,
      clock: owner.clock,
      acknowledge: 'manual',
      handler: {
        onAsdu: (asdu, receipt) => {
          this.#inbox.push({ asdu, receipt });
          void this.#answer();
        },
        onStarted: () => owner.started(this),
        onStopped: () => {
          this.#halt();
          owner.stopped(this);
        },
        onAcknowledged: (upTo) => this.#onAcknowledged(upTo),
        onMalformed: (error) => owner.malformed(this, error),
        onClose: (error) => {
          this.#closed = true;
          this.#halt();
          owner.closed(this, error);
        },
      },
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** The one connection of its group that carries user data. */
  get started(): boolean {
    return this.group.started === this && this.#connection.transfer === 'started';
  }

  get session(): ConnectionCounters {
    return this.#connection.counters;
  }

  /** I frames sent and not acknowledged. */
  get unacknowledged(): number {
    return this.#connection.unacknowledged;
  }

  reply(asdu: Asdu): void {
    if (!this.started) return;
    if (this.#replies.length >= this.#owner.limits.replies) {
      this.#connection.fail(
        peerError(
          'server.repliesNotTaken',
          `IEC 104 ${this.peer}: ${this.#replies.length} confirmations wait for a peer that asks and does not take them; connection closed`,
        ),
      );
      return;
    }
    this.#replies.push(asdu);
    this.pump();
  }

  stream(job: ReplyJob): boolean {
    if (!this.started || this.#jobs.length >= this.#owner.limits.jobs) return false;
    this.#jobs.push(job);
    this.pump();
    return true;
  }

  cancel(typeId: number, commonAddress: number): boolean {
    let found = false;
    for (let i = this.#jobs.length; i > 0; i--) {
      const job = this.#jobs.shift()!;
      if (job.request.typeId === typeId && job.request.commonAddress === commonAddress) {
        job.cancel();
        found = true;
      } else this.#jobs.push(job);
    }
    return found;
  }

  /** A value that is only worth sending now. False: left out. */
  transmit(asdu: Asdu): boolean {
    if (!this.started) return false;
    if (this.#cyclic.length >= this.#owner.limits.cyclic) {
      this.counters.cyclicSkipped++;
      return false;
    }
    this.#cyclic.push(asdu);
    this.pump();
    return true;
  }

  /** Another connection of the group was started: this one goes quiet, and its events go back to the queue. */
  supersede(): void {
    this.#halt();
    this.#connection.supersede();
  }

  close(): void {
    this.#connection.close();
  }

  fail(error: Iec104Error): void {
    this.#connection.fail(error);
  }

  /** Sends as long as the window is open and something waits. */
  pump(): void {
    if (this.#pumping || !this.started) return;
    this.#pumping = true;
    while (this.started && this.#connection.window > 0 && this.#sendOne()) {
      // Each round sends one ASDU.
    }
    this.#pumping = false;
    if (this.#inbox.length > 0) void this.#answer();
  }

  #sendOne(): boolean {
    const reply = this.#replies.shift();
    if (reply !== undefined) {
      this.#send(reply, false);
      this.counters.repliesSent++;
      return true;
    }
    for (let tried = 0; tried < 3; tried++) {
      this.#turn = (this.#turn + 1) % 3;
      if (this.#turn === 0 ? this.#sendEvent() : this.#turn === 1 ? this.#sendJob() : this.#sendCyclic()) return true;
    }
    return false;
  }

  #sendEvent(): boolean {
    const entry = this.group.queue.take();
    if (entry === undefined) return false;
    if (!entry.mark) {
      this.counters.eventsSent++;
      if (entry.repeated) this.counters.eventsRepeated++;
    }
    this.#send(entry.event, true);
    return true;
  }

  #sendCyclic(): boolean {
    const asdu = this.#cyclic.shift();
    if (asdu === undefined) return false;
    this.#send(asdu, false);
    this.counters.cyclicSent++;
    return true;
  }

  #sendJob(): boolean {
    const job = this.#jobs.peek();
    if (job === undefined || job === this.#awaiting) return false;
    const next = job.next();
    if (next instanceof Promise) {
      this.#awaiting = job;
      void next.then((asdu) => {
        if (this.#awaiting === job) this.#awaiting = undefined;
        // Cancelled or stopped while the process image was being read.
        if (this.#jobs.peek() !== job) return this.pump();
        if (asdu === undefined) this.#jobs.shift();
        // The window may have closed meanwhile; the front of the replies keeps the place.
        else if (this.started) this.#replies.push(asdu);
        this.pump();
      });
      return false;
    }
    if (next === undefined) {
      this.#jobs.shift();
      return this.#sendJob();
    }
    this.#send(next, false);
    this.counters.repliesSent++;
    return true;
  }

  #send(asdu: Asdu, event: boolean): void {
    // Before the call, for a transport that answers within it.
    this.#unacknowledged.push(event);
    try {
      if (this.#connection.send(asdu) > 0) return;
      throw new Iec104Error('local', 'server.window', `IEC 104 ${this.peer}: the window closed while it was open`);
    } catch (error) {
      this.#unacknowledged.pop();
      // An answer of the application that cannot be encoded is its own fault; the peer misses one ASDU, and hears of no other.
      this.#owner.failed(this, error);
      if (event)
        this.#connection.fail(
          new Iec104Error('local', 'server.event', `IEC 104 ${this.peer}: event not sendable`, { cause: error }),
        );
    }
  }

  async #answer(): Promise<void> {
    if (this.#answering) return;
    this.#answering = true;
    while (!this.#closed && this.#replies.length < this.#owner.limits.replies / 2) {
      const item = this.#inbox.shift();
      if (item === undefined) break;
      item.receipt.release();
      // After STOPDT or a takeover a request has no answer any more.
      if (!this.started) continue;
      const context: RequestContext = {
        connection: this.id,
        peer: this.peer,
        group: this.group.name,
        originator: item.asdu.originator,
        asdu: item.asdu,
      };
      await this.#owner.station.receive(this, context, item.asdu);
    }
    this.#answering = false;
  }

  #onAcknowledged(upTo: number): void {
    let entries = 0;
    for (; this.#acknowledged < upTo; this.#acknowledged++) if (this.#unacknowledged.shift() === true) entries++;
    if (entries > 0) {
      const events = this.group.queue.acknowledge(entries);
      this.counters.eventsAcknowledged += events.length;
      if (events.length > 0) this.#owner.acknowledged(this, events);
    }
    this.pump();
  }

  /** Forgets what was to be sent; the queue takes its events back when this was the connection that carried them. */
  #halt(): void {
    this.#replies.clear();
    this.#cyclic.clear();
    for (let job = this.#jobs.shift(); job !== undefined; job = this.#jobs.shift()) job.cancel();
    this.#awaiting = undefined;
    let carried = false;
    for (let i = this.#unacknowledged.length; i > 0; i--) {
      if (this.#unacknowledged.shift() === true) carried = true;
      // A late acknowledgement of these frames means nothing for the queue any more.
      this.#unacknowledged.push(false);
    }
    if (carried) this.group.queue.rewind();
  }
}
