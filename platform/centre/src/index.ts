/**
 * The control centre: it verifies what sources send, keeps it in the ingest log, and acknowledges it once it is durable.
 * Everything else follows from the log: live state, history, events and alarms (IEC 62682), commands (IEC 61850-7-2 § 20), trust
 * of nodes and values (RFC 9334), receipts, and the API for people and programs.
 *
 * `runCentre` starts all of it on one data folder and rejects with an `EnerchainError` (`centre.…`). What stands on the centre
 * from outside uses the interfaces of `ports.ts`, over the link, through `@enerchain/service`. INGEST.md says what is kept where
 * and what becomes of a batch.
 */

// The centre as a whole.

export { type CentreHandle, type CentreOptions, runCentre } from './centre.ts';
export { type CentreKeyPlaces, readKeyPlaces } from './keys.ts';

// What it offers to what stands on it, and where a check of commands is added.

export type { CommandCheck, CommandCheckInput } from './commands/checks.ts';
export type * from './ports.ts';

// The log of a centre that does not run.

export { type OfflineLog, openLogReader } from './log/offline.ts';
