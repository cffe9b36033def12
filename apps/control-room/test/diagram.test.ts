import type { GridModel } from '@enerchain/model';
import { describe, expect, it } from 'vitest';
import type { Drawing } from '../src/diagram/drawing.ts';
import { along, pathLength, slice } from '../src/diagram/drawing.ts';
import { Drawings, type LayoutWorker } from '../src/diagram/drawings.ts';
import { buildGraph } from '../src/diagram/graph.ts';
import { drawsWhole, layout } from '../src/diagram/layout.ts';
import type { LayoutOrder } from '../src/diagram/layout-worker.ts';
import { measurementsOf, switchState } from '../src/diagram/measurements.ts';
import { type SwitchState, Topology } from '../src/diagram/topology.ts';
import { fixture } from './fixture/grid.ts';

const { model, points } = fixture();
const named = (name: string) => model.equipment.find((equipment) => equipment.name === name)!;

/** The same grid with every list in another order, as another writer of the same model would give it. */
function shuffled(of: GridModel): GridModel {
  const turn = <T>(list: readonly T[]): T[] => [...list.slice(7), ...list.slice(0, 7)].reverse();
  return {
    ...of,
    substations: turn(of.substations),
    voltageLevels: turn(of.voltageLevels),
    bays: turn(of.bays),
    connectivityNodes: turn(of.connectivityNodes),
    equipment: turn(of.equipment),
  };
}

const drawnEquipment = (drawing: Drawing): Set<string> =>
  new Set([
    ...drawing.switches.map((each) => each.equipment),
    ...drawing.transformers.map((each) => each.equipment),
    ...drawing.injections.map((each) => each.equipment),
    ...drawing.wires.flatMap((each) => each.equipment ?? []),
  ]);

describe('the layout of the single-line diagram', () => {
  const drawing = layout(model);

  it('gives the same drawing for the same model, to the byte', () => {
    expect(JSON.stringify(layout(model))).toBe(JSON.stringify(drawing));
    expect(JSON.stringify(layout(structuredClone(model)))).toBe(JSON.stringify(drawing));
  });

  it('does not depend on the order in which the model lists its parts', () => {
    expect(JSON.stringify(layout(shuffled(model)))).toBe(JSON.stringify(drawing));
  });

  it('draws every piece of equipment exactly once', () => {
    expect(drawnEquipment(drawing).size).toBe(model.equipment.length);
    expect(new Set(drawing.switches.map((each) => each.equipment)).size).toBe(drawing.switches.length);
  });

  it('lets every piece of equipment be selected', () => {
    const targets = new Set(drawing.targets.map((target) => target.equipment));
    expect(model.equipment.filter(({ mRID }) => !targets.has(mRID)).map(({ name }) => name)).toEqual([]);
  });

  it('shows every piece, and not only boxes', () => {
    expect(drawsWhole(model)).toBe(true);
    expect(drawing.boxes).toEqual([]);
  });

  it('lays primary busbars horizontally, the higher voltage above', () => {
    const busbars = drawing.wires.filter((wire) => wire.kind === 'busbar');
    expect(busbars).toHaveLength(3);
    for (const { path } of busbars) expect(path[0]!.y).toBe(path[1]!.y);
    const y = (name: string) => busbars.find((wire) => wire.equipment === named(name).mRID)!.path[0]!.y;
    expect(y('110 kV')).toBeLessThan(y('20 kV A'));
    expect(y('20 kV A')).toBe(y('20 kV B'));
  });

  it('runs only horizontally and vertically, inside the page', () => {
    for (const { path } of drawing.wires) {
      path.forEach((point, index) => {
        const before = path[index - 1];
        if (before) expect(before.x === point.x || before.y === point.y).toBe(true);
        expect(point.x).toBeGreaterThanOrEqual(0);
        expect(point.x).toBeLessThanOrEqual(drawing.width);
        expect(point.y).toBeGreaterThanOrEqual(0);
        expect(point.y).toBeLessThanOrEqual(drawing.height);
      });
    }
  });

  it('sets no two symbols on one spot', () => {
    const spots = [...drawing.switches, ...drawing.transformers, ...drawing.injections];
    for (const [index, a] of spots.entries())
      for (const b of spots.slice(index + 1)) expect(Math.hypot(a.x - b.x, a.y - b.y)).toBeGreaterThan(12);
  });

  it('names the normally open points', () => {
    const open = drawing.switches.filter((each) => each.normalOpen);
    expect(open.map((each) => each.name).sort()).toEqual(['BC', 'S1', 'S2', 'S3']);
    expect(open.every((each) => each.named)).toBe(true);
  });

  it('draws a model without any equipment, and one without a source', () => {
    const empty: GridModel = { ...model, equipment: [], connectivityNodes: [], bays: [] };
    expect(layout(empty).wires).toEqual([]);
    const dead = { ...model, equipment: model.equipment.filter(({ class: of }) => of !== 'ExternalNetworkInjection') };
    expect(drawnEquipment(layout(dead)).size).toBe(dead.equipment.length);
  });

  it('draws loads that hang at the end of lines without busbars or switches', () => {
    const bare: GridModel = {
      ...model,
      substations: [],
      bays: [],
      voltageLevels: [{ mRID: 'v', name: '20 kV', substation: 's', nominalVoltage: 20 }],
      connectivityNodes: ['a', 'b', 'c'].map((mRID) => ({ mRID, name: mRID, voltageLevel: 'v' })),
      equipment: [
        {
          class: 'ExternalNetworkInjection',
          mRID: 'e',
          name: 'grid',
          terminals: [{ mRID: 't0', connectivityNode: 'a' }],
          voltage: 20,
        },
        {
          class: 'ACLineSegment',
          mRID: 'l1',
          name: 'line 1',
          terminals: [
            { mRID: 't1', connectivityNode: 'a' },
            { mRID: 't2', connectivityNode: 'b' },
          ],
          r: 1,
          x: 1,
          bch: 0,
        },
        {
          class: 'ACLineSegment',
          mRID: 'l2',
          name: 'line 2',
          terminals: [
            { mRID: 't3', connectivityNode: 'b' },
            { mRID: 't4', connectivityNode: 'c' },
          ],
          r: 1,
          x: 1,
          bch: 0,
        },
        {
          class: 'EnergyConsumer',
          mRID: 'd',
          name: 'load',
          terminals: [{ mRID: 't5', connectivityNode: 'c' }],
          p: 1,
          q: 0,
        },
      ],
    };
    expect([...drawnEquipment(layout(bare))].sort()).toEqual(['d', 'e', 'l1', 'l2']);
  });
});

describe('the graph behind the drawing', () => {
  it('joins stations by chains and ends loads in stubs', () => {
    const graph = buildGraph(model);
    expect(graph.hubs.size).toBe(15);
    const inChains = graph.chains.reduce((sum, chain) => sum + chain.links.length, 0);
    const inStubs = [...graph.hubs.values()]
      .flatMap((hub) => hub.stubs)
      .reduce((sum, stub) => sum + stub.links.length, 0);
    expect(inChains + inStubs).toBe(model.equipment.filter(({ terminals }) => terminals.length === 2).length);
  });
});

describe('what leads to earth', () => {
  // In the bays of the fixture: an earthing switch behind each breaker, as an SCD of bay controllers brings them.
  const breakers = model.equipment.filter(({ class: of }) => of === 'Breaker');
  const earthed: GridModel = {
    ...model,
    equipment: [
      ...model.equipment,
      ...breakers.map(({ name, terminals }, index) => ({
        class: 'GroundDisconnector' as const,
        mRID: `earth ${index}`,
        name: `${name} Q8`,
        normalOpen: true,
        terminals: [{ mRID: `earth ${index} t`, connectivityNode: terminals[1]!.connectivityNode }],
      })),
    ],
  };

  it('makes no busbar of a joint, and changes nothing of the overview', () => {
    expect(breakers.length).toBeGreaterThan(5);
    expect(JSON.stringify(layout(earthed))).toBe(JSON.stringify(layout(model)));
  });

  it('is drawn in the display of its station', () => {
    const station = { substation: model.substations[0]!.mRID };
    const earths = (of: GridModel) => layout(of, station).switches.filter(({ kind }) => kind === 'earthing').length;
    expect(earths(model)).toBe(0);
    expect(earths(earthed)).toBeGreaterThan(2);
  });
});

describe('drawings', () => {
  const answerOf = async (order: LayoutOrder, worker: LayoutWorker, known: { model: GridModel | undefined }) => {
    known.model = order.model ?? known.model;
    worker.onmessage?.({ data: { id: order.id, drawing: layout(known.model!, order.place) } } as MessageEvent);
  };
  const station = { substation: model.substations[0]!.mRID };

  it('are laid out by the worker, which is sent a model once, and are kept', async () => {
    const orders: LayoutOrder[] = [];
    const known: { model: GridModel | undefined } = { model: undefined };
    const worker: LayoutWorker = {
      onmessage: null,
      onerror: null,
      postMessage: (order) => {
        orders.push(order);
        void answerOf(order, worker, known);
      },
    };
    const drawings = new Drawings(worker);
    expect(await drawings.draw(model, undefined)).toEqual(layout(model));
    expect(await drawings.draw(model, station)).toEqual(layout(model, station));
    expect(await drawings.draw(model, undefined)).toEqual(layout(model));
    expect(orders.map((order) => order.model !== undefined)).toEqual([true, false]);
    const next = { ...model, version: 2 };
    expect(await drawings.draw(next, undefined)).toEqual(layout(model));
    expect(orders.at(-1)!.model).toBe(next);
  });

  it('say what is wrong with a model', async () => {
    const worker: LayoutWorker = {
      onmessage: null,
      onerror: null,
      postMessage: ({ id }) => worker.onmessage?.({ data: { id, problem: 'no such station' } } as MessageEvent),
    };
    await expect(new Drawings(worker).draw(model, station)).rejects.toThrow('no such station');
  });

  it('are laid out here where there is no worker, or it fails', async () => {
    expect(await new Drawings(undefined).draw(model, undefined)).toEqual(layout(model));
    const silent: LayoutWorker = { onmessage: null, onerror: null, postMessage: () => {} };
    const drawings = new Drawings(silent);
    const waiting = drawings.draw(model, station);
    silent.onerror?.({} as ErrorEvent);
    expect(await waiting).toEqual(layout(model, station));
    expect(await drawings.draw(model, undefined)).toEqual(layout(model));
  });
});

describe('orthogonal paths', () => {
  const path = [
    { x: 0, y: 0 },
    { x: 0, y: 10 },
    { x: 20, y: 10 },
  ];
  it('are measured and cut at a distance', () => {
    expect(pathLength(path)).toBe(30);
    expect(along(path, 5)).toEqual({ x: 0, y: 5, vertical: true });
    expect(along(path, 15)).toEqual({ x: 5, y: 10, vertical: false });
    expect(slice(path, 5, 15)).toEqual([
      { x: 0, y: 5 },
      { x: 0, y: 10 },
      { x: 5, y: 10 },
    ]);
  });
});

describe('what is energised', () => {
  const topology = new Topology(model);
  const state = (changes: Record<string, SwitchState>) =>
    topology.energise((mRID) => changes[model.equipment.find((equipment) => equipment.mRID === mRID)!.name]);

  it('is everything in the normal state', () => {
    const now = state({});
    expect(model.equipment.filter(({ mRID }) => now.equipment(mRID) !== 'live').map(({ name }) => name)).toEqual([]);
  });

  it('goes dark behind an opened feeder breaker, and nowhere else', () => {
    const now = state({ 'J11 breaker': 'open' });
    const dead = model.connectivityNodes.filter(({ mRID }) => now.node(mRID) === 'dead');
    expect(dead.map(({ name }) => name)).toContain('ONS 14');
    expect(now.equipment(named('20 kV B').mRID)).toBe('live');
    expect(now.equipment(named('Gewerbe 13').mRID)).toBe('dead');
    expect(now.equipment(named('Load 02').mRID)).toBe('live');
  });

  it('comes back when the ring is closed', () => {
    const now = state({ 'J11 breaker': 'open', S1: 'closed' });
    expect(now.equipment(named('Gewerbe 13').mRID)).toBe('live');
    expect(now.sourceOf(named('ONS 13').terminals[0]!.connectivityNode)).toBe(named('T1').mRID);
  });

  it('is uncertain behind a switch whose position is not known', () => {
    const now = state({ 'J11 breaker': 'uncertain' });
    expect(now.equipment(named('Gewerbe 13').mRID)).toBe('uncertain');
    expect(now.equipment(named('J11 breaker').mRID)).toBe('live');
  });

  it('names the transformer that feeds a node', () => {
    const now = state({});
    expect(now.sourceOf(named('ONS 03').terminals[0]!.connectivityNode)).toBe(named('T1').mRID);
    expect(now.sourceOf(named('ONS 14').terminals[0]!.connectivityNode)).toBe(named('T2').mRID);
    expect(now.sourceOf(named('110 kV').terminals[0]!.connectivityNode)).toBe(named('110 kV network').mRID);
  });
});

describe('measurements of equipment', () => {
  const found = measurementsOf(model, points);
  it('are found by equipment, by terminal and by node', () => {
    const t1 = named('T1');
    expect(found.get(t1.mRID)?.byRole.P?.name).toBe('T1 active power, 20 kV side');
    expect(found.get(t1.mRID)?.byRole.tap?.name).toBe('T1 tap position');
    expect(found.get(t1.terminals[1]!.mRID)?.byRole.P?.name).toBe('T1 active power, 20 kV side');
    expect(found.get(named('20 kV A').terminals[0]!.connectivityNode)?.byRole.U?.name).toBe('20 kV A voltage');
    expect(found.get(named('J01 breaker').mRID)?.position?.kind).toBe('discrete');
  });

  it('show of several voltages the one between phases, in whatever order they come', () => {
    const busbar = named('20 kV A');
    const voltages = (['C', 'BC', 'A', 'AB', 'CA', 'B'] as const).map((phases) => ({
      ...points.find(({ name }) => name === '20 kV A voltage')!,
      mRID: `U ${phases}`,
      phases,
      measurementType: phases.length === 1 ? 'PhaseVoltage' : 'LineToLineVoltage',
    }));
    for (const list of [voltages, voltages.toReversed()])
      expect(measurementsOf(model, list).get(busbar.mRID)?.byRole.U?.mRID).toBe('U AB');
    const single = voltages.filter(({ phases }) => phases.length === 1);
    expect(measurementsOf(model, single).get(busbar.mRID)?.byRole.U?.mRID).toBe('U A');
  });

  it('tell the position of a switch, and say when they cannot', () => {
    expect(switchState({ cdc: 'DPS' }, 2, false)).toBe('closed');
    expect(switchState({ cdc: 'DPS' }, 1, false)).toBe('open');
    expect(switchState({ cdc: 'DPS' }, 0, false)).toBe('uncertain');
    expect(switchState({ cdc: 'DPS' }, 3, false)).toBe('uncertain');
    expect(switchState({ cdc: 'SPS' }, 1, false)).toBe('closed');
    expect(switchState({ cdc: 'SPS' }, 0, false)).toBe('open');
    expect(switchState({ cdc: 'DPS' }, 2, true)).toBe('uncertain');
    expect(switchState({ cdc: 'DPS' }, null, false)).toBe('uncertain');
  });
});
