import type { CommandStep } from '@enerchain/model';
import { describe, expect, it } from 'vitest';
import type { CommandJson } from '../src/api/types.ts';
import { base64urlOf, octetsOf, sentenceOf } from '../src/commands/authenticator.ts';
import { withCommand } from '../src/commands/known.ts';
import { feedbackFor, outcomeOf, type Sight } from '../src/commands/outcome.ts';
import { timeLeft, waitingFor } from '../src/commands/waiting.ts';
import { mayBreakGlass, phaseOf } from '../src/commands/words.ts';

const command = (...steps: CommandStep[]) => ({
  state: steps.at(-1) as CommandStep,
  final: ['terminated', 'negative', 'cancelled', 'outcomeUnknown'].includes(steps.at(-1) ?? ''),
  events: steps.map((step) => ({ step, at: '2027-01-15T08:00:00Z' })),
});
const CB = 'J01 Breaker position';
const open: Sight = { name: CB, shows: 'open', agrees: true };
const closed: Sight = { name: CB, shows: 'closed', agrees: false };

describe('what is known of commands', () => {
  const told = (id: string, ...steps: CommandStep[]) => ({ id, ...command(...steps) }) as unknown as CommandJson;

  it('keeps what the stream told when the answer to the request comes after it', () => {
    const streamed = told('a', 'prepared', 'sent', 'received', 'selected');
    const known = withCommand(new Map([['a', streamed]]), told('a', 'prepared', 'sent'), 10);
    expect(known.get('a')).toBe(streamed);
    const later = told('a', 'prepared', 'sent', 'received', 'selected', 'sent');
    expect(withCommand(known, later, 10).get('a')).toBe(later);
  });

  it('forgets the ones known longest', () => {
    let known: ReadonlyMap<string, CommandJson> = new Map();
    for (const id of ['a', 'b', 'c']) known = withCommand(known, told(id, 'prepared'), 2);
    expect([...known.keys()]).toEqual(['b', 'c']);
  });
});

describe('the sentence about what became of an order', () => {
  it('waits for the live value when the word of the centre is faster, and never calls the old state done', () => {
    expect(outcomeOf(command('sent', 'feedbackSeen'), closed, true)).toBeUndefined();
    expect(outcomeOf(command('sent', 'feedbackSeen'), open, true)).toEqual({
      tone: 'good',
      text: `Done: ${CB} is open.`,
    });
  });

  it('says when the state did not last', () => {
    expect(outcomeOf(command('sent', 'feedbackSeen', 'confirmed'), closed, false)).toEqual({
      tone: 'unsure',
      text: `The feedback showed the ordered state, but now ${CB} is closed.`,
    });
  });

  it('does not take a device that stood there already for one that obeyed', () => {
    expect(outcomeOf(command('sent', 'operateSent'), open, false)).toBeUndefined();
    expect(outcomeOf(command('sent', 'negative'), open, false)).toEqual({
      tone: 'bad',
      text: `The device answered with a refusal. ${CB} is open.`,
    });
    expect(outcomeOf(command('sent', 'feedbackSeen', 'negative'), open, false)?.tone).toBe('bad');
  });

  it('leaves an unknown outcome unknown and says how the feedback stands', () => {
    expect(outcomeOf(command('sent', 'outcomeUnknown'), closed, false)?.text).toMatch(/unknown.*is closed\.$/);
    expect(outcomeOf(command('sent', 'terminated', 'feedbackMissing'), closed, false)).toMatchObject({
      tone: 'unsure',
    });
  });

  it('believes the device where there is no feedback point', () => {
    expect(outcomeOf(command('sent', 'terminated'), undefined, false)?.text).toContain('carried out');
  });
});

describe('the state that the feedback has to reach', () => {
  const kind = 'command' as const;
  it('is translated between single and double points, and is none for steps and set-points', () => {
    expect(feedbackFor({ kind, cdc: 'DPC' }, { cdc: 'DPS' }, 1)).toBe(1);
    expect(feedbackFor({ kind, cdc: 'SPC' }, { cdc: 'DPS' }, 0)).toBe(1);
    expect(feedbackFor({ kind, cdc: 'SPC' }, { cdc: 'DPS' }, 1)).toBe(2);
    expect(feedbackFor({ kind, cdc: 'DPC' }, { cdc: 'SPS' }, 2)).toBe(1);
    expect(feedbackFor({ kind, cdc: 'BSC' }, { cdc: 'INS' }, 2)).toBeUndefined();
    expect(feedbackFor({ kind: 'setpoint', cdc: 'APC' }, { cdc: 'MV' }, 5)).toBeUndefined();
  });
});

describe('an order that takes two', () => {
  const now = new Date('2027-01-15T08:00:00Z');
  const waiting = (id: string, fields: Partial<CommandJson> = {}): CommandJson => ({
    id,
    point: 'p',
    value: 1,
    ctlModel: 'sbo',
    state: 'approvalPending',
    final: false,
    checks: [],
    approval: {},
    expiresAt: '2027-01-15T08:03:00Z',
    events: [{ step: 'approvalPending', at: '2027-01-15T08:00:00Z' }],
    by: 'anna',
    ...fields,
  });

  it('is shown to others than who gave it, the most urgent first, until it is approved, over or out of time', () => {
    const list = [
      waiting('later'),
      waiting('sooner', { expiresAt: '2027-01-15T08:01:00Z' }),
      waiting('mine', { by: 'bert' }),
      waiting('approved', { state: 'approved' }),
      waiting('cancelled', { state: 'cancelled', final: true }),
      waiting('over', { expiresAt: '2027-01-15T08:00:00Z' }),
    ];
    expect(waitingFor(list, 'bert', now).map(({ id }) => id)).toEqual(['sooner', 'later']);
    expect(timeLeft('2027-01-15T08:01:04.200Z', now)).toBe('1:05');
    expect(timeLeft('2027-01-15T07:00:00Z', now)).toBe('0:00');
  });

  it('can be operated once it is approved, and no sooner', () => {
    expect(phaseOf(waiting('a'))).toBe('approving');
    const events = [...waiting('a').events, { step: 'approved', at: '2027-01-15T08:00:09Z' } as const];
    expect(phaseOf(waiting('a', { state: 'approved', events }))).toBe('prepared');
    expect(phaseOf(waiting('a', { state: 'cancelled', final: true }))).toBe('done');
  });

  it('offers break-glass where path or second person stand in the way, and nothing else does', () => {
    const path = { name: 'path', ok: false, text: 'net-1 is in quarantine.' };
    const value = { name: 'value', ok: false, text: 'too much' };
    const refused = { state: 'refusedByCentre', final: true } as const;
    expect(mayBreakGlass(waiting('a'))).toBe(true);
    expect(mayBreakGlass(waiting('a', { ...refused, checks: [path] }))).toBe(true);
    expect(mayBreakGlass(waiting('a', { ...refused, checks: [path, value] }))).toBe(false);
    expect(mayBreakGlass(waiting('a', { ...refused, checks: [] }))).toBe(false);
    expect(mayBreakGlass(waiting('a', { state: 'refusedByEdge', final: true }))).toBe(true);
    expect(mayBreakGlass(waiting('a', { state: 'prepared' }))).toBe(false);
    expect(mayBreakGlass(waiting('a', { state: 'refusedByEdge', breakGlass: { reason: 'x' } }))).toBe(false);
  });
});

describe('what the browser says about an authenticator', () => {
  it('travels in base64url, whatever the octets', () => {
    const octets = Uint8Array.from({ length: 256 }, (_, index) => 255 - index);
    for (const length of [0, 1, 2, 3, 255, 256]) {
      const part = octets.slice(0, length);
      expect(base64urlOf(part)).toBe(Buffer.from(part).toString('base64url'));
      expect([...octetsOf(base64urlOf(part))]).toEqual([...part]);
    }
  });

  it('is a sentence, never the name of an exception alone', () => {
    expect(sentenceOf(new DOMException('x', 'NotAllowedError'))).toMatch(/called off, took too long/);
    expect(sentenceOf(new DOMException('x', 'InvalidStateError'))).toMatch(/registered already/);
    expect(sentenceOf(new Error('no such token'))).toBe('The authenticator failed: no such token.');
  });
});
