/** Operational limits; what equipment may carry for good has a set where none says it. */
import type { GridModel, Mrid, OperationalLimitSet } from '@enerchain/model';
import { at, partOf, type Target } from './target.ts';

type Limit = OperationalLimitSet['limits'][number];

export function writeLimits(target: Target, grid: GridModel): void {
  const types = new Map<string, Mrid>();
  for (const { mRID, name, terminal, equipment, limits } of [...(grid.operationalLimitSets ?? []), ...ratings(grid)]) {
    target.define('EQ', 'OperationalLimitSet', mRID, name, {
      'OperationalLimitSet.Terminal': terminal === undefined ? undefined : at(terminal),
      'OperationalLimitSet.Equipment': equipment === undefined ? undefined : at(equipment),
    });
    for (const limit of limits) {
      target.define('EQ', limit.class, limit.mRID, limit.name, {
        'OperationalLimit.OperationalLimitSet': at(mRID),
        'OperationalLimit.OperationalLimitType': at(typeOf(target, grid, types, limit)),
        [`${limit.class}.normalValue`]: limit.value,
      });
      target.add('SSH', limit.class, limit.mRID, { [`${limit.class}.value`]: limit.value });
    }
  }
}

function typeOf(target: Target, grid: GridModel, types: Map<string, Mrid>, limit: Limit): Mrid {
  const { kind, direction, acceptableDuration } = limit;
  const key = `${kind} ${direction} ${acceptableDuration ?? 'for good'}`;
  let mRID = types.get(key);
  if (mRID === undefined) {
    mRID = partOf(grid.mRID, `limit type ${key}`);
    types.set(key, mRID);
    target.define('EQ', 'OperationalLimitType', mRID, key, {
      'OperationalLimitType.kind': kind,
      'OperationalLimitType.direction': direction,
      'OperationalLimitType.isInfiniteDuration': acceptableDuration === undefined,
      'OperationalLimitType.acceptableDuration': acceptableDuration,
    });
  }
  return mRID;
}

/** A permanent current for equipment that has one and no limit that says it. */
function ratings({ equipment, operationalLimitSets = [] }: GridModel): OperationalLimitSet[] {
  const told = new Set<Mrid>();
  for (const set of operationalLimitSets) {
    if (!set.limits.some((limit) => limit.class === 'CurrentLimit' && limit.kind === 'patl')) continue;
    if (set.terminal !== undefined) told.add(set.terminal);
    if (set.equipment !== undefined) told.add(set.equipment);
  }
  return equipment.flatMap((each) => {
    // Of a switch it is what is built for, not what it may carry here.
    if (!('ratedCurrent' in each) || each.ratedCurrent === undefined || 'normalOpen' in each) return [];
    if (told.has(each.mRID) || each.terminals.some(({ mRID }) => told.has(mRID))) return [];
    const limit: Limit = {
      mRID: partOf(each.mRID, 'rated current'),
      name: each.name,
      class: 'CurrentLimit',
      kind: 'patl',
      direction: 'absoluteValue',
      value: each.ratedCurrent,
    };
    const [terminal] = each.terminals;
    return [
      {
        mRID: partOf(each.mRID, 'limits'),
        name: each.name,
        terminal: terminal!.mRID,
        equipment: each.mRID,
        limits: [limit],
      },
    ];
  });
}
