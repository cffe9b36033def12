/**
 * How an element of SCL is described: a table of attributes and children, from which the reader, the writer and the
 * TypeScript type of the record follow. The tables beside this file are IEC 61850-6 (2007B4, with what 2003 and 2007C5
 * have of their own).
 */

/** An attribute's type: from text to value and back. */
export interface ValueType<T> {
  /** @returns undefined when the text is none */
  readonly parse: (text: string) => T | undefined;
  readonly format: (value: T) => string;
  /** What is expected, for findings: 'a whole number'. */
  readonly what: string;
}

export interface Attribute<T, R extends boolean = boolean> {
  readonly type: ValueType<unknown>;
  readonly required: R;
  /** Stands in where the attribute is not there (the schema's default), and for a required one that is missing. */
  readonly fallback: T | undefined;
}

export interface Child<T> {
  readonly spec: () => ElementSpec<unknown>;
  readonly many: boolean;
  /** Only for the type. */
  readonly record?: T;
}

export interface ElementSpec<T> {
  readonly tag: string;
  readonly attributes: Readonly<Record<string, Attribute<unknown>>>;
  /** In the order of the schema, in which they are written. */
  readonly children: Readonly<Record<string, Child<unknown>>>;
  /** Whether the record has the element's `text`. */
  readonly text: boolean;
  /** Whether children that the table does not know are kept as `nodes`. */
  readonly anything: boolean;
  /** Only for the type. */
  readonly record?: T;
}

/** Every record says where it stands in its file. */
export interface Located {
  /** Line, counted from 1. */
  readonly line: number;
}

/** The record that a spec describes. */
export type RecordOf<S> = S extends ElementSpec<infer T> ? T : never;

type AttributeValues<A> = {
  readonly [K in keyof A]: A[K] extends Attribute<infer T, infer R> ? (R extends true ? T : T | undefined) : never;
};
type ChildValues<C> = { readonly [K in keyof C]: C[K] extends Child<infer T> ? T : never };
type TextValue<X> = X extends true ? { readonly text: string } : unknown;
type Nodes<N> = N extends true ? { readonly nodes: readonly XmlNode[] } : unknown;

interface Description<A, C, X, N> {
  readonly attributes?: A;
  readonly children?: C;
  readonly text?: X;
  readonly anything?: N;
}

/** An element that no table knows, as it stands. */
export interface XmlNode extends Located {
  /** URI; empty without one. */
  readonly namespace: string;
  readonly name: string;
  /** By local name. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly nodes: readonly XmlNode[];
  readonly text: string;
}

export function element<
  const A extends Record<string, Attribute<unknown>> = Record<never, never>,
  const C extends Record<string, Child<unknown>> = Record<never, never>,
  const X extends boolean = false,
  const N extends boolean = false,
>(
  tag: string,
  description: Description<A, C, X, N>,
): ElementSpec<Located & AttributeValues<A> & ChildValues<C> & TextValue<X> & Nodes<N>> {
  return {
    tag,
    attributes: description.attributes ?? {},
    children: description.children ?? {},
    text: description.text ?? false,
    anything: description.anything ?? false,
  };
}

/** An attribute that must be there. @param fallback what stands in when it is missing all the same; that is a finding */
export const required = <T>(type: ValueType<T>, fallback: T): Attribute<T, true> => ({
  type: type as ValueType<unknown>,
  required: true,
  fallback,
});

export const optional = <T>(type: ValueType<T>): Attribute<T, false> => ({
  type: type as ValueType<unknown>,
  required: false,
  fallback: undefined,
});

/** An attribute the schema has a default for: always there in the record. */
export const defaulted = <T>(type: ValueType<T>, fallback: T): Attribute<T, true> => ({
  type: type as ValueType<unknown>,
  required: false as true,
  fallback,
});

/** Any number of children, in their order. @param spec a function where the table refers to itself */
export const many = <T>(spec: ElementSpec<T> | (() => ElementSpec<T>)): Child<readonly T[]> => ({
  spec: lazy(spec),
  many: true,
});

/** One child at most; a second one is a finding. */
export const one = <T>(spec: ElementSpec<T> | (() => ElementSpec<T>)): Child<T | undefined> => ({
  spec: lazy(spec),
  many: false,
});

const lazy = <T>(spec: ElementSpec<T> | (() => ElementSpec<T>)): (() => ElementSpec<T>) =>
  typeof spec === 'function' ? spec : () => spec;

export const text: ValueType<string> = { parse: (value) => value, format: (value) => value, what: 'text' };

export const bool: ValueType<boolean> = {
  parse: (value) => (value === 'true' || value === '1' ? true : value === 'false' || value === '0' ? false : undefined),
  format: String,
  what: 'true or false',
};

export const whole: ValueType<number> = {
  parse: (value) => (/^[+-]?\d{1,15}$/.test(value.trim()) ? Number(value) : undefined),
  format: String,
  what: 'a whole number',
};

/** One of a list of words, as the schema enumerates them. */
export const word = <const W extends readonly string[]>(words: W): ValueType<W[number]> => ({
  parse: (value) => (words.includes(value) ? value : undefined),
  format: String,
  what: `one of ${words.join(', ')}`,
});

/** What nearly every element has: a description for people, and names where it has one. */
export const described = { desc: defaulted(text, '') };
export const named = { name: required(text, ''), ...described };
