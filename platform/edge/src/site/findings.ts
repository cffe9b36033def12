/** What is wrong with a site file, said so that the person who wrote it can mend it without asking. */
import { EnerchainError } from '@enerchain/model';

export interface SiteFinding {
  readonly severity: 'error' | 'warning';
  /** The file as it was named by the user. */
  readonly file: string;
  /** Counted from 1; absent when the whole file is meant. */
  readonly line?: number;
  /** Key path (`endpoints[0].port`) or column name. */
  readonly field?: string;
  /** What is wrong and what was expected. */
  readonly message: string;
  /** All of it in one line: `site.yaml:12: endpoints[0].port: must be …` */
  readonly text: string;
}

/** A list of findings that knows its file; bounded, because a wrong column can be wrong a hundred thousand times. */
export class FindingList {
  static readonly LIMIT = 500;
  readonly #list: SiteFinding[] = [];
  #suppressed = 0;
  #errors = 0;

  get list(): readonly SiteFinding[] {
    return this.#list;
  }

  get suppressed(): number {
    return this.#suppressed;
  }

  get failed(): boolean {
    return this.#errors > 0;
  }

  error(file: string, line: number | undefined, field: string | undefined, message: string): void {
    this.#errors++;
    this.#push('error', file, line, field, message);
  }

  warning(file: string, line: number | undefined, field: string | undefined, message: string): void {
    this.#push('warning', file, line, field, message);
  }

  #push(
    severity: 'error' | 'warning',
    file: string,
    line: number | undefined,
    field: string | undefined,
    message: string,
  ): void {
    if (this.#list.length >= FindingList.LIMIT) {
      this.#suppressed++;
      return;
    }
    const place = line === undefined ? file : `${file}:${line}`;
    this.#list.push({
      severity,
      file,
      ...(line === undefined ? {} : { line }),
      ...(field === undefined ? {} : { field }),
      message,
      text: field ? `${place}: ${field}: ${message}` : `${place}: ${message}`,
    });
  }
}

/** Thrown when a site cannot be used; the message lists every error, the property holds the findings as data. */
export class SiteError extends EnerchainError {
  readonly findings: readonly SiteFinding[];

  constructor(file: string, findings: readonly SiteFinding[], suppressed = 0) {
    const errors = findings.filter((finding) => finding.severity === 'error');
    const more = suppressed > 0 ? `\n  … and ${suppressed} more` : '';
    super(
      'caller',
      'edge.site.invalid',
      `${file} cannot be used, ${errors.length + suppressed} errors:\n  ${errors.map(({ text }) => text).join('\n  ')}${more}`,
    );
    this.name = 'SiteError';
    this.findings = findings;
  }
}
