/** Faults in the grid itself: short circuits and breakers that stick; and the relays of bays that have no bay unit. */
import { EnerchainError } from '@enerchain/model';
import type { LabBay, LabStation } from '../grid/lab-grid.ts';
import type { Rtu } from '../rtu/rtu.ts';
import type { FaultLocation } from '../simulation/short-circuit.ts';
import type { GridSimulation } from '../simulation/simulation.ts';
import type { Scheduler, Switchgear } from '../simulation/switchgear.ts';

/** A relay without communication sees a fault by this much more than the rated current. */
const PICK_UP = 1.5;
/** Seconds from seeing to tripping, by what the bay feeds: whoever is nearer to the fault is faster. */
const GRADING: Readonly<Partial<Record<LabBay['kind'], number>>> = {
  load: 0.1,
  plant: 0.1,
  feeder: 0.4,
  transformerLow: 0.9,
  transformerHigh: 1.2,
  incomer: 1.6,
};

export interface GridFaultPorts {
  readonly simulation: GridSimulation;
  readonly switchgear: Switchgear;
  readonly scheduler: Scheduler;
  readonly rtus: readonly Rtu[];
  /** Its bay has a unit of its own that protects it. */
  readonly hasUnit: (rtu: string, bay: string) => boolean;
  readonly onGridChanged: () => void;
}

export class GridFaults {
  readonly #ports: GridFaultPorts;
  /** Bays whose relay has seen a fault. */
  readonly #started = new Set<LabBay>();

  constructor(ports: GridFaultPorts) {
    this.#ports = ports;
  }

  /** @returns what was done; @throws EnerchainError (caller) */
  shortCircuit(rtu: Rtu, code: string, percent: number, seconds: number): string {
    const { simulation, scheduler, onGridChanged } = this.#ports;
    const location = locationOf(rtu.station, code, percent / 100);
    const end = simulation.startFault(location);
    const changed = (): void => {
      simulation.settle();
      onGridChanged();
    };
    changed();
    scheduler.after(seconds * 1000, () => {
      end();
      changed();
    });
    const where = code === 'busbar' ? 'on the busbar' : `on what ${code} feeds`;
    return `${rtu.name}: short circuit ${where} for ${seconds} s`;
  }

  stuck(rtu: Rtu, code: string, seconds: number): string {
    const { mRID } = rtu.bay(code).switches[0]!;
    this.#ports.switchgear.setStuck(mRID, true);
    this.#ports.scheduler.after(seconds * 1000, () => this.#ports.switchgear.setStuck(mRID, false));
    return `${rtu.name}: the switch of ${code} does not move for ${seconds} s`;
  }

  /** The grid has changed: relays look. */
  scan(): void {
    const { rtus, simulation } = this.#ports;
    if (!simulation.isFaulted && this.#started.size === 0) return;
    for (const rtu of rtus) {
      for (const bay of rtu.station.bays) {
        const delay = GRADING[bay.kind];
        if (delay === undefined || bay.switches[0]?.class !== 'Breaker' || this.#ports.hasUnit(rtu.name, bay.code))
          continue;
        if (this.#sees(bay)) this.#start(rtu, bay, delay);
        else if (this.#started.delete(bay)) rtu.contact(`${bay.code}/start`, false);
      }
    }
  }

  #start(rtu: Rtu, bay: LabBay, delay: number): void {
    if (this.#started.has(bay)) return;
    this.#started.add(bay);
    rtu.contact(`${bay.code}/start`, true);
    this.#ports.scheduler.after(delay * 1000, () => {
      if (this.#started.has(bay)) rtu.trip(bay.code);
    });
  }

  #sees({ terminal, ratedCurrent = Number.POSITIVE_INFINITY }: LabBay): boolean {
    const current = terminal === undefined ? undefined : this.#ports.simulation.faultCurrent(terminal);
    return current !== undefined && Math.hypot(current.re, current.im) > PICK_UP * ratedCurrent;
  }
}

function locationOf({ rtu, busbar, bays }: LabStation, code: string, distance: number): FaultLocation {
  if (code === 'busbar') return { node: busbar.node };
  const terminal = bays.find((bay) => bay.code === code)?.terminal;
  if (terminal !== undefined) return { terminal, distance };
  const there = bays.filter((bay) => bay.terminal !== undefined).map((bay) => bay.code);
  throw new EnerchainError(
    'caller',
    'lab.fault.bay',
    `${rtu} has no bay '${code}' that feeds something; there are busbar, ${there.join(', ')}; nothing was done`,
  );
}
