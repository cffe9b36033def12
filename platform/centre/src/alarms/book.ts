/** The standing alarms by the key of their condition. Pure: what it holds follows from the calls made to it. */
import { toIso, type UtcNanos } from '@enerchain/model';
import Type from 'typebox';
import { type AlarmInput, type AlarmState, AlarmStateSchema, conditionStands, nextAlarmState } from './machine.ts';

export const AlarmJson = Type.Object(
  {
    id: Type.Integer({ description: 'number of this occurrence; a condition that comes again later gets a new one' }),
    key: Type.String({ description: 'the condition' }),
    priority: Type.Enum([1, 2, 3, 4] as const),
    state: AlarmStateSchema,
    message: Type.String(),
    point: Type.Optional(Type.String()),
    source: Type.Optional(Type.String()),
    raisedAt: Type.String({ format: 'date-time' }),
    changedAt: Type.String({ format: 'date-time' }),
    acknowledgedBy: Type.Optional(Type.String()),
    acknowledgedAt: Type.Optional(Type.String({ format: 'date-time' })),
    comment: Type.Optional(Type.String()),
    consequence: Type.Optional(Type.String()),
    action: Type.Optional(Type.String()),
    after: Type.Optional(
      Type.Integer({
        description:
          'id of the alarm of a switch that left its normal position shortly before: a hint at the cause by time, not a proof',
      }),
    ),
  },
  { $id: 'Alarm' },
);
export type AlarmJson = Type.Static<typeof AlarmJson>;

/** What a condition says when it comes. */
export interface AlarmText {
  readonly key: string;
  readonly priority: 1 | 2 | 3 | 4;
  readonly message: string;
  readonly point?: string | undefined;
  readonly source?: string | undefined;
  readonly consequence?: string | undefined;
  readonly action?: string | undefined;
  readonly after?: number | undefined;
}

export class AlarmBook {
  readonly #byKey = new Map<string, AlarmJson>();
  readonly #byId = new Map<number, AlarmJson>();

  /** Continues from what `standing` returned before. */
  constructor(alarms: Iterable<AlarmJson> = []) {
    for (const alarm of alarms) this.#put(alarm);
  }

  /** All alarms that are not normal, in the order in which they were raised. */
  standing(): AlarmJson[] {
    return [...this.#byId.values()];
  }

  byId(id: number): AlarmJson | undefined {
    return this.#byId.get(id);
  }

  byKey(key: string): AlarmJson | undefined {
    return this.#byKey.get(key);
  }

  get size(): number {
    return this.#byId.size;
  }

  /**
   * A standing alarm that is raised with a higher priority has to be acknowledged anew.
   * @param id number of the occurrence, should this be a new one
   * @returns the alarm when something changed
   */
  raise(text: AlarmText, at: UtcNanos, id: number): AlarmJson | undefined {
    const current = this.#byKey.get(text.key);
    const worse = current !== undefined && text.priority < current.priority;
    const before = current?.state ?? 'normal';
    const state = nextAlarmState(before, worse && conditionStands(before) ? 'worsen' : 'raise');
    if (current && state === current.state && current.message === text.message && current.priority === text.priority)
      return undefined;
    const { key, priority, message, ...optional } = text;
    const changedAt = toIso(at);
    const known = current && (state === before ? current : anew(current, before));
    const alarm: AlarmJson = {
      ...(known ?? { id, raisedAt: changedAt }),
      key,
      priority,
      state,
      message,
      changedAt,
      ...defined(optional),
    };
    return this.#put(alarm);
  }

  /** Says after which switch the alarm came. */
  follows(id: number, after: number): AlarmJson | undefined {
    const current = this.#byId.get(id);
    return current && this.#put({ ...current, after });
  }

  /** The condition has gone. */
  clear(key: string, at: UtcNanos): AlarmJson | undefined {
    return this.#step(this.#byKey.get(key), 'return', { changedAt: toIso(at) });
  }

  acknowledge(id: number, by: string, at: UtcNanos, comment?: string): AlarmJson | undefined {
    const acknowledgedAt = toIso(at);
    return this.#step(this.#byId.get(id), 'acknowledge', {
      changedAt: acknowledgedAt,
      acknowledgedBy: by,
      acknowledgedAt,
      ...(comment ? { comment } : {}),
    });
  }

  #step(current: AlarmJson | undefined, input: AlarmInput, change: Partial<AlarmJson>): AlarmJson | undefined {
    if (!current) return undefined;
    const state = nextAlarmState(current.state, input);
    return state === current.state ? undefined : this.#put({ ...current, ...change, state });
  }

  #put(alarm: AlarmJson): AlarmJson {
    if (alarm.state === 'normal') {
      this.#byKey.delete(alarm.key);
      this.#byId.delete(alarm.id);
    } else {
      this.#byKey.set(alarm.key, alarm);
      this.#byId.set(alarm.id, alarm);
    }
    return alarm;
  }
}

/** Most urgent first: unacknowledged before acknowledged, priority, newest. */
export function byUrgency(a: AlarmJson, b: AlarmJson): number {
  const seen = (alarm: AlarmJson) => (alarm.state === 'acknowledged' ? 1 : 0);
  return seen(a) - seen(b) || a.priority - b.priority || b.id - a.id;
}

/** Without what does not hold any more: an acknowledgement, and of a condition that had gone, what it followed. */
function anew({ acknowledgedBy, acknowledgedAt, comment, after, ...alarm }: AlarmJson, before: AlarmState): AlarmJson {
  return after === undefined || before === 'returnedUnacknowledged' ? alarm : { ...alarm, after };
}

function defined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}
