import { describe, expect, it } from 'vitest';
import type { ContingencyJson, WhatIfJson } from '../src/api/grid-state.ts';
import { measurementsOf } from '../src/diagram/measurements.ts';
import { Topology } from '../src/diagram/topology.ts';
import { asPoint } from '../src/live/estimate.ts';
import { worstOf } from '../src/pages/outages/words.ts';
import { findingsOf, Outcome } from '../src/whatif/outcome.ts';
import { GridBuilder } from './fixture/builder.ts';
import { fixture } from './fixture/grid.ts';

const { model } = fixture();
const named = (name: string) => model.equipment.find((equipment) => equipment.name === name)!;
const nodeOf = (name: string) => named(name).terminals[0]!.connectivityNode;
const flow = (p: number) => ({ p, q: 0, i: p * 30 });

const answer: WhatIfJson = {
  at: '2026-01-01T00:00:00Z',
  converged: true,
  iterations: 3,
  losses: 0.1,
  solveMillis: 1,
  islands: [{ index: 0, energised: true, converged: true, busbars: [] }],
  buses: [
    { nodes: [nodeOf('20 kV A')], nominalVoltage: 20, voltage: 17.5, live: { voltage: 20.2 } },
    { nodes: [nodeOf('20 kV B')], nominalVoltage: 20, voltage: null, live: { voltage: 20.1 } },
  ],
  branches: [
    {
      equipment: named('T1').mRID,
      name: 'T1',
      energised: true,
      loading: 120,
      from: flow(30),
      to: flow(-29.9),
      live: { loading: 62, from: flow(15), to: flow(-14.9) },
    },
    {
      equipment: named('T2').mRID,
      name: 'T2',
      energised: false,
      loading: 0,
      from: flow(0),
      to: flow(0),
      live: { loading: 105, from: flow(26), to: flow(-25.9) },
    },
  ],
  changes: [],
};

describe('the outcome of a trial', () => {
  const outcome = new Outcome(answer, model);
  it('is found by node, terminal and equipment, each value beside the live one', () => {
    expect(outcome.voltage(nodeOf('20 kV A'))).toEqual({ tried: 17.5, live: 20.2 });
    expect(outcome.flow(named('T1').mRID)).toMatchObject({ tried: { p: 30 }, live: { p: 15 } });
    expect(outcome.flow(named('T1').terminals[1]!.mRID)).toMatchObject({ tried: { p: -29.9 }, live: { p: -14.9 } });
    expect(outcome.loading(named('T1').mRID)).toEqual({ tried: 120, live: 62 });
    expect(outcome.voltage('nowhere')).toBeUndefined();
  });

  it('says what would be beyond its limits and what would be dark, the gravest first, then what would heal', () => {
    const names = new Map(['20 kV A', '20 kV B'].map((name) => [nodeOf(name), name]));
    expect(findingsOf(outcome, names).map(({ name, text }) => `${name}: ${text}`)).toEqual([
      '20 kV B: without voltage',
      '20 kV A: 17.50 kV, 12.5 % below nominal (live 20.20 kV)',
      'T1: loading 120 % (live 62 %)',
      'T2: no longer overloaded: 0 % (live 105 %)',
    ]);
    const failed = { ...answer, islands: [{ ...answer.islands[0]!, converged: false, failure: 'it diverges' }] };
    expect(findingsOf(new Outcome(failed, model), names)[0]).toMatchObject({ text: 'it diverges', tone: 'p1-text' });
  });
});

describe('an outage in words', () => {
  const outage = { equipment: 'e', name: 'Line 1' };
  const of = (more: Partial<ContingencyJson>): ContingencyJson => ({
    outage,
    severity: 1,
    converged: true,
    limits: [],
    ...more,
  });
  it('names the gravest limit that it breaks', () => {
    const overload = { equipment: 'a', name: 'A', kind: 'overload', value: 300, limit: 250, loading: 120 } as const;
    const low = { equipment: 'b', name: 'B', kind: 'voltageLow', value: 12, limit: 18 } as const;
    expect(worstOf(of({ limits: [overload] }))).toEqual({ text: 'A at 120 % of its limit', share: 1.2 });
    expect(worstOf(of({ limits: [overload, low] })).text).toBe('B at 12.00 kV, below 18.00 kV');
    expect(worstOf(of({ converged: false })).text).toContain('no solution');
    expect(worstOf(of({ islanded: { loadLostMW: 2 } })).text).toBe('load without supply');
  });
});

describe('values of the service', () => {
  it('come in the unit and the direction of the point that they are compared with', () => {
    expect(asPoint({ unitMultiplier: 'M' }, 'p', 2.5)).toBeCloseTo(2.5, 9);
    expect(asPoint({ unitMultiplier: 'k', positiveFlowIn: false }, 'p', 2.5)).toBeCloseTo(-2500, 6);
    expect(asPoint({ unitMultiplier: 'k' }, 'voltage', 20)).toBeCloseTo(20, 9);
    expect(asPoint({ measurementType: 'PhaseVoltage' }, 'voltage', 20)).toBeCloseTo(11_547.005, 2);
    expect(asPoint({}, 'current', 64)).toBe(64);
  });

  it('stand beside the measurements of an equipment, never in their place', () => {
    const t1 = named('T1').mRID;
    const point = (name: string, source: string, address: string, measurementType: string) =>
      ({ mRID: name, name, kind: 'analog', source, address, measurementType, equipment: t1 }) as never;
    const found = measurementsOf(model, [
      point('calculated', 'grid-state', 'equipment=x p', 'ThreePhaseActivePower'),
      point('after', 'grid-state', 'equipment=x loading after outage', 'Loading'),
      point('loading', 'grid-state', 'equipment=x loading', 'Loading'),
      point('measured', 'edge', 'ioa=1', 'ThreePhaseActivePower'),
    ]).get(t1)!;
    expect(found.byRole.P?.mRID).toBe('measured');
    expect(found.calculated.P?.mRID).toBe('calculated');
    expect(found.calculated.loading?.mRID).toBe('loading');
    expect(found.calculated.worst?.mRID).toBe('after');
  });
});

describe('what is earthed', () => {
  const grid = GridBuilder.doubleBusbar().model;
  const topology = new Topology(grid);
  const open = (names: readonly string[], closed: readonly string[] = []) =>
    topology.energise((mRID) => (names.includes(mRID) ? 'open' : closed.includes(mRID) ? 'closed' : undefined));

  it('is dead and joined to earth over a closed earthing switch, over lines but not over transformers', () => {
    const line = open(['=C01 Q9', '=C02 Q9', '=C03 Q9'], ['=C01 Q8']);
    expect(line.node('=C01 end')).toBe('earthed');
    expect(line.node('far bus')).toBe('earthed');
    expect(line.node('=C01 b')).toBe('live');
    const transformer = open(['=T1 high Q9', '=T1 low Q9', '=T1 tertiary'], ['=T1 high Q8']);
    expect(transformer.node('=T1 h')).toBe('earthed');
    expect(transformer.node('=T1 l')).toBe('dead');
  });

  it('is not what an open earthing switch hangs at, nor what has voltage', () => {
    expect(open(['=C01 Q9', '=C02 Q9', '=C03 Q9']).node('=C01 end')).toBe('dead');
    expect(open([], ['=C01 Q8']).node('=C01 end')).toBe('live');
  });

  it('leaves out what a trial takes out', () => {
    const without = topology.energise(() => undefined, new Set(['T1', 'T2', 'SynchronousMachine 1']));
    expect(without.equipment('T1')).toBe('dead');
  });
});
