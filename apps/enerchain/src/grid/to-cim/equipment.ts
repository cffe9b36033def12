/** Equipment with its terminals: switches, busbars and branches here, the rest by those who know it. */
import type { ConductingEquipment, GridModel } from '@enerchain/model';
import type { Places } from './containers.ts';
import { writeInjection } from './injections.ts';
import { writeShunt } from './shunts.ts';
import { at, partOf, type Target, type Values } from './target.ts';
import { writeTransformer } from './transformers.ts';

/** What SSH has a class of its own for; of all else it says as `Equipment` whether it is in service. */
const PLAIN: ReadonlySet<string> = new Set([
  'BusbarSection',
  'Junction',
  'Ground',
  'ACLineSegment',
  'SeriesCompensator',
  'EquivalentBranch',
  'EquivalentShunt',
  'PowerTransformer',
]);

/** What a class says in EQ and in SSH. */
export interface Said {
  readonly eq?: Values;
  readonly ssh?: Values;
}

export function writeEquipment(target: Target, places: Places, grid: GridModel): void {
  for (const equipment of grid.equipment) {
    const { class: name, mRID, terminals } = equipment;
    const nodes = terminals.map(({ connectivityNode }) => connectivityNode);
    const { eq, ssh } = said(target, places, equipment);
    target.define('EQ', name, mRID, equipment.name, {
      'Equipment.EquipmentContainer': equipment.container === undefined ? undefined : at(equipment.container),
      ...(name === 'PowerTransformer' ? {} : { 'ConductingEquipment.BaseVoltage': at(places.baseOf(nodes)) }),
      ...eq,
    });
    target.add('SSH', PLAIN.has(name) ? 'Equipment' : name, mRID, {
      'Equipment.inService': equipment.inService ?? true,
      ...ssh,
    });
    terminals.forEach((terminal, index) => {
      target.define('EQ', 'Terminal', terminal.mRID, `${equipment.name} ${index + 1}`, {
        'Terminal.ConductingEquipment': at(mRID),
        'Terminal.ConnectivityNode': at(terminal.connectivityNode),
        'ACDCTerminal.sequenceNumber': index + 1,
      });
      target.add('SSH', 'Terminal', terminal.mRID, { 'ACDCTerminal.connected': terminal.connected ?? true });
    });
  }
}

function said(target: Target, places: Places, equipment: ConductingEquipment): Said {
  switch (equipment.class) {
    case 'BusbarSection':
    case 'Junction':
    case 'Ground':
      return {};
    case 'ACLineSegment': {
      const { r, x, bch, gch, length } = equipment;
      return {
        eq: {
          'ACLineSegment.r': r,
          'ACLineSegment.x': x,
          'ACLineSegment.bch': bch,
          'ACLineSegment.gch': gch,
          'Conductor.length': length,
        },
      };
    }
    case 'SeriesCompensator':
      return { eq: { 'SeriesCompensator.r': equipment.r, 'SeriesCompensator.x': equipment.x } };
    case 'EquivalentBranch': {
      const { r, x, r21, x21 } = equipment;
      const network = partOf(equipment.mRID, 'network');
      target.define('EQ', 'EquivalentNetwork', network, equipment.name, {});
      return {
        eq: {
          'EquivalentBranch.r': r,
          'EquivalentBranch.x': x,
          'EquivalentBranch.r21': r21,
          'EquivalentBranch.x21': x21,
          'EquivalentEquipment.EquivalentNetwork': at(network),
        },
      };
    }
    case 'PowerTransformer':
      return writeTransformer(target, places, equipment);
    case 'LinearShuntCompensator':
    case 'NonlinearShuntCompensator':
    case 'StaticVarCompensator':
    case 'EquivalentShunt':
      return writeShunt(target, places, equipment);
    case 'EnergyConsumer':
    case 'EnergySource':
    case 'PowerElectronicsConnection':
    case 'ExternalNetworkInjection':
    case 'SynchronousMachine':
    case 'AsynchronousMachine':
    case 'EquivalentInjection':
    case 'CsConverter':
    case 'VsConverter':
      return writeInjection(target, equipment);
    default: {
      const { normalOpen, open = normalOpen } = equipment;
      return {
        eq: {
          'Switch.normalOpen': normalOpen,
          'Switch.retained': 'retained' in equipment ? (equipment.retained ?? false) : false,
          'Switch.ratedCurrent': 'ratedCurrent' in equipment ? equipment.ratedCurrent : undefined,
        },
        ssh: { 'Switch.open': open, 'Switch.locked': false },
      };
    }
  }
}

/** What takes part in a control says so in both files. */
export const controlled = ({
  regulatingControl,
  controlEnabled,
}: {
  readonly regulatingControl?: string;
  readonly controlEnabled?: boolean;
}): Required<Said> => ({
  eq: { 'RegulatingCondEq.RegulatingControl': regulatingControl === undefined ? undefined : at(regulatingControl) },
  ssh: { 'RegulatingCondEq.controlEnabled': controlEnabled ?? false },
});
