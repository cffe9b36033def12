/**
 * Writes a file of a model as JSON-LD 1.1: one node object a line in a `@graph`, names of CIM100 as terms, types of values
 * in the context. Identifiers, order and spelling stay, so what is written reads back the same.
 */
import type { CimModel } from '../model.ts';
import { CIM100, CIM100_EU, iriOfPrefixed, MD, RDF } from '../rdf/namespaces.ts';
import type { CimProperty, Primitive } from '../schema/schema.ts';
import { nodeWithin, ownStatements } from '../store/content.ts';
import { nodesOf, type WrittenNode } from '../write/nodes.ts';
import { checkWritable } from '../write/writer.ts';

const XSD = 'http://www.w3.org/2001/XMLSchema#';
const DATA_TYPES: Readonly<Record<Primitive, string>> = {
  Float: 'xsd:float',
  Decimal: 'xsd:decimal',
  Integer: 'xsd:integer',
  Boolean: 'xsd:boolean',
  String: 'xsd:string',
  DateTime: 'xsd:dateTime',
  Date: 'xsd:date',
  MonthDay: 'xsd:gMonthDay',
  IRI: 'xsd:anyURI',
  URI: 'xsd:anyURI',
  UUID: 'xsd:string',
};
const UUID = /^_[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/;
/** What JSON spells as a number, whose spelling stays. */
const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;
const PIECE = 1 << 16;

/**
 * The text of a file, in pieces: a full model with the differences that are in force.
 * @param file its number in `model.files`
 * @throws CimError `cim.write` for another version than 3.0, or a difference model
 */
export function* writeJsonLd(model: CimModel, file: number): Generator<string> {
  checkWritable(model, file);
  const writer = new JsonLdWriter(model);
  const nodes = [...nodesOf(model, file)];
  let piece = `{\n"@context": ${writer.context(nodes)},\n"@graph": [`;
  let comma = '\n';
  for (const node of nodes) {
    piece += comma + writer.node(node);
    comma = ',\n';
    if (piece.length < PIECE) continue;
    yield piece;
    piece = '';
  }
  yield `${piece}\n]\n}\n`;
}

class JsonLdWriter {
  readonly #model: CimModel;

  constructor(model: CimModel) {
    this.#model = model;
  }

  /** Prefixes, and the terms that are used. */
  context(nodes: readonly WrittenNode[]): string {
    const used = new Set<string>();
    const classes = new Set<string>();
    const look = ({ class: name, statements }: Pick<WrittenNode, 'class' | 'statements'>): void => {
      if (name !== undefined) classes.add(name);
      for (const statement of statements) {
        used.add(this.#model.store.property(statement));
        const within = nodeWithin(this.#model.store, statement);
        if (within !== undefined) look(this.#inner(within));
      }
    };
    for (const node of nodes) look(node);
    const { schema } = this.#model;
    const terms = [...used].sort().flatMap((name) => {
      const property = schema.property(name);
      const parts = [
        ...(property?.european ? [`"@id": ${JSON.stringify(`eu:${name}`)}`] : []),
        ...(property && property.type.kind !== 'compound' ? [`"@type": "${typeOf(property)}"`] : []),
      ];
      return parts.length === 0 ? [] : [`  ${JSON.stringify(name)}: {${parts.join(', ')}}`];
    });
    const european = [...classes]
      .sort()
      .flatMap((name) => (schema.classes.get(name)?.european ? [`  ${JSON.stringify(name)}: "eu:${name}"`] : []));
    const prefixes = { '@version': 1.1, '@vocab': CIM100, cim: CIM100, eu: CIM100_EU, md: MD, rdf: RDF, xsd: XSD };
    const head = Object.entries(prefixes).map(([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)}`);
    return `{\n${[...head, ...european, ...terms].join(',\n')}\n}`;
  }

  node({ key, class: name, naming, statements }: WrittenNode): string {
    const { store } = this.#model;
    const members: string[] = [];
    if (naming !== 'anonymous') members.push(`"@id": ${JSON.stringify(iriOf(key))}`);
    if (name !== undefined) members.push(`"@type": ${JSON.stringify(nameOf(name))}`);
    const values = new Map<string, string[]>();
    for (const statement of statements) {
      const property = nameOf(store.property(statement));
      const list = values.get(property);
      if (list) list.push(this.#value(statement));
      else values.set(property, [this.#value(statement)]);
    }
    for (const [property, list] of values) {
      members.push(`${JSON.stringify(property)}: ${list.length === 1 ? list[0] : `[${list.join(', ')}]`}`);
    }
    return `{${members.join(', ')}}`;
  }

  #inner(within: number): WrittenNode {
    const { store } = this.#model;
    const statements = [...ownStatements(store, within)];
    return { key: '', class: store.descriptionClass(within), naming: 'anonymous', statements };
  }

  #value(statement: number): string {
    const { store, schema } = this.#model;
    const text = store.value(statement);
    const type = schema.property(store.property(statement))?.type;
    switch (store.kind(statement)) {
      case 'literal': {
        if (type?.kind === 'primitive') {
          if (type.primitive === 'Boolean' && (text === 'true' || text === 'false')) return text;
          const number = type.primitive === 'Float' || type.primitive === 'Decimal' || type.primitive === 'Integer';
          return number && NUMBER.test(text) ? text : JSON.stringify(text);
        }
        return type === undefined ? JSON.stringify(text) : `{"@value": ${JSON.stringify(text)}}`;
      }
      case 'enumeration': {
        const european = schema.europeanEnumerations.has(text.slice(0, text.indexOf('.')));
        if (type?.kind === 'enumeration') return JSON.stringify(european ? `eu:${text}` : text);
        return `{"@id": ${JSON.stringify(`${european ? 'eu' : 'cim'}:${text}`)}}`;
      }
      case 'iri':
        return `{"@id": ${JSON.stringify(text)}}`;
      case 'reference': {
        const within = nodeWithin(store, statement);
        if (within !== undefined) return this.node(this.#inner(within));
        return type?.kind === 'reference' ? JSON.stringify(iriOf(text)) : `{"@id": ${JSON.stringify(iriOf(text))}}`;
      }
    }
  }
}

const typeOf = ({ type }: CimProperty): string =>
  type.kind === 'primitive' ? DATA_TYPES[type.primitive] : type.kind === 'enumeration' ? '@vocab' : '@id';

/** UUIDs as what they are; older identifiers relative to the file, as in RDF/XML. */
const iriOf = (key: string): string => (UUID.test(key) ? `urn:uuid:${key.slice(1)}` : `#${key}`);

/** Names of headers with their prefix, of unknown vocabularies as IRIs. */
const nameOf = (name: string): string => (/^(md|rdf):/.test(name) ? name : (iriOfPrefixed(name) ?? name));
