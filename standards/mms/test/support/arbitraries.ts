/** Values of every kind of data, type, name and service, for properties. */
import fc from 'fast-check';
import { bits } from '../../src/ber/primitive.ts';
import type { MmsPdu } from '../../src/codec/pdu.ts';
import type { Data } from '../../src/spec/data.ts';
import { SERVICE_ERRORS, type ServiceError } from '../../src/spec/faults.ts';
import { DEFAULT_PARAMETER_BLOCKS, type Initiate, servicesOf } from '../../src/spec/initiate.ts';
import type { AccessSelection, AlternateAccess, ObjectName, Variable, VariableAccess } from '../../src/spec/names.ts';
import type { RequestOf, ResponseOf, ServiceName } from '../../src/spec/services.ts';
import type { TypeSpecification } from '../../src/spec/types.ts';

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
/** A record whose undefined fields are absent. */
function record<T>(model: { [K in keyof T]-?: fc.Arbitrary<T[K] | undefined> }): fc.Arbitrary<T> {
  return fc
    .record(model as { [K in keyof T]: fc.Arbitrary<T[K]> })
    .map((value) => Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as T);
}
const kind = <K extends string, T>(name: K, value: fc.Arbitrary<T>) => fc.record({ kind: fc.constant(name), value });
const nothing = fc.constant(null);
const bool = fc.boolean();
const uint = fc.oneof(fc.nat(3), fc.nat({ max: 0xffff_ffff }));
const text = fc.string({ unit: fc.constantFrom(...'AZaz09$_ '), maxLength: 40 });
const octets = fc.uint8Array({ maxLength: 40 });
const bitString = fc.array(fc.constantFrom('0', '1'), { maxLength: 30 }).map((array) => bits(array.join('')));
const whole = fc.oneof(fc.integer(), fc.maxSafeInteger());
const big = fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n });
const few = <T>(arbitrary: fc.Arbitrary<T>) => fc.array(arbitrary, { maxLength: 4 });
export const timeOfDay = record<{ millis: number; days?: number }>({ millis: uint, days: maybe(fc.nat(0xffff)) });

export const dataOf: fc.Arbitrary<Data> = fc.letrec<{ data: Data }>((tie) => ({
  data: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    kind('boolean', bool),
    kind('bitString', bitString),
    kind('integer', fc.oneof(whole, big)),
    kind('unsigned', fc.oneof(uint, big)),
    kind('float', fc.float()),
    kind('double', fc.double()),
    kind('octetString', octets),
    kind('visibleString', text),
    kind('mmsString', fc.string({ unit: 'grapheme' })),
    kind('generalizedTime', fc.constant('20260115120000.5Z')),
    kind('binaryTime', timeOfDay),
    kind('bcd', fc.nat()),
    kind('booleanArray', bitString),
    kind('objectId', fc.constant('1.0.9506.2.3')),
    kind('utcTime', fc.record({ seconds: uint, fraction: fc.nat(0xff_ffff), quality: fc.nat(255) })),
    kind('structure', few(tie('data'))),
    kind('array', few(tie('data'))),
  ) as fc.Arbitrary<Data>,
})).data;

export const nameOf: fc.Arbitrary<ObjectName> = fc.oneof(
  kind('vmd', text),
  kind('domain', fc.record({ domain: text, item: text })),
  kind('association', text),
) as fc.Arbitrary<ObjectName>;

const selection = [
  kind('component', text),
  kind('index', uint),
  kind('indexRange', fc.record({ lowIndex: uint, numberOfElements: uint })),
  kind('allElements', nothing),
];
export const accessOf: fc.Arbitrary<AlternateAccess> = fc.letrec<{ access: AlternateAccess; one: AccessSelection }>(
  (tie) => ({
    one: fc.oneof(
      { depthSize: 'small' },
      ...selection,
      kind('nested', fc.record({ select: fc.oneof(...selection), access: tie('access') })),
    ) as fc.Arbitrary<AccessSelection>,
    access: fc.array(
      fc.oneof(tie('one'), kind('named', fc.record({ name: text, access: tie('one') }))) as fc.Arbitrary<
        AlternateAccess[number]
      >,
      { minLength: 1, maxLength: 3 },
    ),
  }),
).access;

export const typeOf: fc.Arbitrary<TypeSpecification> = fc.letrec<{ type: TypeSpecification }>((tie) => ({
  type: fc.oneof(
    { depthSize: 'small' },
    kind('boolean', nothing),
    kind('bitString', fc.integer({ min: -100, max: 100 })),
    kind('integer', fc.constantFrom(8, 16, 32, 64)),
    kind('unsigned', fc.constantFrom(8, 16, 32)),
    kind('float', fc.constant({ format: 32, exponent: 8 })),
    kind('octetString', fc.integer()),
    kind('visibleString', fc.constantFrom(-255, 129)),
    kind('generalizedTime', nothing),
    kind('binaryTime', bool),
    kind('bcd', fc.nat(255)),
    kind('objectId', nothing),
    kind('mmsString', fc.constant(-255)),
    kind('utcTime', nothing),
    kind('typeName', nameOf),
    kind('array', fc.record({ packed: bool, count: uint, element: tie('type') })),
    kind(
      'structure',
      fc.record({
        packed: bool,
        components: few(record<{ name?: string; type: TypeSpecification }>({ name: maybe(text), type: tie('type') })),
      }),
    ),
  ) as fc.Arbitrary<TypeSpecification>,
})).type;

const address = fc.oneof(kind('numeric', uint), kind('symbolic', text), kind('unconstrained', octets));
const variable = record<Variable>({
  specification: fc.oneof(
    kind('name', nameOf),
    kind('address', address),
    kind('description', fc.record({ address, type: typeOf })),
    kind('invalidated', nothing),
  ) as fc.Arbitrary<Variable['specification']>,
  access: maybe(accessOf),
});
export const variableAccessOf = fc.oneof(
  kind('variables', few(variable)),
  kind('list', nameOf),
) as fc.Arbitrary<VariableAccess>;
const accessResult = fc.oneof(kind('success', dataOf), kind('failure', fc.nat(11)));
const file = fc.array(text, { maxLength: 3 });
const attributes = record<{ size: number; lastModified?: string }>({
  size: uint,
  lastModified: maybe(fc.constant('20260115120000Z')),
});
const frsm = fc.integer();

export const REQUESTS: { readonly [S in ServiceName]: fc.Arbitrary<RequestOf<S>> } = {
  status: bool,
  getNameList: record<RequestOf<'getNameList'>>({
    class: kind('basic', fc.nat(11)),
    scope: fc.oneof(kind('vmd', nothing), kind('domain', text), kind('association', nothing)),
    continueAfter: maybe(text),
  }),
  identify: nothing,
  read: fc.record({ withSpecification: bool, access: variableAccessOf }),
  write: fc.record({ access: variableAccessOf, data: few(dataOf) }),
  getVariableAccessAttributes: fc.oneof(kind('name', nameOf), kind('address', address)) as fc.Arbitrary<
    RequestOf<'getVariableAccessAttributes'>
  >,
  defineNamedVariableList: fc.record({ name: nameOf, variables: few(variable) }),
  getNamedVariableListAttributes: nameOf,
  deleteNamedVariableList: record<RequestOf<'deleteNamedVariableList'>>({
    scope: fc.nat(3),
    names: maybe(few(nameOf)),
    domain: maybe(text),
  }),
  obtainFile: record<RequestOf<'obtainFile'>>({
    server: maybe(fc.constant(new Uint8Array(0))),
    source: file,
    destination: file,
  }),
  readJournal: record<RequestOf<'readJournal'>>({
    journal: nameOf,
    start: maybe(fc.oneof(kind('time', timeOfDay), kind('entry', octets))),
    stop: maybe(fc.oneof(kind('time', timeOfDay), kind('count', fc.integer()))),
    variables: maybe(few(text)),
    startAfter: maybe(fc.record({ time: timeOfDay, entry: octets })),
  }),
  initializeJournal: record<RequestOf<'initializeJournal'>>({
    journal: nameOf,
    limit: maybe(record<{ time: { millis: number }; entry?: Uint8Array }>({ time: timeOfDay, entry: maybe(octets) })),
  }),
  fileOpen: fc.record({ name: file, position: uint }),
  fileRead: frsm,
  fileClose: frsm,
  fileRename: fc.record({ from: file, to: file }),
  fileDelete: file,
  fileDirectory: record<RequestOf<'fileDirectory'>>({ specification: maybe(file), continueAfter: maybe(file) }),
};

export const RESPONSES: { readonly [S in ServiceName]: fc.Arbitrary<ResponseOf<S>> } = {
  status: record<ResponseOf<'status'>>({ logical: fc.nat(3), physical: fc.nat(3), detail: maybe(bitString) }),
  getNameList: fc.record({ names: few(text), moreFollows: bool }),
  identify: record<ResponseOf<'identify'>>({
    vendor: text,
    model: text,
    revision: text,
    abstractSyntaxes: maybe(few(fc.constant('1.0.9506.2.1'))),
  }),
  read: record<ResponseOf<'read'>>({ access: maybe(variableAccessOf), results: few(accessResult) as never }),
  write: few(fc.oneof(kind('success', nothing), kind('failure', fc.nat(11)))),
  getVariableAccessAttributes: record<ResponseOf<'getVariableAccessAttributes'>>({
    deletable: bool,
    address: maybe(address) as never,
    type: typeOf,
  }),
  defineNamedVariableList: nothing,
  getNamedVariableListAttributes: fc.record({ deletable: bool, variables: few(variable) }),
  deleteNamedVariableList: fc.record({ matched: uint, deleted: uint }),
  obtainFile: nothing,
  readJournal: fc.record({
    entries: few(
      fc.record({
        entryId: octets,
        origin: fc.constant(new Uint8Array([0x30, 0])),
        content: fc.record({
          time: timeOfDay,
          form: fc.oneof(
            kind('annotation', text),
            kind(
              'data',
              record<{ event?: Uint8Array; variables?: { tag: string; value: Data }[] }>({
                event: maybe(fc.constant(new Uint8Array([0x80, 0]))),
                variables: maybe(few(fc.record({ tag: text, value: dataOf }))),
              }),
            ),
          ),
        }),
      }),
    ),
    moreFollows: bool,
  }) as fc.Arbitrary<ResponseOf<'readJournal'>>,
  initializeJournal: uint,
  fileOpen: fc.record({ frsm, attributes }),
  fileRead: fc.record({ data: octets, moreFollows: bool }),
  fileClose: nothing,
  fileRename: nothing,
  fileDelete: nothing,
  fileDirectory: fc.record({ entries: few(fc.record({ name: file, attributes })), moreFollows: bool }),
};

const serviceError: fc.Arbitrary<ServiceError> = record<ServiceError>({
  error: fc.record({ kind: fc.constantFrom(...(Object.keys(SERVICE_ERRORS) as 'access'[])), value: fc.nat(9) }),
  additionalCode: maybe(fc.integer()),
  description: maybe(text),
  specific: maybe(fc.constant(new Uint8Array([0x80, 1, 5]))),
});

const initiate: fc.Arbitrary<Initiate> = record<Initiate>({
  localDetail: maybe(fc.nat()),
  outstandingCalling: fc.nat(0x7fff),
  outstandingCalled: fc.nat(0x7fff),
  nesting: maybe(fc.nat(127)),
  detail: fc.constant({
    version: 1,
    parameters: DEFAULT_PARAMETER_BLOCKS,
    services: servicesOf(['read', 'write', 'informationReport', 'cancel']),
  }),
});

/** PDUs that carry no confirmed service. */
export const OTHER_PDUS: readonly fc.Arbitrary<MmsPdu>[] = [
  kind(
    'confirmedError',
    record<{ invokeId: number; modifierPosition?: number; error: ServiceError }>({
      invokeId: uint,
      modifierPosition: maybe(uint),
      error: serviceError,
    }),
  ),
  kind(
    'unconfirmed',
    fc.record({
      service: fc.oneof(
        kind('informationReport', fc.record({ access: variableAccessOf, results: few(accessResult) })),
        kind('other', fc.constant({ tag: 0xa2, content: new Uint8Array([1, 2]) })),
      ),
    }),
  ),
  kind(
    'reject',
    record<{ invokeId?: number; reason: { kind: 'pdu'; value: number } }>({
      invokeId: maybe(uint),
      reason: kind('pdu', fc.nat(2)),
    }),
  ),
  kind('cancelRequest', uint),
  kind('cancelResponse', uint),
  kind('cancelError', fc.record({ invokeId: uint, error: serviceError })),
  kind('initiateRequest', initiate),
  kind('initiateResponse', initiate),
  kind('initiateError', serviceError),
  kind('concludeRequest', nothing),
  kind('concludeResponse', nothing),
  kind('concludeError', serviceError),
] as readonly fc.Arbitrary<MmsPdu>[];
