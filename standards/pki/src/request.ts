/** Certification requests, PKCS#10 (RFC 2986). */
import type { KeyObject } from 'node:crypto';
import { context, TAG } from './der-tags.ts';
import * as der from './der-writer.ts';
import { PkiError } from './error.ts';
import {
  type ExtensionSet,
  encodeExtensionList,
  encodeExtensions,
  readExtensionList,
  readExtensionSet,
} from './extension.ts';
import { encodeName, type Name, readName } from './name.ts';
import { OID } from './oid.ts';
import { publicKeyFrom, readSigned, type SignedObject, signedBy, signObject } from './signed.ts';
import type { Signer } from './signer.ts';

/** Largest request that is read, in bytes: there is room for evidence among the attributes. */
export const MAX_REQUEST_BYTES = 768 * 1024;

export interface CertificationRequest extends SignedObject {
  readonly subject: Name;
  readonly spki: Uint8Array;
  readonly publicKey: KeyObject;
  /** What the requester would like to see in the certificate; the authority decides. */
  readonly extensions: ExtensionSet;
  /** Text that proves something to the authority (RFC 2985 § 5.4.1); EST puts the channel binding here. */
  readonly challengePassword?: string;
  /** Attributes of other types, in the order in which they stand there. */
  readonly attributes: readonly RequestAttribute[];
}

export interface RequestAttribute {
  readonly type: string;
  /** DER of its one value. */
  readonly value: Uint8Array;
}

/** Asks for a certificate for the signer's key. @returns DER */
export function buildRequest(
  fields: {
    readonly subject: Name;
    readonly extensions?: ExtensionSet;
    readonly challengePassword?: string;
    readonly attributes?: readonly RequestAttribute[];
  },
  signer: Signer,
): Promise<Uint8Array> {
  const attribute = (type: string, value: Uint8Array) => der.sequence(der.objectIdentifier(type), der.setOf(value));
  const wished = fields.extensions ? encodeExtensions(fields.extensions) : [];
  const attributes = (fields.attributes ?? []).map(({ type, value }) => attribute(type, value));
  if (wished.length > 0) attributes.push(attribute(OID.extensionRequest, encodeExtensionList(wished)));
  if (fields.challengePassword !== undefined) {
    attributes.push(attribute(OID.challengePassword, der.utf8String(fields.challengePassword)));
  }
  const info = der.sequence(
    der.integer(0),
    encodeName(fields.subject),
    signer.publicKey.export({ type: 'spki', format: 'der' }),
    der.implicitConstructed(0, ...attributes.sort(Buffer.compare)),
  );
  return signObject(info, signer);
}

/**
 * Reads a request and checks that whoever made it has the private key.
 * @throws PkiError (fault peer) when it is malformed or its signature does not fit its own key
 */
export function parseRequest(bytes: Uint8Array): CertificationRequest {
  const { inner, ...signed } = readSigned(bytes, 'certification request', { max: MAX_REQUEST_BYTES });
  if (inner.smallInteger('version') !== 0) throw inner.fail('the version of the request is not 0');
  const subject = readName(inner);
  const spki = inner.take(TAG.sequence, 'public key').raw;
  const attributes = inner.open(context(0), 'attributes');
  let extensions: ExtensionSet = {};
  let challengePassword: string | undefined;
  const others: RequestAttribute[] = [];
  while (!attributes.done) {
    const attribute = attributes.sequence('attribute');
    const type = attribute.objectIdentifier('attribute type');
    const values = attribute.open(TAG.set, 'attribute values');
    if (type === OID.extensionRequest) {
      extensions = readExtensionSet(readExtensionList(values));
      values.end('extension request');
    } else if (type === OID.challengePassword) {
      challengePassword = values.string('challenge password');
      values.end('challenge password');
    } else {
      others.push({ type, value: values.any('attribute value').raw });
    }
    attribute.end('attribute');
  }
  inner.end('certification request');
  const request = {
    ...signed,
    subject,
    spki,
    publicKey: publicKeyFrom(spki),
    extensions,
    attributes: others,
    ...(challengePassword !== undefined && { challengePassword }),
  };
  if (!signedBy(request, request.publicKey)) {
    throw new PkiError('peer', 'pki.request', 'the request is not signed with the key it asks a certificate for');
  }
  return request;
}
