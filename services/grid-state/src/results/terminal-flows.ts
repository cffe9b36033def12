/** What flows into every terminal of a network, from the solution of its tables: MW, Mvar and A. */
import { type Mrid, shuntAdmittance } from '@enerchain/model';
import { voltagePower } from '../powerflow/case.ts';
import type { GridState } from '../powerflow/grid-solver.ts';
import { balancingFlows } from '../powerflow/zero-impedance.ts';
import { BASE_MVA } from '../topology/branch-parameters.ts';
import { responseTerms } from '../topology/load-response.ts';
import type { Network } from '../topology/network.ts';
import type { Injections, NetworkCase, Power } from '../topology/network-case.ts';
import type { Flow } from './limits.ts';

export const NO_FLOW: Flow = { p: 0, q: 0, i: 0 };
const SQRT3 = Math.sqrt(3);

/** Terminals without an entry: their island has no solution. */
export function terminalFlows(
  network: Network,
  injections: Injections,
  tables: NetworkCase,
  solution: GridState,
): Map<Mrid, Flow> {
  const { topology } = network;
  const { grid, busOfNode, islandOfBus, islands } = topology;
  const flows = new Map<Mrid, Flow>();
  /** What leaves each node into all that is no switch; MW and Mvar. */
  const [takenP, takenQ] = [new Float64Array(grid.nodeCount), new Float64Array(grid.nodeCount)];
  const kvAt = (node: number): number => solution.vm[busOfNode[node]!]! * grid.baseVoltage[node]!;
  const set = (terminal: Mrid, node: number, p: number, q: number): void => {
    const kV = kvAt(node);
    if (Number.isNaN(kV)) {
      if (!islands[islandOfBus[busOfNode[node]!]!]!.energised) flows.set(terminal, NO_FLOW);
      return;
    }
    takenP[node] = takenP[node]! + p;
    takenQ[node] = takenQ[node]! + q;
    flows.set(terminal, { p, q, i: (Math.hypot(p, q) * 1000) / (SQRT3 * kV) });
  };
  grid.branches.forEach(({ from, to, fromTerminal, toTerminal }, row) => {
    set(fromTerminal, from, solution.pFrom[row]! * BASE_MVA, solution.qFrom[row]! * BASE_MVA);
    if (toTerminal) set(toTerminal, to, solution.pTo[row]! * BASE_MVA, solution.qTo[row]! * BASE_MVA);
  });
  tables.machines.forEach(({ equipment, node }, m) => {
    set(equipment.terminals[0]!.mRID, node, -solution.machineP[m]! * BASE_MVA, -solution.machineQ[m]! * BASE_MVA);
  });
  const sections = new Map(tables.steps.map(({ mRID, low }, s) => [mRID, low + solution.positions[s]!]));
  for (const { equipment, node } of grid.singles) {
    const terminal = equipment.terminals[0]!.mRID;
    const kV = kvAt(node);
    if (equipment.class === 'EnergyConsumer') {
      const { p, q } = injections.powers?.get(equipment.mRID) ?? drawn(equipment, kV / grid.baseVoltage[node]!);
      set(terminal, node, p, q);
    } else if (equipment.class === 'AsynchronousMachine') {
      const { p, q } = injections.powers?.get(equipment.mRID) ?? equipment;
      set(terminal, node, p, q);
    } else if (equipment.class === 'EquivalentShunt') {
      set(terminal, node, equipment.g * kV * kV, -equipment.b * kV * kV);
    } else if (equipment.class === 'LinearShuntCompensator' || equipment.class === 'NonlinearShuntCompensator') {
      const { g, b } = shuntAdmittance(equipment, sections.get(equipment.mRID));
      set(terminal, node, g * kV * kV, -b * kV * kV);
    }
  }
  switchFlows(network, solution, takenP, takenQ, set);
  for (const equipment of grid.model.equipment) {
    for (const { mRID, connectivityNode } of equipment.terminals) {
      if (flows.has(mRID)) continue;
      // Busbars and whatever is out of service or not connected carry nothing.
      const island = islandOfBus[busOfNode[grid.nodeIndex.get(connectivityNode)!]!]!;
      if (!islands[island]!.energised || solution.islands[island]?.converged) flows.set(mRID, NO_FLOW);
    }
  }
  return flows;
}

function drawn(consumer: Parameters<typeof responseTerms>[0], u: number): Power {
  let [p, q] = [0, 0];
  for (const term of responseTerms(consumer)) {
    p += term.p * voltagePower(u, term.pExponent);
    q += term.q * voltagePower(u, term.qExponent);
  }
  return { p, q };
}

/** Through closed switches flows what balances every node; where they form a ring, as if all were alike. */
function switchFlows(
  { topology }: Network,
  solution: GridState,
  takenP: Float64Array,
  takenQ: Float64Array,
  set: (terminal: Mrid, node: number, p: number, q: number) => void,
): void {
  const { grid, closed, busOfNode } = topology;
  const live = Array.from(grid.switches.keys()).filter(
    (index) => closed[index] === 1 && !Number.isNaN(solution.vm[busOfNode[grid.switches[index]!.from]!]!),
  );
  const from = Int32Array.from(live, (index) => grid.switches[index]!.from);
  const to = Int32Array.from(live, (index) => grid.switches[index]!.to);
  const p = balancingFlows(
    from,
    to,
    takenP.map((value) => -value),
  );
  const q = balancingFlows(
    from,
    to,
    takenQ.map((value) => -value),
  );
  live.forEach((index, k) => {
    const { equipment, from: one, to: other } = grid.switches[index]!;
    set(equipment.terminals[0]!.mRID, one, p[k]!, q[k]!);
    set(equipment.terminals[1]!.mRID, other, -p[k]!, -q[k]!);
  });
}
