import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeSv, encodeSv, SMP_MODES, type SvAsdu, type SvMessage, SvView } from '../../src/index.ts';
import { random, unhex } from '../goose/support.ts';

/** Written by hand from 9-2 § 8.5: one ASDU as 9-2LE has it, with a sample of four octets. */
const OCTETS = `
  4000 0028 0000 0000
  60 1e
  80 01 01
  a2 19 30 17
  80 02 4d55
  82 02 0f9f
  83 04 00000001
  85 01 02
  87 04 0000ffff`;

test('octets and message, in both directions', () => {
  const octets = unhex(OCTETS);
  const decoded = decodeSv(octets);
  expect(decoded).toEqual({
    appId: 0x4000,
    simulated: false,
    asdus: [{ svId: 'MU', smpCnt: 3999, confRev: 1, smpSynch: 2, sample: Uint8Array.of(0, 0, 255, 255) }],
  });
  expect(encodeSv(decoded)).toEqual(octets);
});

const u16 = fc.nat(0xffff);
const asdu: fc.Arbitrary<SvAsdu> = fc.record(
  {
    svId: fc.string({ unit: fc.constantFrom(...'AZ09_/'), maxLength: 65 }),
    datSet: fc.string({ unit: fc.constantFrom(...'AZ09_/$'), maxLength: 65 }),
    smpCnt: u16,
    confRev: fc.nat({ max: 0xffff_ffff }),
    refrTm: fc.record({ seconds: fc.nat(), fraction: fc.nat(0xff_ffff), quality: fc.nat(255) }),
    smpSynch: fc.nat(255),
    smpRate: u16,
    sample: fc.uint8Array({ maxLength: 100 }),
    smpMod: fc.constantFrom(...SMP_MODES),
    gmIdentity: fc.uint8Array({ minLength: 8, maxLength: 8 }),
  },
  { requiredKeys: ['svId', 'smpCnt', 'confRev', 'smpSynch', 'sample'] },
);
const messages: fc.Arbitrary<SvMessage> = fc.record({
  appId: u16,
  simulated: fc.boolean(),
  asdus: fc.array(asdu, { minLength: 1, maxLength: 6 }),
});

test('every field there or not, several ASDUs', () => {
  fc.assert(
    fc.property(messages, (given) => {
      expect(decodeSv(encodeSv(given))).toEqual(given);
    }),
  );
});

test('what lies about its lengths or counts, or is cut, is refused as the fault of the peer', () => {
  const given: SvMessage = {
    appId: 0x4000,
    simulated: false,
    asdus: [0, 1].map((smpCnt) => ({ svId: 'MU1', smpCnt, confRev: 1, smpSynch: 0, sample: new Uint8Array(16) })),
  };
  const good = encodeSv(given);
  const refused = (octets: Uint8Array, code: RegExp | string) =>
    expect(() => decodeSv(octets)).toThrow(
      expect.objectContaining({ fault: 'peer', code: expect.stringMatching(code) }),
    );
  for (let length = 0; length < good.length; length++) refused(good.slice(0, length), 'apdu.length');
  const changed = (at: number, ...octets: number[]) => {
    const copy = good.slice();
    copy.set(octets, at);
    return copy;
  };
  refused(changed(8, 0x61), 'apdu.tag');
  refused(changed(12, 1), 'sv.count');
  refused(changed(12, 3), 'apdu.missing');
  refused(changed(12, 0), 'sv.count');
  refused(changed(12, 200), 'sv.count');
  refused(changed(14, 0x80), 'apdu.ber');
  expect(() => encodeSv({ ...given, asdus: [] })).toThrow(expect.objectContaining({ fault: 'caller' }));
  expect(() => encodeSv({ ...given, asdus: [{ ...given.asdus[0]!, smpCnt: 65_536 }] })).toThrow(/65536/);
});

test('damaged at random: a message or a refusal, nothing else', () => {
  const good = encodeSv({
    appId: 0x4000,
    simulated: false,
    asdus: [0, 1].map((smpCnt) => ({
      svId: 'MU1',
      datSet: 'MU1/LLN0$D',
      smpCnt,
      confRev: 1,
      smpSynch: 0,
      smpRate: 80,
      sample: new Uint8Array(16),
      smpMod: 'SmpPerPeriod' as const,
      gmIdentity: new Uint8Array(8),
    })),
  });
  const next = random(11);
  let taken = 0;
  for (let round = 0; round < 4000; round++) {
    const octets = good.slice();
    for (let changes = 1 + (next() % 4); changes > 0; changes--) octets[next() % octets.length] = next();
    try {
      const view = new SvView().read(octets, 0, 2 + (next() % octets.length));
      while (view.next());
    } catch (error) {
      expect((error as { fault?: string }).fault).toBe('peer');
    }
    try {
      decodeSv(octets);
      taken++;
    } catch (error) {
      expect((error as { fault?: string }).fault).toBe('peer');
    }
  }
  expect(taken).toBeGreaterThan(0);
});
