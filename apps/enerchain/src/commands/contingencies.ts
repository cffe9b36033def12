/** `enerchain contingencies`: what each single outage would do to the grid of a case file. */
import { readFileSync } from 'node:fs';
import {
  type CaseContingencyOptions,
  type CaseContingencyResult,
  caseContingencies,
  type OutageGroup,
  type OutageReport,
  outageGroups,
} from '@enerchain/grid-state';
import { describeError, EnerchainError } from '@enerchain/model';
import { openGridCase } from '../grid/open-case.ts';
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
  if (open.kind === 'grid') {
    const say = `${files.join(', ')}: so far the outages of case files (MATPOWER) only are calculated`;
    throw new EnerchainError('unsupported', 'contingencies.format', say);
  }
  const { grid } = open;
  const chosen: CaseContingencyOptions = {
    allAc: options.allAc ?? false,
    reactiveLimits: options.qLimits ?? false,
    distributedSlack: options.distributedSlack ?? false,
    ...(options.outages === undefined ? {} : { kinds: kindsOf(options.outages) }),
    ...(options.groups === undefined ? {} : { groups: readGroups(options.groups) }),
    ...(options.workers === undefined ? {} : { workers: wholeNumber(options.workers, '--workers', 0, 16) }),
  };
  const result = await caseContingencies(grid, chosen);
  const { base: _, ...rest } = result;
  const shown = {
    name: grid.name,
    ...rest,
    violated: result.violations.length,
    violations: result.violations.slice(0, limit),
    losingLoad: result.loadLost.length,
    loadLost: result.loadLost.slice(0, limit),
    loadings: result.loadings.slice(0, limit),
  };
  process.stdout.write(options.json ? `${JSON.stringify(shown)}\n` : asText(grid.name, result, limit));
  if (result.violations.length > 0) process.exitCode = 1;
}

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

function asText(name: string, result: CaseContingencyResult, limit: number): string {
  const { outages, screened, solved, violations, loadLost, loadings, base } = result;
  const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
  const unsolved = violations.filter(({ converged }) => !converged).length;
  const lines = [
    `${name}: ${count(outages, 'outage')} of ${count(base.buses.length, 'bus').replace('buss', 'buses')} and ${count(base.branches.length, 'branch').replace('branchs', 'branches')}`,
    ...result.notes.map((note) => `note: ${note}`),
    `${screened} cleared by an estimate, ${solved} by a power flow`,
    violations.length === 0
      ? 'no outage breaks a limit'
      : `${count(violations.length, 'outage')} would break limits${unsolved > 0 ? `, ${unsolved} of them without any solution` : ''}`,
  ];
  if (violations.length > 0) {
    lines.push('', row('severity', 'outage', 'what happens', '', '', ''), ...violations.slice(0, limit).flatMap(rows));
    if (violations.length > limit) lines.push(`and ${violations.length - limit} more (--limit)`);
  }
  if (loadLost.length > 0) {
    lines.push(
      '',
      `${count(loadLost.length, 'outage')} would leave load without voltage and break no limit, the most first`,
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
function rows({ outage, severity, converged, failure, islanded, limits, more }: OutageReport): string[] {
  const lost = islanded ? `, ${megawatts(islanded.loadLostMW)} without voltage` : '';
  const head = severity === null ? 'none' : severity.toFixed(1);
  if (!converged) return [row('no solution', outage.name, failure ?? '', '', '', '')];
  const shown = limits.slice(0, LIMITS_SHOWN).map(({ kind, name, value, limit, loading, before }, i) => {
    const pu = kind !== 'overload';
    const number = (x: number): string => (pu ? x.toFixed(4) : x.toFixed(1));
    const what = pu ? (kind === 'voltageHigh' ? 'voltage high' : 'voltage low') : `loaded ${loading!.toFixed(1)} %`;
    return row(
      i === 0 ? head : '',
      i === 0 ? `${outage.name}${lost}` : '',
      `${name} ${what}`,
      number(value),
      number(limit),
      `${number(before)}${pu ? ' pu' : ' MVA'}`,
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
