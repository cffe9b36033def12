import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  acknowledgeDue,
  confirm,
  createLink,
  EFFECT,
  type LinkState,
  nextDeadline,
  receiveI,
  receiveS,
  receiveU,
  release,
  requestStart,
  requestStop,
  sendI,
  sendWindow,
  tick,
} from '../../src/machine/link.ts';
import { completeParameters, type Parameters } from '../../src/spec/parameters.ts';

function started(
  role: 'controlling' | 'controlled' = 'controlled',
  parameters: Partial<Parameters> = {},
  manual = false,
): LinkState {
  const link = createLink(role, completeParameters(parameters), manual, 0);
  if (role === 'controlled') receiveU(link, 0, 'STARTDT act');
  else {
    requestStart(link, 0);
    receiveU(link, 0, 'STARTDT con');
  }
  return link;
}

/** Puts a link in the middle of its life: so many I frames were exchanged before. */
function after(link: LinkState, sent: number, received: number): LinkState {
  Object.assign(link, { sent, acknowledged: sent, received, released: received, confirmed: received });
  return link;
}

const names = (effects: number) =>
  Object.entries(EFFECT)
    .filter(([, bit]) => bit !== 0 && (effects & bit) !== 0)
    .map(([name]) => name);

describe('STARTDT and STOPDT', () => {
  test('a controlled station starts when asked and confirms', () => {
    const link = createLink('controlled', completeParameters(), false, 0);
    expect(sendWindow(link)).toBe(0);
    expect(names(receiveU(link, 0, 'STARTDT act'))).toEqual(['sendStartCon', 'started']);
    expect(sendWindow(link)).toBe(12);
    expect(names(receiveU(link, 0, 'STARTDT act'))).toEqual(['sendStartCon']);
  });

  test('a controlling station starts with the confirmation, and gives up after t1', () => {
    const link = createLink('controlling', completeParameters(), false, 0);
    expect(names(requestStart(link, 0))).toEqual(['sendStartAct']);
    expect(requestStart(link, 0)).toBe(EFFECT.none);
    expect(nextDeadline(link)).toBe(15_000);
    expect(tick(link, 14_999)).toBe(EFFECT.none);
    const late = structuredClone(link);
    expect(names(receiveU(link, 14_999, 'STARTDT con'))).toEqual(['started']);
    expect(names(tick(late, 15_000))).toEqual(['close']);
    expect(late.closed).toMatchObject({ code: 'apci.t1', text: expect.stringContaining('STARTDT') });
  });

  test('STOPDT con waits until the peer has acknowledged everything', () => {
    const link = started();
    sendI(link, 0);
    sendI(link, 0);
    expect(names(receiveU(link, 1, 'STOPDT act'))).toEqual(['sendS']);
    expect([link.transfer, sendWindow(link)]).toEqual(['draining', 0]);
    expect(names(receiveS(link, 2, 1))).toEqual(['acknowledged']);
    expect(names(receiveS(link, 3, 2))).toEqual(['acknowledged', 'sendS', 'sendStopCon', 'stopped']);
    expect(link.transfer).toBe('stopped');
  });

  test('STOPDT is confirmed at once when nothing is outstanding, also when already stopped', () => {
    const link = started();
    expect(names(receiveU(link, 1, 'STOPDT act'))).toEqual(['sendS', 'sendStopCon', 'stopped']);
    expect(names(receiveU(link, 1, 'STOPDT act'))).toEqual(['sendStopCon']);
    expect(names(receiveU(link, 1, 'STARTDT act'))).toEqual(['sendStartCon', 'started']);
  });

  test('a controlling station takes I frames until STOPDT is confirmed, and none after', () => {
    const link = started('controlling');
    expect(names(requestStop(link, 1))).toEqual(['sendS', 'sendStopAct']);
    expect(names(receiveI(link, 2, 0, 0))).toEqual(['deliver']);
    expect(acknowledgeDue(link)).toBe(true);
    expect(names(receiveU(link, 3, 'STOPDT con'))).toEqual(['sendS', 'stopped']);
    expect(names(receiveI(link, 4, 1, 0))).toEqual(['close']);
    expect(link.closed?.code).toBe('apci.notStarted');
  });

  test('requests of the wrong direction close, confirmations nobody waits for do not', () => {
    for (const [role, name, effects] of [
      ['controlling', 'STARTDT act', ['close']],
      ['controlling', 'STOPDT act', ['close']],
      ['controlled', 'STARTDT con', ['close']],
      ['controlled', 'STOPDT con', ['close']],
      ['controlling', 'STARTDT con', []],
      ['controlling', 'STOPDT con', []],
      ['controlling', 'TESTFR con', []],
    ] as const)
      expect(names(receiveU(started(role), 0, name))).toEqual(effects);
  });
});

describe('the window', () => {
  test('k I frames may be unacknowledged', () => {
    const link = started('controlled', { k: 3, w: 2 });
    expect([0, 1, 2].map(() => sendI(link, 0))).toEqual([0, 1, 2]);
    expect(sendWindow(link)).toBe(0);
    expect(names(receiveS(link, 0, 2))).toEqual(['acknowledged']);
    expect(sendWindow(link)).toBe(2);
  });

  test('an acknowledgement is due after w received frames, and an own I frame carries it', () => {
    const link = started('controlled', { w: 3 });
    for (let i = 0; i < 2; i++) receiveI(link, 0, i, 0);
    expect(acknowledgeDue(link)).toBe(false);
    receiveI(link, 0, 2, 0);
    expect(acknowledgeDue(link)).toBe(true);
    expect(confirm(link)).toBe(3);
    expect(acknowledgeDue(link)).toBe(false);
  });

  test('with manual acknowledgement N(R) stops at what was released, and t2 does not run before', () => {
    const link = started('controlling', { w: 2 }, true);
    for (let i = 0; i < 4; i++) receiveI(link, 0, i, 0);
    expect(acknowledgeDue(link)).toBe(false);
    expect(nextDeadline(link)).toBe(20_000);
    expect(confirm(link)).toBe(0);
    release(link, 5_000, 3);
    expect(acknowledgeDue(link)).toBe(true);
    expect(nextDeadline(link)).toBe(15_000);
    expect(names(tick(link, 15_000))).toEqual(['sendS']);
    expect(confirm(link)).toBe(3);
    release(link, 16_000, 2);
    release(link, 16_000, 99);
    expect(confirm(link)).toBe(4);
  });

  test('a peer cannot have more frames unacknowledged than sequence numbers tell apart', () => {
    const link = started('controlling', {}, true);
    for (let i = 0; i < 32_767; i++) expect(names(receiveI(link, 0, i, 0))).toEqual(['deliver']);
    expect(names(receiveI(link, 0, 32_767, 0))).toEqual(['close']);
    expect(link.closed?.code).toBe('apci.unacknowledged');
  });
});

describe('sequence numbers', () => {
  test('wrap at 32768', () => {
    const link = after(started(), 32_767, 32_767);
    expect(names(receiveI(link, 0, 32_767, 32_767))).toEqual(['deliver']);
    expect(names(receiveI(link, 0, 0, 32_767))).toEqual(['deliver']);
    expect(confirm(link)).toBe(1);
    expect([sendI(link, 0), sendI(link, 0)]).toEqual([32_767, 0]);
    expect(names(receiveS(link, 0, 1))).toEqual(['acknowledged']);
    expect(link.acknowledged).toBe(32_769);
  });

  test('an N(S) that is not the next one closes', () => {
    for (const wrong of [9, 11, 0, 32_767]) {
      const link = after(started(), 0, 10);
      expect(names(receiveI(link, 0, wrong, 0))).toEqual(['close']);
      expect(link.closed).toEqual({
        code: 'apci.sendSequence',
        text: `N(S) ${wrong} where 10 was expected; connection closed`,
      });
    }
  });

  test('an N(R) is right from the oldest unacknowledged to the next to be sent, and closes elsewhere', () => {
    fc.assert(
      fc.property(fc.nat(100_000), fc.nat(12), fc.nat(32_767), (base, outstanding, received) => {
        const link = after(started(), base, 0);
        for (let i = 0; i < outstanding; i++) sendI(link, 0);
        const moved = (received - base) & 0x7fff;
        const effects = names(receiveS(link, 0, received));
        if (moved > outstanding) expect([effects, link.closed?.code]).toEqual([['close'], 'apci.receiveSequence']);
        else expect(link.acknowledged).toBe(base + moved);
      }),
    );
  });
});

describe('time-outs', () => {
  test('t1 runs from the oldest unacknowledged I frame', () => {
    const link = started();
    sendI(link, 1_000);
    sendI(link, 5_000);
    expect(nextDeadline(link)).toBe(16_000);
    receiveS(link, 10_000, 1);
    expect(nextDeadline(link)).toBe(20_000);
    expect(tick(link, 19_999)).toBe(EFFECT.none);
    expect(names(tick(link, 20_000))).toEqual(['close']);
    expect(link.closed?.text).toBe('No acknowledgement of I frame 1 within t1 (15 s); connection closed');
    expect(nextDeadline(link)).toBe(Number.POSITIVE_INFINITY);
    expect(tick(link, 99_000)).toBe(EFFECT.none);
  });

  test('t2 runs from the first unacknowledged received frame', () => {
    const link = started();
    receiveI(link, 1_000, 0, 0);
    receiveI(link, 3_000, 1, 0);
    expect(nextDeadline(link)).toBe(11_000);
    expect(names(tick(link, 11_000))).toEqual(['sendS']);
    expect(confirm(link)).toBe(2);
    expect(nextDeadline(link)).toBe(23_000);
  });

  test('t3 without a frame sends TESTFR, and t1 without its confirmation closes', () => {
    const link = started();
    receiveS(link, 7_000, 0);
    expect(nextDeadline(link)).toBe(27_000);
    expect(names(tick(link, 27_000))).toEqual(['sendTestAct']);
    expect(nextDeadline(link)).toBe(42_000);
    const silent = structuredClone(link);
    receiveU(link, 28_000, 'TESTFR con');
    expect(nextDeadline(link)).toBe(48_000);
    expect(names(tick(silent, 42_000))).toEqual(['close']);
    expect(silent.closed?.text).toContain('TESTFR');
  });

  test('TESTFR act is answered in every phase', () => {
    expect(names(receiveU(createLink('controlled', completeParameters(), false, 0), 0, 'TESTFR act'))).toEqual([
      'sendTestCon',
    ]);
    expect(names(receiveU(started(), 0, 'TESTFR act'))).toEqual(['sendTestCon']);
  });
});

test('the same inputs give the same states: a link can be replayed from a copy', () => {
  type Step = (link: LinkState) => unknown;
  const step = fc.oneof(
    fc.nat(40_000).map(
      (at): Step =>
        (link) =>
          tick(link, at),
    ),
    fc.nat(40_000).map(
      (at): Step =>
        (link) =>
          receiveI(link, at, link.received & 0x7fff, link.acknowledged & 0x7fff),
    ),
    fc.nat(40_000).map(
      (at): Step =>
        (link) =>
          sendWindow(link) > 0 ? sendI(link, at) : -1,
    ),
    fc.nat(32_767).map(
      (received): Step =>
        (link) =>
          receiveS(link, 0, received),
    ),
    fc.constantFrom('TESTFR act', 'STOPDT act', 'STARTDT act').map(
      (name): Step =>
        (link) =>
          receiveU(link, 0, name as 'TESTFR act'),
    ),
    fc.constant((link: LinkState) => confirm(link)),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const link = started();
      const copy = structuredClone(link);
      for (const one of steps) {
        expect(one(copy)).toEqual(one(link));
        expect(link.acknowledged).toBeLessThanOrEqual(link.sent);
        expect(link.sent - link.acknowledged).toBeLessThanOrEqual(link.k);
        expect(link.confirmed <= link.released && link.released <= link.received).toBe(true);
      }
      expect(copy).toEqual(link);
    }),
  );
});
