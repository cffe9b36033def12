/** A fault record as COMTRADE has it (IEC 60255-24, in the form of IEEE C37.111-1999): configuration and data in ASCII. Pure. */

export interface ComtradeRecord {
  readonly station: string;
  readonly device: string;
  /** Hz */
  readonly frequency: number;
  /** Samples per second. */
  readonly rate: number;
  /** Milliseconds since 1970 of the first sample, and of what began the record. */
  readonly start: number;
  readonly trigger: number;
  readonly analogs: readonly {
    readonly name: string;
    readonly phase: string;
    readonly unit: string;
    readonly values: readonly number[];
  }[];
  readonly digitals: readonly { readonly name: string; readonly values: readonly boolean[] }[];
}

/** Largest whole number of a sample (§ 6.4). */
const FULL_SCALE = 32_767;

export function comtrade(record: ComtradeRecord): { readonly cfg: string; readonly dat: string } {
  const { station, device, frequency, rate, start, trigger, analogs, digitals } = record;
  const count = analogs[0]?.values.length ?? digitals[0]?.values.length ?? 0;
  const scales = analogs.map(({ values }) => Math.max(...values.map(Math.abs), 1e-3) / FULL_SCALE);
  const lines = [
    `${station},${device},1999`,
    `${analogs.length + digitals.length},${analogs.length}A,${digitals.length}D`,
    ...analogs.map(
      ({ name, phase, unit }, index) =>
        `${index + 1},${name},${phase},,${unit},${scales[index]!.toPrecision(9)},0,0,-${FULL_SCALE},${FULL_SCALE},1,1,P`,
    ),
    ...digitals.map(({ name }, index) => `${index + 1},${name},,,0`),
    String(frequency),
    '1',
    `${rate},${count}`,
    dateOf(start),
    dateOf(trigger),
    'ASCII',
    '1',
    '',
  ];
  const rows = Array.from({ length: count }, (_, sample) =>
    [
      sample + 1,
      Math.round((sample * 1e6) / rate),
      ...analogs.map(({ values }, index) => Math.round(values[sample]! / scales[index]!)),
      ...digitals.map(({ values }) => (values[sample] ? 1 : 0)),
    ].join(','),
  );
  return { cfg: lines.join('\r\n'), dat: `${rows.join('\r\n')}\r\n` };
}

/** `17/06/2026,12:00:00.123000`, UTC. */
function dateOf(millis: number): string {
  const [date, time] = new Date(millis).toISOString().split('T') as [string, string];
  return `${date.split('-').reverse().join('/')},${time.replace('Z', '000')}`;
}
