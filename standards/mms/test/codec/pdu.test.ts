import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bits } from '../../src/ber/primitive.ts';
import { decodeMms, encodeMms, type MmsPdu } from '../../src/codec/pdu.ts';
import {
  type Data,
  decodeData,
  encodeData,
  timeOfDayFromMillis,
  timeOfDayToMillis,
  utcTimeFromMillis,
  utcTimeToMillis,
} from '../../src/spec/data.ts';
import { dataAccessErrorText, serviceErrorOf, serviceErrorText } from '../../src/spec/faults.ts';
import { DEFAULT_PARAMETER_BLOCKS, servicesOf, supports } from '../../src/spec/initiate.ts';
import { nameOf, nameText } from '../../src/spec/names.ts';
import { SERVICE_NAMES, type ServiceName } from '../../src/spec/services.ts';
import { dataOf, OTHER_PDUS, REQUESTS, RESPONSES } from '../support/arbitraries.ts';
import { damage, hex, random, tolerant, unhex } from '../support/fuzz.ts';

/** Numbers of the services, with whether their request and their response are constructed (ISO 9506-2 § 7.2). */
const TAGS: Record<ServiceName, [string, string]> = {
  status: ['80', 'a0'],
  getNameList: ['a1', 'a1'],
  identify: ['82', 'a2'],
  read: ['a4', 'a4'],
  write: ['a5', 'a5'],
  getVariableAccessAttributes: ['a6', 'a6'],
  defineNamedVariableList: ['ab', '8b'],
  getNamedVariableListAttributes: ['ac', 'ac'],
  deleteNamedVariableList: ['ad', 'ad'],
  obtainFile: ['bf2e', '9f2e'],
  readJournal: ['bf41', 'bf41'],
  initializeJournal: ['bf43', '9f43'],
  fileOpen: ['bf48', 'bf48'],
  fileRead: ['9f49', 'bf49'],
  fileClose: ['9f4a', '9f4a'],
  fileRename: ['bf4b', '9f4b'],
  fileDelete: ['bf4c', '9f4c'],
  fileDirectory: ['bf4d', 'bf4d'],
};

const name = nameOf('GGIO1$ST$Ind1$stVal', 'IED1LD0');
const nameHex = 'a11e1a07494544314c44301a134747494f3124535424496e643124737456616c';

const vectors: [string, MmsPdu, string][] = [
  [
    'Read of one variable',
    {
      kind: 'confirmedRequest',
      value: {
        invokeId: 1,
        service: {
          kind: 'read',
          value: {
            withSpecification: false,
            access: { kind: 'variables', value: [{ specification: { kind: 'name', value: name } }] },
          },
        },
      },
    },
    `a02d020101a428a126a0243022a020${nameHex}`,
  ],
  [
    'its response',
    {
      kind: 'confirmedResponse',
      value: {
        invokeId: 1,
        service: {
          kind: 'read',
          value: {
            results: [
              { kind: 'success', value: { kind: 'boolean', value: true } },
              { kind: 'failure', value: 10 },
            ],
          },
        },
      },
    },
    'a10d020101a408a1068301ff80010a',
  ],
  [
    'GetNameList of a domain',
    {
      kind: 'confirmedRequest',
      value: {
        invokeId: 300,
        service: {
          kind: 'getNameList',
          value: { class: { kind: 'basic', value: 0 }, scope: { kind: 'domain', value: 'LD0' }, continueAfter: 'a' },
        },
      },
    },
    'a0150202012ca10fa003800100a10581034c4430820161',
  ],
  [
    'Write',
    {
      kind: 'confirmedRequest',
      value: {
        invokeId: 2,
        service: {
          kind: 'write',
          value: {
            access: {
              kind: 'variables',
              value: [{ specification: { kind: 'name', value: { kind: 'vmd', value: 'v' } } }],
            },
            data: [{ kind: 'integer', value: -2 }],
          },
        },
      },
    },
    'a013020102a50ea0073005a003800176a0038501fe',
  ],
  [
    'FileRead',
    { kind: 'confirmedRequest', value: { invokeId: 3, service: { kind: 'fileRead', value: 7 } } },
    'a0070201039f490107',
  ],
  [
    'FileDirectory, tagged explicitly',
    {
      kind: 'confirmedResponse',
      value: {
        invokeId: 3,
        service: {
          kind: 'fileDirectory',
          value: { entries: [{ name: ['a'], attributes: { size: 5 } }], moreFollows: false },
        },
      },
    },
    'a116020103bf4d10a00e300c300aa003190161a103800105',
  ],
  [
    'InformationReport of a list',
    {
      kind: 'unconfirmed',
      value: {
        service: {
          kind: 'informationReport',
          value: {
            access: { kind: 'list', value: { kind: 'vmd', value: 'RPT' } },
            results: [{ kind: 'failure', value: 0 }],
          },
        },
      },
    },
    'a30ea00ca1058003525054a003800100',
  ],
  [
    'an error',
    { kind: 'confirmedError', value: { invokeId: 4, error: serviceErrorOf('access', 'object-non-existent') } },
    'a20a800104a205a003870102',
  ],
  [
    'a reject',
    { kind: 'reject', value: { invokeId: 5, reason: { kind: 'confirmedRequest', value: 1 } } },
    'a406800105810101',
  ],
  ['Cancel', { kind: 'cancelRequest', value: 9 }, '850109'],
  ['Conclude', { kind: 'concludeRequest', value: null }, '8b00'],
  ['its response', { kind: 'concludeResponse', value: null }, '8c00'],
  [
    'a service that has no row',
    {
      kind: 'confirmedRequest',
      value: { invokeId: 1, service: { kind: 'other', value: { tag: 0xbf28, content: unhex('8000') } } },
    },
    'a008020101bf28028000',
  ],
];

describe('PDUs', () => {
  test.each(vectors)('%s', (_, pdu, text) => {
    expect(hex(encodeMms(pdu))).toBe(text);
    expect(decodeMms(unhex(text))).toEqual(pdu);
    damage(unhex(text), decodeMms);
  });

  test('every service has its number, and comes back as it went', () => {
    expect(Object.keys(TAGS)).toEqual(SERVICE_NAMES);
    for (const service of SERVICE_NAMES) {
      const [request, response] = TAGS[service];
      for (const [kind, arbitrary, tag] of [
        ['confirmedRequest', REQUESTS[service], request],
        ['confirmedResponse', RESPONSES[service], response],
      ] as const)
        fc.assert(
          fc.property(fc.nat(), arbitrary as fc.Arbitrary<never>, (invokeId, value) => {
            const pdu = { kind, value: { invokeId, service: { kind: service, value } } } as MmsPdu;
            const bytes = encodeMms(pdu);
            expect(decodeMms(bytes)).toEqual(pdu);
            // Behind the header of the PDU and the invoke ID.
            const at = (bytes[1]! < 0x80 ? 2 : 2 + (bytes[1]! & 0x7f)) + 2;
            expect(hex(bytes.subarray(at + bytes[at - 1]!)).startsWith(tag)).toBe(true);
          }),
          { numRuns: 40 },
        );
    }
  });

  test('the other PDUs come back as they went', () => {
    for (const arbitrary of OTHER_PDUS)
      fc.assert(
        fc.property(arbitrary, (pdu) => {
          expect(decodeMms(encodeMms(pdu))).toEqual(pdu);
        }),
        { numRuns: 40 },
      );
  });

  test('Initiate with more at its end, as version 2 has it', () => {
    const pdu: MmsPdu = {
      kind: 'initiateRequest',
      value: {
        localDetail: 65_000,
        outstandingCalling: 5,
        outstandingCalled: 5,
        nesting: 10,
        detail: { version: 1, parameters: DEFAULT_PARAMETER_BLOCKS, services: servicesOf(['read', 'cancel']) },
      },
    };
    const text = 'a826800300fde881010582010583010aa416800101810305f100820c030800000000000000000008';
    expect(hex(encodeMms(pdu))).toBe(text);
    const longer = text.replace('a826', 'a829').replace('a416', 'a419');
    expect(decodeMms(unhex(`${longer}830100`))).toEqual(pdu);
    expect(supports(servicesOf(['read']), 'read')).toBe(true);
    expect(supports(servicesOf(['read']), 'write')).toBe(false);
  });

  test('names and errors in words', () => {
    expect(nameText(name)).toBe('IED1LD0/GGIO1$ST$Ind1$stVal');
    expect(nameText(nameOf('v'))).toBe('/v');
    expect(nameText({ kind: 'association', value: 'ds' })).toBe('@ds');
    expect(serviceErrorText(serviceErrorOf('file', 'file-non-existent'))).toBe('file: file-non-existent');
    expect(serviceErrorText({ error: { kind: 'access', value: 77 }, description: 'x' })).toBe('access: 77 (x)');
    expect(dataAccessErrorText(3)).toBe('object-access-denied');
    expect(dataAccessErrorText(99)).toBe('data access error 99');
  });
});

describe('data', () => {
  const samples: [Data, string][] = [
    [{ kind: 'boolean', value: false }, '830100'],
    [{ kind: 'bitString', value: bits('0000000000000') }, '8403030000'],
    [{ kind: 'integer', value: -1 }, '8501ff'],
    [{ kind: 'unsigned', value: 128 }, '86020080'],
    [{ kind: 'float', value: 0.5 }, '8705083f000000'],
    [{ kind: 'double', value: -2 }, '87090bc000000000000000'],
    [{ kind: 'octetString', value: unhex('0a') }, '89010a'],
    [{ kind: 'visibleString', value: 'ok' }, '8a026f6b'],
    [{ kind: 'binaryTime', value: { millis: 1, days: 2 } }, '8c06000000010002'],
    [{ kind: 'binaryTime', value: { millis: 1 } }, '8c0400000001'],
    [{ kind: 'mmsString', value: 'ü' }, '9002c3bc'],
    [{ kind: 'utcTime', value: { seconds: 1, fraction: 0x800000, quality: 0x0a } }, '9108000000018000000a'],
    [{ kind: 'structure', value: [{ kind: 'array', value: [] }] }, 'a202a100'],
  ];
  test.each(samples)('sample %#', (value, text) => {
    expect(hex(encodeData(value))).toBe(text);
    expect(decodeData(unhex(text))).toEqual(value);
  });

  test('any data come back as they went', () => {
    fc.assert(
      fc.property(dataOf, (value) => {
        expect(decodeData(encodeData(value))).toEqual(value);
      }),
      { numRuns: 300 },
    );
  });

  test('unsigned values without the zero octet in front, as some stacks send them', () => {
    expect(decodeData(unhex('8601ff'))).toEqual({ kind: 'unsigned', value: 255 });
    expect(decodeData(unhex('8608ffffffffffffffff'))).toEqual({ kind: 'unsigned', value: 2n ** 64n - 1n });
    expect(() => encodeData({ kind: 'unsigned', value: -1 })).toThrow('not unsigned');
  });

  test('what is no value', () => {
    for (const text of ['8704083f0000', '87050b3f000000', '9107000000018000 00', '8c0100', 'a003830100', 'a203840100'])
      expect(tolerant(() => decodeData(unhex(text)))).toBe(text === 'a203840100');
    let bomb = unhex('a200');
    for (let i = 0; i < 50; i++) bomb = new Uint8Array([0xa2, bomb.length, ...bomb]);
    expect(() => decodeData(bomb)).toThrow('too deep');
  });

  test('times', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_294_967_295_999 }), (millis) => {
        expect(utcTimeToMillis(utcTimeFromMillis(millis))).toBeCloseTo(millis, 3);
      }),
    );
    expect(utcTimeFromMillis(1999.99999)).toEqual({ seconds: 2, fraction: 0, quality: 0 });
    const noon = Date.UTC(2026, 0, 15, 12);
    expect(timeOfDayToMillis(timeOfDayFromMillis(noon))).toBe(noon);
    expect(timeOfDayToMillis({ millis: 5 })).toBeNaN();
    expect(() => utcTimeFromMillis(-1)).toThrow('outside');
    expect(() => timeOfDayFromMillis(0)).toThrow('before 1984');
  });
});

test('random and damaged PDUs end in a PDU or in a peer error', () => {
  const next = random(3);
  const good = [...SERVICE_NAMES].flatMap((service) =>
    (['confirmedRequest', 'confirmedResponse'] as const).flatMap((kind) =>
      fc
        .sample((kind === 'confirmedRequest' ? REQUESTS : RESPONSES)[service] as fc.Arbitrary<never>, {
          numRuns: 3,
          seed: 7,
        })
        .map((value) => encodeMms({ kind, value: { invokeId: 1, service: { kind: service, value } } } as MmsPdu)),
    ),
  );
  let taken = 0;
  for (let round = 0; round < 6000; round++) {
    const bytes = good[round % good.length]!.slice();
    for (let changes = 1 + (next() % 3); changes > 0; changes--) bytes[next() % bytes.length]! ^= 1 << (next() % 8);
    if (tolerant(() => decodeMms(bytes))) taken++;
  }
  expect(taken).toBeGreaterThan(0);
});
