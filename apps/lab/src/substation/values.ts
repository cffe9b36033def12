/** Values as an IED has them, with quality and time. */
import { type BitString, type Data, utcTimeFromMillis } from '@enerchain/mms';

export const bool = (value: boolean): Data => ({ kind: 'boolean', value });
export const whole = (value: number): Data => ({ kind: 'integer', value });
export const float = (value: number): Data => ({ kind: 'float', value: Math.fround(value) });
export const text = (value: string): Data => ({ kind: 'visibleString', value });

/** Positions (IEC 61850-7-3 § 6.4.2). */
export type Position = 'intermediate' | 'off' | 'on' | 'bad';
const POSITIONS: readonly Position[] = ['intermediate', 'off', 'on', 'bad'];
const CODES = POSITIONS.map((_, code): Data => ({ kind: 'bitString', value: bitsOf([code & 2, code & 1]) }));
export const position = (of: Position): Data => CODES[POSITIONS.indexOf(of)]!;
export const positionOf = (data: Data | undefined): Position =>
  data?.kind === 'bitString' ? POSITIONS[(data.value.bytes[0] ?? 0) >> 6]! : 'bad';

/** Quality (7-3 § 6.2.1): what of it occurs here. */
export type Quality = 'good' | 'invalid' | 'questionable';
const qualities = new Map<string, Data>();
export function quality(validity: Quality, test: boolean): Data {
  const key = `${validity}${test}`;
  const known = qualities.get(key);
  if (known) return known;
  const flags = new Array<number>(13).fill(0);
  if (validity !== 'good') flags[1] = 1;
  if (validity === 'questionable') flags[0] = 1;
  if (test) flags[11] = 1;
  const made: Data = { kind: 'bitString', value: bitsOf(flags) };
  qualities.set(key, made);
  return made;
}

/** Good, and for the process: not a test. */
export const isGood = (data: Data): boolean =>
  data.kind === 'bitString' && ((data.value.bytes[0] ?? 0) & 0xc0) === 0 && ((data.value.bytes[1] ?? 0) & 0x10) === 0;

/** ms, as told: 10 bits of the fraction mean something. */
const ACCURACY = 10;
const NOT_SYNCHRONIZED = 0x20;
export const timestamp = (millis: number, synchronized = true): Data => ({
  kind: 'utcTime',
  value: utcTimeFromMillis(millis, ACCURACY | (synchronized ? 0 : NOT_SYNCHRONIZED)),
});

function bitsOf(flags: readonly number[]): BitString {
  const bytes = new Uint8Array(Math.ceil(flags.length / 8));
  for (const [index, flag] of flags.entries()) if (flag) bytes[index >> 3]! |= 0x80 >> (index & 7);
  return { length: flags.length, bytes };
}
