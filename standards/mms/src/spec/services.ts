/** The confirmed and unconfirmed services as tables: number, request, response (ISO 9506-2 § 7.2; the files: annex D). */
import {
  bitString,
  boolean,
  generalizedTime,
  graphicString,
  integer,
  integer32,
  nothing,
  octets,
  oid,
  unsigned32,
  visibleString,
} from '../ber/primitive.ts';
import {
  byDefault,
  choice,
  context,
  explicit,
  optional,
  plain,
  sequence,
  sequenceOf,
  type Type,
  type Value,
} from '../ber/type.ts';
import { data, timeOfDay } from './data.ts';
import { dataAccessError } from './faults.ts';
import {
  address,
  identifier,
  objectClass,
  objectName,
  type VariableAccess,
  variable,
  variableAccess,
} from './names.ts';
import { typeSpecification } from './types.ts';

export const accessResult = choice('AccessResult', { failure: context(0, dataAccessError), success: data });
export type AccessResult = Value<typeof accessResult>;

export const writeResult = choice('WriteResult', {
  failure: context(0, dataAccessError),
  success: context(1, nothing),
});
export type WriteResult = Value<typeof writeResult>;

const fileName = sequenceOf(graphicString, 64);
const fileAttributes = sequence('FileAttributes', {
  size: context(0, unsigned32),
  lastModified: optional(context(1, generalizedTime)),
});
export const directoryEntry = sequence('DirectoryEntry', {
  name: context(0, fileName),
  attributes: context(1, fileAttributes),
});
export type DirectoryEntry = Value<typeof directoryEntry>;

/** Content of a constructed element, kept as it is. */
const content = plain<Uint8Array>(
  0x30,
  (reader) => reader.content(),
  (writer, value) => writer.octets(value),
);

const journalVariable = sequence('journalVariable', { tag: context(0, visibleString), value: context(1, data) });

export const journalEntry = sequence('JournalEntry', {
  entryId: context(0, octets),
  /** The ApplicationReference, as it is. */
  origin: context(1, content),
  content: context(
    2,
    sequence('EntryContent', {
      time: context(0, timeOfDay),
      form: choice('entryForm', {
        data: context(
          2,
          sequence('data', {
            event: optional(context(0, content)),
            variables: optional(context(1, sequenceOf(journalVariable))),
          }),
        ),
        annotation: context(3, visibleString),
      }),
    }),
  ),
});
export type JournalEntry = Value<typeof journalEntry>;

const statusResponse = sequence('Status-Response', {
  logical: context(0, integer(0, 127)),
  physical: context(1, integer(0, 127)),
  detail: optional(context(2, bitString)),
});
export type MmsStatus = Value<typeof statusResponse>;

/** Number, request and response of each service. */
const SERVICES = {
  status: {
    number: 0,
    request: boolean,
    response: statusResponse,
  },
  getNameList: {
    number: 1,
    request: sequence('GetNameList-Request', {
      class: context(0, objectClass),
      scope: context(
        1,
        choice('objectScope', {
          vmd: context(0, nothing),
          domain: context(1, identifier),
          association: context(2, nothing),
        }),
      ),
      continueAfter: optional(context(2, identifier)),
    }),
    response: sequence('GetNameList-Response', {
      names: context(0, sequenceOf(identifier)),
      moreFollows: byDefault(context(1, boolean), true),
    }),
  },
  identify: {
    number: 2,
    request: nothing,
    response: sequence('Identify-Response', {
      vendor: context(0, visibleString),
      model: context(1, visibleString),
      revision: context(2, visibleString),
      abstractSyntaxes: optional(context(3, sequenceOf(oid, 64))),
    }),
  },
  read: {
    number: 4,
    request: sequence('Read-Request', {
      withSpecification: byDefault(context(0, boolean), false),
      access: context(1, variableAccess),
    }),
    response: sequence('Read-Response', {
      access: optional(context(0, variableAccess)),
      results: context(1, sequenceOf(accessResult)),
    }),
  },
  write: {
    number: 5,
    request: sequence('Write-Request', { access: variableAccess, data: context(0, sequenceOf(data)) }),
    response: sequenceOf(writeResult),
  },
  getVariableAccessAttributes: {
    number: 6,
    request: choice('GetVariableAccessAttributes-Request', {
      name: context(0, objectName),
      address: context(1, address),
    }),
    response: sequence('GetVariableAccessAttributes-Response', {
      deletable: context(0, boolean),
      address: optional(context(1, address)),
      type: context(2, typeSpecification),
    }),
  },
  defineNamedVariableList: {
    number: 11,
    request: sequence('DefineNamedVariableList-Request', {
      name: objectName,
      variables: context(0, sequenceOf(variable)),
    }),
    response: nothing,
  },
  getNamedVariableListAttributes: {
    number: 12,
    request: objectName,
    response: sequence('GetNamedVariableListAttributes-Response', {
      deletable: context(0, boolean),
      variables: context(1, sequenceOf(variable)),
    }),
  },
  deleteNamedVariableList: {
    number: 13,
    request: sequence('DeleteNamedVariableList-Request', {
      /** 0 specific, 1 association-specific, 2 domain, 3 VMD. */
      scope: byDefault(context(0, integer(0, 3)), 0),
      names: optional(context(1, sequenceOf(objectName))),
      domain: optional(context(2, identifier)),
    }),
    response: sequence('DeleteNamedVariableList-Response', {
      matched: context(0, unsigned32),
      deleted: context(1, unsigned32),
    }),
  },
  obtainFile: {
    number: 46,
    request: sequence('ObtainFile-Request', {
      server: optional(context(0, content)),
      source: context(1, fileName),
      destination: context(2, fileName),
    }),
    response: nothing,
  },
  readJournal: {
    number: 65,
    request: sequence('ReadJournal-Request', {
      journal: context(0, objectName),
      start: optional(context(1, choice('rangeStart', { time: context(0, timeOfDay), entry: context(1, octets) }))),
      stop: optional(context(2, choice('rangeStop', { time: context(0, timeOfDay), count: context(1, integer32) }))),
      variables: optional(context(4, sequenceOf(visibleString))),
      startAfter: optional(
        context(5, sequence('entryToStartAfter', { time: context(0, timeOfDay), entry: context(1, octets) })),
      ),
    }),
    response: sequence('ReadJournal-Response', {
      entries: context(0, sequenceOf(journalEntry)),
      moreFollows: byDefault(context(1, boolean), false),
    }),
  },
  initializeJournal: {
    number: 67,
    request: sequence('InitializeJournal-Request', {
      journal: context(0, objectName),
      limit: optional(
        context(
          1,
          sequence('limitSpecification', { time: context(0, timeOfDay), entry: optional(context(1, octets)) }),
        ),
      ),
    }),
    /** Entries deleted. */
    response: unsigned32,
  },
  fileOpen: {
    number: 72,
    request: sequence('FileOpen-Request', { name: context(0, fileName), position: context(1, unsigned32) }),
    response: sequence('FileOpen-Response', { frsm: context(0, integer32), attributes: context(1, fileAttributes) }),
  },
  fileRead: {
    number: 73,
    request: integer32,
    response: sequence('FileRead-Response', {
      data: context(0, octets),
      moreFollows: byDefault(context(1, boolean), true),
    }),
  },
  fileClose: { number: 74, request: integer32, response: nothing },
  fileRename: {
    number: 75,
    request: sequence('FileRename-Request', { from: context(0, fileName), to: context(1, fileName) }),
    response: nothing,
  },
  fileDelete: { number: 76, request: fileName, response: nothing },
  fileDirectory: {
    number: 77,
    request: sequence('FileDirectory-Request', {
      specification: optional(context(0, fileName)),
      continueAfter: optional(context(1, fileName)),
    }),
    response: sequence('FileDirectory-Response', {
      // Tagged explicitly in annex D.
      entries: explicit(0, sequenceOf(directoryEntry)),
      moreFollows: byDefault(context(1, boolean), false),
    }),
  },
} as const;

export type ServiceName = keyof typeof SERVICES;
export const SERVICE_NAMES = Object.keys(SERVICES) as ServiceName[];

export type RequestOf<S extends ServiceName> = Value<(typeof SERVICES)[S]['request']>;
export type ResponseOf<S extends ServiceName> = Value<(typeof SERVICES)[S]['response']>;

/** A service that has no row above, as it is. */
export interface OtherService {
  /** Identifier octets as a number. */
  readonly tag: number;
  readonly content: Uint8Array;
}

export type ServiceRequest =
  | { readonly [S in ServiceName]: { readonly kind: S; readonly value: RequestOf<S> } }[ServiceName]
  | { readonly kind: 'other'; readonly value: OtherService };
export type ServiceResponse =
  | { readonly [S in ServiceName]: { readonly kind: S; readonly value: ResponseOf<S> } }[ServiceName]
  | { readonly kind: 'other'; readonly value: OtherService };

const other: Type<OtherService> = {
  accepts: (tag) => ((tag > 0xff ? tag >>> 8 : tag) & 0xc0) === 0x80,
  read: (reader) => ({ tag: reader.tag, content: reader.content() }),
  write(writer, value) {
    const before = writer.length;
    writer.octets(value.content);
    writer.header(value.tag, before);
  },
};

function alternatives(part: 'request' | 'response'): Record<string, Type<unknown>> {
  const rows = Object.entries(SERVICES).map(([name, row]) => [name, context(row.number, row[part] as Type<unknown>)]);
  return Object.fromEntries([...rows, ['other', other]]);
}

export const serviceRequest = choice('ConfirmedServiceRequest', alternatives('request')) as Type<ServiceRequest>;
export const serviceResponse = choice('ConfirmedServiceResponse', alternatives('response')) as Type<ServiceResponse>;

export const informationReport = sequence('InformationReport', {
  access: variableAccess,
  results: context(0, sequenceOf(accessResult)),
});
export type InformationReport = Value<typeof informationReport>;

/** The same with access results that are encoded already: octets of any number of them in each piece. */
export interface EncodedReport {
  readonly access: VariableAccess;
  readonly results: readonly Uint8Array[];
}

export const unconfirmedService = choice('UnconfirmedService', {
  informationReport: context(0, informationReport),
  /** A server tells its state by itself (§ 10.3). */
  unsolicitedStatus: context(1, statusResponse),
  other,
});
