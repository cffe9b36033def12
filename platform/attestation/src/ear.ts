/**
 * Attestation results as they travel: an EAR (draft-ietf-rats-ear-04, profile `tag:ietf.org,2026:rats/ear#04`) in a CWT
 * that the verifier signs (COSE_Sign1, typ `enerchain-result`). Claims of our own have keys below -65536, the private
 * space of CWT (RFC 8392 § 9.1).
 */
import type { KeyObject } from 'node:crypto';
import { EnerchainError, type UtcNanos } from '@enerchain/model';
import {
  CBOR_MAJOR,
  type CborValue,
  CborWriter,
  coseSign1,
  coseVerify1,
  decodeCbor,
  encodeCbor,
  type Signer,
} from '@enerchain/trust';
import {
  type AttestationResult,
  type SignedResult,
  type Tier,
  TRUSTWORTHINESS,
  type Trustworthiness,
  type TrustworthinessVector,
} from './result.ts';

export const RESULT_TYP = 'enerchain-result';
export const EAR_PROFILE = 'tag:ietf.org,2026:rats/ear#04';
/** `ar4si.verifier-id`: developer and build, encoded. */
const VERIFIER_SOFTWARE = encodeCbor(
  new Map<number, CborValue>([
    [0, 'CloudEnerChain'],
    [1, 'enerchain attestation 1'],
  ]),
);

/** CWT, EAT and EAR claim keys, then our own. */
const CLAIM = {
  iss: 1,
  exp: 4,
  iat: 6,
  nonce: 10,
  profile: 265,
  submods: 266,
  status: 1000,
  vector: 1001,
  policies: 1003,
  verifierId: 1004,
  tier: -70_001,
  reasons: -70_002,
  evidence: -70_003,
  boot: -70_004,
  sequence: -70_005,
  issuedAt: -70_006,
  validUntil: -70_007,
  previous: -70_008,
  goodSince: -70_009,
} as const;

/** Position = label of AR4SI's trustworthiness vector (draft-ietf-rats-ar4si § 2.3.4; labels as in EAR-04). */
export const VECTOR_CLAIMS = [
  'instanceIdentity',
  'configuration',
  'executables',
  'fileSystem',
  'hardware',
  'runtimeOpaque',
  'storageOpaque',
  'sourcedData',
] as const satisfies readonly (keyof TrustworthinessVector)[];

const TIERS: readonly Tier[] = ['software', 'tpm'];
const STATUS_BY_VALUE = new Map<unknown, Trustworthiness>(
  Object.entries(TRUSTWORTHINESS).map(([name, value]) => [value, name as Trustworthiness]),
);
/** Bounds of what is read from others. */
const LIMITS = { reasons: 100, text: 1000, bytes: 256 * 1024 } as const;
const SECOND = 1_000_000_000n;

/** Tier of trustworthiness of one claim (AR4SI § 2.3.2). @param value -128 … 127 */
export function trustworthinessOf(value: number): Trustworthiness {
  const magnitude = value < 0 ? -value - 1 : value;
  if (magnitude >= 96) return 'contraindicated';
  if (magnitude >= 32) return 'warning';
  if (magnitude >= 2) return 'affirming';
  return 'none';
}

const RANK: Readonly<Record<Trustworthiness, number>> = { affirming: 0, none: 1, warning: 2, contraindicated: 3 };

/**
 * The status that a vector allows (EAR-04 § 3.2: of no higher trust than its worst claim). A claim of `none` (0, ±1) says
 * that something could not be judged: then nothing is affirmed.
 */
export function statusOf(vector: TrustworthinessVector): Trustworthiness {
  let worst: Trustworthiness | undefined;
  for (const name of VECTOR_CLAIMS) {
    const value = vector[name];
    if (value === undefined) continue;
    const tier = trustworthinessOf(value);
    if (worst === undefined || RANK[tier] > RANK[worst]) worst = tier;
  }
  return worst ?? 'none';
}

/**
 * Whether a result is as good as its tier can be: affirmed, or with no finding at all and only the tier that keeps it
 * from being affirmed (a software attester is `warning` at best).
 */
export const isGood = ({ status, reasons }: Pick<AttestationResult, 'status' | 'reasons'>): boolean =>
  reasons.length === 0 && (status === 'affirming' || status === 'warning');

/**
 * The claims-set. Written key by key in the order that deterministic encoding asks for (RFC 8949 § 4.2.1: positive keys
 * ascending, then negative ones descending), since a verifier does this thousands of times a second.
 */
export function encodeResult(result: AttestationResult): Uint8Array {
  const writer = new CborWriter(512);
  const { previous, goodSince } = result;
  writer.head(CBOR_MAJOR.map, 10 + (previous ? 1 : 0) + (goodSince ? 1 : 0));
  writer.int(CLAIM.iss);
  writer.text(result.verifier);
  writer.int(CLAIM.exp);
  writer.int(Number(result.validUntil / SECOND));
  writer.int(CLAIM.iat);
  writer.int(Number(result.issuedAt / SECOND));
  writer.int(CLAIM.nonce);
  writer.bytes(result.binding);
  writer.int(CLAIM.profile);
  writer.text(EAR_PROFILE);
  writer.int(CLAIM.submods);
  writer.head(CBOR_MAJOR.map, 1);
  writer.text(result.node);
  writeAppraisal(writer, result);
  writer.int(CLAIM.verifierId);
  writer.raw(VERIFIER_SOFTWARE);
  writer.int(CLAIM.sequence);
  writer.int(result.sequence);
  writer.int(CLAIM.issuedAt);
  writer.bigint(result.issuedAt);
  writer.int(CLAIM.validUntil);
  writer.bigint(result.validUntil);
  if (previous) {
    writer.int(CLAIM.previous);
    writer.bytes(previous);
  }
  if (goodSince) {
    writer.int(CLAIM.goodSince);
    writer.head(CBOR_MAJOR.array, 2);
    writer.bigint(goodSince.at);
    writer.int(goodSince.sequence);
  }
  return writer.finish();
}

function writeAppraisal(writer: CborWriter, result: AttestationResult): void {
  const claims = VECTOR_CLAIMS.flatMap((name, label) => {
    const value = result.vector[name];
    return value === undefined ? [] : [[label, value] as const];
  });
  const references = result.references ?? [];
  writer.head(CBOR_MAJOR.map, claims.length > 0 ? 7 : 6);
  writer.int(CLAIM.status);
  writer.int(TRUSTWORTHINESS[result.status]);
  if (claims.length > 0) {
    writer.int(CLAIM.vector);
    writer.head(CBOR_MAJOR.map, claims.length);
    for (const [label, value] of claims) {
      writer.int(label);
      writer.int(value);
    }
  }
  writer.int(CLAIM.policies);
  writer.head(CBOR_MAJOR.array, 1 + references.length);
  writer.text(result.policy);
  for (const reference of references) writer.text(reference);
  writer.int(CLAIM.tier);
  writer.int(TIERS.indexOf(result.tier));
  writer.int(CLAIM.reasons);
  writer.head(CBOR_MAJOR.array, result.reasons.length);
  for (const reason of result.reasons) writer.text(reason);
  writer.int(CLAIM.evidence);
  writer.bytes(result.evidence);
  writer.int(CLAIM.boot);
  writer.text(result.boot);
}

/** @param kid thumbprint of the verifier's certificate */
export async function signResult(result: AttestationResult, signer: Signer, kid: Uint8Array): Promise<SignedResult> {
  return { result, bytes: await coseSign1(signer, kid, RESULT_TYP, encodeResult(result)) };
}

/**
 * Reads a result and checks who signed it.
 * @param keyOf key of a verifier by the thumbprint of its certificate, and its name; the result must carry that name
 * @throws EnerchainError `attestation.result` (fault peer), or what `coseVerify1` throws
 */
export function readResult(
  bytes: Uint8Array,
  keyOf: (kid: Uint8Array) => { readonly key: KeyObject; readonly name: string } | undefined,
): SignedResult {
  if (bytes.length > LIMITS.bytes) throw malformed(`has ${bytes.length} octets`);
  let name: string | undefined;
  const { payload } = coseVerify1(bytes, RESULT_TYP, (kid) => {
    const found = keyOf(kid);
    name = found?.name;
    return found?.key;
  });
  const result = decodeResult(payload);
  if (result.verifier !== name) throw malformed(`names ${result.verifier} as its verifier and was signed by ${name}`);
  return { result, bytes };
}

const malformed = (what: string): EnerchainError =>
  new EnerchainError('peer', 'attestation.result', `an attestation result ${what}; it was not used`);

/** Reads a claims-set. @throws EnerchainError `attestation.result` or `cbor.malformed` (fault peer) */
export function decodeResult(payload: Uint8Array): AttestationResult {
  const claims = decodeCbor(payload);
  if (!(claims instanceof Map)) throw malformed('is no claims-set');
  if (claims.get(CLAIM.profile) !== EAR_PROFILE) throw malformed('is of another profile');
  const submods = claims.get(CLAIM.submods);
  if (typeof submods !== 'object' || submods === null || submods instanceof Map || Array.isArray(submods)) {
    throw malformed('has no appraisal');
  }
  const [entry, more] = Object.entries(submods as Record<string, CborValue>);
  if (!entry || more || !(entry[1] instanceof Map)) throw malformed('does not have exactly one appraisal');
  const [node, appraisal] = entry as [string, ReadonlyMap<number | string, CborValue>];
  const status = STATUS_BY_VALUE.get(appraisal.get(CLAIM.status));
  if (!status) throw malformed('has no status that is known');
  const [policy, ...references] = textsOf(appraisal.get(CLAIM.policies), 'policies');
  if (policy === undefined) throw malformed('names no policy');
  const vector = vectorOf(appraisal.get(CLAIM.vector));
  // A signer could say anything; what is no possible appraisal is not read as one.
  if (status === 'affirming' && statusOf(vector) !== 'affirming') throw malformed('affirms more than its claims do');
  const tier = TIERS[unsigned(appraisal.get(CLAIM.tier), 'tier')];
  if (!tier) throw malformed('is of an unknown tier');
  if (tier === 'software' && status === 'affirming') throw malformed('affirms a software attester');
  const issuedAt = instant(claims.get(CLAIM.issuedAt), 'time');
  const validUntil = instant(claims.get(CLAIM.validUntil), 'end');
  if (validUntil < issuedAt) throw malformed('ends before it begins');
  const sequence = unsigned(claims.get(CLAIM.sequence), 'sequence');
  const reasons = textsOf(appraisal.get(CLAIM.reasons), 'reasons');
  const previous = claims.get(CLAIM.previous);
  const goodSince = goodSinceOf(claims.get(CLAIM.goodSince));
  if (goodSince) {
    if (!isGood({ status, reasons })) throw malformed('says that it has been good, and is not');
    if (goodSince.at > issuedAt || goodSince.sequence > sequence)
      throw malformed('has been good from later than itself');
  }
  return {
    node: shortText(node, 'node'),
    verifier: shortText(claims.get(CLAIM.iss), 'verifier'),
    tier,
    status,
    vector,
    reasons,
    binding: octets(claims.get(CLAIM.nonce), 'binding'),
    evidence: octets(appraisal.get(CLAIM.evidence), 'evidence'),
    policy,
    ...(references.length > 0 ? { references } : {}),
    issuedAt,
    validUntil,
    sequence,
    ...(previous === undefined ? {} : { previous: octets(previous, 'digest of the result before it') }),
    ...(goodSince ? { goodSince } : {}),
    boot: shortText(appraisal.get(CLAIM.boot), 'boot'),
  };
}

function goodSinceOf(value: CborValue): AttestationResult['goodSince'] {
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || value.length !== 2) throw malformed('does not say since when it has been good');
  const [at, sequence] = value as readonly CborValue[];
  return {
    at: instant(at, 'time from which it has been good'),
    sequence: unsigned(sequence, 'number of its first good result'),
  };
}

function vectorOf(value: CborValue): TrustworthinessVector {
  if (value === undefined) return {};
  if (!(value instanceof Map)) throw malformed('has no trustworthiness vector');
  const vector: { -readonly [name in keyof TrustworthinessVector]: number } = {};
  for (const [label, claim] of value as ReadonlyMap<number | string, CborValue>) {
    const name = typeof label === 'number' ? VECTOR_CLAIMS[label] : undefined;
    if (!name || typeof claim !== 'number' || !Number.isInteger(claim) || claim < -128 || claim > 127) {
      throw malformed('has a trustworthiness claim that is not known');
    }
    vector[name] = claim;
  }
  return vector;
}

function textsOf(value: CborValue, what: string): string[] {
  if (!Array.isArray(value) || value.length > LIMITS.reasons) throw malformed(`has no list of ${what}`);
  return value.map((each) => shortText(each as CborValue, what));
}

function shortText(value: CborValue, what: string): string {
  if (typeof value !== 'string' || value.length > LIMITS.text) throw malformed(`has no ${what}`);
  return value;
}

function unsigned(value: CborValue, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw malformed(`has no ${what}`);
  return value;
}

function octets(value: CborValue, what: string): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length !== 32) throw malformed(`has no ${what}`);
  return value;
}

function instant(value: CborValue, what: string): UtcNanos {
  if (typeof value !== 'number' && typeof value !== 'bigint') throw malformed(`has no ${what}`);
  if (typeof value === 'number' && !Number.isSafeInteger(value)) throw malformed(`has no ${what}`);
  const at = BigInt(value);
  if (at < 0n || at >= 1n << 63n) throw malformed(`has no ${what}`);
  return at;
}
