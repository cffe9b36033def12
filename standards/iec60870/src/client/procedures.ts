/** The application functions of a controlling station as exchanges, IEC 60870-5-101 § 7.4 and 5-104 § 7. */
import { type Asdu, asdu, type InformationObject } from '../codec/asdu.ts';
import type { Element } from '../codec/elements.ts';
import { Iec104Error } from '../errors.ts';
import { COT, causeText } from '../spec/causes.ts';
import { typeName } from '../spec/types.ts';
import {
  type CommandMode,
  type CommandOutcome,
  type CommandProgress,
  type CommandStep,
  firstStep,
  onCommandLost,
  onCommandReply,
  onCommandTimeout,
} from './command-machine.ts';
import type { Exchange, Exchanges } from './exchanges.ts';

const isUnknown = (cause: number) => cause >= COT.unknownType && cause <= COT.unknownObjectAddress;

const WINDOW_CLOSED = 'the station did not acknowledge what was sent before (k)';

function notSent(name: string, reason: string): Iec104Error {
  return new Iec104Error('environment', 'client.notSent', `${name}: ${reason}; nothing was sent`);
}

function lost(name: string, reason: string): Iec104Error {
  return new Iec104Error('environment', 'client.lost', `${name}: ${reason} before the answer came`);
}

/** The station refused a request; `cause` is the cause of transmission of its answer. */
export class Iec104Refusal extends Iec104Error {
  readonly causeOfTransmission: number;

  constructor(name: string, cause: number) {
    const why = isUnknown(cause) ? causeText(cause) : `negative ${causeText(cause)}`;
    super('peer', 'client.refused', `${name} was refused: ${why}`);
    this.causeOfTransmission = cause;
  }
}

export interface RequestSpec<T> {
  readonly name: string;
  readonly asdu: Asdu;
  readonly seconds: number;
  /** Whether an ASDU is an answer (positive or negative) to this request. */
  readonly answers: (asdu: Asdu) => boolean;
  readonly result: (asdu: Asdu) => T;
}

/** One question, one answer: read, clock, test, reset, parameters. */
export function request<T>(exchanges: Exchanges, spec: RequestSpec<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const { name } = spec;
    const exchange: Exchange = {
      name,
      receive(received) {
        if (!spec.answers(received)) return;
        exchanges.end(exchange);
        if (received.negative || isUnknown(received.cause)) reject(new Iec104Refusal(name, received.cause));
        else resolve(spec.result(received));
      },
      expire(sent) {
        exchanges.end(exchange);
        if (!sent) return reject(notSent(name, WINDOW_CLOSED));
        reject(new Iec104Error('peer', 'client.timeout', `${name}: no answer within ${spec.seconds} s`));
      },
      lose: (reason, sent) => reject(sent ? lost(name, reason) : notSent(name, reason)),
      refuse: reject,
    };
    exchanges.begin(exchange);
    exchanges.enqueue(exchange, spec.asdu);
    exchanges.limit(exchange, spec.seconds);
  });
}

export interface InterrogationResult {
  /** The station reported the end (activation termination); false: it stayed silent for the time limit instead. */
  readonly terminated: boolean;
  /** ASDUs and information objects that came with the cause of this interrogation. */
  readonly asdus: number;
  readonly objects: number;
}

export interface InterrogationSpec {
  readonly name: string;
  readonly asdu: Asdu;
  /** Cause of transmission of the values. */
  readonly dataCause: number;
  readonly broadcast: boolean;
  /** Seconds for the confirmation. */
  readonly actcon: number;
  /** Seconds without any value after which the end is not waited for any longer. */
  readonly actterm: number;
  /** Broadcast: seconds of silence after the last termination, because nobody knows how many stations answer. */
  readonly quiet: number;
}

/** Interrogation of a station, a group or counters: confirmation, values, termination. */
export function interrogation(exchanges: Exchanges, spec: InterrogationSpec): Promise<InterrogationResult> {
  return new Promise((resolve, reject) => {
    const { name } = spec;
    const { commonAddress, typeId } = spec.asdu;
    /** Stations that have confirmed and not terminated. */
    const open = new Set<number>();
    let confirmed = false;
    let terminated = false;
    let asdus = 0;
    let objects = 0;
    const done = (all: boolean) => {
      exchanges.end(exchange);
      resolve({ terminated: all, asdus, objects });
    };
    const exchange: Exchange = {
      name,
      receive(received) {
        if (!spec.broadcast && received.commonAddress !== commonAddress) return;
        if (received.typeId !== typeId) {
          if (received.cause !== spec.dataCause || !confirmed) return;
          asdus++;
          objects += received.objects.length;
          exchanges.limit(exchange, spec.actterm);
          return;
        }
        const station = received.commonAddress;
        if (isUnknown(received.cause) || (received.cause === COT.activationConfirmation && received.negative)) {
          if (spec.broadcast && confirmed) return;
          exchanges.end(exchange);
          reject(new Iec104Refusal(name, received.cause));
        } else if (received.cause === COT.activationConfirmation) {
          confirmed = true;
          open.add(station);
          exchanges.limit(exchange, spec.actterm);
        } else if (received.cause === COT.activationTermination && confirmed) {
          open.delete(station);
          if (open.size > 0) return;
          terminated = true;
          if (spec.broadcast) exchanges.limit(exchange, spec.quiet);
          else done(true);
        }
      },
      expire(sent) {
        if (confirmed) return done(terminated && open.size === 0);
        exchanges.end(exchange);
        if (!sent) return reject(notSent(name, WINDOW_CLOSED));
        reject(new Iec104Error('peer', 'client.timeout', `${name}: no confirmation within ${spec.actcon} s`));
      },
      lose: (reason, sent) => reject(sent ? lost(name, reason) : notSent(name, reason)),
      refuse: reject,
    };
    exchanges.begin(exchange);
    exchanges.enqueue(exchange, spec.asdu);
    exchanges.limit(exchange, spec.actcon);
  });
}

export interface CommandSpec {
  readonly typeId: number;
  readonly ca: number;
  readonly originator: number;
  readonly test: boolean;
  readonly mode: CommandMode;
  /** The information object for the select and for the execute step; the time tag is set when it is sent. */
  readonly object: (select: boolean) => InformationObject;
  readonly actcon: number;
  /** Seconds to wait for the termination; 0 = not waited for. */
  readonly actterm: number;
  /** Sends what is queued. */
  readonly pump: () => void;
}

const hasSelect = (element: Element): element is Extract<Element, { select: boolean }> => 'select' in element;

/** A command with its outcome. Rejects only when nothing was sent. */
export function command(exchanges: Exchanges, spec: CommandSpec): Promise<CommandOutcome> {
  return new Promise((resolve, reject) => {
    const { ca, typeId, mode } = spec;
    let step: CommandStep = firstStep(mode);
    const ioa = spec.object(false).address;
    const name = `${typeName(typeId)} CA ${ca} IOA ${ioa}`;
    const send = (next: 'select' | 'execute' | 'deactivate') => {
      step = next;
      exchanges.enqueue(
        exchange,
        asdu({
          typeId,
          cause: next === 'deactivate' ? COT.deactivation : COT.activation,
          commonAddress: ca,
          originator: spec.originator,
          test: spec.test,
          objects: [spec.object(next !== 'execute')],
        }),
      );
      exchanges.limit(exchange, spec.actcon);
    };
    const finish = (outcome: CommandOutcome) => {
      exchanges.end(exchange);
      resolve(outcome);
    };
    const exchange: Exchange = {
      name,
      receive(received) {
        if (received.typeId !== typeId || received.commonAddress !== ca) return;
        const object = received.objects[0];
        if (received.opaque === undefined && object?.address !== ioa) return;
        // The answer mirrors S/E; one that does not belongs to another step or another client.
        if (object && hasSelect(object.element) && !isUnknown(received.cause)) {
          if (object.element.select !== (step === 'select' || step === 'deactivate')) return;
        }
        const progress: CommandProgress = onCommandReply(mode, step, received, spec.actterm > 0);
        if (progress === undefined) return;
        if ('kind' in progress) return finish(progress);
        if ('send' in progress) {
          send(progress.send);
          spec.pump();
        } else {
          step = progress.wait;
          exchanges.limit(exchange, spec.actterm);
        }
      },
      expire(sent) {
        if (sent) return finish(onCommandTimeout(step, spec.actcon));
        exchanges.end(exchange);
        reject(notSent(name, WINDOW_CLOSED));
      },
      lose(reason, sent) {
        if (sent) resolve(onCommandLost(step, reason));
        else reject(notSent(name, reason));
      },
      refuse: reject,
    };
    exchanges.begin(exchange);
    send(step as 'select' | 'execute' | 'deactivate');
  });
}
