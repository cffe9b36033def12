/**
 * A logical node as an MMS variable (IEC 61850-8-1 § 7.3): a structure of functional constraints, each a structure of data
 * objects, each of attributes. The name of a part is the way to it: `QA1XCBR1$ST$Pos$stVal`.
 */
import type { Data, TypeSpecification } from '@enerchain/mms';
import { configuredValue, isUnder, type LogicalNode } from '../scl/model.ts';
import { FUNCTIONAL_CONSTRAINTS, type FunctionalConstraint } from '../scl/schema/ied.ts';
import type { DataAttribute, DataObject } from '../scl/types.ts';
import { basicType, initialData } from './basic-types.ts';

/** A part of a variable: a structure or array of parts, or a value. */
export class Variable {
  readonly name: string;
  /** Names from the logical node down, joined by `$`. */
  readonly item: string;
  readonly fc: FunctionalConstraint | undefined;
  readonly parent: Variable | undefined;
  /** What SCL says of an attribute, structured or not; undefined for objects and for those of control blocks. */
  readonly attribute: DataAttribute | undefined;
  readonly parts: Variable[] = [];
  readonly #byName = new Map<string, Variable>();
  readonly #type: TypeSpecification | undefined;
  readonly isArray: boolean;
  #value: Data | undefined;
  #size: number | undefined;
  /** Of one with parts: what was put together last, until a part changes. */
  #whole: Data | undefined;
  #reasons: { readonly changed: 'dchg' | 'qchg' | undefined; readonly updated: 'dupd' | undefined } | undefined;

  constructor(
    name: string,
    parent: Variable | undefined,
    own: {
      readonly fc?: FunctionalConstraint | undefined;
      readonly attribute?: DataAttribute;
      readonly type?: TypeSpecification;
      readonly value?: Data;
      readonly isArray?: boolean;
    } = {},
  ) {
    this.name = name;
    this.parent = parent;
    this.item = parent ? `${parent.item}$${name}` : name;
    this.fc = own.fc ?? parent?.fc;
    this.attribute = own.attribute;
    this.#type = own.type;
    this.#value = own.value;
    this.isArray = own.isArray ?? false;
    parent?.add(this);
  }

  /** Called by the constructor of a part. */
  add(part: Variable): void {
    this.parts.push(part);
    this.#byName.set(part.name, part);
    for (let at: Variable | undefined = this; at; at = at.parent) at.#whole = undefined;
  }

  part(name: string): Variable | undefined {
    return this.#byName.get(name);
  }

  /** What a new value is a reason for, if for anything; what is said of a structure holds for its parts. */
  trigger(changed: boolean): 'dchg' | 'qchg' | 'dupd' | undefined {
    this.#reasons ??= {
      changed: this.#triggers('dchg') ? 'dchg' : this.#triggers('qchg') ? 'qchg' : undefined,
      updated: this.#triggers('dupd') ? 'dupd' : undefined,
    };
    return (changed ? this.#reasons.changed : undefined) ?? this.#reasons.updated;
  }

  #triggers(by: 'dchg' | 'qchg' | 'dupd'): boolean {
    for (let at: Variable | undefined = this; at?.attribute; at = at.parent) if (at.attribute[by] === true) return true;
    return false;
  }

  /** Follows names down. */
  find(names: readonly string[]): Variable | undefined {
    let at: Variable | undefined = this;
    for (const name of names) at = at?.part(name);
    return at;
  }

  /** How many values it has. Asked for once its parts are in place. */
  get size(): number {
    this.#size ??= this.isValue ? 1 : this.parts.reduce((sum, part) => sum + part.size, 0);
    return this.#size;
  }

  get isValue(): boolean {
    return this.#type !== undefined;
  }

  /** The value, put together from its parts where it has some. */
  get data(): Data {
    if (this.#value !== undefined) return this.#value;
    this.#whole ??= { kind: this.isArray ? 'array' : 'structure', value: this.parts.map((part) => part.data) };
    return this.#whole;
  }

  /** Of a value only. */
  set data(value: Data) {
    this.#value = value;
    // What is not put together has no part of anything that is.
    for (let at = this.parent; at && at.#whole !== undefined; at = at.parent) at.#whole = undefined;
  }

  get type(): TypeSpecification {
    if (this.#type) return this.#type;
    if (this.isArray) {
      return { kind: 'array', value: { packed: false, count: this.parts.length, element: this.parts[0]!.type } };
    }
    return {
      kind: 'structure',
      value: { packed: false, components: this.parts.map((part) => ({ name: part.name, type: part.type })) },
    };
  }

  /** Its values, depth first; itself when it is one. */
  *values(): Generator<Variable> {
    if (this.isValue) yield this;
    for (const part of this.parts) yield* part.values();
  }

  /** Itself and every part that has a name of its own, in the order in which clients are told. Elements of arrays have none. */
  *named(): Generator<Variable> {
    yield this;
    if (this.isArray) return;
    for (const part of this.parts) yield* part.named();
  }
}

/** Guards against types that go on for ever: a logical node has at most this many values. */
const MAX_VALUES = 100_000;

/** The variable of a logical node with the values that the file gives it; no control blocks yet. */
export function variableOf(node: LogicalNode): Variable {
  const root = new Variable(node.name, undefined);
  let budget = MAX_VALUES;
  const attributes = (
    list: readonly DataAttribute[],
    fc: FunctionalConstraint,
    at: Variable,
    names: readonly string[],
  ): void => {
    for (const attribute of list) {
      if (!isUnder(attribute, fc) || budget <= 0) continue;
      const own = [...names, attribute.name];
      const elements = attribute.count > 0 ? Math.min(attribute.count, budget) : 0;
      if (elements > 0) {
        const array = new Variable(attribute.name, at, { isArray: true });
        for (let index = 0; index < elements; index++) one(attribute, fc, array, own, String(index));
      } else one(attribute, fc, at, own, attribute.name);
    }
  };
  const one = (
    attribute: DataAttribute,
    fc: FunctionalConstraint,
    at: Variable,
    names: readonly string[],
    name: string,
  ): void => {
    budget--;
    if (attribute.bType === 'Struct') attributes(attribute.parts, fc, new Variable(name, at, { attribute }), names);
    else {
      const value = initialData(attribute, configuredValue(node, names));
      new Variable(name, at, { attribute, type: basicType(attribute), value });
    }
  };
  const objects = (
    list: readonly DataObject[],
    fc: FunctionalConstraint,
    at: Variable,
    names: readonly string[],
  ): void => {
    for (const object of list) {
      if (!has(object, fc) || budget <= 0) continue;
      const own = [...names, object.name];
      if (object.count > 0) {
        const array = new Variable(object.name, at, { isArray: true });
        for (let index = 0; index < Math.min(object.count, budget); index++)
          inside(object, fc, new Variable(String(index), array), own);
      } else inside(object, fc, new Variable(object.name, at), own);
    }
  };
  const inside = (object: DataObject, fc: FunctionalConstraint, at: Variable, names: readonly string[]): void => {
    objects(object.objects, fc, at, names);
    attributes(object.attributes, fc, at, names);
  };
  for (const fc of FUNCTIONAL_CONSTRAINTS) {
    const those = (node.type?.objects ?? []).filter((object) => has(object, fc));
    if (those.length > 0) objects(those, fc, new Variable(fc, root, { fc }), []);
  }
  return root;
}

const has = (object: DataObject, fc: FunctionalConstraint): boolean =>
  object.attributes.some((attribute) => isUnder(attribute, fc)) || object.objects.some((inner) => has(inner, fc));
