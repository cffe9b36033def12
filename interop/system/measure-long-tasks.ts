/**
 * The tasks that keep the control room from answering: when the diagram of a grid is first drawn, when one of its stations is
 * opened, and when a feeder goes dark while values of many points change.
 *
 *     node --disable-warning=ExperimentalWarning interop/system/measure-long-tasks.ts [folder of a CGMES model] [runs]
 *
 * Times are processor time of the page's main thread, so that other work of the machine does not count; the goal is that no
 * task takes 50 ms. It runs against the fixture's stand-in of a centre: what is measured is the control room alone, as it was
 * built last (`npm run build -w @enerchain/control-room`).
 */
import { applyDifferences, openSources, readModel } from '@enerchain/cim';
import type { GridModel } from '@enerchain/model';
import type { Browser, CDPSession, Page } from 'playwright-core';
import { type FixtureServer, startFixtureServer } from '../../apps/control-room/test/fixture/server.ts';
import { gridFromCim } from '../../apps/enerchain/src/grid/from-cim.ts';
import { launchBrowser, noBrowser } from './browser.ts';

const [folder, runs = '3'] = process.argv.slice(2);
const EXTRA_POINTS = 20_000;
const FEEDER = /J11 breaker$/;
/** ms; what is shorter is not worth a line. */
const FROM = 25;

/** The parts of a trace event that are looked at; times in µs. */
interface TraceEvent {
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  readonly tdur?: number;
  readonly args?: { readonly data?: { readonly url?: string } };
}

class Measured {
  readonly #page: Page;
  readonly #url: string;
  #session: CDPSession | undefined;

  constructor(page: Page, url: string) {
    this.#page = page;
    this.#url = url;
  }

  /** Does something, waits until the page has come to rest, and tells which tasks took how long, ms. */
  async during(what: string, act: () => Promise<void>): Promise<void> {
    this.#session ??= await this.#page.context().browser()!.newBrowserCDPSession();
    const session = this.#session;
    const events: TraceEvent[] = [];
    const keep = ({ value }: { value: unknown[] }): void => void events.push(...(value as TraceEvent[]));
    session.on('Tracing.dataCollected', keep);
    await session.send('Tracing.start', {
      transferMode: 'ReportEvents',
      traceConfig: { includedCategories: ['devtools.timeline', 'disabled-by-default-devtools.timeline'] },
    });
    await act();
    await settled(this.#page);
    const complete = new Promise<unknown>((done) => session.once('Tracing.tracingComplete', done));
    await session.send('Tracing.end');
    await complete;
    session.off('Tracing.dataCollected', keep);
    const own = events.find(({ name, args }) => name === 'FunctionCall' && args?.data?.url?.startsWith(this.#url));
    const tasks = events
      .filter(({ name, pid, tid }) => name === 'RunTask' && pid === own?.pid && tid === own.tid)
      .map(({ tdur }) => Math.round((tdur ?? 0) / 1000));
    const longest = tasks.filter((each) => each >= FROM).sort((a, b) => b - a);
    const said = longest.length
      ? `${longest.join(', ')} ms`
      : `none of ${FROM} ms, ${Math.max(0, ...tasks)} ms at most`;
    process.stdout.write(`${what.padEnd(44)} ${said}\n`);
  }
}

/** When nothing has kept the page for a while. */
const settled = (page: Page): Promise<void> =>
  page.evaluate(
    () =>
      new Promise<void>((done) => {
        let quiet = 0;
        const look = (): void => {
          const asked = performance.now();
          requestIdleCallback(() => {
            quiet = performance.now() - asked < 30 ? quiet + 1 : 0;
            if (quiet > 20) done();
            else setTimeout(look, 50);
          });
        };
        look();
      }),
  );

async function open(
  browser: Browser,
  server: FixtureServer,
): Promise<{ readonly page: Page; readonly measured: Measured }> {
  server.loggedIn = true;
  const page = await browser.newPage({ viewport: { width: 1600, height: 960 } });
  return { page, measured: new Measured(page, server.url) };
}
const drawn = async (page: Page, url: string): Promise<void> => {
  await page.goto(url);
  await page.locator('svg.sld .wire').first().waitFor({ state: 'attached' });
};

if (noBrowser) throw new Error(noBrowser);
let model: GridModel | undefined;
if (folder) {
  const read = await readModel(openSources([folder]));
  applyDifferences(read);
  ({ grid: model } = gridFromCim(read, { name: 'measured', frequency: 50 }));
}
const browser = await launchBrowser();
try {
  for (let run = 0; run < Number(runs); run++) {
    if (model) {
      const server = await startFixtureServer({ port: 0, model });
      const { page, measured } = await open(browser, server);
      await measured.during(`first display of ${model.equipment.length} pieces of equipment`, () =>
        drawn(page, server.url),
      );
      await measured.during('a station', async () => {
        await page.locator('svg.sld .target').first().focus();
        await page.keyboard.press('o');
        await page.locator('svg.sld .contact').first().waitFor({ state: 'attached' });
      });
      await measured.during('back to the overview', async () => {
        await page.locator('nav.crumb a').nth(1).click();
        await page.locator('svg.sld .station-box').first().waitFor({ state: 'attached' });
      });
      await page.close();
      await server.close();
    }
    const server = await startFixtureServer({ port: 0, extraPoints: EXTRA_POINTS, tick: 100 });
    const { page, measured } = await open(browser, server);
    await measured.during(`first display, ${EXTRA_POINTS} points besides`, () => drawn(page, server.url));
    await page.locator('svg.sld').getByRole('button', { name: FEEDER }).first().click();
    await page.getByRole('button', { name: 'Operate …' }).click();
    const dialog = page.locator('dialog[open]');
    await dialog.locator('.choices').first().getByRole('button', { name: 'open' }).click();
    await dialog.getByRole('button', { name: '1 · Select' }).click();
    await measured.during('a feeder goes dark under load', async () => {
      await dialog.getByRole('button', { name: /^2 · Operate/ }).click();
      await page.locator('svg.sld .wire.dead').first().waitFor({ state: 'attached' });
    });
    await page.close();
    await server.close();
  }
} finally {
  await browser.close();
}
