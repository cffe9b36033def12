import type { MmsPdu } from '../codec/pdu.ts';
import { MmsError } from '../errors.ts';
import { REJECT, type ServiceError, serviceErrorOf } from '../spec/faults.ts';
import type { RequestOf, ResponseOf, ServiceName } from '../spec/services.ts';
import { MmsRefusal } from './refusal.ts';

/** Answers to services, by name; one that is not there is rejected as unrecognised. Throw MmsRefusal to say no. */
export type Handlers<Context> = {
  readonly [S in ServiceName]?: (
    request: RequestOf<S>,
    context: Context,
    /** Aborted when the peer cancels the call or the association ends. */
    signal: AbortSignal,
  ) => ResponseOf<S> | Promise<ResponseOf<S>>;
};

export interface AnsweringPorts<Context> {
  readonly handlers: Handlers<Context>;
  readonly context: Context;
  /** Calls of the peer that were agreed on to be outstanding. */
  readonly limit: () => number;
  readonly send: (pdu: MmsPdu) => void;
  /** A handler failed with something that is not an MmsRefusal; the peer was told `others: other`. */
  readonly onFailure?: ((service: ServiceName, error: unknown) => void) | undefined;
}

type Request = Extract<MmsPdu, { kind: 'confirmedRequest' }>['value'];

/** The called side of calls, whichever side of the association that is: handlers, and what becomes of their answers. */
export class Answering<Context> {
  readonly #ports: AnsweringPorts<Context>;
  readonly #running = new Map<number, AbortController>();

  constructor(ports: AnsweringPorts<Context>) {
    this.#ports = ports;
  }

  /** Calls that are not answered. */
  get running(): number {
    return this.#running.size;
  }

  /** The association has ended. */
  end(): void {
    for (const controller of this.#running.values()) controller.abort();
    this.#running.clear();
  }

  request({ invokeId, modifiers, service }: Request): void {
    const { handlers, context, limit, send } = this.#ports;
    const handler =
      service.kind === 'other'
        ? undefined
        : (handlers[service.kind] as
            | ((request: unknown, context: Context, signal: AbortSignal) => unknown)
            | undefined);
    let refusal: number | undefined;
    if (this.#running.has(invokeId)) refusal = REJECT.invalidInvokeId;
    // One more than agreed is let through: a peer frees a place when it reads the answer, not when it is sent.
    else if (this.#running.size > Math.max(1, limit())) refusal = REJECT.tooManyOutstanding;
    else if (modifiers) refusal = REJECT.unrecognizedModifier;
    else if (!handler) refusal = REJECT.unrecognizedService;
    if (!handler || refusal !== undefined || service.kind === 'other') {
      const value = refusal ?? REJECT.unrecognizedService;
      send({ kind: 'reject', value: { invokeId, reason: { kind: 'confirmedRequest', value } } });
      return;
    }
    const controller = new AbortController();
    this.#running.set(invokeId, controller);
    const name = service.kind;
    const done = (answer: () => void) => {
      // Cancelled, or the association is gone: the peer has its answer already.
      if (this.#running.get(invokeId) !== controller) return;
      this.#running.delete(invokeId);
      answer();
    };
    const succeed = (value: unknown) => done(() => this.#answer(invokeId, name, value));
    const fail = (error: unknown) => done(() => this.#error(invokeId, name, error));
    try {
      const result = handler(service.value, context, controller.signal);
      if (result instanceof Promise) result.then(succeed, fail);
      else succeed(result);
    } catch (error) {
      fail(error);
    }
  }

  #answer(invokeId: number, service: ServiceName, value: unknown): void {
    try {
      this.#ports.send({
        kind: 'confirmedResponse',
        value: { invokeId, service: { kind: service, value } as never },
      });
    } catch (error) {
      // Larger than agreed, or a value that does not fit its type.
      const large = error instanceof MmsError && error.code === 'association.size';
      this.#error(
        invokeId,
        service,
        large ? new MmsRefusal({ error: serviceErrorOf('resource', 'capability-unavailable') }) : error,
      );
    }
  }

  #error(invokeId: number, service: ServiceName, cause: unknown): void {
    const error: ServiceError | undefined = cause instanceof MmsRefusal ? cause.error : undefined;
    if (!error) this.#ports.onFailure?.(service, cause);
    this.#ports.send({
      kind: 'confirmedError',
      value: { invokeId, error: error ?? serviceErrorOf('others', 'other') },
    });
  }

  cancel(invokeId: number): void {
    const { send } = this.#ports;
    const controller = this.#running.get(invokeId);
    if (!controller) {
      const error = serviceErrorOf('cancel', 'invoke-id-unknown');
      send({ kind: 'cancelError', value: { invokeId, error } });
      return;
    }
    this.#running.delete(invokeId);
    controller.abort();
    send({ kind: 'cancelResponse', value: invokeId });
    send({ kind: 'confirmedError', value: { invokeId, error: serviceErrorOf('service-preempt', 'cancel') } });
  }
}
