/**
 * What ingest finds wrong, told without a flood: the first of a kind at once, further ones of the same kind within a
 * minute only as a number in the next telling. Both go into the log: an audit record for the files, an alarm for people.
 */
import type { Clock } from '@enerchain/model';
import type { Logger } from 'pino';
import type { AuditRecord, LogPublisher, LogWriter, RaisedAlarm } from '../ports.ts';

const QUIET_MILLIS = 60_000;
const MOST_KINDS = 10_000;

export class Findings {
  readonly #out: LogWriter & LogPublisher;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #told = new Map<string, { at: number; suppressed: number }>();

  constructor(out: LogWriter & LogPublisher, logger: Logger, clock: Clock) {
    this.#out = out;
    this.#logger = logger;
    this.#clock = clock;
  }

  /** An audit record, at most one per minute for the same action and actor. */
  tell(record: AuditRecord): void {
    const key = `${record.action} ${record.actor}`;
    const now = this.#clock.monotonic();
    const before = this.#told.get(key);
    if (before && now - before.at < QUIET_MILLIS) {
      before.suppressed++;
      return;
    }
    if (this.#told.size >= MOST_KINDS) this.#told.clear();
    this.#told.set(key, { at: now, suppressed: 0 });
    const detail = { ...record.detail, ...(before && before.suppressed > 0 && { suppressed: before.suppressed }) };
    this.#logger[record.outcome === 'ok' ? 'info' : 'warn']({ ...record, detail }, record.action);
    this.#out.append({ ...record, detail }).catch((error) => {
      this.#logger.error({ error, record }, 'an audit record could not be written');
    });
  }

  raise(alarm: Omit<RaisedAlarm, 'active' | 'at'>, active = true): void {
    const raised: RaisedAlarm = { ...alarm, active, at: this.#clock.now().toString() };
    this.#out.publish({ kind: 'alarmRaised', alarm: raised }).catch((error) => {
      this.#logger.error({ error, alarm }, 'an alarm could not be written');
    });
  }
}
