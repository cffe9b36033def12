/** The operators' authenticators: registering, the list that the gateways hold, and the approval of commands. */
import { Mrid } from '@enerchain/model';
import type { FastifyRequest } from 'fastify';
import Type from 'typebox';
import type { Principal } from '../../accounts/accounts.ts';
import {
  AssertionJson,
  AuthenticatorJson,
  CreationOptionsJson,
  RegistrationJson,
  RequestOptionsJson,
} from '../../accounts/webauthn-json.ts';
import { CommandJson } from '../../commands/view.ts';
import type { ApiContext, App } from '../context.ts';

const CredentialId = Type.Object({ id: Type.String({ pattern: '^[A-Za-z0-9_-]+$', maxLength: 1400 }) });
const Change = Type.Enum(['add', 'remove'] as const);
const CommandId = Type.Object({ id: Mrid });
const config = { access: 'commands.operate' } as const;
const tags = ['operators'];

export function authenticatorRoutes(app: App, { authenticators, commands }: ApiContext): void {
  app.get(
    '/operators/authenticators',
    {
      config,
      schema: {
        tags,
        summary: 'The authenticators with which operators approve commands',
        response: { 200: Type.Object({ version: Type.Integer(), items: Type.Array(AuthenticatorJson) }) },
      },
    },
    async () => ({ version: authenticators.version, items: authenticators.all() }),
  );
  app.post(
    '/operators/authenticators/options',
    {
      config,
      schema: { tags, summary: 'Begins to register the own authenticator', response: { 200: CreationOptionsJson } },
    },
    async (request) => authenticators.registrationOptions(who(request), `${request.protocol}://${request.host}`),
  );
  app.post(
    '/operators/authenticators/register',
    {
      config,
      schema: {
        tags,
        summary: 'Registers it. The first one counts at once, any other when an operator on the list has approved it',
        body: Type.Object({
          label: Type.String({ minLength: 1, maxLength: 64, pattern: '\\S' }),
          credential: RegistrationJson,
        }),
        response: { 201: AuthenticatorJson },
      },
    },
    async (request, reply) => {
      const { label, credential } = request.body;
      return reply.code(201).send(await authenticators.register(who(request), label, credential));
    },
  );
  app.post(
    '/operators/authenticators/:id/list/options',
    {
      config,
      schema: {
        tags,
        summary: 'What an operator on the list signs to add a key to it, or to remove one',
        params: CredentialId,
        body: Type.Object({ change: Change }),
        response: { 200: RequestOptionsJson },
      },
    },
    async (request) => authenticators.listOptions(who(request), request.params.id, request.body.change),
  );
  app.post(
    '/operators/authenticators/:id/list/approve',
    {
      config,
      schema: {
        tags,
        summary:
          'Adds a key to the list or removes it, with the signature of an operator on it; it goes to the gateways',
        params: CredentialId,
        body: Type.Object({ change: Change, credential: AssertionJson }),
        response: { 200: Type.Object({ version: Type.Integer() }) },
      },
    },
    async (request) => {
      const { change, credential } = request.body;
      await authenticators.approveList(who(request), request.params.id, change, credential);
      return { version: authenticators.version };
    },
  );
  app.delete(
    '/operators/authenticators/:id',
    {
      config,
      schema: {
        tags,
        summary: 'Takes back one that is not on the list',
        params: CredentialId,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await authenticators.remove(who(request), request.params.id);
      return reply.code(204).send(null);
    },
  );
  app.post(
    '/operators/reset',
    {
      config: { access: 'users.write' },
      schema: {
        tags,
        summary:
          'Gives list and authenticators up, when no key is left that could approve a change; a person at each gateway has to remove its file `operators` too',
        body: Type.Object({ reason: Type.String({ minLength: 10, maxLength: 500 }) }),
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await authenticators.reset(who(request), request.body.reason);
      return reply.code(204).send(null);
    },
  );
  app.post(
    '/commands/:id/approval/options',
    {
      config,
      schema: {
        tags: ['commands'],
        summary: 'What the authenticator of a second person signs to approve a command',
        params: CommandId,
        response: { 200: RequestOptionsJson },
      },
    },
    async (request) => commands.approvalOptions(who(request), request.params.id),
  );
  app.post(
    '/commands/:id/approval/approve',
    {
      config,
      schema: {
        tags: ['commands'],
        summary: 'Approves a command as the second person; the gateway verifies it once more',
        params: CommandId,
        body: Type.Object({ credential: AssertionJson }),
        response: { 200: CommandJson },
      },
    },
    async (request) => commands.approve(who(request), request.params.id, request.body.credential),
  );
}

const who = (request: FastifyRequest): Principal => request.principal as Principal;
