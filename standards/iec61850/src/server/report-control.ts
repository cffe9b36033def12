/**
 * A report control block (IEC 61850-7-2 § 17, mapped by 8-1 § 17.1): what clients write into it, when a report is made,
 * and how a slow client is told. Pure but for the ports it is given: time, and the way to a client.
 */
import { isIPv4, isIPv6 } from 'node:net';
import {
  BerReader,
  type BitString,
  bit,
  type Data,
  encodeDataList,
  type TypeSpecification,
  timeOfDayFromMillis,
} from '@enerchain/mms';
import type { Clock } from '@enerchain/transport';
import {
  encodeReport,
  hasOption,
  hasTrigger,
  OPT_FLDS,
  type OptField,
  optFlds,
  reasonOf,
  type Trigger,
  trgOps,
} from '../mapping/report.ts';
import { Variable } from '../mapping/variables.ts';
import type { ReportControl as SclReportControl } from '../scl/schema/ied.ts';
import type { Access } from './access.ts';
import type { BlockClient, ControlBlock, DataSetMembers, DataSetUser, MemberChange, Refusal } from './control-block.ts';
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
/** Of a value: its reason, and what its length takes. */
const BESIDE_VALUE = 8;
/** Of a reference, which has at most 129 characters (7-2 § 6.1.2.2). */
const REFERENCE = 132;

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
  /** Members that have changed and are in no entry yet; and of each member its value, its reasons, the call of `changed` that brought them. */
  readonly #pending: number[] = [];
  #values: Data[] = [];
  #reasons = new Uint8Array(0);
  #rounds: number[] = [];
  #round = 0;
  #cancelPending: (() => void) | undefined;
  #cancelIntegrity: (() => void) | undefined;
  #cancelRetry: (() => void) | undefined;
  #cancelReservation: (() => void) | undefined;
  #seqNum = 0;

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
    this.#forget();
    this.#values = [];
    this.#rounds = [];
    this.#reasons = new Uint8Array(this.members.length);
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
      this.#forget();
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
      this.#forget();
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

  /** What changes in one call goes into one report. */
  changed(changes: readonly MemberChange[]): void {
    if (!this.buffered && !this.enabled) return;
    const triggers = this.#get('TrgOps') as BitString;
    const round = ++this.#round;
    for (const [index, trigger] of changes) {
      if (!hasTrigger(triggers, trigger)) continue;
      const there = this.#reasons[index] !== 0;
      if (there && this.#rounds[index] === round) {
        this.#reasons[index]! |= reasonOf(trigger);
        continue;
      }
      // A second change of the same member would hide the first.
      if (there) this.#flush();
      this.#pending.push(index);
      this.#values[index] = this.#dataSet!.members[index]!.variable.data;
      this.#reasons[index] = reasonOf(trigger);
      this.#rounds[index] = round;
    }
    if (this.#pending.length === 0) return;
    const wait = this.#get('BufTm') as number;
    if (wait === 0) this.#flush();
    else this.#cancelPending ??= this.#ports.clock.schedule(wait, () => this.#flush());
  }

  #forget(): void {
    this.#cancelPending?.();
    this.#cancelPending = undefined;
    for (const index of this.#pending) this.#reasons[index] = 0;
    this.#pending.length = 0;
  }

  #flush(): void {
    if (this.#pending.length === 0) return;
    const indexes = new Uint16Array(this.#pending).sort();
    const data: Data[] = [];
    const reasons = new Uint8Array(indexes.length);
    for (let at = 0; at < indexes.length; at++) {
      data.push(this.#values[indexes[at]!]!);
      reasons[at] = this.#reasons[indexes[at]!]!;
    }
    this.#forget();
    this.#enter(indexes, data, reasons);
  }

  #generalInterrogation(): void {
    if (!hasTrigger(this.#get('TrgOps') as BitString, 'gi')) return;
    this.#flush();
    this.#enterAll('gi');
  }

  #enterAll(reason: Trigger): void {
    const { members } = this.#dataSet!;
    const reasons = new Uint8Array(members.length).fill(reasonOf(reason));
    const indexes = Uint16Array.from(members.keys());
    this.#enter(
      indexes,
      members.map(({ variable }) => variable.data),
      reasons,
    );
  }

  #armIntegrity(): void {
    const period = this.#get('IntgPd') as number;
    if (period === 0 || !hasTrigger(this.#get('TrgOps') as BitString, 'integrity')) return;
    this.#cancelIntegrity = this.#ports.clock.schedule(period, () => {
      this.#flush();
      this.#enterAll('integrity');
      this.#armIntegrity();
    });
  }

  #enter(indexes: Uint16Array, data: readonly Data[], reasons: Uint8Array): void {
    const time = timeOfDayFromMillis(this.#ports.clock.now());
    this.#entries.add({ time, indexes, values: encodeDataList(data), reasons });
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
    const { members, reference } = this.#dataSet!;
    const options = this.#options;
    const beside = hasOption(options, 'dataRef') ? BESIDE_VALUE + REFERENCE : BESIDE_VALUE;
    const cuts = segments(entry, client.maxPdu - OVERHEAD - Math.ceil(members.length / 8), beside);
    const whole = cuts.length === 1;
    for (; entry.segmentsSent < cuts.length; entry.segmentsSent++) {
      const number = entry.segmentsSent;
      const [from, to] = [cuts[number]!, cuts[number + 1]];
      const indexes = whole ? entry.indexes : entry.indexes.subarray(from.member, to?.member);
      const report = encodeReport(
        {
          rptId: this.#get('RptID') as string,
          seqNum: this.#seqNum,
          timeOfEntry: entry.time,
          dataSet: reference,
          bufOvfl: entry.afterLoss,
          entryId: entry.id,
          confRev: this.#get('ConfRev') as number,
          ...(whole ? {} : { segment: { number, more: to !== undefined } }),
          size: members.length,
          indexes,
          references: hasOption(options, 'dataRef') ? Array.from(indexes, (index) => members[index]!.reference) : [],
        },
        options,
        whole ? entry.values : entry.values.subarray(from.octet, to?.octet),
        whole ? entry.reasons : entry.reasons.subarray(from.member, to?.member),
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

/** Where each segment begins. What is said of each member beside its value takes room as well. */
function segments(
  { indexes, values }: Entry,
  room: number,
  beside: number,
): readonly { readonly member: number; readonly octet: number }[] {
  const first = { member: 0, octet: 0 };
  if (values.length + indexes.length * beside <= room) return [first];
  const cuts = [first];
  const reader = new BerReader(values);
  for (let member = 0; member < indexes.length; member++) {
    const octet = reader.at;
    reader.header();
    reader.at = reader.stop;
    const from = cuts.at(-1)!;
    const size = reader.at - from.octet + (member + 1 - from.member) * beside;
    if (size > room && member > from.member) cuts.push({ member, octet });
  }
  return cuts;
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
