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
