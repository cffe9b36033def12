/** Messages of Enrolment over Secure Transport (RFC 7030, RFC 8951), without any I/O: paths, bodies, attributes, times. */
import { parseCertificate } from '../certificate.ts';
import { derFromBer } from '../cms/ber.ts';
import { parseSignedData } from '../cms/signed-data.ts';
import { DerReader } from '../der-reader.ts';
import { TAG } from '../der-tags.ts';
import * as der from '../der-writer.ts';
import { PkiError } from '../error.ts';

const PREFIX = '/.well-known/est/';

/** § 3.2.2; server-side key generation is not offered. */
export const OPERATIONS = ['cacerts', 'simpleenroll', 'simplereenroll', 'fullcmc', 'csrattrs'] as const;
export type Operation = (typeof OPERATIONS)[number];

/** What a path asks for. */
export interface Route {
  readonly operation: Operation;
  /** Which of several authorities (§ 3.2.2). */
  readonly label?: string;
}

const LABEL = /^[A-Za-z0-9._~-]{1,64}$/;

/** @throws PkiError (fault caller) when the label cannot stand in a path */
export function pathOf({ operation, label }: Route): string {
  if (label === undefined) return PREFIX + operation;
  if (!LABEL.test(label) || isOperation(label)) {
    throw new PkiError('caller', 'est.label', `'${label}' cannot be the label of an authority`);
  }
  return `${PREFIX}${label}/${operation}`;
}

/** @returns `undefined` for what is no path of EST, and `'unknown'` below its prefix */
export function readPath(path: string): Route | 'unknown' | undefined {
  if (!path.startsWith(PREFIX)) return undefined;
  const [first = '', second, more] = path.slice(PREFIX.length).split('/');
  if (second === undefined) return isOperation(first) ? { operation: first } : 'unknown';
  if (more !== undefined || !LABEL.test(first) || isOperation(first) || !isOperation(second)) return 'unknown';
  return { operation: second, label: first };
}

const isOperation = (text: string): text is Operation => (OPERATIONS as readonly string[]).includes(text);

export const MEDIA_TYPE = {
  request: 'application/pkcs10',
  certificates: 'application/pkcs7-mime',
  certificatesOnly: 'application/pkcs7-mime; smime-type=certs-only',
  attributes: 'application/csrattrs',
  fullRequest: 'application/pkcs7-mime; smime-type=CMC-request',
  fullResponse: 'application/pkcs7-mime; smime-type=CMC-response',
} as const;

/** Whether a Content-Type names the type; parameters are passed over. */
export const isMediaType = (header: string | undefined, type: string): boolean =>
  header?.split(';', 1)[0]?.trim().toLowerCase() === type.split(';', 1)[0];

/** Longest body that is read: a request with evidence in it, in base64. */
export const MAX_BODY_BYTES = 1024 * 1024 + 64 * 1024;

/** Base64 in lines, as older clients expect it (RFC 8951 § 3.1 leaves the lines free). */
export const encodeBody = (bytes: Uint8Array): string =>
  `${(
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  ).join('\n')}\n`;

/**
 * Reads a body: base64 with white space anywhere (RFC 8951 § 3.1). Content-Transfer-Encoding says nothing (§ 3.2).
 * @throws PkiError `est.body` (fault peer)
 */
export function decodeBody(body: string): Uint8Array {
  const text = body.replaceAll(/[\t\n\r ]+/g, '');
  if (text.length > MAX_BODY_BYTES || text.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) {
    throw new PkiError('peer', 'est.body', 'the body is not base64');
  }
  return Buffer.from(text, 'base64');
}

/** Certificates of a certs-only body, DER; others write them as BER too. @throws PkiError (fault peer) */
export function readCertificatesBody(body: string): readonly Uint8Array[] {
  const { certificates } = parseSignedData(derFromBer(decodeBody(body)));
  if (certificates.length === 0) throw new PkiError('peer', 'est.answer', 'the answer holds no certificate');
  return certificates;
}

/** The certificate among several that is for a key. @throws PkiError `est.answer` (fault peer) when there is none */
export function certificateFor(spki: Uint8Array, certificates: readonly Uint8Array[]): Uint8Array {
  const found = certificates.find((each) => Buffer.compare(parseCertificate(each).spki, spki) === 0);
  if (!found) throw new PkiError('peer', 'est.answer', 'the answer holds no certificate for the key of the request');
  return found;
}

/** AttrOrOID (§ 4.5.2): something the request should hold, or an attribute with the values that it should have. */
export type CsrAttribute = string | { readonly type: string; readonly values: readonly Uint8Array[] };

const MAX_ATTRIBUTES = 64;

/** CsrAttrs ::= SEQUENCE OF AttrOrOID. */
export const encodeCsrAttributes = (attributes: readonly CsrAttribute[]): Uint8Array =>
  der.sequence(
    ...attributes.map((each) =>
      typeof each === 'string'
        ? der.objectIdentifier(each)
        : der.sequence(der.objectIdentifier(each.type), der.setOf(...each.values)),
    ),
  );

/** @throws PkiError (fault peer) */
export function readCsrAttributes(bytes: Uint8Array): CsrAttribute[] {
  const outer = new DerReader(bytes);
  const list = outer.sequence('CSR attributes');
  outer.end('CSR attributes');
  const attributes: CsrAttribute[] = [];
  while (!list.done) {
    if (attributes.length >= MAX_ATTRIBUTES) throw list.fail(`more than ${MAX_ATTRIBUTES} CSR attributes`);
    if (list.peek() === TAG.objectIdentifier) {
      attributes.push(list.objectIdentifier('CSR attribute'));
      continue;
    }
    const attribute = list.sequence('CSR attribute');
    const type = attribute.objectIdentifier('attribute type');
    const set = attribute.open(TAG.set, 'attribute values');
    const values: Uint8Array[] = [];
    while (!set.done) {
      if (values.length >= MAX_ATTRIBUTES) throw set.fail(`more than ${MAX_ATTRIBUTES} values`);
      values.push(set.any('attribute value').raw);
    }
    attribute.end('CSR attribute');
    attributes.push({ type, values });
  }
  return attributes;
}

/** Most seconds that a server may send somebody away for; what asks for more is taken as this. */
const MAX_RETRY_AFTER = 7 * 86_400;

/**
 * Retry-After (§ 4.2.3; RFC 9110 § 10.2.3).
 * @param now for the form with a date
 * @returns seconds; `undefined` when the header is missing or says nothing
 */
export function readRetryAfter(header: string | undefined, now: Date): number | undefined {
  if (header === undefined) return undefined;
  const seconds = /^\d{1,12}$/.test(header) ? Number(header) : (Date.parse(header) - now.getTime()) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.min(Math.max(Math.ceil(seconds), 0), MAX_RETRY_AFTER);
}
