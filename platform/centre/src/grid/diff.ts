/** What changed between two versions of the grid model, object by object, by mRID. Pure. */
import type { GridModel } from '@enerchain/model';
import Type from 'typebox';

export const GridChangeJson = Type.Object(
  {
    change: Type.Enum(['added', 'removed', 'changed'] as const),
    mRID: Type.String(),
    class: Type.String(),
    name: Type.Optional(Type.String()),
    properties: Type.Array(
      Type.Object({
        property: Type.String({ description: 'path within the object, such as ends.0.x' }),
        before: Type.Optional(Type.Unknown()),
        after: Type.Optional(Type.Unknown()),
      }),
      { description: 'of what changed; empty for what came or went' },
    ),
  },
  { $id: 'GridChange' },
);
export type GridChangeJson = Type.Static<typeof GridChangeJson>;

interface Item {
  readonly class: string;
  readonly name?: string;
  readonly value: Readonly<Record<string, unknown>>;
}

/** Lists of a model whose items have an mRID, and the class of those that do not name it themselves. */
const LISTS = {
  substations: 'Substation',
  voltageLevels: 'VoltageLevel',
  bays: 'Bay',
  connectivityNodes: 'ConnectivityNode',
  equipment: '',
  regulatingControls: 'RegulatingControl',
  operationalLimitSets: 'OperationalLimitSet',
} as const;

/** @returns removed, added, changed; each by class, name and mRID */
export function diffGrids(before: GridModel, after: GridModel): GridChangeJson[] {
  const [old, now] = [items(before), items(after)];
  const changes: GridChangeJson[] = [];
  const named = ({ class: name, name: label }: Item) => ({
    class: name,
    ...(label === undefined ? {} : { name: label }),
  });
  for (const [mRID, item] of old) {
    if (!now.has(mRID)) changes.push({ change: 'removed', mRID, ...named(item), properties: [] });
  }
  for (const [mRID, item] of now) {
    const was = old.get(mRID);
    if (!was) {
      changes.push({ change: 'added', mRID, ...named(item), properties: [] });
      continue;
    }
    const properties = [...changed(was.value, item.value, '')];
    if (properties.length > 0) changes.push({ change: 'changed', mRID, ...named(item), properties });
  }
  return changes.sort(
    (a, b) =>
      ORDER.indexOf(a.change) - ORDER.indexOf(b.change) ||
      compare(a.class, b.class) ||
      compare(a.name ?? '', b.name ?? '') ||
      compare(a.mRID, b.mRID),
  );
}

const ORDER = ['removed', 'added', 'changed'];
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function items(model: GridModel): Map<string, Item> {
  const found = new Map<string, Item>();
  const { mRID, name, frequency } = model;
  found.set(mRID, { class: 'GridModel', name, value: { name, frequency } });
  for (const [list, className] of Object.entries(LISTS)) {
    for (const value of (model[list as keyof typeof LISTS] ?? []) as readonly Record<string, unknown>[]) {
      const label = typeof value.name === 'string' ? { name: value.name } : {};
      found.set(value.mRID as string, { class: className || (value.class as string), ...label, value });
    }
  }
  return found;
}

function* changed(before: unknown, after: unknown, path: string): Generator<GridChangeJson['properties'][number]> {
  if (before === after) return;
  if (isObject(before) && isObject(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      yield* changed(before[key], after[key], path === '' ? key : `${path}.${key}`);
    }
    return;
  }
  yield {
    property: path,
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
  };
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;
