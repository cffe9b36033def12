import { VirtualClock } from '@enerchain/transport/testing';
import { describe, expect, test } from 'vitest';
import { BreakerFailure, Stage } from '../src/substation/protection.ts';
import { brunnfeld } from './substation.ts';

describe('a stage', () => {
  const staged = (when: 'over' | 'under' = 'over') => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const stage = new Stage({
      clock,
      pickUp: () => 100,
      delay: () => 300,
      when,
      onChange: ({ started, operated, blocked }) => {
        log.push([started && 'started', operated && 'operated', blocked && 'blocked'].filter(Boolean).join());
      },
    });
    return { clock, stage, log };
  };

  test('starts, operates after its delay, and drops off well below its pick-up', async () => {
    const { clock, stage, log } = staged();
    stage.see(99);
    stage.see(100);
    await clock.advance(299);
    expect(stage.operated).toBe(false);
    await clock.advance(1);
    stage.see(96);
    stage.see(94);
    expect(log).toEqual(['started', 'started,operated', '']);
  });

  test('that drops off in time does not operate', async () => {
    const { clock, stage } = staged();
    stage.see(500);
    await clock.advance(200);
    stage.see(0);
    await clock.advance(1000);
    expect(stage.operated).toBe(false);
  });

  test('that is blocked starts and does not operate, until it is released', async () => {
    const { clock, stage, log } = staged();
    stage.block(true);
    stage.see(500);
    await clock.advance(1000);
    expect(log).toEqual(['blocked', 'started,blocked']);
    stage.block(false);
    await clock.advance(300);
    expect(stage.operated).toBe(true);
  });

  test('of undervoltage starts below', () => {
    const { stage, log } = staged('under');
    for (const value of [120, 99, 104, 106]) stage.see(value);
    expect(log).toEqual(['started', '']);
  });
});

test('a breaker that fails is told once more, then its neighbours are; one that opens is not', async () => {
  for (const fails of [true, false]) {
    const clock = new VirtualClock();
    let failed = true;
    const log: string[] = [];
    const failure = new BreakerFailure({
      clock,
      delay: () => 200,
      failed: () => failed,
      onChange: ({ started, internal, external }) =>
        log.push([started && 'Str', internal && 'OpIn', external && 'OpEx'].filter(Boolean).join()),
    });
    failure.tripped();
    await clock.advance(50);
    failed = fails;
    await clock.advance(300);
    expect(log).toEqual(fails ? ['Str', 'Str,OpIn', 'Str,OpIn,OpEx'] : ['Str', '']);
    failure.reset();
    expect(failure.started).toBe(false);
  }
});

describe('protection in the grid', () => {
  test('a short circuit on a feeder: start, trip after its time, the feeder is dead, the incomer stays', async () => {
    const station = await brunnfeld();
    const { simulation, clock, bay, value, contacts } = station;
    const end = simulation.startFault({ terminal: bay('J11').terminal!, distance: 0.5 });
    station.settle();
    expect(value('BRN_J11PROT/PTOC1.Str.general')).toBe(true);
    expect(value('BRN_J10PROT/PTOC1.Str.general')).toBe(true);
    expect(Number(value('BRN_J11MEAS/MMXU1.A.phsA.cVal.mag.f', 'MX'))).toBeGreaterThan(2_000);
    await clock.advance(310);
    expect(value('BRN_J11PROT/PTOC1.Op.general')).toBe(true);
    expect(value('BRN_J11PROT/PTRC1.Tr.general')).toBe(true);
    await clock.advance(100);
    expect(simulation.isClosed(bay('J11').switches[0]!.mRID)).toBe(false);
    expect(value('BRN_J10PROT/PTOC1.Str.general')).toBe(false);
    await clock.advance(2_000);
    expect(value('BRN_J11PROT/PTRC1.Tr.general')).toBe(false);
    expect(value('BRN_J11PROT/RBRF1.OpEx.general')).toBe(false);
    expect(value('BRN_J11PROT/RDRE1.FltNum.stVal')).toBe(1);
    expect(simulation.isClosed(bay('J10').switches[0]!.mRID)).toBe(true);
    expect(contacts).toEqual([
      ...['E03/start true', 'J10/start true', 'J11/start true', 'J11/trip true'],
      ...['E03/start false', 'J10/start false', 'J11/start false'],
    ]);
    end();
  });

  test('in a transformer: differential, and nothing at a fault beyond it', async () => {
    const station = await brunnfeld();
    const end = station.simulation.startFault({ node: station.bay('J10').switches[0]!.terminals[0]!.connectivityNode });
    station.settle();
    expect(station.value('BRN_T2PROT/PDIF1.Str.general')).toBe(false);
    end();
    station.simulation.startFault({ terminal: station.bay('E03').terminal! });
    station.settle();
    expect(station.value('BRN_T2PROT/PDIF1.Str.general')).toBe(true);
    await station.clock.advance(40);
    expect(station.value('BRN_T2PROT/PTRC1.Tr.general')).toBe(true);
  });

  test('a blocked unit decides and does not trip', async () => {
    const station = await brunnfeld();
    const client = await station.connect('BRN_J11');
    const done = client.operate('BRN_J11PROT/LLN0.Mod', { kind: 'integer', value: 2 });
    await station.clock.advance(10);
    expect(await done).toMatchObject({ ok: true });
    station.simulation.startFault({ terminal: station.bay('J11').terminal!, distance: 0.5 });
    station.settle();
    await station.clock.advance(400);
    expect(station.value('BRN_J11PROT/PTOC1.Op.general')).toBe(true);
    expect(station.simulation.isClosed(station.bay('J11').switches[0]!.mRID)).toBe(true);
  });
});
