/**
 * The input of the power-flow kernel: plain tables of buses and branches in per unit. Whatever describes a grid (the
 * platform's model, a MATPOWER case, CGMES) is brought into this form; the kernel knows no other.
 */

/** Bus types, numbered as in the IEEE common data format and in MATPOWER. */
export const BUS_TYPE = {
  /** P and Q given. */
  pq: 1,
  /** P and |V| given. */
  pv: 2,
  /** |V| and angle given; takes what is left over. An island may have several: all see the same stiff grid. */
  slack: 3,
} as const;

/** Columns of equal length, one row per bus. Powers are injections into the grid, per unit of the system base. */
export interface BusTable {
  readonly type: Uint8Array;
  readonly p: Float64Array;
  readonly q: Float64Array;
  /** Magnitude to start from, per unit; the set-point where the type is pv or slack. */
  readonly vm: Float64Array;
  /** Angle to start from, radians; the set-point where the type is slack. */
  readonly va: Float64Array;
  /** Shunt admittance to earth, per unit. */
  readonly gs: Float64Array;
  readonly bs: Float64Array;
}

/**
 * Columns of equal length, one row per branch: an ideal transformer `ratio`∠`shift` at the `from` end in series with
 * r + jx, and a shunt admittance directly at each terminal.
 */
export interface BranchTable {
  readonly from: Int32Array;
  readonly to: Int32Array;
  readonly r: Float64Array;
  readonly x: Float64Array;
  readonly gFrom: Float64Array;
  readonly bFrom: Float64Array;
  readonly gTo: Float64Array;
  readonly bTo: Float64Array;
  /** 1 for a line. */
  readonly ratio: Float64Array;
  /** Radians; positive delays the `to` end. */
  readonly shift: Float64Array;
}

export interface PowerFlowCase {
  readonly buses: BusTable;
  readonly branches: BranchTable;
  /**
   * Per branch: 1 where it carries nothing. It keeps its place in the pattern, so that an outage needs no new analysis.
   * What it cuts off must hold its own angle: the kernel does not look for islands.
   */
  readonly outOfService?: Uint8Array;
}

export function busTable(count: number): BusTable {
  const column = () => new Float64Array(count);
  return {
    type: new Uint8Array(count).fill(BUS_TYPE.pq),
    p: column(),
    q: column(),
    vm: column().fill(1),
    va: column(),
    gs: column(),
    bs: column(),
  };
}

export function branchTable(count: number): BranchTable {
  const column = () => new Float64Array(count);
  return {
    from: new Int32Array(count),
    to: new Int32Array(count),
    r: column(),
    x: column(),
    gFrom: column(),
    bFrom: column(),
    gTo: column(),
    bTo: column(),
    ratio: column().fill(1),
    shift: column(),
  };
}

/**
 * Fills `out` with the four admittances of branch `row` as re, im pairs: yff, yft, ytf, ytt, so that
 * I_from = yff·V_from + yft·V_to and I_to = ytf·V_from + ytt·V_to.
 */
export function branchAdmittances(table: BranchTable, row: number, out: Float64Array): void {
  const r = table.r[row]!;
  const x = table.x[row]!;
  const d = r * r + x * x;
  const g = r / d;
  const b = -x / d;
  const ratio = table.ratio[row]!;
  const shift = table.shift[row]!;
  const cos = shift === 0 ? 1 : Math.cos(shift);
  const sin = shift === 0 ? 0 : Math.sin(shift);
  out[0] = g / (ratio * ratio) + table.gFrom[row]!;
  out[1] = b / (ratio * ratio) + table.bFrom[row]!;
  // yft = -y / conj(t), ytf = -y / t with t = ratio·e^(j·shift)
  out[2] = -(g * cos - b * sin) / ratio;
  out[3] = -(g * sin + b * cos) / ratio;
  out[4] = -(g * cos + b * sin) / ratio;
  out[5] = -(b * cos - g * sin) / ratio;
  out[6] = g + table.gTo[row]!;
  out[7] = b + table.bTo[row]!;
}
