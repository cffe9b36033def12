import { type Data, type TypeSpecification, utcTimeFromMillis } from '@enerchain/mms';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeGoose, encodeGoose, type GooseMessage, GooseView } from '../../src/index.ts';
import { boolean, dataOf, message, quality, REFERENCE, random, unhex } from './support.ts';

/** Written by hand from 8-1 annex A and C: APPID 0001, simulation off, everything there. */
const OCTETS = `
  0001 0080 0000 0000
  61 76
  80 15 42435531 4354524c 2f4c4c4e 3024474f 24547269 70
  81 02 07d0
  82 17 42435531 4354524c 2f4c4c4e 30 24506f73 6974696f 6e73
  83 09 42435531 2f547269 70
  84 08 6968dc40 80000 00a
  85 01 01
  86 01 00
  87 01 00
  88 01 02
  89 01 00
  8a 01 02
  ab 08 83 01 00 84 03 03 0000`;

test('octets and message, in both directions', () => {
  const octets = unhex(OCTETS);
  octets[3] = octets.length;
  octets[9] = octets.length - 10;
  const decoded = decodeGoose(octets);
  expect(decoded).toEqual({ ...message(), t: { seconds: 0x6968dc40, fraction: 0x800000, quality: 0x0a } });
  expect(encodeGoose(decoded)).toEqual(octets);
});

test('values of any kind and depth, numbers up to their bounds', () => {
  const u32 = fc.oneof(fc.nat(3), fc.nat({ max: 0xffff_ffff }), fc.constant(0xffff_ffff), fc.constant(0x80));
  const text = fc.string({ unit: fc.constantFrom(...'AZaz09$_/'), maxLength: 129 });
  fc.assert(
    fc.property(
      fc.record<GooseMessage>({
        appId: fc.nat({ max: 0xffff }),
        simulated: fc.boolean(),
        gocbRef: text,
        timeAllowedToLive: u32,
        datSet: text,
        goId: fc.option(text, { nil: undefined }),
        t: fc.record({ seconds: u32, fraction: fc.nat(0xff_ffff), quality: fc.nat(255) }),
        stNum: u32,
        sqNum: u32,
        simulation: fc.boolean(),
        confRev: u32,
        ndsCom: fc.boolean(),
        allData: fc.array(dataOf, { maxLength: 5 }),
      }),
      fc.nat(20),
      (given, padding) => {
        const octets = encodeGoose(given);
        const frame = new Uint8Array(octets.length + padding);
        frame.set(octets);
        expect(decodeGoose(frame)).toEqual(given);
      },
    ),
  );
});

const FIXED: readonly (readonly [TypeSpecification, readonly Data[], octets: number])[] = [
  [{ kind: 'integer', value: 8 }, [-128, 0, 127].map((value) => ({ kind: 'integer', value })), 2],
  [{ kind: 'integer', value: 16 }, [-32_768, 0, 32_767].map((value) => ({ kind: 'integer', value })), 3],
  [{ kind: 'integer', value: 32 }, [-(2 ** 31), 0, 2 ** 31 - 1].map((value) => ({ kind: 'integer', value })), 5],
  [{ kind: 'integer', value: 64 }, [-(2n ** 63n), 2n ** 63n - 1n].map((value) => ({ kind: 'integer', value })), 9],
  [{ kind: 'unsigned', value: 8 }, [0, 255].map((value) => ({ kind: 'unsigned', value })), 2],
  [{ kind: 'unsigned', value: 16 }, [0, 65_535].map((value) => ({ kind: 'unsigned', value })), 3],
  [{ kind: 'unsigned', value: 32 }, [0, 2 ** 32 - 1].map((value) => ({ kind: 'unsigned', value })), 5],
  [
    { kind: 'visibleString', value: -129 },
    ['', 'A', 'A'.repeat(35)].map((value) => ({ kind: 'visibleString', value })),
    35,
  ],
];

test('fixed lengths: the octets of a value do not depend on it, and come back', () => {
  for (const [type, values, octets] of FIXED) {
    for (const value of values) {
      for (const sqNum of [0, 0xffff_ffff]) {
        const given = message({
          sqNum,
          allData: [boolean(true), value, { kind: 'structure', value: [value, quality()] }],
        });
        const types: TypeSpecification[] = [
          { kind: 'boolean', value: null },
          type,
          {
            kind: 'structure',
            value: { packed: false, components: [{ type }, { type: { kind: 'bitString', value: -13 } }] },
          },
        ];
        const encoded = encodeGoose(given, { fixedLength: true, types });
        const view = new GooseView().read(encoded);
        expect(view.allDataEnd - view.allDataAt).toBe(3 + 2 * (2 + octets) + 2 + 5);
        expect(view.sqNumEnd - view.stNumEnd).toBe(7);
        expect(decodeGoose(encoded)).toEqual(given);
      }
    }
  }
  const long = message({ allData: [{ kind: 'visibleString', value: 'A'.repeat(36) }] });
  expect(() => encodeGoose(long, { fixedLength: true })).toThrow(/36 octets/);
});

test('what lies about its lengths, nests without end or is cut is refused as the fault of the peer', () => {
  const good = encodeGoose(
    message({ allData: [boolean(true), { kind: 'structure', value: [quality()] }], simulation: true }),
  );
  const refused = (octets: Uint8Array, code: RegExp | string) => {
    expect(() => decodeGoose(octets)).toThrow(
      expect.objectContaining({ fault: 'peer', code: expect.stringMatching(code) }),
    );
  };
  for (let length = 0; length < good.length; length++) refused(good.slice(0, length), 'apdu.length');
  const changed = (at: number, ...octets: number[]) => {
    const copy = good.slice();
    copy.set(octets, at);
    return copy;
  };
  refused(changed(2, 0xff, 0xff), 'apdu.length');
  refused(changed(8, 0x60), 'apdu.tag');
  refused(changed(9, 0x80), 'apdu.ber');
  refused(changed(9, 0x84, 0, 0, 0), 'apdu.ber');
  refused(changed(10, 0x81), 'apdu.missing');
  const view = new GooseView().read(good);
  refused(changed(view.allDataAt, 0xa2, 0x80), 'ber.indefinite');
  refused(changed(view.allDataAt - 1, 0x7f), 'apdu.ber');
  refused(changed(view.tAt - 1, 7), /^apdu/);

  let bomb: Data = boolean(true);
  for (let depth = 0; depth < 20; depth++) bomb = { kind: 'structure', value: [bomb] };
  refused(encodeGoose(message({ allData: [bomb] })), 'ber.depth');
  refused(encodeGoose(message({ allData: Array.from({ length: 1600 }, () => boolean(true)) })), 'ber.elements');
  refused(encodeGoose({ ...message(), gocbRef: 'A'.repeat(300) }), 'apdu.text');
});

test('damaged at random: a message or a refusal, nothing else', () => {
  const good = encodeGoose(
    message({
      allData: [boolean(true), { kind: 'array', value: [quality(), quality()] }, { kind: 'float', value: 1.5 }],
    }),
  );
  const next = random(7);
  let taken = 0;
  for (let round = 0; round < 20_000; round++) {
    const octets = good.slice();
    for (let changes = 1 + (next() % 4); changes > 0; changes--) octets[next() % octets.length] = next();
    try {
      decodeGoose(octets, 0, 2 + (next() % octets.length));
      decodeGoose(octets);
      taken++;
    } catch (error) {
      expect((error as { fault?: string }).fault).toBe('peer');
    }
  }
  for (let round = 0; round < 5000; round++) {
    const octets = Uint8Array.from({ length: next() % 80 }, () => next());
    try {
      decodeGoose(octets);
    } catch (error) {
      expect((error as { fault?: string }).fault).toBe('peer');
    }
  }
  expect(taken).toBeLessThan(20_000);
});

test('what the header says, and what lies behind the message', () => {
  const plain = encodeGoose(message({ appId: 0x3fff, t: utcTimeFromMillis(1_768_478_400_000) }));
  const extended = new Uint8Array(plain.length + 32);
  extended.set(plain);
  extended[3] = plain.length + 24;
  const view = new GooseView().read(extended);
  expect([view.appId, view.simulated, view.extension]).toEqual([0x3fff, false, 24]);
  expect(view.gocbRef).toBe(REFERENCE);
  extended[4] = 0x80;
  expect(view.read(extended).simulated).toBe(true);
});
