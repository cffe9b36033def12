/** Points as measurements and controls of CIM's Operation profile, and back. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  type CimModel,
  checkModel,
  checkShacl,
  ModelBuilder,
  openShapes,
  PROFILE_URIS,
  readModel,
  writeFile,
} from '@enerchain/cim';
import { type Point, QUALITY } from '@enerchain/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { opFromPoints, pointsFromCim } from '../src/grid/op-points.ts';
import { qualityFromCim, qualityToCim } from '../src/grid/op-quality.ts';

const HEADER = {
  id: '11111111-1111-4111-8111-111111111111',
  created: '2026-01-01T00:00:00Z',
  scenarioTime: '2026-01-01T00:00:00Z',
  modelingAuthoritySet: 'http://utility.example/operation',
};
const id = (n: number): string => `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;

async function again(model: CimModel): Promise<CimModel> {
  const text = [...writeFile(model, 0)].join('');
  return readModel([
    {
      name: 'OP.xml',
      open: async function* () {
        yield Buffer.from(text);
      },
    },
  ]);
}
/** What OP keeps of a point. */
function kept({ cdc, limits, objectReference, ctlModel, staleAfter, alarmPriority, ...point }: Point): Point {
  const step = point.kind === 'command' && cdc === 'BSC' ? { cdc } : {};
  const values = limits?.map(({ kind, value }) => ({ kind, value, priority: 2 }));
  return { ...point, ...step, ...(values?.length ? { limits: values } : {}) };
}
const sorted = (points: readonly Point[]): Point[] => [...points].sort((a, b) => (a.mRID < b.mRID ? -1 : 1));

describe('points and the Operation profile', { timeout: 120_000 }, () => {
  const power: Point = {
    mRID: id(1),
    name: 'Nord/110kV/L1/P',
    description: 'active < power',
    kind: 'analog',
    cdc: 'MV',
    measurementType: 'ThreePhaseActivePower',
    phases: 'ABC',
    unitSymbol: 'W',
    unitMultiplier: 'M',
    terminal: id(100),
    equipment: id(101),
    positiveFlowIn: true,
    limits: [{ kind: 'high', value: 120, priority: 1, hysteresis: 2 }],
  };
  const position: Point = {
    mRID: id(2),
    name: 'Q0',
    kind: 'discrete',
    measurementType: 'SwitchPosition',
    equipment: id(102),
    valueAliases: { 0: 'intermediate', 1: 'off', 2: 'on', 3: 'bad' },
  };
  const command: Point = {
    mRID: id(3),
    name: 'Q0 command',
    kind: 'command',
    measurementType: 'SwitchPosition',
    equipment: id(102),
    feedback: id(2),
    normalValue: 2,
    valueAliases: position.valueAliases!,
  };
  const setpoint: Point = {
    mRID: id(4),
    name: 'P set',
    kind: 'setpoint',
    measurementType: 'ThreePhaseActivePower',
    unitSymbol: 'W',
    unitMultiplier: 'M',
    equipment: id(101),
    feedback: id(1),
    normalValue: 10,
    minimum: 0,
    maximum: 50.5,
  };
  const step: Point = {
    ...setpoint,
    mRID: id(5),
    name: 'tap',
    kind: 'command',
    cdc: 'BSC',
    valueAliases: { 0: 'lower', 1: 'raise' },
  };
  const { normalValue: _, ...raiseLower } = step;
  const energy: Point = {
    mRID: id(6),
    name: 'W',
    kind: 'accumulator',
    unitSymbol: 'Wh',
    unitMultiplier: 'k',
    equipment: id(101),
  };
  const note: Point = { mRID: id(7), name: 'note', kind: 'string', equipment: id(101) };
  const all = [power, position, command, setpoint, raiseLower, energy, note];

  it('a measurement of each kind and a control of each kind: written, read, the same but for what OP cannot say', async () => {
    const { model, leftOut } = opFromPoints(all, HEADER);
    expect(leftOut).toEqual([]);
    const read = await again(model);
    expect(read.files[0]!.header).toMatchObject({ id: `_${HEADER.id}`, profiles: ['OP'], created: HEADER.created });
    const { points, findings } = pointsFromCim(read);
    expect(findings.list).toEqual([]);
    expect(sorted(points)).toEqual(sorted(all.map(kept)));
    checkModel(read);
    // What OP refers to stands in EQ, which is not here.
    expect(Object.keys(read.findings.byCode).sort()).toEqual(['cim.dangling', 'cim.profile-missing']);
  });

  it('any points at all: those that CIM can say come back the same, the others are named', async () => {
    const point = fc.record(
      {
        name: fc
          .string({ minLength: 1, maxLength: 20, unit: fc.constantFrom('a', 'Ü', '/', '<', '&', ' ', '1') })
          .filter((name) => name === name.trim() && name !== ''),
        kind: fc.constantFrom('analog', 'discrete', 'accumulator', 'string', 'command', 'setpoint'),
        measurementType: fc.constantFrom('LineCurrent', 'Voltage'),
        phases: fc.constantFrom('ABC', 'A', 'CA', 'N'),
        unitSymbol: fc.constantFrom('W', 'V', 'furlong'),
        unitMultiplier: fc.constantFrom('k', 'M', 'micro'),
        terminal: fc.integer({ min: 200, max: 205 }).map(id),
        equipment: fc.integer({ min: 300, max: 305 }).map(id),
        positiveFlowIn: fc.boolean(),
        feedback: fc.integer({ min: 0, max: 9 }).map(id),
        normalValue: fc.integer({ min: -5, max: 5 }),
        minimum: fc.double({ noNaN: true, min: -1e6, max: 0 }).map((value) => value + 0),
        maximum: fc.double({ noNaN: true, min: 1, max: 1e6 }),
      },
      { requiredKeys: ['name', 'kind'] },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(point, { maxLength: 10 }), async (drawn) => {
        const points = drawn.map(
          ({ feedback, positiveFlowIn, normalValue, minimum, maximum, phases, terminal, ...each }, index) => {
            const control = each.kind === 'command' || each.kind === 'setpoint';
            return {
              ...each,
              mRID: id(index),
              ...(control
                ? { feedback, normalValue: normalValue ?? 0 }
                : { ...(phases ? { phases } : {}), ...(terminal ? { terminal } : {}) }),
              ...(each.kind === 'analog' && positiveFlowIn !== undefined ? { positiveFlowIn } : {}),
              ...(each.kind === 'setpoint' && minimum !== undefined ? { minimum } : {}),
              ...(each.kind === 'setpoint' && maximum !== undefined ? { maximum } : {}),
            } as Point;
          },
        );
        const { model, leftOut } = opFromPoints(points, HEADER);
        const gone = new Set(leftOut.map((each) => each.point));
        expect(leftOut.every(({ why }) => why.length > 10)).toBe(true);
        const come = pointsFromCim(await again(model));
        expect(come.findings.list).toEqual([]);
        const wanted = points.filter(({ mRID }) => !gone.has(mRID)).map((each) => JSON.parse(JSON.stringify(each)));
        expect(sorted(come.points)).toEqual(sorted(wanted));
        for (const each of points) {
          if (gone.has(each.mRID)) continue;
          expect(each.unitSymbol).not.toBe('furlong');
          if (each.kind !== 'command' && each.kind !== 'setpoint') expect(each.equipment).toBeDefined();
        }
      }),
      { numRuns: 150 },
    );
  });

  it('the equipment of a terminal comes from the grid; without a place or a feedback a point is left out with the reason', () => {
    const grid = {
      equipment: [
        { class: 'BusbarSection', mRID: id(50), name: 'B', terminals: [{ mRID: id(51), connectivityNode: id(52) }] },
      ],
    };
    const { equipment: __, ...lonely } = power;
    const made = opFromPoints(
      [
        { ...lonely, terminal: id(51) },
        { ...lonely, mRID: id(8) },
        { ...command, feedback: id(1) },
      ],
      HEADER,
      grid as never,
    );
    expect(made.leftOut).toEqual([
      { point: id(8), name: power.name, why: 'it belongs to nothing in the grid, and CIM wants that it does' },
      {
        point: id(3),
        name: 'Q0 command',
        why: 'CIM wants the discrete value it changes, and no such point is its feedback',
      },
    ]);
    const [point] = pointsFromCim(made.model).points;
    expect(point).toMatchObject({ terminal: id(51), equipment: id(50) });
  });

  it('what the platform has no word for is told with its place: multipliers, phases, limits by percentage, resets', () => {
    const builder = new ModelBuilder();
    builder.file('op.xml', { ...HEADER, profileUris: [PROFILE_URIS.OP] });
    const measurement = (key: string, multiplier: string, phases: string): void =>
      builder.object('Analog', key, {
        'IdentifiedObject.name': key,
        'Measurement.unitMultiplier': multiplier,
        'Measurement.unitSymbol': 'W',
        'Measurement.phases': phases,
      });
    measurement('_a', 'T', 'ABC');
    measurement('_b', 'k', 's12N');
    measurement('_c', 'k', 'none');
    builder.object('AnalogLimitSet', '_s', {
      'LimitSet.isPercentageLimits': true,
      'AnalogLimitSet.Measurements': ['_c'],
    });
    builder.object('AnalogLimit', '_l', {
      'IdentifiedObject.name': 'high',
      'AnalogLimit.value': 80,
      'AnalogLimit.LimitSet': '_s',
    });
    builder.object('AccumulatorReset', '_r', { 'IdentifiedObject.name': 'reset' });
    const { points, findings } = pointsFromCim(builder.build());
    expect(points).toMatchObject([{ name: '_c', unitSymbol: 'W', unitMultiplier: 'k' }]);
    expect(points[0]).not.toHaveProperty('limits');
    expect(findings.list.map(({ code, object, file }) => `${code} ${object} ${file}`)).toEqual([
      'op.limit _l op.xml',
      'op.unit _a op.xml',
      'op.phases _b op.xml',
      'op.class _r op.xml',
    ]);
  });

  it('Quality61850 both ways: every flag both have; what CIM lacks is lost', async () => {
    for (let quality = 0; quality < 1 << 15; quality += 37) {
      const builder = new ModelBuilder();
      builder.file('op.xml', { ...HEADER, profileUris: [PROFILE_URIS.OP] });
      const values = Object.entries(qualityToCim(quality)).map(([name, value]) => [`Quality61850.${name}`, value]);
      builder.object('MeasurementValueQuality', '_q', Object.fromEntries(values));
      const model = builder.build();
      const back = qualityFromCim(model, model.store.find('_q')!);
      const lost = QUALITY.inconsistent | QUALITY.inaccurate;
      // Reserved counts as invalid; substituted goes before defaulted.
      const wanted = (quality & 0b11) === 0b10 ? (quality & ~0b11) | QUALITY.invalid : quality;
      const source = wanted & QUALITY.substituted ? wanted & ~QUALITY.defaulted : wanted;
      expect(back).toBe(source & ~lost);
    }
  });

  const shapes = (() => {
    for (let at = import.meta.dirname; dirname(at) !== at; at = dirname(at)) {
      const file = join(at, 'shared/data/entsoe-profiles/SHACL/61970-600-2_Operation-AP-Con-Simple-SHACL.ttl');
      if (existsSync(file)) return file;
    }
    return undefined;
  })();
  it.skipIf(!shapes)(
    'ENTSO-E has nothing against what is written (needs shared/data and the SHACL packages)',
    async (context) => {
      const read = await again(opFromPoints(all, HEADER).model);
      const reports = await checkShacl(read, openShapes([shapes!])).catch((error) => {
        if (error.code !== 'shacl.missing') throw error;
        return context.skip('the optional packages shacl-engine and n3 are not installed');
      });
      expect(reports[0]!.statements).toBeGreaterThan(80);
      expect(read.findings.list.filter(({ code }) => code.startsWith('shacl.'))).toEqual([]);
    },
  );
});
