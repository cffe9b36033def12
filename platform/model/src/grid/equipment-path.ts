/**
 * Equipment by its path in SCL: names of substation, voltage level, bay and equipment, which are those of CIM
 * (IEC TS 62361-102). Pure.
 */
import type { Mrid } from '../identity.ts';
import type { ConductingEquipment, GridModel } from './grid-model.ts';
import { fitOf, isSwitch, type Quantity, wordsOf } from './quantity.ts';

export interface AtPath {
  readonly item: ConductingEquipment;
  readonly terminal: Mrid | undefined;
  /** 0 … 1: 0.95 where all names lead to it, 0.75 where it is the only one in its bay that can be meant, less for a guess. */
  readonly certain: number;
}

/**
 * @param path names from the substation down: `['S1', '110 kV', 'Q01', 'QA1']`
 * @param quantity what is measured or moved there
 * @returns undefined when nothing of that name is there, or several things could be meant
 */
export function equipmentAt(grid: GridModel, path: readonly string[], quantity: Quantity): AtPath | undefined {
  const { substations, voltageLevels, bays, equipment } = grid;
  const station = substations.find(({ name }) => same(name, path[0]));
  if (!station) return undefined;
  const levels = voltageLevels.filter(({ substation }) => substation === station.mRID);
  const level = levels.find(({ name }) => same(name, path[1]) || same(name, `${path[0]} ${path[1]}`));
  const within = new Set([
    station.mRID,
    ...levels.map(({ mRID }) => mRID),
    ...bays.filter((bay) => levels.some(({ mRID }) => mRID === bay.voltageLevel)).map(({ mRID }) => mRID),
  ]);
  const own = equipment.filter(({ container }) => container !== undefined && within.has(container));
  const bay = bays.find(({ voltageLevel, name }) => voltageLevel === level?.mRID && same(name, path[2]));
  const transformer = own.find(
    (each) => each.class === 'PowerTransformer' && path.slice(1).some((name) => same(each.name, name)),
  );
  if (transformer) return atTransformer(transformer, path, quantity);
  // Parts of equipment, a phase of a breaker, stand below it.
  for (const names of path.length > 4 ? [path, path.slice(0, -1)] : path.length > 3 || !bay ? [path] : []) {
    const found = named(own, names, (bay ?? level)?.mRID);
    if (found) return found;
  }
  return bay && (path.length === 3 || quantity === 'flow' || quantity === 'voltage')
    ? onlyOne(grid, own, bay.mRID, quantity)
    : undefined;
}

/** A winding is named after its transformer and its end number. */
function atTransformer(item: ConductingEquipment, path: readonly string[], quantity: Quantity): AtPath {
  const end = path.map((each) => /_([123])$/.exec(each)?.[1]).find(Boolean);
  const terminal = end === undefined ? undefined : item.terminals[Number(end) - 1]?.mRID;
  return { item, terminal: quantity === 'flow' ? terminal : undefined, certain: 0.95 };
}

function named(
  own: readonly ConductingEquipment[],
  path: readonly string[],
  container: Mrid | undefined,
): AtPath | undefined {
  const name = path.at(-1);
  const inPlace = own.filter((item) => item.container === container);
  const [item, ...more] = [...inPlace, ...own].filter(
    (each) => same(each.name, name) || same(each.name, `${path[2]} ${name}`),
  );
  if (!item) return undefined;
  const terminal = isSwitch(item) || item.terminals.length > 1 ? undefined : item.terminals[0]?.mRID;
  const alone = more.every(({ mRID }) => mRID === item.mRID);
  return { item, terminal, certain: inPlace.includes(item) ? 0.95 : alone ? 0.7 : 0.4 };
}

/** Of a bay as a whole, or of an instrument transformer in it: the one equipment there that such a value can be of. */
function onlyOne(
  { equipment }: GridModel,
  own: readonly ConductingEquipment[],
  bay: Mrid,
  quantity: Quantity,
): AtPath | undefined {
  const nodes = new Set(
    own
      .filter((item) => isSwitch(item) && item.container === bay)
      .flatMap(({ terminals }) => terminals.map((each) => each.connectivityNode)),
  );
  const [item, ...others] = equipment.filter(
    (each) =>
      (each.container === bay || (!isSwitch(each) && each.terminals.some((end) => nodes.has(end.connectivityNode)))) &&
      fitOf(quantity, '', each) >= 0.8,
  );
  if (!item || others.length > 0) return undefined;
  const terminals = item.terminals.filter((each) => nodes.has(each.connectivityNode));
  return {
    item,
    terminal: terminals.length === 1 && !isSwitch(item) ? terminals[0]!.mRID : undefined,
    certain: 0.75,
  };
}

const same = (a: string | undefined, b: string | undefined): boolean =>
  a !== undefined && b !== undefined && wordsOf(a).join(' ') === wordsOf(b).join(' ');
