/** Namespaces of CGMES, and how names in them are written in the store. */

export const RDF = 'http://www.w3.org/1999/02/22-rdf-syntax-ns#';
export const MD = 'http://iec.ch/TC57/61970-552/ModelDescription/1#';
export const DM = 'http://iec.ch/TC57/61970-552/DifferenceModel/1#';
export const CIM100 = 'http://iec.ch/TC57/CIM100#';
export const CIM100_EU = 'http://iec.ch/TC57/CIM100-European#';
export const CIM16 = 'http://iec.ch/TC57/2013/CIM-schema-cim16#';
export const ENTSOE = 'http://entsoe.eu/CIM/SchemaExtension/3/1#';

export type CimVersion = '3.0' | '2.4.15';

/** Vocabularies of the grid itself: their names go without a prefix, `ACLineSegment.r`. */
export const VOCABULARIES: ReadonlyMap<string, CimVersion> = new Map([
  [CIM100, '3.0'],
  [CIM100_EU, '3.0'],
  [CIM16, '2.4.15'],
  [ENTSOE, '2.4.15'],
]);

const PREFIXES: ReadonlyMap<string, string> = new Map([
  [RDF, 'rdf:'],
  [MD, 'md:'],
  [DM, 'dm:'],
  ['http://www.w3.org/XML/1998/namespace', 'xml:'],
  ['http://www.w3.org/2000/01/rdf-schema#', 'rdfs:'],
  ['http://iec.ch/TC57/1999/rdf-schema-extensions-19990926#', 'cims:'],
  ['http://www.w3.org/2002/07/owl#', 'owl:'],
  ['http://www.w3.org/ns/dcat#', 'dcat:'],
  ['http://purl.org/dc/terms/', 'dcterms:'],
]);

/** `ACLineSegment.r`, `md:Model.created`, or the full IRI of a name in a vocabulary that is not known. */
export function shortName(namespace: string, local: string): string {
  if (VOCABULARIES.has(namespace)) return local;
  const prefix = PREFIXES.get(namespace);
  return prefix === undefined ? namespace + local : prefix + local;
}

/** Of an IRI the name as the store has it, and the namespace it is in; of one in no known namespace the IRI itself. */
export function shortNameOf(iri: string): [name: string, namespace?: string] {
  for (const namespace of [...VOCABULARIES.keys(), ...PREFIXES.keys()]) {
    if (iri.startsWith(namespace) && iri.length > namespace.length) {
      return [shortName(namespace, iri.slice(namespace.length)), namespace];
    }
  }
  return [iri];
}

/** The IRI of a name as the store has it, for what has a prefix; undefined for names of the grid's own vocabularies. */
export function iriOfPrefixed(name: string): string | undefined {
  for (const [namespace, prefix] of PREFIXES) if (name.startsWith(prefix)) return namespace + name.slice(prefix.length);
  return undefined;
}
