/** Models changed at random: whatever a file says, there is a grid that can be calculated or refused, and findings. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { applyDifferences, checkModel, readModel, type Source } from '@enerchain/cim';
import { buildNetwork, solvePowerFlow } from '@enerchain/grid-state';
import { EnerchainError, GridModel, validator } from '@enerchain/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { referenceData } from '../../../../tools/reference-data.ts';
import { gridFromCim } from '../../src/grid/from-cim.ts';
import { about, at, object, STATION, source, TRANSFORMER } from './cim-text.ts';

const grid = validator(GridModel);
const file = (name: string, text: string): Source => ({
  name,
  open: async function* () {
    yield Buffer.from(text);
  },
});

/** Never throws but for what the solver says of a grid whose references lead nowhere. */
async function survives(sources: readonly Source[]): Promise<void> {
  const model = await readModel(sources);
  applyDifferences(model);
  checkModel(model);
  for (const solved of [false, true]) {
    const { grid: found } = gridFromCim(model, { name: 'fuzz', frequency: 50, solved });
    expect(grid.findings(found, 3)).toEqual([]);
    try {
      const { buses } = solvePowerFlow(buildNetwork(found), {}, { stepControls: true });
      for (const { voltage } of buses) expect(voltage === null || Number.isFinite(voltage)).toBe(true);
    } catch (error) {
      if (!(error instanceof EnerchainError)) throw error;
      expect(error.code).toBe('grid-state.model');
    }
  }
}

const tap = object('RatioTapChanger', 'r1', {
  TransformerEnd: '@t1-end1',
  ...{ 'TapChanger.lowStep': -5, 'TapChanger.highStep': 5, 'TapChanger.neutralStep': 0, 'TapChanger.normalStep': 1 },
  stepVoltageIncrement: 1.5,
  'TapChanger.TapChangerControl': '@hold',
});
const EQUIPMENT =
  STATION +
  TRANSFORMER +
  tap +
  object('TapChangerControl', 'hold', {
    'RegulatingControl.Terminal': '@t1-2',
    'RegulatingControl.mode': 'RegulatingControlModeKind.voltage',
  }) +
  at('ExternalNetworkInjection', 'feed', ['a'], { 'Equipment.EquipmentContainer': '@high' }) +
  at('Breaker', 'q0', ['a', 'b'], { 'Switch.normalOpen': false }) +
  at('ACLineSegment', 'line', ['c', 'd'], { r: 0.5, x: 0.5, bch: 1e-6 }) +
  at('SynchronousMachine', 'g1', ['d'], { minQ: -1, maxQ: 1, 'RegulatingCondEq.RegulatingControl': '@hold' }) +
  at('LinearShuntCompensator', 'c1', ['d'], { bPerSection: 1e-4, 'ShuntCompensator.maximumSections': 3 }) +
  at('StaticVarCompensator', 'svc', ['d'], { capacitiveRating: 500, inductiveRating: -500 }) +
  at('EnergyConsumer', 'load', ['d']);
const HYPOTHESIS =
  about('EnergyConsumer', 'load', { p: 3, q: 1 }) +
  about('TapChangerControl', 'hold', { 'RegulatingControl.enabled': true, 'RegulatingControl.targetValue': 20.4 }) +
  about('RatioTapChanger', 'r1', { 'TapChanger.step': 3, 'TapChanger.controlEnabled': true });

const NUMBERS = ['0', '-1', '1e308', '-1e308', '1e-320', 'NaN', '', 'seven', '99999999999', '0.5'];

/** One change of a text that leaves it well-formed: a value, a reference, a property or an object goes astray. */
const change = fc.record({ kind: fc.nat(4), at: fc.nat(), to: fc.nat() });
function changed(text: string, { kind, at: place, to }: { kind: number; at: number; to: number }): string {
  const pattern = [
    />[^<>]+<\/cim:[A-Za-z0-9]+\.[A-Za-z0-9]+>/g,
    /rdf:resource="#[^"]*"/g,
    /<cim:[A-Za-z0-9]+\.[A-Za-z0-9]+(?: [^>]*\/>|>[^<]*<\/cim:[A-Za-z0-9.]+>)/g,
    /<cim:([A-Za-z0-9]+) rdf:(?:ID|about)=.*?<\/cim:\1>/gs,
    /<cim:([A-Za-z0-9]+) rdf:(?:ID|about)=.*?<\/cim:\1>/gs,
  ][kind]!;
  const all = [...text.matchAll(pattern)];
  if (all.length === 0) return text;
  const found = all[place % all.length]!;
  const [whole] = found;
  const other = all[to % all.length]![0];
  const instead = [
    whole.replace(/^>[^<]*/, `>${NUMBERS[to % NUMBERS.length]}`),
    to % 3 === 0 ? 'rdf:resource="#_nowhere"' : other,
    '',
    '',
    whole + other,
  ][kind]!;
  return text.slice(0, found.index) + instead + text.slice(found.index + whole.length);
}

describe('a model changed at random', { timeout: 120_000 }, () => {
  it('gives a valid grid, or a smaller one, and never a crash', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 6 }), fc.boolean(), async (changes, hypothesis) => {
        const parts = [EQUIPMENT, HYPOTHESIS];
        for (const each of changes) parts[hypothesis ? 1 : 0] = changed(parts[hypothesis ? 1 : 0]!, each);
        await survives(parts.map((body, index) => source({ profile: index === 0 ? 'EQ' : 'SSH', body }, index)));
      }),
      { numRuns: 60 },
    );
  });

  const folder = referenceData('cgmes', 'cgmes3-test-models', 'MicroGrid');
  it.skipIf(folder === undefined)('also one that utilities published', async () => {
    const names = readdirSync(folder!).filter((name) => /_(EQ|EQ_BD|SSH|TP|SV)_\d+\.xml$/.test(name));
    const texts = names.map((name) => readFileSync(join(folder!, name), 'utf8'));
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.array(change, { minLength: 1, maxLength: 20 }), async (which, changes) => {
        const copy = [...texts];
        for (const each of changes) {
          const index = (which + each.at) % copy.length;
          copy[index] = changed(copy[index]!, each);
        }
        await survives(copy.map((text, index) => file(names[index]!, text)));
      }),
      { numRuns: 4 },
    );
  });
});
