/** The SCD file of the primary substation, and which equipment of the grid its logical nodes stand at. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { checkScl, type IedModel, lNodeLinks, nodeName, readScl, type Scl } from '@enerchain/iec61850';
import { EnerchainError, type GridModel, type Mrid } from '@enerchain/model';

export const SCD_NAME = 'brunnfeld.scd';
const FILE = fileURLToPath(new URL(`../../substation/${SCD_NAME}`, import.meta.url));

export interface Substation {
  /** As in the file. */
  readonly text: string;
  readonly scl: Scl;
  readonly models: ReadonlyMap<string, IedModel>;
}

/** @throws EnerchainError (local) when our own file has a finding */
export function readSubstation(): Substation {
  const text = readFileSync(FILE, 'utf8');
  const { scl, findings } = readScl(text, { name: SCD_NAME });
  const models = scl ? checkScl(scl, findings, SCD_NAME).models : new Map<string, IedModel>();
  const [first] = findings.list;
  if (!scl || first)
    throw new EnerchainError('local', 'lab.scd', `${SCD_NAME}:${first?.line ?? 1} ${first?.text ?? 'is no SCL'}`);
  return { text, scl, models };
}

/** A place of the grid model that a logical node stands at. */
export interface Place {
  /** Equipment by its name, or the bay. */
  readonly equipment?: Mrid;
  readonly bay?: Mrid;
}

/** By `BRN_J11/CTRL/Q0XCBR1`: names of the Substation section are those of the grid. */
export function placesOf({ scl }: Pick<Substation, 'scl'>, grid: GridModel): ReadonlyMap<string, Place> {
  const equipment = new Map(grid.equipment.map(({ name, mRID }) => [name, mRID]));
  const bays = new Map(grid.bays.map(({ name, mRID }) => [name, mRID]));
  const places = new Map<string, Place>();
  for (const { iedName, ldInst, prefix, lnClass, lnInst, path } of lNodeLinks(scl)) {
    const key = `${iedName}/${ldInst}/${nodeName(prefix, lnClass, lnInst)}`;
    // A winding and a tap changer belong to the transformer before them in the path.
    const at = path.findLast((name) => equipment.has(name));
    const bay = path.find((name) => bays.has(name));
    places.set(key, {
      ...(at === undefined ? {} : { equipment: equipment.get(at)! }),
      ...(bay === undefined ? {} : { bay: bays.get(bay)! }),
    });
  }
  return places;
}
