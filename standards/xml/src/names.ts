/**
 * Names of elements and attributes, interned by their octets: a file of a million elements has a few hundred names,
 * so each is checked and made a string once.
 */
import { XmlError } from './error.ts';

/** XML 1.0 (fifth edition) production [5] Name. */
const NAME =
  /^[:A-Z_a-z\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u02FF\u0370-\u037D\u037F-\u1FFF\u200C-\u200D\u2070-\u218F\u2C00-\u2FEF\u3001-\uD7FF\uF900-\uFDCF\uFDF0-\uFFFD\u{10000}-\u{EFFFF}][-.0-9:A-Z_a-z\u00B7\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u037D\u037F-\u1FFF\u200C-\u200D\u203F-\u2040\u2070-\u218F\u2C00-\u2FEF\u3001-\uD7FF\uF900-\uFDCF\uFDF0-\uFFFD\u{10000}-\u{EFFFF}]*$/u;

export const isXmlName = (name: string): boolean => NAME.test(name);

const MAX_NAMES = 16_384;
const MAX_NAME_OCTETS = 1_000;
const SLOTS = 65_536;

export class NameTable {
  readonly #texts: string[] = [];
  readonly #octets: Buffer[] = [];
  readonly #slots = new Int32Array(SLOTS).fill(-1);

  get size(): number {
    return this.#texts.length;
  }

  text(id: number): string {
    const text = this.#texts[id];
    if (text === undefined) throw new XmlError('local', 'xml.name-id', `no name has the number ${id}`);
    return text;
  }

  /** The number of the name in `bytes[start, end)`. @throws XmlError `xml.name`, `xml.limit` */
  intern(bytes: Uint8Array, start: number, end: number, line: number): number {
    let hash = end - start;
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
    let slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    for (;;) {
      const id = this.#slots[slot]!;
      if (id < 0) return this.#add(slot, bytes, start, end, line);
      if (same(this.#octets[id]!, bytes, start, end)) return id;
      slot = (slot + 1) & (SLOTS - 1);
    }
  }

  #add(slot: number, bytes: Uint8Array, start: number, end: number, line: number): number {
    if (end - start > MAX_NAME_OCTETS) throw new XmlError('peer', 'xml.limit', 'a name is too long', { line });
    if (this.#texts.length >= MAX_NAMES) {
      throw new XmlError('peer', 'xml.limit', `more than ${MAX_NAMES} different names of elements`, { line });
    }
    const octets = Buffer.from(bytes.subarray(start, end));
    const text = octets.toString('utf8');
    if (!isXmlName(text)) {
      const shown = JSON.stringify(text.slice(0, 40));
      throw new XmlError('peer', 'xml.name', `${shown} is no name of an element or attribute`, { line });
    }
    this.#texts.push(text);
    this.#octets.push(octets);
    this.#slots[slot] = this.#texts.length - 1;
    return this.#texts.length - 1;
  }
}

function same(octets: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  if (octets.length !== length) return false;
  for (let at = 0; at < length; at++) if (octets[at] !== bytes[start + at]) return false;
  return true;
}
