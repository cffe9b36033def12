/** OCSP requests (RFC 6960 § 4.1), built and read. Signatures of requesters are passed over. */
import { DerReader } from '../der-reader.ts';
import { context, TAG } from '../der-tags.ts';
import * as der from '../der-writer.ts';
import { PkiError } from '../error.ts';
import { encodeExtensionList, readExtensionList } from '../extension.ts';
import { OID } from '../oid.ts';
import { type CertId, encodeCertId, readCertId } from './cert-id.ts';

/** Largest request that is read, bytes, and most certificates in one. */
export const MAX_OCSP_REQUEST_BYTES = 16 * 1024;
const MAX_ASKED = 64;
/** RFC 9654 § 2.1. */
const MAX_NONCE = 128;

export interface OcspRequest {
  readonly asked: readonly CertId[];
  /** 1 to 128 octets that the answer repeats (RFC 9654); 32 random ones are a good choice. */
  readonly nonce?: Uint8Array;
}

/** @returns DER. @throws PkiError (fault caller) when nothing is asked or the nonce is too long */
export function buildOcspRequest({ asked, nonce }: OcspRequest): Uint8Array {
  if (asked.length === 0)
    throw new PkiError('caller', 'pki.ocsp', 'an OCSP request asks about one certificate at least');
  return der.sequence(
    der.sequence(
      der.sequence(...asked.map((id) => der.sequence(encodeCertId(id)))),
      ...(nonce ? [der.explicit(2, encodeExtensionList([nonceExtension(nonce)]))] : []),
    ),
  );
}

/** @throws PkiError (fault peer or unsupported) when the bytes are no request that can be answered */
export function parseOcspRequest(bytes: Uint8Array): OcspRequest {
  if (bytes.length > MAX_OCSP_REQUEST_BYTES) {
    throw new PkiError(
      'peer',
      'pki.size',
      `the OCSP request has ${bytes.length} bytes, at most ${MAX_OCSP_REQUEST_BYTES}`,
    );
  }
  const reader = new DerReader(bytes);
  const outer = reader.sequence('OCSP request');
  reader.end('OCSP request');
  const request = outer.sequence('what is asked');
  readVersion(request);
  if (request.peek() === context(1)) request.any('name of the requester');
  const list = request.sequence('list of what is asked');
  const asked: CertId[] = [];
  do {
    if (asked.length === MAX_ASKED) throw list.fail(`more than ${MAX_ASKED} certificates are asked about`);
    const single = list.sequence('what is asked');
    asked.push(readCertId(single));
    if (single.peek() === context(0)) single.any('extensions');
    single.end('what is asked');
  } while (!list.done);
  const nonce = readNonce(request.optional(2, 'extensions'));
  request.end('what is asked');
  if (outer.peek() === context(0)) outer.any('signature of the requester');
  outer.end('OCSP request');
  return nonce ? { asked, nonce } : { asked };
}

/** `[0] EXPLICIT INTEGER DEFAULT v1`. */
export function readVersion(reader: DerReader): void {
  const version = reader.optional(0, 'version');
  if (version && version.smallInteger('version') !== 0) throw reader.fail('the version is not 1');
  version?.end('version');
}

export function nonceExtension(nonce: Uint8Array): { oid: string; critical: boolean; value: Uint8Array } {
  if (nonce.length === 0 || nonce.length > MAX_NONCE) {
    throw new PkiError('caller', 'pki.ocsp', `a nonce has 1 to ${MAX_NONCE} octets, not ${nonce.length}`);
  }
  return { oid: OID.ocspNonce, critical: false, value: der.octetString(nonce) };
}

/** The nonce among the extensions of a request or response. @throws PkiError (fault unsupported) for a critical one unknown here */
export function readNonce(extensions: DerReader | undefined): Uint8Array | undefined {
  if (!extensions) return undefined;
  let nonce: Uint8Array | undefined;
  for (const { oid, critical, value } of readExtensionList(extensions)) {
    if (oid === OID.ocspNonce) {
      const inner = new DerReader(value);
      // Before RFC 8954 the octets stood there bare.
      nonce = value[0] === TAG.octetString ? inner.octetString('nonce') : value;
      if (nonce.length === 0 || nonce.length > MAX_NONCE) throw extensions.fail(`the nonce has ${nonce.length} octets`);
    } else if (critical) {
      throw new PkiError('unsupported', 'pki.ocsp', `the critical extension ${oid} is not understood here`);
    }
  }
  extensions.end('extensions');
  return nonce;
}
