/** The control room in a real browser, on the whole system: what an operator does on the first day. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Api } from './api.ts';
import {
  equipment,
  launchBrowser,
  logIn,
  noBrowser,
  order,
  pixelsOf,
  styleOf,
  type WatchedPage,
  watchedPage,
  wiresAt,
} from './browser.ts';
import { enerchain } from './command-line.ts';
import { processes, processIn } from './processes.ts';
import { type RunningSystem, STARTS_WITHIN, startSystem, until } from './running-system.ts';

const FEEDER = 'J01 Feeder 1 to 02 Weinberg · J01 Q0';
const DOWNSTREAM = ['02 Weinberg', '03 Mühlbach', '06 Ziegelei', '11 Seestraße'];
// Both the warning limit and the limit are passed; this is the limit.
const DEAD_BUSBAR = /03 Mühlbach Busbar voltage .* below its lower limit/;
const ELSEWHERE = ['13 Forsthaus', '20 kV section A'];
const USER = { user: 'admin', password: 'a sentence is a good password' };
const VIEWER = { user: 'guest', password: 'only here to look at it' };

/** Chromium notes every 401, also the honest answer to a wrong password. */
const isWrongPassword = (text: string): boolean => / 401 .*\/api\/v1\/session$/.test(text);

if (noBrowser) console.log(`skipped: ${noBrowser}`);

describe.skipIf(noBrowser)('the control room on the whole system', () => {
  let system: RunningSystem;
  let api: Api;
  let browser: Browser;
  let watched: WatchedPage;
  let page: Page;

  beforeAll(async () => {
    system = await startSystem();
    api = new Api(system);
    browser = await launchBrowser();
    watched = await watchedPage(browser, system.url);
    page = watched.page;
  }, STARTS_WITHIN);
  afterAll(async () => {
    await browser?.close();
    await system?.stop();
  });

  const go = async (place: string): Promise<void> => {
    await page.getByRole('navigation', { name: 'Places' }).getByRole('link', { name: place, exact: true }).click();
  };
  const fault = async (...args: string[]): Promise<void> => {
    const done = await enerchain(['lab', 'fault', ...args, '--data', system.data]);
    expect(done.status, done.stderr).toBe(0);
  };

  it('makes the first administrator through the printed link, once', async () => {
    await page.goto(system.setupLink!);
    await page.locator('input[name=user]').fill(USER.user);
    await page.locator('input[name=password]').fill(USER.password);
    await page.locator('input[name=again]').fill(USER.password);
    await page.getByRole('button', { name: 'Create the account' }).click();
    await page.locator('svg.sld').waitFor();
    expect(await page.locator('.who').innerText()).toContain(USER.user);
    const again = await fetch(`${system.url}/api/v1/setup`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-enerchain-request': '1' },
      body: JSON.stringify({ token: system.setupLink!.split('/').pop(), ...USER, user: 'second' }),
    });
    expect(again.status).toBeGreaterThanOrEqual(400);
    expect(await (await fetch(`${system.url}/api/v1/setup`)).json()).toEqual({ required: false });
  });

  it('logs out, refuses a wrong password with a sentence, and logs in', async () => {
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.locator('input[name=user]').fill(USER.user);
    await page.locator('input[name=password]').fill('not the right one');
    await page.getByRole('button', { name: 'Log in' }).click();
    const refusal = await page.getByRole('alert').innerText();
    expect(refusal.length).toBeGreaterThan(10);
    await logIn(page, system.url, USER.user, USER.password);
    await page.locator('svg.sld').waitFor();
  });

  it('draws the single-line diagram with values that change', async () => {
    expect(await page.locator('svg.sld .wire').count()).toBeGreaterThan(80);
    // The drawing stands before the values have come.
    const drawn = (what: string): Promise<number> => page.locator(`svg.sld ${what}`).count();
    await until('the normal state', async () => {
      const [closed, abnormal, dead] = [
        await drawn('.switch.closed'),
        await drawn('.switch.abnormal'),
        await drawn('.wire.dead'),
      ];
      return closed > 40 && abnormal === 0 && dead === 0;
    });
    const numbers = (): Promise<string[]> => page.locator('svg.sld .t-value').allTextContents();
    const first = await until('values in the diagram', async () => {
      const texts = await numbers();
      const without = texts.filter((text) => text.includes('—'));
      return texts.filter((text) => /\d/.test(text)).length > 40 && without.length === 0 && texts;
    });
    await until('three values that have changed', async () => {
      const now = await numbers();
      return now.filter((text, index) => text !== first[index]).length >= 3;
    });
  });

  it('opens a feeder breaker by select and operate, and draws the feeder de-energised', async () => {
    const said = await order(page, FEEDER, 'open');
    for (const step of [
      'Prepared and checked by the centre.',
      'The device is selected and waits for operate.',
      'The device has confirmed the order.',
      'The feedback shows the ordered state.',
    ])
      expect(said).toContain(step);
    expect(said).toMatch(/Done: .*Breaker position is open/);

    await until('the feeder to be drawn dead', async () => {
      const states = (await Promise.all(DOWNSTREAM.map((name) => wiresAt(page, name)))).flat();
      return states.length > DOWNSTREAM.length && states.every((state) => state.split(' ').includes('dead'));
    });
    // The busbar itself, and not the dead stub that hangs below the opened breaker.
    for (const name of ELSEWHERE)
      expect((await wiresAt(page, name)).some((state) => state.split(' ').includes('live'))).toBe(true);
    await until('everything behind it', async () => (await page.locator('svg.sld .wire.dead').count()) > 30);
    const dead = await page.locator('svg.sld .wire.dead').all();
    const dashes = await Promise.all(dead.map((wire) => styleOf(wire, 'stroke-dasharray')));
    expect(dashes.length).toBeGreaterThan(30);
    expect(new Set(dashes).has('none')).toBe(false);
  });

  it('shows no voltage and no current on the dead feeder', async () => {
    const voltage = await api.point('03 Mühlbach Busbar voltage');
    const current = await api.point('Brunnfeld 20 kV A J01 Current');
    await until('zero at the centre', async () => {
      const [u, i] = [await api.value(voltage.mRID), await api.value(current.mRID)];
      return u?.v === 0 && i?.v === 0;
    });
    await equipment(page, '03 Mühlbach').click();
    await until('zero on the screen', async () =>
      /^0(\.0+)?$/.test((await page.locator('.inspector .big b').innerText()).trim()),
    );
  });

  it('raises alarms, in the strip and with their priority in the top bar', async () => {
    await page.locator('.strip-row').first().waitFor();
    await until('as many alarms on the screen as in the centre', async () => {
      const counts = await page.getByLabel('Alarms by priority').locator('.chip').allInnerTexts();
      const standing = (await api.alarms()).length;
      return standing > 5 && counts.reduce((sum, text) => sum + Number(text), 0) === standing;
    });
  });

  it('acknowledges an alarm with a comment', async () => {
    await go('Alarms');
    const row = page.locator('li.alarm', { hasText: DEAD_BUSBAR }).first();
    await row.locator('.alarm-line').click();
    await row.getByLabel('Comment').fill('switched by me');
    await row.getByRole('button', { name: 'Acknowledge', exact: true }).click();
    await row.getByText(`acknowledged by ${USER.user}`).first().waitFor();
    const alarm = (await api.alarms()).find(({ message }) => DEAD_BUSBAR.test(message));
    expect(alarm).toMatchObject({ state: 'acknowledged', acknowledgedBy: USER.user, comment: 'switched by me' });
  });

  it('closes the breaker again: the feeder lives', async () => {
    await go('Grid');
    expect(await order(page, FEEDER, 'close')).toContain('The feedback shows the ordered state.');
    await until('no dead conductor', async () => (await page.locator('svg.sld .wire.dead').count()) === 0);
    const voltage = await api.point('03 Mühlbach Busbar voltage');
    await until('voltage at the centre', async () => Number((await api.value(voltage.mRID))?.v) > 18);
  });

  it('lists the switching among the events', async () => {
    await go('Events');
    await page.getByLabel('Filter events').fill('J01 Breaker');
    await until('the events of the breaker', async () => {
      const rows = await page.locator('.row.events-grid').allInnerTexts();
      return (
        rows.filter((text) => text.includes('J01 Breaker position')).length >= 2 &&
        rows.some((text) => /command to open: feedback seen/.test(text)) &&
        rows.some((text) => /command to close(d)?: feedback seen/.test(text))
      );
    });
    await page.getByLabel('Filter events').fill('');
  });

  it('filters the points by words, kind and gateway', async () => {
    await go('Points');
    const status = page.locator('.filters [role=status]');
    await until('all points', async () => /^[\d\u202f]+ points$/.test(await status.innerText()));
    await page.getByLabel('Filter points').fill('mühlbach voltage');
    await until('fewer points', async () => / of /.test(await status.innerText()));
    const rows = await page.locator('.row.points-grid').allInnerTexts();
    expect(rows.length).toBeGreaterThan(0);
    for (const row of rows) expect(row.toLowerCase()).toMatch(/mühlbach.*voltage/);
    await page.getByLabel('Filter points').fill('');
    await page.getByLabel('Kind').selectOption('command');
    await page.getByLabel('Gateway').selectOption('edge-west');
    await until('commands of one gateway', async () => {
      const found = await page.locator('.row.points-grid').allInnerTexts();
      return found.length > 5 && found.every((row) => row.includes('edge-west') && row.includes('control'));
    });
    await page.getByLabel('Filter points').fill('no such thing');
    await page.getByText('No point matches').waitFor();
  });

  it('draws a trend of a point', async () => {
    await go('Grid');
    await equipment(page, '03 Mühlbach').click();
    await page.locator('.inspector').getByRole('button', { name: 'Trend' }).click();
    const canvas = page.locator('.chart canvas').first();
    await canvas.waitFor();
    await until('a curve', async () => (await pixelsOf(canvas, '--series0')) > 5);
  });

  it('lists the three gateways with their devices and counters', async () => {
    await go('Gateways');
    for (const name of ['edge-nord', 'edge-sued', 'edge-west']) {
      const card = page.getByLabel(name, { exact: true });
      await card.getByText('connected for').or(card.getByText('gateway · connected')).first().waitFor();
      await until('its devices', async () => (await card.locator('tbody tr').count()) > 3);
    }
    expect(await page.locator('.card', { hasText: 'gateway ·' }).count()).toBe(3);
  });

  it('shows the page that the grid-state service brought, in step with the calculation', async () => {
    await go('Grid state');
    await page.locator('.gs .facts', { hasText: 'converged' }).waitFor();
    const voltages = page.getByRole('table', { name: 'Voltages of the busbars' });
    await until('calculated voltages', async () => (await voltages.locator('tbody tr').count()) > 10);
    const said = await page.locator('.gs p[role=status]').innerText();
    await until('a newer solution', async () => said !== (await page.locator('.gs p[role=status]').innerText()));
    await voltages.getByRole('button', { name: '03 Mühlbach busbar' }).click();
    await page.getByRole('heading', { name: '03 Mühlbach busbar voltage (calculated)' }).waitFor();
    await page.keyboard.press('Escape');
  });

  it('changes between light and dark and remembers it', async () => {
    const background = (): Promise<string> => styleOf(page.locator('body'), 'background-color');
    const light = await background();
    await page.getByRole('button', { name: 'Change to the dark theme' }).click();
    await until('another ground', async () => (await background()) !== light);
    await page.reload();
    await page.getByRole('button', { name: 'Change to the light theme' }).click();
    await until('the ground of before', async () => (await background()) === light);
  });

  it('says why a viewer may not command', async () => {
    await api.request('POST', '/users', { ...VIEWER, roles: ['VIEWER'] });
    const guest = await watchedPage(browser, system.url, { colorScheme: 'dark' });
    try {
      await logIn(guest.page, system.url, VIEWER.user, VIEWER.password);
      await equipment(guest.page, FEEDER).click();
      const operate = guest.page.getByRole('button', { name: 'Operate …' });
      await operate.waitFor();
      const why = `${VIEWER.user} (VIEWER) has no right commands.operate.`;
      // Until the first values have come, there are other reasons.
      await until('the reason', async () => (await operate.getAttribute('title')) === why);
      expect(await operate.isDisabled()).toBe(true);
      expect(await guest.page.locator('.inspector .refusal').innerText()).toBe(why);
      const status = await guest.page.evaluate(async () => {
        const body = JSON.stringify({ point: '00000000-0000-5000-8000-000000000000', value: 1 });
        const headers = { 'content-type': 'application/json', 'x-enerchain-request': '1' };
        return (await fetch('/api/v1/commands', { method: 'POST', headers, body })).status;
      });
      expect(status).toBe(403);
      // Chromium notes the refusal that was provoked, and nothing else.
      expect(guest.complaints.filter((text) => !/ 403 .*\/api\/v1\/commands$/.test(text))).toEqual([]);
    } finally {
      await guest.context.close();
    }
  });

  it('has asked no other origin, broken no security policy, and written no error to the console', () => {
    expect(watched.complaints.filter((text) => !isWrongPassword(text))).toEqual([]);
    expect(watched.complaints.filter(isWrongPassword)).toHaveLength(1);
  });

  /** Everything that the centre tells is on the screen: alarms by their sentence, events by log entry and sentence. */
  const nothingMissing = async (since: string): Promise<void> => {
    await go('Alarms');
    await until('every alarm on the screen', async () => {
      const known = (await api.alarms()).map(({ message }) => message).sort();
      const shown = (await page.locator('li.alarm .what').allInnerTexts()).sort();
      return JSON.stringify(known) === JSON.stringify(shown);
    });
    await go('Events');
    await until('every event on the screen', async () => {
      const known = (await api.events()).filter(({ at, kind }) => at >= since && kind !== 'audit');
      const rows = await page.locator('.row.events-grid').allInnerTexts();
      const missing = known.filter(
        ({ text, offset }) => !rows.some((row) => row.includes(text) && row.trimEnd().endsWith(String(offset))),
      );
      if (missing.length > 0) throw new Error(`missing: ${missing.map(({ text }) => text).join('; ')}`);
      return known.length > 0;
    });
  };
  const isLost = async (): Promise<void> => {
    await page.getByRole('alert').filter({ hasText: 'Connection lost since' }).waitFor();
    await page.locator('.frame.lost').waitFor();
  };
  const isBack = async (): Promise<void> => {
    await page.locator('.frame.lost').waitFor({ state: 'detached' });
    await page.locator('.banner').waitFor({ state: 'detached' });
  };

  it('says so and greys when the centre falls silent, and then misses nothing', async () => {
    await page.setViewportSize({ width: 1600, height: 8000 });
    await go('Events');
    await page.locator('.row.events-grid').first().waitFor();
    const centre = processIn(system.process.pid!, 'centre', '--data');
    const since = new Date().toISOString();
    process.kill(centre.pid, 'SIGSTOP');
    try {
      await fault('breaker-trip', 'rtu-09', 'bay=L1');
      await fault('door-open', 'rtu-05', 'seconds=2');
      // Nothing for 7.5 s, where a sign of life comes every 5 s.
      await isLost();
      await go('Grid');
      await page.locator('svg.sld.stale').waitFor({ state: 'attached' });
      const body = page.locator('svg.sld .switch .body').first();
      await until('grey', async () => Number(await styleOf(body, 'opacity')) < 1);
      await equipment(page, FEEDER).click();
      const operate = page.getByRole('button', { name: 'Operate …' });
      const why = 'The connection to the centre is lost.';
      await until('the reason', async () => (await operate.getAttribute('title')) === why);
      expect(await operate.isDisabled()).toBe(true);
    } finally {
      process.kill(centre.pid, 'SIGCONT');
    }
    await isBack();
    const trip = await until('the trip in the centre', async () =>
      (await api.events()).find(({ text, at }) => at >= since && /09 Gewerbering L1 Breaker position/.test(text)),
    );
    expect(trip.kind).toMatch(/stateChange|alarm/);
    await nothingMissing(since);
  });

  it('says so at once when the centre is killed, and then misses nothing', async () => {
    await go('Events');
    const since = new Date().toISOString();
    const centre = processIn(system.process.pid!, 'centre', '--data');
    process.kill(centre.pid, 'SIGKILL');
    await isLost();
    await fault('breaker-trip', 'rtu-10', 'bay=L2');
    await isBack();
    expect(processes().some(({ pid }) => pid === centre.pid)).toBe(false);
    await until('the trip in the centre', async () =>
      (await api.events()).find(({ text, at }) => at >= since && /10 Klinikum L2 Breaker position/.test(text)),
    );
    await nothingMissing(since);
    await go('Grid');
    await until('values that flow', async () => {
      const point = await api.point('02 Weinberg Ledger counter');
      const value = await api.value(point.mRID);
      return value !== undefined && Date.now() - value.t < 5_000;
    });
    await page.locator('svg.sld.stale').waitFor({ state: 'detached' });
  });

  it('had nothing to complain about in these failures either, but the centre that did not answer', () => {
    // One that has just been started may still answer that its database is not there yet (503).
    const away = /net::ERR_(CONNECTION|EMPTY|INCOMPLETE|ABORTED|SOCKET)| status of 503 /;
    const unexpected = watched.complaints.filter((text) => !isWrongPassword(text) && !away.test(text));
    expect(unexpected).toEqual([]);
  });
});
