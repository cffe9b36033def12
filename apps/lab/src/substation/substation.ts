/** The IEDs of the primary substation together: started from the SCD, wired to the grid and to each other. */
import { describeError } from '@enerchain/model';
import type { Clock } from '@enerchain/transport';
import type { Logger } from 'pino';
import type { LabBay, LabGrid, LabStation } from '../grid/lab-grid.ts';
import type { GridSimulation } from '../simulation/simulation.ts';
import type { Switchgear } from '../simulation/switchgear.ts';
import { BayUnit, type Wiring } from './bay-unit.ts';
import { type Ied, missing } from './ied.ts';
import { recordsIn } from './records.ts';
import { placesOf, type Substation } from './scd.ts';
import type { StationBus } from './station-bus.ts';
import { TransformerUnit } from './transformer-unit.ts';

export interface SubstationOptions {
  readonly scd: Substation;
  readonly simulation: GridSimulation;
  readonly switchgear: Switchgear;
  readonly clock: Clock;
  readonly host: string;
  /** By name of the IED. */
  readonly port: (ied: string) => number;
  /** To the RTU of a part of the substation. */
  readonly wiring: (rtu: string) => Wiring;
  readonly logger: Logger;
  readonly bus: StationBus;
  /** Folder of an IED's files; without files when it is left out. */
  readonly folder?: (ied: string) => string;
  /** File of an IED's settings, which end with the process when it is left out. */
  readonly settings?: (ied: string) => string;
}

type Unit = BayUnit | TransformerUnit;

export class PrimarySubstation {
  readonly scd: Substation;
  readonly units: readonly Unit[];

  readonly #bus: StationBus;

  private constructor(scd: Substation, units: readonly Unit[], bus: StationBus) {
    this.scd = scd;
    this.units = units;
    this.#bus = bus;
  }

  /** @throws EnerchainError when the SCD does not fit the grid, or a port cannot be had: nothing listens then */
  static async start(options: SubstationOptions): Promise<PrimarySubstation> {
    const { scd } = options;
    const units = unitsOf(scd, options);
    const { bus } = options;
    const substation = new PrimarySubstation(scd, units, bus);
    substation.scan();
    try {
      for (const { ied } of units) await ied.server.listen();
    } catch (error) {
      await substation.close();
      throw error;
    }
    for (const { ied } of units) ied.onUpdate = bus.publish(ied);
    for (const unit of units) bus.listen(unit.ied, unit.inputs, () => unit.heard());
    return substation;
  }

  get ieds(): readonly Ied[] {
    return this.units.map(({ ied }) => ied);
  }

  /** The unit of a bay of an RTU's part of the substation. */
  unitOf(rtu: string, bay: string): BayUnit | undefined {
    return this.units.find(
      (unit): unit is BayUnit => unit instanceof BayUnit && unit.station.rtu === rtu && unit.bay.code === bay,
    );
  }

  /** The grid is another one than before, or a second has passed. */
  scan(): void {
    for (const unit of this.units) unit.scan();
  }

  async close(): Promise<void> {
    for (const unit of this.units) unit.stop();
    await this.#bus.close();
    await Promise.all(this.ieds.map(({ server }) => server.close()));
  }
}

function unitsOf(scd: Substation, options: SubstationOptions): Unit[] {
  const { simulation, switchgear, clock, host, port, wiring, logger, bus } = options;
  const { grid } = simulation;
  const places = placesOf(scd, grid.model);
  return [...scd.models.values()].map((model): Unit => {
    const { name } = model.ied;
    const folder = options.folder?.(name);
    const place = (node: string) => places.get(`${name}/${node}`);
    const own = {
      model,
      subscriptions: bus.subscriptionsOf(name),
      simulation,
      switchgear,
      clock,
      host,
      port: port(name),
      keep: folder === undefined ? () => {} : recordsIn(folder),
      ...(folder === undefined ? {} : { folder }),
      ...(options.settings ? { settings: options.settings(name) } : {}),
      onError: (error: unknown) => logger.warn({ ied: name, error: describeError(error) }, 'request failed'),
    };
    const transformer = place('CTRL/ATCC1')?.equipment;
    if (transformer !== undefined) {
      const ends = bays(grid).filter(({ bay }) => bay.transformer?.mRID === transformer);
      const [high, low] = (['transformerHigh', 'transformerLow'] as const).map((kind) =>
        ends.find(({ bay }) => bay.kind === kind),
      );
      if (!high || !low) throw missing(`${name}: the grid has no bays for its transformer`);
      const { rtu } = high.station;
      return new TransformerUnit({
        ...own,
        high: high.bay,
        low: low.bay,
        lowStation: low.station,
        wiring: wiring(rtu),
      });
    }
    const breaker = place('CTRL/Q0XCBR1')?.equipment;
    const found = bays(grid).find(({ bay }) => bay.switches[0]?.mRID === breaker);
    if (!found) throw missing(`${name}: the grid has no bay with its breaker`);
    return new BayUnit({
      ...own,
      ...found,
      wiring: wiring(found.station.rtu),
      equipmentOf: (node) => place(node)?.equipment,
      wired: (code) => {
        const other = bays(grid).find(({ bay }) => bay.code === code)?.bay.switches[0];
        if (!other) return 'bad';
        if (switchgear.isMoving(other.mRID)) return 'intermediate';
        return simulation.isClosed(other.mRID) ? 'on' : 'off';
      },
    });
  });
}

const bays = ({ stations }: LabGrid): { readonly station: LabStation; readonly bay: LabBay }[] =>
  stations.flatMap((station) => station.bays.map((bay) => ({ station, bay })));
