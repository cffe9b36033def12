/**
 * BER to DER, as far as CMS of others needs it: streaming writers use indefinite lengths and octet strings in pieces
 * (ITU-T X.690 § 8.1.3.6, 8.7.3). Lengths become definite and shortest, pieces one string. The order of sets is left
 * alone: what is signed is DER already (RFC 5652 § 5.4).
 */
import { MAX_DEPTH } from '../der-reader.ts';
import { TAG } from '../der-tags.ts';
import { element } from '../der-writer.ts';
import { PkiError } from '../error.ts';
import { checkSize } from './content-info.ts';

const CONSTRUCTED = 0x20;
const CONSTRUCTED_OCTETS = TAG.octetString | CONSTRUCTED;

/** @throws PkiError `pki.ber` (fault peer) when the bytes are not one BER element, or nested too deep */
export function derFromBer(bytes: Uint8Array): Uint8Array {
  checkSize(bytes);
  const [result, end] = convert(bytes, 0, bytes.length, 0);
  if (end !== bytes.length) throw fail(end, `${bytes.length - end} bytes too many`);
  return result;
}

const fail = (at: number, what: string) => new PkiError('peer', 'pki.ber', `BER at byte ${at}: ${what}`);

/** @returns the element in DER, and where it ended */
function convert(bytes: Uint8Array, start: number, limit: number, depth: number): [Uint8Array, number] {
  if (depth > MAX_DEPTH) throw fail(start, `nested deeper than ${MAX_DEPTH}`);
  if (limit - start < 2) throw fail(start, 'ends within an element');
  const tag = bytes[start]!;
  if ((tag & 0x1f) === 0x1f) throw fail(start, 'a high tag number');
  const first = bytes[start + 1]!;
  let at = start + 2;
  let end: number | undefined;
  if (first < 0x80) {
    end = at + first;
  } else if (first > 0x80) {
    const octets = first & 0x7f;
    if (octets > 4 || limit - at < octets) throw fail(start, 'an oversized length');
    let size = 0;
    for (let i = 0; i < octets; i++) size = size * 256 + bytes[at + i]!;
    at += octets;
    end = at + size;
  } else if (!(tag & CONSTRUCTED)) {
    throw fail(start, 'an indefinite length of a primitive element');
  }
  if (end !== undefined && end > limit) throw fail(start, 'claims more than is there');
  if (!(tag & CONSTRUCTED)) return [element(tag, bytes.subarray(at, end)), end!];
  const parts: Uint8Array[] = [];
  for (;;) {
    if (end !== undefined && at === end) break;
    if (end === undefined && bytes[at] === 0 && bytes[at + 1] === 0 && limit - at >= 2) break;
    const [part, next] = convert(bytes, at, end ?? limit, depth + 1);
    parts.push(part);
    at = next;
  }
  const next = end ?? at + 2;
  if (tag !== CONSTRUCTED_OCTETS) return [element(tag, ...parts), next];
  return [element(TAG.octetString, ...parts.map((part) => octetsOf(part, start))), next];
}

/** Contents of an OCTET STRING in DER. */
function octetsOf(part: Uint8Array, at: number): Uint8Array {
  if (part[0] !== TAG.octetString) throw fail(at, 'an octet string with pieces that are none');
  const first = part[1]!;
  return part.subarray(2 + (first < 0x80 ? 0 : first & 0x7f));
}
