import type { Clock, Transport } from '@enerchain/transport';
import type { MmsPdu } from '../codec/pdu.ts';
import type { MmsError } from '../errors.ts';
import type { Association, AssociationEffect, Authentication } from '../machine/association.ts';
import type { Initiate } from '../spec/initiate.ts';
import type { EncodedReport } from '../spec/services.ts';

export interface ConnectionHandler {
  onAsked?(proposal: Initiate, authentication: Authentication | undefined): void;
  onAssociated(initiate: Initiate): void;
  onPdu(pdu: MmsPdu): void;
  /** A request that cannot be read, but for whose it is. */
  onMalformed?(invokeId: number, error: MmsError): void;
  /** Exactly once. */
  onClosed(error?: MmsError): void;
}

/** Milliseconds of one turn of the event loop that one connection may take up; the others come then. */
const SLICE = 4;

/** Runs an association over a transport, with timers of the clock. */
export class Connection {
  readonly #association: Association;
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #handler: ConnectionHandler;
  #cancelTimer: (() => void) | undefined;
  #armed: number | undefined;
  #heardAt: number;
  /** When this turn is over for it; undefined when the turn has not begun. */
  #sliceEnd: number | undefined;
  /** What has come and waits for the next turn; the transport is paused meanwhile, so it is a chunk at most. */
  #backlog: AssociationEffect[] = [];

  constructor(association: Association, transport: Transport, clock: Clock, handler: ConnectionHandler) {
    this.#association = association;
    this.#transport = transport;
    this.#clock = clock;
    this.#handler = handler;
    this.#heardAt = clock.monotonic();
  }

  get remote(): string {
    return this.#transport.remote;
  }

  /** When the last octet came from the peer, on the clock's monotonic scale. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /** Whether a PDU can be sent: with the last octets of a chunk the association may be over before its PDUs are handled. */
  get associated(): boolean {
    return this.#association.state === 'associated';
  }

  /** Octets that the peer has not taken yet. */
  get bufferedBytes(): number {
    return this.#transport.bufferedBytes;
  }

  open(): void {
    this.#run(this.#association.start(this.#clock.monotonic()));
    this.#transport.open({
      onData: (chunk) => {
        this.#heardAt = this.#clock.monotonic();
        this.#come(this.#association.receive(chunk, this.#heardAt));
      },
      onClose: (error) => this.#come(this.#association.lost(error)),
    });
  }

  accept(): void {
    this.#run(this.#association.accept(this.#clock.monotonic()));
  }

  refuse(diagnostic: number, transient = false): void {
    this.#run(this.#association.refuse(diagnostic, transient));
  }

  /** MmsError (caller) when it cannot be sent; see `Association.send`. */
  send(pdu: MmsPdu): void {
    this.#run(this.#association.send(pdu));
  }

  /** As `send`. */
  sendReport(report: EncodedReport): void {
    this.#run(this.#association.sendReport(report));
  }

  abort(): void {
    this.#run(this.#association.abort());
  }

  end(): void {
    this.#run(this.#association.end());
  }

  /** What the peer or time has brought about, in its order. */
  #come(effects: readonly AssociationEffect[]): void {
    if (this.#backlog.length > 0) this.#backlog.push(...effects);
    else this.#run(effects, true);
  }

  #run(effects: readonly AssociationEffect[], mayWait = false): void {
    for (let index = 0; index < effects.length; index++) {
      const effect = effects[index]!;
      switch (effect.kind) {
        case 'send':
          this.#transport.write(effect.bytes);
          break;
        case 'asked':
          // Not when octets behind the question have ended the association already.
          if (this.#association.state === 'asked') this.#handler.onAsked?.(effect.proposal, effect.authentication);
          break;
        case 'associated':
          this.#handler.onAssociated(effect.initiate);
          break;
        case 'pdu':
        case 'malformed':
          if (mayWait && !this.#inTime()) {
            this.#wait(effects.slice(index));
            this.#arm();
            return;
          }
          // What the handler does with one PDU may end the association; the rest of the chunk is then nobody's.
          if (this.#association.state === 'closed' && effects.at(-1)?.kind !== 'closed') break;
          if (effect.kind === 'pdu') this.#handler.onPdu(effect.pdu);
          else this.#handler.onMalformed?.(effect.invokeId, effect.error);
          break;
        case 'closed':
          this.#transport.end();
          this.#handler.onClosed(effect.error);
          break;
      }
    }
    this.#arm();
  }

  /** Whether this turn's share is not used up yet: a peer that floods must not keep the loop from the others. */
  #inTime(): boolean {
    const now = this.#clock.monotonic();
    if (this.#sliceEnd === undefined) {
      this.#sliceEnd = now + SLICE;
      setImmediate(() => {
        this.#sliceEnd = undefined;
      });
    }
    return now < this.#sliceEnd;
  }

  #wait(rest: AssociationEffect[]): void {
    this.#backlog = rest;
    this.#transport.pause();
    setImmediate(() => {
      const waited = this.#backlog;
      this.#backlog = [];
      this.#run(waited, true);
      if (this.#backlog.length === 0) this.#transport.resume();
    });
  }

  #arm(): void {
    const { deadline } = this.#association;
    if (deadline === undefined) {
      this.#cancelTimer?.();
      this.#cancelTimer = undefined;
      this.#armed = undefined;
      return;
    }
    // A timer that is too early looks again; moving it for every octet would cost more.
    if (this.#armed !== undefined && this.#armed <= deadline) return;
    this.#cancelTimer?.();
    this.#armed = deadline;
    this.#cancelTimer = this.#clock.schedule(deadline - this.#clock.monotonic(), () => {
      this.#armed = undefined;
      this.#come(this.#association.tick(this.#clock.monotonic()));
    });
  }
}
