/** Values of a published data set as a user writes them: `BCU1CTRL/QA1XCBR1.Pos.stVal=on`. */
import { dataFrom, initialValue, type PublishedMember, withPart } from '@enerchain/iec61850';
import { type Data, type TypeSpecification, utcTimeFromMillis } from '@enerchain/mms';
import { EnerchainError } from '@enerchain/model';

/** Clock not synchronised (IEC 61850-8-1, 8.1.3.7): nobody has told this machine's clock to a tool. */
const TIME_QUALITY = 0x20 | 10;

const now = (): Data => ({ kind: 'utcTime', value: utcTimeFromMillis(Date.now(), TIME_QUALITY) });

/** As the type has it before anything has set it, with the time of now. */
export function firstValue({ type }: PublishedMember): Data {
  return timed(initialValue(type));
}

function timed(data: Data): Data {
  if (data.kind === 'utcTime') return now();
  if (data.kind === 'structure' || data.kind === 'array') return { kind: data.kind, value: data.value.map(timed) };
  return data;
}

/**
 * Values with one of them, or a part of one, replaced; the time beside it becomes now when it is published too.
 * @param text `reference=value`
 * @throws EnerchainError when there is no such member, or the value is none of its kind
 */
export function assigned(members: readonly PublishedMember[], values: readonly Data[], text: string): readonly Data[] {
  const [, reference = '', word = ''] = /^([^=]+)=(.*)$/.exec(text) ?? [];
  const place = placeOf(members, values, reference);
  if (!place) {
    const there = members.slice(0, 20).map((member) => member.reference);
    throw refused(`'${text}' is no reference=value of this data set; its members are ${there.join(', ')}`);
  }
  const data = dataFrom(word, place.part);
  if (!data) throw refused(`'${word}' is no ${place.part.kind}, which ${reference} is`);
  const next = replaced(members, values, place, data);
  // The time of an attribute is in its data object, which may be some way up: mag.f has its t beside mag.
  for (let path = reference; path.includes('.', path.indexOf('/')); ) {
    path = path.slice(0, path.lastIndexOf('.'));
    const time = placeOf(members, next, `${path}.t`);
    if (time?.part.kind === 'utcTime') return replaced(members, next, time, now());
  }
  return next;
}

interface Place {
  readonly index: number;
  /** From the member down. */
  readonly names: readonly string[];
  readonly part: Data;
}

function placeOf(members: readonly PublishedMember[], values: readonly Data[], reference: string): Place | undefined {
  for (const [index, member] of members.entries()) {
    if (reference !== member.reference && !reference.startsWith(`${member.reference}.`)) continue;
    const names = reference.slice(member.reference.length).split('.').slice(1);
    const part = partOf(values[index]!, member.type, names);
    if (part) return { index, names, part };
  }
  return undefined;
}

function partOf(value: Data, type: TypeSpecification, [first, ...rest]: readonly string[]): Data | undefined {
  if (first === undefined) return value;
  if (type.kind !== 'structure' || value.kind !== 'structure') return undefined;
  const index = type.value.components.findIndex(({ name }) => name === first);
  return index < 0 ? undefined : partOf(value.value[index]!, type.value.components[index]!.type, rest);
}

function replaced(
  members: readonly PublishedMember[],
  values: readonly Data[],
  { index, names }: Place,
  data: Data,
): readonly Data[] {
  const value = withPart(values[index]!, members[index]!.type, names, data);
  if (!value) throw refused(`${members[index]!.reference} takes no ${data.kind}`);
  return values.map((old, i) => (i === index ? value : old));
}

function refused(text: string): EnerchainError {
  return new EnerchainError('caller', 'cli.option', `${text}; nothing was sent`);
}
