/** Our decoding of MMS in the words of tshark's fields: each value with the field it belongs to, in order. */
import {
  type AccessResult,
  type AlternateAccess,
  type Data,
  type Initiate,
  type MmsPdu,
  type ObjectName,
  type ServiceError,
  type TypeSpecification,
  timeOfDayToMillis,
  type Variable,
  type VariableAccess,
} from '@enerchain/mms';

type Emit = (field: string, value: string | number | bigint | boolean | Uint8Array) => void;

/** Fields that are compared; a dissector has more, but these hold every value that a PDU here carries. */
export const FIELDS = (
  'invokeID domainId itemId vmd_specific aa_specific localDetailCalling proposedMaxServOutstandingCalling ' +
  'proposedMaxServOutstandingCalled proposedDataStructureNestingLevel proposedVersionNumber proposedParameterCBB ' +
  'servicesSupportedCalling localDetailCalled negociatedMaxServOutstandingCalling negociatedMaxServOutstandingCalled ' +
  'negociatedDataStructureNestingLevel negociatedVersionNumber negociatedParameterCBB servicesSupportedCalled ' +
  'originalInvokeID access definition service file objectClass domainSpecific Identifier moreFollows mmsDeletable vendorName modelName ' +
  'revision numberOfElements componentName integer unsigned component index lowIndex failure boolean floating_point ' +
  'utc_time data_bit-string data.octet-string data.visible-string mMSString typeSpecification_bit-string ' +
  'typeSpecification.octet-string typeSpecification.visible-string typeSpecification.binary-time frsmID fileData ' +
  'initialPosition sizeOfFile FileName_item fileRead fileClose numberMatched numberDeleted data.binary-time lastModified ' +
  'specificationWithResult listOfAccessResult status'
)
  .split(' ')
  .map((name) => `mms.${name}`);

export function fieldsOf(pdu: MmsPdu): [string, string][] {
  const found: [string, string][] = [];
  const emit: Emit = (field, value) => {
    const text =
      typeof value === 'boolean' ? (value ? '1' : '0') : value instanceof Uint8Array ? hex(value) : String(value);
    found.push([`mms.${field}`, text]);
  };
  visit(pdu, emit);
  return found;
}

/** Nine digits; the dissector leaves off what is below. */
const nanoseconds = (fraction: number): string => String((BigInt(fraction) * 1_000_000_000n) >> 24n).padStart(9, '0');
const instant = (millis: number): string =>
  `${Math.floor(millis / 1000)}.${String(millis % 1000).padStart(3, '0')}000000`;

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

function visit(pdu: MmsPdu, emit: Emit): void {
  switch (pdu.kind) {
    case 'confirmedRequest':
      emit('invokeID', pdu.value.invokeId);
      request(pdu.value.service, emit);
      return;
    case 'confirmedResponse':
      emit('invokeID', pdu.value.invokeId);
      response(pdu.value.service, emit);
      return;
    case 'confirmedError':
      emit('invokeID', pdu.value.invokeId);
      fault(pdu.value.error, emit);
      return;
    case 'unconfirmed': {
      const { service } = pdu.value;
      if (service.kind !== 'informationReport') return;
      access(service.value.access, emit);
      results(service.value.results, emit);
      return;
    }
    case 'reject':
      if (pdu.value.invokeId !== undefined) emit('originalInvokeID', pdu.value.invokeId);
      return;
    case 'initiateRequest':
      initiate(pdu.value, 'proposed', 'Calling', emit);
      return;
    case 'initiateResponse':
      initiate(pdu.value, 'negociated', 'Called', emit);
      return;
    default:
      return;
  }
}

function initiate(value: Initiate, word: string, side: string, emit: Emit): void {
  if (value.localDetail !== undefined) emit(`localDetail${side}`, value.localDetail);
  emit(`${word}MaxServOutstandingCalling`, value.outstandingCalling);
  emit(`${word}MaxServOutstandingCalled`, value.outstandingCalled);
  if (value.nesting !== undefined) emit(`${word}DataStructureNestingLevel`, value.nesting);
  emit(`${word}VersionNumber`, value.detail.version);
  emit(`${word}ParameterCBB`, value.detail.parameters.bytes);
  emit(`servicesSupported${side}`, value.detail.services.bytes);
}

function fault({ error }: ServiceError, emit: Emit): void {
  if (['access', 'definition', 'service', 'file'].includes(error.kind)) emit(error.kind, error.value);
}

function name(value: ObjectName, emit: Emit): void {
  if (value.kind === 'vmd') emit('vmd_specific', value.value);
  else if (value.kind === 'association') emit('aa_specific', value.value);
  else {
    emit('domainId', value.value.domain);
    emit('itemId', value.value.item);
  }
}

function variables(list: readonly Variable[], emit: Emit): void {
  for (const { specification, access } of list) {
    if (specification.kind === 'name') name(specification.value, emit);
    if (access) alternate(access, emit);
  }
}

function alternate(list: AlternateAccess, emit: Emit): void {
  for (const { kind, value } of list) {
    if (kind === 'component') emit('component', value);
    else if (kind === 'index') emit('index', value);
    else if (kind === 'indexRange') {
      emit('lowIndex', value.lowIndex);
      emit('numberOfElements', value.numberOfElements);
    } else if (kind === 'nested') {
      alternate([value.select], emit);
      alternate(value.access, emit);
    } else if (kind === 'named') {
      emit('componentName', value.name);
      alternate([value.access], emit);
    }
  }
}

function access(value: VariableAccess, emit: Emit): void {
  if (value.kind === 'list') name(value.value, emit);
  else variables(value.value, emit);
}

function results(list: readonly AccessResult[], emit: Emit): void {
  emit('listOfAccessResult', list.length);
  for (const result of list) {
    if (result.kind === 'failure') emit('failure', result.value);
    else data(result.value, emit);
  }
}

function data(value: Data, emit: Emit): void {
  switch (value.kind) {
    case 'structure':
    case 'array':
      for (const part of value.value) data(part, emit);
      return;
    case 'boolean':
    case 'integer':
    case 'unsigned':
      emit(value.kind, value.value);
      return;
    case 'float': {
      const octets = Buffer.alloc(5, 8);
      octets.writeFloatBE(value.value, 1);
      emit('floating_point', octets);
      return;
    }
    case 'bitString':
      emit('data_bit-string', value.value.bytes);
      return;
    case 'octetString':
      emit('data.octet-string', value.value);
      return;
    case 'visibleString':
      emit('data.visible-string', value.value);
      return;
    case 'mmsString':
      emit('mMSString', value.value);
      return;
    case 'utcTime':
      emit('utc_time', `${value.value.seconds}.${nanoseconds(value.value.fraction)}`);
      return;
    case 'binaryTime':
      emit('data.binary-time', instant(timeOfDayToMillis(value.value)));
      return;
    default:
      return;
  }
}

function type(value: TypeSpecification, emit: Emit): void {
  switch (value.kind) {
    case 'structure':
      for (const part of value.value.components) {
        if (part.name !== undefined) emit('componentName', part.name);
        type(part.type, emit);
      }
      return;
    case 'array':
      emit('numberOfElements', value.value.count);
      type(value.value.element, emit);
      return;
    case 'integer':
    case 'unsigned':
      emit(value.kind, value.value);
      return;
    case 'bitString':
      emit('typeSpecification_bit-string', value.value);
      return;
    case 'octetString':
      emit('typeSpecification.octet-string', value.value);
      return;
    case 'visibleString':
      emit('typeSpecification.visible-string', value.value);
      return;
    case 'binaryTime':
      emit('typeSpecification.binary-time', value.value);
      return;
    default:
      return;
  }
}

function files(names: readonly string[] | undefined, emit: Emit): void {
  for (const part of names ?? []) emit('FileName_item', part);
}

function attributes(
  { size, lastModified }: { readonly size: number; readonly lastModified?: string },
  emit: Emit,
): void {
  emit('sizeOfFile', size);
  const found = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)/
    .exec(lastModified ?? '')
    ?.slice(1)
    .map(Number);
  if (found) emit('lastModified', instant(Date.UTC(found[0]!, found[1]! - 1, found[2], found[3], found[4], found[5])));
}

type Confirmed<K extends MmsPdu['kind']> = Extract<MmsPdu, { kind: K }>['value'] extends { service: infer S }
  ? S
  : never;

function request(service: Confirmed<'confirmedRequest'>, emit: Emit): void {
  switch (service.kind) {
    case 'getNameList':
      emit('objectClass', service.value.class.value);
      if (service.value.scope.kind === 'domain') emit('domainSpecific', service.value.scope.value);
      // tshark counts this field among those with children, so it shows no text.
      return;
    case 'read':
      // By default false, and then not on the wire.
      if (service.value.withSpecification) emit('specificationWithResult', true);
      access(service.value.access, emit);
      return;
    case 'status':
      emit('status', service.value);
      return;
    case 'write':
      access(service.value.access, emit);
      for (const value of service.value.data) data(value, emit);
      return;
    case 'getVariableAccessAttributes':
      if (service.value.kind === 'name') name(service.value.value, emit);
      return;
    case 'defineNamedVariableList':
      name(service.value.name, emit);
      variables(service.value.variables, emit);
      return;
    case 'getNamedVariableListAttributes':
      name(service.value, emit);
      return;
    case 'deleteNamedVariableList':
      for (const one of service.value.names ?? []) name(one, emit);
      return;
    case 'fileOpen':
      files(service.value.name, emit);
      emit('initialPosition', service.value.position);
      return;
    case 'fileRead':
    case 'fileClose':
      emit(service.kind, service.value);
      return;
    case 'fileDelete':
      files(service.value, emit);
      return;
    case 'fileDirectory':
      files(service.value.specification, emit);
      files(service.value.continueAfter, emit);
      return;
    default:
      return;
  }
}

function response(service: Confirmed<'confirmedResponse'>, emit: Emit): void {
  switch (service.kind) {
    case 'getNameList':
      for (const one of service.value.names) emit('Identifier', one);
      emit('moreFollows', service.value.moreFollows);
      return;
    case 'identify':
      emit('vendorName', service.value.vendor);
      emit('modelName', service.value.model);
      emit('revision', service.value.revision);
      return;
    case 'read':
      if (service.value.access) access(service.value.access, emit);
      results(service.value.results, emit);
      return;
    case 'write':
      for (const result of service.value) if (result.kind === 'failure') emit('failure', result.value);
      return;
    case 'getVariableAccessAttributes':
      emit('mmsDeletable', service.value.deletable);
      type(service.value.type, emit);
      return;
    case 'getNamedVariableListAttributes':
      emit('mmsDeletable', service.value.deletable);
      variables(service.value.variables, emit);
      return;
    case 'deleteNamedVariableList':
      emit('numberMatched', service.value.matched);
      emit('numberDeleted', service.value.deleted);
      return;
    case 'fileOpen':
      emit('frsmID', service.value.frsm);
      attributes(service.value.attributes, emit);
      return;
    case 'fileRead':
      emit('fileData', service.value.data);
      emit('moreFollows', service.value.moreFollows);
      return;
    case 'fileDirectory':
      for (const { name: parts, attributes: own } of service.value.entries) {
        files(parts, emit);
        attributes(own, emit);
      }
      // By default false, and then not on the wire.
      if (service.value.moreFollows) emit('moreFollows', true);
      return;
    default:
      return;
  }
}
