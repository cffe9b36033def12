/** Identifier octets of the universal types (ITU-T X.680 § 8.4), constructed bit included where the type has it. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  objectIdentifier: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Identifier octet of [n] EXPLICIT or [n] IMPLICIT constructed. */
export const context = (n: number): number => 0xa0 | n;
/** Identifier octet of [n] IMPLICIT of a primitive type. */
export const contextPrimitive = (n: number): number => 0x80 | n;
