/**
 * JSON (RFC 8259) with the line of every value and numbers as they are spelt: what stands in a file is told where it
 * stands, and `0.10` stays `0.10`. One value at a time, so that a long array need not be held.
 */
import { CimError } from '../error.ts';

export type Json =
  | { readonly kind: 'object'; readonly line: number; readonly members: ReadonlyMap<string, Json> }
  | { readonly kind: 'array'; readonly line: number; readonly items: readonly Json[] }
  | { readonly kind: 'string' | 'number' | 'boolean' | 'null'; readonly line: number; readonly text: string };

const MAX_DEPTH = 64;
const MAX_MEMBERS = 1 << 16;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what RFC 8259 keeps out of texts
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const WORDS: readonly (readonly [word: string, kind: 'boolean' | 'null'])[] = [
  ['true', 'boolean'],
  ['false', 'boolean'],
  ['null', 'null'],
];
const ESCAPED: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

/** @throws CimError `json.syntax`, `json.limit`, all with the line */
export class JsonCursor {
  readonly #text: string;
  #at = 0;
  #line = 1;

  constructor(text: string) {
    this.#text = text;
  }

  get line(): number {
    return this.#line;
  }

  /** Members of an object one after the other: the caller reads each value before it asks for the next. */
  *members(): Generator<string> {
    this.#expect('{');
    if (this.#take('}')) return;
    let count = 0;
    do {
      this.#space();
      if (this.#text[this.#at] !== '"') throw this.#bad('a name in quotes');
      const name = this.#string();
      this.#expect(':');
      if (++count > MAX_MEMBERS) throw this.#limit(`an object with more than ${MAX_MEMBERS} members`);
      yield name;
    } while (this.#take(','));
    this.#expect('}');
  }

  /** Items of an array one after the other, likewise. */
  *items(): Generator<void> {
    this.#expect('[');
    if (this.#take(']')) return;
    do yield;
    while (this.#take(','));
    this.#expect(']');
  }

  /** The character a value begins with, '' at the end. */
  peek(): string {
    this.#space();
    return this.#text[this.#at] ?? '';
  }

  value(depth = 0): Json {
    if (depth > MAX_DEPTH) throw this.#limit(`values within each other more than ${MAX_DEPTH} deep`);
    const first = this.peek();
    const line = this.#line;
    if (first === '{') {
      const members = new Map<string, Json>();
      for (const name of this.members()) {
        if (members.has(name))
          throw this.#error('json.syntax', `the object has ${JSON.stringify(name.slice(0, 60))} twice`);
        members.set(name, this.value(depth + 1));
      }
      return { kind: 'object', line, members };
    }
    if (first === '[') {
      const items: Json[] = [];
      for (const _ of this.items()) items.push(this.value(depth + 1));
      return { kind: 'array', line, items };
    }
    if (first === '"') return { kind: 'string', line, text: this.#string() };
    for (const [text, kind] of WORDS) {
      if (!this.#text.startsWith(text, this.#at)) continue;
      this.#at += text.length;
      return { kind, line, text };
    }
    NUMBER.lastIndex = this.#at;
    const text = NUMBER.exec(this.#text)?.[0];
    if (text === undefined) throw this.#bad('a value');
    this.#at += text.length;
    return { kind: 'number', line, text };
  }

  end(): void {
    if (this.peek() !== '') throw this.#bad('the end');
  }

  #space(): void {
    for (; ; this.#at++) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === 0x0a) this.#line++;
      else if (code !== 0x20 && code !== 0x09 && code !== 0x0d) return;
    }
  }

  #take(character: string): boolean {
    if (this.peek() !== character) return false;
    this.#at++;
    return true;
  }

  #expect(character: string): void {
    if (!this.#take(character)) throw this.#bad(character);
  }

  #string(): string {
    let value = '';
    for (this.#at++; ; ) {
      PLAIN.lastIndex = this.#at;
      const plain = PLAIN.exec(this.#text)![0];
      value += plain;
      this.#at += plain.length;
      const next = this.#text[this.#at++];
      if (next === '"') break;
      if (next !== '\\') throw this.#bad('the end of a text');
      const escaped = this.#text[this.#at++] ?? '';
      if (escaped === 'u') {
        const digits = this.#text.slice(this.#at, this.#at + 4);
        if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw this.#bad('four digits');
        value += String.fromCharCode(Number.parseInt(digits, 16));
        this.#at += 4;
      } else {
        const character = ESCAPED[escaped];
        if (character === undefined) throw this.#bad('an escape that there is');
        value += character;
      }
    }
    if (!value.isWellFormed()) throw this.#error('json.syntax', 'half a character: a surrogate without its other');
    return value;
  }

  #bad(wanted: string): CimError {
    const rest = this.#text.slice(this.#at, this.#at + 12);
    return this.#error(
      'json.syntax',
      rest === '' ? 'the file ends too early' : `${wanted} was to stand at ${JSON.stringify(rest)}`,
    );
  }

  #limit(text: string): CimError {
    return this.#error('json.limit', text);
  }

  #error(code: string, text: string): CimError {
    return new CimError('peer', code, text, { line: this.#line });
  }
}
