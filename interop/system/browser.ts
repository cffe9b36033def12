/** A real browser, and a page that keeps account of everything it should not do. */
import { existsSync } from 'node:fs';
import { type Browser, type BrowserContext, chromium, type Locator, type Page } from 'playwright-core';

const CANDIDATES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const executablePath = [process.env.ENERCHAIN_CHROMIUM, ...CANDIDATES].find((path) => path && existsSync(path));

/** Why there is no browser here, or undefined when there is one. */
export const noBrowser = executablePath
  ? undefined
  : 'no Chromium here: install the package chromium, or name one in ENERCHAIN_CHROMIUM, to run the tests in a real browser';

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    ...(executablePath ? { executablePath } : {}),
    args: [
      ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
    ],
  });
}

export interface WatchedPage {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Errors of the console and exceptions, CSP violations, and requests to other origins, in plain words. */
  readonly complaints: string[];
}

/** @param origin the only origin that may be asked for anything */
export async function watchedPage(
  browser: Browser,
  origin: string,
  options: { colorScheme?: 'light' | 'dark'; viewport?: { width: number; height: number } } = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({
    viewport: options.viewport ?? { width: 1600, height: 960 },
    colorScheme: options.colorScheme ?? 'light',
  });
  context.setDefaultTimeout(90_000);
  const complaints: string[] = [];
  context.on('request', (request) => {
    const url = new URL(request.url());
    if (url.origin !== origin && !['data:', 'blob:'].includes(url.protocol)) complaints.push(`request to ${url.href}`);
  });
  context.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`console: ${message.text()} ${message.location().url}`);
  });
  context.on('weberror', (error) => complaints.push(`exception: ${error.error().message}`));
  // Violations that only report, or that a script swallows, never reach the console as an error.
  await context.exposeFunction('reportViolation', (text: string) => complaints.push(`CSP: ${text}`));
  await context.addInitScript({
    content: `document.addEventListener('securitypolicyviolation', (event) =>
      reportViolation(event.violatedDirective + ' ' + event.blockedURI));`,
  });
  return { page: await context.newPage(), context, complaints };
}

/** Logs in through the form. */
export async function logIn(page: Page, url: string, user: string, password: string): Promise<void> {
  await page.goto(url);
  await page.locator('input[name=user]').fill(user);
  await page.locator('input[name=password]').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.locator('.frame').waitFor();
}

/** Equipment in the single-line diagram, by the name that a screen reader reads. */
export function equipment(page: Page, name: string): Locator {
  return page.locator('svg.sld').getByRole('button', { name, exact: true });
}

/** The classes of the conductors that run through the symbol or busbar of an equipment. */
export function wiresAt(page: Page, name: string): Promise<string[]> {
  return equipment(page, name)
    .first()
    .evaluate((target) => {
      const box = target.querySelector('rect')!.getBBox();
      const inside = ({ x, y }: DOMPoint): boolean =>
        x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height;
      return [...target.closest('svg')!.querySelectorAll<SVGPathElement>('.wire')]
        .filter((wire) => {
          const length = wire.getTotalLength();
          for (let at = 0; at <= length; at += 4) if (inside(wire.getPointAtLength(at))) return true;
          return false;
        })
        .map((wire) => wire.getAttribute('class') ?? '');
    });
}

/**
 * Gives an order through the dialog as an operator does: choose, select, operate, and wait for the feedback.
 * @returns what the dialog says at the end
 */
export async function order(page: Page, symbol: string, word: 'open' | 'close'): Promise<string> {
  await equipment(page, symbol).click();
  await page.getByRole('button', { name: 'Operate …' }).click();
  const dialog = page.locator('dialog[open]');
  try {
    await dialog.locator('.choices').first().getByRole('button', { name: word }).click();
    await dialog.getByRole('button', { name: '1 · Select' }).click();
    await dialog.getByRole('button', { name: `2 · Operate: ${word}` }).click();
    // The feedback's own value may come a moment after the sentence that it has been seen.
    await dialog.locator('.result', { hasText: word === 'open' ? 'is open' : 'is closed' }).waitFor();
    // So may the device's confirmation, which is a message of its own.
    await dialog.getByText('The device has confirmed the order.').waitFor();
  } catch (error) {
    throw new Error(`${(error as Error).message}\nThe dialog said: ${await dialog.innerText({ timeout: 1000 })}`);
  }
  const said = await dialog.innerText();
  await dialog.getByRole('button', { name: 'Close', exact: true }).click();
  await dialog.waitFor({ state: 'detached' });
  return said;
}

/** A property of the style that an element has in the end. */
export function styleOf(element: Locator, property: string): Promise<string> {
  return element.evaluate((found, name) => getComputedStyle(found).getPropertyValue(name), property);
}

/** How many pixels of a canvas have the colour that a custom property of the page names. */
export function pixelsOf(canvas: Locator, customProperty: string): Promise<number> {
  return canvas.evaluate((element, name) => {
    const { width, height } = element as HTMLCanvasElement;
    const { data } = (element as HTMLCanvasElement).getContext('2d')!.getImageData(0, 0, width, height);
    const probe = document.createElement('canvas').getContext('2d')!;
    probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    probe.fillRect(0, 0, 1, 1);
    const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
    let found = 0;
    for (let i = 0; i < data.length; i += 4) {
      if (Math.abs(data[i]! - r!) + Math.abs(data[i + 1]! - g!) + Math.abs(data[i + 2]! - b!) < 24) found += 1;
    }
    return found;
  }, customProperty);
}
