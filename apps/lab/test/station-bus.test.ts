import { decodeFrame, formatMac, memoryLan } from '@enerchain/ethernet';
import { localAddress } from '@enerchain/iec61850';
import { describe, expect, test } from 'vitest';
import { brunnfeld } from './substation.ts';

type Station = Awaited<ReturnType<typeof brunnfeld>>;
const closed = ({ simulation, bay }: Station, code: string): boolean =>
  simulation.isClosed(bay(code).switches[0]!.mRID);
const busbar = ({ bay }: Station): string => bay('J10').switches[0]!.terminals[0]!.connectivityNode;

describe('the station bus', () => {
  test('carries what the SCD has each IED publish, and everybody hears its neighbours', async () => {
    const station = await brunnfeld();
    for (const ied of station.substation.ieds) {
      for (const { at } of ied.nodes('LGOS')) {
        expect(ied.server.value(ied.reference(`${at}.St.stVal`), 'ST').value, `${ied.name} ${at}`).toBe(true);
        expect(ied.server.value(ied.reference(`${at}.NdsCom.stVal`), 'ST').value).toBe(false);
      }
    }
  });

  test('a neighbour that falls silent is told, and what rests on it is out of service', async () => {
    let silent = false;
    const station = await brunnfeld({ carry: (_frame, from) => (silent && from === 'BRN_J11' ? [] : [0]) });
    silent = true;
    await station.clock.advance(10_000);
    expect(station.value('BRN_J10LD0/LGOS1.St.stVal')).toBe(false);
    expect(station.value('BRN_J10LD0/LGOS2.St.stVal')).toBe(true);
    expect(station.value('BRN_J10PROT/PTOC2.Blk.stVal')).toBe(true);
    silent = false;
    await station.clock.advance(2_000);
    expect(station.value('BRN_J10LD0/LGOS1.St.stVal')).toBe(true);
    expect(station.value('BRN_J10PROT/PTOC2.Blk.stVal')).toBe(false);
  });
});

test('an uplink carries out what every IED publishes', async () => {
  const outside = memoryLan();
  const [port, listener] = [outside.station('eth1'), outside.station('listener')];
  const heard = new Map<string, number>();
  listener.listen((frame) => {
    const { source } = decodeFrame(frame);
    heard.set(formatMac(source), (heard.get(formatMac(source)) ?? 0) + 1);
  });
  const station = await brunnfeld({ uplink: port });
  await station.clock.advance(3_000);
  expect([...heard.keys()].sort()).toEqual(
    ['BRN_E03', 'BRN_J09', 'BRN_J10', 'BRN_J11', 'BRN_J12', 'BRN_T2'].map((ied) => formatMac(localAddress(ied))).sort(),
  );
});

describe('reverse blocking', () => {
  test('a fault on the busbar is cleared by the incomer at once: no feeder sees it', async () => {
    const station = await brunnfeld();
    station.simulation.startFault({ node: busbar(station) });
    station.settle();
    await station.clock.advance(250);
    expect(station.value('BRN_J10PROT/PTOC2.Op.general')).toBe(false);
    expect(closed(station, 'J10')).toBe(false);
    expect(closed(station, 'E03')).toBe(true);
  });

  test('a fault on a feeder that is as large is left to the feeder', async () => {
    const station = await brunnfeld();
    const { simulation, bay, value, clock } = station;
    simulation.startFault({ terminal: bay('J11').terminal!, distance: 0.3 });
    station.settle();
    expect(simulation.flow(bay('J10').terminal!)!.i).toBeGreaterThan(2_000);
    await clock.advance(20);
    expect(value('BRN_J10PROT/PTOC2.Str.general')).toBe(true);
    expect(value('BRN_J10PROT/PTOC2.Blk.stVal')).toBe(true);
    await clock.advance(1_000);
    expect(closed(station, 'J11')).toBe(false);
    expect(closed(station, 'J10')).toBe(true);
    expect(value('BRN_J10PROT/PTOC2.Blk.stVal')).toBe(false);
  });

  test('without hearing every feeder the incomer waits: its backup clears the busbar', async () => {
    const station = await brunnfeld({ carry: (_frame, from) => (from === 'BRN_J12' ? [] : [0]) });
    station.simulation.startFault({ node: busbar(station) });
    station.settle();
    await station.clock.advance(600);
    expect(closed(station, 'J10')).toBe(true);
    await station.clock.advance(500);
    expect(closed(station, 'J10')).toBe(false);
  });
});

test('a breaker that fails has the breakers around it trip', async () => {
  const station = await brunnfeld();
  const { simulation, bay, switchgear, clock, value } = station;
  simulation.setSwitch(bay('J09').switches[0]!.mRID, true);
  switchgear.setStuck(bay('J11').switches[0]!.mRID, true);
  simulation.startFault({ terminal: bay('J11').terminal!, distance: 0.5 });
  station.settle();
  // Both transformers feed it: the close-in stage trips after 50 ms, and the breaker has 200 ms.
  await clock.advance(280);
  expect(value('BRN_J11PROT/RBRF1.OpEx.general')).toBe(true);
  expect(closed(station, 'J10')).toBe(true);
  await clock.advance(100);
  expect(closed(station, 'J11')).toBe(true);
  expect(closed(station, 'J10')).toBe(false);
  expect(closed(station, 'J09')).toBe(false);
  expect(simulation.isFaulted).toBe(false);
  await clock.advance(2_000);
  expect(value('BRN_J11PROT/RBRF1.OpEx.general')).toBe(false);
});

test('a fault in the transformer opens both its sides', async () => {
  const station = await brunnfeld();
  station.simulation.startFault({ terminal: station.bay('E03').terminal! });
  station.settle();
  await station.clock.advance(200);
  expect(closed(station, 'E03')).toBe(false);
  expect(closed(station, 'J10')).toBe(false);
  expect(station.simulation.isFaulted).toBe(false);
});

describe('interlocking over the station bus', () => {
  test('the bus coupler closes only while an incomer is open', async () => {
    const station = await brunnfeld();
    const client = await station.connect('BRN_J09');
    const close = async () => {
      const outcome = client.operate('BRN_J09CTRL/Q0CSWI1.Pos', { kind: 'boolean', value: true });
      await station.clock.advance(1_000);
      return outcome;
    };
    expect(await close()).toMatchObject({ ok: false, addCause: 'blocked-by-interlocking' });
    void station.switchgear.move(station.bay('J10').switches[0]!.mRID, false, {});
    await station.clock.advance(200);
    expect(station.value('BRN_J09CTRL/Q0CILO1.EnaCls.stVal')).toBe(true);
    expect(await close()).toMatchObject({ ok: true });
    // And the incomer not while the coupler is closed.
    expect(station.value('BRN_J10CTRL/Q0CILO1.EnaCls.stVal')).toBe(false);
  });

  test('a position that is not heard, or in test, releases nothing', async () => {
    let silent = false;
    const station = await brunnfeld({ carry: (_frame, from) => (silent && from === 'BRN_J10' ? [] : [0]) });
    void station.switchgear.move(station.bay('J10').switches[0]!.mRID, false, {});
    await station.clock.advance(200);
    expect(station.value('BRN_J09CTRL/Q0CILO1.EnaCls.stVal')).toBe(true);
    const client = await station.connect('BRN_J10');
    const test = client.operate('BRN_J10CTRL/LLN0.Mod', { kind: 'integer', value: 3 });
    await station.clock.advance(100);
    expect(await test).toMatchObject({ ok: true });
    expect(station.value('BRN_J09CTRL/Q0CILO1.EnaCls.stVal')).toBe(false);
    const on = client.operate('BRN_J10CTRL/LLN0.Mod', { kind: 'integer', value: 1 });
    await station.clock.advance(100);
    expect(await on).toMatchObject({ ok: true });
    expect(station.value('BRN_J09CTRL/Q0CILO1.EnaCls.stVal')).toBe(true);
    silent = true;
    await station.clock.advance(10_000);
    expect(station.value('BRN_J09CTRL/Q0CILO1.EnaCls.stVal')).toBe(false);
  });
});
