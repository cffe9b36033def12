/**
 * Takes the pictures of the README from a running system, 1600 × 960, each as `-light.png` and `-dark.png`: the overview
 * `docs/control-room`, a station with its estimate `docs/station`, a trial `docs/what-if`, and the trust page with a gateway
 * whose firmware was changed, `docs/trust`.
 *
 *     node --disable-warning=ExperimentalWarning interop/system/take-screenshots.ts [seconds]
 *
 * For eight minutes (or so many seconds) the grid runs so fast that it is noon there in the end: the sun shines, and the trend holds a
 * morning. Then protection opens the breaker of a feeder.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { Api } from './api.ts';
import { equipment, launchBrowser, noBrowser, watchedPage } from './browser.ts';
import { enerchain } from './command-line.ts';
import { root, startSystem, until } from './running-system.ts';

const SECONDS = Number(process.argv[2] ?? 480);
const NOON = 12;
const SIZE = { width: 1600, height: 960 };
const CHANGED = 'edge-west';
const USER = { user: 'operator', password: 'a sentence is a good password' };

if (noBrowser) throw new Error(noBrowser);
const docs = join(root, 'docs');
mkdirSync(docs, { recursive: true });
const now = new Date();
const hours = (NOON - now.getHours() - now.getMinutes() / 60 + 24) % 24;
const speed = Math.max(1, Math.round((hours * 3600) / SECONDS));
const system = await startSystem(['--speed', String(speed)]);
try {
  const api = new Api(system);
  process.stderr.write(`· ${SECONDS} s until it is noon in the grid, at ${speed} times the speed\n`);
  await new Promise((wake) => setTimeout(wake, SECONDS * 1000));

  const fault = await enerchain(['lab', 'fault', 'breaker-trip', 'rtu-01-b', 'bay=J11', '--data', system.data]);
  if (fault.status !== 0) throw new Error(fault.stderr);
  await until('the alarm', 20_000, async () => (await api.alarms()).length > 0);

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
    // At such a speed the position of the breaker may come long after the voltages; without it the picture is taken all the same.
    const dead = page.locator('svg.sld .wire.dead').first();
    await dead
      .waitFor({ state: 'attached', timeout: 90_000 })
      .catch(() => process.stderr.write('· no dead feeder yet\n'));
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
  process.stderr.write(`· written: ${docs}/{control-room,station,what-if,trust}-{light,dark}.png\n`);
} finally {
  await system.stop();
}
