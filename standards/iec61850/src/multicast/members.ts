/** Data sets of SCL as they are published: each member with its reference, its type in MMS, and what of it triggers. */
import type { Data, TypeSpecification } from '@enerchain/mms';
import { basicType } from '../mapping/basic-types.ts';
import { find, type IedModel, type LogicalDevice, type LogicalNode, namesOf } from '../scl/model.ts';
import type { DataSet, Fcda, FunctionalConstraint } from '../scl/schema/ied.ts';
import type { DataAttribute, DataObject } from '../scl/types.ts';

/** A member of a data set that is published as GOOSE or as sampled values. */
export interface PublishedMember {
  /** `BCU1CTRL/QA1XCBR1.Pos.stVal`; an element of an array with its index, `Har.phsAHar(2)`. */
  readonly reference: string;
  readonly fc: FunctionalConstraint;
  readonly type: TypeSpecification;
  readonly fcda: Fcda;
  readonly node: LogicalNode;
  /** Names from the data object down. */
  readonly names: readonly string[];
  /** Undefined when the member is a whole data object. */
  readonly attribute: DataAttribute | undefined;
  /** The innermost data object. */
  readonly object: DataObject;
}

/** How many attributes a member may have: a message has 1500 octets. */
const MAX_PARTS = 2000;

/**
 * The members in their order. @param tell what leads nowhere; such a member is left out, and what is received will not fit
 * @returns undefined when a member is missing: no message can be understood with it
 */
export function publishedMembers(
  model: IedModel,
  { fcdas, name }: Pick<DataSet, 'fcdas' | 'name'>,
  tell: (text: string) => void = () => {},
): readonly PublishedMember[] | undefined {
  const members: PublishedMember[] = [];
  let missing = false;
  for (const fcda of fcdas) {
    const member = memberOf(model, fcda);
    if (typeof member === 'string') {
      tell(`data set ${name} of ${model.ied.name}: ${member}`);
      missing = true;
    } else members.push(member);
  }
  return missing ? undefined : members;
}

/** @returns why not, when it is not there */
function memberOf(model: IedModel, fcda: Fcda): PublishedMember | string {
  const device = model.devices.find(({ inst }) => inst === fcda.ldInst);
  const node = device && nodeOf(device, fcda);
  const path = `${fcda.ldInst}/${fcda.prefix}${fcda.lnClass}${fcda.lnInst}.${[fcda.doName, fcda.daName].filter(Boolean).join('.')}`;
  if (!device || !node) return `there is no ${path}`;
  if (!node.type) return `${path} is of a logical node whose type is not in the file`;
  const names = namesOf(fcda);
  const place = find(node.type, names);
  const object = place?.objects.at(-1);
  if (!place || !object) return `there is no ${path}`;
  const attribute = place.attributes.at(-1);
  const budget = { left: MAX_PARTS };
  const whole = attribute
    ? attribute.fc === fcda.fc
      ? typeOfAttribute(attribute, fcda.fc, budget)
      : undefined
    : typeOfObject(object, fcda.fc, budget);
  const type = whole && fcda.ix !== undefined ? elementOf(whole) : whole;
  if (!type || budget.left < 0) return `${path} has nothing under ${fcda.fc}`;
  const index = fcda.ix === undefined ? '' : `(${fcda.ix})`;
  return {
    reference: `${device.name}/${node.name}.${names.join('.')}${index}`,
    fc: fcda.fc,
    type,
    fcda,
    node,
    names,
    attribute,
    object,
  };
}

const nodeOf = (device: LogicalDevice, { prefix, lnClass, lnInst }: Fcda): LogicalNode | undefined =>
  device.nodes.find(({ ln }) => ln.prefix === prefix && ln.lnClass === lnClass && ln.inst === lnInst);

const elementOf = (type: TypeSpecification): TypeSpecification | undefined =>
  type.kind === 'array' ? type.value.element : undefined;

const array = (count: number, element: TypeSpecification): TypeSpecification =>
  count > 0 ? { kind: 'array', value: { packed: false, count, element } } : element;

/** What of a data object stands under a constraint, as one value (8-1 § 7.3): objects within it first, then attributes. */
function typeOfObject(
  object: DataObject,
  fc: FunctionalConstraint,
  budget: { left: number },
): TypeSpecification | undefined {
  const components: { readonly name: string; readonly type: TypeSpecification }[] = [];
  for (const inner of object.objects) {
    const type = typeOfObject(inner, fc, budget);
    if (type) components.push({ name: inner.name, type: array(inner.count, type) });
  }
  for (const attribute of object.attributes) {
    const type = attribute.fc === fc ? typeOfAttribute(attribute, fc, budget) : undefined;
    if (type) components.push({ name: attribute.name, type });
  }
  return components.length === 0 ? undefined : { kind: 'structure', value: { packed: false, components } };
}

function typeOfAttribute(
  attribute: DataAttribute,
  fc: FunctionalConstraint,
  budget: { left: number },
): TypeSpecification | undefined {
  if (--budget.left < 0) return undefined;
  if (attribute.bType !== 'Struct') return array(attribute.count, basicType(attribute));
  const components: { readonly name: string; readonly type: TypeSpecification }[] = [];
  for (const part of attribute.parts) {
    const type = typeOfAttribute(part, fc, budget);
    if (type) components.push({ name: part.name, type });
  }
  return array(attribute.count, { kind: 'structure', value: { packed: false, components } });
}

/**
 * Whether a value is of a type, as one received from a foreign stack: signed and unsigned look alike, strings may be shorter.
 * @returns what is wrong, in words
 */
export function mismatch(value: Data, type: TypeSpecification): string | undefined {
  switch (type.kind) {
    case 'structure':
    case 'array': {
      if (value.kind !== type.kind) return `a ${type.kind}, not ${value.kind}`;
      const count = type.kind === 'structure' ? type.value.components.length : type.value.count;
      if (value.value.length !== count) return `${count} parts, not ${value.value.length}`;
      for (let i = 0; i < count; i++) {
        const inner = type.kind === 'structure' ? type.value.components[i]! : { type: type.value.element };
        const wrong = mismatch(value.value[i]!, inner.type);
        if (wrong) return `in ${('name' in inner && inner.name) || i}: ${wrong}`;
      }
      return undefined;
    }
    case 'integer':
    case 'unsigned':
      return value.kind === 'integer' || value.kind === 'unsigned' ? undefined : `${type.kind}, not ${value.kind}`;
    case 'float': {
      const kind = type.value.format === 64 ? 'double' : 'float';
      return value.kind === kind ? undefined : `${kind}, not ${value.kind}`;
    }
    case 'bitString': {
      if (value.kind !== 'bitString') return `bitString, not ${value.kind}`;
      const { length } = value.value;
      return (type.value < 0 ? length <= -type.value : length === type.value)
        ? undefined
        : `${Math.abs(type.value)} bits, not ${length}`;
    }
    default:
      return value.kind === type.kind ? undefined : `${type.kind}, not ${value.kind}`;
  }
}

/** The values of a member before anything has set them: as the file gives the type, else zero. */
export function initialValue(type: TypeSpecification): Data {
  switch (type.kind) {
    case 'structure':
      return { kind: 'structure', value: type.value.components.map((component) => initialValue(component.type)) };
    case 'array':
      return { kind: 'array', value: Array.from({ length: type.value.count }, () => initialValue(type.value.element)) };
    case 'boolean':
      return { kind: 'boolean', value: false };
    case 'bitString': {
      const length = Math.abs(type.value);
      return { kind: 'bitString', value: { length, bytes: new Uint8Array(Math.ceil(length / 8)) } };
    }
    case 'integer':
    case 'unsigned':
      return { kind: type.kind, value: 0 };
    case 'float':
      return { kind: type.value.format === 64 ? 'double' : 'float', value: 0 };
    case 'octetString':
      return { kind: 'octetString', value: new Uint8Array(Math.max(0, type.value)) };
    case 'utcTime':
      return { kind: 'utcTime', value: { seconds: 0, fraction: 0, quality: 0 } };
    case 'binaryTime':
      return { kind: 'binaryTime', value: type.value ? { millis: 0, days: 0 } : { millis: 0 } };
    case 'visibleString':
    case 'mmsString':
    case 'generalizedTime':
    case 'objectId':
      return { kind: type.kind, value: '' };
    case 'bcd':
      return { kind: 'bcd', value: 0 };
    case 'typeName':
      return { kind: 'structure', value: [] };
  }
}

/**
 * A value with another in place of one of its parts, found by the names of its type.
 * @returns undefined when the names lead nowhere, or what is there already is of another kind
 */
export function withPart(value: Data, type: TypeSpecification, names: readonly string[], part: Data): Data | undefined {
  const [first, ...rest] = names;
  if (first === undefined) return mismatch(part, type) === undefined ? part : undefined;
  if (type.kind !== 'structure' || value.kind !== 'structure') return undefined;
  const index = type.value.components.findIndex(({ name }) => name === first);
  const component = type.value.components[index];
  const inner = value.value[index];
  const changed = component && inner && withPart(inner, component.type, rest, part);
  return changed && { kind: 'structure', value: value.value.map((old, i) => (i === index ? changed : old)) };
}
