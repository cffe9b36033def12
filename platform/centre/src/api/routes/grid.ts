/** The grid model. */
import { GridModel } from '@enerchain/model';
import Type from 'typebox';
import type { ApiContext, App } from '../context.ts';
import { ApiError } from '../problem.ts';
import { earlier } from './grid-versions.ts';
import { parseTime } from './values.ts';

/** A model of a large utility has some ten megabytes. */
const MAX_MODEL_BYTES = 64 * 2 ** 20;

export function gridRoutes(app: App, { grid }: ApiContext): void {
  app.get(
    '/grid',
    {
      config: { access: 'values.read' },
      schema: {
        tags: ['grid'],
        summary: 'The model in force, one that was in force at a time, or one by its version',
        querystring: Type.Object({
          at: Type.Optional(Type.String({ maxLength: 40, description: 'ISO 8601' })),
          version: Type.Optional(Type.Integer({ minimum: 1, maximum: 2_147_483_646 })),
        }),
        response: { 200: GridModel },
      },
    },
    async (request, reply) => {
      const { at, version } = request.query;
      const model =
        at === undefined && version === undefined ? grid.current() : await earlier(grid, parseTime('at', at), version);
      if (!model) throw new ApiError(404, 'grid.none', 'There is no grid model yet; an engineer can put one here.');
      reply.header('etag', `"${model.version}"`);
      return model;
    },
  );
  app.put(
    '/grid',
    {
      bodyLimit: MAX_MODEL_BYTES,
      config: { access: 'grid.write' },
      schema: {
        tags: ['grid'],
        summary: 'Puts a new version in force; with If-Match only when that version still is',
        // Checked by the store, which also checks the references and says what is wrong.
        body: Type.Unsafe<unknown>(GridModel),
        headers: Type.Object({ 'if-match': Type.Optional(Type.String({ pattern: '^"\\d{1,9}"$' })) }),
        response: { 200: Type.Object({ version: Type.Integer(), changed: Type.Boolean() }) },
      },
      validatorCompiler:
        ({ httpPart }) =>
        (data) =>
          httpPart === 'headers' && !/^("\d{1,9}")?$/.test(String((data as Record<string, unknown>)['if-match'] ?? ''))
            ? { error: new ApiError(400, 'api.invalid', 'If-Match is a version in quotes.') }
            : { value: data },
    },
    async (request, reply) => {
      const match = request.headers['if-match'];
      const expected = match === undefined ? undefined : Number(match.slice(1, -1));
      const { model, changed } = await grid.put(request.body, request.principal?.name ?? '', expected);
      reply.header('etag', `"${model.version}"`);
      return { version: model.version, changed };
    },
  );
}
