/**
 * Contexts of JSON-LD 1.1 as far as models need them: prefixes, terms with `@id` and `@type`, `@vocab`. One that has to be
 * fetched is refused, so that reading a model asks nobody.
 */
import { CimError } from '../error.ts';
import type { Json } from './json.ts';

export interface Term {
  readonly iri: string;
  /** `@id`, `@vocab`, an IRI of a data type, or undefined. */
  readonly type: string | undefined;
}

const IGNORED = new Set(['@version', '@protected', '@base', '@language']);

export class Context {
  readonly #terms = new Map<string, Term | null>();
  #definitions = new Map<string, Json>();
  #vocabulary: string | undefined;

  /** @throws CimError `json-ld.context` */
  constructor(json?: Json) {
    if (json) this.#take(json);
  }

  #take(json: Json): void {
    if (json.kind === 'array') {
      for (const item of json.items) this.#take(item);
      return;
    }
    if (json.kind === 'string') {
      const text = `the context ${json.text} would have to be fetched; only one that stands in the file is read`;
      throw new CimError('unsupported', 'json-ld.context', text, { line: json.line });
    }
    if (json.kind === 'null') return;
    if (json.kind !== 'object') throw bad('a context is an object', json);
    for (const [name, value] of json.members) {
      if (name === '@vocab') {
        if (value.kind !== 'string') throw bad('@vocab is a text', value);
        this.#vocabulary = value.text;
      } else if (name.startsWith('@')) {
        if (IGNORED.has(name)) continue;
        throw new CimError('unsupported', 'json-ld.context', `${name} in a context is not read`, { line: value.line });
      } else this.#definitions.set(name, value);
    }
  }

  /** What a name of the file is, undefined for one that no definition covers: JSON-LD drops it. */
  term(name: string, line: number): Term | undefined {
    let term = this.#terms.get(name);
    if (term === undefined) {
      const definition = this.#definitions.get(name);
      const iri = this.#expand(name, line, 0);
      term = iri === undefined ? null : { iri, type: definition && this.#typeOf(definition, line) };
      this.#terms.set(name, term);
    }
    return term ?? undefined;
  }

  /** The IRI of a class, or of a value that is one of a vocabulary. */
  iri(name: string, line: number): string {
    return this.#expand(name, line, 0) ?? name;
  }

  #expand(name: string, line: number, depth: number): string | undefined {
    if (depth > 8) throw new CimError('peer', 'json-ld.context', `the term ${name} is defined by itself`, { line });
    const definition = this.#definitions.get(name);
    if (definition) {
      const id = definition.kind === 'object' ? definition.members.get('@id') : definition;
      if (definition.kind === 'object') {
        for (const key of definition.members.keys()) {
          if (key === '@id' || key === '@type' || key === '@protected' || key === '@prefix' || key === '@container')
            continue;
          throw new CimError('unsupported', 'json-ld.context', `${key} of a term is not read`, {
            line: definition.line,
          });
        }
      }
      if (id?.kind === 'null') return undefined;
      if (id) {
        if (id.kind !== 'string') throw bad('the IRI of a term is a text', definition);
        if (id.text !== name) return this.#expand(id.text, line, depth + 1);
      }
    }
    const colon = name.indexOf(':');
    if (colon > 0 && !name.startsWith('//', colon + 1)) {
      const prefix = name.slice(0, colon);
      if (this.#definitions.has(prefix)) {
        const head = this.#expand(prefix, line, depth + 1);
        if (head !== undefined) return head + name.slice(colon + 1);
      }
    }
    if (colon > 0) return name;
    return this.#vocabulary === undefined ? undefined : this.#vocabulary + name;
  }

  #typeOf(definition: Json, line: number): string | undefined {
    const type = definition.kind === 'object' ? definition.members.get('@type') : undefined;
    if (!type) return undefined;
    if (type.kind !== 'string') throw bad('the type of a term is a text', type);
    return type.text.startsWith('@') ? type.text : this.#expand(type.text, line, 1);
  }
}

const bad = (text: string, { line }: Json): CimError => new CimError('peer', 'json-ld.context', text, { line });
