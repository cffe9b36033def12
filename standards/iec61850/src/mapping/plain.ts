/** Values for people and for JSON: names instead of positions, quality and time in words (IEC 61850-7-3 § 6.2, 7-2 § 6.1). */
import {
  type BitString,
  bit,
  bitText,
  type Data,
  type TypeSpecification,
  timeOfDayToMillis,
  type UtcTime,
  utcTimeToMillis,
} from '@enerchain/mms';

/** The bits of quality behind validity, in their order. */
export const QUALITY_FLAGS = [
  'overflow',
  'outOfRange',
  'badReference',
  'oscillatory',
  'failure',
  'oldData',
  'inconsistent',
  'inaccurate',
  'substituted',
  'test',
  'operatorBlocked',
] as const;
export type QualityFlag = (typeof QUALITY_FLAGS)[number];

export interface Quality61850 {
  readonly validity: 'good' | 'invalid' | 'reserved' | 'questionable';
  readonly flags: readonly QualityFlag[];
}

export function qualityOf(value: BitString): Quality61850 {
  const validity = (['good', 'invalid', 'reserved', 'questionable'] as const)[
    (bit(value, 0) ? 2 : 0) + (bit(value, 1) ? 1 : 0)
  ]!;
  return { validity, flags: QUALITY_FLAGS.filter((_, index) => bit(value, index + 2)) };
}

/** `good`, or `questionable,oldData`. */
export const qualityText = (value: BitString): string => {
  const { validity, flags } = qualityOf(value);
  return [validity, ...flags].join();
};

/** ISO 8601 with microseconds, and what is wrong with the clock: `2026-01-15T12:00:00.123456Z clockNotSynchronized`. */
export function timeText(time: UtcTime): string {
  const millis = utcTimeToMillis(time);
  const micros = Math.round((millis - Math.floor(millis)) * 1000);
  const iso = new Date(Math.floor(millis)).toISOString().replace('Z', `${String(micros).padStart(3, '0')}Z`);
  const flags = [time.quality & 0x40 ? 'clockFailure' : '', time.quality & 0x20 ? 'clockNotSynchronized' : ''].filter(
    Boolean,
  );
  return [iso, ...flags].join(' ');
}

export type Plain = null | boolean | number | string | readonly Plain[] | { readonly [name: string]: Plain };

/** @param type where it is known, for the names @param name of the part: quality is told by its name and length */
export function plainOf(data: Data, type?: TypeSpecification, name?: string): Plain {
  switch (data.kind) {
    case 'structure': {
      const components = type?.kind === 'structure' ? type.value.components : undefined;
      if (!components) return data.value.map((part) => plainOf(part));
      return Object.fromEntries(
        data.value.map((part, index) => {
          const { name: own = String(index), type: inner } = components[index] ?? {};
          return [own, plainOf(part, inner, own)];
        }),
      );
    }
    case 'array': {
      const element = type?.kind === 'array' ? type.value.element : undefined;
      return data.value.map((part) => plainOf(part, element, name));
    }
    case 'bitString':
    case 'booleanArray':
      return data.value.length === 13 && (name === 'q' || name === undefined)
        ? qualityText(data.value)
        : bitText(data.value);
    case 'integer':
    case 'unsigned':
    case 'bcd':
      return typeof data.value === 'bigint' ? data.value.toString() : data.value;
    case 'float':
    case 'double':
      return Number.isFinite(data.value)
        ? Number(data.value.toPrecision(data.kind === 'float' ? 7 : 15))
        : String(data.value);
    case 'octetString':
      return Buffer.from(data.value).toString('hex');
    case 'binaryTime': {
      const millis = timeOfDayToMillis(data.value);
      return Number.isNaN(millis) ? data.value.millis : new Date(millis).toISOString();
    }
    case 'utcTime':
      return timeText(data.value);
    default:
      return data.value;
  }
}

/** The other way, into the kind and shape of a value that is there. @returns undefined when the text is none of its kind */
export function dataFrom(text: string, like: Data): Data | undefined {
  switch (like.kind) {
    case 'boolean':
      if (['true', 'on', '1'].includes(text)) return { kind: 'boolean', value: true };
      return ['false', 'off', '0'].includes(text) ? { kind: 'boolean', value: false } : undefined;
    case 'integer':
    case 'unsigned':
      return /^[+-]?\d{1,15}$/.test(text) ? { kind: like.kind, value: Number(text) } : undefined;
    case 'float':
    case 'double':
      return text.trim() !== '' && !Number.isNaN(Number(text)) ? { kind: like.kind, value: Number(text) } : undefined;
    case 'bitString': {
      // Double points by the words of SCL, everything else by its bits.
      const word = like.value.length === 2 ? ['intermediate-state', 'off', 'on', 'bad-state'].indexOf(text) : -1;
      const bits = word >= 0 ? word.toString(2).padStart(2, '0') : text;
      if (!/^[01]+$/.test(bits) || bits.length !== like.value.length) return undefined;
      const bytes = new Uint8Array(Math.ceil(bits.length / 8));
      for (let i = 0; i < bits.length; i++) if (bits[i] === '1') bytes[i >> 3]! |= 0x80 >> (i & 7);
      return { kind: 'bitString', value: { length: bits.length, bytes } };
    }
    case 'visibleString':
    case 'mmsString':
      return { kind: like.kind, value: text };
    case 'octetString':
      return /^([0-9a-fA-F]{2})*$/.test(text)
        ? { kind: 'octetString', value: Uint8Array.from(Buffer.from(text, 'hex')) }
        : undefined;
    default:
      return undefined;
  }
}
