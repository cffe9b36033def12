/** Measurements as the field would give them of a power flow that is known: true values with Gaussian noise, by a seed. */

import type { CaseResult } from './case-solver.ts';
import type { CaseMeasurement } from './measurement-file.ts';

export interface SimulateOptions {
  readonly seed: number;
  /** Standard deviation of voltages, pu. Default 0.004. */
  readonly sigmaVoltage?: number;
  /** Of powers, pu. Default 0.01, but between 0.01 % and 2 % of the largest flow. */
  readonly sigmaPower?: number;
  /** Injections besides voltages and flows. Default true; where nothing is injected none is measured. */
  readonly injections?: boolean;
}

/** Voltage at every bus, powers at both ends of every branch, injections. Nothing where the power flow has no value. */
export function simulateMeasurements(result: CaseResult, options: SimulateOptions): CaseMeasurement[] {
  const noise = gaussian(options.seed);
  const { sigmaVoltage = 0.004, sigmaPower = usualDeviation(result) } = options;
  const list: CaseMeasurement[] = [];
  const add = (place: Omit<CaseMeasurement, 'value' | 'sigma'>, exact: number | null, sigma: number): void => {
    if (exact === null) return;
    list.push({ ...place, value: Number((exact + sigma * noise()).toPrecision(9)), sigma });
  };
  for (const { id, vm } of result.buses) add({ kind: 'voltage', bus: id }, vm, sigmaVoltage);
  const circuits = new Map<string, number>();
  for (const { from, to, inService, pFrom, qFrom, pTo, qTo } of result.branches) {
    const key = from < to ? `${from} ${to}` : `${to} ${from}`;
    const circuit = (circuits.get(key) ?? 0) + 1;
    circuits.set(key, circuit);
    if (!inService) continue;
    const which = circuit > 1 ? { circuit } : {};
    add({ kind: 'pFlow', from, to, ...which }, pFrom, sigmaPower);
    add({ kind: 'qFlow', from, to, ...which }, qFrom, sigmaPower);
    if (from === to) continue;
    add({ kind: 'pFlow', from: to, to: from, ...which }, pTo, sigmaPower);
    add({ kind: 'qFlow', from: to, to: from, ...which }, qTo, sigmaPower);
  }
  if (options.injections === false) return list;
  for (const { id, p, q } of result.buses) {
    if (p === null || q === null || (Math.abs(p) < 1e-6 && Math.abs(q) < 1e-6)) continue;
    add({ kind: 'pInjection', bus: id }, p, sigmaPower);
    add({ kind: 'qInjection', bus: id }, q, sigmaPower);
  }
  return list;
}

function usualDeviation({ branches }: CaseResult): number {
  let most = 0;
  for (const { pFrom, qFrom } of branches) most = Math.max(most, Math.hypot(pFrom ?? 0, qFrom ?? 0));
  return most > 0 ? Math.max(1e-4 * most, Math.min(0.01, 0.02 * most)) : 0.01;
}

/** Standard normal numbers (Box and Muller) from xorshift32. */
export function gaussian(seed: number): () => number {
  let state = (Math.imul(seed, 0x9e3779b1) ^ 0x2545f491) | 0 || 1;
  const uniform = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return ((state >>> 0) + 0.5) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}
