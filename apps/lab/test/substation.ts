/** The primary substation in virtual time, with clients connected in memory. */
import { join } from 'node:path';
import { Iec61850Client } from '@enerchain/iec61850';
import { memoryPair } from '@enerchain/transport';
import { VirtualClock } from '@enerchain/transport/testing';
import pino from 'pino';
import { onTestFinished } from 'vitest';
import { buildLabGrid } from '../src/grid/lab-grid.ts';
import { GridSimulation } from '../src/simulation/simulation.ts';
import { Switchgear } from '../src/simulation/switchgear.ts';
import { readSubstation } from '../src/substation/scd.ts';
import { StationBus, type StationBusOptions } from '../src/substation/station-bus.ts';
import { PrimarySubstation } from '../src/substation/substation.ts';

const NOON = Date.UTC(2026, 5, 17, 12);

export interface BrunnfeldOptions extends Pick<StationBusOptions, 'carry' | 'uplink'> {
  /** Below it each IED has a folder for its files. */
  readonly folder?: string;
  /** Below it each IED has a file for its settings. */
  readonly settings?: string;
}

export async function brunnfeld({ folder, settings, ...bus }: BrunnfeldOptions = {}) {
  const clock = new VirtualClock(NOON);
  const simulation = new GridSimulation(buildLabGrid(), { seed: 1, start: NOON });
  const switchgear = new Switchgear(simulation, {
    after: (milliseconds, callback) => void clock.schedule(milliseconds, callback),
  });
  const flags = new Set<string>();
  const contacts: string[] = [];
  const raised = new Set<string>();
  const scd = readSubstation();
  const substation = await PrimarySubstation.start({
    scd,
    bus: new StationBus({ scd, clock, ...bus }),
    ...(folder === undefined ? {} : { folder: (ied: string) => join(folder, ied) }),
    ...(settings === undefined ? {} : { settings: (ied: string) => join(settings, `${ied}.json`) }),
    simulation,
    switchgear,
    clock,
    host: '127.0.0.1',
    port: () => 0,
    wiring: () => ({
      flag: (name) => flags.has(name),
      contact: (name, is) => {
        if (raised.has(name) === is) return;
        if (is) raised.add(name);
        else raised.delete(name);
        contacts.push(`${name} ${is}`);
      },
    }),
    logger: pino({ level: 'silent' }),
  });
  onTestFinished(() => substation.close());
  switchgear.onMovement(() => substation.scan());
  // The first messages of all.
  await clock.advance(10);
  const bay = (code: string) =>
    simulation.grid.stations.flatMap(({ bays }) => bays).find((each) => each.code === code)!;
  const ied = (name: string) => substation.ieds.find((each) => each.name === name)!;
  return {
    clock,
    simulation,
    switchgear,
    substation,
    flags,
    contacts,
    bay,
    ied,
    /** Something has changed that nobody has moved. */
    settle(): void {
      simulation.settle();
      substation.scan();
    },
    value: (reference: string, fc: 'ST' | 'MX' = 'ST') => {
      const [name] = reference.split(/(?:LD0|CTRL|PROT|MEAS|MON)\//);
      return ied(name!).server.value(reference, fc).value;
    },
    async connect(name: string): Promise<Iec61850Client> {
      const [left, right] = memoryPair();
      ied(name).server.attach(right);
      return Iec61850Client.connect(left, { clock });
    },
  };
}
