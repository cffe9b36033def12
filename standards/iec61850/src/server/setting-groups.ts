/**
 * The setting groups of a logical device (IEC 61850-7-2 § 16, mapped by 8-1 § 16): one group is in effect (SG), a copy of
 * one may be edited (SE) by one association at a time, and comes into its group as a whole or not at all.
 */
import { type Data, utcTimeFromMillis } from '@enerchain/mms';
import type { Clock } from '@enerchain/transport';
import { fits, initialData } from '../mapping/basic-types.ts';
import { Variable } from '../mapping/variables.ts';
import { configuredValue, type LogicalNode } from '../scl/model.ts';
import type { SettingControl } from '../scl/schema/ied.ts';
import type { Access, AcsiService } from './access.ts';
import type { BlockClient, ControlBlock, Refusal } from './control-block.ts';
import type { Domain } from './model.ts';

/** The settings of a logical device. */
export interface SettingGroupState {
  /** The group in effect, counted from 1. */
  readonly active: number;
  /** Values of each group by reference below the device: `PTOC1.StrVal.setMag.f`. */
  readonly groups: readonly Readonly<Record<string, Data>>[];
}

/** Where settings outlast a restart. */
export interface SettingGroupStore {
  /** What was saved of a device; undefined when nothing was. Values that the device does not have, or of another kind, are left out. */
  load(device: string): SettingGroupState | undefined;
  /** Called before a change takes effect; when it fails, the client is told so and nothing changes. */
  save(device: string, state: SettingGroupState): Promise<void> | void;
}

/** A change that a client wants. */
export interface SettingGroupChange {
  readonly kind: 'activate' | 'confirm';
  /** Name of the logical device. */
  readonly device: string;
  readonly group: number;
  /** What the group has afterwards. */
  readonly values: Readonly<Record<string, Data>>;
}

export interface SettingGroupOptions {
  readonly store?: SettingGroupStore;
  /** Whether the process can do with it: interlocking, plausibility. @returns whether it may */
  readonly check?: (change: SettingGroupChange) => boolean;
  /** Values in effect are others now. */
  readonly onChange?: (change: SettingGroupChange) => void;
}

export interface SettingGroupPorts {
  readonly clock: Clock;
  readonly access: Access;
  readonly options: SettingGroupOptions;
  readonly apply: (set: readonly { readonly variable: Variable; readonly data: Data }[]) => void;
  readonly onError: (error: unknown) => void;
}

interface Setting {
  /** `PTOC1.StrVal.setMag.f`. */
  readonly reference: string;
  readonly active: Variable;
  /** Undefined for one that can be seen, not edited. */
  readonly edited: Variable | undefined;
  readonly bounds: { readonly min: Variable; readonly max: Variable } | undefined;
}

/** One association edits one group. */
interface Editing {
  readonly client: BlockClient;
  readonly group: number;
  cancelTimer: () => void;
}

/** Seconds that a client may take between two steps of editing where the file does not say. */
const RESERVED_SECONDS = 300;
const MAX_GROUPS = 255;

export class SettingGroups implements ControlBlock<BlockClient> {
  readonly variable: Variable;
  readonly #device: string;
  readonly #ports: SettingGroupPorts;
  readonly #settings: readonly Setting[];
  readonly #byEdited: ReadonlyMap<Variable, Setting>;
  readonly #reserved: number;
  /** Values of each group, in the order of the settings. */
  readonly #groups: (readonly Data[])[];
  #edit: Editing | undefined;
  /** The store is at work: nothing else changes meanwhile. */
  #saving = false;

  constructor(domain: Domain, scl: SettingControl, ports: SettingGroupPorts) {
    this.#device = domain.name;
    this.#ports = ports;
    this.#reserved = scl.resvTms || RESERVED_SECONDS;
    const nodes = domain.device.nodes.map((node) => ({ node, root: domain.nodes.get(node.name)! }));
    const found = nodes.flatMap(({ node, root }) => settingsOf(node, root));
    this.#settings = found.map(({ setting }) => setting);
    this.#byEdited = new Map(this.#settings.flatMap((setting) => (setting.edited ? [[setting.edited, setting]] : [])));
    const count = Math.min(Math.max(scl.numOfSGs, 1), MAX_GROUPS);
    const saved = ports.options.store?.load(domain.name);
    this.#groups = Array.from({ length: count }, (_, index) =>
      found.map(({ setting: { reference }, initial }) => {
        const first = initial(index + 1);
        const kept = saved?.groups[index]?.[reference];
        return kept !== undefined && fits(kept, first) ? kept : first;
      }),
    );
    const active = inRange(saved?.active ?? scl.actSG, count) ? (saved?.active ?? scl.actSG) : 1;
    this.variable = this.#block(domain.nodes.get('LLN0')!, count, active, scl.resvTms);
    this.#settings.forEach(({ active: sg, edited }, index) => {
      sg.data = this.#groups[active - 1]![index]!;
      if (edited) edited.data = sg.data;
    });
  }

  #block(lln0: Variable, count: number, active: number, reserved: number | undefined): Variable {
    const block = new Variable('SGCB', lln0.part('SP') ?? new Variable('SP', lln0, { fc: 'SP' }));
    const number = (name: string, value: number, size = 8): void =>
      void new Variable(name, block, { type: { kind: 'unsigned', value: size }, value: { kind: 'unsigned', value } });
    number('NumOfSG', count);
    number('ActSG', active);
    number('EditSG', 0);
    new Variable('CnfEdit', block, {
      type: { kind: 'boolean', value: null },
      value: { kind: 'boolean', value: false },
    });
    new Variable('LActTm', block, { type: { kind: 'utcTime', value: null }, value: this.#now() });
    // Edition 1 has none.
    if (reserved !== undefined) number('ResvTms', this.#reserved, 16);
    return block;
  }

  #now(): Data {
    return { kind: 'utcTime', value: utcTimeFromMillis(this.#ports.clock.now()) };
  }

  get #active(): number {
    return Number(this.variable.part('ActSG')!.data.value);
  }

  #set(part: string, data: Data): void {
    this.variable.part(part)!.data = data;
  }

  write(part: string, value: Data, client: BlockClient): Refusal | undefined | Promise<Refusal | undefined> {
    switch (part) {
      case 'ActSG':
        return this.#activate(Number(value.value), client);
      case 'EditSG':
        return this.#selectEdit(Number(value.value), client);
      case 'CnfEdit':
        return value.value === true ? this.#confirm(client) : undefined;
      default:
        return 'object-access-denied';
    }
  }

  lost(client: BlockClient): void {
    if (this.#edit?.client === client) this.#release();
  }

  /** Whether a client may read what is under SE: it edits. */
  shows(client: BlockClient): boolean {
    return this.#edit?.client === client;
  }

  /** Values under SE, all or none. @returns why not */
  setValues(
    set: readonly { readonly variable: Variable; readonly data: Data }[],
    client: BlockClient,
  ): Refusal | undefined {
    const edit = this.#edit;
    for (const { variable, data } of set) {
      const setting = this.#byEdited.get(variable);
      if (!setting || !this.#allows(client, 'SetEditSGValue', setting.reference)) return 'object-access-denied';
      if (!within(data, setting.bounds)) return 'object-value-invalid';
    }
    if (!edit || edit.client !== client || this.#saving) return 'temporarily-unavailable';
    for (const { variable, data } of set) variable.data = data;
    this.#arm(edit);
    return undefined;
  }

  #allows(client: BlockClient, service: AcsiService, below = 'LLN0.SGCB'): boolean {
    return this.#ports.access.allows(client.identity, service, `${this.#device}/${below}`);
  }

  #activate(group: number, client: BlockClient): Refusal | undefined | Promise<Refusal | undefined> {
    return this.#allows(client, 'SelectActiveSG') ? this.activate(group) : 'object-access-denied';
  }

  /** Puts a group into effect. @returns why not */
  activate(group: number): Refusal | undefined | Promise<Refusal | undefined> {
    if (!inRange(group, this.#groups.length)) return 'object-value-invalid';
    return this.#commit('activate', group, this.#groups[group - 1]!, () => {
      this.#set('ActSG', { kind: 'unsigned', value: group });
      this.#set('LActTm', this.#now());
    });
  }

  #selectEdit(group: number, client: BlockClient): Refusal | undefined {
    if (!this.#allows(client, 'SelectEditSG')) return 'object-access-denied';
    if (group !== 0 && !inRange(group, this.#groups.length)) return 'object-value-invalid';
    if ((this.#edit && this.#edit.client !== client) || this.#saving) return 'temporarily-unavailable';
    this.#release();
    if (group === 0) return undefined;
    const edit = { client, group, cancelTimer: () => {} };
    this.#edit = edit;
    this.#arm(edit);
    this.#set('EditSG', { kind: 'unsigned', value: group });
    this.#fill(group);
    return undefined;
  }

  #confirm(client: BlockClient): Refusal | undefined | Promise<Refusal | undefined> {
    if (!this.#allows(client, 'ConfirmEditSGValues')) return 'object-access-denied';
    if (this.#edit?.client !== client) return 'temporarily-unavailable';
    const { group } = this.#edit;
    const values = this.#settings.map(({ edited }, index) => edited?.data ?? this.#groups[group - 1]![index]!);
    return this.#commit('confirm', group, values, () => this.#release());
  }

  /** Saves, then lets it take effect. */
  #commit(
    kind: SettingGroupChange['kind'],
    group: number,
    values: readonly Data[],
    done: () => void,
  ): Refusal | undefined | Promise<Refusal | undefined> {
    if (this.#saving) return 'temporarily-unavailable';
    const { check, store, onChange } = this.#ports.options;
    const change = { kind, device: this.#device, group, values: this.#named(values) };
    if (check && !check(change)) return 'object-value-invalid';
    const active = kind === 'activate' ? group : this.#active;
    const take = (): undefined => {
      this.#saving = false;
      this.#groups[group - 1] = values;
      done();
      if (group === active)
        this.#ports.apply(this.#settings.map(({ active: variable }, index) => ({ variable, data: values[index]! })));
      if (!this.#edit) this.#fill(active);
      if (group === active) onChange?.(change);
    };
    const failed = (error: unknown): Refusal => {
      this.#saving = false;
      this.#ports.onError(error);
      return 'hardware-fault';
    };
    this.#saving = true;
    try {
      const groups = this.#groups.map((own, index) => this.#named(index === group - 1 ? values : own));
      const saved = store?.save(this.#device, { active, groups });
      if (saved instanceof Promise) return saved.then(take, failed);
    } catch (error) {
      return failed(error);
    }
    return take();
  }

  #named(values: readonly Data[]): Record<string, Data> {
    return Object.fromEntries(this.#settings.map(({ reference }, index) => [reference, values[index]!]));
  }

  #arm(edit: Editing): void {
    edit.cancelTimer();
    edit.cancelTimer = this.#ports.clock.schedule(this.#reserved * 1000, () => this.#release());
  }

  /** What was not confirmed is gone. */
  #release(): void {
    if (!this.#edit) return;
    this.#edit.cancelTimer();
    this.#edit = undefined;
    this.#set('EditSG', { kind: 'unsigned', value: 0 });
    this.#fill(this.#active);
  }

  /** Puts a copy of a group under SE. */
  #fill(group: number): void {
    this.#settings.forEach(({ edited }, index) => {
      if (edited) edited.data = this.#groups[group - 1]![index]!;
    });
  }
}

const inRange = (group: number, count: number): boolean => Number.isInteger(group) && group >= 1 && group <= count;

function settingsOf(
  node: LogicalNode,
  root: Variable,
): { readonly setting: Setting; readonly initial: (group: number) => Data }[] {
  return [...(root.part('SG')?.values() ?? [])].map((active) => {
    const below = active.item.split('$').slice(2);
    const edited = root.find(['SE', ...below]);
    // Elements of an array share the value that the file gives.
    const names: string[] = [];
    for (let at: Variable | undefined = active; at?.parent?.parent; at = at.parent)
      if (!at.parent.isArray) names.unshift(at.name);
    return {
      setting: {
        reference: `${node.name}.${below.join('.')}`,
        active,
        edited,
        bounds: edited && boundsOf(root, below),
      },
      initial: (group) => initialData(active.attribute!, configuredValue(node, names, group)),
    };
  });
}

/** `minVal` and `maxVal` beside `setMag` or `setVal`, with the same parts (7-3 § 7.6). */
function boundsOf(root: Variable, below: readonly string[]): Setting['bounds'] {
  const at = below.findIndex((name) => name === 'setMag' || name === 'setVal');
  if (at < 0) return undefined;
  const bound = (name: string): Variable | undefined =>
    root.find(['CF', ...below.slice(0, at), name, ...below.slice(at + 1)]);
  const [min, max] = [bound('minVal'), bound('maxVal')];
  return min?.isValue && max?.isValue ? { min, max } : undefined;
}

/** Bounds that nobody has set bind nobody. */
function within({ value }: Data, bounds: Setting['bounds']): boolean {
  if (!bounds) return true;
  const [min, max] = [Number(bounds.min.data.value), Number(bounds.max.data.value)];
  return !(max > min) || (Number(value) >= min && Number(value) <= max);
}
