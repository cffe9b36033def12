/** What joins nodes without impedance, and what earths them (IEC 61970-301, Wires). */
import Type from 'typebox';
import { Contained, Named, one, Terminal, two } from './common.ts';

export const BusbarSection = Type.Object(
  { class: Type.Literal('BusbarSection'), ...Named, ...Contained, terminals: one },
  { additionalProperties: false },
);
/** Where conductors meet; does nothing by itself. Also CIM's Connector. */
export const Junction = Type.Object(
  { class: Type.Literal('Junction'), ...Named, ...Contained, terminals: one },
  { additionalProperties: false },
);

const Positions = {
  normalOpen: Type.Boolean(),
  open: Type.Optional(
    Type.Boolean({
      description: 'SSH Switch.open: position in the hypothesis the model came with. Absent: normalOpen',
    }),
  ),
};

export const SWITCH_CLASSES = [
  'Breaker',
  'LoadBreakSwitch',
  'Disconnector',
  'Fuse',
  'Jumper',
  'Recloser',
  'Sectionaliser',
  'Switch',
] as const;

/** Closed: its two nodes are one bus, whether `retained` or not. */
export const SwitchEquipment = Type.Object(
  {
    class: Type.Enum(SWITCH_CLASSES),
    ...Named,
    ...Contained,
    terminals: two,
    ...Positions,
    retained: Type.Optional(
      Type.Boolean({
        description:
          'The bus-branch view keeps it as a branch without impedance (its two ends stay two TopologicalNodes); voltages at both ends are equal all the same',
      }),
    ),
    ratedCurrent: Type.Optional(Type.Number({ description: 'A' })),
  },
  { additionalProperties: false },
);
export type SwitchEquipment = Type.Static<typeof SwitchEquipment>;
/** Earths its first node when closed; no part in the balanced power flow of a healthy grid. */
export const GroundDisconnector = Type.Object(
  {
    class: Type.Literal('GroundDisconnector'),
    ...Named,
    ...Contained,
    terminals: Type.Array(Terminal, { minItems: 1, maxItems: 2 }),
    ...Positions,
  },
  { additionalProperties: false },
);
/** Earth, at the far end of a GroundDisconnector. */
export const Ground = Type.Object(
  { class: Type.Literal('Ground'), ...Named, ...Contained, terminals: one },
  { additionalProperties: false },
);
