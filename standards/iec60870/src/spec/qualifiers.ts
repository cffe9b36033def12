/** Quality descriptor bits as on the wire, IEC 60870-5-101 § 7.2.6.1 to 7.2.6.4. */
export const QUALITY = {
  /** Overflow (QDS only). */ overflow: 0x01,
  /** Elapsed time invalid (SEP and QDP only). */ elapsedTimeInvalid: 0x08,
  /** Blocked for transmission. */ blocked: 0x10,
  /** Substituted. */ substituted: 0x20,
  /** Not topical. */ notTopical: 0x40,
  /** Invalid. */ invalid: 0x80,
} as const;

/** Flags beside a binary counter reading, § 7.2.6.9, bits as on the wire. */
export const COUNTER = { carry: 0x20, adjusted: 0x40, invalid: 0x80 } as const;

/** Double-point information, § 7.2.6.2. */
export const DOUBLE_POINT = { intermediate: 0, off: 1, on: 2, indeterminate: 3 } as const;

/** Regulating step command, § 7.2.6.17. */
export const STEP_COMMAND = { lower: 1, higher: 2 } as const;

/** Qualifier of command QU, § 7.2.6.26. */
export const QU = { none: 0, shortPulse: 1, longPulse: 2, persistent: 3 } as const;

/** Qualifier of interrogation QOI, § 7.2.6.22: 20 = station, 21 to 36 = groups 1 to 16. */
export const QOI = { station: 20, group1: 21, group16: 36 } as const;

/** Request field RQT of the counter interrogation qualifier QCC, § 7.2.6.23. */
export const COUNTER_REQUEST = { group1: 1, group2: 2, group3: 3, group4: 4, general: 5 } as const;

/** Freeze field FRZ of QCC. */
export const FREEZE = { read: 0, freeze: 1, freezeAndReset: 2, reset: 3 } as const;

/** Qualifier of reset process QRP, § 7.2.6.27. */
export const QRP = { general: 1, timeTaggedEvents: 2 } as const;

/** Cause of initialisation COI, § 7.2.6.21. */
export const COI = { localPowerOn: 0, localManualReset: 1, remoteReset: 2 } as const;

/** Kind of parameter KPA in the qualifier QPM, § 7.2.6.24. */
export const PARAMETER_KIND = { threshold: 1, smoothing: 2, lowLimit: 3, highLimit: 4 } as const;

/** Qualifier of parameter activation QPA, § 7.2.6.25. */
export const QPA = { loadedParameters: 1, parameterOfObject: 2, cyclicTransmission: 3 } as const;

/** The fixed test bit pattern FBP of C_TS_NA_1, § 7.2.6.14. */
export const FIXED_TEST_PATTERN = 0x55aa;
