/** Which drawing a display shows: the overview of a grid, a substation, or a bay. Pure: the same model, the same drawing. */
import type { GridModel } from '@enerchain/model';
import type { Drawing, Place } from './drawing.ts';
import { drawnLayout, drawnPlaces } from './drawn-layout.ts';
import { GridIndex } from './equipment.ts';
import { feederLayout } from './feeder-layout.ts';
import { buildGraph, hasLine, normallyOpen } from './graph.ts';
import { networkLayout } from './network-layout.ts';
import { substationLayout } from './substation-layout.ts';

/** Above this many stations an overview shows boxes instead of every load. */
const MOST_HUBS = 80;

const indexes = new WeakMap<GridModel, GridIndex>();
export function indexOf(model: GridModel): GridIndex {
  let index = indexes.get(model);
  if (!index) {
    index = new GridIndex(model);
    indexes.set(model, index);
  }
  return index;
}

/** @param place nothing for the overview */
export function layout(model: GridModel, place?: Place): Drawing {
  const index = indexOf(model);
  if (place) return substationLayout(index, place.substation, place.bay);
  const places = drawnPlaces(index);
  if (places) return drawnLayout(index, places);
  return isRadial(index) ? feederLayout(model) : networkLayout(index);
}

/** Whether the overview draws every equipment, not only a box for each station. */
export function drawsWhole(model: GridModel): boolean {
  const index = indexOf(model);
  return drawnPlaces(index) !== undefined || isRadial(index);
}

/**
 * Whether a grid is run in rays, so that it can be drawn whole, feeder by feeder: hardly any ring is normally closed, and
 * everything has at most two terminals.
 */
export function isRadial({ model }: GridIndex): boolean {
  if (model.equipment.length > 1000 || model.equipment.some(({ terminals }) => terminals.length > 2)) return false;
  const { hubs, chains } = buildGraph(model);
  if (hubs.size > MOST_HUBS) return false;
  const parent = new Map([...hubs.keys()].map((node) => [node, node]));
  const find = (node: string): string => {
    let at = node;
    while (parent.get(at) !== at) at = parent.get(at)!;
    return at;
  };
  let rings = 0;
  for (const { from, to, links } of chains) {
    if (normallyOpen(links)) continue;
    const [a, b] = [find(from), find(to)];
    if (a !== b) parent.set(a, b);
    else if (hasLine(links)) rings += 1;
  }
  return rings <= 1;
}
