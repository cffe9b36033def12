/** Which report control blocks bring what, and in which order they are asked for. Pure. */
import { type FunctionalConstraint, type IedModel, type Ln, memberText, nodeName } from '@enerchain/iec61850';
import { memberOf, type NodePlace } from './points.ts';

/** A value that somebody wants: an attribute, `BCU1CTRL/MMXU1.TotW.mag.f`, with the object it belongs to. */
export interface Wanted {
  readonly reference: string;
  readonly object: string;
  readonly fc: FunctionalConstraint;
}

/** A report control block of the SCL, with the names of its instances in the order in which to try them. */
export interface ReportBlock {
  /** `BCU1CTRL/LLN0.BR.brcb`, without the number of an instance. */
  readonly reference: string;
  readonly instances: readonly string[];
  /** Undefined when the SCL does not have the block. */
  readonly confRev: number | undefined;
  /** `BCU1CTRL/LLN0.Positions`. */
  readonly dataSet: string | undefined;
  /** Reference and constraint of each member, as the SCL has them; undefined when it does not have the block. */
  readonly members: readonly string[] | undefined;
}

/** What of the values that are wanted a member of a data set brings. */
export class Coverage {
  readonly #below = new Map<string, Wanted[]>();

  constructor(wanted: Iterable<Wanted>) {
    for (const one of wanted) {
      for (let end = one.reference.length; end > 0; end = cutBefore(one.reference, end)) {
        const key = `${one.reference.slice(0, end)} ${one.fc}`;
        const list = this.#below.get(key);
        if (list) list.push(one);
        else this.#below.set(key, [one]);
      }
    }
  }

  /** @param member reference and constraint, `BCU1CTRL/MMXU1.TotW MX` */
  of(member: string): readonly Wanted[] {
    return this.#below.get(member) ?? [];
  }
}

/** Where the last name of a reference begins; 0 at the logical node. */
function cutBefore(reference: string, end: number): number {
  const at = Math.max(reference.lastIndexOf('.', end - 1), reference.lastIndexOf('(', end - 1));
  return at > reference.indexOf('/') ? at : 0;
}

/**
 * Blocks of a model, best first: buffered before unbuffered, then those that bring more, value with quality and time before
 * the value alone. Whoever goes through them leaves out what brings nothing more.
 * @param client name of this gateway in the SCL: instances that are meant for it come first, those for others last
 */
export function reportBlocks(model: IedModel, coverage: Coverage, client: string | undefined): ReportBlock[] {
  const ranked = model.devices.flatMap((device) =>
    device.nodes.flatMap(({ name: node, ln }) =>
      ln.reportControls.map((control) => {
        const set = ln.dataSets.find(({ name }) => name === control.datSet);
        const members = set?.fcdas.flatMap((fcda) => {
          const at = memberOf(model, fcda);
          return at ? [`${placeName(at)}.${memberText(at.node.type, fcda)} ${fcda.fc}`] : [];
        });
        const block: ReportBlock = {
          reference: `${device.name}/${node}.${control.buffered ? 'BR' : 'RP'}.${control.name}`,
          instances: instancesOf(`${device.name}/${node}`, control, client),
          confRev: control.confRev,
          dataSet: control.datSet === undefined ? undefined : `${device.name}/${node}.${control.datSet}`,
          members: members ?? [],
        };
        return { block, buffered: control.buffered, worth: worthOf(members ?? [], coverage) };
      }),
    ),
  );
  return ranked
    .filter(({ block }) => block.dataSet !== undefined)
    .sort((a, b) => Number(b.buffered) - Number(a.buffered) || b.worth - a.worth)
    .map(({ block }) => block);
}

const placeName = ({ device, node }: NodePlace): string =>
  `${device.name}/${nodeName(node.ln.prefix, node.ln.lnClass, node.ln.inst)}`;

function worthOf(members: readonly string[], coverage: Coverage): number {
  const has = new Set(members);
  let worth = 0;
  for (const member of members) {
    for (const { object, fc } of coverage.of(member)) {
      // A member that is the object, or a part of the way to it, brings quality and time along.
      const whole = member.length - fc.length - 1 <= object.length;
      worth += 1;
      if (whole || has.has(`${object}.q ${fc}`)) worth += 0.4;
      if (whole || has.has(`${object}.t ${fc}`)) worth += 0.4;
    }
  }
  return worth;
}

function instancesOf(place: string, control: Ln['reportControls'][number], client: string | undefined): string[] {
  const reference = `${place}.${control.buffered ? 'BR' : 'RP'}.${control.name}`;
  if (!control.indexed) return [reference];
  const clients = control.rptEnabled?.clientLns ?? [];
  const count = Math.min(99, Math.max(1, control.rptEnabled?.max ?? 1));
  const rank = (index: number): number => {
    const meantFor = clients[index]?.iedName;
    return meantFor === undefined ? 1 : meantFor === client ? 0 : 2;
  };
  return Array.from({ length: count }, (_, index) => index)
    .sort((a, b) => rank(a) - rank(b) || a - b)
    .map((index) => `${reference}${String(index + 1).padStart(2, '0')}`);
}

/** What a device allows of data sets that clients make (IEC 61850-6 § 9.3.2, `Services`). */
export interface DynamicDataSets {
  /** How many; those of an association count. */
  readonly max: number;
  /** Members of one. */
  readonly maxMembers: number;
}

/** @returns undefined when the device does not let clients make data sets, or give them to a report control block */
export function dynamicDataSets({ ied }: IedModel): DynamicDataSets | undefined {
  const services = [ied.services, ...ied.accessPoints.map(({ services: own }) => own)].flatMap(
    (own) => own?.nodes ?? [],
  );
  const set = services.find(({ name }) => name === 'DynDataSet');
  const settings = services.find(({ name }) => name === 'ReportSettings');
  if (!set || settings?.attributes.datSet !== 'Dyn') return undefined;
  const max = Number(set.attributes.max) || 0;
  return max > 0 ? { max, maxMembers: Number(set.attributes.maxAttributes) || 20 } : undefined;
}
