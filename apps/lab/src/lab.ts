/** The lab as a running thing: the simulated grid, its RTUs and sensors, and the port through which faults are asked for. */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packetLink } from '@enerchain/ethernet';
import { lockFolder } from '@enerchain/host';
import { describeError, EnerchainError, GridModel, validator } from '@enerchain/model';
import { systemClock } from '@enerchain/transport';
import type { Logger } from 'pino';
import { ControlPort } from './faults/control-port.ts';
import { GridFaults } from './faults/grid-faults.ts';
import { type CheckedFault, checkFault } from './faults/request.ts';
import { buildLabGrid } from './grid/lab-grid.ts';
import { actOnNode } from './network/faults.ts';
import { forgetMischief } from './network/mischief.ts';
import { CORES, NETWORK_NODES, networkPort, networkSettings, writeNetworkFiles } from './network/network-files.ts';
import { assignPorts } from './ports.ts';
import { Rtu } from './rtu/rtu.ts';
import { pointListOf } from './rtu/station-points.ts';
import { SensorField } from './sensors/sensor-field.ts';
import { GridSimulation } from './simulation/simulation.ts';
import { Switchgear } from './simulation/switchgear.ts';
import { siteIdOf, writeSiteFiles } from './site-files.ts';
import { GooseTap } from './substation/goose-tap.ts';
import { readSubstation } from './substation/scd.ts';
import { StationBus } from './substation/station-bus.ts';
import { PrimarySubstation } from './substation/substation.ts';
import { findSwtpm, goldenRegisters, LAB_BOOT, TpmFleet } from './tpm/index.ts';

export interface LabOptions {
  /** Everything the lab writes lies in here. */
  readonly dataDir: string;
  readonly seed: number;
  /** Simulated seconds per second; every simulated second is solved and scanned. Default 1. */
  readonly speed?: number;
  /** First of the ports; 0 (default) chooses free ones once and keeps them in the data folder. */
  readonly basePort?: number;
  readonly host?: string;
  /** Simulated time at the start, ms since the Unix epoch; default: now. Runs of one seed and start are alike. */
  readonly startAt?: number;
  /** Milliseconds between two steps of the ledger counters. Default 1000. */
  readonly counterMillis?: number;
  /**
   * GOOSE of the IEDs goes out over the first network interface as well (Linux, CAP_NET_RAW); the gateway listens on the second,
   * where one is named. In memory alone by default.
   */
  readonly gooseInterfaces?: readonly string[];
  /** A TPM for each gateway and network node, where swtpm is installed. Default true. */
  readonly tpm?: boolean;
  readonly logger: Logger;
  readonly signal?: AbortSignal;
}

export interface LabHandle {
  readonly gridFile: string;
  readonly siteFiles: readonly string[];
  /** What the network nodes are started with. */
  readonly networkFiles: readonly string[];
  /** The TPMs of gateways and network nodes, or why there are none. */
  readonly tpms: LabTpms | { readonly missing: string };
  readonly simulation: GridSimulation;
  readonly rtus: readonly Rtu[];
  /** How the IEDs hear each other. */
  readonly goose: 'in memory' | { readonly interface: string };
  /** The IEC 61850 devices of the primary substation. */
  readonly substation: PrimarySubstation;
  readonly brokerPort: number;
  /** Resolves when the lab has ended. */
  readonly closed: Promise<void>;
  /** @returns what was done; @throws EnerchainError (caller) */
  fault(request: unknown): string;
  close(): Promise<void>;
}

export interface LabTpms {
  /** PEM file: who certifies their endorsement keys. */
  readonly makers: string;
  /** JSON file: what PCRs 0 to 7 are after a boot as delivered. */
  readonly golden: string;
}

const TICK = 1000;
/** ms that one turn may calculate before it lets others have their turn. */
const PORTION = 50;
/** Seconds behind the clock at which the time that is missing is given up. */
const MOST_BEHIND = 30;
const BROKER = 'sensors';
const GOOSE_TAP = 'goose';

/** Starts the lab; the site files in `dataDir/sites` fit it from the moment this resolves. */
export async function runLab(options: LabOptions): Promise<LabHandle> {
  const { dataDir, seed, logger, signal } = options;
  const speed = options.speed ?? 1;
  const host = options.host ?? '127.0.0.1';
  const lock = lockFolder(dataDir, 'a lab');
  const grid = buildLabGrid();
  const gridFile = join(dataDir, 'grid.json');
  writeFileSync(
    `${gridFile}.new`,
    `${JSON.stringify(validator(GridModel).parse(grid.model, 'the lab grid'), null, 1)}\n`,
  );
  renameSync(`${gridFile}.new`, gridFile);

  const startAt = options.startAt ?? Date.now();
  const simulation = new GridSimulation(grid, { seed, start: startAt });
  const scd = readSubstation();
  const names = [
    ...grid.stations.map((station) => station.rtu),
    BROKER,
    GOOSE_TAP,
    ...NETWORK_NODES.map(networkPort),
    ...scd.models.keys(),
  ];
  const ports = await assignPorts(dataDir, names, host, options.basePort ?? 0, logger);
  const timers = new Set<NodeJS.Timeout>();
  const scheduler = {
    after(milliseconds: number, callback: () => void): void {
      const timer = setTimeout(() => {
        timers.delete(timer);
        callback();
      }, milliseconds);
      timers.add(timer);
    },
  };
  const switchgear = new Switchgear(simulation, scheduler);
  const rtus: Rtu[] = [];
  const points = new Map(grid.stations.map((station) => [station.rtu, pointListOf(station)]));
  const closing: (() => Promise<void>)[] = [];
  const abandon = async (): Promise<void> => {
    for (const timer of timers) clearTimeout(timer);
    for (const close of closing.reverse()) {
      await close().catch((error: unknown) => logger.warn({ error: describeError(error) }, 'closing failed'));
    }
    lock.release();
  };
  /** Something in the grid is different, or a second has passed: everybody has something to see. */
  const scanAll = (): void => {
    for (const rtu of rtus) rtu.scan();
    substation?.scan();
    gridFaults.scan();
  };
  const gridFaults = new GridFaults({
    simulation,
    switchgear,
    scheduler,
    rtus,
    hasUnit: (rtu, bay) => substation?.unitOf(rtu, bay) !== undefined,
    onGridChanged: scanAll,
  });
  const fault = (request: unknown): string =>
    act(checkFault(request), { rtus, sensors, gridFaults, substation, dataDir });
  let sensors: SensorField;
  let substation: PrimarySubstation | undefined;
  let siteFiles: string[];
  let networkFiles: string[];
  let fleet: TpmFleet | undefined;
  let tpms: LabHandle['tpms'];
  try {
    const started = await startTpms(options);
    tpms = started.tpms;
    if (started.fleet) {
      fleet = started.fleet;
      closing.push(() => started.fleet.close());
    }
    for (const station of grid.stations) {
      const rtu = await Rtu.start({
        station,
        points: points.get(station.rtu)!,
        simulation,
        switchgear,
        scheduler,
        seed,
        site: siteIdOf(station.edge),
        ledgerFolder: join(dataDir, 'ledger'),
        host,
        port: ports.get(station.rtu)!,
        logger,
        now: Date.now,
        elapsed: () => (simulation.time - startAt) / 1000,
        onGridChanged: scanAll,
      });
      rtus.push(rtu);
      closing.push(() => rtu.close());
    }
    const [uplink, listening] = options.gooseInterfaces ?? [];
    const rtuOf = (name: string): Rtu => rtus.find((rtu) => rtu.name === name)!;
    const bus = new StationBus({
      scd,
      clock: systemClock,
      ...(uplink === undefined ? {} : { uplink: packetLink(uplink) }),
    });
    substation = await PrimarySubstation.start({
      scd,
      simulation,
      switchgear,
      clock: systemClock,
      host,
      port: (ied) => ports.get(ied)!,
      wiring: (rtu) => rtuOf(rtu),
      folder: (ied) => join(dataDir, 'ieds', ied),
      settings: (ied) => join(dataDir, 'settings', `${ied}.json`),
      logger,
      bus,
    });
    closing.push(() => substation!.close());
    const tapPort = ports.get(GOOSE_TAP)!;
    if (listening === undefined) {
      const tap = await GooseTap.open(bus.tap('tap'), { host, port: tapPort }, logger);
      closing.push(() => tap.close());
    }
    switchgear.onMovement(scanAll);
    sensors = await SensorField.start({ host, port: ports.get(BROKER)!, seed, simulation, logger, now: Date.now });
    closing.push(() => sensors.close());
    siteFiles = writeSiteFiles(
      dataDir,
      rtus.map((rtu) => ({ station: rtu.station, points: points.get(rtu.name)!, host, port: rtu.port })),
      {
        scd: scd.text,
        ieds: substation.units.map(({ ied, label }) => ({
          ied,
          label,
          edge: 'edge-nord',
          host,
          port: ied.server.address!.port,
        })),
        goose: listening === undefined ? { stream: { host, port: tapPort } } : { interface: listening },
      },
      { host, port: sensors.port },
      (edge) => networkSettings(edge, host, ports, fleet?.get(edge)),
    );
    networkFiles = writeNetworkFiles(dataDir, host, ports, (node) => fleet?.get(node));
    for (const node of CORES) forgetMischief(dataDir, node);
    const control = await ControlPort.open(dataDir, fault);
    closing.push(() => control.close());
  } catch (error) {
    await abandon();
    throw error;
  }

  // Simulated time follows the monotonic clock. What a slow machine has missed it makes up for in small portions, so that
  // the links stay alive, and gives up when it is too much: the grid then runs slower, but the same.
  const began = performance.now();
  let stepped = 0;
  const tick = setInterval(
    () => {
      const from = performance.now();
      const due = Math.floor(((from - began) / 1000) * speed);
      while (stepped < due && performance.now() - from < PORTION) {
        stepped += 1;
        simulation.step(1);
        scanAll();
        sensors.tick((simulation.time - startAt) / 1000);
      }
      if (due - stepped > MOST_BEHIND * Math.max(1, speed)) {
        logger.warn({ seconds: due - stepped }, 'the machine is too slow for the simulated time, which falls behind');
        stepped = due;
      }
    },
    Math.max(5, Math.min(TICK, TICK / speed)),
  );
  const counting = setInterval(() => {
    for (const rtu of rtus) rtu.count();
  }, options.counterMillis ?? 1000);
  closing.push(async () => {
    clearInterval(tick);
    clearInterval(counting);
  });

  let finish: () => void;
  const closed = new Promise<void>((done) => {
    finish = done;
  });
  let ending: Promise<void> | undefined;
  const close = (): Promise<void> => {
    ending ??= abandon().then(() => finish());
    return ending;
  };
  signal?.addEventListener('abort', () => void close(), { once: true });
  if (signal?.aborted) void close();
  logger.info({ rtus: rtus.length, seed, speed }, 'lab runs');
  return {
    gridFile,
    siteFiles,
    networkFiles,
    tpms,
    simulation,
    rtus,
    goose: options.gooseInterfaces?.[0] === undefined ? 'in memory' : { interface: options.gooseInterfaces[0] },
    substation,
    brokerPort: sensors.port,
    closed,
    fault,
    close,
  };
}

/** TPMs for the machines of the lab, where that is wanted and possible. */
async function startTpms({
  dataDir,
  tpm = true,
  logger,
}: LabOptions): Promise<{ fleet: TpmFleet; tpms: LabTpms } | { fleet?: undefined; tpms: { missing: string } }> {
  if (!tpm) return { tpms: { missing: 'without TPMs, as was asked for' } };
  const tools = await findSwtpm();
  if (!tools.installed) return { tpms: { missing: tools.reason } };
  const fleet = await TpmFleet.start({
    folder: join(dataDir, 'tpm'),
    nodes: NETWORK_NODES,
    onEvent: (event) => logger.info(event, 'TPM'),
  });
  const golden = join(dataDir, 'tpm', 'golden-registers.json');
  writeFileSync(golden, `${JSON.stringify(goldenRegisters(LAB_BOOT), undefined, 1)}\n`);
  return { fleet, tpms: { makers: fleet.nodes[0]!.ekAuthority, golden } };
}

interface Faultable {
  readonly rtus: readonly Rtu[];
  readonly sensors: SensorField;
  readonly gridFaults: GridFaults;
  readonly substation: PrimarySubstation | undefined;
  readonly dataDir: string;
}

/** Carries a fault out. */
function act(fault: CheckedFault, { rtus, sensors, gridFaults, substation, dataDir }: Faultable): string {
  const { spec, target, number, text } = fault;
  if (spec.target === 'sensor') {
    sensors.lose(target, number('seconds'));
    return `${target}: lost for ${number('seconds')} s`;
  }
  if (spec.target === 'node' || spec.target === 'network node') return actOnNode(fault, dataDir);
  const chosen = target === 'all' && spec.target === 'rtu or all' ? rtus : rtus.filter((rtu) => rtu.name === target);
  if (chosen.length === 0) {
    throw new EnerchainError(
      'caller',
      'lab.fault.target',
      `there is no RTU '${target}' for '${spec.name}'; there are ${rtus.map((rtu) => rtu.name).join(', ')}`,
    );
  }
  return chosen
    .map((rtu) => {
      switch (spec.name) {
        case 'link-down':
          return rtu.linkDown(number('seconds'));
        case 'rtu-restart':
          return rtu.restart(number('seconds'));
        case 'stuck':
          return rtu.disturb('stuck', number('ioa'), 0, number('seconds'));
        case 'noisy':
          return rtu.disturb('noisy', number('ioa'), number('amplitude'), number('seconds'));
        case 'breaker-trip': {
          const unit = substation?.unitOf(rtu.name, text('bay'));
          if (!unit) return rtu.trip(text('bay'));
          unit.trip();
          return `${unit.ied.name}: protection has opened ${unit.bay.code} ${unit.bay.name}`;
        }
        case 'short-circuit':
          return gridFaults.shortCircuit(rtu, text('bay'), number('percent'), number('seconds'));
        case 'breaker-stuck':
          return gridFaults.stuck(rtu, text('bay'), number('seconds'));
        case 'earth-fault':
          return rtu.raise(`${text('bay')}/earthFault`, number('seconds'));
        case 'clock-step':
          return rtu.stepClock(number('seconds'));
        case 'interrogation-storm':
          return rtu.storm(number('count'));
        case 'event-flood':
          return rtu.flood(number('events'));
        case 'door-open':
          return rtu.raise('door', number('seconds'));
        case 'local-control':
          return rtu.raise('local', number('seconds'));
        default:
          throw new EnerchainError('local', 'lab.fault.missing', `'${spec.name}' is announced but not carried out`);
      }
    })
    .join('\n');
}
