/** Where things stand on the diagram of a grid (DL). */
import type { GridModel } from '@enerchain/model';
import { at, partOf, type Target } from './target.ts';

export function writeDiagram(target: Target, grid: GridModel): void {
  const { mRID, name, diagram = [] } = grid;
  if (diagram.length === 0) return;
  const { substations, voltageLevels, bays, connectivityNodes, equipment } = grid;
  const parts = [substations, voltageLevels, bays, connectivityNodes, equipment];
  const names = new Map(parts.flatMap((part) => part.map((each) => [each.mRID, each.name] as const)));
  const whole = partOf(mRID, 'diagram');
  target.define('DL', 'Diagram', whole, name, { 'Diagram.orientation': 'negative' });
  for (const { object, points } of diagram) {
    const drawing = partOf(object, 'diagram object');
    target.define('DL', 'DiagramObject', drawing, names.get(object) ?? object, {
      'DiagramObject.Diagram': at(whole),
      'DiagramObject.IdentifiedObject': at(object),
    });
    points.forEach(({ x, y }, index) => {
      target.define('DL', 'DiagramObjectPoint', partOf(drawing, `point ${index + 1}`), undefined, {
        'DiagramObjectPoint.DiagramObject': at(drawing),
        'DiagramObjectPoint.sequenceNumber': index + 1,
        'DiagramObjectPoint.xPosition': x,
        'DiagramObjectPoint.yPosition': y,
      });
    });
  }
}
