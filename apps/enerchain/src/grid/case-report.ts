/** The power flow of a case file as a person reads it: everything of a small grid, what stands out of a large one. */
import type { CaseIslandResult, CaseResult } from '@enerchain/grid-state';

/** Grids up to this size are printed bus by bus; of larger ones what stands out. */
const MAX_PRINTED = 60;
const STANDING_OUT = 5;
const MAX_LISTED = 10;

export function caseText(name: string, result: CaseResult): string {
  const { buses, branches, baseMVA, islands, notes } = result;
  const lines = [
    `${name}: ${buses.length} buses, ${branches.length} branches, 1 pu of power is ${baseMVA} MVA`,
    ...notes.map((note) => `note: ${note}`),
    result.converged
      ? `converged in ${result.iterations} iterations, largest mismatch ${result.maxMismatch.toExponential(1)} pu`
      : 'NOT converged',
    ...islands.flatMap((island) => aboutIsland(island, islands.length > 1)),
  ];
  const dead = islands.filter(({ references }) => references.length === 0);
  if (dead.length > 0) {
    const count = dead.reduce((sum, island) => sum + island.buses, 0);
    lines.push(`without voltage, no generator holds it there: ${count} buses in ${dead.length} islands`);
  }
  return `${[...lines, ...aboutValues(result)].join('\n')}\n`;
}

function aboutIsland(island: CaseIslandResult, several: boolean): string[] {
  if (island.references.length === 0) return [];
  const lines: string[] = [];
  const at = `island of ${island.buses} buses around bus ${island.references.join(', ')}`;
  if (several) lines.push(`${at}: ${island.converged ? `${island.iterations} iterations` : 'NOT converged'}`);
  if (island.start === 'flat' && island.converged)
    lines.push('  from a flat start: the voltages in the file led nowhere');
  if (island.failure) lines.push(`  ${island.failure.message} (bus ${island.failure.bus})`);
  for (const { bus, p, q } of island.largestMismatches) {
    lines.push(`  at bus ${bus} there is a mismatch of P ${p.toPrecision(4)}, Q ${q.toPrecision(4)} pu`);
  }
  const { atLimit } = island;
  if (atLimit.length > 0) {
    const more = atLimit.length > MAX_LISTED ? ` and ${atLimit.length - MAX_LISTED} more` : '';
    lines.push(`  generators at a reactive limit at bus ${atLimit.slice(0, MAX_LISTED).join(', ')}${more}`);
  }
  return lines;
}

function aboutValues({ buses, branches }: CaseResult): string[] {
  const solved = buses.filter(({ vm }) => vm !== null);
  if (solved.length === 0) return [];
  const all = buses.length <= MAX_PRINTED && branches.length <= 2 * MAX_PRINTED;
  const byVoltage = solved.toSorted((a, b) => a.vm! - b.vm!);
  const shownBuses = all
    ? buses
    : [
        ...byVoltage.slice(0, STANDING_OUT),
        ...byVoltage.slice(Math.max(STANDING_OUT, byVoltage.length - STANDING_OUT)),
      ];
  const loaded = branches.filter(({ loading }) => loading !== null);
  const shownBranches = all ? branches : loaded.toSorted((a, b) => b.loading! - a.loading!).slice(0, STANDING_OUT);
  const losses = branches.reduce((sum, { pFrom, pTo }) => sum + (pFrom ?? 0) + (pTo ?? 0), 0);
  return [
    `losses in branches ${fixed(losses, 4).trim()} pu`,
    '',
    ...(all ? [] : ['lowest and highest voltages (--json has all)']),
    `${'bus'.padStart(8)}${'V pu'.padStart(10)}${'V °'.padStart(10)}${'P pu'.padStart(11)}${'Q pu'.padStart(11)}`,
    ...shownBuses.map(
      ({ id, vm, va, p, q }) =>
        `${String(id).padStart(8)}${fixed(vm, 5, 10)}${fixed(va, 3, 10)}${fixed(p, 4)}${fixed(q, 4)}`,
    ),
    '',
    ...(shownBranches.length === 0
      ? ['no branch has a rating']
      : [
          ...(all ? [] : ['branches loaded most']),
          `${'from'.padStart(8)}${'to'.padStart(8)}${'P pu'.padStart(11)}${'Q pu'.padStart(11)}${'loading %'.padStart(11)}`,
          ...shownBranches.map(
            ({ from, to, inService, pFrom, qFrom, loading }) =>
              `${String(from).padStart(8)}${String(to).padStart(8)}${
                inService ? `${fixed(pFrom, 4)}${fixed(qFrom, 4)}${fixed(loading, 1)}` : '  out of service'
              }`,
          ),
        ]),
  ];
}

const fixed = (value: number | null, digits: number, width = 11): string =>
  // Without the minus of what is zero when rounded.
  (value === null ? '–' : value.toFixed(digits).replace(/^-(?=[0.]+$)/, '')).padStart(width);
