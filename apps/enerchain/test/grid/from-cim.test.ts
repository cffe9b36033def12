/** CIM to the grid model: every class and what the hypothesis says of it, and what is done with what cannot be. */
import { GridModel, type Mrid, validator } from '@enerchain/model';
import { describe, expect, it } from 'vitest';
import { about, at, converted, end, named, object, type Part, STATION, TRANSFORMER, terminals } from './cim-text.ts';

const ssh = (body: string): Part => ({ profile: 'SSH', body });
const sv = (body: string): Part => ({ profile: 'SV', body });
const tp = (body: string): Part => ({ profile: 'TP', body });
/** As the schema has it, no mRID twice, and every node of a terminal there. */
function valid(grid: GridModel): void {
  expect(validator(GridModel).findings(grid, 5)).toEqual([]);
  const { substations, voltageLevels, bays, connectivityNodes, equipment } = grid;
  const ends = equipment.flatMap((each) => each.terminals);
  const all = [...substations, ...voltageLevels, ...bays, ...connectivityNodes, ...equipment, ...ends];
  expect(new Set(all.map(({ mRID }) => mRID)).size).toBe(all.length);
  const nodes = new Set(connectivityNodes.map(({ mRID }) => mRID));
  expect(ends.filter(({ connectivityNode }) => !nodes.has(connectivityNode))).toEqual([]);
}
const control = (id: string, terminal: string, mode: string): string =>
  object('RegulatingControl', id, { Terminal: `@${terminal}`, mode: `RegulatingControlModeKind.${mode}` });

describe('equipment of CIM in the grid model', () => {
  it('has switches of every class with their position in the hypothesis, and earth where it is', async () => {
    const kinds = [
      'Breaker',
      'DisconnectingCircuitBreaker',
      'LoadBreakSwitch',
      'Disconnector',
      'Fuse',
      'Jumper',
      'Switch',
    ];
    const result = await converted([
      STATION,
      kinds.map((kind) => at(kind, `q ${kind}`, ['c', 'd'], { 'Switch.normalOpen': true })).join('') +
        at('GroundDisconnector', 'q8', ['c'], { 'Switch.normalOpen': true }) +
        at('Ground', 'earth', ['d']) +
        at('Junction', 'tee', ['d']) +
        at('BusbarSection', 'bar', ['c']),
      ssh(about('Breaker', 'q Breaker', { 'Switch.open': false, 'Switch.retained': true })),
    ]);
    valid(result.grid);
    expect(result.leftOut).toEqual([]);
    expect(named(result, 'q Breaker')).toMatchObject({
      class: 'Breaker',
      normalOpen: true,
      open: false,
      retained: true,
    });
    expect(named(result, 'q DisconnectingCircuitBreaker')).toMatchObject({ class: 'Breaker', normalOpen: true });
    expect(named(result, 'q Fuse')).not.toHaveProperty('open');
    const classes = result.grid.equipment.map(({ class: name }) => name);
    expect(classes).toEqual(
      expect.arrayContaining(['GroundDisconnector', 'Ground', 'Junction', 'BusbarSection', 'Jumper']),
    );
  });

  it('has lines, series and equivalent branches in ohms and siemens', async () => {
    const result = await converted([
      STATION +
        at('ACLineSegment', 'line', ['c', 'd'], { r: 1, x: 2, bch: 3e-6, gch: 1e-7, 'Conductor.length': 5 }) +
        at('SeriesCompensator', 'series', ['c', 'd'], { r: 0, x: -4 }) +
        at('EquivalentBranch', 'reduced', ['c', 'd'], { r: 1, x: 2, r21: 3, x21: 4 }),
    ]);
    valid(result.grid);
    expect(named(result, 'line')).toMatchObject({ r: 1, x: 2, bch: 3e-6, gch: 1e-7, length: 5 });
    expect(named(result, 'series')).toMatchObject({ r: 0, x: -4 });
    expect(named(result, 'reduced')).toMatchObject({ r: 1, x: 2, r21: 3, x21: 4 });
  });

  it('has loads with their answer to voltage, shares of their sum', async () => {
    const response = (id: string, values: Record<string, number | boolean>): string =>
      object('LoadResponseCharacteristic', id, values);
    const load = (id: string, by?: string): string =>
      at('ConformLoad', id, ['d'], by ? { 'EnergyConsumer.LoadResponse': `@${by}` } : {});
    const result = await converted([
      STATION +
        response('shares', { exponentModel: false, pConstantPower: 30, pConstantImpedance: 10 }) +
        response('exponents', { exponentModel: true, pVoltageExponent: 1.3, qVoltageExponent: 2 }) +
        load('one', 'shares') +
        load('two', 'exponents') +
        load('three'),
      ssh(about('ConformLoad', 'one', { 'EnergyConsumer.p': 3, 'EnergyConsumer.q': -1 })),
    ]);
    valid(result.grid);
    expect(named(result, 'one')).toMatchObject({
      class: 'EnergyConsumer',
      p: 3,
      q: -1,
      loadResponse: { exponentModel: false, pConstantPower: 0.75, pConstantImpedance: 0.25, qConstantPower: 1 },
    });
    expect(named(result, 'two')).toMatchObject({ loadResponse: { exponentModel: true, pVoltageExponent: 1.3 } });
    expect(named(result, 'three')).not.toHaveProperty('loadResponse');
  });

  it('has machines with unit, limits, capability curve, control and who holds the angle', async () => {
    const result = await converted([
      STATION +
        object('HydroGeneratingUnit', 'unit', {
          'GeneratingUnit.minOperatingP': 2,
          'GeneratingUnit.maxOperatingP': 20,
        }) +
        at('SynchronousMachine', 'g1', ['d'], {
          minQ: -5,
          maxQ: 8,
          qPercent: 40,
          'RotatingMachine.ratedS': 25,
          'RotatingMachine.GeneratingUnit': '@unit',
          'RegulatingCondEq.RegulatingControl': '@hold',
          InitialReactiveCapabilityCurve: '@curve',
        }) +
        object('ReactiveCapabilityCurve', 'curve') +
        object('CurveData', 'p2', { Curve: '@curve', xvalue: 20, y1value: -2, y2value: 4 }) +
        object('CurveData', 'p1', { Curve: '@curve', xvalue: 0, y1value: -6, y2value: 9 }) +
        control('hold', 'bar-1', 'voltage') +
        at('BusbarSection', 'bar', ['a'], { 'Equipment.EquipmentContainer': '@high' }) +
        at('AsynchronousMachine', 'pump', ['c'], { 'RotatingMachine.ratedS': 3 }),
      ssh(
        about('SynchronousMachine', 'g1', {
          'RotatingMachine.p': -12,
          'RotatingMachine.q': -1,
          referencePriority: 1,
          operatingMode: 'SynchronousMachineOperatingMode.generator',
          'RegulatingCondEq.controlEnabled': true,
        }) +
          about('HydroGeneratingUnit', 'unit', { 'GeneratingUnit.normalPF': 0.5 }) +
          about('RegulatingControl', 'hold', {
            enabled: true,
            discrete: false,
            targetValue: 110500,
            targetDeadband: 400,
            targetValueUnitMultiplier: 'UnitMultiplier.none',
          }) +
          about('AsynchronousMachine', 'pump', { 'RotatingMachine.p': 2, 'RotatingMachine.q': 1 }),
      ),
    ]);
    valid(result.grid);
    const machine = named(result, 'g1');
    const bar = named(result, 'bar');
    expect(machine).toMatchObject({
      p: -12,
      q: -1,
      minP: 2,
      maxP: 20,
      minQ: -5,
      maxQ: 8,
      qPercent: 40,
      ratedS: 25,
      normalPF: 0.5,
      referencePriority: 1,
      operatingMode: 'generator',
      unit: 'HydroGeneratingUnit',
      reactiveCapabilityCurve: [
        { p: 0, minQ: -6, maxQ: 9 },
        { p: 20, minQ: -2, maxQ: 4 },
      ],
      controlEnabled: true,
    });
    // The control looks at the busbar of the other voltage level, and its target is in volts.
    expect(result.grid.regulatingControls).toMatchObject([
      { terminal: bar.terminals[0]!.mRID, targetValue: 110.5, targetDeadband: 0.4, enabled: true, mode: 'voltage' },
    ]);
    expect(machine).toHaveProperty('regulatingControl', result.grid.regulatingControls![0]!.mRID);
    expect(named(result, 'pump')).toMatchObject({ p: 2, q: 1, ratedS: 3 });
  });

  it('has shunts: sections that are in, banks added up, reactances of a static var compensator signed', async () => {
    const point = (number: number, b: number): string =>
      object('NonlinearShuntCompensatorPoint', `point${number}`, {
        NonlinearShuntCompensator: '@bank',
        sectionNumber: number,
        b,
        g: 0,
      });
    const sections = { 'ShuntCompensator.maximumSections': 4, 'ShuntCompensator.normalSections': 1 };
    const result = await converted([
      STATION +
        at('LinearShuntCompensator', 'c1', ['d'], { ...sections, bPerSection: 1e-4, gPerSection: 0 }) +
        at('NonlinearShuntCompensator', 'bank', ['d'], sections) +
        point(2, 2e-4) +
        point(1, 1e-4) +
        at('StaticVarCompensator', 'svc', ['d'], { capacitiveRating: 500, inductiveRating: 400, slope: 0.1 }) +
        at('EquivalentShunt', 'equivalent', ['d'], { b: -1e-5, g: 1e-6 }),
      ssh(
        about('LinearShuntCompensator', 'c1', { 'ShuntCompensator.sections': 3 }) +
          about('StaticVarCompensator', 'svc', { q: -2 }),
      ),
    ]);
    valid(result.grid);
    expect(named(result, 'c1')).toMatchObject({
      maximumSections: 4,
      normalSections: 1,
      sections: 3,
      bPerSection: 1e-4,
    });
    expect(named(result, 'bank')).toMatchObject({ points: [{ section: 1, b: 1e-4 }, { section: 2 }] });
    expect((named(result, 'bank') as { points: { b: number }[] }).points[1]!.b).toBeCloseTo(3e-4, 12);
    expect(named(result, 'svc')).toMatchObject({ capacitiveRating: 500, inductiveRating: -400, slope: 0.1, q: -2 });
    expect(named(result, 'equivalent')).toMatchObject({ b: -1e-5, g: 1e-6 });
  });

  it('has feeds and equivalents: a feed with a power is no source that takes what is left over', async () => {
    const result = await converted([
      STATION +
        at('ExternalNetworkInjection', 'feed', ['a'], { 'Equipment.EquipmentContainer': '@high', maxP: 100 }) +
        at('ExternalNetworkInjection', 'stiff', ['b'], { 'Equipment.EquipmentContainer': '@high' }) +
        at('EquivalentInjection', 'beyond', ['c'], { regulationCapability: true, maxQ: 5 }) +
        at('EquivalentInjection', 'lame', ['c'], { regulationCapability: false }) +
        at('EnergySource', 'supply', ['d']),
      ssh(
        about('ExternalNetworkInjection', 'feed', { p: -30, q: 4, referencePriority: 2 }) +
          about('EquivalentInjection', 'beyond', { p: 1, q: 2, regulationStatus: true, regulationTarget: 20.5 }) +
          about('EquivalentInjection', 'lame', { p: 1, q: 2, regulationStatus: true, regulationTarget: 20.5 }) +
          about('EnergySource', 'supply', { activePower: -3, reactivePower: 1 }),
      ),
    ]);
    valid(result.grid);
    expect(named(result, 'feed')).toMatchObject({ p: -30, q: 4, maxP: 100, referencePriority: 2, voltage: 110 });
    expect(named(result, 'stiff')).not.toHaveProperty('p');
    expect(named(result, 'beyond')).toMatchObject({ p: 1, regulationStatus: true, regulationTarget: 20.5, maxQ: 5 });
    expect(named(result, 'lame')).not.toHaveProperty('regulationStatus');
    expect(named(result, 'supply')).toMatchObject({ class: 'EnergySource', p: -3, q: 1 });
  });

  it('has the ends of a HVDC link as injections; the DC side is named and left out', async () => {
    const result = await converted([
      STATION +
        at('CsConverter', 'line commutated', ['a'], { 'ACDCConverter.baseS': 600 }) +
        at('VsConverter', 'voltage source', ['c']) +
        object('DCLineSegment', 'cable'),
      ssh(
        about('CsConverter', 'line commutated', { 'ACDCConverter.p': 500, 'ACDCConverter.q': 230 }) +
          about('VsConverter', 'voltage source', {
            'ACDCConverter.p': -490,
            'ACDCConverter.q': 10,
            qPccControl: 'VsQpccControlKind.voltagePcc',
            targetUpcc: 20.4,
          }),
      ),
    ]);
    valid(result.grid);
    expect(result.leftOut).toEqual([]);
    expect(named(result, 'line commutated')).toMatchObject({ class: 'CsConverter', p: 500, q: 230, ratedS: 600 });
    expect(named(result, 'voltage source')).toMatchObject({ class: 'VsConverter', p: -490, targetUpcc: 20.4 });
    expect(result.findings.list).toMatchObject([{ severity: 'note', code: 'grid.ignored', class: 'DCLineSegment' }]);
  });

  it('takes the power of a converter from its target where the hypothesis has none, and from the solution when asked', async () => {
    const parts = [
      STATION + at('VsConverter', 'end', ['c']),
      ssh(about('VsConverter', 'end', { 'ACDCConverter.p': 0, 'ACDCConverter.targetPpcc': 40, targetQpcc: 3 })),
      tp(
        object('TopologicalNode', 'bus', { ConnectivityNodeContainer: '@low', BaseVoltage: '@low-base' }) +
          about('ConnectivityNode', 'c', { TopologicalNode: '@bus' }),
      ),
      sv(
        object('SvVoltage', 'v', { TopologicalNode: '@bus', v: 20, angle: 0 }) +
          object('SvPowerFlow', 'f', { Terminal: '@end-1', p: 41, q: 2 }),
      ),
    ];
    const hypothesis = await converted(parts);
    expect(named(hypothesis, 'end')).toMatchObject({ p: 40, q: 3 });
    expect(hypothesis.findings.list).toMatchObject([{ code: 'grid.assumed', class: 'VsConverter' }]);
    expect(named(await converted(parts, { solved: true }), 'end')).toMatchObject({ p: 41, q: 2 });
  });

  it('gives the converter that holds the DC voltage what the other end sends less the losses of the link', async () => {
    const loss = {
      'ACDCConverter.idleLoss': 1,
      'ACDCConverter.switchingLoss': 0.002,
      'ACDCConverter.resistiveLoss': 0.5,
    };
    const dc = (kind: string, equipment: string, at: string): string =>
      object(kind, `${equipment}-${at}`, {
        [`${kind}.DCConductingEquipment`]: `@${equipment}`,
        'DCBaseTerminal.DCNode': `@${at}`,
      });
    const link = (sent: number, told: number) =>
      converted([
        STATION +
          at('VsConverter', 'sends', ['a'], { 'ACDCConverter.ratedUdc': 200, ...loss }) +
          at('VsConverter', 'holds', ['c'], { 'ACDCConverter.ratedUdc': 200, ...loss }) +
          ['p1', 'p2', 'earth'].map((node) => object('DCNode', node)).join('') +
          object('DCLineSegment', 'cable', { resistance: 2 }) +
          dc('DCTerminal', 'cable', 'p1') +
          dc('DCTerminal', 'cable', 'p2') +
          dc('ACDCConverterDCTerminal', 'sends', 'p1') +
          dc('ACDCConverterDCTerminal', 'sends', 'earth') +
          dc('ACDCConverterDCTerminal', 'holds', 'p2') +
          dc('ACDCConverterDCTerminal', 'holds', 'earth'),
        ssh(
          about('VsConverter', 'sends', { 'ACDCConverter.p': sent, pPccControl: 'VsPpccControlKind.pPcc' }) +
            about('VsConverter', 'holds', { 'ACDCConverter.p': told, pPccControl: 'VsPpccControlKind.udc' }),
        ),
      ]);
    // 200 kV · I = sent less the losses of its converter, 1 + 2·I + 0.5·I² MW with I in kA.
    for (const [sent, current] of [
      [100, -202 + Math.sqrt(202 ** 2 + 2 * 99)],
      [-100, 198 - Math.sqrt(198 ** 2 - 2 * 101)],
    ] as const) {
      const result = await link(sent, 0);
      valid(result.grid);
      const { p } = named(result, 'holds') as { p: number };
      const converter = 1 + 2 * current + 0.5 * current ** 2;
      expect(sent + p).toBeCloseTo(2 * converter + 2 * current ** 2, 9);
      expect(result.findings.list).toContainEqual(
        expect.objectContaining({ code: 'grid.assumed', class: 'VsConverter' }),
      );
    }
    expect(named(await link(100, -95), 'holds')).toMatchObject({ p: -95 });
  });

  it('has plants behind converters, of a known kind or not', async () => {
    const result = await converted([
      STATION +
        object('BatteryUnit', 'cells', { 'PowerElectronicsUnit.maxP': 4, ratedE: 9 }) +
        at('PowerElectronicsConnection', 'battery', ['d'], { PowerElectronicsUnit: '@cells', ratedS: 5 }) +
        at('PowerElectronicsConnection', 'something', ['d'], { ratedS: 2 }),
      ssh(about('PowerElectronicsConnection', 'something', { p: -1.5, q: 0 })),
    ]);
    valid(result.grid);
    expect(named(result, 'battery')).toMatchObject({ unit: 'BatteryUnit', maxP: 4, minP: -4, ratedE: 9, ratedS: 5 });
    expect(named(result, 'something')).toMatchObject({ unit: 'PowerElectronicsUnit', maxP: 2, p: -1.5 });
  });

  it('keeps what is out of service or cut off, and says so', async () => {
    const result = await converted([
      STATION + at('EnergyConsumer', 'off', ['d']) + at('ACLineSegment', 'open', ['c', 'd'], { r: 1, x: 2, bch: 0 }),
      ssh(
        about('EnergyConsumer', 'off', { 'Equipment.inService': false, p: 1, q: 0 }) +
          about('Terminal', 'open-2', { 'ACDCTerminal.connected': false }),
      ),
    ]);
    valid(result.grid);
    expect(named(result, 'off')).toMatchObject({ inService: false, p: 1 });
    expect(named(result, 'open').terminals.map(({ connected }) => connected)).toEqual([undefined, false]);
  });

  it('has limits of terminals and equipment, and the smallest permanent current as rating', async () => {
    const limit = (id: string, value: number, type: string): string =>
      object('CurrentLimit', id, {
        normalValue: value,
        'OperationalLimit.OperationalLimitSet': '@set',
        'OperationalLimit.OperationalLimitType': `@${type}`,
      });
    const result = await converted([
      STATION +
        at('ACLineSegment', 'line', ['c', 'd'], { r: 1, x: 2, bch: 0 }) +
        object('OperationalLimitSet', 'set', { Terminal: '@line-1' }) +
        object('OperationalLimitType', 'permanent', { kind: 'LimitKind.patl', isInfiniteDuration: true }) +
        object('OperationalLimitType', 'brief', { kind: 'LimitKind.tatl', acceptableDuration: 900 }) +
        limit('l1', 400, 'permanent') +
        limit('l2', 380, 'permanent') +
        limit('l3', 500, 'brief'),
      ssh(about('CurrentLimit', 'l1', { value: 390 })),
    ]);
    valid(result.grid);
    expect(named(result, 'line')).toMatchObject({ ratedCurrent: 380 });
    expect(result.grid.operationalLimitSets).toMatchObject([
      {
        terminal: named(result, 'line').terminals[0]!.mRID,
        limits: [
          { kind: 'patl', value: 390, class: 'CurrentLimit' },
          { kind: 'patl', value: 380 },
          { kind: 'tatl', value: 500, acceptableDuration: 900 },
        ],
      },
    ]);
    expect(result.grid.operationalLimitSets![0]!.limits[0]).not.toHaveProperty('acceptableDuration');
  });
});

describe('transformers of CIM', () => {
  const steps = {
    'TapChanger.lowStep': -5,
    'TapChanger.highStep': 5,
    'TapChanger.neutralStep': 0,
    'TapChanger.normalStep': 1,
  };
  const ratio = (id: string, of: string, values: Record<string, string | number> = {}): string =>
    object('RatioTapChanger', id, { TransformerEnd: `@${of}`, ...steps, stepVoltageIncrement: 1.5, ...values });
  const transformer = (result: Awaited<ReturnType<typeof converted>>, name = 't1') =>
    named(result, name) as Extract<ReturnType<typeof named>, { class: 'PowerTransformer' }>;

  it('have both rated voltages as they are, and the magnetising admittance shared among the ends', async () => {
    const { ends, terminals: at } = transformer(await converted([STATION + TRANSFORMER]));
    expect(ends).toMatchObject([
      { ratedU: 112, ratedS: 40, r: 1, x: 36, g: 0.5e-6, b: -2e-6 },
      { ratedU: 21, ratedS: 40, r: 0, x: 0 },
    ]);
    expect(ends[1]!.b).toBeCloseTo(-2e-6 * (112 / 21) ** 2, 12);
    expect(at).toHaveLength(2);
  });

  it('take in their magnetising current also where the file has the wrong sign, and it is told', async () => {
    const result = await converted([STATION + TRANSFORMER.replace('>-0.000004<', '>0.000004<')]);
    expect(transformer(result).ends[0]!.b).toBe(-2e-6);
    expect(result.findings.list).toMatchObject([{ code: 'grid.assumed', property: 'PowerTransformerEnd.b' }]);
  });

  it('have three ends each at its own terminal, whatever the order of the file', async () => {
    const result = await converted([
      STATION +
        at('PowerTransformer', 't3', ['d', 'c', 'a'], { 'Equipment.EquipmentContainer': '@station' }) +
        end('t3', 3, {
          ratedU: 10,
          r: 0.1,
          x: 0.5,
          'TransformerEnd.endNumber': 3,
          'TransformerEnd.Terminal': '@t3-1',
        }) +
        end('t3', 1, { ratedU: 110, r: 1, x: 20, ratedS: 40, 'TransformerEnd.Terminal': '@t3-3' }) +
        end('t3', 2, { ratedU: 21, r: 0.2, x: -0.3, ratedS: 30, 'TransformerEnd.Terminal': '@t3-2' }),
    ]);
    valid(result.grid);
    const { ends, terminals: at3 } = transformer(result, 't3');
    expect(ends.map(({ ratedU, ratedS, x }) => [ratedU, ratedS, x])).toEqual([
      [110, 40, 20],
      [21, 30, -0.3],
      [10, 40, 0.5],
    ]);
    const nodes = new Map(result.grid.connectivityNodes.map(({ mRID, name }) => [mRID, name]));
    expect(at3.map(({ connectivityNode }) => nodes.get(connectivityNode))).toEqual(['a', 'c', 'd']);
  });

  it('have ratio and phase tap changers of every kind, where the hypothesis has them', async () => {
    const phase = (kind: string, id: string, of: string, values: Record<string, string | number>): string =>
      object(kind, id, { 'PhaseTapChanger.TransformerEnd': `@${of}`, ...steps, ...values });
    const more = (id: string): string => TRANSFORMER.replaceAll(/_t1/g, `_${id}`).replaceAll('>t1', `>${id}`);
    const result = await converted([
      STATION +
        TRANSFORMER +
        ratio('r1', 't1-end1', { 'TapChanger.TapChangerControl': '@hold' }) +
        ratio('r2', 't1-end2') +
        phase('PhaseTapChangerLinear', 'p1', 't1-end1', {
          'PhaseTapChangerLinear.stepPhaseShiftIncrement': -2,
          'PhaseTapChangerLinear.xMin': 30,
          'PhaseTapChangerLinear.xMax': 40,
        }) +
        more('t2') +
        phase('PhaseTapChangerSymmetrical', 'p2', 't2-end1', { 'PhaseTapChangerNonLinear.voltageStepIncrement': 1 }) +
        more('t3') +
        phase('PhaseTapChangerAsymmetrical', 'p3', 't3-end2', {
          'PhaseTapChangerNonLinear.voltageStepIncrement': 1,
          windingConnectionAngle: 60,
        }) +
        object('TapChangerControl', 'hold', {
          'RegulatingControl.Terminal': '@t1-2',
          'RegulatingControl.mode': 'RegulatingControlModeKind.voltage',
        }),
      ssh(
        about('RatioTapChanger', 'r1', { 'TapChanger.step': 3, 'TapChanger.controlEnabled': true }) +
          about('TapChangerControl', 'hold', {
            'RegulatingControl.enabled': true,
            'RegulatingControl.targetValue': 20.4,
          }),
      ),
    ]);
    valid(result.grid);
    expect(transformer(result)).toMatchObject({
      ratioTapChanger: { end: 0, step: 3, normalStep: 1, stepVoltageIncrement: 1.5, controlEnabled: true },
      tapChangers: [
        { class: 'PhaseTapChangerLinear', end: 0, stepPhaseShiftIncrement: -2, xMin: 30, xMax: 40 },
        { class: 'RatioTapChanger', end: 1 },
      ],
    });
    expect(transformer(result).ratioTapChanger!.regulatingControl).toBe(result.grid.regulatingControls![0]!.mRID);
    expect(transformer(result, 't2').tapChangers).toMatchObject([{ voltageStepIncrement: 1 }]);
    expect(transformer(result, 't3').tapChangers).toMatchObject([{ windingConnectionAngle: 60, end: 1 }]);
  });

  const table = (points: readonly Record<string, number>[]): string =>
    object('RatioTapChangerTable', 'table') +
    points
      .map((point, index) =>
        object('RatioTapChangerTablePoint', `point${index}`, {
          RatioTapChangerTable: '@table',
          ...Object.fromEntries(Object.entries(point).map(([name, value]) => [`TapChangerTablePoint.${name}`, value])),
        }),
      )
      .join('');

  it('go by their table, in order; one written in ohms instead of % is understood and told', async () => {
    const result = await converted([
      STATION +
        TRANSFORMER +
        ratio('r1', 't1-end1', { RatioTapChangerTable: '@table' }) +
        table([
          { step: 5, ratio: 1.1, x: 39.6 },
          { step: 0, ratio: 1, x: 36 },
          { step: -5, ratio: 0.9, x: 30 },
        ]),
    ]);
    valid(result.grid);
    const { table: points } = transformer(result).ratioTapChanger!;
    expect(points!.map(({ step, ratio: by }) => [step, by])).toEqual([
      [-5, 0.9],
      [0, 1],
      [5, 1.1],
    ]);
    expect(points![2]!.x).toBeCloseTo(10, 9);
    expect(points![1]!.x).toBeCloseTo(0, 9);
    expect(result.findings.list).toMatchObject([{ code: 'grid.assumed', class: 'RatioTapChanger' }]);
  });

  it('go by the voltage per step when the table is broken; one that cannot do anything is left out and named', async () => {
    const broken = table([
      { step: 0, ratio: 1 },
      { step: 0, ratio: 1.1 },
    ]);
    const usable = await converted([
      STATION + TRANSFORMER + ratio('r1', 't1-end1', { RatioTapChangerTable: '@table' }) + broken,
    ]);
    expect(transformer(usable).ratioTapChanger).toMatchObject({ stepVoltageIncrement: 1.5 });
    expect(transformer(usable).ratioTapChanger).not.toHaveProperty('table');
    expect(usable.findings.list[0]!.text).toMatch(/two points for step 0/);
    const without = await converted([
      STATION +
        TRANSFORMER +
        object('RatioTapChanger', 'r1', { TransformerEnd: '@t1-end1', ...steps, RatioTapChangerTable: '@table' }) +
        table([{ step: 0, ratio: -1 }]),
    ]);
    expect(without.leftOut).toMatchObject([
      { class: 'RatioTapChanger', reason: 'its table has the ratio -1 at step 0' },
    ]);
    expect(transformer(without)).not.toHaveProperty('ratioTapChanger');
  });

  it('hold a position outside their range at its edge, and say so', async () => {
    const result = await converted([
      STATION + TRANSFORMER + ratio('r1', 't1-end1', { 'TapChanger.normalStep': 9 }),
      ssh(about('RatioTapChanger', 'r1', { 'TapChanger.step': -99 })),
    ]);
    expect(transformer(result).ratioTapChanger).toMatchObject({ step: -5, normalStep: 5 });
    expect(result.findings.list).toMatchObject([
      { text: 'its normalStep 9 is outside -5 … 5; 5 is taken', property: 'TapChanger.normalStep', file: 'eq0.xml' },
      { text: 'its step -99 is outside -5 … 5; -5 is taken', property: 'TapChanger.step', file: 'ssh1.xml' },
    ]);
  });
});

describe('a solved state', () => {
  const bus = (id: string, level: string, ...nodes: string[]): string =>
    object('TopologicalNode', id, { ConnectivityNodeContainer: `@${level}`, BaseVoltage: `@${level}-base` }) +
    nodes.map((node) => about('ConnectivityNode', node, { TopologicalNode: `@${id}` })).join('');
  const shunt = at('LinearShuntCompensator', 'c1', ['d'], {
    'ShuntCompensator.maximumSections': 10,
    'ShuntCompensator.normalSections': 1,
    bPerSection: 1e-3,
    gPerSection: 0,
  });
  const tap = object('RatioTapChanger', 'r1', {
    TransformerEnd: '@t1-end1',
    'TapChanger.lowStep': 1,
    'TapChanger.highStep': 9,
    'TapChanger.neutralStep': 5,
    'TapChanger.normalStep': 5,
    stepVoltageIncrement: 1,
  });
  const topology = tp(bus('bus d', 'low', 'd') + bus('bus c', 'low', 'c'));
  const hypothesis = ssh(
    about('LinearShuntCompensator', 'c1', { 'ShuntCompensator.sections': 2 }) +
      about('RatioTapChanger', 'r1', { 'TapChanger.step': 4 }),
  );
  const solution = (flow?: number): Part =>
    sv(
      object('SvVoltage', 'v1', { TopologicalNode: '@bus d', v: 20, angle: -3 }) +
        object('SvVoltage', 'v2', { TopologicalNode: '@bus c', v: 0, angle: 0 }) +
        object('SvTapStep', 's1', { TapChanger: '@r1', position: 7 }) +
        object('SvShuntCompensatorSections', 's2', { ShuntCompensator: '@c1', sections: 6 }) +
        (flow === undefined ? '' : object('SvPowerFlow', 'f1', { Terminal: '@c1-1', p: 0, q: flow })),
    );
  const parts = (flow?: number): (string | Part)[] => [
    STATION + TRANSFORMER + tap + shunt,
    topology,
    hypothesis,
    solution(flow),
  ];

  it('gives voltages to start from, and its positions go before the hypothesis when asked', async () => {
    const asked = await converted(parts(), { solved: true });
    const node = (name: string): Mrid => asked.grid.connectivityNodes.find((each) => each.name === name)!.mRID;
    // A bus without voltage is written as 0 kV.
    expect([...asked.solution!.voltages]).toEqual([[node('d'), { v: 20, angle: -3 }]]);
    expect(named(asked, 't1')).toMatchObject({ ratioTapChanger: { step: 7 } });
    expect(named(asked, 'c1')).toMatchObject({ sections: 6 });
    const unasked = await converted(parts());
    expect(named(unasked, 't1')).toMatchObject({ ratioTapChanger: { step: 4 } });
    expect(named(unasked, 'c1')).toMatchObject({ sections: 2 });
    expect(unasked.topologicalNodes).toEqual([
      { id: 'bus c', name: 'bus c', nodes: [node('c')] },
      { id: 'bus d', name: 'bus d', nodes: [node('d')] },
    ]);
  });

  it('within the deadband of a control in steps is what that control holds', async () => {
    const control = object('RegulatingControl', 'hold', {
      Terminal: '@c1-1',
      mode: 'RegulatingControlModeKind.voltage',
    });
    const held = (values: Record<string, number | boolean>): Part =>
      ssh(about('RegulatingControl', 'hold', { enabled: true, targetValue: 20.4, ...values }));
    const target = async (values: Record<string, number | boolean>, solved: boolean) =>
      (await converted([STATION + TRANSFORMER + tap + shunt + control, topology, held(values), solution()], { solved }))
        .grid.regulatingControls![0]!.targetValue;
    expect(await target({ discrete: true, targetDeadband: 1 }, true)).toBe(20);
    expect(await target({ discrete: true, targetDeadband: 1 }, false)).toBe(20.4);
    expect(await target({ discrete: true, targetDeadband: 0.5 }, true)).toBe(20.4);
    expect(await target({ discrete: false, targetDeadband: 1 }, true)).toBe(20.4);
  });

  it('whose own flow denies its sections is not believed about them', async () => {
    // 2 sections of 1 mS at 20 kV: 0.8 Mvar brought in.
    const result = await converted(parts(-0.8), { solved: true });
    expect(named(result, 'c1')).toMatchObject({ sections: 2 });
    expect(result.findings.list[0]!.text).toMatch(/6 sections in, but its flow is that of 2/);
    expect(named(await converted(parts(-2.4), { solved: true }), 'c1')).toMatchObject({ sections: 6 });
  });
});

describe('nodes', () => {
  it('of a bus-branch model are its topological nodes', async () => {
    const bus = (id: string): string =>
      object('TopologicalNode', id, { ConnectivityNodeContainer: '@low', BaseVoltage: '@low-base' });
    const result = await converted([
      STATION.replaceAll(/<cim:ConnectivityNode .*\n/g, '') +
        at('EnergyConsumer', 'load', []) +
        object('Terminal', 'load-1', { ConductingEquipment: '@load' }),
      tp(bus('bus 1') + bus('bus 2') + about('Terminal', 'load-1', { TopologicalNode: '@bus 1' })),
    ]);
    valid(result.grid);
    expect(result.grid.connectivityNodes.map(({ name }) => name)).toEqual(['bus 1', 'bus 2']);
    expect(named(result, 'load').terminals[0]!.connectivityNode).toBe(result.grid.connectivityNodes[0]!.mRID);
  });

  it('meet at the boundary: one model with connectivity nodes, its neighbour with topological ones', async () => {
    const line = (id: string, ...at: string[]): string =>
      at.join('') + object('ACLineSegment', id, { r: 1, x: 2, bch: 0, 'ConductingEquipment.BaseVoltage': '@low-base' });
    const boundary: Part = {
      profile: 'EQBD',
      body:
        object('Line', 'border') +
        object('BaseVoltage', 'low-base', { nominalVoltage: 20 }) +
        object('ConnectivityNode', 'x', { ConnectivityNodeContainer: '@border' }),
    };
    const injection = (id: string, node: string): string =>
      object('EquivalentInjection', id) +
      object('Terminal', `${id}-1`, { ConductingEquipment: `@${id}`, ...JSON.parse(node) });
    const ours = line('ours', terminals('ours', 'd', 'x')) + injection('beyond ours', '{"ConnectivityNode":"@x"}');
    const theirs =
      object('ACLineSegment', 'theirs', { r: 1, x: 2, bch: 0, 'ConductingEquipment.BaseVoltage': '@low-base' }) +
      object('Terminal', 'theirs-1', { ConductingEquipment: '@theirs', 'ACDCTerminal.sequenceNumber': 1 }) +
      object('Terminal', 'theirs-2', { ConductingEquipment: '@theirs', 'ACDCTerminal.sequenceNumber': 2 }) +
      injection('beyond theirs', '{}');
    const topology = tp(
      object('TopologicalNode', 'bus x', { ConnectivityNodeContainer: '@border', BaseVoltage: '@low-base' }) +
        about('ConnectivityNode', 'x', { TopologicalNode: '@bus x' }) +
        object('TopologicalNode', 'bus y', { ConnectivityNodeContainer: '@low', BaseVoltage: '@low-base' }) +
        about('Terminal', 'theirs-1', { TopologicalNode: '@bus x' }) +
        about('Terminal', 'theirs-2', { TopologicalNode: '@bus y' }) +
        about('Terminal', 'beyond theirs-1', { TopologicalNode: '@bus x' }),
    );
    const result = await converted([boundary, STATION + ours, theirs, topology]);
    valid(result.grid);
    expect(result.leftOut).toEqual([]);
    const [a, b] = [named(result, 'ours').terminals[1]!, named(result, 'theirs').terminals[0]!];
    expect(a.connectivityNode).toBe(b.connectivityNode);
    // Both injections stand for a neighbour that is there.
    expect(result.grid.equipment.some(({ class: name }) => name === 'EquivalentInjection')).toBe(false);
    expect(result.grid.substations).toContainEqual({ mRID: expect.any(String), name: 'border', line: true });
    const alone = await converted([boundary, STATION + ours, tp(about('ConnectivityNode', 'x', {}))]);
    expect(named(alone, 'beyond ours')).toMatchObject({ class: 'EquivalentInjection', p: 0 });
  });

  it('have an mRID that follows from an identifier which is no UUID, and it is written down', async () => {
    const uuid = 'ABCDEF00-0000-4000-8000-000000000001';
    const result = await converted([
      STATION + object('Substation', uuid) + object('Substation', uuid.toLowerCase().replaceAll('-', '')),
    ]);
    valid(result.grid);
    const mRIDs = result.grid.substations.map(({ mRID }) => mRID);
    expect(mRIDs[1]).toBe(uuid.toLowerCase());
    // Two identifiers of the files that are one UUID: the second gets another.
    expect(new Set(mRIDs).size).toBe(3);
    expect(result.grid.derivedIdentifiers).toContainEqual({ mRID: mRIDs[0], identifier: '_station' });
    expect(result.derived).toBe(result.grid.derivedIdentifiers!.length);
  });
});

describe('the header', () => {
  it('travels with the grid: times, profiles, what it depends on and supersedes', async () => {
    const header =
      '<md:Model.created>2026-01-02T03:04:05Z</md:Model.created><md:Model.scenarioTime>2026-01-02T00:00:00Z</md:Model.scenarioTime>' +
      '<md:Model.version>7</md:Model.version><md:Model.modelingAuthoritySet>http://utility.example/</md:Model.modelingAuthoritySet>' +
      '<md:Model.DependentOn rdf:resource="urn:uuid:boundary"/><md:Model.Supersedes rdf:resource="urn:uuid:before"/>';
    const { grid } = await converted([{ profile: 'EQ', body: STATION, header }]);
    valid(grid);
    expect(grid.headers).toMatchObject([
      {
        kind: 'full',
        created: '2026-01-02T03:04:05Z',
        scenarioTime: '2026-01-02T00:00:00Z',
        version: '7',
        profiles: ['http://iec.ch/TC57/ns/CIM/CoreEquipment-EU/3.0'],
        dependentOn: [expect.stringContaining('boundary')],
        supersedes: [expect.stringContaining('before')],
      },
    ]);
  });
});

describe('what cannot be', () => {
  it('is left out with its place: windings, missing numbers, terminals without node', async () => {
    const four = [1, 2, 3, 4].map((number) => end('t4', number, { ratedU: 10, r: 0, x: 1 })).join('');
    const result = await converted([
      STATION +
        at('PowerTransformer', 't4', ['a', 'b', 'c', 'd']) +
        four +
        at('ACLineSegment', 'line', ['c', 'd'], { r: 1 }) +
        at('EnergyConsumer', 'load', ['nowhere']) +
        at('Breaker', 'q0', ['c']),
    ]);
    valid(result.grid);
    expect(result.grid.equipment).toEqual([]);
    expect(result.leftOut.map(({ class: name, reason }) => `${name}: ${reason}`).sort()).toEqual([
      'ACLineSegment: r, x or bch is missing',
      'Breaker: it has 1 terminals',
      'EnergyConsumer: a terminal of it has no node',
      'PowerTransformer: it has 4 windings',
    ]);
    for (const { file, line, object: key, severity } of result.findings.list) {
      expect({ file, severity, line: typeof line, key: typeof key }).toEqual({
        file: 'eq0.xml',
        severity: 'error',
        line: 'number',
        key: 'string',
      });
    }
  });

  it('is no crash: NaN, containers in themselves, references in circles, limits upside down', async () => {
    const result = await converted([
      STATION +
        object('VoltageLevel', 'lost', { Substation: '@lost', BaseVoltage: '@lost' }) +
        object('Bay', 'round', { VoltageLevel: '@round' }) +
        object('ConnectivityNode', 'n', { ConnectivityNodeContainer: '@n' }) +
        at('EnergyConsumer', 'load', ['n'], { pfixed: 'NaN' }) +
        at('ACLineSegment', 'line', ['c', 'd'], { r: 'NaN', x: 'Infinity', bch: 0 }) +
        at('SynchronousMachine', 'g', ['d'], { minQ: 5, maxQ: -5, 'RegulatingCondEq.RegulatingControl': '@self' }) +
        object('RegulatingControl', 'self', { Terminal: '@self' }),
      ssh(about('EnergyConsumer', 'load', { p: 'NaN', q: '1e999' })),
    ]);
    valid(result.grid);
    expect(named(result, 'g')).not.toHaveProperty('minQ');
    expect(named(result, 'g')).not.toHaveProperty('regulatingControl');
    expect(result.leftOut.map(({ class: name }) => name)).toEqual(
      expect.arrayContaining(['VoltageLevel', 'ACLineSegment']),
    );
    // A node in itself stands alone, at the voltage of what is connected to it.
    const { connectivityNodes, voltageLevels } = result.grid;
    const level = connectivityNodes.find(({ name }) => name === 'n')!.voltageLevel;
    expect(voltageLevels.find(({ mRID }) => mRID === level)).toMatchObject({ nominalVoltage: 20 });
    expect(named(result, 'load')).toMatchObject({ p: 0, q: 0 });
  });

  it('without effect on a balanced grid is left out quietly', async () => {
    const result = await converted([STATION + at('PetersenCoil', 'coil', ['d'])]);
    expect(result.leftOut).toEqual([]);
    expect(result.findings.list).toMatchObject([{ severity: 'note', code: 'grid.ignored' }]);
  });
});
