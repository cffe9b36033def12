import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EnerchainError, type InspectionViewAsk, MOST_READ, parseQuestion, parseView, VIEWS } from '../src/index.ts';

const common = { endpoint: 'bcu-1', by: 'anna' };
const codeOf = (work: () => unknown): string => {
  try {
    work();
    return 'ok';
  } catch (error) {
    return error instanceof EnerchainError ? error.code : String(error);
  }
};

describe('questions about a device', () => {
  test('are those that are listed, and no others', () => {
    for (const more of [
      { ask: 'identity' },
      { ask: 'model' },
      { ask: 'controlBlocks' },
      { ask: 'goose' },
      { ask: 'files' },
      { ask: 'files', folder: 'COMTRADE' },
      { ask: 'file', name: 'COMTRADE/fault 1.cfg' },
      { ask: 'read', items: [{ reference: 'BCU1CTRL/QA1XCBR1.Pos', fc: 'ST' }] },
    ])
      expect(parseQuestion({ ...common, ...more })).toEqual({ ...common, ...more });
    expect(codeOf(() => parseQuestion({ ...common, ask: 'write' }))).toBe('inspection.question');
    expect(codeOf(() => parseQuestion({ ...common, ask: 'toString' }))).toBe('inspection.question');
    expect(codeOf(() => parseQuestion(null))).toBe('inspection.question');
  });

  test('have bounds, no control characters, and nothing beside', () => {
    const item = { reference: 'BCU1CTRL/LLN0.Mod', fc: 'ST' };
    for (const wrong of [
      { ...common, ask: 'file', name: '' },
      { ...common, ask: 'file', name: 'a\r\nb' },
      { ...common, ask: 'file', name: 'x'.repeat(300) },
      { ...common, ask: 'read', items: [] },
      { ...common, ask: 'read', items: Array(MOST_READ + 1).fill(item) },
      { ...common, ask: 'read', items: [{ ...item, fc: 'st' }] },
      { ...common, ask: 'model', value: 1 },
      { ask: 'model', endpoint: 'bcu-1' },
    ])
      expect(codeOf(() => parseQuestion(wrong))).toBe('model.invalid');
  });

  test('of anybody are read or refused with a typed error', () => {
    const ask = fc.constantFrom('identity', 'model', 'files', 'file', 'read', 'operate', 7, null);
    const data = fc.oneof(
      fc.anything(),
      fc.record(
        { ask, endpoint: fc.string(), by: fc.string(), name: fc.string(), items: fc.anything() },
        { requiredKeys: [] },
      ),
    );
    fc.assert(
      fc.property(data, (question) => {
        expect(['ok', 'inspection.question', 'model.invalid']).toContain(codeOf(() => parseQuestion(question)));
      }),
    );
  });
});

describe('views of a device', () => {
  test('of anybody are of their shape or refused with a typed error', () => {
    const asks = fc.constantFrom(...(Object.keys(VIEWS) as InspectionViewAsk[]));
    fc.assert(
      fc.property(asks, fc.anything(), (ask, view) => {
        expect(['ok', 'model.invalid']).toContain(codeOf(() => parseView(ask, view, 'the answer')));
      }),
    );
    const goose = { at: '1', subscriptions: [{ reference: 'A/LLN0.GO.g', state: 'alive', counters: {} }] };
    expect(codeOf(() => parseView('goose', goose, 'the answer'))).toBe('ok');
    expect(codeOf(() => parseView('goose', { ...goose, extra: 1 }, 'the answer'))).toBe('model.invalid');
  });
});
