import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CYCLE_DOWN, type CycleInput, type CycleState, stepCycle, timingFor } from '../src/index.ts';

const timing = timingFor(2);

/** Runs inputs through the machine. */
function run(steps: readonly (readonly [at: number, input: CycleInput])[], random = () => 0) {
  let state: CycleState = CYCLE_DOWN;
  const log: string[] = [];
  for (const [now, input] of steps) {
    const step = stepCycle(state, input, { now, random, timing });
    state = step.state;
    for (const effect of step.effects) {
      log.push(
        `${now} ${effect.kind}${effect.kind === 'missed' ? ` ${effect.why}` : ''}${effect.kind === 'wakeAt' ? ` ${effect.at}` : ''}`,
      );
    }
  }
  return { state, log };
}

const up = { kind: 'up' } as const;
const down = { kind: 'down' } as const;
const wake = { kind: 'wake' } as const;
const event = { kind: 'event' } as const;
const answered = { kind: 'answered' } as const;
const sound = { kind: 'appraised', sound: true } as const;

describe('the cycle of questions', () => {
  it('asks soon after the connection, and a period after the last question', () => {
    const { log } = run([
      [0, up],
      [0, wake],
      [10, answered],
      [12, sound],
      [2000, wake],
    ]);
    expect(log).toEqual(['0 wakeAt 0', '0 ask', '0 wakeAt 2000', '12 wakeAt 2000', '2000 ask', '2000 wakeAt 4000']);
  });

  it('is early by the jitter at most, never late', () => {
    const { log } = run(
      [
        [0, up],
        [50, wake],
        [60, answered],
        [60, sound],
      ],
      () => 1,
    );
    expect(log.at(-1)).toBe('60 wakeAt 1650');
  });

  it('asks at once when something happens, but not twice within the least gap', () => {
    const { log } = run([
      [0, up],
      [0, wake],
      [5, answered],
      [6, sound],
      [500, event],
      [501, answered],
      [502, sound],
      [503, event],
      [600, wake],
    ]);
    expect(log.filter((line) => line.endsWith('ask'))).toEqual(['0 ask', '500 ask', '600 ask']);
  });

  it('what happens while an answer is waited for leads to one further question', () => {
    const { log } = run([
      [0, up],
      [0, wake],
      [5, event],
      [6, event],
      [10, answered],
      [11, sound],
    ]);
    expect(log.at(-1)).toBe('11 wakeAt 100');
  });

  it('misses grow the pauses up to the period, and one good answer ends that', () => {
    const steps: [number, CycleInput][] = [[0, up]];
    for (let at = 0, i = 0; i < 4; i++) {
      steps.push([at, wake], [at + 2000, wake]);
      at += 2000 + Math.min(2000, 500 * 2 ** i);
    }
    const { log } = run(steps);
    expect(log.filter((line) => line.endsWith('ask'))).toEqual(['0 ask', '2500 ask', '5500 ask', '9500 ask']);
    expect(log.filter((line) => line.includes('missed timeout'))).toHaveLength(4);
  });

  it('an appraisal of ours is not the fault of the neighbour', () => {
    const { log } = run([
      [0, up],
      [0, wake],
      [10, answered],
      [2000, wake],
      [9000, sound],
    ]);
    expect(log.some((line) => line.includes('missed'))).toBe(false);
    expect(log.at(-1)).toBe('9000 wakeAt 9000');
  });

  it('a lost connection is missed once', () => {
    const { log, state } = run([
      [0, up],
      [0, wake],
      [5, down],
      [6, down],
      [7, wake],
      [8, event],
    ]);
    expect(log.filter((line) => line.includes('missed'))).toEqual(['5 missed down']);
    expect(state).toEqual(CYCLE_DOWN);
  });

  it('whatever comes in whatever order: one question at a time, and always a wake-up ahead', () => {
    const input: fc.Arbitrary<CycleInput> = fc.constantFrom(
      up,
      down,
      wake,
      event,
      answered,
      sound,
      { kind: 'refused' } as const,
      { kind: 'appraised', sound: false } as const,
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(3000), input), { maxLength: 60 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (steps, random) => {
          let state: CycleState = CYCLE_DOWN;
          let now = 0;
          let wakeAt: number | undefined;
          for (const [pause, each] of steps) {
            now += pause;
            const before = state;
            const step = stepCycle(state, each, { now, random: () => random, timing });
            state = step.state;
            for (const effect of step.effects) if (effect.kind === 'wakeAt') wakeAt = effect.at;
            const asks = step.effects.filter(({ kind }) => kind === 'ask').length;
            expect(asks).toBeLessThanOrEqual(1);
            if (asks === 1) {
              expect(before.phase).toBe('resting');
              if (before.phase === 'resting') expect(now - before.askedAt).toBeGreaterThanOrEqual(timing.leastGap);
            }
            if (state.phase === 'resting') expect(wakeAt).toBe(state.due);
            if (state.phase === 'asked' && state.deadline !== undefined) expect(wakeAt).toBe(state.deadline);
          }
        },
      ),
    );
  });
});
