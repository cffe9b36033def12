/** Verification of TPM2_Certify (Part 3 § 18.2) and TPM2_CertifyCreation (§ 18.3) in software. */
import type { ObjectAttribute } from '../spec/attributes.ts';
import { objectName, type TpmPublic } from '../structures/public.ts';
import { type AttestationInput, checkAttestation, Findings, same, type Verdict, verdict } from './attestation.ts';

export interface CertifyInput extends AttestationInput {
  /** Public area of the object that is said to be certified. */
  readonly object: TpmPublic;
  /** What the object has to be; by default a key that was made in a TPM and cannot leave it. */
  readonly attributes?: readonly ObjectAttribute[];
}

const MADE_IN_THE_TPM = ['fixedTPM', 'fixedParent', 'sensitiveDataOrigin'] as const;

/**
 * That the object was loaded in the TPM of the attestation key: binds an identity key to the machine that is attested.
 * The key itself is `toKeyObject(object)`; compare it with the one in the certificate or request.
 */
export function verifyCertify(input: CertifyInput): Verdict<'certify'> {
  const findings = new Findings();
  const { attest } = checkAttestation('certify', input, findings);
  checkObject(input, attest?.attested.name, findings);
  return verdict(findings, attest);
}

export interface CreationInput extends CertifyInput {
  /** Digest of the TPMS_CREATION_DATA by the object’s name algorithm, as TPM2_Create returned it. */
  readonly creationHash: Uint8Array;
}

/** That the object was created by this TPM with this creation data. */
export function verifyCreation(input: CreationInput): Verdict<'creation'> {
  const findings = new Findings();
  const { attest } = checkAttestation('creation', input, findings);
  checkObject(input, attest?.attested.objectName, findings);
  if (attest !== undefined && !same(attest.attested.creationHash, input.creationHash)) {
    findings.add('creationHash', 'the creation data is not that of this object');
  }
  return verdict(findings, attest);
}

function checkObject({ object, attributes }: CertifyInput, name: Uint8Array | undefined, findings: Findings): void {
  if (name !== undefined && (object.nameAlg === undefined || !same(name, objectName(object)))) {
    findings.add('name', 'the attestation is about another object');
  }
  const missing = (attributes ?? MADE_IN_THE_TPM).filter((each) => !object.attributes.includes(each));
  if (missing.length > 0) findings.add('objectAttributes', `the object is not ${missing.join(', not ')}`);
}
