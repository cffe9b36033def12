/**
 * An independent power flow to compare with: the full complex admittance matrix, solved by Gaussian elimination for the
 * fixed point V = Y⁻¹·conj(S/V) (implicit Z-bus). Shares no line and no formula with the kernel but the meaning of a branch.
 */
import { BUS_TYPE, type PowerFlowCase } from '../src/powerflow/case.ts';

export interface Complex {
  readonly re: number;
  readonly im: number;
}
export const complex = (re: number, im = 0): Complex => ({ re, im });
export const add = (a: Complex, b: Complex): Complex => complex(a.re + b.re, a.im + b.im);
export const multiply = (a: Complex, b: Complex): Complex =>
  complex(a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re);
export const conjugate = (a: Complex): Complex => complex(a.re, -a.im);
export const divide = (a: Complex, b: Complex): Complex => {
  const d = b.re * b.re + b.im * b.im;
  return multiply(a, complex(b.re / d, -b.im / d));
};
const negative = (a: Complex): Complex => complex(-a.re, -a.im);
export const polar = (magnitude: number, angle: number): Complex =>
  complex(magnitude * Math.cos(angle), magnitude * Math.sin(angle));

/** Sparse rows of the bus admittance matrix. */
export function admittances({ buses, branches }: PowerFlowCase): Map<number, Complex>[] {
  const rows: Map<number, Complex>[] = Array.from({ length: buses.p.length }, () => new Map());
  const put = (i: number, j: number, y: Complex): void => {
    rows[i]!.set(j, add(rows[i]!.get(j) ?? complex(0), y));
  };
  for (let k = 0; k < branches.from.length; k++) {
    const [f, t] = [branches.from[k]!, branches.to[k]!];
    const series = divide(complex(1), complex(branches.r[k]!, branches.x[k]!));
    const ratio = polar(branches.ratio[k]!, branches.shift[k]!);
    put(f, f, divide(series, multiply(ratio, conjugate(ratio))));
    put(f, f, complex(branches.gFrom[k]!, branches.bFrom[k]!));
    put(f, t, negative(divide(series, conjugate(ratio))));
    put(t, f, negative(divide(series, ratio)));
    put(t, t, add(series, complex(branches.gTo[k]!, branches.bTo[k]!)));
  }
  for (let i = 0; i < rows.length; i++) put(i, i, complex(buses.gs[i]!, buses.bs[i]!));
  return rows;
}

/** Largest |V·conj(Y·V) − S| over everything that is given, per unit. */
export function residual(input: PowerFlowCase, vm: Float64Array, va: Float64Array): number {
  const v = Array.from(vm, (magnitude, i) => polar(magnitude, va[i]!));
  let worst = 0;
  admittances(input).forEach((row, i) => {
    let current = complex(0);
    for (const [j, y] of row) current = add(current, multiply(y, v[j]!));
    const s = multiply(v[i]!, conjugate(current));
    const type = input.buses.type[i];
    if (type !== BUS_TYPE.slack) worst = Math.max(worst, Math.abs(s.re - input.buses.p[i]!));
    if (type === BUS_TYPE.pq) worst = Math.max(worst, Math.abs(s.im - input.buses.q[i]!));
    else worst = Math.max(worst, Math.abs(vm[i]! - input.buses.vm[i]!));
  });
  return worst;
}

/** Voltages of a case with pq and slack buses only. */
export function denseSolve(input: PowerFlowCase): Complex[] {
  const { buses } = input;
  const n = buses.p.length;
  const y = admittances(input);
  const v = Array.from(buses.vm, (vm, i) => polar(vm, buses.va[i]!));
  const free = Array.from({ length: n }, (_, i) => i).filter((i) => buses.type[i] !== BUS_TYPE.slack);
  for (let round = 0; round < 500; round++) {
    const matrix = free.map((i) => free.map((j) => y[i]!.get(j) ?? complex(0)));
    const right = free.map((i) => {
      let current = conjugate(divide(complex(buses.p[i]!, buses.q[i]!), v[i]!));
      for (const [j, value] of y[i]!) {
        if (buses.type[j] === BUS_TYPE.slack) current = add(current, negative(multiply(value, v[j]!)));
      }
      return current;
    });
    const next = gauss(matrix, right);
    let change = 0;
    free.forEach((i, row) => {
      change = Math.max(change, Math.hypot(next[row]!.re - v[i]!.re, next[row]!.im - v[i]!.im));
      v[i] = next[row]!;
    });
    if (change < 1e-13) return v;
  }
  throw new Error('the reference did not converge');
}

function gauss(matrix: Complex[][], right: Complex[]): Complex[] {
  const n = right.length;
  const size = (a: Complex): number => Math.hypot(a.re, a.im);
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let i = k + 1; i < n; i++) if (size(matrix[i]![k]!) > size(matrix[pivot]![k]!)) pivot = i;
    [matrix[k], matrix[pivot]] = [matrix[pivot]!, matrix[k]!];
    [right[k], right[pivot]] = [right[pivot]!, right[k]!];
    for (let i = k + 1; i < n; i++) {
      const factor = negative(divide(matrix[i]![k]!, matrix[k]![k]!));
      if (factor.re === 0 && factor.im === 0) continue;
      for (let j = k; j < n; j++) matrix[i]![j] = add(matrix[i]![j]!, multiply(factor, matrix[k]![j]!));
      right[i] = add(right[i]!, multiply(factor, right[k]!));
    }
  }
  for (let i = n - 1; i >= 0; i--) {
    let sum = right[i]!;
    for (let j = i + 1; j < n; j++) sum = add(sum, negative(multiply(matrix[i]![j]!, right[j]!)));
    right[i] = divide(sum, matrix[i]![i]!);
  }
  return right;
}
