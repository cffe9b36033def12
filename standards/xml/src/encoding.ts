/**
 * Whatever encoding an XML file comes in becomes UTF-8 cut between characters (XML 1.0 § 4.3.3 and appendix F): a byte
 * order mark first, then the declaration, else UTF-8. What is not valid in its encoding is refused with the line, and a
 * word on what it may be instead.
 */
import { isUtf8 } from 'node:buffer';
import { TextDecoder } from 'node:util';
import { XmlError } from './error.ts';

const DECLARED = /^<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z][-A-Za-z0-9._]*)["']/;
const HEAD = 256;
/** Encodings read beside UTF-8; every one has a decoder in the platform. */
const READ = /^(utf-16(le|be)?|iso-8859-1[0-9]?|iso-8859-[2-9]|us-ascii|ascii|windows-125[0-8]|latin1)$/;

export class Utf8Gate {
  readonly #sink: (chunk: Uint8Array) => void;
  readonly #line: () => number;
  #head: Buffer | undefined = Buffer.alloc(0);
  #decoder: TextDecoder | undefined;
  #tail: Buffer = Buffer.alloc(0);
  /** Name of the encoding, known after the first 256 octets. */
  encoding = 'utf-8';
  /** Whether a byte order mark came first. */
  mark = false;
  /** The encoding the declaration named when it is not the one the octets are in. */
  mislabelled: string | undefined;

  /** @param line the line the sink stands at, for messages */
  constructor(sink: (chunk: Uint8Array) => void, line: () => number) {
    this.#sink = sink;
    this.#line = line;
  }

  /** @throws XmlError `xml.encoding`, and what the sink throws */
  write(chunk: Uint8Array): void {
    if (!this.#head) {
      this.#pass(chunk);
      return;
    }
    this.#head = Buffer.concat([this.#head, chunk]);
    if (this.#head.length >= HEAD) this.#begin();
  }

  /** @throws as `write` */
  finish(): void {
    if (this.#head) this.#begin();
    if (this.#decoder) {
      this.#decode(new Uint8Array(0), false);
      return;
    }
    if (this.#tail.length > 0) throw this.#invalid(this.#tail);
  }

  #begin(): void {
    const head = this.#head!;
    this.#head = undefined;
    const [encoding, mark] = sniff(head);
    this.mark = mark > 0;
    const rest = head.subarray(mark);
    const wide = encoding?.startsWith('utf-16') === true;
    const declared = DECLARED.exec(rest.toString(wide && encoding === 'utf-16le' ? 'utf16le' : 'latin1'))?.[1];
    const label = declared?.toLowerCase();
    if (encoding !== undefined) {
      this.encoding = encoding;
      if (label !== undefined && label !== encoding && !(wide && label === 'utf-16')) this.mislabelled = label;
    } else if (label !== undefined && label !== 'utf-8') {
      if (!READ.test(label)) {
        throw new XmlError('unsupported', 'xml.encoding', `the encoding ${declared} is not read`, { line: 1 });
      }
      // Nothing two octets wide begins with "<?xml" in one: what says UTF-16 there is UTF-8.
      if (label.startsWith('utf-16')) this.mislabelled = label;
      else this.encoding = label;
    }
    if (this.encoding !== 'utf-8') this.#decoder = new TextDecoder(this.encoding, { fatal: true });
    this.#pass(rest);
  }

  #pass(chunk: Uint8Array): void {
    if (this.#decoder) {
      this.#decode(chunk, true);
      return;
    }
    const piece = this.#tail.length > 0 ? Buffer.concat([this.#tail, chunk]) : chunk;
    const whole = wholeCharacters(piece);
    const valid = whole === piece.length ? piece : piece.subarray(0, whole);
    if (!isUtf8(valid)) throw this.#invalid(valid);
    this.#tail = Buffer.from(piece.subarray(whole));
    if (valid.length > 0) this.#sink(valid);
  }

  #decode(chunk: Uint8Array, stream: boolean): void {
    try {
      const text = this.#decoder!.decode(chunk, { stream });
      if (text.length > 0) this.#sink(Buffer.from(text, 'utf8'));
    } catch (cause) {
      if (cause instanceof XmlError) throw cause;
      const text = `what stands here is not ${this.encoding}`;
      throw new XmlError('peer', 'xml.encoding', text, { cause, line: this.#line() });
    }
  }

  #invalid(octets: Uint8Array): XmlError {
    let at = 0;
    let line = this.#line();
    for (let end = 0; end < octets.length; ) {
      const step = characterLength(octets[end]!);
      if (!isUtf8(octets.subarray(end, end + step))) {
        at = end;
        break;
      }
      if (octets[end] === 0x0a) line++;
      end += step;
      at = end;
    }
    const octet = (octets[at] ?? 0).toString(16).padStart(2, '0');
    const text = `0x${octet} is no UTF-8: the file may be windows-1252 or ISO 8859-1 and not say so`;
    return new XmlError('peer', 'xml.encoding', text, { line });
  }
}

function sniff(head: Buffer): [encoding: string | undefined, mark: number] {
  if (head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf) return ['utf-8', 3];
  if (head[0] === 0xff && head[1] === 0xfe) return ['utf-16le', 2];
  if (head[0] === 0xfe && head[1] === 0xff) return ['utf-16be', 2];
  if (head[0] === 0x3c && head[1] === 0 && head[2] === 0x3f && head[3] === 0) return ['utf-16le', 0];
  if (head[0] === 0 && head[1] === 0x3c && head[2] === 0 && head[3] === 0x3f) return ['utf-16be', 0];
  return [undefined, 0];
}

const characterLength = (first: number): number => (first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4);

/** How many octets of `bytes` are whole characters; the rest (at most three) waits for what comes. */
function wholeCharacters(bytes: Uint8Array): number {
  const length = bytes.length;
  for (let back = 1; back <= 3 && back <= length; back++) {
    const octet = bytes[length - back]!;
    if (octet < 0x80) return length;
    if (octet >= 0xc0) return characterLength(octet) > back ? length - back : length;
  }
  return length;
}
