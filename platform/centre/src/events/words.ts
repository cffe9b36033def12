/** The sentences of the journal that are not about a value, as tables. */
import { GAP_REASONS, type GapRecord, type SourceEvent } from '@enerchain/model';
import { clockTime } from '../alarms/conditions.ts';
import type { AuditRecord } from '../ports.ts';

/** Which gaps raise an alarm, and what an operator should know about it. `deviceAway` has its own: the device's. */
export const GAP_ALARMS: Readonly<
  Record<GapRecord['reason'], { priority: 1 | 2 | 3 | 4; consequence: string; action: string } | undefined>
> = {
  outboxOverflow: {
    priority: 2,
    consequence: 'The history of this source has a hole.',
    action: 'Check the link to the gateway and the size of its outbox.',
  },
  outboxFailure: {
    priority: 1,
    consequence: 'The gateway cannot keep values; further ones may be lost.',
    action: 'Check the disk of the gateway.',
  },
  uncleanRestart: {
    priority: 3,
    consequence: 'Changes between the two times were not seen; the present values are right again.',
    action: 'Find out why the gateway stopped.',
  },
  deviceAway: undefined,
  deviceOverflow: {
    priority: 2,
    consequence: 'Events of the device are missing from the sequence of events.',
    action: 'Check the device and its link to the gateway.',
  },
  connectorOverflow: {
    priority: 2,
    consequence: 'The history of this source has a hole.',
    action: 'Check the load of the gateway.',
  },
  ingestLost: {
    priority: 1,
    consequence: 'The data of this source cannot be proven to be complete.',
    action: 'Treat as a security incident until the cause is known.',
  },
  ingestRetention: {
    priority: 2,
    consequence: 'Alarms and events of this time were not derived.',
    action: 'Check the database and the retention of the ingest log.',
  },
};

export function gapSentence(source: string, gap: GapRecord): string {
  const where = gap.endpoint ? `${gap.endpoint} of ${source}` : source;
  const lost = gap.lost === undefined ? '' : ` ${gap.lost} observations are lost.`;
  return `Values of ${where} are missing from ${clockTime(BigInt(gap.from))} to ${clockTime(BigInt(gap.to))}: ${GAP_REASONS[gap.reason]}.${lost}`;
}

const SOURCE_EVENT_WORDS: Readonly<Record<SourceEvent['kind'], string>> = {
  started: 'started',
  stopped: 'stopped in order',
  uncleanRestart: 'started again after it had stopped without closing',
  endpointUp: 'is reachable',
  endpointDown: 'is not reachable',
  interrogationComplete: 'has reported all its values',
  clockStep: 'has a clock that jumped',
  security: 'reports a security event',
  configuration: 'has a new configuration',
  fileFetched: 'was asked for a file',
};

export function sourceEventSentence(source: string, event: SourceEvent): string {
  const where = event.endpoint ? `${event.endpoint} of ${source}` : source;
  const what = event.code ? ` (${event.code})` : '';
  return `${where} ${SOURCE_EVENT_WORDS[event.kind]}${what}${event.detail ? `: ${event.detail}` : ''}.`;
}

const AUDIT_WORDS: Readonly<Record<string, string>> = {
  login: 'log-in',
  logout: 'log-out',
  setup: 'set-up of the first administrator',
  'user.create': 'creation of a user',
  'user.change': 'change of a user',
  'user.delete': 'removal of a user',
  'access.refused': 'reached for something without the right to it:',
  'token.create': 'creation of an API token',
  'token.delete': 'removal of an API token',
  'enrol.token': 'one-time token for enrolment',
  'service.routes': 'registered routes',
  'service.page': 'registered a page',
  'grid.write': 'new version of the grid model',
  'centre.start': 'start of the centre',
  'centre.stop': 'stop of the centre',
};
const OUTCOME_WORDS = { ok: '', refused: ', refused', failed: ', failed' } as const;

export function auditSentence(record: AuditRecord): string {
  const what = AUDIT_WORDS[record.action] ?? record.action;
  const reason = typeof record.detail?.reason === 'string' ? `: ${record.detail.reason}` : '';
  return `${record.actor}: ${what}${record.subject ? ` '${record.subject}'` : ''}${OUTCOME_WORDS[record.outcome]}${reason}.`;
}

/** What the link port writes into the audit about a source that comes and goes, by action. */
export const SOURCE_AUDIT_WORDS: Readonly<Record<string, string>> = {
  'source.connected': 'is connected',
  'source.disconnected': 'is disconnected',
};

/** What ingest writes into the audit, by action. */
export const INGEST_WORDS: Readonly<Record<string, string>> = {
  'ingest.chain-break': 'the chain is broken',
  'ingest.chain-continued': 'the chain continues properly',
  'ingest.chain-unjoined': 'a new chain that does not join the old one',
  'ingest.refused': 'a batch was refused',
  'ingest.not-bound': 'content was not taken in',
};
