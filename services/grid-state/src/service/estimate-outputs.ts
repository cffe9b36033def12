/** What the estimation says of itself and of the measurements, as points of the service beside those of the solution. */
import type { Point } from '@enerchain/model';
import type { NetworkEstimate } from '../network-estimation/network-estimate.ts';
import { type Output, pointOf } from './outputs.ts';

type EstimateOutput = Omit<Output, 'read'> & { read(estimate: NetworkEstimate): number | null };

/** Of the estimate as a whole. */
export function estimateOutputs(): EstimateOutput[] {
  const whole = (
    address: string,
    name: string,
    resolution: number,
    columns: Partial<Point>,
    read: EstimateOutput['read'],
  ): EstimateOutput => ({
    point: { mRID: pointOf(address), name, kind: 'analog', cdc: 'MV', staleAfter: 180, unitSymbol: 'none', ...columns },
    address,
    resolution,
    read,
  });
  const count = { kind: 'discrete', cdc: 'INS', normalValue: 0 } as const;
  const yes = { kind: 'discrete', cdc: 'INS', valueAliases: { '0': 'no', '1': 'yes' }, normalValue: 1 } as const;
  return [
    whole('estimate observable', 'Grid observable', 0.5, yes, ({ observable }) => (observable ? 1 : 0)),
    whole('estimate used', 'State estimated', 0.5, yes, ({ estimated }) => (estimated ? 1 : 0)),
    whole('estimate bad data', 'Bad measurements', 0.5, count, ({ badData }) => badData.length),
    whole('estimate unobservable', 'Nodes not observable', 0.5, count, ({ unobservable }) => unobservable.length),
    whole(
      'estimate objective',
      'Weighted residuals per degree of freedom',
      0.02,
      { description: 'About 1 when the instruments are as good as assumed, less when they are better.' },
      ({ j, degreesOfFreedom }) => (degreesOfFreedom > 0 ? j / degreesOfFreedom : null),
    ),
  ];
}

/** What each measurement is off by: measured less estimated, in its own unit. */
export function residualOutputs(points: readonly Point[]): EstimateOutput[] {
  return points.map((point) => {
    const address = `point=${point.mRID} residual`;
    const { unitSymbol, equipment, terminal } = point;
    const voltage = point.measurementType === 'LineToLineVoltage' || point.measurementType === 'PhaseVoltage';
    const mega = point.measurementType?.startsWith('ThreePhase') ?? false;
    return {
      point: {
        mRID: pointOf(address),
        name: `${point.name} residual`.slice(0, 200),
        description: 'measured less estimated',
        kind: 'analog',
        cdc: 'MV',
        measurementType: 'EstimationResidual',
        staleAfter: 180,
        ...(unitSymbol === undefined ? {} : { unitSymbol }),
        ...(mega ? { unitMultiplier: 'M' as const } : voltage ? { unitMultiplier: 'k' as const } : {}),
        ...(equipment === undefined ? {} : { equipment }),
        ...(terminal === undefined ? {} : { terminal }),
      },
      address,
      resolution: mega ? 0.01 : voltage ? 0.01 : 0.5,
      read: (estimate) => residualOf(estimate, point.mRID),
    };
  });
}

const residuals = new WeakMap<NetworkEstimate, ReadonlyMap<string, number | null>>();

function residualOf(estimate: NetworkEstimate, point: string): number | null {
  let known = residuals.get(estimate);
  if (!known) {
    known = new Map(estimate.measurements.map((each) => [each.point, each.residual]));
    residuals.set(estimate, known);
  }
  return known.get(point) ?? null;
}

/** As outputs of the solution: each looks the estimate up. */
export const asOutputs = (list: readonly EstimateOutput[], latest: () => NetworkEstimate | undefined): Output[] =>
  list.map((output) => ({
    ...output,
    read: () => {
      const estimate = latest();
      return estimate ? output.read(estimate) : null;
    },
  }));
