/** Controls as a client has them (IEC 61850-7-2 § 20): the sequence of the model, and an outcome that says where it ended and why. */
import { type Data, type InformationReport, MmsError, type TypeSpecification, utcTimeFromMillis } from '@enerchain/mms';
import type { Clock } from '@enerchain/transport';
import { Iec61850Error } from '../error.ts';
import {
  type AddCause,
  CONTROL_MODELS,
  type ControlModel,
  type ControlParameters,
  decodeControl,
  decodeLastApplError,
  encodeControl,
  type LastApplError,
  type Originator,
} from '../mapping/control.ts';
import type { Iec61850Client } from './client.ts';
import { objectName } from './references.ts';

export interface OperateOptions {
  /** Default: category remote-control with an empty identification; long ones have crashed devices. */
  readonly origin?: Originator;
  readonly test?: boolean;
  /** Default both true: the device checks what it can. */
  readonly synchroCheck?: boolean;
  readonly interlockCheck?: boolean;
  /** Milliseconds since 1970 at which it is to be carried out; for objects that can wait. */
  readonly at?: number;
  /** Milliseconds until a control with enhanced security must have ended. Default 30 000. */
  readonly terminationTimeout?: number;
  /** Only selected, to be operated or cancelled later. */
  readonly selectOnly?: boolean;
  /** Cancels what was selected or waits, instead of operating. */
  readonly cancel?: boolean;
}

/** Where a control ended. */
export type ControlStep = 'select' | 'operate' | 'termination' | 'cancel';

export type OperateOutcome =
  | { readonly ok: true; readonly model: ControlModel; readonly ctlNum: number }
  | {
      readonly ok: false;
      readonly model: ControlModel;
      readonly ctlNum: number;
      readonly step: ControlStep;
      /** Undefined when the device does not say. */
      readonly addCause: AddCause | undefined;
      /** No answer or no termination came: whether it was carried out is not known. */
      readonly unknown: boolean;
    };

/** How a write into a control was refused; 'refused' when the device does not say why, 'unanswered' when nobody knows. */
type Refused = AddCause | 'refused' | 'unanswered';

const NOBODY: Originator = { category: 'remote-control', identification: new Uint8Array(0) };

/** How a control with enhanced security ended: well, with an error, or nobody knows. */
type Ending = LastApplError | undefined | 'timeout' | 'lost';

interface Waiting {
  /** MMS name of Oper; several controls of one object may be under way, and the device refuses all but one. */
  readonly item: string;
  readonly ctlNum: number;
  readonly end: (ending: Ending) => void;
}

export class Controls {
  readonly #client: Iec61850Client;
  readonly #clock: Clock;
  readonly #numbers = new Map<string, number>();
  /** Objects that were only selected so far. */
  readonly #selected = new Set<string>();
  readonly #waiting = new Set<Waiting>();
  /** What was said last about a control, until it is asked for. */
  readonly #errors = new Map<string, LastApplError>();

  constructor(client: Iec61850Client, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** Takes a report about a control. @returns false when it is about something else */
  take({ access, results }: InformationReport): boolean {
    if (access.kind !== 'variables') return false;
    let error: LastApplError | undefined;
    let oper: { readonly item: string; readonly data: Data } | undefined;
    access.value.forEach(({ specification }, index) => {
      const result = results[index];
      if (specification.kind !== 'name' || result?.kind !== 'success') return;
      const { kind, value } = specification.value;
      if (kind === 'vmd' && value === 'LastApplError') error = decodeLastApplError(result.value);
      else if (kind === 'domain' && value.item.endsWith('$Oper'))
        oper = { item: `${value.domain}/${value.item}`, data: result.value };
    });
    if (oper !== undefined) this.#ended(oper.item, oper.data, error);
    else if (error) this.#errors.set(error.control, error);
    return oper !== undefined || error !== undefined;
  }

  #ended(item: string, data: Data, error: LastApplError | undefined): void {
    const those = [...this.#waiting].filter((waiting) => waiting.item === item);
    const ctlNum = error?.ctlNum ?? numberOf(data);
    // Where only one is under way, its number need not be right: there are devices that send another.
    const one = those.length === 1 ? those[0] : those.find((waiting) => waiting.ctlNum === ctlNum);
    one?.end(error);
  }

  /** The association is gone: nobody will say how it ended. */
  lost(): void {
    for (const { end } of [...this.#waiting]) end('lost');
  }

  async operate(reference: string, ctlVal: Data, options: OperateOptions): Promise<OperateOutcome> {
    const model = await this.#model(reference);
    const ctlNum = this.#number(reference, options);
    const failed = (step: ControlStep, addCause: AddCause | undefined, unknown = false): OperateOutcome => ({
      ok: false,
      model,
      ctlNum,
      step,
      addCause,
      unknown,
    });
    if (model === 'status-only') return failed('operate', 'not-supported');
    const type = await this.#client.type(`${reference}.Oper`, 'CO');
    const parameters: ControlParameters = {
      ctlVal,
      ...(options.at === undefined ? {} : { operTm: utcTimeFromMillis(options.at) }),
      origin: options.origin ?? NOBODY,
      ctlNum,
      time: utcTimeFromMillis(this.#clock.now()),
      test: options.test ?? false,
      synchroCheck: options.synchroCheck ?? true,
      interlockCheck: options.interlockCheck ?? true,
    };
    const timed = hasPart(type, 'operTm');
    if (options.at !== undefined && !timed) {
      throw new Iec61850Error(
        'unsupported',
        'control.time',
        `${reference} cannot be operated at a later time; nothing was done`,
      );
    }
    const send = async (part: 'SBOw' | 'Oper' | 'Cancel'): Promise<Refused | undefined> => {
      const item = this.#item(reference, part);
      this.#errors.delete(item);
      try {
        await this.#client.write(
          `${reference}.${part}`,
          'CO',
          encodeControl(parameters, timed, part !== 'Cancel' && hasPart(type, 'Check')),
        );
        return undefined;
      } catch (error) {
        if (error instanceof Iec61850Error && error.fault === 'peer')
          return this.#errors.get(item)?.addCause ?? 'refused';
        // Sent and not answered: nobody knows whether it is carried out.
        if (part === 'Oper' && error instanceof MmsError) return 'unanswered';
        throw error;
      }
    };
    const refused = (step: ControlStep, refusal: Refused): OperateOutcome =>
      failed(step, refusal === 'refused' || refusal === 'unanswered' ? undefined : refusal, refusal === 'unanswered');
    if (options.cancel) {
      this.#selected.delete(reference);
      const refusal = await send('Cancel');
      return refusal === undefined ? { ok: true, model, ctlNum } : refused('cancel', refusal);
    }
    const selected = this.#selected.delete(reference);
    if (selected) {
      // Chosen before, with this number.
    } else if (model === 'sbo-normal') {
      const answer = await this.#client.read(`${reference}.SBO`, 'CO');
      if (answer.kind !== 'visibleString' || answer.value === '') return failed('select', 'select-failed');
    } else if (model === 'sbo-enhanced') {
      const refusal = await send('SBOw');
      if (refusal !== undefined) return refused('select', refusal);
    }
    if (options.selectOnly) {
      this.#selected.add(reference);
      return { ok: true, model, ctlNum };
    }
    if (!model.endsWith('enhanced')) {
      const refusal = await send('Oper');
      return refusal === undefined ? { ok: true, model, ctlNum } : refused('operate', refusal);
    }
    const ending = this.#termination(this.#item(reference, 'Oper'), ctlNum, options.terminationTimeout ?? 30_000);
    const refusal = await send('Oper');
    if (refusal !== undefined) {
      ending.stop();
      return refused('operate', refusal);
    }
    const end = await ending.promise;
    if (end === undefined) return { ok: true, model, ctlNum };
    return end === 'timeout' || end === 'lost'
      ? failed('termination', undefined, true)
      : failed('termination', end.addCause);
  }

  async #model(reference: string): Promise<ControlModel> {
    const value = await this.#client.read(`${reference}.ctlModel`, 'CF');
    const number = value.kind === 'integer' || value.kind === 'unsigned' ? Number(value.value) : -1;
    const model = CONTROL_MODELS[number];
    if (!model)
      throw new Iec61850Error(
        'peer',
        'control.model',
        `${reference} has the control model ${String(value.value)}, which there is not`,
      );
    return model;
  }

  /** What was selected is operated or cancelled with its number; a new control has the next. */
  #number(reference: string, { cancel }: OperateOptions): number {
    const last = this.#numbers.get(reference) ?? 0;
    if (cancel || this.#selected.has(reference)) return last;
    const number = (last + 1) % 256;
    this.#numbers.set(reference, number);
    return number;
  }

  #item(reference: string, part: string): string {
    const name = objectName(`${reference}.${part}`, 'CO');
    return name.kind === 'domain' ? `${name.value.domain}/${name.value.item}` : '';
  }

  #termination(item: string, ctlNum: number, timeout: number): { readonly promise: Promise<Ending>; stop(): void } {
    let stop = (): void => {};
    const promise = new Promise<Ending>((resolve) => {
      const end = (ending: Ending): void => {
        cancel();
        this.#waiting.delete(waiting);
        resolve(ending);
      };
      const waiting: Waiting = { item, ctlNum, end };
      const cancel = this.#clock.schedule(timeout, () => end('timeout'));
      this.#waiting.add(waiting);
      stop = () => end(undefined);
    });
    return { promise, stop };
  }
}

/** Of the parameters that a termination repeats. */
function numberOf(data: Data): number | undefined {
  try {
    return decodeControl(data).ctlNum;
  } catch {
    return undefined;
  }
}

const hasPart = (type: TypeSpecification, name: string): boolean =>
  type.kind === 'structure' && type.value.components.some((component) => component.name === name);
