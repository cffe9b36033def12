/** The centre: ingest log, historian, live state, alarms, commands, accounts, API. */
export { type CentreHandle, type CentreOptions, runCentre } from './centre.ts';
export type { CommandCheck, CommandCheckInput } from './commands/checks.ts';
export { type CentreKeyPlaces, readKeyPlaces } from './keys.ts';
export { type OfflineLog, openLogReader } from './log/offline.ts';
export type * from './ports.ts';
