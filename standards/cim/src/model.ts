/** A model as it came in: files, their headers, what they say, and what is wrong with it. */
import { CimError } from './error.ts';
import { Findings } from './findings.ts';
import { readJsonLd } from './json-ld/reader.ts';
import { partsOf } from './parts.ts';
import type { CimVersion } from './rdf/namespaces.ts';
import { type RdfFile, readRdf } from './rdf/reader.ts';
import { PROFILE_LETTERS, type Profile, profileOf } from './schema/profiles.ts';
import { type Schema, schemaOf } from './schema/schema.ts';
import type { Source } from './source/source.ts';
import { contentOf, nodeWithin, ownStatements, readable } from './store/content.ts';
import { CimStore } from './store/store.ts';

/** What `md:FullModel` or `dm:DifferenceModel` says (IEC 61970-552, model header). */
export interface ModelHeader {
  /** Identifier of the model, `_` and a UUID as a rule. */
  readonly id: string;
  readonly kind: 'full' | 'difference';
  readonly file: string;
  readonly profiles: readonly Profile[];
  readonly profileUris: readonly string[];
  readonly dependentOn: readonly string[];
  readonly supersedes: readonly string[];
  /** As the file has them: CGMES 2.4.15 leaves the time zone out. */
  readonly created: string | undefined;
  readonly scenarioTime: string | undefined;
  readonly version: string | undefined;
  readonly modelingAuthoritySet: string | undefined;
  readonly description: string | undefined;
}

export interface CimFile extends RdfFile {
  readonly header: ModelHeader | undefined;
  /** Letters of the profiles the file is of; empty when it does not say. */
  readonly letters: string;
}

export interface CimModel {
  readonly store: CimStore;
  readonly schema: Schema;
  readonly version: CimVersion;
  readonly files: readonly CimFile[];
  readonly findings: Findings;
  /** Letters of every profile present. */
  readonly letters: string;
}

/** Reads every source into one model: EQ, SSH, TP, … of one or several authorities and their boundary. */
export async function readModel(sources: AsyncIterable<Source> | Iterable<Source>): Promise<CimModel> {
  const store = new CimStore();
  const findings = new Findings();
  const files: CimFile[] = [];
  for await (const source of sources) {
    if (source.finding) findings.add(source.finding);
    if (!source.open) continue;
    const first = store.descriptions;
    const read = /\.json(ld)?$/i.test(source.name) ? readJsonLd : readRdf;
    const file = await read(source.name, source.open(), store, findings);
    const header = headerOf(store, source.name, first, findings);
    const letters = (header?.profiles ?? []).map((profile) => PROFILE_LETTERS[profile]).join('');
    files.push({ ...file, header, letters });
  }
  if (files.length === 0) findings.add({ severity: 'error', code: 'cim.nothing', text: 'there is no CIM file' });
  const version = versionOf(files, findings);
  const letters = [...new Set(files.flatMap((file) => [...file.letters]))].join('');
  return { store, schema: schemaOf(version), version, files, findings, letters };
}

function headerOf(store: CimStore, file: string, from: number, findings: Findings): ModelHeader | undefined {
  for (let description = from; description < store.descriptions; description++) {
    const name = store.descriptionClass(description);
    if (name !== 'md:FullModel' && name !== 'dm:DifferenceModel') continue;
    const all = (property: string): string[] => {
      const [start, end] = store.range(description);
      const values: string[] = [];
      for (let statement = start; statement < end; statement++) {
        if (store.description(statement) === description && store.property(statement) === property) {
          values.push(store.value(statement));
        }
      }
      return values;
    };
    const profileUris = all('md:Model.profile');
    const profiles = new Set<Profile>();
    for (const uri of profileUris) {
      const known = profileOf(uri);
      if (known) profiles.add(known.profile);
      else {
        const text = `the profile ${uri} is not known; what belongs to it is kept and not checked`;
        findings.add({ severity: 'warning', code: 'cim.profile', text, file, line: store.line(description) });
      }
    }
    return {
      id: store.key(store.object(description)),
      kind: name === 'md:FullModel' ? 'full' : 'difference',
      file,
      profiles: [...profiles],
      profileUris,
      dependentOn: all('md:Model.DependentOn'),
      supersedes: all('md:Model.Supersedes'),
      created: all('md:Model.created')[0],
      scenarioTime: all('md:Model.scenarioTime')[0],
      version: all('md:Model.version')[0],
      modelingAuthoritySet: all('md:Model.modelingAuthoritySet')[0],
      description: all('md:Model.description')[0],
    };
  }
  if (store.descriptions > from) {
    const text = 'there is no md:FullModel: which profile this is, and of which model, nobody says';
    findings.add({ severity: 'error', code: 'cim.header', text, file, line: 1 });
  }
  return undefined;
}

function versionOf(files: readonly CimFile[], findings: Findings): CimVersion {
  const first = files.find(({ version }) => version !== undefined);
  const version = first?.version ?? '3.0';
  for (const file of files) {
    if (file.version === undefined || file.version === version) continue;
    const text = `the file is CGMES ${file.version} and ${first!.name} is ${version}; one model has one version`;
    findings.add({ severity: 'error', code: 'cim.version', text, file: file.name, line: 1 });
  }
  return version;
}

/**
 * Puts the difference models among the files in force, in the order they were read: what a reverse section names goes,
 * what a forward section names comes (IEC 61970-552, difference model).
 * @throws CimError `cim.difference` for a file that is not whole
 */
export function applyDifferences(model: CimModel): void {
  const { store } = model;
  const parts = partsOf(model);
  for (const [index, file] of model.files.entries()) {
    if (file.header?.kind !== 'difference' || store.applied.has(index)) continue;
    if (!file.complete) {
      throw new CimError('peer', 'cim.difference', `${file.name} is not whole; half a difference is not applied`);
    }
    const part = parts.find(({ differences }) => differences.includes(index));
    const of = part?.base === undefined ? undefined : new Set([part.base, ...part.differences]);
    for (const section of ['reverse', 'forward'] as const) {
      for (let description = 0; description < store.descriptions; description++) {
        if (store.file(description) !== index || store.section(description) !== section) continue;
        if (section === 'forward') add(store, description);
        else if (store.naming(description) !== 'anonymous') remove(model, description, file, of);
      }
    }
    store.applied.add(index);
  }
}

/** @param of files the difference speaks of; undefined: whichever says it, since nobody knows */
function remove(
  { store, files, findings }: CimModel,
  description: number,
  file: CimFile,
  of: ReadonlySet<number> | undefined,
): void {
  const object = store.object(description);
  // What the model says of the object, looked up once: a difference may speak of thousands of its statements.
  const said = new Map<string, number[]>();
  for (const other of store.statementsOf(object)) {
    if (of && !of.has(store.file(store.description(other)))) continue;
    const key = `${store.propertySymbol(other)} ${contentOf(store, other)}`;
    const list = said.get(key);
    if (list) list.push(other);
    else said.set(key, [other]);
  }
  for (const statement of ownStatements(store, description)) {
    const key = `${store.propertySymbol(statement)} ${contentOf(store, statement)}`;
    const found = said.get(key);
    for (const other of found ?? []) takeOut(store, other);
    said.delete(key);
    if (found) continue;
    const property = store.property(statement);
    findings.add({
      severity: 'error',
      code: 'cim.difference',
      text: `the difference takes away ${property} = ${readable(store, statement)}, which the model does not say`,
      file: file.name,
      line: store.statementLine(statement),
      object: store.key(object),
      property,
    });
  }
  if (store.descriptionClass(description) === undefined) return;
  // What equipment defines stays when a hypothesis ceases to speak of it.
  const defined = files[store.file(store.first(object))]!.letters;
  const same = defined === '' || file.letters === '' || [...file.letters].some((letter) => defined.includes(letter));
  if (same) store.setClass(object, undefined);
}

/** A statement, and what stands within it. */
function takeOut(store: CimStore, statement: number): void {
  store.setInForce(statement, false);
  const node = nodeWithin(store, statement);
  if (node === undefined) return;
  for (const inner of ownStatements(store, node)) takeOut(store, inner);
}

function add(store: CimStore, description: number): void {
  const name = store.descriptionClass(description);
  const object = store.object(description);
  if (name !== undefined && store.class(object) === undefined) store.setClass(object, store.symbol(name));
  for (const statement of ownStatements(store, description)) store.setInForce(statement, true);
}
