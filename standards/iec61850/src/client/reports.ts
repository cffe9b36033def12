/**
 * Reports as a client has them (IEC 61850-7-2 § 17): a control block is reserved, set up and enabled; segments are put
 * together; what may be missing is said.
 */
import type { BitString, Data } from '@enerchain/mms';
import { Iec61850Error } from '../error.ts';
import { type decodeReport, type OptField, optFlds, type Report, type Trigger, trgOps } from '../mapping/report.ts';
import type { FunctionalConstraint } from '../scl/schema/ied.ts';
import type { DataSetMember, Iec61850Client } from './client.ts';
import { readParts } from './parts.ts';

export interface ReceivedMember extends DataSetMember {
  readonly value: Data;
  /** Empty when the server does not say. */
  readonly reasons: readonly Trigger[];
}

export interface ReceivedReport {
  readonly seqNum: number | undefined;
  /** Milliseconds since 1970 at which the server made it. */
  readonly timeOfEntry: number | undefined;
  /** Where to go on after a cut, for a buffered one. */
  readonly entryId: Uint8Array | undefined;
  readonly confRev: number | undefined;
  readonly members: readonly ReceivedMember[];
}

/** Why values may be missing. */
export type ReportGap =
  /** The server's buffer was too small while nobody listened. */
  | 'buffer-overflow'
  /** Numbers of reports are not in sequence. */
  | 'sequence'
  /** The entry to go on after is not known to the server any more: it was restarted, or has lost it. */
  | 'entry-unknown'
  /** The data set is another one than before. */
  | 'configuration';

export interface SubscribeOptions {
  readonly onReport: (report: ReceivedReport) => void;
  /** Values may be missing before the next report. */
  readonly onGap?: (gap: ReportGap, text: string) => void;
  /** Another data set than the one it has. */
  readonly dataSet?: string;
  /** Default: data change, quality change, data update, interrogation, and integrity where there is a period. */
  readonly triggers?: readonly Trigger[];
  /** Milliseconds. */
  readonly bufferTime?: number;
  readonly integrityPeriod?: number;
  /** Default: all that a server can add, but data references. */
  readonly options?: readonly OptField[];
  /** Buffered: go on after this entry; without it, from the oldest that the server has. */
  readonly resumeAfter?: Uint8Array;
  /**
   * Buffered, when the server does not know that entry any more: `all` takes what it has from its oldest on, which is new
   * where it was restarted; `purge` begins with what comes next. Default `all`. Either way it is a gap.
   */
  readonly whenUnknown?: 'all' | 'purge';
  /** Buffered: throw away what the server has kept. */
  readonly purge?: boolean;
  /** Awaited before the block is enabled, so before the first report. @param members of its data set */
  readonly prepare?: (members: readonly DataSetMember[]) => Promise<void> | void;
  /** Whether all values are asked for at the beginning. Default true. */
  readonly interrogate?: boolean;
  /** Seconds for which a buffered block stays ours when the association is lost. Default 0. */
  readonly reserve?: number;
  /** What the client's configuration says the block has; another one is a gap of kind `configuration`. */
  readonly confRev?: number;
}

const DEFAULT_OPTIONS: readonly OptField[] = [
  'seqNum',
  'timeStamp',
  'reasonCode',
  'dataSet',
  'bufOvfl',
  'entryID',
  'configRef',
];
const NO_REASONS: readonly Trigger[] = [];
/** Segments of one report that wait for the rest. */
const MAX_SEGMENTS = 1_000;

export class ReportSubscription {
  readonly reference: string;
  readonly rptId: string;
  readonly members: readonly DataSetMember[];
  /** Of the block when it was enabled. */
  readonly confRev: number;
  readonly #client: Iec61850Client;
  readonly #options: SubscribeOptions;
  readonly #ended: () => void;
  readonly #modulus: number;
  #expected: number | undefined;
  #segments: { readonly seqNum: number | undefined; members: ReceivedMember[]; next: number } | undefined;

  constructor(
    client: Iec61850Client,
    reference: string,
    own: { readonly rptId: string; readonly members: readonly DataSetMember[]; readonly confRev: number },
    options: SubscribeOptions,
    ended: () => void,
  ) {
    this.#client = client;
    this.reference = reference;
    this.rptId = own.rptId;
    this.members = own.members;
    this.confRev = own.confRev;
    this.#options = options;
    this.#ended = ended;
    this.#modulus = reference.includes('.BR.') ? 0x1_0000 : 0x100;
  }

  /** Asks for all values. */
  interrogate(): Promise<void> {
    return writePart(this.#client, this.reference, 'GI', { kind: 'boolean', value: true });
  }

  /** Disables the control block. */
  async end(): Promise<void> {
    this.#ended();
    await writePart(this.#client, this.reference, 'RptEna', { kind: 'boolean', value: false });
  }

  take(report: Report): void {
    if (report.size !== this.members.length) {
      this.#gap(
        'configuration',
        `${this.reference}: a report of ${report.size} members, the data set has ${this.members.length}; dropped`,
      );
      return;
    }
    const { segment, seqNum } = report;
    const received = report.members.map(({ index, data, reasons }): ReceivedMember => {
      const { reference, fc } = this.members[index]!;
      return { reference, fc, value: data, reasons: reasons ?? NO_REASONS };
    });
    if (!segment || segment.number === 0) {
      if (report.bufOvfl) this.#gap('buffer-overflow', `${this.reference}: the server's buffer has overflowed`);
      if (seqNum !== undefined && this.#expected !== undefined && seqNum !== this.#expected) {
        this.#gap('sequence', `${this.reference}: report ${seqNum} came where ${this.#expected} was due`);
      }
      if (this.#segments) this.#gap('sequence', `${this.reference}: the end of a report in segments did not come`);
      this.#segments = undefined;
    }
    if (seqNum !== undefined) this.#expected = (seqNum + 1) % this.#modulus;
    if (segment) {
      const open = this.#segments ?? { seqNum, members: [], next: 0 };
      if (segment.number !== open.next || segment.number > MAX_SEGMENTS) {
        this.#gap('sequence', `${this.reference}: segment ${segment.number} came where ${open.next} was due`);
        this.#segments = undefined;
        return;
      }
      open.members.push(...received);
      open.next++;
      this.#segments = segment.more ? open : undefined;
      if (!segment.more) this.#deliver(report, open.members);
    } else this.#deliver(report, received);
  }

  #deliver({ seqNum, timeOfEntry, entryId, confRev }: Report, members: readonly ReceivedMember[]): void {
    const at =
      timeOfEntry?.days === undefined
        ? undefined
        : Date.UTC(1984, 0, 1) + timeOfEntry.days * 86_400_000 + timeOfEntry.millis;
    this.#options.onReport({ seqNum, timeOfEntry: at, entryId, confRev, members });
  }

  #gap(gap: ReportGap, text: string): void {
    this.#options.onGap?.(gap, text);
  }
}

/** Writes an attribute of the block. */
type Write = (part: string, value: Data) => Promise<void>;

export class Reports {
  readonly #client: Iec61850Client;
  readonly #stray: (text: string) => void;
  readonly #subscriptions = new Map<string, ReportSubscription>();

  constructor(client: Iec61850Client, stray: (text: string) => void) {
    this.#client = client;
    this.#stray = stray;
  }

  take(report: ReturnType<typeof decodeReport>): void {
    const subscription = this.#subscriptions.get(report.rptId);
    if (subscription) subscription.take(report);
    else this.#stray(`a report ${report.rptId} that nobody has asked for`);
  }

  /** @throws Iec61850Error `report.*` when it is not there, or another client has it */
  async subscribe(reference: string, options: SubscribeOptions): Promise<ReportSubscription> {
    const parts = await readBlock(this.#client, reference);
    if (parts.get('RptEna')?.value === true) {
      throw new Iec61850Error('peer', 'report.taken', `${reference} is enabled already, by another client`);
    }
    try {
      return await this.#begin(reference, parts, options);
    } catch (error) {
      // What was reserved and is not used is left to others; where the association is gone it is theirs anyway.
      const free: readonly [string, Data] | undefined = parts.has('Resv')
        ? ['Resv', { kind: 'boolean', value: false }]
        : options.reserve
          ? ['ResvTms', { kind: 'integer', value: 0 }]
          : undefined;
      if (free) await writePart(this.#client, reference, ...free).catch(() => {});
      throw error;
    }
  }

  async #begin(
    reference: string,
    parts: ReadonlyMap<string, Data>,
    options: SubscribeOptions,
  ): Promise<ReportSubscription> {
    const client = this.#client;
    const has = (part: string): boolean => parts.has(part);
    const write: Write = (part, value) => writePart(client, reference, part, value);
    if (has('Resv')) await write('Resv', { kind: 'boolean', value: true });
    if (has('ResvTms') && options.reserve) await write('ResvTms', { kind: 'integer', value: options.reserve });
    const set = String(parts.get('DatSet')?.value ?? '');
    const wanted = options.dataSet?.startsWith('@') ? options.dataSet : options.dataSet?.replace(/\.(?=[^./]*$)/, '$');
    if (wanted !== undefined && wanted !== set) await write('DatSet', { kind: 'visibleString', value: wanted });
    const dataSet = wanted ?? set;
    if (dataSet === '')
      throw new Iec61850Error('caller', 'report.data-set', `${reference} has no data set, and none was named`);
    const members = await client.dataSetMembers(dataSet.replaceAll('$', '.'));
    await write('OptFlds', { kind: 'bitString', value: optFlds(options.options ?? DEFAULT_OPTIONS) });
    await write('TrgOps', { kind: 'bitString', value: triggersFor(options) });
    if (options.bufferTime !== undefined) await write('BufTm', { kind: 'unsigned', value: options.bufferTime });
    if (options.integrityPeriod !== undefined)
      await write('IntgPd', { kind: 'unsigned', value: options.integrityPeriod });
    if (has('PurgeBuf') && options.purge) await write('PurgeBuf', { kind: 'boolean', value: true });
    if (has('EntryID') && options.resumeAfter) await this.#resume(reference, options.resumeAfter, options, write);
    const confRev = Number(parts.get('ConfRev')?.value ?? 0);
    if (options.confRev !== undefined && confRev !== options.confRev) {
      options.onGap?.('configuration', `${reference} has configuration ${confRev}, not ${options.confRev}`);
    }
    const rptId = await this.#identifier(reference, String(parts.get('RptID')?.value ?? ''), write);
    const subscription = new ReportSubscription(client, reference, { rptId, members, confRev }, options, () =>
      this.#subscriptions.delete(rptId),
    );
    this.#subscriptions.set(rptId, subscription);
    try {
      await options.prepare?.(members);
      await write('RptEna', { kind: 'boolean', value: true });
      if (options.interrogate ?? true) await subscription.interrogate();
    } catch (error) {
      this.#subscriptions.delete(rptId);
      await write('RptEna', { kind: 'boolean', value: false }).catch(() => {});
      throw error;
    }
    return subscription;
  }

  /** The instances of one block often share an identifier; two of them in one association need two. */
  async #identifier(reference: string, given: string, write: Write): Promise<string> {
    // The block's own reference stands in for an identifier that is empty.
    const own = reference.replaceAll('.', '$');
    const rptId = given === '' ? own : given;
    if (!this.#subscriptions.has(rptId)) return rptId;
    try {
      if (rptId === own || this.#subscriptions.has(own)) throw new Error('its own reference is in use as well');
      await write('RptID', { kind: 'visibleString', value: own });
      return own;
    } catch (cause) {
      throw new Iec61850Error(
        'caller',
        'report.identifier',
        `another subscription has the identifier ${rptId}, and ${reference} takes no other; reports could not be told apart`,
        { cause },
      );
    }
  }

  /** Goes on where it was; a server that does not know the place gives all it has. */
  async #resume(reference: string, entryId: Uint8Array, options: SubscribeOptions, write: Write): Promise<void> {
    try {
      await write('EntryID', { kind: 'octetString', value: entryId });
    } catch (error) {
      if (!(error instanceof Iec61850Error)) throw error;
      options.onGap?.(
        'entry-unknown',
        `${reference}: the server does not know entry ${Buffer.from(entryId).toString('hex')} any more`,
      );
      // Some refuse eight zeros as well; without any entry they begin with their oldest, or with the next.
      if (options.whenUnknown === 'purge') await write('PurgeBuf', { kind: 'boolean', value: true });
      else await write('EntryID', { kind: 'octetString', value: new Uint8Array(8) }).catch(() => {});
    }
  }
}

function triggersFor({ triggers, integrityPeriod }: SubscribeOptions): BitString {
  return trgOps(triggers ?? ['dchg', 'qchg', 'dupd', 'gi', ...(integrityPeriod ? (['integrity'] as const) : [])]);
}

/** `BCU1CTRL/LLN0.BR.brcb01` names the constraint, because a block of either kind may have the name. */
function split(reference: string): { readonly node: string; readonly fc: FunctionalConstraint; readonly name: string } {
  const found = /^([^/]+\/[^.]+)\.(BR|RP)\.(.+)$/.exec(reference);
  if (!found) {
    throw new Iec61850Error(
      'caller',
      'client.reference',
      `'${reference}' is no report control block; one is like BCU1CTRL/LLN0.BR.brcb01`,
    );
  }
  return { node: found[1]!, fc: found[2] as FunctionalConstraint, name: found[3]! };
}

/** Attributes of a block that matter before it is enabled. */
const PARTS = ['RptID', 'RptEna', 'DatSet', 'ConfRev', 'Resv', 'ResvTms', 'PurgeBuf', 'EntryID'];

/** Those it has, by name: devices of edition 1 have fewer. Asked one by one, so that nobody has to know its type. */
async function readBlock(client: Iec61850Client, reference: string): Promise<Map<string, Data>> {
  const { node, fc, name } = split(reference);
  try {
    return await readParts(client, `${node}.${name}`, fc, PARTS, 'RptEna');
  } catch (cause) {
    if (!(cause instanceof Iec61850Error && cause.fault === 'peer')) throw cause;
    throw new Iec61850Error('peer', 'report.block', `${reference} is no report control block of the device`, { cause });
  }
}

function writePart(client: Iec61850Client, reference: string, part: string, value: Data): Promise<void> {
  const { node, fc, name } = split(reference);
  return client.write(`${node}.${name}.${part}`, fc, value);
}
