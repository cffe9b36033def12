import fc from 'fast-check';
import { type Asdu, asdu } from '../../src/codec/asdu.ts';
import type { Element, ElementKind } from '../../src/codec/elements.ts';
import { cp24, cp56, type Time } from '../../src/codec/time.ts';
import type { Widths } from '../../src/spec/parameters.ts';
import type { TypeSpec } from '../../src/spec/types.ts';

const int = (min: number, max: number) => fc.integer({ min, max });
const bits = (count: number) => fc.bigInt({ min: 0n, max: 2n ** BigInt(count) - 1n }).map(Number);
const mask = (value: number) => bits(8).map((octet) => octet & value);
const int16 = int(-32768, 32767);
const int32 = int(-2147483648, 2147483647);
const float = fc.oneof(
  fc.float({ noNaN: true }),
  fc.constantFrom(0, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN),
);

export const cp24Time = fc
  .record({ milliseconds: int(0, 59999), minute: int(0, 59), invalid: fc.boolean(), substituted: fc.boolean() })
  .map(cp24);

export const cp56Time = fc
  .record({
    milliseconds: int(0, 59999),
    minute: int(0, 59),
    invalid: fc.boolean(),
    substituted: fc.boolean(),
    hour: int(0, 23),
    summerTime: fc.boolean(),
    day: int(1, 31),
    dayOfWeek: int(0, 7),
    month: int(1, 12),
    year: int(0, 99),
  })
  .map(cp56);

const command = (low: number, high: number) => ({ value: int(low, high), qualifier: bits(5), select: fc.boolean() });
const protection = { value: bits(8), quality: bits(8), elapsed: bits(16) };
const file = { file: bits(16), section: bits(8), qualifier: bits(8) };

const FIELDS: { readonly [K in ElementKind]: Record<string, fc.Arbitrary<unknown>> } = {
  none: {},
  single: { value: int(0, 1), quality: mask(0xf0) },
  double: { value: int(0, 3), quality: mask(0xf0) },
  step: { value: int(-64, 63), transient: fc.boolean(), quality: mask(0xf1) },
  bitstring: { value: bits(32), quality: mask(0xf1) },
  normalized: { raw: int16, quality: mask(0xf1) },
  scaled: { value: int16, quality: mask(0xf1) },
  short: { value: float, quality: mask(0xf1) },
  integratedTotal: { value: int32, sequence: bits(5), flags: mask(0xe0) },
  securityTotal: { association: bits(16), value: int32, sequence: bits(5), flags: mask(0xe0) },
  protectionEvent: { value: int(0, 3), quality: mask(0xf8), elapsed: bits(16) },
  protectionStart: protection,
  protectionOutput: protection,
  packedSingle: { value: bits(16), changes: bits(16), quality: mask(0xf1) },
  normalizedPlain: { raw: int16 },
  singleCommand: command(0, 1),
  doubleCommand: command(0, 3),
  stepCommand: command(0, 3),
  setpointNormalized: { raw: int16, qualifier: bits(7), select: fc.boolean() },
  setpointScaled: { value: int16, qualifier: bits(7), select: fc.boolean() },
  setpointShort: { value: float, qualifier: bits(7), select: fc.boolean() },
  bitstringCommand: { value: bits(32) },
  endOfInitialization: { cause: bits(7), parametersChanged: fc.boolean() },
  interrogation: { qualifier: bits(8) },
  counterInterrogation: { request: bits(6), freeze: bits(2) },
  test: { pattern: bits(16) },
  resetProcess: { qualifier: bits(8) },
  delayAcquisition: { milliseconds: bits(16) },
  parameterNormalized: { raw: int16, qualifier: bits(8) },
  parameterScaled: { value: int16, qualifier: bits(8) },
  parameterShort: { value: float, qualifier: bits(8) },
  parameterActivation: { qualifier: bits(8) },
  fileReady: { file: bits(16), length: bits(24), qualifier: bits(8) },
  sectionReady: { file: bits(16), section: bits(8), length: bits(24), qualifier: bits(8) },
  fileCall: file,
  lastSection: { ...file, checksum: bits(8) },
  fileAcknowledge: file,
  segment: { file: bits(16), section: bits(8), data: fc.uint8Array({ maxLength: 230 }) },
  directory: { file: bits(16), length: bits(24), status: bits(8) },
  queryLog: { file: bits(16), from: cp56Time, to: cp56Time },
};

export function elementOf(kind: ElementKind): fc.Arbitrary<Element> {
  return fc.record({ kind: fc.constant(kind), ...FIELDS[kind] }) as unknown as fc.Arbitrary<Element>;
}

/** Any legal ASDU of a type for given widths. */
export function asduOf(spec: TypeSpec, sequence: boolean, widths: Widths): fc.Arbitrary<Asdu> {
  const time: fc.Arbitrary<Time | undefined> =
    spec.time === 'none' ? fc.constant(undefined) : spec.time === 'CP24' ? cp24Time : cp56Time;
  const highest = 2 ** (8 * widths.informationObjectAddressSize) - 1;
  const most = spec.element === 'segment' ? 1 : 8;
  return fc
    .record({
      cause: bits(6),
      negative: fc.boolean(),
      test: fc.boolean(),
      originator: widths.causeSize === 2 ? bits(8) : fc.constant(0),
      commonAddress: bits(8 * widths.commonAddressSize),
      first: int(0, highest - most),
      objects: fc.array(fc.tuple(int(0, highest), elementOf(spec.element), time), { minLength: 1, maxLength: most }),
    })
    .map(({ first, objects, ...head }) =>
      asdu({
        ...head,
        typeId: spec.id,
        sequence,
        objects: objects.map(([address, element, at], i) => ({
          address: sequence ? first + i : address,
          element,
          ...(at === undefined ? {} : { time: at }),
        })),
      }),
    );
}
