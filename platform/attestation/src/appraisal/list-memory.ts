/** What a verifier remembers of the measurement list of a node, so that only new records need to be sent and judged. */
import type { Claims } from '../evidence.ts';
import {
  type Component,
  decodeRecord,
  digestOfRecord,
  extended,
  isConfiguration,
  isOpaque,
  ZERO_DIGEST,
} from '../measure/list.ts';
import type { Expectation, ReferenceSnapshot } from '../reference/values.ts';

/** Why a list cannot be taken over. */
export type ListProblem =
  /** It begins later than what is known: ask again for all of it. */
  | { readonly kind: 'gap'; readonly text: string }
  /** It is not a continuation of what was shown before, or does not hash to its head. */
  | { readonly kind: 'forged'; readonly text: string };

/** A component that is not as it should be. */
export interface Deviation {
  readonly component: Component;
  readonly expectation: Expectation;
  readonly configuration: boolean;
}

/** One way to have come to a head; what is judged is what was loaded since the last start of the process. */
export class ListMemory {
  readonly list: string;
  /** Head after 0, 1, 2 … records. */
  readonly #heads: Uint8Array[] = [ZERO_DIGEST];
  /** Components of the present run of the process, in order; a name may come more than once. */
  #components: Component[] = [];
  #starts = 0;
  #withheld = false;
  #snapshot: ReferenceSnapshot | undefined;
  #judged = 0;
  #deviations: Deviation[] = [];

  constructor(list: string) {
    this.list = list;
  }

  get records(): number {
    return this.#heads.length - 1;
  }

  get head(): Uint8Array {
    return this.#heads.at(-1) as Uint8Array;
  }

  /** How often the process was started within this list. */
  get starts(): number {
    return this.#starts;
  }

  /** Whether there are records since the last start that were not shown. */
  get withheld(): boolean {
    return this.#withheld;
  }

  get components(): readonly Component[] {
    return this.#components;
  }

  /**
   * Checks the records of evidence against what is known and takes the new ones over; nothing is taken over when there is a
   * problem.
   * @throws EnerchainError (fault peer) when a record cannot be read
   */
  follow(claims: Claims): ListProblem | undefined {
    const { from, records, count, head } = claims;
    if (count < this.records) {
      const text = `the measurement list has ${count} records and had ${this.records} before: it was cut short`;
      return { kind: 'forged', text };
    }
    if (from > this.records) {
      const text = `the measurement list is sent from record ${from} on, and here it is known up to ${this.records}`;
      return { kind: 'gap', text };
    }
    const heads: Uint8Array[] = [];
    let at = this.#heads[from] as Uint8Array;
    for (const [index, record] of records.entries()) {
      at = extended(at, digestOfRecord(record));
      const known = this.#heads[from + index + 1];
      if (!known) heads.push(at);
      else if (Buffer.compare(known, at) !== 0) {
        const text = `record ${from + index} of the measurement list is not the one that was shown before: it was rewritten`;
        return { kind: 'forged', text };
      }
    }
    if (Buffer.compare(at, head) !== 0) {
      const text = 'the records of the measurement list do not hash to its head: some were left out, added or changed';
      return { kind: 'forged', text };
    }
    const fresh = records
      .slice(records.length - heads.length)
      .map((record) => (isOpaque(record) ? undefined : decodeRecord(record)));
    this.#heads.push(...heads);
    for (const record of fresh) {
      if (!record) {
        this.#withheld = true;
        continue;
      }
      const { kind, components } = record;
      if (kind === 'start') {
        this.#withheld = false;
        this.#starts++;
        this.#components = [];
        this.#snapshot = undefined;
      }
      this.#components.push(...components);
    }
    return undefined;
  }

  /** Everything of the present run that is not as the reference values say. */
  judge(node: string, snapshot: ReferenceSnapshot): readonly Deviation[] {
    if (this.#snapshot !== snapshot) {
      this.#snapshot = snapshot;
      this.#judged = 0;
      this.#deviations = [];
    }
    for (; this.#judged < this.#components.length; this.#judged++) {
      const component = this.#components[this.#judged] as Component;
      const expectation = snapshot.check(node, component.name, component.digest);
      if (expectation.verdict === 'known') continue;
      this.#deviations.push({ component, expectation, configuration: isConfiguration(component.name) });
    }
    return this.#deviations;
  }
}
