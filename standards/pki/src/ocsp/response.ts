import { type Certificate, parseCertificate } from '../certificate.ts';
import { DerReader } from '../der-reader.ts';
import { context, contextPrimitive, TAG } from '../der-tags.ts';
import * as der from '../der-writer.ts';
import { PkiError } from '../error.ts';
import { encodeExtensionList } from '../extension.ts';
import { commonNameOf } from '../name.ts';
import { OID } from '../oid.ts';
import { verifyCertificate } from '../path.ts';
import { REVOCATION_REASONS, type RevocationCheck, type RevocationStatus, reasonOf } from '../revocation.ts';
import { keyIdentifier, readSigned, type SignedObject, signedBy, signObject } from '../signed.ts';
import type { Signer } from '../signer.ts';
import { type CertId, certIdOf, encodeCertId, readCertId, sameCertId } from './cert-id.ts';
import { nonceExtension, readNonce, readVersion } from './request.ts';

/** Why a responder does not answer (§ 4.2.1). */
export const OCSP_FAILURES = {
  malformedRequest: 1,
  internalError: 2,
  tryLater: 3,
  sigRequired: 5,
  unauthorized: 6,
} as const;
export type OcspFailure = keyof typeof OCSP_FAILURES;

export interface SingleAnswer {
  readonly about: CertId;
  readonly status: RevocationStatus;
  readonly thisUpdate: Date;
  readonly nextUpdate?: Date;
}

export interface OcspAnswers {
  readonly answers: readonly SingleAnswer[];
  readonly producedAt: Date;
  readonly nonce?: Uint8Array;
  /** Certificate of the responder, when it is not the issuer itself. */
  readonly responder?: Certificate;
}

/** @returns DER of a response that carries no answer */
export const buildOcspFailure = (failure: OcspFailure): Uint8Array =>
  der.sequence(der.enumerated(OCSP_FAILURES[failure]));

/** Builds and signs. @param signer key of the issuer, or of the responder. @returns DER */
export async function buildOcspResponse(content: OcspAnswers, signer: Signer): Promise<Uint8Array> {
  const spki = signer.publicKey.export({ type: 'spki', format: 'der' });
  const data = der.sequence(
    // byKey
    der.explicit(2, der.octetString(keyIdentifier(spki))),
    der.generalizedTime(content.producedAt),
    der.sequence(...content.answers.map(encodeAnswer)),
    ...(content.nonce ? [der.explicit(1, encodeExtensionList([nonceExtension(content.nonce)]))] : []),
  );
  const certificates = content.responder ? [der.explicit(0, der.sequence(content.responder.der))] : [];
  const basic = await signObject(data, signer, ...certificates);
  const bytes = der.sequence(der.objectIdentifier(OID.ocspBasic), der.octetString(basic));
  return der.sequence(der.enumerated(0), der.explicit(0, bytes));
}

function encodeAnswer({ about, status, thisUpdate, nextUpdate }: SingleAnswer): Uint8Array {
  return der.sequence(
    encodeCertId(about),
    encodeStatus(status),
    der.generalizedTime(thisUpdate),
    ...(nextUpdate ? [der.explicit(0, der.generalizedTime(nextUpdate))] : []),
  );
}

function encodeStatus(status: RevocationStatus): Uint8Array {
  if (status.kind === 'good') return der.implicitPrimitive(0, new Uint8Array(0));
  if (status.kind === 'unknown') return der.implicitPrimitive(2, new Uint8Array(0));
  const reason = der.explicit(0, der.enumerated(REVOCATION_REASONS[status.reason]));
  return der.implicitConstructed(
    1,
    der.generalizedTime(status.at),
    ...(status.reason === 'unspecified' ? [] : [reason]),
  );
}

/** A response taken apart; nothing in it is believed yet. */
export interface ParsedOcspResponse extends SignedObject, OcspAnswers {
  /** Certificates that came with it. */
  readonly certificates: readonly Certificate[];
}

/** Most answers and certificates that are read. */
const MAX_LISTED = 64;

/**
 * Takes a response apart.
 * @throws PkiError (fault peer) `pki.ocsp.failure` when the responder did not answer, else for malformed bytes
 */
export function parseOcspResponse(bytes: Uint8Array): ParsedOcspResponse {
  const reader = new DerReader(bytes);
  const outer = reader.sequence('OCSP response');
  reader.end('OCSP response');
  const code = outer.enumerated('status of the response');
  if (code !== 0) {
    const name = (Object.keys(OCSP_FAILURES) as OcspFailure[]).find((each) => OCSP_FAILURES[each] === code);
    throw new PkiError('peer', 'pki.ocsp.failure', `the OCSP responder does not answer: ${name ?? `status ${code}`}`);
  }
  const wrapper = outer.open(context(0), 'response');
  outer.end('OCSP response');
  const body = wrapper.sequence('response');
  if (body.objectIdentifier('type of the response') !== OID.ocspBasic)
    throw body.fail('the response is not a basic one');
  const basic = body.octetString('response');
  body.end('response');
  wrapper.end('response');
  const certificates: Certificate[] = [];
  const readCertificates = (reader: DerReader) => {
    const list = reader.optional(0, 'certificates')?.sequence('certificates');
    while (list && !list.done) {
      if (certificates.length === MAX_LISTED) throw list.fail(`more than ${MAX_LISTED} certificates`);
      certificates.push(parseCertificate(list.take(TAG.sequence, 'certificate').raw));
    }
  };
  const { inner, ...signed } = readSigned(basic, 'OCSP response', { rest: readCertificates });
  readVersion(inner);
  // Who says it is found out by the signature, not by the name it gives.
  inner.any('responder');
  const producedAt = inner.time('time of production');
  const list = inner.sequence('answers');
  const answers: SingleAnswer[] = [];
  while (!list.done) {
    if (answers.length === MAX_LISTED) throw list.fail(`more than ${MAX_LISTED} answers`);
    answers.push(readAnswer(list.sequence('answer')));
  }
  const nonce = readNonce(inner.optional(1, 'extensions'));
  inner.end('OCSP response');
  return { ...signed, certificates, producedAt, answers, ...(nonce ? { nonce } : {}) };
}

function readAnswer(reader: DerReader): SingleAnswer {
  const about = readCertId(reader);
  const status = readStatus(reader);
  const thisUpdate = reader.time('thisUpdate');
  const next = reader.optional(0, 'nextUpdate');
  const nextUpdate = next?.time('nextUpdate');
  next?.end('nextUpdate');
  // Its extensions say more about the answer (archive cutoff and the like), nothing that would make it less.
  if (reader.peek() === context(1)) reader.any('extensions');
  reader.end('answer');
  return { about, status, thisUpdate, ...(nextUpdate ? { nextUpdate } : {}) };
}

function readStatus(reader: DerReader): RevocationStatus {
  const tag = reader.peek();
  if (tag === context(1)) {
    const info = reader.open(tag, 'revocation');
    const at = info.time('time of revocation');
    const reason = info.optional(0, 'reason');
    const code = reason?.enumerated('reason') ?? 0;
    reason?.end('reason');
    info.end('revocation');
    return { kind: 'revoked', at, reason: reasonOf(code) ?? 'unspecified' };
  }
  const { tag: found, contents } = reader.any('status');
  if (contents.length === 0 && found === contextPrimitive(0)) return { kind: 'good' };
  if (contents.length === 0 && found === contextPrimitive(2))
    return { kind: 'unknown', why: 'its responder does not know it' };
  throw reader.fail('the status of the certificate is none');
}

export interface OcspCheckOptions {
  readonly certificate: Certificate;
  readonly issuer: Certificate;
  readonly at: Date;
  /** The nonce of the request: the response must repeat it. */
  readonly nonce?: Uint8Array;
  /** How far the responder's clock may be ahead, ms; 300 000 when absent. */
  readonly skew?: number;
  /** How old an answer may be that does not say when the next one comes, ms; a day when absent. */
  readonly maxAge?: number;
  /** Whether the responder's own certificate was revoked; not asked when it says that nobody need ask (§ 4.2.2.2.1). */
  readonly revocation?: RevocationCheck;
}

/**
 * Checks a response and finds the answer about a certificate (§ 3.2).
 * @throws PkiError (fault peer): `pki.ocsp.failure`, `pki.ocsp.nonce`, `pki.ocsp.signer` when nobody signed it who may,
 * `pki.ocsp.answer` when it says nothing about the certificate, `pki.ocsp.stale` when it is not of now
 */
export function checkOcspResponse(bytes: Uint8Array, options: OcspCheckOptions): SingleAnswer {
  const { certificate, issuer, at, nonce, skew = 300_000, maxAge = 86_400_000 } = options;
  const name = commonNameOf(certificate.subject) ?? 'without a name';
  const refuse = (code: string, why: string) =>
    new PkiError('peer', `pki.ocsp.${code}`, `the OCSP response about the certificate of ${name} ${why}`);
  const response = parseOcspResponse(bytes);
  if (nonce && (!response.nonce || Buffer.compare(nonce, response.nonce) !== 0)) {
    throw refuse('nonce', 'does not answer this request: its nonce is another');
  }
  if (!isAuthorized(response, options))
    throw refuse('signer', 'is not signed by its issuer, nor by a responder it named');
  const wanted = (['sha1', 'sha256'] as const).map((hash) => certIdOf(certificate, issuer, hash));
  const answer = response.answers.find(({ about }) => wanted.some((id) => sameCertId(id, about)));
  if (!answer) throw refuse('answer', 'says nothing about it');
  const until = answer.nextUpdate ?? new Date(answer.thisUpdate.getTime() + maxAge);
  if (answer.thisUpdate.getTime() > at.getTime() + skew) throw refuse('stale', 'is of the future');
  if (at.getTime() > until.getTime() + skew) throw refuse('stale', `was good until ${until.toISOString()}`);
  return answer;
}

/** § 4.2.2.2: the issuer's own key, or one whose certificate the issuer signed directly for this purpose. */
function isAuthorized(response: ParsedOcspResponse, { issuer, at, revocation }: OcspCheckOptions): boolean {
  if (signedBy(response, issuer.publicKey)) return true;
  return response.certificates.some((responder) => {
    if (!responder.extensions.extKeyUsage?.includes(OID.ocspSigning)) return false;
    try {
      verifyCertificate(responder, issuer, at);
    } catch {
      return false;
    }
    const unasked = responder.extensionList.some(({ oid }) => oid === OID.ocspNoCheck);
    if (revocation && !unasked && revocation(responder, issuer, at).kind !== 'good') return false;
    return signedBy(response, responder.publicKey);
  });
}
