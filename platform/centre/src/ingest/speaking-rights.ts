/**
 * For whom a source may speak: its own points, its own site, itself. What it says beyond that is kept in the log as it came,
 * as evidence, and shown to nobody.
 */
import type { Batch, Column, Content } from '@enerchain/link';
import type { SiteDocument } from '@enerchain/model';
import type { LogWriter, SourceRole } from '../ports.ts';
import type { SourceCounters } from './counters.ts';
import type { Findings } from './findings.ts';
import { CENTRE } from './own-chain.ts';
import type { Directory } from './points.ts';

export interface SpeakingRightsContext {
  readonly points: Directory;
  readonly own: LogWriter;
  readonly findings: Findings;
}

/** Columns that consumers may see all of. */
const NONE: readonly number[] = [];
/** A content without columns is the first and only one. */
const ALL: readonly number[] = [0];

export class SpeakingRights {
  readonly #source: string;
  readonly #context: SpeakingRightsContext;
  readonly #counters: Pick<SourceCounters, 'rejected'>;

  constructor(source: string, context: SpeakingRightsContext, counters: Pick<SourceCounters, 'rejected'>) {
    this.#source = source;
    this.#context = context;
    this.#counters = counters;
  }

  /** Takes note of an announcement as well. @returns indices of the columns that consumers must not see */
  rejected(batch: Batch, content: Content, role: SourceRole): readonly number[] {
    switch (content.kind) {
      case 'observations':
        return this.#observations(batch, content.batch.columns);
      case 'gap':
      case 'sourceEvents':
        return NONE;
      case 'site':
        return this.#site(batch, content.document);
      case 'commandEvents':
        if (role === 'edge' && content.events.every(({ point }) => this.#isBound(point))) return NONE;
        return this.#refuse(batch, 'events of commands to points not bound to it');
      case 'alarmRaised': {
        if (role === 'service') return NONE;
        const { source = this.#source, point } = content.alarm;
        if (source === this.#source && (!point || this.#isBound(point))) return NONE;
        return this.#refuse(batch, "an alarm about another's point");
      }
      case 'audit':
        return this.#source === CENTRE ? NONE : this.#refuse(batch, "an audit record, which is the centre's alone");
      case 'attestation':
        if (content.record.verifier === this.#source) return NONE;
        return this.#refuse(batch, "another's result of attestation");
      case 'command':
      case 'certificate':
        return this.#refuse(batch, `a ${content.kind}, which is the centre's alone`);
    }
  }

  #isBound(point: string): boolean {
    return this.#context.points.isBound(this.#source, point);
  }

  #observations(batch: Batch, columns: readonly Column[]): readonly number[] {
    const rejected: number[] = [];
    let count = 0;
    columns.forEach((column, index) => {
      if (this.#isBound(column.point)) return;
      rejected.push(index);
      count += column.cause.length;
    });
    if (count === 0) return rejected;
    this.#counters.rejected += count;
    this.#tell(batch, `${count} observations of ${rejected.length} points not bound to it`, {
      point: columns[rejected[0]!]!.point,
    });
    return rejected;
  }

  #site(batch: Batch, document: SiteDocument): readonly number[] {
    const { points, findings, own } = this.#context;
    const outcome = points.announce(this.#source, document);
    if (outcome.kind === 'foreign') return this.#refuse(batch, "another source's site document");
    if (outcome.kind === 'old') {
      return this.#refuse(batch, `a site document that is not newer than version ${outcome.inForce}`);
    }
    const { conflicts } = outcome;
    const detail = { points: outcome.points, conflicts: conflicts.length };
    own.append({ action: 'site.announced', actor: this.#source, outcome: 'ok', detail }).catch(() => {});
    if (conflicts.length > 0) {
      findings.raise({
        key: `ingest.points.${this.#source}`,
        priority: 2,
        source: this.#source,
        message: `${this.#source} announces ${conflicts.length} points that belong to another source already, first ${conflicts[0]}; they stay with the other one.`,
        action: 'Correct the site file of one of the two sources.',
      });
    }
    return NONE;
  }

  #refuse(batch: Batch, what: string): readonly number[] {
    this.#tell(batch, what);
    return ALL;
  }

  #tell(batch: Batch, what: string, detail: Record<string, unknown> = {}): void {
    const { epoch, sequence } = batch.header;
    this.#context.findings.tell({
      action: 'ingest.not-bound',
      actor: this.#source,
      outcome: 'refused',
      subject: `batch ${epoch}/${sequence}`,
      detail: { text: `${this.#source} sent ${what}; kept in the log, shown to nobody`, ...detail },
    });
  }
}
