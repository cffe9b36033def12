/** Runs Wireshark's `tshark` as a second opinion on IEC 104 octets, and puts our own in the words of its fields. */
import { execFileSync } from 'node:child_process';
import { type Apdu, type Asdu, type Element, type InformationObject, U_FUNCTIONS } from '@enerchain/iec60870';

/** undefined when there is no tshark; else its version line. */
export function tsharkVersion(): string | undefined {
  try {
    return execFileSync('tshark', ['-v'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n')[0];
  } catch {
    return undefined;
  }
}

const SEPARATOR = ';';

function tshark(file: string, filter: string, fields: readonly string[]): string[][] {
  const args = [
    '-r',
    file,
    '-Y',
    filter,
    '-T',
    'fields',
    '-E',
    `aggregator=${SEPARATOR}`,
    ...fields.flatMap((field) => ['-e', field]),
  ];
  const text = execFileSync('tshark', args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 1 << 28,
  });
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t'));
}

const FRAMES = 'iec60870_104 && tcp.len > 0 && !tcp.analysis.retransmission';

/** One direction of one TCP connection. */
export interface Flow {
  readonly name: string;
  readonly octets: Buffer;
  /** Values of each field in order of appearance, as tshark prints them. */
  readonly fields: ReadonlyMap<string, readonly string[]>;
}

/** What tshark makes of the 104 connections of a capture. */
export function readFlows(file: string): Flow[] {
  const names = Object.keys(FIELDS);
  const rows = tshark(file, FRAMES, ['tcp.stream', 'tcp.srcport', 'tcp.payload', ...names]);
  const flows = new Map<string, { octets: Buffer[]; fields: Map<string, string[]> }>();
  for (const [stream, port, payload, ...values] of rows) {
    const name = `stream ${stream} from port ${port}`;
    let flow = flows.get(name);
    if (!flow) {
      flow = { octets: [], fields: new Map(names.map((field) => [field, []])) };
      flows.set(name, flow);
    }
    flow.octets.push(Buffer.from(payload!.replaceAll(':', ''), 'hex'));
    names.forEach((field, i) => {
      if (values[i]) flow.fields.get(field)!.push(...values[i].split(SEPARATOR));
    });
  }
  return [...flows].map(([name, { octets, fields }]) => ({ name, octets: Buffer.concat(octets), fields }));
}

type Value = number | boolean | undefined;
const bit = (value: boolean) => (value ? 1 : 0);

function perObject(read: (object: InformationObject, asdu: Asdu) => Value) {
  return (apdu: Apdu): Value[] => (apdu.kind === 'I' ? apdu.asdu.objects.map((object) => read(object, apdu.asdu)) : []);
}
function perElement(read: (element: Element) => Value) {
  return perObject((object) => read(object.element));
}
function perAsdu(read: (asdu: Asdu) => Value) {
  return (apdu: Apdu): Value[] => (apdu.kind === 'I' ? [read(apdu.asdu)] : []);
}
/** tshark 4.0 does not look into C_TS_TA_1 (107). */
const cp56 = (read: (time: { readonly [key: string]: unknown }) => unknown) =>
  perObject(({ time }, { typeId }) =>
    time?.form === 'CP56' && typeId !== 107 ? Number(read(time as never)) : undefined,
  );
const cp24 = (read: (time: { readonly [key: string]: unknown }) => unknown) =>
  perObject(({ time }) => (time?.form === 'CP24' ? Number(read(time as never)) : undefined));

const value = (...kinds: Element['kind'][]) =>
  perElement((element) => (kinds.includes(element.kind) ? (element as { value: number }).value : undefined));
const counter = (read: (element: { value: number; sequence: number; flags: number }) => Value) =>
  perElement((element) => (element.kind === 'integratedTotal' ? read(element) : undefined));
const commandOctet = (kind: Element['kind']) =>
  perElement((element) => {
    if (element.kind !== kind || !('select' in element)) return undefined;
    return (element as { value: number }).value | (element.qualifier << 2) | (bit(element.select) << 7);
  });

function swapped(value: number): number {
  const octets = Buffer.alloc(4);
  octets.writeUInt32LE(value);
  return octets.readUInt32BE();
}

/** Numbers of the control functions in tshark: the set bit of the first control octet, 1 = STARTDT act. */
const uType = (name: keyof typeof U_FUNCTIONS) => U_FUNCTIONS[name] >>> 2;

const QDS_KINDS = ['step', 'bitstring', 'normalized', 'scaled', 'short'];

/** Each field of tshark's dissector and how it follows from our decoding; undefined = the object has no such field. */
export const FIELDS: Readonly<Record<string, (apdu: Apdu) => Value[]>> = {
  'iec60870_104.type': (apdu) => [{ I: 0, S: 1, U: 3 }[apdu.kind]],
  'iec60870_104.utype': (apdu) => (apdu.kind === 'U' ? [uType(apdu.function)] : []),
  'iec60870_104.tx': (apdu) => (apdu.kind === 'I' ? [apdu.sent] : []),
  'iec60870_104.rx': (apdu) => (apdu.kind === 'U' ? [] : [apdu.received]),
  'iec60870_asdu.typeid': perAsdu((asdu) => asdu.typeId),
  'iec60870_asdu.sq': perAsdu((asdu) => asdu.sequence),
  'iec60870_asdu.numix': perAsdu((asdu) => asdu.objects.length),
  'iec60870_asdu.causetx': perAsdu((asdu) => asdu.cause),
  'iec60870_asdu.nega': perAsdu((asdu) => asdu.negative),
  'iec60870_asdu.test': perAsdu((asdu) => asdu.test),
  'iec60870_asdu.oa': perAsdu((asdu) => asdu.originator),
  'iec60870_asdu.addr': perAsdu((asdu) => asdu.commonAddress),
  'iec60870_asdu.ioa': (apdu) => {
    if (apdu.kind !== 'I') return [];
    // tshark shows an address that is on the wire, and counts on in sequences.
    return apdu.asdu.objects.map((object) => object.address);
  },
  'iec60870_asdu.siq': perElement((e) => (e.kind === 'single' ? e.value | e.quality : undefined)),
  'iec60870_asdu.diq': perElement((e) => (e.kind === 'double' ? e.value | e.quality : undefined)),
  'iec60870_asdu.qds': perElement((e) => (QDS_KINDS.includes(e.kind) ? (e as { quality: number }).quality : undefined)),
  'iec60870_asdu.vti.v': value('step'),
  'iec60870_asdu.vti.t': perElement((e) => (e.kind === 'step' ? e.transient : undefined)),
  // tshark prints the four octets in the order of the wire; 5-101 numbers the bits from the first octet up.
  'iec60870_asdu.bitstring': perElement((e) =>
    e.kind === 'bitstring' || e.kind === 'bitstringCommand' ? swapped(e.value) : undefined,
  ),
  'iec60870_asdu.float': value('short', 'setpointShort', 'parameterShort'),
  'iec60870_asdu.scalval': value('scaled', 'setpointScaled', 'parameterScaled'),
  'iec60870_asdu.normval': perElement((e) => ('raw' in e ? e.raw / 32768 : undefined)),
  'iec60870_asdu.bcr.count': counter((e) => e.value),
  'iec60870_asdu.bcr.sq': counter((e) => e.sequence),
  'iec60870_asdu.bcr.cy': counter((e) => bit((e.flags & 0x20) !== 0)),
  'iec60870_asdu.bcr.ca': counter((e) => bit((e.flags & 0x40) !== 0)),
  'iec60870_asdu.bcr.iv': counter((e) => bit((e.flags & 0x80) !== 0)),
  'iec60870_asdu.sco': commandOctet('singleCommand'),
  'iec60870_asdu.dco': commandOctet('doubleCommand'),
  'iec60870_asdu.rco': commandOctet('stepCommand'),
  'iec60870_asdu.qos': perElement((e) =>
    e.kind === 'setpointNormalized' || e.kind === 'setpointScaled' || e.kind === 'setpointShort'
      ? e.qualifier | (bit(e.select) << 7)
      : undefined,
  ),
  'iec60870_asdu.qpm': perElement((e) =>
    e.kind === 'parameterNormalized' || e.kind === 'parameterScaled' || e.kind === 'parameterShort'
      ? e.qualifier
      : undefined,
  ),
  'iec60870_asdu.coi_r': perElement((e) => (e.kind === 'endOfInitialization' ? e.cause : undefined)),
  'iec60870_asdu.coi_i': perElement((e) => (e.kind === 'endOfInitialization' ? e.parametersChanged : undefined)),
  'iec60870_asdu.qoi': perElement((e) => (e.kind === 'interrogation' ? e.qualifier : undefined)),
  'iec60870_asdu.rqt': perElement((e) => (e.kind === 'counterInterrogation' ? e.request : undefined)),
  'iec60870_asdu.frz': perElement((e) => (e.kind === 'counterInterrogation' ? e.freeze : undefined)),
  'iec60870_asdu.qrp': perElement((e) => (e.kind === 'resetProcess' ? e.qualifier : undefined)),
  'iec60870_asdu.cp24time.ms': cp24((time) => time.milliseconds),
  'iec60870_asdu.cp24time.min': cp24((time) => time.minute),
  'iec60870_asdu.cp24time.iv': cp24((time) => time.invalid),
  'iec60870_asdu.cp56time.ms': cp56((time) => time.milliseconds),
  'iec60870_asdu.cp56time.min': cp56((time) => time.minute),
  'iec60870_asdu.cp56time.gen': cp56((time) => time.substituted),
  'iec60870_asdu.cp56time.iv': cp56((time) => time.invalid),
  'iec60870_asdu.cp56time.hour': cp56((time) => time.hour),
  'iec60870_asdu.cp56time.su': cp56((time) => time.summerTime),
  'iec60870_asdu.cp56time.day': cp56((time) => time.day),
  'iec60870_asdu.cp56time.dow': cp56((time) => time.dayOfWeek),
  'iec60870_asdu.cp56time.month': cp56((time) => time.month),
  'iec60870_asdu.cp56time.year': cp56((time) => time.year),
};

/** tshark prints integers in decimal or hex, booleans as 0/1 or True/False, floats in short form. */
export function parse(text: string): number {
  if (text === 'True') return 1;
  if (text === 'False') return 0;
  return Number(text);
}

/** Equal as far as tshark prints: floats have six significant digits. */
export function same(ours: number, theirs: number): boolean {
  return ours === theirs || Math.abs(ours - theirs) <= Math.abs(ours) * 1e-5;
}

/** A capture file with one TCP segment per buffer, from port 2404; enough for a dissector. */
export function writePcap(segments: readonly Uint8Array[]): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(262_144, 16);
  header.writeUInt32LE(1, 20);
  const parts: Buffer[] = [header];
  let sequence = 1;
  segments.forEach((segment, index) => {
    const packet = Buffer.alloc(54 + segment.length);
    packet.writeUInt16BE(0x0800, 12);
    packet.writeUInt16BE(0x4500, 14);
    packet.writeUInt16BE(40 + segment.length, 16);
    packet.writeUInt16BE(0x4006, 22);
    packet.writeUInt32BE(0x7f000001, 26);
    packet.writeUInt32BE(0x7f000001, 30);
    packet.writeUInt16BE(2404, 34);
    packet.writeUInt16BE(50_000, 36);
    packet.writeUInt32BE(sequence, 38);
    packet.writeUInt16BE(0x5018, 46);
    packet.writeUInt16BE(65_535, 48);
    packet.set(segment, 54);
    const record = Buffer.alloc(16);
    record.writeUInt32LE(1_700_000_000 + index, 0);
    record.writeUInt32LE(packet.length, 8);
    record.writeUInt32LE(packet.length, 12);
    parts.push(record, packet);
    sequence += segment.length;
  });
  return Buffer.concat(parts);
}
