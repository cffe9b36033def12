import type { Asdu, InformationObject } from '../codec/asdu.ts';
import { Cp56Time } from '../codec/time.ts';
import { COT } from '../spec/causes.ts';
import type { CommandVerdict, ControlRequest, RequestContext, ServerHandlers } from './handlers.ts';
import { isRefusal } from './handlers.ts';
import { confirm, mirror, refuse } from './replies.ts';
import type { SelectBook } from './select-book.ts';

/** What a command needs of the connection it came by. */
export interface CommandPeer {
  readonly closed: boolean;
  /** Queues a confirmation; after the end of the connection it goes nowhere. */
  reply(asdu: Asdu): void;
}

/** Counters of the commands of a server. */
export interface CommandCounters {
  /** Selects confirmed. */
  selected: number;
  /** Executes confirmed. */
  executed: number;
  /** Selections deactivated. */
  cancelled: number;
  /** Answered with P/N = 1 or a cause 44 to 47. */
  refused: number;
}

/** Key of a control object in the select book. */
export function objectKey(commonAddress: number, address: number): number {
  return commonAddress * 0x1000000 + address;
}

function requestOf(asdu: Asdu, object: InformationObject, phase: ControlRequest['phase']): ControlRequest {
  const element = object.element;
  const value = 'raw' in element ? element.raw : 'value' in element ? element.value : 0;
  return {
    phase,
    typeId: asdu.typeId,
    commonAddress: asdu.commonAddress,
    address: object.address,
    value,
    qualifier: 'qualifier' in element ? element.qualifier : 0,
    element,
    ...(object.time instanceof Cp56Time ? { time: object.time } : {}),
  };
}

/**
 * Process commands C_SC to C_BO, with and without time tag (IEC 60870-5-101, 6.8; IEC 60870-5-104, 8): direct and
 * select-before-operate. Sequence on the wire: ACTCON, then the process acts, then ACTTERM. The application is asked in the
 * phase 'select' before a select is confirmed and in the phase 'execute' before an execute is; a command with the test bit
 * never reaches it.
 */
export class Commands<P extends CommandPeer> {
  readonly counters: CommandCounters = { selected: 0, executed: 0, cancelled: 0, refused: 0 };
  readonly #handlers: ServerHandlers;
  readonly #book: SelectBook<P>;
  readonly #now: () => number;
  readonly #onError: (error: unknown, asdu: Asdu) => void;

  constructor(
    handlers: ServerHandlers,
    book: SelectBook<P>,
    now: () => number,
    onError: (error: unknown, asdu: Asdu) => void,
  ) {
    this.#handlers = handlers;
    this.#book = book;
    this.#now = now;
    this.#onError = onError;
  }

  async handle(peer: P, context: RequestContext, asdu: Asdu): Promise<void> {
    const object = asdu.objects[0];
    if (object === undefined || asdu.objects.length !== 1 || asdu.test) return this.#refuse(peer, asdu, 'negative');
    const mode = this.#handlers.controlMode?.(asdu.typeId, asdu.commonAddress, object.address);
    if (this.#handlers.controlMode !== undefined && mode === undefined) {
      return this.#refuse(peer, asdu, 'unknown object address');
    }
    const element = object.element;
    const select = 'select' in element && element.select;
    if (asdu.cause === COT.deactivation) return this.#deactivate(peer, context, asdu, object);
    if (select) {
      if (mode === 'direct') return this.#refuse(peer, asdu, 'negative');
      return this.#select(peer, context, asdu, object);
    }
    return this.#execute(peer, context, asdu, object, mode ?? 'either', 'select' in element);
  }

  async #select(peer: P, context: RequestContext, asdu: Asdu, object: InformationObject): Promise<void> {
    const request = requestOf(asdu, object, 'select');
    const key = objectKey(asdu.commonAddress, object.address);
    // Held before the application is asked: two clients that select at the same moment must not both be told yes.
    const held = this.#book.select(peer, key, asdu.typeId, fingerprint(request), this.#now());
    if (!held.ok) return this.#refuse(peer, asdu, 'negative');
    const verdict = await this.#ask(context, request, asdu);
    if (peer.closed) return;
    if (isRefusal(verdict)) {
      this.#book.deactivate(peer, key, this.#now());
      return this.#refuse(peer, asdu, verdict.refuse);
    }
    // The timeout counts from the confirmation, not from before a slow application.
    const confirmed = this.#book.select(peer, key, asdu.typeId, fingerprint(request), this.#now());
    if (!confirmed.ok) return this.#refuse(peer, asdu, 'negative');
    this.counters.selected++;
    peer.reply(confirm(asdu));
  }

  async #execute(
    peer: P,
    context: RequestContext,
    asdu: Asdu,
    object: InformationObject,
    mode: 'direct' | 'select-before-operate' | 'either',
    selectable: boolean,
  ): Promise<void> {
    const request = requestOf(asdu, object, 'execute');
    const key = objectKey(asdu.commonAddress, object.address);
    if (selectable && mode !== 'direct') {
      const selection = this.#book.execute(peer, key, asdu.typeId, fingerprint(request), this.#now());
      const direct = mode === 'either' && !selection.ok && selection.reason === 'not selected';
      if (!selection.ok && !direct) return this.#refuse(peer, asdu, 'negative');
    }
    const verdict = await this.#ask(context, request, asdu);
    if (isRefusal(verdict)) return this.#refuse(peer, asdu, verdict.refuse);
    this.counters.executed++;
    peer.reply(confirm(asdu));
    if (verdict === 'accept') return peer.reply(mirror(asdu, COT.activationTermination, false));
    if (verdict.terminate === false) return;
    // Not awaited: the connection's next request does not have to wait until a tap changer has moved.
    void Promise.resolve(verdict.done).then(
      () => peer.reply(mirror(asdu, COT.activationTermination, false)),
      (error: unknown) => {
        this.#onError(error, asdu);
        peer.reply(mirror(asdu, COT.activationTermination, true));
      },
    );
  }

  async #deactivate(peer: P, context: RequestContext, asdu: Asdu, object: InformationObject): Promise<void> {
    const ended = this.#book.deactivate(peer, objectKey(asdu.commonAddress, object.address), this.#now());
    if (!ended.ok) return this.#refuse(peer, asdu, 'negative');
    this.counters.cancelled++;
    peer.reply(confirm(asdu));
    await this.#ask(context, requestOf(asdu, object, 'cancel'), asdu);
  }

  async #ask(context: RequestContext, request: ControlRequest, asdu: Asdu): Promise<CommandVerdict> {
    try {
      return (await this.#handlers.command?.(context, request)) ?? { refuse: 'unknown type' };
    } catch (error) {
      this.#onError(error, asdu);
      return { refuse: 'negative' };
    }
  }

  #refuse(peer: P, asdu: Asdu, kind: Parameters<typeof refuse>[1]): void {
    this.counters.refused++;
    peer.reply(refuse(asdu, kind));
  }
}

/** An execute has to repeat type, value and qualifier of its select; the time tag may differ. */
function fingerprint(request: ControlRequest): string {
  return `${request.value}/${request.qualifier}`;
}
