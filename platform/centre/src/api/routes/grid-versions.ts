/** Versions of the grid model, what changed between them, links of points to it, and what a point meant at a time. */
import { type GridModel, Mrid, Point, toIso, type UtcNanos } from '@enerchain/model';
import Type from 'typebox';
import { diffGrids, GridChangeJson } from '../../grid/diff.ts';
import { GridLinkJson, LinkRequest } from '../../grid/links.ts';
import { PathPlaces } from '../../grid/path-places.ts';
import { PlaceJson, placeOf } from '../../grid/place.ts';
import type { GridStore } from '../../grid/store.ts';
import { GridVersionJson } from '../../grid/versions.ts';
import type { ApiContext, App } from '../context.ts';
import { ApiError } from '../problem.ts';
import { parseTime } from './values.ts';

const Version = Type.Integer({ minimum: 1, maximum: 2_147_483_646 });
const At = Type.Optional(Type.String({ maxLength: 40, description: 'ISO 8601; absent: now' }));

/** @throws ApiError 404 when there was none then, 400 when both are asked for */
export async function earlier(
  grid: GridStore,
  at: UtcNanos | undefined,
  version: number | undefined,
): Promise<GridModel> {
  if (at !== undefined && version !== undefined)
    throw new ApiError(400, 'api.invalid', 'Ask for a time or for a version, not for both.');
  const wanted = version ?? (await grid.versions.at(at!))?.version;
  const model = wanted === undefined ? undefined : await grid.versions.model(wanted);
  if (model) return model;
  throw version === undefined
    ? new ApiError(404, 'grid.none', `There was no grid model at ${toIso(at!)}.`)
    : new ApiError(404, 'grid.none', `There is no version ${version} of the grid model.`);
}

export function gridVersionRoutes(app: App, { grid, gridLinks, points, siteHistory, clock }: ApiContext): void {
  app.get(
    '/grid/versions',
    {
      config: { access: 'values.read' },
      schema: {
        tags: ['grid'],
        summary: 'Every version that was put in force, newest first; none is ever changed',
        querystring: Type.Object({
          limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, default: 100 })),
          before: Type.Optional(Version),
        }),
        response: { 200: Type.Object({ items: Type.Array(GridVersionJson) }) },
      },
    },
    async ({ query: { limit = 100, before } }) => ({ items: await grid.versions.list(limit, before) }),
  );

  app.get(
    '/grid/diff',
    {
      config: { access: 'values.read' },
      schema: {
        tags: ['grid'],
        summary: 'What changed between two versions, object by object',
        querystring: Type.Object({ from: Version, to: Version }),
        response: { 200: Type.Object({ from: Version, to: Version, changes: Type.Array(GridChangeJson) }) },
      },
    },
    async ({ query: { from, to } }) => ({
      from,
      to,
      changes: diffGrids(await earlier(grid, undefined, from), await earlier(grid, undefined, to)),
    }),
  );

  app.get(
    '/grid/links',
    {
      config: { access: 'values.read' },
      schema: {
        tags: ['grid'],
        summary: 'Which terminals and equipment points were linked to, by whom and why',
        querystring: Type.Object({ at: At }),
        response: { 200: Type.Object({ items: Type.Array(GridLinkJson) }) },
      },
    },
    async (request) => ({ items: gridLinks.all(parseTime('at', request.query.at)) }),
  );

  app.post(
    '/grid/links',
    {
      config: { access: 'grid.write' },
      schema: {
        tags: ['grid'],
        summary: 'Takes links that a person accepted: all of them or none',
        body: Type.Object({ links: Type.Array(LinkRequest, { minItems: 1, maxItems: 10_000 }) }),
        response: { 200: Type.Object({ items: Type.Array(GridLinkJson) }) },
      },
    },
    async (request) => {
      const model = grid.current();
      if (!model) throw new ApiError(409, 'grid.none', 'There is no grid model to link points to.');
      const by = request.principal?.name ?? '';
      return { items: await gridLinks.accept(request.body.links, by, toIso(clock.now()), model) };
    },
  );

  app.get(
    '/points/:point/meaning',
    {
      config: { access: 'values.read' },
      schema: {
        tags: ['values'],
        summary:
          'What a point meant at a time: as its source announced it then, in the version of the grid in force then',
        params: Type.Object({ point: Mrid }),
        querystring: Type.Object({ at: At }),
        response: {
          200: Type.Object({
            at: Type.String(),
            source: Type.String(),
            siteVersion: Type.Integer(),
            announced: Type.String({ description: 'ISO 8601: since when it was announced like this' }),
            point: Point,
            link: Type.Optional(GridLinkJson),
            gridVersion: Type.Optional(Type.Integer()),
            place: Type.Optional(PlaceJson),
          }),
        },
      },
    },
    async (request) => {
      const { point: mRID } = request.params;
      const at = parseTime('at', request.query.at) ?? clock.now();
      for (const { document, since } of await siteHistory.at(at)) {
        const announced = document.points.find((each) => each.mRID === mRID);
        // A point belongs to the source that announced it first.
        if (!announced || (points.get(mRID)?.source ?? document.source) !== document.source) continue;
        const own = announced.terminal !== undefined || announced.equipment !== undefined;
        const link = own ? undefined : gridLinks.of(mRID, at);
        const version = await grid.versions.at(at);
        const model = version && (await grid.versions.model(version.version));
        const byPath = own || link || !model ? undefined : new PathPlaces(model).of(announced);
        const { terminal, equipment } = link ?? byPath ?? announced;
        const place = model && placeOf(model, terminal, equipment);
        return {
          at: toIso(at),
          source: document.source,
          siteVersion: document.version,
          announced: toIso(since),
          point: announced,
          ...(link ? { link } : {}),
          ...(version ? { gridVersion: version.version } : {}),
          ...(place ? { place } : {}),
        };
      }
      throw new ApiError(404, 'points.unknown', `No source announced a point ${mRID} at ${toIso(at)}.`);
    },
  );
}
