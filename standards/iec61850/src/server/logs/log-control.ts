/** A log control block (IEC 61850-7-2 § 17.3.2, mapped by 8-1 § 17.3): which changes of a data set go into which log. */
import { type BitString, type Data, type TypeSpecification, timeOfDayFromMillis } from '@enerchain/mms';
import type { Clock } from '@enerchain/transport';
import { hasTrigger, type Trigger, trgOps } from '../../mapping/report.ts';
import { Variable } from '../../mapping/variables.ts';
import type { LogControl } from '../../scl/schema/ied.ts';
import type { Access } from '../access.ts';
import type {
  BlockClient,
  ControlBlock,
  DataSetMembers,
  DataSetUser,
  MemberChange,
  Refusal,
} from '../control-block.ts';
import { triggersIn } from '../report-control.ts';
import type { LogMark, LogStore } from './store.ts';

export interface LogControlPorts<Client> {
  readonly clock: Clock;
  readonly access: Access;
  /** By the text of DatSet. */
  readonly dataSet: (reference: string, client: Client | undefined) => DataSetMembers | undefined;
  /** By the text of LogRef: `BCU1CTRL/LLN0$EventLog`. */
  readonly log: (reference: string) => LogStore | undefined;
  readonly onMembers: (block: DataSetUser) => void;
}

const bool: TypeSpecification = { kind: 'boolean', value: null };
const text: TypeSpecification = { kind: 'visibleString', value: -129 };
const time: TypeSpecification = { kind: 'binaryTime', value: true };
const entry: TypeSpecification = { kind: 'octetString', value: 8 };

/** Attributes that are the log's, and are read from it. */
const OF_LOG = {
  OldEntrTm: (log: LogStore) => timeData(log.oldest),
  NewEntrTm: (log: LogStore) => timeData(log.newest),
  OldEntr: (log: LogStore) => idData(log.oldest),
  NewEntr: (log: LogStore) => idData(log.newest),
} as const;

export class LogControlBlock<Client extends BlockClient> implements ControlBlock<Client>, DataSetUser {
  readonly variable: Variable;
  readonly #ports: LogControlPorts<Client>;
  readonly #reference: string;
  #dataSet: DataSetMembers | undefined;
  #pending = new Map<number, { data: Data; reasons: Set<Trigger> }>();
  /** Milliseconds. 8-1 has no attribute for it: only the file says it. */
  readonly #bufferTime: number;
  #cancelPending: (() => void) | undefined;
  #cancelIntegrity: (() => void) | undefined;

  /** @param at its constraint in the variable of the logical node: LG @param log `BCU1CTRL/LLN0$EventLog` */
  constructor(scl: LogControl, log: string, at: Variable, domain: string, ports: LogControlPorts<Client>) {
    this.#ports = ports;
    this.#bufferTime = scl.bufTime;
    this.variable = new Variable(scl.name, at);
    this.#reference = `${domain}/${this.variable.item.replaceAll('$', '.')}`;
    const node = `${domain}/${this.variable.item.slice(0, this.variable.item.indexOf('$'))}`;
    const add = (part: string, type: TypeSpecification, value: Data): void =>
      void new Variable(part, this.variable, { type, value });
    add('LogEna', bool, { kind: 'boolean', value: scl.logEna });
    add('LogRef', text, { kind: 'visibleString', value: log });
    add('DatSet', text, { kind: 'visibleString', value: scl.datSet === undefined ? '' : `${node}$${scl.datSet}` });
    add('OldEntrTm', time, timeData(undefined));
    add('NewEntrTm', time, timeData(undefined));
    add('OldEntr', entry, idData(undefined));
    add('NewEntr', entry, idData(undefined));
    add(
      'TrgOps',
      { kind: 'bitString', value: -6 },
      { kind: 'bitString', value: trgOps(triggersIn(scl).filter((trigger) => trigger !== 'gi')) },
    );
    add('IntgPd', { kind: 'unsigned', value: 32 }, { kind: 'unsigned', value: scl.intgPd });
  }

  get enabled(): boolean {
    return this.#get('LogEna') === true;
  }

  get members(): DataSetMembers['members'] {
    return this.#dataSet?.members ?? [];
  }

  /** Begins to log when its file wants it to. Called once data sets and logs are there. */
  begin(): void {
    this.#dataSet = this.#ports.dataSet(this.#get('DatSet') as string, undefined);
    if (!this.enabled) return;
    const why = this.#enable();
    if (why) this.#set('LogEna', { kind: 'boolean', value: false });
  }

  /** Puts the ends of the log into its attributes; called before they are read. */
  refresh(): void {
    const log = this.#log;
    if (!log) return;
    for (const [part, of] of Object.entries(OF_LOG)) this.#set(part, of(log));
  }

  get #log(): LogStore | undefined {
    return this.#ports.log(this.#get('LogRef') as string);
  }

  #get(part: string): unknown {
    return this.variable.part(part)!.data.value;
  }

  #set(part: string, value: Data): void {
    this.variable.part(part)!.data = value;
  }

  write(part: string, value: Data, client: Client): Refusal | undefined {
    if (part in OF_LOG || !this.#ports.access.allows(client.identity, 'SetLCBValues', this.#reference))
      return 'object-access-denied';
    if (part === 'LogEna') {
      if (value.value === this.enabled) return undefined;
      if (value.value === true) {
        const why = this.#enable();
        if (why) return why;
      } else this.#disable();
      this.#set('LogEna', value);
      return undefined;
    }
    // While it is enabled it stays as it is.
    if (this.enabled) return 'temporarily-unavailable';
    if (part === 'LogRef' && !this.#ports.log(value.value as string)) return 'object-value-invalid';
    if (part === 'DatSet') {
      const found = this.#ports.dataSet(value.value as string, client);
      // One that ends with an association is none for a log, which goes on.
      if (value.value !== '' && (!found || (value.value as string).startsWith('@'))) return 'object-value-invalid';
      this.#dataSet = found;
    }
    this.#set(part, value);
    return undefined;
  }

  lost(): void {}

  #enable(): Refusal | undefined {
    if (!this.#dataSet || !this.#log) return 'object-value-invalid';
    this.#ports.onMembers(this);
    this.#armIntegrity();
    return undefined;
  }

  #disable(): void {
    this.#flush();
    this.#cancelIntegrity?.();
    this.#cancelIntegrity = undefined;
  }

  /** What changes in one call goes into one entry, with what changes within the buffer time of the file. */
  changed(changes: readonly MemberChange[]): void {
    if (!this.enabled) return;
    const wanted = changes.filter(([, trigger]) => this.#wants(trigger));
    // A second change of the same member would hide the first.
    if (wanted.some(([index]) => this.#pending.has(index))) this.#flush();
    for (const [index, trigger] of wanted) {
      const there = this.#pending.get(index);
      if (there) there.reasons.add(trigger);
      else this.#pending.set(index, { data: this.members[index]!.variable.data, reasons: new Set([trigger]) });
    }
    if (this.#bufferTime === 0) this.#flush();
    else if (this.#pending.size > 0)
      this.#cancelPending ??= this.#ports.clock.schedule(this.#bufferTime, () => this.#flush());
  }

  #wants(trigger: Trigger): boolean {
    return hasTrigger(this.#get('TrgOps') as BitString, trigger);
  }

  #flush(): void {
    this.#cancelPending?.();
    this.#cancelPending = undefined;
    if (this.#pending.size === 0) return;
    const news = [...this.#pending].sort(([a], [b]) => a - b);
    this.#pending = new Map();
    this.#enter(
      news.map(([index, { data, reasons }]) => ({
        reference: this.members[index]!.reference,
        data,
        reasons: [...reasons],
      })),
    );
  }

  #armIntegrity(): void {
    const period = this.#get('IntgPd') as number;
    if (period === 0 || !this.#wants('integrity')) return;
    this.#cancelIntegrity = this.#ports.clock.schedule(period, () => {
      this.#flush();
      this.#enter(
        this.members.map(({ reference, variable }) => ({
          reference,
          data: variable.data,
          reasons: ['integrity' as const],
        })),
      );
      this.#armIntegrity();
    });
  }

  #enter(values: Parameters<LogStore['add']>[1]): void {
    this.#log?.add(this.#ports.clock.now(), values);
  }
}

const timeData = (mark: LogMark | undefined): Data => ({
  kind: 'binaryTime',
  value: mark ? timeOfDayFromMillis(mark.time) : { millis: 0, days: 0 },
});
const idData = (mark: LogMark | undefined): Data => ({ kind: 'octetString', value: mark?.id ?? new Uint8Array(8) });
