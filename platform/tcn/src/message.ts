/** The messages between two neighbours: each is one CBOR array `[type, …]`, one per frame. README.md lists them. */
import type { EvidenceCursor } from '@enerchain/attestation';
import { EnerchainError } from '@enerchain/model';
import { CborReader, type CborValue, CborWriter } from '@enerchain/trust';
import { TAP_LIMITS } from './tap/elements.ts';
import { bounded, readList } from './tap/request.ts';

export const TCN_VERSION = 1;
/** Largest message: evidence with everything around it. */
export const MAX_TCN_MESSAGE = TAP_LIMITS.evidence + 4096;
/** A signed statement: a result with everything that was found, a silence, a release. */
export const MAX_STATEMENT = TAP_LIMITS.result;
/** Statements put into one message, in octets. */
export const STATEMENTS_BYTES = 2 * MAX_STATEMENT;
const MAX_STATEMENTS = 64;
/** Entries of a summary; what stands is small in a healthy network. */
export const MAX_SUMMARY = 2048;
const MAX_WANTS = 32;
const HASH = 32;
/** Octets of a key in a summary: enough that two keys do not meet by chance. */
export const SUMMARY_KEY = 8;

/** How many neighbours further a statement may still go. */
export interface Passing {
  readonly ttl: number;
  /** COSE_Sign1. */
  readonly bytes: Uint8Array;
}

/** What can be asked for by its SHA-256. */
export const WANTED = ['evidence', 'certificate', 'bundle'] as const;
export type Wanted = (typeof WANTED)[number];

export type TcnMessage =
  /** First on every connection, from both ends. */
  | { readonly type: 'hello'; readonly software: string }
  /** Asks for evidence; `request` is a TAP request. `since`: how far the asker knows the logs; absent: all of them are needed. */
  | {
      readonly type: 'challenge';
      readonly id: number;
      readonly request: Uint8Array;
      readonly since?: EvidenceCursor | undefined;
    }
  /** `response` is a TAP response. */
  | { readonly type: 'answer'; readonly id: number; readonly response: Uint8Array }
  /** There is no evidence, now. */
  | { readonly type: 'refused'; readonly id: number; readonly code: string; readonly text: string }
  /** My measurements have changed: look at me. */
  | { readonly type: 'changed' }
  | { readonly type: 'statements'; readonly statements: readonly Passing[] }
  /** SHA-256 over everything that stands here. */
  | { readonly type: 'digest'; readonly hash: Uint8Array }
  /** What stands here, by key and sequence. `reply`: the other one has sent its own already. */
  | {
      readonly type: 'summary';
      readonly reply: boolean;
      readonly entries: readonly { readonly key: Uint8Array; readonly sequence: number }[];
    }
  /** The bundle of the centre that is held here. */
  | { readonly type: 'bundle'; readonly sequence: number; readonly hash: Uint8Array }
  | { readonly type: 'want'; readonly what: Wanted; readonly hashes: readonly Uint8Array[] }
  | { readonly type: 'have'; readonly what: Wanted; readonly bytes: Uint8Array };

export type TcnMessageType = TcnMessage['type'];

/** Numbers of the messages on the wire, and how many items their array has. */
export const TCN_MESSAGE_CODES: Readonly<Record<TcnMessageType, readonly [code: number, items: number]>> = {
  hello: [1, 3],
  challenge: [2, 4],
  answer: [3, 3],
  refused: [4, 4],
  changed: [5, 1],
  statements: [6, 2],
  digest: [7, 2],
  summary: [8, 3],
  want: [9, 3],
  have: [10, 3],
  bundle: [11, 3],
};
const TYPE_OF = new Map(
  Object.entries(TCN_MESSAGE_CODES).map(([type, [code]]) => [code, type as TcnMessageType] as const),
);

const refuse = (text: string) => new EnerchainError('peer', 'tcn.message', text);

export function encodeTcnMessage(message: TcnMessage): Uint8Array {
  const writer = new CborWriter(sizeOf(message) + 64);
  writer.value([TCN_MESSAGE_CODES[message.type][0], ...fieldsOf(message)]);
  return writer.finish();
}

/** Octets of what is long in a message, so that the buffer need not grow. */
function sizeOf(message: TcnMessage): number {
  switch (message.type) {
    case 'challenge':
      return message.request.length + 64;
    case 'answer':
      return message.response.length;
    case 'statements':
      return message.statements.reduce((sum, { bytes }) => sum + bytes.length + 8, 0);
    case 'have':
      return message.bytes.length;
    default:
      return 64;
  }
}

function fieldsOf(message: TcnMessage): readonly CborValue[] {
  switch (message.type) {
    case 'hello':
      return [TCN_VERSION, message.software];
    case 'challenge':
      return [message.id, message.request, cursorFields(message.since)];
    case 'answer':
      return [message.id, message.response];
    case 'refused':
      return [message.id, message.code, message.text];
    case 'changed':
      return [];
    case 'statements':
      return [message.statements.map(({ ttl, bytes }) => [ttl, bytes])];
    case 'digest':
      return [message.hash];
    case 'summary':
      return [message.reply, message.entries.map(({ key, sequence }) => [key, sequence])];
    case 'bundle':
      return [message.sequence, message.hash];
    case 'want':
      return [WANTED.indexOf(message.what), message.hashes];
    case 'have':
      return [WANTED.indexOf(message.what), message.bytes];
  }
}

const cursorFields = (cursor: EvidenceCursor | undefined): CborValue =>
  cursor ? [Buffer.from(cursor.list, 'hex'), cursor.records, cursor.events ?? null, cursor.ima ?? null] : null;

function readCursor(value: CborValue): EvidenceCursor | undefined {
  if (value === null) return undefined;
  const [list, records, events, ima] = Array.isArray(value) && value.length === 4 ? (value as CborValue[]) : [];
  if (!(list instanceof Uint8Array) || list.length > HASH || !isCount(records)) throw refuse('a cursor that is none');
  if ((events !== null && !isCount(events)) || (ima !== null && !isCount(ima))) throw refuse('a cursor that is none');
  return {
    list: Buffer.from(list).toString('hex'),
    records,
    ...(events === null ? {} : { events }),
    ...(ima === null ? {} : { ima }),
  };
}

const isCount = (value: CborValue): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

/** @throws EnerchainError `tcn.message` or `cbor.malformed` (fault peer), `tcn.version` (fault unsupported) */
export function decodeTcnMessage(bytes: Uint8Array): TcnMessage {
  if (bytes.length > MAX_TCN_MESSAGE) throw refuse(`a message has ${bytes.length} octets, too many`);
  const reader = new CborReader(bytes);
  const items = reader.array('message');
  const code = reader.uint('message type');
  const type = TYPE_OF.get(code);
  if (!type) throw refuse(`messages of type ${code} are not known here`);
  if (items !== TCN_MESSAGE_CODES[type][1]) throw refuse(`a message '${type}' has ${items} items`);
  const message = readFields(type, reader);
  reader.end();
  return message;
}

function readFields(type: TcnMessageType, reader: CborReader): TcnMessage {
  switch (type) {
    case 'hello': {
      const version = reader.uint('version');
      if (version !== TCN_VERSION) {
        const text = `the neighbour speaks version ${version} of the Trusted Core Network, we speak ${TCN_VERSION}`;
        throw new EnerchainError('unsupported', 'tcn.version', text);
      }
      return { type, software: reader.text('software', 200) };
    }
    case 'challenge':
      return { type, id: reader.uint('id'), request: reader.bytes('request'), since: readCursor(reader.value()) };
    case 'answer':
      return { type, id: reader.uint('id'), response: reader.bytes('response') };
    case 'refused':
      return { type, id: reader.uint('id'), code: reader.text('code', 100), text: reader.text('text', 500) };
    case 'changed':
      return { type };
    case 'statements':
      return {
        type,
        statements: readList(reader, 'statements', MAX_STATEMENTS, () => {
          reader.array('statement', 2);
          const ttl = reader.uint('ttl', 255);
          return { ttl, bytes: bounded(reader.bytes('statement'), 'a statement', MAX_STATEMENT).slice() };
        }),
      };
    case 'digest':
      return { type, hash: reader.bytes('digest', HASH).slice() };
    case 'summary': {
      const reply = reader.value();
      if (typeof reply !== 'boolean') throw refuse('a summary does not say whether it is a reply');
      const entries = readList(reader, 'entries of a summary', MAX_SUMMARY, () => {
        reader.array('entry', 2);
        return { key: reader.bytes('key', SUMMARY_KEY).slice(), sequence: reader.uint('sequence') };
      });
      return { type, reply, entries };
    }
    case 'bundle':
      return { type, sequence: reader.uint('sequence'), hash: reader.bytes('hash', HASH).slice() };
    case 'want': {
      const what = WANTED[reader.uint('what', WANTED.length - 1)]!;
      return { type, what, hashes: readList(reader, 'wants', MAX_WANTS, () => reader.bytes('hash', HASH).slice()) };
    }
    case 'have': {
      const what = WANTED[reader.uint('what', WANTED.length - 1)]!;
      return { type, what, bytes: bounded(reader.bytes('what is had'), 'what is had', TAP_LIMITS.evidence).slice() };
    }
  }
}
