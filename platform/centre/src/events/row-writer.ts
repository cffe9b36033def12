/** Gathers the rows of the record that is being derived, and brings the alarm book's changes into them. */
import { type Mrid, toIso, type UtcNanos, type Value } from '@enerchain/model';
import type { AlarmBook, AlarmJson, AlarmText } from '../alarms/book.ts';
import type { LogEntry } from '../ports.ts';
import { type EventJson, type EventKind, type JournalRow, ROWS_PER_RECORD } from './rows.ts';

export interface About {
  readonly point?: Mrid | undefined;
  readonly source?: string | undefined;
  readonly value?: Value;
  readonly quality?: number;
}

export class RowWriter {
  readonly alarms: AlarmBook;
  readonly counters = { events: 0, alarmsRaised: 0, alarmsRefused: 0, late: 0 };
  entry!: LogEntry;
  rows: JournalRow[] = [];
  #changedAlarms = new Map<number, AlarmJson>();

  constructor(alarms: AlarmBook) {
    this.alarms = alarms;
  }

  begin(entry: LogEntry): void {
    this.entry = entry;
    this.rows = [];
    this.#changedAlarms = new Map();
  }

  /** Alarms in their state after the record. */
  changedAlarms(): AlarmJson[] {
    return [...this.#changedAlarms.values()];
  }

  /** The number of a row is its position, so this is the same until a row is pushed. */
  nextId(): number {
    return this.entry.offset * ROWS_PER_RECORD + this.rows.length;
  }

  push(row: Omit<JournalRow, 'id' | 'offset'>): void {
    this.rows.push({ id: this.nextId(), offset: this.entry.offset, ...row });
  }

  event(kind: EventKind, at: UtcNanos, text: string, { point, source, value, quality }: About): void {
    const json: EventJson = {
      id: this.nextId(),
      at: toIso(at),
      kind,
      ...(point !== undefined ? { point } : {}),
      ...(source !== undefined ? { source } : {}),
      text,
      ...(value !== undefined ? { value } : {}),
      ...(quality !== undefined ? { quality } : {}),
      offset: this.entry.offset,
    };
    this.push({ stream: 'event', kind, at, point, source, body: JSON.stringify(json) });
  }

  /** @returns the alarm when something changed */
  raise(text: AlarmText, at: UtcNanos): AlarmJson | undefined {
    const alarm = this.alarms.raise(text, at, this.nextId());
    if (!alarm) return undefined;
    this.counters.alarmsRaised++;
    this.alarmChanged(alarm, at, alarm.message);
    return alarm;
  }

  clear(key: string, at: UtcNanos): void {
    const alarm = this.alarms.clear(key, at);
    if (alarm) this.alarmChanged(alarm, at, `Returned to normal: ${alarm.message}`);
  }

  /** Something that happened, rather than stands: it waits for acknowledgement, not for its end. */
  momentary(text: AlarmText, at: UtcNanos): void {
    const raised = this.alarms.raise(text, at, this.nextId());
    const alarm = this.alarms.clear(text.key, at) ?? raised;
    if (!alarm) return;
    this.counters.alarmsRaised++;
    this.alarmChanged(alarm, at, alarm.message);
  }

  /** @param text the line in the sequence of events; none for a change that is no happening */
  alarmChanged(alarm: AlarmJson, at: UtcNanos, text?: string): void {
    this.#changedAlarms.set(alarm.id, alarm);
    const { point, source } = alarm;
    this.push({ stream: 'alarm', at, point, source, body: JSON.stringify(alarm) });
    if (text !== undefined) this.event('alarm', at, text, { point, source });
  }
}
