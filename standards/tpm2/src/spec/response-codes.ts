/**
 * TPM_RC (Part 2 § 6.6) as data, and how a code is taken apart: format 0 (an error or a warning of the TPM as a whole) and
 * format 1 (about a handle, a session or a parameter, with its number).
 */

/** Format 1 (§ 6.6.3 table 17, RC_FMT1 + n). */
// biome-ignore format: a table reads best as a table
const FORMAT_1: Readonly<Record<number, readonly [name: string, text: string]>> = {
  1: ['ASYMMETRIC', 'asymmetric algorithm not supported or not correct'],
  2: ['ATTRIBUTES', 'inconsistent attributes'],
  3: ['HASH', 'hash algorithm not supported or not appropriate'],
  4: ['VALUE', 'value is out of range or is not correct for the context'],
  5: ['HIERARCHY', 'hierarchy is not enabled or is not correct for the use'],
  7: ['KEY_SIZE', 'key size is not supported'],
  8: ['MGF', 'mask generation function not supported'],
  9: ['MODE', 'mode of operation not supported'],
  10: ['TYPE', 'the type of the value is not appropriate for the use'],
  11: ['HANDLE', 'the handle is not correct for the use'],
  12: ['KDF', 'unsupported key derivation function or function not appropriate for use'],
  13: ['RANGE', 'value was out of allowed range'],
  14: ['AUTH_FAIL', 'the authorisation failed and the dictionary attack counter was incremented'],
  15: ['NONCE', 'invalid nonce size or nonce value mismatch'],
  16: ['PP', 'authorisation requires assertion of physical presence'],
  18: ['SCHEME', 'unsupported or incompatible scheme'],
  21: ['SIZE', 'structure is the wrong size'],
  22: ['SYMMETRIC', 'unsupported symmetric algorithm or key size, or not appropriate for instance'],
  23: ['TAG', 'incorrect structure tag'],
  24: ['SELECTOR', 'union selector is incorrect'],
  26: ['INSUFFICIENT', 'the TPM was unable to unmarshal a value because there were not enough octets'],
  27: ['SIGNATURE', 'the signature is not valid'],
  28: ['KEY', 'key fields are not compatible with the selected use'],
  29: ['POLICY_FAIL', 'a policy check failed'],
  31: ['INTEGRITY', 'integrity check failed'],
  32: ['TICKET', 'invalid ticket'],
  33: ['RESERVED_BITS', 'reserved bits not set to zero as required'],
  34: ['BAD_AUTH', 'authorisation failure without dictionary attack implications'],
  35: ['EXPIRED', 'the policy has expired'],
  36: ['POLICY_CC', 'the command code in the policy is not that of the command'],
  37: ['BINDING', 'public and sensitive portions of an object are not cryptographically bound'],
  38: ['CURVE', 'curve not supported'],
  39: ['ECC_POINT', 'point is not on the required curve'],
};

/** Format 0, errors (RC_VER1 + n). */
// biome-ignore format: a table reads best as a table
const ERRORS: Readonly<Record<number, readonly [name: string, text: string]>> = {
  0: ['INITIALIZE', 'TPM not initialised by TPM2_Startup, or already initialised'],
  1: ['FAILURE', 'commands not being accepted because of a TPM failure'],
  3: ['SEQUENCE', 'improper use of a sequence handle'],
  11: ['PRIVATE', 'not currently used'],
  25: ['HMAC', 'not currently used'],
  32: ['DISABLED', 'the command is disabled'],
  33: ['EXCLUSIVE', 'command failed because audit sequence required exclusivity'],
  36: ['AUTH_TYPE', 'authorisation handle is not correct for command'],
  37: ['AUTH_MISSING', 'command requires an authorisation session for handle and it is not present'],
  38: ['POLICY', 'policy failure in mathematical operation or an invalid authPolicy value'],
  39: ['PCR', 'PCR check fail'],
  40: ['PCR_CHANGED', 'PCR have changed since checked'],
  45: ['UPGRADE', 'the TPM is in field upgrade mode, or not and should be'],
  46: ['TOO_MANY_CONTEXTS', 'context ID counter is at maximum'],
  47: ['AUTH_UNAVAILABLE', 'authValue or authPolicy is not available for selected entity'],
  48: ['REBOOT', 'a TPM reset is required before the TPM can resume operation'],
  49: ['UNBALANCED', 'the protection algorithms are not reasonably balanced'],
  66: ['COMMAND_SIZE', 'command size does not match the octets received'],
  67: ['COMMAND_CODE', 'command code not supported'],
  68: ['AUTHSIZE', 'the authorisation size is out of range or does not fit'],
  69: ['AUTH_CONTEXT', 'use of an authorisation session with a command that cannot have one'],
  70: ['NV_RANGE', 'NV offset and size are out of range'],
  71: ['NV_SIZE', 'requested allocation size is larger than allowed'],
  72: ['NV_LOCKED', 'NV access locked'],
  73: ['NV_AUTHORIZATION', 'NV access authorisation fails'],
  74: ['NV_UNINITIALIZED', 'an NV index is used before being initialised, or the state could not be restored'],
  75: ['NV_SPACE', 'insufficient space for NV allocation'],
  76: ['NV_DEFINED', 'NV index or persistent object already defined'],
  80: ['BAD_CONTEXT', 'context in TPM2_ContextLoad is not valid'],
  81: ['CPHASH', 'cpHash value already set or not correct for use'],
  82: ['PARENT', 'handle for parent is not a valid parent'],
  83: ['NEEDS_TEST', 'some function needs testing'],
  84: ['NO_RESULT', 'an unspecified internal error'],
  85: ['SENSITIVE', 'the sensitive area did not unmarshal correctly after decryption'],
};

/** Format 0, warnings (RC_WARN + n). */
// biome-ignore format: a table reads best as a table
const WARNINGS: Readonly<Record<number, readonly [name: string, text: string]>> = {
  1: ['CONTEXT_GAP', 'gap for context ID is too large'],
  2: ['OBJECT_MEMORY', 'out of memory for object contexts'],
  3: ['SESSION_MEMORY', 'out of memory for session contexts'],
  4: ['MEMORY', 'out of shared object and session memory'],
  5: ['SESSION_HANDLES', 'out of session handles'],
  6: ['OBJECT_HANDLES', 'out of object handles'],
  7: ['LOCALITY', 'bad locality'],
  8: ['YIELDED', 'the TPM has suspended operation on the command; it may be retried'],
  9: ['CANCELED', 'the command was cancelled'],
  10: ['TESTING', 'the TPM is performing self-tests'],
  32: ['NV_RATE', 'the TPM is rate-limiting accesses to prevent wear-out of NV'],
  33: ['LOCKOUT', 'authorisations for objects subject to dictionary attack protection are not allowed at this time'],
  34: ['RETRY', 'the TPM was not able to start the command; it may be retried'],
  35: ['NV_UNAVAILABLE', 'the command needs NV, which is not accessible now'],
};

const BAD_TAG = 0x01e;
const RC_FMT1 = 0x080;
const RC_VER1 = 0x100;
const RC_WARN = 0x900;

/** Codes that the client acts on. */
export const RC = {
  success: 0,
  initialize: RC_VER1,
  objectMemory: RC_WARN + 0x02,
  sessionMemory: RC_WARN + 0x03,
  memory: RC_WARN + 0x04,
  objectHandles: RC_WARN + 0x06,
  yielded: RC_WARN + 0x08,
  testing: RC_WARN + 0x0a,
  nvRate: RC_WARN + 0x20,
  retry: RC_WARN + 0x22,
} as const;

export interface ResponseCode {
  readonly code: number;
  /** `TPM_RC_VALUE`; `TPM_RC_0x…` for a code that is not in the tables. */
  readonly name: string;
  readonly text: string;
  readonly about?: { readonly kind: 'handle' | 'session' | 'parameter'; readonly number: number };
}

export function responseCode(code: number): ResponseCode {
  const unknown = [`0x${code.toString(16).padStart(3, '0')}`, 'not a response code of the specification'] as const;
  if (code & RC_FMT1) {
    const [name, text] = FORMAT_1[code & 0x3f] ?? unknown;
    const number = (code >> 8) & 0xf;
    // Bit 6: a parameter. Otherwise bit 11: a session, or a handle.
    const kind = code & 0x40 ? 'parameter' : number & 8 ? 'session' : 'handle';
    const nth = kind === 'parameter' ? number : number & 7;
    return { code, name: `TPM_RC_${name}`, text, ...(nth > 0 ? { about: { kind, number: nth } } : {}) };
  }
  if (code === BAD_TAG) return { code, name: 'TPM_RC_BAD_TAG', text: 'the tag of the command is not of a TPM 2.0' };
  const [name, text] = (code >= RC_WARN ? warning(code) : ERRORS[code - RC_VER1]) ?? unknown;
  return { code, name: `TPM_RC_${name}`, text };
}

/** REFERENCE_H0 … H6 and S0 … S6: a handle or session that is not loaded. */
function warning(code: number): readonly [string, string] | undefined {
  const n = code - RC_WARN;
  if (n >= 0x10 && n <= 0x16) return [`REFERENCE_H${n - 0x10}`, `handle ${n - 0x0f} is not of a loaded object`];
  if (n >= 0x18 && n <= 0x1e) return [`REFERENCE_S${n - 0x18}`, `session ${n - 0x17} is not loaded`];
  return WARNINGS[n];
}
