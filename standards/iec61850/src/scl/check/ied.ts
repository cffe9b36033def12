/** Rules within one IED: its nodes, data sets, control blocks and values (IEC 61850-6 § 9.3). */
import { find, type IedModel, isUnder, type LogicalDevice, type LogicalNode, leavesOf, namesOf } from '../model.ts';
import type { Dai, Fcda, Sdi } from '../schema/ied.ts';
import type { DataAttribute, DataObject, Types } from '../types.ts';
import { type Tell, unique } from './check.ts';

export function checkIed(model: IedModel, types: Types, tell: Tell): void {
  const { ied } = model;
  unique(ied.accessPoints, ({ name }) => name, `IED ${ied.name}`, 'access point', tell);
  for (const { serverAt, line } of ied.accessPoints) {
    if (serverAt && !ied.accessPoints.some(({ name, server }) => name === serverAt.apName && server)) {
      tell(
        'error',
        'reference',
        `IED ${ied.name}: the access point ${serverAt.apName} of ServerAt has no server`,
        line,
      );
    }
  }
  unique(
    model.devices.map(({ lDevice }) => lDevice),
    ({ inst }) => inst,
    `IED ${ied.name}`,
    'logical device',
    tell,
  );
  for (const device of model.devices) {
    if (!device.lDevice.ln0) tell('error', 'ln0', `${device.name} has no LN0`, device.lDevice.line);
    unique(
      device.nodes.map(({ name, ln }) => ({ name, line: ln.line })),
      ({ name }) => name,
      device.name,
      'logical node',
      tell,
    );
    for (const node of device.nodes) checkNode(model, device, node, types, tell);
  }
}

function checkNode(model: IedModel, device: LogicalDevice, node: LogicalNode, types: Types, tell: Tell): void {
  const { ln, type } = node;
  const where = `${device.name}/${node.name}`;
  if (!type) tell('error', 'type', `${where} has the type ${ln.lnType}, which is not in the file`, ln.line);
  else if (type.lnClass !== ln.lnClass) {
    tell('error', 'type', `${where} has the type ${ln.lnType}, which is one of ${type.lnClass}`, ln.line);
  }
  const dataSets = unique(ln.dataSets, ({ name }) => name, where, 'data set', tell);
  for (const { name, fcdas, line } of dataSets) {
    if (fcdas.length === 0) tell('error', 'data-set', `data set ${name} of ${where} is empty`, line);
    for (const fcda of fcdas) checkFcda(model, `data set ${name} of ${where}`, fcda, tell);
  }
  const blocks = [...ln.reportControls, ...ln.gseControls, ...ln.sampledValueControls, ...ln.logControls];
  unique(blocks, ({ name }) => name, where, 'control block', tell);
  for (const { name, datSet, line } of blocks) {
    if (datSet !== undefined && !dataSets.some((dataSet) => dataSet.name === datSet)) {
      tell(
        'error',
        'data-set',
        `control block ${name} of ${where} names the data set ${datSet}, which is not there`,
        line,
      );
    }
  }
  for (const { name, line } of [...ln.gseControls, ...ln.sampledValueControls]) {
    if (ln.lnClass !== 'LLN0') tell('error', 'control-block', `${name} of ${where} may stand in LLN0 only`, line);
  }
  if (!type) return;
  for (const doi of ln.dois) {
    const object = type.objects.find(({ name }) => name === doi.name);
    if (!object) tell('error', 'instance', `${where} has no data object ${doi.name} in its type ${type.id}`, doi.line);
    else checkValues(`${where}.${doi.name}`, object, doi, types, tell);
  }
}

function checkFcda(model: IedModel, where: string, fcda: Fcda, tell: Tell): void {
  const { ldInst, prefix, lnClass, lnInst, fc, line } = fcda;
  const node = model.devices
    .find(({ inst }) => inst === ldInst)
    ?.nodes.find(({ ln }) => ln.prefix === prefix && ln.lnClass === lnClass && ln.inst === lnInst);
  const names = namesOf(fcda);
  const member = `${ldInst}/${prefix}${lnClass}${lnInst}.${names.join('.')} [${fc}]`;
  if (!node) {
    tell('error', 'data-set', `${where}: ${member} names a logical node that is not there`, line);
    return;
  }
  if (!node.type || names.length === 0) return;
  const place = find(node.type, names);
  if (!place) {
    tell('error', 'data-set', `${where}: ${member} is not there`, line);
    return;
  }
  const attribute = place.attributes.at(-1);
  const object = place.objects.at(-1);
  const under = attribute ? leavesOf(attribute, fc) : object ? attributesUnder(object, fc) : [];
  if ([...under].length === 0) tell('error', 'data-set', `${where}: ${member} has nothing under ${fc}`, line);
}

function* attributesUnder(object: DataObject, fc: DataAttribute['fc']): Generator<DataAttribute> {
  for (const attribute of object.attributes) if (isUnder(attribute, fc)) yield attribute;
  for (const inner of object.objects) yield* attributesUnder(inner, fc);
}

interface Values {
  readonly sdis: readonly Sdi[];
  readonly dais: readonly Dai[];
}

function checkValues(
  where: string,
  type: { readonly objects: readonly DataObject[]; readonly attributes: readonly DataAttribute[] },
  values: Values,
  types: Types,
  tell: Tell,
): void {
  for (const sdi of values.sdis) {
    const object = type.objects.find(({ name }) => name === sdi.name);
    const attribute = type.attributes.find(({ name }) => name === sdi.name);
    if (!object && !attribute) tell('error', 'instance', `${where} has no part ${sdi.name} in its type`, sdi.line);
    else checkValues(`${where}.${sdi.name}`, object ?? { objects: [], attributes: attribute!.parts }, sdi, types, tell);
  }
  for (const dai of values.dais) {
    const attribute = type.attributes.find(({ name }) => name === dai.name);
    if (!attribute) tell('error', 'instance', `${where} has no attribute ${dai.name} in its type`, dai.line);
    else for (const { text, line } of dai.vals) checkValue(`${where}.${dai.name}`, attribute, text, line, tell);
  }
}

const WHOLE: Readonly<Record<string, readonly [bigint, bigint]>> = Object.fromEntries(
  [8, 16, 24, 32, 64, 128].flatMap((bits) => {
    const half = 1n << BigInt(bits - 1);
    return [
      [`INT${bits}`, [-half, half - 1n]],
      [`INT${bits}U`, [0n, (half << 1n) - 1n]],
    ] as [string, readonly [bigint, bigint]][];
  }),
);

function checkValue(where: string, { bType, enumType }: DataAttribute, text: string, line: number, tell: Tell): void {
  if (text === '') return;
  const wrong = (what: string) =>
    tell('error', 'value', `${where} has the value '${text.slice(0, 40)}', which is not ${what}`, line);
  const range = WHOLE[bType];
  if (range) {
    if (!/^[+-]?\d{1,39}$/.test(text)) wrong('a whole number');
    else if (BigInt(text) < range[0] || BigInt(text) > range[1]) wrong(`an ${bType}`);
  } else if (bType === 'BOOLEAN' && !['true', 'false', '0', '1'].includes(text)) wrong('true or false');
  else if ((bType === 'FLOAT32' || bType === 'FLOAT64') && Number.isNaN(Number(text))) wrong('a number');
  else if (
    bType === 'Enum' &&
    enumType &&
    !enumType.vals.some(({ text: word, ord }) => word === text || String(ord) === text)
  ) {
    wrong(
      `one of ${enumType.id}: ${enumType.vals
        .map((val) => val.text)
        .join(', ')
        .slice(0, 120)}`,
    );
  }
}
