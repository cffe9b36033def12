/** Looks at a device for a person: the model from its SCL, everything else from the device itself, through its association. */
import {
  type DataAttribute,
  type DataObject,
  type FunctionalConstraint,
  type Iec61850Client,
  type LogicalDevice,
  type LogicalNode,
  type Plain,
  plainOf,
  variableOf,
} from '@enerchain/iec61850';
import { describeError, EnerchainError } from '@enerchain/model';
import type { DeviceTypes } from './device-types.ts';
import {
  type DeviceInspection,
  INSPECTION_LIMITS,
  type InspectedAttribute,
  type InspectedControlBlock,
  type InspectedFiles,
  type InspectedGoose,
  type InspectedModel,
  type InspectedNode,
  type InspectedObject,
  type InspectedReference,
  type InspectedValue,
} from './inspection.ts';
import { placesOf } from './points.ts';
import type { IedSource } from './scl-file.ts';

/** What the connector knows at the moment. */
export interface Inspected {
  readonly ied: IedSource;
  /** Undefined while the device is not connected. */
  readonly association: () => { readonly client: Iec61850Client; readonly types: DeviceTypes } | undefined;
  readonly deviations: () => readonly string[];
  /** What the connector makes of an instance of a report control block. */
  readonly useOf: (instance: string) => InspectedControlBlock['use'];
  readonly goose: () => readonly InspectedGoose[];
}

/** References in one request. */
const GROUP = 20;

export class Inspector implements DeviceInspection {
  readonly #of: Inspected;

  constructor(of: Inspected) {
    this.#of = of;
  }

  async model(): Promise<InspectedModel> {
    const { ied: source, association, deviations } = this.#of;
    const { ied, devices } = source.model;
    const types: Record<string, InspectedObject[]> = {};
    const room = { nodes: INSPECTION_LIMITS.nodes as number, attributes: INSPECTION_LIMITS.attributes as number };
    const told = devices.map((device) => ({
      name: device.name,
      inst: device.inst,
      ...described(device.lDevice.desc),
      nodes: device.nodes.slice(0, Math.max(0, room.nodes)).map((node) => {
        room.nodes--;
        const { type } = node;
        if (type && !(type.id in types)) types[type.id] = type.objects.map((object) => objectOf(object, room));
        return nodeOf(source, device, node);
      }),
    }));
    return {
      ied: ied.name,
      ...described(ied.desc),
      ...(ied.manufacturer === undefined ? {} : { manufacturer: ied.manufacturer }),
      ...(ied.type === undefined ? {} : { type: ied.type }),
      ...(ied.configVersion === undefined ? {} : { configVersion: ied.configVersion }),
      scl: source.file,
      connected: association() !== undefined,
      devices: told,
      types,
      deviations: deviations(),
      truncated: room.attributes < 0 || devices.some(({ nodes }, index) => nodes.length > told[index]!.nodes.length),
    };
  }

  async controlBlocks(): Promise<readonly InspectedControlBlock[]> {
    const blocks = [...controlBlocksOf(this.#of.ied)].slice(0, INSPECTION_LIMITS.controlBlocks);
    const used = blocks.map((block) => {
      const use = this.#of.useOf(block.reference);
      return use ? { ...block, use } : block;
    });
    if (!this.#of.association()) return used;
    const values = await this.read(
      used.map(({ reference }) => variableOfBlock(reference)),
      Number.POSITIVE_INFINITY,
    );
    return used.map((block, index) => {
      const answer = values[index]!;
      if ('error' in answer) return { ...block, error: answer.error };
      const { value } = answer;
      const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value);
      return { ...block, ...(isRecord ? { now: value as Readonly<Record<string, Plain>> } : {}) };
    });
  }

  async goose(): Promise<readonly InspectedGoose[]> {
    return this.#of.goose();
  }

  async files(path: string): Promise<InspectedFiles> {
    const entries = await this.#client().files.list(path === '' ? undefined : path);
    const told = entries.slice(0, INSPECTION_LIMITS.files).map(({ name, size, lastModified }) => ({
      name,
      size,
      ...(lastModified === undefined ? {} : { lastModified }),
    }));
    return { entries: told, truncated: entries.length > told.length };
  }

  async *file(path: string, limit: number = INSPECTION_LIMITS.fileSize): AsyncGenerator<Uint8Array> {
    const most = Math.min(limit, INSPECTION_LIMITS.fileSize);
    let octets = 0;
    for await (const piece of this.#client().files.read(path)) {
      octets += piece.length;
      if (octets > most) {
        throw new EnerchainError(
          'peer',
          'edge.iec61850.fileSize',
          `${path} has more than ${most} octets; it was not read to its end`,
        );
      }
      yield piece;
    }
  }

  async read(
    references: readonly InspectedReference[],
    most: number = INSPECTION_LIMITS.references,
  ): Promise<readonly InspectedValue[]> {
    if (references.length > most) {
      throw new EnerchainError(
        'caller',
        'edge.iec61850.references',
        `${references.length} references in one question; at most ${most}`,
      );
    }
    this.#client();
    const answers: InspectedValue[] = [];
    for (let at = 0; at < references.length; at += GROUP)
      answers.push(...(await this.#readGroup(references.slice(at, at + GROUP))));
    return answers;
  }

  async #readGroup(references: readonly InspectedReference[]): Promise<InspectedValue[]> {
    const { client, types } = this.#association();
    const known = await Promise.all(
      references.map(async ({ reference, fc }) => {
        try {
          return { type: await types.of(reference, fc), variable: variableOf(reference, fc) };
        } catch (error) {
          return { error: describeError(error) };
        }
      }),
    );
    const asked = known.flatMap((one) => ('variable' in one ? [one.variable] : []));
    const values = asked.length === 0 ? [] : await client.readMany(asked);
    return references.map(({ reference, fc }, index) => {
      const one = known[index]!;
      if (one.error !== undefined) return { reference, fc, error: one.error };
      const value = values.shift();
      if (value === undefined) return { reference, fc, error: 'the device left it out' };
      if (value instanceof Error) return { reference, fc, error: describeError(value) };
      return { reference, fc, value: plainOf(value, one.type, reference.slice(reference.lastIndexOf('.') + 1)) };
    });
  }

  #association(): { readonly client: Iec61850Client; readonly types: DeviceTypes } {
    const association = this.#of.association();
    if (association) return association;
    const text = `${this.#of.ied.model.ied.name} is not connected; what only the device knows cannot be told`;
    throw new EnerchainError('environment', 'edge.iec61850.away', text);
  }

  #client(): Iec61850Client {
    return this.#association().client;
  }
}

const described = (desc: string | undefined): { desc?: string } => (desc ? { desc } : {});

function nodeOf({ places }: IedSource, { inst }: LogicalDevice, { name, ln, type }: LogicalNode): InspectedNode {
  const paths = placesOf(places.get(`${inst} ${name}`) ?? []);
  return {
    name,
    lnClass: ln.lnClass,
    ...described(ln.desc),
    ...(type ? { type: type.id } : {}),
    ...(paths.length === 0 ? {} : { places: paths }),
    ...(ln.dataSets.length === 0
      ? {}
      : { dataSets: Object.fromEntries(ln.dataSets.map((set) => [set.name, set.fcdas.length])) }),
  };
}

/** @param room attributes that may still be told */
function objectOf(
  { name, cdc, desc, objects, attributes, count }: DataObject,
  room: { attributes: number },
): InspectedObject {
  return {
    name,
    cdc,
    ...described(desc),
    ...(objects.length === 0 ? {} : { objects: objects.map((inner) => objectOf(inner, room)) }),
    ...(attributes.length === 0 ? {} : { attributes: attributesOf(attributes, room) }),
    ...(count === 0 ? {} : { count }),
  };
}

function attributesOf(attributes: readonly DataAttribute[], room: { attributes: number }): InspectedAttribute[] {
  const told: InspectedAttribute[] = [];
  for (const { name, fc, bType, parts, enumType, count } of attributes) {
    if (--room.attributes < 0) break;
    told.push({
      name,
      fc,
      bType,
      ...(parts.length === 0 ? {} : { parts: attributesOf(parts, room) }),
      ...(enumType ? { words: Object.fromEntries(enumType.vals.map(({ ord, text }) => [ord, text])) } : {}),
      ...(count === 0 ? {} : { count }),
    });
  }
  return told;
}

function* controlBlocksOf({ model }: IedSource): Generator<InspectedControlBlock> {
  for (const device of model.devices) {
    for (const { name: node, ln } of device.nodes) {
      const place = `${device.name}/${node}`;
      const dataSet = (name: string | undefined) => (name === undefined ? {} : { dataSet: `${place}.${name}` });
      for (const { name, buffered, indexed, rptEnabled, datSet, confRev } of ln.reportControls) {
        const kind = buffered ? 'BRCB' : 'URCB';
        for (const number of indexed ? numbers(rptEnabled?.max ?? 1) : ['']) {
          const reference = `${place}.${buffered ? 'BR' : 'RP'}.${name}${number}`;
          yield { reference, kind, ...dataSet(datSet), confRev };
        }
      }
      for (const { name, datSet, confRev } of ln.gseControls)
        yield { reference: `${place}.GO.${name}`, kind: 'GoCB', ...dataSet(datSet), confRev };
      for (const { name, datSet } of ln.logControls)
        yield { reference: `${place}.LG.${name}`, kind: 'LCB', ...dataSet(datSet) };
      for (const { name, datSet, confRev, multicast } of ln.sampledValueControls) {
        const kind = multicast ? 'MSVCB' : 'USVCB';
        yield { reference: `${place}.${multicast ? 'MS' : 'US'}.${name}`, kind, ...dataSet(datSet), confRev };
      }
      if (ln.settingControl) yield { reference: `${place}.SP.SGCB`, kind: 'SGCB' };
    }
  }
}

const numbers = (max: number): string[] =>
  Array.from({ length: Math.min(99, Math.max(1, max)) }, (_, index) => String(index + 1).padStart(2, '0'));

/** `BCU1CTRL/LLN0.BR.brcb01` is the variable `brcb01` under BR. */
function variableOfBlock(reference: string): InspectedReference {
  const [place, fc, name] = reference.split('.') as [string, FunctionalConstraint, string];
  return { reference: `${place}.${name}`, fc };
}
