import type { Clock, Transport } from '@enerchain/transport';
import type { MmsPdu } from '../codec/pdu.ts';
import type { MmsError } from '../errors.ts';
import type { Association, AssociationEffect, Authentication } from '../machine/association.ts';
import type { Initiate } from '../spec/initiate.ts';

export interface ConnectionHandler {
  onAsked?(proposal: Initiate, authentication: Authentication | undefined): void;
  onAssociated(initiate: Initiate): void;
  onPdu(pdu: MmsPdu): void;
  /** Exactly once. */
  onClosed(error?: MmsError): void;
}

/** Runs an association over a transport, with timers of the clock. */
export class Connection {
  readonly #association: Association;
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #handler: ConnectionHandler;
  #cancelTimer: (() => void) | undefined;
  #armed: number | undefined;

  constructor(association: Association, transport: Transport, clock: Clock, handler: ConnectionHandler) {
    this.#association = association;
    this.#transport = transport;
    this.#clock = clock;
    this.#handler = handler;
  }

  get remote(): string {
    return this.#transport.remote;
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
      onData: (chunk) => this.#run(this.#association.receive(chunk, this.#clock.monotonic())),
      onClose: (error) => this.#run(this.#association.lost(error)),
    });
  }

  accept(): void {
    this.#run(this.#association.accept(this.#clock.monotonic()));
  }

  refuse(diagnostic: number): void {
    this.#run(this.#association.refuse(diagnostic));
  }

  /** MmsError (caller) when it cannot be sent; see `Association.send`. */
  send(pdu: MmsPdu): void {
    this.#run(this.#association.send(pdu));
  }

  abort(): void {
    this.#run(this.#association.abort());
  }

  end(): void {
    this.#run(this.#association.end());
  }

  #run(effects: readonly AssociationEffect[]): void {
    for (const effect of effects) {
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
          // What the handler does with one PDU may end the association; the rest of the chunk is then nobody's.
          if (this.#association.state !== 'closed' || effects.at(-1)?.kind === 'closed')
            this.#handler.onPdu(effect.pdu);
          break;
        case 'closed':
          this.#transport.end();
          this.#handler.onClosed(effect.error);
          break;
      }
    }
    this.#arm();
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
      this.#run(this.#association.tick(this.#clock.monotonic()));
    });
  }
}
