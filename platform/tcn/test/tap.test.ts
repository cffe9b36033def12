import { EnerchainError } from '@enerchain/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeCharraResponse,
  decodeNativeResponse,
  decodeTapRequest,
  encodeCharraResponse,
  encodeNativeResponse,
  encodeTapRequest,
  LOG_IDS,
  TAP_LIMITS,
  type TapRequest,
  TCG_HASH,
} from '../src/index.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const unhex = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const nonce = Uint8Array.from({ length: 20 }, (_, i) => i);

/** What a C attester of CHARRA has taken and answered, with a nonce of ours. */
const REQUEST = `86 1a00020200 f4 4e504b2e5253412e64656661756c74 54${hex(nonce)} 81 82 0b 89 00010203040506070a 80`;
const DECODED: TapRequest = {
  hello: false,
  keyId: 'PK.RSA.default',
  nonce,
  selections: [{ algorithm: TCG_HASH.sha256, pcrs: [0, 1, 2, 3, 4, 5, 6, 7, 10] }],
  logs: [],
};

const request: fc.Arbitrary<TapRequest> = fc.record({
  hello: fc.boolean(),
  keyId: fc.stringMatching(/^[A-Za-z.]{0,32}$/),
  nonce: fc.uint8Array({ minLength: 1, maxLength: 64 }),
  selections: fc.array(
    fc.record({
      algorithm: fc.integer({ min: 0, max: 0xffff }),
      pcrs: fc.uniqueArray(fc.integer({ min: 0, max: 31 })),
    }),
    { maxLength: 8 },
  ),
  logs: fc.array(fc.record({ id: fc.constantFrom(...LOG_IDS), start: fc.nat(), count: fc.nat() }), { maxLength: 4 }),
});
const log = fc.record({ id: fc.constantFrom(...LOG_IDS), start: fc.nat(), count: fc.nat(), bytes: fc.uint8Array() });

describe('TAP', () => {
  it('the request that the C attester takes', () => {
    expect(hex(encodeTapRequest(DECODED))).toBe(hex(unhex(REQUEST)));
    expect(decodeTapRequest(unhex(REQUEST))).toEqual(DECODED);
  });

  it('log ids with the trailing NUL of the C verifier mean the same', () => {
    const asked: TapRequest = { ...DECODED, logs: [{ id: 'ima', start: 0, count: 0 }] };
    const terminated = encodeTapRequest(asked, { terminated: true });
    expect(hex(terminated).endsWith('81 83 64 696d6100 00 00'.replaceAll(' ', ''))).toBe(true);
    expect(decodeTapRequest(terminated)).toEqual(asked);
    expect(decodeTapRequest(encodeTapRequest(asked))).toEqual(asked);
  });

  it('the response: quote, signature, logs', () => {
    const response = {
      attest: unhex('ff544347 8018'),
      signature: unhex('0014 000b 0001'),
      logs: [{ id: 'tcg-boot' as const, start: 0, count: 2, bytes: unhex('0102') }],
    };
    const bytes = encodeCharraResponse(response);
    expect(hex(bytes)).toBe(
      '82 84 09 04 46 ff5443478018 46 0014000b0001 81 85 05 68 7463672d626f6f74 00 02 42 0102'.replaceAll(' ', ''),
    );
    expect(decodeCharraResponse(bytes)).toEqual(response);
    expect(decodeCharraResponse(encodeCharraResponse(response, { terminated: true }))).toEqual(response);
  });

  it('everything that can be said comes back as it was', () => {
    fc.assert(
      fc.property(request, (each) => {
        expect(decodeTapRequest(encodeTapRequest(each))).toEqual(each);
      }),
    );
    fc.assert(
      fc.property(
        fc.record({
          attest: fc.uint8Array({ maxLength: 300 }),
          signature: fc.uint8Array({ maxLength: 300 }),
          logs: fc.array(log, { maxLength: 4 }),
        }),
        (each) => {
          expect(decodeCharraResponse(encodeCharraResponse(each))).toEqual(each);
        },
      ),
    );
    fc.assert(
      fc.property(
        fc.record(
          {
            evidence: fc.uint8Array({ maxLength: 300 }),
            binding: fc.uint8Array({ minLength: 32, maxLength: 32 }),
            result: fc.uint8Array({ maxLength: 300 }),
          },
          { requiredKeys: ['evidence', 'binding'] },
        ),
        (each) => {
          expect(decodeNativeResponse(encodeNativeResponse(each))).toEqual(each);
        },
      ),
    );
  });

  it.each([
    ['another version', '86 1a00030000 f4 40 41aa 80 80', 'tcn.tap.version'],
    ['an empty nonce', '86 1a00020200 f4 40 40 80 80', 'tcn.tap'],
    ['a nonce that no TPM can take', `86 1a00020200 f4 40 5841${'00'.repeat(65)} 80 80`, 'tcn.tap'],
    ['a PCR that is selected twice', '86 1a00020200 f4 40 41aa 81 82 0b 82 0101 80', 'tcn.tap'],
    ['a PCR that no TPM has', '86 1a00020200 f4 40 41aa 81 82 0b 81 1820 80', 'cbor.malformed'],
    ['more selections than there are banks', `86 1a00020200 f4 40 41aa 89 ${'820b80'.repeat(9)} 80`, 'tcn.tap'],
    ['an unknown log', '86 1a00020200 f4 40 41aa 80 81 83 61 78 00 00', 'tcn.tap.log'],
    ['a hello that is a number', '86 1a00020200 01 40 41aa 80 80', 'tcn.tap'],
    ['octets behind the end', '86 1a00020200 f4 40 41aa 80 80 00', 'cbor.malformed'],
  ])('refuses %s', (_, text, code) => {
    expect(() => decodeTapRequest(unhex(text))).toThrow(expect.objectContaining({ code }));
  });

  it('refuses an answer without evidence, without binding, with an element twice, longer than is read', () => {
    const refused = expect.objectContaining({ code: 'tcn.tap' });
    expect(() => decodeNativeResponse(unhex('82 1a00020200 80'))).toThrow(refused);
    expect(() => decodeNativeResponse(unhex('82 1a00020200 81 82 198001 41aa'))).toThrow(refused);
    expect(() => decodeNativeResponse(unhex('82 1a00020200 82 82 198001 41aa 82 198001 41aa'))).toThrow(refused);
    const evidence = new Uint8Array(TAP_LIMITS.evidence + 1);
    expect(() => decodeNativeResponse(encodeNativeResponse({ evidence, binding: new Uint8Array(32) }))).toThrow(
      refused,
    );
    expect(() => decodeCharraResponse(unhex('82 84 09 05 40 40 80'))).toThrow(refused);
  });

  it('whatever arrives is read or refused with an error that says so', () => {
    const seeds = [
      encodeTapRequest({ ...DECODED, logs: [{ id: 'ima', start: 1, count: 2 }] }),
      encodeCharraResponse({
        attest: nonce,
        signature: nonce,
        logs: [{ id: 'ima', start: 0, count: 1, bytes: nonce }],
      }),
      encodeNativeResponse({ evidence: nonce, binding: new Uint8Array(32), result: nonce }),
    ];
    const reads = [decodeTapRequest, decodeCharraResponse, decodeNativeResponse];
    const survives = (bytes: Uint8Array) => {
      for (const read of reads) {
        try {
          read(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(EnerchainError);
          expect(['peer', 'unsupported']).toContain((error as EnerchainError).fault);
        }
      }
    };
    for (const seed of seeds) for (let end = 0; end < seed.length; end++) survives(seed.subarray(0, end));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), survives), { numRuns: 500 });
    const changed = fc.tuple(fc.constantFrom(...seeds), fc.nat(), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(changed, ([seed, at, octet]) => {
        const bytes = seed.slice();
        bytes[at % bytes.length] = octet;
        survives(bytes);
      }),
      { numRuns: 1000 },
    );
  });
});
