/**
 * ASN.1 types as values: each knows how to read itself and how to write itself, and its TypeScript type follows from
 * it. A PDU is written down once, in the words and the order of the standard, and there is no second copy to drift away.
 */
import { callerError, peerError } from '../errors.ts';
import { BerReader } from './reader.ts';
import { BerWriter } from './writer.ts';

export interface Type<T> {
  /** Whether an element with this tag can be of this type. */
  accepts(tag: number): boolean;
  /** Reads the content of the element whose header the reader has just read. */
  read(reader: BerReader): T;
  /** Writes the whole element. */
  write(writer: BerWriter, value: T): void;
  /** The type under another identifier (IMPLICIT); undefined for a CHOICE, which X.680 § 31.2.7 tags explicitly. */
  readonly retag?: (identifier: number) => Type<T>;
}

export type Value<X> = X extends Type<infer T> ? T : never;

/** A type with one tag of its own. `get` reads content up to `reader.stop`, `put` writes content only. */
export function plain<T>(
  tag: number,
  get: (reader: BerReader) => T,
  put: (writer: BerWriter, value: T) => void,
): Type<T> {
  const constructed = (tag > 0xff ? tag >>> 8 : tag) & 0x20;
  return {
    accepts: (other) => other === tag,
    read: get,
    write(writer, value) {
      const before = writer.length;
      put(writer, value);
      writer.header(tag, before);
    },
    // The identifier comes without its constructed bit, which follows from the type.
    retag: (identifier) => plain(identifier | (identifier > 0xff ? constructed << 8 : constructed), get, put),
  };
}

function contextIdentifier(number: number): number {
  return number < 31 ? 0x80 | number : 0x9f00 | number;
}

/** `[number] IMPLICIT`, and explicit around a CHOICE, as ASN.1 has it. */
export function context<T>(number: number, type: Type<T>): Type<T> {
  return type.retag ? type.retag(contextIdentifier(number)) : explicit(number, type);
}

/** `[number]` around the type. */
export function explicit<T>(number: number, type: Type<T>): Type<T> {
  return around(contextIdentifier(number) | (number < 31 ? 0x20 : 0x2000), type);
}

/** An element with this tag that holds one element of the type. */
export function around<T>(tag: number, type: Type<T>): Type<T> {
  return plain(
    tag,
    (reader) => {
      const outer = reader.enter();
      const value = element(reader, type);
      reader.leave(outer);
      return value;
    },
    (writer, value) => type.write(writer, value),
  );
}

/** `[APPLICATION number] IMPLICIT`; not for a CHOICE. */
export function application<T>(number: number, type: Type<T>): Type<T> {
  return type.retag!(0x40 | number);
}

/** Reads one element of the type. */
export function element<T>(reader: BerReader, type: Type<T>): T {
  const at = reader.at;
  const tag = reader.header();
  if (!type.accepts(tag)) throw unexpected(tag, at);
  return type.read(reader);
}

function unexpected(tag: number, at: number): Error {
  return peerError('ber.unexpected', `BER: element 0x${tag.toString(16)} at offset ${at} does not belong there`);
}

type Presence = 'optional' | 'default';

export interface Field<T, P extends Presence> {
  readonly type: Type<T>;
  readonly presence: P;
  readonly fallback?: T;
}

export function optional<T>(type: Type<T>): Field<T, 'optional'> {
  return { type, presence: 'optional' };
}

/** DEFAULT: an absent field reads as `fallback`, and `fallback` is not written. */
export function byDefault<T>(type: Type<T>, fallback: T): Field<T, 'default'> {
  return { type, presence: 'default', fallback };
}

type Fields = { readonly [name: string]: Type<unknown> | Field<unknown, Presence> };
type Flatten<T> = { readonly [K in keyof T]: T[K] };
type OptionalKeys<F> = { [K in keyof F]: F[K] extends Field<unknown, 'optional'> ? K : never }[keyof F];
type ValueOf<X> = X extends Field<infer T, Presence> ? T : Value<X>;
export type SequenceValue<F> = Flatten<
  { [K in Exclude<keyof F, OptionalKeys<F>>]: ValueOf<F[K]> } & { [K in OptionalKeys<F>]?: ValueOf<F[K]> }
>;

interface Row {
  readonly name: string;
  readonly type: Type<unknown>;
  readonly presence: 'required' | 'optional' | 'default';
  readonly fallback: unknown;
}

/**
 * SEQUENCE. Fields come in their order; one that is missing or foreign is a peer error that names the type. With
 * `extensible`, what follows the known fields is passed over.
 */
export function sequence<F extends Fields>(
  name: string,
  fields: F,
  { tag = 0x30, unordered = false, extensible = false } = {},
): Type<SequenceValue<F>> {
  const rows: Row[] = Object.entries(fields).map(([field, given]) =>
    'presence' in given
      ? { name: field, type: given.type, presence: given.presence, fallback: given.fallback }
      : { name: field, type: given, presence: 'required', fallback: undefined },
  );
  const read = (reader: BerReader): SequenceValue<F> => {
    const value: { [field: string]: unknown } = {};
    const outer = reader.enter();
    let next = 0;
    while (reader.at < reader.end) {
      const at = reader.at;
      const tagRead = reader.header();
      let i = unordered ? 0 : next;
      while (i < rows.length && !(rows[i]!.type.accepts(tagRead) && !(rows[i]!.name in value))) i++;
      const row = rows[i];
      if (!row) {
        if (!extensible)
          throw peerError(
            'ber.unexpected',
            `${name}: element 0x${tagRead.toString(16)} at offset ${at} is not expected`,
          );
        reader.at = reader.stop;
        continue;
      }
      value[row.name] = row.type.read(reader);
      next = i + 1;
    }
    reader.leave(outer);
    for (const row of rows) {
      if (row.name in value || row.presence === 'optional') continue;
      if (row.presence === 'required') throw peerError('ber.missing', `${name}: ${row.name} is missing`);
      value[row.name] = row.fallback;
    }
    return value as SequenceValue<F>;
  };
  return plain(tag, read, (writer, value) => {
    for (let i = rows.length - 1; i >= 0; i--) {
      const row = rows[i]!;
      const given = (value as { [field: string]: unknown })[row.name];
      if (given === undefined) {
        if (row.presence === 'required') throw callerError('ber.missing', `${name}: ${row.name} is missing`);
      } else if (row.presence !== 'default' || given !== row.fallback) row.type.write(writer, given);
    }
  });
}

/** SEQUENCE OF with at most `limit` elements. */
export function sequenceOf<T>(type: Type<T>, limit = 65_535, tag = 0x30): Type<readonly T[]> {
  return plain<readonly T[]>(
    tag,
    (reader) => {
      const values: T[] = [];
      const outer = reader.enter();
      while (reader.at < reader.end) {
        if (values.length === limit) throw peerError('ber.count', `BER: more than ${limit} elements in a list`);
        values.push(element(reader, type));
      }
      reader.leave(outer);
      return values;
    },
    (writer, values) => {
      for (let i = values.length - 1; i >= 0; i--) type.write(writer, values[i]!);
    },
  );
}

type Alternatives = { readonly [kind: string]: Type<unknown> };
export type ChoiceValue<A> = { [K in keyof A]: { readonly kind: K; readonly value: Value<A[K]> } }[keyof A];

/** CHOICE: a value is `{ kind, value }`, `kind` being the name of the alternative. */
export function choice<A extends Alternatives>(name: string, alternatives: A): Type<ChoiceValue<A>> {
  const list = Object.entries(alternatives);
  // Alternatives by tag, found once each: a service is one of thirty, and a tag has two octets at most.
  const known = new Map<number, readonly [string, Type<unknown>] | undefined>();
  const find = (tag: number) => {
    if (!known.has(tag))
      known.set(
        tag,
        list.find(([, type]) => type.accepts(tag)),
      );
    return known.get(tag);
  };
  return {
    accepts: (tag) => find(tag) !== undefined,
    read(reader) {
      const found = find(reader.tag);
      if (!found) throw unexpected(reader.tag, reader.from);
      return { kind: found[0], value: found[1].read(reader) } as ChoiceValue<A>;
    },
    write(writer, { kind, value }) {
      const type = Object.hasOwn(alternatives, kind) ? alternatives[kind as string] : undefined;
      if (!type) throw callerError('ber.choice', `${name}: there is no alternative ${String(kind)}`);
      type.write(writer, value);
    },
  };
}

/** A type that is defined further down; for recursion. Not to be tagged, unless it is a CHOICE. */
export function lazy<T>(type: () => Type<T>): Type<T> {
  return {
    accepts: (tag) => type().accepts(tag),
    read: (reader) => type().read(reader),
    write: (writer, value) => type().write(writer, value),
  };
}

/** Decodes one element that fills the octets from `start` to `end`. */
export function decodeWith<T>(type: Type<T>, bytes: Uint8Array, start = 0, end: number = bytes.length): T {
  const reader = new BerReader(bytes, start, end);
  const value = element(reader, type);
  reader.finish();
  return value;
}

export function encodeWith<T>(type: Type<T>, value: T): Uint8Array<ArrayBuffer> {
  return withWriter((writer) => {
    type.write(writer, value);
    return writer.copy();
  });
}

/** A writer that has grown beyond this is not kept. */
const KEPT_CAPACITY = 1 << 18;
/** Making room costs more than filling it, so the writer of one PDU is that of the next. */
let spare: BerWriter | undefined;

/**
 * Lends an empty writer; nothing of it may be kept.
 * @param limit octets; what needs many more is given up on the way, with MmsError (caller) `ber.size`
 */
export function withWriter<T>(use: (writer: BerWriter) => T, limit = Number.POSITIVE_INFINITY): T {
  const writer = spare ?? new BerWriter(8192);
  spare = undefined;
  writer.limit = limit;
  try {
    return use(writer);
  } finally {
    writer.clear();
    if (writer.capacity <= KEPT_CAPACITY) spare = writer;
  }
}
