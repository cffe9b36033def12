/**
 * The points that sources may speak for, by the newest site document of each. A point belongs to the source that
 * announced it first, for as long as that source announces it: nobody can take over another's point by naming it.
 */
import { type Mrid, type Point, type SiteDocument, SiteDocument as SiteSchema, validator } from '@enerchain/model';
import type { LinkedPoints, PointLink } from '../grid/links.ts';
import type { PathPlaces } from '../grid/path-places.ts';
import type { LogFiles } from '../log/files.ts';
import type { PointDirectory, PointInfo } from '../ports.ts';
import type { SiteHistory } from './site-history.ts';

/** What became of an announcement. */
export type Announced =
  | { readonly kind: 'inForce'; readonly points: number; readonly conflicts: readonly Mrid[] }
  /** Its version is not above that in force. */
  | { readonly kind: 'old'; readonly inForce: number }
  /** It names another source than the one that signed it. */
  | { readonly kind: 'foreign' };

interface Kept {
  readonly document: SiteDocument;
  readonly points: ReadonlyMap<Mrid, PointInfo>;
}

export class Directory implements PointDirectory, LinkedPoints {
  #revision = 0;
  readonly #sites = new Map<string, Kept>();
  readonly #points = new Map<Mrid, PointInfo>();
  #links: ReadonlyMap<Mrid, PointLink> = new Map();
  #places: PathPlaces | undefined;

  get(mRID: Mrid): PointInfo | undefined {
    return this.#points.get(mRID);
  }

  all(): Iterable<PointInfo> {
    return this.#points.values();
  }

  site(source: string): SiteDocument | undefined {
    return this.#sites.get(source)?.document;
  }

  get revision(): number {
    return this.#revision;
  }

  get size(): number {
    return this.#points.size;
  }

  /** Whether observations of this point may come from this source. */
  isBound(source: string, point: Mrid): boolean {
    return this.#points.get(point)?.source === source;
  }

  /** Takes an announcement; what it replaces is forgotten. Saying the same again changes nothing. */
  announce(source: string, document: SiteDocument): Announced {
    if (document.source !== source) return { kind: 'foreign' };
    const before = this.#sites.get(source);
    if (before && document.version < before.document.version) return { kind: 'old', inForce: before.document.version };
    if (before && document.version === before.document.version && !sameDocument(before.document, document)) {
      return { kind: 'old', inForce: before.document.version };
    }
    for (const mRID of before?.points.keys() ?? []) this.#points.delete(mRID);

    const bindings = new Map(document.bindings.map((binding) => [binding.point, binding]));
    const points = new Map<Mrid, PointInfo>();
    const conflicts: Mrid[] = [];
    for (const point of document.points) {
      if (this.#points.has(point.mRID)) {
        conflicts.push(point.mRID);
        continue;
      }
      const binding = bindings.get(point.mRID);
      points.set(point.mRID, {
        ...this.#linked(point),
        source,
        site: document.site.name,
        endpoint: binding?.endpoint ?? '',
        address: binding?.address ?? '',
        access: binding?.access ?? 'read',
      });
    }
    for (const [mRID, info] of points) this.#points.set(mRID, info);
    this.#sites.set(source, { document, points });
    this.#revision++;
    return { kind: 'inForce', points: points.size, conflicts };
  }

  /** As announced, with the links that hold. */
  documents(): Iterable<SiteDocument> {
    return [...this.#sites.values()].map(({ document }) =>
      this.#links.size === 0 && !this.#places
        ? document
        : { ...document, points: document.points.map((point) => this.#linked(point)) },
    );
  }

  /** Puts other links in force: those before hold no longer. */
  link(links: ReadonlyMap<Mrid, PointLink>): void {
    this.#links = links;
    this.#merge();
  }

  /** Another grid model is in force, or none: points that name equipment by a path are looked for in it. */
  placeBy(places: PathPlaces | undefined): void {
    this.#places = places;
    this.#merge();
  }

  #merge(): void {
    for (const [source, { document, points }] of this.#sites) {
      const merged = new Map<Mrid, PointInfo>();
      for (const point of document.points) {
        const info = points.get(point.mRID);
        if (!info) continue;
        const { site, endpoint, address, access } = info;
        merged.set(point.mRID, { ...this.#linked(point), source, site, endpoint, address, access });
      }
      for (const [mRID, info] of merged) this.#points.set(mRID, info);
      this.#sites.set(source, { document, points: merged });
    }
    this.#revision++;
  }

  /** What a source says itself of where its point belongs goes before a link, and a link before what its path leads to. */
  #linked(point: Point): Point {
    if (point.terminal !== undefined || point.equipment !== undefined) return point;
    const link = this.#links.get(point.mRID) ?? this.#places?.of(point);
    return link ? { ...link, ...point } : point;
  }
}

const sameDocument = (a: SiteDocument, b: SiteDocument): boolean => JSON.stringify(a) === JSON.stringify(b);

const document = validator(SiteSchema);

/**
 * Site documents on disk, one file per source, since retention may drop the record that carried them. Order matters for
 * points that two sources name, so the files carry the order in which they came into force.
 */
export class SiteFiles {
  readonly #files: LogFiles;
  readonly #folder: string;
  readonly #history: SiteHistory | undefined;
  #order = 0;
  readonly #unsaved = new Map<string, { readonly order: number; readonly document: SiteDocument }>();
  #saving: Promise<void> = Promise.resolve();

  /** @param history where versions that are no longer the newest stay */
  constructor(files: LogFiles, folder: string, history?: SiteHistory) {
    this.#files = files;
    this.#folder = folder;
    this.#history = history;
  }

  async load(into: Directory): Promise<void> {
    await this.#files.makeFolder(this.#folder);
    const kept: { order: number; document: SiteDocument }[] = [];
    for (const name of await this.#files.list(this.#folder)) {
      if (!name.endsWith('.json')) continue;
      const text = (await this.#files.readAll(`${this.#folder}/${name}`))?.toString('utf8') ?? '{}';
      const json = JSON.parse(text);
      kept.push({ order: json.order, document: document.parse(json.document, `site document ${name}`) });
    }
    kept.sort((a, b) => a.order - b.order);
    for (const { document } of kept) {
      into.announce(document.source, document);
      await this.#history?.keep(document);
    }
    this.#order = kept.at(-1)?.order ?? 0;
  }

  /** Resolves when the document is kept. When that fails, `settled` tries again. */
  save(document: SiteDocument): Promise<void> {
    this.#unsaved.set(document.source, { order: ++this.#order, document });
    return this.settled();
  }

  /** Resolves when everything announced so far is kept; a checkpoint beyond an announcement must wait for it. */
  settled(): Promise<void> {
    this.#saving = this.#saving.catch(() => {}).then(() => this.#saveAll());
    return this.#saving;
  }

  async #saveAll(): Promise<void> {
    for (const [source, kept] of this.#unsaved) {
      await this.#history?.keep(kept.document);
      await this.#files.writeAll(`${this.#folder}/${source}.json`, Buffer.from(JSON.stringify(kept)));
      if (this.#unsaved.get(source) === kept) this.#unsaved.delete(source);
    }
  }
}
