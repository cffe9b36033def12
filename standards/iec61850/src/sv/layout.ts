/**
 * Where each value of a data set stands in a sample (IEC 61850-9-2 table 14: every type has its own length and no tags), and what it
 * means in volts and amperes.
 */

import { Iec61850Error } from '../error.ts';
import { QUALITY_FLAGS, type Quality61850 } from '../mapping/plain.ts';
import type { PublishedMember } from '../multicast/members.ts';
import { configuredValue, leaves, leavesOf } from '../scl/model.ts';
import type { BasicType } from '../scl/schema/templates.ts';
import type { DataAttribute } from '../scl/types.ts';

/** Octets of each type. */
const OCTETS: Partial<Readonly<Record<BasicType, number>>> = {
  BOOLEAN: 1,
  INT8: 1,
  INT16: 2,
  INT24: 3,
  INT32: 4,
  INT64: 8,
  INT8U: 1,
  INT16U: 2,
  INT24U: 3,
  INT32U: 4,
  INT64U: 8,
  FLOAT32: 4,
  FLOAT64: 8,
  Enum: 4,
  Dbpos: 4,
  Tcmd: 4,
  Quality: 4,
  Timestamp: 8,
  EntryTime: 6,
  VisString32: 35,
  VisString64: 35,
  VisString65: 35,
  VisString129: 35,
  VisString255: 35,
  Octet64: 20,
};

/** A value in a sample. */
export interface SampleField {
  /** `MU1/IATCTR1.AmpSv.instMag.i` */
  readonly reference: string;
  readonly bType: BasicType;
  readonly at: number;
  readonly octets: number;
}

/** A measured value: a number, how it becomes one of a unit, and the quality that belongs to it. */
export interface SampleChannel {
  readonly reference: string;
  readonly at: number;
  readonly octets: 1 | 2 | 4 | 8;
  readonly type: 'signed' | 'unsigned' | 'float';
  /** value = raw · scaleFactor + offset (sVC of 7-3). */
  readonly scaleFactor: number;
  readonly offset: number;
  /** A or V where the data object says which. */
  readonly unit: string;
  /** Where its quality stands; -1 without one. */
  readonly qualityAt: number;
}

export interface SampleLayout {
  /** Of one sample. */
  readonly octets: number;
  readonly fields: readonly SampleField[];
  readonly channels: readonly SampleChannel[];
}

/** Of a data set in SCL. @throws Iec61850Error `sv.layout` (unsupported) for a type that has no length of its own */
export function layoutOf(members: readonly PublishedMember[]): SampleLayout {
  const fields: SampleField[] = [];
  const channels: SampleChannel[] = [];
  let at = 0;
  let waiting: { readonly object: string; readonly channel: SampleChannel }[] = [];
  for (const member of members) {
    const { reference, fc, attribute, object, names, node } = member;
    const below = attribute ? leavesOf(attribute, fc) : leaves(object, fc);
    for (const leaf of below) {
      // The names of `leavesOf` begin with the attribute itself.
      const own = attribute ? leaf.names.slice(1) : leaf.names;
      const path = [reference, ...own].join('.');
      const octets = octetsOf(leaf.attribute, path);
      fields.push({ reference: path, bType: leaf.attribute.bType, at, octets });
      const objectNames = attribute ? names.slice(0, names.length - attributeDepth(member)) : names;
      const of = `${node.name}.${objectNames.join('.')}`;
      if (leaf.attribute.bType === 'Quality') {
        for (const { channel } of waiting.filter(({ object: there }) => there === of))
          channels[channels.indexOf(channel)] = { ...channel, qualityAt: at };
        waiting = waiting.filter(({ object: there }) => there !== of);
      } else {
        const type = numberOf(leaf.attribute.bType);
        if (type) {
          const scaled = leaf.attribute.bType.startsWith('INT');
          const number = (name: string, fallback: number): number => {
            const text = scaled ? configuredValue(node, [...objectNames, 'sVC', name]) : undefined;
            return text !== undefined && text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : fallback;
          };
          const channel: SampleChannel = {
            reference: path,
            at,
            octets: octets as SampleChannel['octets'],
            type,
            scaleFactor: number('scaleFactor', 1),
            offset: number('offset', 0),
            unit: unitOf(objectNames.at(-1) ?? ''),
            qualityAt: -1,
          };
          channels.push(channel);
          waiting.push({ object: of, channel });
        }
      }
      at += octets;
    }
  }
  return { octets: at, fields, channels };
}

/** How many of a member's names are those of attributes. */
function attributeDepth({ names, object, attribute }: PublishedMember): number {
  if (!attribute) return 0;
  // Names go objects first; the innermost object is the last of them that carries its name.
  const last = names.lastIndexOf(object.name);
  return names.length - 1 - last;
}

function octetsOf({ bType, count }: DataAttribute, path: string): number {
  const octets = OCTETS[bType];
  if (octets === undefined || count > 0) {
    throw new Iec61850Error(
      'unsupported',
      'sv.layout',
      `SV: ${path} is ${bType}${count > 0 ? ' in an array' : ''}, which has no place in a sample`,
    );
  }
  return octets;
}

function numberOf(bType: BasicType): SampleChannel['type'] | undefined {
  if (bType === 'FLOAT32' || bType === 'FLOAT64') return 'float';
  if (/^INT(8|16|32|64)U$/.test(bType)) return 'unsigned';
  return /^INT(8|16|32|64)$/.test(bType) ? 'signed' : undefined;
}

/** TCTR and TVTR have AmpSv and VolSv (7-4). */
const unitOf = (name: string): string => (name.startsWith('Amp') ? 'A' : name.startsWith('Vol') ? 'V' : '');

/**
 * The data sets of 61869-9 and of 9-2LE, which have them without SCL: currents, then voltages, each an INT32 with its quality; one
 * is 1 mA, and 10 mV.
 */
export function standardLayout(currents: number, voltages: number): SampleLayout {
  const fields: SampleField[] = [];
  const channels: SampleChannel[] = [];
  for (let index = 0; index < currents + voltages; index++) {
    const current = index < currents;
    const number = current ? index + 1 : index - currents + 1;
    const object = current ? `TCTR${number}.AmpSv` : `TVTR${number}.VolSv`;
    const at = index * 8;
    fields.push(
      { reference: `${object}.instMag.i`, bType: 'INT32', at, octets: 4 },
      { reference: `${object}.q`, bType: 'Quality', at: at + 4, octets: 4 },
    );
    channels.push({
      reference: `${object}.instMag.i`,
      at,
      octets: 4,
      type: 'signed',
      scaleFactor: current ? 0.001 : 0.01,
      offset: 0,
      unit: current ? 'A' : 'V',
      qualityAt: at + 4,
    });
  }
  return { octets: (currents + voltages) * 8, fields, channels };
}

/** phsMeas1 of 9-2LE: three phases and neutral, currents and voltages. */
export const PHS_MEAS_1: SampleLayout = standardLayout(4, 4);

/** A variant of 61869-9 by its code. */
export interface SampleVariant {
  readonly samplesPerSecond: number;
  /** ASDUs in a message. */
  readonly asdus: number;
  readonly layout: SampleLayout;
}

/** `F4800S2I4U4`: samples a second, ASDUs in a message, currents, voltages. @returns undefined when it is no code */
export function variantOf(code: string): SampleVariant | undefined {
  const parts = /^F(\d{1,6})S(\d{1,2})I(\d{1,2})U(\d{1,2})$/.exec(code)?.slice(1).map(Number);
  if (!parts) return undefined;
  const [samplesPerSecond, asdus, currents, voltages] = parts as [number, number, number, number];
  // An APDU has at most 1500 octets; smpCnt has 16 bits, but 61869-9 has 96 kHz for direct current.
  if (samplesPerSecond < 1 || asdus < 1 || currents + voltages < 1 || asdus * (currents + voltages) * 8 > 1400)
    return undefined;
  return { samplesPerSecond, asdus, layout: standardLayout(currents, voltages) };
}

/** Reads and writes the channels of samples; compiled once for a layout, makes nothing afterwards. */
export class SampleCodec {
  readonly layout: SampleLayout;
  readonly #channels: readonly SampleChannel[];
  readonly #plain: boolean;

  constructor(layout: SampleLayout) {
    this.layout = layout;
    this.#channels = layout.channels;
    this.#plain = layout.channels.every(({ type, octets }) => type === 'signed' && octets === 4);
  }

  /** Values in their units and qualities as they stand; both have room for one of each channel. @param at where the sample begins */
  read(bytes: Uint8Array, at: number, values: Float64Array, qualities: Uint32Array): void {
    const channels = this.#channels;
    for (let i = 0; i < channels.length; i++) {
      const channel = channels[i]!;
      const raw = this.#plain ? int32(bytes, at + channel.at) : rawOf(bytes, at + channel.at, channel);
      values[i] = raw * channel.scaleFactor + channel.offset;
      qualities[i] = channel.qualityAt < 0 ? 0 : int32(bytes, at + channel.qualityAt);
    }
  }

  /** The other way; a value that does not fit is the nearest that does, with overflow in its quality. */
  write(bytes: Uint8Array, at: number, values: ArrayLike<number>, qualities?: ArrayLike<number>): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let i = 0; i < this.#channels.length; i++) {
      const channel = this.#channels[i]!;
      const raw = ((values[i] ?? 0) - channel.offset) / channel.scaleFactor;
      const overflow = put(view, at + channel.at, channel, raw);
      if (channel.qualityAt >= 0)
        view.setUint32(at + channel.qualityAt, ((qualities?.[i] ?? 0) | (overflow ? OVERFLOW : 0)) >>> 0);
    }
  }
}

const OVERFLOW = 0x4;

const int32 = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;

function rawOf(bytes: Uint8Array, at: number, { type, octets }: SampleChannel): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, octets);
  if (type === 'float') return octets === 8 ? view.getFloat64(0) : view.getFloat32(0);
  switch (octets) {
    case 1:
      return type === 'signed' ? view.getInt8(0) : view.getUint8(0);
    case 2:
      return type === 'signed' ? view.getInt16(0) : view.getUint16(0);
    case 4:
      return type === 'signed' ? view.getInt32(0) : view.getUint32(0);
    case 8:
      return Number(type === 'signed' ? view.getBigInt64(0) : view.getBigUint64(0));
  }
}

/** @returns whether it did not fit */
function put(view: DataView, at: number, { type, octets }: SampleChannel, raw: number): boolean {
  if (type === 'float') {
    if (octets === 8) view.setFloat64(at, raw);
    else view.setFloat32(at, raw);
    return false;
  }
  // Beyond 2^53 a number has no units any more.
  const bits = Math.min(octets * 8, 53);
  const low = type === 'signed' ? -(2 ** (bits - 1)) : 0;
  const high = type === 'signed' ? 2 ** (bits - 1) - 1 : 2 ** bits - 1;
  const rounded = Math.round(raw);
  const value = rounded < low ? low : rounded > high ? high : rounded || 0;
  if (octets === 1) view.setInt8(at, value);
  else if (octets === 2) view.setInt16(at, value);
  else if (octets === 4) view.setInt32(at, value);
  else view.setBigInt64(at, BigInt(value));
  return value !== rounded && !(rounded === 0);
}

/** Quality in a sample (9-2LE table 5): 32 bits of which the lowest two are validity; `derived` is a value not measured but computed. */
export interface SampleQuality extends Quality61850 {
  readonly derived: boolean;
}

const VALIDITY = ['good', 'invalid', 'reserved', 'questionable'] as const;
const DERIVED = 0x2000;

export function sampleQuality(word: number): SampleQuality {
  return {
    validity: VALIDITY[word & 3]!,
    flags: QUALITY_FLAGS.filter((_, index) => (word & (4 << index)) !== 0),
    derived: (word & DERIVED) !== 0,
  };
}

export function sampleQualityWord({ validity, flags, derived }: SampleQuality): number {
  return (
    VALIDITY.indexOf(validity) +
    flags.reduce((word, flag) => word | (4 << QUALITY_FLAGS.indexOf(flag)), 0) +
    (derived ? DERIVED : 0)
  );
}
