/** What changed between two models: objects that came and went, and properties that say something else. */
import type { CimModel } from '../model.ts';
import { contentOf, ownStatements, readable } from '../store/content.ts';
import type { CimStore } from '../store/store.ts';

export interface PropertyChange {
  readonly property: string;
  /** Values as a person reads them, `→ identifier` for a reference; empty when the property came or went. */
  readonly before: readonly string[];
  readonly after: readonly string[];
}

export interface ObjectChange {
  readonly change: 'added' | 'removed' | 'changed';
  /** Identifier without the underscore that makes it an XML name. */
  readonly mRID: string;
  readonly class: string;
  /** Class in the model before, when the object has become one of another class. */
  readonly classBefore?: string;
  readonly name?: string;
  /** Of an object that came or went all it says, else what changed. By name of the property. */
  readonly properties: readonly PropertyChange[];
  /** Where it stands: in the model after, or in that before when it is gone. */
  readonly file: string;
  readonly line: number;
}

export interface DiffOptions {
  /** Whether `1.0` and `1` are different: for a file that is to say the same to the letter. */
  readonly spelling?: boolean;
  /** Only what these files say: numbers of the files of one part before and after. */
  readonly files?: { readonly before: ReadonlySet<number>; readonly after: ReadonlySet<number> };
}

/** @returns objects by class, name and identifier: those that are gone, those that came, those that changed */
export function diffModels(before: CimModel, after: CimModel, options: DiffOptions = {}): ObjectChange[] {
  const from = new Side(before, options, options.files?.before);
  const to = new Side(after, options, options.files?.after);
  const changes: ObjectChange[] = [];
  // What only a hypothesis speaks of after equipment has ceased to define it is gone.
  const gone = (key: string, here: Side, there: Side): boolean =>
    !there.has(key) || (here.defines(key) && !there.defines(key));
  for (const key of from.keys()) {
    if (gone(key, from, to)) changes.push({ change: 'removed', ...from.describe(key, [], 'before') });
  }
  for (const key of to.keys()) {
    if (gone(key, to, from)) {
      changes.push({ change: 'added', ...to.describe(key, [], 'after') });
      continue;
    }
    if (gone(key, from, to)) continue;
    const [old, now] = [from.values(key), to.values(key)];
    const properties: PropertyChange[] = [];
    for (const property of new Set([...old.keys(), ...now.keys()])) {
      const [was, is] = [old.get(property) ?? NOTHING, now.get(property) ?? NOTHING];
      if (same(was, is)) continue;
      properties.push({ property, before: from.readable(was), after: to.readable(is) });
    }
    const [classBefore, className] = [from.class(key), to.class(key)];
    if (properties.length === 0 && classBefore === className) continue;
    const became = classBefore === className ? {} : { classBefore };
    changes.push({ change: 'changed', ...to.describe(key, properties), ...became });
  }
  return changes.sort((a, b) => order(a, b));
}

const KINDS = ['removed', 'added', 'changed'];
const order = (a: ObjectChange, b: ObjectChange): number =>
  KINDS.indexOf(a.change) - KINDS.indexOf(b.change) ||
  compare(a.class, b.class) ||
  compare(a.name ?? '', b.name ?? '') ||
  compare(a.mRID, b.mRID);
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Statement by what it says; the first of those that say the same. */
export type Values = ReadonlyMap<string, number>;
const NOTHING: Values = new Map();

function same(a: Values, b: Values): boolean {
  if (a.size !== b.size) return false;
  for (const content of a.keys()) if (!b.has(content)) return false;
  return true;
}

/** One of two models that are compared, or the part of it that some files say. */
export class Side {
  readonly model: CimModel;
  readonly #store: CimStore;
  readonly #spelling: boolean;
  readonly #descriptions = new Map<string, number[]>();

  constructor(model: CimModel, { spelling = false }: DiffOptions, files?: ReadonlySet<number>) {
    this.model = model;
    this.#store = model.store;
    this.#spelling = spelling;
    const { store } = model;
    for (let description = 0; description < store.descriptions; description++) {
      if (files && !files.has(store.file(description))) continue;
      if (store.naming(description) === 'anonymous') continue;
      const section = store.section(description);
      if (section !== 'body' && !(section === 'forward' && store.applied.has(store.file(description)))) continue;
      const name = store.descriptionClass(description);
      if (name?.startsWith('md:') || name?.startsWith('dm:')) continue;
      if (!this.#speaks(description, name)) continue;
      const key = store.key(store.object(description));
      const list = this.#descriptions.get(key);
      if (list) list.push(description);
      else this.#descriptions.set(key, [description]);
    }
  }

  /** Not when a difference has taken the object away, or all that was said of it here. */
  #speaks(description: number, name: string | undefined): boolean {
    const store = this.#store;
    const defined = name !== undefined && store.naming(description) === 'defined';
    if (defined) return store.class(store.object(description)) !== undefined;
    let any = false;
    for (const statement of ownStatements(store, description)) {
      if (store.inForce(statement)) return true;
      any = true;
    }
    return !any;
  }

  keys(): Iterable<string> {
    return this.#descriptions.keys();
  }
  has(key: string): boolean {
    return this.#descriptions.has(key);
  }
  /** Whether a file defines the object, and does not only add to it. */
  defines(key: string): boolean {
    return this.descriptions(key).some((description) => this.#store.naming(description) === 'defined');
  }
  descriptions(key: string): readonly number[] {
    return this.#descriptions.get(key) ?? [];
  }

  class(key: string): string {
    const store = this.#store;
    const object = store.find(key)!;
    const typed = this.descriptions(key).filter((each) => store.descriptionClass(each) !== undefined);
    // A hypothesis may speak of a breaker as equipment.
    const best = typed.findLast((each) => store.naming(each) === 'defined') ?? typed.at(-1);
    return (best === undefined ? store.class(object) : store.descriptionClass(best)) ?? 'rdf:Description';
  }

  /** What is said of an object, by property. Of a property that stands once by its definition the last one counts. */
  values(key: string): ReadonlyMap<string, Values> {
    const store = this.#store;
    const values = new Map<string, Map<string, number>>();
    for (const description of this.descriptions(key)) {
      for (const statement of ownStatements(store, description)) {
        if (!store.inForce(statement)) continue;
        const property = store.property(statement);
        const list = values.get(property);
        if (list && this.model.schema.property(property)?.manyIn !== '') list.set(this.#content(statement), statement);
        else values.set(property, new Map([[this.#content(statement), statement]]));
      }
    }
    return values;
  }

  #content(statement: number): string {
    const store = this.#store;
    if (!this.#spelling && store.kind(statement) === 'literal') {
      const type = this.model.schema.property(store.property(statement))?.type;
      if (type?.kind === 'primitive' && NUMBERS.has(type.primitive)) {
        const text = store.value(statement).trim();
        const number = Number(text);
        if (text !== '' && Number.isFinite(number)) return `number ${number}`;
      }
    }
    return contentOf(store, statement);
  }

  readable(values: Values): string[] {
    return [...values.values()].map((statement) => readable(this.#store, statement)).sort();
  }

  describe(
    key: string,
    properties: readonly PropertyChange[],
    all?: 'before' | 'after',
  ): Omit<ObjectChange, 'change' | 'classBefore'> {
    const store = this.#store;
    const object = store.find(key)!;
    const description = this.descriptions(key)[0] ?? store.first(object);
    const name = store.text(object, 'IdentifiedObject.name');
    const every = (): PropertyChange[] =>
      [...this.values(key)].map(([property, values]) => {
        const texts = this.readable(values);
        return { property, before: all === 'before' ? texts : [], after: all === 'after' ? texts : [] };
      });
    return {
      mRID: key.replace(/^_/, ''),
      class: this.class(key),
      ...(name === undefined ? {} : { name }),
      properties: [...(all ? every() : properties)].sort((a, b) => compare(a.property, b.property)),
      file: this.model.files[store.file(description)]!.name,
      line: store.line(description),
    };
  }
}

const NUMBERS: ReadonlySet<string> = new Set(['Float', 'Decimal', 'Integer']);
