/**
 * What `enerchain iec104 …` prints: one line per information object. The field names are a promise to scripts:
 * `ca`, `ioa`, `type`, `cot`, `value`, `quality`, `time`.
 */
import {
  type Asdu,
  COUNTER,
  causeName,
  type Element,
  type InformationObject,
  normalizedValue,
  QUALITY,
  timeToEpochMillis,
  typeName,
} from '@enerchain/iec60870';

export interface ObjectLine {
  readonly ca: number;
  readonly ioa: number;
  /** Mnemonic of the standard, `M_ME_NC_1`. */
  readonly type: string;
  readonly typeId: number;
  /** Cause of transmission, 3 = spontaneous, 20 = interrogated by station interrogation. */
  readonly cot: number;
  /** Its mnemonic in the standard, `spont`, `inrogen`. */
  readonly cause: string;
  readonly value: number | string | null;
  /** Flags that are set, in the standard's letters: IV, NT, SB, BL, OV, EI, CY, CA; empty = good. */
  readonly quality: readonly string[];
  /** Time tag in UTC (ISO 8601), null when the type has none. */
  readonly time: string | null;
  /** Only where they are not the usual: negative confirmation, test, invalid time. */
  readonly negative?: true;
  readonly test?: true;
  readonly timeInvalid?: true;
  /** The raw int16 of a normalised value, the sequence number of a counter reading. */
  readonly raw?: number;
  readonly sequence?: number;
}

/** @param now ms since the Unix epoch, to complete a CP24Time2a, which has no hour */
export function objectLine(asdu: Asdu, object: InformationObject, now: number): ObjectLine {
  const { element, time } = object;
  const at = time ? timeToEpochMillis(time, now) : undefined;
  return {
    ca: asdu.commonAddress,
    ioa: object.address,
    type: typeName(asdu.typeId),
    typeId: asdu.typeId,
    cot: asdu.cause,
    cause: causeName(asdu.cause),
    value: elementValue(element),
    quality: qualityOf(element),
    time: at === undefined || Number.isNaN(at) ? null : new Date(at).toISOString(),
    ...(asdu.negative ? { negative: true } : {}),
    ...(asdu.test ? { test: true } : {}),
    ...(time?.invalid ? { timeInvalid: true } : {}),
    ...('raw' in element ? { raw: element.raw } : {}),
    ...(element.kind === 'integratedTotal' ? { sequence: element.sequence } : {}),
  };
}

/** The same for people, in columns. */
export function objectText(line: ObjectLine): string {
  const time = line.time ?? '';
  const marks = [...line.quality, ...(line.timeInvalid ? ['time invalid'] : []), ...(line.test ? ['test'] : [])].join(
    ' ',
  );
  return `${time.padEnd(25)}${`${line.ca}/${line.ioa}`.padEnd(16)}${line.type.padEnd(11)}${String(line.value).padEnd(22)}${line.cause}${marks ? `  [${marks}]` : ''}`;
}

function elementValue(element: Element): number | string | null {
  if ('value' in element) {
    // A float NaN is no JSON number; a bit string is read as bits.
    if (element.kind === 'bitstring') return `0x${element.value.toString(16).padStart(8, '0')}`;
    return Number.isFinite(element.value) ? element.value : null;
  }
  return 'raw' in element ? normalizedValue(element.raw) : null;
}

const QUALITY_LETTERS: readonly (readonly [string, number])[] = [
  ['IV', QUALITY.invalid],
  ['NT', QUALITY.notTopical],
  ['SB', QUALITY.substituted],
  ['BL', QUALITY.blocked],
  ['OV', QUALITY.overflow],
  ['EI', QUALITY.elapsedTimeInvalid],
];
const COUNTER_LETTERS: readonly (readonly [string, number])[] = [
  ['IV', COUNTER.invalid],
  ['CY', COUNTER.carry],
  ['CA', COUNTER.adjusted],
];

function qualityOf(element: Element): string[] {
  const [table, bits] =
    'quality' in element
      ? [QUALITY_LETTERS, element.quality]
      : 'flags' in element
        ? [COUNTER_LETTERS, element.flags]
        : [[], 0];
  return table.filter(([, bit]) => (bits & bit) !== 0).map(([letter]) => letter);
}
