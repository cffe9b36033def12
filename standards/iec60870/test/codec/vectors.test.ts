/**
 * One frame of each type, written out octet by octet, against what it means; in both directions. Header of all:
 * originator 5, common address 0x0102 = 258, first address 0x030201.
 */
import { expect, test } from 'vitest';
import { asdu, decodeAsdu, encodeAsdu } from '../../src/codec/asdu.ts';
import type { Element } from '../../src/codec/elements.ts';
import { cp24, cp56, type Time } from '../../src/codec/time.ts';
import { DEFAULT_PARAMETERS } from '../../src/spec/parameters.ts';
import { TYPES, typeSpec } from '../../src/spec/types.ts';

const CP24 = cp24({ milliseconds: 0x1234, minute: 45, invalid: true });
const CP24_HEX = '3412ad';
// 2024-07-31 13:45:59.999, Wednesday, summer time.
const CP56 = cp56({
  milliseconds: 59_999,
  minute: 45,
  hour: 13,
  day: 31,
  dayOfWeek: 3,
  month: 7,
  year: 24,
  summerTime: true,
});
const CP56_HEX = '5fea2d8d7f0718';

const VECTORS: readonly [typeId: number, elementHex: string, element: Element][] = [
  [1, '91', { kind: 'single', value: 1, quality: 0x90 }],
  [2, '00', { kind: 'single', value: 0, quality: 0 }],
  [3, '42', { kind: 'double', value: 2, quality: 0x40 }],
  [4, '23', { kind: 'double', value: 3, quality: 0x20 }],
  [5, 'c001', { kind: 'step', value: -64, transient: true, quality: 1 }],
  [6, '3f80', { kind: 'step', value: 63, transient: false, quality: 0x80 }],
  [7, '78563482f1', { kind: 'bitstring', value: 0x82345678, quality: 0xf1 }],
  [8, 'ffffffff00', { kind: 'bitstring', value: 0xffffffff, quality: 0 }],
  [9, '008000', { kind: 'normalized', raw: -32768, quality: 0 }],
  [10, 'ff7f10', { kind: 'normalized', raw: 32767, quality: 0x10 }],
  [11, 'feff01', { kind: 'scaled', value: -2, quality: 1 }],
  [12, '0a0000', { kind: 'scaled', value: 10, quality: 0 }],
  [13, '0000c03f00', { kind: 'short', value: 1.5, quality: 0 }],
  [14, '000080ff80', { kind: 'short', value: Number.NEGATIVE_INFINITY, quality: 0x80 }],
  [15, 'ffffffff3f', { kind: 'integratedTotal', value: -1, sequence: 31, flags: 0x20 }],
  [16, '01000000c1', { kind: 'integratedTotal', value: 1, sequence: 1, flags: 0xc0 }],
  [17, '0a1027', { kind: 'protectionEvent', value: 2, quality: 8, elapsed: 10_000 }],
  [18, '3f80e803', { kind: 'protectionStart', value: 0x3f, quality: 0x80, elapsed: 1000 }],
  [19, '0f00ffff', { kind: 'protectionOutput', value: 0x0f, quality: 0, elapsed: 65_535 }],
  [20, '0180020001', { kind: 'packedSingle', value: 0x8001, changes: 2, quality: 1 }],
  [21, '0040', { kind: 'normalizedPlain', raw: 16_384 }],
  [30, '01', { kind: 'single', value: 1, quality: 0 }],
  [31, '01', { kind: 'double', value: 1, quality: 0 }],
  [32, '0100', { kind: 'step', value: 1, transient: false, quality: 0 }],
  [33, '0100000000', { kind: 'bitstring', value: 1, quality: 0 }],
  [34, '010000', { kind: 'normalized', raw: 1, quality: 0 }],
  [35, '010000', { kind: 'scaled', value: 1, quality: 0 }],
  [36, '0000484200', { kind: 'short', value: 50, quality: 0 }],
  [37, '0100000000', { kind: 'integratedTotal', value: 1, sequence: 0, flags: 0 }],
  [38, '010100', { kind: 'protectionEvent', value: 1, quality: 0, elapsed: 1 }],
  [39, '01000100', { kind: 'protectionStart', value: 1, quality: 0, elapsed: 1 }],
  [40, '01000100', { kind: 'protectionOutput', value: 1, quality: 0, elapsed: 1 }],
  [41, '07000a00000002', { kind: 'securityTotal', association: 7, value: 10, sequence: 2, flags: 0 }],
  [45, '85', { kind: 'singleCommand', value: 1, qualifier: 1, select: true }],
  [46, '0a', { kind: 'doubleCommand', value: 2, qualifier: 2, select: false }],
  [47, '7d', { kind: 'stepCommand', value: 1, qualifier: 31, select: false }],
  [48, '0080ff', { kind: 'setpointNormalized', raw: -32_768, qualifier: 127, select: true }],
  [49, 'ffff00', { kind: 'setpointScaled', value: -1, qualifier: 0, select: false }],
  [50, '0000484200', { kind: 'setpointShort', value: 50, qualifier: 0, select: false }],
  [51, 'efbeadde', { kind: 'bitstringCommand', value: 0xdeadbeef }],
  [58, '00', { kind: 'singleCommand', value: 0, qualifier: 0, select: false }],
  [59, '81', { kind: 'doubleCommand', value: 1, qualifier: 0, select: true }],
  [60, '02', { kind: 'stepCommand', value: 2, qualifier: 0, select: false }],
  [61, '000000', { kind: 'setpointNormalized', raw: 0, qualifier: 0, select: false }],
  [62, '640001', { kind: 'setpointScaled', value: 100, qualifier: 1, select: false }],
  [63, '0000803f80', { kind: 'setpointShort', value: 1, qualifier: 0, select: true }],
  [64, '01000000', { kind: 'bitstringCommand', value: 1 }],
  [70, '82', { kind: 'endOfInitialization', cause: 2, parametersChanged: true }],
  [100, '14', { kind: 'interrogation', qualifier: 20 }],
  [101, '45', { kind: 'counterInterrogation', request: 5, freeze: 1 }],
  [102, '', { kind: 'none' }],
  [103, '', { kind: 'none' }],
  [104, 'aa55', { kind: 'test', pattern: 0x55aa }],
  [105, '01', { kind: 'resetProcess', qualifier: 1 }],
  [106, '6400', { kind: 'delayAcquisition', milliseconds: 100 }],
  [107, '0200', { kind: 'test', pattern: 2 }],
  [110, '004001', { kind: 'parameterNormalized', raw: 16_384, qualifier: 1 }],
  [111, '0a0004', { kind: 'parameterScaled', value: 10, qualifier: 4 }],
  [112, '0000803f03', { kind: 'parameterShort', value: 1, qualifier: 3 }],
  [113, '03', { kind: 'parameterActivation', qualifier: 3 }],
  [120, '010000100080', { kind: 'fileReady', file: 1, length: 0x1000, qualifier: 0x80 }],
  [121, '01000204030200', { kind: 'sectionReady', file: 1, section: 2, length: 0x020304, qualifier: 0 }],
  [122, '01000206', { kind: 'fileCall', file: 1, section: 2, qualifier: 6 }],
  [123, '01000203fe', { kind: 'lastSection', file: 1, section: 2, qualifier: 3, checksum: 0xfe }],
  [124, '01000203', { kind: 'fileAcknowledge', file: 1, section: 2, qualifier: 3 }],
  [125, '01000203414243', { kind: 'segment', file: 1, section: 2, data: new Uint8Array([0x41, 0x42, 0x43]) }],
  [126, '010004000020', { kind: 'directory', file: 1, length: 4, status: 0x20 }],
  [127, `0100${CP56_HEX}${CP56_HEX}`, { kind: 'queryLog', file: 1, from: CP56, to: CP56 }],
];

test('there is a vector for every type of the table', () => {
  expect(VECTORS.map(([typeId]) => typeId)).toEqual(TYPES.map((spec) => spec.id));
});

for (const [typeId, elementHex, element] of VECTORS) {
  const spec = typeSpec(typeId)!;
  test(`${spec.name} (${typeId}), ${spec.text}`, () => {
    const time: Time | undefined = spec.time === 'CP24' ? CP24 : spec.time === 'CP56' ? CP56 : undefined;
    const timeHex = spec.time === 'CP24' ? CP24_HEX : spec.time === 'CP56' ? CP56_HEX : '';
    const hex = `${typeId.toString(16).padStart(2, '0')}01c7050201010203${elementHex}${timeHex}`;
    const value = asdu({
      typeId,
      cause: 7,
      negative: true,
      test: true,
      originator: 5,
      commonAddress: 258,
      objects: [{ address: 0x030201, element, ...(time ? { time } : {}) }],
    });
    expect(Buffer.from(encodeAsdu(value, DEFAULT_PARAMETERS)).toString('hex')).toBe(hex);
    expect(decodeAsdu(Buffer.from(hex, 'hex'), DEFAULT_PARAMETERS)).toEqual(value);
  });
}

test('a sequence has one address for consecutive elements', () => {
  const hex = '0b8303000700640000010000020000030000';
  const value = asdu({
    typeId: 11,
    sequence: true,
    cause: 3,
    commonAddress: 7,
    objects: [1, 2, 3].map((n, i) => ({ address: 100 + i, element: { kind: 'scaled', value: n, quality: 0 } })),
  });
  expect(Buffer.from(encodeAsdu(value, DEFAULT_PARAMETERS)).toString('hex')).toBe(hex);
  expect(decodeAsdu(Buffer.from(hex, 'hex'), DEFAULT_PARAMETERS)).toEqual(value);
});

test('a type that the companion standard does not define comes back with its octets and can be mirrored', () => {
  const hex = '630203050700aabbccdd';
  const value = decodeAsdu(Buffer.from(hex, 'hex'), DEFAULT_PARAMETERS);
  expect(value).toMatchObject({ typeId: 99, objects: [], opaque: { count: 2 } });
  expect(Buffer.from(encodeAsdu({ ...value, cause: 44, negative: true }, DEFAULT_PARAMETERS)).toString('hex')).toBe(
    '63026c050700aabbccdd',
  );
});

test('a sequence that would leave the range of addresses is an error of the peer', () => {
  const octets = (last: string) => Buffer.from(`01820300 0700 ${last}ffff 0101`.replaceAll(' ', ''), 'hex');
  expect(decodeAsdu(octets('fe'), DEFAULT_PARAMETERS).objects.map((object) => object.address)).toEqual([
    0xfffffe, 0xffffff,
  ]);
  expect(() => decodeAsdu(octets('ff'), DEFAULT_PARAMETERS)).toThrow(/leaves the range of addresses/);
});
