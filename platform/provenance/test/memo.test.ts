/** What checks of receipts are remembered under. */
import { describe, expect, it } from 'vitest';
import { keyOf } from '../src/receipt/memo.ts';

describe('the key of a remembered check', () => {
  it('is another one when the same octets are divided otherwise, when one is missing, and when one bit differs', () => {
    const bytes = Uint8Array.from({ length: 6000 }, (_, i) => i % 251);
    const changed = Uint8Array.from(bytes);
    changed[5999]! ^= 1;
    const lists = [
      [],
      [new Uint8Array(0)],
      [bytes],
      [changed],
      [bytes.subarray(0, 5999)],
      // Beyond the buffer that is used again, and below it.
      ...[1, 100, 4000].map((at) => [bytes.subarray(0, at), bytes.subarray(at)]),
      [bytes.subarray(0, 100), bytes.subarray(100, 200)],
      [bytes.subarray(0, 150), bytes.subarray(150, 200)],
      [bytes.subarray(0, 200)],
    ];
    expect(new Set(lists.map((list) => keyOf(...list))).size).toBe(lists.length);
    expect(lists.map((list) => keyOf(...list))).toEqual(
      lists.map((list) => keyOf(...list.map((each) => each.slice()))),
    );
  });
});
