/** Handles of TPM 2.0 Library rev 1.59 Part 2 § 7, and the reserved ones of the TCG registry and EK profile as data. */

/** TPM_HT (§ 7.2): the most significant octet. */
export const HANDLE_TYPES = {
  pcr: 0x00,
  nvIndex: 0x01,
  hmacSession: 0x02,
  policySession: 0x03,
  permanent: 0x40,
  transient: 0x80,
  persistent: 0x81,
} as const;

/** TPM_RH (§ 7.4). */
export const HANDLES = {
  owner: 0x40000001,
  null: 0x40000007,
  /** TPM_RS_PW: authorisation by a password in the clear. */
  password: 0x40000009,
  lockout: 0x4000000a,
  endorsement: 0x4000000b,
  platform: 0x4000000c,
} as const;
export type Hierarchy = 'owner' | 'null' | 'endorsement' | 'platform';

/** NV indices of the TCG EK Credential Profile 2.5 § 2.2.1.4 and § 2.2.1.5. */
export const EK_NV = {
  rsa2048Certificate: 0x01c00002,
  rsa2048Nonce: 0x01c00003,
  rsa2048Template: 0x01c00004,
  eccP256Certificate: 0x01c0000a,
  eccP256Nonce: 0x01c0000b,
  eccP256Template: 0x01c0000c,
  /** High range: no nonce, no template. */
  rsa2048HighCertificate: 0x01c00012,
  eccP256HighCertificate: 0x01c00014,
  eccP384HighCertificate: 0x01c00016,
  eccP521HighCertificate: 0x01c00018,
  rsa3072HighCertificate: 0x01c0001c,
  rsa4096HighCertificate: 0x01c0001e,
} as const;

/** Persistent handles (TCG Registry of Reserved TPM 2.0 Handles § 2.3.1): SRK, EKs; owner objects begin at 0x81000000. */
export const PERSISTENT = {
  first: 0x81000000,
  srk: 0x81000001,
  rsaEk: 0x81010001,
  eccEk: 0x81010002,
  last: 0x817fffff,
} as const;
