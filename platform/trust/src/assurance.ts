/**
 * What an authority knew when it issued a certificate, as certificate policies in it, and the gate through which evidence
 * comes before it issues.
 */
import { createHash } from 'node:crypto';
import type { Certificate } from '@enerchain/pki';
import { type CborValue, CborWriter } from './cbor.ts';
import type { Holder } from './role.ts';

/** Under an arc of our own (ITU-T X.667: 2.25 and a UUID). */
export const ARC = '2.25.130376884001152386086970942247454383383';
export const ASSURANCE_POLICY = {
  /** The node has shown evidence of its state that was found good. */
  evidence: `${ARC}.1`,
  /** Nobody has looked at the state of the node. */
  unattested: `${ARC}.2`,
  /** The key was seen inside a TPM. */
  tpm: `${ARC}.3`,
} as const;
/** Attribute of a request by EST (RFC 2986) that carries evidence: OCTET STRING. */
export const EVIDENCE_ATTRIBUTE = `${ARC}.4`;
export type Assurance = keyof typeof ASSURANCE_POLICY;

export const assuranceOf = ({ extensions }: Pick<Certificate, 'extensions'>): Assurance[] =>
  (Object.keys(ASSURANCE_POLICY) as Assurance[]).filter((name) =>
    extensions.certificatePolicies?.some(({ oid }) => oid === ASSURANCE_POLICY[name]),
  );

/** Evidence that came with a request. */
export interface EvidenceToJudge {
  readonly holder: Holder;
  /** PKCS#10, DER; its proof of possession was checked. */
  readonly request: Uint8Array;
  readonly evidence: Uint8Array;
  /** What the evidence must be bound to: `enrolmentBinding` of this channel and this key. */
  readonly binding: Uint8Array;
}

/** Judges evidence before a certificate is issued. What it throws counts as not ok. */
export type EvidenceGate = (ask: EvidenceToJudge) => Promise<{ readonly ok: boolean; readonly text: string }>;

/**
 * Binds evidence to one request on one TLS channel: SHA-256 over the CBOR array of a label, the exporter, name and role, and
 * the public key. No nonce is needed: the exporter is new with every channel.
 * @param exporter 32 octets, of this channel (`exporterOf`)
 * @param spki SubjectPublicKeyInfo of the request
 */
export function enrolmentBinding(exporter: Uint8Array, holder: Holder, spki: Uint8Array): Uint8Array {
  const writer = new CborWriter();
  const fields: CborValue = ['enerchain-enrolment', exporter, holder.name, holder.role, spki];
  writer.value(fields);
  return createHash('sha256').update(writer.finish()).digest();
}
