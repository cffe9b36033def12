/** The CIM model as the converters ask it: identities, names, numbers, and where to point when something is wrong. */
import { type CimModel, type CimStore, Findings, place, type Severity } from '@enerchain/cim';
import { type Mrid, uuidV5 } from '@enerchain/model';

/** Name space of mRIDs made for identifiers that are no UUIDs, itself the version 5 UUID of `enerchain:cim`. */
const CIM_NAMESPACE = uuidV5('6ba7b811-9dad-11d1-80b4-00c04fd430c8', 'enerchain:cim');

export interface LeftOut {
  readonly class: string;
  readonly reason: string;
  readonly count: number;
  /** Name of the first. */
  readonly example: string;
}

export class CimSource {
  readonly model: CimModel;
  readonly store: CimStore;
  /** What was left out, or understood otherwise than one might think. */
  readonly findings = new Findings();
  readonly #mrids: (Mrid | undefined)[];
  /** Those whose identifier had to be read as a UUID. */
  readonly #taken = new Set<Mrid>();
  readonly #inGrid: Uint8Array;
  readonly #derived: { mRID: Mrid; identifier: string }[] = [];
  readonly #leftOut = new Map<string, { reason: string; class: string; count: number; example: string }>();

  constructor(model: CimModel) {
    this.model = model;
    this.store = model.store;
    this.#mrids = new Array(model.store.objects).fill(undefined);
    this.#inGrid = new Uint8Array(model.store.objects);
  }

  /** Marks a terminal or equipment that the grid has. */
  keep(object: number): void {
    this.#inGrid[object] = 1;
  }
  keeps(object: number | undefined): boolean {
    return object !== undefined && this.#inGrid[object] === 1;
  }

  /** Objects whose identifier is no UUID and got one that follows from it. */
  get derived(): readonly { mRID: Mrid; identifier: string }[] {
    return this.#derived;
  }
  get leftOut(): readonly LeftOut[] {
    return [...this.#leftOut.values()];
  }

  /** The UUID in the identifier, with or without hyphens, else one that follows from it. */
  mrid(object: number): Mrid {
    const known = this.#mrids[object];
    if (known !== undefined) return known;
    const key = this.store.key(object);
    const mrid = PLAIN.exec(key)?.[1] ?? this.#read(key);
    this.#mrids[object] = mrid;
    return mrid;
  }

  /** Of an identifier that is not written as nearly all are: two of them may be one UUID, `_A…` and `a…`. */
  #read(key: string): Mrid {
    const mrid = uuidIn(key);
    if (mrid === undefined || this.#taken.has(mrid) || this.store.find(`_${mrid}`) !== undefined)
      return this.derive(key);
    this.#taken.add(mrid);
    return mrid;
  }

  /** Of an identifier that nothing here describes. */
  mridOf(identifier: string): Mrid {
    return uuidIn(identifier) ?? this.derive(identifier);
  }

  /** @param identifier of something that the files name otherwise than by a UUID, or not at all */
  derive(identifier: string): Mrid {
    const mRID = uuidV5(CIM_NAMESPACE, identifier);
    this.#derived.push({ mRID, identifier: identifier.slice(0, 500) });
    return mRID;
  }

  name(object: number): string {
    return (this.store.text(object, 'IdentifiedObject.name')?.trim() || this.store.key(object)).slice(0, 200);
  }

  head(object: number): { mRID: Mrid; name: string } {
    return { mRID: this.mrid(object), name: this.name(object) };
  }

  /** Value of an enumeration without its name: `voltage` of `RegulatingControlModeKind.voltage`. */
  kind(object: number, property: string): string | undefined {
    const text = this.store.text(object, property);
    return text?.slice(text.lastIndexOf('.') + 1);
  }

  /** Numbers by name, those that are there: `{ p: 3 }` of `EnergyConsumer.p` with prefix `EnergyConsumer`. */
  numbers<N extends string>(object: number, prefix: string, ...names: readonly N[]): { [K in N]?: number } {
    const found: { [K in N]?: number } = {};
    for (const name of names) {
      const value = this.store.number(object, `${prefix}.${name}`);
      if (value !== undefined) found[name] = value;
    }
    return found;
  }

  find(severity: Severity, code: string, object: number, text: string, property?: string): void {
    const statement = property === undefined ? undefined : this.store.statement(object, property);
    const { file, line, object: key, class: name } = place(this.model, object, statement);
    this.findings.add({
      severity,
      code,
      text,
      ...(file === undefined ? {} : { file }),
      ...(line === undefined ? {} : { line }),
      ...(key === undefined ? {} : { object: key }),
      ...(name === undefined ? {} : { class: name }),
      ...(property === undefined ? {} : { property }),
    });
  }

  /** The grid is another one without it. */
  leave(object: number, reason: string, property?: string): void {
    const name = this.store.class(object) ?? 'object';
    this.find('error', 'grid.leftOut', object, `it is left out: ${reason}`, property);
    const key = `${name} ${reason}`;
    const known = this.#leftOut.get(key);
    if (known) known.count++;
    else this.#leftOut.set(key, { class: name, reason, count: 1, example: this.name(object) });
  }

  /** It is left out, and the power flow is the same without it. */
  ignore(object: number, reason: string): void {
    this.find('note', 'grid.ignored', object, `it is left out: ${reason}`);
  }

  /** Taken otherwise than the files have it. */
  assume(object: number, text: string, property?: string): void {
    this.find('warning', 'grid.assumed', object, text, property);
  }

  /** What refers to an object by a property, among the objects of some classes: in the order of `order`, then as read. */
  referring(classes: readonly string[], property: string, order?: string): Map<number, number[]> {
    const { store } = this;
    const found = new Map<number, number[]>();
    for (const name of classes) {
      for (const object of store.ofClass(name)) {
        const owner = store.reference(object, property);
        if (owner === undefined) continue;
        const list = found.get(owner);
        if (list) list.push(object);
        else found.set(owner, [object]);
      }
    }
    if (order !== undefined) {
      for (const list of found.values()) {
        if (list.length > 1) list.sort((a, b) => (store.number(a, order) ?? 0) - (store.number(b, order) ?? 0));
      }
    }
    return found;
  }
}

/** As nearly all files have it. */
const PLAIN = /^_([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/;

/** @returns the UUID in lower case with its hyphens; undefined when the identifier holds anything else */
function uuidIn(key: string): Mrid | undefined {
  const hex = key.replaceAll(/[_-]/g, '').toLowerCase();
  if (!/^[0-9a-f]{32}$/.test(hex)) return undefined;
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
