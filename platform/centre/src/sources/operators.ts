/**
 * The list of operators on its way to the gateways: each says with its challenge which version it holds, and is given what
 * comes after. The centre signs what it sends with the key it has now; what the gateways believe is the operators' approval.
 */
import { describeError, type ListApproval } from '@enerchain/model';
import { type Identity, OPERATORS_METHOD, signOperatorList } from '@enerchain/trust';
import type { Findings } from '../ingest/findings.ts';
import type { SourceSession } from './registry.ts';

export interface OperatorListSource {
  /** 0 while there is none. */
  readonly version: number;
  listsAfter(version: number): readonly { readonly payload: Uint8Array; readonly approval: ListApproval | undefined }[];
}

interface Held {
  readonly session: SourceSession;
  version: number;
  /** Lists are given one lot after the other. */
  giving: Promise<void>;
}

export class OperatorLists {
  readonly #signing: () => Pick<Identity, 'signer' | 'kid'>;
  readonly #findings: Findings;
  readonly #held = new Map<string, Held>();
  readonly #refused = new Set<string>();
  #source: OperatorListSource | undefined;

  /** @param options.signing the key of the centre as it is certified now */
  constructor(options: { signing: () => Pick<Identity, 'signer' | 'kid'>; findings: Findings }) {
    this.#signing = options.signing;
    this.#findings = options.findings;
  }

  /** The face of the centre is there, and with it the authenticators. */
  attach(source: OperatorListSource): void {
    this.#source = source;
    this.changed();
  }

  /** There is a newer list: everybody who is connected gets it. */
  changed(): void {
    for (const [source, held] of this.#held) this.#give(source, held);
  }

  /** A source has said which version it holds; said again with each of its challenges. */
  heard(source: string, session: SourceSession, params: unknown): void {
    const version = (params as { operators?: unknown } | null)?.operators;
    if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 0) return;
    const known = this.#held.get(source);
    const giving = known?.session === session ? known.giving : Promise.resolve();
    const held: Held = { session, version, giving };
    this.#held.set(source, held);
    this.#give(source, held);
  }

  left(source: string, session: SourceSession): void {
    if (this.#held.get(source)?.session === session) this.#held.delete(source);
  }

  #give(source: string, held: Held): void {
    held.giving = held.giving.then(() => this.#offer(source, held));
  }

  async #offer(source: string, held: Held): Promise<void> {
    const lists = this.#source;
    if (this.#held.get(source) !== held || !lists || lists.version === 0 || held.version === lists.version) return;
    if (held.version > lists.version) {
      this.#trouble(
        source,
        `holds version ${held.version}, the centre has ${lists.version}: was the centre restored or replaced?`,
      );
      return;
    }
    try {
      const documents: Uint8Array[] = [];
      for (const { payload, approval } of lists.listsAfter(held.version)) {
        const { signer, kid } = this.#signing();
        documents.push(await signOperatorList(signer, kid, payload, approval));
      }
      const answer = await held.session.request?.(OPERATORS_METHOD, { documents });
      const { version } = (answer ?? {}) as { version?: unknown };
      if (typeof version === 'number') held.version = Math.max(held.version, version);
      this.#settled(source);
    } catch (error) {
      // One that has gone is given it when it comes again.
      if (this.#held.get(source) === held) this.#trouble(source, `did not take the list: ${describeError(error)}`);
    }
  }

  #trouble(source: string, what: string): void {
    this.#findings.tell({
      action: 'operators.refused',
      actor: source,
      outcome: 'refused',
      detail: { text: what.slice(0, 500) },
    });
    if (this.#refused.has(source)) return;
    this.#refused.add(source);
    this.#findings.raise(this.#alarm(source, what));
  }

  #settled(source: string): void {
    if (this.#refused.delete(source)) this.#findings.raise(this.#alarm(source, 'holds the list again.'), false);
  }

  #alarm(source: string, what: string) {
    return {
      key: `operators:${source}`,
      priority: 2 as const,
      source,
      message: `List of operators: ${source} ${what}`.slice(0, 1000),
      consequence: 'Approvals of a second person may not count there.',
      action:
        'Find out who changed the list. A person at the gateway can remove its file operators, so that it takes the next one.',
    };
  }
}
