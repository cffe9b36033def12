import { COMMAND_STEPS, type Point } from '@enerchain/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { feedbackReached } from '../src/commands/feedback.ts';
import {
  COMMAND_TIMERS,
  type CommandEffect,
  type CommandInput,
  type CommandMachine,
  isOver,
  newCommand,
  nextDeadline,
  stepCommand,
} from '../src/commands/machine.ts';

/** Runs inputs at times and gathers the effects in words. */
function play(start: CommandMachine, ...inputs: (readonly [number, CommandInput])[]) {
  let machine = start;
  const words: string[] = [];
  for (const [now, input] of inputs) {
    const stepped = stepCommand(machine, input, now);
    machine = stepped.machine;
    for (const effect of stepped.effects) words.push(wordOf(effect));
  }
  return { machine, words };
}
const wordOf = (effect: CommandEffect): string =>
  effect.kind === 'send' ? `send ${effect.action}` : effect.kind === 'record' ? effect.step : 'refuse';
const order = (action: 'select' | 'operate' | 'cancel'): CommandInput => ({ kind: 'order', action });
const event = (action: 'select' | 'operate', step: (typeof COMMAND_STEPS)[number]): CommandInput => ({
  kind: 'event',
  action,
  step,
});
const time: CommandInput = { kind: 'time' };

describe('a command that a second person approves', () => {
  const fresh = () => newCommand('direct', false, 0, COMMAND_TIMERS, true);
  const approved: CommandInput = { kind: 'approved', by: 'bert' };

  it('goes nowhere before it is approved, then has its time to be operated', () => {
    const { machine, words } = play(fresh(), [0, order('operate')], [170_000, approved], [170_000, approved]);
    expect(words).toEqual(['refuse', 'approved', 'refuse']);
    expect(nextDeadline(machine)).toBe(170_000 + COMMAND_TIMERS.prepared);
    expect(play(machine, [171_000, order('operate')]).words).toEqual(['sent', 'send operate']);
  });

  it('ends when nobody approves it in time, or somebody takes it back', () => {
    const { machine, words } = play(fresh(), [COMMAND_TIMERS.approval, time], [COMMAND_TIMERS.approval, approved]);
    expect(words).toEqual(['cancelled', 'refuse']);
    expect(isOver(machine)).toBe(true);
    expect(play(fresh(), [5, order('cancel')], [6, approved]).words).toEqual(['cancelled', 'refuse']);
  });
});

describe('a command with select before operate', () => {
  const fresh = () => newCommand('sbo', true, 0);

  it('goes from select over operate to termination and feedback', () => {
    const { machine, words } = play(
      fresh(),
      [0, order('select')],
      [10, event('select', 'received')],
      [20, event('select', 'selected')],
      [30, order('operate')],
      [40, event('operate', 'confirmed')],
      [50, event('operate', 'terminated')],
      [60, { kind: 'feedback' }],
    );
    expect(words).toEqual(['sent', 'send select', 'sent', 'send operate', 'feedbackSeen']);
    expect(isOver(machine)).toBe(true);
  });

  it('refuses to operate what is not selected', () => {
    expect(play(fresh(), [0, order('operate')]).words).toEqual(['refuse']);
    expect(play(fresh(), [0, order('select')], [1, order('operate')]).words).toEqual(['sent', 'send select', 'refuse']);
  });

  it('gives a selection back that nobody operates', () => {
    const { words, machine } = play(
      fresh(),
      [0, order('select')],
      [5, event('select', 'selected')],
      [5 + COMMAND_TIMERS.selected, time],
    );
    expect(words.slice(2)).toEqual(['cancelled', 'send cancel']);
    expect(isOver(machine)).toBe(true);
  });

  it('times out when the device does not answer the selection', () => {
    expect(play(fresh(), [0, order('select')], [COMMAND_TIMERS.select, time]).words).toContain('timedOut');
  });

  it('takes a refused selection as the end', () => {
    const { machine } = play(fresh(), [0, order('select')], [1, event('select', 'selectRefused')]);
    expect(isOver(machine)).toBe(true);
  });
});

describe('a direct command', () => {
  const fresh = (feedback = false) => newCommand('direct', feedback, 0);

  it('has an unknown outcome when no confirmation comes, and still watches the feedback', () => {
    const late = play(fresh(true), [0, order('operate')], [COMMAND_TIMERS.operate, time]);
    expect(late.words).toEqual(['sent', 'send operate', 'outcomeUnknown']);
    expect(isOver(late.machine)).toBe(false);
    expect(play(late.machine, [COMMAND_TIMERS.operate + 1, { kind: 'feedback' }]).words).toEqual(['feedbackSeen']);
    expect(play(late.machine, [COMMAND_TIMERS.feedback, time]).words).toEqual(['feedbackMissing']);
  });

  it('says that the feedback is missing when it does not come in time', () => {
    const { words } = play(
      fresh(true),
      [0, order('operate')],
      [10, event('operate', 'terminated')],
      [COMMAND_TIMERS.feedback, time],
    );
    expect(words).toEqual(['sent', 'send operate', 'feedbackMissing']);
  });

  it('does not watch the feedback of an order that the device refused', () => {
    const { machine } = play(fresh(true), [0, order('operate')], [10, event('operate', 'negative')]);
    expect(isOver(machine)).toBe(true);
  });

  it('is over when a device that knows no termination has confirmed', () => {
    const { words, machine } = play(
      fresh(),
      [0, order('operate')],
      [10, event('operate', 'confirmed')],
      [10 + COMMAND_TIMERS.termination, time],
    );
    expect(words).toEqual(['sent', 'send operate', 'confirmed']);
    expect(isOver(machine)).toBe(true);
  });

  it('cannot be taken back once it is on its way', () => {
    expect(play(fresh(), [0, order('operate')], [1, order('cancel')]).words).toEqual([
      'sent',
      'send operate',
      'refuse',
    ]);
  });
});

describe('any sequence of orders, reports and time', () => {
  const input = fc.oneof(
    fc.constantFrom('select', 'operate', 'cancel').map((action) => order(action as 'select')),
    fc.record({
      kind: fc.constant('event' as const),
      action: fc.constantFrom('select' as const, 'operate' as const),
      step: fc.constantFrom(...COMMAND_STEPS),
    }),
    fc.constant<CommandInput>({ kind: 'feedback' }),
    fc.constant<CommandInput>(time),
    fc.constant<CommandInput>({ kind: 'notSent', action: 'operate', reason: 'away', certain: false }),
  );
  const trace = fc.array(fc.tuple(fc.integer({ min: 0, max: 40_000 }), input), { maxLength: 40 });

  it('sends operate at most once, and nothing after the end', () => {
    fc.assert(
      fc.property(fc.constantFrom('sbo' as const, 'direct' as const), fc.boolean(), trace, (model, feedback, steps) => {
        let machine = newCommand(model, feedback, 0);
        let now = 0;
        let operates = 0;
        let selected = false;
        for (const [wait, each] of steps) {
          now += wait;
          const over = isOver(machine);
          if (each.kind === 'event' && each.step === 'selected') selected = true;
          const { machine: next, effects } = stepCommand(machine, each, now);
          for (const effect of effects) {
            if (effect.kind !== 'send') continue;
            expect(machine.phase).not.toBe('done');
            if (effect.action !== 'operate') continue;
            operates++;
            if (model === 'sbo') expect(selected).toBe(true);
          }
          if (over && each.kind !== 'notSent') expect(effects.filter(({ kind }) => kind !== 'refuse')).toEqual([]);
          machine = next;
        }
        expect(operates).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('comes to an end by time alone', () => {
    fc.assert(
      fc.property(fc.constantFrom('sbo' as const, 'direct' as const), fc.boolean(), trace, (model, feedback, steps) => {
        let machine = newCommand(model, feedback, 0);
        let now = 0;
        for (const [wait, each] of steps) {
          now += wait;
          machine = stepCommand(machine, each, now).machine;
        }
        for (let round = 0; round < 5 && !isOver(machine); round++) {
          now = Math.max(now, nextDeadline(machine));
          machine = stepCommand(machine, time, now).machine;
        }
        expect(isOver(machine)).toBe(true);
        expect(nextDeadline(machine)).toBe(Number.POSITIVE_INFINITY);
      }),
    );
  });
});

describe('feedback', () => {
  const dps = { kind: 'discrete', cdc: 'DPS' } as const;
  it.each([
    ['a single command against a double point', { kind: 'command', cdc: 'SPC' }, 1, dps, undefined, 2, true],
    ['a single command against the wrong end', { kind: 'command', cdc: 'SPC' }, 1, dps, undefined, 1, false],
    ['a double command', { kind: 'command', cdc: 'DPC' }, 1, dps, undefined, 1, true],
    [
      'a double command against a single point',
      { kind: 'command', cdc: 'DPC' },
      1,
      { kind: 'discrete', cdc: 'SPS' },
      undefined,
      0,
      true,
    ],
    ['a step up', { kind: 'command', cdc: 'BSC' }, 2, { kind: 'discrete' }, 5, 6, true],
    ['a step up that went down', { kind: 'command', cdc: 'BSC' }, 2, { kind: 'discrete' }, 5, 4, false],
    [
      'a set-point within a hundredth of its range',
      { kind: 'setpoint', minimum: 0, maximum: 10 },
      5,
      { kind: 'analog' },
      undefined,
      5.09,
      true,
    ],
    ['a set-point beyond', { kind: 'setpoint', minimum: 0, maximum: 10 }, 5, { kind: 'analog' }, undefined, 5.2, false],
    ['no value', { kind: 'command', cdc: 'DPC' }, 1, dps, undefined, null, false],
  ] as const)('%s', (_name, control, ordered, feedback, before, now, reached) => {
    expect(feedbackReached(control as unknown as Point, ordered, feedback as never, before, now)).toBe(reached);
  });
});
