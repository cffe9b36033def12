/** A state estimation in words: how good it is, what contradicts it, what is missing. */
import type { CaseEstimate, CaseMeasurementResult, NetworkEstimate } from '@enerchain/grid-state';
import type { GridModel, Mrid } from '@enerchain/model';

const MAX_PRINTED = 60;
const MAX_LISTED = 10;

export function caseEstimateText(name: string, result: CaseEstimate): string {
  const { buses, measurements, chiSquared } = result;
  const lines = [
    `${name}: ${buses.length} buses, ${measurements.length} measurements, nothing injected at ${result.zeroInjections} buses`,
    ...result.notes.map((note) => `note: ${note}`),
    result.converged
      ? `converged in ${result.iterations} iterations (${result.method})`
      : `NOT converged: ${result.failure}; furthest off: ${listed(result.worst.map((k) => described(measurements[k]!)))}`,
    `J ${result.j.toPrecision(5)} with ${result.degreesOfFreedom} degrees of freedom; χ² limit ${chiSquared.after.limit.toPrecision(5)}${
      chiSquared.before.passed
        ? ''
        : `, exceeded by ${chiSquared.before.objective.toPrecision(5)} before bad data was removed`
    }`,
    ...aboutObservability(result),
    ...result.badData.map((bad) => {
      const what =
        bad.measurement === undefined
          ? `the zero injection of ${bad.zeroInjection!.power.toUpperCase()} at bus ${bad.zeroInjection!.bus}; ${bad.error.toPrecision(4)} seems to be injected`
          : `${described(measurements[bad.measurement]!)} = ${measurements[bad.measurement]!.value}, off by ${bad.error.toPrecision(4)}`;
      const or =
        bad.alternatives.length === 0
          ? ''
          : `; or else ${listed(bad.alternatives.map((k) => described(measurements[k]!)))}`;
      return `bad data: ${what} (normalised residual ${bad.normalizedResidual.toFixed(1)})${or}`;
    }),
  ];
  const critical = measurements.filter((each) => each.critical);
  if (critical.length > 0) {
    lines.push(`critical, checked by no other measurement: ${listed(critical.map(described))}`);
  }
  if (buses.length <= MAX_PRINTED) {
    lines.push(
      '',
      `${'bus'.padStart(8)}${'V pu'.padStart(10)}${'± σ'.padStart(10)}${'V °'.padStart(10)}${'± σ'.padStart(10)}`,
      ...buses.map(
        ({ id, vm, va, sigmaVm, sigmaVa }) =>
          `${String(id).padStart(8)}${fixed(vm, 5)}${fixed(sigmaVm, 5)}${fixed(va, 3)}${fixed(sigmaVa, 3)}`,
      ),
    );
  }
  return `${lines.join('\n')}\n`;
}

function aboutObservability({ observable, missing, unobservable, restore }: CaseEstimate): string[] {
  if (observable) return ['every bus is observable'];
  return [
    `NOT observable: ${missing} measurements are missing; nothing is known of ${listed(
      unobservable.map(
        ({ bus, angle, magnitude }) => `bus ${bus}${angle && magnitude ? '' : angle ? ' (angle)' : ' (magnitude)'}`,
      ),
    )}`,
    `to be measured: ${listed(
      restore.map(({ kind, bus, to }) =>
        to === undefined ? `voltage at bus ${bus}` : `${kind} at bus ${bus} towards ${to}`,
      ),
    )}`,
  ];
}

const described = ({ kind, bus, from, to, circuit, name }: CaseMeasurementResult): string =>
  `${kind} ${bus === undefined ? `at ${from} towards ${to}${circuit === undefined ? '' : ` (${circuit})`}` : `at ${bus}`}${
    name === undefined ? '' : ` '${name}'`
  }`;

const listed = (list: readonly string[]): string =>
  `${list.slice(0, MAX_LISTED).join(', ')}${list.length > MAX_LISTED ? ` and ${list.length - MAX_LISTED} more` : ''}`;

const fixed = (value: number | null, digits: number): string =>
  // Without the minus of what is zero when rounded.
  (value === null ? '–' : value.toFixed(digits).replace(/^-(?=[0.]+$)/, '')).padStart(10);

/** The same of a grid of equipment. */
export function gridEstimateText(model: GridModel, estimate: NetworkEstimate): string {
  const names = new Map(
    [...model.connectivityNodes, ...model.equipment].map((each: { mRID: Mrid; name: string }) => [
      each.mRID,
      each.name,
    ]),
  );
  const name = (mRID: Mrid | undefined): string => names.get(mRID ?? '') ?? mRID ?? '?';
  const byPoint = new Map(estimate.measurements.map((each) => [each.point, each]));
  const described = (point: Mrid): string => {
    const { kind, equipment } = byPoint.get(point) ?? {};
    return `${kind ?? '?'} of ${name(equipment)} (${point})`;
  };
  const { islands, measurements, badData, unobservable, restore } = estimate;
  const lines = [
    `${model.name}: ${measurements.length} measurements, J ${estimate.j.toPrecision(5)} with ${estimate.degreesOfFreedom} degrees of freedom`,
    ...islands.map(({ index, estimated, observable, converged, failure, method, iterations, after }) => {
      const how = converged ? `${iterations} iterations (${method})` : `NOT converged: ${failure}`;
      const seen = observable ? 'observable' : 'NOT observable';
      const stands = estimated ? '' : '; the power flow stands in';
      return `island ${index}: ${seen}, ${how}, χ² limit ${after.limit.toPrecision(5)}${stands}`;
    }),
    ...badData.map(({ points, pseudo, zeroInjection, normalizedResidual, error, alternatives }) => {
      const what = zeroInjection
        ? `at ${name(zeroInjection.node)} nothing is connected, but ${error.toPrecision(4)} ${zeroInjection.power === 'p' ? 'MW' : 'Mvar'} seem to be injected`
        : `${[...points.map(described), ...pseudo.map((each) => `what is believed of ${name(each)}`)].join(' or ')}, off by ${error.toPrecision(4)}`;
      const or = alternatives.length === 0 ? '' : `; or else ${listed(alternatives.map(described))}`;
      return `bad data: ${what} (normalised residual ${normalizedResidual.toFixed(1)})${or}`;
    }),
  ];
  const critical = measurements.filter((each) => each.critical);
  if (critical.length > 0) {
    lines.push(`critical, checked by no other measurement: ${listed(critical.map(({ point }) => described(point)))}`);
  }
  const unused = measurements.filter((each) => each.unused !== undefined);
  if (unused.length > 0) {
    lines.push(`without part: ${listed(unused.map((each) => `${described(each.point)} ${each.unused}`))}`);
  }
  if (unobservable.length > 0) lines.push(`nothing is known of ${listed(unobservable.map(name))}`);
  if (restore.length > 0) {
    const at = restore.map(({ kind, node, equipment }) => `${kind} of ${name(node ?? equipment)}`);
    lines.push(`to be measured: ${listed(at)}`);
  }
  return `${lines.join('\n')}\n`;
}
