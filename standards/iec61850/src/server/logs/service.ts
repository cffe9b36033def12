/** Logs as clients read them (IEC 61850-7-2 § 17.3.5, mapped by 8-1 § 17.3 on journals). */
import {
  encodeWith,
  journalEntry,
  MmsRefusal,
  type MmsServerSession,
  type ObjectName,
  type RequestOf,
  type ResponseOf,
  type ServiceHandlers,
  serviceErrorOf,
  timeOfDayToMillis,
} from '@enerchain/mms';
import { encodeLogEntry, type LogEntry } from '../../mapping/log.ts';
import type { Access } from '../access.ts';
import type { Client } from '../device.ts';
import type { LogStart, LogStore } from './store.ts';

/** Entries looked at in one call; a client asks again for more. */
const MAX_ENTRIES = 1_000;
/** Octets of an answer that are not entries. */
const OVERHEAD = 100;

export class LogService {
  readonly #logs: ReadonlyMap<string, LogStore>;
  readonly #access: Access;

  /** @param logs by `BCU1CTRL/LLN0$EventLog` */
  constructor(logs: ReadonlyMap<string, LogStore>, access: Access) {
    this.#logs = logs;
    this.#access = access;
  }

  /** Names of the logs in a domain. */
  names(domain: string): string[] {
    return [...this.#logs.keys()]
      .filter((name) => name.startsWith(`${domain}/`))
      .map((name) => name.slice(domain.length + 1));
  }

  handlers(client: (session: MmsServerSession) => Client): ServiceHandlers {
    return {
      readJournal: (request, session) => this.#read(request, client(session)),
      initializeJournal: (request, session) => this.#clear(request, client(session)),
    };
  }

  #find(name: ObjectName, client: Client, service: 'QueryLog' | 'ClearLog'): LogStore {
    const reference = name.kind === 'domain' ? `${name.value.domain}/${name.value.item}` : '';
    const log = this.#logs.get(reference);
    if (!log) throw new MmsRefusal({ error: serviceErrorOf('access', 'object-non-existent') });
    if (!this.#access.allows(client.identity, service, reference.replaceAll('$', '.')))
      throw new MmsRefusal({ error: serviceErrorOf('access', 'object-access-denied') });
    return log;
  }

  async #read(request: RequestOf<'readJournal'>, client: Client): Promise<ResponseOf<'readJournal'>> {
    const { journal, start, stop, startAfter, variables } = request;
    const log = this.#find(journal, client, 'QueryLog');
    const until = stop?.kind === 'time' ? moment(stop.value) : Number.POSITIVE_INFINITY;
    const most = stop?.kind === 'count' ? Math.max(0, stop.value) : Number.POSITIVE_INFINITY;
    const found = await log.read(startOf(start, startAfter), until, Math.min(most, MAX_ENTRIES) + 1);
    const room = client.maxPdu - OVERHEAD;
    const entries: ResponseOf<'readJournal'>['entries'][number][] = [];
    let used = 0;
    for (const [index, entry] of found.entries()) {
      if (index === most) break;
      const encoded = encodeLogEntry(chosen(entry, variables));
      used += encodeWith(journalEntry, encoded).length;
      if (index === MAX_ENTRIES || (used > room && index > 0)) return { entries, moreFollows: true };
      if (used > room) throw new MmsRefusal({ error: serviceErrorOf('resource', 'capability-unavailable') });
      entries.push(encoded);
    }
    return { entries, moreFollows: false };
  }

  async #clear({ journal, limit }: RequestOf<'initializeJournal'>, client: Client): Promise<number> {
    const log = this.#find(journal, client, 'ClearLog');
    return log.clear(limit && moment(limit.time));
  }
}

function startOf(start: RequestOf<'readJournal'>['start'], after: RequestOf<'readJournal'>['startAfter']): LogStart {
  if (after) return { kind: 'entry', id: after.entry, time: moment(after.time), itself: false };
  if (start?.kind === 'time') return { kind: 'time', time: moment(start.value) };
  if (start?.kind === 'entry') return { kind: 'entry', id: start.value, time: 0, itself: true };
  return { kind: 'oldest' };
}

/** Without a date it is none. */
function moment(time: { readonly millis: number; readonly days?: number }): number {
  const at = timeOfDayToMillis(time);
  if (Number.isNaN(at))
    throw new MmsRefusal({ error: serviceErrorOf('time-resolution', 'unsupportable-time-resolution') });
  return at;
}

/** Only the variables that were asked for. */
function chosen(entry: LogEntry, variables: readonly string[] | undefined): LogEntry {
  if (!variables) return entry;
  return { ...entry, values: entry.values.filter(({ reference }) => variables.includes(reference)) };
}
