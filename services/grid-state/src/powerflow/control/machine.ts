/** What can bring in power and hold a voltage: machines, static var compensators, regulating converters and infeeds. */

/** Powers in pu of the system base, into the grid. What it is given is part of the bus table as well. */
export interface Machine {
  readonly bus: number;
  readonly p: number;
  readonly q: number;
  /** What it can bring in; infinite without a limit. Of a var compensator, with `susceptance`: per unit of V². */
  readonly qMin: number;
  readonly qMax: number;
  readonly susceptance?: boolean;
  /** Corners of its capability curve by rising p, straight in between; goes before `qMin` and `qMax`. */
  readonly curve?: readonly { readonly p: number; readonly qMin: number; readonly qMax: number }[];
  /** Bus whose voltage it holds, its own or another one; -1: it gives `q`. */
  readonly holds: number;
  /** Voltage to hold, pu. Of several that hold one bus the first one's counts. */
  readonly target: number;
  /** pu of voltage by which the target falls per pu of reactive power brought in by all that hold the bus. */
  readonly slope?: number;
  /** Share in the reactive power of all that hold one bus. */
  readonly weight: number;
  /** Whether it takes, with others of its kind at the bus, what is left over there of a slack bus. */
  readonly reference?: boolean;
  /** Share in what a distributed slack has to make up; 0: none. */
  readonly participation: number;
  readonly pMin: number;
  readonly pMax: number;
}

/** @param p present active power, pu; @param vm voltage at its bus, pu */
export function reactiveLimits(machine: Machine, p: number, vm: number): { low: number; high: number } {
  const { curve, qMin, qMax } = machine;
  if (curve && curve.length > 0) {
    let k = 0;
    while (k < curve.length - 1 && curve[k + 1]!.p <= p) k++;
    const a = curve[k]!;
    const b = curve[Math.min(k + 1, curve.length - 1)]!;
    const share = b.p > a.p ? Math.min(1, Math.max(0, (p - a.p) / (b.p - a.p))) : 0;
    return { low: a.qMin + share * (b.qMin - a.qMin), high: a.qMax + share * (b.qMax - a.qMax) };
  }
  const factor = machine.susceptance ? vm * vm : 1;
  return { low: qMin * factor, high: qMax * factor };
}

/**
 * Divides a total by weights without leaving the bounds: who reaches one stays there, the others share the rest.
 * @returns the parts; their sum is the total, or what the bounds allow
 */
export function divide(
  total: number,
  weights: readonly number[],
  low: readonly number[],
  high: readonly number[],
): number[] {
  if (weights.length === 1) return [Math.min(high[0]!, Math.max(low[0]!, total))];
  const parts = weights.map(() => 0);
  let open = weights.map((_, i) => i);
  let rest = total;
  while (open.length > 0) {
    const sum = open.reduce((all, i) => all + weights[i]!, 0);
    const wanted = open.map((i) => (rest * (sum > 0 ? weights[i]! : 1)) / (sum > 0 ? sum : open.length));
    const clamped = open.map((i, k) => Math.min(high[i]!, Math.max(low[i]!, wanted[k]!)));
    const excess = clamped.reduce((all, value, k) => all + value - wanted[k]!, 0);
    // Only those on the heavier side are final: fixing both at once could shut out one that comes back within bounds.
    const final = open.map((_, k) =>
      excess < 0 ? clamped[k]! < wanted[k]! : excess > 0 ? clamped[k]! > wanted[k]! : true,
    );
    open.forEach((i, k) => {
      if (!final[k]) return;
      parts[i] = clamped[k]!;
      rest -= clamped[k]!;
    });
    open = open.filter((_, k) => !final[k]);
  }
  return parts;
}
