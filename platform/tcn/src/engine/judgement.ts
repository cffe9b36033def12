/** What becomes of the statements of others: whom they convince, of what, and who is caught lying. */
import { type AttestationResult, type SignedResult, untimely } from '@enerchain/attestation';
import { describeError } from '@enerchain/model';
import type { Release } from '../statement.ts';
import { isAuthentic } from './dialogue.ts';
import { type EvidenceStore, hexOf } from './evidence-store.ts';
import { isAdverse, type Read, readStatement } from './gossip.ts';
import { TCN_LIMITS } from './limits.ts';
import type { TcnOptions } from './ports.ts';
import { type NodeRecord, viewOf } from './record.ts';
import type { Registry } from './registry.ts';
import type { Standing, StandingTable } from './standing.ts';

/** A node that was caught is marked for as many validities of a result. */
const MARKED = 10;

export interface JudgementOptions extends Pick<TcnOptions, 'clock' | 'policy' | 'onStatement' | 'reappraiser'> {
  readonly self: string;
  readonly registry: Registry;
  readonly table: StandingTable;
  readonly evidence: EvidenceStore;
  /** Appraises with `reappraiser`; rejects when that fails or stalls. */
  appraise(
    evidence: Uint8Array,
    expected: { readonly node: string; readonly binding: Uint8Array },
  ): Promise<Pick<SignedResult, 'result'>>;
  /** Looks at a neighbour at once. */
  attestNow(node: string): void;
}

export class Judgement {
  readonly #options: JudgementOptions;

  constructor(options: JudgementOptions) {
    this.#options = options;
  }

  /** What a bad result is worth: `known` when the node is in quarantine already, `void` when a release has forgiven it. */
  worth(result: AttestationResult): 'evidence' | 'known' | 'void' {
    const record = this.#options.registry.find(result.node);
    if (!record) return 'evidence';
    if (record.voided.has(hexOf(result.evidence))) return 'void';
    if (record.releasedAt !== undefined && result.issuedAt <= record.releasedAt) return 'void';
    return record.conviction && !record.conviction.released ? 'known' : 'evidence';
  }

  /** Appraises the evidence behind somebody else's bad result. @returns whether it is bad indeed, and of that node */
  async judge(claimed: AttestationResult, evidence: Uint8Array): Promise<boolean> {
    const { registry, reappraiser, policy } = this.#options;
    const record = registry.of(claimed.node);
    let found: AttestationResult;
    try {
      found = (await this.#options.appraise(evidence, { node: claimed.node, binding: claimed.binding })).result;
    } catch (error) {
      registry.notice(claimed.node, `evidence of ${claimed.verifier} could not be appraised: ${describeError(error)}`);
      return false;
    }
    if (found.status === 'contraindicated' && isAuthentic(found)) {
      // Whoever shows again what was forgiven shows nothing new.
      const made = reappraiser.timeOf?.(evidence);
      if (record.releasedAt !== undefined && made !== undefined && made <= record.releasedAt) return false;
      const inForce = policy();
      const wrong = inForce && made !== undefined ? untimely(made, claimed.issuedAt, inForce) : undefined;
      if (wrong) {
        this.#lied(
          claimed.verifier,
          `it passes old evidence of ${claimed.node} off as fresh, which ${wrong}`,
          'tcn.stale',
        );
        return false;
      }
      const digest = hexOf(claimed.evidence);
      this.#options.evidence.put(digest, evidence);
      const reason = `${found.reasons[0] ?? 'bad evidence'}, shown by ${claimed.verifier}`;
      registry.convict(record, 'evidence of a neighbour', reason, digest);
      registry.reassess([record]);
      return true;
    }
    if (found.status === 'none') return false;
    const text = `it said that ${claimed.node} is bad, and its evidence does not show it`;
    this.#lied(claimed.verifier, text, 'tcn.contradicted');
    return false;
  }

  /** Marks a node that was caught: an alarm, for a time. */
  #lied(name: string, text: string, code: string): void {
    const { registry, clock, policy } = this.#options;
    const liar = registry.of(name);
    liar.contradicted = { text, until: clock.monotonic() + MARKED * (policy()?.validFor ?? 60) * 1000 };
    registry.notice(name, text, code);
    registry.reassess([liar]);
  }

  /** A statement counts: it is signed, and its evidence was appraised where it needs any. */
  taken(read: Read, standing: Standing): void {
    const { registry, self, clock, onStatement } = this.#options;
    const { node } = read.content;
    const now = clock.monotonic();
    const tell = () => onStatement?.({ ...standing, ...(read.kind === 'result' ? { result: read.content } : {}) });
    if (node === self && isAdverse(read)) {
      const text = `${read.issuer || 'the operator'} says that this node is bad or silent`;
      registry.notice(self, text, 'tcn.accused');
    }
    const record = registry.of(node);
    switch (read.kind) {
      case 'result': {
        const before = record.viewOf(read.issuer);
        if (before && before.sequence >= read.content.sequence) return;
        record.viewed(read.issuer, viewOf(read.content, now));
        break;
      }
      case 'silence': {
        const { silent, at } = read.content;
        record.silentTo(read.issuer, silent, now);
        // The next result has another number than the silence; it always takes its place.
        record.viewed(read.issuer, { status: silent ? 'silent' : 'none', at, sequence: -1 });
        break;
      }
      case 'release':
        this.#ordered(record, read.content);
    }
    tell();
    registry.reassess([record]);
  }

  #ordered(record: NodeRecord, { action, at, reason }: Release): void {
    const { registry, table } = this.#options;
    if (action === 'quarantine') {
      registry.convict(record, 'operator', reason);
      registry.notice(record.name, `put into quarantine by the operator: ${reason}`);
      return;
    }
    const { conviction } = record;
    if (conviction?.digest) record.voided.add(conviction.digest);
    for (const each of table.about(record.name)) {
      if (each.kind === 'result' && each.adverse) record.voided.add(digestIn(each));
    }
    while (record.voided.size > TCN_LIMITS.viewsPerNode) record.voided.delete(record.voided.values().next().value!);
    table.drop((each) => each.kind === 'result' && each.node === record.name);
    record.releasedAt = at;
    record.contradicted = undefined;
    record.twins = undefined;
    record.forgetBoots();
    // Whoever is no neighbour is no longer convicted; a neighbour has to show fresh good evidence first.
    if (conviction) record.conviction = record.neighbour ? { ...conviction, released: true } : undefined;
    registry.decided();
    registry.notice(record.name, `released by the operator: ${reason}`);
    this.#options.attestNow(record.name);
  }
}

function digestIn({ bytes }: Standing): string {
  const read = readStatement(bytes);
  return read.kind === 'result' ? hexOf(read.content.evidence) : '';
}
