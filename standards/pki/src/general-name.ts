/** GeneralName (RFC 5280 § 4.2.1.6): [1] rfc822Name, [2] dNSName, [4] directoryName, [6] URI, [7] iPAddress. */
import { isIPv4, isIPv6 } from 'node:net';
import { DerReader } from './der-reader.ts';
import { context, contextPrimitive } from './der-tags.ts';
import * as der from './der-writer.ts';
import { PkiError } from './error.ts';
import { encodeName, type Name, readName } from './name.ts';

export type GeneralName =
  | { readonly kind: 'dns'; readonly value: string }
  | { readonly kind: 'uri'; readonly value: string }
  | { readonly kind: 'email'; readonly value: string }
  /** IPv4 dotted or IPv6 in the form of node:net. */
  | { readonly kind: 'ip'; readonly value: string }
  | { readonly kind: 'directory'; readonly value: Name }
  /** A form that is not looked into. */
  | { readonly kind: 'other'; readonly tag: number; readonly raw: Uint8Array };

/** @throws PkiError (fault caller) when the name cannot be encoded */
export function encodeGeneralName(name: GeneralName): Uint8Array {
  switch (name.kind) {
    case 'email':
      return der.ia5String(name.value, contextPrimitive(1));
    case 'dns':
      return der.ia5String(name.value, contextPrimitive(2));
    case 'uri':
      return der.ia5String(name.value, contextPrimitive(6));
    case 'ip':
      return der.implicitPrimitive(7, ipToBytes(name.value));
    case 'directory':
      return der.explicit(4, encodeName(name.value));
    case 'other':
      return name.raw;
  }
}

export function readGeneralName(reader: DerReader): GeneralName {
  const { tag, contents, raw } = reader.any('general name');
  const text = () => Buffer.from(contents).toString('latin1');
  switch (tag) {
    case contextPrimitive(1):
      return { kind: 'email', value: text() };
    case contextPrimitive(2):
      return { kind: 'dns', value: text() };
    case contextPrimitive(6):
      return { kind: 'uri', value: text() };
    case contextPrimitive(7):
      if (contents.length !== 4 && contents.length !== 16)
        throw reader.fail(`an IP address has ${contents.length} bytes`);
      return { kind: 'ip', value: ipFromBytes(contents) };
    case context(4): {
      const inner = new DerReader(contents);
      const value = readName(inner);
      inner.end('directory name');
      return { kind: 'directory', value };
    }
    default:
      return { kind: 'other', tag: tag === context(tag & 0x1f) ? tag & 0x1f : tag, raw };
  }
}

/** GeneralNames ::= SEQUENCE OF GeneralName, or the same under an implicit tag. */
export function readGeneralNames(names: DerReader): GeneralName[] {
  const list: GeneralName[] = [];
  while (!names.done) list.push(readGeneralName(names));
  return list;
}

/** @throws PkiError (fault caller) when the text is no address */
export function ipToBytes(text: string): Uint8Array {
  if (isIPv4(text)) return Uint8Array.from(text.split('.'), Number);
  if (!isIPv6(text) || text.includes('%')) {
    throw new PkiError('caller', 'pki.san', `'${text}' is not an IP address`);
  }
  // An IPv4 tail (::ffff:10.0.0.1) becomes two groups.
  const plain = text.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) => {
    const group = (high: string, low: string) => (Number(high) * 256 + Number(low)).toString(16);
    return `${group(a, b)}:${group(c, d)}`;
  });
  const [head = '', tail] = plain.split('::');
  const left = head ? head.split(':') : [];
  const right = tail ? tail.split(':') : [];
  const zeros = new Array<string>(tail === undefined ? 0 : 8 - left.length - right.length).fill('0');
  const groups = [...left, ...zeros, ...right].map((group) => Number.parseInt(group, 16));
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

function ipFromBytes(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i]! << 8) | bytes[2 * i + 1]!).toString(16));
  // The longest run of zero groups becomes '::' (RFC 5952 § 4.2).
  let best = { at: -1, size: 1 };
  for (let i = 0; i < 8; i++) {
    let size = 0;
    while (i + size < 8 && groups[i + size] === '0') size++;
    if (size > best.size) best = { at: i, size };
  }
  if (best.at < 0) return groups.join(':');
  return `${groups.slice(0, best.at).join(':')}::${groups.slice(best.at + best.size).join(':')}`;
}
