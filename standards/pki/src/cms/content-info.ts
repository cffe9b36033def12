/** What the CMS types have in common: ContentInfo, AlgorithmIdentifier with parameters, attributes, who is meant. */
import type { Certificate } from '../certificate.ts';
import { DerReader } from '../der-reader.ts';
import { context, contextPrimitive, TAG } from '../der-tags.ts';
import * as der from '../der-writer.ts';
import { PkiError } from '../error.ts';

/** Largest message that is read, in bytes. */
export const MAX_CMS_BYTES = 4 * 1024 * 1024;
/** Most certificates, revocation lists, signers, recipients or attributes of one message. */
export const MAX_CMS_ITEMS = 256;

/** ContentInfo (RFC 5652 § 3). @param content DER of the type that the identifier names */
export const contentInfo = (contentType: string, content: Uint8Array): Uint8Array =>
  der.sequence(der.objectIdentifier(contentType), der.explicit(0, content));

/**
 * Opens a ContentInfo. @returns its type and a reader that stands before the content
 * @throws PkiError `pki.cms.ber` (fault unsupported) for indefinite lengths at the top: `derFromBer` turns those into DER
 */
export function readContentInfo(bytes: Uint8Array): { readonly contentType: string; readonly content: DerReader } {
  checkSize(bytes);
  if (bytes[0] === TAG.sequence && bytes[1] === 0x80) {
    throw new PkiError(
      'unsupported',
      'pki.cms.ber',
      'the message is BER with indefinite lengths; only DER is read here',
    );
  }
  const outer = new DerReader(bytes);
  const info = outer.sequence('ContentInfo');
  outer.end('ContentInfo');
  const contentType = info.objectIdentifier('content type');
  const content = info.open(context(0), 'content');
  info.end('ContentInfo');
  return { contentType, content };
}

/** @throws PkiError `pki.size` (fault peer) */
export function checkSize(bytes: Uint8Array): void {
  if (bytes.length > MAX_CMS_BYTES) {
    throw new PkiError('peer', 'pki.size', `the message has ${bytes.length} bytes, at most ${MAX_CMS_BYTES} are read`);
  }
}

/** @throws PkiError `pki.cms.type` (fault peer) when the content is of another type */
export function expectType(found: string, expected: string, what: string): void {
  if (found !== expected) throw new PkiError('peer', 'pki.cms.type', `the message is of type ${found}, not ${what}`);
}

/** Reads the elements of an opened SET OF or SEQUENCE OF. */
export function readAll<T>(reader: DerReader, what: string, read: (reader: DerReader) => T): T[] {
  const items: T[] = [];
  while (!reader.done) {
    if (items.length >= MAX_CMS_ITEMS) throw reader.fail(`more than ${MAX_CMS_ITEMS} ${what}`);
    items.push(read(reader));
  }
  return items;
}

export interface AlgorithmIdentifier {
  readonly oid: string;
  /** DER of the parameters; absent when there are none. */
  readonly parameters?: Uint8Array;
  /** As it stands. */
  readonly raw: Uint8Array;
}

export const algorithmIdentifier = (oid: string, ...parameters: readonly Uint8Array[]): Uint8Array =>
  der.sequence(der.objectIdentifier(oid), ...parameters);

export function readAlgorithmIdentifier(reader: DerReader, what: string): AlgorithmIdentifier {
  const { raw, contents } = reader.take(TAG.sequence, what);
  const inner = new DerReader(contents);
  const oid = inner.objectIdentifier(what);
  const parameters = inner.done ? undefined : inner.any(`parameters of the ${what}`).raw;
  inner.end(what);
  return { oid, raw, ...(parameters && { parameters }) };
}

/** An algorithm whose parameters are absent or NULL (RFC 5754 § 2). */
export function readPlainAlgorithm(reader: DerReader, what: string): string {
  const { oid, parameters } = readAlgorithmIdentifier(reader, what);
  if (parameters && Buffer.compare(parameters, der.nullValue()) !== 0) throw reader.fail(`the ${what} has parameters`);
  return oid;
}

/** Attribute (RFC 5652 § 5.3). */
export interface CmsAttribute {
  readonly type: string;
  /** DER of each value. */
  readonly values: readonly Uint8Array[];
}

/** SET OF Attribute, under the tag of a SET. */
export const encodeAttributes = (attributes: readonly CmsAttribute[]): Uint8Array =>
  der.setOf(...attributes.map(({ type, values }) => der.sequence(der.objectIdentifier(type), der.setOf(...values))));

/** The same octets under another tag: IMPLICIT tagging of what stands under the tag of a SET, and back. */
export function retagged(tag: number, bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[0] = tag;
  return copy;
}

/**
 * Reads [n] IMPLICIT SET OF Attribute if it comes next. The order is that of DER, since what is signed is DER (§ 5.4).
 * @returns the attributes, and the octets under the tag of a SET
 */
export function readAttributes(
  reader: DerReader,
  n: number,
  what: string,
): { readonly list: CmsAttribute[]; readonly set: Uint8Array } | undefined {
  if (reader.peek() !== context(n)) return undefined;
  const { raw, contents } = reader.any(what);
  let last: Uint8Array | undefined;
  const list = readAll(new DerReader(contents), 'attributes', (attributes) => {
    const element = attributes.take(TAG.sequence, 'attribute');
    if (last && Buffer.compare(last, element.raw) > 0) throw attributes.fail(`the ${what} are not in the order of DER`);
    last = element.raw;
    const inner = new DerReader(element.contents);
    const type = inner.objectIdentifier('attribute type');
    const values = readAll(
      inner.open(TAG.set, 'attribute values'),
      'values',
      (each) => each.any('attribute value').raw,
    );
    inner.end('attribute');
    return { type, values };
  });
  if (list.length === 0) throw reader.fail(`the ${what} are empty`);
  return { list, set: retagged(TAG.set, raw) };
}

/** The one value of an attribute that may stand there once (§ 11.1 to 11.3). */
export function singleValue(attributes: readonly CmsAttribute[], type: string, what: string): DerReader | undefined {
  const found = attributes.filter((each) => each.type === type);
  if (found.length === 0) return undefined;
  const [value, more] = found[0]!.values;
  if (found.length > 1 || !value || more) {
    throw new PkiError('peer', 'pki.cms.attribute', `the ${what} must stand there once, with one value`);
  }
  return new DerReader(value);
}

/** Whose certificate is meant: SignerIdentifier (§ 5.3) and the like. */
export type CertificateIdentifier =
  | { readonly kind: 'issuerAndSerialNumber'; readonly issuerDer: Uint8Array; readonly serialNumber: Uint8Array }
  | { readonly kind: 'subjectKeyIdentifier'; readonly identifier: Uint8Array };

/** IssuerAndSerialNumber (§ 10.2.4). */
export const issuerAndSerialNumber = (certificate: Certificate): Uint8Array =>
  der.sequence(certificate.issuerDer, der.element(TAG.integer, certificate.serialNumber));

/** @throws PkiError (fault caller) when the certificate has no subject key identifier */
export function subjectKeyIdentifierOf(certificate: Certificate): Uint8Array {
  const identifier = certificate.extensions.subjectKeyIdentifier;
  if (identifier) return identifier;
  throw new PkiError('caller', 'pki.cms.identifier', 'the certificate has no subject key identifier');
}

export function readIssuerAndSerialNumber(reader: DerReader): CertificateIdentifier {
  const inner = reader.sequence('issuer and serial number');
  const issuerDer = inner.take(TAG.sequence, 'issuer').raw;
  const serialNumber = inner.integerBytes('serial number', 21);
  inner.end('issuer and serial number');
  return { kind: 'issuerAndSerialNumber', issuerDer, serialNumber };
}

/** Reads [0] IMPLICIT SubjectKeyIdentifier or IssuerAndSerialNumber. */
export function readSignerIdentifier(reader: DerReader): CertificateIdentifier {
  if (reader.peek() !== contextPrimitive(0)) return readIssuerAndSerialNumber(reader);
  return { kind: 'subjectKeyIdentifier', identifier: reader.any('subject key identifier').contents };
}

export function identifies(id: CertificateIdentifier, certificate: Certificate): boolean {
  if (id.kind === 'subjectKeyIdentifier') {
    const own = certificate.extensions.subjectKeyIdentifier;
    return own !== undefined && Buffer.compare(own, id.identifier) === 0;
  }
  return (
    Buffer.compare(certificate.serialNumber, id.serialNumber) === 0 &&
    Buffer.compare(certificate.issuerDer, id.issuerDer) === 0
  );
}
