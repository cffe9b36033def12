/** Puts a grid model together; every mRID is the UUIDv5 of a readable path, so it is the same on every machine. */
import { type ConductingEquipment, type GridModel, type Mrid, uuidV5 } from '@enerchain/model';

const NAMESPACE = uuidV5('6ba7b811-9dad-11d1-80b4-00c04fd430c8', 'enerchain:lab:cigre-mv');

/** @param path for example `08/line 7/Q0` */
export const labMrid = (path: string): Mrid => uuidV5(NAMESPACE, path);

type Terminals = ConductingEquipment['terminals'];

export class GridBuilder {
  readonly model: GridModel;

  constructor(name: string, version: number) {
    this.model = {
      mRID: labMrid('grid'),
      name,
      version,
      frequency: 50,
      substations: [],
      voltageLevels: [],
      bays: [],
      connectivityNodes: [],
      equipment: [],
    };
  }

  substation(path: string, name: string): Mrid {
    const mRID = labMrid(path);
    this.model.substations.push({ mRID, name });
    return mRID;
  }

  voltageLevel(path: string, name: string, substation: Mrid, nominalVoltage: number): Mrid {
    const mRID = labMrid(path);
    this.model.voltageLevels.push({ mRID, name, substation, nominalVoltage });
    return mRID;
  }

  bay(path: string, name: string, voltageLevel: Mrid): Mrid {
    const mRID = labMrid(path);
    this.model.bays.push({ mRID, name, voltageLevel });
    return mRID;
  }

  node(path: string, voltageLevel: Mrid): Mrid {
    const mRID = labMrid(`${path}#`);
    this.model.connectivityNodes.push({ mRID, name: path, voltageLevel });
    return mRID;
  }

  /** Adds the equipment with its terminals at `nodes`, and returns it. */
  add<E extends ConductingEquipment>(
    path: string,
    nodes: readonly Mrid[],
    equipment: Omit<E, 'mRID' | 'terminals'>,
  ): E {
    const terminals: Terminals = nodes.map((connectivityNode, index) => ({
      mRID: labMrid(`${path}/terminal ${index}`),
      connectivityNode,
    }));
    const complete = { ...equipment, mRID: labMrid(path), terminals } as unknown as E;
    this.model.equipment.push(complete);
    return complete;
  }
}
