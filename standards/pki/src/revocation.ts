/** What is said about the revocation of a certificate, whoever says it: a list, a responder, a cache. */
import type { Certificate } from './certificate.ts';

/** CRLReason (RFC 5280 § 5.3.1); 7 is not used. */
export const REVOCATION_REASONS = {
  unspecified: 0,
  keyCompromise: 1,
  cACompromise: 2,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  certificateHold: 6,
  removeFromCRL: 8,
  privilegeWithdrawn: 9,
  aACompromise: 10,
} as const;
export type RevocationReason = keyof typeof REVOCATION_REASONS;

export const reasonOf = (code: number): RevocationReason | undefined =>
  (Object.keys(REVOCATION_REASONS) as RevocationReason[]).find((name) => REVOCATION_REASONS[name] === code);

export type RevocationStatus =
  | { readonly kind: 'good' }
  | { readonly kind: 'revoked'; readonly at: Date; readonly reason: RevocationReason }
  /** Nobody who may say so has said anything that is still current. */
  | { readonly kind: 'unknown'; readonly why: string };

/** Asked for each certificate of a path below the anchor. Answers from what is at hand; fetching is somebody else's work. */
export type RevocationCheck = (certificate: Certificate, issuer: Certificate, at: Date) => RevocationStatus;
