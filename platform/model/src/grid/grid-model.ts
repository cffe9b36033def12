/**
 * The physical grid as a subset of CIM EQ and SSH (IEC 61970-301, -452, -456): containers, nodes, conducting equipment with
 * terminals, what regulates it and how much it may carry. Enough to solve a power flow and to draw a single-line diagram.
 * Names of classes and attributes are CIM's; units are written beside each one. What the steady-state hypothesis (SSH) says
 * stands beside what is normal, and goes before it where nothing is measured.
 */
import Type from 'typebox';
import { Mrid } from '../identity.ts';
import { ACLineSegment, EquivalentBranch, SeriesCompensator } from './branches.ts';
import { Bay, ConnectivityNode, Substation, VoltageLevel } from './containers.ts';
import { RegulatingControl } from './control.ts';
import { ModelHeader } from './header.ts';
import {
  ACDCConverter,
  AsynchronousMachine,
  EnergyConsumer,
  EnergySource,
  EquivalentInjection,
  ExternalNetworkInjection,
  PowerElectronicsConnection,
  SynchronousMachine,
} from './injections.ts';
import { OperationalLimitSet } from './limits.ts';
import { EquivalentShunt, LinearShuntCompensator, NonlinearShuntCompensator, StaticVarCompensator } from './shunts.ts';
import { BusbarSection, Ground, GroundDisconnector, Junction, SwitchEquipment } from './switches.ts';
import { PowerTransformer } from './transformer.ts';

export const ConductingEquipment = Type.Union([
  BusbarSection,
  Junction,
  SwitchEquipment,
  GroundDisconnector,
  Ground,
  ACLineSegment,
  SeriesCompensator,
  EquivalentBranch,
  PowerTransformer,
  EnergyConsumer,
  EnergySource,
  PowerElectronicsConnection,
  ExternalNetworkInjection,
  SynchronousMachine,
  AsynchronousMachine,
  EquivalentInjection,
  ACDCConverter,
  LinearShuntCompensator,
  NonlinearShuntCompensator,
  StaticVarCompensator,
  EquivalentShunt,
]);
export type ConductingEquipment = Type.Static<typeof ConductingEquipment>;
export type EquipmentClass = ConductingEquipment['class'];

/** Where things stand on a diagram (CIM DiagramLayout), for those who have drawn one; the rest is laid out by rule. */
export const DiagramObject = Type.Object(
  { object: Mrid, points: Type.Array(Type.Object({ x: Type.Number(), y: Type.Number() }), { minItems: 1 }) },
  { additionalProperties: false },
);

export const GridModel = Type.Object(
  {
    mRID: Mrid,
    name: Type.String({ minLength: 1, maxLength: 200 }),
    version: Type.Integer({ minimum: 1 }),
    frequency: Type.Number({ description: 'Hz' }),
    substations: Type.Array(Substation),
    voltageLevels: Type.Array(VoltageLevel),
    bays: Type.Array(Bay),
    connectivityNodes: Type.Array(ConnectivityNode),
    equipment: Type.Array(ConductingEquipment),
    regulatingControls: Type.Optional(Type.Array(RegulatingControl)),
    operationalLimitSets: Type.Optional(Type.Array(OperationalLimitSet)),
    diagram: Type.Optional(Type.Array(DiagramObject)),
    headers: Type.Optional(
      Type.Array(ModelHeader, { maxItems: 1_000, description: 'Of the files that the grid came from' }),
    ),
    derivedIdentifiers: Type.Optional(
      Type.Array(
        Type.Object(
          { mRID: Mrid, identifier: Type.String({ minLength: 1, maxLength: 500 }) },
          { additionalProperties: false },
        ),
        { description: 'mRIDs that were made from an identifier which is no UUID' },
      ),
    ),
  },
  { additionalProperties: false, $id: 'GridModel' },
);
export type GridModel = Type.Static<typeof GridModel>;
