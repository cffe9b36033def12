/**
 * Links between points and the grid, as somebody accepted them: which terminal or equipment a point belongs to. What a
 * gateway announces of its points itself goes before a link; links are for points that come without.
 */
import { EnerchainError, type GridModel, Mrid, type Point, type UtcNanos } from '@enerchain/model';
import Type from 'typebox';
import type { Queryable } from '../database/database.ts';
import type { LogWriter } from '../ports.ts';
import type { PathPlaces } from './path-places.ts';

export const LINK_METHODS = ['name', 'scl', 'cim', 'manual'] as const;

/** What a person accepted, and why it was proposed. */
export const LinkRequest = Type.Object(
  {
    point: Mrid,
    /** Absent: the point belongs to nothing, and an earlier link no longer holds. */
    equipment: Type.Optional(Mrid),
    terminal: Type.Optional(Mrid),
    measurementType: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    positiveFlowIn: Type.Optional(Type.Boolean()),
    method: Type.Enum(LINK_METHODS, { description: 'how it was found' }),
    confidence: Type.Number({ minimum: 0, maximum: 1 }),
    reason: Type.String({ minLength: 1, maxLength: 1_000 }),
  },
  { additionalProperties: false },
);
export type LinkRequest = Type.Static<typeof LinkRequest>;

export const GridLinkJson = Type.Object(
  {
    ...LinkRequest.properties,
    at: Type.String({ description: 'ISO 8601' }),
    by: Type.String({ description: 'who accepted it' }),
    gridVersion: Type.Integer({ description: 'the version of the grid that the link was made in' }),
  },
  { $id: 'GridLink' },
);
export type GridLinkJson = Type.Static<typeof GridLinkJson>;

/** What a link says of a point. */
export type PointLink = Pick<Point, 'terminal' | 'equipment' | 'measurementType' | 'positiveFlowIn'>;

/** Who wants to know of links: the directory of points. */
export interface LinkedPoints {
  get(mRID: Mrid): Point | undefined;
  link(links: ReadonlyMap<Mrid, PointLink>): void;
  placeBy(places: PathPlaces | undefined): void;
}

export class GridLinks {
  readonly #database: Pick<Queryable, 'query'>;
  readonly #audit: LogWriter;
  readonly #points: LinkedPoints;
  /** Every link of a point, oldest first. */
  readonly #links = new Map<Mrid, GridLinkJson[]>();
  #loaded = false;

  constructor(database: Pick<Queryable, 'query'>, audit: LogWriter, points: LinkedPoints) {
    this.#database = database;
    this.#audit = audit;
    this.#points = points;
  }

  /** Reads all of them, once. @throws EnerchainError `environment` when the database is away */
  async load(): Promise<void> {
    if (this.#loaded) return;
    const { rows } = await this.#database.query('SELECT body FROM grid_links ORDER BY id');
    if (this.#loaded) return;
    this.#loaded = true;
    for (const { body } of rows) this.#take(JSON.parse(body as string) as GridLinkJson);
    this.#publish();
  }

  get loaded(): boolean {
    return this.#loaded;
  }

  /** Those that hold, or held at a time. @throws EnerchainError `grid.unavailable` */
  all(at?: UtcNanos): GridLinkJson[] {
    this.#ensureLoaded();
    return [...this.#links.keys()].flatMap((point) => this.of(point, at) ?? []);
  }

  of(point: Mrid, at?: UtcNanos): GridLinkJson | undefined {
    const links = this.#links.get(point) ?? [];
    const until = at === undefined ? Number.POSITIVE_INFINITY : Number(at / 1_000_000n);
    return links.findLast((link) => Date.parse(link.at) <= until);
  }

  /**
   * Takes links that a person accepted: all of them or none.
   * @throws EnerchainError `grid.links` when a point or a part of the grid is not there, or the point has its place already
   */
  async accept(requests: readonly LinkRequest[], by: string, at: string, grid: GridModel): Promise<GridLinkJson[]> {
    this.#ensureLoaded();
    const wrong = requests.flatMap((request) => this.#wrong(request, grid) ?? []);
    if (wrong.length > 0) {
      const more = wrong.length > 5 ? ` and ${wrong.length - 5} more` : '';
      const text = `No link was taken: ${wrong.slice(0, 5).join('; ')}${more}.`;
      throw new EnerchainError('caller', 'grid.links', text);
    }
    const links = requests.map((request) => ({ ...request, at, by, gridVersion: grid.version }));
    await this.#database.query(
      'INSERT INTO grid_links (at, by, point, body) SELECT $1, $2, point, body FROM unnest($3::uuid[], $4::text[]) AS links (point, body)',
      [at, by, links.map(({ point }) => point), links.map((link) => JSON.stringify(link))],
    );
    for (const link of links) this.#take(link);
    this.#publish();
    for (const { point, equipment, terminal, method, confidence } of links) {
      await this.#audit.append({
        action: 'grid.link',
        actor: by,
        outcome: 'ok',
        subject: point,
        detail: {
          equipment: equipment ?? null,
          terminal: terminal ?? null,
          method,
          confidence,
          gridVersion: grid.version,
        },
      });
    }
    return links;
  }

  #wrong({ point, equipment, terminal }: LinkRequest, grid: GridModel): string | undefined {
    const known = this.#points.get(point);
    if (!known) return `no source announces the point ${point}`;
    if (equipment === undefined && terminal === undefined) return undefined;
    const owner = terminal === undefined ? undefined : ownerOf(grid, terminal);
    if (terminal !== undefined && !owner) return `${known.name}: no terminal ${terminal} in the grid in force`;
    if (equipment === undefined) return undefined;
    if (owner && owner !== equipment) return `${known.name}: the terminal ${terminal} is not one of ${equipment}`;
    return owner || hasEquipment(grid, equipment)
      ? undefined
      : `${known.name}: no equipment ${equipment} in the grid in force`;
  }

  #take(link: GridLinkJson): void {
    const list = this.#links.get(link.point);
    if (list) list.push(link);
    else this.#links.set(link.point, [link]);
  }

  #publish(): void {
    const links = new Map<Mrid, PointLink>();
    for (const [point, list] of this.#links) {
      const { terminal, equipment, measurementType, positiveFlowIn } = list.at(-1)!;
      links.set(point, {
        ...(terminal === undefined ? {} : { terminal }),
        ...(equipment === undefined ? {} : { equipment }),
        ...(measurementType === undefined ? {} : { measurementType }),
        ...(positiveFlowIn === undefined ? {} : { positiveFlowIn }),
      });
    }
    this.#points.link(links);
  }

  #ensureLoaded(): void {
    if (this.#loaded) return;
    throw new EnerchainError(
      'environment',
      'grid.unavailable',
      'The links of points to the grid cannot be read: the database has not been reached since the centre started. Try again when it is back.',
    );
  }
}

const ownerOf = (grid: GridModel, terminal: Mrid): Mrid | undefined =>
  grid.equipment.find(({ terminals }) => terminals.some(({ mRID }) => mRID === terminal))?.mRID;

/** Equipment, or a part of it that has its own identity: a tap changer, a busbar. */
const hasEquipment = (grid: GridModel, mRID: Mrid): boolean =>
  grid.equipment.some(
    (each) => each.mRID === mRID || (each.class === 'PowerTransformer' && JSON.stringify(each).includes(`"${mRID}"`)),
  );
