/** An IEC 61850 client (ACSI over MMS): what is there, values, data sets, reports, controls, files. */
import {
  type AssociationOptions,
  type CallOptions,
  type Data,
  dataAccessErrorText,
  MmsClient,
  type MmsError,
  type ObjectName,
  type RequestOf,
  type ResponseOf,
  type TypeSpecification,
  type Variable,
} from '@enerchain/mms';
import { type Clock, systemClock, type Transport } from '@enerchain/transport';
import { Iec61850Error } from '../error.ts';
import { decodeReport, isReport } from '../mapping/report.ts';
import type { IedModel } from '../scl/model.ts';
import type { FunctionalConstraint } from '../scl/schema/ied.ts';
import { Controls, type OperateOptions, type OperateOutcome } from './control.ts';
import { Files } from './files.ts';
import { Logs } from './logs.ts';
import { ModelIndex } from './model-index.ts';
import { OfferedFiles } from './offered-files.ts';
import { listName, objectName, referenceOf, variableOf } from './references.ts';
import { type ReportSubscription, Reports, type SubscribeOptions } from './reports.ts';
import { SettingGroups } from './setting-groups.ts';
import { Substitution } from './substitution.ts';

export interface Iec61850ClientOptions {
  readonly association?: Partial<AssociationOptions>;
  /** Milliseconds until a call must be answered. Default 10 000. */
  readonly callTimeout?: number;
  /** Milliseconds of silence after which the device is asked whether it is there, and given up when it is not. Default 0: never. */
  readonly keepAlive?: number;
  readonly clock?: Clock;
  /**
   * What the device serves, from its SCL file: types are not asked for, and a reference that is not in it is an error before
   * anything is sent. Names that the device is asked for (`devices`, `variables`, `dataSets`) are the device's own.
   */
  readonly model?: IedModel;
  /** Once, with the error that ended the association, or without one after `close`. */
  readonly onClose?: (error?: MmsError) => void;
  /** Something unsolicited could not be understood, or belongs to nobody; it was dropped. */
  readonly onStray?: (text: string) => void;
}

/** A member of a data set. */
export interface DataSetMember {
  /** `BCU1CTRL/QA1XCBR1.Pos`. */
  readonly reference: string;
  readonly fc: FunctionalConstraint | undefined;
}

/** Names that a server gives in one go at most, together; a server that never ends is given up. */
const MAX_NAMES = 1_000_000;

/** Classes of objects for GetNameList. */
const CLASS = { variables: 0, lists: 2, domains: 9 } as const;

export class Iec61850Client {
  readonly #mms: MmsClient;
  readonly #reports: Reports;
  readonly #controls: Controls;
  readonly files: Files;
  readonly #index: ModelIndex | undefined;
  readonly settingGroups: SettingGroups = new SettingGroups(this);
  readonly logs: Logs = new Logs(this);
  readonly substitution: Substitution = new Substitution(this);

  private constructor(
    mms: MmsClient,
    clock: Clock,
    options: Iec61850ClientOptions,
    late: { current?: Iec61850Client },
    offered: OfferedFiles,
  ) {
    this.#mms = mms;
    this.#reports = new Reports(this, (text) => options.onStray?.(text));
    this.#controls = new Controls(this, clock);
    this.files = new Files(mms, offered);
    offered.maxPdu = mms.initiate.localDetail ?? 65_000;
    this.#index = options.model && ModelIndex.of(options.model);
    late.current = this;
  }

  /** Associates over a connected transport. Rejects with MmsError: refused, timed out, lost, or octets that are no MMS. */
  static async connect(transport: Transport, options: Iec61850ClientOptions = {}): Promise<Iec61850Client> {
    const late: { current?: Iec61850Client } = {};
    const offered = new OfferedFiles(() => (options.clock ?? systemClock).now());
    const mms = await MmsClient.associate(transport, {
      handlers: offered.handlers,
      ...(options.association ? { association: options.association } : {}),
      ...(options.callTimeout === undefined ? {} : { callTimeout: options.callTimeout }),
      ...(options.keepAlive === undefined ? {} : { keepAlive: options.keepAlive }),
      ...(options.clock ? { clock: options.clock } : {}),
      onReport: (report) => {
        const client = late.current;
        if (!client) return;
        if (!isReport(report)) {
          if (!client.#controls.take(report)) options.onStray?.('a report about variables that nobody asked for');
          return;
        }
        try {
          client.#reports.take(decodeReport(report));
        } catch (error) {
          options.onStray?.(error instanceof Error ? error.message : String(error));
        }
      },
      onClose: (error) => {
        const client = late.current;
        if (client) client.#controls.lost();
        options.onClose?.(error);
      },
    });
    return new Iec61850Client(mms, options.clock ?? systemClock, options, late, offered);
  }

  /** Ends the association in agreement; a server that wants to go on is left all the same. */
  async close(): Promise<void> {
    await this.#mms.conclude().catch(() => this.#mms.abort());
  }

  abort(): void {
    this.#mms.abort();
  }

  /** When the device was last heard, on the clock's monotonic scale, ms. */
  get heardAt(): number {
    return this.#mms.heardAt;
  }

  /** For what this class has no method for. */
  call<S extends Parameters<MmsClient['call']>[0]>(
    service: S,
    request: RequestOf<S>,
    options?: CallOptions,
  ): Promise<ResponseOf<S>> {
    return this.#mms.call(service, request, options);
  }

  /** Asks the device to cancel a call; see `MmsClient.cancel`. */
  cancel(invokeId: number): Promise<void> {
    return this.#mms.cancel(invokeId);
  }

  /** Names of the logical devices. */
  devices(): Promise<string[]> {
    return this.#names(CLASS.domains);
  }

  /** Names of all variables of a device: `QA1XCBR1$ST$Pos$stVal`. */
  variables(device: string): Promise<string[]> {
    return this.#names(CLASS.variables, device);
  }

  /** References of the data sets of a device: `BCU1CTRL/LLN0.Positions`. */
  async dataSets(device: string): Promise<string[]> {
    return (await this.#names(CLASS.lists, device)).map((item) => `${device}/${item.replaceAll('$', '.')}`);
  }

  async #names(objectClass: number, domain?: string): Promise<string[]> {
    const all: string[] = [];
    for (;;) {
      const { names, moreFollows } = await this.#mms.call('getNameList', {
        class: { kind: 'basic', value: objectClass },
        scope: domain === undefined ? { kind: 'vmd', value: null } : { kind: 'domain', value: domain },
        ...(all.length > 0 ? { continueAfter: all.at(-1)! } : {}),
      });
      const last = all.at(-1);
      for (const name of names) all.push(name);
      if (!moreFollows || names.length === 0) return all;
      if (all.length > MAX_NAMES)
        throw new Iec61850Error('peer', 'client.names', `the server has more than ${MAX_NAMES} names`);
      if (last !== undefined && names.at(-1) === last)
        throw new Iec61850Error(
          'peer',
          'client.names',
          `the server says that more follows ${last}, and gives it again`,
        );
    }
  }

  /** The type of a data object or attribute under a constraint: from the model where there is one, else from the device. */
  async type(reference: string, fc: FunctionalConstraint): Promise<TypeSpecification> {
    const name = objectName(reference, fc);
    return this.#index?.type(name) ?? (await this.askType(name));
  }

  /** The type as the device has it. */
  async askType(name: ObjectName): Promise<TypeSpecification> {
    return (await this.#mms.call('getVariableAccessAttributes', { kind: 'name', value: name })).type;
  }

  /** @throws Iec61850Error `access.*` (peer) when the server has no value to give, MmsRefusal when it says no at all */
  async read(reference: string, fc: FunctionalConstraint): Promise<Data> {
    const [value] = await this.readMany([variableOf(reference, fc)]);
    if (value instanceof Iec61850Error) throw value;
    return value!;
  }

  /** Several in one call; each a value, or why there is none. @throws Iec61850Error `client.answer` (peer) when there are more than asked for */
  async readMany(variables: readonly Variable[]): Promise<(Data | Iec61850Error)[]> {
    this.#check(variables);
    const { results } = await this.#mms.call('read', {
      withSpecification: false,
      access: { kind: 'variables', value: variables },
    });
    // Which of more would be whose is not known; of fewer, those at the end are what the device left out.
    if (results.length > variables.length)
      throw new Iec61850Error(
        'peer',
        'client.answer',
        `${results.length} values for the ${variables.length} asked for`,
      );
    return variables.map((variable, index) => {
      const result = results[index];
      return result?.kind === 'success' ? result.value : accessError(variable, result?.value);
    });
  }

  /** @throws Iec61850Error `access.*` (peer) when the server does not take it */
  async write(reference: string, fc: FunctionalConstraint, value: Data): Promise<void> {
    const variable = variableOf(reference, fc);
    this.#check([variable]);
    const [result] = await this.#mms.call('write', { access: { kind: 'variables', value: [variable] }, data: [value] });
    if (result?.kind !== 'success') throw accessError(variable, result?.value);
  }

  /** Members of a data set. */
  async dataSetMembers(reference: string): Promise<DataSetMember[]> {
    const { variables } = await this.#mms.call('getNamedVariableListAttributes', this.#list(reference));
    return variables.map(({ specification, access }) =>
      specification.kind === 'name' ? referenceOf(specification.value, access) : { reference: '', fc: undefined },
    );
  }

  /** Values of all members, in their order. */
  async readDataSet(reference: string): Promise<(Data | Iec61850Error)[]> {
    const { results } = await this.#mms.call('read', {
      withSpecification: false,
      access: { kind: 'list', value: this.#list(reference) },
    });
    return results.map((result) => (result.kind === 'success' ? result.value : accessError(undefined, result.value)));
  }

  /** @param reference `BCU1CTRL/LLN0.Mine`, or `@Mine` for one that ends with the association */
  async createDataSet(
    reference: string,
    members: readonly { readonly reference: string; readonly fc: FunctionalConstraint }[],
  ): Promise<void> {
    const variables = members.map(({ reference: member, fc }) => variableOf(member, fc));
    this.#check(variables);
    await this.#mms.call('defineNamedVariableList', { name: this.#list(reference), variables });
  }

  /** @throws Iec61850Error `access.denied` (peer) when the server keeps it */
  async deleteDataSet(reference: string): Promise<void> {
    const { deleted } = await this.#mms.call('deleteNamedVariableList', { scope: 0, names: [this.#list(reference)] });
    if (deleted === 0) throw new Iec61850Error('peer', 'access.denied', `the server keeps the data set ${reference}`);
  }

  #check(variables: readonly Variable[]): void {
    if (!this.#index) return;
    for (const { specification } of variables)
      if (specification.kind === 'name') this.#index.check(specification.value);
  }

  #list(reference: string): ObjectName {
    const name = listName(reference);
    this.#index?.checkList(name);
    return name;
  }

  /** Enables a report control block. @param reference `BCU1CTRL/LLN0.BR.brcb01` or `….RP.urcb01` */
  subscribe(reference: string, options: SubscribeOptions): Promise<ReportSubscription> {
    return this.#reports.subscribe(reference, options);
  }

  /** Operates a controllable object as its model wants it: selecting first where it must, waiting for the end where there is one. */
  operate(reference: string, value: Data, options: OperateOptions = {}): Promise<OperateOutcome> {
    return this.#controls.operate(reference, value, options);
  }
}

/** @param code of DataAccessError; undefined when the answer leaves it out */
export function accessError(variable: Variable | undefined, code: number | undefined): Iec61850Error {
  const name =
    variable?.specification.kind === 'name'
      ? referenceOf(variable.specification.value, variable.access).reference
      : 'a member';
  if (code === undefined)
    return new Iec61850Error('peer', 'access.none', `${name}: the server leaves it out of its answer`);
  const text = dataAccessErrorText(code);
  return new Iec61850Error(
    'peer',
    `access.${text.replace('object-', '').replaceAll(' ', '-')}`,
    `${name}: the server says ${text}`,
  );
}
