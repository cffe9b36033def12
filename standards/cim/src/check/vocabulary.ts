/**
 * A model against the vocabulary: classes and properties known, values of their type, references to objects that are
 * there and of the right class, multiplicities. One pass over the columns; what is asked of a class or a property is
 * looked up once.
 */
import type { Severity } from '../findings.ts';
import type { CimModel } from '../model.ts';
import { CIM100, CIM100_EU } from '../rdf/namespaces.ts';
import type { CimClass, CimProperty, Primitive } from '../schema/schema.ts';

const FLOAT = /^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;
const INTEGER = /^[+-]?[0-9]{1,18}$/;
const DATE_TIME = /^-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?$/;
const DATE = /^-?\d{4,}-\d\d-\d\d(?:Z|[+-]\d\d:\d\d)?$/;
const MONTH_DAY = /^--\d\d-\d\d(?:Z|[+-]\d\d:\d\d)?$/;

function valid(primitive: Primitive, text: string): boolean {
  switch (primitive) {
    case 'Float':
    case 'Decimal':
      return FLOAT.test(text) && Number.isFinite(Number(text));
    case 'Integer':
      return INTEGER.test(text);
    case 'Boolean':
      return text === 'true' || text === 'false';
    case 'DateTime':
      return DATE_TIME.test(text);
    case 'Date':
      return DATE.test(text);
    case 'MonthDay':
      return MONTH_DAY.test(text);
    default:
      return true;
  }
}

/** The five and sixteen of CGMES identify an object by `rdf:ID`; the property says it once more and may be left out. */
const SAID_BY_ID = 'IdentifiedObject.mRID';
const HEADERS = new Set(['md:FullModel', 'dm:DifferenceModel']);

interface Asked {
  readonly count: number;
  readonly line: number;
  readonly object: string;
}

export function checkVocabulary(model: CimModel): void {
  new VocabularyCheck(model).run();
}

class VocabularyCheck {
  readonly #model: CimModel;
  readonly #classes: (CimClass | null)[] = [];
  readonly #properties: (CimProperty | null)[] = [];
  readonly #belongs = new Map<number, boolean>();
  readonly #required = new Map<string, readonly CimProperty[]>();
  /** Things said of many objects at once: key → where first, how often. */
  readonly #asked = new Map<string, Asked>();

  constructor(model: CimModel) {
    this.#model = model;
  }

  run(): void {
    const { store, files } = this.#model;
    for (let description = 0; description < store.descriptions; description++) {
      const section = store.section(description);
      if (section !== 'body' && section !== 'forward') continue;
      const name = store.descriptionClass(description);
      if (name !== undefined && HEADERS.has(name)) continue;
      const file = files[store.file(description)]!;
      // Dynamics is kept; its vocabulary, larger than all the others together, is not part of this package.
      if (file.letters === 'Y') continue;
      const known = name === undefined ? undefined : this.#class(name);
      if (name !== undefined && !known) this.#ask('warning', 'cim.unknown-class', description, name);
      this.#object(description);
      this.#statements(description, name, known ?? undefined, file.letters);
    }
    this.#tell();
    this.#namespaces();
  }

  /** Names of the European extension in its namespace, all others in that of CIM. 2.4.15 has its own division. */
  #namespaces(): void {
    const { store, schema, findings, files, version } = this.#model;
    if (version !== '3.0') return;
    for (const { symbol, namespace, file, line } of store.spellings) {
      const name = store.symbolText(symbol);
      const known = schema.classes.get(name) ?? schema.property(name);
      const wanted = known?.european ? CIM100_EU : CIM100;
      if (!known || namespace === wanted || files[file]!.version !== '3.0') continue;
      const text = `${name} stands in the namespace ${namespace} and belongs to ${wanted}; it is read all the same`;
      findings.add({ severity: 'warning', code: 'cim.namespace', text, file: files[file]!.name, line });
    }
  }

  #class(name: string): CimClass | undefined {
    const symbol = this.#model.store.symbol(name);
    let known = this.#classes[symbol];
    if (known === undefined) {
      known = this.#model.schema.classes.get(name) ?? null;
      this.#classes[symbol] = known;
    }
    return known ?? undefined;
  }

  /** An object that files speak of and none defines, and one that two files give different classes. */
  #object(description: number): void {
    const { store, schema } = this.#model;
    const object = store.object(description);
    const first = store.first(object);
    if (
      store.section(description) === 'body' &&
      store.naming(first) === 'about' &&
      store.naming(description) === 'about'
    ) {
      this.#ask('error', 'cim.undefined', description, store.descriptionClass(description) ?? 'rdf:Description');
    }
    const name = store.descriptionClass(description);
    const other = store.class(object);
    if (name !== undefined && other === undefined && store.naming(description) === 'about') {
      const [from, to] = store.range(description);
      let speaks = false;
      for (let statement = from; statement < to; statement++) speaks ||= store.inForce(statement);
      if (speaks) this.#ask('error', 'cim.undefined', description, name);
    }
    if (name === undefined || other === undefined || name === other) return;
    if (schema.isA(other, name) || schema.isA(name, other)) return;
    this.#find('error', 'cim.class', description, `the object is a ${name} here and a ${other} elsewhere`);
  }

  #statements(description: number, name: string | undefined, known: CimClass | undefined, letters: string): void {
    const { store } = this.#model;
    const [from, to] = store.range(description);
    const seen: CimProperty[] = [];
    for (let statement = from; statement < to; statement++) {
      if (store.description(statement) !== description) continue;
      const symbol = store.propertySymbol(statement);
      let property = this.#properties[symbol];
      if (property === undefined) {
        property = this.#model.schema.property(store.symbolText(symbol)) ?? null;
        this.#properties[symbol] = property;
      }
      if (property === null) {
        this.#ask('warning', 'cim.unknown-property', description, store.symbolText(symbol), statement);
        continue;
      }
      if (known && !this.#isOf(symbol, property, known)) {
        this.#ask('warning', 'cim.property-of-class', description, `${property.name} of ${name}`, statement);
      }
      if (!seen.includes(property)) seen.push(property);
      else if (!overlaps(property.manyIn, letters)) {
        const text = `${property.name} stands more than once`;
        this.#find('error', 'cim.cardinality', description, text, statement, property.name);
      }
      // A difference may have taken it away.
      if (store.section(description) === 'body' && !store.inForce(statement)) continue;
      this.#value(description, statement, property);
    }
    if (!known || letters === '' || store.section(description) !== 'body') return;
    for (const property of this.#requiredOf(known, letters)) {
      if (seen.includes(property)) continue;
      this.#find('error', 'cim.required', description, `${property.name} is missing`, undefined, property.name);
    }
  }

  #isOf(symbol: number, property: CimProperty, known: CimClass): boolean {
    const key = symbol * 65_536 + this.#model.store.symbol(known.name);
    let belongs = this.#belongs.get(key);
    if (belongs === undefined) {
      belongs = this.#model.schema.isA(known.name, property.domain);
      this.#belongs.set(key, belongs);
    }
    return belongs;
  }

  /** What a file of these profiles must say of such an object. 2.4.15 is not held to the multiplicities of 3.0. */
  #requiredOf(known: CimClass, letters: string): readonly CimProperty[] {
    if (this.#model.version !== '3.0') return [];
    const key = `${known.name} ${letters}`;
    let required = this.#required.get(key);
    if (!required) {
      const { schema } = this.#model;
      const concrete = [...letters].filter((letter) => known.concreteIn.includes(letter)).join('');
      required = [...schema.lineage(known.name)]
        .flatMap((name) => schema.classes.get(name)?.properties ?? [])
        .filter(({ name, requiredIn }) => name !== SAID_BY_ID && overlaps(requiredIn, concrete));
      this.#required.set(key, required);
    }
    return required;
  }

  #value(description: number, statement: number, property: CimProperty): void {
    const wrong = this.#wrong(statement, property);
    if (wrong) this.#find('error', wrong[0], description, wrong[1], statement, property.name);
  }

  #wrong(statement: number, { name, type }: CimProperty): [code: string, text: string] | undefined {
    const { store, schema } = this.#model;
    const kind = store.kind(statement);
    switch (type.kind) {
      case 'primitive': {
        if (kind !== 'literal') return ['cim.kind', `${name} is a value and stands as a reference`];
        if (type.primitive === 'String') return undefined;
        const text = store.value(statement);
        if (valid(type.primitive, text)) return undefined;
        return ['cim.value', `${name} is ${JSON.stringify(text.slice(0, 60))}, not ${WORDS[type.primitive]}`];
      }
      case 'enumeration': {
        const text = store.value(statement);
        if (kind !== 'enumeration') return ['cim.kind', `${name} is ${text}, not a value of ${type.name}`];
        if (text.startsWith(`${type.name}.`) && type.values.has(text.slice(type.name.length + 1))) return undefined;
        return ['cim.enumeration', `${text} is no value of ${type.name}`];
      }
      case 'compound':
      case 'reference': {
        if (kind !== 'reference') return ['cim.kind', `${name} names no object: ${store.value(statement)}`];
        const target = store.target(statement);
        if (target === undefined) {
          return ['cim.dangling', `${name} refers to ${store.value(statement)}, which is in none of the files`];
        }
        const other = store.class(target);
        if (other === undefined || this.#class(other) === undefined || schema.isA(other, type.class)) return undefined;
        return ['cim.range', `${name} refers to a ${other}; it takes a ${type.class}`];
      }
    }
  }

  #find(
    severity: Severity,
    code: string,
    description: number,
    text: string,
    statement?: number,
    property?: string,
  ): void {
    const { store, files, findings } = this.#model;
    const name = store.descriptionClass(description);
    findings.add({
      severity,
      code,
      text,
      file: files[store.file(description)]!.name,
      line: statement === undefined ? store.line(description) : store.statementLine(statement),
      object: store.key(store.object(description)),
      ...(name === undefined ? {} : { class: name }),
      ...(property === undefined ? {} : { property }),
    });
  }

  #ask(severity: Severity, code: string, description: number, what: string, statement?: number): void {
    const { store } = this.#model;
    const key = JSON.stringify([severity, code, store.file(description), what]);
    const known = this.#asked.get(key);
    if (known) {
      this.#asked.set(key, { ...known, count: known.count + 1 });
      return;
    }
    const line = statement === undefined ? store.line(description) : store.statementLine(statement);
    this.#asked.set(key, { count: 1, line, object: store.key(store.object(description)) });
  }

  #tell(): void {
    const { files, findings, version } = this.#model;
    for (const [key, { count, line, object }] of this.#asked) {
      const [severity, code, file, what] = JSON.parse(key) as [Severity, string, number, string];
      const times = count === 1 ? '' : ` (${count} times; the first is told)`;
      findings.add({
        severity,
        code,
        text: `${SENTENCES[code]!(what, version)}${times}`,
        file: files[file]!.name,
        line,
        object,
      });
    }
  }
}

const SENTENCES: Readonly<Record<string, (what: string, version: string) => string>> = {
  'cim.unknown-class': (what, version) =>
    `the class ${what} is not known in CGMES ${version}; it is kept and not checked`,
  'cim.unknown-property': (what, version) => `${what} is not known in CGMES ${version}; it is kept and not checked`,
  'cim.property-of-class': (what) => `a class has a property that is not its own: ${what}`,
  'cim.undefined': (what) => `a ${what} is described with rdf:about, and no file defines it with rdf:ID`,
};

const WORDS: Readonly<Record<Primitive, string>> = {
  Float: 'a number',
  Decimal: 'a number',
  Integer: 'a whole number',
  Boolean: 'true or false',
  String: 'text',
  DateTime: 'a time such as 2026-01-31T12:00:00Z',
  Date: 'a date such as 2026-01-31',
  MonthDay: 'a day of the year such as --01-31',
  IRI: 'an IRI',
  URI: 'a URI',
  UUID: 'a UUID',
};

function overlaps(letters: string, others: string): boolean {
  for (const letter of letters) if (others.includes(letter)) return true;
  return false;
}
