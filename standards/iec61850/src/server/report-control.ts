/**
 * A report control block (IEC 61850-7-2 § 17, mapped by 8-1 § 17.1): what clients write into it, when a report is made,
 * and how a slow client is told. Pure but for the ports it is given: time, and the way to a client.
 */
import { isIPv4, isIPv6 } from 'node:net';
import {
  type BitString,
  bit,
  type Data,
  dataOctets,
  type TypeSpecification,
  timeOfDayFromMillis,
} from '@enerchain/mms';
import type { Clock } from '@enerchain/transport';
import {
  encodeReport,
  hasTrigger,
  OPT_FLDS,
  type OptField,
  optFlds,
  type ReportMember,
  type Trigger,
  trgOps,
} from '../mapping/report.ts';
import { Variable } from '../mapping/variables.ts';
import type { ReportControl as SclReportControl } from '../scl/schema/ied.ts';
import type { Access } from './access.ts';
import type { BlockClient, ControlBlock, DataSetMembers, DataSetUser, Refusal } from './control-block.ts';
import { type Entry, EntryBuffer } from './entry-buffer.ts';

/** A client's association. */
export interface ReportClient extends BlockClient {
  /** @returns false when it has not read what it got before: nothing was sent */
  send(report: ReturnType<typeof encodeReport>): boolean;
  /** Who it is, beyond one association: the name in its certificate, or its address. A block it has reserved is its own again. */
  readonly owner: string;
  /** Octets of the largest PDU it takes. */
  readonly maxPdu: number;
  /** Gives it up: it does not read. */
  abort(): void;
}

export interface ReportControlPorts {
  readonly clock: Clock;
  readonly access: Access;
  /** Whether clients see who has it: `Owner`, of edition 2. */
  readonly owner: boolean;
  /** By the text of DatSet; `@name` is of the client's own association. */
  readonly dataSet: (reference: string, client: ReportClient | undefined) => DataSetMembers | undefined;
  /** Called when the members it listens to are others. */
  readonly onMembers: (block: ReportControlBlock) => void;
  readonly buffer: { readonly entries: number; readonly octets: number };
}

/** How long a client that does not read is waited for between two attempts. */
const RETRY_MILLIS = 20;
/** Reports without buffer that wait for a client; one more, and its association is given up rather than a report left out. */
const MAX_WAITING = 200;
/** Octets of a PDU that are not values: headers, and room for what options add. */
const OVERHEAD = 300;

const unsigned = (size: number): TypeSpecification => ({ kind: 'unsigned', value: size });
const bool: TypeSpecification = { kind: 'boolean', value: null };
const NOBODY: Data = { kind: 'octetString', value: new Uint8Array(0) };

export class ReportControlBlock implements ControlBlock<ReportClient>, DataSetUser {
  readonly variable: Variable;
  readonly buffered: boolean;
  readonly #ports: ReportControlPorts;
  readonly #entries: EntryBuffer;
  readonly #reference: string;
  #dataSet: DataSetMembers | undefined;
  #client: ReportClient | undefined;
  /** A client that has reserved it; after a cut only who it was is known. */
  #reservedBy: { readonly client: ReportClient | undefined; readonly owner: string } | undefined;
  #pending = new Map<number, { data: Data; reasons: Set<Trigger> }>();
  #cancelPending: (() => void) | undefined;
  #cancelIntegrity: (() => void) | undefined;
  #cancelRetry: (() => void) | undefined;
  #cancelReservation: (() => void) | undefined;
  #seqNum = 0;
  /** Members that changed within the `gather` under way. */
  #gathered: Set<number> | undefined;

  /** @param name as clients know it, with index; @param at its constraint in the variable of the logical node: RP or BR */
  constructor(scl: SclReportControl, name: string, at: Variable, domain: string, ports: ReportControlPorts) {
    this.buffered = scl.buffered;
    this.#ports = ports;
    this.variable = new Variable(name, at);
    this.#reference = `${domain}/${this.variable.item}`;
    this.#entries = new EntryBuffer(ports.buffer, Math.floor(ports.clock.now()));
    const node = this.#reference.slice(0, this.#reference.indexOf('$'));
    const dataSet = scl.datSet === undefined ? '' : `${node}$${scl.datSet}`;
    const options = Object.entries(scl.optFields ?? {}).filter(([key, value]) => value === true && key !== 'line');
    const add = (part: string, type: TypeSpecification, value: Data): void =>
      void new Variable(part, this.variable, { type, value });
    const text = (value: string): Data => ({ kind: 'visibleString', value });
    const number = (value: number): Data => ({ kind: 'unsigned', value });
    add('RptID', { kind: 'visibleString', value: -129 }, text(scl.rptID || this.#reference));
    add('RptEna', bool, { kind: 'boolean', value: false });
    if (!this.buffered) add('Resv', bool, { kind: 'boolean', value: false });
    add('DatSet', { kind: 'visibleString', value: -129 }, text(dataSet));
    add('ConfRev', unsigned(32), number(scl.confRev));
    add(
      'OptFlds',
      { kind: 'bitString', value: -10 },
      { kind: 'bitString', value: optFlds(options.map(([key]) => key as OptField)) },
    );
    add('BufTm', unsigned(32), number(scl.bufTime));
    add('SqNum', unsigned(this.buffered ? 16 : 8), number(0));
    add('TrgOps', { kind: 'bitString', value: -6 }, { kind: 'bitString', value: trgOps(triggersIn(scl)) });
    add('IntgPd', unsigned(32), number(scl.intgPd));
    add('GI', bool, { kind: 'boolean', value: false });
    if (this.buffered) {
      add('PurgeBuf', bool, { kind: 'boolean', value: false });
      add('EntryID', { kind: 'octetString', value: 8 }, { kind: 'octetString', value: new Uint8Array(8) });
      add('TimeofEntry', { kind: 'binaryTime', value: true }, { kind: 'binaryTime', value: { millis: 0, days: 0 } });
      add('ResvTms', { kind: 'integer', value: 16 }, { kind: 'integer', value: 0 });
    }
    if (ports.owner) add('Owner', { kind: 'octetString', value: -64 }, NOBODY);
  }

  get enabled(): boolean {
    return this.#get('RptEna') === true;
  }

  /** The members whose changes it wants to hear of; a buffered one hears them also while it is not enabled. */
  get members(): DataSetMembers['members'] {
    return this.#dataSet?.members ?? [];
  }

  /** Resolves the data set it has from the file. Called once the data sets are there. */
  begin(): void {
    this.#useDataSet(undefined);
  }

  #get(part: string): unknown {
    return this.variable.part(part)!.data.value;
  }
  #set(part: string, value: Data): void {
    this.variable.part(part)!.data = value;
  }

  #useDataSet(client: ReportClient | undefined): void {
    const reference = this.#get('DatSet') as string;
    this.#dataSet = reference === '' ? undefined : this.#ports.dataSet(reference, client);
    this.#pending.clear();
    this.#entries.clear();
    this.#ports.onMembers(this);
  }

  /** What a client writes into one of its attributes. @returns why not, undefined when it was taken */
  write(part: string, value: Data, client: ReportClient): Refusal | undefined {
    const name = this.#reference.replaceAll('$', '.');
    if (!this.#ports.access.allows(client.identity, 'SetRCBValues', name)) return 'object-access-denied';
    if (this.#reservedBy) {
      const { client: there, owner } = this.#reservedBy;
      if (there ? there !== client : owner !== client.owner) return 'temporarily-unavailable';
      this.#reserve(client);
    }
    switch (part) {
      case 'RptEna':
        return value.value === true ? this.#enable(client) : this.#disable(client);
      case 'GI':
        if (!this.enabled || this.#client !== client) return 'temporarily-unavailable';
        if (value.value === true) this.#afterAnswer(() => this.#generalInterrogation());
        return undefined;
      case 'SqNum':
      case 'ConfRev':
      case 'TimeofEntry':
      case 'Owner':
        return 'object-access-denied';
    }
    // While it is enabled it stays as it is.
    if (this.enabled) return 'temporarily-unavailable';
    switch (part) {
      case 'Resv':
        if (value.value === true) this.#reserve(client);
        else this.#free();
        break;
      case 'ResvTms':
        if ((value.value as number) < -1) return 'object-value-invalid';
        if (value.value === 0) this.#free();
        else this.#reserve(client);
        break;
      case 'DatSet':
        return this.#writeDataSet(value, client);
      case 'PurgeBuf':
        if (value.value === true) this.#entries.clear();
        return undefined;
      case 'EntryID':
        if (!this.#entries.resumeAfter(value.value as Uint8Array)) return 'object-value-invalid';
        break;
      case 'BufTm':
        this.#flush();
        break;
    }
    this.#set(part, value);
    return undefined;
  }

  #writeDataSet(value: Data, client: ReportClient): Refusal | undefined {
    const before = this.#get('DatSet');
    if (value.value === before) return undefined;
    if (value.value !== '' && !this.#ports.dataSet(value.value as string, client)) return 'object-value-invalid';
    this.#set('DatSet', value);
    this.#set('ConfRev', { kind: 'unsigned', value: ((this.#get('ConfRev') as number) + 1) >>> 0 });
    this.#useDataSet(client);
    return undefined;
  }

  #enable(client: ReportClient): Refusal | undefined {
    if (this.enabled) return this.#client === client ? undefined : 'temporarily-unavailable';
    if (!this.#dataSet) this.#useDataSet(client);
    if (!this.#dataSet) return 'object-value-invalid';
    this.#client = client;
    this.#reserve(client);
    this.#seqNum = 0;
    if (!this.buffered) {
      this.#set('Resv', { kind: 'boolean', value: true });
      this.#entries.clear();
      this.#pending.clear();
    }
    this.#set('RptEna', { kind: 'boolean', value: true });
    this.#armIntegrity();
    this.#afterAnswer(() => this.#pump());
    return undefined;
  }

  /** There are clients that do not expect a report before the answer to what brought it about. */
  #afterAnswer(action: () => void): void {
    queueMicrotask(() => {
      if (this.enabled) action();
    });
  }

  #reserve(client: ReportClient): void {
    this.#cancelReservation?.();
    this.#cancelReservation = undefined;
    this.#reservedBy = { client, owner: client.owner };
    if (this.#ports.owner) this.#set('Owner', ownerOf(client));
  }

  #free(): void {
    this.#reservedBy = undefined;
    if (this.#ports.owner) this.#set('Owner', NOBODY);
  }

  #disable(client: ReportClient | undefined): Refusal | undefined {
    if (this.enabled && client !== undefined && this.#client !== client) return 'temporarily-unavailable';
    this.#cancelIntegrity?.();
    this.#cancelRetry?.();
    this.#set('RptEna', { kind: 'boolean', value: false });
    this.#client = undefined;
    if (!this.buffered) {
      this.#cancelPending?.();
      this.#cancelPending = undefined;
      this.#pending.clear();
      this.#entries.clear();
    }
    return undefined;
  }

  /** The association of a client has ended. */
  lost(client: ReportClient): void {
    if (this.#client === client) this.#disable(undefined);
    if (this.#reservedBy?.client !== client) return;
    this.#reservedBy = { client: undefined, owner: client.owner };
    const seconds = this.buffered ? (this.#get('ResvTms') as number) : 0;
    const free = () => {
      this.#free();
      this.#set(
        this.buffered ? 'ResvTms' : 'Resv',
        this.buffered ? { kind: 'integer', value: 0 } : { kind: 'boolean', value: false },
      );
    };
    if (seconds > 0) this.#cancelReservation = this.#ports.clock.schedule(seconds * 1000, free);
    else free();
  }

  /** A member has changed, or was updated. @param index in the data set */
  changed(index: number, trigger: 'dchg' | 'qchg' | 'dupd'): void {
    if (!this.buffered && !this.enabled) return;
    if (!hasTrigger(this.#get('TrgOps') as BitString, trigger)) return;
    if (this.#gathered?.has(index)) {
      this.#pending.get(index)!.reasons.add(trigger);
      return;
    }
    // A second change of the same member would hide the first.
    if (this.#pending.has(index)) this.#flush();
    this.#pending.set(index, { data: this.#dataSet!.members[index]!.variable.data, reasons: new Set([trigger]) });
    this.#gathered?.add(index);
    const wait = this.#get('BufTm') as number;
    if (wait === 0 && !this.#gathered) this.#flush();
    else if (wait > 0 && !this.#cancelPending)
      this.#cancelPending = this.#ports.clock.schedule(wait, () => this.#flush());
  }

  /** What changes within the call goes into one report; values are set before. */
  gather(changes: () => void): void {
    this.#gathered = new Set();
    try {
      changes();
    } finally {
      this.#gathered = undefined;
    }
    if (this.#get('BufTm') === 0) this.#flush();
  }

  #flush(): void {
    this.#cancelPending?.();
    this.#cancelPending = undefined;
    if (this.#pending.size === 0) return;
    const members = [...this.#pending]
      .sort(([a], [b]) => a - b)
      .map(([index, { data, reasons }]) => ({ index, data, reasons: [...reasons] }));
    this.#pending = new Map();
    this.#enter(members);
  }

  #generalInterrogation(): void {
    if (!hasTrigger(this.#get('TrgOps') as BitString, 'gi')) return;
    this.#flush();
    this.#enter(this.#everything('gi'));
  }

  #everything(reason: Trigger): ReportMember[] {
    return this.#dataSet!.members.map(({ variable }, index) => ({ index, data: variable.data, reasons: [reason] }));
  }

  #armIntegrity(): void {
    const period = this.#get('IntgPd') as number;
    if (period === 0 || !hasTrigger(this.#get('TrgOps') as BitString, 'integrity')) return;
    this.#cancelIntegrity = this.#ports.clock.schedule(period, () => {
      this.#flush();
      this.#enter(this.#everything('integrity'));
      this.#armIntegrity();
    });
  }

  #enter(members: readonly ReportMember[]): void {
    const time = timeOfDayFromMillis(this.#ports.clock.now());
    let octets = 0;
    for (const { data } of members) octets += dataOctets(data);
    this.#entries.add({ time, members, octets });
    if (this.#client) this.#pump();
  }

  /** Sends what the client takes. */
  #pump(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    const client = this.#client;
    if (!client) return;
    for (let entry = this.#entries.next; entry; entry = this.#entries.next) {
      if (!this.#sendEntry(entry, client)) {
        if (!this.buffered && this.#entries.waiting > MAX_WAITING) {
          client.abort();
          return;
        }
        this.#cancelRetry = this.#ports.clock.schedule(RETRY_MILLIS, () => this.#pump());
        return;
      }
      this.#entries.sent(entry, this.buffered);
      this.#seqNum = (this.#seqNum + 1) % (this.buffered ? 0x1_0000 : 0x100);
      this.#set('SqNum', { kind: 'unsigned', value: this.#seqNum });
      if (this.buffered) {
        this.#set('EntryID', { kind: 'octetString', value: entry.id });
        this.#set('TimeofEntry', { kind: 'binaryTime', value: entry.time });
      }
    }
  }

  /** An unbuffered block has no entries to number and no buffer to overflow (8-1 § 17.2.2). */
  get #options(): BitString {
    const options = this.#get('OptFlds') as BitString;
    return this.buffered ? options : without(options, ['entryID', 'bufOvfl']);
  }

  /** In as many segments as the client's PDUs need. Segments already sent are not sent again. */
  #sendEntry(entry: Entry, client: ReportClient): boolean {
    const parts = segments(entry, client.maxPdu - OVERHEAD);
    for (; entry.segmentsSent < parts.length; entry.segmentsSent++) {
      const number = entry.segmentsSent;
      const members = parts[number]!.map((member) => ({
        ...member,
        reference: this.#dataSet!.members[member.index]!.reference,
      }));
      const report = encodeReport(
        {
          rptId: this.#get('RptID') as string,
          seqNum: this.#seqNum,
          timeOfEntry: entry.time,
          dataSet: this.#dataSet!.reference,
          bufOvfl: entry.afterLoss,
          entryId: entry.id,
          confRev: this.#get('ConfRev') as number,
          ...(parts.length > 1 ? { segment: { number, more: number < parts.length - 1 } } : {}),
          size: this.#dataSet!.members.length,
          members,
        },
        this.#options,
      );
      if (!client.send(report)) return false;
    }
    return true;
  }
}

function without(options: BitString, fields: readonly OptField[]): BitString {
  const left = Object.entries(OPT_FLDS).filter(
    ([field, position]) => bit(options, position) && !fields.includes(field as OptField),
  );
  return optFlds(left.map(([field]) => field as OptField));
}

function segments({ members, octets }: Entry, room: number): readonly (readonly ReportMember[])[] {
  if (octets + members.length * 8 <= room) return [members];
  const parts: ReportMember[][] = [[]];
  let used = 0;
  for (const member of members) {
    const size = dataOctets(member.data) + 8;
    if (used + size > room && parts.at(-1)!.length > 0) {
      parts.push([]);
      used = 0;
    }
    parts.at(-1)!.push(member);
    used += size;
  }
  return parts;
}

/** Octets of the address (8-1 § 17.2.1), of the name in the certificate where no address is known. */
function ownerOf({ owner, identity: { remote } }: ReportClient): Data {
  const host = remote
    .replace(/:\d+$/, '')
    .replace(/^\[|\]$/g, '')
    .replace(/^::ffff:/, '');
  if (isIPv4(host)) return { kind: 'octetString', value: Uint8Array.from(host.split('.').map(Number)) };
  return { kind: 'octetString', value: Uint8Array.from(Buffer.from(isIPv6(host) ? host : owner)).subarray(0, 64) };
}

/** What the file wants of a report or log control block. */
export function triggersIn({ trgOps: ops, intgPd }: Pick<SclReportControl, 'trgOps' | 'intgPd'>): Trigger[] {
  // Without TrgOps the schema's defaults hold: nothing but interrogation.
  if (!ops) return ['gi'];
  const triggers: [Trigger, boolean][] = [
    ['dchg', ops.dchg],
    ['qchg', ops.qchg],
    ['dupd', ops.dupd],
    ['integrity', ops.period || intgPd > 0],
    ['gi', ops.gi],
  ];
  return triggers.filter(([, set]) => set).map(([trigger]) => trigger);
}
