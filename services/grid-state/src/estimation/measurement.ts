/** What the estimation is told: measurements as columns, and the channels in which those of one quantity come together. */

/** The quantities that can be measured; the position in this list is the code in `MeasurementTable.kind`. */
export const MEASUREMENT_KINDS = [
  /** |V| of a bus, pu. */
  'voltage',
  /** Angle of a bus, radians, as synchrophasors (IEC/IEEE 60255-118-1) give it. */
  'angle',
  /** Active power into the grid at a bus, pu. */
  'pInjection',
  /** Reactive power into the grid at a bus, pu. */
  'qInjection',
  /** Active power from the bus into an end of a branch, pu. */
  'pFlow',
  /** Reactive power from the bus into an end of a branch, pu. */
  'qFlow',
  /** |I| at an end of a branch, pu. */
  'current',
  /** `BranchTable.ratio` of a branch; makes the ratio a state. */
  'ratio',
  /** `BranchTable.shift` of a branch, radians; makes the shift a state. */
  'shift',
] as const;
export type MeasurementKind = (typeof MEASUREMENT_KINDS)[number];

/** The codes by name. */
export const KIND = Object.fromEntries(MEASUREMENT_KINDS.map((kind, code) => [kind, code])) as {
  readonly [K in MeasurementKind]: number;
};

/** One measurement of a power-flow case. */
export interface RowMeasurement {
  readonly kind: MeasurementKind;
  /** Row of the bus, or of the branch for flows, currents, ratios and shifts. */
  readonly at: number;
  /** End of the branch: 0 from, 1 to. */
  readonly end?: 0 | 1;
  readonly value: number;
  /** Standard deviation of its error, in the unit of the value. */
  readonly sigma: number;
}

/** Columns of equal length, one row per measurement. */
export interface MeasurementTable {
  readonly kind: Uint8Array;
  readonly at: Int32Array;
  readonly end: Uint8Array;
  readonly value: Float64Array;
  readonly sigma: Float64Array;
}

export function measurementTable(list: readonly RowMeasurement[]): MeasurementTable {
  return {
    kind: Uint8Array.from(list, ({ kind }) => KIND[kind]),
    at: Int32Array.from(list, ({ at }) => at),
    end: Uint8Array.from(list, ({ end }) => end ?? 0),
    value: Float64Array.from(list, ({ value }) => value),
    sigma: Float64Array.from(list, ({ sigma }) => sigma),
  };
}

/**
 * Places of all that could be measured in a grid, one number each: `first[kind] + at`, or `first[kind] + 2·at + end` for
 * what has two ends.
 */
export class ChannelMap {
  readonly busCount: number;
  readonly branchCount: number;
  readonly first: Int32Array;
  readonly size: number;

  constructor(busCount: number, branchCount: number) {
    this.busCount = busCount;
    this.branchCount = branchCount;
    this.first = new Int32Array(MEASUREMENT_KINDS.length);
    let size = 0;
    MEASUREMENT_KINDS.forEach((_, code) => {
      this.first[code] = size;
      size += this.#count(code);
    });
    this.size = size;
  }

  #count(code: number): number {
    if (code <= KIND.qInjection) return this.busCount;
    return code <= KIND.current ? 2 * this.branchCount : this.branchCount;
  }

  /** @throws RangeError when there is no such bus or branch */
  of(kind: number, at: number, end: number): number {
    const twoEnds = kind >= KIND.pFlow && kind <= KIND.current;
    const offset = twoEnds ? 2 * at + end : at;
    if (!(at >= 0 && end <= 1 && offset < this.#count(kind))) {
      throw new RangeError(
        `a measurement of ${MEASUREMENT_KINDS[kind]} names row ${at}, end ${end}, which is not there`,
      );
    }
    return this.first[kind]! + offset;
  }

  /** The inverse of `of`. */
  describe(channel: number): { kind: MeasurementKind; at: number; end: 0 | 1 } {
    let code = MEASUREMENT_KINDS.length - 1;
    while (this.first[code]! > channel) code--;
    const offset = channel - this.first[code]!;
    const twoEnds = code >= KIND.pFlow && code <= KIND.current;
    return {
      kind: MEASUREMENT_KINDS[code]!,
      at: twoEnds ? offset >> 1 : offset,
      end: (twoEnds ? offset & 1 : 0) as 0 | 1,
    };
  }
}

/** Several measurements of one quantity act like one: their weighted mean with the sum of their weights. */
export interface Channels {
  readonly map: ChannelMap;
  /** Weighted mean per channel. */
  readonly value: Float64Array;
  /** 1/σ² per channel; 0 where nothing is measured. */
  readonly weight: Float64Array;
}

/**
 * @param channelOf channel of each measurement
 * @param active measurements that take part; all when absent
 */
export function mergeChannels(
  map: ChannelMap,
  table: MeasurementTable,
  channelOf: Int32Array,
  active?: Uint8Array,
): Channels {
  const value = new Float64Array(map.size);
  const weight = new Float64Array(map.size);
  for (let k = 0; k < channelOf.length; k++) {
    if (active && active[k] === 0) continue;
    const channel = channelOf[k]!;
    const own = 1 / table.sigma[k]! ** 2;
    value[channel] = value[channel]! + own * table.value[k]!;
    weight[channel] = weight[channel]! + own;
  }
  for (let channel = 0; channel < map.size; channel++) {
    if (weight[channel]! > 0) value[channel] = value[channel]! / weight[channel]!;
  }
  return { map, value, weight };
}
