/** An OCSP responder without its socket: bytes of a request in, bytes of a response out. */
import type { Certificate } from '../certificate.ts';
import { PkiError } from '../error.ts';
import type { RevocationStatus } from '../revocation.ts';
import type { Signer } from '../signer.ts';
import { certIdOf, sameCertId } from './cert-id.ts';
import { parseOcspRequest } from './request.ts';
import { buildOcspFailure, buildOcspResponse, type SingleAnswer } from './response.ts';

export interface OcspResponderOptions {
  readonly issuer: Certificate;
  /** Key of the issuer, or of `responder`. */
  readonly signer: Signer;
  /** Certificate of the key when it is not the issuer's: issued by it for OCSP signing. */
  readonly responder?: Certificate;
  /** What is known about a certificate of the issuer. @param serialNumber contents of the INTEGER */
  readonly statusOf: (serialNumber: Uint8Array) => RevocationStatus;
  readonly now: () => Date;
  /** How long an answer is good, ms. */
  readonly validFor: number;
}

/** Media types of requests and responses over HTTP (RFC 6960 appendix A). */
export const OCSP_REQUEST_TYPE = 'application/ocsp-request';
export const OCSP_RESPONSE_TYPE = 'application/ocsp-response';

/** Answers a request; never throws at the requester, who gets a failure of the protocol instead. @returns DER */
export async function answerOcsp(request: Uint8Array, options: OcspResponderOptions): Promise<Uint8Array> {
  const { issuer, statusOf, now, validFor, responder, signer } = options;
  try {
    const { asked, nonce } = parseOcspRequest(request);
    const thisUpdate = now();
    const nextUpdate = new Date(thisUpdate.getTime() + validFor);
    const answers = asked.map((about): SingleAnswer | undefined => {
      const ours = sameCertId(about, certIdOf(about, issuer, about.hash));
      return ours ? { about, status: statusOf(about.serialNumber), thisUpdate, nextUpdate } : undefined;
    });
    // § 2.3: not about certificates of others.
    if (answers.includes(undefined)) return buildOcspFailure('unauthorized');
    return await buildOcspResponse(
      {
        answers: answers as SingleAnswer[],
        producedAt: thisUpdate,
        ...(nonce ? { nonce } : {}),
        ...(responder ? { responder } : {}),
      },
      signer,
    );
  } catch (error) {
    return buildOcspFailure(error instanceof PkiError && error.fault === 'peer' ? 'malformedRequest' : 'internalError');
  }
}
