/** Where in the grid a point is: its equipment, terminal, voltage level and substation in one version of the model. Pure. */
import type { GridModel } from '@enerchain/model';
import Type from 'typebox';

const Named = Type.Object({ mRID: Type.String(), name: Type.String() });
export const PlaceJson = Type.Object(
  {
    equipment: Type.Optional(Type.Object({ mRID: Type.String(), class: Type.String(), name: Type.String() })),
    terminal: Type.Optional(Type.Object({ mRID: Type.String(), sequenceNumber: Type.Integer({ minimum: 1 }) })),
    connectivityNode: Type.Optional(Named),
    bay: Type.Optional(Named),
    voltageLevel: Type.Optional(
      Type.Object({ mRID: Type.String(), name: Type.String(), nominalVoltage: Type.Number({ description: 'kV' }) }),
    ),
    substation: Type.Optional(Named),
  },
  { $id: 'GridPlace' },
);
export type PlaceJson = Type.Static<typeof PlaceJson>;

/** @returns undefined when the point names neither, or what it names is not in this version */
export function placeOf(
  grid: GridModel,
  terminal: string | undefined,
  equipment: string | undefined,
): PlaceJson | undefined {
  const item = grid.equipment.find(
    (each) =>
      each.mRID === equipment || (terminal !== undefined && each.terminals.some(({ mRID }) => mRID === terminal)),
  );
  if (!item) return undefined;
  const index = item.terminals.findIndex(({ mRID }) => mRID === terminal);
  const nodeId = item.terminals[Math.max(index, 0)]?.connectivityNode;
  const node = grid.connectivityNodes.find(({ mRID }) => mRID === nodeId);
  const bay = grid.bays.find(({ mRID }) => mRID === item.container);
  const levelId = bay?.voltageLevel ?? node?.voltageLevel;
  const level = grid.voltageLevels.find(({ mRID }) => mRID === levelId);
  const station = grid.substations.find(({ mRID }) => mRID === level?.substation);
  return {
    equipment: { mRID: item.mRID, class: item.class, name: item.name },
    ...(index < 0 ? {} : { terminal: { mRID: terminal!, sequenceNumber: index + 1 } }),
    ...(node && (index >= 0 || item.terminals.length === 1) ? { connectivityNode: named(node) } : {}),
    ...(bay ? { bay: named(bay) } : {}),
    ...(level ? { voltageLevel: { ...named(level), nominalVoltage: level.nominalVoltage } } : {}),
    ...(station ? { substation: named(station) } : {}),
  };
}

const named = ({ mRID, name }: { mRID: string; name: string }): { mRID: string; name: string } => ({ mRID, name });
