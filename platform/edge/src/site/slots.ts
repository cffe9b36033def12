/** The bindings of a site as the running edge looks them up: by slot, by point, and what can be commanded. */
import { isControl, type Mrid } from '@enerchain/model';
import type { BoundPoint, EndpointSite, Site } from './site.ts';

export const idOf = ({ endpoint }: EndpointSite): string => endpoint.id;

/** The endpoints that are connected. */
export const enabledOf = (site: Site): EndpointSite[] => site.endpoints.filter(({ enabled }) => enabled);

/** mRID of each slot. */
export function pointsBySlot(site: Site): Mrid[] {
  const points: Mrid[] = [];
  for (const endpoint of site.endpoints) for (const { slot, point } of endpoint.points) points[slot] = point.mRID;
  return points;
}

/** Slot and endpoint of each point that is connected; of one that is bound twice, the last. */
export function slotsByPoint(site: Site): Map<Mrid, { readonly slot: number; readonly endpoint: string }> {
  const slots = new Map<Mrid, { slot: number; endpoint: string }>();
  for (const endpoint of enabledOf(site)) {
    for (const { slot, point } of endpoint.points) slots.set(point.mRID, { slot, endpoint: idOf(endpoint) });
  }
  return slots;
}

/** The points that can be commanded; a point that is bound twice is commanded over its first binding. */
export function controlsOf(site: Site): Map<Mrid, { readonly bound: BoundPoint; readonly endpoint: string }> {
  const controls = new Map<Mrid, { bound: BoundPoint; endpoint: string }>();
  for (const endpoint of enabledOf(site)) {
    for (const bound of endpoint.points) {
      const { point, binding } = bound;
      if (!isControl(point) || binding.access !== 'control' || controls.has(point.mRID)) continue;
      controls.set(point.mRID, { bound, endpoint: idOf(endpoint) });
    }
  }
  return controls;
}
