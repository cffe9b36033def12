/**
 * A command that takes two people, on the whole system with a device of our own: each operator has a browser of their own with
 * the authenticator that Chromium plays; the gateway verifies the approval by the list that it holds.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEVELOPMENT_POLICY } from '@enerchain/attestation';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestStation } from '../../platform/edge/test/station.ts';
import { launchBrowser, logIn, noBrowser, watchedPage } from './browser.ts';
import { type RunningSystem, STARTS_WITHIN, startSystem, until } from './running-system.ts';

const PASSWORD = 'a sentence is a good password';

if (noBrowser) console.log(`skipped: ${noBrowser}`);

describe.skipIf(noBrowser)('a command that takes two people', () => {
  let system: RunningSystem;
  let station: TestStation;
  let browser: Browser;
  const complaints: (readonly string[])[] = [];
  let anna: Page;
  let bert: Page;

  beforeAll(async () => {
    station = new TestStation();
    // Centre and gateway each have a policy of their own; whoever has the one does not have the other.
    station.policy = "{ secondPerson: ['switch'], breakGlass: 'authenticator' }";
    const site = await station.open();
    const policy = join(station.folder, 'policy.json');
    writeFileSync(policy, JSON.stringify({ ...DEVELOPMENT_POLICY, name: 'two-1', secondPerson: ['switch'] }));
    system = await startSystem(['--no-lab', '--site', site, '--trust-policy', policy]);
    browser = await launchBrowser();
  }, STARTS_WITHIN);
  afterAll(async () => {
    await browser?.close();
    await system?.stop();
    await station?.close();
  });

  /** A browser of somebody, with an authenticator that verifies them (WebAuthn § 11.2). */
  const browserOf = async (): Promise<Page> => {
    const watched = await watchedPage(browser, system.url);
    complaints.push(watched.complaints);
    const session = await watched.context.newCDPSession(watched.page);
    await session.send('WebAuthn.enable');
    await session.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    });
    return watched.page;
  };
  const authenticators = async (page: Page) => {
    await page.getByRole('button', { name: 'Authenticators' }).click();
    return page.getByRole('dialog', { name: 'Authenticators' });
  };
  const closeDialog = async (page: Page) => {
    await page
      .locator('dialog[open]')
      .getByRole('button', { name: /^(Close|Cancel)$/ })
      .click();
    await page.locator('dialog[open]').waitFor({ state: 'detached' });
  };
  /** A call of the API in the name of who is logged in. */
  const post = (page: Page, path: string, body: unknown) =>
    page.evaluate(
      async ([path, body]) => {
        const headers = { 'content-type': 'application/json', 'x-enerchain-request': '1' };
        const response = await fetch(`/api/v1${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
        const text = await response.text();
        return `${response.status} ${text && (JSON.parse(text).detail ?? text)}`;
      },
      [path, body] as const,
    );
  /** The dialog of the switch, with the order to switch it on checked. */
  const prepare = async (page: Page) => {
    await page.goto(`${system.url}/#/points`);
    await page.locator('.frame').getByText('switch', { exact: true }).first().click();
    await page.getByRole('button', { name: 'Operate …' }).click();
    const dialog = page.locator('dialog[open]');
    await dialog.locator('.choices').first().getByRole('button', { name: 'on', exact: true }).click();
    await dialog.locator('.checks li').first().waitFor();
    return dialog;
  };

  it('begins with two operators', async () => {
    anna = await browserOf();
    await anna.goto(system.setupLink!);
    await anna.locator('input[name=user]').fill('anna');
    await anna.locator('input[name=password]').fill(PASSWORD);
    await anna.locator('input[name=again]').fill(PASSWORD);
    await anna.getByRole('button', { name: 'Create the account' }).click();
    await anna.locator('.frame').waitFor();
    expect(await post(anna, '/users', { user: 'bert', password: PASSWORD, roles: ['OPERATOR'] })).toMatch(/^2/);
    bert = await browserOf();
    await logIn(bert, system.url, 'bert', PASSWORD);
  });

  it('registers an authenticator for each; the second waits until the first vouches for it', async () => {
    const first = await authenticators(anna);
    await first.locator('input[name=label]').fill('her key');
    await first.getByRole('button', { name: 'Register mine' }).click();
    await first.getByRole('listitem', { name: 'her key of anna' }).getByText('known to the gateways').waitFor();
    await closeDialog(anna);
    const second = await authenticators(bert);
    await second.locator('input[name=label]').fill('his key');
    await second.getByRole('button', { name: 'Register mine' }).click();
    await second.getByRole('listitem', { name: 'his key of bert' }).getByText('waits for the approval').waitFor();
    await closeDialog(bert);
    const again = await authenticators(anna);
    const his = again.getByRole('listitem', { name: 'his key of bert' });
    await his.getByRole('button', { name: 'Approve' }).click();
    await his.getByText('known to the gateways').waitFor();
    await closeDialog(anna);
  });

  it('prepares an order that waits, shows it to the other one, who approves it, and operates it', async () => {
    await until('gateway and centre to be attested', async () =>
      anna.evaluate(async () => {
        const { nodes } = await (await fetch('/api/v1/trust')).json();
        const good = (name: string) =>
          nodes.some((each: { node: string; fresh: boolean }) => each.node === name && each.fresh);
        return good('centre') && good('edge-test');
      }),
    );
    const dialog = await prepare(anna);
    const way = dialog.getByLabel('The way of the command');
    await way.filter({ hasText: /centre is attested \(software\)[\s\S]*edge-test is attested \(software\)/ }).waitFor();
    await dialog.getByText('Another operator sees this order now').waitFor();
    expect(await dialog.getByRole('button', { name: 'Operate: on' }).isDisabled()).toBe(true);
    await bert.getByRole('button', { name: '1 order waits for a second person' }).click();
    const request = bert.getByRole('region', { name: 'Order of anna' });
    await request.filter({ hasText: /switch: on[\s\S]*asked by anna/i }).waitFor();
    await request.getByRole('button', { name: 'Approve with authenticator' }).click();
    await bert.getByText('None waits any more.').waitFor();
    await closeDialog(bert);
    await dialog.getByText('Approved by bert').waitFor();
    await dialog.getByRole('button', { name: 'Operate: on' }).click();
    await dialog.locator('.result', { hasText: 'carried out' }).waitFor();
    await closeDialog(anna);
    expect(station.commands).toEqual(['execute 10 1']);
  });

  it('refuses the approval of who gave the order, also past the screen', async () => {
    const dialog = await prepare(anna);
    await dialog.getByText('Another operator sees this order now').waitFor();
    expect(await anna.getByRole('button', { name: /waits? for a second person/ }).count()).toBe(0);
    const id = await anna.evaluate(async () => (await (await fetch('/api/v1/commands?limit=1')).json()).items[0].id);
    const answer = await post(anna, `/commands/${id}/approval/options`, {});
    expect(answer).toBe('403 anna has prepared the command and cannot be the second person.');
    // The other one refuses.
    await bert.getByRole('button', { name: '1 order waits for a second person' }).click();
    await bert.getByRole('region', { name: 'Order of anna' }).getByRole('button', { name: 'Refuse' }).click();
    await bert.getByText('None waits any more.').waitFor();
    await closeDialog(bert);
    await dialog
      .getByText(/^Cancelled\./)
      .first()
      .waitFor();
    await closeDialog(anna);
    expect(station.commands).toHaveLength(1);
  });

  it('says which node on the way is not good, and lets the glass be broken for a reason, with an alarm', async () => {
    const reason = 'its cabinet was found open';
    expect(await post(anna, '/trust/nodes/edge-test/quarantine', { reason })).toMatch(/^2/);
    const dialog = await prepare(anna);
    await dialog
      .getByText(/edge-test is in quarantine: anna .*its cabinet was found open/)
      .first()
      .waitFor();
    expect(await dialog.getByRole('button', { name: 'Operate: on' }).isDisabled()).toBe(true);
    await dialog.getByText('Break the glass …').click();
    const go = dialog.getByRole('button', { name: 'Prepare it as break-glass' });
    expect(await go.isDisabled()).toBe(true);
    await dialog.getByLabel('Reason').fill('the transformer burns, nobody else is here');
    await go.click();
    await dialog.locator('.glass-broken', { hasText: 'the transformer burns' }).waitFor();
    await dialog
      .filter({
        hasText: /Passed over: Not every node on the way is good enough[\s\S]*Passed over: Needs a second person/,
      })
      .waitFor();
    await dialog.getByRole('button', { name: 'Operate: on' }).click();
    await dialog.locator('.result', { hasText: 'carried out' }).waitFor();
    await closeDialog(anna);
    await bert.locator('.strip', { hasText: 'Break-glass by anna' }).waitFor();
    await until('the device to have it', () => station.commands.length === 2);
  });

  it('complained about nothing but the honest refusal, and that there is no grid', () => {
    const unexpected = complaints.flat().filter((text) => !/ 403 .*\/approval\/options$| 404 .*\/grid$/.test(text));
    expect(unexpected).toEqual([]);
  });
});
