/** How a load answers to voltage (IEC 61970-301, LoadResponseCharacteristic). */
import type { Single } from './compiled-grid.ts';

type Consumer = Extract<Single, { class: 'EnergyConsumer' }>;

/** p·u^pExponent and q·u^qExponent, u = V/Vnominal. */
export interface ResponseTerm {
  readonly p: number;
  readonly q: number;
  readonly pExponent: number;
  readonly qExponent: number;
}

/** What a load draws, MW and Mvar, as a sum of terms: one with exponents, or constant power, current and impedance. */
export function responseTerms({ p, q, loadResponse: response }: Consumer): ResponseTerm[] {
  if (!response) return [{ p, q, pExponent: 0, qExponent: 0 }];
  if (response.exponentModel) {
    return [{ p, q, pExponent: response.pVoltageExponent ?? 0, qExponent: response.qVoltageExponent ?? 0 }];
  }
  // Without any share the load is what it is.
  const shares = (power = 0, current = 0, impedance = 0): readonly [number, number, number] =>
    power + current + impedance === 0 ? [1, 0, 0] : [power, current, impedance];
  const ofP = shares(response.pConstantPower, response.pConstantCurrent, response.pConstantImpedance);
  const ofQ = shares(response.qConstantPower, response.qConstantCurrent, response.qConstantImpedance);
  return ([0, 1, 2] as const)
    .map((exponent) => ({ p: p * ofP[exponent], q: q * ofQ[exponent], pExponent: exponent, qExponent: exponent }))
    .filter((term) => term.p !== 0 || term.q !== 0);
}
