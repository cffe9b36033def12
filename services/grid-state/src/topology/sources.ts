/** Who can keep a part of the grid under voltage, and who of them holds its angle. */
import type { Single } from './compiled-grid.ts';

/** What holds or can hold a voltage by itself; a converter that follows the grid does not. */
export function isSource(equipment: Single): boolean {
  switch (equipment.class) {
    case 'ExternalNetworkInjection':
    case 'SynchronousMachine':
    case 'EnergySource':
      return true;
    case 'EquivalentInjection':
      return equipment.regulationStatus === true;
    case 'VsConverter':
      return equipment.targetUpcc !== undefined;
    default:
      return false;
  }
}

/** An infeed without a given power: it takes what is left over, as do all others of its kind in the island. */
export const isStiff = (equipment: Single): boolean =>
  equipment.class === 'ExternalNetworkInjection' && equipment.p === undefined;

/**
 * How much something is called to be the reference of an island in which nothing is stiff: what the file names
 * (referencePriority 1 before 2 …), the largest synchronous machine, an infeed, then equivalents and converters. 0: never.
 */
export function referenceRank(equipment: Single): number {
  const ofFile = 'referencePriority' in equipment ? (equipment.referencePriority ?? 0) : 0;
  if (ofFile > 0) return 1e12 - ofFile;
  if (equipment.class === 'SynchronousMachine') {
    return 3 + (equipment.ratedS ?? equipment.maxP ?? Math.abs(equipment.p));
  }
  if (equipment.class === 'ExternalNetworkInjection') return 2;
  return isSource(equipment) ? 1 : 0;
}
