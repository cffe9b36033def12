/**
 * The TCG event log, in both of its forms: TCG_PCR_EVENT with SHA-1 only, and TCG_PCR_EVENT2 with a digest for each bank
 * (PFP 1.05 § 10.2), which begins with a TCG_EfiSpecIDEvent in the old form.
 */
import { algorithmOf, HASHES, type HashAlgorithm, isHash } from '../spec/algorithms.ts';
import { LittleEndianReader } from '../wire/little-endian-reader.ts';
import { type Covers, EV_NO_ACTION, type EventTypeName, eventType } from './event-types.ts';

export interface LoggedEvent {
  /** Position in the log, from 0. */
  readonly number: number;
  readonly pcr: number;
  readonly type: number;
  /** `undefined` for a type that the profile does not define. */
  readonly name: EventTypeName | undefined;
  readonly covers: Covers;
  readonly digests: ReadonlyMap<HashAlgorithm, Uint8Array>;
  /** As it stands in the log; see `readEventData`. */
  readonly data: Uint8Array;
}

/** TCG_EfiSpecIDEvent (PFP § 10.4.5.1). */
export interface SpecId {
  /** `Spec ID Event03`: crypto-agile. */
  readonly signature: string;
  readonly platformClass: number;
  readonly version: { readonly major: number; readonly minor: number; readonly errata: number };
  /** 1: UINT32, 2: UINT64. */
  readonly uintnSize: number;
  /** Empty in the SHA-1 form. */
  readonly algorithms: readonly {
    readonly id: number;
    readonly hash: HashAlgorithm | undefined;
    readonly size: number;
  }[];
  readonly vendorInfo: Uint8Array;
}

export interface EventLog {
  readonly format: 'sha1' | 'crypto-agile';
  readonly spec: SpecId | undefined;
  readonly events: readonly LoggedEvent[];
}

export interface EventLogLimits {
  /** Most events; 100 000 by default. */
  readonly events?: number;
  /** Most octets of the data of one event; 4 MiB by default. */
  readonly eventSize?: number;
}

const SPEC_ID = 'Spec ID Event';
const MAX_ALGORITHMS = 16;
/** PCRs that there are (PC Client Platform TPM Profile § 4.6.1). */
const PCRS = 24;

/** @throws Tpm2Error `tpm2.malformed` (fault peer) when the log is cut short or none */
export function parseEventLog(bytes: Uint8Array, limits?: EventLogLimits): EventLog {
  const events: LoggedEvent[] = [];
  const iterator = readEvents(bytes, limits);
  for (;;) {
    const next = iterator.next();
    if (next.done) return { format: next.value ? format(next.value) : 'sha1', spec: next.value, events };
    events.push(next.value);
  }
}

const format = (spec: SpecId): EventLog['format'] => (spec.algorithms.length > 0 ? 'crypto-agile' : 'sha1');

/** The events one by one; returns the specification event, if there was one. */
export function* readEvents(
  bytes: Uint8Array,
  { events: maxEvents = 100_000, eventSize = 4 * 1024 * 1024 }: EventLogLimits = {},
): Generator<LoggedEvent, SpecId | undefined> {
  const reader = new LittleEndianReader(bytes, 'event log');
  let spec: SpecId | undefined;
  for (let number = 0; !reader.done; number++) {
    if (number >= maxEvents) throw reader.fail(`there are more than ${maxEvents} events`);
    const pcr = reader.u32('PCR index');
    const type = reader.u32('event type');
    const agile = spec !== undefined && spec.algorithms.length > 0;
    const digests = agile ? readDigests(reader, spec!) : sha1Digest(reader);
    const size = reader.u32('event size');
    if (size > eventSize) throw reader.fail(`an event claims ${size} bytes, ${eventSize} are the most`);
    const data = reader.bytes(size, 'event data');
    if (type !== EV_NO_ACTION && pcr >= PCRS)
      throw reader.fail(`event ${number} extends PCR ${pcr}, which does not exist`);
    if (number === 0 && type === EV_NO_ACTION && latin1(data.subarray(0, SPEC_ID.length)) === SPEC_ID) {
      spec = readSpecId(data);
    }
    const known = eventType(type);
    yield { number, pcr, type, name: known?.name, covers: known?.covers ?? 'other', digests, data };
  }
  return spec;
}

const sha1Digest = (reader: LittleEndianReader): ReadonlyMap<HashAlgorithm, Uint8Array> =>
  new Map([['sha1', reader.bytes(HASHES.sha1.size, 'SHA-1 digest')]]);

/** TPML_DIGEST_VALUES in the byte order of the machine. Sizes come from the specification event. */
function readDigests(reader: LittleEndianReader, spec: SpecId): ReadonlyMap<HashAlgorithm, Uint8Array> {
  const count = reader.u32('digest count');
  if (count > spec.algorithms.length)
    throw reader.fail(`an event has ${count} digests, the log has ${spec.algorithms.length} banks`);
  const digests = new Map<HashAlgorithm, Uint8Array>();
  const seen = new Set<number>();
  for (let i = 0; i < count; i++) {
    const id = reader.u16('algorithm of a digest');
    const algorithm = spec.algorithms.find((each) => each.id === id);
    if (algorithm === undefined)
      throw reader.fail(`a digest is of algorithm 0x${id.toString(16)}, which the log did not announce`);
    if (seen.has(id)) throw reader.fail(`an event has two digests of algorithm 0x${id.toString(16)}`);
    seen.add(id);
    const value = reader.bytes(algorithm.size, 'digest');
    if (algorithm.hash !== undefined) digests.set(algorithm.hash, value);
  }
  return digests;
}

export function readSpecId(data: Uint8Array): SpecId {
  const reader = new LittleEndianReader(data, 'specification event');
  const signature = latin1(reader.bytes(16, 'signature')).replace(/\0+$/, '');
  const platformClass = reader.u32('platform class');
  const minor = reader.u8('minor version');
  const major = reader.u8('major version');
  const errata = reader.u8('errata');
  const uintnSize = reader.u8('size of UINTN');
  const algorithms: SpecId['algorithms'][number][] = [];
  if (signature === 'Spec ID Event03') {
    const count = reader.u32('number of algorithms');
    if (count === 0 || count > MAX_ALGORITHMS) throw reader.fail(`the log announces ${count} algorithms`);
    for (let i = 0; i < count; i++) {
      const id = reader.u16('algorithm');
      const size = reader.u16('digest size');
      const name = algorithmOf(id);
      const hash = name !== undefined && isHash(name) ? name : undefined;
      if (hash !== undefined && HASHES[hash].size !== size)
        throw reader.fail(`${hash} is announced with ${size} octets`);
      if (algorithms.some((each) => each.id === id))
        throw reader.fail(`algorithm 0x${id.toString(16)} is announced twice`);
      algorithms.push({ id, hash, size });
    }
  }
  const vendorInfo = reader.done
    ? new Uint8Array(0)
    : reader.bytes(reader.u8('size of the vendor information'), 'vendor information');
  return { signature, platformClass, version: { major, minor, errata }, uintnSize, algorithms, vendorInfo };
}

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
