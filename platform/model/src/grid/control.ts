/** What equipment and tap changers hold (IEC 61970-301, RegulatingControl and TapChangerControl). */
import Type from 'typebox';
import { Mrid } from '../identity.ts';
import { Named } from './common.ts';

export const REGULATION_MODES = [
  'voltage',
  'reactivePower',
  'activePower',
  'powerFactor',
  'currentFlow',
  'admittance',
  'timeScheduled',
  'temperature',
] as const;

/**
 * Holds a quantity at a terminal that may be far from those who act. Flows are those from the node into the equipment of
 * the terminal.
 */
export const RegulatingControl = Type.Object(
  {
    class: Type.Enum(['RegulatingControl', 'TapChangerControl'] as const),
    ...Named,
    mode: Type.Enum(REGULATION_MODES),
    terminal: {
      ...Mrid,
      description: 'Terminal of any equipment: the voltage of its node, or the flow into it, is held',
    },
    enabled: Type.Boolean({ description: 'SSH' }),
    discrete: Type.Boolean({ description: 'SSH: acts in steps, and only outside the deadband' }),
    targetValue: Type.Number({ description: 'kV, Mvar, MW or A as the mode has it (SSH)' }),
    targetDeadband: Type.Optional(
      Type.Number({
        minimum: 0,
        description: 'In the unit of the target: no action within target ± half of it (SSH). Absent: 0',
      }),
    ),
  },
  { additionalProperties: false },
);
export type RegulatingControl = Type.Static<typeof RegulatingControl>;
