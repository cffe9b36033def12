/** Measurements at the terminals of a network as the field would give them of a power flow that is known. */
import { gaussian, type SimulateOptions } from './cases/simulate.ts';
import type { TerminalMeasurement } from './network-estimation/network-estimate.ts';
import type { PowerFlowResult } from './power-flow.ts';
import { BASE_MVA } from './topology/branch-parameters.ts';
import type { Network } from './topology/network.ts';

/**
 * A voltage at every energised bus, P and Q at every terminal of lines, transformers, consumers and machines, with noise by
 * the seed. Deviations are shares of the nominal voltage and of the system's base.
 */
export function simulateTerminals(
  { topology: { grid } }: Network,
  { flows, buses, busOfNode }: PowerFlowResult,
  { seed, sigmaVoltage = 0.004, sigmaPower = 0.01 }: Omit<SimulateOptions, 'injections'>,
): TerminalMeasurement[] {
  const noise = gaussian(seed);
  const list: TerminalMeasurement[] = [];
  const add = (kind: TerminalMeasurement['kind'], terminal: string, exact: number, sigma: number): void => {
    list.push({
      point: `${kind} ${terminal}`,
      kind,
      terminal,
      value: Number((exact + sigma * noise()).toPrecision(9)),
      sigma,
    });
  };
  const seen = new Set<number>();
  const power = (terminal: string): void => {
    const flow = flows.get(terminal);
    if (!flow) return;
    add('p', terminal, flow.p, sigmaPower * BASE_MVA);
    add('q', terminal, flow.q, sigmaPower * BASE_MVA);
  };
  for (const { terminals } of grid.model.equipment) {
    for (const { mRID, connectivityNode } of terminals) {
      const bus = buses[busOfNode.get(connectivityNode) ?? -1];
      if (!bus || bus.voltage === null || seen.has(bus.index)) continue;
      seen.add(bus.index);
      add('voltage', mRID, bus.voltage, sigmaVoltage * bus.nominalVoltage);
    }
  }
  const energised = (terminal: string): boolean => {
    const node = grid.nodes[grid.nodeOfTerminal.get(terminal) ?? -1];
    return buses[busOfNode.get(node ?? '') ?? -1]?.voltage !== null;
  };
  for (const { fromTerminal, toTerminal } of grid.branches) {
    for (const terminal of [fromTerminal, toTerminal]) if (terminal && energised(terminal)) power(terminal);
  }
  for (const { equipment } of grid.singles) {
    const terminal = equipment.terminals[0]!.mRID;
    const shunt = equipment.class.includes('Shunt');
    if (!shunt && energised(terminal)) power(terminal);
  }
  return list;
}
