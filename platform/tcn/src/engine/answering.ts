/** The attesting side: bindings of several neighbours are collected for a moment and answered by one quote. */
import type { Attester, EvidenceCursor } from '@enerchain/attestation';
import type { After } from '../channel.ts';
import { TCN_LIMITS } from './limits.ts';

/** Milliseconds; a TPM takes a third of a second. */
const QUOTE_TIMEOUT = 20_000;

interface Waiting {
  readonly binding: Uint8Array;
  readonly since: EvidenceCursor | undefined;
  readonly resolve: (evidence: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

export class Answering {
  readonly #attester: Pick<Attester, 'evidence'>;
  readonly #after: After;
  readonly #window: number;
  #waiting: Waiting[] = [];
  #cancel: (() => void) | undefined;
  #quoting = false;
  /** Quotes made, and bindings answered by them. */
  readonly counters = { quotes: 0, answered: 0, failed: 0 };

  /** @param window milliseconds for which bindings are collected; while a quote is made, the next ones collect anyway */
  constructor(attester: Pick<Attester, 'evidence'>, after: After, window: number) {
    this.#attester = attester;
    this.#after = after;
    this.#window = window;
  }

  /** @returns evidence over this binding, among others. Rejects when the attester fails, undefined when too many wait. */
  evidence(binding: Uint8Array, since?: EvidenceCursor): Promise<Uint8Array> | undefined {
    if (this.#waiting.length >= TCN_LIMITS.bindings) return undefined;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ binding, since, resolve, reject });
      if (!this.#quoting) this.#cancel ??= this.#after(this.#window, () => void this.#quote());
    });
  }

  /** An attester that stalls must not hold those who ask later. */
  #evidence(bindings: readonly Uint8Array[], since: EvidenceCursor | undefined): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const cancel = this.#after(QUOTE_TIMEOUT, () => reject(new Error(`no quote within ${QUOTE_TIMEOUT / 1000} s`)));
      const settle = (then: () => void) => {
        cancel();
        then();
      };
      void (async () => this.#attester.evidence(bindings, since))().then(
        (evidence) => settle(() => resolve(evidence)),
        (error: unknown) => settle(() => reject(error)),
      );
    });
  }

  async #quote(): Promise<void> {
    this.#cancel = undefined;
    const batch = this.#waiting;
    this.#waiting = [];
    if (batch.length === 0) return;
    this.#quoting = true;
    try {
      const evidence = await this.#evidence(
        batch.map(({ binding }) => binding),
        common(batch.map(({ since }) => since)),
      );
      this.counters.quotes++;
      this.counters.answered += batch.length;
      for (const each of batch) each.resolve(evidence);
    } catch (error) {
      this.counters.failed++;
      for (const each of batch) each.reject(error);
    } finally {
      this.#quoting = false;
      if (this.#waiting.length > 0) this.#cancel ??= this.#after(0, () => void this.#quote());
    }
  }

  close(): void {
    this.#cancel?.();
    const closed = new Error('closed');
    for (const each of this.#waiting.splice(0)) each.reject(closed);
  }
}

/** What all of them know: a list in pieces suits only those who know the same of it. */
function common(cursors: readonly (EvidenceCursor | undefined)[]): EvidenceCursor | undefined {
  const [first, ...rest] = cursors;
  if (!first || rest.some((each) => each?.list !== first.list)) return undefined;
  const known = [first, ...(rest as EvidenceCursor[])];
  const least = (pick: (cursor: EvidenceCursor) => number | undefined) =>
    Math.min(...known.map((each) => pick(each) ?? 0));
  return {
    list: first.list,
    records: least(({ records }) => records),
    ...(first.events === undefined ? {} : { events: least(({ events }) => events) }),
    ...(first.ima === undefined ? {} : { ima: least(({ ima }) => ima) }),
  };
}
