import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  bit,
  bitString,
  bits,
  bitsOf,
  bitText,
  boolean,
  integer32,
  nothing,
  octets,
  oid,
  readInteger,
  unsigned8,
  unsigned32,
  visibleString,
  writeInteger,
} from '../../src/ber/primitive.ts';
import { BerReader } from '../../src/ber/reader.ts';
import {
  application,
  byDefault,
  choice,
  context,
  decodeWith,
  encodeWith,
  explicit,
  lazy,
  optional,
  plain,
  sequence,
  sequenceOf,
  type Type,
} from '../../src/ber/type.ts';
import { BerWriter } from '../../src/ber/writer.ts';
import { damage, hex, random, tolerant, unhex } from '../support/fuzz.ts';

const code = (action: () => unknown) => {
  try {
    action();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'no error';
};

const whole = plain<number | bigint>(2, readInteger, writeInteger);

describe('primitive types', () => {
  const vectors: [Type<never>, unknown, string][] = (
    [
      [boolean, true, '0101ff'],
      [boolean, false, '010100'],
      [nothing, null, '0500'],
      [whole, 0, '020100'],
      [whole, 127, '02017f'],
      [whole, 128, '02020080'],
      [whole, -128, '020180'],
      [whole, -129, '0202ff7f'],
      [whole, 2 ** 40, '0206010000000000'],
      [whole, -(2 ** 53) + 1, '0207e0000000000001'],
      [whole, 2n ** 63n, '0209008000000000000000'],
      [whole, -(2n ** 63n), '02088000000000000000'],
      [unsigned32, 0xffff_ffff, '020500ffffffff'],
      [octets, unhex('0102ff'), '04030102ff'],
      [octets, new Uint8Array(0), '0400'],
      [bitString, bits('011'), '03020560'],
      [bitString, bits(''), '030100'],
      [bitString, bitsOf(13, [0, 12]), '0303038008'],
      [visibleString, 'GGIO1$MX', '1a084747494f31244d58'],
      [oid, '1.0.9506.2.3', '060528ca220203'],
      [oid, '2.2.1.0.1', '060452010001'],
      [oid, '2.999.4294967295', '060788378fffffff7f'],
    ] as const
  ).map(([type, value, text]) => [type as never, value, text]);
  test.each(vectors)('vector %#', (type, value, text) => {
    expect(hex(encodeWith(type as Type<unknown>, value))).toBe(text);
    expect(decodeWith(type as Type<unknown>, unhex(text))).toEqual(value);
  });

  test('whole numbers come back as they were', () => {
    fc.assert(
      fc.property(fc.oneof(fc.maxSafeInteger(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n })), (value) => {
        const back = decodeWith(whole, encodeWith(whole, value));
        expect(BigInt(back)).toBe(BigInt(value));
        expect(typeof back).toBe(Number.isSafeInteger(Number(value)) ? 'number' : 'bigint');
      }),
    );
  });

  test('bits and object identifiers come back as they were', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('0', '1'), { maxLength: 100 }), (array) => {
        const text = array.join('');
        const value = decodeWith(bitString, encodeWith(bitString, bits(text)));
        expect(bitText(value)).toBe(text);
        expect(bit(value, text.length)).toBe(false);
      }),
    );
    fc.assert(
      fc.property(fc.nat(2), fc.nat(39), fc.array(fc.nat({ max: 0xffff_ffff }), { maxLength: 8 }), (a, b, rest) => {
        const value = [a, b, ...rest].join('.');
        expect(decodeWith(oid, encodeWith(oid, value))).toBe(value);
      }),
    );
  });

  test.each([
    [boolean, '01020000', 'ber.boolean'],
    [nothing, '050100', 'ber.null'],
    [whole, '0200', 'ber.integer'],
    [whole, '020a00000000000000000000', 'ber.integer'],
    [unsigned8, '02020100', 'ber.integer'],
    [unsigned32, '0201ff', 'ber.integer'],
    [integer32, '02050080000000', 'ber.integer'],
    [bitString, '0300', 'ber.bits'],
    [bitString, '030208ff', 'ber.bits'],
    [bitString, '030107', 'ber.bits'],
    [oid, '0600', 'ber.oid'],
    [oid, '060181', 'ber.oid'],
    [oid, '0606908080808000', 'ber.oid'],
    [octets, '2404040201020000', 'ber.unexpected'],
    [octets, '0480', 'ber.indefinite'],
    [octets, '048500000000010a', 'ber.length'],
    [octets, '04020a', 'ber.length'],
    [octets, '0484ffffffff', 'ber.length'],
    [octets, '0482', 'ber.cut'],
    [octets, '', 'ber.cut'],
    [octets, '1f', 'ber.cut'],
    [octets, '1f8101', 'ber.tag'],
    [octets, '04010a00', 'ber.rest'],
  ] as [Type<unknown>, string, string][])('%# refuses %s', (type, text, expected) => {
    expect(code(() => decodeWith(type, unhex(text)))).toBe(expected);
  });

  test.each([
    ['a fraction', () => encodeWith(whole, 1.5), 'ber.integer'],
    ['too large', () => encodeWith(unsigned8, 256), 'ber.integer'],
    ['a letter that is none', () => encodeWith(visibleString, '…'), 'ber.string'],
    ['no object identifier', () => encodeWith(oid, '1.x'), 'ber.oid'],
    [
      'octets that do not hold the bits',
      () => encodeWith(bitString, { length: 9, bytes: new Uint8Array(1) }),
      'ber.bits',
    ],
  ])('a caller is told: %s', (_, action, expected) => expect(code(action)).toBe(expected));
});

const point = sequence('Point', {
  name: context(0, visibleString),
  scale: byDefault(context(1, unsigned8), 1),
  note: optional(explicit(2, visibleString)),
});
interface Tree {
  readonly children: readonly Tree[];
}
const tree: Type<Tree> = lazy(() => sequence('Tree', { children: sequenceOf(tree, 3) }));

describe('constructed types', () => {
  test('sequences with optional fields and defaults', () => {
    expect(hex(encodeWith(point, { name: 'a', scale: 1 }))).toBe('3003800161');
    expect(decodeWith(point, unhex('3003800161'))).toEqual({ name: 'a', scale: 1 });
    const full = { name: 'a', scale: 7, note: 'b' };
    expect(hex(encodeWith(point, full))).toBe('300b800161810107a2031a0162');
    expect(decodeWith(point, unhex('300b800161810107a2031a0162'))).toEqual(full);
  });

  test('what is missing, foreign, twice or in the wrong order is said', () => {
    expect(() => decodeWith(point, unhex('3003810107'))).toThrow('Point: name is missing');
    expect(() => decodeWith(point, unhex('3006800161840101'))).toThrow('Point: element 0x84 at offset 5');
    expect(code(() => decodeWith(point, unhex('3006800161800162')))).toBe('ber.unexpected');
    expect(code(() => decodeWith(point, unhex('3006810102800161')))).toBe('ber.unexpected');
    expect(code(() => encodeWith(point, {} as never))).toBe('ber.missing');
  });

  test('sets take any order; extensible sequences pass over what they do not know', () => {
    const set = sequence('Set', { a: context(0, boolean), b: context(1, boolean) }, { tag: 0x31, unordered: true });
    expect(decodeWith(set, unhex('3106810100800101'))).toEqual({ a: true, b: false });
    const open = sequence('Open', { a: context(0, boolean) }, { extensible: true });
    expect(decodeWith(open, unhex('30068001018a0100'))).toEqual({ a: true });
  });

  test('choices are tagged explicitly, everything else implicitly; high tags have two octets', () => {
    const either = choice('Either', { yes: context(0, boolean), text: visibleString });
    expect(hex(encodeWith(context(3, either), { kind: 'text', value: 'x' }))).toBe('a3031a0178');
    expect(decodeWith(context(3, either), unhex('a3031a0178'))).toEqual({ kind: 'text', value: 'x' });
    expect(hex(encodeWith(context(72, point), { name: 'a', scale: 1 }))).toBe('bf4803800161');
    expect(hex(encodeWith(context(74, integer32), 5))).toBe('9f4a0105');
    expect(decodeWith(context(74, integer32), unhex('9f4a0105'))).toBe(5);
    expect(hex(encodeWith(application(1, sequenceOf(boolean)), [true]))).toBe('61030101ff');
    expect(code(() => encodeWith(either, { kind: 'constructor', value: 1 } as never))).toBe('ber.choice');
  });

  test('lengths in the long form', () => {
    for (const length of [127, 128, 255, 256, 65_535, 65_536]) {
      const value = new Uint8Array(length).fill(7);
      // It begins with little room, and grows.
      const writer = new BerWriter(16);
      octets.write(writer, value);
      const bytes = writer.finish();
      expect(encodeWith(octets, value)).toEqual(bytes);
      expect(bytes.length).toBe(length + (length < 128 ? 2 : length < 256 ? 3 : length < 65_536 ? 4 : 5));
      expect(decodeWith(octets, bytes)).toEqual(value);
    }
  });

  test('depth, number of elements and length of lists are bounded', () => {
    let bomb: Uint8Array = unhex('3000');
    for (let i = 0; i < 100; i++) {
      const writer = new BerWriter();
      writer.octets(bomb);
      writer.header(0x30, 0);
      bomb = writer.finish();
    }
    expect(code(() => decodeWith(tree, bomb))).toBe('ber.depth');
    expect(code(() => decodeWith(sequenceOf(nothing, 3), unhex('30080500050005000500')))).toBe('ber.count');
    const reader = new BerReader(unhex('0500050005000500'), 0, 8, { depth: 1, elements: 3 });
    for (let i = 0; i < 3; i++) reader.header();
    expect(code(() => reader.header())).toBe('ber.elements');
  });

  test('peek moves nothing', () => {
    const reader = new BerReader(unhex('9f4a0105'));
    expect(reader.peek()).toBe(0x9f4a);
    expect(reader.header()).toBe(0x9f4a);
    reader.at = reader.stop;
    expect(reader.peek()).toBe(-1);
  });

  test('damaged and random octets', () => {
    damage(encodeWith(point, { name: 'abc', scale: 7, note: 'bcd' }), (bytes) => decodeWith(point, bytes));
    const next = random(5);
    for (let round = 0; round < 3000; round++) {
      const bytes = Uint8Array.from({ length: next() % 40 }, () =>
        next() % 2 ? next() : [0x30, 2, 4, 0, 0xa0][next() % 5]!,
      );
      tolerant(() => decodeWith(tree, bytes));
      tolerant(() => decodeWith(point, bytes));
    }
  });
});
