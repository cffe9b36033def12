/** A GOOSE message (IEC 61850-8-1 annex A, IECGoosePdu): read in place, or as a value; written. */
import {
  BerReader,
  BerWriter,
  type Data,
  data,
  type TypeSpecification,
  type UtcTime,
  writeInteger,
  writeLatin,
} from '@enerchain/mms';
import { Iec61850Error } from '../error.ts';
import { type ApduHeader, ApduScanner, latin, withHeader } from '../multicast/apdu.ts';
import { writeFixed, writeFixedNumber } from './fixed-length.ts';

export const GOOSE_PDU = 0x61;
const ALL_DATA = 0xab;
/** [12], reserved for security in edition 1; passed over. */
const SECURITY = 0xac;
/** Structures within structures and elements of one message that are taken: a frame has 1500 octets. */
const LIMITS = { depth: 12, elements: 1500 };
/** gocbRef, datSet and goID have at most 129 octets; some stacks write a few more. */
const MAX_TEXT = 255;

export interface GooseMessage extends ApduHeader {
  /** `BCU1CTRL/LLN0$GO$gcb01` */
  readonly gocbRef: string;
  /** Milliseconds until the next message at the latest. */
  readonly timeAllowedToLive: number;
  /** `BCU1CTRL/LLN0$Positions` */
  readonly datSet: string;
  /** Undefined when the publisher left it out. */
  readonly goId: string | undefined;
  /** When stNum was counted up. */
  readonly t: UtcTime;
  /** 1 … 2^32-1, one more with each change of a value. */
  readonly stNum: number;
  /** 0 with a change, then 1 … 2^32-1. */
  readonly sqNum: number;
  /** `simulation`; `test` in edition 1. */
  readonly simulation: boolean;
  readonly confRev: number;
  /** Needs commissioning: the control block is not completely configured. */
  readonly ndsCom: boolean;
  readonly allData: readonly Data[];
}

/**
 * One message as it lies in a frame: numbers read, everything else by where it begins and ends. Used again for each message; it
 * makes nothing. What it shows is true until the next `read`, and as long as the frame is there.
 */
export class GooseView {
  readonly #scanner = new ApduScanner('GOOSE');
  gocbRefAt = 0;
  gocbRefEnd = 0;
  timeAllowedToLive = 0;
  /** Of its element, tag and all; what follows up to sqNum is the same as long as the state is. */
  datSetElement = 0;
  datSetAt = 0;
  datSetEnd = 0;
  /** Both 0 when it is left out. */
  goIdAt = 0;
  goIdEnd = 0;
  tAt = 0;
  stNum = 0;
  stNumEnd = 0;
  sqNum = 0;
  sqNumEnd = 0;
  simulation = false;
  confRev = 0;
  ndsCom = false;
  entries = 0;
  allDataAt = 0;
  allDataEnd = 0;

  get bytes(): Uint8Array {
    return this.#scanner.bytes;
  }
  get start(): number {
    return this.#scanner.start;
  }
  get appId(): number {
    return this.#scanner.appId;
  }
  /** By the header or by the message itself: edition 1 knows only the latter. */
  get simulated(): boolean {
    return this.#scanner.simulated || this.simulation;
  }
  /** S bit of the header alone. */
  get simulatedHeader(): boolean {
    return this.#scanner.simulated;
  }
  /** Octets of security behind the message (IEC 62351-6), not checked. */
  get extension(): number {
    return this.#scanner.extension;
  }

  /** @param start of APPID @throws Iec61850Error `apdu.*` (peer) */
  read(bytes: Uint8Array, start = 0, end: number = bytes.length): this {
    const scanner = this.#scanner;
    scanner.open(bytes, start, end, GOOSE_PDU);
    this.#text(0x80, 'gocbRef');
    this.gocbRefAt = scanner.from;
    this.gocbRefEnd = scanner.to;
    scanner.expect(0x81, 'timeAllowedtoLive');
    this.timeAllowedToLive = scanner.unsigned('timeAllowedtoLive');
    this.datSetElement = scanner.at;
    this.#text(0x82, 'datSet');
    this.datSetAt = scanner.from;
    this.datSetEnd = scanner.to;
    this.goIdAt = 0;
    this.goIdEnd = 0;
    if (scanner.at < scanner.end && bytes[scanner.at] === 0x83) {
      this.#text(0x83, 'goID');
      this.goIdAt = scanner.from;
      this.goIdEnd = scanner.to;
    }
    scanner.expect(0x84, 't');
    scanner.sized(8, 't');
    this.tAt = scanner.from;
    scanner.expect(0x85, 'stNum');
    this.stNum = scanner.unsigned('stNum');
    this.stNumEnd = scanner.to;
    scanner.expect(0x86, 'sqNum');
    this.sqNum = scanner.unsigned('sqNum');
    this.sqNumEnd = scanner.to;
    this.simulation = scanner.take(0x87) && scanner.boolean('simulation');
    scanner.expect(0x88, 'confRev');
    this.confRev = scanner.unsigned('confRev');
    this.ndsCom = scanner.take(0x89) && scanner.boolean('ndsCom');
    scanner.expect(0x8a, 'numDatSetEntries');
    this.entries = scanner.unsigned('numDatSetEntries');
    scanner.expect(ALL_DATA, 'allData');
    this.allDataAt = scanner.from;
    this.allDataEnd = scanner.to;
    scanner.take(SECURITY);
    scanner.leave(scanner.end);
    return this;
  }

  #text(tag: number, name: string): void {
    const scanner = this.#scanner;
    scanner.expect(tag, name);
    if (scanner.to - scanner.from > MAX_TEXT)
      throw new Iec61850Error(
        'peer',
        'apdu.text',
        `GOOSE: ${name} of ${scanner.to - scanner.from} octets; the message is refused`,
      );
  }

  get gocbRef(): string {
    return latin(this.bytes, this.gocbRefAt, this.gocbRefEnd);
  }
  get datSet(): string {
    return latin(this.bytes, this.datSetAt, this.datSetEnd);
  }
  get goId(): string | undefined {
    return this.goIdAt === 0 ? undefined : latin(this.bytes, this.goIdAt, this.goIdEnd);
  }
  get t(): UtcTime {
    return this.#scanner.time(this.tAt);
  }
}

/** The members of a message, and where each ends in `octets`. */
export interface Members {
  readonly values: readonly Data[];
  readonly ends: readonly number[];
}

/**
 * The values in the content of allData. They refer to `octets`, which has to stay as it is.
 * @throws MmsError (peer) for what is no Data, is nested deeper than 12, or has more than 1500 elements
 */
export function decodeMembers(octets: Uint8Array): Members {
  const reader = new BerReader(octets, 0, octets.length, LIMITS);
  const values: Data[] = [];
  const ends: number[] = [];
  while (reader.at < reader.end) {
    reader.header();
    values.push(withoutPadding(data.read(reader)));
    ends.push(reader.at);
  }
  return { values, ends };
}

/** Strings of fixed length are filled up with zeros, which no VisibleString has inside. */
function withoutPadding(value: Data): Data {
  if (value.kind === 'visibleString') {
    const end = value.value.indexOf('\0');
    return end < 0 ? value : { kind: 'visibleString', value: value.value.slice(0, end) };
  }
  if (value.kind !== 'structure' && value.kind !== 'array') return value;
  const parts = value.value.map(withoutPadding);
  return parts.some((part, index) => part !== value.value[index]) ? { kind: value.kind, value: parts } : value;
}

/**
 * A message as a value of its own, nothing of which refers to the frame.
 * @param start of APPID, behind the EtherType @throws Iec61850Error `apdu.*`, `goose.entries`, MmsError (peer)
 */
export function decodeGoose(bytes: Uint8Array, start = 0, end: number = bytes.length): GooseMessage {
  const view = new GooseView().read(bytes, start, end);
  const { values } = decodeMembers(bytes.slice(view.allDataAt, view.allDataEnd));
  if (values.length !== view.entries) {
    throw new Iec61850Error(
      'peer',
      'goose.entries',
      `GOOSE ${view.gocbRef}: says ${view.entries} values and has ${values.length}; the message is refused`,
    );
  }
  return {
    appId: view.appId,
    simulated: view.simulatedHeader,
    gocbRef: view.gocbRef,
    timeAllowedToLive: view.timeAllowedToLive,
    datSet: view.datSet,
    goId: view.goId,
    t: view.t,
    stNum: view.stNum,
    sqNum: view.sqNum,
    simulation: view.simulation,
    confRev: view.confRev,
    ndsCom: view.ndsCom,
    allData: values,
  };
}

export interface GooseEncoding {
  /**
   * Numbers and strings take the same octets whatever their value (8-1 annex A.3; `fixedOffs` of SCL). Needs the types of the
   * members; where they are missing numbers take 32 bits.
   */
  readonly fixedLength?: boolean;
  readonly types?: readonly TypeSpecification[];
}

/** Content of allData. */
export function encodeMembers(values: readonly Data[], { fixedLength = false, types }: GooseEncoding = {}): Uint8Array {
  const writer = new BerWriter(256);
  for (let i = values.length - 1; i >= 0; i--) {
    if (fixedLength) writeFixed(writer, values[i]!, types?.[i]);
    else data.write(writer, values[i]!);
  }
  return writer.finish();
}

/** All of a message but its values. */
export type GooseHead = Omit<GooseMessage, 'allData'>;

/** @param members content of allData, from `encodeMembers` @param entries how many there are */
export function encodeGooseWith(
  head: GooseHead,
  members: Uint8Array,
  entries: number,
  fixedLength = false,
): Uint8Array<ArrayBuffer> {
  const writer = new BerWriter(256 + members.length);
  const element = (tag: number, content: () => void): void => {
    const before = writer.length;
    content();
    writer.header(tag, before);
  };
  const number = (tag: number, value: number): void =>
    element(tag, () => (fixedLength ? writeFixedNumber(writer, value, 5) : writeInteger(writer, value)));
  const flag = (tag: number, value: boolean): void => element(tag, () => writer.octet(value ? 0xff : 0));
  element(ALL_DATA, () => writer.octets(members));
  number(0x8a, entries);
  flag(0x89, head.ndsCom);
  number(0x88, head.confRev);
  flag(0x87, head.simulation);
  number(0x86, head.sqNum);
  number(0x85, head.stNum);
  element(0x84, () => {
    writer.uint32(((head.t.fraction << 8) | head.t.quality) >>> 0);
    writer.uint32(head.t.seconds);
  });
  const { goId } = head;
  if (goId !== undefined) element(0x83, () => writeLatin(writer, goId));
  element(0x82, () => writeLatin(writer, head.datSet));
  number(0x81, head.timeAllowedToLive);
  element(0x80, () => writeLatin(writer, head.gocbRef));
  writer.header(GOOSE_PDU, 0);
  return withHeader(head, writer.finish());
}

/** The octets behind the EtherType: APPID, length, reserved fields, goosePdu. */
export function encodeGoose(message: GooseMessage, encoding: GooseEncoding = {}): Uint8Array<ArrayBuffer> {
  return encodeGooseWith(
    message,
    encodeMembers(message.allData, encoding),
    message.allData.length,
    encoding.fixedLength ?? false,
  );
}
