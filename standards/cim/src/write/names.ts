/** Names and identifiers as files of CGMES 3.0 have them. */
import { CimError } from '../error.ts';
import { CIM100, CIM100_EU } from '../rdf/namespaces.ts';
import type { Schema } from '../schema/schema.ts';

/** Names of the store with their prefix: `cim:ACLineSegment.r`, `eu:…`, `md:Model.created`. */
export class QualifiedNames {
  readonly #schema: Schema;
  readonly #names = new Map<string, string>();

  constructor(schema: Schema) {
    this.#schema = schema;
  }

  class(name: string): string {
    return this.#qualified(name, this.#schema.classes.get(name)?.european);
  }

  property(name: string): string {
    return this.#qualified(name, this.#schema.property(name)?.european);
  }

  /** Namespace of a value of an enumeration such as `UnitSymbol.V`. */
  enumeration(value: string): string {
    const name = value.slice(0, value.indexOf('.'));
    return this.#schema.europeanEnumerations.has(name) ? CIM100_EU : CIM100;
  }

  #qualified(name: string, european: boolean | undefined): string {
    let qualified = this.#names.get(name);
    if (qualified === undefined) {
      if (name.startsWith('md:') || name.startsWith('dm:')) qualified = name;
      else if (european === undefined && !/^[A-Za-z][A-Za-z0-9]*(?:\.[A-Za-z][A-Za-z0-9]*)?$/.test(name)) {
        throw new CimError('unsupported', 'cim.write', `${name} is in no vocabulary of CGMES and is not written`);
      } else qualified = `${european === true ? 'eu' : 'cim'}:${name}`;
      this.#names.set(name, qualified);
    }
    return qualified;
  }
}

/** Whether the name is one of a header, whose identifiers are UUIDs by rule (IEC 61970-552). */
export const ofHeader = (name: string | undefined): boolean =>
  name?.startsWith('md:') === true || name?.startsWith('dm:') === true;
