import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  digest,
  extendPcr,
  type ImaEntry,
  initialPcr,
  parseImaAscii,
  parseImaBinary,
  readImaBinary,
  replayIma,
  Tpm2Error,
  templateData,
} from '../../src/index.ts';
import { le } from '../eventlog/build.ts';
import { missing, reference, referenceText } from '../reference-data.ts';

const zero = Buffer.alloc(1);
const file = Buffer.alloc(32, 0xab);
const ng = Buffer.concat([Buffer.from('sha256:'), zero, file]);
const name = (text: string) => Buffer.from(`${text}\0`);

/** One binary entry: PCR, SHA-1 over the template data, template, data after its length. */
function entry(template: string, fields: readonly Uint8Array[], value?: Uint8Array): Uint8Array {
  const data = templateData(fields);
  const head = [le(10, 4), value ?? digest('sha1', data), le(template.length, 4), Buffer.from(template)];
  return Buffer.concat([...head, le(data.length, 4), data]);
}
/** An `ima` entry: the digest is over 20 octets and the name padded to 256. */
function oldEntry(path: string): Uint8Array {
  const fileDigest = Buffer.alloc(20, 0xcd);
  const padded = Buffer.alloc(276);
  fileDigest.copy(padded);
  padded.write(path, 20);
  const head = [le(10, 4), digest('sha1', padded), le(3, 4), Buffer.from('ima'), fileDigest];
  return Buffer.concat([...head, le(path.length, 4), Buffer.from(path)]);
}
const sha1 = (fields: readonly Uint8Array[]) => Buffer.from(digest('sha1', templateData(fields))).toString('hex');
const ab = 'ab'.repeat(32);

describe('the binary list', () => {
  it('shows its bytes: ima-ng', () => {
    const made = entry('ima-ng', [ng, name('/init')]);
    expect(Buffer.from(made.subarray(0, 4)).toString('hex')).toBe('0a000000');
    expect(Buffer.from(made.subarray(24)).toString('hex')).toBe(
      `06000000${Buffer.from('ima-ng').toString('hex')}36000000` +
        `28000000${Buffer.from('sha256:\0').toString('hex')}${ab}` +
        `06000000${Buffer.from('/init\0').toString('hex')}`,
    );
    expect(parseImaBinary(made)).toMatchObject([
      { pcr: 10, template: 'ima-ng', violation: false, name: '/init', file: { kind: 'ima', algorithm: 'sha256' } },
    ]);
  });

  it.each<[string, Uint8Array, Partial<ImaEntry>]>([
    [
      'ima',
      oldEntry('/bin/sh'),
      { name: '/bin/sh', file: { kind: 'ima', algorithm: 'sha1', digest: Buffer.alloc(20, 0xcd) } },
    ],
    [
      'ima-sig',
      entry('ima-sig', [ng, name('/bin/sh'), Buffer.of(3, 2, 4)]),
      { name: '/bin/sh', signature: Buffer.of(3, 2, 4) },
    ],
    ['ima-sig without one', entry('ima-sig', [ng, name('/bin/sh'), Buffer.of()]), { signature: Buffer.of() }],
    ['ima-buf', entry('ima-buf', [ng, name('.ima'), Buffer.from('key')]), { name: '.ima', buffer: Buffer.from('key') }],
    [
      'ima-sigv2 with fs-verity',
      entry('ima-sigv2', [Buffer.concat([Buffer.from('verity:'), ng]), name('/app'), Buffer.of()]),
      { file: { kind: 'verity', algorithm: 'sha256', digest: file } },
    ],
  ])('%s', (_, bytes, expected) => {
    const entries = parseImaBinary(bytes);
    expect(entries).toMatchObject([expected]);
    expect(replayIma(entries).mismatches).toEqual([]);
  });

  it('is read as far as it goes when it arrives in pieces', () => {
    const parts = [oldEntry('/a'), entry('ima-ng', [ng, name('/b')]), entry('ima-sig', [ng, name('/c'), Buffer.of(3)])];
    const whole = Buffer.concat(parts);
    const ends = parts.map((_, i) => parts.slice(0, i + 1).reduce((sum, { length }) => sum + length, 0));
    for (let size = 0; size <= whole.length; size++) {
      const { entries, consumed } = readImaBinary(whole.subarray(0, size));
      expect(entries).toHaveLength(ends.filter((end) => end <= size).length);
      expect(consumed).toBe(Math.max(0, ...ends.filter((end) => end <= size)));
      if (consumed < size) expect(() => parseImaBinary(whole.subarray(0, size))).toThrow('cut short');
    }
  });

  it.each<[string, Uint8Array, string]>([
    ['an unknown template', entry('ima-xyz', [ng, name('/a')]), 'not known'],
    ['a file digest without its algorithm', entry('ima-ng', [file, name('/a')]), 'no algorithm'],
    ['a field too many', entry('ima-ng', [ng, name('/a'), ng]), 'too many'],
    ['a PCR that does not exist', Buffer.concat([le(24, 4), entry('ima-ng', [ng, name('/a')]).subarray(4)]), 'PCR 24'],
    ['an empty template name', Buffer.concat([le(10, 4), Buffer.alloc(24)]), '0 octets'],
    [
      'an entry of gigabytes',
      Buffer.concat([le(10, 4), Buffer.alloc(20), le(6, 4), Buffer.from('ima-ng'), le(0x7fffffff, 4)]),
      'are the most',
    ],
  ])('with %s is refused', (_, bytes, message) => {
    expect(() => parseImaBinary(bytes)).toThrow(message);
  });

  it('of any bytes, or changed anywhere, is read or refused with a typed error', () => {
    const good = Buffer.concat([oldEntry('/a'), entry('ima-sig', [ng, name('/c'), Buffer.of(3)])]);
    const changed = fc
      .tuple(fc.nat(good.length - 1), fc.nat(255))
      .map(([at, value]) => Uint8Array.from(good, (octet, i) => (i === at ? value : octet)));
    fc.assert(
      fc.property(fc.oneof(changed, fc.uint8Array({ maxLength: 200 })), (bytes) => {
        try {
          replayIma(parseImaBinary(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(Tpm2Error);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the list as text', () => {
  const line = (template: string, fields: readonly Uint8Array[], rest: string) =>
    `10 ${sha1(fields)} ${template} ${rest}\n`;

  it('is read like the binary one', () => {
    const fields = [ng, name('/usr/bin/a program')];
    const [fromText] = parseImaAscii(line('ima-ng', fields, `sha256:${ab} /usr/bin/a program`));
    const [fromBinary] = parseImaBinary(entry('ima-ng', fields));
    expect(Buffer.from(fromText!.templateData)).toEqual(Buffer.from(fromBinary!.templateData));
    expect(fromText).toMatchObject({ name: '/usr/bin/a program', pcr: 10 });
    expect(replayIma([fromText!]).mismatches).toEqual([]);
  });

  it.each<[string, string, readonly Uint8Array[], string, Partial<ImaEntry>]>([
    ['a signature', 'ima-sig', [ng, name('/a'), Buffer.of(3, 2)], `sha256:${ab} /a 0302`, { name: '/a' }],
    ['no signature', 'ima-sig', [ng, name('/a'), Buffer.of()], `sha256:${ab} /a `, { name: '/a' }],
    ['no signature, and no space', 'ima-sig', [ng, name('/a'), Buffer.of()], `sha256:${ab} /a`, { name: '/a' }],
    [
      'a name that ends like a signature',
      'ima-sig',
      [ng, name('/a 03'), Buffer.of()],
      `sha256:${ab} /a 03`,
      { name: '/a 03' },
    ],
    [
      'a key',
      'ima-buf',
      [ng, name('.ima'), Buffer.from('key')],
      `sha256:${ab} .ima 6b6579`,
      { buffer: Buffer.from('key') },
    ],
    [
      'version 2',
      'ima-ngv2',
      [Buffer.concat([Buffer.from('ima:'), ng]), name('/a')],
      `ima:sha256:${ab} /a`,
      { name: '/a' },
    ],
  ])('%s', (_, template, fields, rest, expected) => {
    const entries = parseImaAscii(line(template, fields, rest));
    expect(entries).toMatchObject([expected]);
    expect(replayIma(entries).mismatches).toEqual([]);
  });

  it.each([
    ['no entry', 'hello'],
    ['a digest of another length', `10 ${'00'.repeat(32)} ima-ng sha256:${ab} /a`],
    ['an unknown template', `10 ${'00'.repeat(20)} ima-xyz sha256:${ab} /a`],
    ['a file digest that is none', `10 ${'00'.repeat(20)} ima-ng sha256:xyz /a`],
    ['an entry without a name of its algorithm', `10 ${'00'.repeat(20)} ima-ng ${ab} /a`],
  ])('refuses %s, and says which line', (_, text) => {
    expect(() => parseImaAscii(`10 ${sha1([ng, name('/a')])} ima-ng sha256:${ab} /a\n${text}\n`)).toThrow('line 2');
  });

  it('of any characters is read or refused with a typed error', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'10 abf:imang-sg2v/\n\0') }), (text) => {
        try {
          parseImaAscii(text);
        } catch (error) {
          expect(error).toBeInstanceOf(Tpm2Error);
        }
      }),
    );
  });
});

describe('replay', () => {
  const fields = [ng, name('/a')];
  const good = entry('ima-ng', fields);

  it('extends SHA-1 from the list, other banks by hashing the template data, or padded as old kernels do', () => {
    const data = templateData(fields);
    const values = (options: Parameters<typeof replayIma>[1]) =>
      replayIma(parseImaBinary(good), options).pcrs.map(({ hash, values }) => [hash, values.get(10)]);
    const extended = (by: Uint8Array) => extendPcr('sha256', initialPcr('sha256', 10), by);
    expect(values({ hashes: ['sha1', 'sha256'] })).toEqual([
      ['sha1', extendPcr('sha1', initialPcr('sha1', 10), digest('sha1', data))],
      ['sha256', extended(digest('sha256', data))],
    ]);
    expect(values({ padded: true })).toEqual([
      ['sha256', extended(Buffer.concat([digest('sha1', data), Buffer.alloc(12)]))],
    ]);
  });

  it('extends ones for a violation, and counts it', () => {
    const replay = replayIma(parseImaBinary(entry('ima-ng', fields, Buffer.alloc(20))));
    expect(replay).toMatchObject({ count: 1, violations: [0], mismatches: [] });
    expect(replay.pcrs[0]?.values.get(10)).toEqual(
      extendPcr('sha256', initialPcr('sha256', 10), Buffer.alloc(32, 0xff)),
    );
  });

  it('names the entry whose contents are not what was measured', () => {
    const forged = entry('ima-ng', [ng, name('/b')], digest('sha1', templateData(fields)));
    expect(replayIma(parseImaBinary(Buffer.concat([good, forged, good]))).mismatches).toEqual([1]);
  });

  it('goes on where it was', () => {
    const entries = parseImaBinary(Buffer.concat([good, oldEntry('/b'), good]));
    const piecewise = replayIma(entries.slice(0, 1));
    for (const each of entries.slice(1)) piecewise.extend(each);
    expect(piecewise.pcrs).toEqual(replayIma(entries).pcrs);
  });

  it('reads the lists by bank of newer kernels', () => {
    const data = templateData(fields);
    const head = [le(10, 4), digest('sha256', data), le(6, 4), Buffer.from('ima-ng'), le(data.length, 4)];
    const entries = parseImaBinary(Buffer.concat([...head, data]), { hash: 'sha256' });
    expect(replayIma(entries, { listHash: 'sha256' }).mismatches).toEqual([]);
    expect(replayIma(entries, { listHash: 'sha256' }).pcrs).toEqual(replayIma(parseImaBinary(good)).pcrs);
  });
});

describe.skipIf(missing !== undefined)(`real lists${missing ? ` (${missing})` : ''}`, () => {
  it('CHARRA’s is the same in both forms, and every entry is what was measured', () => {
    const binary = parseImaBinary(reference('charra/ima/binary_runtime_measurements'));
    const ascii = parseImaAscii(referenceText('charra/ima/ascii_runtime_measurements'));
    expect([binary.length, ascii.length]).toEqual([1650, 1646]);
    ascii.forEach((each, i) => {
      expect(Buffer.compare(each.templateData, binary[i]!.templateData)).toBe(0);
    });
    expect(replayIma(binary)).toMatchObject({ mismatches: [], violations: [] });
  });

  it.each(['sha1', 'sha256', 'sha384', 'sha512'])('keylime’s with files hashed by %s', (hash) => {
    const entries = parseImaAscii(referenceText(`keylime/ima/ima-log-${hash}`));
    expect(entries).toMatchObject([{ name: 'boot_aggregate' }, { name: '/data', file: { algorithm: hash } }]);
    expect(replayIma(entries).mismatches).toEqual([]);
  });
});
