import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeApdu, encodeApdu } from '../../src/codec/apdu.ts';
import { type Asdu, asduLength, decodeAsdu, encodeAsdu, objectsPerAsdu } from '../../src/codec/asdu.ts';
import { Iec104Error } from '../../src/errors.ts';
import type { Widths } from '../../src/spec/parameters.ts';
import { TYPES } from '../../src/spec/types.ts';
import { asduOf } from '../support/arbitraries.ts';

const WIDTHS: Widths[] = ([1, 2] as const).flatMap((causeSize) =>
  ([1, 2] as const).flatMap((commonAddressSize) =>
    ([1, 2, 3] as const).map((informationObjectAddressSize) => ({
      causeSize,
      commonAddressSize,
      informationObjectAddressSize,
    })),
  ),
);

const forms = TYPES.flatMap((spec) =>
  (spec.sequence ? [false, true] : [false]).map((sequence) => ({ spec, sequence })),
);

describe('what is encoded is decoded again, octet for octet', () => {
  for (const { spec, sequence } of forms) {
    test(`${spec.name}${sequence ? ' as a sequence' : ''}, every combination of widths`, () => {
      for (const widths of WIDTHS) {
        fc.assert(
          fc.property(asduOf(spec, sequence, widths), (value: Asdu) => {
            const bytes = encodeAsdu(value, widths);
            expect(bytes.length).toBe(asduLength(value, widths));
            const back = decodeAsdu(bytes, widths);
            expect(back).toEqual(value);
            expect(Buffer.compare(encodeAsdu(back, widths), bytes)).toBe(0);
          }),
          { numRuns: 8 },
        );
      }
    });
  }
});

describe('a cut frame is a typed error at every octet', () => {
  for (const { spec, sequence } of forms) {
    test(`${spec.name}${sequence ? ' as a sequence' : ''}`, () => {
      const widths = WIDTHS.at(-1)!;
      fc.assert(
        fc.property(asduOf(spec, sequence, widths), (value) => {
          const bytes = encodeAsdu(value, widths);
          for (let end = 0; end < bytes.length; end++) {
            const error = thrown(() => decodeAsdu(bytes, widths, 0, end));
            expect(error).toBeInstanceOf(Iec104Error);
            expect(error).toMatchObject({ fault: 'peer' });
          }
          const surplus = new Uint8Array(bytes.length + 1);
          surplus.set(bytes);
          expect(thrown(() => decodeAsdu(surplus, widths))).toMatchObject({ fault: 'peer' });
        }),
        { numRuns: 3 },
      );
    });
  }
});

function thrown(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}

test('APDUs of every format survive the way there and back', () => {
  const widths = WIDTHS.at(-1)!;
  const number = fc.integer({ min: 0, max: 32767 });
  fc.assert(
    fc.property(number, number, asduOf(TYPES[0]!, false, widths), (sent, received, asdu) => {
      for (const apdu of [
        { kind: 'I', sent, received, asdu },
        { kind: 'S', received },
        { kind: 'U', function: 'TESTFR con' },
      ] as const)
        expect(decodeApdu(encodeApdu(apdu, widths), widths)).toEqual(apdu);
    }),
  );
});

test('objectsPerAsdu says how many objects fit, and one more does not', () => {
  for (const { spec, sequence } of forms) {
    if (spec.element === 'segment') continue;
    for (const widths of WIDTHS) {
      const limits = { ...widths, maxAsduLength: 249 };
      const most = objectsPerAsdu(spec.id, sequence, limits);
      const sample = fc.sample(asduOf(spec, sequence, widths), { numRuns: 1, seed: 1 })[0]!;
      const objects = Array.from({ length: most }, (_, i) => ({ ...sample.objects[0]!, address: i }));
      expect(encodeAsdu({ ...sample, objects }, limits).length).toBeLessThanOrEqual(249);
      const more = [...objects, { ...sample.objects[0]!, address: most }];
      expect(() => encodeAsdu({ ...sample, objects: more }, limits)).toThrow(Iec104Error);
    }
  }
});

describe('what cannot be encoded is the caller’s error', () => {
  const widths = { causeSize: 2, commonAddressSize: 2, informationObjectAddressSize: 3 } as const;
  const good = fc.sample(asduOf(TYPES[0]!, false, widths), { numRuns: 1, seed: 7 })[0]!;
  const object = good.objects[0]!;
  const single = { kind: 'single', value: 1, quality: 0 } as const;
  for (const [what, value] of [
    ['an unknown type', { ...good, typeId: 99 }],
    ['a common address beyond its width', { ...good, commonAddress: 65_536 }],
    ['an object address beyond its width', { ...good, objects: [{ ...object, address: 2 ** 24 }] }],
    ['a fraction as an address', { ...good, objects: [{ ...object, address: 1.5 }] }],
    ['a cause beyond six bits', { ...good, cause: 64 }],
    ['a value beyond its field', { ...good, objects: [{ ...object, element: { ...single, value: 2 } }] }],
    ['quality bits where the value is', { ...good, objects: [{ ...object, element: { ...single, quality: 1 } }] }],
    ['an element of another type', { ...good, objects: [{ ...object, element: { kind: 'none' } }] }],
    ['a missing time tag', { ...good, typeId: 30 }],
    ['a sequence of a type that has none', { ...good, typeId: 45, sequence: true }],
    [
      'a sequence with a hole',
      {
        ...good,
        sequence: true,
        objects: [
          { address: 1, element: single },
          { address: 3, element: single },
        ],
      },
    ],
  ] as [string, Asdu][]) {
    test(what, () => {
      expect(thrown(() => encodeAsdu(value, widths))).toMatchObject({ name: 'Iec104Error', fault: 'caller' });
    });
  }
});
