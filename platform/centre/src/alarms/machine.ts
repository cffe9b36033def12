/**
 * The alarm states of ISA-18.2 / IEC 62682 (figure 2), without shelving, as a table: what each input does in each state.
 */
import Type from 'typebox';

export const ALARM_STATES = ['normal', 'unacknowledged', 'acknowledged', 'returnedUnacknowledged'] as const;
export const AlarmStateSchema = Type.Enum(ALARM_STATES);
export type AlarmState = (typeof ALARM_STATES)[number];
/**
 * raise: the condition has come; worsen: it has become more urgent than what was acknowledged; return: it has gone;
 * acknowledge: an operator has seen it.
 */
export type AlarmInput = 'raise' | 'worsen' | 'return' | 'acknowledge';

/** State × input → next state; an input that is not listed changes nothing. */
export const ALARM_TABLE: Readonly<Record<AlarmState, Readonly<Partial<Record<AlarmInput, AlarmState>>>>> = {
  normal: { raise: 'unacknowledged' },
  unacknowledged: { return: 'returnedUnacknowledged', acknowledge: 'acknowledged' },
  acknowledged: { worsen: 'unacknowledged', return: 'normal' },
  returnedUnacknowledged: { raise: 'unacknowledged', acknowledge: 'normal' },
};

export const nextAlarmState = (state: AlarmState, input: AlarmInput): AlarmState => ALARM_TABLE[state][input] ?? state;

/** True while the condition itself stands, seen or not. */
export const conditionStands = (state: AlarmState): boolean => state === 'unacknowledged' || state === 'acknowledged';
