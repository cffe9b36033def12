/** A YAML text that knows on which line each of its keys stands. */
import { type Document, isMap, isNode, LineCounter, parseDocument } from 'yaml';
import type { FindingList } from './findings.ts';

/** The YAML text together with the lines its keys stand on. */
export class YamlSource {
  readonly file: string;
  readonly content: unknown;
  readonly #findings: FindingList;
  readonly #lines = new LineCounter();
  readonly #document: Document;

  constructor(file: string, text: string, findings: FindingList) {
    this.file = file;
    this.#findings = findings;
    this.#document = parseDocument(text, { lineCounter: this.#lines, uniqueKeys: true });
    for (const error of this.#document.errors) {
      findings.error(
        file,
        error.linePos?.[0].line,
        undefined,
        (error.message.split('\n')[0] ?? error.message).replace(/ at line \d+, column \d+:?$/, ''),
      );
    }
    // A site file needs no aliases; a bound on them keeps a hostile one from growing without end.
    this.content = this.#document.errors.length > 0 ? undefined : this.#document.toJS({ maxAliasCount: 100 });
  }

  error(path: readonly (string | number)[], message: string): void {
    this.#findings.error(this.file, this.line(path), pathText(path), message);
  }

  /** Line of the key or value at `path`, or of its nearest ancestor that exists. */
  line(path: readonly (string | number)[]): number | undefined {
    for (let length = path.length; length >= 0; length--) {
      const parent = this.#document.getIn(path.slice(0, length - 1), true);
      if (length > 0 && isMap(parent)) {
        const key = path[length - 1];
        const pair = parent.items.find(
          ({ key: candidate }) => isNode(candidate) && String((candidate as { value?: unknown }).value) === String(key),
        );
        if (pair && isNode(pair.key) && pair.key.range) return this.#lines.linePos(pair.key.range[0]).line;
      }
      const node = this.#document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return this.#lines.linePos(node.range[0]).line;
    }
    return undefined;
  }
}

/** A path as messages write it: `endpoints[0].port`. */
export function pathText(path: readonly (string | number)[]): string {
  return path.reduce<string>(
    (text, key) =>
      typeof key === 'number' || /^\d+$/.test(key) ? `${text}[${key}]` : text === '' ? key : `${text}.${key}`,
    '',
  );
}
