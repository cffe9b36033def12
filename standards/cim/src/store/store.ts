/**
 * A model as statements in columns: object, property, value, and where each was written. Objects that several files
 * describe (EQ, SSH, TP, …) come together under their identifier. Twenty octets and a text once per statement.
 */
import { Column } from './columns.ts';
import { StringPool } from './string-pool.ts';

/** What a value is: text, the identifier of an object, a value of an enumeration (`UnitSymbol.V`), another IRI. */
export type ValueKind = 'literal' | 'reference' | 'enumeration' | 'iri';
const KINDS: readonly ValueKind[] = ['literal', 'reference', 'enumeration', 'iri'];

/** How an object was named where it is described: `rdf:ID` (defined), `rdf:about` (added to), or without an identifier. */
export type Naming = 'defined' | 'about' | 'anonymous';
const NAMINGS: readonly Naming[] = ['defined', 'about', 'anonymous'];

/** Which part of a file a description stands in: the body, or a section of a difference model. */
export type Section = 'body' | 'forward' | 'reverse' | 'precondition';
const SECTIONS: readonly Section[] = ['body', 'forward', 'reverse', 'precondition'];

const NONE = 0xffff_ffff;

export interface Value {
  readonly statement: number;
  readonly property: string;
  readonly kind: ValueKind;
  readonly text: string;
}

/** That a file writes a name in a vocabulary's namespace, and where first. */
export interface Spelling {
  readonly symbol: number;
  readonly namespace: string;
  readonly file: number;
  readonly line: number;
}

export class CimStore {
  readonly strings = new StringPool();
  readonly files: string[] = [];
  /** Numbers of the files whose differences are in force. */
  readonly applied = new Set<number>();
  readonly #symbols: string[] = [];
  readonly #symbolIds = new Map<string, number>();
  /** Object of a text that is an identifier. */
  readonly #objectOf = new Column();
  readonly #objectKey = new Column();
  /** Class of the object: a symbol, NONE as long as only `rdf:Description` spoke of it. */
  readonly #objectClass = new Column();
  /** Description that defined the object, else the first that spoke of it. */
  readonly #objectFirst = new Column();
  readonly #descriptionObject = new Column();
  readonly #descriptionClass = new Column();
  /** File × 16 + naming × 4 + section. */
  readonly #descriptionOrigin = new Column();
  readonly #descriptionLine = new Column();
  readonly #descriptionStart = new Column();
  /** Property × 8 + kind × 2 + whether it is in force. */
  readonly #statementProperty = new Column();
  readonly #statementValue = new Column();
  readonly #statementLine = new Column();
  readonly #statementDescription = new Column();
  #index: { starts: Uint32Array; statements: Uint32Array } | undefined;
  #byClass: Map<string, number[]> | undefined;

  get objects(): number {
    return this.#objectKey.length;
  }
  get statements(): number {
    return this.#statementProperty.length;
  }
  get descriptions(): number {
    return this.#descriptionObject.length;
  }
  /** Octets the columns and texts hold. */
  get octets(): number {
    const columns = [this.#objectOf, this.#objectKey, this.#objectClass, this.#objectFirst, this.#descriptionObject];
    columns.push(this.#descriptionClass, this.#descriptionOrigin, this.#descriptionLine, this.#descriptionStart);
    columns.push(this.#statementProperty, this.#statementValue, this.#statementLine, this.#statementDescription);
    return columns.reduce((sum, column) => sum + column.octets, this.strings.octets);
  }

  /** Number of a class or property name. */
  symbol(name: string): number {
    let id = this.#symbolIds.get(name);
    if (id === undefined) {
      id = this.#symbols.length;
      this.#symbols.push(name);
      this.#symbolIds.set(name, id);
    }
    return id;
  }
  symbolText(id: number): string {
    return this.#symbols[id]!;
  }

  readonly #spellings = new Map<string, Spelling>();

  /** Namespaces are left out of names; this remembers which one a file has a name in. */
  spell(spelling: Spelling): void {
    const key = `${spelling.symbol} ${spelling.file} ${spelling.namespace}`;
    if (!this.#spellings.has(key)) this.#spellings.set(key, spelling);
  }
  get spellings(): Iterable<Spelling> {
    return this.#spellings.values();
  }

  /* Writing: a reader describes one object after the other. */

  /** @param key text of the identifier @param classSymbol undefined for `rdf:Description` */
  describe(
    key: number,
    classSymbol: number | undefined,
    file: number,
    line: number,
    naming: Naming,
    section: Section,
  ): number {
    this.#objectOf.extend(this.strings.size, NONE);
    let object = this.#objectOf.at(key);
    const description = this.#descriptionObject.length;
    const body = section === 'body';
    if (object === NONE) {
      object = this.#objectKey.length;
      this.#objectOf.set(key, object);
      this.#objectKey.push(key);
      this.#objectClass.push(body && classSymbol !== undefined ? classSymbol : NONE);
      this.#objectFirst.push(description);
    } else if (body) {
      const first = this.#objectFirst.at(object);
      const replaces = naming === 'defined' && this.naming(first) !== 'defined';
      if (replaces) this.#objectFirst.set(object, description);
      if (classSymbol !== undefined && (replaces || this.#objectClass.at(object) === NONE)) {
        this.#objectClass.set(object, classSymbol);
      }
    }
    this.#descriptionObject.push(object);
    this.#descriptionClass.push(classSymbol ?? NONE);
    this.#descriptionOrigin.push(file * 16 + NAMINGS.indexOf(naming) * 4 + SECTIONS.indexOf(section));
    this.#descriptionLine.push(line);
    this.#descriptionStart.push(this.#statementProperty.length);
    return description;
  }

  state(description: number, property: number, kind: ValueKind, value: number, line: number): void {
    const inForce = (this.#descriptionOrigin.at(description) & 3) === 0 ? 1 : 0;
    this.#statementProperty.push(property * 8 + KINDS.indexOf(kind) * 2 + inForce);
    this.#statementValue.push(value);
    this.#statementLine.push(line);
    this.#statementDescription.push(description);
    this.#index = undefined;
    this.#byClass = undefined;
  }

  /** Puts a statement of a difference in force, or takes one of the model out of it. */
  setInForce(statement: number, inForce: boolean): void {
    const packed = this.#statementProperty.at(statement);
    this.#statementProperty.set(statement, inForce ? packed | 1 : packed & ~1);
  }

  setClass(object: number, classSymbol: number | undefined): void {
    this.#objectClass.set(object, classSymbol ?? NONE);
    this.#byClass = undefined;
  }

  /* Reading. */

  find(key: string): number | undefined {
    const text = this.strings.find(key);
    return text === undefined ? undefined : this.objectOfText(text);
  }
  objectOfText(text: number): number | undefined {
    if (text >= this.#objectOf.length) return undefined;
    const object = this.#objectOf.at(text);
    return object === NONE ? undefined : object;
  }
  key(object: number): string {
    return this.strings.text(this.#objectKey.at(object));
  }
  class(object: number): string | undefined {
    const symbol = this.#objectClass.at(object);
    return symbol === NONE ? undefined : this.#symbols[symbol];
  }
  /** The description that defined the object, else the first that spoke of it. */
  first(object: number): number {
    return this.#objectFirst.at(object);
  }

  object(description: number): number {
    return this.#descriptionObject.at(description);
  }
  descriptionClass(description: number): string | undefined {
    const symbol = this.#descriptionClass.at(description);
    return symbol === NONE ? undefined : this.#symbols[symbol];
  }
  file(description: number): number {
    return Math.floor(this.#descriptionOrigin.at(description) / 16);
  }
  naming(description: number): Naming {
    return NAMINGS[(this.#descriptionOrigin.at(description) >>> 2) & 3]!;
  }
  section(description: number): Section {
    return SECTIONS[this.#descriptionOrigin.at(description) & 3]!;
  }
  line(description: number): number {
    return this.#descriptionLine.at(description);
  }
  /** Statements of a description: from, to (not included). */
  range(description: number): [from: number, to: number] {
    const next = description + 1;
    const from = this.#descriptionStart.at(description);
    return [from, next < this.descriptions ? this.#descriptionStart.at(next) : this.statements];
  }

  property(statement: number): string {
    return this.#symbols[this.propertySymbol(statement)]!;
  }
  propertySymbol(statement: number): number {
    return this.#statementProperty.at(statement) >>> 3;
  }
  kind(statement: number): ValueKind {
    return KINDS[(this.#statementProperty.at(statement) >>> 1) & 3]!;
  }
  inForce(statement: number): boolean {
    return (this.#statementProperty.at(statement) & 1) === 1;
  }
  value(statement: number): string {
    return this.strings.text(this.#statementValue.at(statement));
  }
  valueText(statement: number): number {
    return this.#statementValue.at(statement);
  }
  statementLine(statement: number): number {
    return this.#statementLine.at(statement);
  }
  description(statement: number): number {
    return this.#statementDescription.at(statement);
  }
  /** Object a reference names, undefined when nothing describes it. */
  target(statement: number): number | undefined {
    return this.objectOfText(this.#statementValue.at(statement));
  }

  /** Statements in force about an object, in the order of the files. */
  *statementsOf(object: number): Generator<number> {
    const { starts, statements } = this.#indexed();
    for (let at = starts[object]!; at < starts[object + 1]!; at++) {
      if (this.inForce(statements[at]!)) yield statements[at]!;
    }
  }

  values(object: number): Value[] {
    return [...this.statementsOf(object)].map((statement) => ({
      statement,
      property: this.property(statement),
      kind: this.kind(statement),
      text: this.value(statement),
    }));
  }

  /** The statement with this property. When several files say it, the last one counts: SSH over EQ. */
  statement(object: number, property: string): number | undefined {
    const symbol = this.#symbolIds.get(property);
    if (symbol === undefined) return undefined;
    const { starts, statements } = this.#indexed();
    for (let at = starts[object + 1]! - 1; at >= starts[object]!; at--) {
      const statement = statements[at]!;
      if (this.propertySymbol(statement) === symbol && this.inForce(statement)) return statement;
    }
    return undefined;
  }

  text(object: number, property: string): string | undefined {
    const statement = this.statement(object, property);
    return statement === undefined ? undefined : this.value(statement);
  }

  /** A finite number, or undefined when the property is missing or is none. */
  number(object: number, property: string): number | undefined {
    const text = this.text(object, property);
    if (text === undefined || text === '') return undefined;
    const value = Number(text);
    return Number.isFinite(value) ? value : undefined;
  }

  boolean(object: number, property: string): boolean | undefined {
    const text = this.text(object, property);
    return text === 'true' ? true : text === 'false' ? false : undefined;
  }

  reference(object: number, property: string): number | undefined {
    const statement = this.statement(object, property);
    return statement === undefined ? undefined : this.target(statement);
  }

  /** Objects of exactly this class, in the order they came. */
  ofClass(name: string): readonly number[] {
    if (!this.#byClass) {
      this.#byClass = new Map();
      for (let object = 0; object < this.objects; object++) {
        const className = this.class(object);
        if (className === undefined) continue;
        const list = this.#byClass.get(className);
        if (list) list.push(object);
        else this.#byClass.set(className, [object]);
      }
    }
    return this.#byClass.get(name) ?? [];
  }

  classes(): string[] {
    this.ofClass('');
    return [...this.#byClass!.keys()].sort();
  }

  #indexed(): { starts: Uint32Array; statements: Uint32Array } {
    if (this.#index) return this.#index;
    const count = this.statements;
    const starts = new Uint32Array(this.objects + 1);
    for (let statement = 0; statement < count; statement++) {
      starts[this.object(this.description(statement)) + 1]!++;
    }
    for (let object = 0; object < this.objects; object++) starts[object + 1]! += starts[object]!;
    const next = starts.slice();
    const statements = new Uint32Array(starts[this.objects]!);
    for (let statement = 0; statement < count; statement++) {
      statements[next[this.object(this.description(statement))]!++] = statement;
    }
    this.#index = { starts, statements };
    return this.#index;
  }
}
