/** Grids written as CGMES and read again: the same grid, and nothing that our own rules find wrong. */
import { randomUUID } from 'node:crypto';
import { checkModel, readModel, writeFile } from '@enerchain/cim';
import { buildNetwork, type PowerFlowResult, type SwitchAndTapState, solvePowerFlow } from '@enerchain/grid-state';
import { buildLabGrid } from '@enerchain/lab';
import { GridModel, tapChangersOf, validator } from '@enerchain/model';
import { describe, expect, it } from 'vitest';
import { referenceData } from '../../../../tools/reference-data.ts';
import { gridFromCim } from '../../src/grid/from-cim.ts';
import { openGridCase, positionsOf } from '../../src/grid/open-case.ts';
import { gridToCim } from '../../src/grid/to-cim.ts';

const TIMES = { created: '2026-06-17T12:00:00Z', scenarioTime: '2026-06-17T12:30:00Z' };

/** @returns the grid as it is read back from the files that it was written to */
async function throughFiles(grid: GridModel, state: SwitchAndTapState, solved: boolean) {
  const solution = solvePowerFlow(buildNetwork(grid, state), {}, { reactiveLimits: false });
  const options = { authority: 'urn:test', ...TIMES, id: randomUUID };
  const made = gridToCim(grid, solved ? { ...options, solution } : options);
  const sources = made.files.map(({ name }, index) => ({
    name,
    open: async function* () {
      for (const piece of writeFile(made, index)) yield Buffer.from(piece);
    },
  }));
  const model = await readModel(sources);
  checkModel(model);
  const { solution: sv, ...read } = gridFromCim(model, { name: grid.name, frequency: grid.frequency });
  return { model, solution, sv, ...read };
}

/** What is the same whether it is written or not, in one way; numbers but for the last digits. */
function plain(grid: GridModel) {
  const rounded = (_: string, value: unknown) => (typeof value === 'number' ? Number(value.toPrecision(12)) : value);
  const { equipment, operationalLimitSets = [], regulatingControls = [], diagram = [], ...rest } = grid;
  const { version: _, headers: __, derivedIdentifiers: ___, ...containers } = rest;
  const byId = <T extends { mRID: string }>(list: readonly T[]): T[] =>
    [...list].sort((x, y) => (x.mRID < y.mRID ? -1 : 1));
  // Levels of lines are not written: what is read has others, of the same voltage.
  const lines = new Set(containers.substations.filter(({ line }) => line).map(({ mRID }) => mRID));
  const levels = containers.voltageLevels.map((level) =>
    lines.has(level.substation) ? { ...level, mRID: `${level.substation} ${level.nominalVoltage}` } : level,
  );
  const levelOf = new Map(containers.voltageLevels.map(({ mRID }, index) => [mRID, levels[index]!.mRID]));
  const nodes = containers.connectivityNodes.map((node) => ({ ...node, voltageLevel: levelOf.get(node.voltageLevel) }));
  const whole = {
    ...containers,
    substations: byId(containers.substations),
    voltageLevels: byId(levels),
    bays: byId(containers.bays),
    connectivityNodes: byId(nodes),
    equipment: byId(equipment).map(explicit),
    regulatingControls: byId(regulatingControls),
    operationalLimitSets: byId(operationalLimitSets).map(({ limits, ...set }) => ({ ...set, limits: byId(limits) })),
    diagram: [...diagram].sort((x, y) => (x.object < y.object ? -1 : 1)),
  };
  return JSON.parse(JSON.stringify(whole, rounded));
}

/** kV at every node, by the power flow. */
function voltages(grid: GridModel) {
  return rounded(solvePowerFlow(buildNetwork(grid, positionsOf(grid)), {}, { reactiveLimits: false }), grid);
}
const rounded = ({ buses, busOfNode }: PowerFlowResult, { connectivityNodes }: GridModel) =>
  Object.fromEntries(
    connectivityNodes.map(({ mRID }) => [mRID, buses[busOfNode.get(mRID)!]!.voltage?.toFixed(8) ?? null]),
  );

const enabled = <T extends { regulatingControl?: string; controlEnabled?: boolean }>(holder: T) =>
  holder.regulatingControl === undefined ? holder : { ...holder, controlEnabled: holder.controlEnabled ?? false };

/** With what stands for what is absent. */
function explicit(item: GridModel['equipment'][number]) {
  const own = { inService: true, ...item, terminals: item.terminals.map((each) => ({ connected: true, ...each })) };
  if ('normalOpen' in item)
    return {
      ...own,
      open: item.open ?? item.normalOpen,
      retained: 'retained' in item ? (item.retained ?? false) : false,
    };
  if ('normalSections' in item)
    return { ...enabled(own as typeof item), sections: item.sections ?? item.normalSections };
  if (item.class !== 'PowerTransformer') return enabled(own as typeof item & { regulatingControl?: string });
  const changers = tapChangersOf(item).map((each) => ({
    ...enabled(each),
    class: each.class ?? 'RatioTapChanger',
    step: each.step ?? each.normalStep,
    ltcFlag: each.ltcFlag ?? true,
  }));
  const { ratioTapChanger: _, tapChangers: __, ...rest } = own as typeof item;
  return { ...rest, changers };
}

const ASSEMBLED = 'conformity/cas-1.1.3-data-4.0.3/MicroGrid/BaseCase/CGMES_v2.4.15_MicroGridTestConfiguration_';
const SETS = {
  'MicroGrid 2.4.15': [`${ASSEMBLED}BC_Assembled_v2`, `${ASSEMBLED}BD_v2`],
  'MicroGrid 3.0': ['cgmes3-test-models/MicroGrid'],
  'MiniGrid 3.0': ['cgmes3-test-models/MiniGrid'],
  'SmallGrid 3.0': ['cgmes3-test-models/SmallGrid'],
} as const;

describe.skipIf(referenceData('cgmes') === undefined)('published grids written as CGMES 3.0', () => {
  for (const [name, paths] of Object.entries(SETS)) {
    it(`${name}: what is read back is the same grid, and our own rules find no error in it`, async () => {
      const open = await openGridCase(paths.map((path) => referenceData('cgmes', ...path.split('/'))!));
      if (open.kind !== 'grid') throw new Error('no grid');
      const { model, grid, leftOut } = await throughFiles(open.model, open.state, true);
      expect(model.findings.list.filter(({ severity }) => severity !== 'note').slice(0, 20)).toEqual([]);
      expect(leftOut).toEqual([]);
      expect(plain(grid)).toEqual(plain(open.model));
    });
  }
});

describe('a grid of the platform written as CGMES 3.0', () => {
  const { model: lab } = buildLabGrid();

  it('has the power flow that it had: the infeed holds its voltage by a control, what it may carry is a limit', async () => {
    const { model, grid, leftOut, solution } = await throughFiles(lab, positionsOf(lab), false);
    expect(model.files.map(({ header }) => header?.profiles)).toEqual([['EQ'], ['SSH']]);
    expect(model.findings.list.filter(({ severity }) => severity !== 'note')).toEqual([]);
    expect(leftOut).toEqual([]);
    expect(validator(GridModel).findings(grid, 5)).toEqual([]);
    expect(grid.regulatingControls).toMatchObject([{ mode: 'voltage', enabled: true }]);
    const rated = (of: GridModel) =>
      of.equipment.flatMap((each) => ('ratedCurrent' in each && !('normalOpen' in each) ? [each.ratedCurrent] : []));
    expect(rated(grid)).toEqual(rated(lab));
    expect(voltages(grid)).toEqual(rounded(solution, grid));
  });

  it('with its solution: the state that is read is the one that was written, at every node and terminal', async () => {
    const { topologicalNodes, ...read } = await throughFiles(lab, positionsOf(lab), true);
    const result = solvePowerFlow(buildNetwork(lab, positionsOf(lab)), {}, { reactiveLimits: false });
    expect(read.model.files.map(({ header }) => header?.profiles)).toEqual([['EQ'], ['SSH'], ['TP'], ['SV']]);
    expect(read.model.findings.list.filter(({ severity }) => severity !== 'note')).toEqual([]);
    expect(topologicalNodes.length).toBe(new Set(result.busOfNode.values()).size);
    for (const { nodes } of topologicalNodes) {
      expect(new Set(nodes.map((node) => result.busOfNode.get(node))).size).toBe(1);
      const { voltage, angle } = result.buses[result.busOfNode.get(nodes[0]!)!]!;
      expect(read.sv!.voltages.get(nodes[0]!)).toEqual({ v: voltage ?? 0, angle: angle ?? 0 });
    }
  });
});
