/** Versions of the grid, what changed between them, links of points to it, and what a point meant at a time. */
import { fromIso, type SiteDocument, toIso } from '@enerchain/model';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Database, openDatabase } from '../src/database/database.ts';
import { diffGrids } from '../src/grid/diff.ts';
import { Directory, SiteFiles } from '../src/ingest/points.ts';
import { SiteHistory } from '../src/ingest/site-history.ts';
import { nodeFiles } from '../src/log/files.ts';
import { newDataFolder, removeDataFolder } from './data-folder.ts';
import { mRID, SECOND, siteOf, T0, TestClock } from './doubles.ts';
import { type Face, newFace } from './face.ts';

const dataDir = newDataFolder('grid-versions');
const sites = `${dataDir}/sites`;
let database: Database;
let face: Face;
let history: SiteHistory;
const clock = new TestClock();

beforeAll(async () => {
  database = await openDatabase({ dataDir, logger: pino({ level: 'silent' }) });
  history = new SiteHistory(nodeFiles, `${dataDir}/sites-history`, clock);
  await history.load();
  face = await newFace({ database, history });
});
afterAll(async () => {
  await face?.close();
  await database?.close();
  removeDataFolder(dataDir);
});

const node = mRID(33);
const busbar = (name: string) => ({
  class: 'BusbarSection' as const,
  mRID: mRID(34),
  name,
  terminals: [{ mRID: mRID(35), connectivityNode: node }],
});
const load = {
  class: 'EnergyConsumer' as const,
  mRID: mRID(36),
  name: 'L',
  p: 1,
  q: 0,
  terminals: [{ mRID: mRID(37), connectivityNode: node }],
};
const model = {
  mRID: mRID(30),
  name: 'Small',
  version: 1,
  frequency: 50,
  substations: [{ mRID: mRID(31), name: 'S' }],
  voltageLevels: [{ mRID: mRID(32), name: '20 kV', substation: mRID(31), nominalVoltage: 20 }],
  bays: [],
  connectivityNodes: [{ mRID: node, name: 'N', voltageLevel: mRID(32) }],
  equipment: [busbar('B')],
  headers: [
    {
      id: '_m1',
      kind: 'full' as const,
      profiles: ['EQ'],
      created: '2026-01-01T00:00:00Z',
      dependentOn: [],
      supersedes: ['_m0'],
    },
  ],
};
const second = { ...model, equipment: [busbar('B1'), load] };
const headers = () => ({ authorization: `Bearer ${face.admin}`, 'x-enerchain-request': '1' });
const get = async (url: string) => face.app.inject({ url: `/api/v1${url}`, headers: headers() });
const send = async (method: 'PUT' | 'POST', url: string, payload: object) =>
  face.app.inject({ method, url: `/api/v1${url}`, headers: headers(), payload });

describe('versions of the grid', () => {
  it('are kept with who, when and the headers of the files, and are there by version and by time', async () => {
    expect((await get('/grid?at=2020-01-01T00:00:00Z')).statusCode).toBe(404);
    expect((await send('PUT', '/grid', model)).json()).toEqual({ version: 1, changed: true });
    expect((await send('PUT', '/grid', second)).json()).toEqual({ version: 2, changed: true });
    expect((await send('PUT', '/grid', second)).json()).toEqual({ version: 2, changed: false });
    const { items } = (await get('/grid/versions')).json();
    expect(items).toMatchObject([
      { version: 2, supersedes: 1, by: 'token:admin', nodes: 1, equipment: 2 },
      { version: 1, name: 'Small', equipment: 1, headers: [{ id: '_m1', supersedes: ['_m0'] }] },
    ]);
    expect(items[1]).not.toHaveProperty('supersedes');
    expect((await get(`/grid?at=${items[0].at}`)).json().version).toBe(2);
    const before = (await get(`/grid?at=${toIso(fromIso(items[0].at) - 1_000_000n)}`)).json();
    // Both within one millisecond: then the first was never in force as far as anybody can ask.
    expect(before).toMatchObject(items[0].at > items[1].at ? { version: 1 } : { status: 404 });
    expect((await get('/grid?version=1')).json()).toMatchObject({ version: 1, equipment: [{ name: 'B' }] });
    expect((await get('/grid?version=3')).json()).toMatchObject({ status: 404, code: 'grid.none' });
    expect((await get('/grid?version=1&at=2026-01-01T00:00:00Z')).statusCode).toBe(400);
    expect((await get('/grid/versions?limit=1&before=2')).json().items).toMatchObject([{ version: 1 }]);
  });

  it('tell what changed, object by object', async () => {
    expect((await get('/grid/diff?from=1&to=2')).json().changes).toEqual([
      { change: 'added', mRID: mRID(36), class: 'EnergyConsumer', name: 'L', properties: [] },
      {
        change: 'changed',
        mRID: mRID(34),
        class: 'BusbarSection',
        name: 'B1',
        properties: [{ property: 'name', before: 'B', after: 'B1' }],
      },
    ]);
    expect(diffGrids(second, model).map(({ change }) => change)).toEqual(['removed', 'changed']);
    expect(diffGrids(model, { ...model, version: 9 })).toEqual([]);
  });

  it('cannot be changed or removed, in the database either', async () => {
    await expect(database.query("UPDATE grid_models SET by = 'eve' WHERE version = 1")).rejects.toThrow(/append-only/);
    await expect(database.query('DELETE FROM grid_models')).rejects.toThrow(/append-only/);
  });
});

describe('links of points to the grid', () => {
  const point = { mRID: mRID(1), name: 'S/20kV/L/P', kind: 'analog' as const };
  const link = {
    point: point.mRID,
    terminal: mRID(37),
    equipment: mRID(36),
    measurementType: 'ThreePhaseActivePower',
    method: 'name' as const,
    confidence: 0.9,
    reason: 'the name says so',
  };

  it('are refused whole when one leads nowhere', async () => {
    face.announce(siteOf('edge-a', [point]));
    const links = [
      link,
      { ...link, terminal: mRID(99) },
      { ...link, equipment: mRID(34) },
      { ...link, point: mRID(98) },
    ];
    const answer = (await send('POST', '/grid/links', { links })).json();
    expect(answer).toMatchObject({ status: 409, code: 'grid.links' });
    expect(answer.detail).toMatch(/no terminal .*; the terminal|no terminal/);
    expect((await get('/grid/links')).json()).toEqual({ items: [] });
  });

  it('are kept with who accepted them, why, and in which version; the newest counts', async () => {
    expect((await send('POST', '/grid/links', { links: [link] })).json().items).toMatchObject([
      { ...link, by: 'token:admin', gridVersion: 2 },
    ]);
    face.clock.millis += 60_000;
    const none = { point: point.mRID, method: 'manual', confidence: 1, reason: 'it was another load' };
    await send('POST', '/grid/links', { links: [none] });
    expect((await get('/grid/links')).json().items).toMatchObject([none]);
    expect((await get(`/grid/links?at=${toIso(T0 + SECOND)}`)).json().items).toMatchObject([link]);
    expect((await get('/grid/links?at=2020-01-01T00:00:00Z')).json().items).toEqual([]);
    expect(face.log.audits().filter(({ action }) => action === 'grid.link')).toHaveLength(2);
  });

  it('go into the directory of points, where a source does not say itself', () => {
    const directory = new Directory();
    const other = { ...point, mRID: mRID(2), equipment: mRID(34) };
    directory.announce('edge-a', siteOf('edge-a', [point, other]));
    const revision = directory.revision;
    directory.link(new Map([point, other].map(({ mRID: id }) => [id, { terminal: mRID(37), equipment: mRID(36) }])));
    expect(directory.revision).toBeGreaterThan(revision);
    expect(directory.get(point.mRID)).toMatchObject({ terminal: mRID(37), source: 'edge-a' });
    expect(directory.get(other.mRID)).toMatchObject({ equipment: mRID(34) });
    expect(directory.get(other.mRID)).not.toHaveProperty('terminal');
    expect([...directory.documents()][0]!.points[0]).toMatchObject({ terminal: mRID(37) });
    expect(directory.site('edge-a')!.points[0]).not.toHaveProperty('terminal');
    directory.link(new Map());
    expect(directory.get(point.mRID)).not.toHaveProperty('terminal');
  });
});

describe('what a point meant', () => {
  const at = (seconds: number): string => toIso(T0 + BigInt(seconds) * SECOND);
  const document = (version: number, unitMultiplier: 'k' | 'M', terminal?: string): SiteDocument => ({
    ...siteOf('edge-a', [
      { mRID: mRID(1), name: 'P', kind: 'analog', unitSymbol: 'W', unitMultiplier, ...(terminal ? { terminal } : {}) },
    ]),
    version,
  });

  it('at a time: as announced then, in the grid of then; also after a restart', async () => {
    clock.millis = 0;
    const files = new SiteFiles(nodeFiles, sites, history);
    await files.load(new Directory());
    await files.save(document(1, 'k'));
    clock.millis = 3_600_000;
    await files.save(document(2, 'M', mRID(35)));
    await files.save(document(2, 'M', mRID(35)));
    const meaning = async (seconds: number) => (await get(`/points/${mRID(1)}/meaning?at=${at(seconds)}`)).json();
    expect(await meaning(-1)).toMatchObject({ status: 404, code: 'points.unknown' });
    expect(await meaning(10)).toMatchObject({
      siteVersion: 1,
      announced: at(0),
      point: { unitMultiplier: 'k' },
      link: { terminal: mRID(37), by: 'token:admin' },
      gridVersion: 2,
      place: {
        equipment: { name: 'L', class: 'EnergyConsumer' },
        terminal: { sequenceNumber: 1 },
        connectivityNode: { name: 'N' },
        voltageLevel: { name: '20 kV', nominalVoltage: 20 },
        substation: { name: 'S' },
      },
    });
    const later = await meaning(3_700);
    expect(later).toMatchObject({
      siteVersion: 2,
      point: { unitMultiplier: 'M' },
      place: { equipment: { name: 'B1' } },
    });
    expect(later).not.toHaveProperty('link');
    const again = new SiteHistory(nodeFiles, `${dataDir}/sites-history`, clock);
    await again.load();
    expect((await again.at(T0 + SECOND)).map(({ document: { version } }) => version)).toEqual([1]);
    expect((await again.at(T0 + 3_700n * SECOND)).map(({ document: { version } }) => version)).toEqual([2]);
  });
});
