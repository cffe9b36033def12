/**
 * Writes a model as RDF/XML in the form of IEC 61970-552, CGMES 3.0: file by file as it was read, with what differences
 * changed. Identifiers, order and spelling of values stay, so what is written reads back the same.
 */
import { escapeText, escapeValue } from '@enerchain/xml';
import { CimError } from '../error.ts';
import type { CimModel } from '../model.ts';
import { CIM100, CIM100_EU, DM, MD, RDF } from '../rdf/namespaces.ts';
import { nodeWithin, ownStatements } from '../store/content.ts';
import { ofHeader, QualifiedNames } from './names.ts';
import { nodesOf, type WrittenNode } from './nodes.ts';

export const XML_HEAD = `<?xml version="1.0" encoding="utf-8"?>
<rdf:RDF xmlns:rdf="${RDF}" xmlns:cim="${CIM100}" xmlns:eu="${CIM100_EU}" xmlns:md="${MD}" xmlns:dm="${DM}">
`;
/** Octets handed over at a time, about. */
const PIECE = 1 << 16;

/**
 * The text of a file, in pieces: a full model, whole again with the differences that are in force.
 * @param file its number in `model.files`
 * @throws CimError `cim.write` for another version, a difference model, or names outside the vocabularies of CGMES
 */
export function* writeFile(model: CimModel, file: number): Generator<string> {
  checkWritable(model, file);
  const writer = new XmlWriter(model);
  let piece = XML_HEAD;
  for (const node of nodesOf(model, file)) {
    piece += writer.node(node);
    if (piece.length < PIECE) continue;
    yield piece;
    piece = '';
  }
  yield `${piece}</rdf:RDF>\n`;
}

/** @throws CimError `cim.write` */
export function checkWritable(model: CimModel, file: number): void {
  if (model.version !== '3.0') {
    throw new CimError('unsupported', 'cim.write', `only CGMES 3.0 is written, not ${model.version}`);
  }
  if (model.files[file]?.header?.kind === 'difference') {
    const text = 'a difference model goes into the full model it changes and is no file of its own';
    throw new CimError('unsupported', 'cim.write', text);
  }
}

export class XmlWriter {
  readonly #model: CimModel;
  readonly #names: QualifiedNames;

  constructor(model: CimModel) {
    this.#model = model;
    this.#names = new QualifiedNames(model.schema);
  }

  node({ key, class: name, naming, statements }: WrittenNode, indent = '  '): string {
    const tag = name === undefined ? 'rdf:Description' : this.#names.class(name);
    let text = `${indent}<${tag}${identifier(naming, key, name)}>\n`;
    for (const statement of statements) text += this.#statement(statement, `${indent}  `);
    return `${text}${indent}</${tag}>\n`;
  }

  #statement(statement: number, indent: string): string {
    const { store } = this.#model;
    const property = store.property(statement);
    const tag = this.#names.property(property);
    const value = store.value(statement);
    switch (store.kind(statement)) {
      case 'literal':
        return `${indent}<${tag}>${escapeText(value)}</${tag}>\n`;
      case 'enumeration':
        return `${indent}<${tag} rdf:resource="${this.#names.enumeration(value)}${escapeValue(value)}" />\n`;
      case 'iri':
        return `${indent}<${tag} rdf:resource="${escapeValue(value)}" />\n`;
      case 'reference': {
        const within = nodeWithin(store, statement);
        if (within !== undefined) {
          const node: WrittenNode = {
            key: '',
            class: store.descriptionClass(within),
            naming: 'anonymous',
            statements: [...ownStatements(store, within)],
          };
          return `${indent}<${tag}>\n${this.node(node, `${indent}  `)}${indent}</${tag}>\n`;
        }
        return `${indent}<${tag} rdf:resource="${reference(value, property)}" />\n`;
      }
    }
  }
}

function identifier(naming: WrittenNode['naming'], key: string, name: string | undefined): string {
  switch (naming) {
    case 'defined':
      return ` rdf:ID="${escapeValue(key)}"`;
    case 'about':
      return ` rdf:about="${reference(key, name)}"`;
    case 'anonymous':
      return '';
  }
}

const reference = (key: string, name: string | undefined): string =>
  ofHeader(name) && key.startsWith('_') ? `urn:uuid:${escapeValue(key.slice(1))}` : `#${escapeValue(key)}`;
