/** Commands: prepare, select, operate, cancel. */
import { BreakGlass, type CommandAction, Mrid } from '@enerchain/model';
import Type from 'typebox';
import type { Principal } from '../../accounts/accounts.ts';
import { CommandJson } from '../../commands/view.ts';
import type { ApiContext, App } from '../context.ts';
import { ApiError } from '../problem.ts';

const Id = Type.Object({ id: Mrid });

export function commandRoutes(app: App, { commands, store }: ApiContext): void {
  app.post(
    '/commands',
    {
      config: { access: 'commands.operate' },
      schema: {
        tags: ['commands'],
        summary: 'Prepares a command and checks it; nothing is sent. A refused one says in `checks` why',
        body: Type.Object({ point: Mrid, value: Type.Number(), test: Type.Optional(Type.Boolean()) }),
        response: { 201: CommandJson },
      },
    },
    async (request, reply) => {
      const { point, value, test = false } = request.body;
      return reply.code(201).send(await commands.prepare(request.principal as Principal, { point, value, test }));
    },
  );
  app.post(
    '/commands/break-glass',
    {
      config: { access: 'commands.breakGlass' },
      schema: {
        tags: ['commands'],
        summary: 'Prepares a command that passes over path and second person, for a reason; an alarm tells everybody',
        body: Type.Object({ point: Mrid, value: Type.Number(), reason: BreakGlass.properties.reason }),
        response: { 201: CommandJson },
      },
    },
    async (request, reply) => {
      const { point, value, reason } = request.body;
      const order = { point, value, breakGlass: { reason } };
      return reply.code(201).send(await commands.prepare(request.principal as Principal, order));
    },
  );
  const orders: Readonly<Record<CommandAction, string>> = {
    select: 'Selects the point at the device (select before operate)',
    operate: 'Sends the order to the device, once',
    cancel: 'Gives the selection back, or drops what was prepared',
  };
  for (const [action, summary] of Object.entries(orders) as [CommandAction, string][]) {
    app.post(
      `/commands/:id/${action}`,
      {
        config: { access: 'commands.operate' },
        schema: { tags: ['commands'], summary, params: Id, response: { 200: CommandJson } },
      },
      async (request) => commands.order(request.principal as Principal, request.params.id, action),
    );
  }
  app.get(
    '/commands/:id',
    {
      config: { access: 'values.read' },
      schema: { tags: ['commands'], params: Id, response: { 200: CommandJson } },
    },
    async (request) => {
      const { id } = request.params;
      const found = commands.get(id) ?? (await store.command(id));
      if (!found) throw new ApiError(404, 'centre.command.unknown', `There is no command ${id}.`);
      return found;
    },
  );
  app.get(
    '/commands',
    {
      config: { access: 'values.read' },
      schema: {
        tags: ['commands'],
        summary: 'Newest first',
        querystring: Type.Object({
          limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, default: 100 })),
        }),
        response: { 200: Type.Object({ items: Type.Array(CommandJson) }) },
      },
    },
    async (request) => {
      const { limit = 100 } = request.query;
      const all = new Map((await store.commands(limit)).map((command) => [command.id, command]));
      // What is at hand is newer than what is stored.
      for (const command of commands.recent()) all.set(command.id, command);
      const begun = (command: CommandJson) => command.events[0]?.at ?? '';
      const items = [...all.values()].sort((a, b) => (begun(a) < begun(b) ? 1 : -1)).slice(0, limit);
      return { items };
    },
  );
}
