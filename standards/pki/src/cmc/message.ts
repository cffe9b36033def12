/**
 * Messages of CMC (RFC 5272): requests that the holder of a certificate signs, and what is answered where the answer is no
 * certificate. Of the requests PKCS#10 alone; no messages within messages.
 */
import type { Certificate } from '../certificate.ts';
import { derFromBer } from '../cms/ber.ts';
import { type CmsAttribute, expectType, readAll, singleValue } from '../cms/content-info.ts';
import {
  buildSignedData,
  buildUnsignedData,
  type CmsSigner,
  parseSignedData,
  verifySignedData,
} from '../cms/signed-data.ts';
import { DerReader } from '../der-reader.ts';
import { context, TAG } from '../der-tags.ts';
import * as der from '../der-writer.ts';
import { PkiError } from '../error.ts';
import { type CertificationRequest, parseRequest } from '../request.ts';

export const CMC_OID = {
  // Content types: § 3.2.1, 3.2.2
  pkiData: '1.3.6.1.5.5.7.12.2',
  pkiResponse: '1.3.6.1.5.5.7.12.3',
  // Controls: § 6.1.1, 6.6, 6.7
  statusInfoV2: '1.3.6.1.5.5.7.7.25',
  senderNonce: '1.3.6.1.5.5.7.7.6',
  recipientNonce: '1.3.6.1.5.5.7.7.7',
  encryptedPop: '1.3.6.1.5.5.7.7.9',
  decryptedPop: '1.3.6.1.5.5.7.7.10',
} as const;

/** A request with its number in the message. */
export interface TaggedRequest {
  readonly bodyPartId: number;
  /** DER of the TaggedRequest. */
  readonly der: Uint8Array;
  readonly request: CertificationRequest;
}

/** What is asked for: one request, and what belongs to it. */
export interface PkiData {
  readonly controls: readonly CmsAttribute[];
  readonly tagged: TaggedRequest;
}

const TCR = 0;
/** bodyIdMax (§ 3.2.2). */
const MAX_BODY_PART = 0xffff_ffff;

/** The number of the request in messages that are made here; controls follow. */
export const REQUEST_PART = 1;

/** TaggedAttributes. */
const encodeControls = (controls: readonly CmsAttribute[]): Uint8Array =>
  der.sequence(
    ...controls.map(({ type, values }, i) =>
      der.sequence(der.integer(REQUEST_PART + 1 + i), der.objectIdentifier(type), der.setOf(...values)),
    ),
  );

function bodyPart(reader: DerReader): number {
  const id = reader.integer('body part', 5);
  if (id < 0n || id > MAX_BODY_PART) throw reader.fail('the number of a body part is beyond its bounds');
  return Number(id);
}

function readControls(reader: DerReader, seen: Set<number>): CmsAttribute[] {
  return readAll(reader.sequence('controls'), 'controls', (list) => {
    const control = list.sequence('control');
    once(bodyPart(control), seen, control);
    const type = control.objectIdentifier('control');
    const values = readAll(control.open(TAG.set, 'values'), 'values', (each) => each.any('value').raw);
    control.end('control');
    return { type, values };
  });
}

function once(id: number, seen: Set<number>, reader: DerReader): number {
  if (seen.has(id)) throw reader.fail(`the number ${id} stands for two parts`);
  seen.add(id);
  return id;
}

/** Neither messages within the message nor other things are read. */
function nothingMore(reader: DerReader, what: string): void {
  for (const part of ['messages within', 'other messages']) {
    if (!reader.sequence(part).done) {
      throw new PkiError('unsupported', 'pki.cmc.part', `the ${what} has ${part}, which are not read here`);
    }
  }
  reader.end(what);
}

/**
 * A full request (§ 3.2.1), signed.
 * @param request PKCS#10, DER. @param by whose certificate vouches for it. @returns DER of a ContentInfo
 */
export function buildFullRequest(
  request: Uint8Array,
  controls: readonly CmsAttribute[],
  by: CmsSigner & { readonly certificate: Certificate },
): Promise<Uint8Array> {
  const tagged = der.implicitConstructed(TCR, der.integer(REQUEST_PART), request);
  const content = der.sequence(encodeControls(controls), der.sequence(tagged), der.sequence(), der.sequence());
  return buildSignedData({ contentType: CMC_OID.pkiData, content, signers: [by] });
}

/** A full request whose signatures hold. */
export interface FullRequest extends PkiData {
  /** DER of the whole, as it was signed. */
  readonly der: Uint8Array;
  /** Whose key signed it; that it is to be believed is for the authority to check. */
  readonly signer: Certificate;
}

/** @throws PkiError `pki.cmc.*`, `pki.cms.*`, `pki.request` (fault peer), `pki.cmc.part` (fault unsupported) */
export function readFullRequest(bytes: Uint8Array): FullRequest {
  const message = derFromBer(bytes);
  const data = parseSignedData(message);
  expectType(data.contentType, CMC_OID.pkiData, 'PKIData');
  const [by, more] = verifySignedData(data);
  if (!by || more) throw new PkiError('peer', 'pki.cmc.signer', 'a full request has one who signs it');
  return { ...parsePkiData(data.content!), der: message, signer: by.certificate };
}

function parsePkiData(bytes: Uint8Array): PkiData {
  const outer = new DerReader(bytes);
  const inner = outer.sequence('PKIData');
  outer.end('PKIData');
  const seen = new Set<number>();
  const controls = readControls(inner, seen);
  const requests = inner.sequence('requests');
  if (requests.peek() !== context(TCR)) {
    throw new PkiError('unsupported', 'pki.cmc.request', 'the message has no request by PKCS#10');
  }
  const { raw, contents } = requests.any('request');
  if (!requests.done) throw new PkiError('unsupported', 'pki.cmc.request', 'the message has more than one request');
  const tcr = new DerReader(contents);
  const bodyPartId = once(bodyPart(tcr), seen, tcr);
  const request = parseRequest(tcr.take(TAG.sequence, 'PKCS#10').raw);
  tcr.end('request');
  nothingMore(inner, 'PKIData');
  return { controls, tagged: { bodyPartId, der: raw, request } };
}

/** CMCStatus (§ 6.1.1). */
export const CMC_STATUS = { success: 0, failed: 2, popRequired: 6 } as const;

/** What became of the parts of a request (CMCStatusInfoV2). */
export interface StatusInfo {
  readonly status: number;
  readonly text?: string;
}

/** @param bodyParts of the request; 0 stands for the whole of it */
export const statusControl = (status: number, bodyParts: readonly number[], text?: string): CmsAttribute => ({
  type: CMC_OID.statusInfoV2,
  values: [
    der.sequence(
      der.integer(status),
      der.sequence(...bodyParts.map((part) => der.integer(part))),
      ...(text === undefined ? [] : [der.utf8String(text)]),
    ),
  ],
});

/** @throws PkiError (fault peer) when there is none, or more than one */
export function statusIn(controls: readonly CmsAttribute[]): StatusInfo {
  const value = singleValue(controls, CMC_OID.statusInfoV2, 'status');
  if (!value) throw new PkiError('peer', 'pki.cmc.status', 'the answer says nothing of what became of the request');
  const inner = value.sequence('status');
  const status = inner.smallInteger('status');
  readAll(inner.sequence('body parts'), 'body parts', (each) => each.any('body part'));
  const text = inner.peek() === TAG.utf8String ? inner.string('status text') : undefined;
  return { status, ...(text !== undefined && { text }) };
}

/**
 * A full answer (§ 3.2.2). Nobody signs it: EST brings it over a channel that says whose it is.
 * @returns DER of a ContentInfo
 */
export const buildFullResponse = (controls: readonly CmsAttribute[]): Uint8Array =>
  buildUnsignedData(CMC_OID.pkiResponse, der.sequence(encodeControls(controls), der.sequence(), der.sequence()));

/** What comes back for a full request: certificates, or controls that say why there are none yet. */
export type FullAnswer =
  | { readonly kind: 'certificates'; readonly certificates: readonly Uint8Array[] }
  | { readonly kind: 'response'; readonly controls: readonly CmsAttribute[] };

/** Signatures of an answer are passed over. @throws PkiError (fault peer) */
export function readFullAnswer(bytes: Uint8Array): FullAnswer {
  const { contentType, content, certificates } = parseSignedData(derFromBer(bytes));
  if (contentType !== CMC_OID.pkiResponse) {
    if (certificates.length === 0) throw new PkiError('peer', 'pki.cmc.answer', 'the answer holds no certificate');
    return { kind: 'certificates', certificates };
  }
  const outer = new DerReader(content ?? new Uint8Array());
  const inner = outer.sequence('PKIResponse');
  outer.end('PKIResponse');
  const controls = readControls(inner, new Set());
  nothingMore(inner, 'PKIResponse');
  return { kind: 'response', controls };
}
