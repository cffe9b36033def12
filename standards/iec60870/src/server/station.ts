import type { Asdu } from '../codec/asdu.ts';
import { Cp56Time } from '../codec/time.ts';
import { COT } from '../spec/causes.ts';
import { FREEZE } from '../spec/qualifiers.ts';
import { typeSpec } from '../spec/types.ts';
import { type CommandPeer, Commands } from './commands.ts';
import type { AsduContent, RequestContext, ServerHandlers } from './handlers.ts';
import { isRefusal } from './handlers.ts';
import { confirm, objection, refuse } from './replies.ts';
import { InterrogationJob, type ReplyJob } from './reply-job.ts';
import type { SelectBook } from './select-book.ts';

/** What the station needs of a connection. */
export interface StationPeer extends CommandPeer {
  /** Accepts a long answer; false when the connection already has as many waiting as it may. */
  stream(job: ReplyJob): boolean;
  /** Ends the jobs that answer requests of this type and common address; true when there was one. */
  cancel(typeId: number, commonAddress: number): boolean;
}

/** The file service as the station sees it (`../files/file-server.ts`). */
export interface StationFiles<P> {
  handle(peer: P, context: RequestContext, asdu: Asdu): Promise<void> | void;
  /** The connection ended: what it had selected is free again. */
  release?(peer: P): void;
}

export interface StationOptions<P> {
  readonly handlers: ServerHandlers;
  /** Stations behind this server. Absent: every common address is accepted as it comes. */
  readonly commonAddresses?: readonly number[];
  /** 255 or 65535, by the width of the common address. */
  readonly broadcast: number;
  readonly selects: SelectBook<P>;
  /** Monotonic clock, ms. */
  readonly now: () => number;
  readonly objectsPerAsdu: (typeId: number, sequence: boolean) => number;
  readonly files?: StationFiles<P>;
  readonly onHandlerError?: (error: unknown, request: Asdu) => void;
}

/** Counters of the requests a server has answered. */
export interface StationCounters {
  requests: number;
  interrogations: number;
  counterInterrogations: number;
  reads: number;
  clockSyncs: number;
  tests: number;
  /** Refused with a cause 44 to 47 before any handler was asked. */
  refusedUnknown: number;
  handlerErrors: number;
}

/**
 * The application layer of a controlled station without sockets and queues: an ASDU in control direction comes in, the
 * handlers are asked, the answers go to the connection. Unknown type, cause, common address and object are refused with causes
 * 44 to 47; an ASDU to the broadcast address is answered once for each station (IEC 60870-5-101, 7.2.4).
 */
export class Station<P extends StationPeer> {
  readonly counters: StationCounters = {
    requests: 0,
    interrogations: 0,
    counterInterrogations: 0,
    reads: 0,
    clockSyncs: 0,
    tests: 0,
    refusedUnknown: 0,
    handlerErrors: 0,
  };
  readonly commands: Commands<P>;
  readonly #options: StationOptions<P>;
  readonly #known: Parameters<typeof objection>[1];

  constructor(options: StationOptions<P>) {
    this.#options = options;
    const addresses = options.commonAddresses === undefined ? undefined : new Set(options.commonAddresses);
    this.#known = {
      broadcast: options.broadcast,
      commonAddress: (address) => address !== 0 && (addresses?.has(address) ?? true),
      type: (typeId) => this.#serves(typeId),
    };
    this.commands = new Commands(options.handlers, options.selects, options.now, (error, asdu) =>
      this.#failed(error, asdu),
    );
  }

  /** Answers one ASDU. Never rejects: what goes wrong in a handler becomes a negative answer. */
  async receive(peer: P, context: RequestContext, asdu: Asdu): Promise<void> {
    this.counters.requests++;
    const reason = objection(asdu, this.#known);
    if (reason !== undefined) {
      this.counters.refusedUnknown++;
      peer.reply(refuse(asdu, reason));
      return;
    }
    try {
      await this.#dispatch(peer, context, asdu);
    } catch (error) {
      this.#failed(error, asdu);
      peer.reply(refuse(asdu, 'negative'));
    }
  }

  #serves(typeId: number): boolean {
    const { handlers, files } = this.#options;
    switch (typeSpec(typeId)?.group) {
      case 'control':
        return handlers.command !== undefined;
      case 'parameter':
        return handlers.parameter !== undefined;
      case 'file':
        return files !== undefined;
      case 'system':
        break;
      default:
        return false;
    }
    switch (typeId) {
      case 100:
        return handlers.interrogation !== undefined;
      case 101:
        return handlers.counterInterrogation !== undefined;
      case 102:
        return handlers.read !== undefined;
      case 103:
        return handlers.clockSync !== undefined;
      case 105:
        return handlers.resetProcess !== undefined;
      case 106:
        return handlers.delayAcquisition !== undefined;
      default:
        return typeId === 104 || typeId === 107;
    }
  }

  async #dispatch(peer: P, context: RequestContext, asdu: Asdu): Promise<void> {
    const element = asdu.objects[0]?.element;
    if (element === undefined) return peer.reply(refuse(asdu, 'negative'));
    switch (typeSpec(asdu.typeId)?.group) {
      case 'control':
        return this.commands.handle(peer, context, asdu);
      case 'parameter':
        return this.#parameter(peer, context, asdu);
      case 'file':
        return this.#options.files?.handle(peer, context, asdu);
      default:
    }
    for (const commonAddress of this.#addressed(asdu)) {
      switch (element.kind) {
        case 'interrogation':
          await this.#interrogation(peer, context, asdu, commonAddress, element.qualifier);
          break;
        case 'counterInterrogation':
          await this.#counters(peer, context, asdu, commonAddress, element.request, element.freeze);
          break;
        case 'test':
          this.counters.tests++;
          peer.reply(confirm(asdu));
          break;
        case 'resetProcess':
          await this.#simple(peer, asdu, commonAddress, () =>
            this.#options.handlers.resetProcess?.(context, commonAddress, element.qualifier),
          );
          break;
        case 'delayAcquisition':
          await this.#simple(peer, asdu, commonAddress, () =>
            this.#options.handlers.delayAcquisition?.(context, commonAddress, element.milliseconds),
          );
          break;
        default:
          if (asdu.typeId === 102) await this.#read(peer, context, asdu);
          else await this.#clockSync(peer, context, asdu, commonAddress);
      }
    }
  }

  /** The stations an ASDU speaks to. */
  #addressed(asdu: Asdu): readonly number[] {
    if (asdu.commonAddress !== this.#options.broadcast) return [asdu.commonAddress];
    return this.#options.commonAddresses ?? [asdu.commonAddress];
  }

  async #interrogation(peer: P, context: RequestContext, asdu: Asdu, commonAddress: number, qualifier: number) {
    if (asdu.cause === COT.deactivation) {
      return peer.reply(confirm(asdu, !peer.cancel(asdu.typeId, commonAddress), commonAddress));
    }
    if (qualifier < 20 || qualifier > 36) return peer.reply(refuse(asdu, 'negative', commonAddress));
    const answer = await this.#options.handlers.interrogation?.(context, commonAddress, qualifier);
    if (answer === undefined || isRefusal(answer)) {
      return peer.reply(refuse(asdu, answer?.refuse ?? 'negative', commonAddress));
    }
    this.counters.interrogations++;
    this.#stream(peer, asdu, commonAddress, qualifier, answer);
  }

  async #counters(
    peer: P,
    context: RequestContext,
    asdu: Asdu,
    commonAddress: number,
    request: number,
    freeze: number,
  ) {
    if (asdu.cause === COT.deactivation) {
      return peer.reply(confirm(asdu, !peer.cancel(asdu.typeId, commonAddress), commonAddress));
    }
    if (request < 1 || request > 5) return peer.reply(refuse(asdu, 'negative', commonAddress));
    const answer = await this.#options.handlers.counterInterrogation?.(context, commonAddress, request, freeze);
    if (answer === undefined || isRefusal(answer)) {
      return peer.reply(refuse(asdu, answer?.refuse ?? 'negative', commonAddress));
    }
    this.counters.counterInterrogations++;
    // A freeze or reset carries no values; they are read by a request with FRZ 0, or sent spontaneously. It is terminated all the
    // same: controlling stations differ in whether they wait for it.
    const contents = freeze === FREEZE.read ? answer : [];
    const cause = request === 5 ? COT.requestedByGeneralCounter : COT.requestedByGeneralCounter + request;
    this.#stream(peer, asdu, commonAddress, cause, contents);
  }

  #stream(
    peer: P,
    asdu: Asdu,
    commonAddress: number,
    cause: number,
    contents: Iterable<AsduContent> | AsyncIterable<AsduContent>,
  ): void {
    const job = new InterrogationJob({
      request: commonAddress === asdu.commonAddress ? asdu : { ...asdu, commonAddress },
      commonAddress,
      cause,
      contents,
      objectsPerAsdu: this.#options.objectsPerAsdu,
      onError: (error, request) => this.#failed(error, request),
    });
    if (peer.stream(job)) return;
    job.cancel();
    peer.reply(confirm(asdu, true, commonAddress));
  }

  async #read(peer: P, context: RequestContext, asdu: Asdu): Promise<void> {
    const address = asdu.objects[0]!.address;
    const answer = await this.#options.handlers.read?.(context, asdu.commonAddress, address);
    if (answer === undefined) return peer.reply(refuse(asdu, 'unknown object address'));
    if (isRefusal(answer)) return peer.reply(refuse(asdu, answer.refuse));
    this.counters.reads++;
    peer.reply({ ...asdu, typeId: answer.typeId, sequence: answer.sequence ?? false, objects: answer.objects });
  }

  async #clockSync(peer: P, context: RequestContext, asdu: Asdu, commonAddress: number): Promise<void> {
    const object = asdu.objects[0]!;
    const time = object.time;
    if (!(time instanceof Cp56Time)) return peer.reply(refuse(asdu, 'negative', commonAddress));
    const answer = await this.#options.handlers.clockSync?.(context, commonAddress, time);
    if (isRefusal(answer)) return peer.reply(refuse(asdu, answer.refuse, commonAddress));
    this.counters.clockSyncs++;
    const confirmation = confirm(asdu, false, commonAddress);
    peer.reply(answer === undefined ? confirmation : { ...confirmation, objects: [{ ...object, time: answer }] });
  }

  async #simple(peer: P, asdu: Asdu, commonAddress: number, act: () => unknown): Promise<void> {
    const answer = await act();
    peer.reply(isRefusal(answer) ? refuse(asdu, answer.refuse, commonAddress) : confirm(asdu, false, commonAddress));
  }

  async #parameter(peer: P, context: RequestContext, asdu: Asdu): Promise<void> {
    const object = asdu.objects[0]!;
    await this.#simple(peer, asdu, asdu.commonAddress, () =>
      this.#options.handlers.parameter?.(context, {
        typeId: asdu.typeId,
        commonAddress: asdu.commonAddress,
        address: object.address,
        element: object.element,
        active: asdu.cause !== COT.deactivation,
      }),
    );
  }

  #failed(error: unknown, request: Asdu): void {
    this.counters.handlerErrors++;
    this.#options.onHandlerError?.(error, request);
  }
}
