/**
 * The verifier (RFC 9334 § 3.1): compares evidence with reference values under a policy and signs what it finds.
 *
 * It never errs towards good. Without a policy or without reference values the result is `none`; a software attester is
 * `warning` at best; whatever throws becomes a result that is not good, with the reason in it. Only when the result cannot
 * be signed is there none, and then the last one runs out.
 */
import { type Clock, describeError, EnerchainError, toMillis, type UtcNanos } from '@enerchain/model';
import { checkedCertificate, type HeldCertificate, maySign, type Signer } from '@enerchain/trust';
import { CLAIM_VALUE } from './appraisal/claim.ts';
import { Findings } from './appraisal/findings.ts';
import { type Deviation, ListMemory } from './appraisal/list-memory.ts';
import { checkAlias, checkSignature, type KnownAlias, layerFits } from './appraisal/software.ts';
import { AIK_USAGE, checkTpm, type TpmMemory } from './appraisal/tpm.ts';
import type { EvidenceCursor } from './attester.ts';
import { isGood, signResult } from './ear.ts';
import { decodeEvidence, type Evidence } from './evidence.ts';
import { sha256 } from './measure/list.ts';
import { type Appraisal, appraisalOf, type TrustPolicy } from './policy.ts';
import type { ReferenceSnapshot, ReferenceValues } from './reference/values.ts';
import type { AttestationResult, SignedResult, Tier } from './result.ts';

export interface VerifierOptions {
  /** Name of this node. */
  readonly name: string;
  readonly signer: Signer;
  /** Thumbprint of the certificate of `signer`; asked for at each result, since certificates are renewed. */
  readonly kid: () => Uint8Array;
  readonly clock: Clock;
  readonly policy: () => TrustPolicy | undefined;
  readonly references: ReferenceValues;
  /** PEM of the CA that issues identities and certificates of attestation keys. */
  readonly caPem: string;
  /** Whether a certificate was revoked. @param fingerprint SHA-256 of its DER, hex */
  isRevoked?(fingerprint: string): boolean;
}

export interface AppraisalContext {
  /** Who is said to attest; evidence of another is refused. */
  readonly node: string;
  /** What the evidence must answer. */
  readonly binding: Uint8Array;
}

/** One measured component of a node and what was expected. */
export interface Measurement {
  readonly name: string;
  /** SHA-256, hex. */
  readonly digest: string;
  readonly ok: boolean;
  readonly expected?: readonly string[];
}

/** What is remembered of one node. */
interface NodeMemory {
  list: ListMemory | undefined;
  identity: HeldCertificate | undefined;
  alias: KnownAlias | undefined;
  tpm: TpmMemory | undefined;
  sequence: number;
  past: Past | undefined;
}

/** What the next result says of those before it. */
interface Past {
  /** SHA-256 of the last one. */
  readonly digest: Uint8Array;
  readonly boot: string;
  readonly goodSince: AttestationResult['goodSince'];
}

/** Nodes remembered; those that were appraised longest ago are forgotten first. */
const MOST_NODES = 10_000;
const SECOND = 1_000_000_000;

export class Verifier {
  readonly counters = { appraisals: 0, good: 0, notGood: 0, failures: 0 };
  readonly #options: VerifierOptions;
  readonly #nodes = new Map<string, NodeMemory>();

  constructor(options: VerifierOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  /** What need not be sent again; undefined: everything is needed. */
  cursor(node: string): EvidenceCursor | undefined {
    const memory = this.#nodes.get(node);
    if (!memory?.list) return undefined;
    const { list, tpm } = memory;
    return {
      list: list.list,
      records: list.records,
      ...(tpm ? { events: tpm.logs.eventBytes, ima: tpm.logs.imaBytes } : {}),
    };
  }

  /** Forgets a node: all of its logs are needed again. */
  forget(node: string): void {
    const memory = this.#nodes.get(node);
    if (memory) this.#nodes.set(node, { ...emptyMemory(), sequence: memory.sequence, past: memory.past });
  }

  /** Another verifier of the same name has found something against a node: the row of good results ends here. */
  doubt(node: string): void {
    const memory = this.#nodes.get(node);
    if (memory?.past) memory.past = { ...memory.past, goodSince: undefined };
  }

  /** The components of a node's present run, those that deviate first. */
  measurements(node: string, limit = 200): Measurement[] {
    const list = this.#nodes.get(node)?.list;
    if (!list) return [];
    const { clock, references } = this.#options;
    const snapshot = references.at(clock.now());
    const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
    const all = list.components.map(({ name, digest }): Measurement => {
      const { verdict, expected } = snapshot.check(node, name, digest);
      const ok = verdict === 'known';
      return { name, digest: hex(digest), ok, ...(ok ? {} : { expected }) };
    });
    return [...all.filter(({ ok }) => !ok), ...all.filter(({ ok }) => ok)].slice(0, limit);
  }

  /**
   * Appraises evidence.
   * @throws only when the result cannot be signed (fault environment); there is no result then
   */
  async appraise(bytes: Uint8Array, context: AppraisalContext): Promise<SignedResult> {
    const { kid, signer } = this.#options;
    const memory = this.#remembered(context.node);
    const { past } = memory;
    // Until this one is signed, nothing says that the row goes on.
    memory.past = undefined;
    const found = this.#examine(bytes, context, memory);
    const { boot, sequence, issuedAt: at } = found;
    const row = past?.boot === boot ? past.goodSince : undefined;
    const goodSince = isGood(found) ? (row ?? { at, sequence }) : undefined;
    const result = { ...found, ...(past && { previous: past.digest }), ...(goodSince && { goodSince }) };
    const signed = await signResult(result, signer, kid());
    if (memory.sequence === sequence) memory.past = { digest: sha256(signed.bytes), boot, goodSince };
    return signed;
  }

  /**
   * Appraises evidence that was shown to others, for this node's own conclusion: the same checks from the first record on, and
   * no signature, since nobody else sees the result. What is known of the node is forgotten.
   */
  examine(bytes: Uint8Array, context: AppraisalContext): AttestationResult {
    this.forget(context.node);
    return this.#examine(bytes, context, this.#remembered(context.node));
  }

  /** Whatever goes wrong is in the result. */
  #examine(bytes: Uint8Array, context: AppraisalContext, memory: NodeMemory): AttestationResult {
    const { clock, policy: policyNow, name } = this.#options;
    const now = clock.now();
    const policy = policyNow();
    const findings = new Findings();
    let tier: Tier = 'software';
    let boot = '';
    let references: readonly string[] = [];
    this.counters.appraisals++;
    try {
      if (policy) {
        const appraisal = appraisalOf(policy);
        const evidence = decodeEvidence(bytes);
        tier = evidence.tier;
        boot = evidence.claims.list;
        const snapshot = this.#options.references.at(now);
        references = snapshot.manifestsOf(context.node);
        boot = this.#judge(evidence, context, memory, appraisal, snapshot, now, findings);
      } else {
        findings.reason('there is no policy: nothing is known to be good');
      }
    } catch (error) {
      this.counters.failures++;
      const fault = (error as { fault?: unknown }).fault;
      const peers = error instanceof Error && (fault === 'peer' || fault === 'unsupported');
      findings.fault(
        'instanceIdentity',
        peers ? CLAIM_VALUE.unexpectedEvidence : CLAIM_VALUE.verifierMalfunction,
        peers ? describeError(error) : `the verifier failed: ${describeError(error)}`,
      );
    }
    const sequence = Math.max(memory.sequence + 1, Math.floor(toMillis(now)));
    memory.sequence = sequence;
    const result: AttestationResult = {
      node: context.node,
      verifier: name,
      tier,
      status: findings.status,
      vector: findings.vector,
      reasons: findings.reasons,
      binding: context.binding,
      evidence: sha256(bytes),
      policy: policy?.name ?? 'none',
      ...(references.length > 0 ? { references } : {}),
      issuedAt: now,
      validUntil: now + BigInt(Math.round((policy?.validFor ?? 0) * SECOND)),
      sequence,
      boot,
    };
    this.counters[isGood(result) ? 'good' : 'notGood']++;
    return result;
  }

  /** @returns the boot, by which results can be told to belong together */
  #judge(
    evidence: Evidence,
    { node, binding }: AppraisalContext,
    memory: NodeMemory,
    appraisal: Appraisal,
    snapshot: ReferenceSnapshot,
    now: UtcNanos,
    findings: Findings,
  ): string {
    const { claims, proof } = evidence;
    if (claims.node !== node) {
      findings.fault(
        'instanceIdentity',
        CLAIM_VALUE.instanceIdentity.untrustworthy,
        `the evidence is that of ${claims.node}`,
      );
      return claims.list;
    }
    const identity = this.#identityOf(node, proof.identity, memory, now, findings);
    if (!identity) return claims.list;
    if (!claims.bindings.some((each) => Buffer.compare(each, binding) === 0)) {
      findings.fault(
        'instanceIdentity',
        CLAIM_VALUE.cryptoValidationFailed,
        'the evidence does not answer this challenge on this channel: it is an old one, or was made for somebody else',
      );
      return claims.list;
    }
    const list = memory.list?.list === claims.list ? memory.list : new ListMemory(claims.list);
    let boot = claims.list;
    if (proof.tier === 'software') {
      const alias = checkedOr(findings, () => checkAlias(proof, identity, memory.alias));
      if (!alias || !checkedOr(findings, () => checkSignature(evidence, proof, alias))) return boot;
      memory.alias = alias;
      if (claims.from === 0 && claims.records[0] && !layerFits(claims.records[0], alias)) {
        findings.fault(
          'instanceIdentity',
          CLAIM_VALUE.cryptoValidationFailed,
          'the alias key was made for another first layer than the one in the measurement list',
        );
        return boot;
      }
    } else {
      const checked = checkTpm({
        evidence,
        proof,
        identity,
        node,
        caPem: this.#options.caPem,
        isRevoked: (fingerprint) => this.#options.isRevoked?.(fingerprint) ?? false,
        appraisal,
        snapshot,
        now: new Date(toMillis(now)),
        before: memory.tpm,
        findings,
      });
      if (!checked) return boot;
      memory.tpm = checked;
      boot = checked.boot;
    }
    const problem = list.follow(claims);
    if (problem) {
      const value = problem.kind === 'gap' ? CLAIM_VALUE.unexpectedEvidence : CLAIM_VALUE.cryptoValidationFailed;
      findings.fault('executables', value, problem.text);
      return boot;
    }
    memory.list = list;
    findings.claim('instanceIdentity', CLAIM_VALUE.instanceIdentity.trustworthy);
    judgeComponents(list.judge(node, snapshot), list, snapshot, appraisal, findings);
    if (proof.tier === 'software' || !memory.tpm?.bootJudged) {
      findings.cap('executables', CLAIM_VALUE.executables.unsafeRuntime);
    }
    return `${boot}.${list.starts}`;
  }

  /** The certificate of the node, checked against the CA once, and each time against revocation and its end. */
  #identityOf(
    node: string,
    der: Uint8Array,
    memory: NodeMemory,
    now: UtcNanos,
    findings: Findings,
  ): HeldCertificate | undefined {
    const at = new Date(toMillis(now));
    let identity = memory.identity;
    const known =
      identity && Buffer.compare(identity.der, der) === 0 && identity.notBefore <= at && at <= identity.notAfter;
    if (!known) {
      try {
        identity = checkedCertificate(der.slice(), this.#options.caPem, at);
      } catch (error) {
        findings.fault('instanceIdentity', CLAIM_VALUE.instanceIdentity.unrecognized, describeError(error));
        return undefined;
      }
    }
    if (identity && (!maySign(identity) || identity.extensions.extKeyUsage?.includes(AIK_USAGE))) {
      const text = 'the certificate shown is not that of an identity';
      findings.fault('instanceIdentity', CLAIM_VALUE.instanceIdentity.unrecognized, text);
      return undefined;
    }
    if (!identity || identity.holder.name !== node) {
      const whose = identity ? `${identity.holder.role} ${identity.holder.name}` : 'nobody';
      findings.fault(
        'instanceIdentity',
        CLAIM_VALUE.instanceIdentity.unrecognized,
        `the certificate shown is that of ${whose}`,
      );
      return undefined;
    }
    if (this.#options.isRevoked?.(Buffer.from(identity.kid).toString('hex'))) {
      findings.fault(
        'instanceIdentity',
        CLAIM_VALUE.instanceIdentity.untrustworthy,
        `the certificate of ${node} was revoked`,
      );
      return undefined;
    }
    memory.identity = identity;
    return identity;
  }

  #remembered(node: string): NodeMemory {
    let memory = this.#nodes.get(node);
    if (memory) this.#nodes.delete(node);
    else {
      memory = emptyMemory();
      const oldest = this.#nodes.size >= MOST_NODES ? this.#nodes.keys().next().value : undefined;
      if (oldest !== undefined) this.#nodes.delete(oldest);
    }
    this.#nodes.set(node, memory);
    return memory;
  }
}

const emptyMemory = (): NodeMemory => ({
  list: undefined,
  identity: undefined,
  alias: undefined,
  tpm: undefined,
  sequence: 0,
  past: undefined,
});

/** Runs a check of a signature; what the peer got wrong is a finding. */
function checkedOr<T>(findings: Findings, check: () => T): T | undefined {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof EnerchainError) || error.fault !== 'peer') throw error;
    findings.fault('instanceIdentity', CLAIM_VALUE.cryptoValidationFailed, describeError(error));
    return undefined;
  }
}

const short = (digest: Uint8Array | string): string =>
  (typeof digest === 'string' ? digest : Buffer.from(digest).toString('hex')).slice(0, 12);

function judgeComponents(
  deviations: readonly Deviation[],
  list: ListMemory,
  snapshot: ReferenceSnapshot,
  appraisal: Appraisal,
  findings: Findings,
): void {
  if (snapshot.empty) {
    findings.fault('executables', CLAIM_VALUE.noClaim, 'there are no reference values: nothing is known to be good');
    return;
  }
  if (list.starts === 0) {
    findings.fault('executables', CLAIM_VALUE.unexpectedEvidence, 'the measurement list does not begin with a start');
    return;
  }
  if (list.withheld) {
    const text = 'records of what was loaded since the last start are withheld';
    findings.fault('executables', CLAIM_VALUE.executables.contraindicatedRuntime, text);
    return;
  }
  findings.claim('executables', CLAIM_VALUE.executables.approvedRuntime);
  findings.claim('configuration', CLAIM_VALUE.configuration.approved);
  for (const { component, expectation, configuration } of deviations) {
    const { name, digest } = component;
    const what =
      GONE_DIGEST === Buffer.from(digest).toString('hex') ? 'is gone or cannot be read' : `is ${short(digest)}`;
    if (expectation.verdict === 'changed') {
      const expected = expectation.expected.slice(0, 3).map(short);
      const text = `${name} ${what} instead of ${expected.join(' or ')}`;
      if (configuration) findings.fault('configuration', CLAIM_VALUE.configuration.unsafe, text);
      else findings.fault('executables', CLAIM_VALUE.executables.contraindicatedRuntime, text);
    } else if (configuration) {
      const text = `${name} (${short(digest)}) has no reference value`;
      findings.fault('configuration', CLAIM_VALUE.configuration.unavailable, text);
    } else {
      const { contraindicatedRuntime, unrecognizedRuntime } = CLAIM_VALUE.executables;
      const value = appraisal.unknownFiles === 'warning' ? unrecognizedRuntime : contraindicatedRuntime;
      findings.fault('executables', value, `${name} ${what} and stands in no manifest`);
    }
  }
}

/** Stands for a file that could not be read. */
const GONE_DIGEST = 'ff'.repeat(32);
