/** Causes of transmission, IEC 60870-5-101 § 7.2.3 (number → short name of the standard and its meaning). */
export const CAUSES = {
  1: ['per/cyc', 'periodic, cyclic'],
  2: ['back', 'background scan'],
  3: ['spont', 'spontaneous'],
  4: ['init', 'initialised'],
  5: ['req', 'request or requested'],
  6: ['act', 'activation'],
  7: ['actcon', 'activation confirmation'],
  8: ['deact', 'deactivation'],
  9: ['deactcon', 'deactivation confirmation'],
  10: ['actterm', 'activation termination'],
  11: ['retrem', 'return information caused by a remote command'],
  12: ['retloc', 'return information caused by a local command'],
  13: ['file', 'file transfer'],
  14: ['auth', 'authentication'],
  15: ['seskey', 'maintenance of authentication session key'],
  16: ['usrkey', 'maintenance of user role and update key'],
  20: ['inrogen', 'interrogated by station interrogation'],
  21: ['inro1', 'interrogated by group 1 interrogation'],
  22: ['inro2', 'interrogated by group 2 interrogation'],
  23: ['inro3', 'interrogated by group 3 interrogation'],
  24: ['inro4', 'interrogated by group 4 interrogation'],
  25: ['inro5', 'interrogated by group 5 interrogation'],
  26: ['inro6', 'interrogated by group 6 interrogation'],
  27: ['inro7', 'interrogated by group 7 interrogation'],
  28: ['inro8', 'interrogated by group 8 interrogation'],
  29: ['inro9', 'interrogated by group 9 interrogation'],
  30: ['inro10', 'interrogated by group 10 interrogation'],
  31: ['inro11', 'interrogated by group 11 interrogation'],
  32: ['inro12', 'interrogated by group 12 interrogation'],
  33: ['inro13', 'interrogated by group 13 interrogation'],
  34: ['inro14', 'interrogated by group 14 interrogation'],
  35: ['inro15', 'interrogated by group 15 interrogation'],
  36: ['inro16', 'interrogated by group 16 interrogation'],
  37: ['reqcogen', 'requested by general counter request'],
  38: ['reqco1', 'requested by group 1 counter request'],
  39: ['reqco2', 'requested by group 2 counter request'],
  40: ['reqco3', 'requested by group 3 counter request'],
  41: ['reqco4', 'requested by group 4 counter request'],
  44: ['unknown type', 'unknown type identification'],
  45: ['unknown cause', 'unknown cause of transmission'],
  46: ['unknown CA', 'unknown common address of ASDU'],
  47: ['unknown IOA', 'unknown information object address'],
} as const satisfies Record<number, readonly [string, string]>;

/** The causes that code has to name. */
export const COT = {
  periodic: 1,
  background: 2,
  spontaneous: 3,
  initialised: 4,
  request: 5,
  activation: 6,
  activationConfirmation: 7,
  deactivation: 8,
  deactivationConfirmation: 9,
  activationTermination: 10,
  returnRemote: 11,
  returnLocal: 12,
  file: 13,
  interrogatedByStation: 20,
  requestedByGeneralCounter: 37,
  unknownType: 44,
  unknownCause: 45,
  unknownCommonAddress: 46,
  unknownObjectAddress: 47,
} as const;

/** The short name of a cause, `cause 17` for numbers the standard reserves. */
export function causeName(cause: number): string {
  return (CAUSES as Record<number, readonly [string, string]>)[cause]?.[0] ?? `cause ${cause}`;
}

/** The meaning of a cause in words. */
export function causeText(cause: number): string {
  return (CAUSES as Record<number, readonly [string, string]>)[cause]?.[1] ?? `reserved cause ${cause}`;
}
