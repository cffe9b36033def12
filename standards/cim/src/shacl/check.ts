/**
 * A model against SHACL shapes such as those ENTSO-E publishes for IEC 61970-301, -452, -456, -600-1 and -600-2. What is found
 * is told like everything else: file, line, object, property, and the name of the rule.
 */

import { place } from '../check/place.ts';
import { CimError } from '../error.ts';
import type { Finding, Severity } from '../findings.ts';
import type { CimModel } from '../model.ts';
import { RDF, shortNameOf } from '../rdf/namespaces.ts';
import { addClasses, datasetOf, iriOf, keyOf } from './data.ts';
import { type Dataset, type Libraries, loadLibraries, type Pointer, type ShaclResult, type Term } from './libraries.ts';
import { type Shapes, scopeOf } from './shapes.ts';
import { SparqlConstraints, type Unanswered } from './sparql.ts';

const SH = 'http://www.w3.org/ns/shacl#';
const SEVERITIES: Readonly<Record<string, Severity>> = {
  [`${SH}Violation`]: 'error',
  [`${SH}Warning`]: 'warning',
  [`${SH}Info`]: 'note',
};

export interface ShaclReport {
  readonly shapes: string;
  /** Files of the model that were looked at; empty: it has none of that profile. */
  readonly files: readonly string[];
  /** Statements looked at. */
  readonly statements: number;
  readonly results: number;
  readonly seconds: number;
}

/**
 * Adds what the shapes find to the findings of the model, under the code `shacl.` and the name of the shape.
 * @param now milliseconds, for the seconds of the report
 * @throws CimError `shacl.missing` when the engine is not installed, `shacl.shapes` for a file that is no Turtle
 */
export async function checkShacl(
  model: CimModel,
  shapes: readonly Shapes[],
  now: () => number = () => performance.now(),
): Promise<ShaclReport[]> {
  const libraries = await loadLibraries();
  const datasets = new Map<string, Dataset>();
  const reports: ShaclReport[] = [];
  for (const each of shapes) {
    const began = now();
    const files = filesOf(model, scopeOf(each));
    const names = [...files].map((file) => model.files[file]!.name);
    const graph = parse(each, libraries);
    // ENTSO-E's shapes name every class themselves but in these.
    if (/Implicit/.test(each.name)) addClasses(model, graph, libraries);
    let [statements, count] = [0, 0];
    if (files.size > 0) {
      const key = [...files].join();
      const data = datasets.get(key) ?? datasetOf(model, files, libraries);
      datasets.set(key, data);
      statements = data.size;
      const { results, unanswered } = await validate(each, libraries, graph, data);
      for (const { shape, why } of unanswered) {
        const text = `the rule ${nameOf(shape, libraries)} of ${each.name} was not checked: ${why.split('\n')[0]}`;
        model.findings.add({ severity: 'warning', code: 'shacl.not-checked', text });
      }
      for (const result of once(results)) {
        model.findings.add(findingOf(model, result, libraries));
        count++;
      }
    }
    const seconds = Math.round(now() - began) / 1000;
    reports.push({ shapes: each.name, files: names, statements, results: count, seconds });
  }
  return reports;
}

function filesOf({ files }: CimModel, letters: string | undefined): ReadonlySet<number> {
  const wanted = new Set<number>();
  for (const [index, file] of files.entries()) {
    const own = letters === undefined || [...file.letters].some((letter) => letters.includes(letter));
    if (own) wanted.add(index);
  }
  return wanted;
}

function parse({ name, text }: Shapes, { dataset, parse: read }: Libraries): Dataset {
  const graph = dataset();
  try {
    read(text, graph);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CimError('caller', 'shacl.shapes', `${name} is no Turtle: ${why}`, { cause });
  }
  return graph;
}

/** @returns results, and the constraints that could not be checked */
async function validate(
  { name }: Shapes,
  libraries: Libraries,
  graph: Dataset,
  data: Dataset,
): Promise<{ results: readonly ShaclResult[]; unanswered: readonly Unanswered[] }> {
  const sparql = new SparqlConstraints(libraries, data);
  try {
    const report = await libraries.validate(graph, data, sparql);
    return { results: report.results, unanswered: sparql.unanswered };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CimError('unsupported', 'shacl.shapes', `the shapes in ${name} cannot be checked: ${why}`, { cause });
  }
}

/** Results that say the same of the same object are one: shapes are reached by several ways. */
function* once(results: readonly ShaclResult[]): Generator<ShaclResult> {
  const seen = new Set<string>();
  for (const result of results) {
    const parts = [result.focusNode.term, result.shape.ptr.term, result.value?.term, result.constraintComponent];
    const key = parts.map((term) => term?.value ?? '').join(' ');
    if (seen.has(key)) continue;
    seen.add(key);
    yield result;
  }
}

const local = (iri: string): string => iri.slice(Math.max(iri.lastIndexOf('#'), iri.lastIndexOf('/')) + 1);

/** `sh:name`, which ENTSO-E gives every rule, else the end of the shape's IRI; without spaces. */
function nameOf(shape: Pointer, { factory }: Libraries): string {
  const name = shape.out([factory.namedNode(`${SH}name`)]).value ?? local(shape.term?.value ?? '');
  return name.trim().replaceAll(/\s+/g, '-') || 'shape';
}

function findingOf(model: CimModel, result: ShaclResult, libraries: Libraries): Finding {
  const { store } = model;
  const shape = result.shape.ptr;
  const key = keyOf(result.focusNode.term?.value ?? '');
  const object = key === undefined ? undefined : store.find(key);
  const path = result.path?.[0]?.predicates[0]?.value;
  const property = path === undefined || path === `${RDF}type` ? undefined : shortNameOf(path)[0];
  const value = result.value?.term;
  const said =
    result.message.map((term) => term.value).join('; ') ||
    `${local(result.constraintComponent?.value ?? '')} does not hold`;
  const finding = {
    severity: SEVERITIES[result.severity?.value ?? ''] ?? 'error',
    code: `shacl.${nameOf(shape, libraries)}`,
    text: plain(said) + valueIn(value, result.focusNode.term),
  };
  if (object === undefined) return property === undefined ? finding : { ...finding, property };
  const statement = property === undefined ? undefined : statementOf(model, object, property, value);
  return { ...finding, ...place(model, object, statement), ...(property === undefined ? {} : { property }) };
}

/** Terms of RDF in a message as a person writes them: `"380"^^<…#float>` as 380, `<urn:uuid:x>` as the identifier. */
const plain = (text: string): string =>
  text
    .replaceAll(/"([^"]*)"(?:\^\^<[^>]*>|@[A-Za-z-]+)?/g, '$1')
    .replaceAll(/<(urn:(?:uuid|cim):[^>]*)>/g, (_, iri) => keyOf(iri) ?? iri)
    .trim();

/** The value that is wrong, when it is not the object itself. */
function valueIn(value: Term | undefined, focus: Term | undefined): string {
  if (!value || value.value === focus?.value || value.termType === 'BlankNode') return '';
  const key = value.termType === 'NamedNode' ? keyOf(value.value) : undefined;
  const text = value.termType === 'Literal' ? JSON.stringify(value.value) : (key ?? shortNameOf(value.value)[0]);
  return ` (${text.slice(0, 120)})`;
}

function statementOf(
  { store }: CimModel,
  object: number,
  property: string,
  value: Term | undefined,
): number | undefined {
  let last: number | undefined;
  for (const statement of store.statementsOf(object)) {
    if (store.property(statement) !== property) continue;
    last = statement;
    const text = store.value(statement);
    if (value && (text === value.value || iriOf(text) === value.value || value.value.endsWith(`#${text}`)))
      return statement;
  }
  return last;
}
