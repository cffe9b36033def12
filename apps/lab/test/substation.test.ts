import type { OperateOptions, OperateOutcome } from '@enerchain/iec61850';
import { describe, expect, test } from 'vitest';
import { placesOf, readSubstation } from '../src/substation/scd.ts';
import { positionOf } from '../src/substation/values.ts';
import { brunnfeld } from './substation.ts';

describe('the SCD of the primary substation', () => {
  test('has six IEDs, and every logical node of the process stands at equipment of the lab grid', async () => {
    const { scl, models } = readSubstation();
    expect([...models.keys()]).toEqual(['BRN_E03', 'BRN_T2', 'BRN_J10', 'BRN_J11', 'BRN_J12', 'BRN_J09']);
    const { simulation } = await brunnfeld();
    const places = placesOf({ scl }, simulation.grid.model);
    const names = new Map(simulation.grid.model.equipment.map(({ mRID, name }) => [mRID, name]));
    const at = (node: string): string | undefined => names.get(places.get(node)?.equipment ?? '');
    expect(at('BRN_J11/CTRL/Q0XCBR1')).toBe('J11 Q0');
    expect(at('BRN_J11/CTRL/Q8XSWI1')).toBe('J11 Q8');
    expect(at('BRN_E03/CTRL/Q1CSWI1')).toBe('E03 Q1');
    expect(at('BRN_T2/CTRL/YLTC1')).toBe('Transformer T2');
    for (const [node, place] of places) expect(place.equipment ?? place.bay, node).toBeDefined();
  });

  test('has data sets of dozens of members', () => {
    const { models } = readSubstation();
    const sets = models.get('BRN_J11')!.devices.flatMap(({ nodes }) => nodes.flatMap(({ ln }) => ln.dataSets));
    expect(sets.reduce((sum, { fcdas }) => sum + fcdas.length, 0)).toBeGreaterThan(60);
  });
});

describe('a bay unit', () => {
  test('measures its bay: three phases that add up to what flows in the grid', async () => {
    const { value, simulation, bay } = await brunnfeld();
    const flow = simulation.flow(bay('J11').terminal!)!;
    expect(value('BRN_J11MEAS/MMXU1.TotW.mag.f', 'MX')).toBeCloseTo(flow.p * 1e6, -1);
    const phases = ['phsA', 'phsB', 'phsC'].map((phase) =>
      Number(value(`BRN_J11MEAS/MMXU1.W.${phase}.cVal.mag.f`, 'MX')),
    );
    expect(phases.reduce((sum, each) => sum + each)).toBeCloseTo(flow.p * 1e6, -1);
    expect(value('BRN_J11MEAS/MMXU1.A.phsA.cVal.mag.f', 'MX')).toBeCloseTo(flow.i, 2);
    expect(value('BRN_J11MEAS/MMXU1.PPV.phsAB.cVal.mag.f', 'MX')).toBeGreaterThan(19_500);
  });

  test('tells a value when it has left its dead band, and what it is now all the time', async () => {
    const { substation, simulation, value } = await brunnfeld();
    const at = 'BRN_J12MEAS/MMXU1.TotW';
    const told = value(`${at}.mag.f`, 'MX');
    for (let second = 0; second < 5; second++) simulation.step(1);
    substation.scan();
    expect(value(`${at}.mag.f`, 'MX')).toBe(told);
    expect(value(`${at}.instMag.f`, 'MX')).not.toBe(told);
  });

  test('opens its breaker: selected, intermediate on the way, terminated, and the feeder is dead', async () => {
    const { connect, clock, simulation, bay, value } = await brunnfeld();
    const client = await connect('BRN_J11');
    const operating = client.operate('BRN_J11CTRL/Q0CSWI1.Pos', { kind: 'boolean', value: false });
    await clock.advance(10);
    expect(value('BRN_J11CTRL/Q0CSWI1.Pos.stSeld')).toBe(true);
    expect(value('BRN_J11CTRL/Q0CSWI1.OpOpn.general')).toBe(true);
    expect(simulation.isClosed(bay('J11').switches[0]!.mRID)).toBe(true);
    await clock.advance(200);
    expect(await operating).toMatchObject({ ok: true, model: 'sbo-enhanced' });
    expect(simulation.flow(bay('J11').terminal!)).toMatchObject({ i: 0 });
    expect(value('BRN_J11CTRL/Q0XCBR1.OpCnt.stVal')).toBe(1);
    // Category remote-control: the client has said so.
    expect(value('BRN_J11CTRL/Q0CSWI1.Pos.origin.orCat')).toBe(3);
    expect(value('BRN_J11CTRL/Q0CSWI1.OpOpn.general')).toBe(false);
    await client.close();
  });
});

/** A client that operates switches of one unit, in virtual time. */
async function operatorOf(station: Awaited<ReturnType<typeof brunnfeld>>, name: string) {
  const client = await station.connect(name);
  return async (switchCode: string, close: boolean, options: OperateOptions = {}): Promise<OperateOutcome> => {
    const outcome = client.operate(`${name}CTRL/${switchCode}CSWI1.Pos`, { kind: 'boolean', value: close }, options);
    await station.clock.advance(5_000);
    return outcome;
  };
}

describe('interlocking', () => {
  test('an earthing switch closes on an open feeder without voltage only, and keeps the breaker open then', async () => {
    const station = await brunnfeld();
    const operate = await operatorOf(station, 'BRN_J11');
    const blocked = { ok: false, step: 'select', addCause: 'blocked-by-interlocking' };
    expect(await operate('Q8', true)).toMatchObject(blocked);
    expect(await operate('Q0', false)).toMatchObject({ ok: true });
    expect(station.value('BRN_J11CTRL/Q8CILO1.EnaCls.stVal')).toBe(true);
    expect(await operate('Q8', true)).toMatchObject({ ok: true });
    expect(station.value('BRN_J11CTRL/Q0CILO1.EnaCls.stVal')).toBe(false);
    expect(await operate('Q0', true)).toMatchObject(blocked);
    expect(await operate('Q8', false)).toMatchObject({ ok: true });
    expect(await operate('Q0', true)).toMatchObject({ ok: true });
  });

  test('a disconnector does not break load', async () => {
    const operate = await operatorOf(await brunnfeld(), 'BRN_E03');
    expect(await operate('Q1', false)).toMatchObject({ addCause: 'blocked-by-interlocking' });
    expect(await operate('Q0', false)).toMatchObject({ ok: true });
    expect(await operate('Q1', false)).toMatchObject({ ok: true });
  });

  test('is passed over by those who ask for no check; then who closes onto earth has a short circuit, and a trip', async () => {
    const station = await brunnfeld();
    const operate = await operatorOf(station, 'BRN_J11');
    await operate('Q0', false);
    await operate('Q8', true);
    await operate('Q0', true, { interlockCheck: false });
    expect(station.contacts).toContain('J11/trip true');
    expect(station.simulation.isClosed(station.bay('J11').switches[0]!.mRID)).toBe(false);
  });
});

describe('authority and mode', () => {
  test('a station in local control refuses those who are far away, and takes those who stand there', async () => {
    const station = await brunnfeld();
    const operate = await operatorOf(station, 'BRN_J11');
    station.flags.add('local');
    station.substation.scan();
    expect(station.value('BRN_J11CTRL/LLN0.LocKey.stVal')).toBe(true);
    expect(await operate('Q0', false)).toMatchObject({ addCause: 'blocked-by-switching-hierarchy' });
    const origin = { category: 'bay-control', identification: new Uint8Array(0) } as const;
    expect(await operate('Q0', false, { origin })).toMatchObject({ ok: true });
  });

  test('in test it takes test commands only, and marks what it says; test and blocked moves nothing', async () => {
    const station = await brunnfeld();
    const operate = await operatorOf(station, 'BRN_J11');
    const client = await station.connect('BRN_J11');
    const mode = async (value: number): Promise<void> => {
      const done = client.operate('BRN_J11CTRL/LLN0.Mod', { kind: 'integer', value });
      await station.clock.advance(100);
      expect(await done).toMatchObject({ ok: true });
    };
    expect(await operate('Q0', false, { test: true })).toMatchObject({ addCause: 'blocked-by-mode' });
    await mode(4);
    expect(station.value('BRN_J11CTRL/Q0CSWI1.Beh.stVal')).toBe(4);
    const { quality } = { quality: station.value('BRN_J11CTRL/Q0XCBR1.Pos.q') as { bytes: Uint8Array } };
    expect(quality.bytes[1]! & 0x10).toBe(0x10);
    expect(await operate('Q0', false)).toMatchObject({ addCause: 'blocked-by-mode' });
    expect(await operate('Q0', false, { test: true })).toMatchObject({ ok: true });
    expect(positionOf(station.ied('BRN_J11').server.value('BRN_J11CTRL/Q0XCBR1.Pos.stVal', 'ST'))).toBe('on');
    await mode(1);
    expect(await operate('Q0', false)).toMatchObject({ ok: true });
  });
});

describe('the transformer unit', () => {
  test('steps by command, and goes into manual with it', async () => {
    const station = await brunnfeld();
    const { simulation, clock, bay } = station;
    const client = await station.connect('BRN_T2');
    const { mRID } = bay('E03').transformer!;
    const before = simulation.tap(mRID);
    const higher = client.operate('BRN_T2CTRL/ATCC1.TapChg', {
      kind: 'bitString',
      value: { length: 2, bytes: Uint8Array.of(0x80) },
    });
    await clock.advance(100);
    expect(station.value('BRN_T2CTRL/YLTC1.TapChg.valWTr.transInd')).toBe(true);
    await clock.advance(2_000);
    expect(await higher).toMatchObject({ ok: true, model: 'direct-enhanced' });
    expect(simulation.tap(mRID)).toBe(before - 1);
    expect(station.value('BRN_T2CTRL/ATCC1.Auto.stVal')).toBe(false);
    expect(simulation.isRegulated(mRID)).toBe(false);
  });

  test('regulates to what its settings say', async () => {
    const station = await brunnfeld();
    const { simulation, substation } = station;
    const client = await station.connect('BRN_T2');
    await client.write('BRN_T2CTRL/ATCC1.BndCtr.setMag.f', 'SP', { kind: 'float', value: 19_800 });
    for (let i = 0; i < 40; i++) {
      substation.scan();
      simulation.step(30);
    }
    const node = station.bay('J10').switches[0]!.terminals[0]!.connectivityNode;
    expect(Math.abs(simulation.voltage(node)! - 19.8)).toBeLessThan(0.3);
  });
});
