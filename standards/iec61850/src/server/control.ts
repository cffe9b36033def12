/**
 * One controllable object of a server (IEC 61850-7-2 § 20): selection, operation, cancelling, in all five models. Pure but
 * for the clock and the ports; what is done in the process is the handler's.
 */
import type { Data } from '@enerchain/mms';
import type { Clock } from '@enerchain/transport';
import { sameData } from '../mapping/basic-types.ts';
import {
  type AddCause,
  type ControlModel,
  type ControlParameters,
  decodeControl,
  type LastApplError,
} from '../mapping/control.ts';

/** A client's association, by identity. */
export type ControlClient = object;

export interface ControlRequest extends ControlParameters {
  /** `BCU1CTRL/QA1XCBR1.Pos`. */
  readonly object: string;
  readonly model: ControlModel;
}

export interface ControlHandler {
  /** Whether it may be selected or operated: interlocking, mode, authority. @returns why not */
  readonly check?: (request: ControlRequest, phase: 'select' | 'operate') => AddCause | undefined;
  /** Does it; resolves when the process has followed. @returns why it did not work out */
  readonly operate: (
    request: ControlRequest,
    signal: AbortSignal,
  ) => Promise<AddCause | undefined> | AddCause | undefined;
}

export interface ControlPorts {
  readonly clock: Clock;
  /** Of the data object, as configured. */
  readonly model: () => ControlModel;
  /** Milliseconds that a selection stands. */
  readonly sboTimeout: () => number;
  readonly handler: ControlHandler;
  /** Tells the client what a refusal was about. */
  readonly lastApplError: (client: ControlClient, error: LastApplError) => void;
  /** The end of a control with enhanced security. */
  readonly terminated: (client: ControlClient, parameters: Data, error: LastApplError | undefined) => void;
  /** The client was refused, or may go on. */
  readonly selected: (selected: boolean) => void;
}

/** What a write into Oper, SBOw or Cancel comes to. */
export type ControlAnswer = 'accepted' | 'refused';

/** A control that has been accepted and is not done. */
interface Execution {
  readonly client: ControlClient;
  readonly controller: AbortController;
  cancelTimer: (() => void) | undefined;
  /** Time-activated, and its time has not come. */
  waiting: boolean;
}

/** LastApplError.Error (8-1 § 20): what went wrong is no failed test, so 'unknown'; 'no error' would contradict the refusal. */
const UNKNOWN_ERROR = 1;

export class ControlObject {
  /** `BCU1CTRL/QA1XCBR1.Pos`. */
  readonly object: string;
  /** `BCU1CTRL/QA1XCBR1$CO$Pos`. */
  readonly #item: string;
  readonly #ports: ControlPorts;
  #selection:
    | {
        readonly client: ControlClient;
        readonly parameters: ControlParameters | undefined;
        readonly cancelTimer: () => void;
      }
    | undefined;
  #execution: Execution | undefined;

  constructor(object: string, item: string, ports: ControlPorts) {
    this.object = object;
    this.#item = item;
    this.#ports = ports;
  }

  /** Reading SBO selects. @returns the reference when it is selected now, else an empty text */
  select(client: ControlClient): string {
    if (
      this.#ports.model() !== 'sbo-normal' ||
      (this.#selection && this.#selection.client !== client) ||
      this.#execution
    )
      return '';
    this.#take(client, undefined);
    return `${this.#item}$SBO`;
  }

  selectWithValue(client: ControlClient, data: Data): ControlAnswer {
    const parameters = decodeControl(data);
    const model = this.#ports.model();
    const refuse = (addCause: AddCause) => this.#refuse(client, 'SBOw', parameters, addCause);
    if (model !== 'sbo-enhanced') return refuse('not-supported');
    if (this.#execution) return refuse('command-already-in-execution');
    if (this.#selection && this.#selection.client !== client) return refuse('locked-by-other-client');
    const objection = this.#ports.handler.check?.({ ...parameters, object: this.object, model }, 'select');
    if (objection !== undefined) return refuse(objection);
    this.#take(client, parameters);
    return 'accepted';
  }

  operate(client: ControlClient, data: Data): ControlAnswer {
    const parameters = decodeControl(data);
    const model = this.#ports.model();
    const refuse = (addCause: AddCause) => this.#refuse(client, 'Oper', parameters, addCause);
    if (model === 'status-only') return refuse('not-supported');
    if (this.#execution) return refuse('command-already-in-execution');
    if (model.startsWith('sbo')) {
      const { client: owner, parameters: chosen } = this.#selection ?? {};
      if (!owner) return refuse('object-not-selected');
      if (owner !== client) return refuse('locked-by-other-client');
      if (chosen && !(sameData(chosen.ctlVal, parameters.ctlVal) && chosen.ctlNum === parameters.ctlNum)) {
        this.#release();
        return refuse('inconsistent-parameters');
      }
    } else if (this.#selection && this.#selection.client !== client) return refuse('locked-by-other-client');
    const request = { ...parameters, object: this.object, model };
    const objection = this.#ports.handler.check?.(request, 'operate');
    if (objection !== undefined) {
      this.#release();
      return refuse(objection);
    }
    this.#execute(client, request, data);
    return 'accepted';
  }

  cancel(client: ControlClient, data: Data): ControlAnswer {
    const parameters = decodeControl(data);
    if (this.#execution) {
      if (this.#execution.client !== client)
        return this.#refuse(client, 'Cancel', parameters, 'locked-by-other-client');
      this.#execution.controller.abort();
      return 'accepted';
    }
    if (this.#selection?.client !== client) return this.#refuse(client, 'Cancel', parameters, 'object-not-selected');
    this.#release();
    return 'accepted';
  }

  /** An association has ended: what it has selected is free again; what it has begun goes on. */
  lost(client: ControlClient): void {
    if (this.#selection?.client === client) this.#release();
    if (this.#execution?.client === client && this.#execution.waiting) this.#execution.controller.abort();
  }

  #take(client: ControlClient, parameters: ControlParameters | undefined): void {
    this.#selection?.cancelTimer();
    const cancelTimer = this.#ports.clock.schedule(this.#ports.sboTimeout(), () => this.#release());
    this.#selection = { client, parameters, cancelTimer };
    this.#ports.selected(true);
  }

  #release(): void {
    if (!this.#selection) return;
    this.#selection.cancelTimer();
    this.#selection = undefined;
    this.#ports.selected(false);
  }

  #refuse(
    client: ControlClient,
    part: string,
    { origin, ctlNum }: ControlParameters,
    addCause: AddCause,
  ): ControlAnswer {
    this.#ports.lastApplError(client, {
      control: `${this.#item}$${part}`,
      error: UNKNOWN_ERROR,
      origin,
      ctlNum,
      addCause,
    });
    return 'refused';
  }

  #execute(client: ControlClient, request: ControlRequest, data: Data): void {
    const controller = new AbortController();
    const execution: Execution = {
      client,
      controller,
      cancelTimer: undefined,
      waiting: false,
    };
    this.#execution = execution;
    const end = (addCause: AddCause | undefined): void => {
      if (this.#execution !== execution) return;
      this.#execution = undefined;
      execution.cancelTimer?.();
      this.#release();
      if (!request.model.endsWith('enhanced')) return;
      const { origin, ctlNum } = request;
      const error =
        addCause === undefined
          ? undefined
          : { control: `${this.#item}$Oper`, error: UNKNOWN_ERROR, origin, ctlNum, addCause };
      this.#ports.terminated(client, data, error);
    };
    const run = (): void => {
      execution.waiting = false;
      if (controller.signal.aborted) {
        end('abortion-by-cancel');
        return;
      }
      controller.signal.addEventListener('abort', () => end('abortion-by-cancel'), { once: true });
      Promise.resolve()
        .then(() => this.#ports.handler.operate(request, controller.signal))
        .then(end, () => end('unknown'));
    };
    const delay =
      request.operTm === undefined
        ? 0
        : request.operTm.seconds * 1000 + (request.operTm.fraction / 2 ** 24) * 1000 - this.#ports.clock.now();
    if (delay <= 0) {
      run();
      return;
    }
    // Time-activated: the selection has done its work, and what waits may be cancelled.
    execution.waiting = true;
    controller.signal.addEventListener('abort', () => end('abortion-by-cancel'), { once: true });
    execution.cancelTimer = this.#ports.clock.schedule(delay, run);
  }
}
