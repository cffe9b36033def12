import { expect, it } from 'vitest';
import { CborReader, CborWriter } from '../src/cbor.ts';

it('an item of one octet is kept when it is the one that makes the buffer grow', () => {
  for (let filled = 0; filled < 40; filled++) {
    for (const last of [7, null, true, [], {}] as const) {
      const writer = new CborWriter(16);
      const value = [...Array.from({ length: filled }, () => 1), last];
      writer.value(value);
      expect(new CborReader(writer.finish()).value(), `${filled} items before`).toEqual(value);
    }
  }
});

it('writers that write at the same time, and one that goes on after it has finished, do not write into each other', () => {
  const texts = Array.from({ length: 20 }, (_, i) => `${i} ${'x'.repeat(i * 3)} ${i % 2 ? 'ü' : 'u'}`);
  for (const rest of [texts, [...texts].reverse()]) {
    const writers = rest.map((text) => {
      const writer = new CborWriter();
      writer.text(text);
      return writer;
    });
    const first = writers.map((writer) => writer.finish());
    const before = first.map((bytes) => Buffer.from(bytes).toString('hex'));
    for (const [i, writer] of writers.entries()) writer.value([i, rest[i]!, { [rest[i]!]: i + 1000 }]);
    for (const [i, writer] of writers.entries()) {
      const reader = new CborReader(writer.finish());
      expect([reader.value(), reader.value()]).toEqual([rest[i], [i, rest[i], { [rest[i]!]: i + 1000 }]]);
    }
    expect(first.map((bytes) => Buffer.from(bytes).toString('hex'))).toEqual(before);
  }
});

it('a map whose keys are texts and then floats keeps them all', () => {
  // { "a": 1, 1.5: 2 }: the order of their octets.
  const bytes = Buffer.from('a2616101fb3ff800000000000002', 'hex');
  expect(new CborReader(bytes).value()).toEqual(
    new Map<number | string, number>([
      ['a', 1],
      [1.5, 2],
    ]),
  );
});
