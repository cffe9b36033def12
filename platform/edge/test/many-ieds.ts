/**
 * A gateway with all IEDs of a station: `node platform/edge/test/many-ieds.ts [60]` prints points, times and memory. The
 * devices are real servers in a process of their own.
 */
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkScl, Iec61850Server, readScl } from '@enerchain/iec61850';
import { systemClock } from '@enerchain/model';
import { Iec61850Connector } from '../src/connectors/iec61850/connector.ts';
import { openSite } from '../src/site/load-site.ts';
import { FakeIntake } from './fake-intake.ts';
import { silent } from './helpers.ts';
import { float, SCD } from './iec61850-station.ts';

const range = (count: number): number[] => Array.from({ length: count }, (_, n) => n + 1);
const ports: number[] = [];
const nameOf = (n: number): string => `BCU${String(n).padStart(2, '0')}`;

/** Bay controllers, each with a buffered data set of states and one of measurands, and values that no data set holds. */
function scdOf(count: number): string {
  const [head, rest] = SCD.split('<Communication>');
  const types = rest!.slice(rest!.indexOf('<DataTypeTemplates>')).replace(
    '<DO name="Alm1" type="SPS"/>',
    range(16)
      .map((n) => `<DO name="Alm${n}" type="SPS"/>`)
      .join(''),
  );
  const states = range(12)
    .flatMap((n) => [
      `<FCDA ldInst="CTRL" lnClass="XCBR" lnInst="${n}" doName="Pos" fc="ST"/>`,
      ...range(16).map((alarm) => `<FCDA ldInst="CTRL" lnClass="GGIO" lnInst="${n}" doName="Alm${alarm}" fc="ST"/>`),
    ])
    .join('');
  const values = range(12)
    .flatMap((n) =>
      ['TotW', 'A'].map((name) => `<FCDA ldInst="CTRL" lnClass="MMXU" lnInst="${n}" doName="${name}" fc="MX"/>`),
    )
    .join('');
  const nodes = range(24)
    .flatMap((n) => ['XCBR', 'CSWI', 'GGIO', 'MMXU'].map((cls) => `<LN lnClass="${cls}" inst="${n}" lnType="${cls}"/>`))
    .join('');
  const ied = (n: number): string =>
    `<IED name="${nameOf(n)}"><AccessPoint name="AP1"><Server><Authentication/><LDevice inst="CTRL"><LN0 lnClass="LLN0" inst="" lnType="LLN0">
<DataSet name="Events">${states}</DataSet><DataSet name="Values">${values}</DataSet>
<ReportControl name="events" datSet="Events" confRev="1" buffered="true"><TrgOps dchg="true" qchg="true" gi="true"/><OptFields/><RptEnabled max="2"/></ReportControl>
<ReportControl name="values" datSet="Values" confRev="1"><TrgOps dchg="true" qchg="true" gi="true"/><OptFields/><RptEnabled max="2"/></ReportControl></LN0>${nodes}</LDevice></Server></AccessPoint></IED>`;
  const ap = (n: number): string =>
    `<ConnectedAP iedName="${nameOf(n)}" apName="AP1"><Address><P type="IP">127.0.0.1</P></Address></ConnectedAP>`;
  return `${head}<Communication><SubNetwork name="W1">${range(count).map(ap).join('')}</SubNetwork></Communication>${range(count).map(ied).join('')}${types}`;
}

/** The devices: says its ports, then changes one measurand of each device ten times a second. */
async function serve(count: number): Promise<void> {
  const { models } = checkScl(readScl(scdOf(count)).scl!);
  const servers = range(count).map((n) => new Iec61850Server(models.get(nameOf(n))!, { port: 0 }));
  for (const server of servers) ports.push((await server.listen()).port);
  process.send!(ports);
  let value = 0;
  setInterval(() => {
    value++;
    for (const [n, server] of servers.entries())
      server.update(`${nameOf(n + 1)}CTRL/MMXU1.TotW`, { 'mag.f': float(value) });
  }, 100);
  process.on('disconnect', () => process.exit());
}

async function measure(count: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'edge-many-'));
  const scd = scdOf(count);
  writeFileSync(join(folder, 'station.scd'), scd);
  const child = fork(import.meta.filename, ['serve', String(count)], { execArgv: process.execArgv });
  const ports = await new Promise<number[]>((resolve) =>
    child.once('message', (message) => resolve(message as number[])),
  );
  const endpoints = ports.map(
    (port, n) =>
      `  - { id: bcu${n + 1}, protocol: iec61850, scl: station.scd, ied: ${nameOf(n + 1)}, port: ${port}, poll: { seconds: 10 } }\n`,
  );
  writeFileSync(join(folder, 'site.yaml'), `source: gw\nsite: { id: s }\nendpoints:\n${endpoints.join('')}`);
  const mebi = (): number => Math.round(process.memoryUsage.rss() / 2 ** 20);
  const before = mebi();
  const began = performance.now();
  const { site } = openSite(join(folder, 'site.yaml'));
  const loaded = performance.now() - began;
  const points = site.endpoints.reduce((sum, endpoint) => sum + endpoint.points.length, 0);
  console.log(`${count} IEDs, SCD of ${(scd.length / 2 ** 20).toFixed(1)} MiB, ${points} points`);
  console.log(`site read in ${Math.round(loaded)} ms; ${mebi()} MiB resident, ${before} before`);
  const starting = performance.now();
  const intakes = site.endpoints.map(() => Object.assign(new FakeIntake(), { auto: true }));
  const connectors = site.endpoints.map((endpoint, n) => {
    const host = { intake: intakes[n]!, clock: systemClock, logger: silent, folder, data: folder, source: 'gw' };
    const connector = new Iec61850Connector(endpoint, host);
    connector.start();
    return connector;
  });
  const all = (done: (intake: FakeIntake) => boolean) => until(() => intakes.every(done));
  await all(({ log }) => log.includes('connected'));
  console.log(`all connected after ${Math.round(performance.now() - starting)} ms`);
  await all(({ log }) => log.includes('synchronized'));
  const taken = intakes.reduce((sum, intake) => sum + intake.taken.length, 0);
  console.log(
    `all complete after ${Math.round(performance.now() - starting)} ms: ${taken} observations; ${mebi()} MiB resident`,
  );
  for (const intake of intakes) intake.taken.length = 0;
  const cpu = process.cpuUsage();
  await new Promise((wake) => setTimeout(wake, 20_000));
  const { user, system } = process.cpuUsage(cpu);
  const more = intakes.reduce((sum, intake) => sum + intake.taken.length, 0);
  console.log(
    `20 s later: ${more} observations, ${((user + system) / 200_000).toFixed(1)} % of a core; ${mebi()} MiB resident`,
  );
  for (const connector of connectors) await connector.stop();
  child.disconnect();
  rmSync(folder, { recursive: true });
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((wake) => setTimeout(wake, 20));
}

const [mode, count] = process.argv.slice(2);
if (mode === 'serve') await serve(Number(count));
else await measure(Number(mode ?? 60));
