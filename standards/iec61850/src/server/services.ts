/** Names, values and data sets of a served IED in the services of MMS (IEC 61850-8-1 § 9 to 14); logs and files beside them. */
import {
  type AccessResult,
  DATA_ACCESS_ERRORS,
  type Data,
  type DataAccessErrorName,
  MmsRefusal,
  type MmsServerSession,
  type Variable as MmsVariable,
  nameText,
  type ObjectName,
  type ServiceHandlers,
  serviceErrorOf,
  type VariableAccess,
  type WriteResult,
} from '@enerchain/mms';
import { Iec61850Error } from '../error.ts';
import { fits } from '../mapping/basic-types.ts';
import type { Variable } from '../mapping/variables.ts';
import type { FunctionalConstraint } from '../scl/schema/ied.ts';
import type { Access, AcsiService } from './access.ts';
import type { ControlObject } from './control.ts';
import type { Client, Device } from './device.ts';
import type { FileService } from './files/service.ts';
import { LogService } from './logs/service.ts';
import { type Member, memberOf, placeOf, select, specificationOf } from './model.ts';
import type { Change } from './substitution.ts';

/** A write by a client into an attribute that is neither a control nor of a control block. */
export interface WriteRequest {
  /** `BCU1CTRL/QA1XCBR1.Pos.ctlModel`. */
  readonly reference: string;
  readonly fc: FunctionalConstraint;
  readonly value: Data;
  readonly remote: string;
}

/** What a client may define of its own. */
const MAX_LISTS = 32;
const MAX_MEMBERS = 2_000;
/** The fewest octets of a value, and of a part of a type, in an answer. */
const VALUE_OCTETS = 2;
const TYPE_OCTETS = 5;
/** Functional constraints that clients may write (7-2 table 20), and the service that it is. */
const WRITING: Readonly<Partial<Record<FunctionalConstraint, AcsiService>>> = {
  SP: 'SetDataValues',
  CF: 'SetDataValues',
  DC: 'SetDataValues',
  SE: 'SetEditSGValue',
  SV: 'Substitute',
  BL: 'Substitute',
};

export interface ServiceOptions {
  readonly identity?: { readonly vendor: string; readonly model: string; readonly revision: string };
  readonly onWrite?: (request: WriteRequest) => boolean;
}

export class Services {
  readonly #device: Device;
  readonly #access: Access;
  readonly #logs: LogService;
  readonly #files: FileService | undefined;
  readonly #options: ServiceOptions;

  constructor(device: Device, access: Access, files: FileService | undefined, options: ServiceOptions) {
    this.#device = device;
    this.#access = access;
    this.#logs = new LogService(device.logs, access);
    this.#files = files;
    this.#options = options;
  }

  /** @param client of a session */
  handlers(client: (session: MmsServerSession) => Client): ServiceHandlers {
    return {
      ...this.#logs.handlers(client),
      ...this.#files?.handlers(client),
      identify: () => this.#options.identity ?? { vendor: 'CloudEnerChain', model: 'iec61850', revision: '0.1' },
      status: () => ({ logical: 0, physical: 0 }),
      getNameList: (request, session) => this.#nameList(request, client(session)),
      getVariableAccessAttributes: (request, session) => {
        const variable = request.kind === 'name' ? this.#device.variable(request.value) : undefined;
        if (!variable) throw refusal('object-non-existent');
        if (variable.size * TYPE_OCTETS > client(session).maxPdu) throw TOO_LARGE();
        return { deletable: false, type: variable.type };
      },
      read: ({ access, withSpecification }, session) => ({
        ...(withSpecification ? { access } : {}),
        results: this.#read(access, client(session)),
      }),
      write: ({ access, data }, session) => this.#write(access, data, client(session)),
      getNamedVariableListAttributes: (name, session) => {
        const list = this.#device.list(name, client(session));
        if (!list) throw refusal('object-non-existent');
        return { deletable: list.deletable, variables: list.members.map(specificationOf) };
      },
      defineNamedVariableList: ({ name, variables }, session) => {
        this.#defineList(name, variables, client(session));
        return null;
      },
      deleteNamedVariableList: ({ names }, session) => this.#deleteLists(names ?? [], client(session)),
    };
  }

  #nameList(
    { class: objectClass, scope, continueAfter }: Parameters<NonNullable<ServiceHandlers['getNameList']>>[0],
    client: Client,
  ): { names: string[]; moreFollows: boolean } {
    const names = this.#namesOf(objectClass.value, scope, client);
    if (!names) throw refusal('object-non-existent');
    let at = 0;
    if (continueAfter !== undefined) {
      at = names.indexOf(continueAfter) + 1;
      if (at === 0) throw new MmsRefusal({ error: serviceErrorOf('service', 'continuation-invalid') });
    }
    const room = client.maxPdu - 100;
    let used = 0;
    const part: string[] = [];
    for (; at < names.length; at++) {
      used += names[at]!.length + 4;
      if (used > room) break;
      part.push(names[at]!);
    }
    return { names: part, moreFollows: at < names.length };
  }

  #namesOf(
    objectClass: number,
    scope: Parameters<NonNullable<ServiceHandlers['getNameList']>>[0]['scope'],
    client: Client,
  ): readonly string[] | undefined {
    const domain = scope.kind === 'domain' ? this.#device.domains.get(scope.value) : undefined;
    if (scope.kind === 'domain' && !domain) return undefined;
    switch (objectClass) {
      case 0:
        return domain ? domain.names : [];
      case 2:
        return domain ? [...domain.lists.keys()] : scope.kind === 'association' ? [...client.lists.keys()] : [];
      case 8:
        return domain ? this.#logs.names(domain.name) : [];
      case 9:
        return scope.kind === 'vmd' ? [...this.#device.domains.keys()] : [];
      default:
        return [];
    }
  }

  #read(access: VariableAccess, client: Client): AccessResult[] {
    if (access.kind === 'list') {
      const list = this.#device.list(access.value, client);
      if (!list) throw refusal('object-non-existent');
      const values = list.members.reduce((sum, { variable }) => sum + variable.size, 0);
      if (values * VALUE_OCTETS > client.maxPdu) throw TOO_LARGE();
      return list.members.map(
        ({ domain, variable }) => this.#readable(domain, variable, client) ?? { kind: 'success', value: variable.data },
      );
    }
    // An answer that cannot fit is not put together: a short question would keep the loop for long.
    let room = client.maxPdu;
    return access.value.map(({ specification, access: alternate }) => {
      if (room < 0) throw TOO_LARGE();
      const variable = specification.kind === 'name' ? this.#device.variable(specification.value) : undefined;
      if (!variable || specification.kind !== 'name' || specification.value.kind !== 'domain')
        return failure('object-non-existent');
      const place = placeOf(variable, alternate);
      const refused = this.#readable(specification.value.value.domain, place ?? variable, client);
      if (refused) return refused;
      if (place?.name === 'SBO' && place.fc === 'CO') return this.#select(place, client);
      room -= VALUE_OCTETS * (place?.size ?? 1);
      if (room < 0) throw TOO_LARGE();
      const value = place ? place.data : select(variable, alternate);
      return value ? { kind: 'success', value } : failure('object-access-unsupported');
    });
  }

  /** @returns why not */
  #readable(domain: string, variable: Variable, client: Client): ReturnType<typeof failure> | undefined {
    // Only where somebody decides: the name is not needed otherwise.
    if (this.#access.decided && !this.#access.allows(client.identity, 'GetDataValues', referenceOf(domain, variable)))
      return failure('object-access-denied');
    const edited = variable.fc === 'SE' && this.#device.settingGroups.get(domain);
    return edited && !edited.shows(client) ? failure('temporarily-unavailable') : undefined;
  }

  #select(variable: Variable, client: Client): AccessResult {
    const control = this.#device.controls.get(variable.parent!);
    if (!control) return { kind: 'success', value: variable.data };
    const allowed = this.#access.allows(client.identity, 'Control', control.object);
    return { kind: 'success', value: { kind: 'visibleString', value: allowed ? control.select(client) : '' } };
  }

  /** Answered at once where it can be: what a write brings about comes after its answer. */
  #write(access: VariableAccess, data: readonly Data[], client: Client): WriteResult[] | Promise<WriteResult[]> {
    const variables =
      access.kind === 'list' ? this.#device.list(access.value, client)?.members.map(specificationOf) : access.value;
    if (!variables) throw refusal('object-non-existent');
    if (variables.length !== data.length)
      throw new MmsRefusal({ error: serviceErrorOf('definition', 'object-attribute-inconsistent') });
    const results = variables.map(({ specification, access: alternate }, index) => {
      const variable = specification.kind === 'name' ? this.#device.variable(specification.value) : undefined;
      if (!variable || specification.kind !== 'name' || specification.value.kind !== 'domain')
        return failure('object-non-existent');
      // Into one part; several at once are written one by one.
      const place = placeOf(variable, alternate);
      if (!place) return failure('object-access-unsupported');
      return this.#writeOne(specification.value.value.domain, place, data[index]!, client);
    });
    return results.some((result) => result instanceof Promise) ? Promise.all(results) : (results as WriteResult[]);
  }

  #writeOne(domain: string, variable: Variable, data: Data, client: Client): WriteResult | Promise<WriteResult> {
    const control = variable.parent && this.#device.controls.get(variable.parent);
    if (control) {
      if (!this.#access.allows(client.identity, 'Control', control.object)) return failure('object-access-denied');
      return this.#writeControl(control, variable, data, client);
    }
    if (!fits(data, variable.data)) return failure('type-inconsistent');
    const block = variable.parent && this.#device.blocks.get(variable.parent);
    if (block) {
      const answer = (why: DataAccessErrorName | undefined): WriteResult => (why ? failure(why) : DONE);
      const why = block.write(variable.name, data, client);
      return why instanceof Promise ? why.then(answer) : answer(why);
    }
    return this.#writeValues(domain, variable, data, client);
  }

  /** Into a value, or a structure of values: all of them or none. */
  #writeValues(domain: string, variable: Variable, data: Data, client: Client): WriteResult {
    const { fc } = variable;
    const service = fc && WRITING[fc];
    const set = service ? changesOf(variable, data) : [];
    const { onWrite } = this.#options;
    const isBlock = ({ variable: { parent } }: Change): boolean => this.#device.blocks.has(parent!);
    if (!fc || !service || set.some(isBlock)) return failure('object-access-denied');
    const groups = this.#device.settingGroups.get(domain);
    if (fc === 'SE' && groups) {
      const why = groups.setValues(set, client);
      return why ? failure(why) : DONE;
    }
    const reference = referenceOf(domain, variable);
    const asked = onWrite?.({ reference, fc, value: data, remote: client.session.remote });
    const fixed = set.some(({ variable: { attribute } }) => attribute?.valKind === 'RO');
    const may = this.#access.decided || asked === undefined;
    if (
      asked === false ||
      (asked === undefined && fixed) ||
      (may && !this.#access.allows(client.identity, service, reference))
    )
      return failure('object-access-denied');
    this.#device.written(set);
    return DONE;
  }

  #writeControl(control: ControlObject, variable: Variable, data: Data, client: Client): WriteResult {
    try {
      const answer =
        variable.name === 'Oper'
          ? control.operate(client, data)
          : variable.name === 'SBOw'
            ? control.selectWithValue(client, data)
            : variable.name === 'Cancel'
              ? control.cancel(client, data)
              : 'refused';
      if (answer === 'accepted' && variable.name !== 'Cancel')
        for (const [index, part] of variable.parts.entries()) setParts(part, (data.value as readonly Data[])[index]);
      return answer === 'accepted' ? DONE : failure('object-access-denied');
    } catch (error) {
      if (error instanceof Iec61850Error && error.fault === 'peer') return failure('type-inconsistent');
      throw error;
    }
  }

  #defineList(name: ObjectName, variables: readonly MmsVariable[], client: Client): void {
    const lists =
      name.kind === 'association'
        ? client.lists
        : name.kind === 'domain'
          ? this.#device.domains.get(name.value.domain)?.lists
          : undefined;
    const item = name.kind === 'domain' ? name.value.item : name.value;
    if (!lists) throw refusal('object-access-unsupported');
    if (!this.#access.allows(client.identity, 'CreateDataSet', nameText(name))) throw refusal('object-access-denied');
    if (lists.has(item)) throw new MmsRefusal({ error: serviceErrorOf('definition', 'object-exists') });
    const dynamic = [...lists.values()].filter(({ deletable }) => deletable).length;
    if (dynamic >= MAX_LISTS || variables.length > MAX_MEMBERS || variables.length === 0) {
      throw new MmsRefusal({ error: serviceErrorOf('resource', 'capability-unavailable') });
    }
    const members = variables.map(({ specification, access }): Member => {
      const variable = specification.kind === 'name' ? this.#device.variable(specification.value) : undefined;
      const place = variable && placeOf(variable, access);
      if (!place || specification.kind !== 'name' || specification.value.kind !== 'domain') {
        throw new MmsRefusal({ error: serviceErrorOf('definition', 'object-undefined') });
      }
      return memberOf(specification.value.value.domain, place);
    });
    lists.set(item, { name: item, members, deletable: true });
  }

  #deleteLists(names: readonly ObjectName[], client: Client): { matched: number; deleted: number } {
    let matched = 0;
    let deleted = 0;
    for (const name of names) {
      const list = this.#device.list(name, client);
      if (!list) continue;
      matched++;
      const allowed = this.#access.allows(client.identity, 'DeleteDataSet', nameText(name));
      if (!allowed || !list.deletable || this.#device.uses(list)) continue;
      if (name.kind === 'association') client.lists.delete(name.value);
      else if (name.kind === 'domain') this.#device.domains.get(name.value.domain)!.lists.delete(name.value.item);
      deleted++;
    }
    return { matched, deleted };
  }
}

const DONE: WriteResult = { kind: 'success', value: null };
const failure = (name: DataAccessErrorName): { kind: 'failure'; value: number } => ({
  kind: 'failure',
  value: DATA_ACCESS_ERRORS.indexOf(name),
});
/** As the session says it of an answer that turns out too large. */
const TOO_LARGE = (): MmsRefusal => new MmsRefusal({ error: serviceErrorOf('resource', 'capability-unavailable') });
const refusal = (code: string): MmsRefusal => new MmsRefusal({ error: serviceErrorOf('access', code) });

/** `BCU1CTRL/QA1XCBR1.Pos.ctlModel`. */
const referenceOf = (domain: string, { item, fc }: Variable): string =>
  `${domain}/${(fc ? item.replace(`$${fc}`, '') : item).replaceAll('$', '.')}`;

/** The values of a structure one by one; the data have its shape. */
function changesOf(variable: Variable, data: Data): Change[] {
  if (variable.isValue) return [{ variable, data }];
  return variable.parts.flatMap((part, index) => changesOf(part, (data.value as readonly Data[])[index]!));
}

/** What was written last is what is read, as far as it has the shape. */
function setParts(variable: Variable, data: Data | undefined): void {
  if (!data) return;
  if (variable.isValue) {
    if (fits(data, variable.data)) variable.data = data;
  } else if (data.kind === 'structure') {
    for (const [index, part] of variable.parts.entries()) setParts(part, data.value[index]);
  }
}
