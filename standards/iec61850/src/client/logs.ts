/** Logs as a client has them (IEC 61850-7-2 § 17.3): what is in them, by time or behind an entry, and who writes into them. */
import { type Data, type JournalEntry, timeOfDayFromMillis, timeOfDayToMillis } from '@enerchain/mms';
import { Iec61850Error } from '../error.ts';
import { decodeLogEntry, type LogEntry } from '../mapping/log.ts';
import { type Trigger, trgOps, triggersOf } from '../mapping/report.ts';
import type { Iec61850Client } from './client.ts';
import { numberIn, readParts, textIn } from './parts.ts';
import { listName } from './references.ts';

export interface LogControlInfo {
  readonly enabled: boolean;
  /** `BCU1CTRL/LLN0.EventLog`. */
  readonly log: string;
  readonly dataSet: string;
  readonly triggers: readonly Trigger[];
  /** Milliseconds; 0 for none. */
  readonly integrityPeriod: number;
  /** Undefined when the log is empty. */
  readonly oldest: LogPlace | undefined;
  readonly newest: LogPlace | undefined;
}

/** An entry: its time in milliseconds since 1970, and which one it is. */
export type LogPlace = Pick<LogEntry, 'id' | 'time'>;

export interface LogQuery {
  /** From this time on, milliseconds since 1970. Default: the oldest. */
  readonly from?: number;
  readonly to?: number;
  /** Behind this entry, instead of from a time on. */
  readonly after?: LogPlace;
  /**
   * Told before the first entry when the log does not have that one any more: what came behind it is missing up to the first
   * that is given. No answer of a device says so; where this is given, it is asked for the entry first.
   */
  readonly onGone?: (text: string) => void;
  /** Entries at most. Default 100 000. */
  readonly limit?: number;
}

const MAX_ENTRIES = 100_000;
/** Entries that a device gives for one query; one that never ends is given up. */
const MAX_LOOKED = 10_000_000;

const PARTS = [
  'LogEna',
  'LogRef',
  'DatSet',
  'OldEntrTm',
  'NewEntrTm',
  'OldEntr',
  'NewEntr',
  'TrgOps',
  'IntgPd',
] as const;

export class Logs {
  readonly #client: Pick<Iec61850Client, 'call' | 'read' | 'readMany' | 'write'>;

  constructor(client: Pick<Iec61850Client, 'call' | 'read' | 'readMany' | 'write'>) {
    this.#client = client;
  }

  /** References of the logs of a device: `BCU1CTRL/LLN0.EventLog`. */
  async list(device: string): Promise<string[]> {
    const { names } = await this.#client.call('getNameList', {
      class: { kind: 'basic', value: 8 },
      scope: { kind: 'domain', value: device },
    });
    return names.map((item) => `${device}/${item.replaceAll('$', '.')}`);
  }

  /** GetLCBValues and GetLogStatusValues. @param reference of a log control block: `BCU1CTRL/LLN0.events` */
  async info(reference: string): Promise<LogControlInfo> {
    const parts = await readParts(this.#client, reference, 'LG', PARTS, 'LogEna');
    const text = (name: string): string => textIn(parts, name, reference).replaceAll('$', '.');
    const triggers = parts.get('TrgOps');
    return {
      enabled: parts.get('LogEna')?.value === true,
      log: text('LogRef'),
      dataSet: text('DatSet'),
      triggers: triggers?.kind === 'bitString' ? triggersOf(triggers.value) : [],
      integrityPeriod: numberIn(parts, 'IntgPd', reference),
      oldest: placeOf(parts.get('OldEntr'), parts.get('OldEntrTm')),
      newest: placeOf(parts.get('NewEntr'), parts.get('NewEntrTm')),
    };
  }

  /** SetLCBValues: it is disabled for that, and then as it was or as `enabled` says. */
  async configure(
    reference: string,
    {
      enabled,
      triggers,
      integrityPeriod,
      dataSet,
    }: Partial<Pick<LogControlInfo, 'enabled' | 'triggers' | 'integrityPeriod' | 'dataSet'>>,
  ): Promise<void> {
    const write = (part: string, value: Data): Promise<void> => this.#client.write(`${reference}.${part}`, 'LG', value);
    const before = (await this.#client.read(`${reference}.LogEna`, 'LG')).value === true;
    const others = triggers !== undefined || integrityPeriod !== undefined || dataSet !== undefined;
    if (before && (others || enabled === false)) await write('LogEna', { kind: 'boolean', value: false });
    try {
      if (dataSet !== undefined)
        await write('DatSet', { kind: 'visibleString', value: dataSet.replace(/\.(?=[^./]*$)/, '$') });
      if (triggers) await write('TrgOps', { kind: 'bitString', value: trgOps(triggers) });
      if (integrityPeriod !== undefined) await write('IntgPd', { kind: 'unsigned', value: integrityPeriod });
    } finally {
      if ((enabled ?? before) && (others || !before)) await write('LogEna', { kind: 'boolean', value: true });
    }
  }

  /**
   * QueryLogByTime and QueryLogAfter: entries in the order of the log, as they come from the device.
   * @param log `BCU1CTRL/LLN0.EventLog`
   * @throws Iec61850Error `log.format`, `log.limit`, `log.stuck` (peer)
   */
  async *query(log: string, { from, to, after, onGone, limit = MAX_ENTRIES }: LogQuery = {}): AsyncGenerator<LogEntry> {
    if (after && onGone && !(await this.#has(log, after)))
      onGone(
        `${log} does not have entry ${Buffer.from(after.id).toString('hex')} any more: entries may be missing behind it`,
      );
    let count = 0;
    for await (const encoded of this.#read(log, after ? behind(after) : range(from), to)) {
      const entry = decodeLogEntry(encoded);
      // Behind an entry some servers give what is later, too.
      if (entry.time > (to ?? entry.time) || (!after && entry.time < (from ?? entry.time))) continue;
      if (count++ >= limit) return;
      // A view would keep the whole answer for eight octets.
      yield { ...entry, id: Uint8Array.from(entry.id) };
    }
  }

  /** Whether an entry is there, among those of its millisecond. */
  async #has(log: string, { id, time }: LogPlace): Promise<boolean> {
    for await (const { entryId } of this.#read(log, range(time), time + 1))
      if (Buffer.compare(entryId, id) === 0) return true;
    return false;
  }

  /** As the device gives them, piece by piece. */
  async *#read(
    log: string,
    start: ReturnType<typeof behind | typeof range>,
    to?: number,
  ): AsyncGenerator<JournalEntry> {
    const journal = listName(log);
    let begin = start;
    let looked = 0;
    for (;;) {
      const { entries, moreFollows } = await this.#client.call('readJournal', {
        journal,
        ...begin,
        // There are servers that take a range only with both its ends, and one behind an entry without.
        ...(to === undefined && 'startAfter' in begin
          ? {}
          : { stop: { kind: 'time', value: timeOfDayFromMillis(to ?? LATEST) } as const }),
      });
      looked += entries.length;
      if (looked > MAX_LOOKED)
        throw new Iec61850Error('peer', 'log.limit', `${log} has more than ${MAX_LOOKED} entries, and no end`);
      yield* entries;
      const last = entries.at(-1);
      if (!moreFollows) return;
      if (!last || ('startAfter' in begin && Buffer.compare(last.entryId, begin.startAfter.entry) === 0))
        throw new Iec61850Error('peer', 'log.stuck', `${log}: the device says that more follows, and gives no more`);
      begin = behind({ id: Uint8Array.from(last.entryId), time: timeOfDayToMillis(last.content.time) });
    }
  }

  /** Takes entries away, all or those before a time. @returns how many, as the device says */
  clear(log: string, before?: number): Promise<number> {
    return this.#client.call('initializeJournal', {
      journal: listName(log),
      ...(before === undefined ? {} : { limit: { time: timeOfDayFromMillis(before) } }),
    });
  }
}

/** The first and last day that the time of an entry can say. */
const EARLIEST = Date.UTC(1984, 0, 1);
const LATEST = EARLIEST + 0xffff * 86_400_000;

const behind = ({ id, time }: LogPlace) => ({ startAfter: { time: timeOfDayFromMillis(time), entry: id } });
const range = (from = EARLIEST) => ({ start: { kind: 'time', value: timeOfDayFromMillis(from) } as const });

function placeOf(id: Data | undefined, time: Data | undefined): LogPlace | undefined {
  if (id?.kind !== 'octetString' || time?.kind !== 'binaryTime' || id.value.every((octet) => octet === 0))
    return undefined;
  const at = timeOfDayToMillis(time.value);
  return Number.isNaN(at) ? undefined : { id: id.value, time: at };
}
