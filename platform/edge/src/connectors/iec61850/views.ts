/** What the inspection of a device found, in the words in which it goes to the centre. Reads; changes nothing. */
import {
  configuredValue,
  type ExtRef,
  type IedModel,
  type LogicalNode,
  millisOfGeneralizedTime,
  namesOf,
  nodeName,
  type Plain,
} from '@enerchain/iec61850';
import {
  type Clock,
  type ControlBlocksView,
  EnerchainError,
  type Fault,
  type FilesView,
  type GooseView,
  type IedIdentity,
  type IedModelView,
  type InspectionQuestion,
  type InspectionView,
  type InspectionViewAsk,
  type LogBlockView,
  MOST_READ,
  type ModelAttribute,
  type ModelDataSet,
  type ModelInput,
  type ModelObject,
  type PublisherView,
  type ReadItem,
  type ReadView,
  type ReportBlockView,
  type SettingGroupView,
} from '@enerchain/model';
import type { Inspector } from '../../connector.ts';
import type {
  DeviceInspection,
  InspectedAttribute,
  InspectedControlBlock,
  InspectedModel,
  InspectedObject,
  InspectedReference,
} from './inspection.ts';

/** Logical devices whose name plates are read. */
const MOST_PLATES = 100;
const LONGEST = 1_000;

export interface IedViewsOptions {
  readonly inspection: DeviceInspection;
  readonly model: IedModel;
  /** All IEDs of the file: whoever takes something of this one. */
  readonly station: readonly IedModel[];
  readonly clock: Clock;
}

export class IedViews implements Inspector {
  readonly #inspection: DeviceInspection;
  readonly #ied: IedModel;
  readonly #station: readonly IedModel[];
  readonly #clock: Clock;

  constructor({ inspection, model, station, clock }: IedViewsOptions) {
    this.#inspection = inspection;
    this.#ied = model;
    this.#station = station;
    this.#clock = clock;
  }

  async view<A extends InspectionViewAsk>(
    question: Extract<InspectionQuestion, { ask: A }>,
  ): Promise<InspectionView<A>> {
    try {
      return (await this.#view(question)) as InspectionView<A>;
    } catch (error) {
      throw told(error);
    }
  }

  async *file(name: string, limit: number): AsyncGenerator<Uint8Array> {
    try {
      yield* this.#inspection.file(name, limit);
    } catch (error) {
      throw told(error);
    }
  }

  #view(question: InspectionQuestion): Promise<InspectionView<InspectionViewAsk>> {
    switch (question.ask) {
      case 'identity':
        return this.#identity();
      case 'model':
        return this.#model();
      case 'controlBlocks':
        return this.#controlBlocks();
      case 'goose':
        return this.#goose();
      case 'files':
        return this.#files(question.folder ?? '');
      case 'read':
        return this.#read(question.items);
      case 'file':
        throw new EnerchainError('local', 'edge.inspection', 'a file is no view');
    }
  }

  get #at(): string {
    return String(this.#clock.now());
  }

  async #identity(): Promise<IedIdentity> {
    const { manufacturer, type, desc, scl, connected, deviations } = await this.#inspection.model();
    const devices = this.#ied.devices.slice(0, MOST_PLATES);
    const plates = new Map<string, Readonly<Record<string, Plain>>>();
    if (connected) {
      const items = devices.flatMap(({ name, nodes }) => nodes.flatMap((node) => plateItems(name, node)));
      for (const { reference, ...result } of await this.#inspection.read(items.slice(0, MOST_READ))) {
        if ('value' in result) plates.set(reference, fieldsOf(result.value));
      }
    }
    const find = (object: string) => [...plates].find(([reference]) => reference.endsWith(`.${object}`))?.[1];
    const physical = find('PhyNam');
    const logical = find('NamPlt');
    const clock = clockOf(find('TmSyn'), find('TmSrc'), find('TmAcc'));
    return {
      at: this.#at,
      ied: this.#ied.ied.name,
      file: scl,
      ...optional('description', desc),
      ...optional('manufacturer', physical?.vendor ?? logical?.vendor ?? manufacturer),
      ...optional('type', physical?.model ?? type),
      ...optional('hardware', physical?.hwRev),
      ...optional('software', physical?.swRev ?? logical?.swRev),
      ...optional('serialNumber', physical?.serNum),
      ...optional('location', physical?.location),
      devices: devices.map(({ name, nodes }) => {
        const plate = plates.get(`${name}/LLN0.NamPlt`);
        const node = nodes.find((each) => each.name === 'LLN0');
        return {
          name,
          ...optional('configRev', plate?.configRev),
          ...optional('expected', node && configuredValue(node, ['NamPlt', 'configRev'])),
          ...optional('ldNs', plate?.ldNs),
        };
      }),
      differences: deviations.map((text) => text.slice(0, LONGEST)),
      ...(clock ? { clock } : {}),
    };
  }

  async #model(): Promise<IedModelView> {
    const inspected = await this.#inspection.model();
    const { types, enumerations } = flatTypes(inspected);
    return {
      at: this.#at,
      ied: inspected.ied,
      origin: 'scl',
      devices: inspected.devices.map(({ name, desc, nodes }) => ({
        name,
        ...optional('description', desc),
        nodes: nodes.map((node) => {
          const own = this.#node(name, node.name);
          const inputs = (own?.ln.inputs?.extRefs ?? []).map(inputOf);
          return {
            name: node.name,
            lnClass: node.lnClass,
            ...optional('description', node.desc),
            type: node.type ?? '',
            ...(inputs.length > 0 ? { inputs } : {}),
          };
        }),
      })),
      types,
      enumerations,
      dataSets: dataSetsOf(this.#ied, this.#station),
      truncated: inspected.truncated,
    };
  }

  #node(device: string, name: string): LogicalNode | undefined {
    return this.#ied.devices.find((each) => each.name === device)?.nodes.find((each) => each.name === name);
  }

  async #controlBlocks(): Promise<ControlBlocksView> {
    const blocks = await this.#inspection.controlBlocks();
    const of = (...kinds: InspectedControlBlock['kind'][]) => blocks.filter(({ kind }) => kinds.includes(kind));
    return {
      at: this.#at,
      reports: of('BRCB', 'URCB').map(reportBlock),
      logs: of('LCB').map(logBlock),
      settingGroups: of('SGCB').map(settingGroup),
      publishers: of('GoCB', 'MSVCB', 'USVCB').map(publisher),
    };
  }

  async #goose(): Promise<GooseView> {
    const heard = await this.#inspection.goose();
    const link = heard[0]?.interface;
    return {
      at: this.#at,
      ...optional('link', link),
      subscriptions: heard.map((each) => ({
        reference: each.reference,
        ...optional('id', each.goId),
        ...optional('dataSet', each.dataSet),
        ...optional('destination', each.destination),
        appId: each.appId,
        state: each.state,
        ...optionalCount('stNum', each.stNum),
        ...optionalCount('sqNum', each.sqNum),
        ...optionalCount('confRev', each.confRev),
        expected: each.expectedConfRev,
        ...optionalFlag('test', each.test),
        ...optionalFlag('needsCommissioning', each.ndsCom),
        ...optionalCount('timeAllowedToLive', each.timeAllowedToLive),
        ...optional('lastMessage', each.lastReceived),
        ...optional('lastChange', each.lastChange),
        counters: each.counters,
        ...optional('problem', each.trouble),
      })),
    };
  }

  async #files(folder: string): Promise<FilesView> {
    const { entries, truncated } = await this.#inspection.files(folder);
    return {
      at: this.#at,
      files: entries.map(({ name, size, lastModified }) => ({
        name,
        size,
        ...optional('modified', lastModified && isoOf(lastModified)),
      })),
      truncated,
    };
  }

  async #read(items: readonly ReadItem[]): Promise<ReadView> {
    // A constraint that is none is refused by the device, as anything else that it does not have.
    const values = await this.#inspection.read(items as readonly InspectedReference[]);
    return {
      at: this.#at,
      results: values.map(({ reference, fc, ...result }) => ({
        reference,
        fc,
        ...('value' in result ? { value: result.value } : { problem: result.error.slice(0, LONGEST) }),
      })),
    };
  }
}

/** What standards packages throw carries a fault and a code of its own; as ours it keeps both on the link. */
function told(error: unknown): unknown {
  if (error instanceof EnerchainError || !(error instanceof Error)) return error;
  const { fault, code } = error as { fault?: unknown; code?: unknown };
  const faults: readonly unknown[] = ['peer', 'caller', 'local', 'unsupported', 'environment'];
  if (!faults.includes(fault)) return new EnerchainError('peer', 'edge.inspection', error.message, { cause: error });
  if (code === 'service.rejected') {
    const text = 'the device does not offer this service: it rejected the request';
    return new EnerchainError('unsupported', 'edge.iec61850.service', text, { cause: error });
  }
  const name = typeof code === 'string' ? code : 'edge.inspection';
  return new EnerchainError(fault as Fault, name, error.message, { cause: error });
}

const textOf = (value: Plain | undefined): string | undefined =>
  typeof value === 'string' && value !== '' ? value : typeof value === 'number' ? String(value) : undefined;
const countOf = (value: Plain | undefined): number | undefined => {
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : undefined;
};
const flagOf = (value: Plain | undefined): boolean | undefined => (typeof value === 'boolean' ? value : undefined);
const fieldsOf = (value: Plain): Readonly<Record<string, Plain>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, Plain>>)
    : { value };

/** Left out where there is nothing to say. */
function optional<K extends string>(key: K, value: Plain | undefined): { readonly [P in K]?: string } {
  const text = textOf(value);
  return (text === undefined ? {} : { [key]: text.slice(0, LONGEST) }) as { readonly [P in K]?: string };
}
function optionalCount<K extends string>(key: K, value: Plain | undefined): { readonly [P in K]?: number } {
  const count = countOf(value);
  return (count === undefined ? {} : { [key]: count }) as { readonly [P in K]?: number };
}
function optionalFlag<K extends string>(key: K, value: Plain | undefined): { readonly [P in K]?: boolean } {
  const flag = flagOf(value);
  return (flag === undefined ? {} : { [key]: flag }) as { readonly [P in K]?: boolean };
}

/** Name plates, and what a node for the time says, where the type has them. */
function plateItems(device: string, { name, ln, type }: LogicalNode): InspectedReference[] {
  const has = (object: string) => type?.objects.some((each) => each.name === object);
  const at = (object: string, fc: 'DC' | 'ST') => ({ reference: `${device}/${name}.${object}`, fc });
  if (ln.lnClass === 'LLN0') return has('NamPlt') ? [at('NamPlt', 'DC')] : [];
  if (ln.lnClass === 'LPHD') return has('PhyNam') ? [at('PhyNam', 'DC')] : [];
  if (ln.lnClass !== 'LTMS') return [];
  return ['TmSyn', 'TmSrc', 'TmAcc'].filter(has).map((object) => at(object, 'ST'));
}

/** IEC 61850-7-4 § 5.3.12: TmSyn is 0 or 1 for a clock of its own or of the station, 2 for one of the world (61850-9-3). */
function clockOf(
  synchronized: Readonly<Record<string, Plain>> | undefined,
  source: Readonly<Record<string, Plain>> | undefined,
  accuracy: Readonly<Record<string, Plain>> | undefined,
): IedIdentity['clock'] | undefined {
  if (!synchronized && !source && !accuracy) return undefined;
  const state = countOf(synchronized?.stVal);
  return {
    ...(state === undefined ? {} : { synchronized: state > 0 }),
    ...optional('source', source?.stVal),
    ...optional('accuracy', accuracy?.stVal),
  };
}

function flatTypes({ types }: InspectedModel): Pick<IedModelView, 'types' | 'enumerations'> {
  const enumerations: Record<string, [number, string][]> = {};
  const known = new Map<string, string>();
  const enumeration = (words: Readonly<Record<string, string>>): string => {
    const key = JSON.stringify(words);
    let id = known.get(key);
    if (id === undefined) {
      id = `E${known.size + 1}`;
      known.set(key, id);
      enumerations[id] = Object.entries(words).map(([value, word]) => [Number(value), word]);
    }
    return id;
  };
  const attributesOf = (attributes: readonly InspectedAttribute[], path: string): ModelAttribute[] =>
    attributes.flatMap(({ name, fc, bType, parts, words, count }) => {
      const own = path === '' ? name : `${path}.${name}`;
      if (parts && parts.length > 0) return attributesOf(parts, own);
      return [
        {
          name: own,
          fc,
          type: bType,
          ...(words ? { enumeration: enumeration(words) } : {}),
          ...(count ? { count } : {}),
        },
      ];
    });
  const objectsOf = (objects: readonly InspectedObject[], path: string): ModelObject[] =>
    objects.flatMap(({ name, cdc, desc, objects: inner = [], attributes = [] }) => {
      const own = path === '' ? name : `${path}.${name}`;
      const object = { name: own, cdc, ...optional('description', desc), attributes: attributesOf(attributes, '') };
      return [object, ...objectsOf(inner, own)];
    });
  const flat = Object.entries(types).map(([id, objects]) => [id, objectsOf(objects, '')] as const);
  return { types: Object.fromEntries(flat), enumerations };
}

function inputOf(ref: ExtRef): ModelInput {
  const node = ref.lnClass === undefined ? '' : `/${nodeName(ref.prefix, ref.lnClass, ref.lnInst)}`;
  const names = [ref.doName, ref.daName].filter((name) => name !== undefined && name !== '').join('.');
  return {
    from: `${ref.iedName ?? ''}${ref.ldInst ?? ''}${node}${names === '' ? '' : `.${names}`}`,
    ...optional('service', ref.serviceType ?? ref.pServT),
    ...optional('block', ref.srcCBName),
    ...optional('to', ref.intAddr),
  };
}

/** The data sets of an IED, and who takes something of them. */
export function dataSetsOf(model: IedModel, station: readonly IedModel[]): ModelDataSet[] {
  const takers = takersOf(model.ied.name, station);
  return model.devices.flatMap(({ name: device, inst, nodes }) =>
    nodes.flatMap(({ name: node, ln }) =>
      ln.dataSets.map((set) => {
        const blocks = [...ln.reportControls, ...ln.gseControls, ...ln.sampledValueControls, ...ln.logControls];
        const carriers = new Set(blocks.filter(({ datSet }) => datSet === set.name).map(({ name }) => name));
        const subscribers = new Set<string>();
        const members = set.fcdas.map((fcda) => {
          const at = nodeName(fcda.prefix, fcda.lnClass, fcda.lnInst);
          const names = namesOf(fcda).join('.');
          for (const { ied, block } of takers.get(`${fcda.ldInst || inst}/${at}.${fcda.doName}`) ?? []) {
            if (block === undefined || carriers.has(block)) subscribers.add(ied);
          }
          const ld = model.devices.find((each) => each.inst === fcda.ldInst)?.name ?? device;
          return { reference: `${ld}/${at}${names === '' ? '' : `.${names}`}`, fc: fcda.fc };
        });
        return { reference: `${device}/${node}.${set.name}`, members, subscribers: [...subscribers].sort() };
      }),
    ),
  );
}

type Taker = { readonly ied: string; readonly block: string | undefined };

/** By device, node and data object, who takes it. */
function takersOf(ied: string, station: readonly IedModel[]): Map<string, Taker[]> {
  const takers = new Map<string, Taker[]>();
  for (const other of station) {
    if (other.ied.name === ied) continue;
    for (const ref of other.devices.flatMap(({ nodes }) => nodes).flatMap(({ ln }) => ln.inputs?.extRefs ?? [])) {
      if (ref.iedName !== ied || ref.lnClass === undefined || ref.doName === undefined) continue;
      const key = `${ref.ldInst ?? ''}/${nodeName(ref.prefix, ref.lnClass, ref.lnInst)}.${ref.doName}`;
      const known = takers.get(key) ?? [];
      known.push({ ied: other.ied.name, block: ref.srcCBName });
      takers.set(key, known);
    }
  }
  return takers;
}

const TRIGGERS = ['dchg', 'qchg', 'dupd', 'integrity', 'gi'] as const;

/** TrgOps: bit 0 is reserved. */
const triggersOf = (value: Plain | undefined): string[] | undefined =>
  typeof value === 'string' && /^[01]+$/.test(value)
    ? TRIGGERS.filter((_, index) => value[index + 1] === '1')
    : undefined;

/** `BCU1CTRL/LLN0$Events` as devices say it. */
const dotted = (value: Plain | undefined): string | undefined => textOf(value)?.replaceAll('$', '.');

/** Octets of an address, hex, as it is written; undefined when nobody has the block. */
function ownerOf(value: Plain | undefined): string | undefined {
  const hex = textOf(value);
  if (hex === undefined || /^0*$/.test(hex)) return undefined;
  if (/^[0-9a-f]{8}$/i.test(hex)) return Buffer.from(hex, 'hex').join('.');
  if (/^[0-9a-f]{32}$/i.test(hex))
    return (hex.match(/.{4}/g) ?? []).map((part) => part.replace(/^0{1,3}/, '')).join(':');
  return hex;
}

function reportBlock({
  reference,
  kind,
  dataSet,
  confRev,
  use,
  now = {},
  error,
}: InspectedControlBlock): ReportBlockView {
  const triggers = triggersOf(now.TrgOps);
  const reserved =
    kind === 'URCB' ? flagOf(now.Resv) : now.ResvTms === undefined ? undefined : countOf(now.ResvTms) !== 0;
  return {
    reference,
    buffered: kind === 'BRCB',
    ...optionalFlag('enabled', now.RptEna),
    ...optional('owner', ownerOf(now.Owner)),
    ...(reserved === undefined ? {} : { reserved }),
    ours: use?.state === 'subscribed',
    ...optional('reportId', now.RptID),
    ...optional('dataSet', dotted(now.DatSet) ?? dataSet),
    ...optionalCount('confRev', now.ConfRev),
    ...optionalCount('expected', confRev),
    ...(triggers ? { triggers } : {}),
    ...optionalCount('bufferTime', now.BufTm),
    ...optionalCount('integrityPeriod', now.IntgPd),
    ...optional('entry', use?.entryId ?? (kind === 'BRCB' ? now.EntryID : undefined)),
    ...optional('lastReport', use?.lastReport),
    ...optionalCount('reports', use?.reports),
    ...optional('problem', use?.state === 'failed' ? (use.detail ?? 'could not be had') : error),
  };
}

function logBlock({ reference, dataSet, now = {}, error }: InspectedControlBlock): LogBlockView {
  const triggers = triggersOf(now.TrgOps);
  return {
    reference,
    ...optionalFlag('enabled', now.LogEna),
    ...optional('log', dotted(now.LogRef)),
    ...optional('dataSet', dotted(now.DatSet) ?? dataSet),
    ...(triggers ? { triggers } : {}),
    ...optional('oldest', now.OldEntrTm),
    ...optional('newest', now.NewEntrTm),
    ...optional('problem', error),
  };
}

function settingGroup({ reference, now = {}, error }: InspectedControlBlock): SettingGroupView {
  return {
    reference,
    ...optionalCount('groups', now.NumOfSG),
    ...optionalCount('active', now.ActSG),
    ...optionalCount('edited', now.EditSG),
    ...optional('since', now.LActTm),
    ...optional('problem', error),
  };
}

function publisher({ reference, kind, dataSet, confRev, now = {}, error }: InspectedControlBlock): PublisherView {
  const address = fieldsOf(now.DstAddress ?? {});
  return {
    reference,
    kind: kind === 'GoCB' ? 'goose' : 'sv',
    ...optionalFlag('enabled', now.GoEna ?? now.SvEna),
    ...optional('id', now.GoID ?? now.MsvID ?? now.UsvID),
    ...optional('dataSet', dotted(now.DatSet) ?? dataSet),
    ...optionalCount('confRev', now.ConfRev),
    ...optionalCount('expected', confRev),
    ...optionalFlag('needsCommissioning', now.NdsCom),
    ...optional('destination', macOf(address.Addr)),
    ...optionalCount('appId', address.APPID),
    ...optionalCount('vlan', address.VID),
    ...optional('problem', error),
  };
}

const macOf = (value: Plain | undefined): string | undefined => textOf(value)?.toUpperCase().match(/../g)?.join('-');

/** GeneralizedTime as ISO 8601, or as it came when it is none. */
function isoOf(text: string): string {
  const millis = millisOfGeneralizedTime(text);
  return millis === undefined ? text.slice(0, 60) : new Date(millis).toISOString();
}
