/** Events, alarms, gaps, audit. */
import { toIso, type UtcNanos } from '@enerchain/model';
import Type from 'typebox';
import { AlarmJson, byUrgency } from '../../alarms/book.ts';
import { EVENT_KINDS, EventJson, GapJson } from '../../events/rows.ts';
import type { ApiContext, App } from '../context.ts';
import { ApiError } from '../problem.ts';
import { parseTime } from './values.ts';

const Time = Type.Optional(Type.String({ maxLength: 40, description: 'ISO 8601' }));
const Name = Type.Optional(Type.String({ maxLength: 100 }));
const limit = (maximum: number, preset: number) =>
  Type.Optional(Type.Integer({ minimum: 1, maximum, default: preset }));
const PAST_ALARMS = 500;

export function happeningRoutes(app: App, { journal, store, audit }: ApiContext): void {
  app.get(
    '/events',
    {
      config: { access: 'values.read' },
      schema: {
        tags: ['events'],
        summary: 'The sequence of events, newest source time first',
        querystring: Type.Object({
          from: Time,
          to: Time,
          source: Name,
          point: Name,
          kind: Type.Optional(Type.Enum(EVENT_KINDS)),
          limit: limit(5_000, 200),
          cursor: Name,
        }),
        response: { 200: Type.Object({ items: Type.Array(EventJson), next: Type.Optional(Type.String()) }) },
      },
    },
    async (request) => {
      const { from, to, source, point, kind, cursor, limit: most = 200 } = request.query;
      const visible = EVENT_KINDS.filter((each) => each !== 'audit' || request.principal?.rights.has('audit.read'));
      const kinds = kind ? visible.filter((each) => each === kind) : visible;
      if (point !== undefined && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(point))
        throw new ApiError(400, 'api.invalid', '`point` is no mRID.');
      const after = parseCursor(cursor);
      const earliest = parseTime('from', from);
      const latest = parseTime('to', to);
      const rows = await store.events({
        kinds,
        limit: most + 1,
        ...(earliest === undefined ? {} : { from: earliest }),
        ...(latest === undefined ? {} : { to: latest }),
        ...(source === undefined ? {} : { source }),
        ...(point === undefined ? {} : { point }),
        ...(after === undefined ? {} : { after }),
      });
      const page = rows.slice(0, most);
      const last = page.at(-1);
      return {
        items: page.map(({ body }) => JSON.parse(body) as EventJson),
        ...(last && rows.length > most ? { next: `${last.at}.${last.id}` } : {}),
      };
    },
  );

  app.get(
    '/alarms',
    {
      config: { access: 'values.read' },
      schema: {
        tags: ['alarms'],
        summary: `Standing alarms, most urgent first; with state=all also the last ${PAST_ALARMS} that are normal again`,
        querystring: Type.Object({
          state: Type.Optional(Type.Enum(['active', 'unacknowledged', 'all'] as const)),
        }),
        response: { 200: Type.Object({ items: Type.Array(AlarmJson) }) },
      },
    },
    async (request) => {
      const { state = 'active' } = request.query;
      const standing = journal.standingAlarms().sort(byUrgency);
      if (state === 'unacknowledged') return { items: standing.filter((alarm) => alarm.state !== 'acknowledged') };
      if (state === 'active') return { items: standing };
      const past = (await store.pastAlarms(PAST_ALARMS)).map((body) => JSON.parse(body) as AlarmJson);
      const known = new Set(standing.map(({ id }) => id));
      return { items: [...standing, ...past.filter(({ id }) => !known.has(id))] };
    },
  );

  app.post(
    '/alarms/:id/acknowledge',
    {
      config: { access: 'alarms.acknowledge' },
      schema: {
        tags: ['alarms'],
        params: Type.Object({ id: Type.Integer({ minimum: 0 }) }),
        body: Type.Union([Type.Object({ comment: Type.Optional(Type.String({ maxLength: 1_000 })) }), Type.Null()]),
        response: { 200: AlarmJson },
      },
    },
    async (request) => {
      const { id } = request.params;
      const alarm = journal.alarm(id);
      if (!alarm) throw new ApiError(404, 'alarms.unknown', `There is no standing alarm ${id}.`);
      if (alarm.state === 'acknowledged') return alarm;
      const comment = request.body?.comment;
      const actor = request.principal?.name ?? '';
      const offset = await audit.append({
        action: 'alarm.acknowledge',
        actor,
        outcome: 'ok',
        subject: String(id),
        detail: { key: alarm.key, ...(comment ? { comment } : {}) },
      });
      if (!(await journal.reached(offset)))
        throw new ApiError(503, 'alarms.late', 'The acknowledgement is recorded and will take effect shortly.');
      // It was normal again with the acknowledgement, or returned to normal in the same moment.
      return journal.alarm(id) ?? { ...alarm, state: 'normal' as const, acknowledgedBy: actor };
    },
  );

  app.get(
    '/gaps',
    {
      config: { access: 'values.read' },
      schema: {
        tags: ['events'],
        summary: 'What is known to be missing, newest first',
        querystring: Type.Object({ source: Name, from: Time, to: Time, limit: limit(5_000, 200) }),
        response: { 200: Type.Object({ items: Type.Array(GapJson) }) },
      },
    },
    async (request) => {
      const { source, from, to, limit: most = 200 } = request.query;
      const earliest = parseTime('from', from);
      const latest = parseTime('to', to);
      const rows = await store.gaps({
        limit: most,
        ...(source === undefined ? {} : { source }),
        ...(earliest === undefined ? {} : { from: earliest }),
        ...(latest === undefined ? {} : { to: latest }),
      });
      return { items: rows.map((body) => JSON.parse(body) as GapJson) };
    },
  );

  app.get(
    '/audit',
    {
      config: { access: 'audit.read' },
      schema: {
        tags: ['events'],
        summary: 'The audit records of the log, in its order',
        querystring: Type.Object({
          from: Type.Optional(Type.Integer({ minimum: 0, description: 'offset in the log' })),
          limit: limit(5_000, 200),
        }),
        response: {
          200: Type.Object({
            items: Type.Array(
              Type.Object({
                offset: Type.Integer(),
                at: Type.String({ format: 'date-time' }),
                action: Type.String(),
                actor: Type.String(),
                outcome: Type.Enum(['ok', 'refused', 'failed'] as const),
                subject: Type.Optional(Type.String()),
                detail: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
              }),
            ),
            next: Type.Optional(Type.Integer()),
          }),
        },
      },
    },
    async (request) => {
      const { from = 0, limit: most = 200 } = request.query;
      const rows = await store.audit(from, most + 1);
      const items = rows.slice(0, most).map((row) => ({
        offset: Number(row.log_offset),
        at: toIso(row.at as UtcNanos),
        action: row.action as string,
        actor: row.actor as string,
        outcome: row.outcome as 'ok' | 'refused' | 'failed',
        ...(row.subject === null ? {} : { subject: row.subject as string }),
        ...(row.detail === null ? {} : { detail: row.detail as Record<string, unknown> }),
      }));
      return { items, ...(rows.length > most ? { next: Number(rows[most]?.log_offset) } : {}) };
    },
  );
}

function parseCursor(cursor: string | undefined): { at: bigint; id: number } | undefined {
  if (cursor === undefined) return undefined;
  const [, at, id] = /^(-?\d{1,19})\.(\d{1,16})$/.exec(cursor) ?? [];
  if (at === undefined) throw new ApiError(400, 'api.invalid', 'The cursor is not one that this centre gave.');
  return { at: BigInt(at), id: Number(id) };
}
