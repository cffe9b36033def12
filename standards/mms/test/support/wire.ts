import { Association, type AssociationEffect, type AssociationOptions } from '../../src/machine/association.ts';
import { DEFAULT_ASSOCIATION } from '../../src/machine/defaults.ts';

/** Two associations on a wire in one's hands. */
export class Wire {
  readonly initiator: Association;
  readonly responder: Association;
  /** What each side did, except for sending. */
  readonly seen: { side: 'initiator' | 'responder'; effect: AssociationEffect }[] = [];
  /** Octets sent by the initiator and by the responder. */
  readonly sent: Record<'initiator' | 'responder', Uint8Array[]> = { initiator: [], responder: [] };

  constructor(initiator: Partial<AssociationOptions> = {}, responder: Partial<AssociationOptions> = {}) {
    this.initiator = new Association('initiator', { ...DEFAULT_ASSOCIATION, ...initiator });
    this.responder = new Association('responder', { ...DEFAULT_ASSOCIATION, ...responder });
  }

  run(side: 'initiator' | 'responder', effects: readonly AssociationEffect[]): void {
    for (const effect of effects) {
      if (effect.kind !== 'send') {
        this.seen.push({ side, effect });
        continue;
      }
      this.sent[side].push(effect.bytes);
      const other = side === 'initiator' ? 'responder' : 'initiator';
      this.run(other, this[other].receive(effect.bytes, 0));
    }
  }

  connect({ accept = true } = {}): this {
    this.run('responder', this.responder.start(0));
    this.run('initiator', this.initiator.start(0));
    if (accept && this.responder.state === 'asked') this.run('responder', this.responder.accept(0));
    return this;
  }

  of(side: 'initiator' | 'responder'): AssociationEffect[] {
    return this.seen.filter((one) => one.side === side).map(({ effect }) => effect);
  }

  /** Code of the error with which a side was closed. */
  closedWith(side: 'initiator' | 'responder'): string | undefined {
    const closed = this.of(side).find((effect) => effect.kind === 'closed');
    return closed?.kind === 'closed' ? (closed.error?.code ?? 'none') : undefined;
  }
}
