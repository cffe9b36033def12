/**
 * An IED: an MMS server of its part of the SCD, and what every device has, whatever it is for: values that are told when they
 * change, dead bands, behaviour by logical device, health, time.
 */
import {
  type AccessDecision,
  type ControlHandler,
  codeOf,
  FolderStore,
  type FunctionalConstraint,
  find,
  Iec61850Server,
  type IedModel,
  type LogicalDevice,
  type LogicalNode,
  MemoryLog,
  ORIGINATOR_CATEGORIES,
  SettingsFile,
  sameData,
} from '@enerchain/iec61850';
import type { Data } from '@enerchain/mms';
import { EnerchainError } from '@enerchain/model';
import type { Clock } from '@enerchain/transport';
import { bool, float, type Quality, quality, text, timestamp, whole } from './values.ts';

/** BehaviourModeKind (IEC 61850-7-4 § 6.8). */
const BEHAVIOURS = ['on', 'blocked', 'test', 'test/blocked', 'off'] as const;
export type Behaviour = (typeof BEHAVIOURS)[number];

/** Synchronised to the time of the station (TimeSyncKind). */
const LOCAL_AREA_CLOCK = 2;
/** What a control centre that is away finds when it comes back. */
const BUFFER = { entries: 2_000, octets: 256 << 10 };

/** Of each log. */
const LOG = { entries: 500, octets: 128 << 10 };

/** Whoever reaches the lab may engineer it; what is evidence stays: records and logs. */
const mayEngineer: AccessDecision = ({ service, right }) =>
  service !== 'ClearLog' && right !== 'file-write' && right !== 'file-management';

export interface IedOptions {
  readonly clock: Clock;
  readonly host: string;
  readonly port: number;
  readonly onError: (error: unknown) => void;
  /** A logical device behaves otherwise, or has other settings now: everything is to be looked at again. */
  readonly onChange: () => void;
  /** Folder of the files that clients see; none when it is left out. */
  readonly folder?: string;
  /** File of its settings, which then outlast a restart. */
  readonly settings?: string;
}

interface Known {
  readonly values: Readonly<Record<string, Data>>;
  readonly quality: Data;
}

export class Ied {
  readonly name: string;
  readonly model: IedModel;
  readonly server: Iec61850Server;
  readonly #options: IedOptions;
  /** By `CTRL/Q0XCBR1.Pos`. */
  readonly #known = new Map<string, Known>();
  readonly #behaviours = new Map<string, Behaviour>();
  readonly #controls: Record<string, ControlHandler> = {};
  /** Told each update: by GOOSE it goes on. */
  onUpdate: (reference: string, values: Readonly<Record<string, Data>>) => void = () => {};

  /** @param controls by `CTRL/Q0CSWI1.Pos` */
  constructor(model: IedModel, controls: Readonly<Record<string, ControlHandler>>, options: IedOptions) {
    this.name = model.ied.name;
    this.model = model;
    this.#options = options;
    for (const { inst } of model.devices) {
      this.#behaviours.set(inst, 'on');
      if (this.has(`${inst}/LLN0.Mod.Oper`))
        this.#controls[this.reference(`${inst}/LLN0.Mod`)] = this.#withOrigin(`${inst}/LLN0.Mod`, this.#modeOf(inst));
    }
    for (const [object, handler] of Object.entries(controls))
      this.#controls[this.reference(object)] = this.#withOrigin(object, handler);
    const { clock, host, port, onError, onChange, folder, settings } = options;
    this.server = new Iec61850Server(model, {
      host,
      port,
      clock,
      onError,
      controls: this.#controls,
      buffer: BUFFER,
      log: () => new MemoryLog(LOG, Math.floor(clock.now() / 1000)),
      access: mayEngineer,
      settingGroups: { onChange, ...(settings === undefined ? {} : { store: new SettingsFile(settings) }) },
      ...(folder === undefined ? {} : { files: { store: new FolderStore(folder) } }),
      maxConnections: 8,
      identity: { vendor: 'CloudEnerChain', model: `Lab ${model.ied.type ?? 'IED'}`, revision: '1' },
    });
    this.#start();
  }

  /** As a client knows it. @param object `CTRL/Q0XCBR1.Pos` */
  reference(object: string): string {
    const at = object.indexOf('/');
    const device = this.model.devices.find(({ inst }) => inst === object.slice(0, at));
    if (!device) throw missing(`${this.name} has no logical device for ${object}`);
    return `${device.name}${object.slice(at)}`;
  }

  device(inst: string): LogicalDevice | undefined {
    return this.model.devices.find((device) => device.inst === inst);
  }

  /** Logical nodes of a class, wherever they are, with their place: `PROT/PTOC1`. */
  *nodes(lnClass: string): Generator<{ readonly at: string; readonly node: LogicalNode }> {
    for (const { inst, nodes } of this.model.devices)
      for (const node of nodes) if (node.ln.lnClass === lnClass) yield { at: `${inst}/${node.name}`, node };
  }

  /** @param fc under this constraint; any when it is left out */
  has(object: string, fc?: FunctionalConstraint): boolean {
    const [at, name] = [object.slice(0, object.indexOf('.')), object.slice(object.indexOf('.') + 1)];
    const [inst, node] = at.split('/');
    const type = this.device(inst!)?.nodes.find((each) => each.name === node)?.type;
    const place = type && find(type, name.split('.'));
    return place !== undefined && (fc === undefined || place.attributes[0]?.fc === fc);
  }

  behaviour(inst: string): Behaviour {
    return this.#behaviours.get(inst) ?? 'on';
  }

  /** A setting as it stands, of the group in effect where there are groups. @param object `PROT/PTOC1.StrVal.setMag.f` */
  setting(object: string): number {
    // What may be edited stands in the file; what is in effect beside it on the device.
    const fc = this.has(object, 'SE') ? 'SG' : 'SP';
    return Number(this.server.value(this.reference(object), fc).value);
  }

  /** A status: told when it has changed, with the time of now. @param values by name below the object */
  put(object: string, values: Readonly<Record<string, Data>>, validity: Quality = 'good'): void {
    const behaviour = this.behaviour(object.slice(0, object.indexOf('/')));
    const q = quality(behaviour === 'off' ? 'invalid' : validity, behaviour.startsWith('test'));
    const known = this.#known.get(object);
    if (
      known?.quality === q &&
      Object.entries(values).every(([name, data]) => known.values[name] && sameData(known.values[name], data))
    )
      return;
    this.#known.set(object, { values: { ...known?.values, ...values }, quality: q });
    const reference = this.reference(object);
    const update = { ...values, q, t: timestamp(this.#options.clock.now()) };
    this.server.update(reference, update);
    this.onUpdate(reference, update);
  }

  /** A quantity: `instMag` always, `mag` when it has left its dead band (IEC 61850-7-3 § 7.4.2). */
  measure(object: string, value: number, validity: Quality = 'good'): void {
    this.#quantity(object, { inst: 'instMag.f', dead: 'mag.f' }, value, validity);
  }

  /** A sampled quantity (SAV): what is measured, without dead band; nothing is reported of it. */
  sample(object: string, value: number, validity: Quality = 'good'): void {
    this.put(object, { 'instMag.f': float(value) }, validity);
  }

  /** A phasor of one phase: magnitude and angle. @param degrees told along with the magnitude */
  phasor(object: string, magnitude: number, degrees: number, validity: Quality = 'good'): void {
    this.#quantity(object, { inst: 'instCVal.mag.f', dead: 'cVal.mag.f' }, magnitude, validity, {
      'cVal.ang.f': float(degrees),
      'instCVal.ang.f': float(degrees),
    });
  }

  #quantity(
    object: string,
    { inst, dead }: { readonly inst: string; readonly dead: string },
    value: number,
    validity: Quality,
    beside: Readonly<Record<string, Data>> = {},
  ): void {
    const last = this.#known.get(object)?.values[dead];
    const zero = (value === 0) !== (last?.value === 0);
    if (!last || zero || Math.abs(Number(last.value) - value) >= this.#deadBand(object))
      this.put(object, { [inst]: float(value), ...beside, [dead]: float(value) }, validity);
    else {
      this.server.update(this.reference(object), { [inst]: float(value) });
      this.put(object, { [dead]: last }, validity);
    }
  }

  /** `db` is in thousandths of a percent of the range. */
  #deadBand(object: string): number {
    const of = (name: string): number => Number(this.server.value(this.reference(`${object}.${name}`), 'CF').value);
    return (of('db') * (of('rangeC.max.f') - of('rangeC.min.f'))) / 100_000;
  }

  /** What is true of every device that has just been switched on. */
  #start(): void {
    for (const { inst, nodes } of this.model.devices) {
      for (const { name } of nodes) {
        if (this.has(`${inst}/${name}.Beh`)) this.put(`${inst}/${name}.Beh`, { stVal: whole(1) });
        if (this.has(`${inst}/${name}.Health`)) this.put(`${inst}/${name}.Health`, { stVal: whole(1) });
        if (this.has(`${inst}/${name}.EEHealth`)) this.put(`${inst}/${name}.EEHealth`, { stVal: whole(1) });
        if (this.has(`${inst}/${name}.Mod`)) this.put(`${inst}/${name}.Mod`, { stVal: whole(1) });
      }
    }
    this.put('LD0/LPHD1.PhyHealth', { stVal: whole(1) });
    this.put('LD0/LPHD1.Proxy', { stVal: bool(false) });
    this.put('LD0/LTMS1.TmSrc', { stVal: text('station clock') });
    this.put('LD0/LTMS1.TmSyn', { stVal: whole(LOCAL_AREA_CLOCK) });
  }

  /** Who operated it last stands beside its status (IEC 61850-7-3 § 7.5). */
  #withOrigin(object: string, { check, operate }: ControlHandler): ControlHandler {
    return {
      ...(check === undefined ? {} : { check }),
      operate: (request, signal) => {
        const { category, identification } = request.origin;
        this.server.update(this.reference(object), {
          'origin.orCat': whole(ORIGINATOR_CATEGORIES.indexOf(category)),
          'origin.orIdent': { kind: 'octetString', value: identification },
          ctlNum: { kind: 'unsigned', value: request.ctlNum },
        });
        return operate(request, signal);
      },
    };
  }

  /** Mod of a logical device: its nodes behave like it, and their values say when they are for test only. */
  #modeOf(inst: string): ControlHandler {
    return {
      check: ({ ctlVal }) => (BEHAVIOURS[Number(ctlVal.value) - 1] ? undefined : 'inconsistent-parameters'),
      operate: ({ ctlVal }) => {
        const number = Number(ctlVal.value);
        this.#behaviours.set(inst, BEHAVIOURS[number - 1]!);
        this.put(`${inst}/LLN0.Mod`, { stVal: whole(number) });
        for (const { name } of this.device(inst)?.nodes ?? [])
          if (this.has(`${inst}/${name}.Beh`)) this.put(`${inst}/${name}.Beh`, { stVal: whole(number) });
        this.#known.forEach(({ values }, object) => {
          if (object.startsWith(`${inst}/`)) this.put(object, values);
        });
        this.#options.onChange();
        return undefined;
      },
    };
  }
}

/** The two bits of a double point or step command, as a number. */
export const codeOfData = (data: Data): number => (data.kind === 'bitString' ? codeOf(data.value) : Number(data.value));

export const missing = (what: string): EnerchainError => new EnerchainError('local', 'lab.scd', what);
