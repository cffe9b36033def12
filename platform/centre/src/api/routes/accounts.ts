/** Set-up, log-in, users, API tokens, enrolment. */

import type { FastifyReply, FastifyRequest } from 'fastify';
import Type from 'typebox';
import type { Principal } from '../../accounts/accounts.ts';
import { LoginBlocked, SESSION_LIFETIME } from '../../accounts/accounts.ts';
import { RIGHT_NAMES, RoleSchema } from '../../accounts/rights.ts';
import type { ApiContext, App } from '../context.ts';
import { ApiError } from '../problem.ts';

const Name = Type.String({ minLength: 1, maxLength: 64 });
const Password = Type.String({ minLength: 1, maxLength: 256 });
const Roles = Type.Array(RoleSchema, { minItems: 1, maxItems: 10 });
const DateTime = Type.String({ format: 'date-time' });
const Empty = Type.Null({ description: 'no content' });

export const SessionJson = Type.Object(
  {
    user: Type.String(),
    roles: Type.Array(RoleSchema),
    rights: Type.Array(Type.Enum(RIGHT_NAMES as [string, ...string[]])),
  },
  { $id: 'Session' },
);
const NobodyJson = Type.Object({
  user: Type.Null(),
  roles: Type.Array(RoleSchema, { maxItems: 0 }),
  rights: Type.Array(Type.String(), { maxItems: 0 }),
});

/** Attempts of one address in a minute, beside the lockout of the account. */
const attempts = { rateLimit: { max: 30, timeWindow: 60_000 } };

export function accountRoutes(
  app: App,
  { accounts, audit, certificates, createEnrolmentToken }: ApiContext,
  { name: cookieName, secure }: { readonly name: string; readonly secure: boolean },
): void {
  // Over TLS of our own, or of a proxy on this machine, the cookie goes nowhere else.
  const cookieFor = ({ protocol }: FastifyRequest) =>
    ({ path: '/', httpOnly: true, sameSite: 'strict', secure: secure || protocol === 'https' }) as const;
  const sessionJson = ({ name, roles, rights }: Principal) => ({
    user: name,
    roles: [...roles],
    rights: [...rights],
  });
  const logIn = (
    request: FastifyRequest,
    reply: FastifyReply,
    { secret, principal }: { secret: string; principal: Principal },
  ) => {
    reply.setCookie(cookieName, secret, { ...cookieFor(request), maxAge: SESSION_LIFETIME.absoluteMillis / 1000 });
    return sessionJson(principal);
  };

  app.get(
    '/setup',
    {
      config: { access: 'public' },
      schema: { tags: ['accounts'], response: { 200: Type.Object({ required: Type.Boolean() }) } },
    },
    async () => ({ required: !accounts.hasUsers }),
  );
  app.post(
    '/setup',
    {
      config: { access: 'public', ...attempts },
      schema: {
        tags: ['accounts'],
        summary: 'Creates the first administrator with the one-time link and logs in',
        body: Type.Object({ token: Type.String({ maxLength: 200 }), user: Name, password: Password }),
        response: { 201: SessionJson },
      },
    },
    async (request, reply) => {
      const { token, user, password } = request.body;
      const session = await accounts.setUp(token, user, password);
      return reply.code(201).send(logIn(request, reply, session));
    },
  );
  app.post(
    '/session',
    {
      config: { access: 'public', ...attempts },
      schema: {
        tags: ['accounts'],
        summary: 'Logs in',
        body: Type.Object({ user: Name, password: Password }),
        response: { 200: SessionJson },
      },
    },
    async (request, reply) => {
      try {
        return logIn(request, reply, await accounts.login(request.body.user, request.body.password, request.ip));
      } catch (error) {
        if (error instanceof LoginBlocked) reply.header('retry-after', Math.ceil(error.waitMillis / 1000));
        throw error;
      }
    },
  );
  app.get(
    '/session',
    {
      config: { access: 'public' },
      schema: {
        tags: ['accounts'],
        summary: 'Who is logged in; without a login the user is null and has no rights',
        response: { 200: Type.Union([SessionJson, NobodyJson]) },
      },
    },
    // Asking who one is is no failure: a browser would report a refusal as an error on every first visit.
    async ({ principal, headers, cookies }) => {
      if (principal) return sessionJson(principal);
      if (headers.authorization !== undefined || cookies[cookieName]) accounts.ensureLoaded();
      // Whoever sends a token says who they are, and is told when that is not so.
      if (headers.authorization !== undefined)
        throw new ApiError(401, 'api.not-logged-in', 'This API token is not known or has expired.');
      return { user: null, roles: [], rights: [] };
    },
  );
  app.delete(
    '/session',
    { config: { access: 'session' }, schema: { tags: ['accounts'], summary: 'Logs out', response: { 204: Empty } } },
    async (request, reply) => {
      if (request.credential?.kind === 'session') await accounts.logout(request.credential.secret);
      return reply.clearCookie(cookieName, cookieFor(request)).code(204).send(null);
    },
  );

  app.put(
    '/session/password',
    {
      config: { access: 'session', ...attempts },
      schema: {
        tags: ['accounts'],
        summary: 'Changes the own password; all other sessions of the user end',
        body: Type.Object({ current: Password, password: Password }),
        response: { 204: Empty },
      },
    },
    async (request, reply) => {
      const { principal, credential } = request;
      if (principal?.kind !== 'user' || !credential)
        throw new ApiError(403, 'api.forbidden', 'A token has no password.');
      const { current, password } = request.body;
      await accounts.changePassword(principal, credential.secret, current, password, request.ip);
      return reply.code(204).send(null);
    },
  );

  const UserJson = Type.Object(
    { name: Type.String(), roles: Roles, createdAt: DateTime, disabled: Type.Boolean() },
    { $id: 'User' },
  );
  app.get(
    '/users',
    {
      config: { access: 'users.write' },
      schema: { tags: ['accounts'], response: { 200: Type.Object({ items: Type.Array(UserJson) }) } },
    },
    async () => ({
      items: accounts.users().map(({ name, roles, createdAt, disabled }) => ({
        name,
        roles: [...roles],
        createdAt: new Date(createdAt).toISOString(),
        disabled,
      })),
    }),
  );
  app.post(
    '/users',
    {
      config: { access: 'users.write' },
      schema: {
        tags: ['accounts'],
        body: Type.Object({ user: Name, password: Password, roles: Roles }),
        response: { 201: Type.Object({ name: Type.String() }) },
      },
    },
    async (request, reply) => {
      const { user, password, roles } = request.body;
      await accounts.createUser(request.principal as Principal, user, password, roles);
      return reply.code(201).send({ name: user });
    },
  );
  app.patch(
    '/users/:name',
    {
      config: { access: 'users.write' },
      schema: {
        tags: ['accounts'],
        summary: 'Changes roles, sets a new password, or shuts a user out; their sessions end',
        params: Type.Object({ name: Name }),
        body: Type.Object({
          roles: Type.Optional(Roles),
          password: Type.Optional(Password),
          disabled: Type.Optional(Type.Boolean()),
        }),
        response: { 204: Empty },
      },
    },
    async (request, reply) => {
      await accounts.changeUser(request.principal as Principal, request.params.name, request.body);
      return reply.code(204).send(null);
    },
  );
  app.delete(
    '/users/:name',
    {
      config: { access: 'users.write' },
      schema: { tags: ['accounts'], params: Type.Object({ name: Name }), response: { 204: Empty } },
    },
    async (request, reply) => {
      await accounts.deleteUser(request.principal as Principal, request.params.name);
      return reply.code(204).send(null);
    },
  );

  const TokenJson = Type.Object(
    {
      id: Type.String(),
      name: Type.String(),
      roles: Roles,
      createdBy: Type.String(),
      createdAt: DateTime,
      expiresAt: DateTime,
    },
    { $id: 'ApiToken' },
  );
  app.get(
    '/tokens',
    {
      config: { access: 'tokens.write' },
      schema: { tags: ['accounts'], response: { 200: Type.Object({ items: Type.Array(TokenJson) }) } },
    },
    async () => ({
      items: accounts.tokens().map(({ createdAt, expiresAt, roles, ...token }) => ({
        ...token,
        roles: [...roles],
        createdAt: new Date(createdAt).toISOString(),
        expiresAt: new Date(expiresAt).toISOString(),
      })),
    }),
  );
  app.post(
    '/tokens',
    {
      config: { access: 'tokens.write' },
      schema: {
        tags: ['accounts'],
        body: Type.Object({
          name: Name,
          roles: Roles,
          days: Type.Optional(Type.Integer({ minimum: 1, maximum: 730, default: 90 })),
        }),
        response: {
          201: Type.Object({
            id: Type.String(),
            token: Type.String({ description: 'shown this once' }),
            expiresAt: DateTime,
          }),
        },
      },
    },
    async (request, reply) => {
      const { name, roles, days = 90 } = request.body;
      const created = await accounts.createToken(request.principal as Principal, name, roles, days * 86_400_000);
      return reply
        .code(201)
        .send({ id: created.id, token: created.secret, expiresAt: new Date(created.expiresAt).toISOString() });
    },
  );
  app.delete(
    '/tokens/:id',
    {
      config: { access: 'tokens.write' },
      schema: { tags: ['accounts'], params: Type.Object({ id: Name }), response: { 204: Empty } },
    },
    async (request, reply) => {
      await accounts.deleteToken(request.principal as Principal, request.params.id);
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/enrolment-tokens',
    {
      config: { access: 'enrol.write' },
      schema: {
        tags: ['accounts'],
        summary: 'A one-time token with which a gateway, service or network node gets its certificate',
        body: Type.Object({
          name: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$' }),
          role: Type.Enum(['edge', 'service', 'network'] as const),
        }),
        response: { 201: Type.Object({ token: Type.String(), name: Type.String(), role: Type.String() }) },
      },
    },
    async (request, reply) => {
      const { name, role } = request.body;
      const { name: actor } = request.principal as Principal;
      if (name === 'centre') throw new ApiError(400, 'enrol.name', 'The name centre is the name of the centre itself.');
      await audit.append({ action: 'enrol.token', actor, outcome: 'ok', subject: name, detail: { role } });
      return reply.code(201).send({ token: await createEnrolmentToken(name, role), name, role });
    },
  );

  const Source = Type.Object({ source: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$' }) });
  const Fingerprint = Type.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256 of the certificate, hex' });
  const CertificateJson = Type.Object(
    { fingerprint: Fingerprint, notBefore: DateTime, notAfter: DateTime, revoked: Type.Boolean() },
    { $id: 'Certificate' },
  );
  app.get(
    '/sources/:source/certificates',
    {
      config: { access: 'certificates.revoke' },
      schema: {
        tags: ['accounts'],
        summary: 'Certificates of a gateway or service that have not ended',
        params: Source,
        response: { 200: Type.Object({ items: Type.Array(CertificateJson) }) },
      },
    },
    async ({ params }) => ({
      items: certificates.certificates(params.source).map(({ fingerprint, notBefore, notAfter, revoked }) => ({
        fingerprint,
        notBefore: notBefore.toISOString(),
        notAfter: notAfter.toISOString(),
        revoked,
      })),
    }),
  );
  app.post(
    '/centre/key',
    {
      config: { access: 'certificates.revoke' },
      schema: {
        tags: ['accounts'],
        summary: 'Makes another key for the centre itself; what the present one has signed is verified as before',
        body: Type.Object({ reason: Type.String({ minLength: 1, maxLength: 500 }) }),
        response: { 200: Type.Object({ fingerprint: Fingerprint, notAfter: DateTime }) },
      },
    },
    async ({ principal, body: { reason } }) => {
      const { name: actor } = principal as Principal;
      const { kid, certificate } = await certificates.rotateOwnKey();
      const fingerprint = Buffer.from(kid).toString('hex');
      const detail = { fingerprint, reason };
      await audit.append({ action: 'centre.key', actor, outcome: 'ok', subject: 'centre', detail });
      return { fingerprint, notAfter: certificate.notAfter.toISOString() };
    },
  );
  app.post(
    '/sources/:source/revoke',
    {
      config: { access: 'certificates.revoke' },
      schema: {
        tags: ['accounts'],
        summary: 'Revokes one or all certificates of a gateway or service; its connection ends at once',
        params: Source,
        body: Type.Object({
          fingerprint: Type.Optional(Fingerprint),
          reason: Type.String({ minLength: 1, maxLength: 500 }),
        }),
        response: { 200: Type.Object({ revoked: Type.Array(Fingerprint) }) },
      },
    },
    async ({ params, body, principal }) => {
      const { name: by } = principal as Principal;
      const { source } = params;
      const revoked = await certificates.revoke(source, body);
      const detail = { fingerprints: revoked, reason: body.reason };
      await audit.append({ action: 'source.revoked', actor: by, outcome: 'ok', subject: source, detail });
      return { revoked };
    },
  );
}
