import { callerError } from '../errors.ts';

/** Widths of the address fields; both stations must be configured alike, nothing on the wire says them. */
export interface Widths {
  /** Octets of the cause of transmission: 2 with originator address (5-104), 1 without. */
  readonly causeSize: 1 | 2;
  /** Octets of the common address of ASDU. */
  readonly commonAddressSize: 1 | 2;
  /** Octets of the information object address. */
  readonly informationObjectAddressSize: 1 | 2 | 3;
}

/** Parameters of the link and application layer, IEC 60870-5-104 § 9.6 (interoperability list). */
export interface Parameters extends Widths {
  /** Most I-format APDUs that may be sent without being acknowledged, 1 to 32767. */
  readonly k: number;
  /** Acknowledge at the latest after this many received I-format APDUs; should not exceed two thirds of k. */
  readonly w: number;
  /** Time-out of connection establishment, seconds. */
  readonly t0: number;
  /** Time-out of sent or test APDUs, seconds: the connection is closed. */
  readonly t1: number;
  /** Time-out of acknowledgement when no data is sent, seconds; less than t1. */
  readonly t2: number;
  /** Time-out of sending test frames on an idle connection, seconds. */
  readonly t3: number;
  /** Longest ASDU in octets, at most 249 (253 octets of APDU less 4 of control field). */
  readonly maxAsduLength: number;
}

/** The defaults of IEC 60870-5-104 § 9.6. */
export const DEFAULT_PARAMETERS: Parameters = {
  k: 12,
  w: 8,
  t0: 30,
  t1: 15,
  t2: 10,
  t3: 20,
  causeSize: 2,
  commonAddressSize: 2,
  informationObjectAddressSize: 3,
  maxAsduLength: 249,
};

/** Highest number of octets of an ASDU in one APDU. */
export const MAX_ASDU_LENGTH = 249;

/**
 * Fills in the defaults and checks the ranges.
 * @throws Iec104Error (caller) that names the parameter
 */
export function completeParameters(given: Partial<Parameters> = {}): Parameters {
  const parameters: Parameters = { ...DEFAULT_PARAMETERS };
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (!(key in DEFAULT_PARAMETERS)) throw callerError('parameter.unknown', `There is no parameter '${key}'`);
    (parameters as unknown as Record<string, unknown>)[key] = value;
  }
  const integer = (
    key: 'k' | 'w' | 'causeSize' | 'commonAddressSize' | 'informationObjectAddressSize' | 'maxAsduLength',
    low: number,
    high: number,
  ) => {
    const value = parameters[key];
    if (!Number.isInteger(value) || value < low || value > high)
      throw callerError(
        'parameter.range',
        `Parameter ${key} is ${value}; it must be an integer from ${low} to ${high}`,
      );
  };
  integer('k', 1, 32767);
  integer('w', 1, 32767);
  integer('causeSize', 1, 2);
  integer('commonAddressSize', 1, 2);
  integer('informationObjectAddressSize', 1, 3);
  integer('maxAsduLength', 12, MAX_ASDU_LENGTH);
  for (const key of ['t0', 't1', 't2', 't3'] as const) {
    const value = parameters[key];
    if (!(value > 0 && value <= 172800))
      throw callerError('parameter.range', `Parameter ${key} is ${value}; it must be a number of seconds above 0`);
  }
  if (parameters.t2 >= parameters.t1)
    throw callerError(
      'parameter.range',
      `t2 (${parameters.t2} s) must be less than t1 (${parameters.t1} s), 5-104 § 5.1`,
    );
  return parameters;
}

/** The common address that means every station: 255 or 65535. */
export function broadcastAddress(widths: Widths): number {
  return widths.commonAddressSize === 1 ? 0xff : 0xffff;
}
