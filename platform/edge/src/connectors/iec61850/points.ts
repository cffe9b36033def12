/** The points of an IED as its SCL file has them: what its data sets hold, and what can be controlled. */
import {
  addressPart,
  checkScl,
  configuredValue,
  find,
  type IedModel,
  type LogicalDevice,
  type LogicalNode,
  namesOf,
  readScl,
  type Scl,
} from '@enerchain/iec61850';
import { EnerchainError } from '@enerchain/model';

export interface IedSource {
  readonly content: Buffer;
  readonly scl: Scl;
  readonly model: IedModel;
}

/** @throws EnerchainError `edge.iec61850.scl` when the file is no SCL, or has no such IED */
export function openIed(file: string, content: Buffer, name: string | undefined): IedSource {
  const fail = (text: string): never => {
    throw new EnerchainError('caller', 'edge.iec61850.scl', `${file}: ${text}; the endpoint has no points`);
  };
  const { scl, findings } = readScl(content, { name: file });
  if (!scl) return fail(findings.list[0]?.text ?? 'is no SCL');
  const { models } = checkScl(scl, findings, file);
  const names = [...models.keys()];
  if (name === undefined && names.length !== 1)
    return fail(`has ${names.length} IEDs; \`ied\` must name one of ${names.slice(0, 20).join(', ')}`);
  const model = models.get(name ?? names[0]!);
  if (!model) return fail(`has no IED ${name}; it has ${names.slice(0, 20).join(', ') || 'none'}`);
  return { content, scl, model };
}

/** Where the IED is reached, as the Communication section has it. */
export function addressOf({ scl, model }: IedSource): string | undefined {
  const aps = (scl.communication?.subNetworks ?? []).flatMap(({ connectedAps }) => connectedAps);
  const those = aps.filter(({ iedName }) => iedName === model.ied.name);
  return those.map(({ address }) => addressPart(address, 'IP')).find((ip) => ip !== undefined);
}

interface Carrier {
  /** Attributes that hold the value, the first one there counts. */
  readonly values: readonly string[];
  readonly kind: 'discrete' | 'analog' | 'accumulator' | 'string';
}

/** Common data classes (IEC 61850-7-3) and where their value is. Those that are not here have no single value. */
const CARRIERS: Readonly<Record<string, Carrier>> = {
  SPS: { values: ['stVal'], kind: 'discrete' },
  DPS: { values: ['stVal'], kind: 'discrete' },
  INS: { values: ['stVal'], kind: 'discrete' },
  ENS: { values: ['stVal'], kind: 'discrete' },
  SPC: { values: ['stVal'], kind: 'discrete' },
  DPC: { values: ['stVal'], kind: 'discrete' },
  INC: { values: ['stVal'], kind: 'discrete' },
  ENC: { values: ['stVal'], kind: 'discrete' },
  ACT: { values: ['general'], kind: 'discrete' },
  ACD: { values: ['general'], kind: 'discrete' },
  BSC: { values: ['valWTr.posVal'], kind: 'discrete' },
  ISC: { values: ['valWTr.posVal'], kind: 'discrete' },
  MV: { values: ['mag.f', 'mag.i', 'instMag.f'], kind: 'analog' },
  SAV: { values: ['instMag.f', 'instMag.i'], kind: 'analog' },
  CMV: { values: ['cVal.mag.f', 'cVal.mag.i', 'instCVal.mag.f'], kind: 'analog' },
  APC: { values: ['mxVal.f', 'mxVal.i'], kind: 'analog' },
  BAC: { values: ['mxVal.f'], kind: 'analog' },
  BCR: { values: ['actVal'], kind: 'accumulator' },
  VSS: { values: ['stVal'], kind: 'string' },
};

/** Controls by class; a set-point where the value is a quantity. */
const CONTROLS: Readonly<Record<string, 'command' | 'setpoint'>> = {
  SPC: 'command',
  DPC: 'command',
  INC: 'command',
  ENC: 'command',
  BSC: 'command',
  ISC: 'command',
  APC: 'setpoint',
  BAC: 'setpoint',
};

interface Meaning {
  readonly measurementType: string;
  readonly unit?: string;
}

/** What is measured, by logical node class and data object (IEC 61850-7-4), in CIM's words (IEC 61970-301 Meas). */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  'MMXU.TotW': { measurementType: 'ThreePhaseActivePower', unit: 'W' },
  'MMXU.TotVAr': { measurementType: 'ThreePhaseReactivePower', unit: 'VAr' },
  'MMXU.TotVA': { measurementType: 'ThreePhasePower', unit: 'VA' },
  'MMXU.Hz': { measurementType: 'Frequency', unit: 'Hz' },
  'MMXU.PhV': { measurementType: 'PhaseVoltage', unit: 'V' },
  'MMXU.PPV': { measurementType: 'LineToLineVoltage', unit: 'V' },
  'MMXU.A': { measurementType: 'LineCurrent', unit: 'A' },
  'MMXU.W': { measurementType: 'ActivePower', unit: 'W' },
  'MMXU.VAr': { measurementType: 'ReactivePower', unit: 'VAr' },
  'XCBR.Pos': { measurementType: 'SwitchPosition' },
  'XSWI.Pos': { measurementType: 'SwitchPosition' },
  'CSWI.Pos': { measurementType: 'SwitchPosition' },
  'ATCC.TapChg': { measurementType: 'TapPosition' },
  'YLTC.TapChg': { measurementType: 'TapPosition' },
};

const PHASES: Readonly<Record<string, string>> = {
  phsA: 'A',
  phsB: 'B',
  phsC: 'C',
  neut: 'N',
  phsAB: 'AB',
  phsBC: 'BC',
  phsCA: 'CA',
};

export type Row = Readonly<Record<string, string>>;

/** Rows of a point list: one for each value in a data set, one for each object that can be operated. */
export function pointRows({ model }: IedSource): Row[] {
  const monitored = new Map<string, Row>();
  for (const device of model.devices) {
    for (const { ln } of device.nodes) {
      for (const fcda of ln.dataSets.flatMap(({ fcdas }) => fcdas)) {
        const at = model.devices.find(({ inst }) => inst === fcda.ldInst);
        const node = at?.nodes.find(
          ({ ln: own }) => own.prefix === fcda.prefix && own.lnClass === fcda.lnClass && own.inst === fcda.lnInst,
        );
        if (at && node) for (const row of rowsOf(at, node, namesOf(fcda))) monitored.set(row.object!, row);
      }
    }
  }
  const controls = model.devices.flatMap((device) =>
    device.nodes.flatMap((node) => controlRows(device, node, monitored)),
  );
  return [...monitored.values(), ...controls];
}

/** @param names of a member of a data set: an object, a part of one, or an attribute */
function* rowsOf(device: LogicalDevice, node: LogicalNode, names: readonly string[]): Generator<Row> {
  const place = node.type && find(node.type, names);
  if (!place || place.objects.length === 0) return;
  const object = place.objects.at(-1)!;
  const below = names.slice(0, place.objects.length);
  const carrier = CARRIERS[object.cdc];
  if (carrier) {
    const value = carrier.values.find((candidate) => find(node.type!, [...below, ...candidate.split('.')]));
    const member = names.slice(place.objects.length).join('.');
    // A member may be the quality alone, or a part that is not the value.
    if (value === undefined || !(member === '' || value === member || value.startsWith(`${member}.`))) return;
    yield { ...described(device, node, below), cdc: object.cdc, kind: carrier.kind, attribute: value };
    return;
  }
  for (const inner of object.objects) yield* rowsOf(device, node, [...below, inner.name]);
}

function controlRows(device: LogicalDevice, node: LogicalNode, monitored: ReadonlyMap<string, Row>): Row[] {
  return (node.type?.objects ?? []).flatMap((object) => {
    const kind = CONTROLS[object.cdc];
    const model = configuredValue(node, [object.name, 'ctlModel']);
    const operable = object.attributes.some(({ name, fc }) => name === 'Oper' && fc === 'CO');
    if (!kind || !operable || model === undefined || model === 'status-only' || model === '0') return [];
    const own = described(device, node, [object.name]);
    const feedback = monitored.get(own.object!)?.name;
    return [
      {
        ...own,
        name: `${own.name} control`,
        cdc: object.cdc,
        kind,
        ctlModel: /^sbo|^[24]$/.test(model) ? 'sbo' : 'direct',
        ...(feedback === undefined ? {} : { feedback }),
      },
    ];
  });
}

function described(device: LogicalDevice, node: LogicalNode, names: readonly string[]): Row {
  const object = `${device.name}/${node.name}.${names.join('.')}`;
  const meaning = MEANINGS[`${node.ln.lnClass}.${names[0]}`];
  const phase = PHASES[names.at(-1)!];
  const description = configuredValue(node, [...names, 'd']) ?? node.ln.desc;
  return {
    object,
    name: object,
    objectReference: object,
    ...(description ? { description } : {}),
    ...(meaning ? { measurementType: meaning.measurementType } : {}),
    ...(meaning?.unit === undefined ? {} : { unit: meaning.unit }),
    ...(phase === undefined ? {} : { phases: phase }),
  };
}

/** One report control block for each data set: buffered before unbuffered; with the names of its instances. */
export function reportBlocks({
  model,
}: IedSource): { readonly reference: string; readonly instances: readonly string[]; readonly confRev: number }[] {
  return model.devices.flatMap((device) =>
    device.nodes.flatMap(({ name: node, ln }) => {
      const chosen = new Map<string, (typeof ln.reportControls)[number]>();
      for (const block of ln.reportControls) {
        if (block.datSet === undefined) continue;
        const there = chosen.get(block.datSet);
        if (!there || (block.buffered && !there.buffered)) chosen.set(block.datSet, block);
      }
      return [...chosen.values()].map(({ name, buffered, indexed, rptEnabled, confRev }) => {
        const reference = `${device.name}/${node}.${buffered ? 'BR' : 'RP'}.${name}`;
        const count = indexed ? Math.min(99, Math.max(1, rptEnabled?.max ?? 1)) : 0;
        const instances = Array.from(
          { length: count },
          (_, index) => `${reference}${String(index + 1).padStart(2, '0')}`,
        );
        return { reference, instances: indexed ? instances : [reference], confRev };
      });
    }),
  );
}
