/**
 * Numbers of the Trusted Attestation Protocol: TCG "TAP Information Model for TPM 1.2/2.0 and DICE 1.0" v1.00 r0.36, as the
 * public CHARRA attester puts it into CBOR. What the private range of element ids holds is ours alone.
 */

/** Version of the information model, as it stands on the wire: major, minor, revision. */
export const TAP_VERSION = 0x02_02_00;

/** Information elements. */
export const IE = {
  akCertificate: 0x01,
  tpm2ExplicitAttestation: 0x02,
  pcrLog: 0x05,
  freshness: 0x06,
  pcrAttestation: 0x09,
  diceAttestation: 0x0d,
  /** Ours: evidence of `@enerchain/attestation`, with everything its appraisal needs. */
  evidence: 0x8001,
  /** Ours: a signed attestation result. */
  result: 0x8002,
  /** Ours: what the evidence is bound to, SHA-256. */
  binding: 0x8003,
} as const;

/** Kind of a PCR attestation: TPMS_ATTEST of TPM2_Quote and its TPMT_SIGNATURE. */
export const TPM2_QUOTE = 4;

/** TPM_ALG_ID of the hash algorithms in PCR selections (TCG Algorithm Registry § 6.10). */
export const TCG_HASH = { sha1: 0x04, sha256: 0x0b, sha384: 0x0c, sha512: 0x0d, sm3: 0x12 } as const;

/** Logs that an attester may add. */
export const LOG_IDS = ['ima', 'tcg-boot'] as const;
export type LogId = (typeof LOG_IDS)[number];

/** Bounds of what is read, whoever sent it. */
export const TAP_LIMITS = {
  keyId: 128,
  /** TPM2B_DATA holds no more than the largest digest plus its algorithm; 64 suffice for SHA-512. */
  nonce: 64,
  selections: 8,
  pcrs: 32,
  logs: 4,
  /** TPMS_ATTEST and TPMT_SIGNATURE of any algorithm there is. */
  attest: 2048,
  signature: 2048,
  /** One log; an IMA list grows for as long as the machine runs. */
  log: 4 << 20,
  logsTotal: 8 << 20,
  /** A TPM's event log and IMA list go along when the verifier does not know them yet. */
  evidence: 4 << 20,
  result: 64 << 10,
  elements: 16,
} as const;
