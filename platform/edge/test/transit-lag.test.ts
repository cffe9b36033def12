import { describe, expect, it } from 'vitest';
import { TransitLag } from '../src/outbox/transit-lag.ts';

const second = 1_000_000_000n;

describe('the lag behind the devices', () => {
  it('moves the begin of a gap back by the largest delay seen lately', () => {
    const lag = new TransitLag();
    lag.note(100n * second, 100n * second + 40_000_000n);
    lag.note(101n * second, 101n * second + 5_000_000n);
    expect(lag.before(102n * second)).toBe(102n * second - 40_000_000n);
  });

  it('forgets a delay after one to two minutes, and after a silence', () => {
    const lag = new TransitLag();
    lag.note(99n * second, 100n * second);
    lag.note(150n * second, 150n * second);
    lag.note(170n * second, 170n * second);
    expect(lag.before(170n * second)).toBe(169n * second);
    lag.note(231n * second, 231n * second);
    expect(lag.before(231n * second)).toBe(231n * second);
    lag.note(1000n * second, 1001n * second);
    lag.note(2000n * second, 2000n * second);
    expect(lag.before(2000n * second)).toBe(2000n * second);
  });

  it('does not take a clock that is days behind, or ahead, for a delay', () => {
    const lag = new TransitLag();
    lag.note(0n, 200_000n * second);
    lag.note(200_010n * second, 200_001n * second);
    expect(lag.before(200_002n * second)).toBe(200_002n * second);
  });
});
