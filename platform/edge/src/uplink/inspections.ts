/**
 * Questions of the centre about devices, for people who look at them. What may be asked stands in the site's policy, so that a
 * centre in other hands learns no more; a few at a time, each within its time and size, and never before a batch.
 */
import { type RequestContext, sendPieces } from '@enerchain/link';
import {
  type After,
  type Clock,
  describeError,
  EnerchainError,
  FILE_BYTES,
  type InspectionQuestion,
  parseQuestion,
  type SourceEvent,
  systemAfter,
  VIEW_BYTES,
} from '@enerchain/model';
import type { CborValue } from '@enerchain/trust';
import type { Logger } from 'pino';
import type { Connector, Inspector } from '../connector.ts';
import type { SitePolicy } from '../site/site.ts';

/** Each one grows only, but for `underWay`. */
export interface InspectionCounters {
  asked: number;
  answered: number;
  /** By the policy of the site, or because too many were under way. */
  refused: number;
  failed: number;
  files: number;
  /** Octets of answers. */
  octets: number;
}

export interface InspectionDeskOptions {
  readonly source: string;
  readonly policy: Pick<SitePolicy, 'inspection'>;
  readonly connectors: ReadonlyMap<string, Pick<Connector, 'inspector'>>;
  /** Resolves when so many octets may go without holding a batch up. */
  readonly ready: (bytes: number, signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly after?: After;
  readonly logger: Logger;
  /** Puts it on the chain; resolves when durable. */
  readonly writeSourceEvents: (events: readonly SourceEvent[]) => Promise<void>;
}

/** Questions under way at the same time. */
export const MOST_INSPECTIONS = 4;
/** Milliseconds that a device may take for a view. */
export const VIEW_WITHIN = 25_000;

export class InspectionDesk {
  readonly counters: InspectionCounters = { asked: 0, answered: 0, refused: 0, failed: 0, files: 0, octets: 0 };
  readonly #options: InspectionDeskOptions;
  readonly #after: After;
  #underWay = 0;

  constructor(options: InspectionDeskOptions) {
    this.#options = options;
    this.#after = options.after ?? systemAfter;
  }

  /**
   * @throws EnerchainError `inspection.question`, `model.invalid`; `inspection.refused` (caller: the policy of the site),
   *   `inspection.busy` (environment), `inspection.endpoint` (caller), `inspection.none` (unsupported), `inspection.late`
   *   (peer: the device does not answer), and what the connector throws
   */
  async answer(params: CborValue, context: RequestContext): Promise<CborValue> {
    this.counters.asked++;
    const question = parseQuestion(params);
    this.#permit(question);
    if (this.#underWay >= MOST_INSPECTIONS) {
      this.counters.refused++;
      const text = `${this.#options.source} answers ${this.#underWay} questions about its devices already; ask again`;
      throw new EnerchainError('environment', 'inspection.busy', text);
    }
    const inspector = this.#inspectorOf(question.endpoint);
    this.#underWay++;
    try {
      const end =
        question.ask === 'file'
          ? await this.#file(inspector, question, context)
          : await this.#view(inspector, question, context);
      this.counters.answered++;
      this.counters.octets += (end as { size: number }).size;
      return end;
    } catch (error) {
      if (!context.signal.aborted) this.counters.failed++;
      const { ask, endpoint } = question;
      this.#options.logger.info({ ask, endpoint, error: describeError(error) }, 'a question could not be answered');
      throw error;
    } finally {
      this.#underWay--;
    }
  }

  #permit({ ask, endpoint, by }: InspectionQuestion): void {
    const { policy, source, logger } = this.#options;
    if (policy.inspection === 'files' || (policy.inspection === 'views' && ask !== 'file')) return;
    this.counters.refused++;
    logger.warn({ ask, endpoint, by }, 'a question was refused by the policy of the site');
    const what = policy.inspection === 'views' ? 'files of devices are not given out' : 'devices are not shown';
    throw new EnerchainError('caller', 'inspection.refused', `by the local policy of ${source} ${what}`);
  }

  #inspectorOf(endpoint: string): Inspector {
    const connector = this.#options.connectors.get(endpoint);
    const { source } = this.#options;
    if (!connector) {
      throw new EnerchainError('caller', 'inspection.endpoint', `${source} has no endpoint ${endpoint} in operation`);
    }
    if (connector.inspector) return connector.inspector;
    const text = `${endpoint} of ${source} speaks a protocol in which a device does not tell what it is`;
    throw new EnerchainError('unsupported', 'inspection.none', text);
  }

  async #view(
    inspector: Inspector,
    question: Exclude<InspectionQuestion, { ask: 'file' }>,
    context: RequestContext,
  ): Promise<CborValue> {
    const view = await this.#within(inspector.view(question), question);
    return sendPieces([Buffer.from(JSON.stringify(view))], context, { limit: VIEW_BYTES, ready: this.#options.ready });
  }

  /** On the chain before the first octet leaves: the centre cannot write it, and cannot keep it secret. */
  async #file(
    inspector: Inspector,
    { name, endpoint, by }: Extract<InspectionQuestion, { ask: 'file' }>,
    context: RequestContext,
  ): Promise<CborValue> {
    const { clock, logger, ready, writeSourceEvents } = this.#options;
    this.counters.files++;
    const detail = `the file ${name} for ${by}`;
    logger.info({ endpoint, by }, detail);
    await writeSourceEvents([{ kind: 'fileFetched', at: String(clock.now()), endpoint, detail }]);
    return sendPieces(inspector.file(name, FILE_BYTES), context, { limit: FILE_BYTES, ready });
  }

  async #within<T>(work: Promise<T>, { ask, endpoint }: InspectionQuestion): Promise<T> {
    let cancel: () => void = () => undefined;
    const late = new Promise<never>((_resolve, reject) => {
      cancel = this.#after(VIEW_WITHIN, () => {
        const text = `${endpoint} did not answer the question '${ask}' within ${VIEW_WITHIN / 1000} s`;
        reject(new EnerchainError('peer', 'inspection.late', text));
      });
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      cancel();
      // It may still fail when nobody listens any more.
      work.catch(() => undefined);
    }
  }
}
