/** Diagram objects of what is in the grid, their points in order. */
import type { GridModel, Mrid } from '@enerchain/model';
import type { CimSource } from './source.ts';

interface Named {
  readonly mRID: Mrid;
}

export function diagramOf(source: CimSource, parts: readonly (readonly Named[])[]): NonNullable<GridModel['diagram']> {
  const { store } = source;
  if (store.ofClass('DiagramObjectPoint').length === 0) return [];
  const drawable = new Set<Mrid>();
  for (const part of parts) for (const { mRID } of part) drawable.add(mRID);
  const points = new Map<number, { order: number; x: number; y: number }[]>();
  for (const point of store.ofClass('DiagramObjectPoint')) {
    const owner = store.reference(point, 'DiagramObjectPoint.DiagramObject');
    const { xPosition: x, yPosition: y } = source.numbers(point, 'DiagramObjectPoint', 'xPosition', 'yPosition');
    if (owner === undefined || x === undefined || y === undefined) continue;
    const list = points.get(owner) ?? [];
    list.push({ order: store.number(point, 'DiagramObjectPoint.sequenceNumber') ?? 0, x, y });
    points.set(owner, list);
  }
  const seen = new Set<Mrid>();
  const objects: NonNullable<GridModel['diagram']> = [];
  for (const [drawing, list] of points) {
    const shown = store.reference(drawing, 'DiagramObject.IdentifiedObject');
    if (shown === undefined) continue;
    const object = source.mrid(shown);
    if (!drawable.has(object) || seen.has(object)) continue;
    seen.add(object);
    objects.push({ object, points: list.sort((a, b) => a.order - b.order).map(({ x, y }) => ({ x, y })) });
  }
  return objects;
}
