import type { Asdu, InformationObject } from '../codec/asdu.ts';
import type { Element } from '../codec/elements.ts';
import type { Cp56Time } from '../codec/time.ts';

/** Information to be sent: the station adds cause, common address, originator and test bit, and splits what is too long. */
export interface AsduContent {
  readonly typeId: number;
  readonly objects: readonly InformationObject[];
  /** SQ: the addresses are consecutive and only the first is transmitted. Default false. */
  readonly sequence?: boolean;
}

/** Who asks. */
export interface RequestContext {
  /** Number of the connection, unique in the life of the server. */
  readonly connection: number;
  /** Address of the peer, `host:port`. */
  readonly peer: string;
  readonly group: string;
  readonly originator: number;
  /** The ASDU as it arrived. */
  readonly asdu: Asdu;
}

/** What a refusal looks like on the wire: a cause 44 to 47, or the confirmation of the request with P/N = 1. */
export type RefusalKind =
  | 'unknown type'
  | 'unknown cause'
  | 'unknown common address'
  | 'unknown object address'
  | 'negative';

export interface Refusal {
  readonly refuse: RefusalKind;
}

/**
 * A command as the application decides it. `phase` 'select' asks whether the command could be executed now; 'execute' is the
 * moment to act; 'cancel' tells that a selection was deactivated (its answer is not used).
 */
export interface ControlRequest {
  readonly phase: 'select' | 'execute' | 'cancel';
  readonly typeId: number;
  readonly commonAddress: number;
  readonly address: number;
  /** SCO, DCO, RCO: the state; set-points: the value, normalised ones as raw int16; C_BO: the 32 bits. */
  readonly value: number;
  /** QU or QL; 0 for C_BO. */
  readonly qualifier: number;
  /** CP56Time2a of C_..._TA_1 commands. */
  readonly time?: Cp56Time;
  readonly element: Element;
}

/**
 * 'accept': confirmed and, for an execute, terminated at once. `done`: confirmed now, terminated when the promise settles,
 * with P/N = 1 when it rejects. `terminate: false`: this object knows no ACTTERM.
 */
export type CommandVerdict =
  | 'accept'
  | { readonly accept: true; readonly done?: Promise<unknown>; readonly terminate?: boolean }
  | Refusal;

/** How a control object may be operated. 'either' executes without a select too, but honours one that stands. */
export type ControlMode = 'direct' | 'select-before-operate' | 'either';

type Answer<T> = T | Promise<T>;
type Contents = Iterable<AsduContent> | AsyncIterable<AsduContent>;

/**
 * What the application knows and does. Each handler is optional: a type without its handler is refused with cause 44. A handler
 * that throws is answered with a negative confirmation and reported by `onHandlerError`.
 */
export interface ServerHandlers {
  /**
   * The process image for a station (qualifier 20) or group (21 to 36) interrogation. It is pulled as the window opens, so a
   * generator may be as long as the station is large.
   */
  interrogation?(context: RequestContext, commonAddress: number, qualifier: number): Answer<Contents | Refusal>;
  /**
   * Counters for RQT 5 (general) or 1 to 4 (groups). FRZ 0 reads; 1 freezes, 2 freezes and resets, 3 resets: these three are
   * answered without data.
   */
  counterInterrogation?(
    context: RequestContext,
    commonAddress: number,
    request: number,
    freeze: number,
  ): Answer<Contents | Refusal>;
  /** One object for C_RD_NA_1; undefined when there is none at the address. */
  read?(context: RequestContext, commonAddress: number, address: number): Answer<AsduContent | undefined | Refusal>;
  /** How an object is controlled; undefined when there is none (cause 47). Default: 'either' for every address. */
  controlMode?(typeId: number, commonAddress: number, address: number): ControlMode | undefined;
  command?(context: RequestContext, request: ControlRequest): Answer<CommandVerdict>;
  /** C_CS_NA_1. The time returned (default: the time received) goes back in the confirmation. */
  clockSync?(context: RequestContext, commonAddress: number, time: Cp56Time): Answer<Cp56Time | undefined | Refusal>;
  /** C_RP_NA_1, called after the confirmation has been queued. */
  resetProcess?(context: RequestContext, commonAddress: number, qualifier: number): Answer<undefined | Refusal>;
  /** C_CD_NA_1. */
  delayAcquisition?(context: RequestContext, commonAddress: number, milliseconds: number): Answer<undefined | Refusal>;
  /** P_ME_NA_1 to P_AC_NA_1; `active` is false for the deactivation of P_AC_NA_1. */
  parameter?(
    context: RequestContext,
    request: {
      readonly typeId: number;
      readonly commonAddress: number;
      readonly address: number;
      readonly element: Element;
      readonly active: boolean;
    },
  ): Answer<undefined | Refusal>;
}

/** Whether a handler's answer is a refusal. */
export function isRefusal(answer: unknown): answer is Refusal {
  return typeof answer === 'object' && answer !== null && 'refuse' in answer;
}
