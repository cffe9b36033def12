/** A gateway that is killed while a device reports: no buffered event is lost, and what comes twice is marked. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { derivedMrid } from '@enerchain/model';
import { afterEach, expect, test } from 'vitest';
import { TestCentre, until } from './centre.ts';
import { float, Iec61850Station, q, SCD, t } from './iec61850-station.ts';

/** Its measurand is reported through a buffer. */
const BUFFERED = SCD.replace(
  /<DataSet name="Events">.*?<\/DataSet>/,
  '<DataSet name="Events"><FCDA ldInst="CTRL" lnClass="MMXU" lnInst="1" doName="TotW" fc="MX"/></DataSet>',
);

let station: Iec61850Station | undefined;
let centre: TestCentre | undefined;
let edge: ChildProcess | undefined;
afterEach(async () => {
  edge?.kill('SIGKILL');
  await station?.close();
  await centre?.close();
});

test('every buffered event of a device arrives once, though the gateway is killed twice', async () => {
  const device = new Iec61850Station(BUFFERED);
  station = device;
  const port = await device.serve({}, BUFFERED);
  device.site(port, '    poll: false\n');
  const there = await TestCentre.open();
  centre = there;
  const token = await there.token('gw');
  const start = async (): Promise<ChildProcess> => {
    const args = [join(device.folder, 'site.yaml'), join(device.folder, 'data'), there.url, token];
    const child = fork(join(import.meta.dirname, 'edge-process.ts'), args, {
      execArgv: ['--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    edge = child;
    await once(child, 'message');
    return child;
  };
  const point = derivedMrid('s', 'bcu1', 'BCU1CTRL/MMXU1.TotW');
  const events = () => there.observations().filter((one) => one.point === point && one.cause === 'spontaneous');
  let produced = 0;
  const produce = (count: number): void => {
    for (let i = 0; i < count; i++) {
      produced++;
      const at = t(1_768_478_400 + produced);
      device.server.update('BCU1CTRL/MMXU1.TotW', { 'mag.f': float(produced), q: q(0, 0), t: at });
    }
  };
  for (let round = 0; round < 2; round++) {
    const child = await start();
    const before = events().length;
    produce(200);
    // In the middle of them: some are safe at the centre, some only on disk, some only at the device.
    await until(() => events().length > before, 'the first ones', 30_000);
    produce(200);
    child.kill('SIGKILL');
    await once(child, 'exit');
    produce(200);
  }
  await start();
  produce(1);
  // What is live goes before the backlog of the runs before.
  await until(() => new Set(events().map(({ value }) => value)).size === produced, 'all of them', 60_000);
  const first = events().filter(({ repeat }) => !repeat);
  const values = first.map(({ value }) => value as number);
  expect([...new Set(values)].sort((a, b) => a - b)).toEqual(Array.from({ length: produced }, (_, n) => n + 1));
  expect(values).toHaveLength(produced);
  expect(there.problems).toEqual([]);
}, 120_000);
