/** The chain of trust as an operator sees it, in a real browser on the whole system, and a receipt that leaves it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Download, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Api } from './api.ts';
import { equipment, launchBrowser, logIn, noBrowser, styleOf, type WatchedPage, watchedPage } from './browser.ts';
import { enerchain } from './command-line.ts';
import { type RunningSystem, STARTS_WITHIN, startSystem, until } from './running-system.ts';

const USER = { user: 'admin', password: 'a sentence is a good password' };
const SECOND = { user: 'second', password: 'four eyes see more than two' };
const GATEWAYS = ['edge-nord', 'edge-sued', 'edge-west'];
const SHUT = 'edge-west';
const CHANGED = 'edge-sued';

interface Node {
  readonly node: string;
  readonly role: string;
  readonly tier: string | null;
  readonly status: string;
  readonly reaction: string;
  readonly fresh: boolean;
}
interface Trust {
  readonly nodes: readonly Node[];
  readonly links: readonly { readonly a: string; readonly b: string }[];
}

if (noBrowser) console.log(`skipped: ${noBrowser}`);

describe.skipIf(noBrowser)('the chain of trust on the whole system', () => {
  let system: RunningSystem;
  let api: Api;
  let browser: Browser;
  let watched: WatchedPage;
  let page: Page;
  const folder = mkdtempSync(join(tmpdir(), 'enerchain-receipt-'));

  beforeAll(async () => {
    system = await startSystem();
    api = new Api(system);
    browser = await launchBrowser();
    watched = await watchedPage(browser, system.url, { viewport: { width: 1280, height: 800 } });
    page = watched.page;
    await page.goto(system.setupLink!);
    await page.locator('input[name=user]').fill(USER.user);
    await page.locator('input[name=password]').fill(USER.password);
    await page.locator('input[name=again]').fill(USER.password);
    await page.getByRole('button', { name: 'Create the account' }).click();
    await page.locator('svg.sld').waitFor();
  }, STARTS_WITHIN);
  afterAll(async () => {
    await browser?.close();
    await system?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const go = async (place: string, on = page): Promise<void> => {
    await on.getByRole('navigation', { name: 'Places' }).getByRole('link', { name: place, exact: true }).click();
  };
  const trust = (): Promise<Trust> => api.request<Trust>('GET', '/trust');
  const row = (name: string, on = page) => on.locator('.node-row', { hasText: name }).first();
  const saved = async (button: string): Promise<string> => {
    const [download] = await Promise.all([
      page.waitForEvent('download') as Promise<Download>,
      page.locator('.receipt').getByRole('button', { name: button }).click(),
    ]);
    const path = join(folder, download.suggestedFilename());
    await download.saveAs(path);
    return path;
  };

  it('attests every gateway from the first minute, and says honestly by what', async () => {
    const nodes = await until('fresh results of all gateways', async () => {
      const known = (await trust()).nodes;
      return GATEWAYS.every((name) => known.some(({ node, fresh }) => node === name && fresh)) && known;
    });
    await go('Trust');
    for (const { node } of nodes) await row(node).waitFor();
    for (const name of GATEWAYS) {
      const told = nodes.find(({ node }) => node === name)!;
      await row(name)
        .getByText(told.tier === 'tpm' ? 'TPM quote' : 'software attester')
        .waitFor();
      await row(name)
        .getByText(/attested/)
        .first()
        .waitFor();
      await row(name)
        .getByText(/\d+ (s|min) left/)
        .waitFor();
    }
  });

  it('draws every node once, and the links between them', async () => {
    await until('all nodes and links in the drawing', async () => {
      // Asked anew each time: a node of the network may join while it is looked at.
      const { nodes, links } = await trust();
      const names = (await page.locator('.tnode-name').allTextContents()).sort();
      const pairs = new Set(links.map(({ a, b }) => [a, b].sort().join(' ')));
      return (
        pairs.size > 0 &&
        JSON.stringify(names) === JSON.stringify(nodes.map(({ node }) => node).sort()) &&
        (await page.locator('.tmap .tlink').count()) === pairs.size
      );
    });
  });

  it('counts the attested nodes in the top bar', async () => {
    await until('the count of the centre', async () => {
      const all = (await trust()).nodes.length;
      return (await page.locator('.chip.attested').innerText()).includes(`${all} / ${all} attested`);
    });
  });

  it('gives a good result a new term before the old one runs out', async () => {
    const left = async (): Promise<number> => {
      const text = await row('edge-nord').locator('.fresh-words').innerText();
      return Number(/^(\d+) s left/.exec(text)?.[1] ?? Number.NaN);
    };
    let lowest = await until('a term that is counted down', async () => {
      const now = await left();
      return Number.isFinite(now) && now;
    });
    await until('a new term', async () => {
      const now = await left();
      expect(now).toBeGreaterThan(0);
      if (now > lowest + 3) return true;
      lowest = Math.min(lowest, now);
      return false;
    });
  });

  it('says of a node why it is in its state, who says so, and what was measured', async () => {
    await page.locator('.tnode', { hasText: 'edge-nord' }).click();
    const detail = page.locator('.node-inspector');
    await detail.getByRole('heading', { name: 'edge-nord' }).waitFor();
    await detail.locator('.node-reason', { hasText: /.{10}/ }).waitFor();
    await detail.locator('.result-card').first().waitFor();
    await detail.locator('.claims dt').first().waitFor();
    await detail.getByText(/\d+ match(es)? the reference values/).waitFor();
    await page.keyboard.press('Escape');
    await detail.waitFor({ state: 'detached' });
  });

  it('lists certificates with the place of their keys and their end', async () => {
    await page.getByRole('link', { name: 'Certificates and keys' }).click();
    for (const name of GATEWAYS) {
      const line = page.locator('.certificates tbody tr', { hasText: name }).first();
      await line.waitFor();
      expect(await line.innerText()).toMatch(/key in (a file|a TPM|an HSM)/);
      expect(await line.innerText()).toMatch(/left · \d{4}-\d\d-\d\d/);
    }
  });

  it('shows the way of a value, with its weak links in words', async () => {
    await go('Grid');
    await equipment(page, '03 Mühlbach').first().click();
    const chain = page.locator('.inspector .chain');
    const titles = ['Who received it', 'What it was running', 'Signature', 'Place in the log', 'Witnesses'];
    await until('the chain', async () => {
      const said = await chain.innerText();
      return (
        (await chain.locator('li').count()) >= 5 &&
        /edge-/.test(said) &&
        /without TLS|plain|unprotected/i.test(said) &&
        titles.every((title) => said.includes(title))
      );
    });
    await page.locator('.chain-sum', { hasText: /The chain holds|Every link/ }).waitFor();
  });

  it('hands out a receipt that holds on another machine, and one that was tampered with does not', async () => {
    const receipt = await until('a receipt', () => saved('Save receipt').catch(() => undefined));
    const anchor = await saved('Save anchor');
    const line = await page.locator('.copy code').innerText();
    expect(line).toBe(`npx enerchain verify ${receipt.split('/').pop()} --anchor ${anchor.split('/').pop()}`);
    const good = await enerchain(['verify', receipt, '--anchor', anchor]);
    expect(good.status, good.stdout + good.stderr).toBe(0);
    expect(good.stdout).toMatch(/edge-/);
    const bytes = readFileSync(receipt);
    for (const at of [Math.floor(bytes.length / 3), Math.floor(bytes.length / 2)]) {
      const altered = Uint8Array.from(bytes);
      altered[at]! ^= 1;
      writeFileSync(join(folder, 'altered.cbor'), altered);
      const bad = await enerchain(['verify', join(folder, 'altered.cbor'), '--anchor', anchor]);
      expect(bad.status).not.toBe(0);
    }
  });

  it('shuts a gateway out by an operator with a reason, and marks what comes from it', async () => {
    await go('Trust');
    await row(SHUT).click();
    const detail = page.locator('.node-inspector');
    await detail.getByRole('button', { name: 'Quarantine …' }).click();
    const dialog = page.locator('dialog[open]');
    expect(await dialog.getByRole('button', { name: 'Quarantine it' }).isDisabled()).toBe(true);
    await dialog.getByLabel('Reason').fill('found open on site');
    await dialog.getByRole('button', { name: 'Quarantine it' }).click();
    await dialog.waitFor({ state: 'detached' });
    await detail.locator('.node-state', { hasText: 'quarantined' }).waitFor();
    await detail.locator('.node-reason', { hasText: 'found open on site' }).waitFor();
    await page.locator('.chip.attested', { hasText: '1 failed' }).waitFor();
    expect((await trust()).nodes.find(({ node }) => node === SHUT)!.reaction).toBe('quarantine');

    await detail.getByRole('button', { name: 'Its points' }).click();
    await page.locator('.row.points-grid .mark[title^=distrusted]').first().waitFor();
    await page.getByLabel('Gateway').selectOption('edge-nord');
    await until('points of another gateway', async () => {
      const rows = await page.locator('.row.points-grid').allInnerTexts();
      return rows.length > 5 && rows.every((text) => text.includes('edge-nord'));
    });
    const marks = page.locator('.row.points-grid .mark[title^=distrusted]');
    await until('no mark on them', async () => (await marks.count()) === 0);
  });

  it('lets it in again when two persons want it, never one', async () => {
    await go('Trust');
    await row(SHUT).click();
    const detail = page.locator('.node-inspector');
    // Only fresh good evidence lets it ask; until the next round has come, the refusal says so.
    await until('a release that is asked for', async () => {
      await detail.getByRole('button', { name: 'Ask for release …' }).click();
      const dialog = page.locator('dialog[open]');
      await dialog.getByLabel('Reason').fill('looked at it, the door is shut again');
      await dialog.getByRole('button', { name: 'Ask for release', exact: true }).click();
      const asked = detail.getByText('You ask for its release');
      await asked.or(dialog.getByRole('alert')).first().waitFor();
      if (await asked.isVisible()) return true;
      await dialog.getByRole('button', { name: 'Cancel' }).click();
      return false;
    });
    expect(await detail.getByRole('button', { name: 'Approve the release' }).isDisabled()).toBe(true);
    expect(await detail.locator('.refusal').innerText()).toMatch(/Another person has to approve/);
    // Nor by a call of their own.
    const known = await page.evaluate(async (shut) => {
      const all = (await (await fetch('/api/v1/trust')).json()) as {
        nodes: { node: string; release?: { id: string } }[];
      };
      const id = all.nodes.find(({ node }) => node === shut)!.release!.id;
      const headers = { 'content-type': 'application/json', 'x-enerchain-request': '1' };
      const answer = await fetch(`/api/v1/trust/releases/${id}/approve`, { method: 'POST', headers, body: '{}' });
      return { status: answer.status, detail: ((await answer.json()) as { detail: string }).detail };
    }, SHUT);
    expect(known.status).toBe(403);
    expect(known.detail.length).toBeGreaterThan(10);

    await api.request('POST', '/users', { ...SECOND, roles: ['OPERATOR'] });
    const other = await watchedPage(browser, system.url, { colorScheme: 'dark' });
    try {
      await logIn(other.page, system.url, SECOND.user, SECOND.password);
      await go('Trust', other.page);
      await row(SHUT, other.page).getByText(`${USER.user} asks for release`).waitFor();
      await row(SHUT, other.page).click();
      expect(await other.page.locator('.release .quote').innerText()).toBe('looked at it, the door is shut again');
      await other.page.getByRole('button', { name: 'Approve the release' }).click();
      await other.page.locator('.node-inspector .node-state', { hasText: 'attested' }).waitFor();
      expect(other.complaints).toEqual([]);
    } finally {
      await other.context.close();
    }
    // The first one sees it without having asked.
    await detail.locator('.node-state', { hasText: 'attested' }).waitFor();
    await until('no failed node', async () => {
      return !(await page.locator('.chip.attested').innerText()).includes('failed');
    });
  });

  it('shows within seconds a gateway whose firmware was changed, who says so, and what differs', async () => {
    const done = await enerchain(['lab', 'fault', 'firmware-changed', CHANGED, '--data', system.data]);
    expect(done.status, done.stderr).toBe(0);
    await page.locator('.chip.attested', { hasText: '1 failed' }).waitFor();
    await row(CHANGED).click();
    const detail = page.locator('.node-inspector');
    await detail.locator('.node-state', { hasText: 'quarantined' }).waitFor();
    await detail.locator('.node-reason', { hasText: /firmware/ }).waitFor();
    await detail.locator('.says', { hasText: 'not to be trusted' }).first().waitFor();
    const measured = detail.locator('.measured li').first();
    await measured.filter({ hasText: /firmware[\s\S]*found[\s\S]*expected/ }).waitFor();
    await page.locator('.tmap .tlink-failing').first().waitFor();
    await page.locator('.strip-row', { hasText: CHANGED }).first().waitFor();
    await page.keyboard.press('Escape');
  });

  it('has room for everything at 1280 × 800 and in both themes', async () => {
    await page.goto(`${system.url}/#/trust`);
    await page.locator('.trust-rows .node-row').first().waitFor();
    const ground = await styleOf(page.locator('body'), 'background-color');
    await page.getByRole('button', { name: 'Change to the dark theme' }).click();
    await until('another ground', async () => (await styleOf(page.locator('body'), 'background-color')) !== ground);
    const wider = await page.evaluate(() =>
      ['.trust-columns', '.trust-list', '.trust-map', '.topbar', '.filters'].filter((name) => {
        const found = document.querySelector(name);
        return found !== null && found.scrollWidth > found.clientWidth + 1;
      }),
    );
    expect(wider).toEqual([]);
  });

  it('has asked no other origin, broken no security policy, and written no error to the console', () => {
    // Chromium notes the refusals that were provoked, and nothing else.
    const provoked = / (403|409) .*\/api\/v1\/trust\//;
    expect(watched.complaints.filter((text) => !provoked.test(text))).toEqual([]);
  });
});
