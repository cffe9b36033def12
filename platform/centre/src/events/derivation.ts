/**
 * Events, alarms and command states as a function of the ingest log: the same records in the same order give the same
 * rows with the same numbers, on every machine and after every restart. No clock, no database, no network.
 */
import {
  type CommandEvent,
  type CommandStep,
  GAP_REASONS,
  type GapRecord,
  type Limit,
  type Mrid,
  type Point,
  type SiteDocument,
  type SourceEvent,
  toIso,
  type UtcNanos,
  type Value,
  validity,
} from '@enerchain/model';
import { AlarmBook, type AlarmJson, type AlarmText } from '../alarms/book.ts';
import {
  type AlarmPoint,
  clockTime,
  countsForAlarms,
  isCovered,
  leftNormal,
  limitAlarm,
  limitKey,
  limitsAfter,
  stateAlarm,
  stateKey,
  word,
} from '../alarms/conditions.ts';
import { conditionStands } from '../alarms/machine.ts';
import { type CommandJson, STEP_WORDS, withStep } from '../commands/view.ts';
import type { AuditRecord, LogEntry, RaisedAlarm } from '../ports.ts';
import {
  type Derived,
  type EventJson,
  type EventKind,
  type GapJson,
  type JournalRow,
  ROWS_PER_RECORD,
} from './rows.ts';
import {
  auditSentence,
  GAP_ALARMS,
  gapSentence,
  INGEST_WORDS,
  SOURCE_AUDIT_WORDS,
  sourceEventSentence,
} from './words.ts';

/** Bit of a column's cause: the same change was already sent once. */
const REPEAT = 0x80;
/** Code of the cause `spontaneous`. */
const SPONTANEOUS = 0;
/** Alarms that one service may have standing. */
const MAX_SERVICE_ALARMS = 500;
/** Finished commands for which late reports are still taken in. */
const MAX_FINISHED_COMMANDS = 200;

interface Watched {
  point: AlarmPoint;
  value: Value | undefined;
  quality: number;
  /** Source time of the newest value that was taken in. */
  time: UtcNanos;
  /** Bit i: limit i stands. */
  limits: number;
}

/** What a derivation needs besides the sites to go on where another one stopped; JSON. */
export interface DerivationState {
  readonly alarms: readonly AlarmJson[];
  readonly points: readonly (readonly [Mrid, Value, number, string, number])[];
  readonly commands: readonly (readonly [CommandJson, number])[];
}

export class Derivation {
  readonly alarms: AlarmBook;
  readonly #sites = new Map<string, SiteDocument>();
  readonly #names = new Map<Mrid, Point>();
  readonly #watched = new Map<Mrid, Watched>();
  readonly #commands = new Map<string, { view: CommandJson; createdId: number }>();
  readonly counters = { events: 0, alarmsRaised: 0, alarmsRefused: 0, late: 0 };

  // Of the record that is being derived.
  #entry!: LogEntry;
  #rows: JournalRow[] = [];
  #changedAlarms = new Map<number, AlarmJson>();
  #changedCommands = new Map<string, { view: CommandJson; createdId: number }>();

  constructor(sites: Iterable<SiteDocument> = [], state?: DerivationState) {
    this.alarms = new AlarmBook(state?.alarms);
    for (const site of sites) this.#takeSite(site);
    for (const [mRID, value, quality, time, limits] of state?.points ?? []) {
      const watched = this.#watched.get(mRID);
      if (watched) Object.assign(watched, { value, quality, time: BigInt(time), limits });
    }
    for (const [view, createdId] of state?.commands ?? []) this.#commands.set(view.id, { view, createdId });
  }

  state(): DerivationState {
    const points: [Mrid, Value, number, string, number][] = [];
    for (const [mRID, { value, quality, time, limits }] of this.#watched)
      if (value !== undefined) points.push([mRID, value, quality, String(time), limits]);
    return {
      alarms: this.alarms.standing(),
      points,
      commands: [...this.#commands.values()].map(({ view, createdId }) => [view, createdId] as const),
    };
  }

  sites(): Iterable<SiteDocument> {
    return this.#sites.values();
  }

  /** Commands that are not over, by the log. */
  openCommands(): CommandJson[] {
    return [...this.#commands.values()].filter(({ view }) => !view.final).map(({ view }) => view);
  }

  /** Takes in the next record of the log. */
  apply(entry: LogEntry): Derived {
    this.#entry = entry;
    this.#rows = [];
    this.#changedAlarms = new Map();
    this.#changedCommands = new Map();
    const { content } = entry;
    switch (content.kind) {
      case 'observations':
        this.#onObservations(content.batch.columns);
        break;
      case 'gap':
        this.#onGap(content.gap);
        break;
      case 'commandEvents':
        for (const event of content.events) this.#onCommandEvent(event);
        break;
      case 'sourceEvents':
        for (const event of content.events) this.#onSourceEvent(event);
        break;
      case 'site':
        this.#onSite(content.document);
        break;
      case 'alarmRaised':
        this.#onAlarmRaised(content.alarm);
        break;
      case 'audit':
        this.#onAudit(content.record);
        break;
      default:
        content satisfies never;
    }
    this.counters.events += this.#rows.length;
    return {
      rows: this.#rows,
      alarms: [...this.#changedAlarms.values()],
      commands: [...this.#changedCommands.values()],
      ...(content.kind === 'audit' ? { audit: content.record } : {}),
    };
  }

  #onObservations(columns: (LogEntry['content'] & { kind: 'observations' })['batch']['columns']): void {
    // Points are independent of each other; what they give is put in the order of source time before it gets numbers.
    const found: { at: UtcNanos; emit: () => void }[] = [];
    for (const column of columns) {
      const watched = this.#watched.get(column.point);
      if (!watched) continue;
      for (let i = 0; i < column.value.length; i++) {
        const cause = column.cause[i] as number;
        if (cause & REPEAT) continue;
        this.#onValue(
          watched,
          column.value[i] as Value,
          column.quality[i] as number,
          column.sourceTime[i] as bigint,
          cause === SPONTANEOUS,
          found,
        );
      }
    }
    found.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
    for (const { emit } of found) emit();
  }

  #onValue(
    watched: Watched,
    value: Value,
    quality: number,
    at: UtcNanos,
    spontaneous: boolean,
    found: { at: UtcNanos; emit: () => void }[],
  ): void {
    const { point } = watched;
    if (watched.value !== undefined && at < watched.time) {
      // From a backlog: it belongs in the sequence of events, but it says nothing about the present.
      this.counters.late++;
      if (point.kind === 'discrete' && spontaneous)
        found.push({ at, emit: () => this.#stateChange(point, value, quality, at, ' (arrived late)') });
      return;
    }
    const before = watched.value;
    const qualityBefore = watched.quality;
    watched.value = value;
    watched.quality = quality;
    watched.time = at;
    if (point.kind === 'discrete') {
      if (before === undefined ? spontaneous : before !== value) {
        const was = before === undefined ? '' : `, before ${word(point, before)}`;
        found.push({ at, emit: () => this.#stateChange(point, value, quality, at, was) });
      } else if (before !== undefined && validity(qualityBefore) !== validity(quality)) {
        const note = `, quality is now ${validity(quality)}`;
        found.push({ at, emit: () => this.#stateChange(point, value, quality, at, note) });
      }
      const left = countsForAlarms(quality) ? leftNormal(point, value) : undefined;
      if (left === true && (before !== value || !this.alarms.byKey(stateKey(point.mRID))))
        found.push({ at, emit: () => this.#raise(stateAlarm(point, value, at), at) });
      else if (left === false) found.push({ at, emit: () => this.#clear(stateKey(point.mRID), at) });
    }
    if (point.limits && typeof value === 'number' && countsForAlarms(quality)) {
      const after = limitsAfter(point.limits, watched.limits, value);
      if (after !== watched.limits) this.#onLimits(point, point.limits, watched.limits, after, value, at, found);
      watched.limits = after;
    }
  }

  #onLimits(
    point: AlarmPoint,
    limits: readonly Limit[],
    before: number,
    after: number,
    value: number,
    at: UtcNanos,
    found: { at: UtcNanos; emit: () => void }[],
  ): void {
    for (const [index, limit] of limits.entries()) {
      const bit = 1 << index;
      const key = limitKey(point.mRID, limit);
      if ((after & bit) === 0) {
        if ((before & bit) !== 0) found.push({ at, emit: () => this.#clear(key, at) });
      } else if (!isCovered(limits, index, after) && ((before & bit) === 0 || isCovered(limits, index, before))) {
        // It comes, or comes to light now that a more severe one has gone; one that stood before it needs no second word.
        const emit = () => {
          const state = this.alarms.byKey(key)?.state ?? 'normal';
          if (!conditionStands(state)) this.#raise(limitAlarm(point, limit, value, at), at);
        };
        found.push({ at, emit });
      }
    }
  }

  #stateChange(point: AlarmPoint, value: Value, quality: number, at: UtcNanos, note: string): void {
    this.#event('stateChange', at, `${point.name} in ${point.site}: ${word(point, value)}${note}.`, {
      point: point.mRID,
      source: point.source,
      value,
      quality,
    });
  }

  #onGap(gap: GapRecord): void {
    const { offset, at } = this.#entry;
    // The centre alone speaks for others.
    const source = (this.#entry.source === 'centre' ? gap.source : undefined) ?? this.#entry.source;
    const from = BigInt(gap.from);
    const until = BigInt(gap.to);
    const id = this.#nextId();
    const { from: _from, to: _to, source: _source, ...rest } = gap;
    const json: GapJson = {
      id,
      offset,
      source,
      at: toIso(at),
      ...rest,
      text: GAP_REASONS[gap.reason],
      from: toIso(from),
      to: toIso(until),
    };
    this.#rows.push({ id, offset, stream: 'gap', at: from, until, source, body: JSON.stringify(json) });
    const text = gapSentence(source, gap);
    this.#event('gap', from, text, { source });
    const alarm = GAP_ALARMS[gap.reason];
    if (alarm)
      this.#momentary(
        {
          key: `gap:${source}:${gap.endpoint ?? ''}:${gap.reason}`,
          message: text,
          source,
          ...alarm,
        },
        at,
      );
  }

  #onSourceEvent(event: SourceEvent): void {
    const { source } = this.#entry;
    const at = BigInt(event.at);
    const text = sourceEventSentence(source, event);
    this.#event('source', at, text, { source });
    const key = `endpoint:${source}:${event.endpoint ?? ''}`;
    switch (event.kind) {
      case 'endpointDown':
        this.#raise(
          {
            key,
            priority: 2,
            source,
            message: `${event.endpoint ?? 'A device'} of ${source} is not reachable since ${clockTime(at)}${event.detail ? `: ${event.detail}` : ''}.`,
            consequence: 'Its values are old and it takes no commands.',
            action: 'Check the device and its connection to the gateway.',
          },
          at,
        );
        break;
      case 'endpointUp':
        this.#clear(key, at);
        break;
      case 'clockStep':
        this.#momentary(
          {
            key: `clock:${source}:${event.endpoint ?? ''}`,
            priority: 3,
            source,
            message: text,
            consequence: 'The order of events of this source may be wrong around this time.',
            action: 'Check the time synchronisation.',
          },
          at,
        );
        break;
      case 'security':
        this.#momentary(
          { key: `security:${source}:${event.endpoint ?? ''}:${event.code ?? ''}`, priority: 2, source, message: text },
          at,
        );
        break;
      default:
    }
  }

  #onSite(document: SiteDocument): void {
    const current = this.#sites.get(document.source);
    if (current && current.version > document.version) return;
    this.#takeSite(document);
    const { at } = this.#entry;
    // A condition of something that is not announced any more cannot be seen to go.
    const endpoints = new Set(document.endpoints.map(({ id }) => id));
    for (const alarm of this.alarms.standing()) {
      if (alarm.source !== document.source) continue;
      const point = alarm.point === undefined ? undefined : this.#watched.get(alarm.point)?.point;
      const gone = alarm.key.startsWith('limit:')
        ? !point?.limits?.some((limit) => limitKey(point.mRID, limit) === alarm.key)
        : alarm.key.startsWith('state:')
          ? point?.normalValue === undefined
          : alarm.key.startsWith(`endpoint:${document.source}:`) &&
            !endpoints.has(alarm.key.slice(`endpoint:${document.source}:`.length));
      if (gone) this.#clear(alarm.key, at);
    }
    this.#event(
      'source',
      at,
      `${document.source} announced version ${document.version} of ${document.site.name}: ${document.points.length} points, ${document.endpoints.length} devices.`,
      { source: document.source },
    );
  }

  #takeSite(document: SiteDocument): void {
    const { source } = document;
    const announced = new Set(document.points.map(({ mRID }) => mRID));
    for (const { mRID } of this.#sites.get(source)?.points ?? []) {
      if (announced.has(mRID)) continue;
      this.#names.delete(mRID);
      this.#watched.delete(mRID);
    }
    this.#sites.set(source, document);
    for (const point of document.points) {
      this.#names.set(point.mRID, point);
      if (point.kind !== 'discrete' && !point.limits?.length) {
        this.#watched.delete(point.mRID);
        continue;
      }
      const full: AlarmPoint = { ...point, source, site: document.site.name };
      const watched = this.#watched.get(point.mRID);
      if (!watched) this.#watched.set(point.mRID, { point: full, value: undefined, quality: 0, time: 0n, limits: 0 });
      else {
        // Other limits have other bits: what stood is cleared by its key with the next value.
        if (JSON.stringify(watched.point.limits) !== JSON.stringify(point.limits)) watched.limits = this.#bits(full);
        watched.point = full;
      }
    }
  }

  #bits(point: AlarmPoint): number {
    let bits = 0;
    for (const [index, limit] of (point.limits ?? []).entries()) {
      const state = this.alarms.byKey(limitKey(point.mRID, limit))?.state;
      if (state === 'unacknowledged' || state === 'acknowledged') bits |= 1 << index;
    }
    return bits;
  }

  #onAlarmRaised(raised: RaisedAlarm): void {
    const { source } = this.#entry;
    const own = source === 'centre';
    // Services cannot touch each other's alarms, nor ours.
    const prefix = own ? '' : `service:${source}:`;
    const key = `${prefix}${raised.key}`;
    const at = BigInt(raised.at);
    if (!raised.active) {
      this.#clear(key, at);
      return;
    }
    if (!own && !this.alarms.byKey(key)) {
      const standing = this.alarms.standing().filter((alarm) => alarm.key.startsWith(prefix)).length;
      if (standing >= MAX_SERVICE_ALARMS) {
        this.counters.alarmsRefused++;
        return;
      }
    }
    const { priority, message, point, consequence, action } = raised;
    this.#raise({ key, priority, message, point, source: raised.source ?? source, consequence, action }, at);
  }

  #onAudit(record: AuditRecord): void {
    const { at, offset } = this.#entry;
    const { action, actor, outcome, subject, detail } = record;
    if (action === 'alarm.acknowledge' && outcome === 'ok') {
      const comment = typeof detail?.comment === 'string' ? detail.comment : undefined;
      const alarm = this.alarms.acknowledge(Number(subject), actor, at, comment);
      if (alarm) this.#alarmChanged(alarm, at, `${actor} acknowledged: ${alarm.message}`);
    } else if (action.startsWith('command.')) this.#onCommandAudit(record);
    else if (action === 'source.lost' && subject) {
      this.#raise(
        {
          key: `source:${subject}`,
          priority: 2,
          source: subject,
          message: `${subject} is not connected since ${clockTime(at)}.`,
          consequence: 'All its values are old and it takes no commands; it keeps what it measures and sends it later.',
          action: 'Check the gateway and the link to it.',
        },
        at,
      );
    } else if (action === 'source.back' && subject) {
      this.#clear(`source:${subject}`, at);
    } else if (SOURCE_AUDIT_WORDS[action]) {
      const words = [detail?.from, detail?.text].filter((each) => typeof each === 'string');
      const more = words.length > 0 ? ` (${words.join(', ')})` : '';
      this.#event('source', at, `${actor} ${SOURCE_AUDIT_WORDS[action]}${more}.`, { source: actor });
    } else if (action.startsWith('ingest.')) {
      // What ingest finds is about the source that acted; where people must act it raises an alarm of its own.
      const text = typeof detail?.text === 'string' ? detail.text : '';
      this.#event('source', at, `${actor}: ${INGEST_WORDS[action] ?? action}${text ? `: ${text}` : ''}.`, {
        source: actor,
      });
    } else if (action !== 'site.announced') {
      if (action === 'grid.write' && outcome === 'ok') {
        const id = this.#nextId();
        const body = JSON.stringify({ version: detail?.version });
        this.#rows.push({ id, offset, stream: 'grid', at, body });
      }
      this.#event('audit', at, auditSentence(record), {});
    }
  }

  #onCommandAudit({ action, actor, outcome, subject, detail }: AuditRecord): void {
    const { at } = this.#entry;
    if (action === 'command.prepare' && detail?.command) {
      const view = detail.command as CommandJson;
      this.#commandChanged(view, undefined);
      this.#commandEvent(view, view.state, at, view.events.at(-1)?.reason, actor);
    } else if (subject && typeof detail?.step === 'string') {
      const known = this.#commands.get(subject);
      if (!known) return;
      const step = detail.step as CommandStep;
      const stepAt = typeof detail.at === 'string' ? BigInt(detail.at) : at;
      const reason = typeof detail.reason === 'string' ? detail.reason : undefined;
      const order = detail.action as CommandJson['events'][number]['action'];
      const view = withStep(known.view, { step, action: order, at: stepAt, reason, final: detail.final === true });
      this.#commandChanged(view, known.createdId);
      this.#commandEvent(view, step, stepAt, reason, actor, order);
    } else {
      const point = typeof detail?.point === 'string' ? detail.point : undefined;
      const name = (point && this.#names.get(point)?.name) ?? point ?? subject ?? '';
      const reason = typeof detail?.reason === 'string' ? `: ${detail.reason}` : '';
      const text = `${name}: ${action.slice('command.'.length)} by ${actor} ${outcome}${reason}`;
      this.#event('command', at, text, { point });
    }
  }

  #onCommandEvent(event: CommandEvent): void {
    const known = this.#commands.get(event.command);
    // A source speaks for the commands it was given, and for no others.
    if (!known || known.view.target !== this.#entry.source) return;
    const at = BigInt(event.at);
    const view = withStep(known.view, { step: event.step, action: event.action, at, reason: event.reason });
    this.#commandChanged(view, known.createdId);
    this.#commandEvent(view, event.step, at, event.reason, this.#entry.source, event.action);
  }

  #commandChanged(view: CommandJson, createdId: number | undefined): void {
    const id = this.#nextId();
    const { offset, at } = this.#entry;
    const entry = { view, createdId: createdId ?? id };
    this.#commands.delete(view.id);
    this.#commands.set(view.id, entry);
    this.#changedCommands.set(view.id, entry);
    this.#rows.push({ id, offset, stream: 'command', at, point: view.point, body: JSON.stringify(view) });
    let finished = 0;
    for (const each of this.#commands.values()) if (each.view.final) finished++;
    for (const [key, each] of this.#commands) {
      if (finished <= MAX_FINISHED_COMMANDS) break;
      if (each.view.final && this.#commands.delete(key)) finished--;
    }
  }

  #commandEvent(
    view: CommandJson,
    step: CommandStep,
    at: UtcNanos,
    reason: string | undefined,
    by: string,
    action?: string,
  ): void {
    const point = this.#names.get(view.point);
    const what = point ? `${point.name} to ${word(point, view.value)}` : `${view.point} to ${view.value}`;
    const order = action && action !== 'operate' ? ` (${action})` : '';
    const text = `Command ${what}${order}: ${STEP_WORDS[step]}${reason ? ` — ${reason}` : ''} (${by}).`;
    this.#event('command', at, text, { point: view.point, source: view.target || undefined, value: view.value });
  }

  #raise(text: AlarmText, at: UtcNanos): void {
    const alarm = this.alarms.raise(text, at, this.#nextId());
    if (!alarm) return;
    this.counters.alarmsRaised++;
    this.#alarmChanged(alarm, at, alarm.message);
  }

  #clear(key: string, at: UtcNanos): void {
    const alarm = this.alarms.clear(key, at);
    if (alarm) this.#alarmChanged(alarm, at, `Returned to normal: ${alarm.message}`);
  }

  /** Something that happened, rather than stands: it waits for acknowledgement, not for its end. */
  #momentary(text: AlarmText, at: UtcNanos): void {
    const raised = this.alarms.raise(text, at, this.#nextId());
    const alarm = this.alarms.clear(text.key, at) ?? raised;
    if (!alarm) return;
    this.counters.alarmsRaised++;
    this.#alarmChanged(alarm, at, alarm.message);
  }

  #alarmChanged(alarm: AlarmJson, at: UtcNanos, text: string): void {
    this.#changedAlarms.set(alarm.id, alarm);
    const id = this.#nextId();
    const { offset } = this.#entry;
    const { point, source } = alarm;
    this.#rows.push({ id, offset, stream: 'alarm', at, point, source, body: JSON.stringify(alarm) });
    this.#event('alarm', at, text, { point, source });
  }

  #event(
    kind: EventKind,
    at: UtcNanos,
    text: string,
    about: { point?: Mrid | undefined; source?: string | undefined; value?: Value; quality?: number },
  ): void {
    const id = this.#nextId();
    const { offset } = this.#entry;
    const { point, source, value, quality } = about;
    const json: EventJson = {
      id,
      at: toIso(at),
      kind,
      ...(point !== undefined ? { point } : {}),
      ...(source !== undefined ? { source } : {}),
      text,
      ...(value !== undefined ? { value } : {}),
      ...(quality !== undefined ? { quality } : {}),
      offset,
    };
    this.#rows.push({ id, offset, stream: 'event', kind, at, point, source, body: JSON.stringify(json) });
  }

  /** The number of a row is its position, so this is the same until a row is pushed. */
  #nextId(): number {
    return this.#entry.offset * ROWS_PER_RECORD + this.#rows.length;
  }
}
