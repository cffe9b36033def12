/**
 * Reads one RDF/XML file in the form IEC 61970-552 gives it into a store: typed descriptions with `rdf:ID` or
 * `rdf:about`, literals and `rdf:resource`, the sections of difference models, nodes within properties.
 */
import {
  type Attributes,
  isSpace,
  Utf8Gate,
  XmlError,
  type XmlHandler,
  type XmlLimits,
  XmlScanner,
} from '@enerchain/xml';
import { CimError } from '../error.ts';
import type { Findings, Severity } from '../findings.ts';
import type { CimStore, Naming, Section, ValueKind } from '../store/store.ts';
import { NamespaceScope } from './namespace-scope.ts';
import { type CimVersion, VOCABULARIES } from './namespaces.ts';

/** What an open element is. */
const ROOT = 0;
const SECTION = 1;
const NODE = 2;
const PROPERTY = 3;
/** A property whose value is an attribute: nothing may stand within. */
const RESOURCE = 4;

/** Octets of one value. */
const MAX_VALUE = 1 << 20;
const SECTION_NAMES: Readonly<Record<string, Section>> = {
  'dm:forwardDifferences': 'forward',
  'dm:reverseDifferences': 'reverse',
  'dm:preconditions': 'precondition',
};
const URN = Buffer.from('urn:uuid:');
const ENUMERATIONS = [...VOCABULARIES.keys()].map((namespace) => Buffer.from(namespace));

export interface RdfFile {
  readonly name: string;
  /** False when reading ended before the end of the file. */
  readonly complete: boolean;
  /** Version of CGMES by the namespaces the file uses. */
  readonly version: CimVersion | undefined;
  readonly octets: number;
  readonly encoding: string;
}

interface Within {
  readonly key: number;
  readonly type: number | undefined;
  readonly line: number;
  readonly naming: Naming;
  readonly section: Section;
  readonly statements: {
    readonly property: number;
    readonly kind: ValueKind;
    readonly value: number;
    readonly line: number;
  }[];
}

/** @returns what was read; whatever is wrong with the file is a finding, and what came before it stays in the store */
export async function readRdf(
  name: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  store: CimStore,
  findings: Findings,
  limits?: XmlLimits,
): Promise<RdfFile> {
  const reader = new RdfReader(name, store, findings, limits);
  let octets = 0;
  let complete = true;
  try {
    for await (const chunk of chunks) {
      octets += chunk.length;
      reader.write(chunk);
    }
    reader.finish();
  } catch (error) {
    if (!(error instanceof XmlError) || error.fault === 'local') throw error;
    complete = false;
    const line = error.line;
    const rest = octets === 0 ? '' : '; what follows in this file is not read';
    const finding = { severity: 'error', code: error.code, text: error.message + rest, file: name } as const;
    findings.add(line === undefined ? finding : { ...finding, line });
  }
  return { name, complete, version: reader.version, octets, encoding: reader.encoding };
}

class RdfReader implements XmlHandler {
  readonly #store: CimStore;
  readonly #findings: Findings;
  readonly #file: number;
  readonly #fileName: string;
  readonly #scanner: XmlScanner;
  readonly #scope: NamespaceScope;
  readonly #gate: Utf8Gate;

  readonly #kinds: number[] = [];
  /** Description of a NODE, PROPERTY or RESOURCE. */
  readonly #descriptions: number[] = [];
  readonly #properties: number[] = [];
  #section: Section = 'body';
  #text: Buffer = Buffer.allocUnsafe(4096);
  #length = 0;
  #propertyLine = 0;
  /** Whether the innermost property holds a node instead of text. */
  #holdsNode = false;
  #anonymous = 0;
  /** Nodes within properties of the description that is open; description −1 is the first of them. */
  readonly #within: Within[] = [];
  #strayText = false;

  readonly #rdfRoot: number;
  readonly #rdfId: number;
  readonly #about: number;
  readonly #nodeId: number;
  readonly #resource: number;
  readonly #parseType: number;
  readonly #untyped: number;

  constructor(name: string, store: CimStore, findings: Findings, limits: XmlLimits | undefined) {
    this.#store = store;
    this.#findings = findings;
    this.#fileName = name;
    this.#file = store.files.push(name) - 1;
    this.#scanner = new XmlScanner(this, limits);
    this.#scope = new NamespaceScope(this.#scanner.names, store, this.#file);
    this.#gate = new Utf8Gate(
      (chunk) => this.#scanner.write(chunk),
      () => this.#scanner.lastLine,
    );
    this.#rdfRoot = store.symbol('rdf:RDF');
    this.#rdfId = store.symbol('rdf:ID');
    this.#about = store.symbol('rdf:about');
    this.#nodeId = store.symbol('rdf:nodeID');
    this.#resource = store.symbol('rdf:resource');
    this.#parseType = store.symbol('rdf:parseType');
    this.#untyped = store.symbol('rdf:Description');
  }

  get encoding(): string {
    return this.#gate.encoding;
  }

  get version(): CimVersion | undefined {
    for (const [namespace, version] of VOCABULARIES) if (this.#scope.seen.has(namespace)) return version;
    return undefined;
  }

  write(chunk: Uint8Array): void {
    this.#gate.write(chunk);
  }

  finish(): void {
    this.#gate.finish();
    this.#scanner.finish();
    const { mislabelled, encoding } = this.#gate;
    if (mislabelled !== undefined) {
      this.#find('warning', 'xml.encoding', `the file says ${mislabelled} and is ${encoding}; read as ${encoding}`, 1);
    }
    if (encoding !== 'utf-8') {
      this.#find('warning', 'cim.encoding', `the file is ${encoding}; CGMES is exchanged in UTF-8`, 1);
    }
  }

  #find(severity: Severity, code: string, text: string, line: number, object?: string): void {
    const finding = { severity, code, text, file: this.#fileName, line };
    this.#findings.add(object === undefined ? finding : { ...finding, object });
  }

  open(name: number, attributes: Attributes, line: number): void {
    const depth = this.#kinds.length;
    for (let index = 0; index < attributes.count; index++) {
      if (this.#scope.declares(attributes.name(index), line)) {
        this.#scope.enter(attributes, depth, line);
        break;
      }
    }
    const symbol = this.#scope.element(name, line);
    switch (this.#kinds[depth - 1]) {
      case undefined:
        if (symbol !== this.#rdfRoot) {
          const text = `the outermost element is ${this.#store.symbolText(symbol)}, not rdf:RDF: this is no CIM exchange`;
          throw new CimError('peer', 'rdf.root', text, { line });
        }
        this.#rest(attributes, 0, line);
        this.#push(ROOT, 0, 0);
        return;
      case NODE:
        this.#property(symbol, attributes, line);
        return;
      case RESOURCE:
        throw new CimError('peer', 'rdf.nesting', 'an element within a property that has rdf:resource', { line });
      case PROPERTY:
        this.#holdsNode = true;
        this.#node(symbol, attributes, line, true);
        return;
      default:
        this.#node(symbol, attributes, line, false);
    }
  }

  #push(kind: number, description: number, property: number): void {
    this.#kinds.push(kind);
    this.#descriptions.push(description);
    this.#properties.push(property);
  }

  #node(symbol: number, attributes: Attributes, line: number, within: boolean): void {
    const strings = this.#store.strings;
    let key = -1;
    let naming: Naming = 'about';
    for (let index = 0; index < attributes.count; index++) {
      const attribute = this.#scope.attribute(attributes.name(index), line);
      const bytes = attributes.bytes(index);
      const start = attributes.start(index);
      const end = attributes.end(index);
      if (attribute === this.#rdfId) {
        key = strings.intern(bytes, start, end);
        naming = 'defined';
      } else if (attribute === this.#about) {
        key = this.#identifier(bytes, start, end);
        if (key < 0) key = strings.intern(bytes, start, end);
      } else if (attribute === this.#nodeId) {
        key = strings.internText(`_:${this.#file}:${Buffer.from(bytes.subarray(start, end)).toString('utf8')}`);
        naming = 'anonymous';
      }
    }
    if (key < 0) {
      key = strings.internText(`_:${this.#file}:#${this.#anonymous++}`);
      naming = 'anonymous';
      if (!within) {
        const text = `${this.#store.symbolText(symbol)} has neither rdf:ID nor rdf:about`;
        this.#find('error', 'rdf.identifier', text, line);
      }
    }
    if (naming === 'defined' && this.#section === 'body') this.#duplicate(key, symbol, line);
    const type = symbol === this.#untyped ? undefined : symbol;
    if (within) this.#state(this.#descriptions.at(-1)!, this.#properties.at(-1)!, 'reference', key, line);
    const description = within
      ? -this.#within.push({ key, type, line, naming, section: this.#section, statements: [] })
      : this.#store.describe(key, type, this.#file, line, naming, this.#section);
    this.#push(NODE, description, 0);
  }

  /** Statements of a description stand together in the store, so those of nodes within it wait for its end. */
  #state(description: number, property: number, kind: ValueKind, value: number, line: number): void {
    if (description >= 0) this.#store.state(description, property, kind, value, line);
    else this.#within[-description - 1]!.statements.push({ property, kind, value, line });
  }

  #endOfNode(): void {
    for (const { key, type, line, naming, section, statements } of this.#within.splice(0)) {
      const description = this.#store.describe(key, type, this.#file, line, naming, section);
      for (const each of statements) this.#store.state(description, each.property, each.kind, each.value, each.line);
    }
  }

  #duplicate(key: number, symbol: number, line: number): void {
    const store = this.#store;
    const object = store.objectOfText(key);
    if (object === undefined) return;
    const first = store.first(object);
    if (store.naming(first) !== 'defined') return;
    const there = `${store.files[store.file(first)]}:${store.line(first)}`;
    const name = store.symbolText(symbol);
    const other = store.class(object);
    const as = other === name ? '' : ` as ${other}`;
    this.#find('error', 'rdf.duplicate-id', `${name} is defined already at ${there}${as}`, line, store.key(object));
  }

  #property(symbol: number, attributes: Attributes, line: number): void {
    const description = this.#descriptions.at(-1)!;
    for (let index = 0; index < attributes.count; index++) {
      const attribute = this.#scope.attribute(attributes.name(index), line);
      if (attribute === this.#resource) {
        this.#rest(attributes, index + 1, line);
        this.#reference(description, symbol, attributes, index, line);
        this.#push(RESOURCE, description, symbol);
        return;
      }
      if (attribute === this.#parseType) {
        const section = SECTION_NAMES[this.#store.symbolText(symbol)];
        if (section === undefined && isLiteral(attributes, index)) continue;
        if (section === undefined) {
          const text = `rdf:parseType of ${this.#store.symbolText(symbol)} is not read`;
          throw new CimError('unsupported', 'rdf.parse-type', text, { line });
        }
        this.#rest(attributes, index + 1, line);
        this.#section = section;
        this.#push(SECTION, description, symbol);
        return;
      }
    }
    this.#length = 0;
    this.#holdsNode = false;
    this.#propertyLine = line;
    this.#push(PROPERTY, description, symbol);
  }

  /** Attributes that say nothing here, whose names must be names all the same. */
  #rest(attributes: Attributes, from: number, line: number): void {
    for (let index = from; index < attributes.count; index++) this.#scope.attribute(attributes.name(index), line);
  }

  #reference(description: number, property: number, attributes: Attributes, index: number, line: number): void {
    const bytes = attributes.bytes(index);
    const start = attributes.start(index);
    const end = attributes.end(index);
    const key = this.#identifier(bytes, start, end);
    if (key >= 0) {
      this.#state(description, property, 'reference', key, line);
      return;
    }
    for (const namespace of ENUMERATIONS) {
      if (!begins(bytes, start, end, namespace)) continue;
      const value = this.#store.strings.intern(bytes, start + namespace.length, end);
      this.#state(description, property, 'enumeration', value, line);
      return;
    }
    this.#state(description, property, 'iri', this.#store.strings.intern(bytes, start, end), line);
  }

  /** `#_x` and `urn:uuid:x` name the same object `_x` (IEC 61970-552, clause on identifiers); -1 for any other IRI. */
  #identifier(bytes: Uint8Array, start: number, end: number): number {
    if (bytes[start] === 0x23) return this.#store.strings.intern(bytes, start + 1, end);
    if (!begins(bytes, start, end, URN)) return -1;
    const key = Buffer.from(bytes.subarray(start + URN.length - 1, end));
    key[0] = 0x5f;
    return this.#store.strings.intern(key, 0, key.length);
  }

  text(bytes: Uint8Array, start: number, end: number): void {
    if (this.#kinds.at(-1) === PROPERTY) {
      const length = this.#length + end - start;
      if (length > this.#text.length) {
        if (length > MAX_VALUE) {
          const text = `a value is longer than ${MAX_VALUE} octets`;
          throw new CimError('peer', 'xml.limit', text, { line: this.#propertyLine });
        }
        this.#text = Buffer.concat([this.#text], Math.max(this.#text.length * 2, length));
      }
      const target = this.#text;
      for (let at = start, to = this.#length; at < end; at++, to++) target[to] = bytes[at]!;
      this.#length = length;
      return;
    }
    if (this.#strayText) return;
    for (let at = start; at < end; at++) {
      if (isSpace(bytes[at])) continue;
      this.#strayText = true;
      this.#find('warning', 'rdf.text', 'text between elements is not read', this.#scanner.line);
      return;
    }
  }

  close(): void {
    const kind = this.#kinds.pop()!;
    const description = this.#descriptions.pop()!;
    const property = this.#properties.pop()!;
    if (kind === PROPERTY) {
      if (!this.#holdsNode) {
        const value = this.#store.strings.intern(this.#text, 0, this.#length);
        this.#state(description, property, 'literal', value, this.#propertyLine);
      }
      this.#holdsNode = false;
    } else if (kind === SECTION) this.#section = 'body';
    else if (kind === NODE && this.#kinds.at(-1) === PROPERTY) this.#holdsNode = true;
    else if (kind === NODE && this.#within.length > 0) this.#endOfNode();
    this.#scope.leave(this.#kinds.length);
  }
}

function begins(bytes: Uint8Array, start: number, end: number, head: Uint8Array): boolean {
  if (end - start < head.length) return false;
  for (let at = 0; at < head.length; at++) if (bytes[start + at] !== head[at]) return false;
  return true;
}

/** `rdf:parseType="Literal"`: vocabularies use it for prose. */
function isLiteral(attributes: Attributes, index: number): boolean {
  const bytes = attributes.bytes(index).subarray(attributes.start(index), attributes.end(index));
  return Buffer.from(bytes).toString('latin1') === 'Literal';
}
