import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DerReader, der, PkiError } from '../src/index.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const read = (text: string) => new DerReader(Buffer.from(text, 'hex'));

describe('DER', () => {
  it.each([
    [der.integer(0), '020100'],
    [der.integer(127), '02017f'],
    [der.integer(128), '02020080'],
    [der.integer(-128), '020180'],
    [der.integer(-129), '0202ff7f'],
    [der.unsignedInteger(Buffer.from('00ff', 'hex')), '020200ff'],
    [der.objectIdentifier('1.2.840.113549'), '06062a864886f70d'],
    [der.objectIdentifier('2.999.3'), '0603883703'],
    [der.namedBits([5, 6]), '03020106'],
    [der.namedBits([0]), '03020780'],
    [der.boolean(true), '0101ff'],
    [der.time(new Date('2026-11-23T02:24:33.500Z')), '170d3236313132333032323433335a'],
    [der.time(new Date('2050-01-01T00:00:00Z')), '180f32303530303130313030303030305a'],
    [der.octetString(new Uint8Array(128)).subarray(0, 3), '048180'],
  ])('writes what X.690 says (%#)', (bytes, expected) => {
    expect(hex(bytes)).toBe(expected);
  });

  it('reads back any integer', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }), (value) => {
        expect(new DerReader(der.integer(value)).integer('x')).toBe(value);
      }),
    );
  });

  it('reads back any object identifier', () => {
    const arcs = fc.tuple(fc.constantFrom('0', '1', '2'), fc.nat(39), fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n })));
    fc.assert(
      fc.property(arcs, ([first, second, rest]) => {
        const dotted = [first, second, ...rest].join('.');
        expect(new DerReader(der.objectIdentifier(dotted)).objectIdentifier('x')).toBe(dotted);
      }),
    );
  });

  it.each([
    ['20240229235959Z', '2024-02-29T23:59:59.000Z'],
    ['20260229000000Z', undefined],
    ['21000229000000Z', undefined],
    ['20261301000000Z', undefined],
    ['20260001000000Z', undefined],
    ['20260100000000Z', undefined],
    ['20260131240000Z', undefined],
    ['20260131006000Z', undefined],
    ['20260131000060Z', undefined],
    ['2026013100000 Z', undefined],
    ['20260131000000', undefined],
    ['202601310000.5Z', undefined],
    ['00010101000000Z', '0001-01-01T00:00:00.000Z'],
    ['500101000000Z', '1950-01-01T00:00:00.000Z'],
    ['491231235959Z', '2049-12-31T23:59:59.000Z'],
    ['260230000000Z', undefined],
  ])('reads the time %s as %s', (text, iso) => {
    const tag = text.length < 14 ? '17' : '18';
    const bytes = Buffer.from(
      `${tag}${text.length.toString(16).padStart(2, '0')}${Buffer.from(text).toString('hex')}`,
      'hex',
    );
    if (iso) expect(new DerReader(bytes).time('x').toISOString()).toBe(iso);
    else expect(() => new DerReader(bytes).time('x')).toThrow('is no time');
  });

  it('reads back the second a time was given in', () => {
    fc.assert(
      fc.property(fc.date({ min: new Date('1950-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }), (at) => {
        expect(new DerReader(der.time(at)).time('x').getTime()).toBe(Math.floor(at.getTime() / 1000) * 1000);
      }),
    );
  });

  it.each([
    ['an indefinite length', '3080', 'indefinite'],
    ['a length of five octets', '30850000000001', 'oversized'],
    ['a length longer than needed', '04810100', 'not the shortest'],
    ['a length beyond the end', '0405aabb', 'claims 5 bytes'],
    ['a high tag number', '1f8101', 'high tag number'],
    ['nothing', '', 'ends before'],
  ])('refuses %s', (_, text, message) => {
    expect(() => read(text).any('the element')).toThrow(message);
  });

  it.each([
    ['an integer with a needless zero', '02020001', (r: DerReader) => r.integer('x')],
    ['an empty integer', '0200', (r: DerReader) => r.integer('x')],
    ['a boolean that is neither', '010101', (r: DerReader) => r.boolean('x')],
    ['an identifier that ends within an arc', '060286', (r: DerReader) => r.objectIdentifier('x')],
    ['an arc with a leading zero', '06032a8001', (r: DerReader) => r.objectIdentifier('x')],
    ['unused bits that are set', '03020107', (r: DerReader) => r.bitString('x')],
    ['the 30th of February', '170d3236303233303030303030305a', (r: DerReader) => r.time('x')],
    ['a text that is not UTF-8', '0c02c328', (r: DerReader) => r.string('x')],
  ])('refuses %s', (_, text, take) => {
    expect(() => take(read(text))).toThrow(PkiError);
  });

  it('does not follow nesting for ever', () => {
    let bytes: Uint8Array = der.nullValue();
    for (let i = 0; i < 40; i++) bytes = der.sequence(bytes);
    const dive = (reader: DerReader): void => dive(reader.sequence('x'));
    expect(() => dive(new DerReader(bytes))).toThrow('nested deeper');
  });
});
