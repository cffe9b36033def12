/**
 * What enrolment with a TPM adds to a full request by CMC, as controls: the claim of a TPM, the credential that it is to open
 * (as the encrypted secret of RFC 5272 § 6.7), and the TPM's word about the identity's key (tcg-attest-tpm-certify of the TCG,
 * as in draft-ietf-lamps-csr-attestation).
 */
import { type CmsAttribute, cmc, DerReader, der, singleValue } from '@enerchain/pki';
import { ARC } from './assurance.ts';
import type { TpmAnswer, TpmChallenge, TpmClaim } from './enrolment-tpm.ts';

/** SEQUENCE { ek OCTET STRING, ak OCTET STRING, ekCertificate [0], identity [1] OCTET STRING OPTIONAL }; keys are TPMT_PUBLIC. */
export const TPM_CLAIM = `${ARC}.5`;
/** Type of content: SEQUENCE { idObject OCTET STRING, encryptedSecret OCTET STRING }, for TPM2_ActivateCredential. */
const TPM_CREDENTIAL = `${ARC}.6`;
/** SEQUENCE { TPMS_ATTEST OCTET STRING, TPMT_SIGNATURE OCTET STRING, TPMT_PUBLIC OCTET STRING OPTIONAL }. */
const TPM_CERTIFY = '2.23.133.20.1';

export function claimControl({ ek, ekCertificate, ak, identity }: TpmClaim): CmsAttribute {
  const optional = (n: number, bytes: Uint8Array | undefined) => (bytes ? [der.implicitPrimitive(n, bytes)] : []);
  const parts = [der.octetString(ek), der.octetString(ak), ...optional(0, ekCertificate), ...optional(1, identity)];
  return { type: TPM_CLAIM, values: [der.sequence(...parts)] };
}

/** @throws PkiError (fault peer) */
export function claimIn(controls: readonly CmsAttribute[]): TpmClaim | undefined {
  const inner = singleValue(controls, TPM_CLAIM, 'claim')?.sequence('claim of a TPM');
  if (!inner) return undefined;
  const [ek, ak] = [inner.octetString('endorsement key'), inner.octetString('attestation key')];
  const optional = (n: number) => (inner.peek() === (0x80 | n) ? inner.any('claim of a TPM').contents : undefined);
  const claim = { ek, ak, ekCertificate: optional(0), identity: optional(1) };
  inner.end('claim of a TPM');
  return claim;
}

/** @param request DER of the TaggedRequest that it is about */
export const challengeControls = (
  { idObject, encryptedSecret, witness, nonce }: TpmChallenge,
  request: { readonly bodyPartId: number; readonly der: Uint8Array },
): CmsAttribute[] => [
  cmc.statusControl(cmc.CMC_STATUS.popRequired, [request.bodyPartId]),
  cmc.encryptedPopControl({
    request: request.der,
    contentType: TPM_CREDENTIAL,
    content: der.sequence(der.octetString(idObject), der.octetString(encryptedSecret)),
    witness,
  }),
  cmc.nonceControl('senderNonce', nonce),
];

/** @returns `undefined` for an answer that asks for something else. @throws PkiError (fault peer) */
export function challengeIn(
  controls: readonly CmsAttribute[],
): (TpmChallenge & { readonly request: Uint8Array }) | undefined {
  const pop = cmc.encryptedPopIn(controls);
  const nonce = cmc.nonceIn(controls, 'senderNonce');
  if (!pop || !nonce || pop.contentType !== TPM_CREDENTIAL) return undefined;
  const outer = new DerReader(pop.content);
  const inner = outer.sequence('credential');
  outer.end('credential');
  const [idObject, encryptedSecret] = [inner.octetString('credential'), inner.octetString('secret')];
  inner.end('credential');
  return { idObject, encryptedSecret, witness: pop.witness, nonce, request: pop.request };
}

export const answerControls = ({ nonce, proof, certified }: TpmAnswer): CmsAttribute[] => [
  cmc.decryptedPopControl(cmc.REQUEST_PART, proof),
  cmc.nonceControl('recipientNonce', nonce),
  ...(certified
    ? [
        {
          type: TPM_CERTIFY,
          values: [der.sequence(der.octetString(certified.attest), der.octetString(certified.signature))],
        },
      ]
    : []),
];

/** @returns `undefined` where there is no answer. @throws PkiError (fault peer) */
export function answerIn(controls: readonly CmsAttribute[]): TpmAnswer | undefined {
  const proof = cmc.decryptedPopIn(controls);
  const nonce = cmc.nonceIn(controls, 'recipientNonce');
  if (!proof || !nonce) return undefined;
  const inner = singleValue(controls, TPM_CERTIFY, 'certification')?.sequence('certification');
  if (!inner) return { nonce, proof };
  const certified = { attest: inner.octetString('certification'), signature: inner.octetString('signature') };
  // The public part of the key came with the claim.
  if (!inner.done) inner.octetString('public key');
  inner.end('certification');
  return { nonce, proof, certified };
}
