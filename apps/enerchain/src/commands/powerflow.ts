/** `enerchain powerflow`: the power flow of a grid in files, which no running system knows. */
import { buildNetwork, CaseSolver, solvePowerFlow } from '@enerchain/grid-state';
import { EnerchainError } from '@enerchain/model';
import { caseText } from '../grid/case-report.ts';
import { gridReport, gridText, startOf } from '../grid/grid-report.ts';
import { type OpenCase, type OpenGrid, openGridCase } from '../grid/open-case.ts';

export interface PowerflowOptions {
  readonly qLimits?: boolean;
  readonly taps?: boolean;
  readonly hypothesis?: boolean;
  readonly frequency?: string;
  readonly json?: boolean;
}

/**
 * Ends with status 1 when there is no solution.
 * @throws EnerchainError `cli.option`, and what `openGridCase` throws
 */
export async function powerflow(files: readonly string[], options: PowerflowOptions): Promise<void> {
  const frequency = Number(options.frequency ?? 50);
  if (!(frequency > 0 && frequency < 1_000)) {
    throw new EnerchainError('caller', 'cli.option', `--frequency is a number of Hz, not ${options.frequency}`);
  }
  const open = await openGridCase(files, { frequency, solved: !options.hypothesis });
  const converged = open.kind === 'case' ? solveCase(open, options) : solveGrid(open, options);
  if (!converged) process.exitCode = 1;
}

function solveCase({ format, grid }: OpenCase, options: PowerflowOptions): boolean {
  const solved = new CaseSolver(grid).solve({
    reactiveLimits: options.qLimits ?? false,
    stepControls: options.taps ?? false,
    // Those files have no voltages to start from.
    firstStart: format === 'power-grid-model' ? 'linear' : 'given',
  });
  const buses = solved.buses.filter(({ id }) => !grid.internal?.has(id));
  const result = { ...solved, buses: buses.map((bus) => ({ ...bus, va: upright(bus.va) })) };
  process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : caseText(grid.name, result));
  return result.converged;
}

function solveGrid(open: OpenGrid, options: PowerflowOptions): boolean {
  const network = buildNetwork(open.model, open.state);
  const how = { reactiveLimits: options.qLimits ?? false, stepControls: options.taps ?? false };
  const flat = solvePowerFlow(network, {}, how);
  // Where nothing else leads anywhere, from where the solved state in the files is.
  const start = flat.converged ? undefined : startOf(open, flat);
  const result = start ? solvePowerFlow(network, {}, { ...how, start }) : flat;
  const report = gridReport(open, result);
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : gridText(report));
  return report.converged;
}

/** Degrees within ±180: many transformers on the way turn further. */
const upright = (angle: number | null): number | null =>
  angle === null || Math.abs(angle) <= 180 ? angle : angle - 360 * Math.round(angle / 360);
