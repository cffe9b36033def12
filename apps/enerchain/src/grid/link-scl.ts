/**
 * Which equipment a point belongs to by what SCL says: the 104 address of the point (IEC 61850-80-1) or its object reference
 * leads to a logical node, the LNode in the substation section to equipment, and its names to those of CIM
 * (IEC TS 62361-102).
 */
import type { Iec104Address, LNodeLink } from '@enerchain/iec61850';
import { equipmentAt, type GridModel, type Quantity } from '@enerchain/model';
import type { LinkablePoint, LinkProposal } from './link-proposals.ts';

/** What is read of one or several SCL files. */
export interface SclSource {
  readonly lNodes: readonly Pick<
    LNodeLink,
    'path' | 'at' | 'type' | 'iedName' | 'ldInst' | 'prefix' | 'lnClass' | 'lnInst'
  >[];
  readonly addresses: readonly Pick<Iec104Address, 'iedName' | 'ldInst' | 'ln' | 'names' | 'casdu' | 'ioa'>[];
}

interface Reference {
  /** IED and logical device, as references have them in one. */
  readonly device: string;
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
    for (const { iedName, ldInst, ln, names, casdu, ioa } of addresses)
      this.#byAddress.set(`ca=${casdu} ioa=${ioa}`, { device: `${iedName}${ldInst}`, ln, names });
    for (const each of lNodes) {
      const key = keyOf(`${each.iedName}${each.ldInst}`, `${each.prefix}${each.lnClass}${each.lnInst}`);
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
    const { device, ln, names } = reference;
    const how = byAddress ? `by IEC 61850-80-1 ${point.address} is` : 'its reference is';
    const full = `${device}/${[ln, ...names].join('.')}`;
    const known = DATA.find(([node, object]) => node.test(ln) && object.test(names[0] ?? ''));
    const quantity = known?.[3] ?? 'other';
    return (this.#lNodes.get(keyOf(device, ln)) ?? []).flatMap((lNode) => {
      const found = equipmentAt(this.#grid, lNode.path, quantity);
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
}

const keyOf = (device: string, ln: string): string => `${device} ${ln}`;

/** `IED1LD0/XCBR1.Pos`, or `IED1/LD0/XCBR1.Pos`. */
function referenceOf(text: string | undefined): Reference | undefined {
  const parts = (text ?? '').split('/');
  const [ln, ...names] = (parts.pop() ?? '').split('.');
  return ln && parts.length > 0 && parts.length <= 2 ? { device: parts.join(''), ln, names } : undefined;
}
