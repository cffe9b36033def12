/** What a device says about its setting groups, logs and substitution may be anything; what comes of it is a value or its fault. */
import type { Data } from '@enerchain/mms';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Logs } from '../../src/client/logs.ts';
import { SettingGroups } from '../../src/client/setting-groups.ts';
import { Substitution } from '../../src/client/substitution.ts';
import { comtradeRecords, Iec61850Error } from '../../src/index.ts';

const leaf: fc.Arbitrary<Data> = fc.oneof(
  fc.boolean().map((value): Data => ({ kind: 'boolean', value })),
  fc.oneof(fc.integer(), fc.bigInt()).map((value): Data => ({ kind: 'integer', value })),
  fc.oneof(fc.nat(), fc.bigInt({ min: 0n })).map((value): Data => ({ kind: 'unsigned', value })),
  fc.double().map((value): Data => ({ kind: 'float', value })),
  fc.string().map((value): Data => ({ kind: 'visibleString', value })),
  fc.uint8Array({ maxLength: 9 }).map((value): Data => ({ kind: 'octetString', value })),
  fc
    .uint8Array({ maxLength: 3 })
    .map((bytes): Data => ({ kind: 'bitString', value: { bytes, length: bytes.length * 8 } })),
  fc
    .record({ millis: fc.nat(), days: fc.nat(0xffff) }, { requiredKeys: ['millis'] })
    .map((value): Data => ({ kind: 'binaryTime', value: value as { millis: number } })),
  fc
    .record({ seconds: fc.nat(), fraction: fc.nat(0xffffff), quality: fc.nat(255) })
    .map((value): Data => ({ kind: 'utcTime', value })),
);
const anything = fc.oneof(
  leaf,
  fc.array(leaf, { maxLength: 3 }).map((value): Data => ({ kind: 'structure', value })),
);
const none = new Iec61850Error('peer', 'access.non-existent', 'none');

test('values of control blocks', async () => {
  const answers = fc.array(fc.option(anything, { nil: none }), { maxLength: 12 });
  const names = ['subEna', 'subVal', 'subMag', 'subQ', 'subID'];
  const components = names.map((name) => ({ name, type: { kind: 'boolean', value: null } }));
  await fc.assert(
    fc.asyncProperty(answers, async (values) => {
      const client = {
        type: async () => ({ kind: 'structure', value: { packed: false, components } }),
        readMany: async () => values,
        read: async () => values[0],
        write: async () => {},
        call: async () => {},
      };
      for (const ask of [
        () => new SettingGroups(client as never).info('LD').then(({ groups, active }) => groups + active),
        () => new Logs(client as never).info('LD/LLN0.log').then(({ integrityPeriod }) => integrityPeriod),
        () => new Substitution(client as never).state('LD/GGIO1.Ind1').then(({ enabled }) => Number(enabled)),
      ]) {
        const result = await ask().catch((error: unknown) => error);
        if (typeof result === 'number') expect(Number.isNaN(result)).toBe(false);
        else expect(result).toMatchObject({ fault: 'peer', name: 'Iec61850Error' });
      }
    }),
    { numRuns: 500 },
  );
});

test('names of files that may be parts of records', () => {
  const name = fc.oneof(fc.string(), fc.stringMatching(/^[./\\aB]{0,8}\.(cfg|DAT|Hdr|inf|cff|txt)$/));
  fc.assert(
    fc.property(fc.array(name, { maxLength: 20 }), (names) => {
      const entries = names.map((own) => ({ name: own }));
      const records = comtradeRecords(entries);
      const parts = records.flatMap((record) => Object.values(record.parts));
      expect(new Set(parts).size).toBe(parts.length);
      expect(parts.every((part) => entries.includes(part))).toBe(true);
      for (const { name: own, parts: those } of records)
        expect(Object.keys(those).length > 0 && !own.endsWith('/')).toBe(true);
    }),
  );
});
