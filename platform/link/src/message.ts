/** The messages of the link: each is one CBOR array `[type, …]`, one per WebSocket message. README.md lists them. */
import { EnerchainError, type Fault } from '@enerchain/model';
import { CborReader, type CborValue, CborWriter } from '@enerchain/trust';
import type { ChainPosition } from './batch.ts';
import { MAX_BATCH_BYTES } from './batch.ts';
import { HASH_BYTES } from './merkle.ts';

/** Request by which a source shows, on a running connection, the certificate that its key has got anew. */
export const RENEWED_METHOD = 'link.certificate';
/** Request by which a centre tells, on a running connection, of another certificate of the key that signs commands. */
export const CENTRE_METHOD = 'link.centre';

/** WebSocket subprotocol. */
export const SUBPROTOCOL = 'enerchain-link.1';
export const LINK_PATH = '/link';
export const LINK_VERSION = 1;
/** Largest message that is read, in bytes. */
export const MAX_MESSAGE_BYTES = MAX_BATCH_BYTES + 1024;
/** Most epochs or cursors in hello and welcome, certificates in hello. */
const MAX_LIST = 1024;
const MAX_CERTIFICATES = 32;

/** Batches of one epoch that wait for acknowledgement. */
export interface EpochRange {
  readonly epoch: number;
  readonly first: number;
  readonly last: number;
}

export interface Hello {
  readonly source: string;
  /** Name and version of the software. */
  readonly software: string;
  readonly epochs: readonly EpochRange[];
  /** DER of the certificates whose keys signed what is sent, when they are not the one of the connection. */
  readonly certificates: readonly Uint8Array[];
}

export interface Welcome {
  /** Epochs up to this number are complete; -1 when none is. */
  readonly completed: number;
  /** Last batch kept in each epoch above. */
  readonly cursors: readonly ChainPosition[];
  /** Bytes of batches that may be under way unacknowledged. */
  readonly window: number;
  /** DER of the certificate whose key signs commands. */
  readonly certificate: Uint8Array;
}

export type Message =
  | ({ readonly type: 'hello' } & Hello)
  | ({ readonly type: 'welcome' } & Welcome)
  | { readonly type: 'batch'; readonly bytes: Uint8Array }
  | { readonly type: 'ack'; readonly epoch: number; readonly sequence: number }
  | { readonly type: 'credit'; readonly bytes: number }
  | {
      readonly type: 'reject';
      readonly epoch: number;
      readonly sequence: number;
      readonly code: string;
      readonly text: string;
    }
  | { readonly type: 'command'; readonly bytes: Uint8Array }
  | { readonly type: 'status'; readonly report: CborValue }
  | { readonly type: 'request'; readonly id: number; readonly method: string; readonly params: CborValue }
  | { readonly type: 'response'; readonly id: number; readonly result: CborValue }
  | {
      readonly type: 'error';
      readonly id: number;
      readonly fault: Fault;
      readonly code: string;
      readonly text: string;
    }
  | { readonly type: 'item'; readonly id: number; readonly value: CborValue }
  | { readonly type: 'more'; readonly id: number; readonly count: number }
  | { readonly type: 'cancel'; readonly id: number }
  | { readonly type: 'ping'; readonly nonce: number }
  | { readonly type: 'pong'; readonly nonce: number }
  | { readonly type: 'goodbye'; readonly code: string; readonly text: string };

export type MessageType = Message['type'];

/** Numbers of the messages on the wire, and how many items their array has. */
export const MESSAGE_CODES: Readonly<Record<MessageType, readonly [code: number, items: number]>> = {
  hello: [1, 6],
  welcome: [2, 6],
  batch: [3, 2],
  ack: [4, 3],
  credit: [5, 2],
  reject: [6, 5],
  command: [7, 2],
  status: [8, 2],
  request: [9, 4],
  response: [10, 3],
  error: [11, 5],
  item: [12, 3],
  more: [13, 3],
  cancel: [14, 2],
  ping: [15, 2],
  pong: [16, 2],
  goodbye: [17, 3],
};
const TYPE_OF = new Map(Object.entries(MESSAGE_CODES).map(([type, [code]]) => [code, type as MessageType]));
const FAULTS: readonly Fault[] = ['peer', 'caller', 'local', 'unsupported', 'environment'];

const position = ({ epoch, sequence, hash }: ChainPosition): CborValue => [epoch, sequence, hash];

export function encodeMessage(message: Message): Uint8Array {
  const size = 'bytes' in message && message.bytes instanceof Uint8Array ? message.bytes.length + 16 : 128;
  const writer = new CborWriter(size);
  writer.value([MESSAGE_CODES[message.type][0], ...fieldsOf(message)]);
  return writer.finish();
}

function fieldsOf(message: Message): readonly CborValue[] {
  switch (message.type) {
    case 'hello': {
      const epochs = message.epochs.map(({ epoch, first, last }) => [epoch, first, last]);
      return [LINK_VERSION, message.source, message.software, epochs, message.certificates];
    }
    case 'welcome':
      return [LINK_VERSION, message.completed, message.cursors.map(position), message.window, message.certificate];
    case 'batch':
    case 'command':
      return [message.bytes];
    case 'ack':
      return [message.epoch, message.sequence];
    case 'credit':
      return [message.bytes];
    case 'reject':
      return [message.epoch, message.sequence, message.code, message.text];
    case 'status':
      return [message.report];
    case 'request':
      return [message.id, message.method, message.params];
    case 'response':
      return [message.id, message.result];
    case 'error':
      return [message.id, message.fault, message.code, message.text];
    case 'item':
      return [message.id, message.value];
    case 'more':
      return [message.id, message.count];
    case 'cancel':
      return [message.id];
    case 'ping':
    case 'pong':
      return [message.nonce];
    case 'goodbye':
      return [message.code, message.text];
  }
}

/** @throws EnerchainError `link.message` or `cbor.malformed` (fault peer), `link.version` (fault unsupported) */
export function decodeMessage(bytes: Uint8Array): Message {
  if (bytes.length > MAX_MESSAGE_BYTES) {
    throw new EnerchainError('peer', 'link.message', `a message has ${bytes.length} bytes, too many`);
  }
  const reader = new CborReader(bytes, { items: 1_000_000 });
  const items = reader.array('message');
  const code = reader.uint('message type');
  const type = TYPE_OF.get(code);
  if (!type) throw new EnerchainError('peer', 'link.message', `messages of type ${code} are not known here`);
  if (items !== MESSAGE_CODES[type][1]) {
    throw new EnerchainError('peer', 'link.message', `a message '${type}' has ${items} items`);
  }
  const message = readFields(type, reader);
  reader.end();
  return message;
}

function readFields(type: MessageType, reader: CborReader): Message {
  switch (type) {
    case 'hello': {
      readVersion(reader);
      const source = reader.text('source', 100);
      const software = reader.text('software', 200);
      const epochs = list(reader, MAX_LIST, () => {
        reader.array('epoch', 3);
        return { epoch: reader.uint('epoch'), first: reader.uint('first'), last: reader.uint('last') };
      });
      return {
        type,
        source,
        software,
        epochs,
        certificates: list(reader, MAX_CERTIFICATES, () => reader.bytes('certificate')),
      };
    }
    case 'welcome': {
      readVersion(reader);
      const completed = reader.int('completed');
      const cursors = list(reader, MAX_LIST, () => {
        reader.array('cursor', 3);
        return {
          epoch: reader.uint('epoch'),
          sequence: reader.uint('sequence'),
          hash: reader.bytes('hash', HASH_BYTES),
        };
      });
      return { type, completed, cursors, window: reader.uint('window'), certificate: reader.bytes('certificate') };
    }
    case 'batch':
    case 'command':
      return { type, bytes: reader.bytes(type) };
    case 'ack':
      return { type, epoch: reader.uint('epoch'), sequence: reader.uint('sequence') };
    case 'credit':
      return { type, bytes: reader.uint('credit') };
    case 'reject': {
      const epoch = reader.uint('epoch');
      const sequence = reader.uint('sequence');
      return { type, epoch, sequence, code: reader.text('code', 100), text: reader.text('text', 2000) };
    }
    case 'status':
      return { type, report: reader.value() };
    case 'request':
      return { type, id: reader.uint('id'), method: reader.text('method', 100), params: reader.value() };
    case 'response':
      return { type, id: reader.uint('id'), result: reader.value() };
    case 'error': {
      const id = reader.uint('id');
      const named = reader.text('fault', 20);
      const fault = FAULTS.find((known) => known === named) ?? 'peer';
      return { type, id, fault, code: reader.text('code', 100), text: reader.text('text', 2000) };
    }
    case 'item':
      return { type, id: reader.uint('id'), value: reader.value() };
    case 'more':
      return { type, id: reader.uint('id'), count: reader.uint('count') };
    case 'cancel':
      return { type, id: reader.uint('id') };
    case 'ping':
    case 'pong':
      return { type, nonce: reader.uint('nonce') };
    case 'goodbye':
      return { type, code: reader.text('code', 100), text: reader.text('text', 2000) };
  }
}

function readVersion(reader: CborReader): void {
  const version = reader.uint('version');
  if (version !== LINK_VERSION) {
    throw new EnerchainError(
      'unsupported',
      'link.version',
      `the peer speaks version ${version} of the link, we speak ${LINK_VERSION}`,
    );
  }
}

function list<T>(reader: CborReader, max: number, read: () => T): T[] {
  const count = reader.array('list');
  if (count > max)
    throw new EnerchainError('peer', 'link.message', `a list has ${count} items, at most ${max} are read`);
  return Array.from({ length: count }, read);
}
