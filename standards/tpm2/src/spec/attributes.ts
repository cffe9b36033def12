/** Attribute words of TPM 2.0 Library rev 1.59 Part 2 as data: name → bit. */

/** TPMA_OBJECT (§ 8.3). */
export const OBJECT_ATTRIBUTES = {
  fixedTPM: 1,
  stClear: 2,
  fixedParent: 4,
  sensitiveDataOrigin: 5,
  userWithAuth: 6,
  adminWithPolicy: 7,
  noDA: 10,
  encryptedDuplication: 11,
  restricted: 16,
  decrypt: 17,
  sign: 18,
  x509sign: 19,
} as const;
export type ObjectAttribute = keyof typeof OBJECT_ATTRIBUTES;

/** TPMA_SESSION (§ 8.4). */
export const SESSION_ATTRIBUTES = {
  continueSession: 0,
  auditExclusive: 1,
  auditReset: 2,
  decrypt: 5,
  encrypt: 6,
  audit: 7,
} as const;
export type SessionAttribute = keyof typeof SESSION_ATTRIBUTES;

/** TPMA_NV (§ 13.4). Bits 4 to 7 are the type of the index (TPM_NT, § 13.2). */
export const NV_ATTRIBUTES = {
  ppWrite: 0,
  ownerWrite: 1,
  authWrite: 2,
  policyWrite: 3,
  policyDelete: 10,
  writeLocked: 11,
  writeAll: 12,
  writeDefine: 13,
  writeStClear: 14,
  globalLock: 15,
  ppRead: 16,
  ownerRead: 17,
  authRead: 18,
  policyRead: 19,
  noDA: 25,
  orderly: 26,
  clearStClear: 27,
  readLocked: 28,
  written: 29,
  platformCreate: 30,
  readStClear: 31,
} as const;
export type NvAttribute = keyof typeof NV_ATTRIBUTES;

/** TPM_NT (§ 13.2). */
export const NV_TYPES = { ordinary: 0, counter: 1, bits: 2, extend: 4, pinFail: 8, pinPass: 9 } as const;
export type NvType = keyof typeof NV_TYPES;

/** Names of the bits that are set, in the order of the bits; `undefined` when a reserved one is. */
export function attributesOf<A extends string>(
  table: Readonly<Record<A, number>>,
  word: number,
): readonly A[] | undefined {
  let left = word >>> 0;
  const names: A[] = [];
  for (const name in table) {
    const bit = (1 << table[name]) >>> 0;
    if (!(left & bit)) continue;
    left = (left & ~bit) >>> 0;
    names.push(name);
  }
  return left === 0 ? names : undefined;
}

export const attributeWord = <A extends string>(table: Readonly<Record<A, number>>, names: readonly A[]): number =>
  names.reduce((word, name) => word | (1 << table[name]), 0) >>> 0;
