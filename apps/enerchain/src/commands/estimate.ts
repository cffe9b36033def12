/** `enerchain estimate`: the state of a grid from measurements, at a bus-branch grid that no running system knows. */
import { readFileSync, writeFileSync } from 'node:fs';
import { readMatpower } from '@enerchain/cim';
import {
  type CaseEstimate,
  CaseEstimator,
  type CaseGrid,
  type CaseMeasurement,
  type CaseMeasurementResult,
  CaseSolver,
  caseOfMatpower,
  readMeasurements,
  simulateMeasurements,
  writeMeasurements,
} from '@enerchain/grid-state';
import { describeError, EnerchainError } from '@enerchain/model';
import { wholeNumber } from '../options.ts';

export interface EstimateOptions {
  readonly measurements?: string;
  readonly simulate?: string;
  readonly save?: string;
  readonly zeroInjections?: boolean;
  readonly json?: boolean;
}

const MAX_PRINTED = 60;
const MAX_LISTED = 10;

/**
 * Ends with status 1 when there is no estimate, or it does not cover the grid.
 * @throws EnerchainError `cli.file`, `cli.option`, `measurements.format`, `measurements.unknown`; CimError `matpower.…`
 */
export function estimate(file: string, options: EstimateOptions): void {
  const grid = caseOfMatpower(readMatpower(read(file)));
  const measurements = measurementsFor(grid, options);
  const result = new CaseEstimator(grid).estimate(measurements, { zeroInjections: options.zeroInjections ?? true });
  process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : asText(grid.name, result));
  if (!result.converged || !result.observable) process.exitCode = 1;
}

function measurementsFor(grid: CaseGrid, options: EstimateOptions): CaseMeasurement[] {
  const { measurements, simulate, save } = options;
  if ((measurements === undefined) === (simulate === undefined)) {
    throw new EnerchainError(
      'caller',
      'cli.option',
      'say where the measurements are (--measurements <file>), or that they are to be made up (--simulate <seed>)',
    );
  }
  if (measurements !== undefined) return readMeasurements(read(measurements), measurements);
  const solved = new CaseSolver(grid).solve();
  if (!solved.converged) {
    const say = 'the power flow has no solution, so there is nothing to measure; see enerchain powerflow';
    throw new EnerchainError('caller', 'estimate.simulate', say);
  }
  const list = simulateMeasurements(solved, { seed: wholeNumber(simulate!, '--simulate', 0, 2 ** 31 - 1) });
  if (save !== undefined) {
    try {
      writeFileSync(save, writeMeasurements(list, save.endsWith('.csv') ? 'csv' : 'json'));
    } catch (cause) {
      throw new EnerchainError('caller', 'cli.file', `${save} cannot be written: ${describeError(cause)}`, { cause });
    }
  }
  return list;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new EnerchainError('caller', 'cli.file', `${file} cannot be read: ${describeError(cause)}`, { cause });
  }
}

function asText(name: string, result: CaseEstimate): string {
  const { buses, measurements, chiSquared } = result;
  const lines = [
    `${name}: ${buses.length} buses, ${measurements.length} measurements, nothing injected at ${result.zeroInjections} buses`,
    ...result.notes.map((note) => `note: ${note}`),
    result.converged
      ? `converged in ${result.iterations} iterations (${result.method})`
      : `NOT converged: ${result.failure}`,
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
