/** Controls on the wire (IEC 61850-7-2 § 20, 8-1 § 20): models, parameters, and what is said when one is refused. */
import { type BitString, bit, type Data, type UtcTime } from '@enerchain/mms';
import { Iec61850Error } from '../error.ts';

/** In the order of their numbers in ctlModel. */
export const CONTROL_MODELS = [
  'status-only',
  'direct-normal',
  'sbo-normal',
  'direct-enhanced',
  'sbo-enhanced',
] as const;
export type ControlModel = (typeof CONTROL_MODELS)[number];

/** Why a control is refused or broken off, in the order of the numbers (7-2 table 57). */
export const ADD_CAUSES = [
  'unknown',
  'not-supported',
  'blocked-by-switching-hierarchy',
  'select-failed',
  'invalid-position',
  'position-reached',
  'parameter-change-in-execution',
  'step-limit',
  'blocked-by-mode',
  'blocked-by-process',
  'blocked-by-interlocking',
  'blocked-by-synchrocheck',
  'command-already-in-execution',
  'blocked-by-health',
  '1-of-n-control',
  'abortion-by-cancel',
  'time-limit-over',
  'abortion-by-trip',
  'object-not-selected',
  'object-already-selected',
  'no-access-authority',
  'ended-with-overshoot',
  'abortion-due-to-deviation',
  'abortion-by-communication-loss',
  'blocked-by-command',
  'none',
  'inconsistent-parameters',
  'locked-by-other-client',
] as const;
export type AddCause = (typeof ADD_CAUSES)[number];

/** `orCat` by name, in the order of the numbers. */
export const ORIGINATOR_CATEGORIES = [
  'not-supported',
  'bay-control',
  'station-control',
  'remote-control',
  'automatic-bay',
  'automatic-station',
  'automatic-remote',
  'maintenance',
  'process',
] as const;
export type OriginatorCategory = (typeof ORIGINATOR_CATEGORIES)[number];

export interface Originator {
  readonly category: OriginatorCategory;
  /** At most 64 octets; long ones have crashed devices, so it is short here by default. */
  readonly identification: Uint8Array;
}

export interface ControlParameters {
  readonly ctlVal: Data;
  /** When it is to be carried out; absent for at once. */
  readonly operTm?: UtcTime;
  readonly origin: Originator;
  /** 0 to 255. */
  readonly ctlNum: number;
  readonly time: UtcTime;
  readonly test: boolean;
  readonly synchroCheck: boolean;
  readonly interlockCheck: boolean;
}

/** What a server says about a control it refuses, or that ended badly. */
export interface LastApplError {
  /** `BCU1CTRL/QA1XCBR1$CO$Pos$Oper`. */
  readonly control: string;
  /** 0 no error, 1 unknown, 2 time-out test not ok, 3 operator test not ok. */
  readonly error: number;
  readonly origin: Originator;
  readonly ctlNum: number;
  readonly addCause: AddCause;
}

/** @param timeActivated whether the structure has an `operTm` @param check whether it has a `Check`: that of Cancel has none */
export function encodeControl(control: ControlParameters, timeActivated: boolean, check: boolean): Data {
  const { ctlVal, operTm, origin, ctlNum, time, test, synchroCheck, interlockCheck } = control;
  const checks: BitString = {
    length: 2,
    bytes: Uint8Array.of((synchroCheck ? 0x80 : 0) | (interlockCheck ? 0x40 : 0)),
  };
  return {
    kind: 'structure',
    value: [
      ctlVal,
      ...(timeActivated
        ? [{ kind: 'utcTime', value: operTm ?? { seconds: 0, fraction: 0, quality: 0 } } as const]
        : []),
      encodeOriginator(origin),
      { kind: 'unsigned', value: ctlNum },
      { kind: 'utcTime', value: time },
      { kind: 'boolean', value: test },
      ...(check ? [{ kind: 'bitString', value: checks } as const] : []),
    ],
  };
}

/** @throws Iec61850Error `control.format` (peer) */
export function decodeControl(data: Data): ControlParameters {
  const wrong = (what: string): Iec61850Error =>
    new Iec61850Error('peer', 'control.format', `a control has no ${what} where it belongs`);
  if (data.kind !== 'structure') throw wrong('structure');
  const parts = [...data.value];
  const ctlVal = parts.shift();
  if (!ctlVal) throw wrong('ctlVal');
  const operTm = parts[0]?.kind === 'utcTime' ? parts.shift() : undefined;
  const [origin, ctlNum, time, test, check] = parts;
  if (origin?.kind !== 'structure') throw wrong('origin');
  if (ctlNum?.kind !== 'unsigned' && ctlNum?.kind !== 'integer') throw wrong('ctlNum');
  // Edition 1 devices take T as binary time; it says nothing that is needed.
  if (time?.kind !== 'utcTime' && time?.kind !== 'binaryTime') throw wrong('T');
  if (test?.kind !== 'boolean') throw wrong('Test');
  const checks = check?.kind === 'bitString' ? check.value : undefined;
  return {
    ctlVal,
    ...(operTm?.kind === 'utcTime' && operTm.value.seconds !== 0 ? { operTm: operTm.value } : {}),
    origin: decodeOriginator(origin),
    ctlNum: Number(ctlNum.value),
    time: time.kind === 'utcTime' ? time.value : { seconds: 0, fraction: 0, quality: 0x40 },
    test: test.value,
    synchroCheck: checks !== undefined && bit(checks, 0),
    interlockCheck: checks !== undefined && bit(checks, 1),
  };
}

export const encodeOriginator = ({ category, identification }: Originator): Data => ({
  kind: 'structure',
  value: [
    { kind: 'integer', value: ORIGINATOR_CATEGORIES.indexOf(category) },
    { kind: 'octetString', value: identification },
  ],
});

function decodeOriginator(data: Extract<Data, { kind: 'structure' | 'array' }>): Originator {
  const [category, identification] = data.value;
  const number = category?.kind === 'integer' || category?.kind === 'unsigned' ? Number(category.value) : 0;
  return {
    category: ORIGINATOR_CATEGORIES[number] ?? 'not-supported',
    identification: identification?.kind === 'octetString' ? identification.value : new Uint8Array(0),
  };
}

export const encodeLastApplError = ({ control, error, origin, ctlNum, addCause }: LastApplError): Data => ({
  kind: 'structure',
  value: [
    { kind: 'visibleString', value: control },
    { kind: 'integer', value: error },
    encodeOriginator(origin),
    { kind: 'unsigned', value: ctlNum },
    { kind: 'integer', value: ADD_CAUSES.indexOf(addCause) },
  ],
});

/** @returns undefined when it is none */
export function decodeLastApplError(data: Data): LastApplError | undefined {
  if (data.kind !== 'structure') return undefined;
  const [control, error, origin, ctlNum, addCause] = data.value;
  if (control?.kind !== 'visibleString' || origin?.kind !== 'structure') return undefined;
  const number = (part: Data | undefined): number =>
    part?.kind === 'integer' || part?.kind === 'unsigned' ? Number(part.value) : 0;
  return {
    control: control.value,
    error: number(error),
    origin: decodeOriginator(origin),
    ctlNum: number(ctlNum),
    addCause: ADD_CAUSES[number(addCause)] ?? 'unknown',
  };
}
