/** How attributes look in MMS (IEC 61850-8-1 § 8.1, table 7 to 9), one row a basic type. */
import { type BitString, bits, bitText, type Data, type TypeSpecification } from '@enerchain/mms';
import type { BasicType } from '../scl/schema/templates.ts';
import type { DataAttribute } from '../scl/types.ts';

interface Row {
  readonly type: TypeSpecification;
  /** Before anything has set it. */
  readonly initial: Data;
  /** From a value in SCL; undefined when it is none. */
  readonly parse: (text: string) => Data | undefined;
}

const whole = (kind: 'integer' | 'unsigned', size: number): Row => ({
  type: { kind, value: size },
  initial: { kind, value: 0 },
  parse: (text) => (/^[+-]?\d{1,18}$/.test(text) ? { kind, value: Number(text) } : undefined),
});

const bitString = (length: number, variable = false): Row => ({
  type: { kind: 'bitString', value: variable ? -length : length },
  initial: { kind: 'bitString', value: bits('0'.repeat(length)) },
  parse: (text) =>
    /^[01]+$/.test(text) && text.length <= length ? { kind: 'bitString', value: bits(text) } : undefined,
});

const visible = (length: number): Row => ({
  type: { kind: 'visibleString', value: -length },
  initial: { kind: 'visibleString', value: '' },
  parse: (text) => ({ kind: 'visibleString', value: text.slice(0, length) }),
});

const octets = (length: number, fixed = false): Row => ({
  type: { kind: 'octetString', value: fixed ? length : -length },
  initial: { kind: 'octetString', value: new Uint8Array(fixed ? length : 0) },
  parse: (text) => ({ kind: 'octetString', value: Uint8Array.from(Buffer.from(text, 'utf8')).subarray(0, length) }),
});

const float = (kind: 'float' | 'double', format: number, exponent: number): Row => ({
  type: { kind: 'float', value: { format, exponent } },
  initial: { kind, value: 0 },
  parse: (text) => (text.trim() !== '' && !Number.isNaN(Number(text)) ? { kind, value: Number(text) } : undefined),
});

/** Double points and tap commands by the words SCL uses for them, in the order of their codes (IEC 61850-7-3). */
export const DBPOS = ['intermediate-state', 'off', 'on', 'bad-state'] as const;
export const TCMD = ['stop', 'lower', 'higher', 'reserved'] as const;

const coded = (words: readonly string[]): Row => ({
  ...bitString(2),
  parse: (text) => {
    const code = words.indexOf(text);
    return code < 0 ? bitString(2).parse(text) : { kind: 'bitString', value: bits(code.toString(2).padStart(2, '0')) };
  },
});

const ROWS: Readonly<Record<Exclude<BasicType, 'Struct' | 'Enum'>, Row>> = {
  BOOLEAN: {
    type: { kind: 'boolean', value: null },
    initial: { kind: 'boolean', value: false },
    parse: (text) =>
      ['true', '1', 'false', '0'].includes(text)
        ? { kind: 'boolean', value: text === 'true' || text === '1' }
        : undefined,
  },
  INT8: whole('integer', 8),
  INT16: whole('integer', 16),
  INT24: whole('integer', 24),
  INT32: whole('integer', 32),
  INT64: whole('integer', 64),
  INT128: whole('integer', 128),
  INT8U: whole('unsigned', 8),
  INT16U: whole('unsigned', 16),
  INT24U: whole('unsigned', 24),
  INT32U: whole('unsigned', 32),
  INT64U: whole('unsigned', 64),
  FLOAT32: float('float', 32, 8),
  FLOAT64: float('double', 64, 11),
  Dbpos: coded(DBPOS),
  Tcmd: coded(TCMD),
  Quality: bitString(13, true),
  Timestamp: {
    type: { kind: 'utcTime', value: null },
    initial: { kind: 'utcTime', value: { seconds: 0, fraction: 0, quality: 0 } },
    parse: () => undefined,
  },
  VisString32: visible(32),
  VisString64: visible(64),
  VisString65: visible(65),
  VisString129: visible(129),
  VisString255: visible(255),
  Unicode255: {
    type: { kind: 'mmsString', value: -255 },
    initial: { kind: 'mmsString', value: '' },
    parse: (text) => ({ kind: 'mmsString', value: text.slice(0, 255) }),
  },
  Currency: visible(3),
  ObjRef: visible(129),
  Octet6: octets(6),
  Octet16: octets(16),
  Octet64: octets(64),
  EntryID: octets(8, true),
  EntryTime: {
    type: { kind: 'binaryTime', value: true },
    initial: { kind: 'binaryTime', value: { millis: 0, days: 0 } },
    parse: () => undefined,
  },
  Check: bitString(2, true),
  TrgOps: bitString(6, true),
  OptFlds: bitString(10, true),
  SvOptFlds: bitString(5, true),
  PhyComAddr: {
    type: {
      kind: 'structure',
      value: {
        packed: false,
        components: [
          { name: 'Addr', type: { kind: 'octetString', value: 6 } },
          { name: 'PRIORITY', type: { kind: 'unsigned', value: 8 } },
          { name: 'VID', type: { kind: 'unsigned', value: 16 } },
          { name: 'APPID', type: { kind: 'unsigned', value: 16 } },
        ],
      },
    },
    initial: {
      kind: 'structure',
      value: [
        { kind: 'octetString', value: new Uint8Array(6) },
        { kind: 'unsigned', value: 0 },
        { kind: 'unsigned', value: 0 },
        { kind: 'unsigned', value: 0 },
      ],
    },
    parse: () => undefined,
  },
};

/** Enumerations travel as INT8; one with a larger number, as some makers have, as INT16 or INT32. */
const enumeration = ({ enumType }: DataAttribute): Row => {
  const most = Math.max(127, ...(enumType?.vals ?? []).map(({ ord }) => Math.abs(ord)));
  const row = whole('integer', most <= 127 ? 8 : most <= 32_767 ? 16 : 32);
  return {
    ...row,
    parse: (text) => {
      const named = enumType?.vals.find((val) => val.text === text);
      return named ? { kind: 'integer', value: named.ord } : row.parse(text);
    },
  };
};

const rowOf = (attribute: DataAttribute): Row =>
  attribute.bType === 'Enum' ? enumeration(attribute) : ROWS[attribute.bType as keyof typeof ROWS];

/** The type of an attribute that is no structure. */
export const basicType = (attribute: DataAttribute): TypeSpecification => rowOf(attribute).type;

/** Its first value: the one of the file when it is one, else nothing set. */
export function initialData(attribute: DataAttribute, configured: string | undefined): Data {
  const row = rowOf(attribute);
  return (configured === undefined || configured === '' ? undefined : row.parse(configured)) ?? row.initial;
}

/** The number of a coded enumeration in a bit string: 2 for on. */
export const codeOf = (value: BitString): number => Number.parseInt(bitText(value) || '0', 2);

/** Whether two values are the same, kind and content. */
export function sameData(a: Data, b: Data): boolean {
  if (a === b) return true;
  if (a.kind !== b.kind) return false;
  switch (a.kind) {
    case 'array':
    case 'structure': {
      const other = b.value as readonly Data[];
      return a.value.length === other.length && a.value.every((part, index) => sameData(part, other[index]!));
    }
    case 'bitString':
    case 'booleanArray':
      return sameBits(a.value, b.value as BitString);
    case 'octetString':
      return Buffer.compare(a.value, b.value as Uint8Array) === 0;
    case 'binaryTime': {
      const other = b.value as typeof a.value;
      return a.value.millis === other.millis && a.value.days === other.days;
    }
    case 'utcTime': {
      const other = b.value as typeof a.value;
      return (
        a.value.seconds === other.seconds && a.value.fraction === other.fraction && a.value.quality === other.quality
      );
    }
    default:
      return Object.is(a.value, b.value);
  }
}

function sameBits(a: BitString, b: BitString): boolean {
  if (a.length !== b.length) return false;
  // What is behind the last bit of the last octet does not count.
  const whole = a.length >> 3;
  for (let i = 0; i < whole; i++) if (a.bytes[i] !== b.bytes[i]) return false;
  const rest = a.length & 7;
  return rest === 0 || (a.bytes[whole]! ^ b.bytes[whole]!) >> (8 - rest) === 0;
}

/** Whether a value may stand where another does: the same kind and shape. */
export function fits(value: Data, there: Data): boolean {
  if (value.kind !== there.kind) {
    // Signed and unsigned look alike to many stacks when the value is small.
    const numbers =
      value.kind === 'integer' ? there.kind === 'unsigned' : value.kind === 'unsigned' && there.kind === 'integer';
    return numbers && Number(value.value) >= 0;
  }
  if (value.kind !== 'structure' && value.kind !== 'array') return true;
  const other = there.value as readonly Data[];
  return value.value.length === other.length && value.value.every((part, index) => fits(part, other[index]!));
}
