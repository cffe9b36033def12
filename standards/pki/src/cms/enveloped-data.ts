/**
 * EnvelopedData (RFC 5652 § 6) with AES-CBC and AuthEnvelopedData (RFC 5083) with AES-GCM (RFC 5084), for recipients with
 * keys on elliptic curves.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Certificate } from '../certificate.ts';
import { DerReader } from '../der-reader.ts';
import { context, contextPrimitive, TAG } from '../der-tags.ts';
import * as der from '../der-writer.ts';
import { PkiError } from '../error.ts';
import {
  type AlgorithmIdentifier,
  algorithmIdentifier,
  contentInfo,
  encodeAttributes,
  readAlgorithmIdentifier,
  readAll,
  readAttributes,
  readContentInfo,
  retagged,
  singleValue,
} from './content-info.ts';
import {
  cannotOpen,
  type KeyAgreement,
  type KeyAgreeRecipient,
  keyAgreeRecipient,
  type RecipientOptions,
  readRecipient,
  unwrapFor,
} from './key-agreement.ts';
import { CMS_OID } from './oid.ts';

const CIPHERS = {
  'aes-128-cbc': { oid: CMS_OID.aes128Cbc, key: 16 },
  'aes-192-cbc': { oid: CMS_OID.aes192Cbc, key: 24 },
  'aes-256-cbc': { oid: CMS_OID.aes256Cbc, key: 32 },
  'aes-128-gcm': { oid: CMS_OID.aes128Gcm, key: 16 },
  'aes-192-gcm': { oid: CMS_OID.aes192Gcm, key: 24 },
  'aes-256-gcm': { oid: CMS_OID.aes256Gcm, key: 32 },
} as const;
/** Names as node:crypto has them. */
export type ContentCipher = keyof typeof CIPHERS;
type GcmCipher = Extract<ContentCipher, `${string}gcm`>;

const isGcm = (cipher: ContentCipher): cipher is GcmCipher => cipher.endsWith('gcm');
const TAG_BYTES = 16;

export interface EnvelopeFields extends RecipientOptions {
  /** Object identifier of what the content is; by default `data`. */
  readonly contentType?: string;
  readonly content: Uint8Array;
  readonly recipients: readonly Certificate[];
  /** By default AES-256-GCM. With CBC nobody notices a change: sign what is inside, or better take GCM. */
  readonly cipher?: ContentCipher;
}

/** Seals content for the holders of certificates. @returns DER of a ContentInfo */
export function buildEnvelope(fields: EnvelopeFields): Uint8Array {
  const { content, recipients, contentType = CMS_OID.data, cipher = 'aes-256-gcm' } = fields;
  if (recipients.length === 0) throw new PkiError('caller', 'pki.cms.recipient', 'an envelope needs a recipient');
  const { oid, key: size } = CIPHERS[cipher];
  const key = randomBytes(size);
  const recipientInfos = der.setOf(...recipients.map((each) => keyAgreeRecipient(each, key, fields)));
  const iv = randomBytes(isGcm(cipher) ? 12 : 16);
  const encrypted = (parameters: Uint8Array, octets: Uint8Array) =>
    der.sequence(
      der.objectIdentifier(contentType),
      algorithmIdentifier(oid, parameters),
      der.implicitPrimitive(0, octets),
    );
  if (!isGcm(cipher)) {
    const cbc = createCipheriv(cipher, key, iv);
    const octets = Buffer.concat([cbc.update(content), cbc.final()]);
    return contentInfo(
      CMS_OID.envelopedData,
      der.sequence(der.integer(2), recipientInfos, encrypted(der.octetString(iv), octets)),
    );
  }
  // RFC 5083 § 2.2: attributes are needed where the content is no plain data.
  const attributes =
    contentType === CMS_OID.data
      ? undefined
      : encodeAttributes([{ type: CMS_OID.contentType, values: [der.objectIdentifier(contentType)] }]);
  const gcm = createCipheriv(cipher, key, iv, { authTagLength: TAG_BYTES });
  if (attributes) gcm.setAAD(attributes);
  const octets = Buffer.concat([gcm.update(content), gcm.final()]);
  return contentInfo(
    CMS_OID.authEnvelopedData,
    der.sequence(
      der.integer(0),
      recipientInfos,
      encrypted(der.sequence(der.octetString(iv), der.integer(TAG_BYTES)), octets),
      ...(attributes ? [retagged(context(1), attributes)] : []),
      der.octetString(gcm.getAuthTag()),
    ),
  );
}

export interface Envelope {
  /** What the content is. */
  readonly contentType: string;
  readonly recipients: readonly KeyAgreeRecipient[];
  readonly algorithm: AlgorithmIdentifier;
  readonly encrypted: Uint8Array;
  /** Of AuthEnvelopedData. */
  readonly authentication?: { readonly tag: Uint8Array; readonly attributes?: Uint8Array };
}

/** Reads; nothing is decrypted yet. @throws PkiError (fault peer) when the bytes are neither of the two in DER */
export function parseEnvelope(bytes: Uint8Array): Envelope {
  const info = readContentInfo(bytes);
  const authenticated = info.contentType === CMS_OID.authEnvelopedData;
  if (!authenticated && info.contentType !== CMS_OID.envelopedData) {
    throw new PkiError('peer', 'pki.cms.type', `the message is of type ${info.contentType}, not an envelope`);
  }
  const inner = info.content.sequence('envelope');
  info.content.end('ContentInfo');
  const version = inner.smallInteger('version');
  if (authenticated ? version !== 0 : version > 4) throw inner.fail(`version ${version} of the envelope is not known`);
  inner.optional(0, 'originator information');
  const recipients = readAll(inner.open(TAG.set, 'recipients'), 'recipients', readRecipient);
  const content = inner.sequence('encrypted content');
  const contentType = content.objectIdentifier('content type');
  const algorithm = readAlgorithmIdentifier(content, 'content encryption');
  const encrypted = readEncrypted(content);
  content.end('encrypted content');
  const attributes = readAttributes(inner, 1, authenticated ? 'authenticated attributes' : 'unprotected attributes');
  const tag = authenticated ? inner.octetString('message authentication code') : undefined;
  if (authenticated) readAttributes(inner, 2, 'unauthenticated attributes');
  inner.end('envelope');
  if (authenticated && contentType !== CMS_OID.data) {
    const named = attributes && singleValue(attributes.list, CMS_OID.contentType, 'content type');
    if (named?.objectIdentifier('content type') !== contentType)
      throw inner.fail('the content type is not authenticated');
  }
  return {
    contentType,
    recipients: recipients.filter((each) => each !== undefined),
    algorithm,
    encrypted,
    ...(tag && { authentication: { tag, ...(attributes && { attributes: attributes.set }) } }),
  };
}

/** [0] IMPLICIT OCTET STRING; in pieces, it is what `derFromBer` leaves of a streaming writer. */
function readEncrypted(reader: DerReader): Uint8Array {
  if (reader.peek() !== context(0)) return reader.take(contextPrimitive(0), 'content').contents;
  const inner = reader.open(context(0), 'content');
  const pieces: Uint8Array[] = [];
  while (!inner.done) pieces.push(inner.octetString('piece'));
  return Buffer.concat(pieces);
}

export interface OpenedEnvelope {
  readonly contentType: string;
  readonly content: Uint8Array;
  readonly cipher: ContentCipher;
  /** Whether a change would have been noticed (AES-GCM). It says nothing about who sealed it: anybody can. */
  readonly authenticated: boolean;
}

/**
 * Opens an envelope.
 * @param certificate the one that it was sealed for
 * @throws PkiError `pki.cms.recipient` when it is for others, `pki.cms.open` when it cannot be opened (fault peer),
 *   `pki.algorithm` (fault unsupported)
 */
export async function openEnvelope(
  envelope: Envelope,
  certificate: Certificate,
  holder: KeyAgreement,
): Promise<OpenedEnvelope> {
  const { algorithm, authentication, contentType, encrypted } = envelope;
  const cipher = (Object.keys(CIPHERS) as ContentCipher[]).find((name) => CIPHERS[name].oid === algorithm.oid);
  if (!cipher || isGcm(cipher) !== (authentication !== undefined) || !algorithm.parameters) {
    throw new PkiError('unsupported', 'pki.algorithm', `the content encryption ${algorithm.oid} is not known here`);
  }
  const key = await unwrapFor(envelope.recipients, certificate, holder);
  if (!key) throw new PkiError('peer', 'pki.cms.recipient', 'the envelope is for others');
  if (key.length !== CIPHERS[cipher].key) throw cannotOpen();
  const parameters = new DerReader(algorithm.parameters);
  if (!isGcm(cipher) || !authentication) {
    const iv = parameters.octetString('initialization vector');
    if (iv.length !== 16) throw parameters.fail('the initialization vector has not 16 octets');
    const content = finish(() => {
      const cbc = createDecipheriv(cipher, key, iv);
      return Buffer.concat([cbc.update(encrypted), cbc.final()]);
    });
    return { contentType, content, cipher, authenticated: false };
  }
  const inner = parameters.sequence('GCM parameters');
  const nonce = inner.octetString('nonce');
  const tagBytes = inner.done ? 12 : inner.smallInteger('length of the tag');
  inner.end('GCM parameters');
  // RFC 5084 § 3.2: 12 to 16; the tag must have the length that was announced, or a short one could be guessed.
  const { tag, attributes } = authentication;
  if (tagBytes < 12 || tagBytes > 16 || tag.length !== tagBytes || nonce.length === 0) throw cannotOpen();
  const content = finish(() => {
    const gcm = createDecipheriv(cipher, key, nonce, { authTagLength: tagBytes });
    if (attributes) gcm.setAAD(attributes);
    gcm.setAuthTag(tag);
    return Buffer.concat([gcm.update(encrypted), gcm.final()]);
  });
  return { contentType, content, cipher, authenticated: true };
}

function finish(decrypt: () => Uint8Array): Uint8Array {
  try {
    return decrypt();
  } catch (cause) {
    throw cannotOpen(cause);
  }
}
