/**
 * Writes src/schema/cgmes-3.0.ts from the official vocabularies of CGMES 3.0 (IEC 61970-600-2, RDFS2020 style):
 *
 *   node standards/cim/tools/generate-schema.ts <folder with the .rdf files>
 *
 * Names, types, units and multiplicities go over; the prose does not. The vocabularies are ENTSO-E's, under the Apache
 * License 2.0 (see NOTICE).
 */
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { Findings } from '../src/findings.ts';
import { readRdf } from '../src/rdf/reader.ts';
import { CimStore } from '../src/store/store.ts';

/** Letter of a profile in the table, by the file that holds its vocabulary. */
const LETTERS: readonly (readonly [file: string, letter: string])[] = [
  ['_Equipment-', 'E'],
  ['_EquipmentBoundary-', 'B'],
  ['_SteadyStateHypothesis-', 'H'],
  ['_Topology-', 'T'],
  ['_StateVariables-', 'V'],
  ['_Operation-', 'O'],
  ['_ShortCircuit-', 'S'],
  ['_DiagramLayout-', 'D'],
  ['_GeographicalLocation-', 'G'],
];

interface Property {
  type: string;
  present: string;
  required: string;
  many: string;
  european: boolean;
}
interface Enumeration {
  readonly european: boolean;
  readonly values: Set<string>;
}
interface Class {
  parent: string;
  present: string;
  concrete: string;
  european: boolean;
  compound: boolean;
  properties: Map<string, Property>;
}

/** @returns the table as text, one class or type per block; the same for the same vocabularies */
export async function generate(folder: string): Promise<string> {
  const classes = new Map<string, Class>();
  const enumerations = new Map<string, Enumeration>();
  const datatypes = new Map<string, string>();
  for (const [file, letter] of LETTERS) {
    const [path] = globSync(`${folder}/*${file}*.rdf`);
    if (path === undefined) throw new Error(`no vocabulary *${file}* in ${folder}`);
    const store = new CimStore();
    const findings = new Findings();
    await readRdf(basename(path), [readFileSync(path)], store, findings);
    if (findings.counts.error > 0) throw new Error(findings.list[0]!.text);
    take(store, letter, classes, enumerations, datatypes);
  }
  return print(classes, enumerations, datatypes);
}

function take(
  store: CimStore,
  letter: string,
  classes: Map<string, Class>,
  enumerations: Map<string, Enumeration>,
  datatypes: Map<string, string>,
): void {
  const all = (object: number, property: string): string[] =>
    store.values(object).flatMap((value) => (value.property === property ? [local(value.text)] : []));
  const one = (object: number, property: string): string | undefined => all(object, property)[0];
  const stereotypes = new Map<string, string[]>();
  const properties: number[] = [];
  for (let object = 0; object < store.objects; object++) {
    const name = local(store.key(object));
    const type = one(object, 'rdf:type');
    if (type === 'Class') {
      const marks = all(object, 'cims:stereotype');
      stereotypes.set(name, marks);
      if (marks.includes('enumeration'))
        enumerations.set(
          name,
          enumerations.get(name) ?? { european: isEuropean(store.key(object)), values: new Set() },
        );
      else if (!marks.includes('CIMDatatype') && !marks.includes('Primitive')) {
        const known = classes.get(name);
        const own = known ?? {
          parent: '',
          present: '',
          concrete: '',
          european: isEuropean(store.key(object)),
          compound: marks.includes('Compound'),
          properties: new Map(),
        };
        own.present += letter;
        own.parent ||= one(object, 'rdfs:subClassOf') ?? '';
        if (marks.includes('concrete') || marks.includes('Description')) own.concrete += letter;
        classes.set(name, own);
      }
    } else if (type === 'Property') properties.push(object);
    else if (type !== undefined && all(object, 'cims:stereotype').includes('enum')) {
      const known = enumerations.get(type) ?? { european: isEuropean(store.key(object)), values: new Set() };
      known.values.add(name.slice(type.length + 1));
      enumerations.set(type, known);
    }
  }
  for (const object of properties) {
    const domain = one(object, 'rdfs:domain')!;
    const name = local(store.key(object)).slice(domain.length + 1);
    const marks = stereotypes.get(domain) ?? [];
    const dataType = one(object, 'cims:dataType');
    const range = one(object, 'rdfs:range');
    if (marks.includes('CIMDatatype')) {
      const [primitive = '', multiplier = '', unit = ''] = (datatypes.get(domain) ?? '').split(' ');
      const fixed = one(object, 'cims:isFixed') ?? '';
      if (name === 'value') datatypes.set(domain, `${dataType} ${multiplier} ${unit}`);
      else if (name === 'multiplier') datatypes.set(domain, `${primitive} ${fixed} ${unit}`);
      else if (name === 'unit') datatypes.set(domain, `${primitive} ${multiplier} ${fixed}`);
      continue;
    }
    if (one(object, 'cims:AssociationUsed') === 'No') continue;
    const owner = classes.get(domain);
    if (!owner) continue;
    const compound = (stereotypes.get(dataType ?? range ?? '') ?? []).includes('Compound');
    const type = compound
      ? `*${dataType ?? range}`
      : (dataType ?? (enumerations.has(range!) ? `:${range}` : `>${range}`));
    const property = owner.properties.get(name) ?? {
      type,
      present: '',
      required: '',
      many: '',
      european: isEuropean(store.key(object)),
    };
    const multiplicity = one(object, 'cims:multiplicity') ?? '';
    property.present += letter;
    if (/M:1/.test(multiplicity)) property.required += letter;
    if (/\.\.(n|[2-9])/.test(multiplicity)) property.many += letter;
    owner.properties.set(name, property);
  }
}

const isEuropean = (iri: string): boolean => iri.includes('CIM100-European#');
const local = (iri: string): string => (iri.startsWith('http') ? iri.slice(iri.indexOf('#') + 1) : iri);

function print(
  classes: Map<string, Class>,
  enumerations: Map<string, Enumeration>,
  datatypes: Map<string, string>,
): string {
  const lines: string[] = [];
  const sorted = <T>(map: Map<string, T>): [string, T][] => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, value] of sorted(datatypes)) lines.push(`d ${name} ${value}`.trimEnd());
  for (const [name, { european: own, values }] of sorted(enumerations)) {
    lines.push(`${own ? 'E' : 'e'} ${name} ${[...values].join(' ')}`);
  }
  for (const [name, { parent, present, concrete, european, compound, properties }] of sorted(classes)) {
    const marks = `${european ? 'u' : ''}${compound ? 'k' : ''}`;
    lines.push(`c ${name} ${parent || '-'} ${present} ${concrete || '-'} ${marks}`.trimEnd());
    for (const [property, { type, present: letters, required, many, european: own }] of sorted(properties)) {
      const end = own ? `${many || '-'} u` : many;
      lines.push(` ${property} ${type} ${letters} ${required || '-'} ${end}`.trimEnd());
    }
  }
  return lines.join('\n');
}

if (import.meta.main) {
  const folder = process.argv[2];
  if (folder === undefined) throw new Error('say where the vocabularies are');
  const head = `/**
 * Classes, properties and types of CGMES 3.0 (IEC 61970-600-2), written by tools/generate-schema.ts from the vocabularies
 * ENTSO-E publishes under the Apache License 2.0 (see NOTICE). Do not edit.
 *
 *   d datatype primitive multiplier unit
 *   e enumeration values… (E for one of the European extension)
 *   c class parent profiles concrete-in marks (u European, k compound)
 *    property type profiles required-in many-in marks; a type is a datatype, :enumeration, >class or *compound
 */
export const CGMES_3_0 = \``;
  writeFileSync(new URL('../src/schema/cgmes-3.0.ts', import.meta.url), `${head}${await generate(folder)}\`;\n`);
}
