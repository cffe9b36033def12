/** References and line ends of XML text (XML 1.0 § 2.11, § 3.3.3, § 4.1, § 4.6), octet by octet. */
import { XmlError } from './error.ts';

export const LT = 0x3c;
export const GT = 0x3e;
export const AMP = 0x26;
export const CR = 0x0d;
export const LF = 0x0a;
export const TAB = 0x09;
export const SPACE = 0x20;
export const BRACKET = 0x5d;

/** The longest reference looked for: `&#x10FFFF;`, with leading zeros to spare. */
export const MAX_REFERENCE = 32;

export const isSpace = (octet: number | undefined): boolean =>
  octet === SPACE || octet === LF || octet === TAB || octet === CR;

const NAMED: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', apos: "'", quot: '"' };

/** XML 1.0 production [2] Char. */
const isChar = (code: number): boolean =>
  code === TAB ||
  code === LF ||
  code === CR ||
  (code >= 0x20 && code <= 0xd7ff) ||
  (code >= 0xe000 && code <= 0xfffd) ||
  (code >= 0x10000 && code <= 0x10ffff);

/**
 * Text with references and line ends resolved. Only the five predefined entities and character references are known: an
 * entity of a document type would be refused, and so is the document type.
 * @param attribute in an attribute's value, white space becomes a space
 * @param references false within CDATA
 */
export function resolve(
  bytes: Uint8Array,
  start: number,
  end: number,
  line: number,
  { attribute = false, references = true }: { attribute?: boolean; references?: boolean } = {},
): Buffer {
  const out = Buffer.allocUnsafe(end - start);
  let length = 0;
  let at = start;
  while (at < end) {
    const octet = bytes[at]!;
    if (octet === AMP && references) {
      const close = bytes.subarray(at, Math.min(end, at + MAX_REFERENCE)).indexOf(0x3b);
      const name = close < 0 ? '' : Buffer.from(bytes.buffer, bytes.byteOffset + at + 1, close - 1).toString('utf8');
      length += out.write(character(name, line), length, 'utf8');
      at += close + 1;
      continue;
    }
    if (octet === CR) {
      out[length++] = attribute ? SPACE : LF;
      at += bytes[at + 1] === LF && at + 1 < end ? 2 : 1;
      continue;
    }
    out[length++] = attribute && (octet === LF || octet === TAB) ? SPACE : octet;
    at++;
  }
  return out.subarray(0, length);
}

function character(name: string, line: number): string {
  const named = Object.hasOwn(NAMED, name) ? NAMED[name] : undefined;
  if (named !== undefined) return named;
  const digits = /^#(?:x([0-9a-fA-F]+)|([0-9]+))$/.exec(name);
  const code = digits ? Number.parseInt(digits[1] ?? digits[2]!, digits[1] === undefined ? 10 : 16) : Number.NaN;
  if (isChar(code)) return String.fromCodePoint(code);
  const text = digits
    ? `&${name}; is no character XML allows`
    : name === ''
      ? 'an & that begins no reference'
      : `the entity &${name}; is not one of the five of XML; no others are expanded`;
  throw new XmlError('peer', 'xml.entity', text, { line });
}
