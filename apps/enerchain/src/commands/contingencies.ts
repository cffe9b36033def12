/** `enerchain contingencies`: what each single outage would do to a grid in files. */
import { readFileSync } from 'node:fs';
import {
  buildNetwork,
  type CaseContingencyOptions,
  type ContingencyReport,
  caseContingencies,
  type NetworkContingencyOptions,
  networkContingencies,
  type OutageGroup,
  outageGroups,
} from '@enerchain/grid-state';
import { describeError, EnerchainError } from '@enerchain/model';
import { type OpenCase, type OpenGrid, openGridCase } from '../grid/open-case.ts';
import { wholeNumber } from '../options.ts';

export interface ContingenciesOptions {
  readonly allAc?: boolean;
  readonly qLimits?: boolean;
  readonly distributedSlack?: boolean;
  readonly outages?: string;
  readonly groups?: string;
  readonly limit: string;
  readonly workers?: string;
  readonly json?: boolean;
}

const KINDS = { branches: 'branch', generators: 'generator', buses: 'bus' } as const;
/** Limits printed per outage, and outages and branches per table. */
const LIMITS_SHOWN = 3;
const LOST_SHOWN = 10;
const LOADED_SHOWN = 10;

/**
 * Ends with status 1 when an outage breaks a limit or has no solution.
 * @throws EnerchainError `cli.file`, `cli.option`, `contingencies.base`, `contingencies.group`, and what the case itself brings
 */
export async function contingencies(files: readonly string[], options: ContingenciesOptions): Promise<void> {
  const limit = wholeNumber(options.limit, '--limit', 1, 1_000_000);
  const open = await openGridCase(files);
  const kinds = options.outages === undefined ? {} : { kinds: kindsOf(options.outages) };
  const workers = options.workers === undefined ? {} : { workers: wholeNumber(options.workers, '--workers', 0, 16) };
  const groups = options.groups === undefined ? [] : readGroups(options.groups);
  const common = { allAc: options.allAc ?? false, reactiveLimits: options.qLimits ?? false, ...kinds, ...workers };
  const result =
    open.kind === 'case'
      ? await caseReport(open.grid, { ...common, distributedSlack: options.distributedSlack ?? false, groups })
      : await gridReport(open, { ...common, reactiveLimits: true, groups });
  const { violations, loadLost, loadings, units: _, size: __, ...rest } = result;
  const shown = {
    ...rest,
    violated: violations.length,
    violations: violations.slice(0, limit),
    losingLoad: loadLost.length,
    loadLost: loadLost.slice(0, limit),
    loadings: loadings.slice(0, limit),
  };
  process.stdout.write(options.json ? `${JSON.stringify(shown)}\n` : asText(result, limit));
  if (violations.length > 0) process.exitCode = 1;
}

/** What both kinds of grid come to. */
interface Report extends ContingencyReport<{ readonly name: string }> {
  readonly name: string;
  /** What of: so many buses and so many branches. */
  readonly size: string;
  readonly units: { readonly flow: string; readonly voltage: string };
  readonly notes: readonly string[];
}
type Outage = Report['violations'][number];

async function caseReport(grid: OpenCase['grid'], options: CaseContingencyOptions): Promise<Report> {
  const { base, ...result } = await caseContingencies(grid, options);
  const size = `${count(base.buses.length, 'bus', 'buses')} and ${count(base.branches.length, 'branch', 'branches')}`;
  return { name: grid.name, ...result, size, units: { flow: 'MVA', voltage: 'pu' } };
}

async function gridReport(
  open: OpenGrid,
  { groups, ...options }: Omit<NetworkContingencyOptions, 'groups'> & { readonly groups: readonly OutageGroup[] },
): Promise<Report> {
  const { model, state, name } = open;
  const named = groups.map((group) => ({ name: group.name, equipment: group.equipment ?? [] }));
  const network = buildNetwork(model, state);
  const { unsolved, ...result } = await networkContingencies(network, {}, { ...options, groups: named });
  if (unsolved > 0) {
    const say = `${name} has no solution before any outage in ${count(unsolved, 'island', 'islands')}; see enerchain powerflow`;
    throw new EnerchainError('peer', 'contingencies.base', say);
  }
  const { busCount, grid } = network.topology;
  const size = `${count(busCount, 'bus', 'buses')} and ${count(grid.branches.length, 'branch', 'branches')}`;
  return { name, ...result, size, units: { flow: 'A', voltage: 'kV' } };
}

const count = (n: number, one: string, several: string): string => `${n} ${n === 1 ? one : several}`;

function kindsOf(text: string): (typeof KINDS)[keyof typeof KINDS][] {
  return text.split(',').map((word) => {
    if (word in KINDS) return KINDS[word as keyof typeof KINDS];
    const say = `--outages is a list of ${Object.keys(KINDS).join(', ')}, without blanks; '${word}' is none of them`;
    throw new EnerchainError('caller', 'cli.option', say);
  });
}

function readGroups(file: string): OutageGroup[] {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new EnerchainError('caller', 'cli.file', `${file} cannot be read: ${describeError(cause)}`, { cause });
  }
  return outageGroups.parse(content, file);
}

function asText(result: Report, limit: number): string {
  const { name, outages, screened, solved, violations, loadLost, loadings, notes, size, units } = result;
  const unsolved = violations.filter(({ converged }) => !converged).length;
  const lines = [
    `${name}: ${count(outages, 'outage', 'outages')} of ${size}`,
    ...notes.map((note) => `note: ${note}`),
    `${screened} cleared by an estimate, ${solved} by a power flow`,
    violations.length === 0
      ? 'no outage breaks a limit'
      : `${count(violations.length, 'outage', 'outages')} would break limits${unsolved > 0 ? `, ${unsolved} of them without any solution` : ''}`,
  ];
  if (violations.length > 0) {
    lines.push(
      '',
      row('severity', 'outage', 'what happens', '', '', ''),
      ...violations.slice(0, limit).flatMap((outage) => rows(outage, units)),
    );
    if (violations.length > limit) lines.push(`and ${violations.length - limit} more (--limit)`);
  }
  if (loadLost.length > 0) {
    lines.push(
      '',
      `${count(loadLost.length, 'outage', 'outages')} would leave load without voltage and break no limit, the most first`,
    );
    for (const { outage, islanded } of loadLost.slice(0, Math.min(limit, LOST_SHOWN))) {
      lines.push(`  ${outage.name.padEnd(36)}${megawatts(islanded!.loadLostMW)} at ${islanded!.buses} buses`);
    }
  }
  if (loadings.length > 0) {
    lines.push('', 'branches by their worst loading after an outage', '  before %   worst %  branch');
    for (const { name: branch, before, worst, outage } of loadings.slice(0, Math.min(limit, LOADED_SHOWN))) {
      const after = outage === null ? '' : `after ${outage.name}`;
      lines.push(`${before.toFixed(1).padStart(10)}${worst.toFixed(1).padStart(10)}  ${branch.padEnd(30)}${after}`);
    }
  } else lines.push('', 'no branch has a rating');
  return `${lines.join('\n')}\n`;
}

/** The lines of one outage: itself with its worst limit, then its next ones. */
function rows(
  { outage, severity, converged, failure, islanded, limits, more }: Outage,
  units: Report['units'],
): string[] {
  const lost = islanded ? `, ${megawatts(islanded.loadLostMW)} without voltage` : '';
  const head = severity === null ? 'none' : severity.toFixed(1);
  if (!converged) return [row('no solution', outage.name, failure ?? '', '', '', '')];
  const shown = limits.slice(0, LIMITS_SHOWN).map(({ kind, name, value, limit, loading, before }, i) => {
    const unit = kind === 'overload' ? units.flow : units.voltage;
    const number = (x: number): string => x.toFixed(unit === 'pu' ? 4 : unit === 'kV' ? 2 : 1);
    const what =
      kind !== 'overload'
        ? kind === 'voltageHigh'
          ? 'voltage high'
          : 'voltage low'
        : `loaded ${loading!.toFixed(1)} %`;
    return row(
      i === 0 ? head : '',
      i === 0 ? `${outage.name}${lost}` : '',
      `${name} ${what}`,
      number(value),
      number(limit),
      `${number(before)} ${unit}`,
    );
  });
  const rest = limits.length - shown.length + more;
  return [...shown, ...(rest > 0 ? [row('', '', `and ${rest} more limits`, '', '', '')] : [])];
}

const row = (severity: string, outage: string, what: string, value: string, limit: string, before: string): string =>
  `${severity.padStart(11)}  ${outage.padEnd(34)}  ${
    value === '' ? what : `${what.padEnd(42)}${value} of ${limit}, was ${before}`
  }`.trimEnd();

const megawatts = (value: number): string => `${value.toFixed(1)} MW`;
