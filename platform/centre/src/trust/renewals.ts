/** Evidence before a certificate is renewed: who must show some, how it is judged, and what people hear when there is no other. */
import { isGood, type SignedResult, type TrustPolicy } from '@enerchain/attestation';
import type { EvidenceGate, EvidenceRequired, Holder, Occasion } from '@enerchain/trust';
import type { Findings } from '../ingest/findings.ts';
import { reasonOf } from './node-state.ts';

export interface RenewalsOptions {
  /** Without one nobody can judge: then nobody is refused, and the certificates say that nobody has looked. */
  readonly policy: TrustPolicy | undefined;
  readonly appraise: (evidence: Uint8Array, node: string, binding: Uint8Array) => Promise<SignedResult>;
  /** Whether a node has attested before. */
  readonly hasAttested: (node: string) => boolean;
  readonly findings: Findings;
}

export class Renewals {
  readonly gate: EvidenceGate | undefined;
  readonly #options: RenewalsOptions;
  /** Nodes that get no other certificate; an alarm stands for each. */
  readonly #refused = new Set<string>();

  constructor(options: RenewalsOptions) {
    this.#options = options;
    const { policy, appraise } = options;
    const gate: EvidenceGate = async ({ holder, evidence, binding }) => {
      const { result } = await appraise(evidence, holder.name, binding);
      const verdict = { ok: isGood(result), text: reasonOf(result) };
      if (this.#asked === 'good') this.#tell(holder, verdict);
      return verdict;
    };
    this.gate = policy && gate;
  }

  get #asked(): EvidenceRequired {
    const { policy } = this.#options;
    return policy ? (policy.renewal ?? 'good') : 'nothing';
  }

  /** What a node must show. By token nothing: nothing runs yet that could be attested. */
  requires({ name }: Holder, occasion: Occasion): EvidenceRequired {
    if (occasion === 'enrol') return 'nothing';
    if (this.#asked !== 'shown') return this.#asked;
    return this.#options.hasAttested(name) ? 'shown' : 'nothing';
  }

  #tell({ name }: Holder, { ok, text }: { readonly ok: boolean; readonly text: string }): void {
    if (ok ? !this.#refused.delete(name) : this.#refused.has(name)) return;
    if (!ok) this.#refused.add(name);
    const alarm = {
      key: `trust.renewal.${name}`,
      priority: 2,
      source: name,
      message: `${name} gets no other certificate: ${text}.`.slice(0, 1000),
      consequence: 'Its connection ends with the present certificate; it keeps its values until it is let in again.',
      action: 'Bring it back to what was released, or release what it runs with a manifest; it asks again by itself.',
    } as const;
    this.#options.findings.raise(alarm, !ok);
  }
}
