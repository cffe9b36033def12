/**
 * One row per kind of information element: its octets on the wire, how they are read and written. Lengths are checked
 * once per ASDU by the caller, so reading cannot fail: every pattern of bits is some value. Writing checks ranges.
 */
import { callerError } from '../errors.ts';
import type { Element, ElementKind, ElementOf } from './elements.ts';
import { readCp56, writeCp56 } from './time.ts';

export interface ElementCodec<E extends Element = Element> {
  /** Octets on the wire, without address and time tag; -1 = depends on the content (segment). */
  readonly size: number;
  readonly read: (bytes: Uint8Array, at: number, end: number) => E;
  readonly write: (element: E, bytes: Uint8Array, at: number) => void;
}

const scratch = new DataView(new ArrayBuffer(4));
const scratchInt = new Int32Array(1);
const scratchFloat = new Float32Array(scratchInt.buffer);
const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

function u16(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

function i16(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! | (bytes[at + 1]! << 8)) << 16) >> 16;
}

function u24(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
}

function i32(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

function f32(bytes: Uint8Array, at: number): number {
  if (littleEndian) {
    scratchInt[0] = i32(bytes, at);
    return scratchFloat[0]!;
  }
  scratch.setInt32(0, i32(bytes, at));
  return scratch.getFloat32(0);
}

function putF32(value: number, bytes: Uint8Array, at: number): void {
  if (typeof value !== 'number') throw callerError('element.range', `A short float cannot hold ${String(value)}`);
  scratch.setFloat32(0, value, true);
  for (let i = 0; i < 4; i++) bytes[at + i] = scratch.getUint8(i);
}

function put16(value: number, bytes: Uint8Array, at: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}

function put24(value: number, bytes: Uint8Array, at: number): void {
  put16(value, bytes, at);
  bytes[at + 2] = value >>> 16;
}

function put32(value: number, bytes: Uint8Array, at: number): void {
  put24(value, bytes, at);
  bytes[at + 3] = value >>> 24;
}

/** Checks a number that is about to be written. */
function within(what: string, value: number, low: number, high: number): number {
  if (!Number.isInteger(value) || value < low || value > high)
    throw callerError('element.range', `${what} is ${value}; it must be an integer from ${low} to ${high}`);
  return value;
}

const int16 = (what: string, value: number) => within(what, value, -32768, 32767);
const uint = (what: string, value: number, bits: number) => within(what, value, 0, 2 ** bits - 1);

/** A quality octet may only carry the bits that the element leaves to it. */
function quality(value: number, mask: number): number {
  if (!Number.isInteger(value) || value < 0 || (value & ~mask) !== 0)
    throw callerError('element.quality', `Quality ${value} has bits outside 0x${mask.toString(16)}`);
  return value;
}

const QDS = 0xf1;
const SIQ = 0xf0;
const QDP = 0xf8;

function command<K extends 'singleCommand' | 'doubleCommand' | 'stepCommand'>(
  kind: K,
  mask: number,
): ElementCodec<ElementOf<K>> {
  return {
    size: 1,
    read: (bytes, at) => {
      const octet = bytes[at]!;
      return {
        kind,
        value: octet & mask,
        qualifier: (octet >>> 2) & 0x1f,
        select: (octet & 0x80) !== 0,
      } as ElementOf<K>;
    },
    write: (element: ElementOf<'singleCommand' | 'doubleCommand' | 'stepCommand'>, bytes: Uint8Array, at: number) => {
      bytes[at] =
        within(`${kind} value`, element.value, 0, mask) |
        (uint('qualifier of command', element.qualifier, 5) << 2) |
        (element.select ? 0x80 : 0);
    },
  };
}

function qos(element: { qualifier: number; select: boolean }): number {
  return uint('qualifier of set-point command', element.qualifier, 7) | (element.select ? 0x80 : 0);
}

function protection<K extends 'protectionStart' | 'protectionOutput'>(
  kind: K,
  bits: number,
): ElementCodec<ElementOf<K>> {
  return {
    size: 4,
    read: (bytes, at) =>
      ({ kind, value: bytes[at]!, quality: bytes[at + 1]!, elapsed: u16(bytes, at + 2) }) as ElementOf<K>,
    write: (element: ElementOf<'protectionStart' | 'protectionOutput'>, bytes: Uint8Array, at: number) => {
      bytes[at] = uint(`${kind} value`, element.value, bits);
      bytes[at + 1] = uint('quality', element.quality, 8);
      put16(uint('elapsed time', element.elapsed, 16), bytes, at + 2);
    },
  };
}

function octet<K extends 'interrogation' | 'resetProcess' | 'parameterActivation'>(
  kind: K,
): ElementCodec<ElementOf<K>> {
  return {
    size: 1,
    read: (bytes, at) => ({ kind, qualifier: bytes[at]! }) as ElementOf<K>,
    write: (
      element: ElementOf<'interrogation' | 'resetProcess' | 'parameterActivation'>,
      bytes: Uint8Array,
      at: number,
    ) => {
      bytes[at] = uint(`${kind} qualifier`, element.qualifier, 8);
    },
  };
}

function fileSection<K extends 'fileCall' | 'fileAcknowledge'>(kind: K): ElementCodec<ElementOf<K>> {
  return {
    size: 4,
    read: (bytes, at) =>
      ({ kind, file: u16(bytes, at), section: bytes[at + 2]!, qualifier: bytes[at + 3]! }) as ElementOf<K>,
    write: (element: ElementOf<'fileCall' | 'fileAcknowledge'>, bytes: Uint8Array, at: number) => {
      put16(uint('name of file', element.file, 16), bytes, at);
      bytes[at + 2] = uint('name of section', element.section, 8);
      bytes[at + 3] = uint('qualifier', element.qualifier, 8);
    },
  };
}

type Codecs = { readonly [K in ElementKind]: ElementCodec<ElementOf<K>> };

const NONE = { kind: 'none' } as const;

const CODECS: Codecs = {
  none: { size: 0, read: () => NONE, write: () => {} },
  single: {
    size: 1,
    read: (bytes, at) => ({ kind: 'single', value: bytes[at]! & 1, quality: bytes[at]! & SIQ }),
    write: (element, bytes, at) => {
      bytes[at] = within('single-point value', element.value, 0, 1) | quality(element.quality, SIQ);
    },
  },
  double: {
    size: 1,
    read: (bytes, at) => ({ kind: 'double', value: bytes[at]! & 3, quality: bytes[at]! & SIQ }),
    write: (element, bytes, at) => {
      bytes[at] = within('double-point value', element.value, 0, 3) | quality(element.quality, SIQ);
    },
  },
  step: {
    size: 2,
    read: (bytes, at) => ({
      kind: 'step',
      value: (bytes[at]! << 25) >> 25,
      transient: (bytes[at]! & 0x80) !== 0,
      quality: bytes[at + 1]! & QDS,
    }),
    write: (element, bytes, at) => {
      bytes[at] = (within('step position', element.value, -64, 63) & 0x7f) | (element.transient ? 0x80 : 0);
      bytes[at + 1] = quality(element.quality, QDS);
    },
  },
  bitstring: {
    size: 5,
    read: (bytes, at) => ({ kind: 'bitstring', value: i32(bytes, at) >>> 0, quality: bytes[at + 4]! & QDS }),
    write: (element, bytes, at) => {
      put32(uint('bitstring', element.value, 32), bytes, at);
      bytes[at + 4] = quality(element.quality, QDS);
    },
  },
  normalized: {
    size: 3,
    read: (bytes, at) => ({ kind: 'normalized', raw: i16(bytes, at), quality: bytes[at + 2]! & QDS }),
    write: (element, bytes, at) => {
      put16(int16('normalized raw value', element.raw), bytes, at);
      bytes[at + 2] = quality(element.quality, QDS);
    },
  },
  scaled: {
    size: 3,
    read: (bytes, at) => ({ kind: 'scaled', value: i16(bytes, at), quality: bytes[at + 2]! & QDS }),
    write: (element, bytes, at) => {
      put16(int16('scaled value', element.value), bytes, at);
      bytes[at + 2] = quality(element.quality, QDS);
    },
  },
  short: {
    size: 5,
    read: (bytes, at) => ({ kind: 'short', value: f32(bytes, at), quality: bytes[at + 4]! & QDS }),
    write: (element, bytes, at) => {
      putF32(element.value, bytes, at);
      bytes[at + 4] = quality(element.quality, QDS);
    },
  },
  integratedTotal: {
    size: 5,
    read: (bytes, at) => ({
      kind: 'integratedTotal',
      value: i32(bytes, at),
      sequence: bytes[at + 4]! & 0x1f,
      flags: bytes[at + 4]! & 0xe0,
    }),
    write: (element, bytes, at) => {
      put32(within('counter value', element.value, -2147483648, 2147483647), bytes, at);
      bytes[at + 4] = uint('counter sequence number', element.sequence, 5) | quality(element.flags, 0xe0);
    },
  },
  securityTotal: {
    size: 7,
    read: (bytes, at) => ({
      kind: 'securityTotal',
      association: u16(bytes, at),
      value: i32(bytes, at + 2),
      sequence: bytes[at + 6]! & 0x1f,
      flags: bytes[at + 6]! & 0xe0,
    }),
    write: (element, bytes, at) => {
      put16(uint('association', element.association, 16), bytes, at);
      put32(within('counter value', element.value, -2147483648, 2147483647), bytes, at + 2);
      bytes[at + 6] = uint('counter sequence number', element.sequence, 5) | quality(element.flags, 0xe0);
    },
  },
  protectionEvent: {
    size: 3,
    read: (bytes, at) => ({
      kind: 'protectionEvent',
      value: bytes[at]! & 3,
      quality: bytes[at]! & QDP,
      elapsed: u16(bytes, at + 1),
    }),
    write: (element, bytes, at) => {
      bytes[at] = within('protection event', element.value, 0, 3) | quality(element.quality, QDP);
      put16(uint('elapsed time', element.elapsed, 16), bytes, at + 1);
    },
  },
  protectionStart: protection('protectionStart', 8),
  protectionOutput: protection('protectionOutput', 8),
  packedSingle: {
    size: 5,
    read: (bytes, at) => ({
      kind: 'packedSingle',
      value: u16(bytes, at),
      changes: u16(bytes, at + 2),
      quality: bytes[at + 4]! & QDS,
    }),
    write: (element, bytes, at) => {
      put16(uint('packed states', element.value, 16), bytes, at);
      put16(uint('packed changes', element.changes, 16), bytes, at + 2);
      bytes[at + 4] = quality(element.quality, QDS);
    },
  },
  normalizedPlain: {
    size: 2,
    read: (bytes, at) => ({ kind: 'normalizedPlain', raw: i16(bytes, at) }),
    write: (element, bytes, at) => put16(int16('normalized raw value', element.raw), bytes, at),
  },
  singleCommand: command('singleCommand', 1),
  doubleCommand: command('doubleCommand', 3),
  stepCommand: command('stepCommand', 3),
  setpointNormalized: {
    size: 3,
    read: (bytes, at) => ({
      kind: 'setpointNormalized',
      raw: i16(bytes, at),
      qualifier: bytes[at + 2]! & 0x7f,
      select: (bytes[at + 2]! & 0x80) !== 0,
    }),
    write: (element, bytes, at) => {
      put16(int16('normalized raw value', element.raw), bytes, at);
      bytes[at + 2] = qos(element);
    },
  },
  setpointScaled: {
    size: 3,
    read: (bytes, at) => ({
      kind: 'setpointScaled',
      value: i16(bytes, at),
      qualifier: bytes[at + 2]! & 0x7f,
      select: (bytes[at + 2]! & 0x80) !== 0,
    }),
    write: (element, bytes, at) => {
      put16(int16('scaled value', element.value), bytes, at);
      bytes[at + 2] = qos(element);
    },
  },
  setpointShort: {
    size: 5,
    read: (bytes, at) => ({
      kind: 'setpointShort',
      value: f32(bytes, at),
      qualifier: bytes[at + 4]! & 0x7f,
      select: (bytes[at + 4]! & 0x80) !== 0,
    }),
    write: (element, bytes, at) => {
      putF32(element.value, bytes, at);
      bytes[at + 4] = qos(element);
    },
  },
  bitstringCommand: {
    size: 4,
    read: (bytes, at) => ({ kind: 'bitstringCommand', value: i32(bytes, at) >>> 0 }),
    write: (element, bytes, at) => put32(uint('bitstring', element.value, 32), bytes, at),
  },
  endOfInitialization: {
    size: 1,
    read: (bytes, at) => ({
      kind: 'endOfInitialization',
      cause: bytes[at]! & 0x7f,
      parametersChanged: (bytes[at]! & 0x80) !== 0,
    }),
    write: (element, bytes, at) => {
      bytes[at] = uint('cause of initialization', element.cause, 7) | (element.parametersChanged ? 0x80 : 0);
    },
  },
  interrogation: octet('interrogation'),
  counterInterrogation: {
    size: 1,
    read: (bytes, at) => ({
      kind: 'counterInterrogation',
      request: bytes[at]! & 0x3f,
      freeze: bytes[at]! >>> 6,
    }),
    write: (element, bytes, at) => {
      bytes[at] = uint('counter request', element.request, 6) | (uint('freeze', element.freeze, 2) << 6);
    },
  },
  test: {
    size: 2,
    read: (bytes, at) => ({ kind: 'test', pattern: u16(bytes, at) }),
    write: (element, bytes, at) => put16(uint('test pattern', element.pattern, 16), bytes, at),
  },
  resetProcess: octet('resetProcess'),
  delayAcquisition: {
    size: 2,
    read: (bytes, at) => ({ kind: 'delayAcquisition', milliseconds: u16(bytes, at) }),
    write: (element, bytes, at) => put16(uint('milliseconds', element.milliseconds, 16), bytes, at),
  },
  parameterNormalized: {
    size: 3,
    read: (bytes, at) => ({ kind: 'parameterNormalized', raw: i16(bytes, at), qualifier: bytes[at + 2]! }),
    write: (element, bytes, at) => {
      put16(int16('normalized raw value', element.raw), bytes, at);
      bytes[at + 2] = uint('qualifier of parameter', element.qualifier, 8);
    },
  },
  parameterScaled: {
    size: 3,
    read: (bytes, at) => ({ kind: 'parameterScaled', value: i16(bytes, at), qualifier: bytes[at + 2]! }),
    write: (element, bytes, at) => {
      put16(int16('scaled value', element.value), bytes, at);
      bytes[at + 2] = uint('qualifier of parameter', element.qualifier, 8);
    },
  },
  parameterShort: {
    size: 5,
    read: (bytes, at) => ({ kind: 'parameterShort', value: f32(bytes, at), qualifier: bytes[at + 4]! }),
    write: (element, bytes, at) => {
      putF32(element.value, bytes, at);
      bytes[at + 4] = uint('qualifier of parameter', element.qualifier, 8);
    },
  },
  parameterActivation: octet('parameterActivation'),
  fileReady: {
    size: 6,
    read: (bytes, at) => ({
      kind: 'fileReady',
      file: u16(bytes, at),
      length: u24(bytes, at + 2),
      qualifier: bytes[at + 5]!,
    }),
    write: (element, bytes, at) => {
      put16(uint('name of file', element.file, 16), bytes, at);
      put24(uint('length of file', element.length, 24), bytes, at + 2);
      bytes[at + 5] = uint('file ready qualifier', element.qualifier, 8);
    },
  },
  sectionReady: {
    size: 7,
    read: (bytes, at) => ({
      kind: 'sectionReady',
      file: u16(bytes, at),
      section: bytes[at + 2]!,
      length: u24(bytes, at + 3),
      qualifier: bytes[at + 6]!,
    }),
    write: (element, bytes, at) => {
      put16(uint('name of file', element.file, 16), bytes, at);
      bytes[at + 2] = uint('name of section', element.section, 8);
      put24(uint('length of section', element.length, 24), bytes, at + 3);
      bytes[at + 6] = uint('section ready qualifier', element.qualifier, 8);
    },
  },
  fileCall: fileSection('fileCall'),
  lastSection: {
    size: 5,
    read: (bytes, at) => ({
      kind: 'lastSection',
      file: u16(bytes, at),
      section: bytes[at + 2]!,
      qualifier: bytes[at + 3]!,
      checksum: bytes[at + 4]!,
    }),
    write: (element, bytes, at) => {
      put16(uint('name of file', element.file, 16), bytes, at);
      bytes[at + 2] = uint('name of section', element.section, 8);
      bytes[at + 3] = uint('last section or segment qualifier', element.qualifier, 8);
      bytes[at + 4] = uint('checksum', element.checksum, 8);
    },
  },
  fileAcknowledge: fileSection('fileAcknowledge'),
  segment: {
    size: -1,
    // A copy: the octets must outlive the socket's buffer.
    read: (bytes, at, end) => ({
      kind: 'segment',
      file: u16(bytes, at),
      section: bytes[at + 2]!,
      data: new Uint8Array(bytes.subarray(at + 4, end)),
    }),
    write: (element, bytes, at) => {
      put16(uint('name of file', element.file, 16), bytes, at);
      bytes[at + 2] = uint('name of section', element.section, 8);
      bytes[at + 3] = uint('length of segment', element.data.length, 8);
      bytes.set(element.data, at + 4);
    },
  },
  directory: {
    size: 6,
    read: (bytes, at) => ({
      kind: 'directory',
      file: u16(bytes, at),
      length: u24(bytes, at + 2),
      status: bytes[at + 5]!,
    }),
    write: (element, bytes, at) => {
      put16(uint('name of file', element.file, 16), bytes, at);
      put24(uint('length of file', element.length, 24), bytes, at + 2);
      bytes[at + 5] = uint('status of file', element.status, 8);
    },
  },
  queryLog: {
    size: 16,
    read: (bytes, at) => ({
      kind: 'queryLog',
      file: u16(bytes, at),
      from: readCp56(bytes, at + 2),
      to: readCp56(bytes, at + 9),
    }),
    write: (element, bytes, at) => {
      put16(uint('name of file', element.file, 16), bytes, at);
      writeCp56(element.from, bytes, at + 2);
      writeCp56(element.to, bytes, at + 9);
    },
  },
};

/** The codec of a kind of element. */
export function elementCodec(kind: ElementKind): ElementCodec {
  return CODECS[kind] as unknown as ElementCodec;
}
