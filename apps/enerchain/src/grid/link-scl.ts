/**
 * Which equipment a point belongs to by what SCL says: the 104 address of the point (IEC 61850-80-1) or its object reference
 * leads to a logical node, the LNode in the substation section to equipment, and its names to those of CIM
 * (IEC TS 62361-102).
 */
import type { Iec104Address, LNodeLink } from '@enerchain/iec61850';
import type { ConductingEquipment, GridModel, Mrid } from '@enerchain/model';
import type { LinkablePoint, LinkProposal } from './link-proposals.ts';
import { fitOf, isSwitch, type Quantity, wordsOf } from './link-quantity.ts';

/** What is read of one or several SCL files. */
export interface SclSource {
  readonly lNodes: readonly Pick<
    LNodeLink,
    'path' | 'at' | 'type' | 'iedName' | 'ldInst' | 'prefix' | 'lnClass' | 'lnInst'
  >[];
  readonly addresses: readonly Pick<Iec104Address, 'iedName' | 'ldInst' | 'ln' | 'names' | 'casdu' | 'ioa'>[];
}

interface Reference {
  readonly iedName: string;
  readonly ldInst: string;
  readonly ln: string;
  readonly names: readonly string[];
}

/** Data objects of IEC 61850-7-4 → CIM measurementType and what it is. */
const DATA: readonly (readonly [ln: RegExp, object: RegExp, type: string | undefined, quantity: Quantity])[] = [
  [/MMXU|MMXN/, /^TotW$/, 'ThreePhaseActivePower', 'flow'],
  [/MMXU|MMXN/, /^TotVAr$/, 'ThreePhaseReactivePower', 'flow'],
  [/MMXU|MMXN/, /^TotVA$/, 'ThreePhaseApparentPower', 'flow'],
  [/MMXU|MMXN/, /^(A|Amp)$/, 'LineCurrent', 'flow'],
  [/MMXU|MMXN/, /^(PPV|PhV|Vol)$/, 'LineToLineVoltage', 'voltage'],
  [/MMXU|MMXN/, /^Hz$/, 'Frequency', 'voltage'],
  [/MMTR|MMTN/, /./, undefined, 'flow'],
  [/XCBR|XSWI|CSWI/, /^Pos$/, 'SwitchPosition', 'switch'],
  [/YLTC|ATCC/, /^(TapChg|TapPos)$/, 'TapPosition', 'tap'],
];

export class SclProposer {
  readonly #grid: GridModel;
  readonly #byAddress = new Map<string, Reference>();
  readonly #lNodes = new Map<string, SclSource['lNodes'][number][]>();

  constructor(grid: GridModel, { lNodes, addresses }: SclSource) {
    this.#grid = grid;
    for (const each of addresses) this.#byAddress.set(`ca=${each.casdu} ioa=${each.ioa}`, each);
    for (const each of lNodes) {
      const key = keyOf(each.iedName, each.ldInst, `${each.prefix}${each.lnClass}${each.lnInst}`);
      const list = this.#lNodes.get(key);
      if (list) list.push(each);
      else this.#lNodes.set(key, [each]);
    }
  }

  /** One for each place that an LNode puts the point's logical node at. */
  propose(point: LinkablePoint): LinkProposal[] {
    if (point.terminal !== undefined || point.equipment !== undefined) return [];
    const byAddress = this.#byAddress.get(point.address ?? '');
    const reference = byAddress ?? referenceOf(point.objectReference);
    if (!reference) return [];
    const { iedName, ldInst, ln, names } = reference;
    const how = byAddress ? `by IEC 61850-80-1 ${point.address} is` : 'its reference is';
    const full = `${iedName}${ldInst}/${[ln, ...names].join('.')}`;
    const known = DATA.find(([node, object]) => node.test(ln) && object.test(names[0] ?? ''));
    const quantity = known?.[3] ?? 'other';
    return (this.#lNodes.get(keyOf(iedName, ldInst, ln)) ?? []).flatMap((lNode) => {
      const found = this.#find(lNode, quantity);
      if (!found) return [];
      const { item, terminal, certain } = found;
      const type = point.measurementType === undefined ? known?.[2] : undefined;
      return [
        {
          point: point.mRID,
          pointName: point.name,
          equipment: item.mRID,
          equipmentName: item.name,
          equipmentClass: item.class,
          ...(terminal === undefined ? {} : { terminal }),
          ...(type === undefined ? {} : { measurementType: type }),
          method: 'scl' as const,
          confidence: certain,
          reason: `${how} ${full}, whose LNode stands at ${lNode.path.join('/')}`,
        },
      ];
    });
  }

  /** Equipment of the grid at a path of SCL: substation, voltage level, bay, equipment. */
  #find(
    { path, at }: SclSource['lNodes'][number],
    quantity: Quantity,
  ): { item: ConductingEquipment; terminal: Mrid | undefined; certain: number } | undefined {
    const { substations, voltageLevels, bays, equipment } = this.#grid;
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
    if (at === 'TransformerWinding' || at === 'PowerTransformer' || at === 'TapChanger') {
      // IEC TS 62361-102: a winding is named after its transformer and its end number.
      const name = path.find((each) => own.some((item) => item.class === 'PowerTransformer' && same(item.name, each)));
      const item = own.find((each) => each.class === 'PowerTransformer' && same(each.name, name));
      const end = path.map((each) => /_([123])$/.exec(each)?.[1]).find(Boolean);
      const terminal = end === undefined ? undefined : item?.terminals[Number(end) - 1]?.mRID;
      return item && { item, terminal: quantity === 'flow' ? terminal : undefined, certain: 0.95 };
    }
    const bay = bays.find(({ voltageLevel, name }) => voltageLevel === level?.mRID && same(name, path[2]));
    if (at === 'ConductingEquipment' || at === 'SubEquipment') {
      const names = at === 'SubEquipment' ? path.slice(0, -1) : path;
      const name = names.at(-1);
      const inPlace = own.filter((item) => item.container === (bay ?? level)?.mRID);
      const [item, ...more] = [...inPlace, ...own].filter(
        (each) => same(each.name, name) || same(each.name, `${path[2]} ${name}`),
      );
      if (!item) return undefined;
      const exact = inPlace.includes(item);
      const terminal = isSwitch(item) || item.terminals.length > 1 ? undefined : item.terminals[0]?.mRID;
      const alone = more.every(({ mRID }) => mRID === item.mRID);
      return { item, terminal, certain: exact ? 0.95 : alone ? 0.7 : 0.4 };
    }
    if (!bay) return undefined;
    // A logical node of the bay: the one equipment in it that such a value can be of.
    const nodes = new Set(
      own
        .filter((item) => isSwitch(item) && item.container === bay.mRID)
        .flatMap(({ terminals }) => terminals.map((each) => each.connectivityNode)),
    );
    const fitting = equipment.filter(
      (item) =>
        (item.container === bay.mRID ||
          (!isSwitch(item) && item.terminals.some((each) => nodes.has(each.connectivityNode)))) &&
        fitOf(quantity, '', item) >= 0.8,
    );
    const [item, ...others] = fitting;
    if (!item || others.length > 0) return undefined;
    const terminals = item.terminals.filter((each) => nodes.has(each.connectivityNode));
    return {
      item,
      terminal: terminals.length === 1 && !isSwitch(item) ? terminals[0]!.mRID : undefined,
      certain: 0.75,
    };
  }
}

const keyOf = (iedName: string, ldInst: string, ln: string): string => `${iedName} ${ldInst} ${ln}`;
const same = (a: string | undefined, b: string | undefined): boolean =>
  a !== undefined && b !== undefined && wordsOf(a).join(' ') === wordsOf(b).join(' ');

/** `IED1LD0/XCBR1.Pos` cannot be cut into IED and device without the file; `IED1/LD0/XCBR1.Pos` can. */
function referenceOf(text: string | undefined): Reference | undefined {
  const [iedName, ldInst, rest] = (text ?? '').split('/');
  if (!iedName || !ldInst || !rest) return undefined;
  const [ln, ...names] = rest.split('.');
  return ln ? { iedName, ldInst, ln, names } : undefined;
}
