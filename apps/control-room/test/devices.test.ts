import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { comtradeSummary, fileRows, folderAbove } from '../src/pages/devices/comtrade.ts';
import { iedsOf } from '../src/pages/devices/places.ts';
import { devicePoints, partOfPoint } from '../src/pages/devices/points.ts';
import { itemsOf, readingsOf } from '../src/pages/devices/readings.ts';
import { IedTree, stepOf, type TreeNode } from '../src/pages/devices/tree.ts';
import {
  clockState,
  configRevisions,
  revisionText,
  triggerText,
  valueState,
  valueText,
} from '../src/pages/devices/words.ts';
import { CONFIGURATION, IED, iedModel, iedPoints } from './fixture/ied.ts';

const tree = () => new IedTree(iedModel());
const DEVICE = 'BCU1CTRL';
const names = (of: IedTree, open: readonly string[], search?: string) =>
  of
    .rows(new Set(open), search === undefined ? undefined : of.search(search))
    .map(({ node }) => `${' '.repeat(node.depth)}${node.name}`);

describe('the model of an IED as a tree', () => {
  it('shows what is opened, and makes nothing else', () => {
    const of = tree();
    expect(names(of, [])).toEqual(['BCU1CTRL', 'BCU1PROT']);
    expect(of.node(`${DEVICE}/MMXU1.TotW`)).toBeUndefined();
    const open = [
      DEVICE,
      `${DEVICE}/MMXU1`,
      `${DEVICE}/MMXU1.A`,
      `${DEVICE}/MMXU1.A.phsA`,
      `${DEVICE}/MMXU1.A.phsA.cVal MX`,
    ];
    const rows = names(of, open);
    const at = rows.indexOf('  A');
    expect(rows.slice(at, at + 8)).toEqual([
      '  A',
      '   phsA',
      '    cVal',
      '     mag',
      '     ang',
      '    q',
      '    t',
      '   phsB',
    ]);
    expect(of.attributes).toBe(4660);
  });

  it('says of each place what it is', () => {
    const of = tree();
    const at = of.find(`${DEVICE}/QA1XCBR1.Pos.ctlModel`)!;
    expect(at).toMatchObject({ kind: 'attribute', fc: 'CF', type: 'Enum', leaf: true, depth: 3 });
    expect(at.words?.get(4)).toBe('sbo-with-enhanced-security');
    expect(of.objectOf(at)?.reference).toBe(`${DEVICE}/QA1XCBR1.Pos`);
    expect(of.find(`${DEVICE}/QA1XCBR1.Pos`)).toMatchObject({ kind: 'object', type: 'DPC', constraints: ['ST', 'CF'] });
    expect(of.find(`${DEVICE}/QA1XCBR1.Pos.none`)).toBeUndefined();
    expect(of.find('BCU9/LLN0')).toBeUndefined();
  });

  it('numbers siblings as a screen reader tells them', () => {
    const rows = tree().rows(new Set([DEVICE]));
    expect(rows[0]).toMatchObject({ position: 1, siblings: 2, open: true });
    expect(rows[1]).toMatchObject({ position: 1, siblings: 50, open: false });
    expect(rows.at(-1)).toMatchObject({ position: 2, siblings: 2 });
  });

  it('finds the highest places that have every word', () => {
    const of = tree();
    expect(names(of, [DEVICE, 'BCU1PROT'], 'xcbr')).toEqual(['BCU1CTRL', ' QA1XCBR1']);
    expect(names(of, [DEVICE], 'XCBR1 pos')).toEqual(['BCU1CTRL', ' QA1XCBR1']);
    expect(names(of, [DEVICE, `${DEVICE}/QA1XCBR1`], 'XCBR1 pos')).toEqual(['BCU1CTRL', ' QA1XCBR1', '  Pos']);
    expect(names(of, [DEVICE], 'disconnector')).toEqual(['BCU1CTRL', ' QB1CSWI1']);
    const deep = of.search('mmxu1.a.phsa.cval.mag')!;
    expect([...deep.matches]).toEqual([`${DEVICE}/MMXU1.A.phsA.cVal.mag.f MX`, 'BCU1PROT/MMXU1.A.phsA.cVal.mag.f MX']);
    expect(deep.above.has(`${DEVICE}/MMXU1.A.phsA.cVal.mag MX`)).toBe(true);
    expect(of.search('  ')).toBeUndefined();
    expect(of.search('nothing of the kind')).toEqual({ matches: new Set(), above: new Set(), cut: false });
  });

  it('leads to each match by ways that open, whatever was typed', () => {
    const of = tree();
    fc.assert(
      fc.property(fc.constantFrom('pos', 'q', 'phsB', 'Ind7', 'ctlVal', 'mode', 'LLN0 vendor', '1'), (text) => {
        const found = of.search(text)!;
        const shown = new Set(of.rows(found.above, found).map(({ node }) => node.key));
        for (const key of found.matches) expect(shown.has(key)).toBe(true);
        for (const key of found.above) expect(shown.has(key)).toBe(true);
      }),
    );
  });

  it('is cut when there is more to find than can be shown', () => {
    const many = new IedTree(iedModel(100));
    const { matches, cut } = many.search('stval')!;
    expect(cut).toBe(true);
    expect(matches.size).toBeGreaterThanOrEqual(500);
  });

  it('of ten thousand rows is walked in one go', () => {
    const of = new IedTree(iedModel(100));
    const open = new Set([DEVICE]);
    const walk = (node: TreeNode) => {
      open.add(node.key);
      for (const child of of.children(node)) if (!child.leaf) walk(child);
    };
    walk(of.roots[0]!);
    expect(of.rows(open).length).toBeGreaterThan(10_000);
  });
});

describe('keys in the tree', () => {
  const of = tree();
  const rows = of.rows(new Set([DEVICE]));
  it('move, and stop at the ends', () => {
    expect(stepOf('ArrowDown', rows, 0, 10)).toEqual({ kind: 'go', row: 1 });
    expect(stepOf('ArrowUp', rows, 0, 10)).toEqual({ kind: 'go', row: 0 });
    expect(stepOf('PageDown', rows, 0, 10)).toEqual({ kind: 'go', row: 10 });
    expect(stepOf('End', rows, 0, 10)).toEqual({ kind: 'go', row: rows.length - 1 });
    expect(stepOf('x', rows, 0, 10)).toBeUndefined();
  });
  it('open, go in, close, and go out', () => {
    expect(stepOf('ArrowRight', rows, 1, 10)).toEqual({ kind: 'open', key: `${DEVICE}/LLN0` });
    expect(stepOf('ArrowRight', rows, 0, 10)).toEqual({ kind: 'go', row: 1 });
    expect(stepOf('ArrowLeft', rows, 0, 10)).toEqual({ kind: 'close', key: DEVICE });
    expect(stepOf('ArrowLeft', rows, 3, 10)).toEqual({ kind: 'go', row: 0 });
    expect(stepOf('*', rows, 3, 10)).toEqual({ kind: 'openSiblings' });
  });
});

describe('values read on request', () => {
  it('are asked for by data object and constraint', () => {
    const of = tree();
    const at = (reference: string) => of.find(reference)!;
    expect(itemsOf(of, at(`${DEVICE}/QA1XCBR1.Pos`))).toEqual([
      { reference: `${DEVICE}/QA1XCBR1.Pos`, fc: 'ST' },
      { reference: `${DEVICE}/QA1XCBR1.Pos`, fc: 'CF' },
    ]);
    expect(itemsOf(of, at(`${DEVICE}/QA1XCBR1.Pos.q`))).toEqual([{ reference: `${DEVICE}/QA1XCBR1.Pos.q`, fc: 'ST' }]);
    // An object that is made of others alone.
    expect(itemsOf(of, at(`${DEVICE}/MMXU1.A`)).map(({ reference, fc }) => `${reference} ${fc}`)).toEqual([
      `${DEVICE}/MMXU1.A.phsA MX`,
      `${DEVICE}/MMXU1.A.phsB MX`,
      `${DEVICE}/MMXU1.A.phsC MX`,
    ]);
    expect(itemsOf(of, at(`${DEVICE}/QA1XCBR1`)).length).toBeGreaterThan(3);
  });

  it('come apart into attributes, each with its moment or why there is none', () => {
    const readings = readingsOf({
      at: '1700000000000000000',
      results: [
        { reference: 'A/X.Pos', fc: 'ST', value: { stVal: '10', q: 'good', deep: { f: 1 } } },
        { reference: 'A/X.Pos', fc: 'CO', problem: 'not given' },
      ],
    });
    expect([...readings.keys()]).toEqual(['A/X.Pos.stVal ST', 'A/X.Pos.q ST', 'A/X.Pos.deep.f ST', 'A/X.Pos CO']);
    expect(readings.get('A/X.Pos.q ST')).toEqual({ value: 'good', at: new Date(1_700_000_000_000) });
    expect(readings.get('A/X.Pos CO')?.problem).toBe('not given');
  });

  it('read as a person reads them', () => {
    const now = new Date('2026-11-27T12:00:00Z');
    const text = (value: Parameters<typeof valueText>[0], of: Parameters<typeof valueText>[1] = {}) =>
      valueText(value, of, now);
    expect(text('10', { type: 'Dbpos' })).toBe('on');
    expect(text('00', { type: 'Dbpos' })).toBe('intermediate');
    expect(text('questionable,oldData', { type: 'Quality' })).toBe('questionable, old data');
    expect(text(4, { words: new Map([[4, 'sbo']]) })).toBe('sbo (4)');
    expect(text(-1.5)).toBe('−1.5');
    expect(text('2026-11-26T12:00:00.123456Z clockNotSynchronized')).toMatch(
      /^2026-11-2\d \d\d:\d\d:00\.123 · clock not synchronized$/,
    );
    expect([text(''), text(null), text([1, 2]), text({ a: 1 }), text(true)]).toEqual([
      '(empty)',
      '—',
      '2 elements',
      'a',
      'true',
    ]);
  });
});

describe('the points of a device', () => {
  it('stand at their data objects', () => {
    const { monitored, controls, all } = devicePoints(iedPoints(), IED.source, IED.endpoint);
    expect(all).toHaveLength(4);
    expect(monitored.get('BCU1CTRL/QA1XCBR1.Pos')?.name).toBe('BCU1 breaker position');
    expect(controls.get('BCU1CTRL/QA1CSWI1.Pos')?.kind).toBe('command');
    expect(monitored.has('BCU1CTRL/QA1CSWI1.Pos')).toBe(false);
    expect(devicePoints(iedPoints(), 'edge-west', IED.endpoint).all).toEqual([]);
    const phase = { ...iedPoints()[0]!, address: 'BCU1PROT/PTOC1.Str.phsA' };
    const own = devicePoints([phase], IED.source, IED.endpoint).monitored;
    expect(own.get('BCU1PROT/PTOC1.Str.phsA')).toBe(phase);
  });
  it('have their value in the first attribute that carries one', () => {
    expect(partOfPoint('mag.f', ['instMag.f', 'mag.f', 'q', 't'])).toBe('value');
    expect(partOfPoint('instMag.f', ['instMag.f', 'mag.f', 'q', 't'])).toBeUndefined();
    expect([partOfPoint('q', []), partOfPoint('t', []), partOfPoint('d', ['stVal'])]).toEqual(['q', 't', undefined]);
  });
});

describe('what the list says of a device', () => {
  it('names IEDs by gateway, and nothing of another protocol', () => {
    const endpoint = (id: string, protocol: string) => ({ id, protocol, state: 'up' as const, counters: {} });
    const source = (name: string, ...endpoints: ReturnType<typeof endpoint>[]) =>
      ({ source: name, role: 'edge', connected: true, report: { endpoints } }) as never;
    const found = iedsOf([
      source('b', endpoint('bcu-10', 'iec61850'), endpoint('bcu-2', 'iec61850')),
      source('a', endpoint('rtu', 'iec104'), endpoint('x', 'iec61850')),
      { source: 's', role: 'service' } as never,
    ]);
    expect(found.map((ied) => `${ied.source.source} ${ied.endpoint.id}`)).toEqual(['a x', 'b bcu-2', 'b bcu-10']);
  });
  it('tells the clock by the time quality of its values', () => {
    expect(clockState([])).toMatchObject({ tone: 'unknown' });
    expect(clockState([31, 10])).toMatchObject({ tone: 'ok' });
    expect(clockState([31, 10 | 0x20])).toMatchObject({ tone: 'warn' });
    expect(clockState([31, 0x40])).toMatchObject({ tone: 'bad' });
  });
  it('tells the revisions of logical devices once where they are the same', () => {
    const of = (name: string, configRev?: string, expected?: string) => ({
      name,
      ...(configRev ? { configRev } : {}),
      ...(expected ? { expected } : {}),
    });
    expect(configRevisions([of('A', '1', '1'), of('B', '1')])).toEqual([
      { name: 'configRev of 2 devices', text: '1', differs: false },
    ]);
    expect(configRevisions([of('A', '2', '1'), of('B'), of('C', undefined, '1')])).toEqual([
      { name: 'configRev A', text: '2, not 1 as in the file', differs: true },
      { name: 'configRev C', text: '(1 in the file)', differs: false },
    ]);
  });
  it('tells the period with the integrity reports, and where there are none not', () => {
    expect(triggerText(['dchg', 'integrity', 'gi'], 60_000)).toBe(
      'data change, integrity every 60 s, general interrogation',
    );
    expect(triggerText(['dchg'], 60_000)).toBe('data change');
  });
  it('counts values that are not good and revisions that differ', () => {
    expect(valueState([0, 0b11, undefined, 0])).toEqual({ all: 4, bad: 1, none: 1 });
    expect(revisionText(3, 2)).toEqual({ text: '3, not 2 as in the file', differs: true });
    expect(revisionText(3, 3)).toEqual({ text: '3', differs: false });
    expect(revisionText(undefined, 2)).toEqual({ text: '(2 in the file)', differs: false });
  });
});

describe('disturbance records', () => {
  it('are known by their parts', () => {
    const rows = fileRows([
      { name: 'COMTRADE/F1.CFG', size: 1, modified: '2026-01-01T00:00:00Z' },
      { name: 'COMTRADE/F1.DAT', size: 2, modified: '2026-01-01T00:00:00Z' },
      { name: 'lonely.cfg', size: 1 },
      { name: 'F2.cff', size: 3, modified: '2026-02-01T00:00:00Z' },
    ]);
    expect(rows.map(({ name, record }) => [name, record?.join('+')])).toEqual([
      ['F2.cff', 'cff'],
      ['COMTRADE/F1.CFG', 'cfg+dat'],
      ['COMTRADE/F1.DAT', undefined],
      ['lonely.cfg', undefined],
    ]);
  });
  it('lie in folders, which come first', () => {
    const rows = fileRows([
      { name: 'a.log', size: 1, modified: '2026-01-01T00:00:00Z' },
      { name: 'COMTRADE/', size: 0 },
    ]);
    expect(rows.map(({ name }) => name)).toEqual(['COMTRADE/', 'a.log']);
    expect(['COMTRADE/', 'A\\B\\', 'a/b/c/'].map(folderAbove)).toEqual([undefined, 'A\\', 'a/b/']);
  });
  it('say in their configuration what they hold', () => {
    expect(comtradeSummary(CONFIGURATION)).toEqual({
      station: 'UW Nord',
      device: 'BCU1',
      revision: '1999',
      analog: [
        { name: 'U L1', phase: 'A', unit: 'kV' },
        { name: 'U L2', phase: 'B', unit: 'kV' },
        { name: 'I L1', phase: 'A', unit: 'A' },
      ],
      digital: ['Trip'],
      frequency: 50,
      rates: [{ perSecond: 4000, last: 24000 }],
      start: '26/11/2026 04:12:08.100000',
      trigger: '26/11/2026 04:12:08.600000',
      format: 'BINARY',
    });
  });
  it('that are none are refused with a sentence, never a crash', () => {
    expect(comtradeSummary('')).toMatch(/second line/);
    expect(comtradeSummary('a,b\n3,2A,1D\n1,x')).toMatch(/ends after/);
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.nat(CONFIGURATION.length).map((cut) => CONFIGURATION.slice(0, cut)),
        ),
        (text) => {
          expect(['string', 'object']).toContain(typeof comtradeSummary(text));
        },
      ),
    );
  });
});
