import { describe, expect, it } from 'vitest';
import { SelectBook } from '../../src/server/select-book.ts';

const C_SC_NA_1 = 45;
const book = () => new SelectBook<string>({ timeout: 1000, limit: 2 });

describe('select before operate', () => {
  it('executes what the same connection selected, once', () => {
    const b = book();
    expect(b.select('a', 7, C_SC_NA_1, 'on', 0)).toEqual({ ok: true });
    expect(b.execute('a', 7, C_SC_NA_1, 'on', 999)).toEqual({ ok: true });
    expect(b.execute('a', 7, C_SC_NA_1, 'on', 999)).toEqual({ ok: false, reason: 'not selected' });
  });

  it('refuses an execute after the timeout and frees the object', () => {
    const b = book();
    b.select('a', 7, C_SC_NA_1, 'on', 0);
    expect(b.execute('a', 7, C_SC_NA_1, 'on', 1000)).toEqual({ ok: false, reason: 'select timed out' });
    expect(b.select('b', 7, C_SC_NA_1, 'off', 1000)).toEqual({ ok: true });
  });

  it('holds the object for the selecting connection', () => {
    const b = book();
    b.select('a', 7, C_SC_NA_1, 'on', 0);
    expect(b.select('b', 7, C_SC_NA_1, 'on', 1)).toEqual({ ok: false, reason: 'selected by another connection' });
    expect(b.execute('b', 7, C_SC_NA_1, 'on', 1)).toEqual({ ok: false, reason: 'selected by another connection' });
    expect(b.deactivate('b', 7, 1)).toEqual({ ok: false, reason: 'selected by another connection' });
    expect(b.execute('a', 7, C_SC_NA_1, 'on', 2)).toEqual({ ok: true });
  });

  it('an execute that is not the command selected consumes the selection', () => {
    const b = book();
    b.select('a', 7, C_SC_NA_1, 'on', 0);
    expect(b.execute('a', 7, C_SC_NA_1, 'off', 1)).toEqual({ ok: false, reason: 'differs from the select' });
    expect(b.execute('a', 7, C_SC_NA_1, 'on', 1)).toEqual({ ok: false, reason: 'not selected' });
  });

  it('deactivates, and has nothing to deactivate twice', () => {
    const b = book();
    b.select('a', 7, C_SC_NA_1, 'on', 0);
    expect(b.deactivate('a', 7, 1)).toEqual({ ok: true });
    expect(b.deactivate('a', 7, 1)).toEqual({ ok: false, reason: 'not selected' });
  });

  it('forgets the selections of a connection that ended', () => {
    const b = book();
    b.select('a', 7, C_SC_NA_1, 'on', 0);
    b.release('a');
    expect(b.size).toBe(0);
  });

  it('is bounded, and makes room from what has timed out', () => {
    const b = book();
    b.select('a', 1, C_SC_NA_1, 'on', 0);
    b.select('a', 2, C_SC_NA_1, 'on', 0);
    expect(b.select('a', 3, C_SC_NA_1, 'on', 1).ok).toBe(false);
    expect(b.select('a', 3, C_SC_NA_1, 'on', 1000)).toEqual({ ok: true });
    expect(b.size).toBe(1);
  });
});
