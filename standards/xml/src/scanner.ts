/**
 * Reads XML 1.0 as it comes, piece by piece, and tells a handler of start tags, end tags and text. Well-formedness is
 * checked (XML 1.0 § 2.1); a document type is refused, and with it every entity of its own. Namespaces are the reader's
 * business. Input is UTF-8 cut between characters (see encoding.ts); memory is bounded by the limits, not by the file.
 */

import { AMP, BRACKET, CR, GT, isSpace, LF, LT, MAX_REFERENCE, resolve, SPACE, TAB } from './characters.ts';
import { XmlError } from './error.ts';
import { isXmlName, NameTable } from './names.ts';

/** Attributes of the tag just opened. Valid until the handler returns. */
export interface Attributes {
  readonly count: number;
  name(index: number): number;
  bytes(index: number): Uint8Array;
  start(index: number): number;
  end(index: number): number;
}

/** What the scanner tells. Octets are UTF-8, references and line ends resolved, valid until the handler returns. */
export interface XmlHandler {
  open(name: number, attributes: Attributes, line: number): void;
  close(name: number): void;
  /** Text within an element; one text may come in several pieces. */
  text(bytes: Uint8Array, start: number, end: number): void;
}

export interface XmlLimits {
  /** Elements within elements. */
  readonly depth: number;
  /** Octets of one tag, comment, instruction or CDATA section. */
  readonly token: number;
  /** Attributes of one tag. */
  readonly attributes: number;
}

export const XML_LIMITS: XmlLimits = { depth: 64, token: 1 << 20, attributes: 256 };

const TEXT = new Uint8Array(256);
/** Ends a name. */
const NAME_END = new Uint8Array(256);
const VALUE = new Uint8Array(256);
for (let octet = 0; octet < 0x20; octet++) TEXT[octet] = VALUE[octet] = NAME_END[octet] = 9;
for (const octet of [SPACE, 0x2f, GT, 0x3d, LT, AMP, 0x22, 0x27, 0x3f]) NAME_END[octet] = 1;
TEXT[TAB] = 0;
TEXT[LT] = 1;
TEXT[AMP] = TEXT[CR] = 2;
TEXT[LF] = 3;
TEXT[GT] = 4;
TEXT[0xef] = VALUE[0xef] = 5;
VALUE[LT] = 1;
VALUE[AMP] = VALUE[CR] = VALUE[TAB] = 2;
VALUE[LF] = 3;

const DECLARATION =
  /^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.[0-9]+"|'1\.[0-9]+')(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:"[A-Za-z][-A-Za-z0-9._]*"|'[A-Za-z][-A-Za-z0-9._]*'))?(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:"(?:yes|no)"|'(?:yes|no)'))?[ \t\r\n]*\?>$/;
const CDATA = Buffer.from('<![CDATA[');
const DOCTYPE = Buffer.from('<!DOCTYPE');
const NOTHING = Buffer.alloc(0);

export class XmlScanner implements Attributes {
  readonly names = new NameTable();
  readonly #handler: XmlHandler;
  readonly #limits: XmlLimits;
  readonly #open: number[] = [];
  #rest: Buffer = NOTHING;
  #bytes: Buffer = NOTHING;
  #line = 1;
  #begun = false;
  #roots = 0;
  count = 0;
  readonly #names: Int32Array;
  readonly #starts: Int32Array;
  readonly #ends: Int32Array;
  readonly #resolved: (Buffer | undefined)[] = [];

  constructor(handler: XmlHandler, limits: XmlLimits = XML_LIMITS) {
    this.#handler = handler;
    this.#limits = limits;
    this.#names = new Int32Array(limits.attributes);
    this.#starts = new Int32Array(limits.attributes);
    this.#ends = new Int32Array(limits.attributes);
  }

  /** Line the scanner stands at, counted from 1. */
  get line(): number {
    return this.#line;
  }

  /** Line of the last octet written, what is not read yet counted in. */
  get lastLine(): number {
    return this.#rest.reduce((line, octet) => (octet === LF ? line + 1 : line), this.#line);
  }

  name(index: number): number {
    return this.#names[index]!;
  }
  bytes(index: number): Uint8Array {
    return this.#resolved[index] ?? this.#bytes;
  }
  start(index: number): number {
    return this.#resolved[index] ? 0 : this.#starts[index]!;
  }
  end(index: number): number {
    return this.#resolved[index]?.length ?? this.#ends[index]!;
  }

  /** @throws XmlError `xml.*` with the line, when the text is no XML; the scanner is of no use afterwards */
  write(chunk: Uint8Array): void {
    const piece = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    this.#run(this.#rest.length > 0 ? Buffer.concat([this.#rest, piece]) : piece, false);
  }

  /** @throws XmlError `xml.truncated` when elements are still open, and as `write` */
  finish(): void {
    this.#run(this.#rest, true);
    if (this.#open.length > 0) {
      const name = this.names.text(this.#open.at(-1)!);
      throw this.#error('truncated', `the file ends within <${name}>, ${this.#open.length} elements deep`);
    }
    if (this.#roots === 0) throw this.#error('empty', 'there is no element in the file');
  }

  #run(bytes: Buffer, final: boolean): void {
    this.#bytes = bytes;
    let at = 0;
    while (at < bytes.length) {
      const next = bytes[at] === LT ? this.#markup(bytes, at, final) : this.#text(bytes, at, final);
      if (next === at) break;
      at = next;
    }
    if (at < bytes.length && final) throw this.#error('truncated', 'the file ends within a tag, comment or reference');
    if (bytes.length - at > this.#limits.token) {
      throw this.#error('limit', `a tag, comment or section is longer than ${this.#limits.token} octets`);
    }
    // A copy: the caller may use its buffer again.
    this.#rest = at < bytes.length ? Buffer.from(bytes.subarray(at)) : NOTHING;
  }

  #error(code: string, text: string, line = this.#line): XmlError {
    return new XmlError('peer', `xml.${code}`, text, { line });
  }

  #text(bytes: Buffer, start: number, final: boolean): number {
    const length = bytes.length;
    let at = start;
    let plain = true;
    let line = this.#line;
    for (; at < length; at++) {
      const kind = TEXT[bytes[at]!]!;
      if (kind === 0) continue;
      if (kind === 1) break;
      if (kind === 2) plain = false;
      else if (kind === 3) line++;
      else if (kind === 4) {
        if (at >= start + 2 && bytes[at - 1] === BRACKET && bytes[at - 2] === BRACKET) {
          throw this.#error('section', ']]> stands outside a section', line);
        }
      } else this.#character(bytes, at, line);
    }
    if (at === length && !final) {
      at = cut(bytes, start, length);
      if (at === start) return start;
    }
    if (this.#open.length === 0) {
      for (let octet = start; octet < at; octet++) {
        if (!isSpace(bytes[octet])) throw this.#error('outside', 'there is text outside the outermost element');
      }
    } else if (plain) this.#handler.text(bytes, start, at);
    else {
      const resolved = resolve(bytes, start, at, this.#line);
      this.#handler.text(resolved, 0, resolved.length);
    }
    this.#line = line;
    this.#begun = true;
    return at;
  }

  /** Refuses what production [2] Char leaves out: control characters, U+FFFE and U+FFFF. */
  #character(bytes: Buffer, at: number, line: number): void {
    const octet = bytes[at]!;
    if (octet === 0xef) {
      if (bytes[at + 1] !== 0xbf || bytes[at + 2]! < 0xbe) return;
      throw this.#error('character', 'U+FFFE and U+FFFF are no characters', line);
    }
    throw this.#error('character', `0x${octet.toString(16).padStart(2, '0')} is no character XML allows`, line);
  }

  /** @returns where the markup ends, or `at` when it is not all there yet */
  #markup(bytes: Buffer, at: number, final: boolean): number {
    const second = bytes[at + 1];
    if (second === undefined) return at;
    if (second === 0x2f) return this.#endTag(bytes, at);
    if (second === 0x21) return this.#declaration(bytes, at);
    if (second === 0x3f) return this.#instruction(bytes, at, final);
    return this.#startTag(bytes, at);
  }

  #endTag(bytes: Buffer, at: number): number {
    const close = bytes.indexOf(GT, at + 2);
    if (close < 0) return at;
    let end = close;
    while (end > at + 2 && isSpace(bytes[end - 1])) end--;
    const name = this.names.intern(bytes, at + 2, end, this.#line);
    const open = this.#open.pop();
    if (open !== name) {
      const text = open === undefined ? 'no element is open' : `<${this.names.text(open)}> is open`;
      throw this.#error('nesting', `</${this.names.text(name)}> where ${text}`);
    }
    for (let octet = end; octet < close; octet++) if (bytes[octet] === LF) this.#line++;
    this.#handler.close(name);
    return close + 1;
  }

  #declaration(bytes: Buffer, at: number): number {
    const head = bytes.subarray(at, at + 9);
    if (head[2] === 0x2d && head[3] === 0x2d) {
      const close = bytes.indexOf('--', at + 4);
      if (close < 0 || close + 2 >= bytes.length) return at;
      if (bytes[close + 2] !== GT) throw this.#error('comment', '-- stands within a comment');
      this.#characters(bytes, at + 4, close);
      return this.#after(close + 3);
    }
    if (head.equals(CDATA)) {
      if (this.#open.length === 0) throw this.#error('outside', 'there is a section outside the outermost element');
      const close = bytes.indexOf(']]>', at + 9);
      if (close < 0) return at;
      const line = this.#line;
      this.#characters(bytes, at + 9, close);
      const resolved = resolve(bytes, at + 9, close, line, { references: false });
      this.#handler.text(resolved, 0, resolved.length);
      return this.#after(close + 3);
    }
    if (head.equals(DOCTYPE)) {
      throw this.#error('doctype', 'a document type is not read: entities of a file’s own are never expanded');
    }
    const sofar = head.length < 9 && (startsWith(CDATA, head) || startsWith(DOCTYPE, head) || head.equals(COMMENT));
    if (sofar) return at;
    throw this.#error('markup', '<! begins neither a comment nor a section');
  }

  #instruction(bytes: Buffer, at: number, final: boolean): number {
    const close = bytes.indexOf('?>', at + 2);
    if (close < 0) {
      if (final) throw this.#error('truncated', 'the file ends within an instruction');
      return at;
    }
    let end = at + 2;
    while (end < close && !isSpace(bytes[end])) end++;
    const target = bytes.toString('utf8', at + 2, end);
    if (!isXmlName(target)) throw this.#error('name', 'an instruction without a target');
    if (target.toLowerCase() === 'xml') {
      const text = bytes.toString('latin1', at, close + 2);
      if (this.#begun) throw this.#error('declaration', 'the XML declaration stands only at the beginning of a file');
      if (!DECLARATION.test(text)) throw this.#error('declaration', 'the XML declaration is not well-formed');
    }
    this.#characters(bytes, end, close);
    return this.#after(close + 2);
  }

  #after(at: number): number {
    this.#begun = true;
    return at;
  }

  /** Checks the characters of a comment, section or instruction and counts its lines. */
  #characters(bytes: Buffer, start: number, end: number): void {
    for (let at = start; at < end; at++) {
      const kind = TEXT[bytes[at]!]!;
      if (kind === 3) this.#line++;
      else if (kind >= 5) this.#character(bytes, at, this.#line);
    }
  }

  #startTag(bytes: Buffer, start: number): number {
    const length = bytes.length;
    let line = this.#line;
    let at = start + 1;
    while (at < length && NAME_END[bytes[at]!] === 0) at++;
    if (at >= length) return start;
    const name = this.names.intern(bytes, start + 1, at, line);
    this.count = 0;
    for (;;) {
      const before = at;
      while (at < length && isSpace(bytes[at])) if (bytes[at++] === LF) line++;
      if (at >= length) return start;
      const octet = bytes[at]!;
      if (octet === GT) {
        this.#opened(name, line);
        return at + 1;
      }
      if (octet === 0x2f) {
        if (at + 1 >= length) return start;
        if (bytes[at + 1] !== GT) throw this.#error('tag', 'a / within a tag', line);
        this.#opened(name, line);
        this.#open.pop();
        this.#handler.close(name);
        return at + 2;
      }
      if (at === before) throw this.#error('tag', `no space before an attribute of <${this.names.text(name)}>`, line);
      const nameAt = at;
      while (at < length && NAME_END[bytes[at]!] === 0) at++;
      if (at >= length) return start;
      const attribute = this.names.intern(bytes, nameAt, at, line);
      while (at < length && isSpace(bytes[at])) if (bytes[at++] === LF) line++;
      if (at >= length) return start;
      if (bytes[at++] !== 0x3d) throw this.#error('attribute', `${this.names.text(attribute)} has no value`, line);
      while (at < length && isSpace(bytes[at])) if (bytes[at++] === LF) line++;
      if (at >= length) return start;
      const quote = bytes[at++]!;
      if (quote !== 0x22 && quote !== 0x27) {
        throw this.#error('attribute', `the value of ${this.names.text(attribute)} has no quotes`, line);
      }
      const valueAt = at;
      let plain = true;
      for (; at < length && bytes[at] !== quote; at++) {
        const kind = VALUE[bytes[at]!]!;
        if (kind === 0) continue;
        if (kind === 1) throw this.#error('attribute', `< within the value of ${this.names.text(attribute)}`, line);
        if (kind === 2) plain = false;
        else if (kind === 3) {
          plain = false;
          line++;
        } else if (at + 2 >= length) return start;
        else this.#character(bytes, at, line);
      }
      if (at >= length) return start;
      this.#add(attribute, bytes, valueAt, at, plain, line);
      at++;
    }
  }

  #add(name: number, bytes: Buffer, start: number, end: number, plain: boolean, line: number): void {
    const index = this.count;
    if (index >= this.#limits.attributes) throw this.#error('limit', 'a tag with too many attributes', line);
    for (let other = 0; other < index; other++) {
      if (this.#names[other] === name) {
        throw this.#error('attribute', `${this.names.text(name)} stands twice in a tag`, line);
      }
    }
    this.#names[index] = name;
    this.#starts[index] = start;
    this.#ends[index] = end;
    this.#resolved[index] = plain ? undefined : resolve(bytes, start, end, line, { attribute: true });
    this.count = index + 1;
  }

  #opened(name: number, line: number): void {
    if (this.#open.length === 0 && this.#roots++ > 0) {
      throw this.#error('outside', 'there is a second outermost element', line);
    }
    if (this.#open.length >= this.#limits.depth) {
      throw this.#error('limit', `elements stand more than ${this.#limits.depth} deep`, line);
    }
    this.#open.push(name);
    this.#begun = true;
    const first = this.#line;
    this.#line = line;
    this.#handler.open(name, this, first);
  }
}

const COMMENT = Buffer.from('<!-');
const startsWith = (whole: Buffer, head: Buffer): boolean => whole.subarray(0, head.length).equals(head);

/** Where text may be cut: not within a reference, after a carriage return, or where `]]>` could be in the making. */
function cut(bytes: Buffer, start: number, length: number): number {
  let at = length;
  if (bytes[at - 1] === CR) at--;
  while (at > start && bytes[at - 1] === BRACKET && length - at < 2) at--;
  const ampersand = bytes.subarray(start, at).lastIndexOf(AMP);
  if (ampersand >= 0 && at - start - ampersand < MAX_REFERENCE && bytes.indexOf(0x3b, start + ampersand) < 0) {
    return start + ampersand;
  }
  return at;
}
