import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VirtualClock } from '@enerchain/transport/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { BreakerFailure, Stage } from '../src/substation/protection.ts';
import { float } from '../src/substation/values.ts';
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

describe('what is left of a fault', () => {
  test('a COMTRADE record that a client fetches, and entries in the log', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lab-records-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const station = await brunnfeld({ folder });
    station.simulation.startFault({ terminal: station.bay('J11').terminal!, distance: 0.5 });
    station.settle();
    await station.clock.advance(1_500);
    expect(station.value('BRN_J11PROT/RDRE1.RcdMade.stVal')).toBe(true);
    const client = await station.connect('BRN_J11');
    const [record, ...more] = await client.files.records('COMTRADE');
    expect(more).toEqual([]);
    const { cfg, dat } = await client.files.record(record!);
    const lines = Buffer.from(cfg ?? [])
      .toString()
      .split('\r\n');
    expect(lines[0]).toBe('Brunnfeld,BRN_J11,1999');
    expect(lines[1]).toBe('13,6A,7D');
    const rows = Buffer.from(dat ?? [])
      .toString()
      .trim()
      .split('\r\n');
    expect(lines[lines.indexOf('1') + 1]).toBe(`1000,${rows.length}`);
    // The fault current stands in it: peak of what the grid has let through, and nothing once the breaker is open.
    const scale = Number(lines[2]!.split(',')[5]);
    const peaks = rows.map((row) => Math.abs(Number(row.split(',')[2]) * scale));
    expect(Math.max(...peaks.slice(0, 90))).toBeLessThan(300);
    expect(Math.max(...peaks.slice(150, 400))).toBeGreaterThan(2_000 * Math.SQRT2);
    expect(Math.max(...peaks.slice(-60))).toBe(0);
    const column = (name: string) => 2 + lines.slice(2).findIndex((line) => line.includes(`,${name},`));
    const trip = rows.findIndex((row) => row.split(',')[column('PTRC1.Tr')] === '1');
    expect(trip).toBeGreaterThan(390);
    expect(trip).toBeLessThan(410);
    const entries = [];
    for await (const entry of client.logs.query('BRN_J11PROT/LLN0.EventLog', { from: Date.UTC(2026, 0) }))
      entries.push(entry);
    expect(entries.length).toBeGreaterThan(3);
    await client.close();
  });
});

test('the group of settings in effect is the one that protection goes by', async () => {
  const station = await brunnfeld();
  const client = await station.connect('BRN_J11');
  station.simulation.startFault({ terminal: station.bay('J11').terminal!, distance: 0.02 });
  station.settle();
  expect(station.value('BRN_J11PROT/PTOC2.Str.general')).toBe(true);
  const activating = client.settingGroups.activate('BRN_J11PROT', 2);
  await station.clock.advance(20);
  await activating;
  expect(station.ied('BRN_J11').setting('PROT/PTOC2.StrVal.setMag.f')).toBe(8_000);
  expect(station.value('BRN_J11PROT/PTOC2.Str.general')).toBe(false);
  await client.close();
});

test('settings and the group in effect outlast a restart of the lab', async () => {
  const settings = mkdtempSync(join(tmpdir(), 'lab-settings-'));
  onTestFinished(() => rmSync(settings, { recursive: true }));
  const pickup = 'BRN_J11PROT/PTOC2.StrVal.setMag.f';
  const first = await brunnfeld({ settings });
  const client = await first.connect('BRN_J11');
  await client.settingGroups.change('BRN_J11PROT', 2, [{ reference: pickup, value: float(7_000) }]);
  await client.settingGroups.activate('BRN_J11PROT', 2);
  await client.close();
  await first.substation.close();

  const second = await brunnfeld({ settings });
  expect(second.ied('BRN_J11').setting('PROT/PTOC2.StrVal.setMag.f')).toBe(7_000);
  const again = await second.connect('BRN_J11');
  expect(await again.settingGroups.info('BRN_J11PROT')).toMatchObject({ active: 2 });
  expect(await again.settingGroups.read('BRN_J11PROT', 1, [pickup])).not.toEqual([float(7_000)]);
  await again.close();
});
