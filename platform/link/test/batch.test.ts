import { CAUSES, EnerchainError, newMrid, type Observation, QUALITY, validity } from '@enerchain/model';
import { coseSign1 } from '@enerchain/trust';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type Batch,
  BatchBuilder,
  batchToBytes,
  type Content,
  columnProof,
  contentOf,
  decodeBatch,
  encodeBatch,
  NO_PREVIOUS,
  observationsOf,
  verifyBatch,
  verifyColumnProof,
} from '../src/index.ts';
import { newSigner, observation } from './world.ts';

const signer = newSigner();
const kid = Buffer.alloc(32, 1);

const seal = (content: Content, fields = {}) =>
  encodeBatch(content, { source: 'edge-nord', epoch: 3, sequence: 7, previous: NO_PREVIOUS, signer, kid, ...fields });
const gather = (observations: readonly Observation[]) => {
  const builder = new BatchBuilder();
  for (const each of observations) builder.add(each);
  return { kind: 'observations', batch: builder.build() } as const;
};
const through = async (content: Content) => {
  const batch = decodeBatch(batchToBytes(await seal(content)));
  verifyBatch(batch, signer.publicKey);
  return contentOf(batch);
};
/** Observations in the order of a batch: by point, in order of first appearance. */
const byPoint = (observations: readonly Observation[]) => {
  const points = [...new Set(observations.map(({ point }) => point))];
  return points.flatMap((point) => observations.filter((each) => each.point === point));
};

const points = Array.from({ length: 4 }, newMrid);
const nanos = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.integer({ min: -5_000, max: 5_000 }).map((millis) => 1_700_000_000_000_000_000n + BigInt(millis) * 1_000_000n),
  fc.integer().map((micros) => 1_700_000_000_000_000_000n + BigInt(micros) * 1000n),
);
const anyObservation: fc.Arbitrary<Observation> = fc.record({
  point: fc.constantFrom(...points),
  value: fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.float({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    fc.constantFrom(-0, 0, Number.MAX_VALUE, Number.MIN_VALUE),
    fc.string({ unit: 'grapheme' }),
    fc.constant(null),
  ),
  quality: fc.nat(0xffff),
  sourceTime: nanos,
  timeQuality: fc.nat(0xffff),
  receiveTime: nanos,
  cause: fc.constantFrom(...CAUSES),
  repeat: fc.boolean(),
});

describe('a batch of observations', () => {
  it('gives back every observation bit by bit, whatever it is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyObservation, { minLength: 1, maxLength: 40 }), async (observations) => {
        const content = await through(gather(observations));
        if (content.kind !== 'observations') throw new Error(content.kind);
        const back = [...observationsOf(content.batch)];
        const expected = byPoint(observations);
        expect(back).toEqual(expected);
        back.forEach(({ value }, i) => {
          expect(Object.is(value, expected[i]!.value)).toBe(true);
        });
      }),
      { numRuns: 150 },
    );
  });

  it('keeps numbers in a typed array', async () => {
    const content = await through(gather([observation({ value: 1.5 }), observation({ value: 0.1 })]));
    if (content.kind !== 'observations') throw new Error(content.kind);
    expect(content.batch.columns.map(({ value }) => value)).toEqual([Float64Array.of(1.5), Float64Array.of(0.1)]);
  });

  it.each([
    [Number.NaN, 0],
    [Number.POSITIVE_INFINITY, QUALITY.overflow],
    [Number.NEGATIVE_INFINITY, QUALITY.overflow],
  ])('makes of %d no value, invalid', async (value, flags) => {
    const content = await through(gather([observation({ value, quality: QUALITY.questionable })]));
    if (content.kind !== 'observations') throw new Error(content.kind);
    const [back] = observationsOf(content.batch);
    expect(back?.value).toBeNull();
    expect(validity(back!.quality)).toBe('invalid');
    expect(back!.quality & QUALITY.overflow).toBe(flags);
  });

  it('refuses to send a number that is not finite in a column made by hand', async () => {
    const content = gather([observation()]);
    (content.batch.columns[0]!.value as Float64Array)[0] = Number.NaN;
    await expect(seal(content)).rejects.toMatchObject({ code: 'link.column', fault: 'caller' });
  });

  it('says about how large it will be', async () => {
    const builder = new BatchBuilder();
    for (let i = 0; i < 2000; i++) {
      builder.add(
        observation({ point: points[i % 4]!, value: i, receiveTime: 1_700_000_000_000_000_000n + BigInt(i) }),
      );
    }
    const estimate = builder.bytes;
    const { length } = batchToBytes(await seal({ kind: 'observations', batch: builder.build() }));
    expect(estimate / length).toBeGreaterThan(0.5);
    expect(estimate / length).toBeLessThan(2);
    expect(builder.count).toBe(0);
  });

  it('cannot be made of nothing', async () => {
    await expect(seal(gather([]))).rejects.toMatchObject({ code: 'link.batch.size' });
  });
});

describe('a batch of records', () => {
  const nanosText = '1700000000000000000';
  const octets = (length: number) => new Uint8Array(length).fill(length);
  const contents: Content[] = [
    { kind: 'gap', gap: { reason: 'outboxOverflow', from: '-5', to: nanosText, lost: 3 } },
    { kind: 'sourceEvents', events: [{ kind: 'started', at: nanosText, detail: 'ü' }] },
    {
      kind: 'commandEvents',
      events: [{ command: points[0]!, point: points[1]!, action: 'operate', step: 'confirmed', at: nanosText }],
    },
    { kind: 'alarmRaised', alarm: { key: 'k', priority: 1, message: 'm', active: true, at: nanosText } },
    {
      kind: 'site',
      document: {
        source: 'edge-nord',
        site: { id: 's', name: 'S' },
        version: 1,
        endpoints: [{ id: 'rtu', protocol: 'iec104' }],
        points: [{ mRID: points[0]!, name: 'P', kind: 'analog', limits: [{ kind: 'high', value: 1.5, priority: 2 }] }],
        bindings: [{ point: points[0]!, endpoint: 'rtu', address: 'ca=1 ioa=1', access: 'read' }],
      },
    },
    { kind: 'audit', record: { action: 'login', actor: 'admin', outcome: 'ok' } },
    {
      kind: 'attestation',
      record: { node: 'edge-nord', verifier: 'centre', result: octets(200), evidence: octets(32) },
    },
    { kind: 'command', record: { command: octets(300), approvals: [{ operator: 'b', signature: octets(64) }] } },
    {
      kind: 'certificate',
      record: { name: 'edge-nord', role: 'edge', certificate: octets(400), revoked: { at: nanosText } },
    },
  ];
  it.each(contents.map((content) => [content.kind, content] as const))('carries %s', async (_, content) => {
    expect(await through(content)).toEqual(content);
  });

  it('with something that is no such record is refused when it is opened', async () => {
    const wrong = { kind: 'gap', gap: { reason: 'boredom', from: '1', to: '2' } } as unknown as Content;
    await expect(through(wrong)).rejects.toMatchObject({ code: 'model.invalid', fault: 'peer' });
    await expect(through({ kind: 'sourceEvents', events: [] })).rejects.toMatchObject({ code: 'link.batch.size' });
    const short = { node: 'edge-nord', verifier: 'centre', result: octets(200), evidence: octets(31) };
    await expect(through({ kind: 'attestation', record: short })).rejects.toMatchObject({ code: 'model.invalid' });
    const text = { name: 'a', role: 'edge', certificate: 'MIIB' as unknown as Uint8Array };
    await expect(through({ kind: 'certificate', record: text })).rejects.toMatchObject({ code: 'model.invalid' });
  });
});

describe('a batch from outside', () => {
  let batch: Batch;
  let bytes: Uint8Array;
  const open = (input: Uint8Array) => {
    const decoded = decodeBatch(input);
    verifyBatch(decoded, signer.publicKey);
    return contentOf(decoded);
  };

  beforeAll(async () => {
    const observations = points.flatMap((point) => [
      observation({ point, value: 1 }),
      observation({ point, value: 'open', sourceTime: 5n, repeat: true }),
      observation({ point, value: null, quality: 3 }),
    ]);
    batch = await seal(gather(observations));
    bytes = batchToBytes(batch);
  });

  it('cut short anywhere is refused', () => {
    for (let size = 0; size < bytes.length; size++) expect(() => open(bytes.subarray(0, size))).toThrow(EnerchainError);
  });

  it('with any byte changed is refused', () => {
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = Uint8Array.from(bytes);
        changed[at]! ^= change;
        // A changed key identifier is refused by whoever looks the key up; here the key is given.
        const decodedOrThrown = () => open(changed);
        expect(decodedOrThrown).toThrow(EnerchainError);
      }),
      { numRuns: 500 },
    );
  });

  it('whose columns are changed under a good signature is refused or read, never a crash', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(3), fc.nat(60), fc.integer({ min: 1, max: 255 }), async (index, at, change) => {
        const columns = batch.columns.map((column) => Uint8Array.from(column));
        const column = columns[index]!;
        column[at % column.length]! ^= change;
        try {
          contentOf({ ...batch, columns });
        } catch (error) {
          expect(error).toBeInstanceOf(EnerchainError);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('is known by the hash of its header, and to be signed by its key', () => {
    const decoded = decodeBatch(bytes);
    expect(decoded.hash).toEqual(batch.hash);
    expect(decoded.header).toEqual(batch.header);
    expect(() => verifyBatch(decoded, newSigner().publicKey)).toThrow('does not fit');
  });

  it('with columns of another batch is refused', async () => {
    const other = await seal(gather([observation()]));
    const mixed = { ...other, columns: batch.columns.slice(0, 1) };
    expect(() => verifyBatch(mixed, signer.publicKey)).toThrow('not those that were signed');
    expect(() => verifyBatch({ ...other, salt: Buffer.alloc(16) }, signer.publicKey)).toThrow('not those');
  });

  it('of a version unknown here says so', async () => {
    const header = Uint8Array.from(batch.headerBytes);
    expect(header[2]).toBe(1);
    header[2] = 2;
    const signed = await coseSign1(signer, kid, 'enerchain-batch', header);
    expect(() => decodeBatch(batchToBytes({ ...batch, signed }))).toThrow('version 2 is not known');
  });

  it('shows one column with a proof and hides the others', () => {
    const proof = columnProof(decodeBatch(bytes), points[2]!);
    const { header, column } = verifyColumnProof(proof, signer.publicKey);
    expect(header).toMatchObject({ source: 'edge-nord', epoch: 3, sequence: 7 });
    expect(column.point).toBe(points[2]);
    expect([...column.value]).toEqual([1, 'open', null]);
    const wrong = { ...proof, column: batch.columns[1]! };
    expect(() => verifyColumnProof(wrong, signer.publicKey)).toThrow('not part of the batch');
    expect(() => verifyColumnProof({ ...proof, index: 1 }, signer.publicKey)).toThrow('not part of the batch');
    expect(() => columnProof(batch, newMrid())).toThrow('says nothing');
  });
});
