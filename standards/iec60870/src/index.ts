/** IEC 60870-5-104: client and server, codec and tables. */

export type { ReconnectOptions } from './client/backoff.ts';
export { Iec104Client } from './client/client.ts';
export type { CommandMode, CommandOutcome, CommandStep } from './client/command-machine.ts';
export type { ExchangeCounters } from './client/exchanges.ts';
export type * from './client/options.ts';
export { Iec104Refusal, type InterrogationResult } from './client/procedures.ts';
export * from './client/redundant-client.ts';
export { type Apdu, ApduReader, decodeApdu, encodeApdu, U_FUNCTIONS, type UFunction } from './codec/apdu.ts';
export {
  type Asdu,
  type AsduFields,
  asdu,
  decodeAsdu,
  encodeAsdu,
  type InformationObject,
  objectsPerAsdu,
} from './codec/asdu.ts';
export * from './codec/elements.ts';
export {
  type Cp24Fields,
  Cp24Time,
  type Cp56Fields,
  Cp56Time,
  cp24,
  cp56,
  type Time,
} from './codec/time.ts';
export * from './codec/zone.ts';
export { type Fault, Iec104Error } from './errors.ts';
export { FileClient, type FileClientOptions } from './files/file-client.ts';
export type { FileFailure } from './files/file-elements.ts';
export {
  type FileEntry,
  FileServer,
  type FileServerCounters,
  type FileServerOptions,
  type FileStore,
} from './files/file-server.ts';
export type { Role, Transfer } from './machine/link.ts';
export type { DiscardPolicy, EventQueueCounters, QueueOverflow } from './server/event-queue.ts';
export type * from './server/handlers.ts';
export type { RedundancyGroupOptions, RedundancyMode } from './server/redundancy.ts';
export * from './server/server.ts';
export type { ConnectionLimits, ServerConnectionCounters } from './server/server-connection.ts';
export * from './session/connection.ts';
export type { ConnectionCounters } from './session/counters.ts';
export * from './spec/causes.ts';
export * from './spec/parameters.ts';
export * from './spec/qualifiers.ts';
export * from './spec/types.ts';
