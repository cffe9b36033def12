/**
 * Events, alarms and command states as a function of the ingest log: the same records in the same order give the same
 * rows with the same numbers, on every machine and after every restart. No clock, no database, no network.
 */
import {
  GAP_REASONS,
  type GapRecord,
  type Mrid,
  type Point,
  type RaisedAlarm,
  type SiteDocument,
  type SourceEvent,
  toIso,
} from '@enerchain/model';
import { AlarmBook, type AlarmJson } from '../alarms/book.ts';
import { Switchings } from '../alarms/cause.ts';
import { clockTime } from '../alarms/conditions.ts';
import type { CommandJson } from '../commands/view.ts';
import type { AuditRecord, LogEntry } from '../ports.ts';
import { CommandsInLog } from './commands-in-log.ts';
import { RowWriter } from './row-writer.ts';
import type { Derived, GapJson } from './rows.ts';
import { type PointState, WatchedPoints } from './watched-points.ts';
import {
  auditSentence,
  GAP_ALARMS,
  gapSentence,
  INGEST_WORDS,
  SOURCE_AUDIT_WORDS,
  sourceEventSentence,
} from './words.ts';

/** Alarms that one service may have standing. */
const MAX_SERVICE_ALARMS = 500;

/** A device that its gateway cannot reach; whether that is an alarm is told by the record `device.lost`. */
export interface UnreachableDevice {
  readonly source: string;
  readonly endpoint: string;
  /** Source time, nanoseconds as a decimal string. */
  readonly at: string;
  readonly detail?: string;
}

/** What a derivation needs besides the sites to go on where another one stopped; JSON. */
export interface DerivationState {
  readonly alarms: readonly AlarmJson[];
  readonly points: readonly PointState[];
  readonly commands: readonly (readonly [CommandJson, number])[];
  readonly switchings?: readonly (readonly [id: number, at: string])[];
  readonly devices?: readonly UnreachableDevice[];
  readonly stopped?: readonly string[];
}

export class Derivation {
  readonly alarms: AlarmBook;
  readonly #writer: RowWriter;
  readonly #points: WatchedPoints;
  readonly #switchings: Switchings;
  readonly #commands: CommandsInLog;
  readonly #sites = new Map<string, SiteDocument>();
  readonly #names = new Map<Mrid, Point>();
  /** By the key of the alarm that it becomes. */
  readonly #unreachable = new Map<string, UnreachableDevice>();
  /** Sources that have stopped in good order and not started again. */
  readonly #stopped: Set<string>;

  constructor(sites: Iterable<SiteDocument> = [], state?: DerivationState) {
    this.alarms = new AlarmBook(state?.alarms);
    this.#writer = new RowWriter(this.alarms);
    this.#switchings = new Switchings((state?.switchings ?? []).map(([id, at]) => ({ id, at: BigInt(at) })));
    this.#points = new WatchedPoints(this.#writer, this.#switchings);
    this.#commands = new CommandsInLog(this.#writer, (mRID) => this.#names.get(mRID), state?.commands);
    this.#stopped = new Set(state?.stopped);
    for (const device of state?.devices ?? []) this.#unreachable.set(deviceKey(device.source, device.endpoint), device);
    for (const site of sites) this.#takeSite(site);
    this.#points.restore(state?.points ?? []);
  }

  state(): DerivationState {
    return {
      alarms: this.alarms.standing(),
      points: this.#points.state(),
      commands: this.#commands.state(),
      switchings: this.#switchings.all().map(({ id, at }) => [id, String(at)] as const),
      devices: [...this.#unreachable.values()],
      stopped: [...this.#stopped],
    };
  }

  get counters(): RowWriter['counters'] {
    return this.#writer.counters;
  }

  sites(): Iterable<SiteDocument> {
    return this.#sites.values();
  }

  /** Commands that are not over, by the log. */
  openCommands(): CommandJson[] {
    return this.#commands.open();
  }

  /** Devices that cannot be reached and about which there is no alarm yet. */
  unreachableDevices(): Iterable<UnreachableDevice> {
    return this.#unreachable.values();
  }

  /** Takes in the next record of the log. */
  apply(entry: LogEntry): Derived {
    this.#writer.begin(entry);
    this.#commands.begin();
    const { content } = entry;
    switch (content.kind) {
      case 'observations':
        this.#points.onObservations(content.batch.columns);
        break;
      case 'gap':
        this.#onGap(content.gap);
        break;
      case 'commandEvents':
        for (const event of content.events) this.#commands.onEvent(event);
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
      case 'attestation':
      case 'command':
      case 'certificate':
        break; // for receipts; what people need to see of them comes as events, alarms and audit records
      default:
        content satisfies never;
    }
    this.counters.events += this.#writer.rows.length;
    return {
      rows: this.#writer.rows,
      alarms: this.#writer.changedAlarms(),
      commands: this.#commands.changed(),
      ...(content.kind === 'audit' ? { audit: content.record } : {}),
    };
  }

  #onGap(gap: GapRecord): void {
    const { entry } = this.#writer;
    const { offset, at } = entry;
    // The centre alone speaks for others.
    const source = (entry.source === 'centre' ? gap.source : undefined) ?? entry.source;
    const from = BigInt(gap.from);
    const until = BigInt(gap.to);
    const id = this.#writer.nextId();
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
    this.#writer.push({ stream: 'gap', at: from, until, source, body: JSON.stringify(json) });
    const text = gapSentence(source, gap);
    this.#writer.event('gap', from, text, { source });
    const alarm = GAP_ALARMS[gap.reason];
    if (alarm)
      this.#writer.momentary(
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
    const { source } = this.#writer.entry;
    const at = BigInt(event.at);
    const text = sourceEventSentence(source, event);
    this.#writer.event('source', at, text, { source });
    const endpoint = event.endpoint ?? '';
    const key = deviceKey(source, endpoint);
    switch (event.kind) {
      case 'started':
        this.#stopped.delete(source);
        break;
      case 'stopped':
        this.#stopped.add(source);
        // A gateway that is going down, or a whole station with it, loses its devices on the way: no news to anybody.
        for (const [each, device] of this.#unreachable) if (device.source === source) this.#unreachable.delete(each);
        break;
      case 'endpointDown': {
        const { detail } = event;
        this.#unreachable.set(key, { source, endpoint, at: event.at, ...(detail ? { detail } : {}) });
        break;
      }
      case 'endpointUp':
        this.#unreachable.delete(key);
        this.#writer.clear(key, at);
        break;
      case 'clockStep':
        this.#writer.momentary(
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
        this.#writer.momentary(
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
    const changed = this.#takeSite(document);
    const { at } = this.#writer.entry;
    this.#points.clearUnannounced(document.source, at);
    this.#points.restate(changed);
    const devices = new Set(document.endpoints.map(({ id }) => deviceKey(document.source, id)));
    const own = deviceKey(document.source, '');
    for (const { key } of this.alarms.standing())
      if (key.startsWith(own) && !devices.has(key)) this.#writer.clear(key, at);
    for (const key of this.#unreachable.keys())
      if (key.startsWith(own) && !devices.has(key)) this.#unreachable.delete(key);
    this.#writer.event(
      'source',
      at,
      `${document.source} announced version ${document.version} of ${document.site.name}: ${document.points.length} points, ${document.endpoints.length} devices.`,
      { source: document.source },
    );
  }

  /** @returns the points that have other limits now */
  #takeSite(document: SiteDocument): readonly Mrid[] {
    const before = this.#sites.get(document.source);
    const changed = this.#points.announce(document, before);
    for (const { mRID } of before?.points ?? []) this.#names.delete(mRID);
    for (const point of document.points) this.#names.set(point.mRID, point);
    this.#sites.set(document.source, document);
    return changed;
  }

  #onAlarmRaised(raised: RaisedAlarm): void {
    const { source } = this.#writer.entry;
    const own = source === 'centre';
    // Services cannot touch each other's alarms, nor ours.
    const prefix = own ? '' : `service:${source}:`;
    const key = `${prefix}${raised.key}`;
    const at = BigInt(raised.at);
    if (!raised.active) {
      this.#writer.clear(key, at);
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
    this.#writer.raise({ key, priority, message, point, source: raised.source ?? source, consequence, action }, at);
  }

  #onAudit(record: AuditRecord): void {
    const { at } = this.#writer.entry;
    const { action, actor, outcome, subject, detail } = record;
    if (action === 'alarm.acknowledge' && outcome === 'ok') {
      const comment = typeof detail?.comment === 'string' ? detail.comment : undefined;
      const alarm = this.alarms.acknowledge(Number(subject), actor, at, comment);
      if (alarm) this.#writer.alarmChanged(alarm, at, `${actor} acknowledged: ${alarm.message}`);
    } else if (action.startsWith('command.')) this.#commands.onAudit(record);
    else if (action === 'device.lost' && subject) this.#onDeviceLost(subject);
    else if (action === 'source.lost' && subject) {
      const inOrder = this.#stopped.has(subject);
      this.#writer.raise(
        {
          key: `source:${subject}`,
          priority: inOrder ? 3 : 2,
          source: subject,
          message: `${subject} is not connected since ${clockTime(at)}${inOrder ? '; it was stopped in order' : ''}.`,
          consequence: 'All its values are old and it takes no commands; it keeps what it measures and sends it later.',
          action: inOrder ? 'Start it again.' : 'Check the gateway and the link to it.',
        },
        at,
      );
    } else if (action === 'source.back' && subject) {
      this.#writer.clear(`source:${subject}`, at);
    } else if (SOURCE_AUDIT_WORDS[action]) {
      const words = [detail?.from, detail?.text].filter((each) => typeof each === 'string');
      const more = words.length > 0 ? ` (${words.join(', ')})` : '';
      this.#writer.event('source', at, `${actor} ${SOURCE_AUDIT_WORDS[action]}${more}.`, { source: actor });
    } else if (action.startsWith('ingest.')) {
      // What ingest finds is about the source that acted; where people must act it raises an alarm of its own.
      const text = typeof detail?.text === 'string' ? detail.text : '';
      this.#writer.event('source', at, `${actor}: ${INGEST_WORDS[action] ?? action}${text ? `: ${text}` : ''}.`, {
        source: actor,
      });
    } else if (action !== 'site.announced') {
      if (action === 'grid.write' && outcome === 'ok') {
        this.#writer.push({ stream: 'grid', at, body: JSON.stringify({ version: detail?.version }) });
      }
      this.#writer.event('audit', at, auditSentence(record), {});
    }
  }

  /** The device has been away for longer than it takes to restart it. */
  #onDeviceLost(key: string): void {
    const device = this.#unreachable.get(key);
    // It came back before the record was written.
    if (!device || !this.#unreachable.delete(key)) return;
    const { source, endpoint, detail } = device;
    const at = BigInt(device.at);
    this.#writer.raise(
      {
        key,
        priority: 2,
        source,
        message: `${endpoint || 'A device'} of ${source} is not reachable since ${clockTime(at)}${detail ? `: ${detail}` : ''}.`,
        consequence: 'Its values are old and it takes no commands.',
        action: 'Check the device and its connection to the gateway.',
      },
      at,
    );
  }
}

/** The key of the alarm about a device that is not reachable. */
export const deviceKey = (source: string, endpoint: string): string => `endpoint:${source}:${endpoint}`;
