/**
 * Writes a model as RDF/XML in the form of IEC 61970-552, CGMES 3.0: file by file as it was read, with what differences
 * changed. Identifiers, order and spelling of values stay, so what is written reads back the same.
 */
import { CimError } from '../error.ts';
import type { CimModel } from '../model.ts';
import { CIM100, CIM100_EU, DM, MD, RDF } from '../rdf/namespaces.ts';

const HEAD = `<?xml version="1.0" encoding="utf-8"?>
<rdf:RDF xmlns:rdf="${RDF}" xmlns:cim="${CIM100}" xmlns:eu="${CIM100_EU}" xmlns:md="${MD}" xmlns:dm="${DM}">
`;
/** Octets handed over at a time, about. */
const PIECE = 1 << 16;

/**
 * The text of a file, in pieces.
 * @param file its number in `model.files`
 * @throws CimError `cim.write` for another version, a difference model, or names outside the vocabularies of CGMES
 */
export function* writeFile(model: CimModel, file: number): Generator<string> {
  if (model.version !== '3.0') {
    throw new CimError('unsupported', 'cim.write', `only CGMES 3.0 is written, not ${model.version}`);
  }
  if (model.files[file]?.header?.kind === 'difference') {
    throw new CimError('unsupported', 'cim.write', 'difference models are not written');
  }
  const writer = new Writer(model);
  let piece = HEAD;
  for (let description = 0; description < model.store.descriptions; description++) {
    if (model.store.file(description) !== file || model.store.naming(description) === 'anonymous') continue;
    piece += writer.description(description);
    if (piece.length < PIECE) continue;
    yield piece;
    piece = '';
  }
  yield `${piece}</rdf:RDF>\n`;
}

class Writer {
  readonly #model: CimModel;
  readonly #names = new Map<string, string>();

  constructor(model: CimModel) {
    this.#model = model;
  }

  /** A description; nothing when a difference took its object away. */
  description(description: number, indent = '  '): string {
    const { store } = this.#model;
    const object = store.object(description);
    const name = store.descriptionClass(description);
    if (name !== undefined && store.class(object) === undefined) return '';
    const tag = name === undefined ? 'rdf:Description' : this.#class(name);
    let text = `${indent}<${tag}${this.#identifier(description)}>\n`;
    const [from, to] = store.range(description);
    for (let statement = from; statement < to; statement++) {
      if (store.description(statement) !== description || !store.inForce(statement)) continue;
      text += this.#statement(statement, `${indent}  `);
    }
    return `${text}${indent}</${tag}>\n`;
  }

  #identifier(description: number): string {
    const { store } = this.#model;
    const key = store.key(store.object(description));
    switch (store.naming(description)) {
      case 'defined':
        return ` rdf:ID="${escapeValue(key)}"`;
      case 'about': {
        const header = store.descriptionClass(description)?.startsWith('md:') === true && key.startsWith('_');
        return ` rdf:about="${header ? `urn:uuid:${escapeValue(key.slice(1))}` : `#${escapeValue(key)}`}"`;
      }
      case 'anonymous':
        return '';
    }
  }

  #statement(statement: number, indent: string): string {
    const { store } = this.#model;
    const tag = this.#property(store.property(statement));
    const value = store.value(statement);
    switch (store.kind(statement)) {
      case 'literal':
        return `${indent}<${tag}>${escapeText(value)}</${tag}>\n`;
      case 'enumeration':
        return `${indent}<${tag} rdf:resource="${this.#enumeration(value)}${escapeValue(value)}" />\n`;
      case 'iri':
        return `${indent}<${tag} rdf:resource="${escapeValue(value)}" />\n`;
      case 'reference': {
        const target = store.target(statement);
        const node = target === undefined ? undefined : store.first(target);
        if (node !== undefined && store.naming(node) === 'anonymous') {
          return `${indent}<${tag}>\n${this.description(node, `${indent}  `)}${indent}</${tag}>\n`;
        }
        const header = tag.startsWith('md:') && value.startsWith('_');
        const resource = header ? `urn:uuid:${escapeValue(value.slice(1))}` : `#${escapeValue(value)}`;
        return `${indent}<${tag} rdf:resource="${resource}" />\n`;
      }
    }
  }

  #class(name: string): string {
    return this.#qualified(name, this.#model.schema.classes.get(name)?.european);
  }

  #property(name: string): string {
    return this.#qualified(name, this.#model.schema.property(name)?.european);
  }

  #enumeration(value: string): string {
    const name = value.slice(0, value.indexOf('.'));
    return this.#model.schema.europeanEnumerations.has(name) ? CIM100_EU : CIM100;
  }

  #qualified(name: string, european: boolean | undefined): string {
    let qualified = this.#names.get(name);
    if (qualified === undefined) {
      if (name.startsWith('md:')) qualified = name;
      else if (european === undefined && !/^[A-Za-z][A-Za-z0-9]*(?:\.[A-Za-z][A-Za-z0-9]*)?$/.test(name)) {
        throw new CimError('unsupported', 'cim.write', `${name} is in no vocabulary of CGMES and is not written`);
      } else qualified = `${european === true ? 'eu' : 'cim'}:${name}`;
      this.#names.set(name, qualified);
    }
    return qualified;
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\r': '&#13;',
  '\t': '&#9;',
  '\n': '&#10;',
};
/** For the value of an attribute. */
const escapeValue = (text: string): string => text.replaceAll(/[&<>"\r\t\n]/g, (character) => ESCAPES[character]!);
const escapeText = (text: string): string => text.replaceAll(/[&<>\r]/g, (character) => ESCAPES[character]!);
