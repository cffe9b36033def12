import { EnerchainError } from '@enerchain/model';
import { decode } from 'cbor-x';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CborTag, type CborValue, CborWriter, decodeCbor, encodeCbor } from '../src/index.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/** Values that have a form here, nested. */
const value: fc.Arbitrary<CborValue> = fc.letrec<{ any: CborValue }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    fc.maxSafeInteger(),
    fc.double({ noNaN: true }),
    fc.string({ unit: 'grapheme' }),
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array(),
    fc.array(tie('any'), { maxLength: 5 }),
    fc.dictionary(
      fc.string().filter((key) => key !== '__proto__'),
      tie('any'),
      { maxKeys: 5, noNullPrototype: true },
    ),
  ),
})).any;

describe('CBOR', () => {
  // RFC 8949 appendix A.
  it.each([
    [0, '00'],
    [23, '17'],
    [24, '1818'],
    [1000, '1903e8'],
    [1_000_000_000_000, '1b000000e8d4a51000'],
    [18446744073709551615n, '1bffffffffffffffff'],
    [-1, '20'],
    [-1000, '3903e7'],
    [-18446744073709551616n, '3bffffffffffffffff'],
    [1.1, 'fb3ff199999999999a'],
    [-0, 'fb8000000000000000'],
    [false, 'f4'],
    [null, 'f6'],
    ['ü', '62c3bc'],
    [[1, [2, 3]], '8201820203'],
    [{ a: 1, b: [2, 3] }, 'a26161016162820203'],
    [new CborTag(1, 1363896240), 'c11a514b67b0'],
  ])('writes and reads the examples of RFC 8949 (%#)', (example, expected) => {
    expect(hex(encodeCbor(example as CborValue))).toBe(expected);
    expect(decodeCbor(Buffer.from(expected, 'hex'))).toEqual(example);
  });

  it.each([
    ['f93c00', 1],
    ['f97bff', 65504],
    ['f90001', 2 ** -24],
    ['fa47c35000', 100000],
  ])('reads short floats of others', (text, expected) => {
    expect(decodeCbor(Buffer.from(text, 'hex'))).toBe(expected);
  });

  it('gives back what it was given', () => {
    fc.assert(
      fc.property(value, (given) => {
        const bytes = encodeCbor(given);
        const back = decodeCbor(bytes);
        expect(hex(encodeCbor(back))).toBe(hex(bytes));
      }),
    );
  });

  it('writes the same whatever room it began with', () => {
    fc.assert(
      fc.property(value, fc.nat(300), (given, capacity) => {
        const writer = new CborWriter(capacity);
        writer.value(given);
        expect(hex(writer.finish())).toBe(hex(encodeCbor(given)));
        expect(() => decodeCbor(writer.finish())).not.toThrow();
      }),
      { numRuns: 500 },
    );
  });

  it('is understood by another implementation', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.integer(), fc.string(), fc.boolean(), fc.double({ noNaN: true }))), (given) => {
        // cbor-x gives integers of 64 bits as bigint.
        const theirs = (decode(encodeCbor(given)) as unknown[]).map((each) =>
          typeof each === 'bigint' ? Number(each) : each,
        );
        expect(theirs).toEqual(given);
      }),
    );
  });

  it.each([
    ['an integer longer than needed', '1817'],
    ['an indefinite array', '9f01ff'],
    ['an indefinite text', '7f6161ff'],
    ['keys out of order', 'a2616201616101'],
    ['a key twice', 'a2616101616101'],
    ['a key that is no key', 'a1f600'],
    ['a key __proto__', 'a1695f5f70726f746f5f5f00'],
    ['a text that is not UTF-8', '62c328'],
    ['an array longer than its bytes', '9a7fffffff00'],
    ['bytes longer than the input', '5a7fffffff00'],
    ['undefined', 'f7'],
    ['bytes left over', '0000'],
    ['nothing', ''],
  ])('refuses %s', (_, text) => {
    expect(() => decodeCbor(Buffer.from(text, 'hex'))).toThrow(EnerchainError);
  });

  it('does not follow nesting for ever', () => {
    expect(() => decodeCbor(Buffer.alloc(100_000, 0x81))).toThrow('nested deeper');
  });

  it('answers any bytes with a value or a typed error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decodeCbor(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(EnerchainError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
