import type { Clock } from '@enerchain/transport';
import type { MmsPdu } from '../codec/pdu.ts';
import { callerError, MmsError, peerError } from '../errors.ts';
import type { RequestOf, ResponseOf, ServiceName } from '../spec/services.ts';
import { MmsRefusal } from './refusal.ts';

export interface CallingBackPorts {
  readonly clock: Clock;
  readonly send: (pdu: MmsPdu) => void;
  /** Calls of this side that were agreed on to be outstanding. */
  readonly limit: () => number;
  readonly remote: string;
}

interface Call {
  readonly service: ServiceName;
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
  readonly cancelTimer: () => void;
}

/** Calls of the called side, as ObtainFile has it fetch what its client brings. Few, and none waits: more than agreed are refused. */
export class CallingBack {
  readonly #ports: CallingBackPorts;
  readonly #calls = new Map<number, Call>();
  /** Calls whose time has run out but whose answer may still come. */
  readonly #late = new Set<number>();
  #invokeId = 0;

  constructor(ports: CallingBackPorts) {
    this.#ports = ports;
  }

  /** @param timeout milliseconds. See `MmsClient.call` for what it rejects with. */
  call<S extends ServiceName>(service: S, request: RequestOf<S>, timeout: number): Promise<ResponseOf<S>> {
    return new Promise((resolve, reject) => {
      const { limit, clock, send, remote } = this.#ports;
      if (this.#calls.size + this.#late.size >= Math.max(1, limit()))
        throw callerError('server.outstanding', `${service}: ${this.#calls.size} calls are not answered yet`);
      this.#invokeId = (this.#invokeId + 1) % 0x8000_0000;
      const invokeId = this.#invokeId;
      send({ kind: 'confirmedRequest', value: { invokeId, service: { kind: service, value: request } as never } });
      const cancelTimer = clock.schedule(timeout, () => {
        this.#calls.delete(invokeId);
        this.#late.add(invokeId);
        reject(new MmsError('peer', 'server.timeout', `${service}: no answer from ${remote}`));
      });
      this.#calls.set(invokeId, { service, resolve: resolve as (value: never) => void, reject, cancelTimer });
    });
  }

  /** An answer of the client. @returns false when it answers nothing that was asked */
  take(pdu: Extract<MmsPdu, { kind: 'confirmedResponse' | 'confirmedError' | 'reject' }>): boolean {
    const { invokeId } = pdu.value;
    if (invokeId === undefined) return false;
    if (this.#late.delete(invokeId)) return true;
    const call = this.#calls.get(invokeId);
    if (!call) return false;
    this.#calls.delete(invokeId);
    call.cancelTimer();
    if (pdu.kind === 'confirmedError') call.reject(new MmsRefusal({ error: pdu.value.error }));
    else if (pdu.kind === 'reject') call.reject(new MmsRefusal({ reject: pdu.value }));
    else if (pdu.value.service.kind === call.service) call.resolve(pdu.value.service.value as never);
    else call.reject(peerError('server.answer', `${call.service} was answered with ${pdu.value.service.kind}`));
    return true;
  }

  /** The association has ended. */
  end(): void {
    for (const { cancelTimer, reject } of this.#calls.values()) {
      cancelTimer();
      reject(new MmsError('environment', 'association.lost', 'the association ended before the answer came'));
    }
    this.#calls.clear();
  }
}
