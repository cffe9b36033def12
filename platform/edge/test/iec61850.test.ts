/** The IEC 61850 connector with a server in the same process: points, reports and commands from an SCL file alone. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ControlHandler } from '@enerchain/iec61850';
import { type Command, newMrid, QUALITY, TIME_QUALITY } from '@enerchain/model';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ctlValOf } from '../src/connectors/iec61850/order.ts';
import { dbpos, float, Iec61850Station, q } from './iec61850-station.ts';

let station: Iec61850Station;
beforeEach(() => {
  station = new Iec61850Station();
});
afterEach(() => station.close());

describe('points of an SCL file', () => {
  test('are what data sets hold, what else has a value, and what can be operated, with their meaning', () => {
    const { points } = station.site(102);
    expect(
      points.map(({ point, binding }) => [
        point.name,
        point.kind,
        point.cdc,
        point.measurementType,
        point.phases,
        binding.access,
      ]),
    ).toEqual([
      ['BCU1CTRL/XCBR1.Pos', 'discrete', 'DPS', 'SwitchPosition', undefined, 'read'],
      ['BCU1CTRL/GGIO1.Alm1', 'discrete', 'SPS', undefined, undefined, 'read'],
      ['BCU1CTRL/MMXU1.TotW', 'analog', 'MV', 'ThreePhaseActivePower', undefined, 'read'],
      ['BCU1CTRL/MMXU1.A.phsA', 'analog', 'CMV', 'LineCurrent', 'A', 'read'],
      ['BCU1CTRL/MMXU1.A.phsB', 'analog', 'CMV', 'LineCurrent', 'B', 'read'],
      ['BCU1CTRL/CSWI1.Pos', 'discrete', 'DPC', 'SwitchPosition', undefined, 'read'],
      ['BCU1CTRL/CSWI1.Pos control', 'command', 'DPC', 'SwitchPosition', undefined, 'control'],
    ]);
    expect(points.at(-1)!.point).toMatchObject({
      ctlModel: 'sbo',
      description: 'Feeder 1',
      objectReference: 'BCU1CTRL/CSWI1.Pos',
      feedback: points.at(-2)!.point.mRID,
    });
    expect(station.site(102, '    poll: false').points).toHaveLength(6);
  });

  test('take on what the site file says of them', () => {
    const { points } = station.site(
      102,
      '    points: [{ object: BCU1CTRL/MMXU1.TotW, attribute: mag.f, name: Feeder P, k: 0.001, multiplier: k }]',
    );
    expect(points).toHaveLength(7);
    expect(points.find(({ point }) => point.name === 'Feeder P')).toMatchObject({
      k: 0.001,
      point: { kind: 'analog', unitSymbol: 'W', unitMultiplier: 'k' },
    });
  });

  test('a file or a device that is not there is told with the place', () => {
    expect(() => station.site(102, '    ied: BCU9')).toThrow(/has no IED BCU9; it has BCU1/);
    writeFileSync(join(station.folder, 'station.scd'), '<svg/>');
    expect(() => station.site(102)).toThrow(/the outermost element is <svg>/);
  });
});

describe('the connector', () => {
  test('all that is, then every change, with quality and time as the device has them', async () => {
    const port = await station.serve();
    const at = { seconds: 1_768_478_400, fraction: 0x80_0000, quality: 0x2a };
    station.server.update('BCU1CTRL/XCBR1.Pos', { stVal: dbpos(2), q: q(0, 0), t: { kind: 'utcTime', value: at } });
    station.connect(station.site(port));
    await station.until(
      () => station.intake.log.includes('synchronized') && station.intake.taken.length >= 5,
      'the state',
    );
    // The block has kept the change from before; interrogated, the device says it again.
    expect(station.seen('BCU1CTRL/XCBR1.Pos').map(({ cause }) => cause)).toEqual(['spontaneous', 'interrogation']);
    expect(station.seen('BCU1CTRL/XCBR1.Pos')[1]).toEqual({
      name: 'BCU1CTRL/XCBR1.Pos',
      value: 2,
      quality: QUALITY.good,
      sourceTime: 1_768_478_400_500_000_000n,
      timeQuality: TIME_QUALITY.clockNotSynchronized | 10,
      cause: 'interrogation',
    });
    expect(station.seen('BCU1CTRL/MMXU1.TotW')[0]).toMatchObject({ value: 0, cause: 'interrogation' });
    station.intake.taken.length = 0;
    // questionable, oldData, substituted: validity 11, bits 7 and 10.
    station.server.update('BCU1CTRL/GGIO1.Alm1', {
      stVal: { kind: 'boolean', value: true },
      q: q(0b1100_0001, 0b0010_0000),
    });
    station.server.update('BCU1CTRL/MMXU1.A', { 'phsB.cVal.mag.f': float(42.5) });
    await station.until(() => station.intake.taken.length >= 3, 'the changes');
    expect(station.seen('BCU1CTRL/GGIO1.Alm1').at(-1)).toMatchObject({
      value: 1,
      quality: QUALITY.questionable | QUALITY.oldData | QUALITY.substituted,
      // The member has no time of its own: the one of the report stands for it.
      timeQuality: 31,
      cause: 'spontaneous',
    });
    expect(station.seen('BCU1CTRL/MMXU1.A.phsB')).toMatchObject([{ value: 42.5 }]);
  });

  test('what happened while the gateway was away comes afterwards, once', async () => {
    const port = await station.serve();
    const endpoint = station.site(port);
    const first = station.connect(endpoint);
    await station.until(
      () => station.intake.log.includes('synchronized') && station.intake.taken.length >= 5,
      'the state',
    );
    station.server.update('BCU1CTRL/GGIO1.Alm1', { stVal: { kind: 'boolean', value: true } });
    await station.until(
      () => station.seen('BCU1CTRL/GGIO1.Alm1').length === 2 && station.intake.held.length === 0,
      'the first change, on disk',
    );
    await first.stop();
    expect(Object.keys(JSON.parse(readFileSync(join(station.folder, 'iec61850', 'bcu1.json'), 'utf8')))).toEqual([
      'BCU1CTRL/LLN0.BR.events01',
    ]);
    station.server.update('BCU1CTRL/GGIO1.Alm1', { stVal: { kind: 'boolean', value: false } });
    station.server.update('BCU1CTRL/GGIO1.Alm1', { stVal: { kind: 'boolean', value: true } });
    station.connect(endpoint);
    await station.until(() => station.seen('BCU1CTRL/GGIO1.Alm1').length >= 3, 'what was buffered');
    expect(station.seen('BCU1CTRL/GGIO1.Alm1').map(({ value, cause }) => [value, cause])).toEqual([
      [0, 'spontaneous'],
      [1, 'spontaneous'],
      [1, 'interrogation'],
    ]);
  });

  test('a device that restarts is connected again; the entry it no longer knows is a gap', async () => {
    const port = await station.serve();
    station.connect(station.site(port));
    await station.until(
      () => station.intake.log.includes('synchronized') && station.intake.taken.length >= 5,
      'the state',
    );
    await station.server.close();
    await station.until(() => station.intake.log.some((line) => line.startsWith('lost')), 'the loss');
    await station.serve({ port });
    await station.until(
      () => station.intake.log.filter((line) => line === 'synchronized').length === 2,
      'the state again',
    );
    expect(station.intake.log.some((line) => line.startsWith('overflowed'))).toBe(true);
  });

  test('a command is carried out as the device wants it, and its end is told', async () => {
    let objection: 'blocked-by-interlocking' | undefined;
    const done: unknown[] = [];
    const handler: ControlHandler = {
      check: () => objection,
      operate: ({ ctlVal, model: how }) => void done.push([ctlVal.value, how]),
    };
    const port = await station.serve({ controls: { 'BCU1CTRL/CSWI1.Pos': handler } });
    const endpoint = station.site(port);
    const connector = station.connect(endpoint);
    await station.until(() => station.intake.log.includes('synchronized'), 'the state');
    const point = endpoint.points.at(-1)!;
    const order = async (action: 'select' | 'operate' | 'cancel', value: number) => {
      const steps: (string | undefined)[][] = [];
      const command = { id: newMrid(), action, value, test: false } as unknown as Command;
      await connector.operate({ command, point }, (step, reason) =>
        steps.push(reason === undefined ? [step] : [step, reason]),
      );
      return steps;
    };
    expect(await order('operate', 2)).toEqual([['operateSent', 'BCU1CTRL/CSWI1.Pos'], ['confirmed'], ['terminated']]);
    expect(done).toEqual([[true, 'sbo-enhanced']]);
    expect(await order('select', 1)).toEqual([['selected']]);
    expect(await order('cancel', 1)).toEqual([['cancelled']]);
    objection = 'blocked-by-interlocking';
    expect(await order('operate', 1)).toEqual([
      ['operateSent', 'BCU1CTRL/CSWI1.Pos'],
      ['selectRefused', 'AddCause blocked-by-interlocking'],
    ]);
    expect(await order('operate', 5)).toEqual([['refusedByEdge', 'DPC takes 1 (off) or 2 (on), not 5']]);
    expect(done).toHaveLength(1);
  });

  test('a set-point goes into the structure that the device has for it', () => {
    const type = {
      kind: 'structure',
      value: {
        packed: false,
        components: [{ name: 'f', type: { kind: 'float', value: { format: 32, exponent: 8 } } }],
      },
    } as const;
    expect(ctlValOf('APC', type, 12.5)).toEqual({ kind: 'structure', value: [{ kind: 'float', value: 12.5 }] });
    expect(ctlValOf('INC', { kind: 'integer', value: 32 }, 1.5)).toBe('INC takes a whole number, not 1.5');
  });
});
