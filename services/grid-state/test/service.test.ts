import { derivedMrid, type GridModel, type Mrid, type Point, QUALITY } from '@enerchain/model';
import { ServiceCentre } from '@enerchain/service/testing';
import type { CborValue } from '@enerchain/trust';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type GridStateHandle, runGridState } from '../src/service/index.ts';
import { id, smallGrid } from './small-grid.ts';

const point = (name: string, more: Partial<Point>): Point => ({
  mRID: id(`point ${name}`),
  name,
  kind: 'analog',
  ...more,
});
const CB1 = point('CB1', { kind: 'discrete', cdc: 'DPS', measurementType: 'SwitchPosition', equipment: id('CB1') });
const LA = point('LA', { measurementType: 'ThreePhaseActivePower', unitMultiplier: 'M', equipment: id('LA') });
const output = (address: string): Mrid => derivedMrid('grid-state', 'solution', address);
const LOADING_A = output(`equipment=${id('A')} loading`);

let centre: ServiceCentre;
let grid: GridModel | undefined;
let service: GridStateHandle | undefined;

beforeEach(async () => {
  centre = await ServiceCentre.open();
  grid = smallGrid();
  centre.answers.set('grid.get', () => (grid ?? null) as unknown as CborValue);
  centre.sites = [
    {
      source: 'edge-a',
      site: { id: 'a', name: 'a' },
      version: 1,
      endpoints: [],
      points: [CB1, LA],
      bindings: [],
    },
  ];
});
afterEach(async () => {
  await service?.close();
  service = undefined;
  await centre.close();
});

async function start(): Promise<void> {
  service = await runGridState({
    dataDir: centre.dataDir(),
    centre: { url: 'wss://centre' },
    identity: await centre.identity({ name: 'grid-state', role: 'service' }),
    logger: pino({ level: 'silent' }),
    connect: centre.connect,
    every: 20,
  });
}
const loading = (): number => centre.value(LOADING_A)?.value as number;

describe('the grid-state service', () => {
  test('announces its points before their first values, which are estimated', async () => {
    await centre.field([[LA.mRID, 2]]);
    await start();
    await centre.until(() => centre.value(LOADING_A) !== undefined);
    const kinds = centre.contents.map(({ content }) => content.kind);
    expect(kinds.slice(0, 2)).toEqual(['site', 'observations']);
    expect(centre.value(LOADING_A)!.quality).toBe(QUALITY.estimated);
    expect(centre.prefixes).toEqual(['/services/grid-state']);
  });

  test('names the sources that it calculates from, so that its results are worth no more than theirs', async () => {
    const [first] = centre.sites;
    const weather = point('wind', { measurementType: 'WindSpeed' });
    centre.sites = [first!, { ...first!, source: 'edge-weather', points: [weather] }];
    await centre.field([[LA.mRID, 2]]);
    await start();
    await centre.until(() => centre.value(LOADING_A) !== undefined);
    const announced = centre.contents.flatMap(({ content }) => (content.kind === 'site' ? [content.document] : []));
    expect(announced.at(-1)?.endpoints).toMatchObject([{ id: 'solution', inputs: ['edge-a'] }]);
  });

  test('follows the field: load, breaker, overload alarm and its return', async () => {
    await centre.field([[LA.mRID, 2]]);
    await start();
    await centre.until(() => loading() > 30 && loading() < 60);
    await centre.field([[LA.mRID, 6]]);
    await centre.until(() => loading() > 100);
    await centre.until(() =>
      centre.contents.some(({ content }) => content.kind === 'alarmRaised' && content.alarm.active),
    );
    await centre.field([[CB1.mRID, 1]]);
    await centre.until(() => loading() === 0);
    const dead = output(`equipment=${id('A')} p`);
    expect(centre.value(dead)!.value).toBe(0);
    await centre.until(() =>
      centre.contents.some(({ content }) => content.kind === 'alarmRaised' && !content.alarm.active),
    );
  });

  test('answers over HTTP what it has calculated, and plainly what it has not', async () => {
    await start();
    await centre.until(() => centre.prefixes.length > 0);
    const early = await centre.http('grid-state', { path: '/services/grid-state/solution' });
    expect(early.status).toBe(503);
    await centre.field([[LA.mRID, 2]]);
    await centre.until(() => centre.value(LOADING_A) !== undefined);
    const solution = await centre.http('grid-state', { path: '/services/grid-state/solution?x=1' });
    expect(solution.status).toBe(200);
    const body = JSON.parse(Buffer.from(solution.body).toString());
    expect(body).toMatchObject({ converged: true, grid: { name: 'small' }, coverage: { injectionsMeasured: 1 } });
    expect(body.buses[0]).toMatchObject({ nominalVoltage: 110, voltage: expect.closeTo(112, 6) });
    const estimate = await centre.http('grid-state', { path: '/services/grid-state/estimate' });
    expect(JSON.parse(Buffer.from(estimate.body).toString())).toMatchObject({
      observable: true,
      badData: [],
      measurements: [{ point: LA.mRID, kind: 'p', measured: 2 }],
    });
    expect((await centre.http('grid-state', { path: '/services/grid-state/nothing' })).status).toBe(404);
    expect((await centre.http('grid-state', { path: '/services/grid-state/solution', method: 'DELETE' })).status).toBe(
      405,
    );
  });

  test('tries over HTTP what nobody has done, publishes nothing of it, and asks the centre for nothing', async () => {
    await centre.field([
      [LA.mRID, 2],
      [CB1.mRID, 2],
    ]);
    await start();
    await centre.until(() => loading() > 30);
    const before = centre.contents.length;
    const tried = await centre.http('grid-state', {
      method: 'POST',
      path: '/services/grid-state/what-if',
      body: Buffer.from(JSON.stringify({ switches: { [id('CB1')]: false } })),
    });
    expect(tried.status).toBe(200);
    const body = JSON.parse(Buffer.from(tried.body).toString());
    const tryOut = body.branches.find((each: { equipment: string }) => each.equipment === id('A'));
    expect(tryOut).toMatchObject({ loading: 0, live: { loading: expect.closeTo(loading(), 0) } });
    // What the field says next is all that is published next.
    await centre.field([[LA.mRID, 2.5]]);
    await centre.until(() => loading() > 45);
    for (const { content } of centre.contents.slice(before)) expect(content.kind).toBe('observations');
    expect(loading()).toBeLessThan(70);
  });

  test('tells what each single outage would do', async () => {
    await start();
    await centre.until(() => centre.prefixes.length > 0);
    const path = '/services/grid-state/contingencies';
    expect((await centre.http('grid-state', { path })).status).toBe(503);
    await centre.field([[LA.mRID, 2]]);
    const answer = async () => {
      const { status, body } = await centre.http('grid-state', { path });
      return status === 200 ? JSON.parse(Buffer.from(body).toString()) : undefined;
    };
    await centre.until(() => centre.value(output('contingencies'))?.value === 0);
    const found = await answer();
    expect(found).toMatchObject({ at: expect.stringMatching(/Z$/), screened: 5, violations: [], violated: 0 });
    expect(found.loadLost[0]).toMatchObject({
      outage: { name: expect.any(String) },
      islanded: { buses: expect.any(Number) },
    });
    expect(centre.value(output(`equipment=${id('A')} loading after outage`))!.value).toBeGreaterThan(0);
    expect((await centre.http('grid-state', { path, method: 'PUT' })).status).toBe(405);
  });

  test('adds a page whose files it serves as a browser runs them', async () => {
    await start();
    await centre.until(() => centre.pages.length > 0);
    const page = centre.pages[0] as { id: string; icon: string; module: string };
    expect(page).toMatchObject({ id: 'grid-state', title: 'Grid state' });
    const module = await centre.http('grid-state', { path: page.module });
    expect(module).toMatchObject({
      status: 200,
      headers: { 'content-type': expect.stringContaining('text/javascript') },
    });
    const script = Buffer.from(module.body).toString();
    expect(script).toContain('export function mount(place');
    expect(script).not.toContain('place: HTMLElement');
    for (const [, name] of script.matchAll(/from '\.\/([^']+)'/g)) {
      const path = page.module.replace('page.ts', name!);
      expect((await centre.http('grid-state', { path })).status, name).toBe(200);
    }
    expect((await centre.http('grid-state', { path: page.module.replace('page.ts', '../x') })).status).toBe(404);
  });

  test('goes on after a restart where it had stopped, on the same chain and with the same knowledge', async () => {
    await centre.field([[CB1.mRID, 1]]);
    await centre.field([[LA.mRID, 2]]);
    await start();
    await centre.until(() => loading() === 0);
    await service!.close();
    const before = centre.contents.length;
    await start();
    await centre.field([[LA.mRID, 3]]);
    const said = () =>
      centre.contents
        .slice(before)
        .some(
          ({ content }) => content.kind === 'observations' && content.batch.columns.some((c) => c.point === LOADING_A),
        );
    await centre.until(said);
    // The breaker was reported open before the restart and never since.
    expect(loading()).toBe(0);
    expect(centre.reads[0]).toBe(0);
    expect(centre.reads[1]).toBeGreaterThan(1);
    expect(new Set(centre.verdicts)).toEqual(new Set(['next']));
    // Nothing has changed, so there is nothing to announce but what was announced.
    const versions = centre.contents.flatMap(({ content }) =>
      content.kind === 'site' ? [content.document.version] : [],
    );
    expect(new Set(versions).size).toBe(1);
  });

  test('comes back after its link was cut, and reads on', async () => {
    await centre.field([[LA.mRID, 2]]);
    await start();
    await centre.until(() => loading() > 0);
    centre.cut();
    await centre.field([[LA.mRID, 3]]);
    await centre.until(() => loading() > 50);
    expect(new Set(centre.verdicts)).toEqual(new Set(['next']));
  });

  test('gives up what the centre refuses, says so in a gap record, and goes on', async () => {
    await centre.field([[LA.mRID, 2]]);
    await start();
    await centre.until(() => loading() > 0 && loading() < 50);
    centre.refuseNext = true;
    await centre.field([[LA.mRID, 2.2]]);
    const gap = () => centre.contents.find(({ content }) => content.kind === 'gap');
    await centre.until(() => gap() !== undefined);
    await centre.field([[LA.mRID, 3]]);
    await centre.until(() => loading() > 50);
    expect(gap()!.content).toMatchObject({
      gap: { reason: 'ingestLost', detail: expect.stringContaining('refused once') },
    });
    expect(new Set(centre.verdicts)).toEqual(new Set(['next']));
  });

  test('waits for a grid, and takes a new one when it is written', async () => {
    const later = grid!;
    grid = undefined;
    await centre.field([[LA.mRID, 2]]);
    await start();
    await centre.until(() => centre.prefixes.length > 0);
    expect((await centre.http('grid-state', { path: '/services/grid-state' })).status).toBe(503);
    grid = later;
    await centre.until(() => loading() > 0);
    grid = { ...later, version: 2, equipment: later.equipment.filter(({ name }) => name !== 'PV') };
    await centre.audit('grid.write');
    await centre.until(() => centre.contents.filter(({ content }) => content.kind === 'site').length > 1);
  });

  test('says why a grid cannot be calculated, and takes the next one', async () => {
    const sound = grid!;
    grid = { ...sound, connectivityNodes: sound.connectivityNodes.slice(1) };
    await centre.field([[LA.mRID, 2]]);
    await start();
    await centre.until(() => centre.reads.length > 0);
    const answer = await centre.http('grid-state', { path: '/services/grid-state/solution' });
    expect(answer.status).toBe(503);
    expect(Buffer.from(answer.body).toString()).toContain("'source' ends at an unknown node");
    grid = sound;
    await centre.audit('grid.write');
    await centre.until(() => loading() > 0);
  });

  test('notices that the log is another one, and reads that from its beginning', async () => {
    for (let i = 0; i < 5; i++) await centre.field([[LA.mRID, 2 + i / 10]]);
    await start();
    await centre.until(() => loading() > 0);
    await service!.close();
    centre.forgetLog();
    await centre.field([[LA.mRID, 1]]);
    for (let i = 0; i < 50; i++) await centre.field([[CB1.mRID, 1]]);
    await start();
    await centre.until(() => loading() === 0);
    expect(centre.reads.at(-1)).toBe(0);
  });
});
