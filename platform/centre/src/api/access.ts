/**
 * Default deny: every route says who may use it, a route that does not say it is refused when the centre starts, and
 * nothing is answered before the check.
 */

import { EnerchainError } from '@enerchain/model';
import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify';
import type { Accounts, Principal } from '../accounts/accounts.ts';
import { RIGHTS, type Right } from '../accounts/rights.ts';
import type { LogWriter } from '../ports.ts';
import { ApiError } from './problem.ts';

/**
 * `public`: anybody. `session`: whoever is logged in. `local`: programs on this machine, others with `values.read`.
 * A right: whoever has it.
 */
export type Access = 'public' | 'session' | 'local' | Right;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may use the route. */
    access?: Access;
  }
  interface FastifyRequest {
    /** Who makes the request; null on public routes without a login. */
    principal: Principal | null;
    /** The session cookie or bearer token. */
    credential: { readonly kind: 'session' | 'token'; readonly secret: string } | null;
  }
}

/** Browsers keep one jar for all ports of a host: beside the usual port the name carries it, so that two centres differ. */
export const sessionCookie = (port: number): string =>
  port === 0 || port === 80 || port === 443 || port === 8080 ? 'enerchain_session' : `enerchain_session_${port}`;
/** A page of another origin cannot set it without asking first, and we never say yes. */
export const WRITE_HEADER = 'x-enerchain-request';
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/** @returns the routes with their access as they are added, for the check at start and for tests */
export function guard(
  app: FastifyInstance,
  accounts: Accounts,
  cookie: string,
  audit: LogWriter,
): readonly RouteOptions[] {
  const refusals = new Refusals(audit);
  const routes: RouteOptions[] = [];
  app.decorateRequest('principal', null);
  app.decorateRequest('credential', null);
  app.addHook('onRoute', (route) => {
    routes.push(route);
  });
  app.addHook('onReady', async () => {
    for (const route of routes) {
      if (accessOf(route.config?.access)) continue;
      throw new EnerchainError(
        'local',
        'api.undeclared-access',
        `${String(route.method)} ${route.url} does not say who may use it; the centre was not started.`,
      );
    }
  });
  app.addHook('onRequest', async (request) => {
    identify(request, accounts, cookie);
    if (request.is404) return;
    const access = accessOf(request.routeOptions.config.access);
    if (!access) throw new ApiError(403, 'api.forbidden', 'Nobody may use this.');
    checkOrigin(request);
    if (access === 'public') return;
    if (access === 'local' && isLocal(request)) return;
    const { principal } = request;
    // Whoever shows something that cannot be looked up now is not refused for it.
    if (!principal && (request.headers.authorization !== undefined || request.cookies[cookie])) accounts.ensureLoaded();
    if (!principal) throw new ApiError(401, 'api.not-logged-in', 'Log in, or send an API token.');
    if (access === 'session') return;
    const right: Right = access === 'local' ? 'values.read' : access;
    if (principal.rights.has(right)) return;
    refusals.tell(principal.name, `${request.method} ${request.routeOptions.url}`, right);
    throw new ApiError(403, 'api.forbidden', `${principal.name} has no right to ${RIGHTS[right]} (${right}).`);
  });
  return routes;
}

/** Who reaches for what they have no right to is in the audit, each once a minute: a flood must not fill the log. */
class Refusals {
  readonly #audit: LogWriter;
  readonly #told = new Map<string, number>();

  constructor(audit: LogWriter) {
    this.#audit = audit;
  }

  tell(actor: string, route: string, right: Right): void {
    const key = `${actor} ${route}`;
    const now = performance.now();
    if (now - (this.#told.get(key) ?? Number.NEGATIVE_INFINITY) < 60_000) return;
    if (this.#told.size >= 1_000) this.#told.clear();
    this.#told.set(key, now);
    this.#audit
      .append({ action: 'access.refused', actor, outcome: 'refused', subject: route, detail: { right } })
      // The refusal stands whether or not it could be written.
      .catch(() => {});
  }
}

function accessOf(declared: unknown): Access | undefined {
  const known =
    declared === 'public' || declared === 'session' || declared === 'local' || (declared as string) in RIGHTS;
  return known ? (declared as Access) : undefined;
}

function identify(request: FastifyRequest, accounts: Accounts, cookie: string): void {
  const { authorization } = request.headers;
  if (authorization !== undefined) {
    const secret = /^Bearer ([A-Za-z0-9_-]{20,200})$/.exec(authorization)?.[1];
    // A wrong token is not passed over in favour of a cookie.
    request.principal = secret ? (accounts.byToken(secret) ?? null) : null;
    if (secret && request.principal) request.credential = { kind: 'token', secret };
    return;
  }
  const secret = request.cookies[cookie];
  if (!secret) return;
  request.principal = accounts.bySession(secret) ?? null;
  if (request.principal) request.credential = { kind: 'session', secret };
}

/** Writes that a browser could be tricked into carry a header which only our own pages can set. */
function checkOrigin(request: FastifyRequest): void {
  if (SAFE_METHODS.has(request.method) || request.credential?.kind === 'token') return;
  const site = request.headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none')
    throw new ApiError(403, 'api.cross-site', 'The request comes from a page of another site and was refused.');
  if (request.headers[WRITE_HEADER] !== '1')
    throw new ApiError(
      403,
      'api.header-missing',
      `Requests that change something carry the header ${WRITE_HEADER}: 1.`,
    );
}

/** From this machine, by a name of this machine (a page of a rebound name is not), and not handed on by a proxy. */
function isLocal(request: FastifyRequest): boolean {
  // The header itself, not what a proxy, or a page that plays one, says about it.
  const host = (request.headers.host ?? '').replace(/:\d+$/, '');
  return (
    isLoopback(request.socket.remoteAddress ?? '') &&
    (host === 'localhost' || isLoopback(host.replace(/^\[|\]$/g, ''))) &&
    request.headers['x-forwarded-for'] === undefined &&
    request.headers.forwarded === undefined
  );
}

/** @param host name or address */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^(::ffff:)?127(\.\d{1,3}){3}$/.test(host);
}
