/** The state estimation of the lab grid, fed through the RTUs' own point lists and dead bands. */
import { LiveGrid } from '@enerchain/grid-state/service';
import { DOUBLE_POINT, type Point, QUALITY } from '@enerchain/model';
import { describe, expect, test } from 'vitest';
import { labMrid } from '../src/grid/grid-builder.ts';
import { buildLabGrid } from '../src/grid/lab-grid.ts';
import type { MonitoredPoint } from '../src/rtu/point-list.ts';
import { IV, read } from '../src/rtu/readings.ts';
import { RtuImage } from '../src/rtu/rtu-image.ts';
import { pointListOf } from '../src/rtu/station-points.ts';
import { GridSimulation } from '../src/simulation/simulation.ts';

const NOON = Date.UTC(2026, 5, 17, 12);
const grid = buildLabGrid();

const COLUMNS = ['measurementType', 'terminal', 'equipment', 'positiveFlowIn', 'staleAfter'] as const;

/** A point as its gateway announces it. */
const announced = ({ name, family, columns }: MonitoredPoint): Point => ({
  mRID: labMrid(`point ${name}`),
  name,
  kind: family === 'measured' ? 'analog' : 'discrete',
  ...(family === 'double' ? { cdc: 'DPS' } : {}),
  ...Object.fromEntries(
    COLUMNS.filter((column) => columns[column] !== undefined).map((column) => [column, columns[column]]),
  ),
  ...(columns.multiplier === undefined ? {} : { unitMultiplier: columns.multiplier as 'M' }),
});

/** Simulation, RTUs and the live estimate in one clock. */
class Lab {
  readonly simulation = new GridSimulation(grid, { seed: 3, start: NOON });
  readonly live = new LiveGrid(grid.model);
  readonly images = grid.stations.map((station) => new RtuImage(pointListOf(station).monitored, () => 0));
  /** What instruments show instead, by name. */
  readonly wrong = new Map<string, number>();
  #elapsed = 0;

  constructor() {
    this.live.setPoints(this.images.flatMap((image) => image.points.map(announced)));
    this.#scan();
    // A general interrogation, as every gateway begins with.
    for (const image of this.images) for (const point of image.points) this.#take(image.force(point, 0));
  }

  #read = (point: MonitoredPoint) =>
    read(point.quantity, this.simulation, {
      flag: () => false,
      position: (mRID) => (this.simulation.isClosed(mRID) ? DOUBLE_POINT.on : DOUBLE_POINT.off),
      ledgerCounter: 0,
    });

  #take(event: { point: MonitoredPoint; value: number; quality: number } | undefined): void {
    if (!event) return;
    const quality = (event.quality & IV) === 0 ? QUALITY.good : QUALITY.invalid;
    this.live.take(labMrid(`point ${event.point.name}`), event.value, quality, this.#elapsed * 1000);
  }

  #scan(): void {
    for (const image of this.images) {
      for (const event of image.scan(image.points, this.#read, NOON + this.#elapsed * 1000, this.#elapsed))
        this.#take(event);
    }
  }

  second() {
    this.#elapsed += 1;
    this.simulation.step(1);
    this.#scan();
    for (const [name, value] of this.wrong) {
      this.live.take(labMrid(`point ${name}`), value, QUALITY.good, this.#elapsed * 1000);
    }
    return this.live.solve(this.#elapsed * 1000, () => 0, NOON / 1000 + this.#elapsed);
  }

  worstVoltage(): number {
    const { result } = this.live.estimate!.estimate;
    return Math.max(
      ...grid.stations.map(({ busbar }) => {
        const estimated = result.buses[result.busOfNode.get(busbar.node)!]!.voltage ?? 0;
        return Math.abs(estimated - (this.simulation.voltage(busbar.node) ?? 0)) / busbar.nominalVoltage;
      }),
    );
  }
}

describe('the state of the lab grid from its measurements', () => {
  test('is observable, near the truth, and free of bad data while load, sun and taps move', () => {
    const lab = new Lab();
    for (let second = 0; second < 180; second++) {
      const { alarms } = lab.second();
      const { estimate, implausible } = lab.live.estimate!;
      expect(estimate).toMatchObject({ observable: true, estimated: true, badData: [] });
      expect(implausible).toEqual([]);
      expect(alarms).toEqual([]);
      // Dead bands are all that the simulated instruments are off by: less than what real ones are taken for.
      expect(estimate.j / estimate.degreesOfFreedom).toBeLessThan(0.5);
      expect(lab.worstVoltage()).toBeLessThan(0.002);
    }
    const { measurements } = lab.live.estimate!.estimate;
    expect(measurements.length).toBeGreaterThan(150);
    // A small load beside coarse instruments may go unchecked, nothing else.
    expect(measurements.filter(({ critical, sigma }) => critical && sigma > 0.001)).toEqual([]);
  });

  test('follows a switch that opens, and the part without voltage', () => {
    const lab = new Lab();
    lab.second();
    const feeder = grid.stations.find(({ rtu }) => rtu === 'rtu-01-a')!.bays.find(({ code }) => code === 'J01')!;
    lab.simulation.setSwitch(feeder.switches[0]!.mRID, false);
    for (let second = 0; second < 8; second++) lab.second();
    const { estimate } = lab.live.estimate!;
    expect(estimate).toMatchObject({ observable: true, estimated: true, badData: [] });
    expect(estimate.result.islands.filter(({ energised }) => !energised).length).toBeGreaterThan(0);
    expect(lab.worstVoltage()).toBeLessThan(0.002);
  });

  test('a station that falls silent leaves the grid observable; of a wrong instrument the name is told', () => {
    const lab = new Lab();
    for (let second = 0; second < 3; second++) lab.second();
    const silent = lab.images[8]!;
    for (const point of silent.points) {
      lab.live.take(labMrid(`point ${point.name}`), null, QUALITY.invalid, 3000);
    }
    lab.second();
    expect(lab.live.estimate!.estimate).toMatchObject({ observable: true, estimated: true, badData: [] });
    expect(lab.worstVoltage()).toBeLessThan(0.004);

    const point = lab.images[3]!.points.find(({ name }) => name.endsWith('R1 Active power'))!;
    lab.wrong.set(point.name, 7.5);
    const raised = Array.from({ length: 8 }, () => lab.second().alarms.map(({ message }) => message)).flat();
    expect(raised).toHaveLength(1);
    expect(raised[0]).toContain(`${point.name} reads 7.50 MW`);
  });
});
