/**
 * The control room as a person at the screen knows it: words and places instead of selectors. Drives the system's
 * Chromium through playwright-core.
 */
import { existsSync } from 'node:fs';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Path of a browser on this machine, `undefined` when there is none. */
export const browserPath = (): string | undefined =>
  [process.env.ENERCHAIN_CHROMIUM, ...CHROMIUM].find((path) => path !== undefined && existsSync(path));

export async function openBrowser(): Promise<Browser> {
  const executablePath = browserPath();
  if (!executablePath) throw new Error(`No Chromium found at ${CHROMIUM.join(', ')}; set ENERCHAIN_CHROMIUM.`);
  return chromium.launch({ executablePath, args: FLAGS });
}

/** What a page must never do; empty at the end of a good test. */
export interface Complaints {
  readonly errors: string[];
  /** Addresses outside the own origin that were asked for. */
  readonly foreign: string[];
}

export class ControlRoom {
  readonly page: Page;
  readonly complaints: Complaints = { errors: [], foreign: [] };

  private constructor(page: Page, origin: string) {
    this.page = page;
    page.on('pageerror', (error) => this.complaints.errors.push(error.message));
    page.on('console', (message) => {
      // Violations of the content security policy are reported here too. A lost connection is told by the page itself.
      if (message.type() === 'error' && !message.text().includes('net::ERR_'))
        this.complaints.errors.push(message.text());
    });
    page.on('request', (request) => {
      if (new URL(request.url()).origin !== origin) this.complaints.foreign.push(request.url());
    });
  }

  /** A tab of the context at `url`, for example the set-up link. */
  static async open(context: BrowserContext, url: string): Promise<ControlRoom> {
    const room = new ControlRoom(await context.newPage(), new URL(url).origin);
    await room.page.goto(url);
    return room;
  }

  /** On the page of the set-up link. */
  async makeFirstAdministrator(user: string, password: string): Promise<void> {
    await this.page.getByLabel('User').fill(user);
    await this.page.getByLabel('Password', { exact: true }).fill(password);
    await this.page.getByLabel('Password again').fill(password);
    await this.page.getByRole('button', { name: 'Create the account' }).click();
    await this.live();
  }

  async logIn(user: string, password: string): Promise<void> {
    await this.page.getByLabel('User').fill(user);
    await this.page.getByLabel('Password', { exact: true }).fill(password);
    await this.page.getByRole('button', { name: 'Log in' }).click();
  }

  /** Until the frame stands and the stream runs. */
  async live(timeout = 30_000): Promise<void> {
    await this.page.locator('.topbar').waitFor({ timeout });
    await this.page.locator('.banner').waitFor({ state: 'detached', timeout });
  }

  /** Until the display says that the connection is lost. @returns what it says */
  async lost(timeout = 10_000): Promise<string> {
    const banner = this.page.locator('.banner-lost');
    await banner.waitFor({ timeout });
    return banner.innerText();
  }

  async goTo(place: 'Grid' | 'Points' | 'Trends' | 'Alarms' | 'Events' | 'Gateways'): Promise<void> {
    await this.page.getByRole('navigation', { name: 'Places' }).getByRole('link', { name: place }).click();
  }

  /** Selects what bears this name in the diagram, by the beginning of its label. */
  async select(name: string): Promise<void> {
    await this.page.locator(`.target[aria-label^="${name}"]`).first().click();
  }

  /** How many conductors of the diagram are dashed because they are de-energised. */
  async deadConductors(): Promise<number> {
    return this.page.locator('.sld .wire.dead').count();
  }

  /** Until the number of de-energised conductors is as asked. */
  async untilDead(holds: (count: number) => boolean, timeout = 15_000): Promise<void> {
    const end = Date.now() + timeout;
    for (;;) {
      const count = await this.deadConductors();
      if (holds(count)) return;
      if (Date.now() > end) throw new Error(`${count} conductors are dashed after ${timeout / 1000} s`);
      await this.page.waitForTimeout(100);
    }
  }

  /** Operates what is selected by the two explicit steps. @returns the sentence of the result */
  async operate(order: 'open' | 'close'): Promise<string> {
    const dialog = this.page.locator('dialog[open]');
    await this.page.getByRole('button', { name: 'Operate …' }).click();
    await dialog
      .getByRole('button', { name: new RegExp(`^${order}`) })
      .first()
      .click();
    await dialog.getByRole('button', { name: '1 · Select' }).click();
    await dialog.getByRole('button', { name: /^2 · Operate/ }).click();
    const result = dialog.locator('.result');
    await result.waitFor({ timeout: 30_000 });
    const text = await result.innerText();
    await dialog.getByRole('button', { name: 'Close', exact: true }).click();
    return text;
  }

  /** The sentences of the alarms that stand on the alarm page. */
  async alarms(): Promise<string[]> {
    return this.page.locator('.alarm-line .what').allInnerTexts();
  }

  /** Acknowledges the alarm that reads like this, on the alarm page. */
  async acknowledge(words: string, comment: string): Promise<void> {
    const alarm = this.page.locator('.alarm', { hasText: words }).first();
    await alarm.locator('.alarm-line').click();
    await alarm.getByLabel('Comment').fill(comment);
    await alarm.getByRole('button', { name: 'Acknowledge', exact: true }).click();
  }

  /** The sentences on the events page that are in sight. */
  async events(): Promise<string[]> {
    return this.page.locator('.events-grid.row > span:nth-child(4)').allInnerTexts();
  }

  async close(): Promise<void> {
    await this.page.close();
  }
}
