/** Three-phase values of a bay (MMXU) and its meters (MMTR), as transducers at its current and voltage transformers have them. */
import type { Flow } from '@enerchain/grid-state';
import type { Data } from '@enerchain/mms';
import type { LabBay, LabStation } from '../grid/lab-grid.ts';
import type { GridSimulation } from '../simulation/simulation.ts';
import type { Ied } from './ied.ts';
import type { Quality } from './values.ts';

const PHASES = [
  ['phsA', 'phsAB', 0],
  ['phsB', 'phsBC', -120],
  ['phsC', 'phsCA', 120],
] as const;
/** Line-to-line voltages lead those to earth by this, degrees. */
const LEAD = 30;

/** What flows over the current transformers of a bay, which stand before its earthing switch. */
export function flowOf(simulation: GridSimulation, { terminal, earthing }: LabBay): Flow | undefined {
  const flow = terminal === undefined ? undefined : simulation.flow(terminal);
  const earth = earthing && simulation.flow(earthing.terminals[0]!.mRID);
  return earth && earth.i > (flow?.i ?? 0) ? earth : flow;
}

export function measure(ied: Ied, simulation: GridSimulation, station: LabStation, bay: LabBay): void {
  const at = 'MEAS/MMXU1';
  if (bay.terminal === undefined || !ied.has(`${at}.TotW`)) return;
  const flow = flowOf(simulation, bay);
  const kV = simulation.voltage(station.busbar.node);
  const live = simulation.isEnergised(station.busbar.node);
  const flows: Quality = flow ? 'good' : 'invalid';
  const { p, q, i } = flow ?? { p: 0, q: 0, i: 0 };
  // A transformer for voltage at a dead busbar measures zero, and is right.
  const volts = (kV ?? 0) * 1000;
  const voltages: Quality = kV !== null || !live ? 'good' : 'invalid';
  const s = Math.hypot(p, q);
  const angle = s === 0 ? 0 : (Math.atan2(q, p) * 180) / Math.PI;
  ied.measure(`${at}.TotW`, p * 1e6 + 0, flows);
  ied.measure(`${at}.TotVAr`, q * 1e6 + 0, flows);
  ied.measure(`${at}.TotVA`, s * 1e6, flows);
  ied.measure(`${at}.TotPF`, s === 0 ? 1 : p / s, flows);
  ied.measure(`${at}.Hz`, live ? simulation.frequency : 0, live ? 'good' : 'invalid');
  const all = ied.has(`${at}.PhV`);
  for (const [phase, pair, turn] of PHASES) {
    ied.phasor(`${at}.PPV.${pair}`, volts, normal(turn + LEAD), voltages);
    ied.phasor(`${at}.A.${phase}`, i, normal(turn - angle), flows);
    if (!all) continue;
    ied.phasor(`${at}.PhV.${phase}`, volts / Math.sqrt(3), turn, voltages);
    ied.phasor(`${at}.W.${phase}`, (p * 1e6) / 3 + 0, 0, flows);
    ied.phasor(`${at}.VAr.${phase}`, (q * 1e6) / 3 + 0, 0, flows);
  }
  if (!ied.has('MEAS/MMTR1.SupWh')) return;
  const { forward, reverse } = simulation.energy(bay.terminal);
  // kWh, as `pulsQty` says; a demand is what the equipment takes.
  ied.put('MEAS/MMTR1.DmdWh', { actVal: counts(forward) });
  ied.put('MEAS/MMTR1.SupWh', { actVal: counts(reverse) });
}

const counts = (megawattHours: number): Data => ({ kind: 'integer', value: Math.floor(megawattHours * 1000) });
/** −180 to 180. */
const normal = (degrees: number): number => ((((degrees + 180) % 360) + 360) % 360) - 180;
