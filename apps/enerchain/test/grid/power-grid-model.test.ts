/** The balanced power flows that power-grid-model publishes with its results, each within its own tolerance. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import {
  type PgmComponent,
  type PgmInput,
  type PgmUpdate,
  readPowerGridModel,
  readPowerGridModelBatch,
} from '@enerchain/cim';
import { type CaseResult, CaseSolver } from '@enerchain/grid-state';
import { describe, expect, it } from 'vitest';
import { referenceData } from '../../../../tools/reference-data.ts';
import { caseOfPowerGridModel } from '../../src/grid/from-power-grid-model.ts';

const folder = referenceData('power-grid-model', 'power_flow');
interface Params {
  readonly calculation_method: string | readonly string[];
  readonly tap_changing_strategy?: string;
  readonly rtol: number;
  readonly atol: number | Readonly<Record<string, number>>;
  readonly raises?: { readonly raises: string };
  readonly xfail?: { readonly raises: string; readonly reason: string };
}
type Output = Readonly<Record<string, readonly Readonly<Record<string, number>>[]>>;

/** Why a case is not a power flow with an answer to compare, if it is not. */
function otherwise({ calculation_method: methods, raises, xfail }: Params): string | undefined {
  if (raises) return `it is to fail there: ${raises.raises}`;
  // Links are no trouble here; the rest is refused there before anything is calculated.
  if (xfail && xfail.raises !== 'AssertionError') return `it fails there: ${xfail.reason}`;
  if (![methods].flat().includes('newton_raphson')) return 'its answer is that of an approximation';
  return undefined;
}

const json = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));

function updated(input: PgmInput, update: PgmUpdate): PgmInput {
  const components = new Map(input.components);
  for (const [type, changes] of update) {
    const list = [...(components.get(type) ?? [])];
    changes.forEach((change, place) => {
      const at = change.id === undefined ? place : list.findIndex(({ id }) => id === change.id);
      list[at] = { ...list[at]!, ...change } as PgmComponent;
    });
    components.set(type, list);
  }
  return { ...input, components };
}

/** As far as the digits go: published flows of nothing are compared to 10 µW, which stiff sources do not always allow. */
function solve(input: PgmInput, stepControls: boolean): CaseResult {
  const solver = new CaseSolver(caseOfPowerGridModel('case', input));
  const [fine, coarse] = [1e-12, 1e-9].map((tolerance) =>
    solver.solve({
      tolerance,
      maxIterations: 50,
      reactiveLimits: true,
      firstStart: 'linear',
      stepControls,
      fallbacks: tolerance > 1e-10,
    }),
  );
  return fine!.converged ? fine! : coarse!;
}

/** Taps where the answer has them: which of those within a band is taken is a matter of taste. */
function regulated(input: PgmInput, output: Output): PgmUpdate {
  const regulators = input.components.get('transformer_tap_regulator') ?? [];
  const taps = (output.transformer_tap_regulator ?? []).flatMap(({ id, tap_pos: tap }) => {
    const regulator = regulators.find((each) => each.id === id && each.status !== 0);
    const transformer = regulator?.regulated_object;
    return typeof transformer === 'number' && typeof tap === 'number' ? [{ id: transformer, tap_pos: tap }] : [];
  });
  return new Map([['transformer', taps]]);
}

/** Voltages that our own regulators leave outside their band, where theirs do not and the tap could still move. */
function outside(input: PgmInput, output: Output): string[] {
  const grid = caseOfPowerGridModel('case', input);
  const result = solve(input, true);
  const moved = new Map(result.islands.flatMap((island) => island.moved.map(({ step, position }) => [step, position])));
  return (grid.steps ?? []).flatMap(({ bus, target, deadband, actuator, position }, step) => {
    const { vm } = result.buses[bus!]!;
    const at = moved.get(step) ?? position;
    const theirs = output.node?.find(({ id }) => id === grid.ids[bus!])?.u_pu ?? Number.NaN;
    const within = (voltage: number): boolean => Math.abs(voltage - target) <= deadband / 2 + 1e-6;
    if (vm === null || at === 0 || at === actuator.settings.length - 1 || !within(theirs)) return [];
    return within(vm) ? [] : [`bus ${grid.ids[bus!]} has ${vm} and is to have ${target}`];
  });
}

/** Where their answer is not the last word. */
const DOUBTFUL: Readonly<Record<string, { readonly rtol?: number; readonly not?: readonly string[] }>> = {
  // Every angle is written as 0.
  generic_branch: { not: ['u_angle'] },
  // Their links are admittances of 10⁸ pu, ours are none; in a loop of them what flows through each is open.
  'dummy-test-line-into-itself': { rtol: 1e-5 },
  'handling-of-links/merge-nodes-by-links-1-line-with-line-to-self': { not: ['q_from', 'q_to'] },
};
/** Loaded so heavily that Newton’s method finds nothing after the next step of the tap: our regulator stays before it. */
const STAYS = ['any', 'fast-any'].map((strategy) => `automatic-tap-regulator/auto-tap-changer-meshed-${strategy}`);
/** W and var: beside admittances of 10⁴ pu there are no more digits. */
const NOTHING = 1e-4;

/** Every number of nodes and branches that is outside its tolerance: what, which, ours, theirs. */
function deviations(name: string, result: CaseResult, output: Output, { rtol, atol }: Params): string[] {
  const { rtol: wider = 0, not = [] } = DOUBTFUL[name] ?? {};
  const found: string[] = [];
  const check = (
    what: string,
    attribute: string,
    ours: number | null | undefined,
    theirs: number | null | undefined,
  ): void => {
    if (theirs === undefined || theirs === null || not.includes(attribute)) return;
    const own = typeof atol === 'number' ? atol : (atol[attribute] ?? atol.default ?? 0);
    const absolute = attribute.startsWith('u_') ? own : Math.max(own, NOTHING);
    if (!(Math.abs((ours ?? Number.NaN) - theirs) <= absolute + Math.max(rtol, wider) * Math.abs(theirs))) {
      found.push(`${what} ${attribute}: ${ours}, there ${theirs}`);
    }
  };
  const buses = new Map(result.buses.map((bus) => [bus.id, bus]));
  for (const { id, energized, u_pu, u_angle } of output.node ?? []) {
    const bus = buses.get(id!);
    // What is not fed has 0 pu there and nothing here.
    if (energized === 0 || u_pu === 0) {
      if (bus?.vm !== null && bus?.vm !== 0) found.push(`node ${id} has ${bus?.vm} pu and is not fed`);
      continue;
    }
    check(`node ${id}`, 'u_pu', bus?.vm, u_pu);
    if (u_angle === undefined || bus === undefined || bus.va === null) continue;
    const turns = Math.round(((bus.va * Math.PI) / 180 - u_angle) / (2 * Math.PI));
    check(`node ${id}`, 'u_angle', (bus.va * Math.PI) / 180 - 2 * Math.PI * turns, u_angle);
  }
  const watt = result.baseMVA * 1e6;
  for (const type of ['line', 'link', 'transformer', 'generic_branch']) {
    for (const theirs of output[type] ?? []) {
      const branch = result.branches.find(({ id }) => id === theirs.id);
      for (const [attribute, ours] of [
        ['p_from', branch?.pFrom],
        ['q_from', branch?.qFrom],
        ['p_to', branch?.pTo],
        ['q_to', branch?.qTo],
      ] as const) {
        check(`${type} ${theirs.id}`, attribute, (ours ?? Number.NaN) * watt, theirs[attribute]);
      }
    }
  }
  for (const theirs of output.three_winding_transformer ?? []) {
    const sides = result.branches.filter(({ id }) => id === theirs.id);
    sides.forEach(({ pFrom, qFrom }, side) => {
      check(`three windings ${theirs.id}`, `p_${side + 1}`, (pFrom ?? Number.NaN) * watt, theirs[`p_${side + 1}`]);
      check(`three windings ${theirs.id}`, `q_${side + 1}`, (qFrom ?? Number.NaN) * watt, theirs[`q_${side + 1}`]);
    });
  }
  return found;
}

describe.skipIf(folder === undefined)('power-grid-model: published power flows', () => {
  for (const path of folder === undefined ? [] : globSync(`${folder}/**/input.json`).sort()) {
    const at = dirname(path);
    const name = relative(folder!, at);
    const params = json(join(at, 'params.json')) as Params;
    const reason = otherwise(params);
    const strategy = params.tap_changing_strategy;
    for (const kind of ['sym_output.json', 'sym_output_batch.json']) {
      if (!existsSync(join(at, kind))) continue;
      const batch = kind === 'sym_output_batch.json';
      const title = `${name}${batch ? ' (batch)' : ''}${reason ? `: ${reason}` : ''}`;
      it.skipIf(reason !== undefined)(title, () => {
        const input = readPowerGridModel(readFileSync(path, 'utf8'));
        const { data } = json(join(at, kind)) as { data: Output | Output[] };
        const updates = batch
          ? readPowerGridModelBatch(readFileSync(join(at, 'update_batch.json'), 'utf8'))
          : [new Map()];
        const found = updates.flatMap((update, scenario) => {
          const given = updated(input, update);
          const output = batch ? (data as Output[])[scenario]! : (data as Output);
          const settled = updated(given, regulated(given, output));
          return [
            ...deviations(name, solve(settled, false), output, params),
            ...((strategy === 'any_valid_tap' || strategy === 'fast_any_tap') && !STAYS.includes(name)
              ? outside(given, output)
              : []),
          ].map((text) => (batch ? `scenario ${scenario}: ${text}` : text));
        });
        expect(found).toEqual([]);
      });
    }
  }
});
