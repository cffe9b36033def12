/**
 * What can be asked of a gateway about one of its devices, and what it answers: views of this moment for whoever looks. They
 * are neither observations nor receipted, and nobody keeps them. Everything here reads; nothing changes a device.
 */
import Type, { type Static } from 'typebox';
import { EnerchainError } from './errors.ts';
import { type Validator, validator } from './validate.ts';

/** Request of the link by which a centre asks; see `QUESTIONS`. */
export const INSPECT_METHOD = 'inspect';
/** Most octets of an answer that is no file. */
export const VIEW_BYTES = 8 * 1024 * 1024;
/** Most octets of a file that is passed on. */
export const FILE_BYTES = 64 * 1024 * 1024;
/** References in one question. */
export const MOST_READ = 200;

const closed = { additionalProperties: false } as const;
const Nanos = Type.String({ pattern: '^-?\\d{1,19}$', description: 'nanoseconds since the Unix epoch' });
const Text = Type.String({ maxLength: 1_000 });
const Reference = Type.String({ minLength: 1, maxLength: 255 });
const Name = Type.String({ maxLength: 255 });
const Constraint = Type.String({ pattern: '^[A-Z]{2}$', description: 'functional constraint (IEC 61850-7-2)' });
const Count = Type.Integer({ minimum: 0 });
/** Without control characters: such a name stands in messages, headers and logs. */
const FileName = Type.String({ minLength: 1, maxLength: 255, pattern: '^[^\\u0000-\\u001f\\u007f]+$' });

export const ReadItem = Type.Object({ reference: Reference, fc: Constraint }, closed);
export type ReadItem = Static<typeof ReadItem>;

const common = {
  endpoint: Type.String({ minLength: 1, maxLength: 100 }),
  by: Type.String({ minLength: 1, maxLength: 100, description: 'who looks, for the log of the gateway' }),
};

/** The questions there are. */
export const QUESTIONS = {
  identity: Type.Object({ ask: Type.Literal('identity'), ...common }, closed),
  model: Type.Object({ ask: Type.Literal('model'), ...common }, closed),
  controlBlocks: Type.Object({ ask: Type.Literal('controlBlocks'), ...common }, closed),
  goose: Type.Object({ ask: Type.Literal('goose'), ...common }, closed),
  files: Type.Object({ ask: Type.Literal('files'), ...common, folder: Type.Optional(FileName) }, closed),
  file: Type.Object({ ask: Type.Literal('file'), ...common, name: FileName }, closed),
  read: Type.Object(
    { ask: Type.Literal('read'), ...common, items: Type.Array(ReadItem, { minItems: 1, maxItems: MOST_READ }) },
    closed,
  ),
} as const;
export type InspectionAsk = keyof typeof QUESTIONS;
export type InspectionQuestion = { readonly [A in InspectionAsk]: Static<(typeof QUESTIONS)[A]> }[InspectionAsk];

/** Who the device says it is (LLN0.NamPlt, LPHD1.PhyNam; IEC 61850-7-3 § 7.8), beside what its SCL file says. */
export const IedIdentity = Type.Object(
  {
    at: Nanos,
    ied: Name,
    /** Of the SCL file. */
    file: Type.Optional(Name),
    description: Type.Optional(Text),
    manufacturer: Type.Optional(Text),
    type: Type.Optional(Text),
    hardware: Type.Optional(Text),
    software: Type.Optional(Text),
    serialNumber: Type.Optional(Text),
    location: Type.Optional(Text),
    /** configRev of each logical device. */
    devices: Type.Array(
      Type.Object(
        { name: Name, configRev: Type.Optional(Text), expected: Type.Optional(Text), ldNs: Type.Optional(Text) },
        closed,
      ),
      { maxItems: 1_000 },
    ),
    /** Where the device differs from its file, one sentence each. */
    differences: Type.Array(Text, { maxItems: 1_000 }),
    /** What the device says of its clock (LTMS), where it says something. */
    clock: Type.Optional(
      Type.Object(
        { synchronized: Type.Optional(Type.Boolean()), source: Type.Optional(Text), accuracy: Type.Optional(Text) },
        closed,
      ),
    ),
  },
  { ...closed, $id: 'IedIdentity' },
);
export type IedIdentity = Static<typeof IedIdentity>;

/** `cVal.mag.f`: leaves only; dots part structures. */
export const ModelAttribute = Type.Object(
  {
    name: Name,
    fc: Constraint,
    /** bType of IEC 61850-6, or the type of MMS where the model was taken from the device. */
    type: Name,
    /** Key into `enumerations`. */
    enumeration: Type.Optional(Name),
    /** Elements of an array. */
    count: Type.Optional(Count),
  },
  closed,
);
export type ModelAttribute = Static<typeof ModelAttribute>;

/** A data object, or with dots a part of one: `A`, `A.phsA`. */
export const ModelObject = Type.Object(
  {
    name: Name,
    cdc: Name,
    description: Type.Optional(Text),
    attributes: Type.Array(ModelAttribute, { maxItems: 20_000 }),
  },
  closed,
);
export type ModelObject = Static<typeof ModelObject>;

/** One signal that a logical node takes from elsewhere (ExtRef). */
export const ModelInput = Type.Object(
  {
    /** `IED/LN.DO.DA`, as far as the file says. */
    from: Name,
    service: Type.Optional(Name),
    /** Control block that carries it. */
    block: Type.Optional(Name),
    /** Where it goes inside, `intAddr`. */
    to: Type.Optional(Name),
  },
  closed,
);
export type ModelInput = Static<typeof ModelInput>;

export const ModelDataSet = Type.Object(
  {
    reference: Reference,
    members: Type.Array(Type.Object({ reference: Name, fc: Type.Optional(Name) }, closed), { maxItems: 10_000 }),
    /** IEDs that take something of it, as their ExtRefs say. */
    subscribers: Type.Array(Name, { maxItems: 1_000 }),
  },
  closed,
);
export type ModelDataSet = Static<typeof ModelDataSet>;

/** The model of an IED. Nodes of one type share its objects, so that a large IED is a short answer. */
export const IedModelView = Type.Object(
  {
    at: Nanos,
    ied: Name,
    origin: Type.Enum(['scl', 'device'] as const, { description: 'where the model was taken from' }),
    devices: Type.Array(
      Type.Object(
        {
          name: Name,
          description: Type.Optional(Text),
          nodes: Type.Array(
            Type.Object(
              {
                name: Name,
                lnClass: Name,
                description: Type.Optional(Text),
                /** Key into `types`. */
                type: Name,
                inputs: Type.Optional(Type.Array(ModelInput, { maxItems: 10_000 })),
              },
              closed,
            ),
            { maxItems: 20_000 },
          ),
        },
        closed,
      ),
      { maxItems: 1_000 },
    ),
    types: Type.Record(Type.String({ maxLength: 255 }), Type.Array(ModelObject, { maxItems: 20_000 })),
    enumerations: Type.Record(
      Type.String({ maxLength: 255 }),
      Type.Array(Type.Tuple([Type.Integer(), Name]), { maxItems: 1_000 }),
    ),
    dataSets: Type.Array(ModelDataSet, { maxItems: 10_000 }),
    /** It was larger than what one answer may hold; the rest is left out. */
    truncated: Type.Boolean(),
  },
  { ...closed, $id: 'IedModel' },
);
export type IedModelView = Static<typeof IedModelView>;

/** A report control block (IEC 61850-7-2 § 17). */
export const ReportBlockView = Type.Object(
  {
    reference: Reference,
    buffered: Type.Boolean(),
    enabled: Type.Optional(Type.Boolean()),
    /** Address of the client that has it, where the device tells. */
    owner: Type.Optional(Name),
    /** Reserved for somebody. */
    reserved: Type.Optional(Type.Boolean()),
    /** It is this gateway that has it. */
    ours: Type.Boolean(),
    reportId: Type.Optional(Name),
    dataSet: Type.Optional(Name),
    confRev: Type.Optional(Count),
    /** confRev in the SCL file. */
    expected: Type.Optional(Count),
    triggers: Type.Optional(Type.Array(Name, { maxItems: 20 })),
    /** ms */
    bufferTime: Type.Optional(Count),
    /** ms */
    integrityPeriod: Type.Optional(Count),
    /** Of the last report that is kept here, hex. */
    entry: Type.Optional(Name),
    lastReport: Type.Optional(Nanos),
    reports: Type.Optional(Count),
    gaps: Type.Optional(Count),
    lastGap: Type.Optional(Text),
    /** Why nothing is known of it. */
    problem: Type.Optional(Text),
  },
  closed,
);
export type ReportBlockView = Static<typeof ReportBlockView>;

export const LogBlockView = Type.Object(
  {
    reference: Reference,
    enabled: Type.Optional(Type.Boolean()),
    log: Type.Optional(Name),
    dataSet: Type.Optional(Name),
    triggers: Type.Optional(Type.Array(Name, { maxItems: 20 })),
    oldest: Type.Optional(Text),
    newest: Type.Optional(Text),
    problem: Type.Optional(Text),
  },
  closed,
);
export type LogBlockView = Static<typeof LogBlockView>;

export const SettingGroupView = Type.Object(
  {
    reference: Reference,
    groups: Type.Optional(Count),
    active: Type.Optional(Count),
    /** Group that somebody edits; 0: none. */
    edited: Type.Optional(Count),
    /** When another group became active, as the device says. */
    since: Type.Optional(Text),
    problem: Type.Optional(Text),
  },
  closed,
);
export type SettingGroupView = Static<typeof SettingGroupView>;

/** A GOOSE or sampled value control block that the device publishes with. */
export const PublisherView = Type.Object(
  {
    reference: Reference,
    kind: Type.Enum(['goose', 'sv'] as const),
    enabled: Type.Optional(Type.Boolean()),
    id: Type.Optional(Name),
    dataSet: Type.Optional(Name),
    confRev: Type.Optional(Count),
    expected: Type.Optional(Count),
    needsCommissioning: Type.Optional(Type.Boolean()),
    destination: Type.Optional(Name),
    appId: Type.Optional(Count),
    vlan: Type.Optional(Count),
    problem: Type.Optional(Text),
  },
  closed,
);
export type PublisherView = Static<typeof PublisherView>;

export const ControlBlocksView = Type.Object(
  {
    at: Nanos,
    reports: Type.Array(ReportBlockView, { maxItems: 10_000 }),
    logs: Type.Array(LogBlockView, { maxItems: 10_000 }),
    settingGroups: Type.Array(SettingGroupView, { maxItems: 1_000 }),
    publishers: Type.Array(PublisherView, { maxItems: 10_000 }),
  },
  { ...closed, $id: 'IedControlBlocks' },
);
export type ControlBlocksView = Static<typeof ControlBlocksView>;

/** What a gateway hears of a GOOSE message that it expects of a device (IEC 61850-8-1 § 18). */
export const GooseSubscriptionView = Type.Object(
  {
    reference: Reference,
    id: Type.Optional(Name),
    dataSet: Type.Optional(Name),
    destination: Type.Optional(Name),
    appId: Type.Optional(Count),
    vlan: Type.Optional(Count),
    /** Alive: a message came within the time allowed to live of the one before. */
    state: Type.Enum(['alive', 'lost', 'never'] as const),
    /** When its state number last grew. */
    lastChange: Type.Optional(Nanos),
    stNum: Type.Optional(Count),
    sqNum: Type.Optional(Count),
    confRev: Type.Optional(Count),
    expected: Type.Optional(Count),
    test: Type.Optional(Type.Boolean()),
    needsCommissioning: Type.Optional(Type.Boolean()),
    /** ms */
    timeAllowedToLive: Type.Optional(Count),
    lastMessage: Type.Optional(Nanos),
    /** Received, lost, out of order, duplicates … */
    counters: Type.Record(Type.String({ maxLength: 100 }), Type.Number()),
    /** Why what comes is not taken. */
    problem: Type.Optional(Text),
  },
  closed,
);
export type GooseSubscriptionView = Static<typeof GooseSubscriptionView>;

export const GooseView = Type.Object(
  {
    at: Nanos,
    /** Name of the interface or file the gateway listens on; absent: on none. */
    link: Type.Optional(Name),
    /** Why it does not listen, or what the way over it is worth. */
    note: Type.Optional(Text),
    subscriptions: Type.Array(GooseSubscriptionView, { maxItems: 10_000 }),
  },
  { ...closed, $id: 'IedGoose' },
);
export type GooseView = Static<typeof GooseView>;

export const FilesView = Type.Object(
  {
    at: Nanos,
    files: Type.Array(
      Type.Object(
        { name: Name, size: Count, modified: Type.Optional(Type.String({ maxLength: 60, description: 'ISO 8601' })) },
        closed,
      ),
      { maxItems: 10_000 },
    ),
    /** There are more than one answer may hold. */
    truncated: Type.Boolean(),
  },
  { ...closed, $id: 'IedFiles' },
);
export type FilesView = Static<typeof FilesView>;

/** Values as JSON: structures by the names of their parts, quality and time in words. */
export const ReadView = Type.Object(
  {
    at: Nanos,
    results: Type.Array(
      Type.Object(
        {
          reference: Reference,
          fc: Constraint,
          value: Type.Optional(Type.Unknown()),
          /** Why there is none. */
          problem: Type.Optional(Text),
        },
        closed,
      ),
      { maxItems: MOST_READ },
    ),
  },
  { ...closed, $id: 'IedValues' },
);
export type ReadView = Static<typeof ReadView>;

/** What each question but `file`, which is answered with octets, is answered with. */
export const VIEWS = {
  identity: IedIdentity,
  model: IedModelView,
  controlBlocks: ControlBlocksView,
  goose: GooseView,
  files: FilesView,
  read: ReadView,
} as const;
export type InspectionViewAsk = keyof typeof VIEWS;
export type InspectionView<A extends InspectionViewAsk> = Static<(typeof VIEWS)[A]>;

const questions = Object.fromEntries(
  Object.entries(QUESTIONS).map(([ask, schema]) => [ask, validator(schema, 'peer')]),
) as Readonly<Record<InspectionAsk, Validator<InspectionQuestion>>>;
const views = Object.fromEntries(
  Object.entries(VIEWS).map(([ask, schema]) => [ask, validator(schema, 'peer')]),
) as Readonly<Record<InspectionViewAsk, Validator<unknown>>>;

/** @throws EnerchainError `inspection.question` (unsupported: not one of ours) or `model.invalid` (peer) */
export function parseQuestion(data: unknown): InspectionQuestion {
  const ask = (data as { ask?: unknown } | null)?.ask;
  if (typeof ask !== 'string' || !Object.hasOwn(QUESTIONS, ask)) {
    const named = String(ask).slice(0, 40);
    throw new EnerchainError('unsupported', 'inspection.question', `a question '${named}' is not known here`);
  }
  return questions[ask as InspectionAsk].parse(data, `the question '${ask}'`);
}

/** @throws EnerchainError `model.invalid` (peer) */
export function parseView<A extends InspectionViewAsk>(ask: A, data: unknown, what: string): InspectionView<A> {
  return views[ask].parse(data, what) as InspectionView<A>;
}
