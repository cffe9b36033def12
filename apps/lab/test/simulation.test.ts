import { GridModel, validator } from '@enerchain/model';
import { describe, expect, test } from 'vitest';
import { buildLabGrid } from '../src/grid/lab-grid.ts';
import { clearSkyShare, loadShare, windShare } from '../src/simulation/profiles.ts';
import { randomStream, Wander } from '../src/simulation/random.ts';
import { GridSimulation } from '../src/simulation/simulation.ts';

const NOON = Date.UTC(2026, 5, 17, 12);
const grid = buildLabGrid();
const bay = (rtu: string, code: string) =>
  grid.stations.find((station) => station.rtu === rtu)!.bays.find((candidate) => candidate.code === code)!;
const station = (rtu: string) => grid.stations.find((candidate) => candidate.rtu === rtu)!;

/** A fingerprint of everything electrical. */
const fingerprint = (simulation: GridSimulation): string =>
  JSON.stringify([
    simulation.result.buses.map((bus) => [bus.voltage, bus.angle]),
    simulation.result.branches.map((branch) => branch.loading),
    simulation.frequency,
  ]);

describe('the lab grid', () => {
  test('is a valid model, with the same mRIDs whenever it is built', () => {
    expect(validator(GridModel).findings(grid.model)).toEqual([]);
    expect(JSON.stringify(buildLabGrid().model)).toBe(JSON.stringify(grid.model));
  });

  test('has about fifteen RTUs behind three edges', () => {
    expect(grid.stations).toHaveLength(15);
    expect(new Set(grid.stations.map((each) => each.edge)).size).toBe(3);
  });

  test('is one island in its normal state, with S1, S2, S3 and the bus coupler open', () => {
    const simulation = new GridSimulation(grid, { seed: 1, start: NOON });
    expect(simulation.result.converged).toBe(true);
    expect(simulation.result.islands.filter((island) => island.energised)).toHaveLength(1);
    const open = grid.model.equipment.filter((equipment) => 'normalOpen' in equipment && equipment.normalOpen);
    expect(open.filter(({ class: kind }) => kind !== 'GroundDisconnector')).toHaveLength(4);
  });
});

describe('the simulation', () => {
  test('is reproducible by its seed, and different with another one', () => {
    const run = (seed: number): string[] => {
      const simulation = new GridSimulation(grid, { seed, start: NOON });
      return Array.from({ length: 20 }, (_, second) => {
        if (second === 10) simulation.setSwitch(bay('rtu-08', 'R1').switches[0]!.mRID, false);
        simulation.step(1);
        return fingerprint(simulation);
      });
    };
    expect(run(7)).toEqual(run(7));
    expect(run(7)).not.toEqual(run(8));
  });

  test('stays solved and within its limits over a whole day', () => {
    const simulation = new GridSimulation(grid, { seed: 3, start: Date.UTC(2026, 0, 14) });
    let worst = 0;
    for (let minute = 0; minute < 24 * 60; minute += 5) {
      simulation.step(300);
      expect(simulation.result.converged).toBe(true);
      for (const { nominalVoltage, voltage } of simulation.result.buses) {
        worst = Math.max(worst, Math.abs(voltage! / nominalVoltage - 1));
      }
    }
    expect(worst).toBeLessThan(0.1);
  });

  test('opening a feeder breaker takes the voltage from the feeder, and closing a tie brings it back from the other side', () => {
    const simulation = new GridSimulation(grid, { seed: 1, start: NOON });
    const feeder = bay('rtu-01-a', 'J01');
    simulation.setSwitch(feeder.switches[0]!.mRID, false);
    simulation.settle();
    expect(simulation.voltage(station('rtu-08').busbar.node)).toBeNull();
    expect(simulation.isEnergised(station('rtu-08').busbar.node)).toBe(false);
    expect(simulation.flow(feeder.terminal!)).toMatchObject({ p: 0, q: 0, i: 0 });
    const s1 = station('rtu-08').bays.find((candidate) => candidate.switches[0]?.normalOpen)!;
    simulation.setSwitch(s1.switches[0]!.mRID, true);
    simulation.settle();
    expect(simulation.voltage(station('rtu-08').busbar.node)!).toBeGreaterThan(17);
  });

  test('a tap step up raises the voltage below', () => {
    const simulation = new GridSimulation(grid, { seed: 1, start: NOON });
    const { transformer } = bay('rtu-01-110', 'E02');
    const before = simulation.voltage(station('rtu-01-a').busbar.node)!;
    expect(simulation.moveTap(transformer!, 'higher')).toBe(true);
    simulation.settle();
    expect(simulation.voltage(station('rtu-01-a').busbar.node)! - before).toBeGreaterThan(0.2);
    while (simulation.moveTap(transformer!, 'higher'));
    expect(simulation.tap(transformer!.mRID)).toBe(transformer!.ratioTapChanger!.lowStep);
  });

  test('the regulator brings the voltage back unless it is switched to manual', () => {
    for (const automatic of [true, false]) {
      const simulation = new GridSimulation(grid, { seed: 1, start: NOON });
      const { transformer } = bay('rtu-01-110', 'E02');
      simulation.setRegulated(transformer!.mRID, automatic);
      for (let i = 0; i < 3; i++) simulation.moveTap(transformer!, 'higher');
      for (let second = 0; second < 400; second += 10) simulation.step(10);
      const off = Math.abs(simulation.voltage(station('rtu-01-a').busbar.node)! - 20.4);
      if (automatic) expect(off).toBeLessThan(0.3);
      else expect(off).toBeGreaterThan(0.5);
    }
  });

  test('a set-point curtails a plant and is confined to what the plant can do', () => {
    const simulation = new GridSimulation(grid, { seed: 1, start: NOON });
    const plant = bay('rtu-10', 'G1');
    const output = (): number => -simulation.flow(plant.terminal!)!.p;
    expect(output()).toBeGreaterThan(0.05);
    simulation.setSetPoint(plant.equipment!, 0.02);
    simulation.settle();
    expect(output()).toBeCloseTo(0.02, 9);
    simulation.setSetPoint(plant.equipment!, 99);
    expect(simulation.setPoint(plant.equipment!)).toBe(plant.converter!.maxP);
  });

  test('a battery empties, and then gives nothing', () => {
    const simulation = new GridSimulation(grid, { seed: 1, start: NOON });
    const battery = bay('rtu-05', 'G2');
    expect(battery.converter!.unit).toBe('BatteryUnit');
    simulation.setSetPoint(battery.equipment!, battery.converter!.maxP);
    simulation.settle();
    expect(-simulation.flow(battery.terminal!)!.p).toBeCloseTo(0.6, 9);
    for (let i = 0; i < 70; i++) simulation.step(60);
    expect(simulation.charge(battery.equipment!)).toBe(0);
    expect(simulation.flow(battery.terminal!)!.p).toBeCloseTo(0, 9);
  });

  test('energy counters add up what has flowed', () => {
    const simulation = new GridSimulation(grid, { seed: 1, start: NOON });
    const { terminal } = bay('rtu-01-a', 'J02');
    let sum = 0;
    for (let second = 0; second < 60; second++) {
      simulation.step(1);
      sum += simulation.flow(terminal!)!.p / 3600;
    }
    expect(simulation.energy(terminal!).forward).toBeCloseTo(sum, 9);
    expect(simulation.energy(terminal!).reverse).toBe(0);
  });
});

describe('profiles and noise', () => {
  test('the sun shines by day and not by night, more in June than in December', () => {
    expect(clearSkyShare(Date.UTC(2026, 5, 21, 0))).toBe(0);
    expect(clearSkyShare(Date.UTC(2026, 5, 21, 12))).toBeGreaterThan(2 * clearSkyShare(Date.UTC(2026, 11, 21, 12)));
  });

  test('households peak in the evening, industry on working days', () => {
    const at = (hour: number, day = 17) => Date.UTC(2026, 5, day, hour);
    expect(loadShare('residential', at(19))).toBeGreaterThan(loadShare('residential', at(3)) * 2);
    expect(loadShare('commercialIndustrial', at(10, 21))).toBeLessThan(loadShare('commercialIndustrial', at(10)) * 0.6);
  });

  test('a turbine stands still in a calm and in a storm', () => {
    expect([1, 7, 15, 30].map(windShare)).toEqual([0, expect.closeTo(0.186, 2), 1, 0]);
  });

  test('a wandering value keeps its spread whatever the step', () => {
    for (const step of [1, 60]) {
      const wander = new Wander(randomStream(5, `spread/${step}`), 2, 30);
      let sum = 0;
      for (let i = 0; i < 20_000; i++) sum += wander.step(step) ** 2;
      expect(Math.sqrt(sum / 20_000)).toBeGreaterThan(1.6);
      expect(Math.sqrt(sum / 20_000)).toBeLessThan(2.4);
    }
  });
});
