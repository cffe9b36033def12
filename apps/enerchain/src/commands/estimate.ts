/** `enerchain estimate`: the state of a grid in files from measurements, which no running system knows. */
import { readFileSync, writeFileSync } from 'node:fs';
import {
  buildNetwork,
  CaseEstimator,
  type CaseMeasurement,
  CaseSolver,
  estimateJson,
  estimateNetwork,
  readMeasurements,
  readTerminalMeasurements,
  simulateMeasurements,
  simulateTerminals,
  solvePowerFlow,
  type TerminalMeasurement,
  writeMeasurements,
} from '@enerchain/grid-state';
import { describeError, EnerchainError } from '@enerchain/model';
import { caseEstimateText, gridEstimateText } from '../grid/estimate-report.ts';
import { gridReport } from '../grid/grid-report.ts';
import { type OpenCase, type OpenGrid, openGridCase } from '../grid/open-case.ts';
import { wholeNumber } from '../options.ts';

export interface EstimateOptions {
  readonly measurements?: string;
  readonly simulate?: string;
  readonly save?: string;
  readonly zeroInjections?: boolean;
  readonly hypothesis?: boolean;
  readonly json?: boolean;
}

/**
 * Ends with status 1 when there is no estimate, or it does not cover the grid.
 * @throws EnerchainError `cli.option`, `measurements.format`, `measurements.unknown`, `estimate.simulate`, and what
 *   `openGridCase` throws
 */
export async function estimate(files: readonly string[], options: EstimateOptions): Promise<void> {
  if ((options.measurements === undefined) === (options.simulate === undefined)) {
    throw new EnerchainError(
      'caller',
      'cli.option',
      'say where the measurements are (--measurements <file>), or that they are to be made up (--simulate <seed>)',
    );
  }
  const open = await openGridCase(files, { solved: !options.hypothesis });
  const complete = open.kind === 'case' ? estimateCase(open, options) : estimateGrid(open, options);
  if (!complete) process.exitCode = 1;
}

function estimateCase({ grid }: OpenCase, options: EstimateOptions): boolean {
  const made = (seed: number): CaseMeasurement[] => {
    const solved = new CaseSolver(grid).solve();
    return solved.converged ? simulateMeasurements(solved, { seed }) : nothingToMeasure();
  };
  const measurements = given(options, readMeasurements) ?? saved(made(seedOf(options)), options);
  const result = new CaseEstimator(grid).estimate(measurements, { zeroInjections: options.zeroInjections ?? true });
  process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : caseEstimateText(grid.name, result));
  return result.converged && result.observable;
}

function estimateGrid(open: OpenGrid, options: EstimateOptions): boolean {
  const network = buildNetwork(open.model, open.state);
  const made = (seed: number): TerminalMeasurement[] => {
    const solved = solvePowerFlow(network);
    return solved.converged ? simulateTerminals(network, solved, { seed }) : nothingToMeasure();
  };
  const measurements = given(options, readTerminalMeasurements) ?? saved(made(seedOf(options)), options);
  const result = estimateNetwork(network, { measurements, pseudo: new Map(), injections: {} });
  const report = {
    ...gridReport(open, result.result),
    estimate: estimateJson({ estimate: result, implausible: [] }),
  };
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : gridEstimateText(open.model, result));
  return result.estimated;
}

function given<T>({ measurements }: EstimateOptions, parse: (text: string, name: string) => T[]): T[] | undefined {
  if (measurements === undefined) return undefined;
  try {
    return parse(readFileSync(measurements, 'utf8'), measurements);
  } catch (cause) {
    if (cause instanceof EnerchainError) throw cause;
    const say = `${measurements} cannot be read: ${describeError(cause)}`;
    throw new EnerchainError('caller', 'cli.file', say, { cause });
  }
}

const seedOf = ({ simulate }: EstimateOptions): number => wholeNumber(simulate!, '--simulate', 0, 2 ** 31 - 1);

function nothingToMeasure(): never {
  const say = 'the power flow has no solution, so there is nothing to measure; see enerchain powerflow';
  throw new EnerchainError('caller', 'estimate.simulate', say);
}

function saved<T extends CaseMeasurement | TerminalMeasurement>(list: T[], { save }: EstimateOptions): T[] {
  if (save === undefined) return list;
  try {
    writeFileSync(save, writeMeasurements(list, save.endsWith('.csv') ? 'csv' : 'json'));
  } catch (cause) {
    throw new EnerchainError('caller', 'cli.file', `${save} cannot be written: ${describeError(cause)}`, { cause });
  }
  return list;
}
