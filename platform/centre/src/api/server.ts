/** The HTTP face of the centre: security headers, limits, errors, routes, OpenAPI, the control room's files. */

import { EnerchainError } from '@enerchain/model';
import cookie from '@fastify/cookie';
import rateLimit from '@fastify/rate-limit';
import fastifyStatic from '@fastify/static';
import swagger from '@fastify/swagger';
import { type TypeBoxTypeProvider, TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import fastify, { type FastifyServerOptions, LogController, type RouteOptions } from 'fastify';
import type { Logger } from 'pino';
import { guard, isLoopback, sessionCookie } from './access.ts';
import type { ApiContext, App } from './context.ts';
import { ApiError, ProblemJson, problem, problemOf } from './problem.ts';
import { accountRoutes } from './routes/accounts.ts';
import { authenticatorRoutes } from './routes/authenticators.ts';
import { commandRoutes } from './routes/commands.ts';
import { gridRoutes } from './routes/grid.ts';
import { gridVersionRoutes } from './routes/grid-versions.ts';
import { happeningRoutes } from './routes/happenings.ts';
import { inspectionRoutes } from './routes/inspection.ts';
import { liveRoutes } from './routes/live.ts';
import { provenanceRoutes } from './routes/provenance.ts';
import { trustRoutes } from './routes/trust.ts';
import { valueRoutes } from './routes/values.ts';
import { withServices } from './service-description.ts';

export interface HttpOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** PEM; without it only loopback addresses are served. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

export interface ApiOptions {
  readonly context: ApiContext;
  readonly tls?: HttpOptions['tls'];
  /** Folder with the built control room. */
  readonly controlRoomDir?: string | undefined;
  readonly logger: Logger;
  readonly version: string;
  /** Where it will listen, as configured. */
  readonly port?: number;
}

export const API_PREFIX = '/api/v1';
const BODY_LIMIT = 2 ** 20;
/** A display asks for the values of some thousand points in the address. */
const MAX_HEADER_BYTES = 256 * 2 ** 10;
/** Requests of one address in a minute. */
const REQUESTS_PER_MINUTE = 6_000;

/** Nothing but our own files, no inline scripts, no frames. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=()',
};

/** @throws EnerchainError when the address is reachable from outside and there is no TLS */
export function checkBinding({ host, tls }: Pick<HttpOptions, 'host' | 'tls'>): void {
  if (tls || isLoopback(host)) return;
  throw new EnerchainError(
    'caller',
    'centre.http.plain-on-network',
    `The centre was not started: ${host} can be reached from other machines, and passwords must not cross a network in plain HTTP. Give a certificate and key for TLS, or bind to 127.0.0.1 behind a proxy that speaks TLS.`,
  );
}

/** @returns the server, ready to listen or to be asked by `inject`, and its routes */
export async function createApi(options: ApiOptions): Promise<{ app: App; routes: readonly RouteOptions[] }> {
  const { context, tls, logger } = options;
  const settings: FastifyServerOptions = {
    loggerInstance: logger.child(
      { part: 'http' },
      { level: logger.isLevelEnabled('warn') ? 'warn' : logger.level },
    ) as never,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_LIMIT,
    routerOptions: { maxParamLength: 200 },
    // A proxy that speaks TLS for us stands on this machine: its clients are told apart by what it says of them.
    trustProxy: 'loopback',
    forceCloseConnections: true,
    requestTimeout: 60_000,
    ...(tls
      ? { https: { cert: tls.cert, key: tls.key, minVersion: 'TLSv1.2', maxHeaderSize: MAX_HEADER_BYTES } }
      : { http: { maxHeaderSize: MAX_HEADER_BYTES } }),
  };
  const app = fastify(settings).withTypeProvider<TypeBoxTypeProvider>() as unknown as App;
  app.setValidatorCompiler(TypeBoxValidatorCompiler);
  // The schemas of answers are for the description; leaving out what they do not name would only hide mistakes.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));

  // A request that says JSON and sends nothing sends nothing; what a prototype could be polluted with is refused.
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) =>
    body === '' ? done(null, null) : parseJson(request, body as string, done),
  );
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(SECURITY_HEADERS);
    // Values and names are nothing for the disk of a browser or the memory of a proxy.
    if (request.url.startsWith('/api/')) reply.header('cache-control', 'no-store');
    if (tls) reply.header('strict-transport-security', 'max-age=31536000');
  });
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'unknown';
    context.httpMetrics.observe(request.method, route, reply.statusCode, reply.elapsedTime / 1000);
  });
  app.setErrorHandler((error, request, reply) => {
    const body = problemOf(error);
    if (body.status >= 500) request.log[body.status === 503 ? 'warn' : 'error']({ err: error }, body.detail);
    return reply.code(body.status).type('application/problem+json').send(body);
  });
  await app.register(cookie);
  await app.register(rateLimit, {
    max: REQUESTS_PER_MINUTE,
    timeWindow: 60_000,
    errorResponseBuilder: (_request, { after }) =>
      Object.assign(new Error(`Too many requests; try again in ${after}.`), { statusCode: 429, code: 'rate-limit' }),
  });
  const cookieName = sessionCookie(options.port ?? 0);
  const routes = guard(app, context.accounts, cookieName, context.audit);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'CloudEnerChain centre',
        version: options.version,
        description: 'Errors are problem+json (RFC 9457). Writes with a session carry `x-enerchain-request: 1`.',
        license: { name: 'Apache-2.0' },
      },
      components: {
        securitySchemes: {
          session: { type: 'apiKey', in: 'cookie', name: cookieName },
          token: { type: 'http', scheme: 'bearer' },
        },
      },
    },
    // Each operation says which right it needs and that it can fail.
    transform: ({ schema, url, route }) => {
      const access = route.config?.access;
      const open = access === 'public';
      return {
        url,
        schema: {
          ...schema,
          ...(open ? {} : { security: [{ session: [] }, { token: [] }], description: `Needs: ${access}` }),
          response: { ...(schema?.response as object | undefined), default: ProblemJson },
        },
      };
    },
  });
  await app.register(
    async (scope) => {
      const api = scope as unknown as App;
      accountRoutes(api, context, { name: cookieName, secure: tls !== undefined });
      valueRoutes(api, context);
      happeningRoutes(api, context);
      commandRoutes(api, context);
      authenticatorRoutes(api, context);
      gridRoutes(api, context);
      gridVersionRoutes(api, context);
      provenanceRoutes(api, context);
      trustRoutes(api, context);
      inspectionRoutes(api, context);
      api.get('/openapi.json', { config: { access: 'public' }, schema: { hide: true } }, async () =>
        withServices(app.swagger(), API_PREFIX, context.services.descriptions()),
      );
      liveRoutes(api, context);
    },
    { prefix: API_PREFIX },
  );
  app.get('/metrics', { config: { access: 'local' }, schema: { hide: true } }, async (_request, reply) =>
    reply.type('text/plain; version=0.0.4; charset=utf-8').send(context.metrics.text()),
  );
  app.get('/healthz', { config: { access: 'public' }, schema: { hide: true } }, async (_request, reply) =>
    reply.header('cache-control', 'no-store').send(context.health()),
  );
  // Certificates say that the lists are here: for whoever holds one, without a login (RFC 5280 § 4.2.1.13).
  app.get<{ Params: { issuer: string } }>(
    '/crl/:issuer.crl',
    { config: { access: 'public' }, schema: { hide: true } },
    async (request, reply) => {
      const list = (await context.revocationLists.current()).get(request.params.issuer);
      if (!list) throw new ApiError(404, 'crl.issuer', 'This authority has no issuing key with that identifier.');
      return reply.header('cache-control', 'no-cache').type('application/pkix-crl').send(Buffer.from(list));
    },
  );
  await serveControlRoom(app, options.controlRoomDir);
  return { app, routes };
}

/** The built control room; addresses below it that are no files lead to it as well. */
async function serveControlRoom(app: App, folder: string | undefined): Promise<void> {
  if (folder !== undefined) {
    await app.register(async (scope) => {
      scope.addHook('onRoute', (route) => {
        route.config = { ...route.config, access: 'public' };
        route.schema = { ...route.schema, hide: true };
      });
      await scope.register(fastifyStatic, {
        root: folder,
        cacheControl: false,
        setHeaders: (reply, path) => {
          // Files below assets/ carry a hash of their content in their name.
          const immutable = /[\\/]assets[\\/]/.test(path);
          reply.header('cache-control', immutable ? 'public, max-age=31536000, immutable' : 'no-cache');
        },
      });
    });
  }
  app.setNotFoundHandler(async (request, reply) => {
    const isPage = request.method === 'GET' && (request.headers.accept ?? '').includes('text/html');
    if (isPage && !request.url.startsWith('/api/')) {
      if (folder !== undefined && !/\.[a-z0-9]+$/i.test(request.url.split(/[?#]/)[0] ?? ''))
        return reply.header('cache-control', 'no-cache').sendFile('index.html');
      if (folder === undefined)
        return reply
          .code(404)
          .type('text/plain; charset=utf-8')
          .send(
            'The control room has not been built. The API is at /api/v1, its description at /api/v1/openapi.json.\n',
          );
    }
    const body = problem(404, 'api.not-found', `There is nothing at ${request.method} ${request.url.split('?')[0]}.`);
    return reply.code(404).type('application/problem+json').send(body);
  });
}
