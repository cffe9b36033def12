/** An estimate as HTTP and the command line give it: what is measured beside what is estimated, and what contradicts it. */
import type { NetworkEstimate, TerminalMeasurement } from '../network-estimation/network-estimate.ts';

/** An estimate and what it did not take. */
export interface EstimateState {
  readonly estimate: NetworkEstimate;
  /** Left out before the estimation, because no instrument in order shows such a value. */
  readonly implausible: readonly TerminalMeasurement[];
}

export function estimateJson({ estimate, implausible }: EstimateState) {
  const { result } = estimate;
  const nodes: string[][] = result.buses.map(() => []);
  for (const [node, bus] of result.busOfNode) nodes[bus]?.push(node);
  const shown = ({ value, ...rest }: TerminalMeasurement) => ({ ...rest, measured: value });
  return {
    observable: estimate.observable,
    estimated: estimate.estimated,
    unobservable: estimate.unobservable,
    restore: estimate.restore,
    j: estimate.j,
    degreesOfFreedom: estimate.degreesOfFreedom,
    islands: estimate.islands.map(({ before, after, ...island }) => ({
      ...island,
      chiSquaredLimit: Number.isFinite(after.limit) ? after.limit : null,
      passed: before.passed,
    })),
    badData: estimate.badData,
    measurements: [
      ...estimate.measurements.map(shown),
      ...implausible.map((measurement) => ({
        ...shown(measurement),
        estimated: null,
        residual: null,
        normalizedResidual: null,
        critical: false,
        suspect: true,
        unused: 'implausible',
      })),
    ],
    buses: result.buses.map(({ index, voltage, angle }) => ({
      nodes: nodes[index],
      voltage,
      angle,
      sigmaVoltage: estimate.buses[index]?.sigmaVoltage ?? null,
      sigmaAngle: estimate.buses[index]?.sigmaAngle ?? null,
    })),
  };
}
