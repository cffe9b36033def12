/** The gateway with a device of libiec61850: points from an SCL file, reports with resume, polling, commands, what is other than the file. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Command, newMrid, systemClock } from '@enerchain/model';
import { until } from '@enerchain/transport/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Iec61850Connector } from '../../platform/edge/src/connectors/iec61850/connector.ts';
import { openSite } from '../../platform/edge/src/site/load-site.ts';
import { FakeIntake } from '../../platform/edge/test/fake-intake.ts';
import { silent } from '../../platform/edge/test/helpers.ts';
import { SCD } from '../../standards/iec61850/test/acsi/sample.ts';
import { freePort } from '../peer-process.ts';
import { missing, python } from '../pyiec61850.ts';

/** The sample as `peers/server.py` has it, but that the device has no SPCSO6. */
const FILE = SCD.replace('<IED name="BCU1">', '<IED name="IED">')
  .replaceAll('"CTRL"', '"LD0"')
  .replace(/<DataSet name="Values">.*?<\/DataSet>/, '')
  .replace(/<ReportControl name="urcb".*?<\/ReportControl>/, '')
  .replace('name="brcb" datSet="Switches" confRev="7"', 'name="brcb01" datSet="Switches" confRev="1"')
  .replace('<LN lnClass="MMXU" inst="1" lnType="MMXU"/>', '');

describe.skipIf(missing !== undefined)(`The gateway with libiec61850${missing ? ` (skipped: ${missing})` : ''}`, () => {
  test('a device brings its values, also those of a time without gateway, and carries out commands', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'edge-libiec61850-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const port = await freePort();
    const device = spawn(python, [join(import.meta.dirname, 'peers', 'server.py'), String(port)], {
      stdio: ['pipe', 'pipe', 'ignore'],
    }) as unknown as ChildProcessWithoutNullStreams;
    onTestFinished(() => void device.kill());
    expect(String((await once(device.stdout, 'data'))[0])).toContain('ready');
    const change = async (): Promise<void> => {
      device.stdin.write('\n');
      await once(device.stdout, 'data');
    };
    writeFileSync(join(folder, 'ied.cid'), FILE);
    writeFileSync(
      join(folder, 'site.yaml'),
      `source: gw\nsite: { id: s }\nendpoints:\n  - { id: ied, protocol: iec61850, scl: ied.cid, host: 127.0.0.1, port: ${port} }\n`,
    );
    const { site } = openSite(join(folder, 'site.yaml'));
    const [endpoint] = site.endpoints;
    const run = () => {
      const intake = new FakeIntake();
      intake.auto = true;
      const host = { intake, clock: systemClock, logger: silent, folder, data: folder, source: 'gw' };
      const connector = new Iec61850Connector(endpoint!, host);
      connector.start();
      onTestFinished(() => connector.stop());
      const seen = (number: number) => intake.taken.filter(({ name }) => name === `IEDLD0/GGIO1.SPCSO${number}`);
      return { connector, intake, seen };
    };
    const first = run();
    const all = () => [1, 3, 6].every((number) => first.seen(number).length > 0);
    await until(() => first.intake.log.includes('synchronized') && all(), 'the state');
    expect(first.seen(1).at(-1)).toMatchObject({ value: 0, cause: 'interrogation' });
    expect(first.seen(3)).toMatchObject([{ value: 0, cause: 'requested' }]);
    expect(first.seen(6)).toMatchObject([{ value: null, quality: 1 }]);
    expect((await first.connector.inspect.model()).deviations.join()).toContain('IEDLD0/GGIO1.SPCSO6');
    await change();
    await until(() => first.seen(1).at(-1)?.value === 1, 'the change');
    expect(first.seen(1).at(-1)!.cause).toBe('spontaneous');
    await until(() => first.intake.held.length === 0, 'the entry on disk');
    const order = async (number: number, value: number): Promise<string[]> => {
      const steps: string[] = [];
      const point = endpoint!.points.find(({ point: { name } }) => name === `IEDLD0/GGIO1.SPCSO${number} control`)!;
      const command = { id: newMrid(), action: 'operate', value, test: false } as unknown as Command;
      await first.connector.operate({ command, point }, (step) => steps.push(step));
      return steps;
    };
    expect(await order(2, 1)).toEqual(['operateSent', 'confirmed', 'terminated']);
    expect(await order(4, 1)).toEqual(['operateSent', 'confirmed', 'terminated']);
    await until(() => first.seen(2).at(-1)?.value === 1, 'what the command has moved');
    const blocks = await first.connector.inspect.controlBlocks();
    expect(blocks).toMatchObject([
      { reference: 'IEDLD0/LLN0.BR.brcb01', use: { state: 'subscribed' }, now: { RptEna: true } },
    ]);
    await first.connector.stop();
    await change();
    await change();
    const second = run();
    await until(
      () => second.intake.log.includes('synchronized') && second.seen(1).some(({ cause }) => cause === 'interrogation'),
      'what was buffered',
    );
    expect(
      second
        .seen(1)
        .filter(({ cause }) => cause === 'spontaneous')
        .map(({ value }) => value),
    ).toEqual([0, 1]);
    expect(second.intake.log.filter((line) => line.startsWith('overflowed'))).toEqual([]);
  });
});
