import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeFrame,
  ETHERTYPE,
  EthernetError,
  encodeFrame,
  etherTypeOf,
  type Frame,
  formatMac,
  HEADER_LENGTH,
  isMulticast,
  MAX_PAYLOAD,
  MIN_FRAME,
  mac,
  parseMac,
} from '../src/index.ts';

const hex = (octets: Uint8Array) => Buffer.from(octets).toString('hex');
const octets = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));

const GOOSE: Frame = {
  destination: mac('01-0C-CD-01-00-01'),
  source: mac('00-11-22-33-44-55'),
  vlan: { id: 5, priority: 4, dropEligible: false },
  etherType: ETHERTYPE.goose,
  payload: octets('0001 0008 0000 0000'),
};

describe('a frame', () => {
  it('with an 802.1Q tag, padded to 60 octets', () => {
    expect(hex(encodeFrame(GOOSE))).toBe(
      `010ccd010001 001122334455 8100 8005 88b8 0001000800000000${'00'.repeat(34)}`.replaceAll(' ', ''),
    );
    const { payload, ...header } = decodeFrame(encodeFrame(GOOSE));
    const { payload: _, ...same } = GOOSE;
    expect(header).toEqual(same);
    expect(payload.length).toBe(MIN_FRAME - HEADER_LENGTH - 4);
  });

  it('of PRP: the trailer is told apart from payload, and taken off it', () => {
    const frame = encodeFrame({ ...GOOSE, redundancy: { protocol: 'PRP', lan: 'B', sequence: 0x1234 } });
    // 60 octets less 14 and a tag of 4: 0x02A.
    expect(hex(frame.subarray(-6))).toBe('1234b02a88fb');
    expect(decodeFrame(frame)).toMatchObject({ redundancy: { protocol: 'PRP', lan: 'B', sequence: 0x1234 } });
    expect(decodeFrame(frame).payload.length).toBe(MIN_FRAME - HEADER_LENGTH - 4 - 6);
    frame[frame.length - 3]! ^= 1; // a size that is not that of the frame
    expect(decodeFrame(frame).redundancy).toBeUndefined();
    expect(decodeFrame(frame).payload.length).toBe(MIN_FRAME - HEADER_LENGTH - 4);
  });

  it('of HSR: the tag is read, the type behind it counts', () => {
    const frame = encodeFrame({ ...GOOSE, redundancy: { protocol: 'HSR', path: 1, sequence: 7 } });
    expect(hex(frame.subarray(12, 24))).toBe('81008005892f102a000788b8');
    expect(decodeFrame(frame)).toMatchObject({
      redundancy: { protocol: 'HSR', path: 1, sequence: 7 },
      etherType: ETHERTYPE.goose,
    });
    expect(etherTypeOf(frame)).toBe(ETHERTYPE.goose);
  });

  it('that ends in its header names who sent it', () => {
    const frame = encodeFrame(GOOSE);
    for (let length = 0; length < 18; length++) {
      expect(() => decodeFrame(frame.subarray(0, length))).toThrow(EthernetError);
      expect(etherTypeOf(frame.subarray(0, length))).toBe(-1);
    }
    expect(() => decodeFrame(frame.subarray(0, 13))).toThrow('13 octets from 00-11-22-33-44-55 ends in its header');
    expect(decodeFrame(frame.subarray(0, 18)).payload.length).toBe(0);
  });

  it('is what was encoded, whatever its tags', () => {
    const address = fc.uint8Array({ minLength: 6, maxLength: 6 });
    const tag = fc.record({ id: fc.nat(4094), priority: fc.nat(7), dropEligible: fc.boolean() });
    const sequence = fc.nat(0xffff);
    fc.assert(
      fc.property(
        fc.record(
          {
            destination: address,
            source: address,
            vlan: tag,
            serviceVlan: tag,
            redundancy: fc.oneof(
              fc.record({ protocol: fc.constant('PRP' as const), lan: fc.constantFrom('A' as const, 'B'), sequence }),
              fc.record({ protocol: fc.constant('HSR' as const), path: fc.nat(15), sequence }),
            ),
            etherType: fc.constantFrom(ETHERTYPE.goose, ETHERTYPE.sampledValues, ETHERTYPE.ipv4, 0x0123),
            payload: fc.uint8Array({ maxLength: MAX_PAYLOAD }),
          },
          { requiredKeys: ['destination', 'source', 'etherType', 'payload'] },
        ),
        (frame) => {
          const octets = encodeFrame(frame);
          expect(octets.length).toBeGreaterThanOrEqual(MIN_FRAME);
          const { payload, ...header } = decodeFrame(octets);
          const { payload: sent, ...rest } = frame;
          // A payload may by chance end like a trailer of PRP; fast-check would have to guess 44 bits.
          expect(header).toEqual(rest);
          expect(payload.subarray(0, sent.length)).toEqual(sent);
          expect(payload.subarray(sent.length).every((octet) => octet === 0)).toBe(true);
          expect(etherTypeOf(octets)).toBe(frame.etherType);
        },
      ),
    );
  });

  it('of any octets is a frame or a typed error', () => {
    const bytes = fc.uint8Array({ maxLength: 80 });
    const tags = fc.array(fc.constantFrom('8100', '88a8', '892f', '88fb', '0000', 'ffff'), { maxLength: 20 });
    const hostile = tags.map((words) => octets(`010ccd010001001122334455${words.join('')}`));
    fc.assert(
      fc.property(fc.oneof(bytes, hostile), (frame) => {
        etherTypeOf(frame);
        try {
          const { payload } = decodeFrame(frame);
          expect(payload.length).toBeLessThanOrEqual(frame.length - HEADER_LENGTH);
        } catch (error) {
          expect(error).toMatchObject({ name: 'EthernetError', fault: 'peer' });
        }
      }),
      { numRuns: 2000 },
    );
  });

  it.each<[string, Partial<Frame>]>([
    ['VLAN 4095 is not 0 … 4094', { vlan: { id: 4095, priority: 0 } }],
    ['priority 8 is not 0 … 7', { vlan: { id: 1, priority: 8 } }],
    ['payload of 1501 octets; 1500 fit', { payload: new Uint8Array(1501) }],
    ['an address has 6 octets', { source: new Uint8Array(5) }],
    ['sequence 65536 is not 0 … 65535', { redundancy: { protocol: 'PRP', lan: 'A', sequence: 65536 } }],
    ['etherType -1 is not 0 … 65535', { etherType: -1 }],
  ])('that cannot be is refused: %s', (text, wrong) => {
    expect(() => encodeFrame({ ...GOOSE, ...wrong })).toThrow(text);
  });
});

describe('a MAC address', () => {
  it.each(['01-0C-CD-01-00-01', '01:0c:cd:01:00:01', '010c.cd01.0001', '010CCD010001'])('is read from %s', (text) => {
    expect(formatMac(mac(text))).toBe('01-0C-CD-01-00-01');
  });

  it.each(['', '01-0C-CD-01-00', '01-0C:CD-01-00-01', '01-0C-CD-01-00-0G', '1-0C-CD-01-00-01', '01-0C-CD-01-00-01-02'])(
    'is not %s',
    (text) => {
      expect(parseMac(text)).toBeUndefined();
      expect(() => mac(text)).toThrow('is no MAC address');
    },
  );

  it('of a group has the lowest bit of its first octet set', () => {
    expect(isMulticast(mac('01-0C-CD-01-00-01'))).toBe(true);
    expect(isMulticast(mac('00-11-22-33-44-55'))).toBe(false);
  });
});
