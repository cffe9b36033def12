/** CIM and CGMES: reads the exchange of grid models (IEC 61970-552, -600) and says what is wrong with it. */
export { checkModel } from './check/check.ts';
export { place } from './check/place.ts';
export { type DiffOptions, diffModels, type ObjectChange, type PropertyChange } from './diff/diff.ts';
export { type Difference, type DifferenceOptions, writeDifferences } from './diff/write-difference.ts';
export { CimError, type CimFault } from './error.ts';
export { type Finding, Findings, type Severity } from './findings.ts';
export {
  type MatpowerBranch,
  type MatpowerBus,
  type MatpowerCase,
  type MatpowerGenerator,
  readMatpower,
} from './formats/matpower.ts';
export {
  type PgmChange,
  type PgmComponent,
  type PgmInput,
  type PgmUpdate,
  type PgmValue,
  readPowerGridModel,
  readPowerGridModelBatch,
} from './formats/power-grid-model.ts';
export { readJsonLd } from './json-ld/reader.ts';
export { writeJsonLd } from './json-ld/writer.ts';
export { applyDifferences, type CimFile, type CimModel, type ModelHeader, readModel } from './model.ts';
export { type Part, partsOf } from './parts.ts';
export type { CimVersion } from './rdf/namespaces.ts';
export { type RdfFile, readRdf } from './rdf/reader.ts';
export { type Profile, profileOf } from './schema/profiles.ts';
export {
  type CimClass,
  type CimProperty,
  type Primitive,
  type PropertyType,
  Schema,
  schemaOf,
} from './schema/schema.ts';
export { checkShacl, type ShaclReport } from './shacl/check.ts';
export { openShapes, type Shapes } from './shacl/shapes.ts';
export { openSources, type Source } from './source/source.ts';
export { ZIP_LIMITS, type ZipLimits } from './source/zip.ts';
export { contentOf, readable } from './store/content.ts';
export { CimStore, type Naming, type Section, type Value, type ValueKind } from './store/store.ts';
export { busesOf } from './topology/buses.ts';
export { type BuiltHeader, type BuiltValue, ModelBuilder, PROFILE_URIS } from './write/builder.ts';
export { writeFile } from './write/writer.ts';
