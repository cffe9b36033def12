/** Displays and their addresses: `#/grid`, `#/grid/<substation>`, `#/grid/<substation>/<bay>`. */
import type { GridModel } from '../../api/types.ts';
import { levelsOf } from '../../diagram/cells.ts';
import type { Place } from '../../diagram/drawing.ts';
import type { Equipment } from '../../diagram/equipment.ts';
import { indexOf } from '../../diagram/layout.ts';
import { go, route } from '../../route.ts';

/** The place that the address names; the overview when the model does not have it. */
export function placeOf(model: GridModel): Place | undefined {
  const [page, substation, bay] = route().path;
  if (page !== 'grid' || substation === undefined) return undefined;
  const known =
    model.substations.some(({ mRID }) => mRID === substation) ||
    model.voltageLevels.some((level) => level.substation === substation || level.mRID === substation);
  if (!known) return undefined;
  if (bay === undefined) return { substation };
  const cells = levelsOf(indexOf(model), substation).flatMap((level) => level.cells);
  return cells.some(({ key }) => key === bay) ? { substation, bay } : { substation };
}

export const addressOf = (place: Place | undefined): string =>
  ['grid', ...(place ? [place.substation] : []), ...(place?.bay === undefined ? [] : [place.bay])].join('/');

export const openPlace = (place: Place | undefined): void => go(addressOf(place));

export interface Crumb {
  readonly name: string;
  readonly place: Place | undefined;
}
/** The way from the grid to a place. */
export function crumbsOf(model: GridModel, place: Place | undefined): Crumb[] {
  const crumbs: Crumb[] = [{ name: model.name, place: undefined }];
  if (!place) return crumbs;
  const { substation, bay } = place;
  const index = indexOf(model);
  crumbs.push({ name: index.name(substation) ?? substation, place: { substation } });
  if (bay !== undefined) {
    const cells = levelsOf(index, substation).flatMap((level) => level.cells);
    crumbs.push({ name: cells.find(({ key }) => key === bay)?.name ?? bay, place });
  }
  return crumbs;
}

export const titleOf = (model: GridModel, place: Place | undefined): string =>
  crumbsOf(model, place)
    .map(({ name }) => name)
    .join(', ');

/** The substations that the ends of an equipment stand in. */
export function stationsOf(model: GridModel, equipment: Equipment): { mRID: string; name: string }[] {
  const index = indexOf(model);
  return index.substationsOf(equipment).flatMap((mRID) => {
    const name = index.name(mRID);
    return name === undefined ? [] : [{ mRID, name }];
  });
}
/** The substation that an equipment stands in, the first of several. */
export const substationOf = (model: GridModel, equipment: Equipment) => stationsOf(model, equipment)[0];
