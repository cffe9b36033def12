/** Containers and nodes of the grid (IEC 61970-301, Core and Topology). */
import Type from 'typebox';
import { Mrid } from '../identity.ts';
import { Named } from './common.ts';

export const Substation = Type.Object(
  {
    ...Named,
    line: Type.Optional(
      Type.Boolean({
        description:
          'true: no station but a CIM Line that contains nodes: a tee, or the boundary point of a tie line (EQBD)',
      }),
    ),
  },
  { additionalProperties: false },
);
export const VoltageLevel = Type.Object(
  {
    ...Named,
    substation: Mrid,
    nominalVoltage: Type.Number({ exclusiveMinimum: 0, description: 'kV' }),
    lowVoltageLimit: Type.Optional(Type.Number({ description: 'kV, least allowed in operation' })),
    highVoltageLimit: Type.Optional(Type.Number({ description: 'kV, most allowed in operation' })),
  },
  { additionalProperties: false },
);
export const Bay = Type.Object({ ...Named, voltageLevel: Mrid }, { additionalProperties: false });
/** In a bus-branch model: a TopologicalNode. */
export const ConnectivityNode = Type.Object({ ...Named, voltageLevel: Mrid }, { additionalProperties: false });
