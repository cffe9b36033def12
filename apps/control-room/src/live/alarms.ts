/** The alarms as this screen knows them: what was fetched, overtaken by what the stream said since. */
import { createSignal } from 'solid-js';
import type { AlarmJson, Priority } from '../api/types.ts';

export const needsAcknowledgement = (alarm: AlarmJson): boolean =>
  alarm.state === 'unacknowledged' || alarm.state === 'returnedUnacknowledged';
export const isStanding = (alarm: AlarmJson): boolean =>
  alarm.state === 'unacknowledged' || alarm.state === 'acknowledged';

/** Unacknowledged first, then by priority, then the newest. */
export function compareAlarms(a: AlarmJson, b: AlarmJson): number {
  return (
    Number(needsAcknowledgement(b)) - Number(needsAcknowledgement(a)) ||
    a.priority - b.priority ||
    Date.parse(b.raisedAt) - Date.parse(a.raisedAt) ||
    String(a.id).localeCompare(String(b.id))
  );
}

/** An alarm and those that came within seconds after it; by time, which is a hint at the cause and no proof. */
export interface AlarmGroup {
  readonly alarm: AlarmJson;
  readonly followers: readonly AlarmJson[];
}

/**
 * The alarms in their order, each with its followers behind it. A group stands where the most urgent of its alarms would,
 * so that what waits for somebody is never below what does not.
 */
export function groupAlarms(alarms: readonly AlarmJson[]): AlarmGroup[] {
  const present = new Map(alarms.map((alarm) => [String(alarm.id), alarm]));
  const groups = new Map<string, { alarm: AlarmJson; followers: AlarmJson[] }>();
  for (const alarm of alarms) {
    const head = (alarm.after === undefined ? undefined : present.get(String(alarm.after))) ?? alarm;
    const key = String(head.id);
    const group = groups.get(key) ?? { alarm: head, followers: [] };
    groups.set(key, group);
    if (head !== alarm) group.followers.push(alarm);
  }
  return [...groups.values()];
}

export interface PriorityCount {
  readonly priority: Priority;
  readonly standing: number;
  readonly unacknowledged: number;
}

export const PRIORITIES: readonly Priority[] = [1, 2, 3, 4];

export function countByPriority(alarms: readonly AlarmJson[]): PriorityCount[] {
  return PRIORITIES.map((priority) => {
    const of = alarms.filter((alarm) => alarm.priority === priority && alarm.state !== 'normal');
    return { priority, standing: of.length, unacknowledged: of.filter(needsAcknowledgement).length };
  });
}

export class AlarmBook {
  readonly #byId = new Map<string, AlarmJson>();
  /** Ids that the stream spoke of since the running fetch began. */
  #touched: Set<string> | undefined;
  readonly #version = createSignal(0);

  /** Reactive: all alarms that are not back to normal, sorted. */
  active(): AlarmJson[] {
    this.#version[0]();
    return [...this.#byId.values()].filter((alarm) => alarm.state !== 'normal').sort(compareAlarms);
  }

  apply(alarm: AlarmJson): void {
    const id = String(alarm.id);
    this.#touched?.add(id);
    const known = this.#byId.get(id);
    if (known && Date.parse(known.changedAt) > Date.parse(alarm.changedAt)) return;
    this.#byId.set(id, alarm);
    this.#changed();
  }

  /** Fetches all active alarms; what the stream says meanwhile wins over the answer. */
  async refetch(fetch: () => Promise<{ items: readonly AlarmJson[] }>): Promise<void> {
    const touched = new Set<string>();
    this.#touched = touched;
    try {
      const { items } = await fetch();
      for (const id of [...this.#byId.keys()]) if (!touched.has(id)) this.#byId.delete(id);
      for (const alarm of items) if (!touched.has(String(alarm.id))) this.#byId.set(String(alarm.id), alarm);
    } finally {
      if (this.#touched === touched) this.#touched = undefined;
      this.#changed();
    }
  }

  #changed(): void {
    this.#version[1]((version) => version + 1);
  }
}
