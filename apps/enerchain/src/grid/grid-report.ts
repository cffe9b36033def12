/** The power flow of a grid under the names that its files have for buses and equipment. */
import type { BusResult, ControlAction, PowerFlowResult, StartVoltages } from '@enerchain/grid-state';
import type { ConductingEquipment, Mrid } from '@enerchain/model';
import type { OpenGrid } from './open-case.ts';

/** What 1 pu of power is in a report, MVA. */
const BASE_MVA = 100;

export interface ReportBus {
  /** TopologicalNode of the files; without those the mRID of a connectivity node of the bus. */
  readonly id: string;
  readonly name: string;
  /** kV. */
  readonly nominalVoltage: number;
  /** pu of the nominal voltage and degrees; null without voltage or solution. */
  readonly vm: number | null;
  readonly va: number | null;
}

export interface ReportBranch {
  readonly id: Mrid;
  readonly name: string;
  readonly class: ConductingEquipment['class'];
  /** Bus at each terminal, and pu from there into the branch; null without solution. */
  readonly ends: readonly { readonly bus: string; readonly p: number | null; readonly q: number | null }[];
  /** %; null without a rating or solution. */
  readonly loading: number | null;
}

export interface GridReport {
  readonly name: string;
  readonly converged: boolean;
  readonly iterations: number;
  /** pu. */
  readonly maxMismatch: number;
  readonly baseMVA: number;
  readonly islands: readonly {
    readonly buses: number;
    readonly energised: boolean;
    readonly converged: boolean;
    readonly failure?: string;
    readonly largestMismatches: readonly { readonly bus: string; readonly p: number; readonly q: number }[];
  }[];
  readonly buses: readonly ReportBus[];
  readonly branches: readonly ReportBranch[];
  /** Machines at a reactive limit, taps and sections that moved. */
  readonly actions: readonly ControlAction[];
  readonly notes: readonly string[];
}

export function gridReport(open: OpenGrid, result: PowerFlowResult): GridReport {
  const { model } = open;
  const levels = new Map(model.voltageLevels.map((level) => [level.mRID, level.nominalVoltage]));
  const nominalOf = new Map(model.connectivityNodes.map((node) => [node.mRID, levels.get(node.voltageLevel) ?? 0]));
  const stateOf = (node: Mrid): BusResult | undefined => {
    const index = result.busOfNode.get(node);
    return index === undefined ? undefined : result.buses[index];
  };
  const idOfNode = new Map<Mrid, string>();
  const idOfBus = new Map<number, string>();
  const buses: ReportBus[] = [];
  const turned = turnsOf(open, result);
  const report = (id: string, name: string, nodes: readonly Mrid[]): void => {
    const [first] = nodes;
    const state = first === undefined ? undefined : stateOf(first);
    const nominalVoltage = first === undefined ? 0 : (nominalOf.get(first) ?? 0);
    for (const node of nodes) idOfNode.set(node, id);
    if (state && !idOfBus.has(state.index)) idOfBus.set(state.index, id);
    const { voltage = null, angle = null } = state ?? {};
    buses.push({
      id,
      name,
      nominalVoltage,
      vm: voltage === null || !(nominalVoltage > 0) ? null : voltage / nominalVoltage,
      va: angle === null || !state ? null : angle + (turned.get(state.island) ?? 0),
    });
  };
  for (const { id, name, nodes } of open.buses) if (nodes.length > 0) report(id, name, nodes);
  // What the files have no bus for: one entry per bus of our own.
  const rest = new Map<number, { name: string; nodes: Mrid[] }>();
  for (const { mRID, name } of model.connectivityNodes) {
    if (idOfNode.has(mRID)) continue;
    const bus = result.busOfNode.get(mRID)!;
    const known = rest.get(bus);
    if (known) known.nodes.push(mRID);
    else rest.set(bus, { name, nodes: [mRID] });
  }
  for (const { name, nodes } of rest.values()) report(nodes[0]!, name, nodes);

  const power = (value: number): number => value / BASE_MVA;
  const equipmentOf = new Map(model.equipment.map((equipment) => [equipment.mRID, equipment]));
  const branches = result.branches.map((branch): ReportBranch => {
    const equipment = equipmentOf.get(branch.equipment)!;
    return {
      id: equipment.mRID,
      name: equipment.name,
      class: equipment.class,
      ends: equipment.terminals.map(({ mRID, connectivityNode }) => {
        const flow = result.flows.get(mRID);
        return {
          bus: idOfNode.get(connectivityNode)!,
          p: flow ? power(flow.p) : null,
          q: flow ? power(flow.q) : null,
        };
      }),
      loading: branch.loading,
    };
  });
  return {
    name: open.name,
    converged: result.converged && result.islands.some(({ energised }) => energised),
    iterations: result.iterations,
    maxMismatch: power(result.maxMismatch),
    baseMVA: BASE_MVA,
    islands: result.islands.map(({ buses: count, energised, converged, failure, largestMismatches }) => ({
      buses: count,
      energised,
      converged: energised && converged,
      ...(failure === undefined ? {} : { failure }),
      largestMismatches: largestMismatches.map(({ node, p, q }) => ({
        bus: idOfNode.get(node)!,
        p: power(p),
        q: power(q),
      })),
    })),
    buses,
    branches,
    actions: result.actions,
    notes: [...notesOf(open), ...result.notes],
  };
}

/** Voltages of the solved state in the files, turned so that whoever holds the angle of an island holds 0°. */
export function startOf({ model, sv }: OpenGrid, result: PowerFlowResult): StartVoltages | undefined {
  if (!sv) return undefined;
  const nodeOf = new Map(model.equipment.map(({ mRID, terminals }) => [mRID, terminals[0]?.connectivityNode]));
  const turned = new Map<number, number>();
  for (const { index, references } of result.islands) {
    turned.set(index, sv.voltages.get(nodeOf.get(references[0] ?? '') ?? '')?.angle ?? 0);
  }
  const buses = result.buses.map(({ nominalVoltage }) => ({
    nominalVoltage,
    voltage: null as number | null,
    angle: null as number | null,
  }));
  for (const [node, { v, angle }] of sv.voltages) {
    const bus = result.busOfNode.get(node);
    if (bus === undefined) continue;
    buses[bus]!.voltage = v;
    buses[bus]!.angle = angle - turned.get(result.buses[bus]!.island)!;
  }
  return { busOfNode: result.busOfNode, buses };
}

/**
 * Degrees by which each island is turned: who holds the angle has the one of the solved state in the files, where they hold
 * one. Which it is does not matter to a grid, but to whoever compares.
 */
function turnsOf({ model, sv }: OpenGrid, { islands, buses, busOfNode }: PowerFlowResult): Map<number, number> {
  const turns = new Map<number, number>();
  if (!sv) return turns;
  const nodeOf = new Map(model.equipment.map(({ mRID, terminals }) => [mRID, terminals[0]?.connectivityNode]));
  for (const { index, references } of islands) {
    const node = nodeOf.get(references[0] ?? '');
    const theirs = node === undefined ? undefined : sv.voltages.get(node);
    const ours = node === undefined ? undefined : buses[busOfNode.get(node) ?? -1]?.angle;
    if (theirs && typeof ours === 'number') turns.set(index, theirs.angle - ours);
  }
  return turns;
}

function notesOf({ findings, leftOut }: OpenGrid): string[] {
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  const warnings = findings.filter(({ severity }) => severity === 'warning').length;
  return [
    ...leftOut.map(
      ({ count, class: name, reason, example }) =>
        `left out: ${count} ${name}, '${example}'${count > 1 ? ' the first' : ''}: ${reason}`,
    ),
    ...(errors + warnings > 0
      ? [`${errors} errors and ${warnings} warnings in the files; enerchain import --check tells them`]
      : []),
  ];
}

/** Grids up to this size are printed bus by bus; of larger ones what stands out. */
const MAX_PRINTED = 60;
const STANDING_OUT = 5;
const MAX_ACTIONS = 10;

const told = (action: ControlAction): string =>
  action.kind === 'reactiveLimit'
    ? `${action.name} is at its ${action.limit === 'max' ? 'upper' : 'lower'} reactive limit`
    : `${action.kind === 'tap' ? 'tap changer' : 'shunt'} ${action.name}: from ${action.from} to ${action.to}`;

export function gridText(report: GridReport): string {
  const { name, converged, iterations, maxMismatch, baseMVA, islands, notes } = report;
  const live = islands.filter(({ energised }) => energised);
  const dead = islands.filter(({ energised }) => !energised);
  const lines = [
    `${name}: ${report.buses.length} buses, ${report.branches.length} branches, 1 pu of power is ${baseMVA} MVA`,
    ...notes.map((note) => `note: ${note}`),
    converged
      ? `converged in ${iterations} iterations, largest mismatch ${maxMismatch.toExponential(1)} pu`
      : 'NOT converged',
  ];
  for (const island of live) {
    if (island.converged) continue;
    lines.push(`island of ${island.buses} buses: ${island.failure ?? 'no solution'}`);
    for (const { bus, p, q } of island.largestMismatches) {
      lines.push(`  at bus ${bus} there is a mismatch of P ${p.toPrecision(4)}, Q ${q.toPrecision(4)} pu`);
    }
  }
  lines.push(...report.actions.slice(0, MAX_ACTIONS).map(told));
  if (report.actions.length > MAX_ACTIONS) lines.push(`… and ${report.actions.length - MAX_ACTIONS} more`);
  if (live.length === 0) lines.push('nothing here holds a voltage');
  if (dead.length > 0) {
    const count = dead.reduce((sum, { buses }) => sum + buses, 0);
    lines.push(`without voltage: ${count} buses in ${dead.length} islands`);
  }
  return `${[...lines, ...table(report)].join('\n')}\n`;
}

function table({ buses, branches }: GridReport): string[] {
  const solved = buses.filter(({ vm }) => vm !== null);
  if (solved.length === 0) return [];
  const all = buses.length <= MAX_PRINTED && branches.length <= 2 * MAX_PRINTED;
  const byVoltage = solved.toSorted((a, b) => a.vm! - b.vm!);
  const shown = all ? buses : [...byVoltage.slice(0, STANDING_OUT), ...byVoltage.slice(-STANDING_OUT)];
  const losses = branches.reduce((sum, { ends }) => sum + ends.reduce((own, { p }) => own + (p ?? 0), 0), 0);
  const loaded = branches.filter(({ loading }) => loading !== null).toSorted((a, b) => b.loading! - a.loading!);
  const listed = all ? branches : loaded.slice(0, STANDING_OUT);
  const width = Math.min(24, Math.max(4, ...shown.map(({ name }) => name.length)));
  const wide = Math.min(24, Math.max(6, ...listed.map(({ name }) => name.length)));
  return [
    `losses in branches ${fixed(losses, 4).trim()} pu`,
    '',
    ...(all ? [] : ['lowest and highest voltages (--json has all)']),
    `${'bus'.padEnd(width)}${'kV'.padStart(8)}${'V pu'.padStart(10)}${'V °'.padStart(10)}  id`,
    ...shown.map(
      ({ id, name, nominalVoltage, vm, va }) =>
        `${name.slice(0, width).padEnd(width)}${String(nominalVoltage).padStart(8)}${fixed(vm, 5, 10)}${fixed(va, 3, 10)}  ${id}`,
    ),
    '',
    ...(listed.length === 0
      ? ['no branch has a rating']
      : [
          ...(all ? [] : ['branches loaded most']),
          `${'branch'.padEnd(wide)}${'P pu'.padStart(11)}${'Q pu'.padStart(11)}${'loading %'.padStart(11)}`,
          ...listed.map(
            ({ name, ends, loading }) =>
              `${name.slice(0, wide).padEnd(wide)}${fixed(ends[0]?.p ?? null, 4)}${fixed(ends[0]?.q ?? null, 4)}${fixed(loading, 1)}`,
          ),
        ]),
  ];
}

const fixed = (value: number | null, digits: number, width = 11): string =>
  // Without the minus of what is zero when rounded.
  (value === null ? '–' : value.toFixed(digits).replace(/^-(?=[0.]+$)/, '')).padStart(width);
