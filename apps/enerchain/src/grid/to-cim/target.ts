/** What is written, object by object, sorted into the files of an exchange: EQ, SSH, TP, SV and DL. */
import { type BuiltHeader, type BuiltValue, ModelBuilder, PROFILE_URIS } from '@enerchain/cim';
import { type Mrid, uuidV5 } from '@enerchain/model';

export type Values = Readonly<Record<string, BuiltValue | readonly BuiltValue[] | undefined>>;
export type Part = 'EQ' | 'SSH' | 'TP' | 'SV' | 'DL';

interface Written {
  readonly class: string;
  readonly mRID: Mrid;
  readonly values: Values;
  readonly naming: 'defined' | 'about';
}

/** A reference to an object, as `rdf:resource` has it. */
export const at = (mRID: Mrid): string => `_${mRID}`;
/** The identity of something that the grid model has no name for: it follows from whose it is. */
export const partOf = (owner: Mrid, what: string): Mrid => uuidV5(owner, what);

export class Target {
  readonly #written: Record<Part, Written[]> = { EQ: [], SSH: [], TP: [], SV: [], DL: [] };

  /** An object that is at home in a file. @param name undefined for those that have no identity of their own in CIM */
  define(part: Part, className: string, mRID: Mrid, name: string | undefined, values: Values): void {
    const identity = name === undefined ? {} : { 'IdentifiedObject.mRID': mRID, 'IdentifiedObject.name': name };
    this.#written[part].push({ class: className, mRID, values: { ...identity, ...values }, naming: 'defined' });
  }

  /** What a file adds to an object that another one defines. */
  add(part: 'SSH' | 'TP', className: string, mRID: Mrid, values: Values): void {
    this.#written[part].push({ class: className, mRID, values, naming: 'about' });
  }

  /**
   * The files that have something in them; SSH and TP depend on EQ, SV on both, DL on EQ.
   * @param header without what differs from file to file
   */
  build(stem: string, header: Omit<BuiltHeader, 'id' | 'profileUris'>, id: () => string): ModelBuilder {
    const builder = new ModelBuilder();
    const ids = new Map<Part, string>();
    for (const part of ['EQ', 'SSH', 'TP', 'SV', 'DL'] as const) {
      if (this.#written[part].length === 0) continue;
      ids.set(part, id());
      const dependentOn = DEPENDS[part].flatMap((other) => (ids.has(other) ? [at(ids.get(other)!)] : []));
      builder.file(`${stem}_${part}.xml`, {
        ...header,
        id: ids.get(part)!,
        profileUris: [PROFILE_URIS[part]],
        dependentOn,
      });
      for (const { class: className, mRID, values, naming } of this.#written[part]) {
        builder.object(className, at(mRID), values, naming);
      }
    }
    return builder;
  }
}

const DEPENDS: Readonly<Record<Part, readonly Part[]>> = {
  EQ: [],
  SSH: ['EQ'],
  TP: ['EQ'],
  SV: ['TP', 'SSH'],
  DL: ['EQ'],
};
