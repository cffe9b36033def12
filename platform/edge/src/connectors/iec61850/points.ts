/** The points of an IED as its SCL file has them: every data object that has a value, and every one that can be operated. */
import {
  configuredValue,
  type DataAttribute,
  type DataObject,
  find,
  type IedModel,
  type LogicalDevice,
  type LogicalNode,
  namesOf,
} from '@enerchain/iec61850';
import {
  ANGLES,
  CARRIERS,
  type Carrier,
  CONTROLS,
  HARMONIC_VALUES,
  HARMONICS,
  isPrimary,
  MAX_HARMONICS,
  MULTIPLIERS,
  meaningOf,
  PHASE_OF,
  SI_UNITS,
} from './common-data-classes.ts';
import { blockReference, SUPERVISED } from './goose-points.ts';
import type { IedSource } from './scl-file.ts';

export type Row = Readonly<Record<string, string>>;

export interface RowOptions {
  /** What no data set holds as well, to be polled. */
  readonly polled: boolean;
  /** Settings as well, to be polled now and then. */
  readonly settings: boolean;
  /** Angles of phasors beside their magnitudes. */
  readonly angles: boolean;
  /** Supervision of the GOOSE control blocks. */
  readonly goose: boolean;
}

/** Rows of a point list: one for each value, one for each object that can be operated. Those of data sets come first. */
export function pointRows(source: IedSource, options: RowOptions): Row[] {
  const { model } = source;
  const rows = new Map<string, Row>();
  const add = (row: Row): void => {
    const key = `${row.object} ${row.attribute}`;
    if (!rows.has(key)) rows.set(key, row);
  };
  for (const device of model.devices) {
    for (const { ln } of device.nodes) {
      for (const fcda of ln.dataSets.flatMap(({ fcdas }) => fcdas)) {
        const place = memberOf(model, fcda);
        if (place) for (const row of memberRows(source, place, namesOf(fcda), options)) add(row);
      }
    }
  }
  for (const device of options.polled ? model.devices : []) {
    for (const node of device.nodes) {
      for (const object of node.type?.objects ?? []) {
        for (const row of objectRows(source, { device, node }, [object.name], object, options)) add(row);
      }
    }
  }
  const monitored = [...rows.values()];
  const names = new Map(monitored.map(({ object, attribute, name }) => [`${object} ${attribute}`, name!]));
  const controls = model.devices.flatMap((device) =>
    device.nodes.flatMap((node) => controlRows(source, { device, node }, names)),
  );
  return [...monitored, ...controls, ...(options.goose ? supervisionRows(source) : [])];
}

/** A logical node and its device. */
export interface NodePlace {
  readonly device: LogicalDevice;
  readonly node: LogicalNode;
}

/** The node that a member of a data set names. */
export function memberOf(
  { devices }: IedModel,
  { ldInst, prefix, lnClass, lnInst }: { ldInst: string; prefix: string; lnClass: string; lnInst: string },
): NodePlace | undefined {
  const device = devices.find(({ inst }) => inst === ldInst);
  const node = device?.nodes.find(({ ln }) => ln.prefix === prefix && ln.lnClass === lnClass && ln.inst === lnInst);
  return device && node ? { device, node } : undefined;
}

/** @param names of a member of a data set: an object, a part of one, or an attribute */
function* memberRows(source: IedSource, at: NodePlace, names: readonly string[], options: RowOptions): Generator<Row> {
  const place = at.node.type && find(at.node.type, names);
  const object = place?.objects.at(-1);
  if (!place || !object) return;
  const below = names.slice(0, place.objects.length);
  const member = names.slice(place.objects.length).join('.');
  for (const row of objectRows(source, at, below, object, { ...options, settings: true })) {
    const value = row.attribute!;
    // A member may be the quality alone, or a part that is not the value.
    if (member === '' || value === member || value.startsWith(`${member}.`) || value.startsWith(`${member}(`))
      yield row;
  }
}

/** @param names down to the object */
function* objectRows(
  source: IedSource,
  at: NodePlace,
  names: readonly string[],
  object: DataObject,
  options: RowOptions,
): Generator<Row> {
  const carrier = CARRIERS[object.cdc];
  if (carrier && (options.settings || !carrier.setting)) {
    const value = carrier.values.find((candidate) => attributeAt(object, candidate));
    if (value !== undefined) yield valueRow(source, at, names, object, value, carrier.kind);
    for (const more of furtherOf(object.cdc, carrier, options)) {
      if (attributeAt(object, more.value)) yield valueRow(source, at, names, object, more.value, more.kind);
    }
  }
  if (HARMONICS.has(object.cdc)) yield* harmonicRows(source, at, names, object);
  // Elements of an array of objects have no names of their own.
  for (const inner of object.objects) {
    if (inner.count === 0) yield* objectRows(source, at, [...names, inner.name], inner, options);
  }
}

function furtherOf(cdc: string, { further = [] }: Carrier, { angles }: RowOptions): NonNullable<Carrier['further']> {
  const angle = angles ? ANGLES[cdc] : undefined;
  return angle === undefined ? further : [...further, { value: angle, kind: 'analog' }];
}

/** The attribute at names below an object; undefined when one of them is not there. */
export function attributeAt(object: Pick<DataObject, 'attributes'>, path: string): DataAttribute | undefined {
  let found: DataAttribute | undefined;
  for (const name of path.split('.')) {
    const inner: readonly DataAttribute[] = found?.parts ?? object.attributes;
    const next = inner.find((attribute) => attribute.name === name);
    if (!next) return undefined;
    found = next;
  }
  return found;
}

function* harmonicRows(source: IedSource, at: NodePlace, names: readonly string[], object: DataObject): Generator<Row> {
  for (const array of object.attributes) {
    if (array.count === 0) continue;
    const inner = HARMONIC_VALUES.find((path) => attributeAt({ attributes: array.parts }, path));
    if (inner === undefined) continue;
    for (let index = 0; index < Math.min(array.count, MAX_HARMONICS); index++) {
      yield valueRow(source, at, names, object, `${array.name}(${index}).${inner}`, 'analog');
    }
  }
}

function valueRow(
  source: IedSource,
  at: NodePlace,
  names: readonly string[],
  object: DataObject,
  attribute: string,
  kind: Carrier['kind'],
): Row {
  const { measurementType, ...own } = described(source, at, names, attribute.includes('.ang.'));
  const type = attributeAt(object, attribute);
  const words = type?.enumType?.vals.filter(({ text }) => text !== '' && !text.includes('|'));
  return {
    ...own,
    // Whether a tap changer moves is no position of it.
    ...(measurementType === undefined || attribute.endsWith('.transInd') ? {} : { measurementType }),
    ...(isPrimary(attribute) ? {} : { name: `${own.name}.${attribute}` }),
    cdc: object.cdc,
    kind,
    attribute,
    ...scaling(at.node, names, object, attribute),
    ...(words && words.length > 0 ? { aliases: words.map(({ ord, text }) => `${ord}=${text}`).join('|') } : {}),
  };
}

/** What the file configures: the unit, what a pulse or a whole number stands for, the deadband. */
function scaling(node: LogicalNode, names: readonly string[], object: DataObject, attribute: string): Row {
  const configured = (path: string): string | undefined => configuredValue(node, [...names, ...path.split('.')]);
  const number = (path: string): number | undefined => {
    const value = Number(configured(path) ?? Number.NaN);
    return Number.isFinite(value) ? value : undefined;
  };
  const row: Record<string, string> = {};
  if (!attribute.includes('.ang.')) {
    const unit = SI_UNITS[configured('units.SIUnit') ?? ''];
    const multiplier = MULTIPLIERS[configured('units.multiplier') ?? ''];
    if (unit !== undefined) row.unit = unit;
    if (multiplier !== undefined) row.multiplier = multiplier;
  }
  // Of a counter, value = actVal · pulsQty (§ 7.3.9); of a whole number, i · scaleFactor + offset (§ 6.6).
  const factor =
    object.cdc === 'BCR' ? number('pulsQty') : attribute.endsWith('.i') ? number('sVC.scaleFactor') : undefined;
  const offset = attribute.endsWith('.i') ? number('sVC.offset') : undefined;
  if (factor !== undefined && factor !== 0 && factor !== 1) row.k = String(factor);
  if (offset !== undefined && offset !== 0) row.d = String(offset);
  // In thousandths of a percent of the range (§ 7.4.2).
  const [db, min, max] = [number('db'), number('rangeC.min.f'), number('rangeC.max.f')];
  if (db !== undefined && db > 0 && min !== undefined && max !== undefined && max > min)
    row.deadband = String((db / 100_000) * (max - min));
  return row;
}

function controlRows(source: IedSource, at: NodePlace, monitored: ReadonlyMap<string, string>): Row[] {
  return (at.node.type?.objects ?? []).flatMap((object) => {
    const kind = CONTROLS[object.cdc];
    const model = configuredValue(at.node, [object.name, 'ctlModel']);
    const operable = object.attributes.some(({ name, fc }) => name === 'Oper' && fc === 'CO');
    if (!kind || !operable || model === undefined || model === 'status-only' || model === '0') return [];
    const own = described(source, at, [object.name], false);
    const carrier = CARRIERS[object.cdc];
    const value = carrier?.values.find((candidate) => attributeAt(object, candidate));
    const feedback = monitored.get(`${own.object} ${value}`);
    const words = attributeAt(object, 'Oper.ctlVal')?.enumType?.vals.filter(({ text }) => !text.includes('|'));
    return [
      {
        ...own,
        name: `${own.name} control`,
        cdc: object.cdc,
        kind,
        ctlModel: /^sbo|^[24]$/.test(model) ? 'sbo' : 'direct',
        ...(feedback === undefined ? {} : { feedback }),
        ...(words && words.length > 0 ? { aliases: words.map(({ ord, text }) => `${ord}=${text}`).join('|') } : {}),
      },
    ];
  });
}

function described(source: IedSource, { device, node }: NodePlace, names: readonly string[], angle: boolean): Row {
  const object = `${device.name}/${node.name}.${names.join('.')}`;
  const meaning = angle ? { measurementType: 'Angle', unit: 'deg' } : meaningOf(node.ln.lnClass, names[0]!);
  const phase = PHASE_OF[names.at(-1)!];
  const description = configuredValue(node, [...names, 'd']) ?? node.ln.desc;
  const path = placeOf(source, device, node);
  return {
    object,
    name: object,
    objectReference: object,
    ...(description ? { description } : {}),
    ...(meaning ? { measurementType: meaning.measurementType } : {}),
    ...(meaning?.unit === undefined ? {} : { unit: meaning.unit }),
    ...(phase === undefined ? {} : { phases: phase }),
    ...(path === undefined ? {} : { equipmentPath: path }),
  };
}

/** Where the LNode of a node stands; undefined when it stands nowhere, or at several places. */
function placeOf({ places }: IedSource, { inst }: LogicalDevice, { name }: LogicalNode): string | undefined {
  const paths = placesOf(places.get(`${inst} ${name}`) ?? []);
  return paths.length === 1 ? paths[0] : undefined;
}

/** Paths of links, each once; names with a slash in them cannot be told apart and are left out. */
export const placesOf = (links: readonly { readonly path: readonly string[] }[]): string[] => [
  ...new Set(links.filter(({ path }) => !path.some((name) => name.includes('/'))).map(({ path }) => path.join('/'))),
];

function supervisionRows({ goose }: IedSource): Row[] {
  return goose.flatMap((control) => {
    const reference = blockReference(control);
    return SUPERVISED.map(({ attribute, kind, cdc, about, words }) => ({
      object: reference,
      attribute,
      name: `${reference} ${attribute}`,
      kind,
      cdc,
      description: `GOOSE ${control.goId}: ${about}`,
      ...(words === undefined ? {} : { aliases: words }),
    }));
  });
}
