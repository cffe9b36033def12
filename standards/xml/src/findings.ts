/**
 * What is wrong with a file, said so that its author finds the place. Bounded: a file with a million errors has a
 * million counted and some hundreds told.
 */
export type Severity = 'error' | 'warning' | 'note';

export interface Finding {
  readonly severity: Severity;
  /** Stable, by what it is about: `xml.*`, `rdf.*`, `cim.*` (profiles and classes), `grid.*` (electrical sense), `scl.*`, `zip.*`. */
  readonly code: string;
  readonly text: string;
  readonly file?: string;
  /** Counted from 1. */
  readonly line?: number;
  /** Identifier as the file has it. */
  readonly object?: string;
  readonly class?: string;
  readonly property?: string;
}

const PER_CODE = 200;

export class Findings {
  readonly #kept: Finding[] = [];
  readonly #perCode = new Map<string, number>();
  readonly #counts: Record<Severity, number> = { error: 0, warning: 0, note: 0 };

  add(finding: Finding): void {
    this.#counts[finding.severity]++;
    const seen = this.#perCode.get(finding.code) ?? 0;
    this.#perCode.set(finding.code, seen + 1);
    if (seen < PER_CODE) this.#kept.push(finding);
  }

  /** Those kept: the first 200 of each code, in the order they were found. */
  get list(): readonly Finding[] {
    return this.#kept;
  }
  /** All of them, counted. */
  get counts(): Readonly<Record<Severity, number>> {
    return this.#counts;
  }
  /** How often each code was found, kept or not. */
  get byCode(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#perCode);
  }
}
