/** Devices as their gateways see them: model, control blocks, GOOSE, files, values read now. */
import { Readable } from 'node:stream';
import {
  ControlBlocksView,
  FilesView,
  GooseView,
  IedIdentity,
  IedModelView,
  QUESTIONS,
  ReadView,
} from '@enerchain/model';
import type { FastifyReply, FastifyRequest } from 'fastify';
import Type from 'typebox';
import type { Addressee } from '../../inspection/inspections.ts';
import type { ApiContext, App } from '../context.ts';

const Name = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$' });
const Place = Type.Object({ source: Name, endpoint: Name });
const { name: FileName } = QUESTIONS.file.properties;
const { items: Items } = QUESTIONS.read.properties;
const PATH = '/sources/:source/endpoints/:endpoint/ied';
const tags = ['devices'];

export function inspectionRoutes(app: App, { inspections }: ApiContext): void {
  const view = <S extends object>(summary: string, answer: S) => ({
    config: { access: 'values.read' as const },
    schema: {
      tags,
      summary: `${summary}; asked of the device's gateway now, kept by nobody`,
      params: Place,
      response: { 200: answer },
    },
  });

  app.get(
    PATH,
    view('Who the device is, and where it differs from its SCL file', IedIdentity),
    async (request, reply) => inspections.view<'identity'>(addressee(request), { ask: 'identity' }, gone(reply)),
  );
  app.get(
    `${PATH}/model`,
    view('Logical devices, nodes, data objects, attributes, data sets', IedModelView),
    async (request, reply) => inspections.view<'model'>(addressee(request), { ask: 'model' }, gone(reply)),
  );
  app.get(
    `${PATH}/control-blocks`,
    view('Report, log, setting group, GOOSE control blocks', ControlBlocksView),
    async (request, reply) =>
      inspections.view<'controlBlocks'>(addressee(request), { ask: 'controlBlocks' }, gone(reply)),
  );
  app.get(`${PATH}/goose`, view('What the gateway hears of the device by GOOSE', GooseView), async (request, reply) =>
    inspections.view<'goose'>(addressee(request), { ask: 'goose' }, gone(reply)),
  );

  app.get(
    `${PATH}/files`,
    {
      config: { access: 'values.read' },
      schema: {
        tags,
        summary: 'What a folder of the device holds',
        params: Place,
        querystring: Type.Object({ folder: Type.Optional(FileName) }),
        response: { 200: FilesView },
      },
    },
    async (request, reply) => {
      const { folder } = request.query;
      const question = { ask: 'files' as const, ...(folder === undefined ? {} : { folder }) };
      return inspections.view<'files'>(addressee(request), question, gone(reply));
    },
  );

  app.get(
    `${PATH}/file`,
    {
      config: { access: 'files.read' },
      schema: {
        tags,
        summary: 'A file of the device, such as a disturbance record; audited',
        params: Place,
        querystring: Type.Object({ name: FileName }),
        produces: ['application/octet-stream'],
      },
    },
    async (request, reply) => {
      const { name } = request.query;
      const pieces = inspections.file(addressee(request), name, gone(reply));
      // What goes wrong at once is said as a problem; what goes wrong later cuts the answer off.
      const first = await pieces.next();
      const body = Readable.from(following(first, pieces), { objectMode: false });
      return reply.type('application/octet-stream').header('content-disposition', attachment(name)).send(body);
    },
  );

  app.post(
    `${PATH}/read`,
    {
      config: { access: 'values.read' },
      schema: {
        tags,
        summary: 'Values as the device has them now; they carry no receipt',
        params: Place,
        body: Type.Object({ items: Items }),
        response: { 200: ReadView },
      },
    },
    async (request, reply) =>
      inspections.view<'read'>(addressee(request), { ask: 'read', items: request.body.items }, gone(reply)),
  );
}

function addressee({ params, principal }: FastifyRequest): Addressee {
  const { source, endpoint } = params as { source: string; endpoint: string };
  return { source, endpoint, by: (principal?.name ?? 'unknown').slice(0, 100) };
}

/** Aborted when who asked does not wait any longer, or has the answer. */
function gone({ raw }: FastifyReply): AbortSignal {
  const controller = new AbortController();
  raw.once('close', () => controller.abort());
  return controller.signal;
}

async function* following(
  first: IteratorResult<Uint8Array, void>,
  rest: AsyncGenerator<Uint8Array, void, void>,
): AsyncGenerator<Uint8Array, void, void> {
  if (first.done) return;
  yield first.value;
  yield* rest;
}

/** The last part of the name, for every browser and in full (RFC 6266). */
function attachment(name: string): string {
  const last = name.split(/[/\\]/).filter(Boolean).at(-1) ?? 'file';
  const plain = last.replaceAll(/[^\w.-]/g, '_');
  const full = encodeURIComponent(last).replaceAll(/['()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`);
  return `attachment; filename="${plain}"; filename*=UTF-8''${full}`;
}
