/**
 * Takes the pictures of the README from a running system, 1600 × 960, each as `-light.png` and `-dark.png`: the overview
 * `docs/control-room`, a station with its estimate `docs/station`, a trial `docs/what-if`, an IED with its model `docs/ied`,
 * and the trust page with a gateway whose firmware was changed, `docs/trust`.
 *
 *     node --disable-warning=ExperimentalWarning interop/system/take-screenshots.ts [seconds]
 *
 * It is noon in the grid: the sun shines. For two minutes (or so many seconds) values come in, so that there is a trend. Then
 * protection opens the breaker of a feeder.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { Api } from './api.ts';
import { equipment, launchBrowser, noBrowser, watchedPage } from './browser.ts';
import { enerchain } from './command-line.ts';
import { root, startSystem, until } from './running-system.ts';

const SECONDS = Number(process.argv[2] ?? 120);
/** Minutes of the grid in each of ours: the wind and the sun move, and a command is still carried out at once. */
const SPEED = 6;
const SIZE = { width: 1600, height: 960 };
const CHANGED = 'edge-west';
/** The bay unit of the feeder whose breaker opens, and where its position stands. */
const IED = 'ieds/edge-nord/brn-j11';
const BREAKER = 'BRN_J11CTRL/Q0XCBR1';
const USER = { user: 'operator', password: 'a sentence is a good password' };

if (noBrowser) throw new Error(noBrowser);
const docs = join(root, 'docs');
mkdirSync(docs, { recursive: true });
const system = await startSystem(['--grid-time', '11:30', '--speed', String(SPEED)]);
try {
  const api = new Api(system);
  process.stderr.write(`· ${SECONDS} s until there is a trend\n`);
  await new Promise((wake) => setTimeout(wake, SECONDS * 1000));

  const fault = await enerchain(['lab', 'fault', 'breaker-trip', 'rtu-01-b', 'bay=J11', '--data', system.data]);
  if (fault.status !== 0) throw new Error(fault.stderr);
  await until('the alarm', async () => (await api.alarms()).length > 0);

  const browser = await launchBrowser();
  let entered = false;
  const pages = new Map<string, Page>();
  for (const theme of ['light', 'dark'] as const) {
    const { page } = await watchedPage(browser, system.url, { colorScheme: theme, viewport: SIZE });
    await page.goto(entered ? system.url : system.setupLink!);
    await page.locator('input[name=user]').fill(USER.user);
    await page.locator('input[name=password]').fill(USER.password);
    if (!entered) await page.locator('input[name=again]').fill(USER.password);
    await page.locator('button[type=submit]').click();
    entered = true;
    await page.locator('.strip-row').first().waitFor();
    await page.locator('svg.sld .wire.dead').first().waitFor({ state: 'attached' });
    await equipment(page, 'Wind farm 7').click();
    await page.locator('.inspector svg').first().waitFor();
    // The trend of the last hour comes in a moment after the value.
    await page.waitForTimeout(3_000);
    await page.screenshot({ path: join(docs, `control-room-${theme}.png`) });
    await equipment(page, '20 kV section A').dblclick();
    await page.locator('svg.sld[aria-label*="Brunnfeld"]').waitFor();
    await equipment(page, 'Transformer T2').click();
    await page.waitForTimeout(3_000);
    await page.screenshot({ path: join(docs, `station-${theme}.png`) });
    await page.goto(`${system.url}/#/grid`);
    await page.getByRole('button', { name: 'What if', exact: true }).click();
    const trial = page.getByRole('complementary', { name: 'What if' });
    // The tripped feeder from its other end: what that would mean for whom.
    await equipment(page, 'R4 Q0').click();
    await trial.getByRole('button', { name: 'Closed', exact: true }).click();
    await trial.getByText('converged in').waitFor();
    await page.waitForTimeout(3_000);
    await page.screenshot({ path: join(docs, `what-if-${theme}.png`) });
    await page.getByRole('button', { name: 'Back to live' }).click();
    await page.keyboard.press('Escape');
    await page.goto(`${system.url}/#/${IED}/model?at=${BREAKER}.Pos`);
    const row = page.getByRole('treeitem', { selected: true });
    await row.getByText('open').waitFor();
    await page.waitForTimeout(3_000);
    await page.screenshot({ path: join(docs, `ied-${theme}.png`) });
    pages.set(theme, page);
  }
  const changed = await enerchain(['lab', 'fault', 'firmware-changed', CHANGED, '--data', system.data]);
  if (changed.status !== 0) throw new Error(changed.stderr);
  for (const [theme, page] of pages) {
    await page.goto(`${system.url}/#/trust/node/${CHANGED}`);
    const detail = page.locator('.node-inspector');
    await detail.locator('.node-state', { hasText: 'quarantined' }).waitFor();
    await detail.locator('.says', { hasText: 'not to be trusted' }).first().waitFor();
    await detail.locator('.result-card').first().waitFor();
    await page.waitForTimeout(3_000);
    await page.screenshot({ path: join(docs, `trust-${theme}.png`) });
  }
  await browser.close();
  process.stderr.write(`· written: ${docs}/{control-room,station,what-if,ied,trust}-{light,dark}.png\n`);
} finally {
  await system.stop();
}
