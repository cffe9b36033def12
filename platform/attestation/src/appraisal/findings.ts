/** What an appraisal has found: claims that only get worse, and a sentence for each reason. */
import { statusOf, trustworthinessOf } from '../ear.ts';
import type { Trustworthiness, TrustworthinessVector } from '../result.ts';

/** Sentences in one result; more are counted. */
const MOST_REASONS = 20;
const LONGEST = 400;
const RANK: Readonly<Record<Trustworthiness, number>> = { affirming: 0, none: 1, warning: 2, contraindicated: 3 };

export class Findings {
  readonly #vector: { -readonly [name in keyof TrustworthinessVector]: number } = {};
  readonly #reasons: string[] = [];
  #more = 0;

  /** Sets a claim; what is there already stays when it is worse. */
  claim(name: keyof TrustworthinessVector, value: number): void {
    const before = this.#vector[name];
    if (before === undefined || RANK[trustworthinessOf(value)] > RANK[trustworthinessOf(before)]) {
      this.#vector[name] = value;
    }
  }

  /** An affirming claim becomes this one; any other stays. For what limits a node without being a finding. */
  cap(name: keyof TrustworthinessVector, value: number): void {
    const before = this.#vector[name];
    if (before !== undefined && trustworthinessOf(before) === 'affirming') this.#vector[name] = value;
  }

  /** A claim that lowers the status, and why. */
  fault(name: keyof TrustworthinessVector, value: number, reason: string): void {
    this.claim(name, value);
    this.reason(reason);
  }

  reason(text: string): void {
    if (this.#reasons.length >= MOST_REASONS) this.#more++;
    else this.#reasons.push(text.length > LONGEST ? `${text.slice(0, LONGEST)} …` : text);
  }

  get vector(): TrustworthinessVector {
    return this.#vector;
  }

  get reasons(): readonly string[] {
    return this.#more === 0 ? this.#reasons : [...this.#reasons, `and ${this.#more} more findings`];
  }

  get status(): Trustworthiness {
    return statusOf(this.#vector);
  }
}
