/** Sources, the live stream, pages, and what services answer. */
import Type from 'typebox';
import { SourceStatusJson, sourceStatusJson } from '../../stream/sources.ts';
import type { ApiContext, App } from '../context.ts';
import { ApiError } from '../problem.ts';
import { parsePoints } from './values.ts';

export function liveRoutes(app: App, { accounts, sources, stream, services }: ApiContext): void {
  app.get(
    '/sources',
    {
      config: { access: 'values.read' },
      schema: { tags: ['sources'], response: { 200: Type.Object({ items: Type.Array(SourceStatusJson) }) } },
    },
    async () => ({ items: sources.status().map(sourceStatusJson) }),
  );

  app.get(
    '/stream',
    {
      config: { access: 'values.read', rateLimit: { max: 300, timeWindow: 60_000 } },
      schema: {
        tags: ['stream'],
        summary: 'Server-sent events; resumes by Last-Event-ID',
        produces: ['text/event-stream'],
        querystring: Type.Object({
          points: Type.Optional(Type.String({ maxLength: 250_000, description: '`all`, or mRIDs with commas' })),
          after: Type.Optional(
            Type.String({ maxLength: 100, description: 'for clients that cannot set Last-Event-ID' }),
          ),
        }),
      },
    },
    async (request, reply) => {
      const { points: text = 'all', after } = request.query;
      const points = parsePoints(text);
      stream.ensureRoom();
      const { principal, credential } = request;
      const header = request.headers['last-event-id'];
      const lastEventId = (typeof header === 'string' && header !== '' ? header : after) || undefined;
      reply.hijack();
      const { raw } = reply;
      raw.on('error', () => raw.destroy());
      raw.writeHead(200, {
        ...(reply.getHeaders() as Record<string, string>),
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      });
      request.raw.socket.setNoDelay(true);
      const valid = () =>
        credential === null ||
        (credential.kind === 'session'
          ? accounts.bySession(credential.secret)
          : accounts.byToken(credential.secret)) !== undefined;
      const audit = principal?.rights.has('audit.read') ?? false;
      await stream
        .serve(raw, { points, lastEventId, audit, valid })
        .catch((error: unknown) => request.log.warn({ err: error }, 'a client of the stream was dropped'));
    },
  );

  app.get(
    '/pages',
    {
      config: { access: 'values.read' },
      schema: {
        tags: ['services'],
        summary: 'Pages that services have added to the control room',
        response: {
          200: Type.Object({
            items: Type.Array(
              Type.Object({
                id: Type.String(),
                title: Type.String(),
                icon: Type.String(),
                path: Type.String(),
                module: Type.String(),
              }),
            ),
          }),
        },
      },
    },
    // A service speaks of its own routes, which are below ours.
    async () => ({
      items: services.pages().map((page) => ({
        ...page,
        path: `#/page/${page.id}`,
        module: page.module.startsWith(`${app.prefix}/`) ? page.module : `${app.prefix}${page.module}`,
      })),
    }),
  );

  // What no route of our own matches may belong to a service in another process.
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    scope.route({
      method: ['GET', 'POST', 'PUT', 'DELETE'],
      url: '/*',
      config: { access: 'session' },
      schema: { hide: true },
      handler: async (request, reply) => {
        const { principal } = request;
        const path = request.url.replace(/^\/api\/v1/, '');
        const right = request.method === 'GET' || request.method === 'HEAD' ? 'values.read' : 'services.ask';
        if (!principal?.rights.has(right))
          throw new ApiError(403, 'api.forbidden', `${principal?.name} has no right to do this (${right}).`);
        const headers: Record<string, string> = {};
        for (const name of ['content-type', 'accept']) {
          const value = request.headers[name];
          if (typeof value === 'string') headers[name] = value;
        }
        const answer = await services.request({
          method: request.method,
          path,
          headers,
          body: request.body as Uint8Array | undefined,
          user: { name: principal.name, rights: [...principal.rights] },
        });
        if (!answer)
          throw new ApiError(
            404,
            'api.not-found',
            `There is nothing at ${request.method} ${request.url.split('?')[0]}.`,
          );
        return reply
          .code(answer.status)
          .header('content-type', answer.headers['content-type'] ?? 'application/octet-stream')
          .send(Buffer.from(answer.body));
      },
    });
  });
}
