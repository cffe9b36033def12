/**
 * DataTypeTemplates resolved (IEC 61850-6 § 9.5): logical node types with their data objects and attributes as a tree.
 * Each type is resolved once and shared by all that use it; what leads nowhere is a finding and is left out.
 */
import type { Findings } from '@enerchain/xml';
import type { FunctionalConstraint } from './schema/ied.ts';
import type { BasicType, DaType, DataTypeTemplates, DoType, EnumType, LNodeType } from './schema/templates.ts';

export interface DataAttribute {
  readonly name: string;
  readonly desc: string | undefined;
  /** A part of a structure has the one of the whole. */
  readonly fc: FunctionalConstraint;
  readonly bType: BasicType;
  /** For bType Enum, where the file has the type. */
  readonly enumType: EnumType | undefined;
  /** For bType Struct; else empty. */
  readonly parts: readonly DataAttribute[];
  /** Elements of an array; 0 for none. */
  readonly count: number;
  readonly dchg: boolean;
  readonly qchg: boolean;
  readonly dupd: boolean;
  readonly valKind: 'Spec' | 'Conf' | 'RO' | 'Set';
  readonly sAddr: string | undefined;
  /** The value of the type where it has one; an instance may have its own. */
  readonly val: string | undefined;
}

export interface DataObject {
  readonly name: string;
  readonly desc: string;
  /** Common data class (IEC 61850-7-3): SPS, DPC, MV … */
  readonly cdc: string;
  readonly transient: boolean;
  readonly count: number;
  readonly objects: readonly DataObject[];
  readonly attributes: readonly DataAttribute[];
}

export interface LogicalNodeClass {
  readonly id: string;
  readonly lnClass: string;
  readonly objects: readonly DataObject[];
}

/** Structures within structures; the standard's own go four deep. */
const MAX_DEPTH = 16;
const MAX_TOLD = 10_000;

export class Types {
  readonly #lNodeTypes: ReadonlyMap<string, LNodeType>;
  readonly #doTypes: ReadonlyMap<string, DoType>;
  readonly #daTypes: ReadonlyMap<string, DaType>;
  readonly #enumTypes: ReadonlyMap<string, EnumType>;
  readonly #classes = new Map<string, LogicalNodeClass>();
  readonly #objects = new Map<string, Pick<DataObject, 'cdc' | 'objects' | 'attributes'>>();
  readonly #structures = new Map<string, readonly DataAttribute[]>();
  readonly #report: (code: string, text: string, line: number) => void;

  /** @param findings where what leads nowhere is told; each type once */
  constructor(templates: DataTypeTemplates | undefined, findings?: Findings, file?: string) {
    // A structure is resolved once for each functional constraint it stands under; what is wrong with it is told once.
    const told = new Set<string>();
    this.#report = (code, text, line) => {
      if (told.size < MAX_TOLD && told.size === told.add(`${line} ${text}`).size) return;
      findings?.add({ severity: 'error', code, text, line, ...(file === undefined ? {} : { file }) });
    };
    this.#lNodeTypes = this.#index('LNodeType', templates?.lNodeTypes ?? []);
    this.#doTypes = this.#index('DOType', templates?.doTypes ?? []);
    this.#daTypes = this.#index('DAType', templates?.daTypes ?? []);
    this.#enumTypes = this.#index('EnumType', templates?.enumTypes ?? []);
  }

  #index<T extends { readonly id: string; readonly line: number }>(tag: string, types: readonly T[]): Map<string, T> {
    const map = new Map<string, T>();
    for (const type of types) {
      if (map.has(type.id))
        this.#report('scl.duplicate', `a second <${tag}> has the id ${type.id}; the first counts`, type.line);
      else map.set(type.id, type);
    }
    return map;
  }

  /** Ids of all logical node types of the file. */
  get ids(): Iterable<string> {
    return this.#lNodeTypes.keys();
  }

  /** Resolves all types, so that the findings are complete. */
  resolveAll(): void {
    for (const id of this.#lNodeTypes.keys()) this.logicalNode(id);
    for (const id of this.#doTypes.keys()) this.#object(id, 0);
    for (const id of this.#daTypes.keys()) this.#structure(id, 'ST', 0);
  }

  /** @returns undefined when the file has no such type */
  logicalNode(id: string): LogicalNodeClass | undefined {
    const known = this.#classes.get(id);
    if (known) return known;
    const type = this.#lNodeTypes.get(id);
    if (!type) return undefined;
    const objects: DataObject[] = [];
    for (const { name, desc, transient, type: doType, line } of this.#unique(type.dos, `LNodeType ${id}`)) {
      const object = this.#object(doType, 0);
      if (object) objects.push({ name, desc, transient, count: 0, ...object });
      else
        this.#report('scl.type', `${name} of LNodeType ${id} has the type ${doType}, which is not in the file`, line);
    }
    const resolved = { id, lnClass: type.lnClass, objects };
    this.#classes.set(id, resolved);
    return resolved;
  }

  enumeration(id: string): EnumType | undefined {
    return this.#enumTypes.get(id);
  }

  #unique<T extends { readonly name: string; readonly line: number }>(
    parts: readonly T[],
    where: string,
  ): readonly T[] {
    const seen = new Set<string>();
    return parts.filter(({ name, line }) => {
      if (seen.has(name)) {
        this.#report('scl.duplicate', `${where} has ${name} twice; the first counts`, line);
        return false;
      }
      seen.add(name);
      return true;
    });
  }

  #object(id: string, depth: number): Pick<DataObject, 'cdc' | 'objects' | 'attributes'> | undefined {
    const known = this.#objects.get(id);
    if (known) return known;
    const type = this.#doTypes.get(id);
    if (!type) return undefined;
    if (depth > MAX_DEPTH) {
      this.#report('scl.recursion', `DOType ${id} contains itself`, type.line);
      return undefined;
    }
    const objects: DataObject[] = [];
    for (const { name, desc, type: inner, count, line } of this.#unique(type.sdos, `DOType ${id}`)) {
      const object = this.#object(inner, depth + 1);
      if (object) objects.push({ name, desc, transient: false, count: Number(count) || 0, ...object });
      else if (!this.#doTypes.has(inner)) {
        this.#report('scl.type', `${name} of DOType ${id} has the type ${inner}, which is not in the file`, line);
      }
    }
    const attributes = this.#attributes(this.#unique(type.das, `DOType ${id}`), `DOType ${id}`, undefined, 0);
    const resolved = { cdc: type.cdc, objects, attributes };
    this.#objects.set(id, resolved);
    return resolved;
  }

  #structure(id: string, fc: FunctionalConstraint, depth: number): readonly DataAttribute[] | undefined {
    const key = `${fc} ${id}`;
    const known = this.#structures.get(key);
    if (known) return known;
    const type = this.#daTypes.get(id);
    if (!type) return undefined;
    if (depth > MAX_DEPTH) {
      this.#report('scl.recursion', `DAType ${id} contains itself`, type.line);
      return undefined;
    }
    const parts = this.#attributes(this.#unique(type.bdas, `DAType ${id}`), `DAType ${id}`, fc, depth);
    this.#structures.set(key, parts);
    return parts;
  }

  #attributes(
    records: readonly (DoType['das'][number] | DaType['bdas'][number])[],
    where: string,
    of: FunctionalConstraint | undefined,
    depth: number,
  ): DataAttribute[] {
    const attributes: DataAttribute[] = [];
    for (const record of records) {
      const { name, desc, bType, type, valKind, sAddr, line } = record;
      const own = 'fc' in record ? record : undefined;
      const fc = of ?? own!.fc;
      let parts: readonly DataAttribute[] | undefined = [];
      let enumType: EnumType | undefined;
      if (bType === 'Struct') parts = type === undefined ? undefined : this.#structure(type, fc, depth + 1);
      else if (bType === 'Enum') enumType = type === undefined ? undefined : this.#enumTypes.get(type);
      if (!parts || (bType === 'Enum' && !enumType)) {
        const deeper = parts === undefined && type !== undefined && this.#daTypes.has(type);
        if (!deeper) {
          const named = type === undefined ? 'has no type' : `has the type ${type}, which is not in the file`;
          this.#report('scl.type', `${name} of ${where} ${named}`, line);
        }
        if (!parts) continue;
      }
      const val = record.vals[0]?.text;
      attributes.push({
        name,
        desc,
        fc,
        bType,
        enumType,
        parts,
        count: this.#count(record.count, records),
        dchg: own?.dchg ?? false,
        qchg: own?.qchg ?? false,
        dupd: own?.dupd ?? false,
        valKind,
        sAddr,
        val,
      });
    }
    return attributes;
  }

  /** A number, or the value of the attribute beside it that is named. */
  #count(
    count: string,
    beside: readonly { readonly name: string; readonly vals: readonly { readonly text: string }[] }[],
  ): number {
    if (/^\d{1,9}$/.test(count)) return Number(count);
    return Number(beside.find(({ name }) => name === count)?.vals[0]?.text) || 0;
  }
}
