/** What the parts of the grid model share. Flows and powers are in CIM's load sign convention unless it says otherwise. */
import Type from 'typebox';
import { Mrid } from '../identity.ts';

export const Named = { mRID: Mrid, name: Type.String({ minLength: 1, maxLength: 200 }) };

export const Terminal = Type.Object(
  {
    mRID: Mrid,
    connectivityNode: Mrid,
    connected: Type.Optional(
      Type.Boolean({ description: 'SSH ACDCTerminal.connected; false: this end is open, as if cut off. Absent: true' }),
    ),
  },
  { additionalProperties: false },
);
export type Terminal = Type.Static<typeof Terminal>;

export const one = Type.Array(Terminal, { minItems: 1, maxItems: 1 });
export const two = Type.Array(Terminal, { minItems: 2, maxItems: 2 });

export const Contained = {
  container: Type.Optional(Mrid),
  inService: Type.Optional(
    Type.Boolean({ description: 'SSH Equipment.inService; false: takes no part, as if not there. Absent: true' }),
  ),
};

/** Of equipment and tap changers that can hold something (RegulatingCondEq, TapChanger). */
export const Regulating = {
  regulatingControl: Type.Optional({
    ...Mrid,
    description: 'RegulatingControl or TapChangerControl among `regulatingControls`',
  }),
  controlEnabled: Type.Optional(
    Type.Boolean({
      description: 'SSH: whether it takes part in its control, which must be enabled too. Absent: false',
    }),
  ),
};

/** MW and Mvar, positive from the node into the equipment: a machine that generates has p < 0. */
export const Power = {
  p: Type.Number({ description: 'MW, load sign convention' }),
  q: Type.Number({ description: 'Mvar, load sign convention' }),
};

/** What a source can bring in. Generator sign convention: positive into the grid. */
export const SourceLimits = {
  minP: Type.Optional(Type.Number({ description: 'MW into the grid, least' })),
  maxP: Type.Optional(Type.Number({ description: 'MW into the grid, most' })),
  minQ: Type.Optional(Type.Number({ description: 'Mvar into the grid, least (negative: takes up)' })),
  maxQ: Type.Optional(Type.Number({ description: 'Mvar into the grid, most' })),
};

export const ReferencePriority = Type.Optional(
  Type.Integer({
    minimum: 0,
    description: 'SSH: who holds the angle of an island: 1 before 2 before 3 …; 0 or absent: not chosen by the file',
  }),
);

export const RatedCurrent = Type.Optional(Type.Number({ description: 'A, permanent (PATL)' }));
