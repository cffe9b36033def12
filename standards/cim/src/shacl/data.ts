/**
 * A model, or some of its files, as RDF with typed literals. CIM XML carries no data types and SHACL asks for them, so they
 * come from the vocabulary; without them thousands of values would be found wrong that are not.
 */
import type { CimModel } from '../model.ts';
import { CIM16, CIM100, CIM100_EU, type CimVersion, ENTSOE, iriOfPrefixed, RDF } from '../rdf/namespaces.ts';
import type { Primitive } from '../schema/schema.ts';
import { ownStatements } from '../store/content.ts';
import type { Dataset, Libraries, Term } from './libraries.ts';

const XSD = 'http://www.w3.org/2001/XMLSchema#';
/** Names of IEC 61970-301's primitives in XML Schema. */
const DATA_TYPES: Readonly<Record<Primitive, string>> = {
  Float: 'float',
  Decimal: 'decimal',
  Integer: 'integer',
  Boolean: 'boolean',
  String: 'string',
  DateTime: 'dateTime',
  Date: 'date',
  MonthDay: 'gMonthDay',
  IRI: 'anyURI',
  URI: 'anyURI',
  UUID: 'string',
};
const HEADER_TYPES: Readonly<Record<string, string>> = {
  'md:Model.created': 'dateTime',
  'md:Model.scenarioTime': 'dateTime',
  'md:Model.version': 'integer',
};
const NAMESPACES: Readonly<Record<CimVersion, readonly [own: string, european: string]>> = {
  '3.0': [CIM100, CIM100_EU],
  '2.4.15': [CIM16, ENTSOE],
};

/** IRI of an object and back. Older identifiers are no UUIDs; what they are within is of no matter here. */
export const iriOf = (key: string): string => (key.startsWith('_') ? `urn:uuid:${key.slice(1)}` : `urn:cim:${key}`);
export const keyOf = (iri: string): string | undefined =>
  iri.startsWith('urn:uuid:') ? `_${iri.slice(9)}` : iri.startsWith('urn:cim:') ? iri.slice(8) : undefined;

/** @param files numbers of the files whose statements go in; what differences took away does not */
export function datasetOf(model: CimModel, files: ReadonlySet<number>, { dataset, factory }: Libraries): Dataset {
  const { store, schema, version } = model;
  const data = dataset();
  const [own, european] = NAMESPACES[version];
  const named = new Map<string, Term>();
  const node = (iri: string): Term => {
    const known = named.get(iri);
    if (known) return known;
    const term = factory.namedNode(iri);
    named.set(iri, term);
    return term;
  };
  const nameOf = (name: string, inExtension: boolean | undefined): Term =>
    node(iriOfPrefixed(name) ?? (name.includes(':') ? name : (inExtension ? european : own) + name));
  const subject = (object: number): Term => {
    const key = store.key(object);
    return store.naming(store.first(object)) === 'anonymous' ? factory.blankNode(`b${object}`) : node(iriOf(key));
  };
  const type = node(`${RDF}type`);
  const properties: (readonly [term: Term, literal: Term])[] = [];
  const property = (symbol: number): readonly [term: Term, literal: Term] => {
    let known = properties[symbol];
    if (!known) {
      const name = store.symbolText(symbol);
      const defined = schema.property(name);
      const primitive = defined?.type.kind === 'primitive' ? DATA_TYPES[defined.type.primitive] : 'string';
      known = [nameOf(name, defined?.european), node(XSD + (HEADER_TYPES[name] ?? primitive))];
      properties[symbol] = known;
    }
    return known;
  };
  for (let description = 0; description < store.descriptions; description++) {
    if (!files.has(store.file(description))) continue;
    const section = store.section(description);
    if (section !== 'body' && !(section === 'forward' && store.applied.has(store.file(description)))) continue;
    const object = store.object(description);
    const name = store.descriptionClass(description);
    const about = subject(object);
    const gone = store.naming(description) === 'defined' && store.class(object) === undefined;
    if (name !== undefined && !gone) data.addQuad(about, type, nameOf(name, schema.classes.get(name)?.european));
    for (const statement of ownStatements(store, description)) {
      if (!store.inForce(statement)) continue;
      const [predicate, literal] = property(store.propertySymbol(statement));
      const text = store.value(statement);
      data.addQuad(about, predicate, value(statement, text, literal));
    }
  }
  return data;

  function value(statement: number, text: string, literal: Term): Term {
    switch (store.kind(statement)) {
      case 'literal':
        return factory.literal(text, literal);
      case 'enumeration': {
        const name = text.slice(0, text.indexOf('.'));
        return nameOf(text, schema.europeanEnumerations.has(name));
      }
      case 'iri':
        return node(text);
      case 'reference': {
        const target = store.target(statement);
        return target === undefined ? node(iriOf(text)) : subject(target);
      }
    }
  }
}

/** Says in a graph of shapes which class is one of another: shapes about a switch or one of its subclasses ask. */
export function addClasses({ schema, version }: CimModel, graph: Dataset, { factory }: Libraries): void {
  const [own, european] = NAMESPACES[version];
  const subClassOf = factory.namedNode('http://www.w3.org/2000/01/rdf-schema#subClassOf');
  const iri = (name: string): Term => factory.namedNode((schema.classes.get(name)?.european ? european : own) + name);
  for (const { name, parent } of schema.classes.values()) {
    if (parent !== undefined) graph.addQuad(iri(name), subClassOf, iri(parent));
  }
}
