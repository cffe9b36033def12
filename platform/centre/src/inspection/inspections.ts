/**
 * Questions to gateways about their devices, for people who look at them. What comes back is a view of a moment: it is checked
 * for its shape and passed on, neither stored nor receipted. Files are audited, since they may be sensitive.
 */
import { gathered, type PieceAsker, receivePieces } from '@enerchain/link';
import {
  type After,
  describeError,
  EnerchainError,
  FILE_BYTES,
  INSPECT_METHOD,
  type InspectionQuestion,
  type InspectionView,
  type InspectionViewAsk,
  parseView,
  systemAfter,
  VIEW_BYTES,
} from '@enerchain/model';
import type { CborValue } from '@enerchain/trust';
import type { LogWriter, Sources } from '../ports.ts';

export interface InspectionLimits {
  /** Questions to one source at the same time. */
  readonly perSource: number;
  /** Questions to all of them. */
  readonly inAll: number;
  /** Milliseconds for a view; more than a gateway gives its device. */
  readonly viewWithin: number;
  /** Milliseconds for the next piece of a file, and for all of it. */
  readonly pieceWithin: number;
  readonly fileWithin: number;
}

const LIMITS: InspectionLimits = {
  perSource: 4,
  inAll: 32,
  viewWithin: 30_000,
  pieceWithin: 30_000,
  fileWithin: 30 * 60_000,
};

export interface InspectionsOptions {
  readonly sources: Pick<Sources, 'status'>;
  /** The connected source of a name. */
  readonly peerOf: (source: string) => PieceAsker | undefined;
  readonly audit: LogWriter;
  readonly after?: After;
  readonly limits?: Partial<InspectionLimits>;
}

/** A question without its endpoint and who asks. */
type Asked<Q> = Q extends InspectionQuestion ? Omit<Q, 'endpoint' | 'by'> : never;
export type ViewQuestion<A extends InspectionViewAsk> = Asked<Extract<InspectionQuestion, { ask: A }>>;

/** Where a question goes, and who asks. */
export interface Addressee {
  readonly source: string;
  readonly endpoint: string;
  readonly by: string;
}

export class Inspections {
  readonly counters = { asked: 0, answered: 0, failed: 0, busy: 0, files: 0, octets: 0 };
  readonly #options: InspectionsOptions;
  readonly #limits: InspectionLimits;
  readonly #after: After;
  readonly #underWay = new Map<string, number>();

  constructor(options: InspectionsOptions) {
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
    this.#after = options.after ?? systemAfter;
  }

  /**
   * @throws EnerchainError `inspection.source` (caller), `inspection.away` (environment), `inspection.busy` (environment),
   *   `link.timeout`, `model.invalid` (peer), and what the gateway says
   */
  async view<A extends InspectionViewAsk>(
    to: Addressee,
    question: ViewQuestion<A>,
    signal?: AbortSignal,
  ): Promise<InspectionView<A>> {
    const { viewWithin } = this.#limits;
    const pieces = this.#ask(to, question, {
      limit: VIEW_BYTES,
      pieceWithin: viewWithin,
      within: viewWithin,
      signal,
    });
    const text = Buffer.from(await gathered(pieces)).toString('utf8');
    const what = `the answer of ${to.source} about ${to.endpoint}`;
    let data: unknown;
    try {
      data = JSON.parse(text);
    } catch (cause) {
      throw new EnerchainError('peer', 'inspection.answer', `${what} is no JSON`, { cause });
    }
    return parseView((question as { ask: A }).ask, data, what);
  }

  /**
   * A file of a device in pieces. That it is fetched stands in the audit before the first one is asked for, and how it ended
   * afterwards.
   */
  async *file(to: Addressee, name: string, signal?: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    const { audit } = this.#options;
    const { pieceWithin, fileWithin } = this.#limits;
    const subject = `${to.source}/${to.endpoint}`;
    const tell = (outcome: 'ok' | 'failed', detail: Record<string, unknown>) =>
      audit.append({ action: 'device.file', actor: to.by, outcome, subject, detail: { name, ...detail } });
    let octets = 0;
    let state = 'given up by who asked';
    // Nobody gets a file whose fetching could not be written down.
    await tell('ok', { state: 'asked for' });
    this.counters.files++;
    try {
      const question: Asked<Extract<InspectionQuestion, { ask: 'file' }>> = { ask: 'file', name };
      const limits = { limit: FILE_BYTES, pieceWithin, within: fileWithin, signal };
      for await (const piece of this.#ask(to, question, limits)) {
        octets += piece.length;
        yield piece;
      }
      state = 'complete';
    } catch (error) {
      state = describeError(error);
      throw error;
    } finally {
      await tell(state === 'complete' ? 'ok' : 'failed', { state: state.slice(0, 500), octets }).catch(() => undefined);
    }
  }

  async *#ask(
    { source, endpoint, by }: Addressee,
    question: object,
    limits: Omit<Parameters<typeof receivePieces>[4], 'after'>,
  ): AsyncGenerator<Uint8Array, void, void> {
    this.counters.asked++;
    const peer = this.#peer(source);
    const own = this.#underWay.get(source) ?? 0;
    const all = [...this.#underWay.values()].reduce((sum, count) => sum + count, 0);
    if (own >= this.#limits.perSource || all >= this.#limits.inAll) {
      this.counters.busy++;
      const text = `${own} questions to ${source} (${all} in all) are under way already; ask again`;
      throw new EnerchainError('environment', 'inspection.busy', text);
    }
    this.#underWay.set(source, own + 1);
    try {
      const params = { ...question, endpoint, by } as unknown as CborValue;
      const pieces = receivePieces(peer, source, INSPECT_METHOD, params, { ...limits, after: this.#after });
      for await (const piece of pieces) {
        this.counters.octets += piece.length;
        yield piece;
      }
      this.counters.answered++;
    } catch (error) {
      this.counters.failed++;
      throw error;
    } finally {
      const left = (this.#underWay.get(source) ?? 1) - 1;
      if (left > 0) this.#underWay.set(source, left);
      else this.#underWay.delete(source);
    }
  }

  #peer(source: string): PieceAsker {
    const status = this.#options.sources.status().find((each) => each.source === source);
    if (status?.role !== 'edge') {
      throw new EnerchainError('caller', 'inspection.source', `There is no gateway ${source}.`);
    }
    const peer = status.connected ? this.#options.peerOf(source) : undefined;
    if (peer) return peer;
    const text = `The gateway ${source} is not connected; its devices can be looked at once it is back.`;
    throw new EnerchainError('environment', 'inspection.away', text);
  }
}
