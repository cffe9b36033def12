/**
 * Values of the claims in a trustworthiness vector, as AR4SI (draft-ietf-rats-ar4si § 2.3.3 and § 2.3.4) numbers them. Only
 * those that this verifier gives are listed.
 */
export const CLAIM_VALUE = {
  /** Any claim: the verifier failed while it looked (§ 2.3.3). */
  verifierMalfunction: -1,
  /** Nothing is claimed: there is nothing to compare with. */
  noClaim: 0,
  /** The evidence was not what could be expected: malformed, or a part is missing. */
  unexpectedEvidence: 1,
  /** Cryptographic validation failed: a signature, a binding, a hash. */
  cryptoValidationFailed: 99,

  instanceIdentity: {
    /** Recognised, and not known to be compromised. */
    trustworthy: 2,
    /** Recognised, and not to be trusted: revoked, or two with one key. */
    untrustworthy: 96,
    unrecognized: 97,
  },
  configuration: {
    /** Known and approved. */
    approved: 2,
    /** Elements of it that matter cannot be compared. */
    unavailable: 36,
    /** Another configuration than the approved one: commands may not reach what they are meant for. */
    unsafe: 32,
  },
  executables: {
    /** All that was loaded, during boot and since, is known and approved. */
    approvedRuntime: 2,
    /** All that was seen is known, but not everything that decides was seen (no judged boot, no hardware that vouches). */
    unsafeRuntime: 32,
    /** Something was loaded that no reference value names. */
    unrecognizedRuntime: 33,
    /** Something was loaded that is not what it must be. */
    contraindicatedRuntime: 96,
  },
  hardware: {
    /** The key lies in a TPM that an authority has seen. */
    genuine: 2,
    /** Genuine, but its state says that something happened that must not (unsafe clock). */
    unsafe: 32,
    contraindicated: 96,
    unrecognized: 97,
  },
} as const;
