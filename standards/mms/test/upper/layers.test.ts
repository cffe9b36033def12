import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bits } from '../../src/ber/primitive.ts';
import { decodeTpdu, encodeTpdu, Reassembler, segment, TPDU_SIZES, type Tpdu } from '../../src/transport/cotp.ts';
import { encodeTpkt, TPKT_LIMIT, TpktReader } from '../../src/transport/tpkt.ts';
import {
  type AcseApdu,
  AUTHENTICATION_UNIT,
  asUserInformation,
  decodeAcse,
  encodeAcse,
  OID,
  userInformationOf,
} from '../../src/upper/acse.ts';
import {
  BASIC_ENCODING,
  decodeAbortPpdu,
  decodeAcceptPpdu,
  decodeConnectPpdu,
  decodeRejectPpdu,
  decodeUserData,
  encodeAbortPpdu,
  encodeAcceptPpdu,
  encodeConnectPpdu,
  encodeRejectPpdu,
  encodeUserData,
  pdvList,
  pdvs,
} from '../../src/upper/presentation.ts';
import { DUPLEX, decodeSpdu, encodeSpdu, type Spdu } from '../../src/upper/session.ts';
import { damage, hex, random, tolerant, unhex } from '../support/fuzz.ts';

const octetsOf = (maxLength: number) => fc.uint8Array({ maxLength });
const pdu = unhex('a003020105');

describe('TPKT', () => {
  test('a packet', () => {
    expect(hex(encodeTpkt(unhex('02f080')))).toBe('0300000702f080');
    expect(() => encodeTpkt(new Uint8Array(TPKT_LIMIT + 1))).toThrow('do not fit');
  });

  test('a stream cut anywhere gives the same packets', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 })),
        fc.infiniteStream(fc.nat(50)),
        (contents, cuts) => {
          const stream = Buffer.concat(contents.map(encodeTpkt));
          const reader = new TpktReader();
          const read: string[] = [];
          for (let at = 0; at < stream.length; ) {
            const size = cuts.next().value + 1;
            reader.push(stream.subarray(at, at + size), (content) => read.push(hex(content)));
            at += size;
          }
          expect(read).toEqual(contents.map(hex));
          expect(reader.pending).toBe(0);
        },
      ),
      { numRuns: 50 },
    );
  });

  test('what is not TPKT is refused', () => {
    expect(() => new TpktReader().push(unhex('16030100'), () => {})).toThrow('version 22');
    expect(() => new TpktReader().push(unhex('03000004'), () => {})).toThrow('4 octets');
  });
});

describe('COTP', () => {
  const vectors: [Tpdu, string][] = [
    [
      { kind: 'CR', source: 1, destination: 0, options: 0, size: 8192, calling: unhex('0000'), called: unhex('0001') },
      '11e00000000100c0010dc1020000c2020001',
    ],
    [{ kind: 'CC', source: 2, destination: 1, options: 0, size: 1024 }, '09d00001000200c0010a'],
    [{ kind: 'DR', source: 1, destination: 2, reason: 128 }, '06800002000180'],
    [{ kind: 'DT', last: true, data: unhex('0a0b') }, '02f0800a0b'],
    [{ kind: 'DT', last: false, data: unhex('') }, '02f000'],
    [{ kind: 'ER', destination: 7, cause: 2 }, '0470000702'],
  ];
  test.each(vectors)('vector %#', (tpdu, text) => {
    expect(hex(encodeTpdu(tpdu))).toBe(text);
    expect(decodeTpdu(unhex(text))).toEqual(tpdu);
  });

  test('parameters of other classes are passed over; sizes and lengths that lie are not', () => {
    expect(decodeTpdu(unhex('0ae00000000100c6020102'))).toEqual({
      kind: 'CR',
      source: 1,
      destination: 0,
      options: 0,
    });
    expect(() => decodeTpdu(unhex('09e00000000100c0010e'))).toThrow('2^14');
    expect(() => decodeTpdu(unhex('09e00000000100c1050e'))).toThrow('beyond the header');
    expect(() => decodeTpdu(unhex('05e000000001'))).toThrow('header of 5 octets');
    expect(() => decodeTpdu(unhex('0210f0'))).toThrow('0x10');
    expect(() => decodeTpdu(unhex('fff0'))).toThrow('header');
    for (const [, text] of vectors) damage(unhex(text), decodeTpdu, { cuts: false });
  });

  test('segments are of the agreed size and make the whole again', () => {
    fc.assert(
      fc.property(octetsOf(3000), fc.constantFrom(...TPDU_SIZES), (tsdu, size) => {
        const tpdus = segment(tsdu, size);
        const reassembler = new Reassembler(3000);
        let whole: Uint8Array | undefined;
        for (const tpdu of tpdus) {
          const bytes = encodeTpdu(tpdu);
          expect(bytes.length).toBeLessThanOrEqual(size);
          expect(whole).toBeUndefined();
          const read = decodeTpdu(bytes);
          if (read.kind === 'DT') whole = reassembler.push(read.data, read.last);
        }
        expect(hex(whole!)).toBe(hex(tsdu));
      }),
    );
  });

  test('a TSDU without end is stopped, also one of empty parts', () => {
    const reassembler = new Reassembler(1000);
    expect(() => {
      for (let i = 0; i < 11; i++) reassembler.push(new Uint8Array(100), false);
    }).toThrow('more than 1000');
    const empty = new Reassembler(1000);
    expect(() => {
      for (let i = 0; i < 1000; i++) empty.push(new Uint8Array(0), false);
    }).toThrow('more than 1000');
  });
});

describe('session', () => {
  const vectors: [Spdu, string][] = [
    [
      { kind: 'CN', requirements: DUPLEX, calling: unhex('0001'), called: unhex('0002'), data: unhex('aabb') },
      '0d180506130100160102140200023302000134020002c102aabb',
    ],
    [{ kind: 'AC', requirements: DUPLEX, data: unhex('aa') }, '0e0f050613010016010214020002c101aa'],
    [{ kind: 'RF', reason: 1, data: unhex('') }, '0c03320101'],
    [{ kind: 'FN', data: unhex('aa') }, '0903c101aa'],
    [{ kind: 'DN', data: unhex('aa') }, '0a03c101aa'],
    [{ kind: 'AB', data: unhex('aa') }, '190611010bc101aa'],
    [{ kind: 'AA' }, '1a00'],
    [{ kind: 'DT', data: unhex('aa') }, '01000100aa'],
  ];
  test.each(vectors)('vector %#', (spdu, text) => {
    expect(hex(encodeSpdu(spdu))).toBe(text);
    expect(decodeSpdu(unhex(text))).toEqual(spdu);
  });

  test('user data of any length', () => {
    for (const length of [0, 230, 254, 255, 512, 513, 10_000]) {
      const spdu: Spdu = { kind: 'CN', requirements: DUPLEX, data: new Uint8Array(length).fill(1) };
      expect(decodeSpdu(encodeSpdu(spdu))).toEqual(spdu);
    }
  });

  test('damage', () => {
    for (const [, text] of vectors) damage(unhex(text), decodeSpdu, { cuts: false });
    expect(() => decodeSpdu(unhex('0d080506130100160100'))).toThrow('version 0x0');
    expect(() => decodeSpdu(unhex('7f00'))).toThrow('SPDU 127');
    expect(() => decodeSpdu(unhex('01000a00'))).toThrow('without DATA');
    expect(() => decodeSpdu(unhex(`0d40${'05ff0000'.repeat(16)}`))).not.toThrow();
    // Items inside items are not followed.
    const levels = 15_000;
    const bomb = new Uint8Array(levels * 4);
    for (let i = 0; i < levels; i++)
      bomb.set([5, 0xff, (bomb.length - 4 * i - 4) >> 8, (bomb.length - 4 * i - 4) & 0xff], 4 * i);
    const spdu = new Uint8Array([13, 0xff, bomb.length >> 8, bomb.length & 0xff, ...bomb]);
    expect(decodeSpdu(spdu)).toEqual({ kind: 'CN', requirements: DUPLEX, data: unhex('') });
  });
});

const contexts = [
  { context: 1, abstractSyntax: OID.acse, transferSyntaxes: [BASIC_ENCODING] },
  { context: 3, abstractSyntax: OID.mms, transferSyntaxes: [BASIC_ENCODING] },
];

describe('presentation', () => {
  test('connect', () => {
    const parameters = {
      calling: unhex('00000001'),
      called: unhex('00000002'),
      contexts,
      data: pdvList({ context: 1, data: pdu }),
    };
    const text =
      '3146a003800101a23f810400000001820400000002' +
      'a423300f020101060452010001300406025101' +
      '3010020103060528ca220201300406025101' +
      '610c300a020101a005a003020105';
    const bytes = encodeConnectPpdu(parameters);
    expect(hex(bytes)).toBe(text);
    const read = decodeConnectPpdu(bytes);
    expect(read).toEqual(parameters);
    expect(pdvs(read.data)).toEqual([{ context: 1, data: pdu }]);
    damage(bytes, decodeConnectPpdu);
    expect(() => decodeConnectPpdu(unhex(text.replace('a003800101', 'a003800100')))).toThrow('X.410');
  });

  test('accept, reject, abort, data', () => {
    const accepted = {
      responding: unhex('00000002'),
      results: [
        { result: 0, transferSyntax: BASIC_ENCODING },
        { result: 2, reason: 1 },
      ],
      data: pdvList({ context: 1, data: pdu }),
    };
    expect(decodeAcceptPpdu(encodeAcceptPpdu(accepted))).toEqual(accepted);
    damage(encodeAcceptPpdu(accepted), decodeAcceptPpdu);
    const rejected = { results: accepted.results, reason: 2 };
    expect(decodeRejectPpdu(encodeRejectPpdu(rejected))).toEqual(rejected);
    const aborted = { kind: 'user', value: { data: pdvList({ context: 1, data: pdu }) } } as const;
    expect(decodeAbortPpdu(encodeAbortPpdu(aborted))).toEqual(aborted);
    const provider = { kind: 'provider', value: { reason: 1 } } as const;
    expect(hex(encodeAbortPpdu(provider))).toBe('3003800101');
    expect(decodeAbortPpdu(encodeAbortPpdu(provider))).toEqual(provider);
    expect(hex(encodeUserData({ context: 3, data: pdu }))).toBe('610c300a020103a005a003020105');
    expect(decodeUserData(unhex('610c300a020103a005a003020105'))).toEqual([{ context: 3, data: pdu }]);
    damage(encodeUserData({ context: 3, data: pdu }), decodeUserData);
  });
});

describe('ACSE', () => {
  const userInformation = asUserInformation(3, pdu);
  const samples: AcseApdu[] = [
    { kind: 'AARQ', value: { contextName: OID.mmsContext, userInformation } },
    {
      kind: 'AARQ',
      value: {
        protocolVersion: bits('1'),
        contextName: OID.mmsContext,
        calledTitle: { kind: 'oid', value: '1.1.1.999.1' },
        calledQualifier: { kind: 'integer', value: 12 },
        calledApInvocation: 1,
        calledAeInvocation: 2,
        callingTitle: { kind: 'name', value: unhex('30020500') },
        callingQualifier: { kind: 'name', value: unhex('3100') },
        requirements: AUTHENTICATION_UNIT,
        mechanism: OID.password,
        authentication: { kind: 'charstring', value: 'secret' },
        implementation: 'x',
        userInformation,
      },
    },
    {
      kind: 'AARE',
      value: {
        contextName: OID.mmsContext,
        result: 1,
        diagnostic: { kind: 'user', value: 13 },
        respondingQualifier: { kind: 'integer', value: -1 },
        authentication: { kind: 'bitstring', value: bits('01') },
      },
    },
    { kind: 'RLRQ', value: { reason: 0 } },
    { kind: 'RLRE', value: {} },
    { kind: 'ABRT', value: { source: 1, diagnostic: 2 } },
  ];

  test('vectors', () => {
    expect(hex(encodeAcse(samples[0]!))).toBe('6017a107060528ca220203be0c280a020103a005a003020105');
    expect(hex(encodeAcse(samples[3]!))).toBe('6203800100');
    expect(hex(encodeAcse(samples[4]!))).toBe('6300');
    expect(hex(encodeAcse(samples[5]!))).toBe('6406800101810102');
    // A password, as X.227 § 9.1 places it.
    expect(
      hex(
        encodeAcse({
          kind: 'AARQ',
          value: {
            contextName: OID.mmsContext,
            requirements: AUTHENTICATION_UNIT,
            mechanism: OID.password,
            authentication: { kind: 'charstring', value: 'pw' },
          },
        }),
      ),
    ).toBe('6018a107060528ca2202038a0206808b03520301ac0480027077');
  });

  test.each(samples)('round trip and damage %#', (apdu) => {
    expect(decodeAcse(encodeAcse(apdu))).toEqual(apdu);
    damage(encodeAcse(apdu), decodeAcse);
  });

  test('user information', () => {
    expect(userInformationOf(userInformation)).toEqual(pdu);
    expect(() => userInformationOf([])).toThrow('no user information');
  });
});

test('random octets at every layer', () => {
  const next = random(9);
  for (let round = 0; round < 3000; round++) {
    const bytes = Uint8Array.from({ length: next() % 60 }, () => next());
    if (bytes.length > 0) bytes[0] = [0x31, 0x60, 0x61, 0x0d, 0x0e, 0x11, 0x30, 0xa0][next() % 8]!;
    if (bytes.length > 1) bytes[1] = bytes.length - 2;
    for (const decode of [
      decodeTpdu,
      decodeSpdu,
      decodeConnectPpdu,
      decodeAcceptPpdu,
      decodeRejectPpdu,
      decodeAbortPpdu,
      decodeUserData,
      decodeAcse,
    ])
      tolerant(() => decode(bytes));
  }
});
