/**
 * When one neighbour is asked for evidence: a pure state machine. Time and randomness come in with each input; what is to be
 * done goes out as effects. One question is under way at a time, whatever happens.
 */

/** All times in milliseconds. */
export interface Timing {
  /** Between two attestations of a neighbour. */
  readonly period: number;
  /** Part of the period by which an attestation may be early, so that neighbours do not fall into step; 0 … 0.5. */
  readonly jitter: number;
  /** An answer that takes longer is missed. */
  readonly timeout: number;
  /** Least time between two questions to the same neighbour, whatever happens. */
  readonly leastGap: number;
  /** First pause after a miss; doubled with each further one, up to the period. */
  readonly retry: number;
  /** How long bindings are collected for one quote. */
  readonly aggregate: number;
  /** The first question after a connection comes within this time. */
  readonly first: number;
}

/** @param period seconds */
export function timingFor(period: number): Timing {
  const millis = period * 1000;
  return {
    period: millis,
    jitter: 0.2,
    timeout: Math.min(Math.max(millis, 2000), 10_000),
    leastGap: Math.min(100, millis / 4),
    retry: Math.min(500, millis / 4),
    aggregate: Math.min(20, millis / 10),
    first: Math.min(50, millis / 10),
  };
}

export type CycleState =
  /** No connection. */
  | { readonly phase: 'down' }
  /** The next question is due at `due`. */
  | { readonly phase: 'resting'; readonly due: number; readonly askedAt: number; readonly misses: number }
  /** An answer is waited for, or being appraised. */
  | {
      readonly phase: 'asked';
      readonly askedAt: number;
      /** Undefined while the answer is being appraised: that is our own time. */
      readonly deadline: number | undefined;
      readonly misses: number;
      /** Something has happened since: ask again at once. */
      readonly again: boolean;
    };

export type CycleInput =
  | { readonly kind: 'up' }
  | { readonly kind: 'down' }
  /** The wake-up that was asked for. */
  | { readonly kind: 'wake' }
  /** Something has happened: a measurement changed, an alarm of the EDR, bad news about the neighbour, an operator. */
  | { readonly kind: 'event' }
  /** The answer has come and is being appraised. */
  | { readonly kind: 'answered' }
  /** The neighbour said that it has no evidence now. */
  | { readonly kind: 'refused' }
  /** The appraisal has ended. `sound`: the evidence could be appraised, whatever came of it. */
  | { readonly kind: 'appraised'; readonly sound: boolean };

export type CycleEffect =
  | { readonly kind: 'ask' }
  /** Call `wake` at this time; replaces the one before. */
  | { readonly kind: 'wakeAt'; readonly at: number }
  /** The neighbour owes an answer. */
  | { readonly kind: 'missed'; readonly why: 'timeout' | 'refused' | 'unsound' | 'down' };

export interface CycleStep {
  readonly state: CycleState;
  readonly effects: readonly CycleEffect[];
}

export const CYCLE_DOWN: CycleState = { phase: 'down' };

/**
 * @param now monotonic milliseconds
 * @param random 0 … 1
 */
export function stepCycle(
  state: CycleState,
  input: CycleInput,
  context: { readonly now: number; readonly random: () => number; readonly timing: Timing },
): CycleStep {
  const { now, random, timing } = context;
  const unchanged: CycleStep = { state, effects: [] };
  const rest = (askedAt: number, misses: number, due: number, first: readonly CycleEffect[] = []): CycleStep => ({
    state: { phase: 'resting', due, askedAt, misses },
    effects: [...first, { kind: 'wakeAt', at: due }],
  });
  const early = (span: number) => span * (1 - timing.jitter * random());
  const missed = (
    askedAt: number,
    misses: number,
    why: 'timeout' | 'refused' | 'unsound',
    again: boolean,
  ): CycleStep => {
    const pause = again ? timing.leastGap : Math.min(timing.period, timing.retry * 2 ** Math.min(misses, 16));
    return rest(askedAt, misses + 1, now + early(pause), [{ kind: 'missed', why }]);
  };

  if (input.kind === 'down') {
    return state.phase === 'down' ? unchanged : { state: CYCLE_DOWN, effects: [{ kind: 'missed', why: 'down' }] };
  }
  switch (state.phase) {
    case 'down':
      return input.kind === 'up' ? rest(Number.NEGATIVE_INFINITY, 0, now + timing.first * random()) : unchanged;
    case 'resting': {
      if (input.kind === 'event') {
        const due = Math.min(state.due, Math.max(now, state.askedAt + timing.leastGap));
        if (due > now) return rest(state.askedAt, state.misses, due);
      } else if (input.kind !== 'wake') return unchanged;
      else if (now < state.due) return { state, effects: [{ kind: 'wakeAt', at: state.due }] };
      const deadline = now + timing.timeout;
      return {
        state: { phase: 'asked', askedAt: now, deadline, misses: state.misses, again: false },
        effects: [{ kind: 'ask' }, { kind: 'wakeAt', at: deadline }],
      };
    }
    case 'asked':
      switch (input.kind) {
        case 'event':
          return { state: { ...state, again: true }, effects: [] };
        case 'answered':
          return { state: { ...state, deadline: undefined }, effects: [] };
        case 'refused':
          return missed(state.askedAt, state.misses, 'refused', state.again);
        case 'wake':
          if (state.deadline === undefined) return unchanged;
          if (now < state.deadline) return { state, effects: [{ kind: 'wakeAt', at: state.deadline }] };
          return missed(state.askedAt, state.misses, 'timeout', state.again);
        case 'appraised': {
          if (!input.sound) return missed(state.askedAt, state.misses, 'unsound', state.again);
          const next = state.again ? timing.leastGap : early(timing.period);
          return rest(state.askedAt, 0, Math.max(now, state.askedAt + next));
        }
        default:
          return unchanged;
      }
  }
}
