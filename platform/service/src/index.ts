/** What every service needs to stand on the ports of the centre. See README.md. */
export type { HttpRequest, HttpResponse, ServiceLogEntry } from '@enerchain/link';
export type { Commands, CommandView } from './commands.ts';
export { json, problem } from './http.ts';
export type { PageOptions } from './page.ts';
export {
  type Announcement,
  type NewAlarm,
  type NewValue,
  type Routes,
  runService,
  type Service,
  type ServiceOptions,
} from './service.ts';
