/** The page of an IED in a real browser, on the running system, with a device of one's own from an SCL file. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkScl, FolderStore, Iec61850Server, readScl } from '@enerchain/iec61850';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Api } from './api.ts';
import { launchBrowser, noBrowser, type WatchedPage, watchedPage } from './browser.ts';
import { type RunningSystem, STARTS_WITHIN, startSystem, until } from './running-system.ts';

const GENERIC = 16;
const INDICATIONS = 32;
const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

/** A bay controller with five thousand attributes. @param revision of its configuration */
const scl = (
  revision: string,
) => `<SCL xmlns="http://www.iec.ch/61850/2003/SCL" version="2007" revision="B" release="4"><Header id="ied-page"/>
<IED name="BCU1" manufacturer="CloudEnerChain" type="BC-2"><AccessPoint name="AP1"><Server><Authentication/><LDevice inst="CTRL" desc="Bay control">
<LN0 lnClass="LLN0" inst="" lnType="LLN0">
  <DataSet name="Events"><FCDA ldInst="CTRL" lnClass="XCBR" lnInst="1" doName="Pos" fc="ST"/><FCDA ldInst="CTRL" lnClass="MMXU" lnInst="1" doName="TotW" fc="MX"/></DataSet>
  <ReportControl name="events" datSet="Events" confRev="1" buffered="true" indexed="true"><TrgOps dchg="true" qchg="true" gi="true"/><OptFields seqNum="true"/><RptEnabled max="2"/></ReportControl>
</LN0>
<LN lnClass="XCBR" inst="1" lnType="XCBR" desc="Circuit breaker"/><LN lnClass="MMXU" inst="1" lnType="MMXU"/>
${numbers(GENERIC)
  .map((inst) => `<LN lnClass="GGIO" inst="${inst}" lnType="GGIO"/>`)
  .join('')}
</LDevice></Server></AccessPoint></IED>
<DataTypeTemplates>
<LNodeType id="LLN0" lnClass="LLN0"><DO name="NamPlt" type="LPL"/></LNodeType>
<LNodeType id="XCBR" lnClass="XCBR"><DO name="Pos" type="DPS"/></LNodeType><LNodeType id="MMXU" lnClass="MMXU"><DO name="TotW" type="MV"/></LNodeType>
<LNodeType id="GGIO" lnClass="GGIO">${numbers(INDICATIONS)
  .map((index) => `<DO name="Ind${index}" type="SPS"/>`)
  .join('')}</LNodeType>
<DOType id="LPL" cdc="LPL"><DA name="vendor" bType="VisString255" fc="DC"><Val>CloudEnerChain</Val></DA><DA name="swRev" bType="VisString255" fc="DC"><Val>2.1.0</Val></DA><DA name="configRev" bType="VisString255" fc="DC"><Val>${revision}</Val></DA></DOType>
<DOType id="SPS" cdc="SPS"><DA name="stVal" bType="BOOLEAN" fc="ST" dchg="true"/><DA name="q" bType="Quality" fc="ST" qchg="true"/><DA name="t" bType="Timestamp" fc="ST"/><DA name="subEna" bType="BOOLEAN" fc="SV"/><DA name="subVal" bType="BOOLEAN" fc="SV"/><DA name="subQ" bType="Quality" fc="SV"/><DA name="subID" bType="VisString64" fc="SV"/><DA name="d" bType="VisString255" fc="DC"/><DA name="dU" bType="Unicode255" fc="DC"/><DA name="dataNs" bType="VisString255" fc="EX"/></DOType>
<DOType id="DPS" cdc="DPS"><DA name="stVal" bType="Dbpos" fc="ST" dchg="true"/><DA name="q" bType="Quality" fc="ST" qchg="true"/><DA name="t" bType="Timestamp" fc="ST"/><DA name="d" bType="VisString255" fc="DC"><Val>Q0</Val></DA></DOType>
<DOType id="MV" cdc="MV"><DA name="mag" bType="Struct" type="AV" fc="MX" dchg="true"/><DA name="q" bType="Quality" fc="MX" qchg="true"/><DA name="t" bType="Timestamp" fc="MX"/></DOType>
<DAType id="AV"><BDA name="f" bType="FLOAT32"/></DAType>
</DataTypeTemplates></SCL>`;

/** A disturbance record of two channels (IEC 60255-24). */
const CONFIGURATION = [
  'My station,BCU1,1999',
  '2,1A,1D',
  '1,U L1,A,,kV,0.01,0,0,-32767,32767,20000,100,P',
  '1,Trip,,,0',
  '50',
  '1',
  '4000,24000',
  '26/11/2026,04:12:08.100000',
  '26/11/2026,04:12:08.600000',
  'BINARY',
  '1',
].join('\r\n');

const folder = mkdtempSync(join(tmpdir(), 'enerchain-ied-'));
const USER = { user: 'operator', password: 'a sentence is a good password' };
/** Where pictures go that somebody wants to look at. */
const PICTURES = process.env.ENERCHAIN_PICTURES;

describe.skipIf(noBrowser)(`the page of an IED${noBrowser ? ` (${noBrowser})` : ''}`, () => {
  // What the device has was set after the file was written.
  const device = new Iec61850Server(checkScl(readScl(scl('8')).scl!).models.get('BCU1')!, {
    port: 0,
    files: { store: new FolderStore(join(folder, 'files')) },
  });
  let system: RunningSystem;
  let api: Api;
  let browser: Browser;
  let watched: WatchedPage;
  let page: Page;

  const picture = async (name: string): Promise<void> => {
    if (PICTURES) await page.screenshot({ path: join(PICTURES, `${name}.png`) });
  };
  /** Sets the position and tells the time of the device with it. */
  const moveTo = (code: 1 | 2): void => {
    const seconds = Math.floor(Date.now() / 1000);
    device.update('BCU1CTRL/XCBR1.Pos', {
      stVal: { kind: 'bitString', value: { length: 2, bytes: Uint8Array.of(code << 6) } },
      t: { kind: 'utcTime', value: { seconds, fraction: 0, quality: 0x0a } },
    });
  };

  beforeAll(async () => {
    mkdirSync(join(folder, 'files', 'COMTRADE'), { recursive: true });
    writeFileSync(join(folder, 'files', 'COMTRADE', 'fault.cfg'), CONFIGURATION);
    writeFileSync(join(folder, 'files', 'COMTRADE', 'fault.dat'), Buffer.alloc(100_000, 7));
    const { port } = await device.listen();
    moveTo(2);
    writeFileSync(join(folder, 'bay.scd'), scl('7'));
    const site = join(folder, 'my.yaml');
    writeFileSync(
      site,
      `source: my-gateway\nsite: { id: my-station, name: My station }\nendpoints:\n  - { id: bcu-1, protocol: iec61850, scl: bay.scd, host: 127.0.0.1, port: ${port} }\n`,
    );
    system = await startSystem(['--site', site, '--no-lab']);
    api = new Api(system);
    browser = await launchBrowser();
    watched = await watchedPage(browser, system.url, { colorScheme: PICTURES?.includes('dark') ? 'dark' : 'light' });
    page = watched.page;
    await page.addInitScript({
      content: `window.longTasks = []; new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) window.longTasks.push(Math.round(duration));
      }).observe({ type: 'longtask', buffered: true });`,
    });
    await page.goto(system.setupLink!);
    await page.locator('input[name=user]').fill(USER.user);
    await page.locator('input[name=password]').fill(USER.password);
    await page.locator('input[name=again]').fill(USER.password);
    await page.locator('button[type=submit]').click();
    await page.locator('.frame').waitFor();
    await until('the gateway to report the device', async () =>
      (await api.source('my-gateway'))?.report?.endpoints.every(({ state }) => state === 'up'),
    );
  }, STARTS_WITHIN);
  afterAll(async () => {
    await browser?.close();
    await system?.stop();
    await device.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is found in the list, with who the device is and where it differs', async () => {
    await page.getByRole('navigation', { name: 'Places' }).getByRole('link', { name: 'IEDs' }).click();
    const row = page.locator('.ieds tbody tr');
    await row.getByText('CloudEnerChain BC-2').waitFor();
    await until('what the device says of itself', async () => {
      const said = await row.innerText();
      return said.includes('my-gateway') && said.includes('connected') && /8\s+not as in the file/.test(said);
    });
    await picture('list');
    await row.getByRole('link', { name: 'bcu-1' }).click();
    await page.getByText('8, not 7 as in the file').waitFor();
  });

  it('opens its model by the keyboard, with live values over the chain and others read now', async () => {
    const tree = page.getByRole('tree', { name: 'Model of the device' });
    await page.getByText('5130 attributes').waitFor();
    await tree.focus();
    for (const key of ['ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowRight', 'ArrowRight', 'ArrowRight'])
      await page.keyboard.press(key);
    const position = tree.getByRole('treeitem', { name: /^Pos/ });
    await until('the position to be chosen', async () => (await position.getAttribute('aria-selected')) === 'true');
    expect(await position.getAttribute('aria-level')).toBe('3');
    await position.getByText('closed').waitFor();
    moveTo(1);
    await position.getByText('open', { exact: true }).waitFor();
    // The inspector beside it shows where the value comes from.
    await page.locator('.inspector').getByText('Where it comes from').waitFor();
    await page.keyboard.press('r');
    const description = tree.getByRole('treeitem', { name: /^d / });
    await description.getByText('Q0').waitFor();
    await description.locator('.sub', { hasText: 'read now' }).waitFor();
    await picture('model');
  });

  it('finds a reference among five thousand attributes without holding the display up', async () => {
    await page.evaluate('window.longTasks.length = 0');
    await page.getByLabel('Search the model').fill('ggio7.ind31 st');
    await page.getByText('1 found').waitFor();
    const found = page.getByRole('treeitem', { name: /^stVal/ });
    await found.click();
    await page.getByText('BCU1CTRL/GGIO7.Ind31.stVal').waitFor();
    await page.getByLabel('Search the model').fill('');
    const tree = page.getByRole('tree');
    await tree.focus();
    // Everything of all nodes is opened; only what is in sight is drawn.
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('*');
    await page.keyboard.press('End');
    expect(await tree.locator('.tree-row').count()).toBeLessThan(60);
    const longest = Math.max(0, ...((await page.evaluate('window.longTasks')) as number[]));
    if (PICTURES) process.stdout.write(`longest task while searching and opening: ${longest} ms\n`);
  });

  it('shows its control blocks, with the one that the gateway holds', async () => {
    await page.getByRole('tab', { name: 'Control blocks' }).click();
    const block = page.getByRole('row').filter({ hasText: 'BCU1CTRL/LLN0.BR.events01' });
    await block.getByText('this gateway').waitFor();
    await block.getByText('enabled', { exact: true }).waitFor();
    await picture('blocks');
    await page.getByRole('tab', { name: 'Data sets' }).click();
    await page.locator('.data-set').getByText('BCU1CTRL/LLN0.Events').click();
    await page.getByRole('link', { name: 'BCU1CTRL/MMXU1.TotW' }).click();
    await page.getByRole('treeitem', { selected: true, name: /^TotW/ }).waitFor();
  });

  it('gives out a disturbance record to who may have it, and has it in the audit', async () => {
    await page.getByRole('tab', { name: 'Files' }).click();
    await page.getByRole('button', { name: 'COMTRADE/', exact: true }).click();
    await page.getByRole('button', { name: 'Summary of COMTRADE/fault.cfg' }).click();
    const summary = page.getByRole('region', { name: 'Disturbance record COMTRADE/fault.cfg' });
    await summary.getByText('My station').waitFor();
    expect(await summary.innerText()).toContain('U L1 (kV)');
    await picture('files');
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download COMTRADE/fault.dat' }).click(),
    ]);
    expect(download.suggestedFilename()).toBe('fault.dat');
    expect(readFileSync(await download.path()).equals(Buffer.alloc(100_000, 7))).toBe(true);
    // The record of the end is written when the last octet has left.
    const fetched = await until('the end of the second file in the audit', async () => {
      const { items } = await api.request<{ items: { action: string; actor: string; detail?: { name: string } }[] }>(
        'GET',
        '/audit?limit=5000',
      );
      const records = items.filter(({ action }) => action === 'device.file');
      return records.length >= 4 && records;
    });
    // Each file in order; the end of the first may stand behind the question for the second.
    const of = (name: string) => fetched.filter(({ detail }) => detail?.name === name);
    expect(of('COMTRADE/fault.cfg')).toMatchObject([
      { actor: USER.user, detail: { state: 'asked for' } },
      { actor: USER.user, detail: { state: 'complete' } },
    ]);
    expect(of('COMTRADE/fault.dat')).toMatchObject([
      { actor: USER.user, detail: { state: 'asked for' } },
      { actor: USER.user, detail: { state: 'complete', octets: 100_000 } },
    ]);
  });

  it('says in a sentence what cannot be had, and keeps what it shows when the device goes', async () => {
    await page.getByRole('tab', { name: 'GOOSE' }).click();
    await page.getByText('The gateway hears nothing of this device by GOOSE').waitFor();
    await page.getByRole('tab', { name: 'Model' }).click();
    await device.close();
    await page.locator('.device-head').getByText('connecting').waitFor();
    await page.getByRole('treeitem', { selected: true }).waitFor();
    const read = page.getByRole('button', { name: 'Read now' });
    await until('the reason', async () =>
      (await read.getAttribute('title'))?.includes('is not connected to its gateway'),
    );
    await picture('away');
  });

  it('has complained about nothing', () => {
    // A centre without a grid model says so with a 404, which Chromium notes.
    expect(watched.complaints.filter((text) => !/ 404 .*\/api\/v1\/grid$/.test(text))).toEqual([]);
  });
});
