/**
 * Constraints in SPARQL (SHACL § 5). The query of a shape is asked for each of its objects, as the standard wants it: with
 * `$this` bound. One query for all of them would be the better plan for a database; for the planner at hand it is a worse
 * one by orders of magnitude.
 */
import type { DataFactory, Dataset, Libraries, Pointer, Row, Term, Validation } from './libraries.ts';

const SH = 'http://www.w3.org/ns/shacl#';

export interface Unanswered {
  readonly shape: Pointer;
  readonly why: string;
}

export class SparqlConstraints {
  readonly #libraries: Libraries;
  readonly #data: Dataset;
  /** Constraints that the engine does not understand, which are asked once. */
  readonly unanswered: Unanswered[] = [];

  constructor(libraries: Libraries, data: Dataset) {
    this.#libraries = libraries;
    this.#data = data;
  }

  /** For the engine: a shape is compiled once, then asked for each of its objects. */
  readonly validation: Validation = (shape) => {
    const { factory, pathText } = this.#libraries;
    const component = factory.namedNode(`${SH}SPARQLConstraintComponent`);
    const constraints = [...shape.sparql].map((constraint) => ({
      query: `${prefixes(constraint.out([factory.namedNode(`${SH}prefixes`)]), factory)}
${pathIn(constraint.out([factory.namedNode(`${SH}select`)]).value ?? '', pathText(shape.path))}`,
      message: constraint.out([factory.namedNode(`${SH}message`)]).terms,
      source: [constraint.term],
    }));
    return {
      generic: async (context) => {
        const focus = context.focusNode.term;
        if (focus?.termType !== 'NamedNode') return;
        for (const { query, message, source } of constraints) {
          for (const row of await this.#ask(shape.ptr, query, focus)) {
            const args = Object.fromEntries([...row].map(([name, value]) => [name.value, value]));
            const value = context.focusNode.node([row.get('value') ?? focus]);
            context.violation(component, { args, message, source, value });
          }
        }
      },
    };
  };

  async #ask(shape: Pointer, query: string, focus: Term): Promise<readonly Row[]> {
    if (this.unanswered.some((each) => each.shape.value === shape.value)) return [];
    const { select } = this.#libraries;
    try {
      // A query that groups by `$this` is not asked with it bound; a table of one value does the same.
      if (/GROUP\s+BY[^{}]*[$?]this\b/i.test(query)) return await select(withValue(query, focus), this.#data);
      return await select(query, this.#data, { this: focus });
    } catch (cause) {
      this.#tell(shape, cause);
      return [];
    }
  }

  /** For the engine: objects that a query selects (SHACL Advanced Features § 3). */
  readonly target = async (target: Pointer): Promise<readonly Term[]> => {
    const { factory, select } = this.#libraries;
    const query = target.out([factory.namedNode(`${SH}select`)]).value;
    if (query === undefined) return [];
    const head = prefixes(target.out([factory.namedNode(`${SH}prefixes`)]), factory);
    try {
      return (await select(`${head}\n${query}`, this.#data)).flatMap((row) => row.get('this') ?? []);
    } catch (cause) {
      this.#tell(target.in([factory.namedNode(`${SH}target`)]), cause);
      return [];
    }
  };

  #tell(shape: Pointer, cause: unknown): void {
    this.unanswered.push({ shape, why: cause instanceof Error ? cause.message : String(cause) });
  }
}

function prefixes(ontology: Pointer, factory: DataFactory): string {
  const lines = new Set<string>();
  const seen = new Set<string>();
  const take = (pointer: Pointer): void => {
    for (const each of pointer) {
      if (!each.term || seen.has(each.term.value)) continue;
      seen.add(each.term.value);
      for (const declaration of each.out([factory.namedNode(`${SH}declare`)])) {
        const prefix = declaration.out([factory.namedNode(`${SH}prefix`)]).value ?? '';
        const namespace = declaration.out([factory.namedNode(`${SH}namespace`)]).value ?? '';
        lines.add(`PREFIX ${prefix}: <${namespace}>`);
      }
      take(each.out([factory.namedNode('http://www.w3.org/2002/07/owl#imports')]));
    }
  };
  take(ontology);
  return [...lines].join('\n');
}

const pathIn = (query: string, path: string | null): string =>
  path === null ? query : query.replaceAll(/[$?]PATH\b/g, () => path);

/** The query with `?this` bound to one object, in its outermost group and in those of queries within. */
export function withValue(query: string, { value }: Term): string {
  const values = ` VALUES ?this { <${value.replaceAll(/[<>"{}|\\^`\s]/g, encodeURIComponent)}> } `;
  // Comments, IRIs and texts may hold braces; a group belongs to a query when SELECT stands before it.
  const token = /#[^\n]*|<[^<>\s]*>|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|\bSELECT\b|\{/gi;
  let selects = false;
  let text = '';
  let from = 0;
  for (let match = token.exec(query); match; match = token.exec(query)) {
    if (/^select$/i.test(match[0])) selects = true;
    if (match[0] !== '{' || !selects) continue;
    selects = false;
    text += query.slice(from, match.index + 1) + values;
    from = match.index + 1;
  }
  return text + query.slice(from);
}
