/**
 * Single-line diagrams, "what if" and single outages in a real browser, on the whole system: from the overview to the
 * bay and back, a trial that reaches nobody, and a model from CGMES files.
 */
import type { Browser, Page, Request } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { data, missing } from '../../standards/cim/test/reference-data.ts';
import { Api, type CommandItem, type LiveItem } from './api.ts';
import {
  equipment,
  launchBrowser,
  logIn,
  noBrowser,
  styleOf,
  type WatchedPage,
  watchedPage,
  wiresAt,
} from './browser.ts';
import { enerchain } from './command-line.ts';
import { type RunningSystem, STARTS_WITHIN, startSystem, until } from './running-system.ts';

const USER = { user: 'admin', password: 'a sentence is a good password' };
const FEEDER = 'J01 Feeder 1 to 02 Weinberg · J01 Q0';
const WRITES = ['POST', 'PUT', 'PATCH', 'DELETE'];

if (noBrowser) console.log(`skipped: ${noBrowser}`);
if (missing) console.log(`skipped in part: ${missing}`);

describe.skipIf(noBrowser)('diagrams of the control room on the whole system', () => {
  let system: RunningSystem;
  let api: Api;
  let browser: Browser;
  let watched: WatchedPage;
  let page: Page;
  const requests: { readonly method: string; readonly path: string; readonly body: string }[] = [];

  beforeAll(async () => {
    system = await startSystem();
    api = new Api(system);
    browser = await launchBrowser();
    watched = await watchedPage(browser, system.url);
    page = watched.page;
    page.on('request', (request: Request) => {
      const path = new URL(request.url()).pathname;
      requests.push({ method: request.method(), path, body: request.postData() ?? '' });
    });
    await page.goto(system.setupLink!);
    await page.locator('input[name=user]').fill(USER.user);
    await page.locator('input[name=password]').fill(USER.password);
    await page.locator('input[name=again]').fill(USER.password);
    await page.getByRole('button', { name: 'Create the account' }).click();
    await page.locator('svg.sld').waitFor();
    // The service has calculated once: then a trial can be begun.
    await until('a calculated voltage', async () => {
      const point = await api.point('03 Mühlbach busbar voltage (calculated)');
      return (await api.value(point.mRID)) !== undefined;
    });
  }, STARTS_WITHIN);
  afterAll(async () => {
    await browser?.close();
    await system?.stop();
  });

  const title = (): Promise<string | null> => page.locator('svg.sld').getAttribute('aria-label');
  const hash = (): string => new URL(page.url()).hash;
  const tool = (name: string) => page.locator('.tool').getByRole('button', { name, exact: true });
  const panel = () => page.getByRole('complementary', { name: 'What if' });

  it('leads from the overview to a station, to a bay, and back, by the keyboard alone', async () => {
    await equipment(page, '20 kV section A').focus();
    await page.keyboard.press('o');
    await page.locator('svg.sld[aria-label*="Brunnfeld"]').waitFor();
    expect(await title()).toBe('Single-line diagram of CIGRE MV, Brunnfeld substation');
    const bay = page.getByRole('button', { name: 'Open bay J01 Feeder 1 to 02 Weinberg' });
    await bay.focus();
    await page.keyboard.press('Enter');
    await page.locator('svg.sld[aria-label$="J01 Feeder 1 to 02 Weinberg"]').waitFor();
    expect(hash().split('/')).toHaveLength(4);
    // Every switch of the bay has its name beside it.
    const names = await page.locator('svg.sld .switch text').allTextContents();
    expect(names.some((name) => name.includes('J01 Q0'))).toBe(true);
    await page.locator('svg.sld .target').first().focus();
    await page.keyboard.press('Backspace');
    await page.locator('svg.sld[aria-label$="Brunnfeld substation"]').waitFor();
    await page.locator('svg.sld .target').first().focus();
    await page.keyboard.press('Backspace');
    await page.locator('svg.sld[aria-label$="of CIGRE MV"]').waitFor();
    expect(hash()).toBe('#/grid');
  });

  it('leads on by the mouse and by the breadcrumb, and survives a reload', async () => {
    await equipment(page, '110 kV busbar').dblclick();
    await page.locator('svg.sld[aria-label$="Brunnfeld substation"]').waitFor();
    const line = page.getByRole('button', { name: /^Line 1-2 to / });
    await line.dblclick();
    await page.locator('svg.sld[aria-label*="Weinberg"]').waitFor();
    await page.reload();
    await page.locator('svg.sld[aria-label*="Weinberg"]').waitFor();
    await page.getByRole('navigation', { name: 'Where you are' }).getByRole('link', { name: 'CIGRE MV' }).click();
    await page.locator('svg.sld[aria-label$="of CIGRE MV"]').waitFor();
  });

  it('writes the estimate in the place of the measurement, and how they differ', async () => {
    const value = async (): Promise<string> => (await page.locator('svg.sld .t-value').allTextContents()).join(' ');
    await tool('Estimated').click();
    await until('estimates', async () => (await page.locator('svg.sld .num.estimated').count()) > 10);
    expect(await styleOf(page.locator('svg.sld .num.estimated').first(), 'font-style')).toBe('italic');
    await tool('Residual').click();
    await until('residuals with their sign', async () => /[+−]\d/.test(await value()));
    await tool('Measured').click();
    await until('no estimates', async () => (await page.locator('svg.sld .num.estimated').count()) === 0);
  });

  it('is visibly not live in a trial, and cannot command there', async () => {
    await equipment(page, FEEDER).click();
    await page.getByRole('button', { name: 'Operate …' }).waitFor();
    await tool('What if').click();
    await page.locator('.trial-banner', { hasText: 'Not live' }).waitFor();
    expect(await page.locator('.display.trial').count()).toBe(1);
    await panel().waitFor();
    expect(await page.getByRole('button', { name: 'Operate …' }).count()).toBe(0);
  });

  it('shows what an opened breaker would leave dark, beside what is live, while nothing moves in the field', async () => {
    const before = requests.length;
    const position = await api.point('Brunnfeld 20 kV A J01 Breaker position');
    const live = (await api.value(position.mRID)) as LiveItem;
    await panel().getByRole('button', { name: 'Open', exact: true }).click();
    await panel().getByText('03 Mühlbach busbar').waitFor();
    await until('all that is dark', async () => (await panel().getByText('without voltage').count()) > 5);
    await panel().getByText('converged in').waitFor();
    await until('dead conductors', async () =>
      (await wiresAt(page, '03 Mühlbach')).every((state) => state.split(' ').includes('dead')),
    );
    expect(await panel().getByLabel('What is tried').locator('li').allInnerTexts()).toEqual([
      expect.stringMatching(/J01 Q0\s*closed → open/),
    ]);
    // What differs is marked with its sign.
    await until('differences', async () =>
      (await page.locator('svg.sld .mark-trial').allTextContents()).some((text) => /\([+−]\d/.test(text)),
    );
    // The ring is closed instead: the feeder lives from its other end.
    await equipment(page, 'R4 Q0').click();
    await panel().getByRole('button', { name: 'Closed', exact: true }).click();
    await until('voltage from the other end', async () =>
      (await wiresAt(page, '03 Mühlbach')).every((state) => state.split(' ').includes('live')),
    );
    await until('nothing dark any more', async () => (await panel().getByText('without voltage').count()) === 0);

    // A load and a tap, too.
    await equipment(page, 'Transformer T1').click();
    await panel().getByRole('button', { name: 'One step up' }).click();
    await until('three changes', async () => (await panel().getByLabel('What is tried').locator('li').count()) === 3);

    const writes = requests.slice(before).filter(({ method }) => WRITES.includes(method));
    expect(writes.length).toBeGreaterThan(2);
    expect([...new Set(writes.map(({ method, path }) => `${method} ${path}`))]).toEqual([
      'POST /api/v1/services/grid-state/what-if',
    ]);
    expect((await api.request<{ items: CommandItem[] }>('GET', '/commands?limit=50')).items).toEqual([]);
    const after = (await api.value(position.mRID)) as LiveItem;
    expect(after.v).toBe(live.v);
    expect((await api.alarms()).filter(({ message }) => /J01|Mühlbach/.test(message))).toEqual([]);
  });

  it('leaves no trace: back to live, everything is as it was, and a reload knows nothing of it', async () => {
    await page.getByRole('button', { name: 'Back to live' }).click();
    await page.locator('.trial-banner').waitFor({ state: 'detached' });
    await until(
      'nothing dead or open',
      async () => (await page.locator('svg.sld .wire.dead, svg.sld .switch.abnormal').count()) === 0,
    );
    const kept = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
    expect(kept).not.toMatch(/switches|outages|[0-9a-f]{8}-[0-9a-f]{4}/);
    expect(hash()).toBe('#/grid');
    await tool('What if').click();
    await page.locator('.trial-banner').waitFor();
    expect(await page.locator('.trial-banner').innerText()).toContain('nothing is changed yet');
    await page.reload();
    await page.locator('svg.sld').waitFor();
    expect(await page.locator('.trial-banner').count()).toBe(0);
  });

  it('ends a trial with the display that it belongs to', async () => {
    await tool('What if').click();
    await page.locator('.trial-banner').waitFor();
    await page.getByRole('navigation', { name: 'Places' }).getByRole('link', { name: 'Points', exact: true }).click();
    await panel().waitFor({ state: 'detached' });
    await page.getByRole('navigation', { name: 'Places' }).getByRole('link', { name: 'Grid', exact: true }).click();
    await page.locator('svg.sld').waitFor();
    expect(await page.locator('.trial-banner').count()).toBe(0);
  });

  it('says on the page of outages what it knows, and opens an outage as a trial', async () => {
    const described = await api.request<{ paths: Record<string, unknown> }>('GET', '/openapi.json');
    await page.getByRole('navigation', { name: 'Places' }).getByRole('link', { name: 'Outages', exact: true }).click();
    if (!Object.keys(described.paths).some((path) => path.endsWith('/services/grid-state/contingencies'))) {
      await page.getByText('No analysis of outages').waitFor();
      await page.getByRole('navigation', { name: 'Places' }).getByRole('link', { name: 'Grid', exact: true }).click();
      return;
    }
    const row = page.locator('table.outages tbody tr').first();
    await row.waitFor();
    const attempt = row.getByRole('button', { name: /^Try the outage of / });
    const name = (await attempt.getAttribute('aria-label'))!.replace('Try the outage of ', '');
    await attempt.click();
    await page.locator('.trial-banner', { hasText: '1 change' }).waitFor();
    await panel().getByLabel('What is tried').getByText(name, { exact: false }).first().waitFor();
    await panel().getByText('in service → out of service').waitFor();
    await page.getByRole('button', { name: 'Back to live' }).click();
  });

  it('gives everything that can be reached by the keyboard a name, in both themes and in a trial', async () => {
    const nameless = () =>
      page.evaluate(() =>
        [...document.querySelectorAll<HTMLElement>('button, a[href], input, summary, [tabindex="0"]')]
          .filter((each) => {
            const label = each.getAttribute('aria-label') ?? each.getAttribute('title') ?? each.textContent ?? '';
            const of = each instanceof HTMLInputElement ? (each.labels?.[0]?.textContent ?? '') : '';
            return (label + of).trim() === '';
          })
          .map((each) => each.outerHTML.slice(0, 200)),
      );
    expect(await nameless()).toEqual([]);
    await tool('What if').click();
    await equipment(page, FEEDER).click();
    expect(await nameless()).toEqual([]);
    await page.getByRole('button', { name: 'Back to live' }).click();
  });

  it('lets a viewer look, and says why not try', async () => {
    const guest = { user: 'guest', password: 'only here to look at it' };
    await api.request('POST', '/users', { ...guest, roles: ['VIEWER'] });
    const other = await watchedPage(browser, system.url, { colorScheme: 'dark' });
    try {
      await logIn(other.page, system.url, guest.user, guest.password);
      await other.page.locator('svg.sld').waitFor();
      const button = other.page.locator('.tool').getByRole('button', { name: 'What if', exact: true });
      await until('the reason', async () =>
        ((await button.getAttribute('title')) ?? '').includes('has no right services.ask'),
      );
      expect(await button.isDisabled()).toBe(true);
      expect(other.complaints).toEqual([]);
    } finally {
      await other.context.close();
    }
  });

  it.skipIf(missing)('draws a grid that comes from CGMES files: every station, and one of them opened', async () => {
    const files = data('cgmes', 'cgmes3-test-models', 'SmallGrid');
    const done = await enerchain(['import', files, '--data', system.data, '--name', 'SmallGrid']);
    expect(done.status, done.stdout + done.stderr).toBe(0);
    await page.goto(`${system.url}/#/grid`);
    await until('a box for each station', async () => (await page.locator('svg.sld .station-box').count()) > 100);
    await page.getByRole('button', { name: 'Open Upbourn', exact: true }).click();
    await page.locator('svg.sld[aria-label$="Upbourn"]').waitFor();
    await until('its switches', async () => (await page.locator('svg.sld .switch').count()) > 20);
    expect(await page.locator('svg.sld .symbol').count()).toBeGreaterThan(0);
  });

  it('has asked no other origin, broken no security policy, and written no error to the console', () => {
    expect(watched.complaints).toEqual([]);
  });
});
