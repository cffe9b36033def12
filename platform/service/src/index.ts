/**
 * What a process of its own needs to stand on the centre's ports: an identity, the log from where it had read to, points of its
 * own on a signed chain that survives the process, alarms, HTTP routes, a page in the control room, and commands where the
 * centre allows them. `runService` composes it; README.md has a service in twenty lines.
 *
 * Values are in the unit of their point, instants in UTC nanoseconds. `runService` rejects with an `EnerchainError`
 * (`service.…`, or of enrolment); while it runs a connection that is away is waited for, and what could not be kept is said by
 * a gap record.
 */
export {
  type Announcement,
  type NewAlarm,
  type NewValue,
  type Routes,
  runService,
  type Service,
  type ServiceOptions,
} from './service.ts';

// What its parts hand over.

export type { HttpRequest, HttpResponse, ServiceLogEntry } from '@enerchain/link';
export type { Commands, CommandView } from './commands.ts';
export { json, problem } from './http.ts';
export type { PageOptions } from './page.ts';
