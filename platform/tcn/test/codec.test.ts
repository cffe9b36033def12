import { EnerchainError } from '@enerchain/model';
import { encodeCbor } from '@enerchain/trust';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeRelease,
  decodeSilence,
  decodeTcnMessage,
  decodeTcnReport,
  encodeTcnMessage,
  readTcnReport,
  type TcnMessage,
  type TcnReport,
  tcnReportValue,
} from '../src/index.ts';

const hash = new Uint8Array(32).fill(7);
const MESSAGES: readonly TcnMessage[] = [
  { type: 'hello', software: 'enerchain 0.1.0' },
  { type: 'challenge', id: 7, request: hash, since: undefined },
  { type: 'challenge', id: 8, request: hash, since: { list: 'ab'.repeat(16), records: 3 } },
  { type: 'challenge', id: 9, request: hash, since: { list: 'ab'.repeat(16), records: 3, events: 1000, ima: 0 } },
  { type: 'answer', id: 7, response: hash },
  { type: 'refused', id: 7, code: 'tcn.busy', text: 'too many' },
  { type: 'changed' },
  { type: 'statements', statements: [{ ttl: 3, bytes: hash }] },
  { type: 'digest', hash },
  { type: 'summary', reply: true, entries: [{ key: hash.slice(0, 8), sequence: 1_800_000_000_000 }] },
  { type: 'bundle', sequence: 1_800_000_000_000, hash },
  { type: 'want', what: 'evidence', hashes: [hash] },
  { type: 'have', what: 'certificate', bytes: hash },
];
const REPORT: TcnReport = {
  node: 'edge-nord',
  neighbours: [
    { name: 'core-1', connected: true },
    { name: 'core-2', connected: false },
  ],
  nodes: [
    {
      node: 'core-1',
      role: 'network',
      tier: 'software',
      status: 'warning',
      trustedUntil: 1_800_000_000_000_000_000n,
      reaction: 'none',
      reason: 'fresh evidence, as it should be',
      since: 1_799_999_999_000_000_000n,
      neighbours: [
        { node: 'core-2', status: 'silent', at: 1_800_000_000_000_000_000n },
        { node: 'edge-sued', status: 'warning', at: undefined },
      ],
    },
    {
      node: 'core-2',
      role: 'edge',
      tier: undefined,
      status: 'none',
      trustedUntil: undefined,
      reaction: 'observe',
      reason: 'not attested yet',
      since: 1n,
      neighbours: [],
    },
  ],
  statements: [hash],
  certificates: [hash],
};

describe('messages between neighbours', () => {
  it.each(MESSAGES.map((message) => [message.type, message] as const))('%s comes back as it was', (_, message) => {
    expect(decodeTcnMessage(encodeTcnMessage(message))).toEqual(message);
  });

  it('the report to the centre comes back as it was', () => {
    expect(readTcnReport(tcnReportValue(REPORT))).toEqual(REPORT);
  });

  it.each([
    ['an unknown type', [99]],
    ['too few items', [2, 1]],
    ['a version that is not spoken', [1, 9, 'x']],
    ['a hash of another length', [7, new Uint8Array(31)]],
    ['more statements than are read', [6, Array.from({ length: 65 }, () => [0, new Uint8Array(1)])]],
    ['a statement that is too long', [6, [[0, new Uint8Array(70_000)]]]],
    ['a cursor that is none', [2, 1, new Uint8Array(1), [1, 2, 3]]],
    ['more wants than are read', [9, 0, Array.from({ length: 33 }, () => hash)]],
    ['something unknown that is wanted', [9, 3, []]],
  ])('refuses %s', (_, message) => {
    expect(() => decodeTcnMessage(encodeCbor(message as never))).toThrow(EnerchainError);
  });

  it('whatever arrives is read or refused with an error that says so', () => {
    const survives = (bytes: Uint8Array) => {
      for (const read of [decodeTcnMessage, decodeTcnReport, decodeSilence, decodeRelease]) {
        try {
          read(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(EnerchainError);
          expect(['peer', 'unsupported']).toContain((error as EnerchainError).fault);
        }
      }
    };
    const seeds = [...MESSAGES.map(encodeTcnMessage), encodeCbor(tcnReportValue(REPORT))];
    for (const seed of seeds) for (let end = 0; end < seed.length; end++) survives(seed.subarray(0, end));
    fc.assert(
      fc.property(fc.constantFrom(...seeds), fc.nat(), fc.integer({ min: 0, max: 255 }), (seed, at, octet) => {
        const bytes = seed.slice();
        bytes[at % bytes.length] = octet;
        survives(bytes);
      }),
      { numRuns: 1000 },
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), survives), { numRuns: 500 });
  });
});
