import type { CommandStep } from '@enerchain/model';
import { describe, expect, it } from 'vitest';
import { feedbackFor, outcomeOf, type Sight } from '../src/commands/outcome.ts';

const command = (...steps: CommandStep[]) => ({
  state: steps.at(-1) as CommandStep,
  final: ['terminated', 'negative', 'cancelled', 'outcomeUnknown'].includes(steps.at(-1) ?? ''),
  events: steps.map((step) => ({ step, at: '2027-01-15T08:00:00Z' })),
});
const CB = 'J01 Breaker position';
const open: Sight = { name: CB, shows: 'open', agrees: true };
const closed: Sight = { name: CB, shows: 'closed', agrees: false };

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
