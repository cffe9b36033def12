/** Certificate extensions (RFC 5280 § 4.2): the ones that the platform's certificates carry, built and read. */
import { isIPv4, isIPv6 } from 'node:net';
import { DerReader } from './der-reader.ts';
import { context, contextPrimitive, TAG } from './der-tags.ts';
import * as der from './der-writer.ts';
import { PkiError } from './error.ts';
import { OID } from './oid.ts';

export interface Extension {
  readonly oid: string;
  readonly critical: boolean;
  /** DER of the extension's own type. */
  readonly value: Uint8Array;
}

/** Bits of KeyUsage (§ 4.2.1.3). */
export const KEY_USAGES = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const;
export type KeyUsage = (typeof KEY_USAGES)[number];

export type GeneralName =
  | { readonly kind: 'dns'; readonly value: string }
  | { readonly kind: 'uri'; readonly value: string }
  | { readonly kind: 'email'; readonly value: string }
  /** IPv4 dotted or IPv6 in the form of node:net. */
  | { readonly kind: 'ip'; readonly value: string }
  /** A form that is not looked into. */
  | { readonly kind: 'other'; readonly tag: number; readonly raw: Uint8Array };

/** What is said about a certificate by its extensions; the same shape for building and after reading. */
export interface ExtensionSet {
  readonly basicConstraints?: { readonly ca: boolean; readonly pathLength?: number };
  readonly keyUsage?: readonly KeyUsage[];
  /** Object identifiers. */
  readonly extKeyUsage?: readonly string[];
  readonly subjectAltName?: readonly GeneralName[];
  readonly subjectKeyIdentifier?: Uint8Array;
  readonly authorityKeyIdentifier?: Uint8Array;
}

/** @throws PkiError (fault caller) when a name cannot be encoded */
export function encodeExtensions(set: ExtensionSet): Extension[] {
  const list: Extension[] = [];
  const add = (oid: string, critical: boolean, value: Uint8Array) => list.push({ oid, critical, value });
  if (set.basicConstraints) {
    const { ca, pathLength } = set.basicConstraints;
    const parts = [...(ca ? [der.boolean(true)] : []), ...(pathLength === undefined ? [] : [der.integer(pathLength)])];
    add(OID.basicConstraints, true, der.sequence(...parts));
  }
  if (set.keyUsage) {
    add(OID.keyUsage, true, der.namedBits(set.keyUsage.map((usage) => KEY_USAGES.indexOf(usage))));
  }
  if (set.extKeyUsage) add(OID.extKeyUsage, false, der.sequence(...set.extKeyUsage.map(der.objectIdentifier)));
  if (set.subjectAltName?.length) {
    add(OID.subjectAltName, false, der.sequence(...set.subjectAltName.map(encodeGeneralName)));
  }
  if (set.subjectKeyIdentifier) add(OID.subjectKeyIdentifier, false, der.octetString(set.subjectKeyIdentifier));
  if (set.authorityKeyIdentifier) {
    add(OID.authorityKeyIdentifier, false, der.sequence(der.implicitPrimitive(0, set.authorityKeyIdentifier)));
  }
  return list;
}

/** Extensions ::= SEQUENCE OF Extension; `critical` only when true (DEFAULT FALSE). */
export function encodeExtensionList(list: readonly Extension[]): Uint8Array {
  return der.sequence(
    ...list.map(({ oid, critical, value }) =>
      der.sequence(der.objectIdentifier(oid), ...(critical ? [der.boolean(true)] : []), der.octetString(value)),
    ),
  );
}

export function readExtensionList(reader: DerReader): Extension[] {
  const list: Extension[] = [];
  const extensions = reader.sequence('extensions');
  while (!extensions.done) {
    const each = extensions.sequence('extension');
    const oid = each.objectIdentifier('extension');
    const critical = each.peek() === TAG.boolean ? each.boolean('critical') : false;
    const value = each.octetString('extension value');
    each.end('extension');
    if (list.some((other) => other.oid === oid)) throw reader.fail(`extension ${oid} stands there twice`);
    list.push({ oid, critical, value });
  }
  return list;
}

/** Reads the extensions named in `ExtensionSet`; the others are left alone. */
export function readExtensionSet(list: readonly Extension[]): ExtensionSet {
  const of = <T>(oid: string, read: (reader: DerReader) => T): T | undefined => {
    const extension = list.find((each) => each.oid === oid);
    if (!extension) return undefined;
    const reader = new DerReader(extension.value);
    const result = read(reader);
    reader.end(`extension ${oid}`);
    return result;
  };
  const set: { -readonly [K in keyof ExtensionSet]?: ExtensionSet[K] | undefined } = {
    basicConstraints: of(OID.basicConstraints, readBasicConstraints),
    keyUsage: of(OID.keyUsage, (reader) =>
      reader.namedBits('key usage').flatMap((bit) => (KEY_USAGES[bit] ? [KEY_USAGES[bit]] : [])),
    ),
    extKeyUsage: of(OID.extKeyUsage, (reader) => {
      const usages = reader.sequence('extended key usage');
      const oids: string[] = [];
      while (!usages.done) oids.push(usages.objectIdentifier('extended key usage'));
      return oids;
    }),
    subjectAltName: of(OID.subjectAltName, (reader) => {
      const names = reader.sequence('subject alternative name');
      const list: GeneralName[] = [];
      while (!names.done) list.push(readGeneralName(names));
      return list;
    }),
    subjectKeyIdentifier: of(OID.subjectKeyIdentifier, (reader) => reader.octetString('subject key identifier')),
    authorityKeyIdentifier: of(OID.authorityKeyIdentifier, readAuthorityKeyIdentifier),
  };
  return Object.fromEntries(Object.entries(set).filter(([, value]) => value !== undefined)) as ExtensionSet;
}

function readBasicConstraints(reader: DerReader): { ca: boolean; pathLength?: number } {
  const inner = reader.sequence('basic constraints');
  const ca = inner.peek() === TAG.boolean ? inner.boolean('cA') : false;
  const pathLength = inner.done ? undefined : inner.smallInteger('pathLenConstraint');
  inner.end('basic constraints');
  return pathLength === undefined ? { ca } : { ca, pathLength };
}

function readAuthorityKeyIdentifier(reader: DerReader): Uint8Array | undefined {
  const inner = reader.sequence('authority key identifier');
  let id: Uint8Array | undefined;
  while (!inner.done) {
    const { tag, contents } = inner.any('authority key identifier');
    if (tag === contextPrimitive(0)) id = contents;
  }
  return id;
}

/** GeneralName (§ 4.2.1.6): [1] rfc822Name, [2] dNSName, [6] URI, [7] iPAddress. */
function encodeGeneralName(name: GeneralName): Uint8Array {
  switch (name.kind) {
    case 'email':
      return der.ia5String(name.value, contextPrimitive(1));
    case 'dns':
      return der.ia5String(name.value, contextPrimitive(2));
    case 'uri':
      return der.ia5String(name.value, contextPrimitive(6));
    case 'ip':
      return der.implicitPrimitive(7, ipToBytes(name.value));
    case 'other':
      return name.raw;
  }
}

function readGeneralName(reader: DerReader): GeneralName {
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
    default:
      return { kind: 'other', tag: tag === context(tag & 0x1f) ? tag & 0x1f : tag, raw };
  }
}

function ipToBytes(text: string): Uint8Array {
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
