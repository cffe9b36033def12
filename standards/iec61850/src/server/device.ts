/** The state of a served IED: its values, control blocks and controllable objects, and how a change finds the reports it belongs in. */
import type { Data, MmsServerSession, Variable as MmsVariable, ObjectName } from '@enerchain/mms';
import type { Clock } from '@enerchain/transport';
import { Iec61850Error } from '../error.ts';
import { fits, sameData } from '../mapping/basic-types.ts';
import { CONTROL_MODELS, encodeLastApplError, type LastApplError } from '../mapping/control.ts';
import { Variable } from '../mapping/variables.ts';
import { type IedModel, instancesOf } from '../scl/model.ts';
import type { FunctionalConstraint } from '../scl/schema/ied.ts';
import { type ControlHandler, ControlObject } from './control.ts';
import { type Domain, domainsOf, listNameOf, type NamedList } from './model.ts';
import { type DataSetMembers, type ReportClient, ReportControlBlock } from './report-control.ts';

/** A client's association with what it has defined of its own. */
export interface Client extends ReportClient {
  readonly session: MmsServerSession;
  readonly lists: Map<string, NamedList>;
}

export interface DevicePorts {
  readonly clock: Clock;
  readonly controls: Readonly<Record<string, ControlHandler>>;
  readonly buffer: { readonly entries: number; readonly octets: number };
}

const SBO_TIMEOUT = 30_000;

export class Device {
  readonly domains: ReadonlyMap<string, Domain>;
  readonly blocks = new Map<Variable, ReportControlBlock>();
  readonly controls = new Map<Variable, ControlObject>();
  readonly #ports: DevicePorts;
  /** Which members of which control blocks a value belongs to. */
  readonly #listeners = new Map<Variable, Map<ReportControlBlock, number>>();

  constructor(model: IedModel, ports: DevicePorts) {
    this.#ports = ports;
    this.domains = domainsOf(model);
    for (const domain of this.domains.values()) {
      this.#addReportControls(domain);
      this.#addControls(domain);
    }
    for (const block of this.blocks.values()) block.begin();
  }

  /** An association has ended. */
  lost(client: Client): void {
    for (const block of this.blocks.values()) block.lost(client);
    for (const control of this.controls.values()) control.lost(client);
  }

  /** By the name clients use. */
  variable(name: ObjectName): Variable | undefined {
    return name.kind === 'domain' ? this.domains.get(name.value.domain)?.find(name.value.item) : undefined;
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
    const { domain, item } = this.#split(object);
    const [node, ...names] = item.split('.');
    const root = domain.nodes.get(node!);
    const set = Object.entries(values).map(([name, data]) => {
      const below = [...names, ...name.split('.')];
      const found = root?.parts
        .map((constraint) => constraint.find(below))
        .filter((variable) => variable !== undefined);
      const variable = found?.find(({ fc }) => fc === 'ST' || fc === 'MX') ?? found?.[0];
      if (!variable?.isValue)
        throw new Iec61850Error('caller', 'server.reference', `${object}.${name} is no attribute of this server`);
      if (!fits(data, variable.data)) {
        throw new Iec61850Error(
          'caller',
          'server.value',
          `${object}.${name} takes ${variable.data.kind}, not ${data.kind}`,
        );
      }
      return { variable, data };
    });
    this.apply(set);
  }

  apply(set: readonly { readonly variable: Variable; readonly data: Data }[]): void {
    const news = new Map<ReportControlBlock, [index: number, trigger: 'dchg' | 'qchg' | 'dupd'][]>();
    for (const { variable, data } of set) {
      const changed = !sameData(variable.data, data);
      variable.data = data;
      const trigger = (['dchg', 'qchg', 'dupd'] as const).find(
        (by) => (changed || by === 'dupd') && variable.triggers(by),
      );
      if (!trigger) continue;
      for (let at: Variable | undefined = variable; at; at = at.parent) {
        for (const [block, index] of this.#listeners.get(at) ?? []) {
          const list = news.get(block);
          if (list) list.push([index, trigger]);
          else news.set(block, [[index, trigger]]);
        }
      }
    }
    for (const [block, changes] of news) {
      block.gather(() => {
        for (const [index, trigger] of changes) block.changed(index, trigger);
      });
    }
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

  #addReportControls(domain: Domain): void {
    const ports = {
      clock: this.#ports.clock,
      dataSet: (reference: string, client: ReportClient | undefined) =>
        this.#dataSet(reference, client as Client | undefined),
      onMembers: (block: ReportControlBlock) => this.#listen(block),
      buffer: this.#ports.buffer,
    };
    for (const node of domain.device.nodes) {
      for (const scl of node.ln.reportControls) {
        const root = domain.nodes.get(node.name)!;
        const fc = scl.buffered ? 'BR' : 'RP';
        const at = root.part(fc) ?? new Variable(fc, root, { fc });
        for (const name of instancesOf(scl)) {
          const block = new ReportControlBlock(scl, name, at, domain.name, ports);
          this.blocks.set(block.variable, block);
        }
      }
    }
  }

  #addControls(domain: Domain): void {
    for (const [node, root] of domain.nodes) {
      for (const object of root.part('CO')?.parts ?? []) {
        if (!object.part('Oper') && !object.part('SBO')) continue;
        const reference = `${domain.name}/${node}.${object.name}`;
        const handler = this.#ports.controls[reference] ?? {
          operate: () => 'not-supported' as const,
          check: () => 'not-supported' as const,
        };
        const configured = root.find(['CF', object.name, 'ctlModel']);
        const timeout = root.find(['CF', object.name, 'sboTimeout']);
        this.controls.set(
          object,
          new ControlObject(reference, `${domain.name}/${object.item}`, {
            clock: this.#ports.clock,
            handler,
            model: () => CONTROL_MODELS[Number(configured?.data.value ?? 0)] ?? 'status-only',
            sboTimeout: () => Number(timeout?.data.value ?? 0) || SBO_TIMEOUT,
            selected: (selected) => {
              const seld = root.find(['ST', object.name, 'stSeld']);
              if (seld) this.apply([{ variable: seld, data: { kind: 'boolean', value: selected } }]);
            },
            lastApplError: (client, error) => this.#sendLastApplError(client as Client, error),
            terminated: (client, parameters, error) =>
              this.#sendTermination(client as Client, domain, `${object.item}$Oper`, parameters, error),
          }),
        );
      }
    }
  }

  #sendLastApplError(client: Client, error: LastApplError): void {
    client.session.report({
      access: {
        kind: 'variables',
        value: [{ specification: { kind: 'name', value: { kind: 'vmd', value: 'LastApplError' } } }],
      },
      results: [{ kind: 'success', value: encodeLastApplError(error) }],
    });
  }

  #sendTermination(
    client: Client,
    domain: Domain,
    item: string,
    parameters: Data,
    error: LastApplError | undefined,
  ): void {
    const oper: MmsVariable = {
      specification: { kind: 'name', value: { kind: 'domain', value: { domain: domain.name, item } } },
    };
    const failed: MmsVariable = { specification: { kind: 'name', value: { kind: 'vmd', value: 'LastApplError' } } };
    client.session.report({
      access: { kind: 'variables', value: error ? [failed, oper] : [oper] },
      results: [
        ...(error ? [{ kind: 'success', value: encodeLastApplError(error) } as const] : []),
        { kind: 'success', value: parameters },
      ],
    });
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

  #listen(block: ReportControlBlock): void {
    for (const blocks of this.#listeners.values()) blocks.delete(block);
    block.members.forEach(({ variable }, index) => {
      const blocks = this.#listeners.get(variable) ?? new Map<ReportControlBlock, number>();
      blocks.set(block, index);
      this.#listeners.set(variable, blocks);
    });
  }
}
