/**
 * What every attestation of a TPM has to pass, checked in software: it is a TPMS_ATTEST of the right type, signed by a key
 * that signs nothing but what its TPM made (Part 1 § 31.4, "Use of attestation keys"), over the caller’s qualifying data.
 */
import { timingSafeEqual } from 'node:crypto';
import { Tpm2Error } from '../error.ts';
import { type Attest, type Attested, type AttestType, type ClockInfo, parseAttest } from '../structures/attest.ts';
import type { TpmPublic } from '../structures/public.ts';
import { parseSignature, type TpmSignature, verifySignature } from '../structures/signature.ts';

/** What can be wrong with an attestation. */
export type ProblemCode =
  /** The bytes are no TPMS_ATTEST or no TPMT_SIGNATURE: wrong magic, cut short, too long. */
  | 'malformed'
  /** A TPMS_ATTEST, but of another type. */
  | 'type'
  /** The key may sign what did not come from its TPM, or is not bound to it. */
  | 'attestationKey'
  | 'signature'
  /** Signed with SHA-1. */
  | 'weakHash'
  /** Replayed, relayed, or made for somebody else. */
  | 'qualifyingData'
  /** Another key, or the same in another hierarchy. */
  | 'qualifiedSigner'
  /** Not exactly the PCRs that were asked for. */
  | 'pcrSelection'
  /** The PCR values are not the ones that were signed. */
  | 'pcrDigest'
  /** TPMS_CLOCK_INFO says that its clock may have been reported before. */
  | 'unsafeClock'
  /** The machine was reset since the attestation before. */
  | 'reset'
  /** The machine was restarted or resumed since the attestation before. */
  | 'restart'
  /** A counter or the clock went back: another TPM, a cleared one, or an old attestation. */
  | 'clockBackwards'
  | 'firmwareVersion'
  /** The name in the attestation is not that of the object shown. */
  | 'name'
  /** The object lacks an attribute that it has to have. */
  | 'objectAttributes'
  | 'creationHash';

export interface Problem {
  readonly code: ProblemCode;
  /** One sentence. */
  readonly text: string;
}

export interface Verdict<T extends AttestType = AttestType> {
  readonly ok: boolean;
  /** Everything that is wrong, not only the first; empty when the attestation holds. */
  readonly problems: readonly Problem[];
  /** Set whenever the bytes could be read and are of the right type; believe it only when `ok`. */
  readonly attest: (Attest & { readonly attested: Extract<Attested, { readonly type: T }> }) | undefined;
}

/** State of the same TPM at an earlier attestation. */
export interface Earlier {
  readonly clockInfo: ClockInfo;
  readonly firmwareVersion: bigint;
}

export interface AttestationInput {
  /** TPMS_ATTEST as it was signed. */
  readonly attest: Uint8Array;
  /** TPMT_SIGNATURE, or what was read of it. */
  readonly signature: Uint8Array | TpmSignature;
  /** The attestation key. That it belongs to a real TPM is for its certificate or credential activation to say. */
  readonly akPublic: TpmPublic;
  readonly qualifyingData: Uint8Array;
  /** Qualified name that the key must have (`qualifiedName`): pins its hierarchy. */
  readonly qualifiedSigner?: Uint8Array;
  /** What is known from before; resets, restarts, a clock that went back and new firmware are then problems. */
  readonly earlier?: Earlier;
}

/** Collects problems of one attestation. */
export class Findings {
  readonly problems: Problem[] = [];

  add(code: ProblemCode, text: string): void {
    this.problems.push({ code, text });
  }
}

/** What could be read of an attestation. */
export interface Read<T extends AttestType> {
  readonly attest: Verdict<T>['attest'];
  readonly signature: TpmSignature | undefined;
}

/** The checks that all types share. The verdict is finished by the caller, who adds to `findings`. */
export function checkAttestation<T extends AttestType>(type: T, input: AttestationInput, findings: Findings): Read<T> {
  checkAttestationKey(input.akPublic, findings);
  const attest = readable(() => parseAttest(input.attest), findings);
  const signature = readable(() => readSignatureOf(input), findings);
  if (signature !== undefined) checkSignature(input, signature, findings);
  if (attest === undefined) return { attest, signature };
  if (!same(attest.extraData, input.qualifyingData)) {
    findings.add(
      'qualifyingData',
      'the attestation was made for other qualifying data: replayed, relayed or for somebody else',
    );
  }
  if (input.qualifiedSigner !== undefined && !same(attest.qualifiedSigner, input.qualifiedSigner)) {
    findings.add('qualifiedSigner', 'the attestation names another key, or the key in another hierarchy');
  }
  checkClock(attest, input.earlier, findings);
  if (attest.attested.type !== type) {
    findings.add('type', `the attestation is of type ${attest.attested.type} instead of ${type}`);
    return { attest: undefined, signature };
  }
  return { attest: attest as Verdict<T>['attest'], signature };
}

const readSignatureOf = ({ signature }: AttestationInput): TpmSignature =>
  signature instanceof Uint8Array ? parseSignature(signature) : signature;

function readable<T>(read: () => T, findings: Findings): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Tpm2Error)) throw error;
    findings.add('malformed', error.message);
    return undefined;
  }
}

export const verdict = <T extends AttestType>(findings: Findings, attest: Verdict<T>['attest']): Verdict<T> => ({
  ok: findings.problems.length === 0 && attest !== undefined,
  problems: findings.problems,
  attest,
});

/**
 * Only a restricted signing key refuses to sign bytes from outside that look like an attestation, and only one with fixedTPM
 * cannot have been made or copied outside (Part 1 § 25.1).
 */
function checkAttestationKey({ attributes }: TpmPublic, findings: Findings): void {
  const missing = (['restricted', 'sign', 'fixedTPM'] as const).filter((each) => !attributes.includes(each));
  if (missing.length > 0) findings.add('attestationKey', `the attestation key is not ${missing.join(', not ')}`);
  if (attributes.includes('decrypt')) findings.add('attestationKey', 'the attestation key may decrypt as well');
}

function checkSignature(input: AttestationInput, signature: TpmSignature, findings: Findings): void {
  let holds = false;
  try {
    holds = verifySignature(input.akPublic, input.attest, signature);
  } catch (error) {
    if (!(error instanceof Tpm2Error)) throw error;
    findings.add('attestationKey', error.message);
    return;
  }
  if (!holds)
    findings.add(
      'signature',
      `the ${signature.scheme} signature is not one by the attestation key over this attestation`,
    );
  if (signature.scheme !== 'null' && signature.hash === 'sha1')
    findings.add('weakHash', 'the attestation is signed with SHA-1');
}

function checkClock({ clockInfo, firmwareVersion }: Attest, earlier: Earlier | undefined, findings: Findings): void {
  if (!clockInfo.safe) findings.add('unsafeClock', 'the clock of the TPM is not safe: it was not shut down in order');
  if (earlier === undefined) return;
  const before = earlier.clockInfo;
  if (clockInfo.resetCount < before.resetCount) {
    findings.add('clockBackwards', `the reset counter went back from ${before.resetCount} to ${clockInfo.resetCount}`);
  } else if (clockInfo.resetCount > before.resetCount) {
    findings.add('reset', `the machine was reset ${clockInfo.resetCount - before.resetCount} times since`);
  } else if (clockInfo.restartCount < before.restartCount) {
    findings.add(
      'clockBackwards',
      `the restart counter went back from ${before.restartCount} to ${clockInfo.restartCount}`,
    );
  } else if (clockInfo.restartCount > before.restartCount) {
    findings.add('restart', `the machine was restarted ${clockInfo.restartCount - before.restartCount} times since`);
  } else if (clockInfo.clock < before.clock) {
    findings.add('clockBackwards', `the clock went back by ${before.clock - clockInfo.clock} ms`);
  }
  if (firmwareVersion !== earlier.firmwareVersion) {
    findings.add(
      'firmwareVersion',
      `the TPM’s firmware version changed from ${hex(earlier.firmwareVersion)} to ${hex(firmwareVersion)}`,
    );
  }
}

const hex = (value: bigint): string => `0x${value.toString(16).padStart(16, '0')}`;

/** In constant time for equal lengths. */
export const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && timingSafeEqual(a, b);
