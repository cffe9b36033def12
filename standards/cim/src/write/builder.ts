/** A model made by a program instead of read: objects and their values, typed as the vocabulary has them. */
import { CimError } from '../error.ts';
import { Findings } from '../findings.ts';
import type { CimFile, CimModel, ModelHeader } from '../model.ts';
import { PROFILE_LETTERS, type Profile, profileOf } from '../schema/profiles.ts';
import { type Schema, schemaOf } from '../schema/schema.ts';
import { CimStore } from '../store/store.ts';

/** Text, number or truth; of a reference the identifier; of an enumeration the value without its name. */
export type BuiltValue = string | number | boolean;

export interface BuiltHeader {
  /** Identifier of the model, a UUID. */
  readonly id: string;
  readonly profileUris: readonly string[];
  /** ISO 8601. */
  readonly created: string;
  readonly scenarioTime: string;
  readonly version?: string;
  readonly modelingAuthoritySet: string;
  readonly description?: string;
  readonly dependentOn?: readonly string[];
  readonly supersedes?: readonly string[];
}

/** `http://iec.ch/TC57/ns/CIM/<name>/3.0`. */
export const PROFILE_URIS = {
  EQ: 'http://iec.ch/TC57/ns/CIM/CoreEquipment-EU/3.0',
  OP: 'http://iec.ch/TC57/ns/CIM/Operation-EU/3.0',
  SSH: 'http://iec.ch/TC57/ns/CIM/SteadyStateHypothesis-EU/3.0',
  TP: 'http://iec.ch/TC57/ns/CIM/Topology-EU/3.0',
  SV: 'http://iec.ch/TC57/ns/CIM/StateVariables-EU/3.0',
  DL: 'http://iec.ch/TC57/ns/CIM/DiagramLayout-EU/3.0',
} as const satisfies Partial<Record<Profile, string>>;

export class ModelBuilder {
  readonly #store = new CimStore();
  readonly #schema: Schema = schemaOf('3.0');
  readonly #files: CimFile[] = [];

  /** Begins a file; what is added from now on stands in it. */
  file(name: string, header: BuiltHeader): void {
    const profiles = header.profileUris.flatMap((uri) => profileOf(uri)?.profile ?? []);
    const full: ModelHeader = {
      id: `_${header.id}`,
      kind: 'full',
      file: name,
      profiles,
      profileUris: header.profileUris,
      dependentOn: header.dependentOn ?? [],
      supersedes: header.supersedes ?? [],
      created: header.created,
      scenarioTime: header.scenarioTime,
      version: header.version,
      modelingAuthoritySet: header.modelingAuthoritySet,
      description: header.description,
    };
    this.#store.files.push(name);
    const letters = profiles.map((profile) => PROFILE_LETTERS[profile]).join('');
    this.#files.push({ name, complete: true, version: '3.0', octets: 0, encoding: 'utf-8', header: full, letters });
    const description = this.#describe(full.id, 'md:FullModel', 'about');
    const say = (property: string, texts: readonly (string | undefined)[], kind: 'literal' | 'reference'): void => {
      for (const text of texts) if (text !== undefined) this.#state(description, `md:Model.${property}`, kind, text);
    };
    say('created', [header.created], 'literal');
    say('scenarioTime', [header.scenarioTime], 'literal');
    say('version', [header.version], 'literal');
    say('description', [header.description], 'literal');
    say('modelingAuthoritySet', [header.modelingAuthoritySet], 'literal');
    say('profile', header.profileUris, 'literal');
    say('DependentOn', full.dependentOn, 'reference');
    say('Supersedes', full.supersedes, 'reference');
  }

  /**
   * @param key identifier as references name it, `_` and a UUID as a rule
   * @param values by property; undefined ones are left out
   * @throws CimError `cim.build` (local) for a class or property that CGMES 3.0 does not have
   */
  object(
    className: string,
    key: string,
    values: Readonly<Record<string, BuiltValue | readonly BuiltValue[] | undefined>>,
    naming: 'defined' | 'about' = 'defined',
  ): void {
    if (!this.#schema.classes.has(className))
      throw new CimError('local', 'cim.build', `there is no class ${className}`);
    const description = this.#describe(key, className, naming);
    for (const [property, value] of Object.entries(values)) {
      const type = this.#schema.property(property)?.type;
      if (!type || type.kind === 'compound') throw new CimError('local', 'cim.build', `${property} is not written`);
      for (const each of Array.isArray(value) ? value : [value]) {
        if (each === undefined) continue;
        const text = String(each);
        if (type.kind === 'reference') this.#state(description, property, 'reference', text);
        else if (type.kind === 'enumeration') this.#state(description, property, 'enumeration', `${type.name}.${text}`);
        else this.#state(description, property, 'literal', text);
      }
    }
  }

  #describe(key: string, className: string, naming: 'defined' | 'about'): number {
    if (this.#files.length === 0) throw new CimError('local', 'cim.build', 'no file has been begun');
    const { strings } = this.#store;
    const symbol = this.#store.symbol(className);
    return this.#store.describe(strings.internText(key), symbol, this.#files.length - 1, 1, naming, 'body');
  }

  #state(description: number, property: string, kind: 'literal' | 'reference' | 'enumeration', text: string): void {
    const store = this.#store;
    store.state(description, store.symbol(property), kind, store.strings.internText(text), 1);
  }

  build(): CimModel {
    const letters = [...new Set(this.#files.flatMap((file) => [...file.letters]))].join('');
    const findings = new Findings();
    return { store: this.#store, schema: this.#schema, version: '3.0', files: this.#files, findings, letters };
  }
}
