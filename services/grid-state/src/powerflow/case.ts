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
  /**
   * Series impedance as the `to` end sees it, where it is another one (CIM EquivalentBranch.r21, x21): y_tf and y_tt are
   * made of it, y_ff and y_ft of r + jx. NaN in a row: the same from both ends.
   */
  readonly r21?: Float64Array;
  readonly x21?: Float64Array;
}

/**
 * Injections that follow the voltage of their bus, on top of what the bus table says: p·V^pExponent + j·q·V^qExponent,
 * V per unit. A load of CIM's LoadResponseCharacteristic is one row with exponents, or up to three with 2, 1 and 0; a static
 * var compensator on its slope is two with 0 and 1. Where the bus holds V, q takes no part; at a slack bus nothing does.
 */
export interface ResponseTable {
  readonly bus: Int32Array;
  readonly p: Float64Array;
  readonly q: Float64Array;
  readonly pExponent: Float64Array;
  readonly qExponent: Float64Array;
}

export interface PowerFlowCase {
  readonly buses: BusTable;
  readonly branches: BranchTable;
  /**
   * Per branch: 1 where it carries nothing. It keeps its place in the pattern, so that an outage needs no new analysis.
   * What it cuts off must hold its own angle: the kernel does not look for islands.
   */
  readonly outOfService?: Uint8Array;
  readonly responses?: ResponseTable;
}

/**
 * Cuts columns out of one piece of memory, `total` numbers long: tables are made for every solution, and to get a piece and to
 * clean it up takes longer than what many a small grid has to calculate with it.
 */
export function columnsOf(total: number): (length: number) => Float64Array {
  const memory = new ArrayBuffer(total * Float64Array.BYTES_PER_ELEMENT);
  let at = 0;
  return (length) => {
    const column = new Float64Array(memory, at, length);
    at += column.byteLength;
    return column;
  };
}

export function busTable(count: number): BusTable {
  const cut = columnsOf(6 * count);
  const column = () => cut(count);
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
  const cut = columnsOf(8 * count);
  const column = () => cut(count);
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

export function responseTable(count: number): ResponseTable {
  const column = () => new Float64Array(count);
  return { bus: new Int32Array(count), p: column(), q: column(), pExponent: column(), qExponent: column() };
}

/**
 * A table of the named rows. Columns are copied, so that what is written to one is not seen in the other.
 * @param rows of `table`, in the order wanted
 * @param into a table of as many rows whose columns are written over
 */
export function selectRows<T extends BusTable | BranchTable | ResponseTable>(
  table: T,
  rows: ArrayLike<number>,
  into?: T,
): T {
  type Column = Uint8Array | Int32Array | Float64Array;
  const columns = Object.entries(table) as [string, Column][];
  const kept = into as { readonly [name: string]: Column | undefined } | undefined;
  const numbers = columns.filter(([name, column]) => column instanceof Float64Array && !kept?.[name]);
  const cut = columnsOf(numbers.length * rows.length);
  const selected: Record<string, Column> = {};
  for (const [name, column] of columns) {
    const own = kept?.[name];
    if (column instanceof Float64Array) selected[name] = gather(column, rows, own ?? cut(rows.length));
    else selected[name] = gather(column, rows, own ?? new (column.constructor as Int32ArrayConstructor)(rows.length));
  }
  return selected as unknown as T;
}

function gather<C extends Uint8Array | Int32Array | Float64Array>(column: C, rows: ArrayLike<number>, into: C): C {
  for (let i = 0; i < rows.length; i++) into[i] = column[rows[i]!]!;
  return into;
}

/** V^exponent, without Math.pow where it is one of the three of a ZIP load. */
export const voltagePower = (vm: number, exponent: number): number =>
  exponent === 0 ? 1 : exponent === 1 ? vm : exponent === 2 ? vm * vm : vm ** exponent;

/**
 * Fills `out`, from `at` on, with the four admittances of branch `row` as re, im pairs: yff, yft, ytf, ytt, so that
 * I_from = yff·V_from + yft·V_to and I_to = ytf·V_from + ytt·V_to.
 */
export function branchAdmittances(table: BranchTable, row: number, out: Float64Array, at = 0): void {
  const r = table.r[row]!;
  const x = table.x[row]!;
  const d = r * r + x * x;
  const g = r / d;
  const b = -x / d;
  const ratio = table.ratio[row]!;
  const shift = table.shift[row]!;
  const cos = shift === 0 ? 1 : Math.cos(shift);
  const sin = shift === 0 ? 0 : Math.sin(shift);
  out[at] = g / (ratio * ratio) + table.gFrom[row]!;
  out[at + 1] = b / (ratio * ratio) + table.bFrom[row]!;
  // yft = -y / conj(t), ytf = -y / t with t = ratio·e^(j·shift)
  out[at + 2] = -(g * cos - b * sin) / ratio;
  out[at + 3] = -(g * sin + b * cos) / ratio;
  out[at + 4] = -(g * cos + b * sin) / ratio;
  out[at + 5] = -(b * cos - g * sin) / ratio;
  out[at + 6] = g + table.gTo[row]!;
  out[at + 7] = b + table.bTo[row]!;
  const r21 = table.r21?.[row] ?? Number.NaN;
  if (!Number.isNaN(r21)) {
    const x21 = table.x21![row]!;
    const d21 = r21 * r21 + x21 * x21;
    const [g21, b21] = [r21 / d21, -x21 / d21];
    out[at + 4] = -(g21 * cos + b21 * sin) / ratio;
    out[at + 5] = -(b21 * cos - g21 * sin) / ratio;
    out[at + 6] = g21 + table.gTo[row]!;
    out[at + 7] = b21 + table.bTo[row]!;
  }
}

/** What flows into a branch at its two ends, per unit: fills `out` with pFrom, qFrom, pTo, qTo. @param y of branchAdmittances */
export function branchFlow(
  y: Float64Array,
  vmFrom: number,
  vaFrom: number,
  vmTo: number,
  vaTo: number,
  out: Float64Array,
): void {
  const angle = vaFrom - vaTo;
  const product = vmFrom * vmTo;
  const [cos, sin] = [product * Math.cos(angle), product * Math.sin(angle)];
  const [ff, tt] = [vmFrom * vmFrom, vmTo * vmTo];
  // S_f = V_f·conj(yff·V_f + yft·V_t), S_t likewise.
  out[0] = ff * y[0]! + y[2]! * cos + y[3]! * sin;
  out[1] = -ff * y[1]! + y[2]! * sin - y[3]! * cos;
  out[2] = tt * y[6]! + y[4]! * cos - y[5]! * sin;
  out[3] = -tt * y[7]! - y[4]! * sin - y[5]! * cos;
}
