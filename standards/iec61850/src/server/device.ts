/** The state of a served IED: its values, control blocks and controllable objects, and how a change finds the reports it belongs in. */
import type { Data, MmsServerSession, ObjectName } from '@enerchain/mms';
import type { Clock } from '@enerchain/transport';
import { Iec61850Error } from '../error.ts';
import { fits, sameData } from '../mapping/basic-types.ts';
import { Variable } from '../mapping/variables.ts';
import { type IedModel, instancesOf, nodeName } from '../scl/model.ts';
import type { FunctionalConstraint, LogControl } from '../scl/schema/ied.ts';
import type { Access } from './access.ts';
import type { ControlHandler, ControlObject } from './control.ts';
import type { ControlBlock, DataSetMembers, DataSetUser, MemberChange } from './control-block.ts';
import { controlObjects } from './control-objects.ts';
import { LogControlBlock } from './logs/log-control.ts';
import type { LogStore } from './logs/store.ts';
import { type Domain, domainsOf, listNameOf, type NamedList } from './model.ts';
import { type ReportClient, ReportControlBlock } from './report-control.ts';
import { type SettingGroupOptions, SettingGroups } from './setting-groups.ts';
import { type Change, Substitutions } from './substitution.ts';

/** A client's association with what it has defined of its own. */
export interface Client extends ReportClient {
  readonly session: MmsServerSession;
  readonly lists: Map<string, NamedList>;
}

export interface DevicePorts {
  readonly clock: Clock;
  readonly access: Access;
  readonly controls: Readonly<Record<string, ControlHandler>>;
  readonly buffer: { readonly entries: number; readonly octets: number };
  readonly settingGroups: SettingGroupOptions;
  /** @param reference `BCU1CTRL/LLN0$EventLog` */
  readonly log: (reference: string) => LogStore;
  readonly onError: (error: unknown) => void;
}

/** Who hears of a value, as which member of its data set. */
interface Listener {
  readonly user: DataSetUser;
  readonly index: number;
}

export class Device {
  readonly domains: ReadonlyMap<string, Domain>;
  readonly blocks = new Map<Variable, ControlBlock<Client>>();
  readonly controls = new Map<Variable, ControlObject>();
  /** By logical device. */
  readonly settingGroups = new Map<string, SettingGroups>();
  /** By `BCU1CTRL/LLN0$EventLog`. */
  readonly logs = new Map<string, LogStore>();
  readonly #ports: DevicePorts;
  readonly #substitutions: Substitutions;
  readonly #users: DataSetUser[] = [];
  readonly #logControls = new Map<Variable, LogControlBlock<Client>>();
  /** Attributes by the reference of an object and the name below it. */
  readonly #attributes = new Map<string, Map<string, Variable>>();
  /** Which members of which data sets in use a value belongs to. */
  readonly #listeners = new Map<Variable, Map<DataSetUser, number>>();
  /** The same of a value and all it is part of, found once each. */
  readonly #heard = new Map<Variable, readonly Listener[]>();

  constructor(model: IedModel, ports: DevicePorts) {
    this.#ports = ports;
    this.domains = domainsOf(model);
    const { clock, controls: handlers } = ports;
    for (const domain of this.domains.values()) {
      this.#addReportControls(domain, model);
      this.#addLogs(domain);
      this.#addSettingGroups(domain);
      const own = controlObjects(domain, { clock, handlers, apply: (set) => this.apply(set) });
      for (const [variable, control] of own) this.controls.set(variable, control);
    }
    for (const domain of this.domains.values()) this.#addLogControls(domain);
    this.#substitutions = new Substitutions(this.domains.values(), () => clock.now());
    for (const block of this.blocks.values())
      if (block instanceof ReportControlBlock || block instanceof LogControlBlock) block.begin();
  }

  /** An association has ended. */
  lost(client: Client): void {
    for (const block of this.blocks.values()) block.lost(client);
    for (const control of this.controls.values()) control.lost(client);
  }

  /** By the name clients use. */
  variable(name: ObjectName): Variable | undefined {
    const variable = name.kind === 'domain' ? this.domains.get(name.value.domain)?.find(name.value.item) : undefined;
    // What the log control blocks say of their logs is theirs, and is looked up when it is read.
    if (variable && (variable.fc === undefined || variable.fc === 'LG'))
      for (const block of this.#logControls.values()) block.refresh();
    return variable;
  }

  /** Whether a data set is in use, and has to stay. */
  uses({ members }: NamedList): boolean {
    return this.#users.some((user) => user.enabled && user.members === members);
  }

  /** The value at a reference. @throws Iec61850Error `server.reference` (caller) */
  value(reference: string, fc: FunctionalConstraint): Data {
    return this.#at(reference, fc).data;
  }

  /**
   * Sets attributes of a data object, all at once, and lets reports follow. A value that is the same is an update, not a
   * change. @param values by name below the object: `stVal`, `mag.f`
   * @throws Iec61850Error `server.reference`, `server.value` (caller): nothing was set
   */
  update(object: string, values: Readonly<Record<string, Data>>): void {
    const set: Change[] = [];
    for (const name in values) {
      const data = values[name]!;
      const variable = this.#attribute(object, name);
      if (!fits(data, variable.data)) {
        throw new Iec61850Error(
          'caller',
          'server.value',
          `${object}.${name} takes ${variable.data.kind}, not ${data.kind}`,
        );
      }
      set.push({ variable, data });
    }
    this.apply(this.#substitutions.divert(set));
  }

  /** By its name below an object, whatever its constraint; what has been found is remembered. */
  #attribute(object: string, name: string): Variable {
    let known = this.#attributes.get(object);
    const there = known?.get(name);
    if (there) return there;
    const { domain, item } = this.#split(object);
    const [node, ...names] = item.split('.');
    const below = [...names, ...name.split('.')];
    const found = domain.nodes.get(node!)?.parts.flatMap((constraint) => constraint.find(below) ?? []) ?? [];
    // Settings come from their groups.
    const settings = this.settingGroups.has(domain.name) ? ['SG', 'SE'] : [];
    const variable =
      found.find(({ fc }) => fc === 'ST' || fc === 'MX') ?? found.find(({ fc }) => !settings.includes(fc ?? ''));
    if (!variable?.isValue)
      throw new Iec61850Error('caller', 'server.reference', `${object}.${name} is no attribute of this server`);
    if (!known) {
      known = new Map();
      this.#attributes.set(object, known);
    }
    known.set(name, variable);
    return variable;
  }

  /** Attributes that clients have written: what is substituted or blocked by them follows. */
  written(set: readonly Change[]): void {
    this.apply(set);
    if (set.some(({ variable: { fc } }) => fc === 'SV' || fc === 'BL'))
      this.apply(this.#substitutions.written(set.map(({ variable }) => variable)));
  }

  apply(set: readonly Change[]): void {
    // Few hear of one object: looked through, they cost less than a map.
    const users: DataSetUser[] = [];
    const news: MemberChange[][] = [];
    for (const { variable, data } of set) {
      const changed = !sameData(variable.data, data);
      variable.data = data;
      const trigger = variable.trigger(changed);
      if (!trigger) continue;
      for (const { user, index } of this.#listenersOf(variable)) {
        const at = users.indexOf(user);
        if (at >= 0) news[at]!.push([index, trigger]);
        else {
          users.push(user);
          news.push([[index, trigger]]);
        }
      }
    }
    for (let at = 0; at < users.length; at++) users[at]!.changed(news[at]!);
  }

  #listenersOf(variable: Variable): readonly Listener[] {
    const known = this.#heard.get(variable);
    if (known) return known;
    const found: Listener[] = [];
    for (let at: Variable | undefined = variable; at; at = at.parent)
      for (const [user, index] of this.#listeners.get(at) ?? []) found.push({ user, index });
    this.#heard.set(variable, found);
    return found;
  }

  #split(reference: string): { readonly domain: Domain; readonly item: string } {
    const slash = reference.indexOf('/');
    const domain = this.domains.get(reference.slice(0, slash));
    if (slash < 1 || !domain)
      throw new Iec61850Error('caller', 'server.reference', `${reference} is not of this server`);
    return { domain, item: reference.slice(slash + 1) };
  }

  #at(reference: string, fc: FunctionalConstraint): Variable {
    const { domain, item } = this.#split(reference);
    const [node, ...names] = item.split('.');
    const variable = domain.find([node, fc, ...names].join('$'));
    if (!variable) throw new Iec61850Error('caller', 'server.reference', `${reference} [${fc}] is not of this server`);
    return variable;
  }

  #addReportControls(domain: Domain, { ied }: IedModel): void {
    const ports = {
      clock: this.#ports.clock,
      access: this.#ports.access,
      owner: hasOwner(ied),
      dataSet: (reference: string, client: ReportClient | undefined) =>
        this.#dataSet(reference, client as Client | undefined),
      onMembers: (block: DataSetUser) => this.#listen(block),
      buffer: this.#ports.buffer,
    };
    for (const node of domain.device.nodes) {
      for (const scl of node.ln.reportControls) {
        const at = constraintOf(domain.nodes.get(node.name)!, scl.buffered ? 'BR' : 'RP');
        for (const name of instancesOf(scl)) {
          const block = new ReportControlBlock(scl, name, at, domain.name, ports);
          this.blocks.set(block.variable, block);
          this.#users.push(block);
        }
      }
    }
  }

  /** The logs that the file has, and those that a control block names without there being one. */
  #addLogs(domain: Domain): void {
    const add = (reference: string): void => {
      if (!this.logs.has(reference)) this.logs.set(reference, this.#ports.log(reference));
    };
    for (const { name, ln } of domain.device.nodes) {
      for (const log of ln.logs) add(`${domain.name}/${name}$${log.name || GENERAL_LOG}`);
      for (const scl of ln.logControls) add(this.#logOf(scl, domain));
    }
  }

  /** Where a log control block of a domain writes to: by default into LLN0 of its own device. */
  #logOf(scl: LogControl, domain: Domain): string {
    const { ldInst, prefix, lnClass, lnInst, logName } = scl;
    const at = [...this.domains.values()].find(({ device }) => device.inst === ldInst) ?? domain;
    return `${at.name}/${nodeName(prefix, lnClass, lnInst)}$${logName || GENERAL_LOG}`;
  }

  #addLogControls(domain: Domain): void {
    const ports = {
      clock: this.#ports.clock,
      access: this.#ports.access,
      dataSet: (reference: string, client: Client | undefined) => this.#dataSet(reference, client),
      log: (reference: string) => this.logs.get(reference),
      onMembers: (block: DataSetUser) => this.#listen(block),
    };
    for (const { name, ln } of domain.device.nodes) {
      for (const scl of ln.logControls) {
        const at = constraintOf(domain.nodes.get(name)!, 'LG');
        const block = new LogControlBlock<Client>(scl, this.#logOf(scl, domain), at, domain.name, ports);
        this.blocks.set(block.variable, block);
        this.#logControls.set(block.variable, block);
        this.#users.push(block);
      }
    }
  }

  #addSettingGroups(domain: Domain): void {
    const scl = domain.device.nodes.find(({ name }) => name === 'LLN0')?.ln.settingControl;
    if (!scl) return;
    const { clock, access, settingGroups: options, onError } = this.#ports;
    const groups = new SettingGroups(domain, scl, { clock, access, options, onError, apply: (set) => this.apply(set) });
    this.blocks.set(groups.variable, groups);
    this.settingGroups.set(domain.name, groups);
  }

  list(name: ObjectName, client: Client | undefined): NamedList | undefined {
    if (name.kind === 'domain') return this.domains.get(name.value.domain)?.lists.get(name.value.item);
    return name.kind === 'association' ? client?.lists.get(name.value) : undefined;
  }

  #dataSet(reference: string, client: Client | undefined): DataSetMembers | undefined {
    const name = listNameOf(reference);
    const list = name && this.list(name, client);
    return list && { reference, members: list.members };
  }

  #listen(user: DataSetUser): void {
    this.#heard.clear();
    for (const users of this.#listeners.values()) users.delete(user);
    user.members.forEach(({ variable }, index) => {
      const users = this.#listeners.get(variable) ?? new Map<DataSetUser, number>();
      users.set(user, index);
      this.#listeners.set(variable, users);
    });
  }
}

/** The name of a log that the file gives none (-6 § 9.3.12). */
const GENERAL_LOG = 'GeneralLog';

const constraintOf = (root: Variable, fc: FunctionalConstraint): Variable =>
  root.part(fc) ?? new Variable(fc, root, { fc });

/** Whether report control blocks say who has them: `ReportSettings owner="true"`, of edition 2. */
function hasOwner({ services, accessPoints }: IedModel['ied']): boolean {
  return [services, ...accessPoints.map((ap) => ap.services)].some((own) =>
    own?.nodes.some(({ name, attributes }) => name === 'ReportSettings' && attributes.owner === 'true'),
  );
}
