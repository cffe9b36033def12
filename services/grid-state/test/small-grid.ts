/** A small substation with two feeders that can be joined at their ends, as a model. */
import { type ConductingEquipment, type GridModel, uuidV5 } from '@enerchain/model';

export const id = (name: string): string => uuidV5('6ba7b811-9dad-11d1-80b4-00c04fd430c8', `test:${name}`);

const terminal = (name: string, node: string) => ({ mRID: id(`${name}:${node}`), connectivityNode: id(node) });
const two = (name: string, from: string, to: string) => [terminal(name, from), terminal(name, to)];

export function switchBetween(name: string, from: string, to: string, normalOpen = false): ConductingEquipment {
  return { class: 'Breaker', mRID: id(name), name, terminals: two(name, from, to), normalOpen };
}
export function lineBetween(name: string, from: string, to: string): ConductingEquipment {
  return {
    class: 'ACLineSegment',
    mRID: id(name),
    name,
    terminals: two(name, from, to),
    r: 1.5,
    x: 2.1,
    bch: 1.4e-4,
    ratedCurrent: 145,
  };
}
export function loadAt(name: string, node: string, p: number, q: number): ConductingEquipment {
  return { class: 'EnergyConsumer', mRID: id(name), name, terminals: [terminal(name, node)], p, q };
}

/**
 *   source ─ [h] ─ T1 ─ [m] ─┬─ CB1 ─ [a0] ─ line A ─ [a1] ─ TIE (open) ─┐
 *                            └─ CB2 ─ [b0] ─ line B ─ [b1] ──────────────┘     loads at a1 and b1, PV at b1
 */
export function smallGrid(extra: readonly ConductingEquipment[] = []): GridModel {
  const high = { mRID: id('vl110'), name: '110', substation: id('s'), nominalVoltage: 110 };
  const medium = { mRID: id('vl20'), name: '20', substation: id('s'), nominalVoltage: 20 };
  return {
    mRID: id('grid'),
    name: 'small',
    version: 1,
    frequency: 50,
    substations: [{ mRID: id('s'), name: 's' }],
    voltageLevels: [high, medium],
    bays: [],
    connectivityNodes: [
      { mRID: id('h'), name: 'h', voltageLevel: high.mRID },
      ...['m', 'a0', 'a1', 'b0', 'b1'].map((name) => ({ mRID: id(name), name, voltageLevel: medium.mRID })),
    ],
    equipment: [
      {
        class: 'ExternalNetworkInjection',
        mRID: id('source'),
        name: 'source',
        terminals: [terminal('source', 'h')],
        voltage: 112,
      },
      {
        class: 'PowerTransformer',
        mRID: id('T1'),
        name: 'T1',
        terminals: two('T1', 'h', 'm'),
        ends: [
          { ratedU: 110, ratedS: 25, r: 0.77, x: 58, g: 1e-6, b: -5e-6 },
          { ratedU: 20.5, ratedS: 25, r: 0, x: 0, g: 0, b: 0 },
        ],
        ratioTapChanger: {
          mRID: id('T1:tap'),
          end: 0,
          lowStep: -9,
          highStep: 9,
          neutralStep: 0,
          normalStep: 0,
          stepVoltageIncrement: 1.5,
        },
      },
      switchBetween('CB1', 'm', 'a0'),
      switchBetween('CB2', 'm', 'b0'),
      lineBetween('A', 'a0', 'a1'),
      lineBetween('B', 'b0', 'b1'),
      switchBetween('TIE', 'a1', 'b1', true),
      loadAt('LA', 'a1', 2, 0.6),
      loadAt('LB', 'b1', 1.2, 0.3),
      {
        class: 'PowerElectronicsConnection',
        mRID: id('PV'),
        name: 'PV',
        terminals: [terminal('PV', 'b1')],
        unit: 'PhotoVoltaicUnit',
        ratedS: 1,
        maxP: 1,
        minP: 0,
      },
      ...extra,
    ],
  };
}
