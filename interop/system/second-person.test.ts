/**
 * A command that takes two people, in real browsers with the authenticators that Chromium plays: each operator has a browser
 * of their own. Centre, gateway, link and device are real; the gateway verifies the approval by the list that it holds.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEVELOPMENT_POLICY, type NodeTrust, type TrustPort } from '@enerchain/attestation';
import { type CentreHandle, runCentre } from '@enerchain/centre';
import { type EdgeHandle, runEdge } from '@enerchain/edge';
import { systemClock } from '@enerchain/model';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silent as logger } from '../../platform/edge/test/helpers.ts';
import { TestStation } from '../../platform/edge/test/station.ts';
import { launchBrowser, logIn, noBrowser, watchedPage } from './browser.ts';
import { STARTS_WITHIN, until } from './running-system.ts';

const PASSWORD = 'a sentence is a good password';
const controlRoomDir = fileURLToPath(new URL('../../apps/control-room/dist', import.meta.url));

if (noBrowser) console.log(`skipped: ${noBrowser}`);

describe.skipIf(noBrowser)('a command that takes two people', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'enerchain-two-'));
  const stop = new AbortController();
  let centre: CentreHandle;
  let station: TestStation;
  let edge: EdgeHandle;
  let browser: Browser;
  const complaints: (readonly string[])[] = [];
  let anna: Page;
  let bert: Page;
  let trusted = true;

  /** The nodes as an attested system would see them; whether they are good is in the hand of the test. */
  const trust: TrustPort = {
    policy: { ...DEVELOPMENT_POLICY, secondPerson: ['switch'] },
    all: () => [],
    get: () => undefined,
    pathTo: (source): NodeTrust[] => {
      const now = systemClock.now();
      const state = { node: source, role: 'edge', since: now, neighbours: [] } as const;
      return trusted
        ? [
            {
              ...state,
              tier: 'software',
              status: 'warning',
              trustedUntil: now + 30_000_000_000n,
              reaction: 'none',
              reason: '',
            },
          ]
        : [
            {
              ...state,
              tier: 'software',
              status: 'contraindicated',
              trustedUntil: undefined,
              reaction: 'alarm',
              reason: 'its software changed',
            },
          ];
    },
    onChange: () => () => {},
  };

  beforeAll(async () => {
    const local = { host: '127.0.0.1', port: 0 };
    centre = await runCentre({ dataDir, http: local, link: local, controlRoomDir, logger, signal: stop.signal, trust });
    station = new TestStation();
    station.policy = "{ secondPerson: ['switch'], breakGlass: true }";
    edge = await runEdge({
      siteFile: await station.open(),
      dataDir: join(dataDir, 'edge'),
      centre: { url: centre.linkUrl, token: await centre.createEnrolmentToken('edge-test', 'edge') },
      logger,
    });
    browser = await launchBrowser();
  }, STARTS_WITHIN);
  afterAll(async () => {
    await browser?.close();
    await edge?.close();
    await station?.close();
    await centre?.close();
    rmSync(dataDir, { recursive: true, force: true });
  });

  /** A browser of somebody, with an authenticator that verifies them (WebAuthn § 11.2). */
  const browserOf = async (): Promise<Page> => {
    const watched = await watchedPage(browser, centre.url);
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
  /** The dialog of the switch, with the order to switch it on checked. */
  const prepare = async (page: Page) => {
    await page.goto(`${centre.url}/#/points`);
    await page.locator('.frame').getByText('switch', { exact: true }).first().click();
    await page.getByRole('button', { name: 'Operate …' }).click();
    const dialog = page.locator('dialog[open]');
    await dialog.locator('.choices').first().getByRole('button', { name: 'on', exact: true }).click();
    await dialog.locator('.checks li').first().waitFor();
    return dialog;
  };

  it('begins with two operators', async () => {
    anna = await browserOf();
    await anna.goto(centre.setupLink!);
    await anna.locator('input[name=user]').fill('anna');
    await anna.locator('input[name=password]').fill(PASSWORD);
    await anna.locator('input[name=again]').fill(PASSWORD);
    await anna.getByRole('button', { name: 'Create the account' }).click();
    await anna.locator('.frame').waitFor();
    const made = await anna.evaluate(async (password) => {
      const response = await fetch('/api/v1/users', {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-enerchain-request': '1' },
        body: JSON.stringify({ user: 'bert', password, roles: ['OPERATOR'] }),
      });
      return `${response.status} ${await response.text()}`;
    }, PASSWORD);
    expect(made).toMatch(/^2/);
    bert = await browserOf();
    await logIn(bert, centre.url, 'bert', PASSWORD);
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
    const dialog = await prepare(anna);
    expect(await dialog.getByLabel('The way of the command').innerText()).toMatch(
      /centre[\s\S]*edge-test is attested \(software\)/,
    );
    await dialog.getByText('Another operator sees this order now').waitFor();
    expect(await dialog.getByRole('button', { name: 'Operate: on' }).isDisabled()).toBe(true);
    await bert.getByRole('button', { name: '1 order waits for a second person' }).click();
    const request = bert.getByRole('region', { name: 'Order of anna' });
    expect(await request.innerText()).toMatch(/switch: on[\s\S]*asked by anna/i);
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
    const answer = await anna.evaluate(async () => {
      const headers = { 'content-type': 'application/json', 'x-enerchain-request': '1' };
      const { items } = await (await fetch('/api/v1/commands?limit=1')).json();
      const path = `/api/v1/commands/${items[0].id}/approval/options`;
      const response = await fetch(path, { method: 'POST', headers, body: '{}' });
      return `${response.status} ${(await response.json()).detail}`;
    });
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
    trusted = false;
    const dialog = await prepare(anna);
    await dialog.getByText('edge-test is not trusted (contraindicated): its software changed.').first().waitFor();
    expect(await dialog.getByRole('button', { name: 'Operate: on' }).isDisabled()).toBe(true);
    await dialog.getByText('Break the glass …').click();
    const go = dialog.getByRole('button', { name: 'Prepare it as break-glass' });
    expect(await go.isDisabled()).toBe(true);
    await dialog.getByLabel('Reason').fill('the transformer burns, nobody else is here');
    await go.click();
    await dialog.locator('.glass-broken', { hasText: 'the transformer burns' }).waitFor();
    expect(await dialog.innerText()).toMatch(
      /Passed over: Not every node on the way is good enough[\s\S]*Passed over: Needs a second person/,
    );
    await dialog.getByRole('button', { name: 'Operate: on' }).click();
    await dialog.locator('.result', { hasText: 'carried out' }).waitFor();
    await closeDialog(anna);
    await bert.locator('.strip', { hasText: 'Break-glass by anna' }).waitFor();
    await until('the device to have it', 10_000, () => station.commands.length === 2);
  });

  it('complained about nothing but the honest refusal, and that there is neither grid nor trust', () => {
    const unexpected = complaints
      .flat()
      .filter((text) => !/ 403 .*\/approval\/options$| 404 .*\/(grid|trust)$/.test(text));
    expect(unexpected).toEqual([]);
  });
});
