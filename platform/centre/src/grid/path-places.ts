/**
 * Where points belong whose source names their equipment by its path in SCL: found in the grid model by those names, where
 * nothing else can be meant. What is less than that is proposed to a person (`enerchain link`).
 */
import { equipmentAt, type GridModel, type Point, type Quantity, quantityOf } from '@enerchain/model';
import type { PointLink } from './links.ts';

/** All names lead to it, or it is the only one in its bay that such a value can be of. */
const CERTAIN = 0.75;

export class PathPlaces {
  readonly #grid: GridModel;
  /** A path has a few quantities and many points. */
  readonly #found = new Map<string, PointLink | undefined>();

  constructor(grid: GridModel) {
    this.#grid = grid;
  }

  /** @returns undefined for a point without a path, and where it is not certain */
  of(point: Point): PointLink | undefined {
    const { equipmentPath } = point;
    if (equipmentPath === undefined) return undefined;
    const quantity = quantityOf(point);
    const key = `${quantity} ${equipmentPath}`;
    if (!this.#found.has(key)) this.#found.set(key, this.#find(equipmentPath, quantity));
    return this.#found.get(key);
  }

  #find(path: string, quantity: Quantity): PointLink | undefined {
    const found = equipmentAt(this.#grid, path.split('/'), quantity);
    if (!found || found.certain < CERTAIN) return undefined;
    const { item, terminal } = found;
    return { equipment: item.mRID, ...(terminal === undefined ? {} : { terminal }) };
  }
}
