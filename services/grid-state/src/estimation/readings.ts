/** What every channel reads at a state, whether it is measured or not: values, derivatives and variances. */

import type { InverseSubset } from './block-ldl.ts';
import { ALL, type BranchEquations, branchChannel, QUANTITIES, WIDTH } from './branch-equations.ts';
import type { EstimatedState } from './estimated-state.ts';
import type { Layout } from './layout.ts';
import { type ChannelMap, type Channels, KIND } from './measurement.ts';

export class Readings {
  readonly #layout: Layout;
  readonly #map: ChannelMap;
  readonly #state: EstimatedState;
  readonly #branch: BranchEquations;

  constructor(layout: Layout, map: ChannelMap, state: EstimatedState, branch: BranchEquations) {
    this.#layout = layout;
    this.#map = map;
    this.#state = state;
    this.#branch = branch;
  }

  /** What every channel would read at the present state, whether measured or not. */
  predict(): Float64Array {
    const map = this.#map;
    const { vm, va, ratio, shift, yRe, yIm } = this.#state;
    const { from, admittance } = this.#layout;
    const { rows } = this.#branch;
    const out = new Float64Array(map.size);
    out.set(vm, map.first[KIND.voltage]!);
    out.set(va, map.first[KIND.angle]!);
    out.set(ratio, map.first[KIND.ratio]!);
    out.set(shift, map.first[KIND.shift]!);
    for (let k = 0; k < from.length; k++) {
      this.#branch.at(k, ALL);
      for (let r = 0; r < QUANTITIES; r++) out[branchChannel(this.#map, k, r)] = rows[r * WIDTH]!;
    }
    for (let i = 0; i < vm.length; i++) {
      let p = 0;
      let q = 0;
      for (let at = admittance.start[i]!; at < admittance.start[i + 1]!; at++) {
        const j = admittance.column[at]!;
        const angle = va[i]! - va[j]!;
        const cos = Math.cos(angle);
        const sin = Math.sin(angle);
        p += vm[j]! * (yRe[at]! * cos + yIm[at]! * sin);
        q += vm[j]! * (yRe[at]! * sin - yIm[at]! * cos);
      }
      out[map.first[KIND.pInjection]! + i] = p * vm[i]!;
      out[map.first[KIND.qInjection]! + i] = q * vm[i]!;
    }
    return out;
  }

  /**
   * Variance of what every channel reads according to the estimate: h·Σ·hᵀ. NaN for injections without a row of their own.
   * @param weight those that the factor was made with
   */
  variances(subset: InverseSubset, { map, weight }: Channels, zero: Uint8Array): Float64Array {
    const { free } = this.#state;
    const { busCount, from, to, tapRow, injectionRow } = this.#layout;
    const out = new Float64Array(map.size);
    for (let i = 0; i < busCount; i++) {
      out[map.first[KIND.voltage]! + i] = subset.variance(i, 1);
      out[map.first[KIND.angle]! + i] = free[i] === 0 ? 0 : subset.variance(i, 0);
      const row = injectionRow[i]!;
      [KIND.pInjection, KIND.qInjection].forEach((kind, side) => {
        const channel = map.first[kind]! + i;
        const w = weight[channel]!;
        if (row >= 0 && (zero[i]! & (1 << side)) !== 0) out[channel] = 0;
        else if (row < 0 || w === 0) out[channel] = Number.NaN;
        // The multiplier's own entry of the inverse is -1/(R + h·Σ'·hᵀ), with Σ' as it were without this measurement.
        else out[channel] = Math.max(0, 1 / w + subset.variance(row, side as 0 | 1) / (w * w));
      });
    }
    const [ff, ft, tt] = [new Float64Array(4), new Float64Array(4), new Float64Array(4)];
    const [kf, kt, kk] = [new Float64Array(4), new Float64Array(4), new Float64Array(4)];
    const rows = this.#branch.rows;
    for (let k = 0; k < from.length; k++) {
      const [f, t, tap] = [from[k]!, to[k]!, tapRow[k]!];
      this.#branch.at(k, ALL);
      subset.block(f, f, ff);
      subset.block(t, t, tt);
      subset.block(f, t, ft);
      if (tap >= 0) {
        subset.block(tap, f, kf);
        subset.block(tap, t, kt);
        subset.block(tap, tap, kk);
        out[map.first[KIND.ratio]! + k] = kk[0]!;
        out[map.first[KIND.shift]! + k] = kk[3]!;
      }
      for (let r = 0; r < QUANTITIES; r++) {
        const at = r * WIDTH;
        const [a, b, c, d] = [rows[at + 1]!, rows[at + 2]!, rows[at + 3]!, rows[at + 4]!];
        let variance = quadratic(ff, a, b) + quadratic(tt, c, d) + 2 * bilinear(ft, a, b, c, d);
        if (tap >= 0) {
          const [e, g] = [rows[at + 5]!, rows[at + 6]!];
          variance += quadratic(kk, e, g) + 2 * (bilinear(kf, e, g, a, b) + bilinear(kt, e, g, c, d));
        }
        out[branchChannel(this.#map, k, r)] = Math.max(0, variance);
      }
    }
    return out;
  }

  /** Change of every channel per step along a direction: two numbers per row of the matrix, those of injections unused. */
  along(direction: Float64Array): Float64Array {
    const map = this.#map;
    const { vm, free } = this.#state;
    const { from, to, tapRow, admittance } = this.#layout;
    const out = new Float64Array(map.size);
    const rows = this.#branch.rows;
    for (let i = 0; i < vm.length; i++) {
      out[map.first[KIND.voltage]! + i] = direction[2 * i + 1]!;
      out[map.first[KIND.angle]! + i] = direction[2 * i]! * free[i]!;
    }
    for (let k = 0; k < from.length; k++) {
      const [f, t, tap] = [2 * from[k]!, 2 * to[k]!, 2 * tapRow[k]!];
      this.#branch.at(k, ALL);
      if (tap >= 0) {
        out[map.first[KIND.ratio]! + k] = direction[tap]!;
        out[map.first[KIND.shift]! + k] = direction[tap + 1]!;
      }
      for (let r = 0; r < QUANTITIES; r++) {
        const at = r * WIDTH;
        let change = rows[at + 1]! * direction[f]! + rows[at + 2]! * direction[f + 1]!;
        change += rows[at + 3]! * direction[t]! + rows[at + 4]! * direction[t + 1]!;
        if (tap >= 0) change += rows[at + 5]! * direction[tap]! + rows[at + 6]! * direction[tap + 1]!;
        out[branchChannel(this.#map, k, r)] = change;
      }
      // What flows into the branches, and below into the shunt, is what is injected.
      const end = 3 * WIDTH;
      for (const [bus, at] of [
        [from[k]!, 0],
        [to[k]!, end],
      ] as const) {
        for (const [kind, row] of [
          [KIND.pInjection, at],
          [KIND.qInjection, at + WIDTH],
        ] as const) {
          let change = rows[row + 1]! * direction[f]! + rows[row + 2]! * direction[f + 1]!;
          change += rows[row + 3]! * direction[t]! + rows[row + 4]! * direction[t + 1]!;
          if (tap >= 0) change += rows[row + 5]! * direction[tap]! + rows[row + 6]! * direction[tap + 1]!;
          const channel = map.first[kind]! + bus;
          out[channel] = out[channel]! + change;
        }
      }
    }
    const { gs, bs } = this.#state.case.buses;
    for (let i = 0; i < admittance.size; i++) {
      const [p, q] = [map.first[KIND.pInjection]! + i, map.first[KIND.qInjection]! + i];
      out[p] = out[p]! + 2 * vm[i]! * gs[i]! * direction[2 * i + 1]!;
      out[q] = out[q]! - 2 * vm[i]! * bs[i]! * direction[2 * i + 1]!;
    }
    return out;
  }

  /**
   * The largest derivative of every channel by a voltage at the present state; of currents that of the active power, since
   * a current that does not flow has none of its own.
   */
  scales(): Float64Array {
    const map = this.#map;
    const { yRe, yIm } = this.#state;
    const { from, admittance } = this.#layout;
    const out = new Float64Array(map.size).fill(1);
    const rows = this.#branch.rows;
    for (let k = 0; k < from.length; k++) {
      this.#branch.at(k, ALL);
      for (let r = 0; r < QUANTITIES; r++) {
        const at = (r % 3 === 2 ? r - 2 : r) * WIDTH;
        let most = 0;
        for (let c = 1; c <= 4; c++) most = Math.max(most, Math.abs(rows[at + c]!));
        out[branchChannel(this.#map, k, r)] = most;
      }
    }
    for (let i = 0; i < admittance.size; i++) {
      let most = 0;
      for (let at = admittance.start[i]!; at < admittance.start[i + 1]!; at++) {
        most = Math.max(most, Math.abs(yRe[at]!), Math.abs(yIm[at]!));
      }
      out[map.first[KIND.pInjection]! + i] = most;
      out[map.first[KIND.qInjection]! + i] = most;
    }
    return out;
  }

  /** The derivative row of a channel as a right-hand side: Hᵀ·e, or the unit vector of the injection's row. */
  rowOf(channel: number, out: Float64Array): void {
    const layout = this.#layout;
    const { kind, at, end } = this.#map.describe(channel);
    out.fill(0);
    switch (kind) {
      case 'voltage':
        out[2 * at + 1] = 1;
        return;
      case 'angle':
        out[2 * at] = this.#state.free[at]!;
        return;
      case 'pInjection':
      case 'qInjection':
        out[2 * layout.injectionRow[at]! + (kind === 'pInjection' ? 0 : 1)] = 1;
        return;
      case 'ratio':
      case 'shift':
        out[2 * layout.tapRow[at]! + (kind === 'ratio' ? 0 : 1)] = 1;
        return;
      case 'pFlow':
      case 'qFlow':
      case 'current': {
        this.#branch.at(at, ALL);
        const { rows } = this.#branch;
        const r = (KIND[kind] - KIND.pFlow + 3 * end) * WIDTH;
        const [f, t, tap] = [2 * layout.from[at]!, 2 * layout.to[at]!, 2 * layout.tapRow[at]!];
        out[f] = out[f]! + rows[r + 1]!;
        out[f + 1] = out[f + 1]! + rows[r + 2]!;
        out[t] = out[t]! + rows[r + 3]!;
        out[t + 1] = out[t + 1]! + rows[r + 4]!;
        if (tap >= 0) {
          out[tap] = rows[r + 5]!;
          out[tap + 1] = rows[r + 6]!;
        }
        return;
      }
      default:
        kind satisfies never;
    }
  }
}

const quadratic = (m: Float64Array, a: number, b: number): number => m[0]! * a * a + 2 * m[1]! * a * b + m[3]! * b * b;

/** (a, b)·M·(c, d)ᵀ */
const bilinear = (m: Float64Array, a: number, b: number, c: number, d: number): number =>
  a * (m[0]! * c + m[1]! * d) + b * (m[2]! * c + m[3]! * d);
