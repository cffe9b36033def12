/**
 * Reads a model in JSON-LD 1.1 into a store: node objects, flat or in a `@graph`, with a context that stands in the file.
 * JSON-LD has no `rdf:ID`: an object is defined in a file of the profile its class is at home in, and spoken of in others.
 */
import { CimError } from '../error.ts';
import type { Findings } from '../findings.ts';
import { shortNameOf, VOCABULARIES } from '../rdf/namespaces.ts';
import type { RdfFile } from '../rdf/reader.ts';
import { lettersOf } from '../schema/profiles.ts';
import { type Schema, schemaOf } from '../schema/schema.ts';
import type { CimStore, Naming, ValueKind } from '../store/store.ts';
import { Context } from './context.ts';
import { type Json, JsonCursor } from './json.ts';

const MAX_OCTETS = 400 * 2 ** 20;
const HEADER = 'md:FullModel';

/** @returns what was read; whatever is wrong with the file is a finding, and what came before it stays in the store */
export async function readJsonLd(
  name: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  store: CimStore,
  findings: Findings,
): Promise<RdfFile> {
  const reader = new JsonLdReader(name, store, findings);
  let complete = true;
  let octets = 0;
  try {
    const pieces: Uint8Array[] = [];
    for await (const chunk of chunks) {
      octets += chunk.length;
      if (octets > MAX_OCTETS) throw new CimError('peer', 'json.limit', `the file has more than ${MAX_OCTETS} octets`);
      pieces.push(chunk);
    }
    reader.read(decode(Buffer.concat(pieces)));
  } catch (error) {
    if (!(error instanceof CimError) || error.fault === 'local') throw error;
    complete = false;
    const { line, code } = error;
    const text = `${error.message}${octets === 0 ? '' : '; what follows in this file is not read'}`;
    findings.add({ severity: 'error', code, text, file: name, ...(line === undefined ? {} : { line }) });
  }
  return { name, complete, version: reader.version, octets, encoding: 'utf-8' };
}

/** RFC 8259: UTF-8, whose mark may be passed over. */
function decode(octets: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(octets);
  } catch (cause) {
    throw new CimError('peer', 'json.encoding', 'the file is not UTF-8', { cause });
  }
}

class JsonLdReader {
  readonly #store: CimStore;
  readonly #findings: Findings;
  readonly #name: string;
  readonly #file: number;
  #context = new Context();
  #schema: Schema = schemaOf('3.0');
  /** Letters of the profiles; undefined until the header has been read. */
  #letters: string | undefined;
  /** Nodes that stand before the header or the context. */
  #waiting: Json[] = [];
  #anonymous = 0;
  readonly #dropped = new Set<string>();
  version: RdfFile['version'];

  constructor(name: string, store: CimStore, findings: Findings) {
    this.#store = store;
    this.#findings = findings;
    this.#name = name;
    this.#file = store.files.push(name) - 1;
  }

  read(text: string): void {
    const cursor = new JsonCursor(text);
    const first = cursor.peek();
    if (first === '[') this.#graph(cursor, true);
    else if (first === '{') this.#document(cursor);
    else throw new CimError('peer', 'json-ld.root', 'this is no JSON-LD: neither an object nor an array', { line: 1 });
    cursor.end();
    this.#release();
  }

  #document(cursor: JsonCursor): void {
    const line = cursor.line;
    const own = new Map<string, Json>();
    let context = false;
    let graph = false;
    for (const name of cursor.members()) {
      if (name === '@context') {
        this.#context = new Context(cursor.value());
        context = true;
      } else if (name === '@graph') {
        graph = true;
        if (cursor.peek() === '[') this.#graph(cursor, context);
        else this.#node(cursor.value(), context);
      } else own.set(name, cursor.value());
    }
    // Beside a graph what is said is said of the graph, which CGMES gives no meaning.
    if (!graph && own.size > 0) this.#node({ kind: 'object', line, members: own }, true);
  }

  #graph(cursor: JsonCursor, context: boolean): void {
    for (const _ of cursor.items()) this.#node(cursor.value(), context);
  }

  #node(json: Json, context: boolean): void {
    if (json.kind !== 'object') {
      throw new CimError('peer', 'json-ld.node', 'what stands in the graph is no object', { line: json.line });
    }
    if (context && this.#letters === undefined && this.#classOf(json)?.name === HEADER) {
      this.#describe(json, 'about');
      return;
    }
    if (context && this.#letters !== undefined) this.#describe(json);
    else this.#waiting.push(json);
  }

  #release(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const json of waiting) {
      if (this.#letters === undefined && json.kind === 'object' && this.#classOf(json)?.name === HEADER) {
        this.#describe(json, 'about');
      }
    }
    this.#letters ??= '';
    for (const json of waiting) {
      if (json.kind === 'object' && this.#classOf(json)?.name !== HEADER) this.#describe(json);
    }
  }

  #classOf(json: Json & { kind: 'object' }): { name: string; line: number } | undefined {
    const type = json.members.get('@type');
    const [first, ...more] = type === undefined ? [] : type.kind === 'array' ? type.items : [type];
    if (first === undefined) return undefined;
    if (first.kind !== 'string' || more.length > 0) {
      throw new CimError('unsupported', 'json-ld.type', 'an object of CIM has one class', { line: first.line });
    }
    const iri = this.#context.iri(first.text, first.line);
    return { name: this.#symbolName(iri, first.line), line: first.line };
  }

  #symbolName(iri: string, line: number): string {
    const [name, namespace] = shortNameOf(iri);
    const version = namespace === undefined ? undefined : VOCABULARIES.get(namespace);
    if (version !== undefined) {
      if (this.version !== version) {
        this.version ??= version;
        this.#schema = schemaOf(this.version);
      }
      this.#store.spell({ symbol: this.#store.symbol(name), namespace: namespace!, file: this.#file, line });
    }
    return name;
  }

  #describe(json: Json & { kind: 'object' }, as?: Naming): number {
    const store = this.#store;
    const type = this.#classOf(json);
    const id = json.members.get('@id');
    let key: string;
    let naming: Naming;
    if (id === undefined) {
      key = `_:${this.#file}:#${this.#anonymous++}`;
      naming = 'anonymous';
    } else {
      if (id.kind !== 'string') throw new CimError('peer', 'json-ld.id', '@id is a text', { line: id.line });
      key = identifier(id.text) ?? id.text;
      if (as === 'anonymous') naming = as;
      else if (id.text.startsWith('_:')) {
        key = `_:${this.#file}:${id.text.slice(2)}`;
        naming = 'anonymous';
      } else naming = as ?? this.#namingOf(type?.name);
    }
    const symbol = type === undefined ? undefined : store.symbol(type.name);
    // Nodes within come after it in the store, where statements of a description stand together.
    const inner: (Json & { kind: 'object' })[] = [];
    const keys: string[] = [];
    const description = store.describe(store.strings.internText(key), symbol, this.#file, json.line, naming, 'body');
    for (const [name, value] of json.members) {
      if (name === '@id' || name === '@type') continue;
      if (name.startsWith('@')) {
        throw new CimError('unsupported', 'json-ld.keyword', `${name} within an object is not read`, {
          line: value.line,
        });
      }
      const term = this.#context.term(name, value.line);
      if (!term) {
        this.#drop(name, value.line);
        continue;
      }
      const property = this.#symbolName(term.iri, value.line);
      for (const each of value.kind === 'array' ? value.items : [value]) {
        if (each.kind === 'null') continue;
        const said = this.#value(each, term.type);
        if (typeof said !== 'string') {
          store.state(description, store.symbol(property), said.kind, store.strings.internText(said.text), each.line);
          if (property === 'md:Model.profile') this.#letters = (this.#letters ?? '') + lettersOf(said.text);
          continue;
        }
        const within = `_:${this.#file}:#${this.#anonymous++}`;
        store.state(description, store.symbol(property), 'reference', store.strings.internText(within), each.line);
        inner.push(each as Json & { kind: 'object' });
        keys.push(within);
      }
    }
    if (type?.name === HEADER) this.#letters ??= '';
    if (naming === 'anonymous' && as === undefined) {
      const text = `${type?.name ?? 'an object'} has no @id`;
      this.#findings.add({ severity: 'error', code: 'rdf.identifier', text, file: this.#name, line: json.line });
    }
    for (const [index, each] of inner.entries()) {
      const members = new Map([...each.members, ['@id', { kind: 'string', line: each.line, text: keys[index]! }]]);
      this.#describe({ ...each, members } as Json & { kind: 'object' }, 'anonymous');
    }
    return description;
  }

  #drop(name: string, line: number): void {
    if (this.#dropped.has(name)) return;
    this.#dropped.add(name);
    const text = `no context says what ${JSON.stringify(name.slice(0, 60))} is; it is not read, here and further on`;
    this.#findings.add({ severity: 'warning', code: 'json-ld.term', text, file: this.#name, line });
  }

  /** @returns 'node' for an object of its own within */
  #value(json: Json, type: string | undefined): { kind: ValueKind; text: string } | 'node' {
    if (json.kind === 'array') {
      throw new CimError('unsupported', 'json-ld.value', 'lists within lists are not read', { line: json.line });
    }
    if (json.kind !== 'object') {
      if (json.kind !== 'string' || (type !== '@id' && type !== '@vocab')) return { kind: 'literal', text: json.text };
      return resource(
        type === '@vocab' ? this.#context.iri(json.text, json.line) : this.#compact(json.text, json.line),
      );
    }
    const value = json.members.get('@value');
    if (value) {
      if (value.kind === 'object' || value.kind === 'array') {
        throw new CimError('peer', 'json-ld.value', 'a value is no object', { line: json.line });
      }
      return { kind: 'literal', text: value.text };
    }
    const id = json.members.get('@id');
    if (id?.kind === 'string' && json.members.size === 1) return resource(this.#compact(id.text, id.line));
    if (id) {
      const text = 'an object with an identifier stands within another; it belongs into the graph';
      throw new CimError('unsupported', 'json-ld.embedded', text, { line: json.line });
    }
    return 'node';
  }

  /** An IRI, or one that begins with a prefix of the context. */
  #compact(text: string, line: number): string {
    return text.startsWith('#') || /^(urn|https?):/.test(text) || !text.includes(':')
      ? text
      : this.#context.iri(text, line);
  }

  #namingOf(name: string | undefined): Naming {
    if (name === undefined) return 'about';
    return this.#schema.definedIn(name, this.#letters ?? '') ? 'defined' : 'about';
  }
}

function identifier(iri: string): string | undefined {
  if (iri.startsWith('#')) return iri.slice(1);
  return iri.startsWith('urn:uuid:') ? `_${iri.slice('urn:uuid:'.length)}` : undefined;
}

function resource(iri: string): { kind: ValueKind; text: string } {
  const key = identifier(iri);
  if (key !== undefined) return { kind: 'reference', text: key };
  for (const namespace of VOCABULARIES.keys()) {
    if (iri.startsWith(namespace)) return { kind: 'enumeration', text: iri.slice(namespace.length) };
  }
  return { kind: 'iri', text: iri };
}
