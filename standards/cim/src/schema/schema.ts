/** The vocabulary of CGMES: classes with their ancestors, properties with types and multiplicities per profile. */
import { CimError } from '../error.ts';
import type { CimVersion } from '../rdf/namespaces.ts';
import { CGMES_2_4_15 } from './cgmes-2.4.15.ts';
import { CGMES_3_0 } from './cgmes-3.0.ts';

export type Primitive =
  | 'Float'
  | 'Decimal'
  | 'Integer'
  | 'Boolean'
  | 'String'
  | 'DateTime'
  | 'Date'
  | 'MonthDay'
  | 'IRI'
  | 'URI'
  | 'UUID';

/** What a property holds. */
export type PropertyType =
  | { readonly kind: 'primitive'; readonly primitive: Primitive; readonly multiplier: string; readonly unit: string }
  | { readonly kind: 'enumeration'; readonly name: string; readonly values: ReadonlySet<string> }
  | { readonly kind: 'reference'; readonly class: string }
  | { readonly kind: 'compound'; readonly class: string };

export interface CimProperty {
  /** `ACLineSegment.r`. */
  readonly name: string;
  readonly domain: string;
  readonly type: PropertyType;
  /** Letters of the profiles it belongs to, of those that require it, and of those that allow it several times. */
  readonly profiles: string;
  readonly requiredIn: string;
  readonly manyIn: string;
  /** In the European extension's namespace. */
  readonly european: boolean;
}

export interface CimClass {
  readonly name: string;
  readonly parent: string | undefined;
  readonly profiles: string;
  /** Letters of the profiles in which objects of exactly this class are exchanged. */
  readonly concreteIn: string;
  /** In the European extension's namespace. */
  readonly european: boolean;
  readonly compound: boolean;
  readonly properties: readonly CimProperty[];
}

/** EQ before OP and SC, all of them before TP and SV; SSH is nobody's home. */
const HOMES = 'EOSTVDG';

export class Schema {
  readonly version: CimVersion;
  readonly classes: ReadonlyMap<string, CimClass>;
  /** Enumerations in the European extension's namespace. */
  readonly europeanEnumerations: ReadonlySet<string>;
  readonly #properties = new Map<string, CimProperty>();
  readonly #lineages = new Map<string, ReadonlySet<string>>();

  /** @param tables in the form cgmes-3.0.ts describes; a later one adds to those before */
  constructor(version: CimVersion, ...tables: string[]) {
    this.version = version;
    const { classes, europeanEnumerations } = parse(tables);
    this.classes = classes;
    this.europeanEnumerations = europeanEnumerations;
    for (const { properties } of this.classes.values()) {
      for (const property of properties) this.#properties.set(property.name, property);
    }
  }

  property(name: string): CimProperty | undefined {
    return this.#properties.get(name);
  }

  /**
   * Whether a file of these profiles defines objects of a class, and does not only add to what another file defines: the
   * first profile in the order of HOMES that has the class is where it is at home.
   */
  definedIn(name: string, letters: string): boolean {
    const concrete = this.classes.get(name)?.concreteIn ?? '';
    if (![...letters].some((letter) => concrete.includes(letter))) return !letters.includes('H');
    const home = [...HOMES].find((letter) => concrete.includes(letter));
    return (home !== undefined && letters.includes(home)) || (concrete.includes('B') && letters.includes('B'));
  }

  /** The class and its ancestors. */
  lineage(name: string): ReadonlySet<string> {
    let lineage = this.#lineages.get(name);
    if (!lineage) {
      const found = new Set<string>();
      for (let at: string | undefined = name; at !== undefined && !found.has(at); at = this.classes.get(at)?.parent) {
        found.add(at);
      }
      lineage = found;
      this.#lineages.set(name, lineage);
    }
    return lineage;
  }

  isA(name: string | undefined, ancestor: string): boolean {
    return name !== undefined && this.lineage(name).has(ancestor);
  }

  /** The class and everything below it. */
  family(ancestor: string): string[] {
    return [...this.classes.keys()].filter((name) => this.isA(name, ancestor));
  }
}

function parse(tables: readonly string[]): {
  classes: Map<string, CimClass>;
  europeanEnumerations: Set<string>;
} {
  const datatypes = new Map<string, [primitive: string, multiplier: string, unit: string]>();
  const enumerations = new Map<string, Set<string>>();
  const europeanEnumerations = new Set<string>();
  const classes = new Map<string, CimClass & { properties: CimProperty[] }>();
  const lines = tables.join('\n').split('\n');
  for (const line of lines) {
    const [mark, name = '', ...rest] = line.split(' ');
    if (mark === 'd') datatypes.set(name, [rest[0] ?? '', rest[1] ?? '', rest[2] ?? '']);
    else if (mark === 'e' || mark === 'E') {
      if (mark === 'E') europeanEnumerations.add(name);
      const values = enumerations.get(name) ?? new Set();
      for (const value of rest) values.add(value);
      enumerations.set(name, values);
    }
  }
  const typeOf = (text: string): PropertyType => {
    const name = text.slice(1);
    if (text[0] === '>') return { kind: 'reference', class: name };
    if (text[0] === '*') return { kind: 'compound', class: name };
    if (text[0] === ':') return { kind: 'enumeration', name, values: enumerations.get(name) ?? new Set() };
    const [primitive, multiplier, unit] = datatypes.get(text) ?? [text, 'none', ''];
    return { kind: 'primitive', primitive: primitive as Primitive, multiplier, unit };
  };
  let current: (CimClass & { properties: CimProperty[] }) | undefined;
  for (const line of lines) {
    const [mark, name = '', ...rest] = line.split(' ');
    if (mark === 'c') {
      const [parent = '-', profiles = '', concrete = '-', marks = ''] = rest;
      current = classes.get(name) ?? {
        name,
        parent: parent === '-' ? undefined : parent,
        profiles,
        concreteIn: concrete === '-' ? '' : concrete,
        european: marks.includes('u'),
        compound: marks.includes('k'),
        properties: [],
      };
      classes.set(name, current);
    } else if (mark === '' && name !== '') {
      if (!current) throw new CimError('local', 'cim.table', `the property ${name} stands before any class`);
      const [type = '', profiles = '', required = '-', many = '-', marks = ''] = rest;
      current.properties.push({
        name: `${current.name}.${name}`,
        domain: current.name,
        type: typeOf(type),
        profiles,
        requiredIn: required === '-' ? '' : required,
        manyIn: many === '-' ? '' : many,
        european: marks.includes('u'),
      });
    }
  }
  return { classes, europeanEnumerations };
}

let schemas: Record<CimVersion, Schema> | undefined;

/** The vocabulary of a version; made once. */
export function schemaOf(version: CimVersion): Schema {
  schemas ??= { '3.0': new Schema('3.0', CGMES_3_0), '2.4.15': new Schema('2.4.15', CGMES_3_0, CGMES_2_4_15) };
  return schemas[version];
}
