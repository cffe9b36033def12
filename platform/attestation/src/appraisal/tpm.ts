/** The proof of a TPM: attestation key → quote → PCRs → logs. */

import { describeError } from '@enerchain/model';
import {
  type ClockInfo,
  type Earlier,
  type ProblemCode,
  parsePublic,
  Tpm2Error,
  type TpmPublic,
  toKeyObject,
  verifyQuote,
} from '@enerchain/tpm2';
import { assuranceOf, checkedCertificate, type HeldCertificate } from '@enerchain/trust';
import { type Evidence, quotedData, type TpmProof } from '../evidence.ts';
import type { Appraisal } from '../policy.ts';
import type { ReferenceSnapshot } from '../reference/values.ts';
import type { TrustworthinessVector } from '../result.ts';
import { BootLogs, IMA_PCR } from './boot-logs.ts';
import { CLAIM_VALUE } from './claim.ts';
import type { Findings } from './findings.ts';

/** Extended key usage of an attestation key: tcg-kp-AIKCertificate (TCG "Credential Profile EK" § 3.2.16). */
export const AIK_USAGE = '2.23.133.8.3';

/** What is remembered of the TPM of a node. */
export interface TpmMemory {
  readonly boot: string;
  /** Whether its registers were compared with golden values. */
  readonly bootJudged: boolean;
  readonly list: string;
  readonly earlier: Earlier;
  /** TPMT_PUBLIC and certificate as they were checked. */
  readonly ak: Uint8Array;
  readonly certificate: HeldCertificate;
  readonly akPublic: TpmPublic;
  /** The event log and the IMA list as far as they were replayed. */
  readonly logs: BootLogs;
}

export interface TpmCheck {
  readonly evidence: Evidence;
  readonly proof: TpmProof;
  readonly identity: HeldCertificate;
  readonly node: string;
  readonly caPem: string;
  readonly isRevoked: (fingerprint: string) => boolean;
  readonly appraisal: Appraisal;
  readonly snapshot: ReferenceSnapshot;
  readonly now: Date;
  readonly before: TpmMemory | undefined;
  readonly findings: Findings;
}

type Claim = readonly [keyof TrustworthinessVector, number];
const crypto: Claim = ['instanceIdentity', CLAIM_VALUE.cryptoValidationFailed];
const hardware: Claim = ['hardware', CLAIM_VALUE.hardware.contraindicated];

/** What each problem of a quote does to the vector. */
const PROBLEM: Readonly<Record<ProblemCode, Claim>> = {
  malformed: ['instanceIdentity', CLAIM_VALUE.unexpectedEvidence],
  type: crypto,
  attestationKey: hardware,
  signature: crypto,
  weakHash: crypto,
  qualifyingData: crypto,
  qualifiedSigner: crypto,
  pcrSelection: crypto,
  pcrDigest: crypto,
  unsafeClock: ['hardware', CLAIM_VALUE.hardware.unsafe],
  reset: hardware,
  restart: hardware,
  clockBackwards: hardware,
  firmwareVersion: ['hardware', CLAIM_VALUE.hardware.unsafe],
  name: crypto,
  objectAttributes: hardware,
  creationHash: crypto,
};

/** @returns what to remember; undefined when the quote proves nothing, so that its logs need not be looked at */
export function checkTpm(check: TpmCheck): TpmMemory | undefined {
  const { evidence, proof, appraisal, before, findings } = check;
  const { claims } = evidence;
  const key = attestationKey(check);
  if (!key) return undefined;
  const verdict = verifyQuote({
    attest: proof.attest,
    signature: proof.signature,
    akPublic: key.akPublic,
    qualifyingData: quotedData(evidence.claimsBytes, proof.identity, proof.listPcr),
    pcrs: [{ hash: 'sha256', values: proof.pcrs }],
    ...(before ? { earlier: before.earlier } : {}),
  });
  let proven = true;
  const sameList = before?.list === claims.list;
  for (const { code, text } of verdict.problems) {
    if (code === 'unsafeClock' && appraisal.unsafeClock === 'allowed') continue;
    // A machine may be started anew; its measurement list then begins anew too.
    if ((code === 'reset' || code === 'restart') && !sameList) continue;
    const jumped = code === 'reset' || code === 'restart';
    const reason = jumped ? `${text}, and its measurement list claims to go on` : text;
    findings.fault(...PROBLEM[code], reason);
    if (code !== 'unsafeClock' && code !== 'firmwareVersion') proven = false;
  }
  const attest = verdict.attest;
  if (!attest || !proven) return undefined;
  if (!requiredPcrs(check)) return undefined;
  const { clockInfo, firmwareVersion } = attest;
  const boot = bootOf(clockInfo);
  const logs = followLogs(check, boot);
  if (!logs) return undefined;
  findings.claim('hardware', CLAIM_VALUE.hardware.genuine);
  const bootJudged = judgeBoot(check);
  if (appraisal.ima === 'reference') judgeIma(check, logs);
  return { boot, bootJudged, list: claims.list, earlier: { clockInfo, firmwareVersion }, ...key, logs };
}

/** Replays what is new in the logs of the boot. @returns undefined when one of them does not lead to the quoted values */
function followLogs({ proof, appraisal, before, findings }: TpmCheck, boot: string): BootLogs | undefined {
  const logs = before?.logs.boot === boot ? before.logs : new BootLogs(boot);
  const events = logs.events(proof.events, proof.pcrs);
  if (events) {
    findings.fault('executables', CLAIM_VALUE.cryptoValidationFailed, events);
    return undefined;
  }
  if (appraisal.ima === 'off') return logs;
  const quoted = proof.pcrs.get(IMA_PCR);
  if (!quoted) {
    findings.fault(...crypto, `the quote leaves out PCR ${IMA_PCR}, and the policy asks for the IMA list`);
    return undefined;
  }
  const problem = logs.ima(proof.ima, quoted);
  if (!problem) return logs;
  const value = problem.kind === 'gap' ? CLAIM_VALUE.unexpectedEvidence : CLAIM_VALUE.cryptoValidationFailed;
  findings.fault('executables', value, problem.text);
  return undefined;
}

function judgeIma({ node, snapshot, appraisal, findings }: TpmCheck, logs: BootLogs): void {
  const { contraindicatedRuntime, unrecognizedRuntime } = CLAIM_VALUE.executables;
  for (const { name, digest, expectation, violation } of logs.judge(node, snapshot)) {
    const shown = Buffer.from(digest).toString('hex').slice(0, 12);
    if (violation) {
      const text = `${name} was open for writing while the kernel measured it, so what ran is not known`;
      findings.fault('executables', unrecognizedRuntime, text);
    } else if (expectation?.verdict === 'changed') {
      const expected = expectation.expected.slice(0, 3).map((each) => each.slice(0, 12));
      findings.fault('executables', contraindicatedRuntime, `${name} is ${shown} instead of ${expected.join(' or ')}`);
    } else {
      const value = appraisal.unknownFiles === 'warning' ? unrecognizedRuntime : contraindicatedRuntime;
      findings.fault('executables', value, `${name} is ${shown} and stands in no manifest`);
    }
  }
}

const bootOf = ({ resetCount, restartCount }: ClockInfo): string => `${resetCount}.${restartCount}`;

/** The key, once its certificate says that an authority has seen it inside a TPM, and that it belongs to this node. */
function attestationKey(check: TpmCheck): Pick<TpmMemory, 'ak' | 'certificate' | 'akPublic'> | undefined {
  const { proof, node, caPem, now, before, findings, isRevoked } = check;
  const refuse = (value: number, reason: string) => {
    findings.fault('hardware', value, reason);
    return undefined;
  };
  const { unrecognized, contraindicated } = CLAIM_VALUE.hardware;
  if (!proof.akCertificate) return refuse(unrecognized, 'no authority has seen its attestation key inside a TPM');
  const same = before && Buffer.compare(before.ak, proof.ak) === 0;
  const known = same && Buffer.compare(before.certificate.der, proof.akCertificate) === 0 ? before : undefined;
  let { certificate, akPublic } = known ?? {};
  try {
    if (!certificate || certificate.notBefore > now || certificate.notAfter < now) {
      certificate = checkedCertificate(proof.akCertificate.slice(), caPem, now);
    }
    akPublic ??= parsePublic(proof.ak.slice());
    if (!known && !toKeyObject(akPublic).equals(certificate.publicKey)) {
      return refuse(unrecognized, 'the certificate of the attestation key is that of another key');
    }
  } catch (error) {
    if (!(error instanceof Tpm2Error) && (error as { fault?: unknown }).fault !== 'peer') throw error;
    return refuse(unrecognized, `its attestation key is not one of this system: ${describeError(error)}`);
  }
  if (certificate.holder.name !== node) {
    return refuse(contraindicated, `its attestation key is that of ${certificate.holder.name}`);
  }
  if (!certificate.extensions.extKeyUsage?.includes(AIK_USAGE)) {
    return refuse(unrecognized, 'the certificate shown for its attestation key is not one of an attestation key');
  }
  if (!assuranceOf(certificate).includes('tpm')) {
    return refuse(unrecognized, 'no maker of TPMs vouches for the one that its attestation key is in');
  }
  if (isRevoked(Buffer.from(certificate.kid).toString('hex'))) {
    return refuse(contraindicated, 'the certificate of its attestation key was revoked');
  }
  return { ak: known?.ak ?? proof.ak.slice(), certificate, akPublic };
}

/** A quote over fewer PCRs proves nothing of those it leaves out. */
function requiredPcrs({ evidence, proof, appraisal, findings }: TpmCheck): boolean {
  const missing = [...appraisal.bootPcrs, appraisal.listPcr].filter((pcr) => !proof.pcrs.has(pcr));
  if (missing.length > 0) {
    findings.fault(...crypto, `the quote leaves out PCR ${missing.join(', ')}`);
    return false;
  }
  if (proof.listPcr !== appraisal.listPcr) {
    const text = `the measurement list is in PCR ${proof.listPcr}, and the policy asks for ${appraisal.listPcr}`;
    findings.fault(...crypto, text);
    return false;
  }
  const register = proof.pcrs.get(appraisal.listPcr) as Uint8Array;
  if (Buffer.compare(register, evidence.claims.head) !== 0) {
    const text = `the measurement list does not lead to the value of PCR ${appraisal.listPcr}: it was cut short, extended or changed`;
    findings.fault('executables', CLAIM_VALUE.cryptoValidationFailed, text);
    return false;
  }
  return true;
}

/** @returns whether what was booted was judged at all */
function judgeBoot({ proof, appraisal, snapshot, node, findings }: TpmCheck): boolean {
  const { boot, bootPcrs } = appraisal;
  if (boot === 'unjudged' || (boot === 'whereKnown' && !snapshot.hasRegisters(node, bootPcrs))) return false;
  for (const pcr of appraisal.bootPcrs) {
    const value = proof.pcrs.get(pcr) as Uint8Array;
    const { verdict, expected } = snapshot.checkRegister(node, pcr, value);
    const shown = Buffer.from(value).toString('hex').slice(0, 12);
    if (verdict === 'unknown') {
      const text = `PCR ${pcr} (${shown}) has no reference value: what was booted is not known to be good`;
      findings.fault('executables', CLAIM_VALUE.noClaim, text);
    } else if (verdict === 'changed') {
      const text = `PCR ${pcr} is ${shown} instead of ${expected.map((each) => each.slice(0, 12)).join(' or ')}`;
      findings.fault('executables', CLAIM_VALUE.executables.contraindicatedRuntime, text);
    }
  }
  return true;
}
